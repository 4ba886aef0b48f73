#include "ops/dropout.h"

#include "base/random.h"
#include "ops/grid.h"
#include <math.h>

static gboolean validate(const MaxglDropout *dropout, gsize vectors, GError **error)
{
    const MaxglShape *s = &dropout->shape;
    if (!(dropout->probability >= 0 && dropout->probability <= 1)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "dropout: probability %g is not in 0 … 1",
                    dropout->probability);
        return FALSE;
    }
    const gsize groups = (gsize)s->n * maxgl_shape_pixels(s) * (gsize)((s->c + 3) / 4);
    if (groups > G_MAXUINT32 || vectors > G_MAXUINT32 || dropout->layer >= G_GUINT64_CONSTANT(1) << 56) {
        g_autofree char *text = maxgl_shape_text(s);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                    "dropout of %s: at most 2^32 groups of four channels", text);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply(MaxglSequence *sequence, const char *label, const MaxglDropout *dropout, cl_mem x,
                      cl_mem step, cl_mem y, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape *s = &dropout->shape;
    /* With one pixel a sample's channels lie behind each other: one wide block, whatever the block is. */
    const gsize pixels = maxgl_shape_pixels(s);
    const int blocks = pixels == 1 ? 1 : maxgl_shape_blocks(s);
    const int block = pixels == 1 ? maxgl_shape_blocks(s) * s->block : s->block;
    const int vector = MIN(4, maxgl_grid_vector(context, (gsize)block)); /* a Philox block is four words */
    const gsize vectors = maxgl_shape_floats(s) / (gsize)vector;
    if (!validate(dropout, vectors, error))
        return FALSE;
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d", vector);
    MaxglLaunch launch = {
        .file = "dropout.cl", .kernel = "dropout_apply", .options = options, .label = label};
    const int run = maxgl_grid_split(context, vectors, &launch);
    const guint32 threshold = (guint32)ceil(ldexp(dropout->probability, 24)); /* uniforms have 24 bits */
    MaxglRandom random;
    maxgl_random_init(&random, dropout->seed, MAXGL_RANDOM_DROPOUT, 0, dropout->layer);
    return maxgl_sequence_add(sequence, &launch, error, "mmmuiuuuuufuuuu", x, step, y, (guint32)vectors, run,
                              (guint32)pixels, (guint32)blocks, (guint32)(block / vector),
                              (guint32)((s->c + 3) / 4), threshold, 1.0 / (1.0 - dropout->probability),
                              random.key[0], random.key[1], random.counter[1], random.counter[2]);
}

gboolean maxgl_dropout_forward(MaxglSequence *sequence, const MaxglDropout *dropout, cl_mem x, cl_mem step,
                               cl_mem y, GError **error)
{
    return apply(sequence, "dropout_forward", dropout, x, step, y, error);
}

gboolean maxgl_dropout_backward(MaxglSequence *sequence, const MaxglDropout *dropout, cl_mem dy, cl_mem step,
                                cl_mem dx, GError **error)
{
    return apply(sequence, "dropout_backward", dropout, dy, step, dx, error);
}
