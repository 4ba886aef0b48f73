#include "ops/conv3d_winograd_gemm.h"

#include "ops/tile.h"
#include <math.h>

enum { RELU = 1, ACCUMULATE = 2 }; /* of the kernels' flags */

/* How a pass is done. For backward data all is that of the convolution from dy to dx. */
typedef struct {
    int side, frequencies;         /* outputs a tile's side, 2 or 4; products a tile */
    int tiles_h, tiles_w, n_tiles; /* tiles of the whole batch */
    int chunk_tiles;               /* at once */
    int vector, group;
    gsize in_channels, out_channels; /* in memory */
    MaxglTile tile;
    MaxglProduct product;   /* of a chunk, all frequencies */
    MaxglCut cut;           /* backward weights: of the sum over a chunk's tiles */
    gsize u_bytes, u_parts; /* transformed weights, or their gradient in so many parts */
    gsize in_bytes,
        out_bytes; /* a chunk's transformed input, and products or transformed gradient of the output */
} Plan;

static const char *const pass_names[] = {"forward", "backward_data", "backward_weights", "forward"};

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* The convolution from dy to dx. */
static MaxglConv3d turned(const MaxglConv3d *conv)
{
    MaxglConv3d back = {.input = maxgl_conv3d_output(conv),
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

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const gsize limit = (gsize)1 << 30; /* kernels compute offsets with ints */
    (void)pass;
    (void)device;
    return conv->input.block % 4 == 0 && conv->out_block % 4 == 0 && conv->kernel[1] == 3 &&
           conv->kernel[2] == 3 && conv->stride[0] == 1 && conv->stride[1] == 1 && conv->stride[2] == 1 &&
           maxgl_shape_floats(&conv->input) < limit && maxgl_shape_floats(&out) < limit &&
           maxgl_conv3d_weight_floats(conv) < limit;
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

/* A time, in floating-point operations: those of the products, and bytes of transformed numbers, which are
 * each written and read once. */
static double cost(const MaxglConv3d *conv, int side, int balance)
{
    const MaxglShape *in = &conv->input, out = maxgl_conv3d_output(conv);
    const double c = (double)maxgl_shape_padded_channels(in), k = (double)maxgl_shape_padded_channels(&out),
                 frequencies = (side + 2) * (side + 2),
                 tiles = (double)in->n * ceil_div(out.h, side) * ceil_div(out.w, side);
    const double operations = 2 * tiles * taps_inside(conv) * c * k;
    const double floats = tiles * (c * in->t + k * out.t) + c * k * conv->kernel[0];
    return frequencies * (operations + 8 * floats * balance);
}

static int tuned(MaxglContext *context, const char *shape, const char *name, int fallback)
{
    return maxgl_tuning_int(context->tuning, "conv3d_winograd_gemm", shape, name, fallback);
}

static char *shape_of(const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    g_autofree char *class = maxgl_conv3d_shape_class(conv);
    return g_strdup_printf("%s %s", pass_names[pass], class);
}

/* @as: @conv, or for backward data what turned() makes of it, here and below. */
static int choose_side(MaxglContext *context, const MaxglConv3d *conv, const MaxglConv3d *as,
                       const char *shape, double *time)
{
    g_autofree char *class = maxgl_conv3d_shape_class(conv);
    const int balance = tuned(context, class, "balance", 20), wanted = tuned(context, shape, "tile", 0);
    const double of_2 = cost(as, 2, balance), of_4 = cost(as, 4, balance);
    const int side = wanted == 2 || wanted == 4 ? wanted : of_2 < of_4 ? 2 : 4;
    *time = side == 2 ? of_2 : of_4;
    return side;
}

static int greatest_common_divisor(int a, int b)
{
    return b == 0 ? a : greatest_common_divisor(b, a % b);
}

/* Chunks of about equal size whose tiles fit the memory, and that leave no tile of the products half empty
 * where they are large enough for that. */
static int choose_chunk(MaxglContext *context, const char *shape, gsize tile_bytes, int frames,
                        const Plan *plan)
{
    enum { WIDEST = 128 }; /* columns of a product's tile */
    const gsize memory = (gsize)tuned(context, shape, "chunk_kib", 32768) * 1024;
    const int fit = (int)CLAMP(memory / tile_bytes, 1, (gsize)plan->n_tiles);
    const int unit = WIDEST / greatest_common_divisor(WIDEST, frames);
    const int chunk = ceil_div(plan->n_tiles, ceil_div(plan->n_tiles, fit));
    return chunk < unit || chunk == plan->n_tiles ? chunk : ceil_div(chunk, unit) * unit;
}

static gboolean make_plan(MaxglContext *context, const MaxglConv3d *conv, const MaxglConv3d *as,
                          MaxglConv3dPass pass, Plan *plan, GError **error)
{
    const gboolean is_weights = pass == MAXGL_CONV3D_BACKWARD_WEIGHTS;
    const MaxglShape *in = &as->input, out = maxgl_conv3d_output(as);
    g_autofree char *shape = shape_of(conv, pass);
    double time;
    const int side = choose_side(context, conv, as, shape, &time);
    *plan = (Plan){.side = side,
                   .frequencies = (side + 2) * (side + 2),
                   .tiles_h = ceil_div(out.h, side),
                   .tiles_w = ceil_div(out.w, side),
                   .vector = tuned(context, shape, "vector", 2) == 4 ? 4 : 2,
                   .group = MAX(1, tuned(context, shape, "group", 64)),
                   .in_channels = maxgl_shape_padded_channels(in),
                   .out_channels = maxgl_shape_padded_channels(&out),
                   .u_parts = 1};
    plan->n_tiles = in->n * plan->tiles_h * plan->tiles_w;
    const gsize frequency_bytes = (gsize)plan->frequencies * sizeof(float),
                in_tile = frequency_bytes * plan->in_channels * (gsize)in->t,
                out_tile = frequency_bytes * plan->out_channels * (gsize)out.t;
    plan->chunk_tiles = choose_chunk(context, shape, in_tile + out_tile, out.t, plan);
    plan->in_bytes = in_tile * (gsize)plan->chunk_tiles;
    plan->out_bytes = out_tile * (gsize)plan->chunk_tiles;

    const gsize pixels = (gsize)plan->chunk_tiles * (gsize)out.t,
                depth = plan->in_channels * (gsize)as->kernel[0];
    plan->product = (MaxglProduct){.rows = plan->out_channels,
                                   .columns = is_weights ? depth : pixels,
                                   .depth = is_weights ? pixels : depth,
                                   .batch = (gsize)plan->frequencies};
    const MaxglTileUse use = {.kernel = "conv3d_winograd_gemm",
                              .fallback = "conv3d_gemm",
                              .shape = shape,
                              .cuts_depth = is_weights};
    if (!maxgl_tile_choose(context, &use, &plan->product, &plan->tile, error))
        return FALSE;
    if (is_weights) {
        plan->cut = maxgl_tile_cut(&plan->tile, &plan->product);
        plan->u_parts = plan->cut.parts;
    }
    plan->u_bytes = frequency_bytes * depth * plan->out_channels;
    return TRUE;
}

static gboolean describe_work(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                              MaxglWork *work)
{
    const MaxglConv3d back = turned(conv), *as = pass == MAXGL_CONV3D_BACKWARD_DATA ? &back : conv;
    const MaxglShape out = maxgl_conv3d_output(as);
    Plan plan;
    if (!make_plan(context, conv, as, pass, &plan, NULL))
        return FALSE;
    const double chunks = ceil_div(plan.n_tiles, plan.chunk_tiles);
    /* Taps that reach no frame are left out, of depth or, of weights, of columns. */
    const double inside = (double)taps_inside(as) / ((double)out.t * as->kernel[0]);
    *work = maxgl_tile_work(&plan.tile, &plan.product, plan.cut.parts ? plan.cut.parts : 1);
    work->flops *= chunks * inside;
    work->local_reads *= chunks * inside;
    work->fetched *= chunks * inside;
    work->groups *= chunks;
    work->bytes =
        maxgl_conv3d_operand_bytes(conv) + 2.0 * (chunks * (double)(plan.in_bytes + plan.out_bytes) +
                                                  (double)plan.u_bytes * (double)plan.u_parts);
    work->launches = 2 + 2 * (int)chunks;
    return TRUE;
}

static gboolean worthwhile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglConv3d back = turned(conv), *as = pass == MAXGL_CONV3D_BACKWARD_DATA ? &back : conv;
    const MaxglShape out = maxgl_conv3d_output(as);
    g_autofree char *shape = shape_of(conv, pass);
    const double taps = conv->kernel[0] * 9.0, pixels = (double)out.n * maxgl_shape_pixels(&out);
    double time;
    choose_side(context, conv, as, shape, &time);
    return 2 * pixels * taps * maxgl_shape_padded_channels(&as->input) * maxgl_shape_padded_channels(&out) >
           time;
}

static gsize aligned(MaxglContext *context, gsize bytes)
{
    const gsize align = context->info->base_align;
    return (bytes + align - 1) / align * align;
}

/* Windows into the workspace: transformed input, products or transformed gradient of the output, and
 * transformed weights unless they are @prepared. */
typedef struct {
    cl_mem in, out, u;
} Scratch;

static void scratch_clear(Scratch *scratch)
{
    g_clear_pointer(&scratch->in, clReleaseMemObject);
    g_clear_pointer(&scratch->out, clReleaseMemObject);
    g_clear_pointer(&scratch->u, clReleaseMemObject);
}

static gboolean scratch_init(Scratch *scratch, MaxglContext *context, const Plan *plan, cl_mem workspace,
                             gboolean prepared, GError **error)
{
    const gsize out = aligned(context, plan->in_bytes), u = out + aligned(context, plan->out_bytes);
    *scratch = (Scratch){0};
    scratch->in = maxgl_buffer_window(context, workspace, 0, plan->in_bytes, error);
    if (scratch->in)
        scratch->out = maxgl_buffer_window(context, workspace, out, plan->out_bytes, error);
    if (scratch->out && !prepared)
        scratch->u = maxgl_buffer_window(context, workspace, u, plan->u_bytes * plan->u_parts, error);
    return scratch->out && (prepared || scratch->u);
}

static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglConv3d back = turned(conv);
    Plan plan;
    if (!make_plan(context, conv, pass == MAXGL_CONV3D_BACKWARD_DATA ? &back : conv, pass, &plan, NULL))
        return 0; /* adding the pass will say what is wrong */
    return aligned(context, plan.in_bytes) + aligned(context, plan.out_bytes) +
           (pass == MAXGL_CONV3D_FORWARD_PREPARED ? 0 : plan.u_bytes * plan.u_parts);
}

static char *transform_options(const MaxglConv3d *as, const Plan *plan, gboolean transposed)
{
    const MaxglShape out = maxgl_conv3d_output(as);
    return g_strdup_printf(
        "-DBI=%d -DBO=%d -DTILE=%d -DVECTOR=%d -DX_STORAGE=%d -DY_STORAGE=%d -DTRANSPOSED=%d",
        as->input.block, out.block, plan->side, plan->vector, (int)as->input.storage, (int)out.storage,
        transposed);
}

/* A transform over @items work-items in dimension 0, and those of dimensions 1 and 2. */
static MaxglLaunch transform(const char *kernel, const char *options, const Plan *plan, gsize items, gsize y,
                             gsize z)
{
    const gsize group = (gsize)plan->group;
    return (MaxglLaunch){.file = "conv3d_winograd_gemm_transforms.cl",
                         .kernel = kernel,
                         .options = options,
                         .dims = 3,
                         .global = {(items + group - 1) / group * group, y, z},
                         .local = {group, 1, 1}};
}

/* Of so many tiles of a map, all frames and channels. */
static MaxglLaunch transform_tiles(const char *kernel, const char *options, const Plan *plan, int tiles,
                                   const MaxglShape *map)
{
    return transform(kernel, options, plan, (gsize)tiles * (gsize)(map->block / plan->vector), (gsize)map->t,
                     (gsize)maxgl_shape_blocks(map));
}

static gboolean add_weights(MaxglSequence *sequence, const MaxglConv3d *as, const Plan *plan,
                            const char *options, gboolean transposed, cl_mem weights, cl_mem u,
                            GError **error)
{
    const MaxglShape *in = &as->input, out = maxgl_conv3d_output(as);
    const gsize taps = (gsize)as->kernel[0], vector = (gsize)plan->vector;
    const int blocks_x = maxgl_shape_blocks(in), blocks_y = maxgl_shape_blocks(&out);
    const gsize block_items = (gsize)in->block / vector * (gsize)out.block;
    const MaxglLaunch launch = transposed ? transform("conv3d_winograd_gemm_weights", options, plan,
                                                      block_items, (gsize)blocks_x, taps * (gsize)blocks_y)
                                          : transform("conv3d_winograd_gemm_weights", options, plan,
                                                      plan->out_channels / vector, plan->in_channels, taps);
    return maxgl_sequence_add(sequence, &launch, error, "mmiii", weights, u, blocks_x, blocks_y,
                              as->kernel[0]);
}

static gboolean add_input(MaxglSequence *sequence, const MaxglConv3d *as, const Plan *plan,
                          const char *options, int first, int tiles, cl_mem x, cl_mem v, GError **error)
{
    const MaxglShape *in = &as->input;
    const int blocks = maxgl_shape_blocks(in);
    const MaxglLaunch launch = transform_tiles("conv3d_winograd_gemm_input", options, plan, tiles, in);
    return maxgl_sequence_add(sequence, &launch, error, "mmiiiiiiiiii", x, v, blocks, in->t, in->h, in->w,
                              plan->tiles_h, plan->tiles_w, as->pad[1], as->pad[2], first, tiles);
}

static gboolean add_products(MaxglSequence *sequence, const MaxglConv3d *as, const Plan *plan, int tiles,
                             cl_mem u, const Scratch *scratch, GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(as);
    MaxglProduct product = plan->product;
    product.columns = (gsize)tiles * (gsize)out.t;
    g_autofree char *options = maxgl_tile_options(&plan->tile, maxgl_sequence_context(sequence)->info);
    MaxglLaunch launch = maxgl_tile_launch(&plan->tile, &product, product.batch);
    launch.file = "conv3d_winograd_gemm.cl";
    launch.kernel = "conv3d_winograd_gemm_multiply";
    launch.options = options;
    return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiii", u, scratch->in, scratch->out,
                              (int)plan->out_channels, (int)plan->in_channels, as->input.t, out.t,
                              as->kernel[0], as->pad[0], tiles);
}

static gboolean add_output(MaxglSequence *sequence, const MaxglConv3d *as, const Plan *plan,
                           const char *options, int first, int tiles, cl_mem m, cl_mem y,
                           const MaxglConv3dEpilogue *epilogue, int flags, GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(as);
    const int blocks = maxgl_shape_blocks(&out);
    const MaxglLaunch launch = transform_tiles("conv3d_winograd_gemm_output", options, plan, tiles, &out);
    return maxgl_sequence_add(sequence, &launch, error, "mmmmiiiiiiiii", m, y, epilogue->bias,
                              epilogue->residual, flags, blocks, out.t, out.h, out.w, plan->tiles_h,
                              plan->tiles_w, first, tiles);
}

/* Forward, or backward data with @as turned. @weights NULL: @u has them transformed. */
static gboolean add_pass(MaxglSequence *sequence, const MaxglConv3d *conv, const MaxglConv3d *as,
                         MaxglConv3dPass pass, cl_mem x, cl_mem weights, cl_mem u, cl_mem y,
                         const MaxglConv3dEpilogue *epilogue, int flags, cl_mem workspace, GError **error)
{
    const gboolean transposed = pass == MAXGL_CONV3D_BACKWARD_DATA;
    MaxglContext *context = maxgl_sequence_context(sequence);
    Plan plan;
    Scratch scratch;
    if (!make_plan(context, conv, as, pass, &plan, error))
        return FALSE;
    g_autofree char *options = transform_options(as, &plan, transposed);
    gboolean ok =
        scratch_init(&scratch, context, &plan, workspace, !weights, error) &&
        (!weights || add_weights(sequence, as, &plan, options, transposed, weights, scratch.u, error));
    for (int first = 0; ok && first < plan.n_tiles; first += plan.chunk_tiles) {
        const int tiles = MIN(plan.chunk_tiles, plan.n_tiles - first);
        ok = add_input(sequence, as, &plan, options, first, tiles, x, scratch.in, error) &&
             add_products(sequence, as, &plan, tiles, weights ? scratch.u : u, &scratch, error) &&
             add_output(sequence, as, &plan, options, first, tiles, scratch.out, y, epilogue, flags, error);
    }
    scratch_clear(&scratch);
    return ok;
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    return add_pass(sequence, conv, conv, MAXGL_CONV3D_FORWARD, x, weights, NULL, y, epilogue,
                    epilogue->relu ? RELU : 0, workspace, error);
}

static gboolean forward_prepared(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem prepared,
                                 cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace,
                                 GError **error)
{
    return add_pass(sequence, conv, conv, MAXGL_CONV3D_FORWARD_PREPARED, x, NULL, prepared, y, epilogue,
                    epilogue->relu ? RELU : 0, workspace, error);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    const MaxglConv3dEpilogue none = {0};
    const MaxglConv3d back = turned(conv);
    return add_pass(sequence, conv, &back, MAXGL_CONV3D_BACKWARD_DATA, dy, weights, NULL, dx, &none,
                    accumulate ? ACCUMULATE : 0, workspace, error);
}

static gsize prepared_bytes(MaxglContext *context, const MaxglConv3d *conv)
{
    Plan plan;
    return make_plan(context, conv, conv, MAXGL_CONV3D_FORWARD_PREPARED, &plan, NULL) ? plan.u_bytes : 0;
}

static gboolean prepare(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights, cl_mem prepared,
                        GError **error)
{
    Plan plan;
    if (!make_plan(maxgl_sequence_context(sequence), conv, conv, MAXGL_CONV3D_FORWARD_PREPARED, &plan, error))
        return FALSE;
    g_autofree char *options = transform_options(conv, &plan, FALSE);
    return add_weights(sequence, conv, &plan, options, FALSE, weights, prepared, error);
}

/* What the tiles of one chunk add to the gradient of the transformed weights. */
static gboolean add_gradient_products(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan,
                                      gboolean accumulate, int tiles, const Scratch *scratch, GError **error)
{
    g_autofree char *options = maxgl_tile_options(&plan->tile, maxgl_sequence_context(sequence)->info);
    MaxglLaunch launch =
        maxgl_tile_launch(&plan->tile, &plan->product, plan->product.batch * plan->cut.parts);
    launch.file = "conv3d_winograd_gemm_weights.cl";
    launch.kernel = "conv3d_winograd_gemm_multiply_gradient";
    launch.options = options;
    return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiii", scratch->out, scratch->in,
                              scratch->u, (int)plan->out_channels, (int)plan->in_channels, conv->input.t,
                              maxgl_conv3d_output(conv).t, conv->kernel[0], conv->pad[0], tiles,
                              (int)plan->cut.parts, (int)plan->cut.steps, accumulate);
}

static gboolean add_gradient_chunk(MaxglSequence *sequence, const MaxglConv3d *conv, const Plan *plan,
                                   const char *options, int first, cl_mem x, cl_mem dy,
                                   const Scratch *scratch, GError **error)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int blocks = maxgl_shape_blocks(&out), tiles = MIN(plan->chunk_tiles, plan->n_tiles - first);
    const MaxglLaunch gradient = transform_tiles("conv3d_winograd_gemm_gradient", options, plan, tiles, &out);
    return add_input(sequence, conv, plan, options, first, tiles, x, scratch->in, error) &&
           maxgl_sequence_add(sequence, &gradient, error, "mmiiiiiiii", dy, scratch->out, blocks, out.t,
                              out.h, out.w, plan->tiles_h, plan->tiles_w, first, tiles) &&
           add_gradient_products(sequence, conv, plan, first > 0, tiles, scratch, error);
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape out = maxgl_conv3d_output(conv);
    Plan plan;
    Scratch scratch;
    if (!make_plan(context, conv, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS, &plan, error))
        return FALSE;
    g_autofree char *options = transform_options(conv, &plan, FALSE);
    gboolean ok = scratch_init(&scratch, context, &plan, workspace, FALSE, error);
    for (int first = 0; ok && first < plan.n_tiles; first += plan.chunk_tiles)
        ok = add_gradient_chunk(sequence, conv, &plan, options, first, x, dy, &scratch, error);
    const MaxglLaunch back =
        transform("conv3d_winograd_gemm_weights_gradient", options, &plan,
                  plan.out_channels / (gsize)plan.vector, plan.in_channels, (gsize)conv->kernel[0]);
    ok = ok &&
         maxgl_sequence_add(sequence, &back, error, "mmiiii", scratch.u, dw, maxgl_shape_blocks(&conv->input),
                            maxgl_shape_blocks(&out), conv->kernel[0], (int)plan.u_parts);
    scratch_clear(&scratch);
    return ok;
}

const MaxglConv3dAlgorithm maxgl_conv3d_winograd_gemm = {
    .name = "winograd_gemm",
    .supports = supports,
    .rounds_more = TRUE,
    .worthwhile = worthwhile,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .forward_prepared = forward_prepared,
    .work = describe_work,
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
