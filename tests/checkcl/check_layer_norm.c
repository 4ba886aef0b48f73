/* Layer normalisation and its gradient against plain double-precision loops. */
#include "checkcl.h"

#include "ops/layer_norm.h"
#include <math.h>

static const MaxglShape cases[] = {
    {1, 1, 1, 1, 1, 1},    {1, 1, 1, 1, 1, 16},  {3, 5, 1, 1, 1, 1},     {3, 5, 1, 1, 1, 8},
    {2, 16, 1, 1, 1, 4},   {5, 33, 1, 1, 1, 16}, {2, 3, 2, 3, 3, 1},     {2, 6, 1, 3, 2, 4},
    {1, 9, 2, 1, 3, 8},    {2, 17, 1, 2, 2, 16}, {67, 512, 1, 1, 1, 16}, {5000, 40, 1, 1, 1, 8},
    {3, 70, 4, 9, 11, 16},
};

typedef struct {
    MaxglShape shape;
    double epsilon;
    double *x, *gamma, *beta, *weights; /* weights: of the outputs in the scalar that is derived, i.e. dy */
    double *y, *mean, *rstd, *dx, *dgamma, *dbeta;
} Reference;

static char *describe(guint index)
{
    g_autofree char *shape = maxgl_shape_text(&cases[index]);
    return g_strdup_printf("%s, block %d", shape, cases[index].block);
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index]) < 500;
}

static void reference_free(Reference *r)
{
    double *arrays[] = {r->x,    r->gamma, r->beta, r->weights, r->y,
                        r->mean, r->rstd,  r->dx,   r->dgamma,  r->dbeta};
    for (gsize i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_free(arrays[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reference, reference_free)

/* Index of channel c of pixel p of sample n in PyTorch's order. */
static gsize place(const MaxglShape *s, gsize n, gsize p, int c)
{
    return (n * (gsize)s->c + (gsize)c) * maxgl_shape_pixels(s) + p;
}

static void reference_forward(Reference *r)
{
    const gsize pixels = maxgl_shape_pixels(&r->shape);
    for (gsize row = 0; row < (gsize)r->shape.n * pixels; row++) {
        const gsize n = row / pixels, p = row % pixels;
        double sum = 0, squares = 0;
        for (int c = 0; c < r->shape.c; c++)
            sum += r->x[place(&r->shape, n, p, c)];
        r->mean[row] = sum / r->shape.c;
        for (int c = 0; c < r->shape.c; c++)
            squares += pow(r->x[place(&r->shape, n, p, c)] - r->mean[row], 2);
        r->rstd[row] = 1 / sqrt(squares / r->shape.c + r->epsilon);
        for (int c = 0; c < r->shape.c; c++) {
            const gsize at = place(&r->shape, n, p, c);
            r->y[at] = (r->x[at] - r->mean[row]) * r->rstd[row] * r->gamma[c] + r->beta[c];
        }
    }
}

static void reference_backward(Reference *r)
{
    const gsize pixels = maxgl_shape_pixels(&r->shape);
    for (gsize row = 0; row < (gsize)r->shape.n * pixels; row++) {
        const gsize n = row / pixels, p = row % pixels;
        double sum = 0, product = 0;
        for (int c = 0; c < r->shape.c; c++) {
            const gsize at = place(&r->shape, n, p, c);
            const double normal = (r->x[at] - r->mean[row]) * r->rstd[row], g = r->weights[at];
            r->dgamma[c] += g * normal;
            r->dbeta[c] += g;
            sum += g * r->gamma[c];
            product += g * r->gamma[c] * normal;
        }
        for (int c = 0; c < r->shape.c; c++) {
            const gsize at = place(&r->shape, n, p, c);
            const double normal = (r->x[at] - r->mean[row]) * r->rstd[row];
            r->dx[at] = r->rstd[row] *
                        (r->weights[at] * r->gamma[c] - sum / r->shape.c - normal * product / r->shape.c);
        }
    }
}

static double *random_doubles(gsize n, guint64 seed)
{
    g_autofree float *values = check_random(n, seed);
    return check_to_double(values, n);
}

static Reference make_reference(guint index)
{
    const MaxglShape s = cases[index];
    const gsize n = maxgl_shape_elements(&s), c = (gsize)s.c, rows = (gsize)s.n * maxgl_shape_pixels(&s);
    Reference r = {.shape = s, .epsilon = MAXGL_LAYER_NORM_EPSILON};
    r.x = random_doubles(n, 1);
    for (gsize i = 0; i < n; i++)
        r.x[i] = (float)(r.x[i] + 3); /* a mean well off zero shows a variance made by cancellation */
    r.gamma = random_doubles(c, 2);
    r.beta = random_doubles(c, 3);
    r.weights = random_doubles(n, 4);
    r.y = check_zeros(n);
    r.mean = check_zeros(rows);
    r.rstd = check_zeros(rows);
    r.dx = check_zeros(n);
    r.dgamma = check_zeros(c);
    r.dbeta = check_zeros(c);
    reference_forward(&r);
    reference_backward(&r);
    return r;
}

static double weighted_output(gpointer data)
{
    Reference *r = data;
    double sum = 0;
    reference_forward(r);
    for (gsize i = 0; i < maxgl_shape_elements(&r->shape); i++)
        sum += r->weights[i] * r->y[i];
    return sum;
}

static void gradient(guint index, CheckReport *report)
{
    if (!is_small(index))
        return;
    g_auto(Reference) r = make_reference(index);
    const gsize n = maxgl_shape_elements(&r.shape), c = (gsize)r.shape.c;
    check_derivative(report, "x", weighted_output, &r, r.x, r.dx, n, 1e-5);
    check_derivative(report, "gamma", weighted_output, &r, r.gamma, r.dgamma, c, 1e-6);
    check_derivative(report, "beta", weighted_output, &r, r.beta, r.dbeta, c, 1e-6);
}

static float *to_float(const double *values, gsize n, gsize padded)
{
    float *result = g_new0(float, padded);
    for (gsize i = 0; i < n; i++)
        result[i] = (float)values[i];
    return result;
}

typedef struct {
    MaxglTensor x, y, dy, dx;
    cl_mem gamma, beta, mean, rstd, dgamma, dbeta, workspace;
} Device;

static gboolean make_device(MaxglContext *context, const Reference *r, CheckReport *report, Device *d,
                            GError **error)
{
    const MaxglShape s = r->shape;
    const MaxglLayerNorm norm = {s, MAXGL_LAYER_NORM_EPSILON};
    const gsize n = maxgl_shape_elements(&s), c = (gsize)s.c, rows = (gsize)s.n * maxgl_shape_pixels(&s);
    const gsize padded = (gsize)maxgl_shape_blocks(&s) * (gsize)s.block;
    g_autofree float *x = to_float(r->x, n, n), *dy = to_float(r->weights, n, n);
    g_autofree float *gamma = to_float(r->gamma, c, padded), *beta = to_float(r->beta, c, padded);
    d->gamma = check_buffer(report, context, padded, gamma, error);
    d->beta = check_buffer(report, context, padded, beta, error);
    d->mean = check_buffer(report, context, rows, NULL, error);
    d->rstd = check_buffer(report, context, rows, NULL, error);
    d->dgamma = check_buffer(report, context, padded, NULL, error);
    d->dbeta = check_buffer(report, context, padded, NULL, error);
    d->workspace =
        check_bytes(report, context, maxgl_layer_norm_backward_workspace(context, &norm), NULL, error);
    return d->gamma && d->beta && d->mean && d->rstd && d->dgamma && d->dbeta && d->workspace &&
           check_tensor(report, context, s, x, &d->x, error) &&
           check_tensor(report, context, s, NULL, &d->y, error) &&
           check_tensor(report, context, s, dy, &d->dy, error) &&
           check_tensor(report, context, s, NULL, &d->dx, error);
}

static gboolean append_forward(MaxglSequence *sequence, const Device *d, gboolean training, GError **error)
{
    const MaxglLayerNorm norm = {d->x.shape, MAXGL_LAYER_NORM_EPSILON};
    return maxgl_layer_norm_forward(sequence, &norm, d->x.buffer, d->gamma, d->beta, d->y.buffer,
                                    training ? d->mean : NULL, training ? d->rstd : NULL, error);
}

static gboolean append_backward(MaxglSequence *sequence, const Device *d, cl_mem dx, GError **error)
{
    const MaxglLayerNorm norm = {d->x.shape, MAXGL_LAYER_NORM_EPSILON};
    return maxgl_layer_norm_backward(sequence, &norm, d->x.buffer, d->gamma, d->mean, d->rstd, d->dy.buffer,
                                     dx, d->dgamma, d->dbeta, d->workspace, error);
}

/* Training forward, then the gradient twice: into dx, and in place of dy. */
static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    g_auto(Reference) r = make_reference(index);
    const gsize c = (gsize)r.shape.c, rows = (gsize)r.shape.n * maxgl_shape_pixels(&r.shape);
    const gsize padding = (gsize)maxgl_shape_blocks(&r.shape) * (gsize)r.shape.block - c;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    Device d;
    return make_device(context, &r, report, &d, error) && append_forward(sequence, &d, TRUE, error) &&
           append_backward(sequence, &d, d.dx.buffer, error) &&
           append_backward(sequence, &d, d.dy.buffer, error) && check_run(sequence, error) &&
           check_compare_tensor(report, context, "y", &d.y, r.y, 1e-6, error) &&
           check_compare_buffer(report, context, "mean", d.mean, r.mean, rows, 0, 1e-6, error) &&
           check_compare_buffer(report, context, "rstd", d.rstd, r.rstd, rows, 0, 1e-6, error) &&
           check_compare_tensor(report, context, "dx", &d.dx, r.dx, 3e-6, error) &&
           check_compare_tensor(report, context, "dx in place", &d.dy, r.dx, 3e-6, error) &&
           check_compare_buffer(report, context, "dgamma", d.dgamma, r.dgamma, c, padding, 3e-6, error) &&
           check_compare_buffer(report, context, "dbeta", d.dbeta, r.dbeta, c, padding, 3e-6, error);
}

static char *describe_bench(guint index)
{
    return g_strdup("2048×512, forward and backward");
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape shape = maxgl_shape(2048, 512, 1, 1, 1, 16);
    Device d;
    g_autofree double *x = random_doubles(maxgl_shape_elements(&shape), 1), *gamma = random_doubles(512, 2);
    const Reference r = {.shape = shape, .x = x, .gamma = gamma, .beta = gamma, .weights = x};
    *flops = 0;
    *bytes = 7.0 * (double)maxgl_shape_bytes(&shape); /* x, y; x, dy for the weights; x, dy, dx */
    return make_device(context, &r, report, &d, error) && append_forward(sequence, &d, TRUE, error) &&
           append_backward(sequence, &d, d.dx.buffer, error);
}

const MaxglCheck check_layer_norm = {
    .name = "layer_norm",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = 1,
    .describe_bench = describe_bench,
    .bench = bench,
};
