/* Layers that move memory rather than multiply, and the linear one. */
#include "bench/layer.h"

#include <math.h>

static MaxglSequence *sequence_new(const MaxglLayerBench *bench)
{
    return maxgl_sequence_new(maxgl_material_context(bench->material));
}

/* Compares a tensor that a timed pass has written. */
static gboolean finish(MaxglLayerBench *bench, MaxglBenchRow *row, double bytes, const MaxglTensor *result,
                       MaxglLayerReference reference, gconstpointer data, GError **error)
{
    if (!row)
        return FALSE;
    row->bytes = bytes;
    const float *got = maxgl_material_read_tensor(bench->material, result, error);
    if (got)
        maxgl_layer_compare(row, got, maxgl_shape_elements(&result->shape), reference, data);
    return got != NULL;
}

/* ---------------- batch norm ---------------- */

typedef struct {
    const MaxglBatchNorm *norm;
    const float *x, *residual, *gamma, *beta, *dy, *y; /* y: the device's, which decides where ReLU is open */
    double *mean, *invstd, *sum, *dot;                 /* by channel: Σ dy, Σ dy·x̂ through the ReLU */
    gboolean *known;
} Norm;

static double open_gradient(const Norm *k, gsize index)
{
    return k->norm->relu && !(k->y[index] > 0) ? 0 : k->dy[index];
}

static gsize channel_index(const MaxglShape *s, int n, int c, gsize pixel)
{
    return ((gsize)n * (gsize)s->c + (gsize)c) * maxgl_shape_pixels(s) + pixel;
}

/* The statistics of a channel, when they are first asked for. */
static void know_channel(const Norm *k, int c)
{
    const MaxglShape *s = &k->norm->shape;
    const gsize pixels = maxgl_shape_pixels(s), count = pixels * (gsize)s->n;
    if (k->known[c])
        return;
    k->known[c] = TRUE;
    double sum = 0, squares = 0;
    for (int n = 0; n < s->n; n++)
        for (gsize i = 0; i < pixels; i++)
            sum += k->x[channel_index(s, n, c, i)];
    const double mean = k->mean[c] = sum / (double)count;
    for (int n = 0; n < s->n; n++)
        for (gsize i = 0; i < pixels; i++)
            squares += pow(k->x[channel_index(s, n, c, i)] - mean, 2);
    k->invstd[c] = 1 / sqrt(squares / (double)count + k->norm->eps);
    for (int n = 0; k->y && n < s->n; n++)
        for (gsize i = 0; i < pixels; i++) {
            const gsize index = channel_index(s, n, c, i);
            k->sum[c] += open_gradient(k, index);
            k->dot[c] += open_gradient(k, index) * (k->x[index] - mean) * k->invstd[c];
        }
}

static double norm_reference(gconstpointer data, gsize index)
{
    const Norm *k = data;
    const int c = maxgl_place_of(&k->norm->shape, index).c;
    know_channel(k, c);
    const double y = k->gamma[c] * (k->x[index] - k->mean[c]) * k->invstd[c] + k->beta[c] +
                     (k->residual ? k->residual[index] : 0);
    return k->norm->relu ? MAX(y, 0) : y;
}

static double norm_gradient(gconstpointer data, gsize index)
{
    const Norm *k = data;
    const MaxglShape *s = &k->norm->shape;
    const double count = (double)s->n * (double)maxgl_shape_pixels(s);
    const int c = maxgl_place_of(s, index).c;
    know_channel(k, c);
    const double x_hat = (k->x[index] - k->mean[c]) * k->invstd[c];
    return k->gamma[c] * k->invstd[c] *
           (open_gradient(k, index) - k->sum[c] / count - x_hat * k->dot[c] / count);
}

static void norm_forget(Norm *k)
{
    const gsize channels = (gsize)k->norm->shape.c;
    g_free(k->mean);
    g_free(k->known);
    k->mean = g_new0(double, 4 * channels);
    k->invstd = k->mean + channels;
    k->sum = k->invstd + channels;
    k->dot = k->sum + channels;
    k->known = g_new0(gboolean, channels);
}

/* Per-channel numbers on the device: @value[c] of @values, or one of a kind where that is NULL. */
static gboolean upload_vector(MaxglMaterial *m, const MaxglShape *s, const float *values, float otherwise,
                              cl_mem *buffer, GError **error)
{
    const gsize floats = (gsize)maxgl_shape_blocks(s) * (gsize)s->block;
    g_autofree float *vector = g_new0(float, floats);
    for (int c = 0; c < s->c; c++)
        vector[c] = values ? values[c] : otherwise;
    return maxgl_material_upload(m, vector, floats * sizeof(float), buffer, error);
}

typedef struct {
    MaxglTensor x, residual, y, dy, dx, d_residual;
    MaxglBatchNormVectors vectors;
    cl_mem saved, dgamma, dbeta, workspace;
} NormDevice;

static gboolean norm_upload(MaxglMaterial *m, const Norm *k, NormDevice *d, GError **error)
{
    const MaxglShape s = k->norm->shape;
    return maxgl_material_tensor(m, s, k->x, &d->x, error) &&
           (!k->residual || (maxgl_material_tensor(m, s, k->residual, &d->residual, error) &&
                             maxgl_material_tensor(m, s, NULL, &d->d_residual, error))) &&
           maxgl_material_tensor(m, s, NULL, &d->y, error) &&
           maxgl_material_tensor(m, s, k->dy, &d->dy, error) &&
           maxgl_material_tensor(m, s, NULL, &d->dx, error) &&
           upload_vector(m, &s, k->gamma, 1, &d->vectors.gamma, error) &&
           upload_vector(m, &s, k->beta, 0, &d->vectors.beta, error) &&
           upload_vector(m, &s, NULL, 0, &d->vectors.running_mean, error) &&
           upload_vector(m, &s, NULL, 1, &d->vectors.running_var, error) &&
           upload_vector(m, &s, NULL, 0, &d->dgamma, error) &&
           upload_vector(m, &s, NULL, 0, &d->dbeta, error) &&
           maxgl_material_buffer(m, maxgl_batch_norm_saved_floats(k->norm) * sizeof(float), &d->saved,
                                 error) &&
           maxgl_material_buffer(m, maxgl_batch_norm_workspace(maxgl_material_context(m), k->norm),
                                 &d->workspace, error);
}

static gboolean norm_forward(MaxglLayerBench *bench, Norm *k, NormDevice *d, GError **error)
{
    g_autoptr(MaxglSequence) sequence = sequence_new(bench);
    const double tensor = (double)maxgl_shape_bytes(&k->norm->shape);
    if (!maxgl_batch_norm_forward_training(sequence, k->norm, &d->vectors, d->x.buffer, d->residual.buffer,
                                           d->y.buffer, d->saved, d->workspace, error))
        return FALSE;
    norm_forget(k);
    /* x for the statistics and x again, the residual, y */
    return finish(bench, maxgl_layer_time(bench, "forward", sequence, error), (k->residual ? 4 : 3) * tensor,
                  &d->y, norm_reference, k, error);
}

static gboolean norm_backward(MaxglLayerBench *bench, Norm *k, NormDevice *d, GError **error)
{
    g_autoptr(MaxglSequence) sequence = sequence_new(bench);
    const double tensor = (double)maxgl_shape_bytes(&k->norm->shape);
    const MaxglBatchNormGradients gradients = {.x = d->x.buffer,
                                               .y = k->residual ? d->y.buffer : NULL,
                                               .saved = d->saved,
                                               .dy = d->dy.buffer,
                                               .dx = d->dx.buffer,
                                               .d_residual = d->d_residual.buffer,
                                               .dgamma = d->dgamma,
                                               .dbeta = d->dbeta};
    k->y = maxgl_material_read_tensor(bench->material, &d->y, error);
    if (!k->y || !maxgl_batch_norm_backward(sequence, k->norm, &d->vectors, &gradients, d->workspace, error))
        return FALSE;
    norm_forget(k);
    /* x and dy twice, dx; with a residual also y and its gradient */
    return finish(bench, maxgl_layer_time(bench, "backward", sequence, error), (k->residual ? 7 : 5) * tensor,
                  &d->dx, norm_gradient, k, error);
}

gboolean maxgl_layer_batch_norm(MaxglLayerBench *bench, const MaxglBatchNorm *norm, gboolean residual,
                                GError **error)
{
    MaxglMaterial *m = bench->material;
    const gsize channels = (gsize)norm->shape.c;
    Norm k = {.norm = norm,
              .x = maxgl_material_operand(m, &norm->shape, 1),
              .residual = residual ? maxgl_material_operand(m, &norm->shape, 2) : NULL,
              .dy = maxgl_material_operand(m, &norm->shape, 3),
              .gamma = maxgl_material_random(m, channels, 4),
              .beta = maxgl_material_random(m, channels, 5)};
    NormDevice d = {0};
    const gboolean ok = norm_upload(m, &k, &d, error) && norm_forward(bench, &k, &d, error) &&
                        norm_backward(bench, &k, &d, error);
    g_free(k.mean);
    g_free(k.known);
    return ok;
}

/* ---------------- max-pool ---------------- */

typedef struct {
    const MaxglMaxPool *pool;
    MaxglShape out;
    const float *x, *dy;
} Max;

static double max_reference(gconstpointer data, gsize index)
{
    const Max *k = data;
    return k->x[maxgl_reference_max_pool_winner(k->pool, k->x, maxgl_place_of(&k->out, index))];
}

static double max_gradient(gconstpointer data, gsize index)
{
    const Max *k = data;
    return maxgl_reference_max_pool_data(k->pool, k->x, k->dy, maxgl_place_of(&k->pool->input, index));
}

gboolean maxgl_layer_max_pool(MaxglLayerBench *bench, const MaxglMaxPool *pool, GError **error)
{
    MaxglMaterial *m = bench->material;
    Max k = {.pool = pool, .out = maxgl_max_pool_output(pool)};
    k.x = maxgl_material_operand(m, &pool->input, 1);
    k.dy = maxgl_material_operand(m, &k.out, 2);
    const double in = (double)maxgl_shape_bytes(&pool->input), out = (double)maxgl_shape_bytes(&k.out);
    const gsize taps_bytes = maxgl_shape_floats(&k.out) * sizeof(gint32);
    const double bytes = in + out + (double)taps_bytes;
    g_autoptr(MaxglSequence) forward = sequence_new(bench), backward = sequence_new(bench);
    MaxglTensor x, y, dy, dx;
    cl_mem taps;
    return maxgl_material_tensor(m, pool->input, k.x, &x, error) &&
           maxgl_material_tensor(m, k.out, NULL, &y, error) &&
           maxgl_material_tensor(m, k.out, k.dy, &dy, error) &&
           maxgl_material_tensor(m, pool->input, NULL, &dx, error) &&
           maxgl_material_buffer(m, taps_bytes, &taps, error) &&
           maxgl_max_pool_forward(forward, pool, x.buffer, y.buffer, taps, error) &&
           finish(bench, maxgl_layer_time(bench, "forward", forward, error), bytes, &y, max_reference, &k,
                  error) &&
           maxgl_max_pool_backward(backward, pool, dy.buffer, taps, dx.buffer, FALSE, error) &&
           finish(bench, maxgl_layer_time(bench, "backward", backward, error), bytes, &dx, max_gradient, &k,
                  error);
}

/* ---------------- global average pool ---------------- */

typedef struct {
    gsize pixels;
    const float *x, *dy;
} Average;

static double average_reference(gconstpointer data, gsize index)
{
    const Average *k = data;
    double sum = 0;
    for (gsize i = 0; i < k->pixels; i++)
        sum += k->x[index * k->pixels + i];
    return sum / (double)k->pixels;
}

static double average_gradient(gconstpointer data, gsize index)
{
    const Average *k = data;
    return k->dy[index / k->pixels] / (double)k->pixels;
}

gboolean maxgl_layer_average_pool(MaxglLayerBench *bench, const MaxglAveragePool *pool, GError **error)
{
    MaxglMaterial *m = bench->material;
    const MaxglShape out = maxgl_average_pool_output(pool);
    const Average k = {maxgl_shape_pixels(&pool->input), maxgl_material_operand(m, &pool->input, 1),
                       maxgl_material_operand(m, &out, 2)};
    const double bytes = (double)(maxgl_shape_bytes(&pool->input) + maxgl_shape_bytes(&out));
    g_autoptr(MaxglSequence) forward = sequence_new(bench), backward = sequence_new(bench);
    MaxglTensor x, y, dy, dx;
    return maxgl_material_tensor(m, pool->input, k.x, &x, error) &&
           maxgl_material_tensor(m, out, NULL, &y, error) &&
           maxgl_material_tensor(m, out, k.dy, &dy, error) &&
           maxgl_material_tensor(m, pool->input, NULL, &dx, error) &&
           maxgl_average_pool_forward(forward, pool, x.buffer, y.buffer, error) &&
           finish(bench, maxgl_layer_time(bench, "forward", forward, error), bytes, &y, average_reference, &k,
                  error) &&
           maxgl_average_pool_backward(backward, pool, dy.buffer, dx.buffer, FALSE, error) &&
           finish(bench, maxgl_layer_time(bench, "backward", backward, error), bytes, &dx, average_gradient,
                  &k, error);
}

/* ---------------- shortcut A ---------------- */

typedef struct {
    const MaxglSubsample *subsample;
    MaxglShape out;
    const float *x, *dy;
} Shortcut;

static double shortcut_reference(gconstpointer data, gsize index)
{
    const Shortcut *k = data;
    const int *stride = k->subsample->stride;
    const MaxglPlace p = maxgl_place_of(&k->out, index);
    return p.c < k->subsample->input.c
               ? k->x[maxgl_place_index(&k->subsample->input, (MaxglPlace){p.n, p.c, p.t * stride[0],
                                                                           p.h * stride[1], p.w * stride[2]})]
               : 0;
}

static double shortcut_gradient(gconstpointer data, gsize index)
{
    const Shortcut *k = data;
    const int *stride = k->subsample->stride;
    const MaxglPlace p = maxgl_place_of(&k->subsample->input, index);
    if (p.t % stride[0] || p.h % stride[1] || p.w % stride[2])
        return 0;
    return k->dy[maxgl_place_index(
        &k->out, (MaxglPlace){p.n, p.c, p.t / stride[0], p.h / stride[1], p.w / stride[2]})];
}

gboolean maxgl_layer_subsample(MaxglLayerBench *bench, const MaxglSubsample *subsample, GError **error)
{
    MaxglMaterial *m = bench->material;
    Shortcut k = {.subsample = subsample, .out = maxgl_subsample_output(subsample)};
    k.x = maxgl_material_operand(m, &subsample->input, 1);
    k.dy = maxgl_material_operand(m, &k.out, 2);
    /* Forward reads the pixels that it takes; backward writes all. */
    const double in = (double)maxgl_shape_bytes(&subsample->input), out = (double)maxgl_shape_bytes(&k.out);
    const double taken = out * subsample->input.c / subsample->out_channels;
    g_autoptr(MaxglSequence) forward = sequence_new(bench), backward = sequence_new(bench);
    MaxglTensor x, y, dy, dx;
    return maxgl_material_tensor(m, subsample->input, k.x, &x, error) &&
           maxgl_material_tensor(m, k.out, NULL, &y, error) &&
           maxgl_material_tensor(m, k.out, k.dy, &dy, error) &&
           maxgl_material_tensor(m, subsample->input, NULL, &dx, error) &&
           maxgl_subsample_forward(forward, subsample, x.buffer, y.buffer, error) &&
           finish(bench, maxgl_layer_time(bench, "forward", forward, error), taken + out, &y,
                  shortcut_reference, &k, error) &&
           maxgl_subsample_backward(backward, subsample, dy.buffer, dx.buffer, FALSE, error) &&
           finish(bench, maxgl_layer_time(bench, "backward", backward, error), taken + in, &dx,
                  shortcut_gradient, &k, error);
}
