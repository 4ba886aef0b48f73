/* What travels between the devices of a training step, number by number. */
#include "learn/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const tiny[] = {
    "network.name=r3d-vcop", "network.width=0.05", "clip.frames=4",
    "clip.size=16",          "objective.hidden=8", "objective.local_layer=layer2,layer4",
    "train.batch=5",         "train.shares=5,2,3", NULL};
enum { N = 3 };
static const int clips[N] = {5, 2, 3};

typedef struct {
    MaxglRecipe *recipe;
    GPtrArray *contexts;
    MaxglReplica *replicas[N];
    MaxglExchange *exchange;
} Fixture;

/* Three devices; the last one's layout is another if @mixed. */
static void fixture_init(Fixture *f, gboolean mixed)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    const int p = context->info->platform_index, d = context->info->device_index;
    g_autofree char *selectors = g_strdup_printf("%d:%d,%d:%d,%d:%d", p, d, p, d, p, d);
    g_autoptr(GError) error = NULL;
    MaxglShares shares;
    f->recipe = maxgl_recipe_new();
    assert_true(maxgl_options_load(&maxgl_recipe_table, f->recipe, NULL, tiny, NULL));
    const MaxglTask *task = maxgl_task_of(f->recipe);
    f->contexts = maxgl_contexts_open(selectors, NULL);
    assert_true(maxgl_shares_of(f->recipe, task, N, &shares, NULL));
    if (mixed)
        maxgl_tuning_try(((MaxglContext *)g_ptr_array_index(f->contexts, N - 1))->tuning, "layout", NULL,
                         "block", maxgl_layout_block(context) == 4 ? "8" : "4");
    for (guint i = 0; i < N; i++) {
        const MaxglShare share = maxgl_shares_get(&shares, f->recipe, i);
        f->replicas[i] =
            maxgl_replica_new(g_ptr_array_index(f->contexts, i), f->recipe, task, NULL, &share, &error);
        assert_null(error);
    }
    assert_int_equal(maxgl_parameters_alike(f->replicas[0]->parameters, f->replicas[N - 1]->parameters),
                     !mixed);
    f->exchange = maxgl_exchange_new(f->replicas, N, &error);
    assert_null(error);
}

static void fixture_clear(Fixture *f)
{
    maxgl_exchange_free(f->exchange);
    for (guint i = 0; i < N; i++)
        maxgl_replica_free(f->replicas[i]);
    g_ptr_array_unref(f->contexts);
    maxgl_recipe_free(f->recipe);
}

/* Some number for element @i of what @kind stands for; exact in sums of a few. */
static float number(guint kind, gint64 i)
{
    return (float)((i * 37 + kind * 1009) % 2048) / 4 - 100;
}

static void fill_parameters(MaxglReplica *r, cl_mem flat, gboolean statistics, guint kind)
{
    for (guint i = 0; i < maxgl_parameters_count(r->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(r->parameters, i);
        g_autofree float *plain = g_new(float, p->count);
        for (gint64 j = 0; j < p->count; j++)
            plain[j] = number(kind + i, j);
        if ((p->group == MAXGL_PARAMETER_STATISTIC) == statistics)
            assert_true(maxgl_parameters_write_to(r->parameters, flat, i, plain, NULL));
    }
}

/* That each number is @expected(its kinds) of those that devices were filled with. */
static void assert_parameters(MaxglReplica *r, cl_mem flat, gboolean statistics, const guint kinds[N],
                              const double weights[N])
{
    for (guint i = 0; i < maxgl_parameters_count(r->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(r->parameters, i);
        g_autofree float *plain = g_new(float, p->count);
        if ((p->group == MAXGL_PARAMETER_STATISTIC) != statistics)
            continue;
        assert_true(maxgl_parameters_read_from(r->parameters, flat, i, plain, NULL));
        for (gint64 j = 0; j < p->count; j++) {
            double sum = 0;
            for (guint k = 0; k < N; k++)
                sum += weights[k] == 0 ? 0 : weights[k] * (double)number(kinds[k] + i, j);
            if (plain[j] != (float)sum)
                fail_msg("%s[%" G_GINT64_FORMAT "] is %g, not %g", p->name, j, (double)plain[j], sum);
        }
    }
}

static cl_mem values(const MaxglReplica *r)
{
    return maxgl_parameters_values(r->parameters);
}

static cl_mem statistics_of(const MaxglReplica *r)
{
    return maxgl_parameters_statistics(r->parameters);
}

/* Rows @first … of @tensor, @n of them. */
static void write_rows(MaxglContext *context, MaxglTensor tensor, int first, int n, guint kind)
{
    MaxglShape before = tensor.shape;
    before.n = first;
    tensor.shape.n = n;
    const gsize elements = maxgl_shape_elements(&tensor.shape), floats = maxgl_shape_floats(&tensor.shape);
    g_autofree float *plain = g_new(float, elements), *blocked = g_new(float, floats);
    for (gsize i = 0; i < elements; i++)
        plain[i] = number(kind, (gint64)i);
    maxgl_shape_pack(&tensor.shape, plain, blocked);
    assert_true(maxgl_buffer_write(context, tensor.buffer, maxgl_shape_bytes(&before), blocked,
                                   floats * sizeof(float), NULL));
}

static void assert_rows(MaxglContext *context, MaxglTensor tensor, int first, int n, guint kind)
{
    MaxglShape before = tensor.shape;
    before.n = first;
    tensor.shape.n = n;
    const gsize elements = maxgl_shape_elements(&tensor.shape), floats = maxgl_shape_floats(&tensor.shape);
    g_autofree float *plain = g_new(float, elements), *blocked = g_new(float, floats),
                     *again = g_new(float, floats);
    assert_true(maxgl_buffer_read(context, tensor.buffer, maxgl_shape_bytes(&before), blocked,
                                  floats * sizeof(float), NULL));
    maxgl_shape_unpack(&tensor.shape, blocked, plain);
    for (gsize i = 0; i < elements; i++)
        if (plain[i] != number(kind, (gint64)i))
            fail_msg("row %d, element %zu: %g, not %g", first, i, (double)plain[i],
                     (double)number(kind, (gint64)i));
    maxgl_shape_pack(&tensor.shape, plain, again); /* padding is zero */
    assert_memory_equal(again, blocked, floats * sizeof(float));
}

static void check_parameters(Fixture *f)
{
    MaxglReplica *lead = f->replicas[0];
    fill_parameters(lead, values(lead), FALSE, 1);
    fill_parameters(lead, statistics_of(lead), TRUE, 2);
    assert_true(maxgl_exchange_publish(f->exchange, NULL));
    for (guint i = 1; i < N; i++) {
        MaxglReplica *r = f->replicas[i];
        assert_true(maxgl_exchange_adopt(f->exchange, i, NULL));
        assert_parameters(r, values(r), FALSE, (const guint[]){1, 0, 0}, (const double[]){1, 0, 0});
        assert_parameters(r, statistics_of(r), TRUE, (const guint[]){2, 0, 0}, (const double[]){1, 0, 0});
    }
}

static void check_features(Fixture *f)
{
    static const char *const taps[] = {"pool", "layer2", "layer4"};
    MaxglReplica *lead = f->replicas[0];
    for (guint t = 0; t < G_N_ELEMENTS(taps); t++)
        for (guint i = 0; i < N; i++)
            write_rows(f->replicas[i]->context, *maxgl_network_output(f->replicas[i]->network, taps[t]), 0,
                       clips[i], 10 * t + i);
    for (guint i = 0; i < N; i++) {
        fill_parameters(f->replicas[i], statistics_of(f->replicas[i]), TRUE, i * 50);
        assert_true(maxgl_exchange_collect(f->exchange, i, NULL));
    }
    assert_true(maxgl_exchange_gather(f->exchange, NULL));
    for (guint t = 0; t < G_N_ELEMENTS(taps); t++)
        for (guint i = 0; i < N; i++)
            assert_rows(lead->context, *maxgl_network_output(lead->network, taps[t]),
                        f->replicas[i]->share.first, clips[i], 10 * t + i);
    /* The mean counts clips. */
    assert_parameters(lead, statistics_of(lead), TRUE, (const guint[]){0, 50, 100},
                      (const double[]){0.5, 0.2, 0.3});

    for (guint t = 0; t < G_N_ELEMENTS(taps); t++)
        for (guint i = 0; i < N; i++)
            write_rows(lead->context, *maxgl_network_output_gradient(lead->network, taps[t]),
                       f->replicas[i]->share.first, clips[i], 10 * t + i + 5);
    assert_true(maxgl_exchange_scatter(f->exchange, NULL));
    for (guint i = 1; i < N; i++) {
        assert_true(maxgl_exchange_receive(f->exchange, i, NULL));
        for (guint t = 0; t < G_N_ELEMENTS(taps); t++)
            assert_rows(f->replicas[i]->context,
                        *maxgl_network_output_gradient(f->replicas[i]->network, taps[t]), 0, clips[i],
                        10 * t + i + 5);
    }
}

static void check_gradients(Fixture *f)
{
    MaxglReplica *lead = f->replicas[0];
    for (guint i = 0; i < N; i++) {
        fill_parameters(f->replicas[i], maxgl_parameters_gradients(f->replicas[i]->parameters), FALSE,
                        i * 70);
        assert_true(i == 0 || maxgl_exchange_return(f->exchange, i, NULL));
    }
    assert_true(maxgl_exchange_sum(f->exchange, NULL));
    assert_parameters(lead, maxgl_parameters_gradients(lead->parameters), FALSE, (const guint[]){0, 70, 140},
                      (const double[]){1, 1, 1});
}

static void check_all(gboolean mixed)
{
    Fixture f = {0};
    fixture_init(&f, mixed);
    for (int again = 0; again < 2; again++) {
        check_parameters(&f);
        check_features(&f);
        check_gradients(&f);
    }
    fixture_clear(&f);
}

static void test_devices_alike(void **state)
{
    check_all(FALSE);
}

static void test_devices_of_different_layout(void **state)
{
    check_all(TRUE);
}

/* Statistics that are the same everywhere stay as they are, whatever the shares: those of frozen layers. */
static void test_same_statistics_stay(void **state)
{
    Fixture f = {0};
    fixture_init(&f, FALSE);
    const gsize floats = maxgl_parameters_statistics_floats(f.replicas[0]->parameters);
    g_autofree float *before = g_new(float, floats), *after = g_new(float, floats);
    for (gsize i = 0; i < floats; i++)
        before[i] = (float)(i + 1) / 3;
    for (guint i = 0; i < N; i++) {
        assert_true(maxgl_buffer_write(f.replicas[i]->context, statistics_of(f.replicas[i]), 0, before,
                                       floats * sizeof(float), NULL));
        assert_true(maxgl_exchange_collect(f.exchange, i, NULL));
    }
    assert_true(maxgl_exchange_gather(f.exchange, NULL));
    assert_true(maxgl_buffer_read(f.replicas[0]->context, statistics_of(f.replicas[0]), 0, after,
                                  floats * sizeof(float), NULL));
    assert_memory_equal(before, after, floats * sizeof(float));
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices_alike),
        cmocka_unit_test(test_devices_of_different_layout),
        cmocka_unit_test(test_same_statistics_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
