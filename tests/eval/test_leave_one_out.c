/* Leaving one out, against machines trained by another method. */
#include "base/random.h"
#include "eval/leave_one_out.h"
#include "eval/linear_svm.h"
#include "reference_svm.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH 7

/* @n vectors round one point a class, @spread wide; classes by turns. */
static float *draw(gsize n, int classes, float spread, int *labels)
{
    float *features = g_new(float, n *LENGTH);
    MaxglRandom random;
    for (gsize v = 0; v < n; v++) {
        labels[v] = (int)(v % (gsize)classes);
        for (int i = 0; i < LENGTH; i++) {
            maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, (guint32)labels[v], (guint64)i);
            const float centre = maxgl_random_normal(&random);
            maxgl_random_init(&random, 4, MAXGL_RANDOM_TEST, (guint32)v, (guint64)i);
            features[v * LENGTH + (gsize)i] = centre + spread * maxgl_random_normal(&random);
        }
    }
    return features;
}

static void machine_of_two_classes(void **state)
{
    enum { N = 40 };
    int labels[N], y[N];
    gsize rows[N];
    g_autofree float *features = draw(N, 2, 1.5F, labels);
    g_autofree double *x = g_new(double, N *LENGTH);
    for (gsize i = 0; i < (gsize)N * LENGTH; i++)
        x[i] = features[i];
    for (gsize i = 0; i < N; i++) {
        rows[i] = N - 1 - i; /* in any order */
        y[i] = labels[i] == 1 ? 1 : -1;
    }
    g_autoptr(MaxglSvmSet) set = maxgl_svm_set_new(x, N, LENGTH);
    for (double c = 0.01; c < 20; c *= 10) {
        g_autoptr(MaxglSvm) svm = maxgl_svm_train(set, labels, rows, N, c);
        g_autofree double *w = reference_svm(x, y, N, LENGTH, c);
        for (gsize i = 0; i < N; i++) {
            const double value = maxgl_svm_value(svm, set, i);
            const double wanted = reference_svm_value(w, x + i * LENGTH, LENGTH);
            assert_true(fabs(value - wanted) < 1e-4 * (1 + fabs(wanted)));
            assert_int_equal(maxgl_svm_class(svm, set, i), value > 0);
        }
    }
}

static void compare(gsize n, int classes, float spread, double c)
{
    g_autofree int *labels = g_new(int, n);
    g_autofree float *features = draw(n, classes, spread, labels);
    g_autofree int *wanted = reference_leave_one_out(features, labels, n, LENGTH, classes, c);
    const MaxglLabelled set = {.n = n, .length = LENGTH, .features = features, .labels = labels};
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglLeaveOneOut) result = maxgl_leave_one_out(&set, classes, c, "test", &error);
    assert_non_null(result);
    g_autofree int *confusion = g_new0(int, classes *classes);
    double per_class = 0;
    gsize correct = 0;
    for (gsize i = 0; i < n; i++) {
        confusion[labels[i] * classes + wanted[i]]++;
        correct += wanted[i] == labels[i];
    }
    for (int i = 0; i < classes; i++)
        per_class += (double)confusion[i * classes + i] / (double)(n / (gsize)classes) / classes;
    assert_memory_equal(result->confusion, confusion, sizeof(int) * (gsize)(classes * classes));
    assert_int_equal(result->correct, correct);
    assert_int_equal(result->videos, n);
    assert_int_equal(result->classes, classes);
    assert_true(fabs(result->accuracy - (double)correct / (double)n) < 1e-12);
    assert_true(fabs(result->per_class - per_class) < 1e-12);
}

static void against_another_method(void **state)
{
    compare(30, 3, 0.3F, 1);
    compare(40, 5, 1, 1);
    compare(40, 5, 1, 0.01);
    compare(40, 5, 1, 100);
    compare(20, 2, 1, 1);
}

/* Vectors without a class take no part; the only one of its class is never recognised. */
static void odd_classes(void **state)
{
    float features[9 * 2] = {1, 0, 1, 0.1F, 0.9F, 0.1F, 0, 1, 0.1F, 1, 0.1F, 0.9F, -1, -1, 5, 5, 0, 0};
    const int labels[9] = {0, 0, 0, 2, 2, 2, 4, -1, -1};
    const MaxglLabelled set = {.n = 9, .length = 2, .features = features, .labels = labels};
    g_autoptr(MaxglLeaveOneOut) result = maxgl_leave_one_out(&set, 5, 10, "test", NULL);
    assert_non_null(result);
    assert_int_equal(result->videos, 7);
    assert_int_equal(result->classes, 3);
    assert_int_equal(result->alone, 1);
    assert_int_equal(result->correct, 6);
    assert_true(fabs(result->per_class - 2.0 / 3) < 1e-12);
    assert_int_equal(result->confusion[4 * 5 + 4], 0);
}

static void too_few_classes(void **state)
{
    const float features[] = {1, 2, 3};
    const int labels[] = {0, 0, 1};
    const MaxglLabelled set = {.n = 3, .length = 1, .features = features, .labels = labels};
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_leave_one_out(&set, 2, 1, "test", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_string_equal(error->message,
                        "leaving one video out needs two classes of two videos each, and there are 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_of_two_classes),
        cmocka_unit_test(against_another_method),
        cmocka_unit_test(odd_classes),
        cmocka_unit_test(too_few_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
