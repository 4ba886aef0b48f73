#include "ops/grid.h"
#include "ops/linear_algorithms.h"

/* A work-item computes a register tile of rows × columns vectors of the result at a time. */
typedef struct {
    int vector, rows, columns;
    guint32 vectors; /* of a row of the result */
    char options[64];
} Tile;

enum {
    ITEMS = 256,          /* work-items that are enough to balance */
    ROW_TILES_MAX = 16,   /* of one work-item of a product: more would not fit the second-level cache */
    WEIGHT_ROW_TILES = 4, /* of one work-item of the weights' gradient */
    WEIGHT_COLUMN_TILES = 4,
    TRANSPOSE_SIDE = 32,
    SPLIT_ROWS_MIN = 256, /* of x and dy, also what is walked through for one tile before the next */
};

/* A tile for a result of @rows rows of @pitch floats: no larger than that. */
static Tile make_tile(MaxglContext *context, gsize rows, gsize pitch)
{
    Tile tile = {.vector = maxgl_grid_vector(context, pitch)};
    tile.vectors = (guint32)(pitch / (gsize)tile.vector);
    tile.rows = (int)MIN(rows, (gsize)maxgl_tuning_int(context->tuning, "linear", NULL, "rows", 4));
    tile.columns =
        (int)MIN(tile.vectors, (guint32)maxgl_tuning_int(context->tuning, "linear", NULL, "columns", 2));
    g_snprintf(tile.options, sizeof tile.options, "-DVECTOR=%d -DROWS=%d -DCOLUMNS=%d", tile.vector,
               tile.rows, tile.columns);
    return tile;
}

static guint32 ceil_div(gsize n, gsize by)
{
    return (guint32)((n + by - 1) / by);
}

/* y (rows × out_pitch) = x (rows × features of in_pitch) · w (features × out_pitch), and what the flags say.
 */
static gboolean add_product(MaxglSequence *sequence, const char *label, cl_mem x, guint32 rows,
                            guint32 features, guint32 in_pitch, cl_mem w, gsize out_pitch, cl_mem bias,
                            gboolean relu, gboolean accumulate, cl_mem y, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Tile tile = make_tile(context, rows, out_pitch);
    const guint32 row_tiles = ceil_div(rows, (gsize)tile.rows);
    const guint32 panels = ceil_div(tile.vectors, (gsize)tile.columns);
    const guint32 run = CLAMP(ceil_div((gsize)row_tiles * panels, ITEMS), 1, ROW_TILES_MAX);
    const MaxglLaunch launch = {
        .file = "linear_direct.cl",
        .kernel = "linear_product_direct",
        .options = tile.options,
        .label = label,
        .dims = 2,
        .global = {panels, ceil_div(row_tiles, run)}, /* neighbours share rows */
        .local = {1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmmmuuuuuii", x, w, bias, y, rows, features,
                              in_pitch, tile.vectors, run, relu, accumulate);
}

static gboolean forward(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem weights,
                        cl_mem bias, gboolean relu, cl_mem y, cl_mem workspace, GError **error)
{
    return add_product(sequence, "linear_forward_direct", x, (guint32)linear->input.n,
                       (guint32)linear->input.c, (guint32)maxgl_linear_in_pitch(linear), weights,
                       maxgl_linear_out_pitch(linear), bias, relu, FALSE, y, error);
}

/* With the weights transposed it is a product like forward's. Transposing costs little beside it. */
static gboolean backward_data(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    const gsize in_pitch = maxgl_linear_in_pitch(linear), out_pitch = maxgl_linear_out_pitch(linear);
    const MaxglLaunch transpose = {
        .file = "linear.cl",
        .kernel = "linear_transpose",
        .options = "-DVECTOR=1",
        .dims = 2,
        .global = {ceil_div(out_pitch, TRANSPOSE_SIDE), ceil_div(in_pitch, TRANSPOSE_SIDE)},
        .local = {1, 1},
    };
    return maxgl_sequence_add(sequence, &transpose, error, "mmuuu", weights, workspace, (guint32)in_pitch,
                              (guint32)out_pitch, (guint32)TRANSPOSE_SIDE) &&
           add_product(sequence, "linear_backward_data_direct", dy, (guint32)linear->input.n,
                       (guint32)linear->out_features, (guint32)out_pitch, workspace, in_pitch, NULL, FALSE,
                       accumulate, dx, error);
}

/* How the weights' gradient is cut: blocks of tiles, and rows of x and dy into splits that are added up in a
 * second launch where there would be too few blocks. */
typedef struct {
    guint32 column_tiles; /* of a work-item */
    guint32 row_blocks, column_blocks;
    guint32 splits, split_rows;
} Cut;

static Cut make_cut(const MaxglLinear *linear, const Tile *tile)
{
    const guint32 rows = (guint32)linear->input.n;
    Cut cut = {.column_tiles = rows > SPLIT_ROWS_MIN ? WEIGHT_COLUMN_TILES : 1};
    cut.row_blocks = ceil_div(maxgl_linear_in_pitch(linear), (gsize)tile->rows * WEIGHT_ROW_TILES);
    cut.column_blocks = ceil_div(tile->vectors, (gsize)tile->columns * cut.column_tiles);
    const guint32 wanted = ceil_div(ITEMS, (gsize)cut.row_blocks * cut.column_blocks);
    cut.split_rows = ceil_div(rows, CLAMP(wanted, 1, ceil_div(rows, SPLIT_ROWS_MIN)));
    cut.splits = ceil_div(rows, cut.split_rows);
    return cut;
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Tile tile = make_tile(context, maxgl_linear_in_pitch(linear), maxgl_linear_out_pitch(linear));
    const Cut cut = make_cut(linear, &tile);
    const MaxglLaunch launch = {
        .file = "linear_direct.cl",
        .kernel = "linear_backward_weights_direct",
        .options = tile.options,
        .dims = 3,
        .global = {cut.column_blocks, cut.row_blocks, cut.splits},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmmuuuuuuu", x, dy, cut.splits > 1 ? workspace : dw,
                              (guint32)linear->input.n, cut.split_rows, (guint32)SPLIT_ROWS_MIN,
                              (guint32)maxgl_linear_in_pitch(linear), tile.vectors, (guint32)WEIGHT_ROW_TILES,
                              cut.column_tiles) &&
           (cut.splits == 1 || maxgl_linear_sum_parts(sequence, workspace, cut.splits,
                                                      maxgl_linear_weight_floats(linear), dw, error));
}

static gsize workspace_bytes(MaxglContext *context, const MaxglLinear *linear, MaxglLinearPass pass)
{
    const gsize weights = maxgl_linear_weight_floats(linear) * sizeof(float);
    if (pass == MAXGL_LINEAR_FORWARD)
        return 0;
    if (pass == MAXGL_LINEAR_BACKWARD_DATA)
        return weights;
    const Tile tile = make_tile(context, maxgl_linear_in_pitch(linear), maxgl_linear_out_pitch(linear));
    const guint32 splits = make_cut(linear, &tile).splits;
    return splits > 1 ? splits * weights : 0;
}

const MaxglLinearAlgorithm maxgl_linear_direct = {
    .name = "direct",
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
