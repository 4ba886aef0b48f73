/* Scores by a multi-layer perceptron on both features. */
#include "ops/pair_plan.h"

double maxgl_concat_macs(const MaxglPairs *pairs)
{
    const double width = pairs->left.c;
    return (double)maxgl_pairs_count(pairs) * (width * width + width);
}

gsize maxgl_concat_kept(MaxglContext *context, const MaxglPairs *pairs)
{
    MaxglPairPlan plan;
    maxgl_pair_plan_init(&plan, context, pairs);
    return (gsize)plan.groups * pairs->left_count * plan.width * plan.word;
}

static void plan_forward(MaxglPairPlan *plan, MaxglContext *context, const MaxglPairs *pairs)
{
    maxgl_pair_plan_init(plan, context, pairs);
    plan->panels = maxgl_pair_plan_place(plan, (gsize)plan->width * plan->width);
    plan->bias2 = maxgl_pair_plan_place(plan, (gsize)plan->width);
    plan->w3 = maxgl_pair_plan_place(plan, (gsize)plan->width);
}

static void plan_backward(MaxglPairPlan *plan, MaxglContext *context, const MaxglPairs *pairs)
{
    maxgl_pair_plan_init(plan, context, pairs);
    const gsize matrix = (gsize)plan->width * plan->width, parts = (gsize)plan->groups * pairs->left_count;
    plan->panels = maxgl_pair_plan_place(plan, matrix);
    plan->dscores = maxgl_pair_plan_place(plan, parts * plan->rows);
    plan->sums = maxgl_pair_plan_place(plan, parts);
    plan->partial_w2 = maxgl_pair_plan_place(plan, plan->splits * matrix);
    plan->partial_bias = maxgl_pair_plan_place(plan, (gsize)plan->splits * plan->width);
    plan->partial_left = maxgl_pair_plan_place(plan, parts * plan->width);
}

gsize maxgl_concat_forward_workspace(MaxglContext *context, const MaxglPairs *pairs)
{
    MaxglPairPlan plan;
    plan_forward(&plan, context, pairs);
    return plan.floats * sizeof(float);
}

gsize maxgl_concat_backward_workspace(MaxglContext *context, const MaxglPairs *pairs)
{
    MaxglPairPlan plan;
    plan_backward(&plan, context, pairs);
    return plan.floats * sizeof(float);
}

gboolean maxgl_concat_forward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                              MaxglConcatWeights weights, cl_mem scores, cl_mem kept, cl_mem workspace,
                              GError **error)
{
    MaxglPairPlan plan;
    plan_forward(&plan, maxgl_sequence_context(sequence), pairs);
    if (!maxgl_pair_plan_check(&plan, error) ||
        !maxgl_pair_plan_pack_features(&plan, sequence, features, workspace, error))
        return FALSE;
    MaxglLaunch pack = maxgl_pair_plan_launch(&plan, "concat_pack_forward", (gsize)plan.width, 1, 1);
    MaxglLaunch run =
        maxgl_pair_plan_launch(&plan, "concat_forward", (gsize)pairs->left_count, (gsize)plan.groups, 1);
    return maxgl_sequence_add(sequence, &pack, error, "mmmiimuuu", weights.w2, weights.bias2, weights.w3,
                              plan.pitch, plan.width, workspace, plan.panels, plan.bias2, plan.w3) &&
           maxgl_sequence_add(sequence, &run, error, "muuuuumiiiimm", workspace, plan.left, plan.right,
                              plan.panels, plan.bias2, plan.w3, weights.bias3, pairs->left_count,
                              pairs->right_count, plan.regions, plan.width, scores, kept);
}

static gboolean backward_weights(const MaxglPairPlan *plan, MaxglSequence *sequence,
                                 MaxglConcatWeights weights, cl_mem kept, MaxglConcatWeights dweights,
                                 gboolean add, cl_mem workspace, GError **error)
{
    const int lefts = plan->pairs->left_count;
    MaxglLaunch sum = maxgl_pair_plan_launch(plan, "concat_backward_w2", (gsize)(plan->width / plan->units),
                                             (gsize)(plan->width / plan->wide), (gsize)plan->splits);
    MaxglLaunch finish =
        maxgl_pair_plan_launch(plan, "concat_backward_weights", (gsize)(plan->width / plan->vector), 1, 1);
    return maxgl_sequence_add(sequence, &sum, error, "mmuuuuuiiii", kept, workspace, plan->left, plan->right,
                              plan->dscores, plan->partial_w2, plan->partial_bias, lefts, plan->groups,
                              plan->width, plan->splits) &&
           maxgl_sequence_add(sequence, &finish, error, "muuuiiimmmimmmmi", workspace, plan->partial_w2,
                              plan->partial_bias, plan->sums, plan->groups * lefts, plan->width, plan->splits,
                              weights.w2, weights.bias2, weights.w3, plan->pitch, dweights.w2, dweights.bias2,
                              dweights.w3, dweights.bias3, add);
}

static gboolean backward_features(const MaxglPairPlan *plan, MaxglSequence *sequence,
                                  MaxglConcatWeights weights, cl_mem kept, MaxglPairFeatures dfeatures,
                                  MaxglPairsAdd add, cl_mem workspace, GError **error)
{
    const int add_left = (add & MAXGL_PAIRS_ADD_LEFT) != 0, add_right = (add & MAXGL_PAIRS_ADD_RIGHT) != 0;
    const MaxglPairs *p = plan->pairs;
    MaxglLaunch pack = maxgl_pair_plan_launch(plan, "concat_pack_backward", (gsize)plan->width, 1, 1);
    MaxglLaunch run = maxgl_pair_plan_launch(plan, "concat_backward_features",
                                             (gsize)(plan->width / plan->units), (gsize)plan->groups, 1);
    MaxglLaunch left = maxgl_pair_plan_launch(plan, "concat_backward_left",
                                              (gsize)(plan->width / plan->vector), (gsize)p->left_count, 1);
    return maxgl_sequence_add(sequence, &pack, error, "mmiimu", weights.w2, weights.w3, plan->pitch,
                              plan->width, workspace, plan->panels) &&
           maxgl_sequence_add(sequence, &run, error, "mmuuuuuiiimiiiii", kept, workspace, plan->left,
                              plan->right, plan->panels, plan->dscores, plan->partial_left, p->left_count,
                              p->right_count, plan->width, dfeatures.right, maxgl_shape_blocks(&p->right),
                              plan->regions, p->right.block, p->right_first, add_right) &&
           maxgl_sequence_add(sequence, &left, error, "muiiimiiii", workspace, plan->partial_left,
                              p->left_count, plan->groups, plan->width, dfeatures.left,
                              maxgl_shape_blocks(&p->left), p->left.block, p->left_first, add_left);
}

gboolean maxgl_concat_backward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                               MaxglConcatWeights weights, cl_mem kept, cl_mem dscores,
                               MaxglPairFeatures dfeatures, MaxglConcatWeights dweights, MaxglPairsAdd add,
                               cl_mem workspace, GError **error)
{
    MaxglPairPlan plan;
    plan_backward(&plan, maxgl_sequence_context(sequence), pairs);
    return maxgl_pair_plan_check(&plan, error) &&
           maxgl_pair_plan_pack_features(&plan, sequence, features, workspace, error) &&
           maxgl_pair_plan_pack_dscores(&plan, sequence, dscores, workspace, error) &&
           backward_weights(&plan, sequence, weights, kept, dweights, (add & MAXGL_PAIRS_ADD_WEIGHTS) != 0,
                            workspace, error) &&
           backward_features(&plan, sequence, weights, kept, dfeatures, add, workspace, error);
}
