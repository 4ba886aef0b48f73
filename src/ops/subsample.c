#include "ops/subsample.h"

#include "ops/grid.h"

MaxglShape maxgl_subsample_output(const MaxglSubsample *s)
{
    const MaxglShape *x = &s->input;
    const MaxglShape y = maxgl_shape(x->n, s->out_channels, (x->t - 1) / s->stride[0] + 1,
                                     (x->h - 1) / s->stride[1] + 1, (x->w - 1) / s->stride[2] + 1, x->block);
    return maxgl_shape_stored(y, x->storage);
}

/* A launch of one piece for each vector of @shape. */
static gboolean launch(MaxglSequence *sequence, const MaxglSubsample *s, const char *kernel, cl_mem from,
                       cl_mem to, const MaxglShape *shape, gboolean accumulate, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape x = s->input, y = maxgl_subsample_output(s);
    if (y.c < x.c) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "subsampling %d channels into %d: a shortcut without parameters cannot drop any", x.c,
                    y.c);
        return FALSE;
    }
    const int vector = maxgl_grid_vector(context, (gsize)x.block);
    const gsize pieces = maxgl_shape_floats(shape) / (gsize)vector;
    g_autofree char *storage = maxgl_storage_option("X_STORAGE", x.storage);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d%s", vector, storage);
    MaxglLaunch l = {.file = "subsample.cl", .kernel = kernel, .options = options};
    const int run = maxgl_grid_split(context, pieces, &l);
    return maxgl_sequence_add(sequence, &l, error, "mmuiiiiiiiiiiiiii", from, to, (guint32)pieces, run,
                              x.block, x.c, y.c, x.t, x.h, x.w, y.t, y.h, y.w, s->stride[0], s->stride[1],
                              s->stride[2], accumulate);
}

gboolean maxgl_subsample_forward(MaxglSequence *sequence, const MaxglSubsample *s, cl_mem x, cl_mem y,
                                 GError **error)
{
    const MaxglShape shape = maxgl_subsample_output(s);
    return launch(sequence, s, "subsample_forward", x, y, &shape, FALSE, error);
}

gboolean maxgl_subsample_backward(MaxglSequence *sequence, const MaxglSubsample *s, cl_mem dy, cl_mem dx,
                                  gboolean accumulate, GError **error)
{
    return launch(sequence, s, "subsample_backward", dy, dx, &s->input, accumulate, error);
}
