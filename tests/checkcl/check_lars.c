/* LARS against a plain reference in double precision. */
#include "checkcl.h"

#include "compute/buffer.h"
#include "ops/lars.h"
#include <math.h>
#include <string.h>

enum { MAX_TENSORS = 6, STEPS = 3, GAP = 5 };

typedef enum { RANDOM, ZERO_WEIGHTS, ZERO_GRADIENTS, ALL_ZERO, FAINT_GRADIENTS } Content;

typedef struct {
    gsize floats;
    gboolean adapted;
    Content content;
} Tensor;

typedef struct {
    double momentum, decay, max_norm, trust;
    Tensor tensors[MAX_TENSORS];
    int n;
} Case;

/* A chunk is of 8192 floats. Between tensors lie some floats that must stay as they are. */
static const Case cases[] = {
    {0.9, 1e-2, 0, 0.001, {{1, TRUE, RANDOM}}, 1},
    {0, 1e-2, 0, 0.02, {{1, TRUE, RANDOM}, {7, FALSE, RANDOM}}, 2},
    {0.9, 0, 0, 0.02, {{17, TRUE, RANDOM}, {0, FALSE, RANDOM}, {33, TRUE, RANDOM}}, 3},
    {0.9, 1e-2, 0, 0.02, {{0, TRUE, RANDOM}, {64, FALSE, RANDOM}}, 2},
    {0.9,
     1e-2,
     0,
     0.02,
     {{20, TRUE, ZERO_WEIGHTS},
      {20, TRUE, ZERO_GRADIENTS},
      {20, TRUE, ALL_ZERO},
      {1, TRUE, ZERO_WEIGHTS},
      {20, TRUE, FAINT_GRADIENTS},
      {9, FALSE, ZERO_GRADIENTS}},
     6},
    {0.5, 1e-2, 0.5, 0.02, {{35, TRUE, RANDOM}, {16, TRUE, RANDOM}, {3, FALSE, RANDOM}}, 3},
    {0.9, 0, 1e6, 0.001, {{35, TRUE, RANDOM}, {16, FALSE, RANDOM}}, 2},
    {0.9, 1e-2, 0, 0.001, {{8192, TRUE, RANDOM}, {8193, TRUE, RANDOM}, {8191, FALSE, RANDOM}}, 3},
    {0.9, 1e-2, 3, 0.02, {{1, TRUE, RANDOM}, {700001, TRUE, RANDOM}, {20003, FALSE, RANDOM}}, 3},
};

static gsize total_floats(const Case *c)
{
    gsize total = GAP;
    for (int i = 0; i < c->n; i++)
        total += c->tensors[i].floats + GAP;
    return total;
}

static char *describe(guint index)
{
    const Case *c = &cases[index];
    return g_strdup_printf("%d tensors, %" G_GSIZE_FORMAT
                           " floats, momentum %g, weight decay %g, max norm %g, trust %g",
                           c->n, total_floats(c), c->momentum, c->decay, c->max_norm, c->trust);
}

static gboolean is_small(guint index)
{
    return total_floats(&cases[index]) < 1000;
}

static void lay_out(const Case *c, MaxglLarsTensor tensors[MAX_TENSORS])
{
    gsize offset = GAP;
    for (int i = 0; i < c->n; i++) {
        tensors[i] = (MaxglLarsTensor){offset, c->tensors[i].floats, c->tensors[i].adapted};
        offset += c->tensors[i].floats + GAP;
    }
}

/* Gradients (@step from 1 on) or initial parameters (0). */
static float *draw(const Case *c, const MaxglLarsTensor *tensors, int step)
{
    float *values = check_random(total_floats(c), (guint64)step + 1);
    for (int i = 0; i < c->n; i++) {
        const Content content = c->tensors[i].content;
        const gboolean zero = content == ALL_ZERO || (content == ZERO_WEIGHTS && step == 0) ||
                              (content == ZERO_GRADIENTS && step > 0);
        const float factor = zero ? 0 : content == FAINT_GRADIENTS && step > 0 ? 1e-9F : 1;
        for (gsize j = 0; j < tensors[i].floats; j++)
            values[tensors[i].offset + j] *= factor;
    }
    return values;
}

static double rate_of_step(int step)
{
    return 2 - 0.5 * step;
}

static double norm_of(const double *values, gsize n)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

static void reference_step(const Case *c, const MaxglLarsTensor *tensors, double *w, double *v,
                           const float *gradients, int step)
{
    const gsize total = total_floats(c);
    g_autofree double *g = check_to_double(gradients, total);
    const double scale = c->max_norm > 0 ? MIN(1, c->max_norm / (norm_of(g, total) + 1e-6)) : 1;
    for (gsize i = 0; i < total; i++)
        g[i] *= scale;
    for (int i = 0; i < c->n; i++) {
        const MaxglLarsTensor *t = &tensors[i];
        const double decay = t->adapted ? c->decay : 0;
        const double of_w = norm_of(w + t->offset, t->floats), of_g = norm_of(g + t->offset, t->floats);
        const double ratio = t->adapted && of_w > 0 && of_g > 0 ? c->trust * of_w / (of_g + decay * of_w) : 1;
        for (gsize j = t->offset; j < t->offset + t->floats; j++) {
            v[j] = c->momentum * v[j] + ratio * rate_of_step(step) * (g[j] + decay * w[j]);
            w[j] -= v[j];
        }
    }
}

typedef struct {
    MaxglOptimizer optimizer;
    MaxglOptimizerBuffers buffers;
    cl_mem table, workspace, norm_workspace;
} Device;

static gboolean make_buffers(MaxglContext *context, const Case *c, const MaxglLarsTensor *tensors,
                             const float *parameters, CheckReport *report, Device *d, GError **error)
{
    const gsize total = total_floats(c), n = (gsize)c->n;
    g_autofree float *zeros = g_new0(float, total);
    MaxglOptimizerBuffers *b = &d->buffers;
    *d =
        (Device){.optimizer = {
                     .kind = MAXGL_OPTIMIZER_LARS, .momentum = (float)c->momentum, .trust = (float)c->trust}};
    if (maxgl_optimizer_states(&d->optimizer) == 1 &&
        !(b->state[0] = check_buffer(report, context, total, zeros, error)))
        return FALSE;
    b->parameters = check_buffer(report, context, total, parameters, error);
    b->gradients = check_buffer(report, context, total, zeros, error);
    b->step = check_bytes(report, context, sizeof(MaxglOptimizerStep), NULL, error);
    d->table = check_bytes(report, context, maxgl_lars_table_bytes(tensors, n), NULL, error);
    d->workspace = check_bytes(report, context, maxgl_lars_workspace(tensors, n), NULL, error);
    d->norm_workspace = check_bytes(report, context, maxgl_gradient_norm_workspace(total), NULL, error);
    if (c->max_norm > 0 && !(b->clip = check_bytes(report, context, sizeof(MaxglGradientNorm), NULL, error)))
        return FALSE;
    return b->parameters && b->gradients && b->step && d->table && d->workspace && d->norm_workspace &&
           maxgl_lars_table_write(context, tensors, n, d->table, error);
}

static gboolean append_step(MaxglSequence *sequence, const Case *c, const MaxglLarsTensor *tensors,
                            const Device *d, GError **error)
{
    return (c->max_norm == 0 ||
            maxgl_gradient_norm(sequence, d->buffers.gradients, total_floats(c), (float)c->max_norm,
                                d->buffers.clip, d->norm_workspace, error)) &&
           maxgl_lars_update(sequence, &d->optimizer, &d->buffers, tensors, (gsize)c->n, c->decay, d->table,
                             d->workspace, error);
}

/* Each tensor by itself, so that none hides behind a larger one. */
static gboolean compare(MaxglContext *context, CheckReport *report, const Case *c,
                        const MaxglLarsTensor *tensors, const char *what, cl_mem buffer, const double *want,
                        GError **error)
{
    const gsize total = total_floats(c);
    g_autofree float *got = g_new(float, total);
    if (!maxgl_buffer_read(context, buffer, 0, got, total * sizeof(float), error))
        return FALSE;
    for (int i = 0; i < c->n; i++) {
        g_autofree char *name = g_strdup_printf("%s of tensor %d", what, i);
        if (tensors[i].floats > 0)
            check_compare(report, name, got + tensors[i].offset, want + tensors[i].offset, tensors[i].floats,
                          1e-6);
    }
    for (int i = 0; i <= c->n; i++) {
        const gsize gap = i < c->n ? tensors[i].offset - GAP : total - GAP;
        check_compare(report, "the gaps", got + gap, want + gap, GAP, 1e-30);
    }
    return TRUE;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    const gsize total = total_floats(c);
    MaxglLarsTensor tensors[MAX_TENSORS];
    lay_out(c, tensors);
    g_autofree float *initial = draw(c, tensors, 0);
    g_autofree double *w = check_to_double(initial, total), *v = check_zeros(total);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    Device d;
    if (!make_buffers(context, c, tensors, initial, report, &d, error) ||
        !append_step(sequence, c, tensors, &d, error))
        return FALSE;
    for (int step = 1; step <= STEPS; step++) {
        g_autofree float *gradients = draw(c, tensors, step);
        if (!maxgl_buffer_write(context, d.buffers.gradients, 0, gradients, total * sizeof(float), error) ||
            !maxgl_optimizer_set_step(context, &d.optimizer, d.buffers.step, (guint32)step,
                                      rate_of_step(step), error) ||
            !check_run(sequence, error))
            return FALSE;
        reference_step(c, tensors, w, v, gradients, step);
    }
    return compare(context, report, c, tensors, "parameters", d.buffers.parameters, w, error) &&
           (!d.buffers.state[0] ||
            compare(context, report, c, tensors, "velocities", d.buffers.state[0], v, error));
}

static char *describe_bench(guint index)
{
    return g_strdup("8388608 parameters in 64 tensors");
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    enum { N = 64, FLOATS = 1 << 17 };
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Case whole = {0.9, 1e-4, 0, 0.001, {{(gsize)N * FLOATS, TRUE, RANDOM}}, 1};
    g_autofree float *zeros = g_new0(float, total_floats(&whole));
    MaxglLarsTensor tensors[N];
    Device d;
    for (gsize i = 0; i < N; i++)
        tensors[i] = (MaxglLarsTensor){i * FLOATS, FLOATS, TRUE};
    *flops = 0;
    *bytes = 7.0 * sizeof(float) * N * FLOATS;
    if (!make_buffers(context, &whole, tensors, zeros, report, &d, error))
        return FALSE;
    d.table = check_bytes(report, context, maxgl_lars_table_bytes(tensors, N), NULL, error);
    d.workspace = check_bytes(report, context, maxgl_lars_workspace(tensors, N), NULL, error);
    return d.table && d.workspace && maxgl_lars_table_write(context, tensors, N, d.table, error) &&
           maxgl_optimizer_set_step(context, &d.optimizer, d.buffers.step, 1, 1e-3, error) &&
           maxgl_lars_update(sequence, &d.optimizer, &d.buffers, tensors, N, whole.decay, d.table,
                             d.workspace, error);
}

const MaxglCheck check_lars = {
    .name = "lars",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = 1,
    .describe_bench = describe_bench,
    .bench = bench,
};
