#include "ops/linear.h"

#include "ops/grid.h"
#include "ops/linear_algorithms.h"
#include <string.h>

enum { BIAS_ROWS_MIN = 256, BIAS_PARTS_MAX = 64 };

static const MaxglLinearAlgorithm *const algorithms[] = {&maxgl_linear_direct, &maxgl_linear_clblast};

MaxglShape maxgl_linear_output(const MaxglLinear *linear)
{
    return maxgl_shape(linear->input.n, linear->out_features, 1, 1, 1, linear->out_block);
}

gsize maxgl_linear_in_pitch(const MaxglLinear *linear)
{
    return maxgl_shape_padded_channels(&linear->input);
}

gsize maxgl_linear_out_pitch(const MaxglLinear *linear)
{
    const MaxglShape out = maxgl_linear_output(linear);
    return maxgl_shape_padded_channels(&out);
}

gsize maxgl_linear_weight_floats(const MaxglLinear *linear)
{
    return maxgl_linear_in_pitch(linear) * maxgl_linear_out_pitch(linear);
}

gsize maxgl_linear_weight_elements(const MaxglLinear *linear)
{
    return (gsize)linear->input.c * (gsize)linear->out_features;
}

double maxgl_linear_macs(const MaxglLinear *linear)
{
    return (double)linear->input.n * linear->input.c * linear->out_features;
}

void maxgl_linear_pack_weights(const MaxglLinear *linear, const float *plain, float *packed)
{
    const gsize pitch = maxgl_linear_out_pitch(linear), features = (gsize)linear->input.c;
    memset(packed, 0, maxgl_linear_weight_floats(linear) * sizeof(float));
    for (gsize k = 0; k < (gsize)linear->out_features; k++)
        for (gsize c = 0; c < features; c++)
            packed[c * pitch + k] = plain[k * features + c];
}

void maxgl_linear_unpack_weights(const MaxglLinear *linear, const float *packed, float *plain)
{
    const gsize pitch = maxgl_linear_out_pitch(linear), features = (gsize)linear->input.c;
    for (gsize k = 0; k < (gsize)linear->out_features; k++)
        for (gsize c = 0; c < features; c++)
            plain[k * features + c] = packed[c * pitch + k];
}

static gboolean validate(const MaxglLinear *linear, GError **error)
{
    const MaxglShape *in = &linear->input;
    if (in->n > 0 && in->c > 0 && in->block > 0 && maxgl_shape_pixels(in) == 1 && linear->out_features > 0 &&
        linear->out_block > 0)
        return TRUE;
    g_autofree char *text = maxgl_shape_text(in);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "no linear layer: input %s, %d output features: the input must be a matrix (time, height and "
                "width 1) and sizes positive",
                text, linear->out_features);
    return FALSE;
}

static const MaxglLinearAlgorithm *choose(MaxglContext *context, GError **error)
{
    const char *name = maxgl_tuning_string(context->tuning, "linear", NULL, "algorithm", "clblast");
    for (gsize i = 0; i < G_N_ELEMENTS(algorithms); i++)
        if (g_str_equal(algorithms[i]->name, name))
            return algorithms[i];
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "tuning database: no algorithm \"%s\" for linear, there are direct and clblast", name);
    return NULL;
}

const char *maxgl_linear_algorithm_name(MaxglContext *context, GError **error)
{
    const MaxglLinearAlgorithm *algorithm = choose(context, error);
    return algorithm ? algorithm->name : NULL;
}

static gsize workspace_of(MaxglContext *context, const MaxglLinear *linear, MaxglLinearPass pass)
{
    const MaxglLinearAlgorithm *algorithm = choose(context, NULL);
    return algorithm ? algorithm->workspace(context, linear, pass) : 0;
}

gsize maxgl_linear_forward_workspace(MaxglContext *context, const MaxglLinear *linear)
{
    return workspace_of(context, linear, MAXGL_LINEAR_FORWARD);
}

gsize maxgl_linear_backward_data_workspace(MaxglContext *context, const MaxglLinear *linear)
{
    return workspace_of(context, linear, MAXGL_LINEAR_BACKWARD_DATA);
}

static guint32 bias_rows(guint32 rows)
{
    return MAX(BIAS_ROWS_MIN, (rows + BIAS_PARTS_MAX - 1) / BIAS_PARTS_MAX);
}

static guint32 bias_parts(guint32 rows)
{
    return (rows + bias_rows(rows) - 1) / bias_rows(rows);
}

gsize maxgl_linear_backward_weights_workspace(MaxglContext *context, const MaxglLinear *linear)
{
    const guint32 parts = bias_parts((guint32)linear->input.n);
    const gsize bias = parts > 1 ? parts * maxgl_linear_out_pitch(linear) * sizeof(float) : 0;
    /* One after the other: the gradients of bias and weights use the same memory. */
    return MAX(bias, workspace_of(context, linear, MAXGL_LINEAR_BACKWARD_WEIGHTS));
}

gboolean maxgl_linear_sum_parts(MaxglSequence *sequence, cl_mem parts, guint32 n_parts, gsize floats,
                                cl_mem out, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, floats);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d", vector);
    MaxglLaunch launch = {.file = "linear.cl", .kernel = "linear_sum_parts", .options = options};
    const guint32 vectors = (guint32)(floats / (gsize)vector);
    const int run = maxgl_grid_split(context, vectors, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "muumi", parts, n_parts, vectors, out, run);
}

static gboolean backward_bias(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy, cl_mem db,
                              cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize pitch = maxgl_linear_out_pitch(linear);
    const guint32 rows = (guint32)linear->input.n, parts = bias_parts(rows);
    const int vector = maxgl_grid_vector(context, pitch);
    const guint32 vectors = (guint32)(pitch / (gsize)vector);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d", vector);
    MaxglLaunch launch = {.file = "linear.cl", .kernel = "linear_backward_bias", .options = options};
    maxgl_grid_items(context, vectors, &launch);
    launch.dims = 2;
    launch.global[1] = parts;
    launch.local[1] = 1;
    return maxgl_sequence_add(sequence, &launch, error, "mmuuu", dy, parts > 1 ? workspace : db, rows,
                              bias_rows(rows), vectors) &&
           (parts == 1 || maxgl_linear_sum_parts(sequence, workspace, parts, pitch, db, error));
}

gboolean maxgl_linear_forward(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem weights,
                              cl_mem bias, gboolean relu, cl_mem y, cl_mem workspace, GError **error)
{
    const MaxglLinearAlgorithm *algorithm = choose(maxgl_sequence_context(sequence), error);
    return algorithm && validate(linear, error) &&
           algorithm->forward(sequence, linear, x, weights, bias, relu, y, workspace, error);
}

gboolean maxgl_linear_backward_data(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy,
                                    cl_mem weights, cl_mem dx, gboolean accumulate, cl_mem workspace,
                                    GError **error)
{
    const MaxglLinearAlgorithm *algorithm = choose(maxgl_sequence_context(sequence), error);
    return algorithm && validate(linear, error) &&
           algorithm->backward_data(sequence, linear, dy, weights, dx, accumulate, workspace, error);
}

gboolean maxgl_linear_backward_weights(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x,
                                       cl_mem dy, cl_mem dw, cl_mem db, cl_mem workspace, GError **error)
{
    const MaxglLinearAlgorithm *algorithm = choose(maxgl_sequence_context(sequence), error);
    return algorithm && validate(linear, error) &&
           (!db || backward_bias(sequence, linear, dy, db, workspace, error)) &&
           algorithm->backward_weights(sequence, linear, x, dy, dw, workspace, error);
}
