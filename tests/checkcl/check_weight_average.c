/* The moving average of weights against a plain one in double precision. */
#include "checkcl.h"

#include "compute/buffer.h"
#include "ops/optimizer.h"
#include "ops/weight_average.h"

static const struct {
    gsize floats;
    double decay;
    guint32 first; /* step */
} cases[] = {{1, 0.999, 1}, {17, 0.3, 1},         {16, 0.0, 1},      {33, 0.9999, 100000}, {64, 0.5, 6},
             {0, 0.5, 1},   {30001, 0.999, 9000}, {262144, 0.25, 1}, {100003, 0.99, 1}};

enum { STEPS = 5, UNTOUCHED = 3 };

static char *describe(guint index)
{
    return g_strdup_printf("%" G_GSIZE_FORMAT " floats, decay %g from step %u on", cases[index].floats,
                           cases[index].decay, cases[index].first);
}

static gboolean is_small(guint index)
{
    return cases[index].floats < 100;
}

static void reference_step(guint index, double *average, const float *values, guint32 step)
{
    const double d = MIN(cases[index].decay, (1.0 + step) / (10.0 + step));
    for (gsize i = 0; i < cases[index].floats; i++)
        average[i] = d * average[i] + (1 - d) * values[i];
}

/* Oclgrind takes what a fill has written for uninitialised. */
static gboolean set_step(MaxglContext *context, cl_mem buffer, guint32 step, GError **error)
{
    const MaxglOptimizerStep numbers = {.step = step};
    return maxgl_buffer_write(context, buffer, 0, &numbers, sizeof numbers, error);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const gsize n = cases[index].floats + UNTOUCHED;
    g_autofree float *initial = check_random(n, 1);
    g_autofree double *average = check_to_double(initial, n);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem averages = check_buffer(report, context, n, initial, error);
    cl_mem values = check_buffer(report, context, n, initial, error);
    cl_mem step = check_bytes(report, context, sizeof(MaxglOptimizerStep), NULL, error);
    if (!averages || !values || !step ||
        !maxgl_weight_average(sequence, values, averages, cases[index].floats, cases[index].decay, step, NULL,
                              error))
        return FALSE;
    for (guint32 i = 0; i < STEPS; i++) {
        g_autofree float *now = check_random(n, 2 + i);
        if (!maxgl_buffer_write(context, values, 0, now, n * sizeof(float), error) ||
            !set_step(context, step, cases[index].first + i, error) || !check_run(sequence, error))
            return FALSE;
        reference_step(index, average, now, cases[index].first + i);
    }
    return check_compare_buffer(report, context, "averages", averages, average, n, 0, 3e-7, error);
}

enum { BENCH_FLOATS = 8 << 20 };

static char *describe_bench(guint index)
{
    return g_strdup_printf("%d parameters", BENCH_FLOATS);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    g_autofree float *zeros = g_new0(float, BENCH_FLOATS);
    cl_mem averages = check_buffer(report, context, BENCH_FLOATS, zeros, error);
    cl_mem values = check_buffer(report, context, BENCH_FLOATS, zeros, error);
    cl_mem step = check_bytes(report, context, sizeof(MaxglOptimizerStep), NULL, error);
    *flops = 0;
    *bytes = 3.0 * sizeof(float) * BENCH_FLOATS;
    return averages && values && step && set_step(context, step, 1, error) &&
           maxgl_weight_average(sequence, values, averages, BENCH_FLOATS, 0.999, step, NULL, error);
}

const MaxglCheck check_weight_average = {
    .name = "weight_average",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = 1,
    .describe_bench = describe_bench,
    .bench = bench,
};
