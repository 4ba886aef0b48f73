/* Optimisers against a plain reference in double precision, and that against PyTorch's own numbers. */
#include "checkcl.h"

#include "ops/loss_scale.h"
#include "ops/optimizer.h"
#include <math.h>

#include "../golden/optimizer.h"

/* Floats updated with and without weight decay; behind them lie some that must stay as they are. */
static const struct {
    gsize decayed, plain;
} sizes[] = {{1, 0}, {2, 3}, {17, 20}, {30001, 20002}};

enum { N_GOLDEN = G_N_ELEMENTS(golden), N_SIZES = G_N_ELEMENTS(sizes), UNTOUCHED = 3, SKIPPED = 7 };

/* The first N_GOLDEN cases run PyTorch's inputs, the next N_GOLDEN do after steps that were skipped, the
 * others random ones with the same settings. */
typedef struct {
    guint settings;
    gsize decayed, plain, total;
    gboolean is_golden;
    guint32 skipped; /* steps before the first */
} Case;

static Case get_case(guint index)
{
    if (index < 2 * N_GOLDEN)
        return (Case){index % N_GOLDEN,          GOLDEN_PARAMETERS, 0, GOLDEN_PARAMETERS, TRUE,
                      index / N_GOLDEN * SKIPPED};
    const guint i = (index - 2 * N_GOLDEN) % N_SIZES;
    const gsize total = sizes[i].decayed + sizes[i].plain + UNTOUCHED;
    return (Case){(index - 2 * N_GOLDEN) / N_SIZES, sizes[i].decayed, sizes[i].plain, total, FALSE, 0};
}

static const char *kind_name(MaxglOptimizerKind kind)
{
    return kind == MAXGL_OPTIMIZER_SGD ? "sgd" : kind == MAXGL_OPTIMIZER_ADAM ? "adam" : "adamw";
}

static char *describe(guint index)
{
    const Case c = get_case(index);
    const MaxglOptimizer *o = &golden[c.settings].optimizer;
    return g_strdup_printf("%s%s momentum %g%s, weight decay %g, max norm %g, %" G_GSIZE_FORMAT
                           " + %" G_GSIZE_FORMAT " parameters, %u steps skipped",
                           c.is_golden ? "PyTorch's " : "", kind_name(o->kind), o->momentum,
                           o->nesterov ? " nesterov" : "", golden[c.settings].weight_decay,
                           golden[c.settings].max_norm, c.decayed, c.plain, c.skipped);
}

static gboolean is_small(guint index)
{
    return get_case(index).total < 100;
}

static float *initial_parameters(const Case *c)
{
    if (!c->is_golden)
        return check_random(c->total, 1);
    float *values = g_new(float, c->total);
    for (int i = 0; i < (int)c->total; i++)
        values[i] = (float)((i * 37) % 101 - 50) / 64;
    return values;
}

static float *gradients_of_step(const Case *c, int step)
{
    if (!c->is_golden)
        return check_random(c->total, 100 + (guint64)step);
    float *values = g_new(float, c->total);
    for (int i = 0; i < (int)c->total; i++)
        values[i] = (float)((i * 53 + step * 29) % 97 - 48) / 32;
    return values;
}

static double rate_of_step(const Case *c, int step)
{
    return golden[c->settings].rate * (1 - 0.1 * step);
}

typedef struct {
    double *parameters, *states[2];
    double norm, scale;
} Reference;

static double update_one(const MaxglOptimizer *o, double p, double g, double decay, double rate, int step,
                         double *m, double *v)
{
    if (o->kind != MAXGL_OPTIMIZER_ADAMW)
        g += decay * p;
    if (o->kind == MAXGL_OPTIMIZER_SGD) {
        *m = o->momentum * *m + g;
        return p - rate * (o->nesterov ? g + o->momentum * *m : *m);
    }
    *m = o->beta1 * *m + (1 - o->beta1) * g;
    *v = o->beta2 * *v + (1 - o->beta2) * g * g;
    if (o->kind == MAXGL_OPTIMIZER_ADAMW)
        p -= rate * decay * p;
    const double mean = *m / (1 - pow(o->beta1, step)), square = *v / (1 - pow(o->beta2, step));
    return p - rate * mean / (sqrt(square) + o->epsilon);
}

static void reference_step(const Case *c, Reference *r, const float *gradients, int step)
{
    const double max_norm = golden[c->settings].max_norm;
    double sum = 0;
    for (gsize i = 0; i < c->total; i++)
        sum += (double)gradients[i] * gradients[i];
    r->norm = sqrt(sum);
    r->scale = max_norm > 0 ? MIN(1, max_norm / (r->norm + 1e-6)) : 1;
    for (gsize i = 0; i < c->decayed + c->plain; i++)
        r->parameters[i] =
            update_one(&golden[c->settings].optimizer, r->parameters[i], gradients[i] * r->scale,
                       i < c->decayed ? golden[c->settings].weight_decay : 0, rate_of_step(c, step), step,
                       &r->states[0][i], &r->states[1][i]);
}

typedef struct {
    MaxglOptimizerBuffers buffers;
    cl_mem norm, workspace, loss_scale;
} Device;

static gboolean make_buffers(MaxglContext *context, const Case *c, const float *parameters,
                             CheckReport *report, Device *d, GError **error)
{
    const int states = maxgl_optimizer_states(&golden[c->settings].optimizer);
    g_autofree float *zeros = g_new0(float, c->total);
    const MaxglLossScale scale = {.scale = 1, .skipped = c->skipped};
    *d = (Device){{NULL}, NULL, NULL, NULL};
    for (int i = 0; i < states; i++)
        if (!(d->buffers.state[i] = check_buffer(report, context, c->total, zeros, error)))
            return FALSE;
    d->buffers.parameters = check_buffer(report, context, c->total, parameters, error);
    d->buffers.gradients = check_buffer(report, context, c->total, zeros, error);
    d->buffers.step = check_bytes(report, context, sizeof(MaxglOptimizerStep), NULL, error);
    d->norm = check_bytes(report, context, sizeof(MaxglGradientNorm), NULL, error);
    d->workspace = check_bytes(report, context, maxgl_gradient_norm_workspace(c->total), NULL, error);
    d->loss_scale = check_bytes(report, context, sizeof scale, &scale, error);
    if (golden[c->settings].max_norm > 0)
        d->buffers.clip = d->norm;
    return d->loss_scale && d->buffers.parameters && d->buffers.gradients && d->buffers.step && d->norm &&
           d->workspace;
}

static gboolean append_step(MaxglSequence *sequence, const Case *c, const Device *d, GError **error)
{
    const MaxglOptimizer *o = &golden[c->settings].optimizer;
    const float max_norm = golden[c->settings].max_norm > 0 ? golden[c->settings].max_norm : INFINITY;
    return (c->skipped == 0 || maxgl_loss_scale_count(sequence, o, d->buffers.step, d->loss_scale, error)) &&
           maxgl_gradient_norm(sequence, d->buffers.gradients, c->total, max_norm, d->norm, d->workspace,
                               error) &&
           maxgl_optimizer_update(sequence, o, &d->buffers, 0, c->decayed, golden[c->settings].weight_decay,
                                  error) &&
           maxgl_optimizer_update(sequence, o, &d->buffers, c->decayed, c->plain, 0, error);
}

static gboolean run_steps(MaxglContext *context, const Case *c, const Device *d, Reference *r, GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    if (!append_step(sequence, c, d, error))
        return FALSE;
    for (int step = 1; step <= GOLDEN_STEPS; step++) {
        g_autofree float *gradients = gradients_of_step(c, step);
        if (!maxgl_buffer_write(context, d->buffers.gradients, 0, gradients, c->total * sizeof(float),
                                error) ||
            !maxgl_optimizer_set_step(context, &golden[c->settings].optimizer, d->buffers.step,
                                      c->skipped + (guint32)step, rate_of_step(c, step), error) ||
            !check_run(sequence, error))
            return FALSE;
        reference_step(c, r, gradients, step);
    }
    return TRUE;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case c = get_case(index);
    const MaxglOptimizer *o = &golden[c.settings].optimizer;
    g_autofree float *initial = initial_parameters(&c);
    g_autofree double *parameters = check_to_double(initial, c.total);
    g_autofree double *first = check_zeros(c.total), *second = check_zeros(c.total);
    Reference r = {parameters, {first, second}, 0, 0};
    Device d;
    if (!make_buffers(context, &c, initial, report, &d, error) || !run_steps(context, &c, &d, &r, error))
        return FALSE;
    if (c.is_golden)
        check_compare_double(report, "the reference beside PyTorch", parameters, golden[c.settings].after,
                             c.total, 1e-6);
    const double norm[] = {r.scale, r.norm};
    if (!check_compare_buffer(report, context, "norm", d.norm, norm, 2, 0, 1e-6, error) ||
        !check_compare_buffer(report, context, "parameters", d.buffers.parameters, parameters, c.total, 0,
                              1e-6, error))
        return FALSE;
    for (int i = 0; i < maxgl_optimizer_states(o); i++)
        if (!check_compare_buffer(report, context, i ? "second state" : "first state", d.buffers.state[i],
                                  r.states[i], c.total, 0, 1e-6, error))
            return FALSE;
    return TRUE;
}

static const gsize BENCH_PARAMETERS = 8 << 20;
static const guint bench_settings[] = {1, 4};

static char *describe_bench(guint index)
{
    return g_strdup_printf("%s of %" G_GSIZE_FORMAT " parameters with the gradient's norm",
                           kind_name(golden[bench_settings[index]].optimizer.kind), BENCH_PARAMETERS);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    const Case c = {bench_settings[index], BENCH_PARAMETERS, 0, BENCH_PARAMETERS, FALSE, 0};
    const MaxglOptimizer *o = &golden[c.settings].optimizer;
    MaxglContext *context = maxgl_sequence_context(sequence);
    g_autofree float *zeros = g_new0(float, c.total);
    Device d;
    *flops = 0;
    *bytes = (4.0 + 2 * maxgl_optimizer_states(o)) * sizeof(float) * (double)c.total;
    return make_buffers(context, &c, zeros, report, &d, error) &&
           maxgl_optimizer_set_step(context, o, d.buffers.step, 1, 1e-3, error) &&
           append_step(sequence, &c, &d, error);
}

const MaxglCheck check_optimizer = {
    .name = "optimizer",
    .n_cases = N_GOLDEN * (2 + N_SIZES),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = G_N_ELEMENTS(bench_settings),
    .describe_bench = describe_bench,
    .bench = bench,
};
