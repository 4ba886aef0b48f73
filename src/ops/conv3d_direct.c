/* Direct convolution for CPUs: cl/conv3d_direct.cl, cl/conv3d_direct_weights.cl. */
#include "ops/conv3d_algorithms.h"

#include <math.h>

/* What the forward kernel computes: a convolution whose results land on a grid with strides inside y. A
 * forward pass is one job; the gradient of a strided convolution is one for each stride phase. */
typedef struct {
    int n, in_blocks, in_block, in[3];
    int out_blocks, out_block, out[3];
    int taps[3], stride[3], pad[3];
    int y[3], y_stride[3], y_start[3];
    MaxglStorage x_storage, y_storage;
    int flags;
    const char *label;
} Job;

enum { WITH_BIAS = 1, WITH_RESIDUAL = 2, WITH_RELU = 4, ACCUMULATE = 8 };

typedef struct {
    int ku, rh, rw; /* register tile */
    int chunk_blocks, tiles_per_item, n_tiles;
} Tile;

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static int tuned(MaxglContext *context, const char *shape, const char *name, int fallback)
{
    return maxgl_tuning_int(context->tuning, "conv3d_direct", shape, name, fallback);
}

/* Cycles that a register tile takes for one input channel on a core that does two fused multiply-adds and two
 * loads a cycle, with a latency of four; the last term prefers, among equals, the tile that reads less.
 * @loads: for each vector of weights, more than one where they are asked for ahead. */
static double tile_cycles(int ku, int pixels, int loads)
{
    const double arithmetic = ku * pixels / 2.0, reading = (loads * ku + pixels) / 2.0;
    return MAX(MAX(arithmetic, reading), 4.0) + 0.02 * reading;
}

static void choose_tile(MaxglContext *context, const Job *job, const char *shape, Tile *tile)
{
    const int part_registers = tuned(context, shape, "registers", 14),
              row_registers = tuned(context, shape, "row_registers", part_registers),
              loads = job->in_block > 1 ? 2 : 1;
    double best = INFINITY;
    *tile = (Tile){.ku = 1, .rh = 1, .rw = 1};
    for (int ku = MIN(4, job->out_blocks); ku >= 1; ku--) {
        if (job->out_blocks % ku)
            continue;
        for (int rw = 1; rw <= job->out[2]; rw++) {
            const int registers = rw == job->out[2] ? row_registers : part_registers;
            if (ku * rw + ku > registers)
                continue;
            for (int rh = 1; rh <= MIN(job->out[1], (registers - ku) / (ku * rw)); rh++) {
                if (rh > 1 && rw < job->out[2])
                    break;
                const int tiles = ceil_div(job->out[2], rw) * ceil_div(job->out[1], rh),
                          groups = job->out_blocks / ku;
                const double cycles = (double)tiles * groups * tile_cycles(ku, rh * rw, loads);
                if (cycles < best) {
                    best = cycles;
                    tile->ku = ku;
                    tile->rh = rh;
                    tile->rw = rw;
                }
            }
        }
    }
    const int ku = tuned(context, shape, "ku", tile->ku);
    if (job->out_blocks % ku == 0) {
        tile->ku = ku;
        tile->rw = MIN(tuned(context, shape, "rw", tile->rw), job->out[2]);
        tile->rh = MIN(tuned(context, shape, "rh", tile->rh), job->out[1]);
    }
    tile->n_tiles = job->n * job->out[0] * ceil_div(job->out[1], tile->rh) * ceil_div(job->out[2], tile->rw);

    /* Weights that outgrow the second-level cache are gone through in chunks of input channels, each for many
     * tiles: every work-item reads all weights. Each core still gets a few work-items. */
    const double block_bytes =
        4.0 * tile->ku * job->in_block * job->out_block * job->taps[0] * job->taps[1] * job->taps[2];
    const int cache = tuned(context, shape, "weights_kib", 256) * 1024;
    const int groups = job->out_blocks / tile->ku, items = tuned(context, shape, "work_items", 128);
    tile->chunk_blocks = MAX(job->in_blocks, 1);
    tile->tiles_per_item = MAX(1, tile->n_tiles / MAX(1, ceil_div(items, groups)));
    if (block_bytes * job->in_blocks > cache && tile->n_tiles > 1) {
        const int least_items = 4 * (int)context->info->compute_units,
                  reused = MIN(tuned(context, shape, "reused_tiles", 64),
                               tile->n_tiles / MAX(1, ceil_div(least_items, groups)));
        tile->chunk_blocks = CLAMP((int)(cache / block_bytes), 1, job->in_blocks);
        tile->tiles_per_item = MAX(tile->tiles_per_item, reused);
    }
}

/* @sums: see cl/conv3d_direct.cl. */
static gboolean add_job(MaxglSequence *sequence, const MaxglConv3d *conv, const Job *job, cl_mem x,
                        cl_mem weights, cl_mem y, cl_mem sums, const MaxglConv3dEpilogue *epilogue,
                        GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    Tile tile;
    choose_tile(context, job, shape, &tile);

    /* The width that the taps of the last column need and the row does not have. */
    const int right = (job->out[2] - 1) * job->stride[2] + job->taps[2] - job->pad[2] - job->in[2];
    g_autofree char *whole_row =
        job->out[2] == tile.rw ? g_strdup_printf("-DWHOLE_ROW=%d ", job->in[2]) : g_strdup("");
    g_autofree char *x_storage = maxgl_storage_option("X_STORAGE", job->x_storage);
    g_autofree char *y_storage = maxgl_storage_option("Y_STORAGE", job->y_storage);
    g_autofree char *options = g_strdup_printf(
        "%s-DBI=%d -DBO=%d -DKU=%d -DRH=%d -DRW=%d -DKW=%d -DSH=%d -DSW=%d -DPL=%d -DPR=%d "
        "-DPREFETCH_WEIGHTS=%d -DUNROLL=%d%s%s",
        whole_row, job->in_block, job->out_block, tile.ku, tile.rh, tile.rw, MAX(job->taps[2], 1),
        job->stride[1], job->stride[2], job->pad[2], right, tuned(context, shape, "prefetch_weights", 16),
        MIN(tuned(context, shape, "unroll", whole_row[0] ? 4 : 2), job->in_block), x_storage, y_storage);
    cl_mem zeros = maxgl_context_zeros(context,
                                       (gsize)((tile.rw - 1) * job->stride[2] + MAX(job->taps[2], 1)) *
                                           job->in_block * sizeof(float),
                                       error);
    if (!zeros)
        return FALSE;
    const MaxglLaunch launch = {
        .file = "conv3d_direct.cl",
        .kernel = "conv3d_forward_direct",
        .options = options,
        .label = job->label,
        .dims = 2,
        .global = {(gsize)ceil_div(tile.n_tiles, tile.tiles_per_item), (gsize)(job->out_blocks / tile.ku), 1},
        .local = {1, 1, 1},
    };
    const gboolean has_taps = job->taps[0] && job->taps[1] && job->taps[2];
    return maxgl_sequence_add(
        sequence, &launch, error, "mmmmmmmiiiiiiiiiiiiiiiiiiiiiiiiii", x, weights, y, epilogue->bias,
        epilogue->residual, zeros, sums, job->flags, has_taps ? job->in_blocks : 0, tile.chunk_blocks,
        job->out_blocks, tile.n_tiles, tile.tiles_per_item, job->in[0], job->in[1], job->in[2], job->out[0],
        job->out[1], job->out[2], job->taps[0], job->taps[1], job->stride[0], job->pad[0], job->pad[1],
        job->y[0], job->y[1], job->y[2], job->y_stride[0], job->y_stride[1], job->y_stride[2],
        job->y_start[0], job->y_start[1], job->y_start[2]);
}

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const int out = conv->out_block, in = conv->input.block;
    const gboolean out_ok = out == 1 || out == 4 || out == 8 || out == 16,
                   in_ok = in == 1 || in == 4 || in == 8 || in == 16;
    return out_ok && in_ok && device->type == MAXGL_DEVICE_CPU &&
           (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS || in > 1 || conv->kernel[2] <= 8);
}

static Job forward_job(const MaxglConv3d *conv)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    return (Job){
        .n = in.n,
        .in_blocks = maxgl_shape_blocks(&in),
        .in_block = in.block,
        .in = {in.t, in.h, in.w},
        .out_blocks = maxgl_shape_blocks(&out),
        .out_block = out.block,
        .out = {out.t, out.h, out.w},
        .taps = {conv->kernel[0], conv->kernel[1], conv->kernel[2]},
        .stride = {conv->stride[0], conv->stride[1], conv->stride[2]},
        .pad = {conv->pad[0], conv->pad[1], conv->pad[2]},
        .y = {out.t, out.h, out.w},
        .y_stride = {1, 1, 1},
        .x_storage = in.storage,
        .y_storage = out.storage,
        .label = "conv3d_forward_direct",
    };
}

static int phases_of(const MaxglConv3d *conv)
{
    return conv->stride[0] * conv->stride[1] * conv->stride[2];
}

/* The gradient at the input positions of stride phase @number: a stride-1 convolution over dy with the taps
 * that reach it, which @phase takes. */
static Job phase_job(const MaxglConv3d *conv, int number, MaxglConv3dPhase phase[3])
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int *stride = conv->stride, size[3] = {in.t, in.h, in.w};
    const int at[3] = {number / (stride[1] * stride[2]), number / stride[2] % stride[1], number % stride[2]};
    Job job = {
        .n = in.n,
        .in_blocks = maxgl_shape_blocks(&out),
        .in_block = out.block,
        .in = {out.t, out.h, out.w},
        .out_blocks = maxgl_shape_blocks(&in),
        .out_block = in.block,
        .stride = {1, 1, 1},
        .y = {in.t, in.h, in.w},
        .x_storage = out.storage,
        .y_storage = in.storage,
        .label = "conv3d_backward_data_direct",
    };
    for (int i = 0; i < 3; i++) {
        phase[i] = maxgl_conv3d_phase(size[i], conv->kernel[i], stride[i], conv->pad[i], at[i]);
        job.out[i] = phase[i].size;
        job.taps[i] = phase[i].taps;
        job.pad[i] = phase[i].pad;
        job.y_stride[i] = stride[i];
        job.y_start[i] = at[i];
    }
    return job;
}

static gboolean has_pixels(const Job *job)
{
    return job->out[0] && job->out[1] && job->out[2];
}

static gboolean goes_in_chunks(MaxglContext *context, const MaxglConv3d *conv, const Job *job)
{
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    Tile tile;
    if (!has_pixels(job))
        return FALSE;
    choose_tile(context, job, shape, &tile);
    return tile.chunk_blocks < job->in_blocks;
}

typedef struct {
    int ku, cu, chunk_rows, n_splits;
    gboolean planar;
} WeightsTile;

static WeightsTile weights_tile(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int out_blocks = maxgl_shape_blocks(&out), bi = conv->input.block;
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    const int registers = tuned(context, shape, "registers", 14);
    WeightsTile tile = {.planar = bi == 1, .ku = 1, .cu = 1};
    double best = INFINITY;
    const int columns = tile.planar ? conv->kernel[2] : 1, most_cu = tile.planar ? conv->input.c : bi;
    for (int ku = MIN(4, out_blocks); ku >= 1; ku--)
        for (int cu = most_cu; cu >= 1; cu--) {
            const int sums = ku * cu * columns;
            if (out_blocks % ku || most_cu % cu || (sums + ku > registers && ku * cu > 1))
                continue;
            const double cycles = tile_cycles(ku, cu * columns, 1) / sums;
            if (cycles < best) {
                best = cycles;
                tile.ku = ku;
                tile.cu = cu;
            }
        }
    tile.ku = MAX(tile.ku, 1);
    tile.cu = MAX(tile.cu, 1);
    tile.chunk_rows = MAX(MIN(tuned(context, shape, "chunk_pixels", 224) / MAX(out.w, 1), out.h), 1);
    const int groups =
        out_blocks / tile.ku * (maxgl_shape_blocks(&conv->input) / (tile.planar ? tile.cu : 1));
    const int n_chunks = out.n * out.t * ceil_div(out.h, tile.chunk_rows);
    const double weights_bytes = 4.0 * (double)maxgl_conv3d_weight_floats(conv);
    const int most = MAX(1, (int)(tuned(context, shape, "splits_mib", 64) * 1048576.0 / weights_bytes));
    tile.n_splits = CLAMP(ceil_div(tuned(context, shape, "work_items", 128), groups), 1, MIN(n_chunks, most));
    return tile;
}

/* Bytes of the workspace's parts, in this order. */
typedef struct {
    gsize weights; /* turned round for backward data; the splits of backward weights */
    gsize sums;    /* see cl/conv3d_direct.cl; of maps that are not floats */
} Parts;

static Parts parts_of(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const gsize weights = maxgl_conv3d_weight_floats(conv) * sizeof(float);
    const gboolean back = pass == MAXGL_CONV3D_BACKWARD_DATA;
    const MaxglShape out = maxgl_conv3d_output(conv), *result = back ? &conv->input : &out;
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS) {
        const int splits = weights_tile(context, conv).n_splits;
        return (Parts){.weights = splits > 1 ? weights * (gsize)splits : 0};
    }
    gboolean chunks = FALSE;
    for (int i = 0; result->storage != MAXGL_FLOAT32 && i < (back ? phases_of(conv) : 1); i++) {
        MaxglConv3dPhase phase[3];
        const Job job = back ? phase_job(conv, i, phase) : forward_job(conv);
        chunks = chunks || goes_in_chunks(context, conv, &job);
    }
    return (Parts){.weights = back ? weights : 0,
                   .sums = chunks ? maxgl_shape_floats(result) * sizeof(float) : 0};
}

/* The sums' part of the workspace, to be released, or @result itself. */
static cl_mem sums_in(MaxglContext *context, const Parts *parts, cl_mem workspace, cl_mem result,
                      GError **error)
{
    if (parts->sums)
        return maxgl_buffer_window(context, workspace, maxgl_buffer_aligned(context, parts->weights),
                                   parts->sums, error);
    clRetainMemObject(result);
    return result;
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Parts parts = parts_of(context, conv, MAXGL_CONV3D_FORWARD);
    Job job = forward_job(conv);
    job.flags = (epilogue->bias ? WITH_BIAS : 0) | (epilogue->residual ? WITH_RESIDUAL : 0) |
                (epilogue->relu ? WITH_RELU : 0);
    cl_mem sums = sums_in(context, &parts, workspace, y, error);
    if (!sums)
        return FALSE;
    const gboolean ok = add_job(sequence, conv, &job, x, weights, y, sums, epilogue, error);
    clReleaseMemObject(sums);
    return ok;
}

gboolean maxgl_conv3d_add_transpose(MaxglSequence *sequence, const MaxglConv3d *conv,
                                    const MaxglConv3dPhase phase[3], cl_mem weights, cl_mem transposed,
                                    GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&conv->input), out_blocks = maxgl_shape_blocks(&out);
    g_autofree char *options = g_strdup_printf("-DBI=%d -DBO=%d", conv->input.block, conv->out_block);
    const MaxglLaunch launch = {
        .file = "conv3d_weights.cl",
        .kernel = "conv3d_transpose_weights",
        .options = options,
        .dims = 2,
        .global = {(gsize)out_blocks, (gsize)in_blocks, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmiiiiiiiiiiiiii", weights, transposed, in_blocks,
                              out_blocks, conv->kernel[0], conv->kernel[1], conv->kernel[2], phase[0].first,
                              phase[1].first, phase[2].first, conv->stride[0], conv->stride[1],
                              conv->stride[2], phase[0].taps, phase[1].taps, phase[2].taps);
}

static gboolean add_phase(MaxglSequence *sequence, const MaxglConv3d *conv, int number, cl_mem dy,
                          cl_mem weights, cl_mem turned, cl_mem dx, cl_mem sums, gboolean accumulate,
                          GError **error)
{
    const MaxglConv3dEpilogue none = {0};
    MaxglConv3dPhase phase[3];
    Job job = phase_job(conv, number, phase);
    job.flags = accumulate ? ACCUMULATE : 0;
    const gboolean reached = job.taps[0] && job.taps[1] && job.taps[2];
    if (!has_pixels(&job) || (accumulate && !reached))
        return TRUE;
    if (reached && !maxgl_conv3d_add_transpose(sequence, conv, phase, weights, turned, error))
        return FALSE;
    return add_job(sequence, conv, &job, dy, turned, dx, sums, &none, error);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Parts parts = parts_of(context, conv, MAXGL_CONV3D_BACKWARD_DATA);
    cl_mem turned = maxgl_buffer_window(context, workspace, 0, parts.weights, error);
    cl_mem sums = turned ? sums_in(context, &parts, workspace, dx, error) : NULL;
    gboolean ok = sums != NULL;
    for (int i = 0; ok && i < phases_of(conv); i++)
        ok = add_phase(sequence, conv, i, dy, weights, turned, dx, sums, accumulate, error);
    if (sums)
        clReleaseMemObject(sums);
    if (turned)
        clReleaseMemObject(turned);
    return ok;
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    enum { UNROLLED_COLUMNS = 8 };
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const WeightsTile tile = weights_tile(maxgl_sequence_context(sequence), conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out);
    g_autofree char *row = NULL;
    if (tile.planar)
        row = g_strdup_printf(" -DROW=%d", (out.w - 1) * conv->stride[2] + conv->kernel[2] + conv->stride[2]);
    else if (out.w <= UNROLLED_COLUMNS)
        row = g_strdup_printf(" -DCOLUMNS=%d -DIN_COLUMNS=%d", out.w, in.w);
    g_autofree char *x_storage = maxgl_storage_option("X_STORAGE", in.storage);
    g_autofree char *y_storage = maxgl_storage_option("Y_STORAGE", out.storage);
    g_autofree char *rows =
        in.storage == MAXGL_FLOAT32 ? NULL : g_strdup_printf(" -DROWS=%d", tile.chunk_rows * in.w * in.block);
    g_autofree char *options =
        g_strdup_printf("-DBI=%d -DBO=%d -DKU=%d -DCU=%d -DKW=%d -DSW=%d -DPW=%d%s%s%s%s", in.block,
                        out.block, tile.ku, tile.cu, conv->kernel[2], conv->stride[2], conv->pad[2],
                        row ? row : "", rows ? rows : "", x_storage, y_storage);
    const MaxglLaunch launch = {
        .file = "conv3d_direct_weights.cl",
        .kernel = tile.planar ? "conv3d_backward_weights_planar" : "conv3d_backward_weights_direct",
        .options = options,
        .dims = 3,
        .global = {(gsize)(out_blocks / tile.ku), (gsize)(in_blocks / (tile.planar ? tile.cu : 1)),
                   (gsize)tile.n_splits},
        .local = {1, 1, 1},
    };
    if (!maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiiiiiiiiii", x, dy,
                            tile.n_splits > 1 ? workspace : dw, in.n, in_blocks, out_blocks, in.t, in.h, in.w,
                            out.t, out.h, out.w, conv->kernel[0], conv->kernel[1], conv->stride[0],
                            conv->stride[1], conv->pad[0], conv->pad[1], tile.n_splits, tile.chunk_rows))
        return FALSE;
    if (tile.n_splits == 1)
        return TRUE;
    const guint32 count = (guint32)(maxgl_conv3d_weight_floats(conv) / out.block),
                  grain = MAX(64, count / 256);
    const MaxglLaunch add = {
        .file = "conv3d_direct_weights.cl",
        .kernel = "conv3d_add_splits",
        .options = options,
        .dims = 1,
        .global = {(count + grain - 1) / grain, 1, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &add, error, "mmiuu", workspace, dw, tile.n_splits, count, grain);
}

static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const Parts parts = parts_of(context, conv, pass);
    return parts.sums ? maxgl_buffer_aligned(context, parts.weights) + parts.sums : parts.weights;
}

const MaxglConv3dAlgorithm maxgl_conv3d_direct = {
    .name = "direct",
    .supports = supports,
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
