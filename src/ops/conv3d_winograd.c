/* Winograd convolution for CPUs: cl/conv3d_winograd*.cl. Forward, backward data as the same with transposed
 * weights, backward weights. */
#include "ops/conv3d_algorithms.h"

#include <math.h>

enum { FUSED_TILES = 4, WITH_BIAS = 1, WITH_RESIDUAL = 2, WITH_RELU = 4, ACCUMULATE = 8 };

/* How a pass is cut up. */
typedef struct {
    int tile, frequencies;         /* outputs a tile's side, 2 or 4; products a tile */
    int tiles_h, tiles_w, n_tiles; /* spatial tiles of the whole batch */
    int ku, rw, tb;                /* register tile, frames */
    int cu;                        /* backward weights: input channels of the register tile, instead of rw */
    int taps;                      /* backward weights: taps in time of a work-item */
    int chunk_tiles, n_chunks;     /* spatial tiles a launch pair, a multiple of rw */
    int slots;                     /* not 0: the fused kernel, by so many work-items */
    int u_blocks;                  /* output blocks whose weights are transformed at once, a multiple of ku */
    gsize u_floats, v_floats, m_floats;
} Plan;

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static int tuned(MaxglContext *context, const char *shape, const char *name, int fallback)
{
    return maxgl_tuning_int(context->tuning, "conv3d_winograd", shape, name, fallback);
}

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const int in = conv->input.block, out = conv->out_block;
    const gboolean blocks_ok = (in == 4 || in == 8 || in == 16) && (out == 4 || out == 8 || out == 16);
    return device->type == MAXGL_DEVICE_CPU && blocks_ok && conv->kernel[1] == 3 && conv->kernel[2] == 3 &&
           conv->stride[0] == 1 && conv->stride[1] == 1 && conv->stride[2] == 1;
}

/* The convolution whose forward pass computes the gradient of @conv with respect to its input. */
static MaxglConv3d transposed(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    MaxglConv3d back = {.input = out,
                        .out_channels = conv->input.c,
                        .out_block = conv->input.block,
                        .out_storage = conv->input.storage};
    for (int i = 0; i < 3; i++) {
        back.kernel[i] = conv->kernel[i];
        back.stride[i] = 1;
        back.pad[i] = conv->kernel[i] - 1 - conv->pad[i];
    }
    return back;
}

/* Products of a register tile for one input channel, as for the direct kernel: two multiply-adds and two
 * loads a cycle. */
static double tile_cycles(int ku, int rw)
{
    return MAX(MAX(ku * rw / 2.0, (ku + rw) / 2.0), 4.0) + 0.01 * (ku + rw);
}

/* The side of a tile that takes fewer products for a map; @even: where both take as many. */
static int smaller_waste(const MaxglShape *out, int even)
{
    const gint64 of_2 = 16 * (gint64)ceil_div(out->h, 2) * ceil_div(out->w, 2),
                 of_4 = 36 * (gint64)ceil_div(out->h, 4) * ceil_div(out->w, 4);
    return of_2 < of_4 ? 2 : of_4 < of_2 ? 4 : even;
}

static Plan count_tiles(MaxglContext *context, const char *shape, const MaxglConv3d *conv, int even)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int tile = tuned(context, shape, "tile", smaller_waste(&out, even)) == 2 ? 2 : 4;
    Plan plan = {.tile = tile, .frequencies = (tile + 2) * (tile + 2), .ku = 1, .rw = 1};
    plan.tiles_h = ceil_div(out.h, tile);
    plan.tiles_w = ceil_div(out.w, tile);
    plan.n_tiles = conv->input.n * plan.tiles_h * plan.tiles_w;
    return plan;
}

/* Chunks of equal size, multiples of rw, whose @tile_floats a tile stay in cache. */
static void cut_into_chunks(MaxglContext *context, const char *shape, gsize tile_floats, Plan *plan)
{
    const gsize cache = (gsize)tuned(context, shape, "chunk_kib", 8192) * 1024;
    const int fit = MAX(1, (int)(cache / (tile_floats * sizeof(float) * (gsize)plan->rw))) * plan->rw;
    plan->chunk_tiles = MIN(fit, ceil_div(plan->n_tiles, plan->rw) * plan->rw);
    plan->n_chunks = ceil_div(plan->n_tiles, plan->chunk_tiles);
    plan->chunk_tiles = ceil_div(ceil_div(plan->n_tiles, plan->n_chunks), plan->rw) * plan->rw;
    plan->n_chunks = ceil_div(plan->n_tiles, plan->chunk_tiles);
}

/* The register tile of at most @most tiles of the picture that takes the fewest cycles. */
static void choose_tile(MaxglContext *context, const char *shape, int out_blocks, int most, Plan *plan)
{
    const int registers = tuned(context, shape, "registers", 14);
    double best = INFINITY;
    for (int ku = MIN(4, out_blocks); ku >= 1; ku--)
        for (int rw = 1; rw <= MIN(registers / ku - 1, most) && out_blocks % ku == 0; rw++) {
            const double cycles = tile_cycles(ku, rw) * ceil_div(plan->n_tiles, rw) / ku;
            if (cycles < best) {
                best = cycles;
                plan->ku = ku;
                plan->rw = rw;
            }
        }
}

/* Of the transformed weights of @blocks output blocks. */
static gsize u_floats(const MaxglConv3d *conv, const Plan *plan, int blocks)
{
    return (gsize)plan->frequencies * blocks * conv->out_block * conv->kernel[0] *
           maxgl_shape_blocks(&conv->input) * conv->input.block;
}

static Plan make_plan(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out);
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    Plan plan = count_tiles(context, shape, conv, 2); /* fewer transformed weights to read */

    choose_tile(context, shape, out_blocks, G_MAXINT, &plan);
    plan.tb = MIN(tuned(context, shape, "frames", 4), out.t);
    plan.u_blocks = out_blocks;
    plan.u_floats = u_floats(conv, &plan, out_blocks);

    /* What a work-item of the fused kernel transforms should stay in its core's cache. */
    const gsize frame_floats = (gsize)plan.frequencies * in_blocks * in.block;
    const gsize ring_floats = frame_floats * (plan.tb + conv->kernel[0] - 1);
    const gsize cache = (gsize)tuned(context, shape, "fused_kib", 384) * 1024 / sizeof(float);
    if (cache / ring_floats >= FUSED_TILES) {
        choose_tile(context, shape, out_blocks, (int)(cache / ring_floats), &plan);
        const int groups = ceil_div(plan.n_tiles, plan.rw);
        plan.slots = MIN(groups, 4 * (int)context->info->compute_units);
        plan.v_floats = ring_floats * plan.rw * plan.slots;
        return plan;
    }
    cut_into_chunks(context, shape, frame_floats * in.t, &plan);
    plan.v_floats = frame_floats * in.t * plan.chunk_tiles;

    /* Transformed weights that outgrow the cache are made, and used, some output blocks at a time. */
    const gsize last_cache = (gsize)tuned(context, shape, "weights_kib", 8192) * 1024;
    const int fit = (int)(last_cache / (u_floats(conv, &plan, plan.ku) * sizeof(float)));
    plan.u_blocks = MIN(out_blocks, MAX(fit, 1) * plan.ku);
    plan.u_floats = u_floats(conv, &plan, plan.u_blocks);
    return plan;
}

/* Backward weights: a register tile of ku vectors × cu channels takes ku + cu loads a tile of the picture. */
static Plan make_weights_plan(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out);
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    Plan plan = count_tiles(context, shape, conv, 4);

    const int registers = tuned(context, shape, "registers", 14);
    double best = INFINITY;
    for (int ku = MIN(4, out_blocks); ku >= 1; ku--)
        for (int cu = in.block; cu >= 1 && out_blocks % ku == 0; cu /= 2) {
            const double cycles = tile_cycles(ku, cu) / (ku * cu);
            if (ku * cu + ku <= registers && cycles < best) {
                best = cycles;
                plan.ku = ku;
                plan.cu = cu;
            }
        }

    /* The taps share a frequency's V and M, unless that leaves processors idle. */
    const int items = in_blocks * (out_blocks / MAX(plan.ku, 1));
    plan.taps = items >= 4 * (int)context->info->compute_units ? conv->kernel[0] : 1;

    plan.rw = MIN(plan.n_tiles, tuned(context, shape, "group", 8));
    const gsize v_floats = (gsize)plan.frequencies * in.t * in_blocks * in.block;
    const gsize m_floats = (gsize)plan.frequencies * out.t * out_blocks * out.block;
    cut_into_chunks(context, shape, v_floats + m_floats, &plan);
    plan.v_floats = v_floats * plan.chunk_tiles;
    plan.m_floats = m_floats * plan.chunk_tiles;
    return plan;
}

/* Workspace: U unless it is prepared, V, and for backward data the transposed weights; for backward weights V
 * and M. */
static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS) {
        const Plan plan = make_weights_plan(context, conv);
        return maxgl_buffer_aligned(context, plan.v_floats * sizeof(float)) + plan.m_floats * sizeof(float);
    }
    const MaxglConv3d back = transposed(conv);
    const gboolean is_back = pass == MAXGL_CONV3D_BACKWARD_DATA;
    const Plan plan = make_plan(context, is_back ? &back : conv);
    const gsize u = pass == MAXGL_CONV3D_FORWARD_PREPARED
                        ? 0
                        : maxgl_buffer_aligned(context, plan.u_floats * sizeof(float));
    const gsize turned = is_back ? maxgl_conv3d_weight_floats(conv) * sizeof(float) : 0;
    return u + maxgl_buffer_aligned(context, plan.v_floats * sizeof(float)) + turned;
}

static char *storage_options(const MaxglConv3d *conv)
{
    g_autofree char *x = maxgl_storage_option("X_STORAGE", conv->input.storage);
    g_autofree char *y = maxgl_storage_option("Y_STORAGE", conv->out_storage);
    return g_strconcat(x, y, NULL);
}

static char *transform_options(const MaxglConv3d *conv, const Plan *plan)
{
    g_autofree char *storage = storage_options(conv);
    return g_strdup_printf("-DBI=%d -DBO=%d -DTILE=%d%s", conv->input.block, conv->out_block, plan->tile,
                           storage);
}

/* U of @blocks output blocks from @first on. */
static gboolean add_weights(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan, int first,
                            int blocks, cl_mem weights, cl_mem u, GError **error)
{
    const int in_blocks = maxgl_shape_blocks(&conv->input);
    g_autofree char *options = transform_options(conv, plan);
    const MaxglLaunch launch = {
        .file = "conv3d_winograd_transforms.cl",
        .kernel = "conv3d_winograd_weights",
        .options = options,
        .dims = 2,
        .global = {(gsize)blocks, (gsize)in_blocks, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmiiii", weights, u, in_blocks, blocks, first,
                              conv->kernel[0]);
}

/* Tiles of the chunk that begins with tile @first. */
static int tiles_of_chunk(const Plan *plan, int first)
{
    return MIN(plan->chunk_tiles, ceil_div(plan->n_tiles - first, plan->rw) * plan->rw);
}

static gboolean add_input(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan, int first,
                          cl_mem x, cl_mem v, GError **error)
{
    const MaxglShape in = conv->input;
    const int in_blocks = maxgl_shape_blocks(&in);
    g_autofree char *options = transform_options(conv, plan);
    cl_mem zeros =
        maxgl_context_zeros(maxgl_sequence_context(sequence), (gsize)in.block * sizeof(float), error);
    if (!zeros)
        return FALSE;
    const MaxglLaunch launch = {
        .file = "conv3d_winograd_transforms.cl",
        .kernel = "conv3d_winograd_input",
        .options = options,
        .dims = 2,
        .global = {(gsize)in.t, (gsize)in_blocks, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiiiii", x, v, zeros, in_blocks, in.t, in.h,
                              in.w, plan->tiles_h, plan->tiles_w, conv->pad[1], conv->pad[2], first,
                              plan->n_tiles, tiles_of_chunk(plan, first), plan->rw);
}

static int flags_of(const MaxglConv3dEpilogue *epilogue, gboolean accumulate)
{
    return (epilogue->bias ? WITH_BIAS : 0) | (epilogue->residual ? WITH_RESIDUAL : 0) |
           (epilogue->relu ? WITH_RELU : 0) | (accumulate ? ACCUMULATE : 0);
}

static gboolean add_fused(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan,
                          const char *options, cl_mem x, cl_mem u, cl_mem v, cl_mem y,
                          const MaxglConv3dEpilogue *epilogue, gboolean accumulate, GError **error)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    cl_mem zeros =
        maxgl_context_zeros(maxgl_sequence_context(sequence), (gsize)in.block * sizeof(float), error);
    if (!zeros)
        return FALSE;
    const MaxglLaunch launch = {
        .file = "conv3d_winograd.cl",
        .kernel = "conv3d_winograd_fused",
        .options = options,
        .dims = 1,
        .global = {(gsize)plan->slots, 1, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(
        sequence, &launch, error, "mmmmmmmmiiiiiiiiiiiiiiii", x, u, y, v, zeros, epilogue->bias,
        epilogue->residual, epilogue->statistics, flags_of(epilogue, accumulate), maxgl_shape_blocks(&in),
        maxgl_shape_blocks(&out), in.t, in.h, in.w, out.t, out.h, out.w, plan->tiles_h, plan->tiles_w,
        conv->kernel[0], conv->pad[0], conv->pad[1], conv->pad[2], plan->n_tiles);
}

/* The products of one chunk of tiles and @blocks output blocks from @first_block on. */
static gboolean add_multiply(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan, int first,
                             int first_block, int blocks, const char *options, cl_mem u, cl_mem v, cl_mem y,
                             const MaxglConv3dEpilogue *epilogue, gboolean accumulate, GError **error)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out),
              tiles = tiles_of_chunk(plan, first);
    const MaxglLaunch launch = {
        .file = "conv3d_winograd.cl",
        .kernel = "conv3d_winograd_multiply",
        .options = options,
        .dims = 3,
        .global = {(gsize)(tiles / plan->rw), (gsize)ceil_div(out.t, plan->tb), (gsize)(blocks / plan->ku)},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmmiiiiiiiiiiiiiiii", v, u, y, epilogue->bias,
                              epilogue->residual, epilogue->statistics, flags_of(epilogue, accumulate),
                              in_blocks, out_blocks, blocks, first_block, in.t, out.t, out.h, out.w,
                              plan->tiles_h, plan->tiles_w, conv->kernel[0], conv->pad[0], first,
                              plan->n_tiles, tiles);
}

static char *program_options(const MaxglConv3d *conv, const Plan *plan, const MaxglConv3dEpilogue *epilogue)
{
    g_autofree char *storage = storage_options(conv);
    return g_strdup_printf("-DBI=%d -DBO=%d -DTILE=%d -DKU=%d -DRW=%d -DTB=%d%s%s%s", conv->input.block,
                           conv->out_block, plan->tile, plan->ku, plan->rw, plan->tb, storage,
                           plan->slots ? " -DFUSED" : "", epilogue->statistics ? " -DSTATISTICS" : "");
}

/* Chunk by chunk of tiles, and in each by output blocks. @weights: to be transformed into @u; NULL where @u
 * holds them all. */
static gboolean add_chunks(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan,
                           const char *options, cl_mem x, cl_mem weights, cl_mem u, cl_mem v, cl_mem y,
                           const MaxglConv3dEpilogue *epilogue, gboolean accumulate, GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int out_blocks = maxgl_shape_blocks(&out), step = weights ? plan->u_blocks : out_blocks;
    gboolean ok = TRUE;
    for (int first = 0; ok && first < plan->n_tiles; first += plan->chunk_tiles) {
        ok = add_input(sequence, conv, plan, first, x, v, error);
        for (int block = 0; ok && block < out_blocks; block += step) {
            const int blocks = MIN(step, out_blocks - block);
            const gboolean there = !weights || (step == out_blocks && first > 0);
            ok = (there || add_weights(sequence, conv, plan, block, blocks, weights, u, error)) &&
                 add_multiply(sequence, conv, plan, first, block, blocks, options, u, v, y, epilogue,
                              accumulate, error);
        }
    }
    return ok;
}

/* V lies in the workspace at @offset. @weights and @u as above. */
static gboolean add_products(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan, cl_mem x,
                             cl_mem weights, cl_mem u, cl_mem y, const MaxglConv3dEpilogue *epilogue,
                             gboolean accumulate, cl_mem workspace, gsize offset, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape out = maxgl_conv3d_output(conv);
    g_autofree char *options = program_options(conv, plan, epilogue);
    cl_mem v = maxgl_buffer_window(context, workspace, offset, plan->v_floats * sizeof(float), error);
    if (!v)
        return FALSE;
    gboolean ok = TRUE;
    if (!plan->slots)
        ok = add_chunks(sequence, conv, plan, options, x, weights, u, v, y, epilogue, accumulate, error);
    else
        ok =
            (!weights || add_weights(sequence, conv, plan, 0, maxgl_shape_blocks(&out), weights, u, error)) &&
            add_fused(sequence, conv, plan, options, x, u, v, y, epilogue, accumulate, error);
    clReleaseMemObject(v);
    return ok;
}

static gboolean add_pass(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                         const MaxglConv3dEpilogue *epilogue, gboolean accumulate, cl_mem workspace,
                         GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Plan plan = make_plan(context, conv);
    const gsize u_bytes = plan.u_floats * sizeof(float);
    cl_mem u = maxgl_buffer_window(context, workspace, 0, u_bytes, error);
    if (!u)
        return FALSE;
    const gboolean ok = add_products(sequence, conv, &plan, x, weights, u, y, epilogue, accumulate, workspace,
                                     maxgl_buffer_aligned(context, u_bytes), error);
    clReleaseMemObject(u);
    return ok;
}

/* Frames of the output times taps in time that meet a frame of the input. */
static int taps_inside(const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    int count = 0;
    for (int tap = 0; tap < conv->kernel[0]; tap++) {
        const int shift = tap - conv->pad[0];
        count += MAX(0, MIN(out.t, conv->input.t - shift) - MAX(0, -shift));
    }
    return count;
}

/* A tile's work must outweigh the transforms, and a frequency's products its weights, of which there are four
 * times as many as plain ones, or nearly two times: so many tiles a weight, over all frames, on average of
 * its taps in time. Backward weights transform no weights before the products. */
static gboolean worthwhile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const gboolean is_weights = pass == MAXGL_CONV3D_BACKWARD_WEIGHTS;
    const MaxglConv3d back = transposed(conv), *as = pass == MAXGL_CONV3D_BACKWARD_DATA ? &back : conv;
    const Plan plan = (is_weights ? make_weights_plan : make_plan)(context, as);
    const MaxglShape out = maxgl_conv3d_output(as);
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    const gint64 pixels = (gint64)out.n * out.h * out.w, area = (gint64)plan.tile * plan.tile,
                 least = tuned(context, shape, "least_tiles", is_weights ? 4 : 40);
    return MIN(conv->input.c, conv->out_channels) >= tuned(context, shape, "least_channels", 16) &&
           (gint64)plan.n_tiles * taps_inside(conv) >= least * conv->kernel[0] &&
           pixels * 100 >= plan.n_tiles * area * tuned(context, shape, "least_filled_percent", 50);
}

static gsize prepared_bytes(MaxglContext *context, const MaxglConv3d *conv)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const Plan plan = make_plan(context, conv);
    return u_floats(conv, &plan, maxgl_shape_blocks(&out)) * sizeof(float);
}

static gboolean prepare(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights, cl_mem prepared,
                        GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const Plan plan = make_plan(maxgl_sequence_context(sequence), conv);
    return add_weights(sequence, conv, &plan, 0, maxgl_shape_blocks(&out), weights, prepared, error);
}

static gboolean forward_prepared(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem prepared,
                                 cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace,
                                 GError **error)
{
    const Plan plan = make_plan(maxgl_sequence_context(sequence), conv);
    return add_products(sequence, conv, &plan, x, NULL, prepared, y, epilogue, FALSE, workspace, 0, error);
}

/* One for each register tile. */
static int statistics_parts(MaxglContext *context, const MaxglConv3d *conv)
{
    const Plan plan = make_plan(context, conv);
    return ceil_div(plan.n_tiles, plan.rw) * ceil_div(maxgl_conv3d_output(conv).t, plan.tb);
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    return add_pass(sequence, conv, x, weights, y, epilogue, FALSE, workspace, error);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglConv3d back = transposed(conv);
    const MaxglConv3dEpilogue none = {0};
    const Plan plan = make_plan(context, &back);
    const gsize offset = maxgl_buffer_aligned(context, plan.u_floats * sizeof(float)) +
                         maxgl_buffer_aligned(context, plan.v_floats * sizeof(float));
    const MaxglConv3dPhase all[3] = {
        {.taps = conv->kernel[0]}, {.taps = conv->kernel[1]}, {.taps = conv->kernel[2]}};
    cl_mem turned = maxgl_buffer_window(context, workspace, offset,
                                        maxgl_conv3d_weight_floats(conv) * sizeof(float), error);
    if (!turned)
        return FALSE;
    const gboolean ok = maxgl_conv3d_add_transpose(sequence, conv, all, weights, turned, error) &&
                        add_pass(sequence, &back, dy, turned, dx, &none, accumulate, workspace, error);
    clReleaseMemObject(turned);
    return ok;
}

/* One chunk's share of dw, which is added to that of the chunks before. */
static gboolean add_weights_chunk(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan,
                                  int first, cl_mem x, cl_mem dy, cl_mem v, cl_mem m, cl_mem dw,
                                  GError **error)
{
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out),
              tiles = tiles_of_chunk(plan, first);
    g_autofree char *transform = transform_options(conv, plan);
    g_autofree char *options = g_strdup_printf("%s -DKU=%d -DCU=%d -DTAPS=%d -DGROUP=%d", transform, plan->ku,
                                               plan->cu, plan->taps, plan->rw);
    cl_mem zeros =
        maxgl_context_zeros(maxgl_sequence_context(sequence), (gsize)out.block * sizeof(float), error);
    if (!zeros)
        return FALSE;
    const MaxglLaunch gradient = {
        .file = "conv3d_winograd_transforms.cl",
        .kernel = "conv3d_winograd_gradient",
        .options = transform,
        .dims = 2,
        .global = {(gsize)out.t, (gsize)out_blocks, 1},
        .local = {1, 1, 1},
    };
    const MaxglLaunch products = {
        .file = "conv3d_winograd_gradient.cl",
        .kernel = "conv3d_winograd_backward_weights",
        .options = options,
        .dims = 3,
        .global = {(gsize)(out_blocks / plan->ku), (gsize)in_blocks, (gsize)(conv->kernel[0] / plan->taps)},
        .local = {1, 1, 1},
    };
    return add_input(sequence, conv, plan, first, x, v, error) &&
           maxgl_sequence_add(sequence, &gradient, error, "mmmiiiiiiiiii", dy, m, zeros, out_blocks, out.t,
                              out.h, out.w, plan->tiles_h, plan->tiles_w, first, plan->n_tiles, tiles,
                              plan->rw) &&
           maxgl_sequence_add(sequence, &products, error, "mmmiiiiiiii", v, m, dw, first > 0, in_blocks,
                              out_blocks, in.t, out.t, conv->kernel[0], conv->pad[0], tiles);
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Plan plan = make_weights_plan(context, conv);
    const gsize v_bytes = plan.v_floats * sizeof(float), m_bytes = plan.m_floats * sizeof(float);
    cl_mem v = maxgl_buffer_window(context, workspace, 0, v_bytes, error);
    cl_mem m =
        v ? maxgl_buffer_window(context, workspace, maxgl_buffer_aligned(context, v_bytes), m_bytes, error)
          : NULL;
    gboolean ok = m != NULL;
    for (int chunk = 0; ok && chunk < plan.n_chunks; chunk++)
        ok = add_weights_chunk(sequence, conv, &plan, chunk * plan.chunk_tiles, x, dy, v, m, dw, error);
    if (m)
        clReleaseMemObject(m);
    if (v)
        clReleaseMemObject(v);
    return ok;
}

const MaxglConv3dAlgorithm maxgl_conv3d_winograd = {
    .name = "winograd",
    .supports = supports,
    .rounds_more = TRUE,
    .worthwhile = worthwhile,
    .statistics_parts = statistics_parts,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .forward_prepared = forward_prepared,
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
