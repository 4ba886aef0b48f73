#include "ops/grid.h"

int maxgl_grid_vector(MaxglContext *context, gsize multiple)
{
    const int widest = maxgl_tuning_int(context->tuning, "elementwise", NULL, "vector", 4);
    int vector = 16;
    while (vector > 1 && (vector > widest || multiple % (gsize)vector != 0))
        vector /= 2;
    return vector;
}

void maxgl_grid_items(MaxglContext *context, gsize items, MaxglLaunch *launch)
{
    const gsize group = (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
    launch->dims = 1;
    launch->local[0] = group;
    launch->global[0] = (items + group - 1) / group * group;
}

int maxgl_grid_run(MaxglContext *context, gsize pieces)
{
    const gsize most = (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "items", 0);
    return most > 0 ? (int)MAX(1, (pieces + most - 1) / most) : 1;
}

int maxgl_grid_split(MaxglContext *context, gsize pieces, MaxglLaunch *launch)
{
    const int fewest = maxgl_tuning_int(context->tuning, "elementwise", NULL, "run", 1);
    const int run = MAX(fewest, maxgl_grid_run(context, pieces));
    maxgl_grid_items(context, (pieces + (gsize)run - 1) / (gsize)run, launch);
    return run;
}

int maxgl_grid_groups(MaxglContext *context, gsize groups, MaxglLaunch *launch)
{
    const int lanes = maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
    launch->dims = 1;
    launch->local[0] = (gsize)lanes;
    launch->global[0] = groups * (gsize)lanes;
    return lanes;
}
