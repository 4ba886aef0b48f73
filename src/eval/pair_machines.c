#include "eval/pair_machines.h"

#include "base/interrupt.h"
#include "eval/linear_svm.h"

#include <math.h>
#include <maxgl/error.h>

#define ROC_POINTS 400 /* about the most that are kept */

/* ---------------- ROC ---------------- */

static int compare_values(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const double *values = user_data;
    const double x = values[*(const gsize *)a], y = values[*(const gsize *)b];
    return (x < y) - (x > y); /* the largest first */
}

double maxgl_roc(const double *values, const gboolean *same, gsize n, GArray *roc)
{
    g_autofree gsize *order = g_new(gsize, n);
    gsize positives = 0, right = 0, wrong = 0;
    for (gsize i = 0; i < n; i++) {
        order[i] = i;
        positives += same[i] != 0;
    }
    const gsize negatives = n - positives, stride = 1 + n / ROC_POINTS;
    g_qsort_with_data(order, (int)n, sizeof *order, compare_values, (gpointer)values);
    double area = 0;
    MaxglRocPoint point = {0, 0};
    gsize last = 0;
    if (roc)
        g_array_append_val(roc, point);
    for (gsize i = 0; i < n && positives > 0 && negatives > 0;) {
        const gsize wrong_before = wrong, right_before = right;
        const double value = values[order[i]];
        for (; i < n && values[order[i]] == value; i++) { /* equal ones at once: a slope */
            right += same[order[i]] != 0;
            wrong += same[order[i]] == 0;
        }
        area += (double)(wrong - wrong_before) * (double)(right + right_before) / 2;
        point = (MaxglRocPoint){(double)wrong / (double)negatives, (double)right / (double)positives};
        if (roc && (i - last >= stride || i == n)) {
            g_array_append_val(roc, point);
            last = i;
        }
    }
    return positives > 0 && negatives > 0 ? area / ((double)positives * (double)negatives) : 0.5;
}

/* ---------------- machines ---------------- */

/* The similarities of all pairs, standardised on the @n pairs @rows. */
static MaxglSvmSet *standardise(const MaxglPairTable *t, const gsize *rows, gsize n)
{
    const gsize length = (gsize)t->length;
    g_autofree double *vectors = g_new(double, t->n *length);
    for (gsize i = 0; i < length; i++) {
        double mean = 0, squares = 0;
        for (gsize r = 0; r < n; r++)
            mean += t->similarities[rows[r] * length + i] / (double)n;
        for (gsize r = 0; r < n; r++) {
            const double d = t->similarities[rows[r] * length + i] - mean;
            squares += d * d;
        }
        const double deviation = sqrt(squares / (double)n);
        const gboolean varies = deviation > 1e-9 * fabs(mean) + 1e-30;
        for (gsize p = 0; p < t->n; p++)
            vectors[p * length + i] = varies ? (t->similarities[p * length + i] - mean) / deviation : 0;
    }
    return maxgl_svm_set_new(vectors, t->n, t->length);
}

/* The pairs of @fold go to @tested, all others to @trained (of View 1 the one other part). */
static gboolean divide(const MaxglPairTable *t, int fold, gsize *trained, gsize *n_trained, gsize *tested,
                       gsize *n_tested, GError **error)
{
    gsize same = 0;
    *n_trained = *n_tested = 0;
    for (gsize p = 0; p < t->n; p++) {
        if (t->folds[p] == fold) {
            tested[(*n_tested)++] = p;
        } else {
            trained[(*n_trained)++] = p;
            same += t->same[p] != 0;
        }
    }
    if (*n_tested > 0 && same > 0 && same < *n_trained)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                *n_tested == 0 ? "fold %d has no pair to test"
                               : "the pairs to train on for fold %d are all of one kind",
                fold + 1);
    return FALSE;
}

/* Tests one fold: values of its pairs and their truth are put behind those of the folds before. */
static gboolean test_fold(const MaxglPairTable *t, int fold, double c, MaxglPairFold *result, double *values,
                          gboolean *same, GError **error)
{
    g_autofree gsize *trained = g_new(gsize, t->n), *tested = g_new(gsize, t->n);
    g_autofree int *labels = g_new(int, t->n);
    gsize n_trained;
    if (!maxgl_interrupt_check(error) || !divide(t, fold, trained, &n_trained, tested, &result->pairs, error))
        return FALSE;
    for (gsize p = 0; p < t->n; p++)
        labels[p] = t->same[p] != 0;
    g_autoptr(MaxglSvmSet) set = standardise(t, trained, n_trained);
    g_autoptr(MaxglSvm) svm = maxgl_svm_train(set, labels, trained, n_trained, c);
    for (gsize i = 0; i < result->pairs; i++) {
        values[i] = maxgl_svm_value(svm, set, tested[i]);
        same[i] = labels[tested[i]];
        result->correct += (values[i] > 0) == same[i];
    }
    result->accuracy = (double)result->correct / (double)result->pairs;
    result->auc = maxgl_roc(values, same, result->pairs, NULL);
    return TRUE;
}

MaxglPairScore *maxgl_pair_machines(const MaxglPairTable *t, double c, GError **error)
{
    g_autoptr(MaxglPairScore) score = g_new0(MaxglPairScore, 1);
    g_autofree double *values = g_new(double, t->n);
    g_autofree gboolean *same = g_new(gboolean, t->n);
    const int first = t->last_only ? t->n_folds - 1 : 0;
    score->n_folds = t->n_folds - first;
    score->folds = g_new0(MaxglPairFold, score->n_folds);
    score->roc = g_array_new(FALSE, FALSE, sizeof(MaxglRocPoint));
    for (int i = 0; i < score->n_folds; i++) {
        MaxglPairFold *fold = &score->folds[i];
        if (!test_fold(t, first + i, c, fold, values + score->pairs, same + score->pairs, error))
            return NULL;
        score->pairs += fold->pairs;
        score->correct += fold->correct;
        score->accuracy += fold->accuracy / score->n_folds;
    }
    double squares = 0;
    for (int i = 0; i < score->n_folds; i++)
        squares +=
            (score->folds[i].accuracy - score->accuracy) * (score->folds[i].accuracy - score->accuracy);
    if (score->n_folds > 1)
        score->standard_error = sqrt(squares / (score->n_folds - 1) / score->n_folds);
    score->auc = maxgl_roc(values, same, score->pairs, score->roc);
    return g_steal_pointer(&score);
}

void maxgl_pair_score_free(MaxglPairScore *score)
{
    if (!score)
        return;
    if (score->roc)
        g_array_unref(score->roc);
    g_free(score->folds);
    g_free(score);
}
