/* Background mixing against plain loops. */
#include "checkcl.h"

#include "base/random.h"
#include "compute/buffer.h"
#include "ops/clip_mix.h"

static const MaxglShape cases[] = {
    {1, 3, 1, 1, 1, 1}, {2, 3, 1, 1, 1, 1},    {2, 3, 2, 3, 5, 1},   {9, 3, 3, 4, 4, 1},
    {3, 3, 2, 3, 5, 2}, {3, 3, 4, 2, 3, 4},    {4, 3, 3, 5, 7, 8},   {5, 3, 2, 3, 3, 16},
    {2, 5, 2, 2, 2, 4}, {17, 3, 4, 16, 16, 1}, {8, 3, 8, 32, 32, 1}, {6, 3, 8, 30, 31, 16},
};

static char *describe(guint index)
{
    g_autofree char *shape = maxgl_shape_text(&cases[index]);
    return g_strdup_printf("%s, block %d", shape, cases[index].block);
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index]) < 4000;
}

/* Every third clip is left as it is, every seventh gets a picture of its own, and one is replaced altogether.
 */
static MaxglClipMix *draw(const MaxglShape *s, guint64 round)
{
    MaxglClipMix *mixes = g_new0(MaxglClipMix, s->n);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, round);
    for (int n = 0; n < s->n; n++) {
        if (n % 3 == 2) {
            mixes[n].other = mixes[n].frame = -5; /* means nothing without a weight */
            continue;
        }
        mixes[n].other = n % 7 == 3 ? n : (int)maxgl_random_below(&random, (guint32)s->n);
        mixes[n].frame = (int)maxgl_random_below(&random, (guint32)s->t);
        mixes[n].weight = n == 1 ? 1.0F : maxgl_random_range(&random, 0.05F, 1);
    }
    return mixes;
}

static double *reference(const MaxglShape *s, const double *x, const MaxglClipMix *mixes)
{
    const gsize picture = (gsize)s->h * (gsize)s->w, frames = (gsize)s->t, channels = (gsize)s->c;
    double *y = check_zeros(maxgl_shape_elements(s));
    for (gsize n = 0; n < (gsize)s->n; n++)
        for (gsize c = 0; c < channels; c++)
            for (gsize t = 0; t < frames; t++)
                for (gsize i = 0; i < picture; i++) {
                    const gsize at = ((n * channels + c) * frames + t) * picture + i;
                    const MaxglClipMix *m = &mixes[n];
                    const gsize still =
                        (((gsize)m->other * channels + c) * frames + (gsize)m->frame) * picture + i;
                    y[at] = m->weight == 0 ? x[at]
                                           : (1 - (double)m->weight) * x[at] + (double)m->weight * x[still];
                }
    return y;
}

/* Oclgrind takes what a fill has written for uninitialised. */
static gboolean set_table(MaxglContext *context, const MaxglShape *shape, cl_mem table,
                          const MaxglClipMix *mixes, GError **error)
{
    return context->info->vendor == MAXGL_VENDOR_OCLGRIND
               ? maxgl_buffer_write(context, table, 0, mixes, (gsize)shape->n * sizeof *mixes, error)
               : maxgl_clip_mix_set(context, shape, table, mixes, error);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const MaxglShape shape = cases[index];
    const gsize n = maxgl_shape_elements(&shape);
    g_autofree float *values = check_random(n, index);
    g_autofree double *x64 = check_to_double(values, n);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    MaxglTensor x;
    cl_mem table = check_bytes(report, context, maxgl_clip_mix_table_bytes(shape.n), NULL, error);
    cl_mem workspace =
        check_buffer(report, context, maxgl_clip_mix_workspace(&shape) / sizeof(float), NULL, error);
    if (!table || !workspace || !check_tensor(report, context, shape, values, &x, error) ||
        !maxgl_clip_mix(sequence, &shape, x.buffer, table, workspace, error))
        return FALSE;
    for (guint64 round = 0; round < 2; round++) {
        g_autofree MaxglClipMix *mixes = draw(&shape, round);
        g_autofree double *want = reference(&shape, x64, mixes);
        if (!maxgl_tensor_write(context, &x, values, error) ||
            !set_table(context, &shape, table, mixes, error) || !check_run(sequence, error) ||
            !check_compare_tensor(report, context, "x", &x, want, 1e-7, error))
            return FALSE;
    }
    return TRUE;
}

static char *describe_bench(guint index)
{
    return g_strdup("32×3×16×112×112, block 1");
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape shape = maxgl_shape(32, 3, 16, 112, 112, 1);
    g_autofree float *values = check_random(maxgl_shape_elements(&shape), 1);
    g_autofree MaxglClipMix *mixes = g_new0(MaxglClipMix, shape.n);
    for (int n = 0; n < shape.n; n++)
        mixes[n] = (MaxglClipMix){(n + 1) % shape.n, n % shape.t, 0.5F, 0};
    MaxglTensor x;
    cl_mem table = check_bytes(report, context, maxgl_clip_mix_table_bytes(shape.n), NULL, error);
    cl_mem workspace =
        check_buffer(report, context, maxgl_clip_mix_workspace(&shape) / sizeof(float), NULL, error);
    *flops = 0;
    *bytes = 2.0 * (double)maxgl_shape_bytes(&shape) + 3.0 * (double)maxgl_clip_mix_workspace(&shape);
    return table && workspace && check_tensor(report, context, shape, values, &x, error) &&
           maxgl_clip_mix_set(context, &shape, table, mixes, error) &&
           maxgl_clip_mix(sequence, &shape, x.buffer, table, workspace, error);
}

const MaxglCheck check_clip_mix = {
    .name = "clip_mix",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = 1,
    .describe_bench = describe_bench,
    .bench = bench,
};
