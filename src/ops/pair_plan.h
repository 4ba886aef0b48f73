/* What the passes of pair scores have in common: tile sizes, packed sizes, places in the workspace. The
 * layouts are told in cl/pair_scores.cl. */
#ifndef MAXGL_OPS_PAIR_PLAN_H
#define MAXGL_OPS_PAIR_PLAN_H

#include "ops/pair_scores.h"

typedef struct {
    const MaxglPairs *pairs;
    int vector, tile, wide, work_group;
    int rows;    /**< right rows in a group */
    int units;   /**< columns in a panel of weights */
    int width;   /**< D padded to whole panels and blocks */
    int groups;  /**< of right rows */
    int regions; /**< R */
    int pitch;   /**< ⌈D/b⌉·b, the size of vectors of parameters */
    int word;    /**< bytes that hold a bit for each row of a group */
    int splits;  /**< pieces of the sum over all pairs, each of which is kept apart */
    char options[256];
    gsize floats;         /**< of the workspace so far */
    guint32 left, right;  /**< packed features */
    guint32 panels;       /**< packed w2 */
    guint32 bias2, w3;    /**< padded */
    guint32 dscores;      /**< packed */
    guint32 sums;         /**< of each group's dscores */
    guint32 partial_w2;   /**< a matrix a split */
    guint32 partial_bias; /**< a vector a split */
    guint32 partial_left; /**< gradients of left features by group */
} MaxglPairPlan;

/** Chooses sizes and places the packed features. */
void maxgl_pair_plan_init(MaxglPairPlan *plan, MaxglContext *context, const MaxglPairs *pairs);

/** The next @floats of the workspace; returns where they start. */
guint32 maxgl_pair_plan_place(MaxglPairPlan *plan, gsize floats);

/** MAXGL_ERROR_USAGE if the pairs are none, MAXGL_ERROR_LIMIT if the workspace is beyond what kernels can
 * address. To be asked before anything is appended. */
gboolean maxgl_pair_plan_check(const MaxglPairPlan *plan, GError **error);

/** A launch of at least @x × @y × @z work-items. Borrows @plan's options. */
MaxglLaunch maxgl_pair_plan_launch(const MaxglPairPlan *plan, const char *kernel, gsize x, gsize y, gsize z);

/** Appends packing the features; the gradient of scores. */
gboolean maxgl_pair_plan_pack_features(const MaxglPairPlan *plan, MaxglSequence *sequence,
                                       MaxglPairFeatures features, cl_mem workspace, GError **error);
gboolean maxgl_pair_plan_pack_dscores(const MaxglPairPlan *plan, MaxglSequence *sequence, cl_mem dscores,
                                      cl_mem workspace, GError **error);

#endif
