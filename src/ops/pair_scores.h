/* Discriminator scores of all pairs of a left feature (a clip's global feature) and a right feature (another
 * clip's global feature, or the features of its regions), and their gradients.
 *
 *   concat:  T[r][i][j] = w3 · relu(W2ᵀ · relu(a_i + b_{j,r}) + β2) + β3
 *   dot:     T[r][i][j] = scale · ⟨a_i, b_{j,r}⟩
 *
 * In concat, a and b are the two halves of the first layer of a multi-layer perceptron on a pair g‖l, already
 * applied by the caller: W1·[g; l] + β1 = (W_g·g + β1) + W_l·l. A pair only adds them. The hidden tensors of
 * all pairs are never stored: the forward pass keeps one bit for each pair and unit of the second hidden
 * layer (whether it is above zero), which is all that the backward pass needs of it.
 *
 * Scores and their gradients are plain arrays of floats in the order r, i, j; i counts left items, j right
 * items, r the R = t·h·w regions of a right item in the tensor's order of pixels.
 */
#ifndef MAXGL_OPS_PAIR_SCORES_H
#define MAXGL_OPS_PAIR_SCORES_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** Which rows of two feature tensors are paired. No copies: both sides may be parts of larger batches, of the
 * same one too. */
typedef struct {
    MaxglShape left;              /**< features a: c = D, one pixel; any block */
    MaxglShape right;             /**< features b: c = D, R = t·h·w regions; any block */
    int left_first, left_count;   /**< the items i of the left tensor: left_first … + left_count − 1 */
    int right_first, right_count; /**< the items j of the right tensor */
} MaxglPairs;

/**
 * The pairs of a batch of N videos with @clips clips each, first clips of all videos, then second clips of
 * all, …: left items are clip number @left_clip of each video, of @left; right items clip @right_clip, of
 * @right. Of two clips, Global-MI is (0, 1); Local-MI with the regions of the same clip (0, 0) and (1, 1),
 * with those of the video's other clip (0, 1) and (1, 0).
 */
MaxglPairs maxgl_pairs_of_clips(MaxglShape left, MaxglShape right, int clips, int left_clip, int right_clip);

/** MAXGL_ERROR_USAGE if the widths differ, the left side has more than one pixel, or items are outside. */
gboolean maxgl_pairs_validate(const MaxglPairs *pairs, GError **error);

/** Scores: R · left_count · right_count. */
gsize maxgl_pairs_count(const MaxglPairs *pairs);

/** The features, or their gradients. */
typedef struct {
    cl_mem left;  /**< a tensor of shape pairs->left */
    cl_mem right; /**< a tensor of shape pairs->right */
} MaxglPairFeatures;

/** Parameters of concat behind its first layer, or their gradients. Vectors are ⌈D/b⌉·b floats, b being the
 * left side's block; padding is zero, in gradients too. */
typedef struct {
    cl_mem w2; /**< D → D as weights of ops/linear.h with blocks b: [⌈D/b⌉·b in][⌈D/b⌉·b out] */
    cl_mem bias2; /**< a vector */
    cl_mem w3;    /**< a vector */
    cl_mem bias3; /**< float 0 is it; others are not touched */
} MaxglConcatWeights;

/** What a backward pass adds to instead of overwriting. */
typedef enum {
    MAXGL_PAIRS_OVERWRITE = 0,
    MAXGL_PAIRS_ADD_LEFT =
        1 << 0, /**< gradients of the left items that take part; others are never touched */
    MAXGL_PAIRS_ADD_RIGHT = 1 << 1,   /**< the same of the right items */
    MAXGL_PAIRS_ADD_WEIGHTS = 1 << 2, /**< gradients of the weights */
} MaxglPairsAdd;

/** Multiply-adds of the forward pass of concat: scores · (D·D + D); the backward pass does twice that. */
double maxgl_concat_macs(const MaxglPairs *pairs);

/** Bytes that the forward pass of concat keeps for the backward pass: about scores · D / 8. */
gsize maxgl_concat_kept(MaxglContext *context, const MaxglPairs *pairs);

/** Bytes of scratch memory. */
gsize maxgl_concat_forward_workspace(MaxglContext *context, const MaxglPairs *pairs);
gsize maxgl_concat_backward_workspace(MaxglContext *context, const MaxglPairs *pairs);

/** Appends the scores of concat. @kept: maxgl_concat_kept() bytes, or NULL if no backward pass follows. */
gboolean maxgl_concat_forward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                              MaxglConcatWeights weights, cl_mem scores, cl_mem kept, cl_mem workspace,
                              GError **error);

/**
 * Appends the gradients of concat. @features, @weights and @kept as the forward pass had or left them;
 * @dscores: gradient with respect to its scores. All orders of summation are fixed. The workspace may be the
 * forward pass's, and nothing in it need survive from there to here.
 */
gboolean maxgl_concat_backward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                               MaxglConcatWeights weights, cl_mem kept, cl_mem dscores,
                               MaxglPairFeatures dfeatures, MaxglConcatWeights dweights, MaxglPairsAdd add,
                               cl_mem workspace, GError **error);

/** Bytes of scratch memory of either pass of dot. */
gsize maxgl_dot_workspace(MaxglContext *context, const MaxglPairs *pairs);

/** Appends the scores of dot. */
gboolean maxgl_dot_forward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                           double scale, cl_mem scores, cl_mem workspace, GError **error);

/** Appends the gradients of dot with respect to the features. */
gboolean maxgl_dot_backward(MaxglSequence *sequence, const MaxglPairs *pairs, MaxglPairFeatures features,
                            double scale, cl_mem dscores, MaxglPairFeatures dfeatures, MaxglPairsAdd add,
                            cl_mem workspace, GError **error);

#endif
