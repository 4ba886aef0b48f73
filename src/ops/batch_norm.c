#include "ops/batch_norm.h"

#include "ops/plane.h"
#include <maxgl/error.h>

static const char *const FILE_NAME = "batch_norm.cl";

static int padded_channels(const MaxglBatchNorm *norm)
{
    return maxgl_shape_blocks(&norm->shape) * norm->shape.block;
}

gsize maxgl_batch_norm_saved_floats(const MaxglBatchNorm *norm)
{
    return 2 * (gsize)padded_channels(norm);
}

gsize maxgl_batch_norm_statistics_bytes(const MaxglBatchNorm *norm, int parts)
{
    return (gsize)parts * (2 * (gsize)padded_channels(norm) + 1) * sizeof(float);
}

gsize maxgl_batch_norm_workspace(MaxglContext *context, const MaxglBatchNorm *norm)
{
    const MaxglPlanes planes = maxgl_planes(context, "batch_norm", &norm->shape);
    return maxgl_batch_norm_statistics_bytes(norm, norm->shape.n * planes.chunks);
}

static gboolean add_merge(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                          const MaxglBatchNormVectors *vectors, cl_mem statistics, int parts, cl_mem saved,
                          GError **error)
{
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "batch_norm", &norm->shape);
    MaxglLaunch merge = {
        .file = FILE_NAME, .kernel = "batch_norm_statistics_merge", .options = planes.options};
    maxgl_planes_launch_groups(&planes, 1, (gsize)planes.blocks, &merge);
    return maxgl_sequence_add(sequence, &merge, error, "mmmmifff", statistics, saved, vectors->running_mean,
                              vectors->running_var, parts,
                              (double)norm->shape.n * (double)maxgl_shape_pixels(&norm->shape),
                              (double)norm->eps, (double)norm->momentum);
}

static gboolean has_variance(const MaxglBatchNorm *norm, GError **error)
{
    if ((gsize)norm->shape.n * maxgl_shape_pixels(&norm->shape) > 1)
        return TRUE;
    g_autofree char *text = maxgl_shape_text(&norm->shape);
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
        "batch normalisation of %s has one value a channel: train with a larger batch or larger clips", text);
    return FALSE;
}

gboolean maxgl_batch_norm_forward_training(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                           const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                           cl_mem y, cl_mem saved, cl_mem workspace, GError **error)
{
    const MaxglShape *shape = &norm->shape;
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "batch_norm", shape);
    const int parts = shape->n * planes.chunks;
    MaxglLaunch chunk = {
        .file = FILE_NAME, .kernel = "batch_norm_statistics_chunk", .options = planes.options};
    maxgl_planes_launch(&planes, shape->n, &chunk);
    return has_variance(norm, error) &&
           maxgl_sequence_add(sequence, &chunk, error, "mmiiii", x, workspace, (int)maxgl_shape_pixels(shape),
                              planes.chunk, planes.blocks, parts) &&
           maxgl_batch_norm_forward_given(sequence, norm, vectors, x, residual, y, saved, workspace, parts,
                                          error);
}

gboolean maxgl_batch_norm_forward_given(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                        const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                        cl_mem y, cl_mem saved, cl_mem statistics, int parts, GError **error)
{
    return has_variance(norm, error) && add_merge(sequence, norm, vectors, statistics, parts, saved, error) &&
           maxgl_batch_norm_forward_again(sequence, norm, vectors, x, residual, y, saved, error);
}

gboolean maxgl_batch_norm_forward_again(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                        const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                        cl_mem y, cl_mem saved, GError **error)
{
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "batch_norm", &norm->shape);
    MaxglLaunch launch = {
        .file = FILE_NAME, .kernel = "batch_norm_forward_training", .options = planes.options};
    maxgl_planes_launch(&planes, norm->shape.n, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmmiiii", x, residual, y, vectors->gamma,
                              vectors->beta, saved, (int)maxgl_shape_pixels(&norm->shape), planes.chunk,
                              planes.blocks, norm->relu);
}

gboolean maxgl_batch_norm_forward_evaluation(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                             const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                             cl_mem y, GError **error)
{
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "batch_norm", &norm->shape);
    MaxglLaunch launch = {
        .file = FILE_NAME, .kernel = "batch_norm_forward_evaluation", .options = planes.options};
    maxgl_planes_launch(&planes, norm->shape.n, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmmmiiiif", x, residual, y, vectors->gamma,
                              vectors->beta, vectors->running_mean, vectors->running_var,
                              (int)maxgl_shape_pixels(&norm->shape), planes.chunk, planes.blocks, norm->relu,
                              (double)norm->eps);
}

gboolean maxgl_batch_norm_backward(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                   const MaxglBatchNormVectors *vectors, const MaxglBatchNormGradients *g,
                                   cl_mem workspace, GError **error)
{
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "batch_norm", &norm->shape);
    const int pixels = (int)maxgl_shape_pixels(&norm->shape), parts = norm->shape.n * planes.chunks;
    const double per_total = 1.0 / ((double)norm->shape.n * pixels);
    cl_mem y = norm->relu ? g->y : NULL;

    MaxglLaunch chunk = {.file = FILE_NAME, .kernel = "batch_norm_backward_chunk", .options = planes.options};
    maxgl_planes_launch(&planes, norm->shape.n, &chunk);
    if (!maxgl_sequence_add(sequence, &chunk, error, "mmmmmmmmiiiiii", g->x, y, g->dy, g->d_residual,
                            vectors->gamma, vectors->beta, g->saved, workspace, pixels, planes.chunk,
                            planes.blocks, parts, norm->relu, g->accumulate_residual))
        return FALSE;
    MaxglLaunch merge = {.file = FILE_NAME, .kernel = "batch_norm_backward_merge", .options = planes.options};
    maxgl_planes_launch_groups(&planes, 1, (gsize)planes.blocks, &merge);
    if (!maxgl_sequence_add(sequence, &merge, error, "mmmmi", workspace, g->saved, g->dgamma, g->dbeta,
                            parts))
        return FALSE;

    /* What was handed to the residual is past ReLU already: no need to read y again. */
    const gboolean handed = g->d_residual && !g->accumulate_residual;
    MaxglLaunch data = {.file = FILE_NAME, .kernel = "batch_norm_backward_data", .options = planes.options};
    maxgl_planes_launch(&planes, norm->shape.n, &data);
    return maxgl_sequence_add(sequence, &data, error, "mmmmmmmmmiiiif", g->x, handed ? NULL : y,
                              handed ? g->d_residual : g->dy, g->dx, vectors->gamma, vectors->beta, g->saved,
                              g->dgamma, g->dbeta, pixels, planes.chunk, planes.blocks,
                              handed ? FALSE : norm->relu, per_total);
}
