#include "ops/conv3d_gemm.h"

#include "ops/tile.h"

static const char *const pass_names[] = {"forward", "backward_data", "backward_weights"};

static gsize ceil_div(gsize a, gsize b)
{
    return (a + b - 1) / b;
}

MaxglProduct maxgl_conv3d_product(const MaxglConv3d *conv, const MaxglShape *out, MaxglConv3dPass pass)
{
    const MaxglShape *in = &conv->input;
    const int *s = conv->stride;
    const gsize k = maxgl_shape_padded_channels(out), c = maxgl_shape_padded_channels(in),
                taps = maxgl_conv3d_taps(conv), pixels = out->n * maxgl_shape_pixels(out);
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS)
        return (MaxglProduct){k, c * taps, pixels, 1};
    if (pass == MAXGL_CONV3D_BACKWARD_DATA) /* the largest phase */
        return (MaxglProduct){c,
                              in->n * ceil_div(in->t, s[0]) * ceil_div(in->h, s[1]) * ceil_div(in->w, s[2]),
                              k * taps, (gsize)s[0] * s[1] * s[2]};
    return (MaxglProduct){k, pixels, c * taps, 1};
}

static MaxglProduct product_of(const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    return maxgl_conv3d_product(conv, &out, pass);
}

static gboolean choose_tile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                            MaxglTile *tile, GError **error)
{
    g_autofree char *class = maxgl_conv3d_shape_class(conv);
    g_autofree char *shape = g_strdup_printf("%s %s", pass_names[pass], class);
    const MaxglProduct product = product_of(conv, pass);
    const MaxglTileUse use = {.kernel = "conv3d_gemm",
                              .shape = shape,
                              .cuts_depth = pass == MAXGL_CONV3D_BACKWARD_WEIGHTS,
                              .depth_ints = 2 * 5,
                              .column_ints = 1};
    return maxgl_tile_choose(context, &use, &product, tile, error);
}

static char *tile_options(const MaxglTile *tile, const MaxglConv3d *conv, const MaxglDeviceInfo *device)
{
    g_autofree char *options = maxgl_tile_options(tile, device);
    return g_strdup_printf("-DBI=%d -DBO=%d %s", conv->input.block, conv->out_block, options);
}

/* Bits of the kernel's flags. */
enum { ACCUMULATE = 1, RELU = 2 };

/* Forward: @from is x and @to y. Backward data: @from is dy and @to dx. */
static gboolean add_data_pass(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglConv3dPass pass,
                              cl_mem from, cl_mem weights, cl_mem to, const MaxglConv3dEpilogue *epilogue,
                              int flags, GError **error)
{
    const gboolean transposed = pass == MAXGL_CONV3D_BACKWARD_DATA;
    const MaxglShape out = maxgl_conv3d_output(conv);
    const MaxglShape *source = transposed ? &out : &conv->input, *result = transposed ? &conv->input : &out;
    const int *k = conv->kernel, *s = conv->stride, *p = conv->pad;
    MaxglContext *context = maxgl_sequence_context(sequence);
    MaxglTile tile;
    if (!choose_tile(context, conv, pass, &tile, error))
        return FALSE;
    const MaxglProduct product = product_of(conv, pass);
    g_autofree char *sizes = tile_options(&tile, conv, context->info);
    g_autofree char *from_storage = maxgl_storage_option("X_STORAGE", source->storage);
    g_autofree char *to_storage = maxgl_storage_option("Y_STORAGE", result->storage);
    g_autofree char *options =
        g_strdup_printf("-DTRANSPOSED=%d %s%s%s", transposed, sizes, from_storage, to_storage);
    MaxglLaunch launch = maxgl_tile_launch(&tile, &product, product.batch);
    launch.file = "conv3d_gemm.cl";
    launch.kernel = transposed ? "conv3d_backward_data_gemm" : "conv3d_forward_gemm";
    launch.options = options;
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmiiiiiiiiiiiiiiiiiii", from, weights, to,
                              epilogue->bias, epilogue->residual, flags, source->n,
                              maxgl_shape_blocks(source), source->t, source->h, source->w,
                              maxgl_shape_blocks(result), result->t, result->h, result->w, k[0], k[1], k[2],
                              s[0], s[1], s[2], p[0], p[1], p[2]);
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    (void)workspace;
    return add_data_pass(sequence, conv, MAXGL_CONV3D_FORWARD, x, weights, y, epilogue,
                         epilogue->relu ? RELU : 0, error);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    const MaxglConv3dEpilogue none = {0};
    (void)workspace;
    return add_data_pass(sequence, conv, MAXGL_CONV3D_BACKWARD_DATA, dy, weights, dx, &none,
                         accumulate ? ACCUMULATE : 0, error);
}

gboolean maxgl_conv3d_add_weights_sum(MaxglSequence *sequence, cl_mem parts, cl_mem dw, gsize weights,
                                      gsize count, GError **error)
{
    enum { GROUP = 64 };
    const MaxglLaunch launch = {.file = "conv3d_gemm_weights_sum.cl",
                                .kernel = "conv3d_backward_weights_sum",
                                .dims = 1,
                                .global = {ceil_div(weights, GROUP) * GROUP},
                                .local = {GROUP}};
    return maxgl_sequence_add(sequence, &launch, error, "mmii", parts, dw, (int)weights, (int)count);
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    const MaxglShape *in = &conv->input, out = maxgl_conv3d_output(conv);
    const int *k = conv->kernel, *s = conv->stride, *p = conv->pad;
    const gsize weights = maxgl_conv3d_weight_floats(conv);
    MaxglContext *context = maxgl_sequence_context(sequence);
    MaxglTile tile;
    if (!choose_tile(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS, &tile, error))
        return FALSE;
    const MaxglProduct product = product_of(conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
    const MaxglCut cut = maxgl_tile_cut(&tile, &product);
    g_autofree char *sizes = tile_options(&tile, conv, context->info);
    g_autofree char *x_storage = maxgl_storage_option("X_STORAGE", in->storage);
    g_autofree char *dy_storage = maxgl_storage_option("Y_STORAGE", out.storage);
    g_autofree char *options = g_strconcat(sizes, x_storage, dy_storage, NULL);
    MaxglLaunch launch = maxgl_tile_launch(&tile, &product, cut.parts);
    launch.file = "conv3d_gemm_weights.cl";
    launch.kernel = "conv3d_backward_weights_gemm";
    launch.options = options;
    if (!maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiiiiiiiiiiiii", x, dy,
                            cut.parts > 1 ? workspace : dw, (int)weights, (int)cut.steps, in->n,
                            maxgl_shape_blocks(in), in->t, in->h, in->w, maxgl_shape_blocks(&out), out.t,
                            out.h, out.w, k[0], k[1], k[2], s[0], s[1], s[2], p[0], p[1], p[2]))
        return FALSE;
    return cut.parts == 1 || maxgl_conv3d_add_weights_sum(sequence, workspace, dw, weights, cut.parts, error);
}

static gboolean describe_work(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                              MaxglWork *work)
{
    const MaxglProduct product = product_of(conv, pass);
    MaxglTile tile;
    if (!choose_tile(context, conv, pass, &tile, NULL))
        return FALSE;
    const gboolean is_weights = pass == MAXGL_CONV3D_BACKWARD_WEIGHTS;
    const gsize parts = is_weights ? maxgl_tile_cut(&tile, &product).parts : 1;
    const double phases = (double)product.batch;
    *work = maxgl_tile_work(&tile, &product, parts);
    work->flops /= phases; /* which share the taps */
    work->local_reads /= phases;
    work->fetched /= phases;
    work->bytes = maxgl_conv3d_operand_bytes(conv);
    if (parts > 1) {
        work->bytes += 2.0 * (double)parts * (double)maxgl_conv3d_weight_floats(conv) * sizeof(float);
        work->launches++;
    }
    return TRUE;
}

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const gsize limit = (gsize)1 << 30; /* kernels compute offsets with ints */
    (void)pass;
    (void)device;
    return maxgl_shape_floats(&conv->input) < limit && maxgl_shape_floats(&out) < limit &&
           maxgl_conv3d_weight_floats(conv) < limit;
}

static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    MaxglTile tile;
    if (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS || !choose_tile(context, conv, pass, &tile, NULL))
        return 0; /* adding the pass will say what is wrong with the tile */
    const MaxglProduct product = product_of(conv, pass);
    const MaxglCut cut = maxgl_tile_cut(&tile, &product);
    return cut.parts > 1 ? cut.parts * maxgl_conv3d_weight_floats(conv) * sizeof(float) : 0;
}

const MaxglConv3dAlgorithm maxgl_conv3d_gemm = {
    .name = "gemm",
    .supports = supports,
    .work = describe_work,
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
