#include "eval/similarity.h"

#include <math.h>

const char *const maxgl_similarity_names[MAXGL_SIMILARITIES] = {
    "dot", "hellinger", "intersection", "ruzicka",  "correlation", "l1",
    "l2",  "chebyshev", "chi2",         "canberra", "bray-curtis", "jensen-shannon"};

static double ratio(double x, double y)
{
    return y > 0 ? x / y : 0;
}

static double correlation(const float *a, const float *b, int n)
{
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        mean_a += (double)a[i] / n;
        mean_b += (double)b[i] / n;
    }
    for (int i = 0; i < n; i++) {
        const double x = a[i] - mean_a, y = b[i] - mean_b;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    /* What rounding leaves of numbers that are all the same is no deviation. */
    const gboolean varied = aa > 1e-20 * n * mean_a * mean_a && bb > 1e-20 * n * mean_b * mean_b;
    return varied ? ratio(ab, sqrt(aa) * sqrt(bb)) : 0;
}

/* p ln(2p / (p + q)) */
static double information(double p, double q)
{
    return p > 0 ? p * log(2 * p / (p + q)) : 0;
}

static double jensen_shannon(const float *a, const float *b, int n, double sum_a, double sum_b)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double p = ratio(fabs((double)a[i]), sum_a), q = ratio(fabs((double)b[i]), sum_b);
        const gboolean apart = (a[i] < 0) != (b[i] < 0);
        sum += information(p, apart ? 0 : q) + information(q, apart ? 0 : p);
    }
    return sum / 2;
}

void maxgl_similarities(const float *a, const float *b, int n, double out[MAXGL_SIMILARITIES])
{
    double dot = 0, hellinger = 0, least = 0, most = 0, l1 = 0, l2 = 0, largest = 0, chi2 = 0, canberra = 0;
    double sum_a = 0, sum_b = 0;
    for (int i = 0; i < n; i++) {
        const double x = a[i], y = b[i], size = fabs(x) + fabs(y), difference = fabs(x - y);
        const double common = (x < 0) != (y < 0) ? 0 : MIN(fabs(x), fabs(y));
        dot += x * y;
        hellinger += common > 0 ? sqrt(x * y) : 0;
        least += common;
        most += size - common;
        l1 += difference;
        l2 += difference * difference;
        largest = MAX(largest, difference);
        chi2 += ratio(difference * difference, size);
        canberra += ratio(difference, size);
        sum_a += fabs(x);
        sum_b += fabs(y);
    }
    out[0] = dot;
    out[1] = hellinger;
    out[2] = least;
    out[3] = most > 0 ? least / most : 1;
    out[4] = correlation(a, b, n);
    out[5] = l1;
    out[6] = sqrt(l2);
    out[7] = largest;
    out[8] = chi2;
    out[9] = canberra;
    out[10] = ratio(l1, sum_a + sum_b);
    out[11] = jensen_shannon(a, b, n, sum_a, sum_b);
}
