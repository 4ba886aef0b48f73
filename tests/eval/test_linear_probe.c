/* The linear probe on classes that can and cannot be told apart, and against a plain solver. */
#include "base/random.h"
#include "eval/linear_probe.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N 300
#define LENGTH 12
#define CLASSES 5

/* Normal clouds of deviation 1 whose centres are @distance from the origin, on scales that differ by a factor
 * of a million between features. */
static void make_clouds(double distance, guint64 sample, float features[N][LENGTH], int labels[N])
{
    MaxglRandom random;
    maxgl_random_init(&random, 7, MAXGL_RANDOM_TEST, 1, sample);
    for (int i = 0; i < N; i++) {
        labels[i] = i % CLASSES;
        for (int j = 0; j < LENGTH; j++) {
            const double centre = j % CLASSES == labels[i] ? distance : 0;
            features[i][j] = (float)((centre + maxgl_random_normal(&random)) * pow(10, j % 7 - 3) + 5 * j);
        }
    }
}

static double accuracy_of_clouds(double distance, double *c, int *confusion)
{
    static float train[N][LENGTH], test[N][LENGTH];
    int train_labels[N], test_labels[N];
    g_autoptr(GError) error = NULL;
    make_clouds(distance, 0, train, train_labels);
    make_clouds(distance, 1, test, test_labels);
    const MaxglLabelled set = {N, LENGTH, train[0], train_labels};
    const MaxglLabelled held = {N, LENGTH, test[0], test_labels};
    MaxglProbeScore score;
    g_autoptr(MaxglLinearProbe) probe = maxgl_linear_probe_train(&set, CLASSES, 1, &error);
    g_assert_no_error(error);
    assert_true(maxgl_linear_probe_score(probe, &held, &score, confusion));
    assert_int_equal(score.videos, N);
    assert_int_equal(score.unseen, 0);
    *c = maxgl_linear_probe_c(probe);
    return score.accuracy;
}

static void separable(void **state)
{
    int confusion[CLASSES * CLASSES];
    double c;
    assert_true(accuracy_of_clouds(12, &c, confusion) == 1);
    for (int i = 0; i < CLASSES; i++)
        for (int j = 0; j < CLASSES; j++)
            assert_int_equal(confusion[i * CLASSES + j], i == j ? N / CLASSES : 0);
}

static void not_separable(void **state)
{
    int confusion[CLASSES * CLASSES], correct = 0, all = 0;
    double c;
    const double nothing = accuracy_of_clouds(0, &c, NULL);
    assert_float_equal(nothing, 1.0 / CLASSES, 0.08);
    const double some = accuracy_of_clouds(1, &c, confusion);
    assert_true(some > 0.4 && some < 0.95);
    for (int i = 0; i < CLASSES * CLASSES; i++) {
        all += confusion[i];
        correct += i % (CLASSES + 1) == 0 ? confusion[i] : 0;
    }
    assert_int_equal(all, N);
    assert_float_equal(some, (double)correct / N, 1e-12);
}

/* Two classes in the plane: the minimum of ½|w|² + C Σ log(1 + exp(−y w·x)), bias included, found by plain
 * gradient descent, must classify as the probe does, nearly always. */
static void plain_solver(float x[N][2], const int *labels, double c, double w[3])
{
    w[0] = w[1] = w[2] = 0;
    for (int step = 0; step < 20000; step++) {
        double gradient[3] = {w[0], w[1], w[2]};
        for (int i = 0; i < N; i++) {
            const double y = labels[i] == 1 ? 1 : -1;
            const double margin = y * (w[0] * x[i][0] + w[1] * x[i][1] + w[2]);
            const double g = -c * y / (1 + exp(margin));
            gradient[0] += g * x[i][0];
            gradient[1] += g * x[i][1];
            gradient[2] += g;
        }
        for (int k = 0; k < 3; k++)
            w[k] -= gradient[k] / (1 + c * N);
    }
}

static void standardise(float x[N][2])
{
    for (int j = 0; j < 2; j++) {
        double mean = 0, square = 0;
        for (int i = 0; i < N; i++)
            mean += x[i][j] / (double)N;
        for (int i = 0; i < N; i++)
            square += (x[i][j] - mean) * (x[i][j] - mean) / N;
        for (int i = 0; i < N; i++)
            x[i][j] = (float)((x[i][j] - mean) / sqrt(square));
    }
}

static void against_plain(void **state)
{
    static float x[N][2];
    int labels[N];
    g_autoptr(GError) error = NULL;
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 2, 0);
    for (int i = 0; i < N; i++) {
        labels[i] = maxgl_random_uniform(&random) < 0.3;
        x[i][0] = 100 + 8 * (maxgl_random_normal(&random) + (float)labels[i]);
        x[i][1] = 0.01F * (maxgl_random_normal(&random) - 1.5F * (float)labels[i]);
    }
    const MaxglLabelled set = {N, 2, x[0], labels};
    g_autoptr(MaxglLinearProbe) probe = maxgl_linear_probe_train(&set, 2, 0, &error);
    g_assert_no_error(error);
    int said[N], differing = 0, ones = 0;
    for (int i = 0; i < N; i++)
        said[i] = maxgl_linear_probe_predict(probe, x[i]);
    double w[3];
    standardise(x);
    plain_solver(x, labels, maxgl_linear_probe_c(probe), w);
    for (int i = 0; i < N; i++) {
        differing += said[i] != (w[0] * x[i][0] + w[1] * x[i][1] + w[2] > 0);
        ones += said[i];
    }
    assert_true(differing <= 1); /* the solver stops a little before the minimum */
    assert_true(ones > N / 10 && ones < N / 2);
}

/* Vectors without a class, classes that were not trained on, features that never change. */
static void gaps(void **state)
{
    float features[10][2];
    int labels[10] = {0, 0, 0, 0, 3, 3, 3, 3, -1, -1};
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 10; i++) {
        features[i][0] = (float)(i < 4 ? -1 - i : i);
        features[i][1] = 4;
    }
    const MaxglLabelled set = {10, 2, features[0], labels};
    g_autoptr(MaxglLinearProbe) probe = maxgl_linear_probe_train(&set, 4, 0, &error);
    g_assert_no_error(error);
    const int test_labels[10] = {0, 0, 1, -1, 3, 3, 2, -1, -1, -1};
    const MaxglLabelled test = {10, 2, features[0], test_labels};
    MaxglProbeScore score;
    assert_true(maxgl_linear_probe_score(probe, &test, &score, NULL));
    assert_int_equal(score.videos, 6);
    assert_int_equal(score.unseen, 2);
    assert_int_equal(score.correct, 4);
    assert_float_equal(score.accuracy, 4.0 / 6, 1e-12);
    features[0][1] = 1000; /* never changed in training: says nothing */
    assert_int_equal(maxgl_linear_probe_predict(probe, features[0]), 0);

    const MaxglLabelled unlabelled = {2, 2, features[8], labels + 8};
    assert_false(maxgl_linear_probe_score(probe, &unlabelled, &score, NULL));
    const MaxglLabelled one_class = {4, 2, features[0], labels};
    assert_null(maxgl_linear_probe_train(&one_class, 4, 0, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
}

static void repeatable(void **state)
{
    double c[2];
    int confusion[2][CLASSES * CLASSES];
    const double first = accuracy_of_clouds(1.5, &c[0], confusion[0]);
    const double second = accuracy_of_clouds(1.5, &c[1], confusion[1]);
    assert_true(first == second && c[0] == c[1]);
    assert_memory_equal(confusion[0], confusion[1], sizeof confusion[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separable), cmocka_unit_test(not_separable), cmocka_unit_test(against_plain),
        cmocka_unit_test(gaps),      cmocka_unit_test(repeatable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
