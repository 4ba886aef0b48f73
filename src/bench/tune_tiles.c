#include "bench/tune_tiles.h"

#include <math.h>
#include <string.h>

static const char *const of_products[] = {"TM", "TN", "TK", "WM", "WN", "BUFFERS", "UNROLL", NULL};
static const char *const of_units[] = {"TM", "TN", "WM", "WN", "BUFFERS", NULL};

/* For work-items that each make a part (WM × WN) of the tile; zeros end the list. */
static const int products[][MAXGL_TUNE_TILE_NAMES] = {
    {128, 128, 8, 8, 8, 2, 8}, {128, 128, 16, 8, 8, 1, 4}, {128, 128, 16, 8, 8, 2, 4},
    {128, 128, 8, 8, 8, 1, 8}, {128, 64, 8, 8, 8, 2, 8},   {128, 64, 16, 8, 8, 1, 4},
    {128, 64, 16, 8, 4, 2, 4}, {64, 128, 8, 8, 8, 2, 8},   {64, 128, 16, 4, 8, 2, 4},
    {64, 128, 16, 8, 8, 1, 4}, {64, 64, 8, 8, 8, 2, 8},    {64, 64, 16, 8, 8, 1, 4},
    {64, 64, 16, 8, 4, 2, 4},  {64, 64, 16, 4, 4, 1, 4},   {64, 64, 16, 4, 4, 2, 4},
    {64, 256, 8, 8, 8, 2, 8},  {32, 128, 16, 4, 8, 1, 4},  {32, 64, 16, 4, 4, 2, 4},
    {64, 32, 16, 4, 4, 2, 4},  {32, 32, 32, 4, 4, 1, 4},   {0},
};

/* For waves that each make a part (WM × WN). */
static const int units[][MAXGL_TUNE_TILE_NAMES] = {
    {128, 128, 64, 64, 2},
    {128, 128, 64, 64, 1},
    {64, 128, 64, 64, 2},
    {64, 256, 64, 64, 2},
    {128, 256, 64, 64, 2},
    {256, 128, 64, 64, 2},
    {128, 64, 64, 64, 2},
    {128, 64, 64, 32, 2},
    {128, 64, 64, 32, 1},
    {128, 128, 64, 32, 2},
    {128, 128, 32, 64, 2},
    {64, 64, 32, 32, 2},
    {64, 64, 32, 32, 1},
    {64, 128, 32, 32, 2},
    {128, 64, 32, 32, 2},
    {64, 64, 64, 32, 2},
    {64, 64, 32, 64, 2},
    {32, 128, 32, 32, 2},
    {64, 32, 32, 16, 1},
    {64, 64, 16, 16, 1},
    {64, 64, 32, 16, 1},
    {128, 64, 32, 8, 1},
    {0},
};

static const char *value_tried(const GPtrArray *tried, const MaxglTuneTile *tile, const char *shape,
                               const char *name)
{
    for (guint i = 0; i < tried->len; i++) {
        const MaxglTuningSetting *t = g_ptr_array_index(tried, i);
        if (g_str_equal(t->kernel, tile->kernel) && !g_strcmp0(t->shape, shape) && g_str_equal(t->name, name))
            return t->value;
    }
    return NULL;
}

/* What the model says of the pass with @tile; infinite if that is no tile. */
static double time_with(MaxglContext *context, const MaxglModel *model, const MaxglConv3d *conv,
                        MaxglConv3dPass pass, const MaxglTuneTile *tile, const char *shape)
{
    g_autoptr(GPtrArray) before = maxgl_tuning_tried(context->tuning);
    for (int i = 0; tile->names[i]; i++) {
        g_autofree char *value = g_strdup_printf("%d", tile->values[i]);
        maxgl_tuning_try(context->tuning, tile->kernel, shape, tile->names[i], value);
    }
    MaxglWork work;
    const gboolean is_tile = maxgl_conv3d_work(context, conv, pass, &work);
    for (int i = 0; tile->names[i]; i++)
        maxgl_tuning_try(context->tuning, tile->kernel, shape, tile->names[i],
                         value_tried(before, tile, shape, tile->names[i]));
    if (!is_tile)
        return INFINITY;
    return model ? maxgl_model_time(model, &work) : 0;
}

static int by_time(gconstpointer a, gconstpointer b)
{
    const MaxglTuneTile *x = a, *y = b;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

GArray *maxgl_tune_tiles(MaxglContext *context, const MaxglModel *model, const MaxglConv3d *conv,
                         MaxglConv3dPass pass, const char *kernel, const char *shape, guint *left_out)
{
    const gboolean is_units = g_str_equal(kernel, "conv3d_mma");
    const int(*values)[MAXGL_TUNE_TILE_NAMES] = is_units ? units : products;
    const char *const *names = is_units ? of_units : of_products;
    GArray *tiles = g_array_new(FALSE, FALSE, sizeof(MaxglTuneTile));
    double best = INFINITY;
    for (; (*values)[0]; values++) {
        MaxglTuneTile tile = {.kernel = kernel};
        memcpy(tile.values, *values, sizeof tile.values);
        for (int i = 0; names[i]; i++)
            tile.names[i] = names[i];
        tile.predicted = time_with(context, model, conv, pass, &tile, shape);
        best = MIN(best, tile.predicted);
        if (isfinite(tile.predicted))
            g_array_append_val(tiles, tile);
    }
    g_array_sort(tiles, by_time);
    guint hopeful = 0;
    while (hopeful < tiles->len) {
        const double seconds = g_array_index(tiles, MaxglTuneTile, hopeful).predicted;
        if (seconds > (1 + MAXGL_TUNE_TILE_HOPE) * best || seconds > MAXGL_TUNE_TILE_WATCHDOG)
            break;
        hopeful++;
    }
    *left_out += tiles->len - hopeful;
    return g_array_set_size(tiles, hopeful);
}
