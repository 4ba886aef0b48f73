#include "ops/grid.h"

int maxgl_grid_vector(MaxglContext *context, gsize multiple)
{
    const int widest = maxgl_tuning_int(context->tuning, "elementwise", NULL, "vector", 4);
    int vector = 16;
    while (vector > 1 && (vector > widest || multiple % (gsize)vector != 0))
        vector /= 2;
    return vector;
}

static gsize round_up(gsize n, gsize to)
{
    return (n + to - 1) / to * to;
}

int maxgl_grid_split(MaxglContext *context, gsize pieces, MaxglLaunch *launch)
{
    const gsize most = (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "items", 0);
    const gsize fewest = (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "run", 1);
    const gsize group = (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
    const gsize run = MAX(fewest, most > 0 ? (pieces + most - 1) / most : 1);
    launch->dims = 1;
    launch->local[0] = group;
    launch->global[0] = round_up((pieces + run - 1) / run, group);
    return (int)run;
}

int maxgl_grid_groups(MaxglContext *context, gsize chunks, MaxglLaunch *launch)
{
    const int lanes = maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
    launch->dims = 1;
    launch->local[0] = (gsize)lanes;
    launch->global[0] = chunks * (gsize)lanes;
    return lanes;
}
