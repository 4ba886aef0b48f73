/* Batch norm of running statistics as part of the convolution before it:
 *   gamma · (conv(x, w) − mean)/√(var + eps) + beta = conv(x, w·s) + (beta − mean·s), s = gamma/√(var + eps).
 */
#include "net/network_private.h"

#include <math.h>

/* Reads a batch norm's vector of @channels floats, padding included, as it lies on the device. */
static gboolean read_vector(const MaxglNetwork *n, int norm, const char *what, float *out, gsize channels,
                            GError **error)
{
    cl_mem buffer = maxgl_network_value(n, norm, what, error);
    return buffer && maxgl_buffer_read(n->context, buffer, 0, out, channels * sizeof(float), error);
}

static gboolean read_fold(const MaxglNetwork *n, int norm, float *scale, float *bias, gsize channels,
                          GError **error)
{
    g_autofree float *mean = g_new(float, channels), *variance = g_new(float, channels);
    if (!read_vector(n, norm, "weight", scale, channels, error) ||
        !read_vector(n, norm, "bias", bias, channels, error) ||
        !read_vector(n, norm, "running_mean", mean, channels, error) ||
        !read_vector(n, norm, "running_var", variance, channels, error))
        return FALSE;
    for (gsize i = 0; i < channels; i++) {
        const double s = scale[i] / sqrt((double)variance[i] + MAXGL_BATCH_NORM_EPS);
        bias[i] = (float)(bias[i] - mean[i] * s);
        scale[i] = (float)s;
    }
    return TRUE;
}

static gboolean prepare(MaxglNetwork *n, const MaxglConv3d *conv, cl_mem weights, cl_mem prepared,
                        GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(n->context);
    return maxgl_conv3d_prepare(sequence, conv, weights, prepared, error) &&
           maxgl_sequence_run(sequence, error);
}

static gboolean fold(MaxglNetwork *n, int norm, GError **error)
{
    const MaxglLayerPlan *p = &n->layers[norm];
    const MaxglConv3d conv = maxgl_network_conv3d(n, p->folded);
    const MaxglShape out = maxgl_network_shape(n, n->resnet->layers[norm].output);
    const gsize block = (gsize)out.block, channels = (gsize)maxgl_shape_blocks(&out) * block;
    const gsize floats = maxgl_conv3d_weight_floats(&conv), per_block = floats / (channels / block);
    g_autofree float *weights = g_new(float, floats), *scale = g_new(float, channels),
                     *bias = g_new(float, channels);
    cl_mem from = maxgl_network_value(n, p->folded, "weight", error);
    if (!from || !maxgl_buffer_read(n->context, from, 0, weights, floats * sizeof(float), error) ||
        !read_fold(n, norm, scale, bias, channels, error))
        return FALSE;
    for (gsize i = 0; i < floats; i++) /* output blocks come first in the layout, their channels last */
        weights[i] *= scale[i / per_block * block + i % block];
    cl_mem to = maxgl_memory_plan_window(n->weights_plan, (guint)p->weights);
    cl_mem to_bias = maxgl_memory_plan_window(n->weights_plan, (guint)p->bias);
    cl_mem plain = p->prepared ? maxgl_memory_plan_window(n->plan, (guint)n->fold_block) : to;
    return maxgl_buffer_write(n->context, plain, 0, weights, floats * sizeof(float), error) &&
           maxgl_buffer_write(n->context, to_bias, 0, bias, channels * sizeof(float), error) &&
           (!p->prepared || prepare(n, &conv, plain, to, error));
}

gboolean maxgl_network_fold(MaxglNetwork *n, GError **error)
{
    for (int i = 0; i < n->resnet->n_layers; i++)
        if (n->layers[i].active && n->layers[i].folded >= 0 && !fold(n, i, error))
            return FALSE;
    return TRUE;
}
