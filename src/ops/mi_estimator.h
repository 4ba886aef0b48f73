/* Lower bounds on mutual information from discriminator scores T[r][i][j] (r region, i left item, j right
 * item; pairs with j = i are positive), and their gradients. With P the positive and P̃ the negative pairs,
 * sp(x) = log(1 + eˣ), values in nats:
 *
 *   jsd      E_P[log 2 − sp(−T)] − E_P̃[sp(T) − log 2]    Jensen–Shannon estimate: 0 at T = 0 (Nowozin et al.,
 *                                                         "f-GAN", NeurIPS 2016; Hjelm et al., "Learning deep
 *                                                         representations by mutual information estimation
 *                                                         and maximization", ICLR 2019)
 *   infonce  E_P[T − log Σ_c exp T_c] + log K              over K candidates c: the positive pair and its
 *                                                         negatives; at most log K (van den Oord et al.,
 *                                                         "Representation learning with contrastive
 *                                                         predictive coding", 2018)
 *   dv       E_P[T] − log E_P̃[exp T]                       Donsker–Varadhan (Belghazi et al., "MINE", ICML
 *                                                         2018)
 */
#ifndef MAXGL_OPS_MI_ESTIMATOR_H
#define MAXGL_OPS_MI_ESTIMATOR_H

#include "compute/sequence.h"

typedef enum { MAXGL_MI_JSD, MAXGL_MI_INFONCE, MAXGL_MI_DV } MaxglMiEstimator;

/** "jsd", "infonce", "dv", NULL. */
extern const char *const maxgl_mi_estimator_names[];

/** One term of an objective: what its scores mean and how much it counts. */
typedef struct {
    MaxglMiEstimator estimator;
    int items;   /**< N, left and right items; at least 2 */
    int regions; /**< R, at least 1 */
    /** Negatives of a positive pair (r, i, i). FALSE: those of its region, and the value is the mean of the
     * regions' values. TRUE: those of every region. No difference to jsd. */
    gboolean all_regions;
    /** infonce: the mean of the rows' value (a left item's candidates are right items) and the columns' (a
     * right item's candidates are the N left items, K = N). FALSE: the rows' only. */
    gboolean symmetric;
    double share;  /**< factor of the value: 0.5 where it is one of two that make a mean */
    double weight; /**< the loss is −weight · share · value */
} MaxglMiTerm;

/** MAXGL_ERROR_USAGE if the term has too few items or regions, or a negative weight or share. */
gboolean maxgl_mi_estimator_validate(const MaxglMiTerm *term, GError **error);

/** Candidates K of a row of infonce: N, or 1 + (N − 1)·R with all regions. */
int maxgl_mi_estimator_candidates(const MaxglMiTerm *term);

/** Bytes of scratch memory. */
gsize maxgl_mi_estimator_workspace(const MaxglMiTerm *term);

/**
 * Appends values[slot] = share · value, or += it when @add, and dscores = −weight · share · ∂value/∂T.
 * @scores, @dscores: R·N·N floats in the order r, i, j; @dscores may be NULL (value only) or @scores itself.
 * @values: a small buffer of floats. The order of summation is fixed.
 */
gboolean maxgl_mi_estimator(MaxglSequence *sequence, const MaxglMiTerm *term, cl_mem scores, cl_mem dscores,
                            cl_mem values, int slot, gboolean add, cl_mem workspace, GError **error);

#endif
