/* Estimates and gradients of every combination of estimator, discriminator, pairs, negatives, layers and
 * clips against the objective in double precision, on features drawn at random in the network's place. */
#include "formula.h"
#include "objective_reference.h"

#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N = 3, T = 8, S = 32, HIDDEN = 18, MOST_CLIPS = 3 };
#define NETWORK "hara-r3d10@0.0625"

static const char *const taps[] = {"pool", "layer2", "layer3", NULL};
static const double STEP = 1e-6, TOLERANCE = 1e-4;

static MaxglContext *context;
static MaxglResnet *resnet;
static MaxglParameters *parameters;            /* of the heads of all combinations */
static MaxglNetwork *networks[MOST_CLIPS + 1]; /* by clips of a video */

static MaxglObjectiveOptions options_with(MaxglDiscriminator discriminator, const char *layers)
{
    MaxglObjectiveOptions o;
    maxgl_objective_options_init(&o);
    o.hidden = HIDDEN;
    o.discriminator = discriminator;
    o.local_weight = 0.5;
    o.temperature = 0.6;                                    /* of no effect but with infonce */
    memcpy(o.regions, (int[3]){1, 2, 2}, sizeof o.regions); /* every position of layer3, not of layer2 */
    assert_true(maxgl_objective_options_set_layers(&o, layers, NULL));
    return o;
}

/* Fills the outputs that heads read. */
static void draw_features(const MaxglNetwork *network)
{
    for (int k = 0; taps[k]; k++) {
        const MaxglTensor *output = maxgl_network_output(network, taps[k]);
        const gsize n = maxgl_shape_elements(&output->shape);
        g_autofree float *values = g_new(float, n);
        MaxglRandom random;
        maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, (guint32)k, (guint64)output->shape.n);
        for (gsize i = 0; i < n; i++)
            values[i] = maxgl_random_normal(&random);
        assert_true(maxgl_tensor_write(context, output, values, NULL));
    }
}

static int set_up(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    assert_ok(context != NULL, error);
    resnet = resnet_named(NETWORK, 0, T, S);
    parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    for (int d = 0; d < 2; d++) {
        MaxglObjectiveOptions one = options_with(d, "layer2"), two = options_with(d, "layer2,layer3");
        two.global_weight = 0; /* declared already */
        maxgl_objective_declare(&one, resnet, parameters);
        maxgl_objective_declare(&two, resnet, parameters);
    }
    assert_ok(maxgl_parameters_allocate(parameters, TRUE, &error), error);
    formula_fill(parameters);
    for (int clips = 2; clips <= MOST_CLIPS; clips++) {
        const MaxglNetworkOptions options = {MAXGL_NETWORK_TRAINING, clips * N, (const char **)taps, 0};
        networks[clips] = maxgl_network_new(context, resnet, &options, parameters, &error);
        assert_ok(networks[clips] != NULL, error);
        draw_features(networks[clips]);
    }
    return 0;
}

static int tear_down(void **state)
{
    for (int clips = 2; clips <= MOST_CLIPS; clips++)
        maxgl_network_free(networks[clips]);
    maxgl_parameters_free(parameters);
    maxgl_resnet_free(resnet);
    assert_int_equal(context->allocated, 0);
    maxgl_context_close(context);
    return 0;
}

/* What the combination reads, as the reference has it. */
static ObjectiveReference *reference_of(const MaxglObjectiveOptions *o)
{
    ObjectiveReference *reference = objective_reference_new(o, resnet, o->clips * N);
    for (int k = 0; taps[k]; k++) {
        const MaxglTensor *output = maxgl_network_output(networks[o->clips], taps[k]);
        g_autofree float *values = g_new(float, maxgl_shape_elements(&output->shape));
        assert_true(maxgl_tensor_read(context, output, values, NULL));
        objective_reference_set(reference, taps[k], values, maxgl_shape_elements(&output->shape));
    }
    for (guint i = 0; i < maxgl_parameters_count(parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(parameters, i);
        g_autofree float *values = g_new(float, p->count);
        assert_true(maxgl_parameters_read(parameters, i, values, NULL));
        objective_reference_set(reference, p->name, values, (gsize)p->count);
    }
    return reference;
}

static double worst;

/* Along a direction of length 1 the slope of the loss must be what the gradient says. */
static void check_slope(ObjectiveReference *reference, const char *combination, const char *name,
                        const float *gradient, gsize n)
{
    g_autofree double *direction = formula_noise(name, n);
    double length = 0, slope = 0, norm = 0;
    for (gsize i = 0; i < n; i++)
        length += direction[i] * direction[i];
    for (gsize i = 0; i < n; i++) {
        direction[i] /= sqrt(length);
        slope += gradient[i] * direction[i];
        norm += (double)gradient[i] * gradient[i];
    }
    const double want = objective_reference_slope(reference, name, direction, STEP);
    const double off = fabs(slope - want), allowed = TOLERANCE * sqrt(norm) + 1e-7;
    worst = MAX(worst, off / allowed);
    if (!(off < allowed))
        fail_msg("%s: %s: slope %.8g, want %.8g, gradient %.3g", combination, name, slope, want, sqrt(norm));
}

static gboolean reads(const MaxglObjectiveOptions *o, const char *tap)
{
    g_autofree const char **outputs = maxgl_objective_outputs(o);
    return g_strv_contains((const char *const *)outputs, tap);
}

static void check_gradients(const MaxglObjectiveOptions *o, const char *combination,
                            ObjectiveReference *reference)
{
    for (int k = 0; taps[k]; k++) {
        if (!reads(o, taps[k]))
            continue;
        const MaxglTensor *gradient = maxgl_network_output_gradient(networks[o->clips], taps[k]);
        const gsize n = maxgl_shape_elements(&gradient->shape);
        g_autofree float *values = g_new(float, n);
        assert_true(maxgl_tensor_read(context, gradient, values, NULL));
        check_slope(reference, combination, taps[k], values, n);
    }
    g_autoptr(MaxglParameters) own = maxgl_parameters_new(context);
    maxgl_objective_declare(o, resnet, own);
    for (guint i = 0; i < maxgl_parameters_count(own); i++) {
        const MaxglParameter *p = maxgl_parameters_get(own, i);
        if (p->group == MAXGL_PARAMETER_STATISTIC)
            continue;
        const guint index = (guint)maxgl_parameters_find(parameters, p->name);
        g_autofree float *values = g_new(float, p->count);
        assert_true(maxgl_parameters_read_from(parameters, maxgl_parameters_gradients(parameters), index,
                                               values, NULL));
        check_slope(reference, combination, p->name, values, (gsize)p->count);
    }
}

static void check(const MaxglObjectiveOptions *o, const char *combination)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglObjective) objective =
        maxgl_objective_new(context, o, networks[o->clips], parameters, &error);
    assert_ok(objective != NULL, error);
    for (int run = 0; run < 2; run++) /* the second in memory that the first has left its numbers in */
        assert_ok(maxgl_sequence_run(maxgl_objective_sequence(objective), &error), error);
    MaxglObjectiveValues got;
    assert_ok(maxgl_objective_read(objective, &got, &error), error);
    g_autoptr(ObjectiveReference) reference = reference_of(o);
    const ObjectiveEstimates want = objective_reference_estimates(reference);
    if (!(fabs(got.global_mi - want.global_mi) < 1e-5 * (1 + fabs(want.global_mi))) ||
        !(fabs(got.local_mi - want.local_mi) < 1e-5 * (1 + fabs(want.local_mi))))
        fail_msg("%s: global %.7g, want %.7g; local %.7g, want %.7g", combination, got.global_mi,
                 want.global_mi, got.local_mi, want.local_mi);
    check_gradients(o, combination, reference);
}

/* All pairs and negatives of an estimator, a discriminator, some layers and clips. */
static void check_all(MaxglMiEstimator estimator, MaxglDiscriminator discriminator, const char *layers,
                      int clips)
{
    static const char *const pairs[] = {"same", "cross", "both"};
    for (int p = MAXGL_LOCAL_SAME; p <= MAXGL_LOCAL_BOTH; p++)
        for (int negatives = 0; negatives < 2; negatives++) {
            MaxglObjectiveOptions o = options_with(discriminator, layers);
            o.estimator = estimator;
            o.local_pairs = p;
            o.local_negatives = negatives ? MAXGL_NEGATIVES_ALL : MAXGL_NEGATIVES_REGION;
            o.clips = clips;
            g_autofree char *combination =
                g_strdup_printf("%s %s %s %s, %s, %d clips", maxgl_mi_estimator_names[estimator],
                                maxgl_discriminator_names[discriminator], pairs[p],
                                negatives ? "all" : "region", layers, clips);
            check(&o, combination);
        }
}

static void check_discriminator(MaxglDiscriminator discriminator)
{
    static const MaxglMiEstimator estimators[] = {MAXGL_MI_JSD, MAXGL_MI_INFONCE, MAXGL_MI_DV};
    worst = 0;
    for (gsize e = 0; e < G_N_ELEMENTS(estimators); e++)
        for (int clips = 2; clips <= MOST_CLIPS; clips++) {
            check_all(estimators[e], discriminator, "layer2", clips);
            check_all(estimators[e], discriminator, "layer2,layer3", clips);
        }
    print_message("worst slope off by %.2g of what is allowed\n", worst);
}

static void test_concat(void **state)
{
    check_discriminator(MAXGL_DISCRIMINATOR_CONCAT);
}

static void test_dot(void **state)
{
    check_discriminator(MAXGL_DISCRIMINATOR_DOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_concat), cmocka_unit_test(test_dot)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
