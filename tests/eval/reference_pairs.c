#include "reference_pairs.h"

#include "reference_svm.h"

#include <math.h>
#include <string.h>

/* The positive part of each number, then the size of each negative part. */
static double *histogram(const float *x, int n)
{
    double *h = g_new0(double, 2 * n);
    for (int i = 0; i < n; i++)
        h[x[i] < 0 ? n + i : i] = fabs((double)x[i]);
    return h;
}

static double quotient(double x, double y)
{
    return y == 0 ? 0 : x / y;
}

static double pearson(const float *a, const float *b, int n)
{
    long double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        ma += a[i];
        mb += b[i];
    }
    for (int i = 0; i < n; i++) {
        ab += (a[i] - ma / n) * (b[i] - mb / n);
        aa += (a[i] - ma / n) * (a[i] - ma / n);
        bb += (b[i] - mb / n) * (b[i] - mb / n);
    }
    return aa < 1e-25L || bb < 1e-25L ? 0 : (double)(ab / sqrtl(aa * bb));
}

static double divergence(const double *p, const double *q, int n)
{
    double sum = 0, sum_p = 0, sum_q = 0;
    for (int i = 0; i < n; i++) {
        sum_p += p[i];
        sum_q += q[i];
    }
    for (int i = 0; i < n; i++) {
        const double x = quotient(p[i], sum_p), y = quotient(q[i], sum_q), m = (x + y) / 2;
        sum += (x > 0 ? x * (log(x) - log(m)) : 0) / 2 + (y > 0 ? y * (log(y) - log(m)) : 0) / 2;
    }
    return sum;
}

void reference_similarities(const float *a, const float *b, int n, double out[REFERENCE_MEASURES])
{
    g_autofree double *p = histogram(a, n), *q = histogram(b, n);
    double low = 0, high = 0, sizes = 0;
    memset(out, 0, sizeof *out * REFERENCE_MEASURES);
    for (int i = 0; i < 2 * n; i++) {
        out[1] += sqrt(p[i] * q[i]);
        low += fmin(p[i], q[i]);
        high += fmax(p[i], q[i]);
        sizes += p[i] + q[i];
    }
    out[2] = low;
    out[3] = high == 0 ? 1 : low / high;
    out[4] = pearson(a, b, n);
    for (int i = 0; i < n; i++) {
        const double x = a[i], y = b[i];
        out[0] += x * y;
        out[5] += fabs(x - y);
        out[6] += pow(x - y, 2);
        out[7] = fmax(out[7], fabs(x - y));
        out[8] += quotient(pow(x - y, 2), fabs(x) + fabs(y));
        out[9] += quotient(fabs(x - y), fabs(x) + fabs(y));
    }
    out[6] = sqrt(out[6]);
    out[10] = quotient(out[5], sizes);
    out[11] = divergence(p, q, 2 * n);
}

double reference_auc(const double *values, const gboolean *same, gsize n)
{
    double wins = 0, couples = 0;
    for (gsize i = 0; i < n; i++)
        for (gsize j = 0; j < n; j++)
            if (same[i] && !same[j]) {
                couples++;
                wins += values[i] > values[j] ? 1 : values[i] == values[j] ? 0.5 : 0;
            }
    return wins / couples;
}

/* Values of the pairs of @tested, in their order, go to @values. */
static void values_of_fold(const double *table, const gboolean *same, const int *fold, gsize n, int length,
                           int tested, double c, double *values)
{
    g_autofree double *x = g_new(double, n *(gsize)length), *all = g_new(double, n *(gsize)length);
    g_autofree int *y = g_new(int, n);
    gsize m = 0;
    for (gsize i = 0; i < n; i++)
        m += fold[i] != tested;
    for (int k = 0; k < length; k++) {
        double sum = 0, squares = 0;
        for (gsize i = 0; i < n; i++)
            sum += fold[i] != tested ? table[i * (gsize)length + (gsize)k] : 0;
        for (gsize i = 0; i < n; i++)
            squares += fold[i] != tested ? pow(table[i * (gsize)length + (gsize)k] - sum / (double)m, 2) : 0;
        for (gsize i = 0; i < n; i++)
            all[i * (gsize)length + (gsize)k] =
                quotient(table[i * (gsize)length + (gsize)k] - sum / (double)m, sqrt(squares / (double)m));
    }
    m = 0;
    for (gsize i = 0; i < n; i++)
        if (fold[i] != tested) {
            memcpy(x + m * (gsize)length, all + i * (gsize)length, sizeof *x * (gsize)length);
            y[m++] = same[i] ? 1 : -1;
        }
    g_autofree double *w = reference_svm(x, y, m, length, c);
    for (gsize i = 0; i < n; i++)
        if (fold[i] == tested)
            *values++ = reference_svm_value(w, all + i * (gsize)length, length);
}

ReferenceScore reference_pairs(const double *table, const gboolean *same, const int *fold, gsize n,
                               int length, int first, int folds, double c)
{
    g_autofree double *values = g_new(double, n), *accuracies = g_new0(double, folds);
    g_autofree gboolean *truth = g_new(gboolean, n);
    ReferenceScore score = {0};
    const int tested = folds - first;
    gsize done = 0;
    for (int f = first; f < folds; f++) {
        const gsize before = done;
        values_of_fold(table, same, fold, n, length, f, c, values + done);
        for (gsize i = 0; i < n; i++)
            if (fold[i] == f) {
                truth[done] = same[i];
                accuracies[f] += (values[done] > 0) == (same[i] != 0);
                done++;
            }
        accuracies[f] /= (double)(done - before);
        score.accuracy += accuracies[f] / tested;
    }
    for (int f = first; f < folds && tested > 1; f++)
        score.standard_error += pow(accuracies[f] - score.accuracy, 2) / (tested - 1) / tested;
    score.standard_error = sqrt(score.standard_error);
    score.auc = reference_auc(values, truth, done);
    return score;
}
