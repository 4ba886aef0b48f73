#include "bench/layer.h"

typedef struct {
    MaxglLayerBench *bench;
    const MaxglLinear *linear;
    const char *algorithm;
    const float *x, *w, *bias, *dy; /* w: K × C */
    MaxglTensor x_tensor, y_tensor, dy_tensor, dx_tensor;
    cl_mem weights, bias_buffer, dw, db;
} Work;

static double y_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    const gsize in = (gsize)k->linear->input.c, out = (gsize)k->linear->out_features;
    double sum = k->bias[index % out];
    for (gsize c = 0; c < in; c++)
        sum += (double)k->x[index / out * in + c] * k->w[index % out * in + c];
    return sum;
}

static double dx_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    const gsize in = (gsize)k->linear->input.c, out = (gsize)k->linear->out_features;
    double sum = 0;
    for (gsize o = 0; o < out; o++)
        sum += (double)k->dy[index / in * out + o] * k->w[o * in + index % in];
    return sum;
}

static double dw_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    const gsize in = (gsize)k->linear->input.c, out = (gsize)k->linear->out_features;
    double sum = 0;
    for (gsize n = 0; n < (gsize)k->linear->input.n; n++)
        sum += (double)k->x[n * in + index % in] * k->dy[n * out + index / in];
    return sum;
}

static gboolean work_init(Work *k, MaxglLayerBench *bench, const MaxglLinear *linear, GError **error)
{
    MaxglMaterial *m = bench->material;
    const MaxglShape out = maxgl_linear_output(linear);
    const gsize floats = maxgl_linear_weight_floats(linear);
    const gsize pitch = (gsize)maxgl_shape_blocks(&out) * (gsize)out.block;
    *k = (Work){.bench = bench, .linear = linear};
    k->algorithm = maxgl_linear_algorithm_name(maxgl_material_context(m), error);
    k->x = maxgl_material_random(m, maxgl_shape_elements(&linear->input), 1);
    k->w = maxgl_material_random(m, maxgl_linear_weight_elements(linear), 2);
    k->dy = maxgl_material_random(m, maxgl_shape_elements(&out), 3);
    k->bias = maxgl_material_random(m, (gsize)out.c, 4);
    g_autofree float *packed = g_new(float, floats), *bias = g_new0(float, pitch);
    maxgl_linear_pack_weights(linear, k->w, packed);
    for (int i = 0; i < out.c; i++)
        bias[i] = k->bias[i];
    return k->algorithm && maxgl_material_tensor(m, linear->input, k->x, &k->x_tensor, error) &&
           maxgl_material_tensor(m, out, NULL, &k->y_tensor, error) &&
           maxgl_material_tensor(m, out, k->dy, &k->dy_tensor, error) &&
           maxgl_material_tensor(m, linear->input, NULL, &k->dx_tensor, error) &&
           maxgl_material_upload(m, packed, floats * sizeof(float), &k->weights, error) &&
           maxgl_material_upload(m, bias, pitch * sizeof(float), &k->bias_buffer, error) &&
           maxgl_material_buffer(m, floats * sizeof(float), &k->dw, error) &&
           maxgl_material_buffer(m, pitch * sizeof(float), &k->db, error);
}

static MaxglBenchRow *time_pass(Work *k, const char *pass, gsize workspace, MaxglSequence *sequence,
                                GError **error)
{
    MaxglBenchRow *row = maxgl_layer_time(k->bench, pass, sequence, error);
    if (!row)
        return NULL;
    row->algorithm = g_strdup(k->algorithm);
    row->flops = 2 * maxgl_linear_macs(k->linear);
    row->bytes = (double)(maxgl_shape_bytes(&k->x_tensor.shape) + maxgl_shape_bytes(&k->y_tensor.shape) +
                          maxgl_linear_weight_floats(k->linear) * sizeof(float));
    row->workspace = workspace;
    return row;
}

static gboolean compare_tensor(Work *k, MaxglBenchRow *row, const MaxglTensor *tensor,
                               MaxglLayerReference reference, GError **error)
{
    const float *got = row ? maxgl_material_read_tensor(k->bench->material, tensor, error) : NULL;
    if (got)
        maxgl_layer_compare(row, got, maxgl_shape_elements(&tensor->shape), reference, k);
    return got != NULL;
}

static gboolean measure_forward(Work *k, GError **error)
{
    MaxglContext *context = maxgl_material_context(k->bench->material);
    const gsize bytes = maxgl_linear_forward_workspace(context, k->linear);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    return maxgl_material_buffer(k->bench->material, bytes, &workspace, error) &&
           maxgl_linear_forward(sequence, k->linear, k->x_tensor.buffer, k->weights, k->bias_buffer, FALSE,
                                k->y_tensor.buffer, workspace, error) &&
           compare_tensor(k, time_pass(k, "forward", bytes, sequence, error), &k->y_tensor, y_reference,
                          error);
}

static gboolean measure_backward_data(Work *k, GError **error)
{
    MaxglContext *context = maxgl_material_context(k->bench->material);
    const gsize bytes = maxgl_linear_backward_data_workspace(context, k->linear);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    return maxgl_material_buffer(k->bench->material, bytes, &workspace, error) &&
           maxgl_linear_backward_data(sequence, k->linear, k->dy_tensor.buffer, k->weights,
                                      k->dx_tensor.buffer, FALSE, workspace, error) &&
           compare_tensor(k, time_pass(k, "backward_data", bytes, sequence, error), &k->dx_tensor,
                          dx_reference, error);
}

static gboolean measure_backward_weights(Work *k, GError **error)
{
    MaxglMaterial *m = k->bench->material;
    MaxglContext *context = maxgl_material_context(m);
    const gsize bytes = maxgl_linear_backward_weights_workspace(context, k->linear);
    const gsize elements = maxgl_linear_weight_elements(k->linear);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(m, bytes, &workspace, error) ||
        !maxgl_linear_backward_weights(sequence, k->linear, k->x_tensor.buffer, k->dy_tensor.buffer, k->dw,
                                       k->db, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_pass(k, "backward_weights", bytes, sequence, error);
    const float *packed =
        row ? maxgl_material_read(m, k->dw, maxgl_linear_weight_floats(k->linear), error) : NULL;
    if (!packed)
        return FALSE;
    g_autofree float *got = g_new(float, elements);
    maxgl_linear_unpack_weights(k->linear, packed, got);
    maxgl_layer_compare(row, got, elements, dw_reference, k);
    return TRUE;
}

gboolean maxgl_layer_linear(MaxglLayerBench *bench, const MaxglLinear *linear, GError **error)
{
    Work work;
    return work_init(&work, bench, linear, error) && measure_forward(&work, error) &&
           measure_backward_data(&work, error) && measure_backward_weights(&work, error);
}
