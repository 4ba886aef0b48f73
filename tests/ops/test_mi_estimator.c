/* What theory says about the estimators: values and gradients that are known exactly, and estimates of a
 * mutual information that is known. */
#include "ops/mi_estimator.h"

#include "base/random.h"
#include "compute/buffer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static MaxglContext *context;

static int open_device(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    if (!context)
        print_error("%s\n", error->message);
    return context ? 0 : -1;
}

static int close_device(void **state)
{
    maxgl_context_close(context);
    return 0;
}

static gsize count_of(const MaxglMiTerm *term)
{
    return (gsize)term->regions * term->items * term->items;
}

/* The value of @term on the device, and the gradient in @dscores where that is not NULL. */
static float estimate(const MaxglMiTerm *term, const float *scores, float *dscores)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    const gsize bytes = count_of(term) * sizeof(float);
    cl_mem t = maxgl_buffer_new(context, bytes, "scores", &error);
    cl_mem dt = maxgl_buffer_new(context, bytes, "gradients", &error);
    cl_mem slot = maxgl_buffer_new(context, sizeof(float), "value", &error);
    cl_mem workspace = maxgl_buffer_new(context, maxgl_mi_estimator_workspace(term), "workspace", &error);
    float value = NAN;
    assert_true(t && dt && slot && workspace);
    assert_true(maxgl_buffer_write(context, t, 0, scores, bytes, &error));
    assert_true(maxgl_mi_estimator(sequence, term, t, dt, slot, 0, FALSE, workspace, &error));
    assert_true(maxgl_sequence_run(sequence, &error));
    assert_true(maxgl_buffer_read(context, slot, 0, &value, sizeof value, &error));
    if (dscores)
        assert_true(maxgl_buffer_read(context, dt, 0, dscores, bytes, &error));
    cl_mem buffers[] = {t, dt, slot, workspace};
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        maxgl_buffer_free(context, buffers[i]);
    return value;
}

static const MaxglMiEstimator all_estimators[] = {MAXGL_MI_JSD, MAXGL_MI_INFONCE, MAXGL_MI_DV};

static void equal_scores_know_nothing(void **state)
{
    for (gsize e = 0; e < G_N_ELEMENTS(all_estimators); e++)
        for (int variant = 0; variant < 4; variant++) {
            const MaxglMiTerm term = {all_estimators[e], 7, 3, variant & 1, variant >> 1, 1, 1};
            g_autofree float *scores = g_new0(float, count_of(&term));
            assert_float_equal(estimate(&term, scores, NULL), 0, 1e-6);
            for (gsize i = 0; i < count_of(&term); i++)
                scores[i] = 11;
            if (term.estimator != MAXGL_MI_JSD)
                assert_float_equal(estimate(&term, scores, NULL), 0, 1e-5);
        }
}

static void jsd_gradient_is_a_sigmoid(void **state)
{
    const MaxglMiTerm term = {MAXGL_MI_JSD, 4, 2, FALSE, FALSE, 1, 3};
    const double positives = 4 * 2, negatives = 4 * 3 * 2;
    float scores[32], gradient[32];
    for (int i = 0; i < 32; i++)
        scores[i] = (float)(i - 15) / 4;
    estimate(&term, scores, gradient);
    for (int i = 0; i < 32; i++) {
        const gboolean positive = i % 16 / 4 == i % 4;
        const double t = scores[i];
        const double want = positive ? 1 / (1 + exp(t)) / positives : -1 / (1 + exp(-t)) / negatives;
        assert_float_equal(gradient[i], -3 * want, 1e-6);
    }
}

static void infonce_is_at_most_log_candidates(void **state)
{
    for (int variant = 0; variant < 4; variant++) {
        const MaxglMiTerm term = {MAXGL_MI_INFONCE, 6, 4, variant & 1, variant >> 1, 1, 1};
        const int candidates = term.all_regions ? 1 + 5 * 4 : 6;
        assert_int_equal(maxgl_mi_estimator_candidates(&term), candidates);
        double most = log(candidates);
        if (term.symmetric)
            most = (most + log(6)) / 2;
        g_autofree float *scores = g_new0(float, count_of(&term));
        for (int r = 0; r < term.regions; r++)
            for (int i = 0; i < term.items; i++)
                scores[(r * term.items + i) * term.items + i] = 60;
        assert_float_equal(estimate(&term, scores, NULL), most, 1e-5);
        MaxglRandom random;
        maxgl_random_init(&random, (guint64)variant, MAXGL_RANDOM_TEST, 0, 0);
        for (gsize i = 0; i < count_of(&term); i++)
            scores[i] += 30 * maxgl_random_normal(&random);
        assert_true(estimate(&term, scores, NULL) <= most);
    }
}

static void huge_scores_stay_finite(void **state)
{
    for (gsize e = 0; e < G_N_ELEMENTS(all_estimators); e++)
        for (int variant = 0; variant < 4; variant++) {
            const MaxglMiTerm term = {all_estimators[e], 3, 2, variant & 1, variant >> 1, 1, 1};
            const float scores[18] = {1e4F,  -1e4F, 0,    1e4F, 1e4F,  -1e4F, -1e4F, 0,    -1e4F,
                                      -1e4F, 1e4F,  1e4F, 0,    -1e4F, 3,     1e4F,  1e4F, 1e4F};
            float gradient[18];
            assert_true(isfinite(estimate(&term, scores, gradient)));
            for (int i = 0; i < 18; i++)
                assert_true(isfinite(gradient[i]));
        }
}

static void impossible_terms_are_refused(void **state)
{
    const MaxglMiTerm terms[] = {{MAXGL_MI_JSD, 1, 1, FALSE, FALSE, 1, 1},
                                 {MAXGL_MI_DV, 2, 0, FALSE, FALSE, 1, 1},
                                 {MAXGL_MI_INFONCE, 2, 1, FALSE, FALSE, -1, 1},
                                 {MAXGL_MI_INFONCE, 2, 1, FALSE, FALSE, 1, NAN}};
    for (gsize i = 0; i < G_N_ELEMENTS(terms); i++) {
        g_autoptr(GError) error = NULL;
        assert_false(maxgl_mi_estimator_validate(&terms[i], &error));
        assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    }
}

/* log p(y|x)/p(y) of standard normal numbers with correlation @rho: the best critic of all bounds. */
static double log_ratio(double x, double y, double rho)
{
    const double off = y - rho * x;
    return -0.5 * log(1 - rho * rho) - off * off / (2 * (1 - rho * rho)) + y * y / 2;
}

/* N pairs (x, y) of such numbers, whose mutual information is −½ log(1 − ρ²), scored by @sharpness times the
 * best critic. */
static float *gaussian_scores(MaxglRandom *random, int n, double rho, double sharpness)
{
    g_autofree double *x = g_new(double, n), *y = g_new(double, n);
    for (int i = 0; i < n; i++) {
        x[i] = maxgl_random_normal(random);
        y[i] = rho * x[i] + sqrt(1 - rho * rho) * maxgl_random_normal(random);
    }
    float *scores = g_new(float, (gsize)n *n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            scores[i * n + j] = (float)(sharpness * log_ratio(x[i], y[j], rho));
    return scores;
}

static double plain_jsd(const float *scores, int n)
{
    double value = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const double t = scores[i * n + j];
            value += i == j ? (log(2) - log1p(exp(-t))) / n : (log(2) - log1p(exp(t))) / n / (n - 1);
        }
    return value;
}

/* Plain estimates, infonce of rows. */
static double plain_estimate(MaxglMiEstimator estimator, const float *scores, int n)
{
    double positive = 0, negative = 0, value = 0;
    if (estimator == MAXGL_MI_JSD)
        return plain_jsd(scores, n);
    for (int i = 0; i < n; i++) {
        double row = 0;
        for (int j = 0; j < n; j++) {
            row += exp(scores[i * n + j]);
            negative += i == j ? 0 : exp(scores[i * n + j]);
        }
        positive += scores[i * n + i] / (double)n;
        value += (scores[i * n + i] - log(row / n)) / n;
    }
    return estimator == MAXGL_MI_DV ? positive - log(negative / n / (n - 1)) : value;
}

/* The mean of estimates over batches of @n, 4096 pairs in all; each is computed both plainly and on the
 * device. */
static double mean_estimate(MaxglMiEstimator estimator, int n, double rho, double sharpness)
{
    const MaxglMiTerm term = {estimator, n, 1, FALSE, FALSE, 1, 1};
    const int batches = 4096 / n;
    MaxglRandom random;
    maxgl_random_init(&random, (guint64)n, MAXGL_RANDOM_TEST, 0, 1);
    double sum = 0;
    for (int batch = 0; batch < batches; batch++) {
        g_autofree float *scores = gaussian_scores(&random, n, rho, sharpness);
        const double plain = plain_estimate(estimator, scores, n);
        if (batch < 16)
            assert_float_equal(estimate(&term, scores, NULL), plain, 1e-5);
        sum += plain;
    }
    return sum / batches;
}

static const double SAMPLING_ERROR = 0.04; /* of a mean of 4096 scores: their deviation is about 1 to 2 */

static void infonce_rises_to_the_mutual_information(void **state)
{
    const double rho = 0.9, truth = -0.5 * log(1 - rho * rho);
    double before = 0;
    for (int n = 4; n <= 256; n *= 4) {
        const double value = mean_estimate(MAXGL_MI_INFONCE, n, rho, 1);
        assert_true(value > before && value < truth + SAMPLING_ERROR && value < log(n));
        before = value;
    }
    assert_true(before > truth - SAMPLING_ERROR);
}

static void dv_rises_to_the_mutual_information(void **state)
{
    const double rho = 0.7, truth = -0.5 * log(1 - rho * rho);
    double before = 0;
    for (int quarter = 1; quarter <= 4; quarter++) {
        const double value = mean_estimate(MAXGL_MI_DV, 256, rho, quarter / 4.0);
        assert_true(value > before && value < truth + SAMPLING_ERROR);
        before = value;
    }
    assert_true(before > truth - SAMPLING_ERROR);
    assert_true(mean_estimate(MAXGL_MI_DV, 256, rho, 1.5) < before);
}

/* Twice the Jensen–Shannon divergence of p(x, y) and p(x) p(y), which jsd is at most: ∫ p log(2p /
 * (p + q)) + q log(2q / (p + q)), over a grid wide enough. (Nowozin et al., "f-GAN"; theirs is log 4
 * smaller.) */
static double twice_jensen_shannon(double rho)
{
    enum { HALF = 160 };
    const double step = 0.05;
    double sum = 0;
    for (int i = -HALF; i <= HALF; i++)
        for (int j = -HALF; j <= HALF; j++) {
            const double x = i * step, y = j * step, t = log_ratio(x, y, rho);
            const double q = exp(-(x * x + y * y) / 2) / (2 * G_PI);
            sum += q * (exp(t) * (log(2) - log1p(exp(-t))) + log(2) - log1p(exp(t)));
        }
    return sum * step * step;
}

static void jsd_rises_to_the_divergence(void **state)
{
    const double error = 0.01; /* the deviation of a pair's part is about 0.5 */
    const double rho = 0.8, truth = twice_jensen_shannon(rho);
    double before = 0;
    for (int quarter = 1; quarter <= 4; quarter++) {
        const double value = mean_estimate(MAXGL_MI_JSD, 256, rho, quarter / 4.0);
        assert_true(value > before && value < truth + error);
        before = value;
    }
    assert_true(before > truth - error);
    assert_true(mean_estimate(MAXGL_MI_JSD, 256, rho, 1.5) < before);
    assert_true(mean_estimate(MAXGL_MI_JSD, 256, rho, 3) < before);
    /* More is not known with more negatives, unlike infonce. */
    assert_float_equal(mean_estimate(MAXGL_MI_JSD, 8, rho, 1), truth, error);
}

/* How fast the estimate rises with the sharpness of the critic, by the gradient of the device. */
static double rise_with_sharpness(MaxglMiEstimator estimator, double rho, double sharpness)
{
    enum { ITEMS = 256, BATCHES = 16 };
    const MaxglMiTerm term = {estimator, ITEMS, 1, FALSE, FALSE, 1, 1};
    g_autofree float *gradient = g_new(float, ITEMS *ITEMS);
    MaxglRandom random;
    maxgl_random_init(&random, ITEMS, MAXGL_RANDOM_TEST, 0, 2);
    double rise = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        g_autofree float *scores = gaussian_scores(&random, ITEMS, rho, sharpness);
        estimate(&term, scores, gradient);
        for (int i = 0; i < ITEMS * ITEMS; i++)
            rise -= gradient[i] * scores[i] / sharpness / BATCHES; /* of the loss, which is −value */
    }
    return rise;
}

/* log p(y|x)/p(y) is where jsd and dv have their maximum. */
static void gradients_lead_to_the_log_ratio(void **state)
{
    static const MaxglMiEstimator estimators[] = {MAXGL_MI_JSD, MAXGL_MI_DV};
    for (gsize e = 0; e < G_N_ELEMENTS(estimators); e++) {
        const double dull = rise_with_sharpness(estimators[e], 0.7, 0.5);
        assert_true(dull > 0.1);
        assert_true(fabs(rise_with_sharpness(estimators[e], 0.7, 1)) < 0.1 * dull);
        assert_true(rise_with_sharpness(estimators[e], 0.7, 1.5) < -0.2 * dull);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_scores_know_nothing),
        cmocka_unit_test(jsd_gradient_is_a_sigmoid),
        cmocka_unit_test(infonce_is_at_most_log_candidates),
        cmocka_unit_test(huge_scores_stay_finite),
        cmocka_unit_test(impossible_terms_are_refused),
        cmocka_unit_test(infonce_rises_to_the_mutual_information),
        cmocka_unit_test(dv_rises_to_the_mutual_information),
        cmocka_unit_test(jsd_rises_to_the_divergence),
        cmocka_unit_test(gradients_lead_to_the_log_ratio),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
