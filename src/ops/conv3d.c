#include "ops/conv3d.h"

#include "ops/conv3d_algorithms.h"
#include "ops/conv3d_gemm.h"
#include "ops/conv3d_mma.h"
#include "ops/conv3d_winograd_gemm.h"
#include <math.h>
#include <string.h>

static const MaxglConv3dAlgorithm *const algorithms[] = {&maxgl_conv3d_winograd,
                                                         &maxgl_conv3d_winograd_gemm,
                                                         &maxgl_conv3d_mma,
                                                         &maxgl_conv3d_gemm,
                                                         &maxgl_conv3d_direct,
                                                         &maxgl_conv3d_dot,
                                                         NULL};

MaxglShape maxgl_conv3d_output(const MaxglConv3d *conv)
{
    const int size[3] = {conv->input.t, conv->input.h, conv->input.w};
    int out[3];
    for (int i = 0; i < 3; i++) {
        const int span = size[i] + 2 * conv->pad[i] - conv->kernel[i];
        out[i] = span < 0 ? 0 : span / conv->stride[i] + 1;
    }
    return maxgl_shape_stored(
        maxgl_shape(conv->input.n, conv->out_channels, out[0], out[1], out[2], conv->out_block),
        conv->out_storage);
}

gboolean maxgl_conv3d_validate(const MaxglConv3d *conv, GError **error)
{
    const MaxglShape *in = &conv->input;
    gboolean ok = in->n > 0 && in->c > 0 && in->t > 0 && in->h > 0 && in->w > 0 && in->block > 0 &&
                  conv->out_channels > 0 && conv->out_block > 0;
    for (int i = 0; i < 3; i++)
        ok = ok && conv->kernel[i] > 0 && conv->stride[i] > 0 && conv->pad[i] >= 0 &&
             conv->pad[i] < conv->kernel[i];
    if (ok) {
        const MaxglShape out = maxgl_conv3d_output(conv);
        ok = out.t > 0 && out.h > 0 && out.w > 0;
    }
    if (ok)
        return TRUE;
    g_autofree char *input = maxgl_shape_text(in);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "no convolution: input %s, %d output channels, kernel %d×%d×%d, stride %d×%d×%d, padding "
                "%d×%d×%d: sizes must be "
                "positive, padding below the kernel and the kernel within the padded input",
                input, conv->out_channels, conv->kernel[0], conv->kernel[1], conv->kernel[2], conv->stride[0],
                conv->stride[1], conv->stride[2], conv->pad[0], conv->pad[1], conv->pad[2]);
    return FALSE;
}

gsize maxgl_conv3d_taps(const MaxglConv3d *conv)
{
    return (gsize)conv->kernel[0] * conv->kernel[1] * conv->kernel[2];
}

gsize maxgl_conv3d_weight_floats(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    return maxgl_shape_padded_channels(&out) * maxgl_shape_padded_channels(&conv->input) *
           maxgl_conv3d_taps(conv);
}

gsize maxgl_conv3d_weight_elements(const MaxglConv3d *conv)
{
    return (gsize)conv->out_channels * conv->input.c * maxgl_conv3d_taps(conv);
}

/* Index of w[k, c, tap] in the device layout. */
static gsize packed_index(const MaxglConv3d *conv, int k, int c, gsize tap)
{
    const int bi = conv->input.block, bo = conv->out_block;
    const gsize block =
        ((gsize)(k / bo) * maxgl_shape_blocks(&conv->input) + c / bi) * maxgl_conv3d_taps(conv) + tap;
    return (block * bi + c % bi) * bo + k % bo;
}

void maxgl_conv3d_pack_weights(const MaxglConv3d *conv, const float *plain, float *packed)
{
    const gsize taps = maxgl_conv3d_taps(conv);
    memset(packed, 0, maxgl_conv3d_weight_floats(conv) * sizeof(float));
    for (int k = 0; k < conv->out_channels; k++)
        for (int c = 0; c < conv->input.c; c++)
            for (gsize tap = 0; tap < taps; tap++)
                packed[packed_index(conv, k, c, tap)] = plain[((gsize)k * conv->input.c + c) * taps + tap];
}

void maxgl_conv3d_unpack_weights(const MaxglConv3d *conv, const float *packed, float *plain)
{
    const gsize taps = maxgl_conv3d_taps(conv);
    for (int k = 0; k < conv->out_channels; k++)
        for (int c = 0; c < conv->input.c; c++)
            for (gsize tap = 0; tap < taps; tap++)
                plain[((gsize)k * conv->input.c + c) * taps + tap] = packed[packed_index(conv, k, c, tap)];
}

double maxgl_conv3d_macs(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    return (double)maxgl_shape_elements(&out) * conv->input.c * (double)maxgl_conv3d_taps(conv);
}

char *maxgl_conv3d_shape_class(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    /* y's storage says it: a clip comes as floats whatever is multiplied. */
    const char *numbers = conv->out_storage == MAXGL_FLOAT16    ? " fp16"
                          : conv->out_storage == MAXGL_BFLOAT16 ? " bf16"
                          : conv->tf32                          ? " tf32"
                                                                : "";
    return g_strdup_printf("k%dx%dx%d s%dx%dx%d c%d k%d o%dx%dx%d%s", conv->kernel[0], conv->kernel[1],
                           conv->kernel[2], conv->stride[0], conv->stride[1], conv->stride[2], conv->input.c,
                           conv->out_channels, out.t, out.h, out.w, numbers);
}

MaxglConv3dPhase maxgl_conv3d_phase(int size, int kernel, int stride, int pad, int phase)
{
    MaxglConv3dPhase p = {.size = phase < size ? (size - phase + stride - 1) / stride : 0,
                          .first = (phase + pad) % stride};
    p.taps = p.first < kernel ? (kernel - p.first + stride - 1) / stride : 0;
    p.pad = p.taps - 1 - (phase + pad - p.first) / stride;
    return p;
}

static gboolean is_usable(const MaxglConv3dAlgorithm *a, MaxglContext *context, const MaxglConv3d *conv,
                          MaxglConv3dPass pass)
{
    return a->supports(conv, pass, context->info) && !(conv->exact && a->rounds_more) &&
           (!a->worthwhile || a->worthwhile(context, conv, pass));
}

/* A time, in ordinary floating-point operations: those of the products, of which matrix units do so many
 * more, and bytes. */
static double cost(const MaxglConv3dAlgorithm *a, MaxglContext *context, const MaxglConv3d *conv,
                   MaxglConv3dPass pass)
{
    enum { BYTE = 20 }; /* operations while a byte is moved; see conv3d_winograd_gemm.h */
    static const int usual[] = {200, 800, 800, 400};
    MaxglWork work;
    if (!a->work || !a->work(context, conv, pass, &work))
        return INFINITY;
    g_autofree char *name = g_strdup_printf("speed_%s", maxgl_factors_name(work.factors));
    const int speed =
        work.units ? maxgl_tuning_int(context->tuning, "mma", NULL, name, usual[work.factors]) : 100;
    return work.flops * 100 / MAX(speed, 1) + BYTE * work.bytes;
}

/* Matrix units, where the device has them for such numbers, unless Winograd's method on ordinary ones takes
 * less: on some devices they are no more than twice as fast. */
static const char *algorithm_of_units(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglConv3dAlgorithm *units = &maxgl_conv3d_mma, *other = &maxgl_conv3d_winograd_gemm;
    if (!is_usable(units, context, conv, pass))
        return NULL;
    if (!is_usable(other, context, conv, pass))
        return units->name;
    return cost(other, context, conv, pass) < cost(units, context, conv, pass) ? other->name : units->name;
}

/* The tuning database names an algorithm for the pass; else it is that of matrix units, where the device has
 * them; else the database names one for all passes. Where that does not support the case or is not
 * worthwhile, the last of the list that does and is takes its place; direct always does. */
static const MaxglConv3dAlgorithm *choose(MaxglContext *context, const MaxglConv3d *conv,
                                          MaxglConv3dPass pass)
{
    static const char *const pass_names[] = {"forward", "backward_data", "backward_weights"};
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    const char *any = maxgl_tuning_string(context->tuning, "conv3d", shape, "algorithm", algorithms[0]->name);
    const char *units = algorithm_of_units(context, conv, pass);
    const char *name =
        maxgl_tuning_string(context->tuning, "conv3d", shape, pass_names[pass], units ? units : any);
    const MaxglConv3dAlgorithm *other = NULL;
    for (const MaxglConv3dAlgorithm *const *a = algorithms; *a; a++) {
        if (!is_usable(*a, context, conv, pass))
            continue;
        if (g_str_equal((*a)->name, name))
            return *a;
        other = *a;
    }
    g_assert(other);
    return other;
}

double maxgl_conv3d_operand_bytes(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    return (double)(maxgl_shape_bytes(&conv->input) + maxgl_shape_bytes(&out) +
                    maxgl_conv3d_weight_floats(conv) * sizeof(float));
}

gboolean maxgl_conv3d_work(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                           MaxglWork *work)
{
    const MaxglConv3dAlgorithm *algorithm = choose(context, conv, pass);
    return algorithm->work && algorithm->work(context, conv, pass, work);
}

const char *maxgl_conv3d_algorithm_name(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    return choose(context, conv, pass)->name;
}

const char *const *maxgl_conv3d_algorithm_names(void)
{
    static const char *names[G_N_ELEMENTS(algorithms)];
    static gsize done;
    if (g_once_init_enter(&done)) {
        for (gsize i = 0; algorithms[i]; i++)
            names[i] = algorithms[i]->name;
        g_once_init_leave(&done, 1);
    }
    return names;
}

gsize maxgl_conv3d_forward_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return choose(context, conv, MAXGL_CONV3D_FORWARD)->workspace(context, conv, MAXGL_CONV3D_FORWARD);
}

gsize maxgl_conv3d_backward_data_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return choose(context, conv, MAXGL_CONV3D_BACKWARD_DATA)
        ->workspace(context, conv, MAXGL_CONV3D_BACKWARD_DATA);
}

gsize maxgl_conv3d_backward_weights_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return choose(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS)
        ->workspace(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
}

gboolean maxgl_conv3d_forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights,
                              cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    const MaxglConv3dEpilogue none = {0};
    g_return_val_if_fail(!epilogue || !epilogue->statistics ||
                             !(epilogue->bias || epilogue->residual || epilogue->relu),
                         FALSE);
    if (!maxgl_conv3d_validate(conv, error))
        return FALSE;
    return choose(maxgl_sequence_context(sequence), conv, MAXGL_CONV3D_FORWARD)
        ->forward(sequence, conv, x, weights, y, epilogue ? epilogue : &none, workspace, error);
}

int maxgl_conv3d_statistics_parts(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglConv3dAlgorithm *algorithm = choose(context, conv, MAXGL_CONV3D_FORWARD);
    return algorithm->statistics_parts ? algorithm->statistics_parts(context, conv) : 0;
}

gsize maxgl_conv3d_prepared_bytes(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglConv3dAlgorithm *algorithm = choose(context, conv, MAXGL_CONV3D_FORWARD);
    return algorithm->prepared_bytes ? algorithm->prepared_bytes(context, conv) : 0;
}

gsize maxgl_conv3d_forward_prepared_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return choose(context, conv, MAXGL_CONV3D_FORWARD)
        ->workspace(context, conv, MAXGL_CONV3D_FORWARD_PREPARED);
}

gboolean maxgl_conv3d_prepare(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights,
                              cl_mem prepared, GError **error)
{
    const MaxglConv3dAlgorithm *algorithm =
        choose(maxgl_sequence_context(sequence), conv, MAXGL_CONV3D_FORWARD);
    g_return_val_if_fail(algorithm->prepare, FALSE);
    return maxgl_conv3d_validate(conv, error) && algorithm->prepare(sequence, conv, weights, prepared, error);
}

gboolean maxgl_conv3d_forward_prepared(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x,
                                       cl_mem prepared, cl_mem y, const MaxglConv3dEpilogue *epilogue,
                                       cl_mem workspace, GError **error)
{
    const MaxglConv3dAlgorithm *algorithm =
        choose(maxgl_sequence_context(sequence), conv, MAXGL_CONV3D_FORWARD);
    const MaxglConv3dEpilogue none = {0};
    g_return_val_if_fail(algorithm->forward_prepared, FALSE);
    return maxgl_conv3d_validate(conv, error) &&
           algorithm->forward_prepared(sequence, conv, x, prepared, y, epilogue ? epilogue : &none, workspace,
                                       error);
}

gboolean maxgl_conv3d_backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy,
                                    cl_mem weights, cl_mem dx, gboolean accumulate, cl_mem workspace,
                                    GError **error)
{
    if (!maxgl_conv3d_validate(conv, error))
        return FALSE;
    return choose(maxgl_sequence_context(sequence), conv, MAXGL_CONV3D_BACKWARD_DATA)
        ->backward_data(sequence, conv, dy, weights, dx, accumulate, workspace, error);
}

gboolean maxgl_conv3d_backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                       cl_mem dw, cl_mem workspace, GError **error)
{
    if (!maxgl_conv3d_validate(conv, error))
        return FALSE;
    return choose(maxgl_sequence_context(sequence), conv, MAXGL_CONV3D_BACKWARD_WEIGHTS)
        ->backward_weights(sequence, conv, x, dy, dw, workspace, error);
}
