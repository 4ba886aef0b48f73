#include "ops/plane.h"

#include "ops/grid.h"

MaxglPlanes maxgl_planes(MaxglContext *context, const char *kernel, const MaxglShape *shape)
{
    const int group = maxgl_tuning_int(context->tuning, kernel, NULL, "group", 64);
    const int pixels = maxgl_tuning_int(context->tuning, kernel, NULL, "pixels", 16);
    const int all = (int)maxgl_shape_pixels(shape);

    MaxglPlanes p = {.vector = maxgl_grid_vector(context, (gsize)shape->block)};
    const int vectors = shape->block / p.vector;
    /* On a device with work-groups of one, columns have groups of their own. */
    p.columns = MIN(vectors, group);
    while (vectors % p.columns != 0)
        p.columns--;
    p.column_groups = vectors / p.columns;
    p.lanes = 1;
    while (p.lanes * 2 * p.columns <= group)
        p.lanes *= 2;
    p.chunk = MIN(p.lanes * pixels, all);
    p.chunks = (all + p.chunk - 1) / p.chunk;
    p.blocks = maxgl_shape_blocks(shape);
    /* Work-items alone do not care how many pixels are theirs. */
    g_autofree char *most = p.lanes > 1 ? g_strdup_printf(" -DPIXELS=%d", pixels) : g_strdup("");
    g_snprintf(p.options, sizeof p.options, "-DVECTOR=%d -DBLOCK=%d -DCOLUMNS=%d -DLANES=%d%s", p.vector,
               shape->block, p.columns, p.lanes, most);
    g_autofree char *storage = maxgl_storage_option("X_STORAGE", shape->storage);
    g_strlcat(p.options, storage, sizeof p.options);
    return p;
}

void maxgl_planes_launch_groups(const MaxglPlanes *planes, gsize groups, gsize rows, MaxglLaunch *launch)
{
    launch->dims = 3;
    launch->local[0] = (gsize)planes->columns;
    launch->local[1] = (gsize)planes->lanes;
    launch->local[2] = 1;
    launch->global[0] = (gsize)planes->columns * (gsize)planes->column_groups;
    launch->global[1] = (gsize)planes->lanes * groups;
    launch->global[2] = rows;
}

void maxgl_planes_launch(const MaxglPlanes *planes, int n, MaxglLaunch *launch)
{
    maxgl_planes_launch_groups(planes, (gsize)planes->chunks, (gsize)n * (gsize)planes->blocks, launch);
}
