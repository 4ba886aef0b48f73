#include "checkcl.h"
#include "ops/pool.h"

#include <math.h>
#include <maxgl/error.h>

typedef struct {
    MaxglMaxPool pool;
    gboolean accumulate;
    gboolean ties; /* few different values, so that the first of equals matters */
} Case;

static const Case cases[] = {
    {{{1, 1, 1, 1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, FALSE, FALSE},
    {{{2, 3, 1, 1, 5, 4}, {1, 1, 2}, {1, 1, 2}, {0, 0, 0}}, TRUE, FALSE},
    {{{1, 2, 3, 5, 7, 1}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, FALSE},
    {{{2, 5, 4, 6, 5, 8}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, TRUE},
    {{{1, 17, 3, 7, 4, 16}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}}, TRUE, TRUE},
    {{{2, 9, 5, 5, 5, 16}, {2, 3, 2}, {1, 1, 3}, {1, 0, 1}}, FALSE, FALSE},
    {{{1, 20, 2, 3, 9, 24}, {2, 2, 5}, {2, 1, 2}, {0, 1, 2}}, FALSE, FALSE},
    {{{2, 64, 8, 20, 22, 16}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, FALSE},
    {{{2, 12, 9, 31, 17, 4}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, TRUE, TRUE},
    {{{1, 3, 2, 4, 1, 4}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, TRUE, TRUE},
    {{{1, 1, 3, 2, 2, 16}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, TRUE},
    {{{1, 4, 2, 4, 13, 4}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, FALSE, TRUE},
    {{{1, 2, 5, 5, 7, 8}, {2, 1, 2}, {3, 2, 3}, {1, 0, 1}}, TRUE, FALSE},
    {{{2, 1, 4, 6, 8, 1}, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}}, FALSE, TRUE},
    {{{1, 3, 6, 7, 11, 8}, {5, 5, 5}, {2, 2, 2}, {2, 2, 2}}, TRUE, TRUE},
    {{{1, 17, 3, 7, 4, 16, MAXGL_BFLOAT16}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, TRUE},
    {{{1, 2, 3, 5, 7, 1, MAXGL_FLOAT16}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, TRUE, FALSE},
};

static char *describe(guint index)
{
    const Case *c = &cases[index];
    const int *k = c->pool.kernel, *s = c->pool.stride, *p = c->pool.pad;
    g_autofree char *shape = maxgl_shape_text(&c->pool.input);
    return g_strdup_printf("%s, block %d, %s, kernel %d×%d×%d, stride %d×%d×%d, pad %d×%d×%d%s%s", shape,
                           c->pool.input.block, maxgl_storage_name(c->pool.input.storage), k[0], k[1], k[2],
                           s[0], s[1], s[2], p[0], p[1], p[2], c->accumulate ? ", accumulated" : "",
                           c->ties ? ", ties" : "");
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index].pool.input) <= 20000;
}

/* In PyTorch's order. */
typedef struct {
    const MaxglMaxPool *pool;
    MaxglShape in, out;
    double *x, *y, *dy, *dx;
    double *taps; /* the tap that won */
} Reference;

/* The largest of the window (t, h, w) of one channel's map; adds dy to dx where it was if @dx is there. */
static void reference_window(const Reference *r, const double *x, const int at[3], double *y, double *tap,
                             double dy, double *dx)
{
    const int size[3] = {r->in.t, r->in.h, r->in.w};
    const int *k = r->pool->kernel;
    double best = -INFINITY;
    int where = -1, won = -1;
    for (int i = 0; i < k[0] * k[1] * k[2]; i++) {
        const int offset[3] = {i / (k[1] * k[2]), i / k[2] % k[1], i % k[2]};
        int p[3];
        gboolean inside = TRUE;
        for (int d = 0; d < 3; d++) {
            p[d] = at[d] * r->pool->stride[d] - r->pool->pad[d] + offset[d];
            inside = inside && p[d] >= 0 && p[d] < size[d];
        }
        const int pixel = (p[0] * size[1] + p[1]) * size[2] + p[2];
        if (inside && (where < 0 || x[pixel] > best || isnan(x[pixel]))) {
            best = x[pixel];
            where = pixel;
            won = i;
        }
    }
    *y = best;
    *tap = won;
    if (dx)
        dx[where] += dy;
}

static void reference_run(Reference *r, gboolean backward)
{
    const gsize in_pixels = maxgl_shape_pixels(&r->in), out_pixels = maxgl_shape_pixels(&r->out);
    for (gsize map = 0; map < (gsize)r->in.n * (gsize)r->in.c; map++)
        for (gsize p = 0; p < out_pixels; p++) {
            const int row = (int)p / r->out.w;
            const int at[3] = {row / r->out.h, row % r->out.h, (int)p % r->out.w};
            const gsize o = map * out_pixels + p;
            reference_window(r, r->x + map * in_pixels, at, &r->y[o], &r->taps[o], r->dy[o],
                             backward ? r->dx + map * in_pixels : NULL);
        }
}

static void reference_init(Reference *r, const Case *c, const float *x, const float *dy, const float *before)
{
    *r = (Reference){.pool = &c->pool, .in = c->pool.input, .out = maxgl_max_pool_output(&c->pool)};
    const gsize in = maxgl_shape_elements(&r->in), out = maxgl_shape_elements(&r->out);
    r->x = check_to_double(x, in);
    r->dy = check_to_double(dy, out);
    r->y = check_zeros(out);
    r->taps = check_zeros(out);
    r->dx = before ? check_to_double(before, in) : check_zeros(in);
    reference_run(r, TRUE);
}

static void reference_clear(Reference *r)
{
    g_free(r->x);
    g_free(r->dy);
    g_free(r->y);
    g_free(r->taps);
    g_free(r->dx);
}

static float *make_input(const Case *c, guint index)
{
    const gsize n = maxgl_shape_elements(&c->pool.input);
    float *x = check_random(n, 10 * index);
    for (gsize i = 0; c->ties && i < n; i++)
        x[i] = roundf(x[i]);
    return x;
}

/* The device's taps in PyTorch's order; NULL with @error. Caller frees. */
static float *read_taps(MaxglContext *context, cl_mem taps, const MaxglShape *shape, GError **error)
{
    const gsize floats = maxgl_shape_floats(shape);
    g_autofree gint32 *got = g_new(gint32, floats);
    g_autofree float *blocked = g_new(float, floats);
    if (!maxgl_buffer_read(context, taps, 0, got, floats * sizeof *got, error))
        return NULL;
    for (gsize i = 0; i < floats; i++)
        blocked[i] = (float)got[i];
    float *plain = g_new(float, maxgl_shape_elements(shape));
    maxgl_shape_unpack(shape, blocked, plain);
    return plain;
}

static gboolean compare_taps(CheckReport *report, MaxglContext *context, cl_mem taps, const Reference *r,
                             GError **error)
{
    g_autofree float *got = read_taps(context, taps, &r->out, error);
    if (!got)
        return FALSE;
    check_compare(report, "taps", got, r->taps, maxgl_shape_elements(&r->out), 0);
    return TRUE;
}

static gboolean run_and_compare(MaxglContext *context, const Case *c, const Reference *r, CheckReport *report,
                                const float *x_data, const float *dy_data, const float *before,
                                GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    MaxglTensor x, y, only_y, dy, dx;
    cl_mem taps = NULL;
    return check_tensor(report, context, r->in, x_data, &x, error) &&
           check_tensor(report, context, r->out, NULL, &y, error) &&
           check_tensor(report, context, r->out, NULL, &only_y, error) &&
           check_tensor(report, context, r->out, dy_data, &dy, error) &&
           check_tensor(report, context, r->in, before, &dx, error) &&
           (taps = check_bytes(report, context, maxgl_shape_floats(&r->out) * sizeof(gint32), NULL, error)) &&
           maxgl_max_pool_forward(sequence, &c->pool, x.buffer, y.buffer, taps, error) &&
           maxgl_max_pool_forward(sequence, &c->pool, x.buffer, only_y.buffer, NULL, error) &&
           maxgl_max_pool_backward(sequence, &c->pool, dy.buffer, taps, dx.buffer, c->accumulate, error) &&
           check_run(sequence, error) && check_compare_tensor(report, context, "y", &y, r->y, 0, error) &&
           check_compare_tensor(report, context, "y without taps", &only_y, r->y, 0, error) &&
           compare_taps(report, context, taps, r, error) &&
           check_compare_tensor(report, context, "dx", &dx, r->dx, 1e-6, error);
}

/* The last NaN wins its windows; infinities are numbers as others are. */
static gboolean check_nan(MaxglContext *context, CheckReport *report, GError **error)
{
    const Case c = {{{1, 5, 4, 6, 9, 4}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, FALSE, TRUE};
    const MaxglShape out = maxgl_max_pool_output(&c.pool);
    const gsize outputs = maxgl_shape_elements(&out);
    g_autofree float *data = make_input(&c, 1000), *dy = check_random(outputs, 1001);
    for (gsize i = 0; i < maxgl_shape_elements(&c.pool.input); i++)
        data[i] = i % 37 == 5 || i % 41 == 7 ? NAN
                  : i % 29 == 3              ? INFINITY
                  : i % 3 == 1               ? -INFINITY
                                             : data[i];
    Reference r;
    reference_init(&r, &c, data, dy, NULL);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    g_autofree float *y_data = g_new(float, outputs), *won = NULL;
    MaxglTensor x, y;
    cl_mem taps = check_bytes(report, context, maxgl_shape_bytes(&out), NULL, error);
    const gboolean ok = taps && check_tensor(report, context, c.pool.input, data, &x, error) &&
                        check_tensor(report, context, out, NULL, &y, error) &&
                        maxgl_max_pool_forward(sequence, &c.pool, x.buffer, y.buffer, taps, error) &&
                        check_run(sequence, error) && maxgl_tensor_read(context, &y, y_data, error) &&
                        (won = read_taps(context, taps, &out, error));
    for (gsize i = 0; ok && i < outputs; i++)
        if (won[i] != (float)r.taps[i] || isnan(y_data[i]) != isnan(r.y[i]) ||
            (!isnan(r.y[i]) && y_data[i] != (float)r.y[i]))
            check_fail(report, "with NaNs, y[%" G_GSIZE_FORMAT "] is %g of tap %g instead of %g of tap %g", i,
                       y_data[i], won[i], r.y[i], r.taps[i]);
    reference_clear(&r);
    return ok;
}

static void check_refusal(CheckReport *report)
{
    static const MaxglMaxPool impossible[] = {
        {{1, 1, 2, 4, 4, 1}, {3, 1, 1}, {1, 1, 1}, {0, 0, 0}}, /* kernel larger than the map */
        {{1, 1, 4, 4, 4, 1}, {1, 3, 1}, {1, 1, 1}, {0, 2, 0}}, /* windows of padding only */
        {{1, 1, 4, 4, 4, 1}, {1, 1, 1}, {1, 1, 0}, {0, 0, 0}}, /* no stride */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(impossible); i++) {
        g_autoptr(GError) error = NULL;
        if (maxgl_max_pool_validate(&impossible[i], &error) ||
            !g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE))
            check_fail(report, "impossible pooling %" G_GSIZE_FORMAT " was not refused", i);
    }
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    const MaxglShape out = maxgl_max_pool_output(&c->pool);
    g_autofree float *x = make_input(c, index),
                     *dy = check_random(maxgl_shape_elements(&out), 10 * index + 1);
    g_autofree float *before =
        c->accumulate ? check_random(maxgl_shape_elements(&c->pool.input), 10 * index + 2) : NULL;
    check_stored(out.storage, x, maxgl_shape_elements(&c->pool.input));
    check_stored(out.storage, dy, maxgl_shape_elements(&out));
    if (before)
        check_stored(out.storage, before, maxgl_shape_elements(&c->pool.input));
    Reference reference;
    reference_init(&reference, c, x, dy, before);
    gboolean ok = run_and_compare(context, c, &reference, report, x, dy, before, error);
    if (index == 0) {
        check_refusal(report);
        ok = ok && check_nan(context, report, error);
    }
    reference_clear(&reference);
    return ok;
}

static double loss(gpointer data)
{
    Reference *r = data;
    double sum = 0;
    reference_run(r, FALSE);
    for (gsize i = 0; i < maxgl_shape_elements(&r->out); i++)
        sum += r->dy[i] * r->y[i];
    return sum;
}

static void gradient(guint index, CheckReport *report)
{
    const Case *c = &cases[index];
    const MaxglShape out = maxgl_max_pool_output(&c->pool);
    if (!is_small(index) || c->ties)
        return;
    g_autofree float *x = make_input(c, index),
                     *dy = check_random(maxgl_shape_elements(&out), 10 * index + 1);
    Reference r;
    reference_init(&r, c, x, dy, NULL);
    check_derivative(report, "x", loss, &r, r.x, r.dx, maxgl_shape_elements(&r.in), 1e-7);
    reference_clear(&r);
}

static const char *const benches[] = {"forward", "backward"};

static char *describe_bench(guint index)
{
    return g_strdup_printf("2×64×16×56×56, kernel 3, stride 2 %s", benches[index]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglMaxPool pool = {{2, 64, 16, 56, 56, 16}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}};
    const MaxglShape out = maxgl_max_pool_output(&pool);
    g_autofree float *data = check_random(maxgl_shape_elements(&pool.input), 1);
    MaxglTensor x, y, dy;
    cl_mem taps = NULL;
    if (!check_tensor(report, context, pool.input, data, &x, error) ||
        !check_tensor(report, context, out, NULL, &y, error) ||
        !check_tensor(report, context, out, data, &dy, error) ||
        !(taps = check_bytes(report, context, maxgl_shape_bytes(&out), NULL, error)))
        return FALSE;
    *flops = 0;
    *bytes = (double)maxgl_shape_bytes(&pool.input) + 2 * (double)maxgl_shape_bytes(&out);
    g_autoptr(MaxglSequence) forward = maxgl_sequence_new(context);
    MaxglSequence *timed = index == 0 ? sequence : forward;
    if (!maxgl_max_pool_forward(timed, &pool, x.buffer, y.buffer, taps, error))
        return FALSE;
    return index == 0 || (check_run(forward, error) &&
                          maxgl_max_pool_backward(sequence, &pool, dy.buffer, taps, x.buffer, FALSE, error));
}

const MaxglCheck check_max_pool = {
    .name = "max_pool",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
