#include "ops/convert.h"

#include "ops/grid.h"

gboolean maxgl_convert(MaxglSequence *sequence, gsize numbers, MaxglStorage from, cl_mem x, MaxglStorage to,
                       cl_mem y, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, numbers);
    g_autofree char *options =
        g_strdup_printf("-DVECTOR=%d -DX_STORAGE=%d -DY_STORAGE=%d", vector, (int)from, (int)to);
    MaxglLaunch launch = {.file = "convert.cl", .kernel = "convert", .options = options};
    const guint32 vectors = (guint32)(numbers / (gsize)vector);
    const int run = maxgl_grid_split(context, vectors, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmui", x, y, vectors, run);
}
