#include "ops/convert.h"

#include "ops/grid.h"

gboolean maxgl_convert(MaxglSequence *sequence, gsize numbers, MaxglNumbers from, MaxglNumbers to,
                       GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, numbers);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DX_STORAGE=%d -DY_STORAGE=%d", vector,
                                               (int)from.storage, (int)to.storage);
    MaxglLaunch launch = {.file = "convert.cl", .kernel = "convert", .options = options};
    const guint32 vectors = (guint32)(numbers / (gsize)vector);
    const int run = maxgl_grid_split(context, vectors, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmuuui", from.buffer, to.buffer,
                              (guint32)(from.first / (gsize)vector), (guint32)(to.first / (gsize)vector),
                              vectors, run);
}
