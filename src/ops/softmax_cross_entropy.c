#include "ops/softmax_cross_entropy.h"

#include "ops/grid.h"

enum { FLOATS_PER_ROW = 4 };

gsize maxgl_softmax_cross_entropy_workspace(const MaxglShape *shape)
{
    return (gsize)shape->n * FLOATS_PER_ROW * sizeof(float);
}

gboolean maxgl_softmax_cross_entropy(MaxglSequence *sequence, const MaxglShape *shape, cl_mem logits,
                                     cl_mem labels, cl_mem class_weights, cl_mem result, cl_mem dlogits,
                                     cl_mem workspace, GError **error)
{
    if (maxgl_shape_pixels(shape) != 1) {
        g_autofree char *text = maxgl_shape_text(shape);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "softmax cross-entropy of %s: logits are a matrix",
                    text);
        return FALSE;
    }
    MaxglContext *context = maxgl_sequence_context(sequence);
    const guint32 rows = (guint32)shape->n, classes = (guint32)shape->c;
    const guint32 pitch = (guint32)(maxgl_shape_blocks(shape) * shape->block);
    const int run = maxgl_grid_run(context, rows);
    MaxglLaunch each = {.file = "softmax_cross_entropy.cl", .kernel = "softmax_cross_entropy_rows"};
    const int lanes = maxgl_grid_groups(context, (rows + (gsize)run - 1) / (gsize)run, &each);
    g_autofree char *options =
        g_strdup_printf("-DVECTOR=%d -DLANES=%d", maxgl_grid_vector(context, pitch), lanes);
    each.options = options;
    MaxglLaunch total = {
        .file = each.file, .kernel = "softmax_cross_entropy_total", .options = options, .dims = 1};
    maxgl_grid_groups(context, 1, &total);
    if (!maxgl_sequence_add(sequence, &each, error, "mmmmuiuu", logits, labels, class_weights, workspace,
                            rows, run, classes, pitch) ||
        !maxgl_sequence_add(sequence, &total, error, "mum", workspace, rows, result))
        return FALSE;
    if (!dlogits)
        return TRUE;
    each.kernel = "softmax_cross_entropy_gradient";
    return maxgl_sequence_add(sequence, &each, error, "mmmmmuiuu", logits, labels, workspace, result, dlogits,
                              rows, run, classes, pitch);
}
