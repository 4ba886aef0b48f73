#include "ops/conv3d_gemm.h"

/* The matrix product that a pass is; see cl/tile.clh for the tile. */
typedef struct {
    gsize rows, columns, depth;
    int phases;
} Product;

typedef struct {
    int tm, tn, tk, wm, wn, buffers, unroll, registers;
    int groups, items;
} Tile;

static const char *const pass_names[] = {"forward", "backward_data", "backward_weights"};

static gsize ceil_div(gsize a, gsize b)
{
    return (a + b - 1) / b;
}

static gsize taps_of(const MaxglConv3d *conv)
{
    return (gsize)conv->kernel[0] * conv->kernel[1] * conv->kernel[2];
}

static gsize padded_channels(const MaxglShape *shape)
{
    return (gsize)maxgl_shape_blocks(shape) * shape->block;
}

static Product product_of(const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const MaxglShape *in = &conv->input, out = maxgl_conv3d_output(conv);
    const int *s = conv->stride;
    const gsize k = padded_channels(&out), c = padded_channels(in), taps = taps_of(conv);
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS)
        return (Product){k, c * taps, out.n * maxgl_shape_pixels(&out), 1};
    if (pass == MAXGL_CONV3D_BACKWARD_DATA) /* the largest phase */
        return (Product){c, in->n * ceil_div(in->t, s[0]) * ceil_div(in->h, s[1]) * ceil_div(in->w, s[2]),
                         k * taps, s[0] * s[1] * s[2]};
    return (Product){k, out.n * maxgl_shape_pixels(&out), c * taps, 1};
}

static gsize tile_items(const Tile *tile)
{
    return (gsize)(tile->tm / tile->wm) * (tile->tn / tile->wn);
}

static gsize tile_groups(const Tile *tile, const Product *product)
{
    return ceil_div(product->rows, tile->tm) * ceil_div(product->columns, tile->tn) * product->phases;
}

static gboolean power_of_two(int value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/* With powers of two these suffice for every division in tile.clh to come out even. */
static gboolean tile_valid(const Tile *tile)
{
    if (!power_of_two(tile->tm) || !power_of_two(tile->tn) || !power_of_two(tile->tk) ||
        !power_of_two(tile->wm) || !power_of_two(tile->wn))
        return FALSE;
    if (tile->wm < 4 || tile->wn < 4 || tile->tk < 4 || tile->tm < tile->wm || tile->tn < tile->wn)
        return FALSE;
    const gsize items = tile_items(tile);
    return (gsize)tile->tk <= items && (gsize)tile->tk * MIN(tile->tm, tile->tn) / 4 >= items &&
           (tile->buffers == 1 || tile->buffers == 2) && tile->unroll >= 1;
}

static gboolean tile_fits(const Tile *tile, const MaxglDeviceInfo *device)
{
    const gsize floats = (gsize)tile->buffers * tile->tk * (tile->tm + tile->tn + 8);
    const gsize ints = (gsize)2 * tile->tk * 5 + tile->tn; /* tables of depth and of pixels */
    return (floats + ints) * 4 <= device->local_memory && tile_items(tile) <= device->max_work_group;
}

/* Halves the longer side. FALSE if the tile cannot be smaller. */
static gboolean tile_halve(Tile *tile, gsize min_items)
{
    Tile half = *tile;
    if (half.tm > half.tn)
        half.tm /= 2;
    else
        half.tn /= 2;
    if (!tile_valid(&half) || tile_items(&half) < min_items)
        return FALSE;
    *tile = half;
    return TRUE;
}

/* Rows that do not exist need no work-items. */
static void tile_narrow(Tile *tile, const Product *product)
{
    for (;;) {
        Tile half = *tile;
        half.tm /= 2;
        if (product->rows > (gsize)half.tm || !tile_valid(&half) || tile_items(&half) < (gsize)tile->items)
            return;
        *tile = half;
    }
}

static gboolean choose_tile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass, Tile *tile,
                            GError **error)
{
    static const struct {
        const char *name;
        gsize offset;
        int fallback;
    } parameters[] = {
        {"TM", offsetof(Tile, tm), 64},        {"TN", offsetof(Tile, tn), 64},
        {"TK", offsetof(Tile, tk), 16},        {"WM", offsetof(Tile, wm), 4},
        {"WN", offsetof(Tile, wn), 4},         {"BUFFERS", offsetof(Tile, buffers), 1},
        {"UNROLL", offsetof(Tile, unroll), 4}, {"GROUPS", offsetof(Tile, groups), 64},
        {"ITEMS", offsetof(Tile, items), 64},  {"REGISTERS", offsetof(Tile, registers), 0},
    };
    g_autofree char *class = maxgl_conv3d_shape_class(conv);
    g_autofree char *shape = g_strdup_printf("%s %s", pass_names[pass], class);
    for (gsize i = 0; i < G_N_ELEMENTS(parameters); i++)
        *(int *)((char *)tile + parameters[i].offset) = maxgl_tuning_int(
            context->tuning, "conv3d_gemm", shape, parameters[i].name, parameters[i].fallback);
    if (!tile_valid(tile)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "tuning of conv3d_gemm for \"%s\": no tile can be TM %d, TN %d, TK %d, WM %d, WN %d, "
                    "BUFFERS %d, UNROLL %d",
                    shape, tile->tm, tile->tn, tile->tk, tile->wm, tile->wn, tile->buffers, tile->unroll);
        return FALSE;
    }
    const Product product = product_of(conv, pass);
    while (!tile_fits(tile, context->info)) {
        if (tile->buffers == 2)
            tile->buffers = 1;
        else if (!tile_halve(tile, 1))
            break; /* adding the launch will say what is missing */
    }
    tile_narrow(tile, &product);
    while (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS && tile_groups(tile, &product) < (gsize)tile->groups &&
           tile_halve(tile, (gsize)tile->items))
        ;
    return TRUE;
}

static char *tile_options(const Tile *tile, const MaxglConv3d *conv, const MaxglDeviceInfo *device)
{
    g_autofree char *limit = tile->registers && device->vendor == MAXGL_VENDOR_NVIDIA
                                 ? g_strdup_printf(" -cl-nv-maxrregcount=%d", tile->registers)
                                 : g_strdup("");
    return g_strdup_printf(
        "-DBI=%d -DBO=%d -DTM=%d -DTN=%d -DTK=%d -DWM=%d -DWN=%d -DBUFFERS=%d -DUNROLL=%d%s",
        conv->input.block, conv->out_block, tile->tm, tile->tn, tile->tk, tile->wm, tile->wn, tile->buffers,
        tile->unroll, limit);
}

static MaxglLaunch tile_launch(const Tile *tile, const Product *product, gsize parts)
{
    const gsize items = tile_items(tile);
    return (MaxglLaunch){
        .dims = 3,
        .global = {ceil_div(product->rows, tile->tm) * items, ceil_div(product->columns, tile->tn), parts},
        .local = {items, 1, 1}};
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
    Tile tile;
    if (!choose_tile(context, conv, pass, &tile, error))
        return FALSE;
    const Product product = product_of(conv, pass);
    g_autofree char *sizes = tile_options(&tile, conv, context->info);
    g_autofree char *options = g_strdup_printf("-DTRANSPOSED=%d %s", transposed, sizes);
    MaxglLaunch launch = tile_launch(&tile, &product, (gsize)product.phases);
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

/* How the sum over pixels is cut: into @parts parts of @steps tiles' depths each, the last perhaps shorter.
 */
typedef struct {
    gsize parts, steps;
} Cut;

static Cut cut_pixels(const Tile *tile, const Product *product)
{
    enum { FEWEST_STEPS = 8 }; /* a part that is shorter spends its time on storing the tile */
    const gsize steps = ceil_div(product->depth, tile->tk);
    const gsize wanted = ceil_div((gsize)tile->groups, tile_groups(tile, product));
    const gsize parts = CLAMP(wanted, 1, MAX(steps / FEWEST_STEPS, 1));
    const gsize part_steps = ceil_div(steps, parts);
    return (Cut){.parts = ceil_div(steps, part_steps), .steps = part_steps};
}

static gboolean add_sum(MaxglSequence *sequence, cl_mem parts, cl_mem dw, gsize weights, gsize count,
                        GError **error)
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
    Tile tile;
    if (!choose_tile(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS, &tile, error))
        return FALSE;
    const Product product = product_of(conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
    const Cut cut = cut_pixels(&tile, &product);
    g_autofree char *options = tile_options(&tile, conv, context->info);
    MaxglLaunch launch = tile_launch(&tile, &product, cut.parts);
    launch.file = "conv3d_gemm_weights.cl";
    launch.kernel = "conv3d_backward_weights_gemm";
    launch.options = options;
    if (!maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiiiiiiiiiiiii", x, dy,
                            cut.parts > 1 ? workspace : dw, (int)weights, (int)cut.steps, in->n,
                            maxgl_shape_blocks(in), in->t, in->h, in->w, maxgl_shape_blocks(&out), out.t,
                            out.h, out.w, k[0], k[1], k[2], s[0], s[1], s[2], p[0], p[1], p[2]))
        return FALSE;
    return cut.parts == 1 || add_sum(sequence, workspace, dw, weights, cut.parts, error);
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
    Tile tile;
    if (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS || !choose_tile(context, conv, pass, &tile, NULL))
        return 0; /* adding the pass will say what is wrong with the tile */
    const Product product = product_of(conv, pass);
    const Cut cut = cut_pixels(&tile, &product);
    return cut.parts > 1 ? cut.parts * maxgl_conv3d_weight_floats(conv) * sizeof(float) : 0;
}

const MaxglConv3dAlgorithm maxgl_conv3d_gemm = {
    .name = "gemm",
    .supports = supports,
    .workspace = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
