#include "net/precision.h"

#include "net/parameters.h"

#include <maxgl/error.h>
#include <string.h>

const char *const maxgl_precision_names[] = {"fp32", "tf32", "fp16", "bf16", NULL};

gboolean maxgl_precision_parse(const char *name, MaxglPrecision *precision, GError **error)
{
    *precision = MAXGL_PRECISION_FP32;
    for (int i = 0; name && maxgl_precision_names[i]; i++)
        if (strcmp(name, maxgl_precision_names[i]) == 0) {
            *precision = (MaxglPrecision)i;
            return TRUE;
        }
    if (!name)
        return TRUE;
    g_autofree char *names = g_strjoinv(", ", (char **)maxgl_precision_names);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "precision \"%s\" is unknown; there are %s", name,
                names);
    return FALSE;
}

MaxglFactors maxgl_precision_factors(MaxglPrecision precision)
{
    static const MaxglFactors factors[] = {[MAXGL_PRECISION_FP32] = MAXGL_FACTORS_FP32,
                                           [MAXGL_PRECISION_TF32] = MAXGL_FACTORS_TF32,
                                           [MAXGL_PRECISION_FP16] = MAXGL_FACTORS_FP16,
                                           [MAXGL_PRECISION_BF16] = MAXGL_FACTORS_BF16};
    return factors[precision];
}

/* What comes behind the global pool is small, and what heads see. */
static MaxglStorage storage_of(MaxglPrecision precision, const MaxglResnet *resnet, int tensor)
{
    const int producer = resnet->tensors[tensor].producer;
    if (producer < 0)
        return MAXGL_FLOAT32;
    switch (resnet->layers[producer].kind) {
    case MAXGL_LAYER_GLOBAL_POOL:
    case MAXGL_LAYER_DROPOUT:
    case MAXGL_LAYER_LINEAR:
        return MAXGL_FLOAT32;
    default:
        return maxgl_factors_storage(maxgl_precision_factors(precision));
    }
}

MaxglShape maxgl_precision_shape(MaxglPrecision precision, MaxglContext *context, const MaxglResnet *resnet,
                                 int tensor, int n)
{
    const MaxglMap m = resnet->tensors[tensor].map;
    const int block = tensor == 0 ? maxgl_layout_input_block(context) : maxgl_layout_block(context);
    return maxgl_shape_stored(maxgl_shape(n, m.c, m.t, m.h, m.w, block),
                              storage_of(precision, resnet, tensor));
}

MaxglConv3d maxgl_precision_conv3d(MaxglPrecision precision, MaxglContext *context, const MaxglResnet *resnet,
                                   int layer, int n)
{
    const MaxglLayer *l = &resnet->layers[layer];
    const MaxglShape out = maxgl_precision_shape(precision, context, resnet, l->output, n);
    MaxglConv3d conv = {.input = maxgl_precision_shape(precision, context, resnet, l->input, n),
                        .out_channels = out.c,
                        .out_block = out.block,
                        .out_storage = out.storage,
                        .tf32 = precision == MAXGL_PRECISION_TF32};
    memcpy(conv.kernel, l->kernel, sizeof conv.kernel);
    memcpy(conv.stride, l->stride, sizeof conv.stride);
    memcpy(conv.pad, l->pad, sizeof conv.pad);
    return conv;
}
