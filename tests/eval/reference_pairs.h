/* Action similarity by the book: measures from their definitions on histograms, machines by
 * reference_svm(). */
#ifndef TESTS_EVAL_REFERENCE_PAIRS_H
#define TESTS_EVAL_REFERENCE_PAIRS_H

#include <glib.h>

#define REFERENCE_MEASURES 12

/** The measures of eval/similarity.h, in its order. */
void reference_similarities(const float *a, const float *b, int n, double out[REFERENCE_MEASURES]);

/** What comes of folds. */
typedef struct {
    double accuracy, standard_error, auc;
} ReferenceScore;

/** Each of the folds @first … @folds − 1 tested in turn: @table is [n × length], similarities not yet
 * standardised. */
ReferenceScore reference_pairs(const double *table, const gboolean *same, const int *fold, gsize n,
                               int length, int first, int folds, double c);

/** AUC by counting all couples. */
double reference_auc(const double *values, const gboolean *same, gsize n);

#endif
