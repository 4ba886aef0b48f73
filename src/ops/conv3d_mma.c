#include "ops/conv3d_mma.h"

#include "ops/conv3d_mma_clip.h"
#include "ops/mma.h"
#include "ops/tile.h"
#include <maxgl/error.h>

enum { STEP_PIECES = 4, MOST_TAPS = 10 }; /* of cl/mma.clh and cl/conv3d_mma.clh */

typedef struct {
    const MaxglMma *mma;
    gboolean emulated;
    MaxglFactors factors;
    gboolean block_reads; /* weights do not go through local memory */
    int tm, tn, wm, wn, buffers, registers, groups;
} Tile;

static const char *const pass_names[] = {"forward", "backward_data", "backward_weights"};

static gsize ceil_div(gsize a, gsize b)
{
    return (a + b - 1) / b;
}

static MaxglFactors factors_of(const MaxglConv3d *conv)
{
    switch (conv->out_storage) { /* and of the input, unless that is a clip */
    case MAXGL_FLOAT16:
        return MAXGL_FACTORS_FP16;
    case MAXGL_BFLOAT16:
        return MAXGL_FACTORS_BF16;
    default:
        return conv->tf32 && !conv->exact ? MAXGL_FACTORS_TF32 : MAXGL_FACTORS_FP32;
    }
}

/* The device's units; those that may round floats can be those that do not. */
static const MaxglMma *units_of(MaxglContext *context, const MaxglConv3d *conv, MaxglFactors *factors,
                                gboolean *emulated)
{
    *factors = factors_of(conv);
    const MaxglMma *mma = maxgl_mma_of(context, *factors, emulated);
    if (!mma && *factors == MAXGL_FACTORS_TF32) {
        *factors = MAXGL_FACTORS_FP32;
        mma = maxgl_mma_of(context, *factors, emulated);
    }
    return mma;
}

/* What the kernels compute: the convolution itself, or that of pieces which a clip's becomes. */
typedef struct {
    const MaxglConv3d *asked;
    gboolean is_clip;
    MaxglConv3d conv;
    MaxglShape out; /* as asked for */
} Problem;

static gboolean is_clip(const MaxglConv3d *conv)
{
    return conv->input.block % maxgl_factors_piece(factors_of(conv)) != 0;
}

static Problem problem_of(MaxglContext *context, const MaxglConv3d *conv)
{
    Problem problem = {.asked = conv, .conv = *conv, .out = maxgl_conv3d_output(conv)};
    MaxglFactors factors;
    gboolean emulated;
    if (is_clip(conv) && units_of(context, conv, &factors, &emulated)) {
        problem.is_clip = TRUE;
        problem.conv = maxgl_mma_clip_of(conv, factors).conv;
    }
    return problem;
}

static MaxglProduct product_of(const Problem *problem, MaxglConv3dPass pass)
{
    return maxgl_conv3d_product(&problem->conv, &problem->out, pass);
}

static char *shape_of(const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    g_autofree char *class = maxgl_conv3d_shape_class(conv);
    return g_strdup_printf("%s %s", pass_names[pass], class);
}

/* Whether weights are a matrix that units read blocks of. A part of a step is 16 numbers of one tap. */
static gboolean reads_blocks(MaxglContext *context, const Problem *problem, MaxglConv3dPass pass)
{
    MaxglFactors factors;
    gboolean emulated;
    const MaxglMma *mma = units_of(context, problem->asked, &factors, &emulated);
    const int source_block =
        pass == MAXGL_CONV3D_BACKWARD_DATA ? problem->conv.out_block : problem->conv.input.block;
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS || !mma || !mma->can_read_blocks || source_block % 16 != 0)
        return FALSE;
    g_autofree char *shape = shape_of(problem->asked, pass);
    return maxgl_tuning_int(context->tuning, "conv3d_mma", shape, "BLOCK_READS", context->info->block_reads);
}

static int waves(const Tile *tile)
{
    return tile->tm / tile->wm * (tile->tn / tile->wn);
}

static gsize items(const Tile *tile)
{
    return (gsize)waves(tile) * tile->mma->lanes;
}

static gsize tile_groups(const Tile *tile, const MaxglProduct *product)
{
    return ceil_div(product->rows, tile->tm) * ceil_div(product->columns, tile->tn) * product->batch;
}

/* Waves are whole fragments and hold at least four rows side by side, groups are whole waves, and every
 * work-item fetches the same number of pieces of either factor. */
static gboolean tile_valid(const Tile *t)
{
    const MaxglMma *mma = t->mma;
    if (t->wm < mma->fragment_m || t->wn < mma->fragment_n || t->wm % mma->fragment_m ||
        t->wn % mma->fragment_n || t->tm < t->wm || t->tn < t->wn || t->tm % t->wm || t->tn % t->wn ||
        (t->buffers != 1 && t->buffers != 2))
        return FALSE;
    const int fetched_a = t->tm * STEP_PIECES, fetched_b = t->tn * STEP_PIECES, n = (int)items(t);
    return t->wm * mma->fragment_n / mma->lanes % 4 == 0 && fetched_a % n == 0 && fetched_b % n == 0 &&
           n % STEP_PIECES == 0 && t->tm % maxgl_factors_piece(t->factors) == 0 &&
           t->tn % maxgl_factors_piece(t->factors) == 0;
}

/* Of both factors, of 16 bytes. */
static gsize local_pieces(const Tile *t)
{
    const int of_a = t->block_reads ? 0 : t->tm + 2, of_b = t->tn + 2;
    return (gsize)t->buffers * STEP_PIECES * (gsize)(of_a + of_b);
}

/* Floats that the emulation needs for each wave, at most. */
enum { EMULATION_FLOATS = 512 };

static gboolean tile_fits(const Tile *t, const MaxglConv3d *conv, const MaxglDeviceInfo *device)
{
    const gsize pieces = local_pieces(t);
    const gsize tables = 12 * MAX(maxgl_conv3d_taps(conv), 2 * STEP_PIECES * 8) + 4 * (gsize)t->tn;
    const gsize emulation = t->emulated ? (gsize)waves(t) * EMULATION_FLOATS * sizeof(float) : 0;
    return 16 * pieces + tables + emulation <= device->local_memory && items(t) <= device->max_work_group;
}

/* Halves the work-group's tile along its longer side, in whole waves. FALSE if it cannot be smaller. */
static gboolean tile_halve(Tile *tile)
{
    Tile half = *tile;
    if (half.tm / half.wm > half.tn / half.wn || half.tn / half.wn == 1)
        half.tm /= 2;
    else
        half.tn /= 2;
    if (!tile_valid(&half))
        return FALSE;
    *tile = half;
    return TRUE;
}

/* Rows that do not exist need no waves. */
static void tile_narrow(Tile *tile, const MaxglProduct *product)
{
    for (;;) {
        Tile half = *tile;
        half.tm /= 2;
        if (product->rows > (gsize)half.tm || !tile_valid(&half))
            return;
        *tile = half;
    }
}

static void read_tile(MaxglContext *context, const char *shape, Tile *tile)
{
    const MaxglMma *mma = tile->mma;
    const struct {
        const char *name;
        int *value, fallback;
    } parameters[] = {
        {"WM", &tile->wm, mma->wave_m},
        {"WN", &tile->wn, mma->wave_n},
        {"TM", &tile->tm, 2 * mma->wave_m},
        {"TN", &tile->tn, 2 * mma->wave_n},
        {"BUFFERS", &tile->buffers, 2},
        {"REGISTERS", &tile->registers, 0},
        {"GROUPS", &tile->groups, 2 * (int)context->info->compute_units},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(parameters); i++)
        *parameters[i].value = maxgl_tuning_int(context->tuning, "conv3d_mma", shape, parameters[i].name,
                                                parameters[i].fallback);
}

static gboolean choose_tile(MaxglContext *context, const Problem *problem, MaxglConv3dPass pass, Tile *tile,
                            GError **error)
{
    const MaxglConv3d *conv = &problem->conv;
    g_autofree char *shape = shape_of(problem->asked, pass);
    tile->mma = units_of(context, problem->asked, &tile->factors, &tile->emulated);
    g_assert(tile->mma);
    tile->block_reads = reads_blocks(context, problem, pass);
    read_tile(context, shape, tile);
    if (!tile_valid(tile)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "tuning of conv3d_mma for \"%s\": no tile of %s can be WM %d, WN %d, TM %d, TN %d, "
                    "BUFFERS %d",
                    shape, tile->mma->name, tile->wm, tile->wn, tile->tm, tile->tn, tile->buffers);
        return FALSE;
    }
    const MaxglProduct product = product_of(problem, pass);
    while (!tile_fits(tile, conv, context->info)) {
        if (tile->buffers == 2)
            tile->buffers = 1;
        else if (!tile_halve(tile))
            break; /* adding the launch will say what is missing */
    }
    tile_narrow(tile, &product);
    while (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS && tile_groups(tile, &product) < (gsize)tile->groups &&
           tile_halve(tile))
        ;
    return TRUE;
}

/* Besides BI, BO or SOURCE_BLOCK, RESULT_BLOCK. */
static char *tile_options(const Tile *t, const MaxglConv3d *conv, const MaxglDeviceInfo *device)
{
    g_autofree char *limit = maxgl_tile_register_option(t->registers, device);
    return g_strdup_printf("-DUNITS=%d -DGENERATION=%d -DFACTORS=%d -DEMULATED=%d -DTM=%d -DTN=%d -DWM=%d "
                           "-DWN=%d -DBUFFERS=%d -DBLOCK_READS=%d -DX_STORAGE=%d -DY_STORAGE=%d%s",
                           t->mma->units, t->mma->generation, t->factors, t->emulated, t->tm, t->tn, t->wm,
                           t->wn, t->buffers, t->block_reads, conv->input.storage, conv->out_storage, limit);
}

static MaxglLaunch tile_launch(const Tile *tile, const MaxglProduct *product, gsize parts)
{
    return (MaxglLaunch){.dims = 3,
                         .global = {ceil_div(product->rows, tile->tm) * items(tile),
                                    ceil_div(product->columns, tile->tn), parts},
                         .local = {items(tile), 1, 1}};
}

/* Bytes of the weights as the units read them: whole blocks, in the units' numbers. */
static gsize weights_bytes(MaxglContext *context, const Problem *problem, MaxglConv3dPass pass)
{
    enum { LEAST_ROW = 64 }; /* bytes, of a matrix */
    const MaxglProduct product = product_of(problem, pass);
    const gsize row = product.depth * maxgl_storage_bytes(problem->conv.input.storage);
    return product.rows * (reads_blocks(context, problem, pass) ? MAX(row, LEAST_ROW) : row);
}

/* Of a packed clip at the beginning of the workspace. */
static gsize clip_bytes(MaxglContext *context, const Problem *problem)
{
    return problem->is_clip ? maxgl_buffer_aligned(context, maxgl_shape_bytes(&problem->conv.input)) : 0;
}

static gboolean add_prepare(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglConv3dPass pass,
                            cl_mem weights, cl_mem prepared, GError **error)
{
    enum { GROUP = 32 };
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Problem problem = problem_of(context, conv);
    MaxglFactors factors;
    gboolean emulated;
    const gboolean transposed = pass == MAXGL_CONV3D_BACKWARD_DATA;
    const MaxglShape *in = &conv->input, *out = &problem.out;
    const MaxglShape *source = transposed ? out : in, *result = transposed ? in : out;
    if (!units_of(context, conv, &factors, &emulated))
        g_return_val_if_reached(FALSE);
    if (problem.is_clip)
        return maxgl_mma_clip_add_prepare(sequence, conv, factors, weights, prepared, error);
    g_autofree char *options =
        g_strdup_printf("-DBI=%d -DBO=%d -DTRANSPOSED=%d -DFACTORS=%d -DBLOCK_READS=%d", in->block,
                        conv->out_block, transposed, factors, reads_blocks(context, &problem, pass));
    const MaxglLaunch launch = {.file = "conv3d_mma_prepare.cl",
                                .kernel = "conv3d_mma_prepare",
                                .options = options,
                                .dims = 3,
                                .global = {ceil_div(maxgl_shape_padded_channels(result), GROUP) * GROUP,
                                           (gsize)(source->block / maxgl_factors_piece(factors)),
                                           (gsize)maxgl_shape_blocks(source) * maxgl_conv3d_taps(conv)},
                                .local = {GROUP, 1, 1}};
    return maxgl_sequence_add(sequence, &launch, error, "mmiii", weights, prepared, maxgl_shape_blocks(in),
                              maxgl_shape_blocks(out), (int)maxgl_conv3d_taps(conv));
}

/* Bits of the kernel's flags. */
enum { ACCUMULATE = 1, RELU = 2 };

/* Forward: @from is x and @to y. Backward data: @from is dy and @to dx. */
static gboolean add_products(MaxglSequence *sequence, const Problem *problem, MaxglConv3dPass pass,
                             cl_mem from, cl_mem prepared, cl_mem to, const MaxglConv3dEpilogue *epilogue,
                             int flags, GError **error)
{
    const gboolean transposed = pass == MAXGL_CONV3D_BACKWARD_DATA;
    const MaxglConv3d *conv = &problem->conv;
    const MaxglShape *out = &problem->out;
    const MaxglShape *source = transposed ? out : &conv->input, *result = transposed ? &conv->input : out;
    const int *k = conv->kernel, *s = conv->stride, *p = conv->pad;
    MaxglContext *context = maxgl_sequence_context(sequence);
    Tile tile;
    if (!choose_tile(context, problem, pass, &tile, error))
        return FALSE;
    const MaxglProduct product = product_of(problem, pass);
    g_autofree char *sizes = tile_options(&tile, conv, context->info);
    g_autofree char *options =
        g_strdup_printf("-DTRANSPOSED=%d -DSOURCE_BLOCK=%d -DRESULT_BLOCK=%d -DTAPS=%d %s", transposed,
                        source->block, result->block, (int)maxgl_conv3d_taps(conv), sizes);
    MaxglLaunch launch = tile_launch(&tile, &product, product.batch);
    launch.file = "conv3d_mma.cl";
    launch.kernel = transposed ? "conv3d_backward_data_mma" : "conv3d_forward_mma";
    launch.options = options;
    return maxgl_sequence_add(sequence, &launch, error, "mmmmmiiiiiiiiiiiiiiiiiii", from, prepared, to,
                              epilogue->bias, epilogue->residual, flags, source->n,
                              maxgl_shape_blocks(source), source->t, source->h, source->w,
                              maxgl_shape_blocks(result), result->t, result->h, result->w, k[0], k[1], k[2],
                              s[0], s[1], s[2], p[0], p[1], p[2]);
}

static gsize prepared_bytes(MaxglContext *context, const MaxglConv3d *conv)
{
    const Problem problem = problem_of(context, conv);
    return weights_bytes(context, &problem, MAXGL_CONV3D_FORWARD);
}

static gboolean prepare(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights, cl_mem prepared,
                        GError **error)
{
    return add_prepare(sequence, conv, MAXGL_CONV3D_FORWARD, weights, prepared, error);
}

/* Packs a clip into the beginning of @workspace. *@packed: that window, or NULL; the caller's to release. */
static gboolean add_pack(MaxglSequence *sequence, const Problem *problem, cl_mem x, cl_mem workspace,
                         cl_mem *packed, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    MaxglFactors factors;
    gboolean emulated;
    *packed = NULL;
    if (!problem->is_clip)
        return TRUE;
    units_of(context, problem->asked, &factors, &emulated);
    *packed = maxgl_buffer_window(context, workspace, 0, maxgl_shape_bytes(&problem->conv.input), error);
    return *packed && maxgl_mma_clip_add_pack(sequence, problem->asked, factors, x, *packed, error);
}

static gboolean forward_prepared(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem prepared,
                                 cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace,
                                 GError **error)
{
    const Problem problem = problem_of(maxgl_sequence_context(sequence), conv);
    cl_mem packed;
    const gboolean ok = add_pack(sequence, &problem, x, workspace, &packed, error) &&
                        add_products(sequence, &problem, MAXGL_CONV3D_FORWARD, packed ? packed : x, prepared,
                                     y, epilogue, epilogue->relu ? RELU : 0, error);
    g_clear_pointer(&packed, clReleaseMemObject);
    return ok;
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Problem problem = problem_of(context, conv);
    cl_mem prepared = maxgl_buffer_window(context, workspace, clip_bytes(context, &problem),
                                          weights_bytes(context, &problem, MAXGL_CONV3D_FORWARD), error);
    const gboolean ok = prepared &&
                        add_prepare(sequence, conv, MAXGL_CONV3D_FORWARD, weights, prepared, error) &&
                        forward_prepared(sequence, conv, x, prepared, y, epilogue, workspace, error);
    g_clear_pointer(&prepared, clReleaseMemObject);
    return ok;
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    const MaxglConv3dEpilogue none = {0};
    const Problem problem = problem_of(maxgl_sequence_context(sequence), conv);
    return add_prepare(sequence, conv, MAXGL_CONV3D_BACKWARD_DATA, weights, workspace, error) &&
           add_products(sequence, &problem, MAXGL_CONV3D_BACKWARD_DATA, dy, workspace, dx, &none,
                        accumulate ? ACCUMULATE : 0, error);
}

static MaxglCut cut_pixels(const Tile *tile, const MaxglProduct *product)
{
    enum { FEWEST_STEPS = 8 }; /* a part that is shorter spends its time on storing the tile */
    const gsize steps = ceil_div(product->depth, (gsize)STEP_PIECES * maxgl_factors_piece(tile->factors));
    const gsize wanted = ceil_div((gsize)tile->groups, tile_groups(tile, product));
    const gsize parts = CLAMP(wanted, 1, MAX(steps / FEWEST_STEPS, 1));
    const gsize part_steps = ceil_div(steps, parts);
    return (MaxglCut){.parts = ceil_div(steps, part_steps), .steps = part_steps};
}

/* Into @parts, one array behind the other, or @dw where there is one alone. */
static gboolean add_weights(MaxglSequence *sequence, const Problem *problem, const Tile *tile, MaxglCut cut,
                            cl_mem x, cl_mem dy, cl_mem parts, cl_mem dw, GError **error)
{
    const MaxglConv3d *conv = &problem->conv;
    const MaxglShape *in = &conv->input, *out = &problem->out;
    const int *k = conv->kernel, *s = conv->stride, *p = conv->pad;
    const gsize weights = maxgl_conv3d_weight_floats(conv);
    const MaxglProduct product = product_of(problem, MAXGL_CONV3D_BACKWARD_WEIGHTS);
    g_autofree char *sizes = tile_options(tile, conv, maxgl_sequence_context(sequence)->info);
    g_autofree char *options = g_strdup_printf("-DBI=%d -DBO=%d %s", in->block, conv->out_block, sizes);
    MaxglLaunch launch = tile_launch(tile, &product, cut.parts);
    launch.file = "conv3d_mma_weights.cl";
    launch.kernel = "conv3d_backward_weights_mma";
    launch.options = options;
    if (!maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiiiiiiiiiiiii", x, dy,
                            cut.parts > 1 ? parts : dw, (int)weights, (int)cut.steps, in->n,
                            maxgl_shape_blocks(in), in->t, in->h, in->w, maxgl_shape_blocks(out), out->t,
                            out->h, out->w, k[0], k[1], k[2], s[0], s[1], s[2], p[0], p[1], p[2]))
        return FALSE;
    return cut.parts == 1 || maxgl_conv3d_add_weights_sum(sequence, parts, dw, weights, cut.parts, error);
}

/* What is in the workspace of backward weights: a packed clip, the gradient of its convolution's weights,
 * parts of the sum. Bytes; 0: not there. */
typedef struct {
    gsize clip, gradient, parts;
} Room;

static Room room_of(MaxglContext *context, const Problem *problem, MaxglCut cut)
{
    const gsize bytes = maxgl_conv3d_weight_floats(&problem->conv) * sizeof(float);
    return (Room){.clip = clip_bytes(context, problem),
                  .gradient = problem->is_clip ? maxgl_buffer_aligned(context, bytes) : 0,
                  .parts = cut.parts > 1 ? cut.parts * bytes : 0};
}

/* @packed, @gradient and @parts are windows of the workspace. */
static gboolean add_clip_weights(MaxglSequence *sequence, const Problem *problem, const Tile *tile,
                                 MaxglCut cut, cl_mem packed, cl_mem dy, cl_mem gradient, cl_mem parts,
                                 cl_mem dw, GError **error)
{
    return add_weights(sequence, problem, tile, cut, packed, dy, parts, gradient, error) &&
           maxgl_mma_clip_add_gradient(sequence, problem->asked, tile->factors, gradient, dw, error);
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const Problem problem = problem_of(context, conv);
    Tile tile;
    if (!choose_tile(context, &problem, MAXGL_CONV3D_BACKWARD_WEIGHTS, &tile, error))
        return FALSE;
    const MaxglProduct product = product_of(&problem, MAXGL_CONV3D_BACKWARD_WEIGHTS);
    const MaxglCut cut = cut_pixels(&tile, &product);
    const Room room = room_of(context, &problem, cut);
    if (!problem.is_clip)
        return add_weights(sequence, &problem, &tile, cut, x, dy, workspace, dw, error);
    cl_mem packed, gradient = NULL, parts = NULL;
    gboolean ok = add_pack(sequence, &problem, x, workspace, &packed, error);
    if (ok)
        gradient = maxgl_buffer_window(context, workspace, room.clip, room.gradient, error);
    if (gradient && room.parts > 0)
        parts = maxgl_buffer_window(context, workspace, room.clip + room.gradient, room.parts, error);
    ok = gradient && (parts || room.parts == 0) &&
         add_clip_weights(sequence, &problem, &tile, cut, packed, dy, gradient, parts, dw, error);
    g_clear_pointer(&packed, clReleaseMemObject);
    g_clear_pointer(&gradient, clReleaseMemObject);
    g_clear_pointer(&parts, clReleaseMemObject);
    return ok;
}

static gboolean describe_work(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                              MaxglWork *work)
{
    const Problem problem = problem_of(context, conv);
    Tile tile;
    if (!choose_tile(context, &problem, pass, &tile, NULL))
        return FALSE;
    const gboolean is_weights = pass == MAXGL_CONV3D_BACKWARD_WEIGHTS;
    const MaxglProduct product = product_of(&problem, pass);
    const gsize parts = is_weights ? cut_pixels(&tile, &product).parts : 1;
    const double number = 16.0 / maxgl_factors_piece(tile.factors); /* bytes */
    const double tiles = (double)tile_groups(&tile, &product),
                 weights = (double)maxgl_conv3d_weight_floats(&problem.conv);
    const double multiply_adds = tiles / product.batch * tile.tm * tile.tn * (double)product.depth;
    *work = (MaxglWork){
        .units = TRUE,
        .factors = tile.factors,
        .flops = 2 * multiply_adds,
        .groups = tiles * (double)parts,
        .items = (int)items(&tile),
        .registers = 2 * tile.wm * tile.wn / tile.mma->lanes, /* as many again as sums, see docs/gpus.md */
        .local_bytes = 16 * local_pieces(&tile),
        .local_reads = multiply_adds / (tile.wm * tile.wn) * (tile.wm + tile.wn) * number,
        .fetched = multiply_adds / (tile.tm * tile.tn) * (tile.tm + tile.tn) * number,
        .bytes = maxgl_conv3d_operand_bytes(conv) + 2.0 * (double)clip_bytes(context, &problem) +
                 (is_weights ? parts > 1 ? 2.0 * (double)parts * weights * sizeof(float) : 0
                             : 2.0 * weights * number),
        .launches = (is_weights && parts == 1 ? 1 : 2) + (problem.is_clip ? 1 + is_weights : 0),
    };
    return TRUE;
}

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    const gsize limit = (gsize)1 << 30; /* kernels compute offsets with ints */
    const MaxglFactors factors = factors_of(conv);
    const int piece = maxgl_factors_piece(factors);
    (void)device;
    for (int i = 0; i < 3; i++)
        if (conv->kernel[i] > MOST_TAPS)
            return FALSE;
    const gboolean fits = is_clip(conv) ? pass != MAXGL_CONV3D_BACKWARD_DATA && /* nobody wants a clip's */
                                              maxgl_mma_clip_supports(conv, factors)
                                        : conv->input.storage == conv->out_storage;
    return fits && conv->out_block % piece == 0 && maxgl_shape_floats(&conv->input) < limit &&
           maxgl_shape_floats(&out) < limit && maxgl_conv3d_weight_floats(conv) < limit;
}

static gboolean worthwhile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    MaxglFactors factors;
    gboolean emulated;
    (void)pass;
    return units_of(context, conv, &factors, &emulated) != NULL;
}

static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    const Problem problem = problem_of(context, conv);
    Tile tile;
    if (pass == MAXGL_CONV3D_FORWARD_PREPARED)
        return clip_bytes(context, &problem);
    if (pass != MAXGL_CONV3D_BACKWARD_WEIGHTS)
        return clip_bytes(context, &problem) + weights_bytes(context, &problem, pass);
    if (!choose_tile(context, &problem, pass, &tile, NULL))
        return 0; /* adding the pass will say what is wrong with the tile */
    const MaxglProduct product = product_of(&problem, pass);
    const Room room = room_of(context, &problem, cut_pixels(&tile, &product));
    return room.clip + room.gradient + room.parts;
}

const MaxglConv3dAlgorithm maxgl_conv3d_mma = {
    .name = "mma",
    .supports = supports,
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
