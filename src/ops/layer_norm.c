#include "ops/layer_norm.h"

#include "ops/grid.h"

enum { CHUNK_ROWS_MIN = 32, CHUNKS_MAX = 64 };

/* The kernels' view of the shape: with one pixel a sample's channels are one wide block, whatever the block.
 */
typedef struct {
    guint32 rows, channels, pixels, blocks, block;
    int vector;
} Geometry;

static Geometry geometry(MaxglContext *context, const MaxglShape *s)
{
    const gsize pixels = maxgl_shape_pixels(s);
    const int blocks = pixels == 1 ? 1 : maxgl_shape_blocks(s);
    const int block = pixels == 1 ? maxgl_shape_blocks(s) * s->block : s->block;
    return (Geometry){.rows = (guint32)((gsize)s->n * pixels),
                      .channels = (guint32)s->c,
                      .pixels = (guint32)pixels,
                      .blocks = (guint32)blocks,
                      .block = (guint32)block,
                      .vector = maxgl_grid_vector(context, (gsize)block)};
}

static guint32 row_vectors(const Geometry *g)
{
    return g->blocks * g->block / (guint32)g->vector;
}

static guint32 chunk_rows(guint32 rows)
{
    return MAX(CHUNK_ROWS_MIN, (rows + CHUNKS_MAX - 1) / CHUNKS_MAX);
}

static guint32 chunk_count(guint32 rows)
{
    return (rows + chunk_rows(rows) - 1) / chunk_rows(rows);
}

gsize maxgl_layer_norm_backward_workspace(MaxglContext *context, const MaxglLayerNorm *norm)
{
    const Geometry g = geometry(context, &norm->shape);
    return (gsize)chunk_count(g.rows) * 2 * g.blocks * g.block * sizeof(float);
}

/* Sizes of a launch whose work-groups take rows. Returns: rows for each; *lanes of them share one. */
static int split_rows(MaxglContext *context, const Geometry *g, MaxglLaunch *launch, int *lanes)
{
    const int run = maxgl_grid_run(context, g->rows);
    *lanes = maxgl_grid_groups(context, (g->rows + (gsize)run - 1) / (gsize)run, launch);
    return run;
}

gboolean maxgl_layer_norm_forward(MaxglSequence *sequence, const MaxglLayerNorm *norm, cl_mem x, cl_mem gamma,
                                  cl_mem beta, cl_mem y, cl_mem mean, cl_mem rstd, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Geometry g = geometry(context, &norm->shape);
    MaxglLaunch launch = {.file = "layer_norm.cl", .kernel = "layer_norm_forward"};
    int lanes;
    const int run = split_rows(context, &g, &launch, &lanes);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DLANES=%d", g.vector, lanes);
    launch.options = options;
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmmuiuuuuf", x, gamma, beta, y, mean, rstd,
                              g.rows, run, g.channels, g.pixels, g.blocks, g.block, (double)norm->epsilon);
}

static gboolean backward_weights(MaxglSequence *sequence, const Geometry *g, cl_mem x, cl_mem mean,
                                 cl_mem rstd, cl_mem dy, cl_mem dgamma, cl_mem dbeta, cl_mem workspace,
                                 const char *options, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const guint32 chunks = chunk_count(g->rows), vectors = row_vectors(g);
    MaxglLaunch partial = {
        .file = "layer_norm.cl", .kernel = "layer_norm_backward_weights", .options = options};
    MaxglLaunch total = {.file = "layer_norm.cl", .kernel = "layer_norm_backward_total", .options = options};
    maxgl_grid_items(context, vectors, &partial);
    maxgl_grid_items(context, vectors, &total);
    partial.dims = 2;
    partial.global[1] = chunks;
    partial.local[1] = 1;
    return maxgl_sequence_add(sequence, &partial, error, "mmmmmuuuuuu", x, mean, rstd, dy, workspace, g->rows,
                              chunk_rows(g->rows), g->channels, g->pixels, g->blocks, g->block) &&
           maxgl_sequence_add(sequence, &total, error, "mmmuu", workspace, dgamma, dbeta, chunks, vectors);
}

gboolean maxgl_layer_norm_backward(MaxglSequence *sequence, const MaxglLayerNorm *norm, cl_mem x,
                                   cl_mem gamma, cl_mem mean, cl_mem rstd, cl_mem dy, cl_mem dx,
                                   cl_mem dgamma, cl_mem dbeta, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Geometry g = geometry(context, &norm->shape);
    MaxglLaunch data = {.file = "layer_norm.cl", .kernel = "layer_norm_backward_data"};
    int lanes;
    const int run = split_rows(context, &g, &data, &lanes);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DLANES=%d", g.vector, lanes);
    data.options = options;
    /* The weights first: dx may overwrite dy. */
    if (dgamma &&
        !backward_weights(sequence, &g, x, mean, rstd, dy, dgamma, dbeta, workspace, options, error))
        return FALSE;
    return maxgl_sequence_add(sequence, &data, error, "mmmmmmuiuuuu", x, gamma, mean, rstd, dy, dx, g.rows,
                              run, g.channels, g.pixels, g.blocks, g.block);
}
