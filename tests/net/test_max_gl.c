/* The Max-GL objective against PyTorch: estimates, gradients of heads and network. */
#include "formula.h"
#include "net/max_gl.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As in make_networks.py. */
enum { N = 4, T = 8, S = 64, HIDDEN = 18 };
#define NETWORK "hara-r3d10@0.0625"

static MaxglContext *context;
static MaxglSafetensors *golden;

/* Everything of one objective. */
typedef struct {
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    MaxglObjective *objective;
} Setting;

static MaxglObjectiveOptions defaults(void)
{
    MaxglObjectiveOptions o;
    maxgl_objective_options_init(&o);
    o.hidden = HIDDEN;
    return o;
}

static void set_layers(MaxglObjectiveOptions *o, const char *text)
{
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_objective_options_set_layers(o, text, &error), error);
}

static void setting_init(Setting *s, const MaxglObjectiveOptions *o)
{
    g_autoptr(GError) error = NULL;
    s->resnet = resnet_named(NETWORK, 0, T, S);
    assert_ok(maxgl_objective_options_validate(o, s->resnet, &error), error);
    s->parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(s->resnet, s->parameters);
    maxgl_objective_declare(o, s->resnet, s->parameters);
    assert_ok(maxgl_parameters_allocate(s->parameters, TRUE, &error), error);
    g_autofree const char **outputs = maxgl_objective_outputs(o);
    const MaxglNetworkOptions options = {MAXGL_NETWORK_TRAINING, o->clips * N, outputs, 0};
    s->network = maxgl_network_new(context, s->resnet, &options, s->parameters, &error);
    assert_ok(s->network != NULL, error);
    const guint64 before = context->allocated;
    s->objective = maxgl_objective_new(context, o, s->network, s->parameters, &error);
    assert_ok(s->objective != NULL, error);
    assert_int_equal(context->allocated - before, maxgl_objective_bytes(s->objective));
    formula_fill(s->parameters);
    g_autofree float *clips = formula_clips("clips", o->clips * N, T, S);
    assert_true(maxgl_tensor_write(context, maxgl_network_input(s->network), clips, NULL));
}

static void setting_clear(Setting *s)
{
    maxgl_objective_free(s->objective);
    maxgl_network_free(s->network);
    maxgl_parameters_free(s->parameters);
    maxgl_resnet_free(s->resnet);
}

static void setting_run(Setting *s)
{
    g_autoptr(GError) error = NULL;
    const gboolean ok = maxgl_sequence_run(maxgl_network_forward(s->network), &error) &&
                        maxgl_sequence_run(maxgl_objective_sequence(s->objective), &error) &&
                        maxgl_sequence_run(maxgl_network_backward(s->network), &error);
    assert_ok(ok, error);
}

static void check_gradients(Setting *s, const char *name)
{
    guint found = 0, heads = 0;
    double worst = 0;
    for (guint i = 0; i < maxgl_parameters_count(s->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(s->parameters, i);
        g_autofree char *key = g_strdup_printf("%s/%s", name, p->name);
        if (p->group == MAXGL_PARAMETER_STATISTIC)
            continue;
        heads += g_str_has_prefix(p->name, "head.");
        if (!maxgl_safetensors_find(golden, key))
            continue;
        gsize n;
        g_autofree double *want = golden_get(golden, key, &n);
        g_autofree float *got = g_new(float, p->count);
        assert_int_equal(n, p->count);
        assert_true(maxgl_parameters_read_from(s->parameters, maxgl_parameters_gradients(s->parameters), i,
                                               got, NULL));
        double squares = 0;
        for (gsize j = 0; j < n; j++)
            squares += want[j] * want[j];
        /* Constants cancel out of some estimates: that gradient is zero but for rounding. */
        const double off = sqrt(squares) < 1e-6 ? fabs(got[0]) : relative_error(got, want, n);
        worst = MAX(worst, off);
        if (!(off < 1e-3))
            fail_msg("%s: gradient off by %.2e", key, off);
        found++;
    }
    assert_int_equal(found, heads + 3); /* all of the heads, and three of the network */
    print_message("%s: worst gradient off by %.1e\n", name, worst);
}

static void check(const char *name, const MaxglObjectiveOptions *o)
{
    Setting s = {0};
    setting_init(&s, o);
    g_autofree char *key = g_strdup_printf("%s/values", name);
    g_autofree double *want = golden_get(golden, key, NULL);
    MaxglObjectiveValues values, again;
    setting_run(&s);
    assert_true(maxgl_objective_read(s.objective, &values, NULL));
    if (!(fabs(values.global_mi - want[0]) < 2e-5) || !(fabs(values.local_mi - want[1]) < 2e-5))
        fail_msg("%s: global %.7g (PyTorch %.7g), local %.7g (%.7g)", name, values.global_mi, want[0],
                 values.local_mi, want[1]);
    const double loss = -(o->global_weight * values.global_mi + o->local_weight * values.local_mi);
    assert_true(fabs(values.loss - loss) < 1e-6);
    check_gradients(&s, name);
    setting_run(&s); /* nothing is left over from a run that a second one would add to */
    assert_true(maxgl_objective_read(s.objective, &again, NULL));
    assert_true(again.global_mi == values.global_mi && again.local_mi == values.local_mi);
    check_gradients(&s, name);
    setting_clear(&s);
}

static void test_concat(void **state)
{
    MaxglObjectiveOptions o = defaults();
    check("jsd concat", &o);
    o.estimator = MAXGL_MI_INFONCE;
    o.local_pairs = MAXGL_LOCAL_CROSS;
    o.temperature = 0.5;
    memcpy(o.regions, (int[3]){1, 2, 1}, sizeof o.regions);
    check("infonce concat cross", &o);
    o = defaults();
    o.estimator = MAXGL_MI_DV;
    o.local_pairs = MAXGL_LOCAL_BOTH;
    o.local_weight = 0.5;
    set_layers(&o, "layer2");
    memcpy(o.regions, (int[3]){2, 3, 2}, sizeof o.regions);
    check("dv concat both", &o);
}

static void test_dot(void **state)
{
    MaxglObjectiveOptions o = defaults();
    o.discriminator = MAXGL_DISCRIMINATOR_DOT;
    o.local_pairs = MAXGL_LOCAL_BOTH;
    set_layers(&o, "layer2");
    check("jsd dot both", &o);
    o = defaults();
    o.discriminator = MAXGL_DISCRIMINATOR_DOT;
    o.estimator = MAXGL_MI_INFONCE;
    o.local_negatives = MAXGL_NEGATIVES_ALL;
    o.temperature = 0.7;
    check("infonce dot all", &o);
    o.local_negatives = MAXGL_NEGATIVES_REGION;
    o.temperature = 1;
    o.local_pairs = MAXGL_LOCAL_CROSS;
    memcpy(o.regions, (int[3]){1, 1, 1}, sizeof o.regions);
    check("infonce dot one region", &o);
}

static void test_three_clips_and_two_layers(void **state)
{
    MaxglObjectiveOptions o = defaults();
    o.clips = 3;
    o.estimator = MAXGL_MI_INFONCE;
    o.local_pairs = MAXGL_LOCAL_BOTH;
    o.temperature = 0.5;
    set_layers(&o, "layer2,layer3");
    memcpy(o.regions, (int[3]){1, 2, 2}, sizeof o.regions);
    check("infonce concat both, three clips, two layers", &o);
    o = defaults();
    o.clips = 3;
    o.discriminator = MAXGL_DISCRIMINATOR_DOT;
    o.local_pairs = MAXGL_LOCAL_CROSS;
    set_layers(&o, "layer3,layer2");
    check("jsd dot cross, three clips, two layers", &o);
}

/* A weight of 0 switches a term off: no parameters, no memory, no value. */
static void test_one_term(void **state)
{
    MaxglObjectiveOptions o = defaults();
    o.estimator = MAXGL_MI_INFONCE;
    o.local_weight = 0;
    check("global only", &o);
    o = defaults();
    o.discriminator = MAXGL_DISCRIMINATOR_DOT;
    o.global_weight = 0;
    check("local only", &o);
    g_autoptr(MaxglResnet) resnet = resnet_named(NETWORK, 0, T, S);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_objective_declare(&o, resnet, parameters);
    assert_true(maxgl_parameters_count(parameters) > 0);
    for (guint i = 0; i < maxgl_parameters_count(parameters); i++)
        assert_true(g_str_has_prefix(maxgl_parameters_get(parameters, i)->name, "head.local."));
}

/* Following the gradient raises the estimates: the signs are right from end to end. */
static void test_learns(void **state)
{
    MaxglObjectiveOptions o = defaults();
    o.estimator = MAXGL_MI_INFONCE;
    Setting s = {0};
    setting_init(&s, &o);
    MaxglObjectiveValues first, last;
    setting_run(&s);
    assert_true(maxgl_objective_read(s.objective, &first, NULL));
    for (int step = 0; step < 10; step++) {
        for (guint i = 0; i < maxgl_parameters_count(s.parameters); i++) {
            const MaxglParameter *p = maxgl_parameters_get(s.parameters, i);
            if (p->group == MAXGL_PARAMETER_STATISTIC)
                continue;
            g_autofree float *value = g_new(float, p->count), *gradient = g_new(float, p->count);
            assert_true(maxgl_parameters_read(s.parameters, i, value, NULL) &&
                        maxgl_parameters_read_from(s.parameters, maxgl_parameters_gradients(s.parameters), i,
                                                   gradient, NULL));
            for (gint64 j = 0; j < p->count; j++)
                value[j] -= 0.02F * gradient[j];
            assert_true(maxgl_parameters_write(s.parameters, i, value, NULL));
        }
        setting_run(&s);
    }
    assert_true(maxgl_objective_read(s.objective, &last, NULL));
    assert_true(last.loss < first.loss - 0.05);
    assert_true(last.global_mi <= (float)log(N) && last.local_mi <= (float)log(N));
    setting_clear(&s);
}

static void assert_refused(const MaxglObjectiveOptions *o, const char *expected)
{
    g_autoptr(MaxglResnet) resnet = resnet_named(NETWORK, 0, T, S);
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_objective_options_validate(o, resnet, &error));
    if (!g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE) || !strstr(error->message, expected))
        fail_msg("\"%s\" does not say \"%s\"", error->message, expected);
}

static void test_refused(void **state)
{
    MaxglObjectiveOptions o = defaults();
    o.regions[1] = 99;
    assert_refused(&o, "regions 0×99×0 do not fit the map of layer3, which is 1×4×4");
    o = defaults();
    o.global_weight = o.local_weight = 0;
    assert_refused(&o, "nothing to learn from");
    o.local_weight = -1;
    assert_refused(&o, "must not be negative");
    o = defaults();
    o.clips = 1;
    assert_refused(&o, "2 to 8 clips");
    o.clips = 9;
    assert_refused(&o, "2 to 8 clips");
    o = defaults();
    set_layers(&o, "layer2,layer3");
    memcpy(o.regions, (int[3]){2, 2, 2}, sizeof o.regions);
    assert_refused(&o, "regions 2×2×2 do not fit the map of layer3, which is 1×4×4");
    o = defaults();
    o.temperature = 0;
    assert_refused(&o, "temperature");

    o = defaults();
    g_autoptr(MaxglResnet) resnet = resnet_named(NETWORK, 0, T, S);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    maxgl_objective_declare(&o, resnet, parameters);
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_parameters_allocate(parameters, TRUE, &error), error);
    g_autofree const char **outputs = maxgl_objective_outputs(&o);
    const MaxglNetworkOptions options = {MAXGL_NETWORK_TRAINING, 5, outputs, 0};
    g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, &error);
    assert_ok(network != NULL, error);
    assert_null(maxgl_objective_new(context, &o, network, parameters, &error));
    assert_non_null(strstr(error->message, "batch of 5 clips"));
}

static int set_up(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    assert_ok(context != NULL, error);
    golden = golden_open("max_gl.safetensors");
    return 0;
}

static int tear_down(void **state)
{
    maxgl_safetensors_free(golden);
    assert_int_equal(context->allocated, 0);
    maxgl_context_close(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_three_clips_and_two_layers),
        cmocka_unit_test(test_one_term),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
