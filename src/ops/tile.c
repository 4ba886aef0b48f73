#include "ops/tile.h"

#include <maxgl/error.h>

static gsize ceil_div(gsize a, gsize b)
{
    return (a + b - 1) / b;
}

static gsize tile_items(const MaxglTile *tile)
{
    return (gsize)(tile->tm / tile->wm) * (tile->tn / tile->wn);
}

gsize maxgl_tile_groups(const MaxglTile *tile, const MaxglProduct *product)
{
    return ceil_div(product->rows, tile->tm) * ceil_div(product->columns, tile->tn) * product->batch;
}

static gboolean power_of_two(int value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/* With powers of two these suffice for every division in tile.clh to come out even. */
static gboolean tile_valid(const MaxglTile *tile)
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

static gboolean tile_fits(const MaxglTile *tile, const MaxglTileUse *use, const MaxglDeviceInfo *device)
{
    const gsize floats = (gsize)tile->buffers * tile->tk * (tile->tm + tile->tn + 8);
    const gsize ints = tile->tk * use->depth_ints + tile->tn * use->column_ints;
    return (floats + ints) * 4 <= device->local_memory && tile_items(tile) <= device->max_work_group;
}

/* Halves the longer side. FALSE if the tile cannot be smaller. */
static gboolean tile_halve(MaxglTile *tile, gsize min_items)
{
    MaxglTile half = *tile;
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
static void tile_narrow(MaxglTile *tile, const MaxglProduct *product)
{
    for (;;) {
        MaxglTile half = *tile;
        half.tm /= 2;
        if (product->rows > (gsize)half.tm || !tile_valid(&half) || tile_items(&half) < (gsize)tile->items)
            return;
        *tile = half;
    }
}

static void ask_for_parameters(const MaxglTuning *tuning, const MaxglTileUse *use, MaxglTile *tile)
{
    static const struct {
        const char *name;
        gsize offset;
        int fallback;
    } parameters[] = {
        {"TM", offsetof(MaxglTile, tm), 64},        {"TN", offsetof(MaxglTile, tn), 64},
        {"TK", offsetof(MaxglTile, tk), 16},        {"WM", offsetof(MaxglTile, wm), 4},
        {"WN", offsetof(MaxglTile, wn), 4},         {"BUFFERS", offsetof(MaxglTile, buffers), 1},
        {"UNROLL", offsetof(MaxglTile, unroll), 4}, {"GROUPS", offsetof(MaxglTile, groups), 64},
        {"ITEMS", offsetof(MaxglTile, items), 64},  {"REGISTERS", offsetof(MaxglTile, registers), 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(parameters); i++) {
        const char *name = parameters[i].name;
        int value = parameters[i].fallback;
        if (use->fallback)
            value = maxgl_tuning_int(tuning, use->fallback, use->shape, name, value);
        *(int *)((char *)tile + parameters[i].offset) =
            maxgl_tuning_int(tuning, use->kernel, use->shape, name, value);
    }
}

gboolean maxgl_tile_choose(MaxglContext *context, const MaxglTileUse *use, const MaxglProduct *product,
                           MaxglTile *tile, GError **error)
{
    ask_for_parameters(context->tuning, use, tile);
    if (!tile_valid(tile)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "tuning of %s for \"%s\": no tile can be TM %d, TN %d, TK %d, WM %d, WN %d, BUFFERS %d, "
                    "UNROLL %d",
                    use->kernel, use->shape, tile->tm, tile->tn, tile->tk, tile->wm, tile->wn, tile->buffers,
                    tile->unroll);
        return FALSE;
    }
    while (!tile_fits(tile, use, context->info)) {
        if (tile->buffers == 2)
            tile->buffers = 1;
        else if (!tile_halve(tile, 1))
            break; /* adding the launch will say what is missing */
    }
    tile_narrow(tile, product);
    while (!use->cuts_depth && maxgl_tile_groups(tile, product) < (gsize)tile->groups &&
           tile_halve(tile, (gsize)tile->items))
        ;
    return TRUE;
}

char *maxgl_tile_register_option(int registers, const MaxglDeviceInfo *device)
{
    if (registers && device->vendor == MAXGL_VENDOR_NVIDIA)
        return g_strdup_printf(" -cl-nv-maxrregcount=%d", registers);
    return g_strdup(registers >= 256 && device->vendor == MAXGL_VENDOR_INTEL ? " -cl-intel-256-GRF-per-thread"
                                                                             : "");
}

char *maxgl_tile_options(const MaxglTile *tile, const MaxglDeviceInfo *device)
{
    g_autofree char *limit = maxgl_tile_register_option(tile->registers, device);
    return g_strdup_printf("-DTM=%d -DTN=%d -DTK=%d -DWM=%d -DWN=%d -DBUFFERS=%d -DUNROLL=%d%s", tile->tm,
                           tile->tn, tile->tk, tile->wm, tile->wn, tile->buffers, tile->unroll, limit);
}

MaxglLaunch maxgl_tile_launch(const MaxglTile *tile, const MaxglProduct *product, gsize parts)
{
    const gsize items = tile_items(tile);
    return (MaxglLaunch){
        .dims = 3,
        .global = {ceil_div(product->rows, tile->tm) * items, ceil_div(product->columns, tile->tn), parts},
        .local = {items, 1, 1}};
}

MaxglCut maxgl_tile_cut(const MaxglTile *tile, const MaxglProduct *product)
{
    enum { FEWEST_STEPS = 8 }; /* a part that is shorter spends its time on storing the tile */
    const gsize steps = ceil_div(product->depth, tile->tk);
    const gsize wanted = ceil_div((gsize)tile->groups, maxgl_tile_groups(tile, product));
    const gsize parts = CLAMP(wanted, 1, MAX(steps / FEWEST_STEPS, 1));
    const gsize part_steps = ceil_div(steps, parts);
    return (MaxglCut){.parts = ceil_div(steps, part_steps), .steps = part_steps};
}

MaxglWork maxgl_tile_work(const MaxglTile *t, const MaxglProduct *product, gsize parts)
{
    const double tiles = (double)maxgl_tile_groups(t, product), depth = (double)product->depth;
    const double multiply_adds = tiles * t->tm * t->tn * depth;
    return (MaxglWork){
        .factors = MAXGL_FACTORS_FP32,
        .flops = 2 * multiply_adds,
        .groups = tiles * (double)parts,
        .items = t->tm / t->wm * (t->tn / t->wn),
        .registers = 2 * t->wm * t->wn, /* as many again as sums, see docs/gpus.md */
        .local_bytes = (gsize)t->buffers * t->tk * (gsize)(t->tm + t->tn + 8) * sizeof(float),
        .local_reads = multiply_adds / (t->wm * t->wn) * (t->wm + t->wn) * sizeof(float),
        .fetched = tiles * (t->tm + t->tn) * depth * sizeof(float),
        .launches = 1,
    };
}
