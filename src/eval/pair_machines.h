/* Same or not: pairs told apart by a linear machine on their similarities, fold by fold. */
#ifndef MAXGL_EVAL_PAIR_MACHINES_H
#define MAXGL_EVAL_PAIR_MACHINES_H

#include <glib.h>

/** Pairs with what is known of them. Borrowed. */
typedef struct {
    gsize n;
    int length;                 /**< similarities of a pair */
    const double *similarities; /**< [n × length] */
    const gboolean *same;       /**< [n] the truth */
    const int *folds;           /**< [n] 0 … n_folds − 1 */
    int n_folds;                /**< at least 2 */
    gboolean last_only;         /**< test the last fold alone (View 1), not each in turn (View 2) */
} MaxglPairTable;

/** One fold tested. */
typedef struct {
    gsize pairs, correct;
    double accuracy, auc;
} MaxglPairFold;

/** A point of the ROC: false and true positives' share. */
typedef struct {
    double false_positive, true_positive;
} MaxglRocPoint;

/** What came of it. */
typedef struct {
    int n_folds;           /**< tested */
    MaxglPairFold *folds;  /**< [n_folds] */
    gsize pairs, correct;  /**< of all folds */
    double accuracy;       /**< mean over the folds */
    double standard_error; /**< of that mean: the folds' deviation (n − 1) / √n; 0 of a single fold */
    double auc;            /**< of all tested pairs together */
    GArray *roc;           /**< of MaxglRocPoint, of all tested pairs, from (0, 0) to (1, 1) */
} MaxglPairScore;

/**
 * For each fold to be tested: similarities standardised to mean 0 and deviation 1 on the other folds (those
 * that never change there are left out), a linear SVM (eval/linear_svm.h) with regularisation @c trained on
 * these, and each pair of the fold called "same" where its value is above 0.
 * #MAXGL_ERROR_USAGE: a fold to test is empty, or what is to be trained on has not both kinds of pairs.
 * #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglPairScore *maxgl_pair_machines(const MaxglPairTable *table, double c, GError **error);

void maxgl_pair_score_free(MaxglPairScore *score);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglPairScore, maxgl_pair_score_free)

/** Area under the ROC: how often a pair of the same has the larger value than one that is not, equal ones
 * counting half; 0.5 without pairs of both kinds. @roc (NULL: not wanted) gets its points, a few hundred at
 * most. */
double maxgl_roc(const double *values, const gboolean *same, gsize n, GArray *roc);

#endif
