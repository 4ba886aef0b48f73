#include "reference_svm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MOST_STEPS 200

/* Solves the symmetric, positive a·x = b of @n unknowns in place: b becomes x. */
static void solve(double *a, double *b, int n)
{
    for (int i = 0; i < n; i++)
        for (int r = i + 1; r < n; r++) {
            const double factor = a[r * n + i] / a[i * n + i];
            for (int k = i; k < n; k++)
                a[r * n + k] -= factor * a[i * n + k];
            b[r] -= factor * b[i];
        }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            b[i] -= a[i * n + k] * b[k];
        b[i] /= a[i * n + i];
    }
}

static double at(const double *x, int length, int i)
{
    return i < length ? x[i] : 1;
}

double reference_svm_value(const double *w, const double *x, int length)
{
    double sum = 0;
    for (int i = 0; i <= length; i++)
        sum += w[i] * at(x, length, i);
    return sum;
}

static double objective(const double *w, const double *x, const int *y, gsize n, int length, double c)
{
    double sum = 0;
    for (int i = 0; i <= length; i++)
        sum += 0.5 * w[i] * w[i];
    for (gsize v = 0; v < n; v++) {
        const double loss = 1 - y[v] * reference_svm_value(w, x + v * (gsize)length, length);
        sum += loss > 0 ? c * loss * loss : 0;
    }
    return sum;
}

double *reference_svm(const double *x, const int *y, gsize n, int length, double c)
{
    const int size = length + 1;
    double *w = g_new0(double, size);
    g_autofree double *a = g_new(double, size *size), *b = g_new(double, size), *next = g_new(double, size);
    for (int step = 0; step < MOST_STEPS; step++) {
        memset(b, 0, sizeof *b * (gsize)size);
        for (int i = 0; i < size * size; i++)
            a[i] = i % (size + 1) == 0;
        for (gsize v = 0; v < n; v++) {
            const double *vector = x + v * (gsize)length;
            if (y[v] * reference_svm_value(w, vector, length) >= 1)
                continue;
            for (int i = 0; i < size; i++) {
                b[i] += 2 * c * y[v] * at(vector, length, i);
                for (int j = 0; j < size; j++)
                    a[i * size + j] += 2 * c * at(vector, length, i) * at(vector, length, j);
            }
        }
        solve(a, b, size);
        double change = 0, t = 1;
        for (int i = 0; i < size; i++)
            change = MAX(change, fabs(b[i] - w[i]));
        if (change < 1e-12)
            return w;
        const double before = objective(w, x, y, n, length, c);
        for (; t > 1e-9; t /= 2) {
            for (int i = 0; i < size; i++)
                next[i] = w[i] + t * (b[i] - w[i]);
            if (objective(next, x, y, n, length, c) <= before)
                break;
        }
        memcpy(w, next, sizeof *w * (gsize)size);
    }
    fail_msg("the reference's Newton steps do not end");
    return w;
}

int *reference_leave_one_out(const float *features, const int *labels, gsize n, int length, int classes,
                             double c)
{
    const gsize pitch = (gsize)length;
    g_autofree double *x = g_new(double, n *pitch), *others = g_new(double, n *pitch);
    g_autofree int *y = g_new(int, n);
    int *answers = g_new(int, n);
    for (gsize v = 0; v < n; v++) {
        double sum = 0;
        for (gsize i = 0; i < pitch; i++)
            sum += (double)features[v * pitch + i] * features[v * pitch + i];
        for (gsize i = 0; i < pitch; i++)
            x[v * pitch + i] = features[v * pitch + i] / sqrt(sum);
    }
    for (gsize left = 0; left < n; left++) {
        double best = -INFINITY;
        for (int class = 0; class < classes; class ++) {
            gsize m = 0;
            for (gsize v = 0; v < n; v++) {
                if (v == left)
                    continue;
                memcpy(others + m * pitch, x + v * pitch, pitch * sizeof *x);
                y[m++] = labels[v] == class ? 1 : -1;
            }
            g_autofree double *w = reference_svm(others, y, m, length, c);
            const double value = reference_svm_value(w, x + left * pitch, length);
            if (value > best) {
                best = value;
                answers[left] = class;
            }
        }
    }
    return answers;
}
