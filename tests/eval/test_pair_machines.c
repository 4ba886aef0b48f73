/* Measures of similarity, and pairs told apart by them, against definitions and another solver. */
#include "base/random.h"
#include "eval/pair_machines.h"
#include "eval/similarity.h"
#include "reference_pairs.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH 9

static void draw(MaxglRandom *random, gboolean is_signed, float *x)
{
    for (int i = 0; i < LENGTH; i++) {
        const float value = maxgl_random_normal(random);
        x[i] = maxgl_random_uniform(random) < 0.2F ? 0 : is_signed ? value : fabsf(value);
    }
}

static void assert_measures(const float *a, const float *b, int n)
{
    double out[MAXGL_SIMILARITIES], back[MAXGL_SIMILARITIES], wanted[REFERENCE_MEASURES];
    maxgl_similarities(a, b, n, out);
    maxgl_similarities(b, a, n, back);
    reference_similarities(a, b, n, wanted);
    for (int i = 0; i < MAXGL_SIMILARITIES; i++)
        if (!(fabs(out[i] - wanted[i]) < 1e-9 * (1 + fabs(wanted[i]))) ||
            !(fabs(out[i] - back[i]) < 1e-12 * (1 + fabs(out[i]))))
            fail_msg("%s: %.12g, %.12g the other way round, wanted %.12g", maxgl_similarity_names[i], out[i],
                     back[i], wanted[i]);
}

static void measures(void **state)
{
    MaxglRandom random;
    for (guint64 trial = 0; trial < 50; trial++) {
        float a[LENGTH], b[LENGTH];
        maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, trial);
        draw(&random, trial % 2, a);
        draw(&random, trial % 2, b);
        assert_measures(a, b, LENGTH);
        assert_measures(a, a, LENGTH);
        assert_measures(a, b, 1);
    }
    const float zero[3] = {0}, constant[3] = {0.1F, 0.1F, 0.1F}, other[3] = {0.2F, -0.5F, 1e-30F};
    assert_measures(zero, zero, 3);
    assert_measures(zero, other, 3);
    assert_measures(constant, other, 3);
}

static void measures_by_hand(void **state)
{
    const float a[] = {3, 0, -4, 1}, b[] = {1, 2, 4, 1};
    const double wanted[] = {-11 + 0.0 - 1,   sqrt(3) + 1, 2,        2.0 / 14, 0, 12, sqrt(72), 8,
                             4.0 / 4 + 2 + 8, 0.5 + 1 + 1, 12.0 / 16};
    double out[MAXGL_SIMILARITIES];
    maxgl_similarities(a, b, 4, out);
    for (int i = 0; i < 11; i++)
        if (strcmp(maxgl_similarity_names[i], "correlation") != 0)
            assert_true(fabs(out[i] - wanted[i]) < 1e-9);
    const float p[] = {1, 0}, q[] = {0, 1};
    maxgl_similarities(p, q, 2, out);
    assert_true(fabs(out[4] + 1) < 1e-12);       /* correlation */
    assert_true(fabs(out[11] - log(2)) < 1e-12); /* nothing in common */
}

static void areas(void **state)
{
    const double values[] = {0.9, 0.8, 0.8, 0.3, 0.1};
    const gboolean same[] = {TRUE, TRUE, FALSE, TRUE, FALSE};
    g_autoptr(GArray) roc = g_array_new(FALSE, FALSE, sizeof(MaxglRocPoint));
    assert_true(fabs(maxgl_roc(values, same, 5, roc) - 4.5 / 6) < 1e-12);
    assert_int_equal(roc->len, 5);
    const MaxglRocPoint *slope = &g_array_index(roc, MaxglRocPoint, 2);
    assert_true(fabs(slope->false_positive - 0.5) < 1e-12);
    assert_true(fabs(slope->true_positive - 2.0 / 3) < 1e-12);
    assert_true(maxgl_roc(values, same, 2, NULL) == 0.5);

    enum { N = 3000 };
    g_autofree double *many = g_new(double, N);
    g_autofree gboolean *truth = g_new(gboolean, N);
    MaxglRandom random;
    maxgl_random_init(&random, 2, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        truth[i] = maxgl_random_below(&random, 3) == 0;
        many[i] = floor(20 * (maxgl_random_normal(&random) + (float)truth[i])); /* many are equal */
    }
    g_array_set_size(roc, 0);
    assert_true(fabs(maxgl_roc(many, truth, N, roc) - reference_auc(many, truth, N)) < 1e-9);
    const MaxglRocPoint *last = &g_array_index(roc, MaxglRocPoint, roc->len - 1);
    assert_true(last->false_positive == 1 && last->true_positive == 1 && roc->len < 500);
}

#define PAIRS 90
#define COLUMNS 6
#define FOLDS 5

/* Pairs whose columns tell something about them, but for one that never changes. */
static MaxglPairTable make_table(double *table, gboolean *same, int *folds)
{
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < PAIRS; i++) {
        folds[i] = i % FOLDS;
        same[i] = maxgl_random_below(&random, 2) == 0;
        for (int k = 0; k < COLUMNS; k++)
            table[i * COLUMNS + k] =
                k == 2 ? 5 : 100 * k + (maxgl_random_normal(&random) + (same[i] ? 0.4F : 0)) * (1 + 3 * k);
    }
    return (MaxglPairTable){
        .n = PAIRS, .length = COLUMNS, .similarities = table, .same = same, .folds = folds, .n_folds = FOLDS};
}

static void folds_against_another_method(void **state)
{
    double table[PAIRS * COLUMNS];
    gboolean same[PAIRS];
    int folds[PAIRS];
    MaxglPairTable pairs = make_table(table, same, folds);
    for (int view = 1; view <= 2; view++)
        for (double c = 0.01; c < 20; c *= 10) {
            pairs.last_only = view == 1;
            g_autoptr(MaxglPairScore) score = maxgl_pair_machines(&pairs, c, NULL);
            const ReferenceScore wanted =
                reference_pairs(table, same, folds, PAIRS, COLUMNS, view == 1 ? FOLDS - 1 : 0, FOLDS, c);
            assert_non_null(score);
            assert_int_equal(score->n_folds, view == 1 ? 1 : FOLDS);
            assert_int_equal(score->pairs, view == 1 ? PAIRS / FOLDS : PAIRS);
            assert_true(fabs(score->accuracy - wanted.accuracy) < 1e-9);
            assert_true(fabs(score->standard_error - wanted.standard_error) < 1e-9);
            assert_true(fabs(score->auc - wanted.auc) < 1e-9);
            assert_true(score->accuracy > 0.55 || view == 1);
        }
}

static void folds_that_cannot_be(void **state)
{
    double table[PAIRS * COLUMNS];
    gboolean same[PAIRS];
    int folds[PAIRS];
    MaxglPairTable pairs = make_table(table, same, folds);
    g_autoptr(GError) empty = NULL, one_kind = NULL;
    pairs.n_folds = FOLDS + 1;
    assert_null(maxgl_pair_machines(&pairs, 1, &empty));
    assert_string_equal(empty->message, "fold 6 has no pair to test");
    pairs.n_folds = FOLDS;
    for (int i = 0; i < PAIRS; i++)
        same[i] = folds[i] == 2;
    assert_null(maxgl_pair_machines(&pairs, 1, &one_kind));
    assert_string_equal(one_kind->message, "the pairs to train on for fold 3 are all of one kind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures),
        cmocka_unit_test(measures_by_hand),
        cmocka_unit_test(areas),
        cmocka_unit_test(folds_against_another_method),
        cmocka_unit_test(folds_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
