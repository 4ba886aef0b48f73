#include "checkcl.h"
#include "ops/pool.h"

#include <maxgl/error.h>

typedef struct {
    MaxglAveragePool pool;
    gboolean accumulate;
} Case;

static const Case cases[] = {
    {{{1, 1, 1, 1, 1, 1}, {1, 1, 1}}, FALSE},
    {{{2, 3, 2, 3, 5, 4}, {1, 1, 1}}, TRUE},
    {{{2, 17, 2, 7, 7, 16}, {1, 1, 1}}, FALSE},
    {{{2, 5, 4, 6, 8, 8}, {2, 3, 4}}, FALSE},
    {{{1, 3, 4, 7, 5, 1}, {3, 3, 2}}, FALSE},
    {{{2, 9, 2, 7, 7, 16}, {1, 3, 3}}, TRUE},
    {{{1, 20, 3, 5, 4, 24}, {2, 5, 3}}, FALSE},
    {{{1, 4, 2, 2, 3, 4}, {3, 4, 3}}, FALSE},
    {{{3, 64, 4, 14, 14, 16}, {1, 1, 1}}, FALSE},
    {{{2, 40, 8, 28, 27, 16}, {2, 3, 3}}, TRUE},
    {{{1, 3, 4, 3, 7, 4}, {2, 1, 1}}, FALSE},
    {{{1, 5, 2, 7, 9, 8}, {1, 3, 1}}, TRUE},
    {{{1, 2, 1, 2, 1, 16}, {1, 1, 2}}, TRUE},
    {{{1, 1, 2, 3, 13, 1}, {1, 1, 4}}, FALSE},
    {{{2, 9, 2, 7, 7, 16, MAXGL_FLOAT16}, {1, 1, 1}}, TRUE},
    {{{1, 3, 4, 7, 5, 1, MAXGL_BFLOAT16}, {3, 3, 2}}, FALSE},
    {{{2, 5, 2, 7, 9, 8, MAXGL_BFLOAT16}, {1, 3, 1}}, TRUE},
};

static char *describe(guint index)
{
    const Case *c = &cases[index];
    g_autofree char *shape = maxgl_shape_text(&c->pool.input);
    return g_strdup_printf("%s, block %d, %s, %d×%d×%d regions%s", shape, c->pool.input.block,
                           maxgl_storage_name(c->pool.input.storage), c->pool.regions[0], c->pool.regions[1],
                           c->pool.regions[2], c->accumulate ? ", accumulated" : "");
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index].pool.input) <= 20000;
}

/* In PyTorch's order. */
typedef struct {
    MaxglShape in, out;
    double *x, *y, *dy, *dx;
} Reference;

/* Averages a region of one channel's map; adds dy's share to each of its pixels. */
static void reference_region(const Reference *r, const int region[3], const double *x, double *y, double dy,
                             double *dx)
{
    const int size[3] = {r->in.t, r->in.h, r->in.w}, regions[3] = {r->out.t, r->out.h, r->out.w};
    int start[3], end[3], n = 1;
    for (int d = 0; d < 3; d++) {
        start[d] = region[d] * size[d] / regions[d];
        end[d] = ((region[d] + 1) * size[d] + regions[d] - 1) / regions[d];
        n *= end[d] - start[d];
    }
    *y = 0;
    for (int t = start[0]; t < end[0]; t++)
        for (int h = start[1]; h < end[1]; h++)
            for (int w = start[2]; w < end[2]; w++) {
                const int pixel = (t * size[1] + h) * size[2] + w;
                *y += x[pixel] / n;
                dx[pixel] += dy / n;
            }
}

static void reference_run(Reference *r)
{
    const gsize in_pixels = maxgl_shape_pixels(&r->in), out_pixels = maxgl_shape_pixels(&r->out);
    for (gsize map = 0; map < (gsize)r->in.n * (gsize)r->in.c; map++)
        for (gsize p = 0; p < out_pixels; p++) {
            const int row = (int)p / r->out.w;
            const int region[3] = {row / r->out.h, row % r->out.h, (int)p % r->out.w};
            const gsize o = map * out_pixels + p;
            reference_region(r, region, r->x + map * in_pixels, &r->y[o], r->dy[o], r->dx + map * in_pixels);
        }
}

static void reference_init(Reference *r, const Case *c, const float *x, const float *dy, const float *before)
{
    *r = (Reference){.in = c->pool.input, .out = maxgl_average_pool_output(&c->pool)};
    const gsize in = maxgl_shape_elements(&r->in), out = maxgl_shape_elements(&r->out);
    r->x = check_to_double(x, in);
    r->dy = check_to_double(dy, out);
    r->y = check_zeros(out);
    r->dx = before ? check_to_double(before, in) : check_zeros(in);
    reference_run(r);
}

static void reference_clear(Reference *r)
{
    g_free(r->x);
    g_free(r->dy);
    g_free(r->y);
    g_free(r->dx);
}

static void check_refusal(MaxglContext *context, CheckReport *report)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    g_autoptr(GError) error = NULL;
    const MaxglAveragePool pool = {{1, 1, 2, 2, 2, 1}, {1, 0, 1}};
    if (maxgl_average_pool_forward(sequence, &pool, NULL, NULL, &error) ||
        !g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE))
        check_fail(report, "a pool without regions was not refused");
}

static gboolean run_and_compare(MaxglContext *context, const Case *c, const Reference *r, CheckReport *report,
                                const float *x_data, const float *dy_data, const float *before,
                                GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    MaxglTensor x, y, dy, dx;
    return check_tensor(report, context, r->in, x_data, &x, error) &&
           check_tensor(report, context, r->out, NULL, &y, error) &&
           check_tensor(report, context, r->out, dy_data, &dy, error) &&
           check_tensor(report, context, r->in, before, &dx, error) &&
           maxgl_average_pool_forward(sequence, &c->pool, x.buffer, y.buffer, error) &&
           maxgl_average_pool_backward(sequence, &c->pool, dy.buffer, dx.buffer, c->accumulate, error) &&
           check_run(sequence, error) && check_compare_tensor(report, context, "y", &y, r->y, 1e-6, error) &&
           check_compare_tensor(report, context, "dx", &dx, r->dx, 1e-6, error);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    const MaxglShape out = maxgl_average_pool_output(&c->pool);
    const gsize in_elements = maxgl_shape_elements(&c->pool.input);
    g_autofree float *x = check_random(in_elements, 10 * index);
    g_autofree float *dy = check_random(maxgl_shape_elements(&out), 10 * index + 1);
    g_autofree float *before = c->accumulate ? check_random(in_elements, 10 * index + 2) : NULL;
    check_stored(c->pool.input.storage, x, in_elements);
    if (before)
        check_stored(c->pool.input.storage, before, in_elements);
    Reference reference;
    reference_init(&reference, c, x, dy, before);
    const gboolean ok = run_and_compare(context, c, &reference, report, x, dy, before, error);
    reference_clear(&reference);
    if (index == 0)
        check_refusal(context, report);
    return ok;
}

static double loss(gpointer data)
{
    Reference *r = data;
    double sum = 0;
    reference_run(r);
    for (gsize i = 0; i < maxgl_shape_elements(&r->out); i++)
        sum += r->dy[i] * r->y[i];
    return sum;
}

static void gradient(guint index, CheckReport *report)
{
    const Case *c = &cases[index];
    const MaxglShape out = maxgl_average_pool_output(&c->pool);
    if (!is_small(index))
        return;
    g_autofree float *x = check_random(maxgl_shape_elements(&c->pool.input), 10 * index);
    g_autofree float *dy = check_random(maxgl_shape_elements(&out), 10 * index + 1);
    Reference r;
    reference_init(&r, c, x, dy, NULL);
    g_autofree double *dx = g_steal_pointer(&r.dx); /* the loss adds to r.dx again */
    r.dx = check_zeros(maxgl_shape_elements(&r.in));
    check_derivative(report, "x", loss, &r, r.x, dx, maxgl_shape_elements(&r.in), 1e-7);
    reference_clear(&r);
}

static const MaxglAveragePool bench_pools[] = {{{2, 512, 2, 7, 7, 16}, {1, 1, 1}},
                                               {{2, 256, 4, 14, 14, 16}, {2, 3, 3}},
                                               {{2, 64, 16, 56, 56, 16}, {1, 1, 1}}};
static const char *const bench_passes[] = {"forward", "backward"};

static char *describe_bench(guint index)
{
    const MaxglAveragePool *pool = &bench_pools[index / 2];
    g_autofree char *shape = maxgl_shape_text(&pool->input);
    return g_strdup_printf("%s to %d×%d×%d %s", shape, pool->regions[0], pool->regions[1], pool->regions[2],
                           bench_passes[index % 2]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglAveragePool *pool = &bench_pools[index / 2];
    const MaxglShape out = maxgl_average_pool_output(pool);
    g_autofree float *data = check_random(maxgl_shape_elements(&pool->input), 1);
    MaxglTensor x, y;
    if (!check_tensor(report, context, pool->input, data, &x, error) ||
        !check_tensor(report, context, out, data, &y, error))
        return FALSE;
    *flops = (double)maxgl_shape_elements(&pool->input);
    *bytes = (double)maxgl_shape_bytes(&pool->input) + (double)maxgl_shape_bytes(&out);
    return index % 2 == 0 ? maxgl_average_pool_forward(sequence, pool, x.buffer, y.buffer, error)
                          : maxgl_average_pool_backward(sequence, pool, y.buffer, x.buffer, FALSE, error);
}

const MaxglCheck check_average_pool = {
    .name = "average_pool",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(bench_pools) * G_N_ELEMENTS(bench_passes),
    .describe_bench = describe_bench,
    .bench = bench,
};
