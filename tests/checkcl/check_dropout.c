/* Dropout against the host's own random numbers, element by element. */
#include "checkcl.h"

#include "base/random.h"
#include "ops/dropout.h"
#include <math.h>

static const struct {
    MaxglShape shape;
    float probability;
} cases[] = {
    {{1, 1, 1, 1, 1, 1}, 0.5F},     {{3, 7, 1, 1, 1, 1}, 0.5F},    {{3, 7, 1, 1, 1, 8}, 0.5F},
    {{5, 6, 1, 1, 1, 2}, 0.25F},    {{3, 20, 1, 1, 1, 16}, 0.9F},  {{2, 16, 1, 1, 1, 16}, 0.0F},
    {{2, 5, 1, 1, 1, 4}, 1.0F},     {{2, 5, 2, 3, 3, 1}, 0.3F},    {{2, 5, 2, 3, 3, 2}, 0.3F},
    {{2, 5, 2, 3, 3, 4}, 0.3F},     {{2, 13, 1, 3, 2, 8}, 0.3F},   {{2, 18, 2, 1, 3, 16}, 0.3F},
    {{64, 512, 1, 1, 1, 16}, 0.5F}, {{3, 70, 4, 9, 11, 16}, 0.1F},
};

enum { STEPS = 2 };
static const guint64 SEED = G_GUINT64_CONSTANT(0x123456789abcdef0);
static const guint64 LAYER = G_GUINT64_CONSTANT(0x7000000003);

static char *describe(guint index)
{
    g_autofree char *shape = maxgl_shape_text(&cases[index].shape);
    return g_strdup_printf("%s, block %d, probability %g", shape, cases[index].shape.block,
                           cases[index].probability);
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index].shape) < 1000;
}

/* Multiplies @values, in PyTorch's order, by the mask of @step. Returns: how many stay. */
static gsize reference(guint index, guint32 step, double *values)
{
    const MaxglShape *s = &cases[index].shape;
    const double p = cases[index].probability;
    const gsize pixels = maxgl_shape_pixels(s);
    gsize kept = 0;
    MaxglRandom random;
    maxgl_random_init(&random, SEED, MAXGL_RANDOM_DROPOUT, step, LAYER);
    for (int n = 0; n < s->n; n++)
        for (gsize pixel = 0; pixel < pixels; pixel++)
            for (int c = 0; c < (s->c + 3) / 4 * 4; c++) {
                const gboolean stays = maxgl_random_uniform(&random) >= cases[index].probability;
                if (c >= s->c)
                    continue;
                double *value = &values[((gsize)n * (gsize)s->c + (gsize)c) * pixels + pixel];
                *value = stays ? *value / (1 - p) : 0;
                kept += stays;
            }
    return kept;
}

static void check_share(CheckReport *report, guint index, gsize kept)
{
    const double n = (double)maxgl_shape_elements(&cases[index].shape), p = cases[index].probability;
    if (fabs((double)kept - n * (1 - p)) > 5 * sqrt(n * p * (1 - p)))
        check_fail(report, "%" G_GSIZE_FORMAT " of %g elements stay with probability %g", kept, n, 1 - p);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const MaxglShape shape = cases[index].shape;
    const MaxglDropout dropout = {shape, cases[index].probability, SEED, LAYER};
    const gsize n = maxgl_shape_elements(&shape);
    g_autofree float *values = check_random(n, index), *gradient = check_random(n, index + 1000);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    MaxglTensor x, y, dx;
    cl_mem step = check_bytes(report, context, sizeof(guint32), NULL, error);
    if (!step || !check_tensor(report, context, shape, values, &x, error) ||
        !check_tensor(report, context, shape, NULL, &y, error) ||
        !check_tensor(report, context, shape, NULL, &dx, error) ||
        !maxgl_dropout_forward(sequence, &dropout, x.buffer, step, y.buffer, error) ||
        !maxgl_dropout_backward(sequence, &dropout, dx.buffer, step, dx.buffer, error))
        return FALSE;
    for (guint32 t = 1; t <= STEPS; t++) {
        g_autofree double *want_y = check_to_double(values, n), *want_dx = check_to_double(gradient, n);
        check_share(report, index, reference(index, t, want_y));
        reference(index, t, want_dx);
        if (!maxgl_buffer_write(context, step, 0, &t, sizeof t, error) ||
            !maxgl_tensor_write(context, &dx, gradient, error) || !check_run(sequence, error) ||
            !check_compare_tensor(report, context, "y", &y, want_y, 1e-7, error) ||
            !check_compare_tensor(report, context, "dx", &dx, want_dx, 1e-7, error))
            return FALSE;
    }
    return TRUE;
}

static char *describe_bench(guint index)
{
    return g_strdup("16×512×2×7×7, block 16");
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglDropout dropout = {maxgl_shape(16, 512, 2, 7, 7, 16), 0.5F, SEED, LAYER};
    const gsize n = maxgl_shape_elements(&dropout.shape);
    const guint32 one = 1;
    g_autofree float *values = check_random(n, 1);
    MaxglTensor x, y;
    cl_mem step = check_bytes(report, context, sizeof one, &one, error);
    *flops = 0;
    *bytes = 2.0 * (double)maxgl_shape_bytes(&dropout.shape);
    return step && check_tensor(report, context, dropout.shape, values, &x, error) &&
           check_tensor(report, context, dropout.shape, NULL, &y, error) &&
           maxgl_dropout_forward(sequence, &dropout, x.buffer, step, y.buffer, error);
}

const MaxglCheck check_dropout = {
    .name = "dropout",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = 1,
    .describe_bench = describe_bench,
    .bench = bench,
};
