#include "ops/pair_scores.h"

#include "ops/pair_plan.h"

enum { ALIGNMENT = 64 /* floats: a multiple of any vector */ };

MaxglPairs maxgl_pairs_of_clips(MaxglShape left, MaxglShape right, int clips, int left_clip, int right_clip)
{
    return (MaxglPairs){
        .left = left,
        .right = right,
        .left_first = left_clip * (left.n / clips),
        .left_count = left.n / clips,
        .right_first = right_clip * (right.n / clips),
        .right_count = right.n / clips,
    };
}

gboolean maxgl_pairs_validate(const MaxglPairs *pairs, GError **error)
{
    const MaxglShape *left = &pairs->left, *right = &pairs->right;
    g_autofree char *left_text = maxgl_shape_text(left), *right_text = maxgl_shape_text(right);
    if (left->c != right->c || left->c < 1 || maxgl_shape_pixels(left) != 1 ||
        maxgl_shape_pixels(right) < 1) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "pair scores: features of shape %s and %s cannot be paired: the first must have one "
                    "pixel, and both the same number of channels",
                    left_text, right_text);
        return FALSE;
    }
    if (pairs->left_first < 0 || pairs->left_count < 1 || pairs->left_first + pairs->left_count > left->n ||
        pairs->right_first < 0 || pairs->right_count < 1 ||
        pairs->right_first + pairs->right_count > right->n) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "pair scores: %d items from %d of %s, %d items from %d of %s: outside the tensors",
                    pairs->left_count, pairs->left_first, left_text, pairs->right_count, pairs->right_first,
                    right_text);
        return FALSE;
    }
    return TRUE;
}

gsize maxgl_pairs_count(const MaxglPairs *pairs)
{
    return maxgl_shape_pixels(&pairs->right) * (gsize)pairs->left_count * (gsize)pairs->right_count;
}

static int tuned(MaxglContext *context, const char *name, int fallback)
{
    return MAX(1, maxgl_tuning_int(context->tuning, "pair_scores", NULL, name, fallback));
}

static gsize round_up(gsize n, gsize to)
{
    return (n + to - 1) / to * to;
}

guint32 maxgl_pair_plan_place(MaxglPairPlan *plan, gsize floats)
{
    const gsize at = plan->floats;
    plan->floats = round_up(at + floats, ALIGNMENT);
    return (guint32)at;
}

void maxgl_pair_plan_init(MaxglPairPlan *plan, MaxglContext *context, const MaxglPairs *pairs)
{
    const int tile = tuned(context, "tile", 8), tiles = tuned(context, "tiles", 1);
    const int vectors = tuned(context, "vectors", 2), unroll = tuned(context, "unroll", 8);
    const int lefts = pairs->left_count;
    *plan = (MaxglPairPlan){
        .pairs = pairs,
        .vector = tuned(context, "vector", 4),
        .tile = tile,
        .wide = tuned(context, "wide", 4),
        .work_group = tuned(context, "group", 32),
        .rows = tile * tiles,
        .regions = (int)maxgl_shape_pixels(&pairs->right),
        .pitch = maxgl_shape_blocks(&pairs->left) * pairs->left.block,
    };
    plan->units = plan->vector * vectors;
    const int right_pitch = maxgl_shape_blocks(&pairs->right) * pairs->right.block;
    plan->width = (int)round_up((gsize)MAX(plan->pitch, right_pitch), (gsize)plan->units);
    plan->groups = (pairs->right_count * plan->regions + plan->rows - 1) / plan->rows;
    plan->word = plan->rows <= 8 ? 1 : plan->rows <= 16 ? 2 : 4;
    /* As many work-items as keep a large device busy; not as many as the device has, so that the order of
     * summation does not depend on it. */
    const int items = plan->width / plan->units * (plan->width / plan->wide);
    plan->splits = CLAMP(tuned(context, "items", 256) / items, 1, lefts * plan->groups);
    g_snprintf(plan->options, sizeof plan->options,
               "-DVECTOR=%d -DTILE=%d -DTILES=%d -DVECTORS=%d -DWIDE=%d -DUNROLL=%d -DWORD=%s", plan->vector,
               tile, tiles, vectors, plan->wide, unroll,
               plan->word == 1   ? "uchar"
               : plan->word == 2 ? "ushort"
                                 : "uint");
    plan->left = maxgl_pair_plan_place(plan, (gsize)lefts * plan->width);
    plan->right = maxgl_pair_plan_place(plan, (gsize)plan->groups * plan->rows * plan->width);
}

gboolean maxgl_pair_plan_check(const MaxglPairPlan *plan, GError **error)
{
    if (!maxgl_pairs_validate(plan->pairs, error))
        return FALSE;
    if (plan->rows > 32 || plan->vector % plan->wide != 0 || ALIGNMENT % plan->vector != 0 ||
        plan->vector < 2 || plan->vector > 16) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "tuning of pair_scores (%s): vector must be 2, 4, 8 or 16, wide a divisor of it, and "
                    "tile · tiles at most 32",
                    plan->options);
        return FALSE;
    }
    if (plan->floats <= G_MAXINT32 && (gsize)plan->groups * plan->pairs->left_count <= G_MAXINT32)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "pair scores: %" G_GSIZE_FORMAT " pairs need %" G_GSIZE_FORMAT
                " floats of scratch memory, at most %d are possible: use a smaller batch or fewer regions",
                maxgl_pairs_count(plan->pairs), plan->floats, G_MAXINT32);
    return FALSE;
}

MaxglLaunch maxgl_pair_plan_launch(const MaxglPairPlan *plan, const char *kernel, gsize x, gsize y, gsize z)
{
    const gsize group = (gsize)plan->work_group;
    return (MaxglLaunch){
        .file = "pair_scores.cl",
        .kernel = kernel,
        .options = plan->options,
        .dims = z > 1   ? 3
                : y > 1 ? 2
                        : 1,
        .global = {round_up(x, group), y, z},
        .local = {group, 1, 1},
    };
}

gboolean maxgl_pair_plan_pack_features(const MaxglPairPlan *plan, MaxglSequence *sequence,
                                       MaxglPairFeatures features, cl_mem workspace, GError **error)
{
    const MaxglPairs *p = plan->pairs;
    const gsize vectors = (gsize)(plan->width / plan->vector);
    MaxglLaunch left =
        maxgl_pair_plan_launch(plan, "pair_scores_pack_left", vectors, (gsize)p->left_count, 1);
    MaxglLaunch right =
        maxgl_pair_plan_launch(plan, "pair_scores_pack_right", vectors, (gsize)plan->groups, 1);
    return maxgl_sequence_add(sequence, &left, error, "miiiimu", features.left, maxgl_shape_blocks(&p->left),
                              p->left.block, p->left_first, plan->width, workspace, plan->left) &&
           maxgl_sequence_add(sequence, &right, error, "miiiiiimu", features.right,
                              maxgl_shape_blocks(&p->right), plan->regions, p->right.block, p->right_first,
                              p->right_count, plan->width, workspace, plan->right);
}

gboolean maxgl_pair_plan_pack_dscores(const MaxglPairPlan *plan, MaxglSequence *sequence, cl_mem dscores,
                                      cl_mem workspace, GError **error)
{
    const int lefts = plan->pairs->left_count;
    MaxglLaunch launch =
        maxgl_pair_plan_launch(plan, "pair_scores_pack_dscores", (gsize)lefts, (gsize)plan->groups, 1);
    return maxgl_sequence_add(sequence, &launch, error, "miiimuu", dscores, lefts, plan->pairs->right_count,
                              plan->regions, workspace, plan->dscores, plan->sums);
}
