#include "checkcl.h"
#include "ops/batch_norm.h"

#include <math.h>
#include <maxgl/error.h>

typedef enum { NO_RESIDUAL, RESIDUAL, RESIDUAL_ACCUMULATED, RESIDUAL_IN_PLACE } Residual;

typedef struct {
    MaxglShape shape;
    gboolean relu;
    Residual residual;
    double offset; /* mean of x in standard deviations */
} Case;

static const Case cases[] = {
    {{2, 1, 1, 1, 1, 1}, FALSE, NO_RESIDUAL, 0},
    {{2, 3, 1, 1, 1, 4}, TRUE, RESIDUAL, 0},
    {{1, 5, 1, 1, 2, 16}, FALSE, RESIDUAL_ACCUMULATED, 0},
    {{1, 2, 2, 3, 5, 1}, TRUE, NO_RESIDUAL, 0},
    {{3, 5, 2, 3, 3, 4}, TRUE, RESIDUAL, 1},
    {{2, 8, 1, 5, 7, 8}, TRUE, RESIDUAL_ACCUMULATED, 0},
    {{2, 17, 3, 4, 5, 16}, FALSE, NO_RESIDUAL, -2},
    {{2, 9, 2, 3, 3, 24}, TRUE, RESIDUAL_IN_PLACE, 0},
    {{1, 20, 1, 4, 5, 24}, TRUE, NO_RESIDUAL, 0},
    {{5, 3, 1, 1, 1, 16}, FALSE, RESIDUAL_IN_PLACE, 0},
    {{2, 16, 3, 21, 23, 16}, TRUE, NO_RESIDUAL, 0.5},
    {{2, 35, 4, 31, 30, 16}, TRUE, RESIDUAL, 0},
    {{3, 64, 4, 28, 28, 16}, TRUE, RESIDUAL_ACCUMULATED, 0},
    {{2, 3, 5, 41, 33, 1}, FALSE, RESIDUAL_IN_PLACE, 0},
    {{4, 12, 5, 20, 20, 4}, TRUE, NO_RESIDUAL, 0},
    {{2, 16, 8, 28, 28, 8}, FALSE, NO_RESIDUAL, 300},
    {{2, 5, 2, 3, 3, 1, MAXGL_FLOAT16}, TRUE, RESIDUAL, 1},
    {{1, 9, 1, 5, 7, 4, MAXGL_BFLOAT16}, TRUE, RESIDUAL_ACCUMULATED, 0},
    {{2, 17, 3, 4, 5, 16, MAXGL_FLOAT16}, FALSE, RESIDUAL_IN_PLACE, -2},
    {{2, 35, 4, 31, 30, 16, MAXGL_BFLOAT16}, TRUE, NO_RESIDUAL, 0},
};

static const double EPS = 1e-5, MOMENTUM = 0.1;

/* Everything in PyTorch's order and double precision. */
typedef struct {
    const Case *c;
    gsize pixels, elements;
    int channels;
    double *x, *residual, *gamma, *beta, *dy; /* given; residual may be NULL */
    double *running_mean, *running_var;
    double *y, *mean, *invstd, *new_mean, *new_var, *y_evaluation;
    double *dx, *d_residual, *dgamma, *dbeta;
} Reference;

static gsize element(const Reference *r, int n, int c, gsize p)
{
    return ((gsize)n * r->channels + c) * r->pixels + p;
}

static double epilogue(const Reference *r, double normalised, gsize i, int c)
{
    const double v = r->gamma[c] * normalised + r->beta[c] + (r->residual ? r->residual[i] : 0);
    return r->c->relu && v < 0 ? 0 : v;
}

static void reference_statistics(Reference *r, int c)
{
    const double total = (double)r->c->shape.n * r->pixels;
    double sum = 0, squares = 0;
    for (int n = 0; n < r->c->shape.n; n++)
        for (gsize p = 0; p < r->pixels; p++)
            sum += r->x[element(r, n, c, p)];
    r->mean[c] = sum / total;
    for (int n = 0; n < r->c->shape.n; n++)
        for (gsize p = 0; p < r->pixels; p++)
            squares += pow(r->x[element(r, n, c, p)] - r->mean[c], 2);
    r->invstd[c] = 1 / sqrt(squares / total + EPS);
    r->new_mean[c] = (1 - MOMENTUM) * r->running_mean[c] + MOMENTUM * r->mean[c];
    r->new_var[c] = (1 - MOMENTUM) * r->running_var[c] + MOMENTUM * squares / (total - 1);
}

static void reference_forward(Reference *r)
{
    for (int c = 0; c < r->channels; c++) {
        reference_statistics(r, c);
        const double invstd = 1 / sqrt(r->running_var[c] + EPS);
        for (int n = 0; n < r->c->shape.n; n++)
            for (gsize p = 0; p < r->pixels; p++) {
                const gsize i = element(r, n, c, p);
                r->y[i] = epilogue(r, (r->x[i] - r->mean[c]) * r->invstd[c], i, c);
                r->y_evaluation[i] = epilogue(r, (r->x[i] - r->running_mean[c]) * invstd, i, c);
            }
    }
}

static void reference_backward(Reference *r)
{
    const double total = (double)r->c->shape.n * r->pixels;
    for (int c = 0; c < r->channels; c++) {
        r->dgamma[c] = r->dbeta[c] = 0;
        for (int n = 0; n < r->c->shape.n; n++)
            for (gsize p = 0; p < r->pixels; p++) {
                const gsize i = element(r, n, c, p);
                r->d_residual[i] = r->c->relu && !(r->y[i] > 0) ? 0 : r->dy[i];
                r->dbeta[c] += r->d_residual[i];
                r->dgamma[c] += r->d_residual[i] * (r->x[i] - r->mean[c]) * r->invstd[c];
            }
        for (int n = 0; n < r->c->shape.n; n++)
            for (gsize p = 0; p < r->pixels; p++) {
                const gsize i = element(r, n, c, p);
                const double normalised = (r->x[i] - r->mean[c]) * r->invstd[c];
                r->dx[i] = r->gamma[c] * r->invstd[c] *
                           (r->d_residual[i] - r->dbeta[c] / total - normalised * r->dgamma[c] / total);
            }
    }
}

/* The given numbers in single precision, as the device gets them. */
typedef struct {
    float *x, *residual, *gamma, *beta, *dy, *running_mean, *running_var, *d_residual;
} Given;

static void given_init(Given *g, const Case *c, guint index)
{
    const gsize elements = maxgl_shape_elements(&c->shape);
    const guint64 seed = 100 * (index + 1);
    g->x = check_random(elements, seed);
    for (gsize i = 0; i < elements; i++)
        g->x[i] += (float)c->offset;
    g->residual = c->residual != NO_RESIDUAL ? check_random(elements, seed + 1) : NULL;
    g->gamma = check_random((gsize)c->shape.c, seed + 2);
    g->beta = check_random((gsize)c->shape.c, seed + 3);
    g->dy = check_random(elements, seed + 4);
    g->running_mean = check_random((gsize)c->shape.c, seed + 5);
    g->running_var = check_random((gsize)c->shape.c, seed + 6);
    g->d_residual = check_random(elements, seed + 7); /* what is there before accumulation */
    check_stored(c->shape.storage, g->x, elements);
    check_stored(c->shape.storage, g->dy, elements);
    check_stored(c->shape.storage, g->d_residual, elements);
    if (g->residual)
        check_stored(c->shape.storage, g->residual, elements);
    for (int i = 0; i < c->shape.c; i++)
        g->running_var[i] = 0.1F + fabsf(g->running_var[i]);
}

static void given_clear(Given *g)
{
    float *all[] = {g->x,  g->residual,     g->gamma,       g->beta,
                    g->dy, g->running_mean, g->running_var, g->d_residual};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        g_free(all[i]);
}

static void reference_init(Reference *r, const Case *c, const Given *g)
{
    const gsize n = maxgl_shape_elements(&c->shape), channels = (gsize)c->shape.c;
    *r = (Reference){.c = c, .pixels = maxgl_shape_pixels(&c->shape), .elements = n, .channels = c->shape.c};
    r->x = check_to_double(g->x, n);
    r->residual = g->residual ? check_to_double(g->residual, n) : NULL;
    r->gamma = check_to_double(g->gamma, channels);
    r->beta = check_to_double(g->beta, channels);
    r->dy = check_to_double(g->dy, n);
    r->running_mean = check_to_double(g->running_mean, channels);
    r->running_var = check_to_double(g->running_var, channels);
    double **elements[] = {&r->y, &r->y_evaluation, &r->dx, &r->d_residual};
    for (gsize i = 0; i < G_N_ELEMENTS(elements); i++)
        *elements[i] = check_zeros(n);
    double **vectors[] = {&r->mean, &r->invstd, &r->new_mean, &r->new_var, &r->dgamma, &r->dbeta};
    for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++)
        *vectors[i] = check_zeros(channels);
    reference_forward(r);
    reference_backward(r);
}

static void reference_clear(Reference *r)
{
    double *all[] = {
        r->x,          r->residual, r->gamma,  r->beta,     r->dy,      r->running_mean, r->running_var,
        r->y,          r->mean,     r->invstd, r->new_mean, r->new_var, r->y_evaluation, r->dx,
        r->d_residual, r->dgamma,   r->dbeta};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        g_free(all[i]);
}

static char *describe(guint index)
{
    static const char *const residuals[] = {"", ", residual", ", residual accumulated",
                                            ", residual in place"};
    const Case *c = &cases[index];
    g_autofree char *shape = maxgl_shape_text(&c->shape);
    return g_strdup_printf("%s, block %d, %s%s%s, offset %g", shape, c->shape.block,
                           maxgl_storage_name(c->shape.storage), c->relu ? ", relu" : "",
                           residuals[c->residual], c->offset);
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index].shape) <= 50000;
}

/* A per-channel vector, padded with zeros. */
static cl_mem vector_buffer(CheckReport *report, MaxglContext *context, const MaxglShape *shape,
                            const float *values, GError **error)
{
    const gsize floats = (gsize)maxgl_shape_blocks(shape) * (gsize)shape->block;
    g_autofree float *padded = g_new0(float, floats);
    for (int c = 0; c < shape->c; c++)
        padded[c] = values[c];
    return check_buffer(report, context, floats, padded, error);
}

typedef struct {
    MaxglBatchNorm norm;
    MaxglBatchNormVectors vectors, fresh; /* fresh: running statistics that evaluation sees */
    MaxglTensor x, residual, y, y_again, y_evaluation, dy, dx, d_residual;
    cl_mem saved, workspace, dgamma, dbeta;
} Device;

static gboolean device_init(Device *d, CheckReport *report, MaxglContext *context, const Case *c,
                            const Given *g, GError **error)
{
    const MaxglShape s = c->shape;
    const gsize channels = (gsize)maxgl_shape_blocks(&s) * (gsize)s.block;
    *d = (Device){.norm = {s, (float)EPS, (float)MOMENTUM, c->relu}};
    const gsize workspace = maxgl_batch_norm_workspace(context, &d->norm) / sizeof(float);
    const gsize saved = maxgl_batch_norm_saved_floats(&d->norm);
    const gboolean tensors =
        check_tensor(report, context, s, g->x, &d->x, error) &&
        check_tensor(report, context, s, NULL, &d->y, error) &&
        check_tensor(report, context, s, NULL, &d->y_again, error) &&
        check_tensor(report, context, s, NULL, &d->y_evaluation, error) &&
        check_tensor(report, context, s, g->dy, &d->dy, error) &&
        check_tensor(report, context, s, NULL, &d->dx, error) &&
        (!g->residual || check_tensor(report, context, s, g->residual, &d->residual, error)) &&
        (c->residual != RESIDUAL || check_tensor(report, context, s, NULL, &d->d_residual, error)) &&
        (c->residual != RESIDUAL_ACCUMULATED ||
         check_tensor(report, context, s, g->d_residual, &d->d_residual, error));
    if (c->residual == RESIDUAL_IN_PLACE) {
        d->d_residual = d->dy;
        d->dx = d->x;
    }
    return tensors && (d->vectors.gamma = vector_buffer(report, context, &s, g->gamma, error)) &&
           (d->vectors.beta = vector_buffer(report, context, &s, g->beta, error)) &&
           (d->vectors.running_mean = vector_buffer(report, context, &s, g->running_mean, error)) &&
           (d->vectors.running_var = vector_buffer(report, context, &s, g->running_var, error)) &&
           (d->fresh.running_mean = vector_buffer(report, context, &s, g->running_mean, error)) &&
           (d->fresh.running_var = vector_buffer(report, context, &s, g->running_var, error)) &&
           (d->saved = check_buffer(report, context, saved, NULL, error)) &&
           (d->workspace = check_buffer(report, context, workspace, NULL, error)) &&
           (d->dgamma = check_buffer(report, context, channels, NULL, error)) &&
           (d->dbeta = check_buffer(report, context, channels, NULL, error));
}

static gboolean device_run(Device *d, MaxglContext *context, const Case *c, GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    d->fresh.gamma = d->vectors.gamma;
    d->fresh.beta = d->vectors.beta;
    const gboolean need_y = c->relu && c->residual != NO_RESIDUAL;
    const MaxglBatchNormGradients gradients = {
        .x = d->x.buffer,
        .y = need_y ? d->y.buffer : NULL,
        .saved = d->saved,
        .dy = d->dy.buffer,
        .dx = d->dx.buffer,
        .d_residual = d->d_residual.buffer,
        .accumulate_residual = c->residual == RESIDUAL_ACCUMULATED,
        .dgamma = d->dgamma,
        .dbeta = d->dbeta,
    };
    return maxgl_batch_norm_forward_training(sequence, &d->norm, &d->vectors, d->x.buffer, d->residual.buffer,
                                             d->y.buffer, d->saved, d->workspace, error) &&
           maxgl_batch_norm_forward_again(sequence, &d->norm, &d->vectors, d->x.buffer, d->residual.buffer,
                                          d->y_again.buffer, d->saved, error) &&
           maxgl_batch_norm_forward_evaluation(sequence, &d->norm, &d->fresh, d->x.buffer, d->residual.buffer,
                                               d->y_evaluation.buffer, error) &&
           maxgl_batch_norm_backward(sequence, &d->norm, &d->vectors, &gradients, d->workspace, error) &&
           check_run(sequence, error);
}

static gboolean compare(Device *d, CheckReport *report, MaxglContext *context, Reference *r, const Given *g,
                        GError **error)
{
    const gsize channels = (gsize)r->channels;
    const gsize padding = (gsize)maxgl_shape_blocks(&r->c->shape) * (gsize)r->c->shape.block - channels;
    /* A mean far from zero costs digits: x itself has fewer behind the point. */
    const double tolerance = 2e-6 + 2e-7 * fabs(r->c->offset);
    /* Of two values x̂ is ±1 whatever they are: dx is the little that eps leaves of a cancellation. */
    const double dx_tolerance = r->pixels * (gsize)r->c->shape.n == 2 ? 2e-3 : 5 * tolerance;
    if (r->c->residual == RESIDUAL_ACCUMULATED)
        for (gsize i = 0; i < r->elements; i++)
            r->d_residual[i] += g->d_residual[i];
    return check_compare_tensor(report, context, "y", &d->y, r->y, tolerance, error) &&
           check_compare_tensor(report, context, "y once more", &d->y_again, r->y, tolerance, error) &&
           check_compare_tensor(report, context, "y of evaluation", &d->y_evaluation, r->y_evaluation,
                                tolerance, error) &&
           check_compare_buffer(report, context, "mean", d->saved, r->mean, channels, padding, tolerance,
                                error) &&
           check_compare_buffer(report, context, "running mean", d->vectors.running_mean, r->new_mean,
                                channels, padding, tolerance, error) &&
           check_compare_buffer(report, context, "running variance", d->vectors.running_var, r->new_var,
                                channels, padding, tolerance, error) &&
           check_compare_buffer(report, context, "dgamma", d->dgamma, r->dgamma, channels, padding,
                                5 * tolerance, error) &&
           check_compare_buffer(report, context, "dbeta", d->dbeta, r->dbeta, channels, padding,
                                5 * tolerance, error) &&
           check_compare_tensor(report, context, "dx", &d->dx, r->dx, dx_tolerance, error) &&
           (!d->d_residual.buffer || check_compare_tensor(report, context, "gradient of the residual",
                                                          &d->d_residual, r->d_residual, tolerance, error));
}

/* Partial statistics in parts of very different sizes, none empty, computed here: batch norm is given them.
 */
static float *given_statistics(const Reference *r, int parts, gsize floats)
{
    const gsize channels = (gsize)maxgl_shape_blocks(&r->c->shape) * (gsize)r->c->shape.block,
                n = (gsize)parts, rest = (gsize)r->c->shape.n * r->pixels - n;
    float *statistics = g_new0(float, floats);
    for (gsize part = 0; part < n; part++) {
        const gsize first = part + rest * part * part / (n * n),
                    last = part + 1 + rest * (part + 1) * (part + 1) / (n * n);
        for (int c = 0; c < r->channels; c++) {
            double sum = 0, squares = 0;
            for (gsize i = first; i < last; i++)
                sum += r->x[element(r, (int)(i / r->pixels), c, i % r->pixels)];
            const double mean = sum / (double)(last - first);
            for (gsize i = first; i < last; i++)
                squares += pow(r->x[element(r, (int)(i / r->pixels), c, i % r->pixels)] - mean, 2);
            statistics[part * channels + (gsize)c] = (float)sum;
            statistics[(n + part) * channels + (gsize)c] = (float)squares;
        }
        statistics[2 * n * channels + part] = (float)(last - first);
    }
    return statistics;
}

static gboolean check_given(MaxglContext *context, CheckReport *report, const Case *c, const Given *given,
                            const Reference *r, GError **error)
{
    const int parts = (int)MIN(7, (gsize)c->shape.n * r->pixels);
    const gsize channels = (gsize)r->channels,
                padding = (gsize)maxgl_shape_blocks(&c->shape) * (gsize)c->shape.block - channels;
    const double tolerance = 2e-6 + 2e-7 * fabs(c->offset);
    Device d;
    if (!device_init(&d, report, context, c, given, error))
        return FALSE;
    const gsize floats = maxgl_batch_norm_statistics_bytes(&d.norm, parts) / sizeof(float);
    g_autofree float *values = given_statistics(r, parts, floats);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem statistics = check_buffer(report, context, floats, values, error);
    return statistics &&
           maxgl_batch_norm_forward_given(sequence, &d.norm, &d.vectors, d.x.buffer, d.residual.buffer,
                                          d.y.buffer, d.saved, statistics, parts, error) &&
           check_run(sequence, error) &&
           check_compare_tensor(report, context, "y of given statistics", &d.y, r->y, tolerance, error) &&
           check_compare_buffer(report, context, "mean of given statistics", d.saved, r->mean, channels,
                                padding, tolerance, error) &&
           check_compare_buffer(report, context, "running mean of given statistics", d.vectors.running_mean,
                                r->new_mean, channels, padding, tolerance, error) &&
           check_compare_buffer(report, context, "running variance of given statistics",
                                d.vectors.running_var, r->new_var, channels, padding, tolerance, error);
}

/* One value a channel has no variance: forward must say so. */
static void check_refusal(MaxglContext *context, CheckReport *report)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    g_autoptr(GError) error = NULL;
    const MaxglBatchNorm norm = {maxgl_shape(1, 3, 1, 1, 1, 4), (float)EPS, (float)MOMENTUM, FALSE};
    if (maxgl_batch_norm_forward_training(sequence, &norm, &(MaxglBatchNormVectors){0}, NULL, NULL, NULL,
                                          NULL, NULL, &error) ||
        !g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE))
        check_fail(report, "training on one value a channel was not refused");
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    if (index == 0)
        check_refusal(context, report);
    Given given;
    Reference reference;
    Device device;
    given_init(&given, c, index);
    reference_init(&reference, c, &given);
    const gboolean ok = device_init(&device, report, context, c, &given, error) &&
                        device_run(&device, context, c, error) &&
                        compare(&device, report, context, &reference, &given, error) &&
                        check_given(context, report, c, &given, &reference, error);
    reference_clear(&reference);
    given_clear(&given);
    return ok;
}

static double loss(gpointer data)
{
    Reference *r = data;
    double sum = 0;
    reference_forward(r);
    for (gsize i = 0; i < r->elements; i++)
        sum += r->dy[i] * r->y[i];
    return sum;
}

static void gradient(guint index, CheckReport *report)
{
    const Case *c = &cases[index];
    if (!is_small(index))
        return;
    Given given;
    Reference r;
    given_init(&given, c, index);
    reference_init(&r, c, &given);
    check_derivative(report, "x", loss, &r, r.x, r.dx, r.elements, 1e-5);
    check_derivative(report, "gamma", loss, &r, r.gamma, r.dgamma, (gsize)r.channels, 1e-5);
    check_derivative(report, "beta", loss, &r, r.beta, r.dbeta, (gsize)r.channels, 1e-5);
    if (r.residual)
        check_derivative(report, "residual", loss, &r, r.residual, r.d_residual, r.elements, 1e-5);
    reference_clear(&r);
    given_clear(&given);
}

static const MaxglShape bench_shapes[] = {
    {2, 64, 16, 56, 56, 16}, {2, 128, 8, 28, 28, 16}, {2, 256, 4, 14, 14, 16}, {2, 512, 2, 7, 7, 16}};
static const char *const bench_passes[] = {"forward", "forward, residual", "evaluation", "backward",
                                           "backward, residual"};

static char *describe_bench(guint index)
{
    g_autofree char *shape = maxgl_shape_text(&bench_shapes[index / G_N_ELEMENTS(bench_passes)]);
    return g_strdup_printf("%s %s", shape, bench_passes[index % G_N_ELEMENTS(bench_passes)]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const guint pass = index % G_N_ELEMENTS(bench_passes);
    const gboolean residual = pass == 1 || pass == 4;
    const Case c = {bench_shapes[index / G_N_ELEMENTS(bench_passes)], TRUE, residual ? RESIDUAL : NO_RESIDUAL,
                    0};
    Given given;
    Device d;
    given_init(&given, &c, 0);
    const gboolean ready = device_init(&d, report, context, &c, &given, error);
    given_clear(&given);
    if (!ready || !device_run(&d, context, &c, error))
        return FALSE;
    /* Reads and writes of a tensor; the statistics need a pass of their own. */
    static const int passes[] = {3, 4, 2, 5, 7};
    *bytes = passes[pass] * (double)maxgl_shape_bytes(&c.shape);
    *flops = 0;
    const MaxglBatchNormGradients gradients = {
        d.x.buffer,  residual ? d.y.buffer : NULL, d.saved, d.dy.buffer,
        d.dx.buffer, d.d_residual.buffer,          FALSE,   d.dgamma,
        d.dbeta};
    if (pass < 2)
        return maxgl_batch_norm_forward_training(sequence, &d.norm, &d.vectors, d.x.buffer, d.residual.buffer,
                                                 d.y.buffer, d.saved, d.workspace, error);
    if (pass == 2)
        return maxgl_batch_norm_forward_evaluation(sequence, &d.norm, &d.vectors, d.x.buffer, NULL,
                                                   d.y.buffer, error);
    return maxgl_batch_norm_backward(sequence, &d.norm, &d.vectors, &gradients, d.workspace, error);
}

const MaxglCheck check_batch_norm = {
    .name = "batch_norm",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(bench_shapes) * G_N_ELEMENTS(bench_passes),
    .describe_bench = describe_bench,
    .bench = bench,
};
