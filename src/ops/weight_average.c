#include "ops/weight_average.h"

#include "ops/grid.h"
#include <maxgl/error.h>

gboolean maxgl_weight_average(MaxglSequence *sequence, cl_mem values, cl_mem averages, gsize floats,
                              double decay, cl_mem step, cl_mem skip, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    if (floats == 0)
        return TRUE;
    if (floats > G_MAXUINT32) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                    "weight_average: %" G_GSIZE_FORMAT " parameters, at most %u are possible", floats,
                    G_MAXUINT32);
        return FALSE;
    }
    const int vector = maxgl_grid_vector(context, 16);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DLANES=1 -DALIGNED", vector);
    MaxglLaunch launch = {.file = "optimizer.cl", .kernel = "weight_average", .options = options};
    const int run = maxgl_grid_split(context, (floats + (gsize)vector - 1) / (gsize)vector, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmmfuim", values, averages, step, 1 - decay,
                              (guint32)floats, run, skip);
}
