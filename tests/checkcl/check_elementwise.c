#include "checkcl.h"
#include "ops/elementwise.h"

static const gsize sizes[] = {1, 7, 16, 60, 1000, 4096, 40016};

static char *describe(guint index)
{
    return g_strdup_printf("%" G_GSIZE_FORMAT " floats", sizes[index]);
}

typedef struct {
    cl_mem relu, open, accumulated, sum, in_place, scaled;
} Results;

static gboolean run(MaxglContext *context, CheckReport *report, gsize n, const float *a, const float *b,
                    Results *r, GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem x = check_buffer(report, context, n, a, error), y = check_buffer(report, context, n, b, error);
    return x && y && (r->relu = check_buffer(report, context, n, NULL, error)) &&
           (r->open = check_buffer(report, context, n, NULL, error)) &&
           (r->accumulated = check_buffer(report, context, n, a, error)) &&
           (r->sum = check_buffer(report, context, n, NULL, error)) &&
           (r->in_place = check_buffer(report, context, n, a, error)) &&
           (r->scaled = check_buffer(report, context, n, NULL, error)) &&
           maxgl_relu_forward(sequence, n, x, r->relu, error) &&
           maxgl_relu_backward(sequence, n, r->relu, y, r->open, FALSE, error) &&
           maxgl_relu_backward(sequence, n, r->relu, y, r->accumulated, TRUE, error) &&
           maxgl_add(sequence, n, x, y, r->sum, error) &&
           maxgl_add(sequence, n, r->in_place, y, r->in_place, error) &&
           maxgl_scale(sequence, n, -2.5F, x, r->scaled, error) && check_run(sequence, error);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const gsize n = sizes[index];
    g_autofree float *a = check_random(n, 2 * index), *b = check_random(n, 2 * index + 1);
    g_autofree double *relu = check_zeros(n), *open = check_zeros(n), *accumulated = check_zeros(n);
    g_autofree double *sum = check_zeros(n), *scaled = check_zeros(n);
    for (gsize i = 0; i < n; i++) {
        relu[i] = a[i] > 0 ? a[i] : 0;
        open[i] = a[i] > 0 ? b[i] : 0;
        accumulated[i] = a[i] + open[i];
        sum[i] = (double)a[i] + b[i];
        scaled[i] = -2.5 * a[i];
    }
    Results r;
    return run(context, report, n, a, b, &r, error) &&
           check_compare_buffer(report, context, "relu", r.relu, relu, n, 0, 0, error) &&
           check_compare_buffer(report, context, "relu backward", r.open, open, n, 0, 0, error) &&
           check_compare_buffer(report, context, "relu backward accumulated", r.accumulated, accumulated, n,
                                0, 1e-6, error) &&
           check_compare_buffer(report, context, "add", r.sum, sum, n, 0, 1e-6, error) &&
           check_compare_buffer(report, context, "add in place", r.in_place, sum, n, 0, 1e-6, error) &&
           check_compare_buffer(report, context, "scale", r.scaled, scaled, n, 0, 1e-6, error);
}

static const char *const benches[] = {"relu", "relu backward", "add", "scale"};
enum { BENCH_FLOATS = 2 * 64 * 16 * 56 * 56 };

static char *describe_bench(guint index)
{
    return g_strdup_printf("%d floats %s", BENCH_FLOATS, benches[index]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize n = BENCH_FLOATS;
    g_autofree float *data = check_random(n, 1);
    cl_mem a = check_buffer(report, context, n, data, error),
           b = check_buffer(report, context, n, data, error);
    cl_mem y = check_buffer(report, context, n, NULL, error);
    if (!a || !b || !y)
        return FALSE;
    *flops = n;
    *bytes = (double)n * sizeof(float) * (index == 1 || index == 2 ? 3 : 2);
    switch (index) {
    case 0:
        return maxgl_relu_forward(sequence, n, a, y, error);
    case 1:
        return maxgl_relu_backward(sequence, n, a, b, y, FALSE, error);
    case 2:
        return maxgl_add(sequence, n, a, b, y, error);
    default:
        return maxgl_scale(sequence, n, 0.5F, a, y, error);
    }
}

const MaxglCheck check_elementwise = {
    .name = "elementwise",
    .n_cases = G_N_ELEMENTS(sizes),
    .describe = describe,
    .check = check,
    .n_benches = G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
