/* Scores by a dot product. */
#include "ops/pair_plan.h"

static void plan_dot(MaxglPairPlan *plan, MaxglContext *context, const MaxglPairs *pairs)
{
    maxgl_pair_plan_init(plan, context, pairs);
    const gsize parts = (gsize)plan->groups * pairs->left_count;
    plan->dscores = maxgl_pair_plan_place(plan, parts * plan->rows);
    plan->sums = maxgl_pair_plan_place(plan, parts);
}

gsize maxgl_dot_workspace(MaxglContext *context, const MaxglPairs *pairs)
{
    MaxglPairPlan plan;
    plan_dot(&plan, context, pairs);
    return plan.floats * sizeof(float);
}

gboolean maxgl_dot_forward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                           double scale, cl_mem scores, cl_mem workspace, GError **error)
{
    MaxglPairPlan plan;
    plan_dot(&plan, maxgl_sequence_context(sequence), pairs);
    if (!maxgl_pair_plan_check(&plan, error) ||
        !maxgl_pair_plan_pack_features(&plan, sequence, features, workspace, error))
        return FALSE;
    MaxglLaunch launch =
        maxgl_pair_plan_launch(&plan, "dot_forward", (gsize)pairs->left_count, (gsize)plan.groups, 1);
    return maxgl_sequence_add(sequence, &launch, error, "muuiiiifm", workspace, plan.left, plan.right,
                              pairs->left_count, pairs->right_count, plan.regions, plan.width, scale, scores);
}

gboolean maxgl_dot_backward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                            double scale, cl_mem dscores, MaxglPairFeatures dfeatures, MaxglPairsAdd add,
                            cl_mem workspace, GError **error)
{
    MaxglPairPlan plan;
    plan_dot(&plan, maxgl_sequence_context(sequence), pairs);
    if (!maxgl_pair_plan_check(&plan, error) ||
        !maxgl_pair_plan_pack_features(&plan, sequence, features, workspace, error) ||
        !maxgl_pair_plan_pack_dscores(&plan, sequence, dscores, workspace, error))
        return FALSE;
    const gsize vectors = (gsize)(plan.width / plan.vector);
    const gsize left_tiles = (gsize)((pairs->left_count + plan.tile - 1) / plan.tile);
    const int add_left = (add & MAXGL_PAIRS_ADD_LEFT) != 0, add_right = (add & MAXGL_PAIRS_ADD_RIGHT) != 0;
    MaxglLaunch left = maxgl_pair_plan_launch(&plan, "dot_backward_left", vectors, left_tiles, 1);
    MaxglLaunch right = maxgl_pair_plan_launch(&plan, "dot_backward_right", vectors, (gsize)plan.groups, 1);
    return maxgl_sequence_add(sequence, &left, error, "muuiiifmiiii", workspace, plan.right, plan.dscores,
                              pairs->left_count, plan.groups, plan.width, scale, dfeatures.left,
                              maxgl_shape_blocks(&pairs->left), pairs->left.block, pairs->left_first,
                              add_left) &&
           maxgl_sequence_add(sequence, &right, error, "muuiiifmiiiii", workspace, plan.left, plan.dscores,
                              pairs->left_count, pairs->right_count, plan.width, scale, dfeatures.right,
                              maxgl_shape_blocks(&pairs->right), plan.regions, pairs->right.block,
                              pairs->right_first, add_right);
}
