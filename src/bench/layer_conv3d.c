#include "bench/layer.h"
#include "bench/model.h"

typedef struct {
    MaxglLayerBench *bench;
    const MaxglConv3d *conv;
    MaxglShape out;
    const float *x, *dy, *w, *bias; /* on the host */
    MaxglTensor x_tensor, y_tensor, dy_tensor, dx_tensor;
    cl_mem weights, bias_buffer, dw;
} Work;

static gsize plain_weights(const MaxglConv3d *conv)
{
    return maxgl_conv3d_weight_elements(conv);
}

static gboolean upload_weights(Work *k, GError **error)
{
    MaxglMaterial *m = k->bench->material;
    const gsize floats = maxgl_conv3d_weight_floats(k->conv);
    g_autofree float *packed = g_new(float, floats), *bias = NULL;
    const gsize channels = (gsize)maxgl_shape_blocks(&k->out) * (gsize)k->out.block;
    maxgl_conv3d_pack_weights(k->conv, k->w, packed);
    bias = g_new0(float, channels);
    for (int i = 0; i < k->out.c; i++)
        bias[i] = k->bias[i];
    return maxgl_material_upload(m, packed, floats * sizeof(float), &k->weights, error) &&
           maxgl_material_upload(m, bias, channels * sizeof(float), &k->bias_buffer, error) &&
           maxgl_material_buffer(m, floats * sizeof(float), &k->dw, error);
}

static gboolean work_init(Work *k, MaxglLayerBench *bench, const MaxglConv3d *conv, gboolean first,
                          GError **error)
{
    MaxglMaterial *m = bench->material;
    *k = (Work){.bench = bench, .conv = conv, .out = maxgl_conv3d_output(conv)};
    k->x = maxgl_material_operand(m, &conv->input, 1);
    k->dy = maxgl_material_operand(m, &k->out, 2);
    k->w = maxgl_material_random(m, plain_weights(conv), 3);
    k->bias = maxgl_material_random(m, (gsize)k->out.c, 4);
    return maxgl_material_tensor(m, conv->input, k->x, &k->x_tensor, error) &&
           maxgl_material_tensor(m, k->out, NULL, &k->y_tensor, error) &&
           maxgl_material_tensor(m, k->out, k->dy, &k->dy_tensor, error) &&
           (first || maxgl_material_tensor(m, conv->input, NULL, &k->dx_tensor, error)) &&
           upload_weights(k, error);
}

static double y_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    return maxgl_reference_conv3d(k->conv, k->x, k->w, maxgl_place_of(&k->out, index));
}

static double folded_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    const MaxglPlace place = maxgl_place_of(&k->out, index);
    return MAX(maxgl_reference_conv3d(k->conv, k->x, k->w, place) + k->bias[place.c], 0);
}

static double dx_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    return maxgl_reference_conv3d_data(k->conv, k->dy, k->w, maxgl_place_of(&k->conv->input, index));
}

static double dw_reference(gconstpointer data, gsize index)
{
    const Work *k = data;
    return maxgl_reference_conv3d_weights(k->conv, k->x, k->dy, index);
}

/* What the data sheet of such a device promises. */
static double predict(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglDeviceClass *class = maxgl_device_class_of(context->info);
    if (!class)
        return 0;
    const MaxglModel model = maxgl_model_of_class(class);
    return maxgl_model_conv3d(&model, context, conv, pass);
}

/* Times the pass and says what all passes have in common. */
static MaxglBenchRow *time_pass(Work *k, const char *name, MaxglConv3dPass pass, gsize workspace,
                                MaxglSequence *sequence, GError **error)
{
    MaxglContext *context = maxgl_material_context(k->bench->material);
    MaxglBenchRow *row = maxgl_layer_time(k->bench, name, sequence, error);
    MaxglWork work;
    if (!row)
        return NULL;
    row->algorithm = g_strdup(maxgl_conv3d_algorithm_name(context, k->conv, pass));
    row->flops = 2 * maxgl_conv3d_macs(k->conv);
    row->bytes = maxgl_conv3d_operand_bytes(k->conv);
    row->workspace = workspace;
    row->predicted = predict(context, k->conv, pass);
    row->on_units = maxgl_conv3d_work(context, k->conv, pass, &work) && work.units;
    row->factors = row->on_units ? work.factors : MAXGL_FACTORS_FP32;
    return row;
}

static gboolean compare_tensor(Work *k, MaxglBenchRow *row, const MaxglTensor *tensor,
                               MaxglLayerReference reference, GError **error)
{
    const float *got = maxgl_material_read_tensor(k->bench->material, tensor, error);
    if (got)
        maxgl_layer_compare(row, got, maxgl_shape_elements(&tensor->shape), reference, k);
    return got != NULL;
}

static gboolean measure_forward(Work *k, GError **error)
{
    MaxglContext *context = maxgl_material_context(k->bench->material);
    const gsize bytes = maxgl_conv3d_forward_workspace(context, k->conv);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(k->bench->material, bytes, &workspace, error) ||
        !maxgl_conv3d_forward(sequence, k->conv, k->x_tensor.buffer, k->weights, k->y_tensor.buffer, NULL,
                              workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_pass(k, "forward", MAXGL_CONV3D_FORWARD, bytes, sequence, error);
    return row && compare_tensor(k, row, &k->y_tensor, y_reference, error);
}

/* As inference runs it: bias and ReLU in the same pass, weights in the algorithm's own form. */
static gboolean append_inference(Work *k, MaxglSequence *sequence, gsize *bytes, GError **error)
{
    MaxglMaterial *m = k->bench->material;
    MaxglContext *context = maxgl_material_context(m);
    const MaxglConv3dEpilogue epilogue = {.bias = k->bias_buffer, .relu = TRUE};
    const gsize prepared_bytes = maxgl_conv3d_prepared_bytes(context, k->conv);
    cl_mem workspace, prepared;
    *bytes = prepared_bytes ? maxgl_conv3d_forward_prepared_workspace(context, k->conv)
                            : maxgl_conv3d_forward_workspace(context, k->conv);
    if (!maxgl_material_buffer(m, *bytes, &workspace, error) ||
        !maxgl_material_buffer(m, prepared_bytes, &prepared, error))
        return FALSE;
    if (!prepared)
        return maxgl_conv3d_forward(sequence, k->conv, k->x_tensor.buffer, k->weights, k->y_tensor.buffer,
                                    &epilogue, workspace, error);
    g_autoptr(MaxglSequence) once = maxgl_sequence_new(context);
    return maxgl_conv3d_prepare(once, k->conv, k->weights, prepared, error) &&
           maxgl_sequence_run(once, error) && maxgl_context_finish(context, error) &&
           maxgl_conv3d_forward_prepared(sequence, k->conv, k->x_tensor.buffer, prepared, k->y_tensor.buffer,
                                         &epilogue, workspace, error);
}

static gboolean measure_inference(Work *k, GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(maxgl_material_context(k->bench->material));
    gsize bytes = 0;
    if (!append_inference(k, sequence, &bytes, error))
        return FALSE;
    MaxglBenchRow *row = time_pass(k, "inference", MAXGL_CONV3D_FORWARD, bytes, sequence, error);
    return row && compare_tensor(k, row, &k->y_tensor, folded_reference, error);
}

static gboolean measure_backward_data(Work *k, GError **error)
{
    MaxglContext *context = maxgl_material_context(k->bench->material);
    const gsize bytes = maxgl_conv3d_backward_data_workspace(context, k->conv);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(k->bench->material, bytes, &workspace, error) ||
        !maxgl_conv3d_backward_data(sequence, k->conv, k->dy_tensor.buffer, k->weights, k->dx_tensor.buffer,
                                    FALSE, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_pass(k, "backward_data", MAXGL_CONV3D_BACKWARD_DATA, bytes, sequence, error);
    return row && compare_tensor(k, row, &k->dx_tensor, dx_reference, error);
}

static gboolean measure_backward_weights(Work *k, GError **error)
{
    MaxglMaterial *m = k->bench->material;
    MaxglContext *context = maxgl_material_context(m);
    const gsize bytes = maxgl_conv3d_backward_weights_workspace(context, k->conv);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(m, bytes, &workspace, error) ||
        !maxgl_conv3d_backward_weights(sequence, k->conv, k->x_tensor.buffer, k->dy_tensor.buffer, k->dw,
                                       workspace, error))
        return FALSE;
    MaxglBenchRow *row =
        time_pass(k, "backward_weights", MAXGL_CONV3D_BACKWARD_WEIGHTS, bytes, sequence, error);
    const float *packed =
        row ? maxgl_material_read(m, k->dw, maxgl_conv3d_weight_floats(k->conv), error) : NULL;
    if (!packed)
        return FALSE;
    g_autofree float *got = g_new(float, plain_weights(k->conv));
    maxgl_conv3d_unpack_weights(k->conv, packed, got);
    maxgl_layer_compare(row, got, plain_weights(k->conv), dw_reference, k);
    return TRUE;
}

gboolean maxgl_layer_conv3d(MaxglLayerBench *bench, const MaxglConv3d *conv, gboolean first, GError **error)
{
    Work work;
    return work_init(&work, bench, conv, first, error) && measure_inference(&work, error) &&
           measure_forward(&work, error) && (first || measure_backward_data(&work, error)) &&
           measure_backward_weights(&work, error);
}
