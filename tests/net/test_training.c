/* Five steps of SGD against PyTorch: forward, backward, running statistics, updates. */
#include "formula.h"
#include "ops/optimizer.h"
#include "ops/softmax_cross_entropy.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As in make_networks.py. */
enum { STEPS = 5 };
#define RATE 1e-3
#define TORCHVISION_RATE 5e-6
#define MOMENTUM 0.9F
#define DECAY 5e-4

static MaxglContext *context;

/* A network being trained with cross-entropy. */
typedef struct {
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    MaxglSequence *loss, *update;
    cl_mem labels, result, workspace, momentum, step;
    int classes;
    double rate;
    MaxglRecompute recompute;
} Trainer;

static cl_mem buffer_new(gsize bytes)
{
    g_autoptr(GError) error = NULL;
    cl_mem buffer = maxgl_buffer_new(context, bytes, "test", &error);
    assert_ok(buffer != NULL, error);
    assert_true(maxgl_buffer_zero(context, buffer, 0, (bytes + 3) / 4 * 4, NULL));
    return buffer;
}

static void prepare_network(Trainer *r, const char *name, int n, int t, int s, double dropout)
{
    static const char *const outputs[] = {"fc", NULL};
    const MaxglNetworkOptions options = {MAXGL_NETWORK_TRAINING, n, outputs, 5, .recompute = r->recompute,
                                         .exact = TRUE};
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglResnet) resnet = resnet_named(name, r->classes, t, s);
    resnet->spec.dropout = dropout;
    r->resnet = maxgl_resnet_new(&resnet->spec, &error);
    r->parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(r->resnet, r->parameters);
    assert_ok(maxgl_parameters_allocate(r->parameters, TRUE, &error), error);
    const guint64 before = context->allocated;
    r->network = maxgl_network_new(context, r->resnet, &options, r->parameters, &error);
    assert_ok(r->network != NULL, error);
    assert_int_equal(context->allocated - before,
                     maxgl_network_predict_bytes(context, r->resnet, &options, &error));
}

static void prepare_update(Trainer *r)
{
    const MaxglOptimizer sgd = {.kind = MAXGL_OPTIMIZER_SGD, .momentum = MOMENTUM};
    const gsize floats = maxgl_parameters_learnt_floats(r->parameters);
    g_autoptr(GError) error = NULL;
    r->momentum = buffer_new(floats * sizeof(float));
    r->step = buffer_new(sizeof(MaxglOptimizerStep));
    r->update = maxgl_sequence_new(context);
    const MaxglOptimizerBuffers buffers = {.parameters = maxgl_parameters_values(r->parameters),
                                           .gradients = maxgl_parameters_gradients(r->parameters),
                                           .state = {r->momentum},
                                           .step = r->step};
    assert_ok(maxgl_optimizer_update(r->update, &sgd, &buffers, 0, floats, DECAY, &error), error);
}

static void trainer_init(Trainer *r, const char *name, int n, int t, int s, int classes, double dropout)
{
    g_autoptr(GError) error = NULL;
    r->classes = classes;
    r->rate = RATE;
    prepare_network(r, name, n, t, s, dropout);
    const MaxglTensor *logits = maxgl_network_output(r->network, "fc");
    r->labels = buffer_new((gsize)n * sizeof(gint32));
    r->result = buffer_new(sizeof(MaxglCrossEntropy));
    r->workspace = buffer_new(maxgl_softmax_cross_entropy_workspace(&logits->shape));
    r->loss = maxgl_sequence_new(context);
    assert_ok(maxgl_softmax_cross_entropy(r->loss, &logits->shape, logits->buffer, r->labels, NULL, r->result,
                                          maxgl_network_output_gradient(r->network, "fc")->buffer,
                                          r->workspace, &error),
              error);
    prepare_update(r);
    formula_fill(r->parameters);
}

static void trainer_clear(Trainer *r)
{
    maxgl_sequence_free(r->loss);
    maxgl_sequence_free(r->update);
    maxgl_network_free(r->network);
    maxgl_parameters_free(r->parameters);
    maxgl_resnet_free(r->resnet);
    cl_mem buffers[] = {r->labels, r->result, r->workspace, r->momentum, r->step};
    for (guint i = 0; i < G_N_ELEMENTS(buffers); i++)
        maxgl_buffer_free(context, buffers[i]);
}

static float train_step(Trainer *r, int step)
{
    const MaxglOptimizer sgd = {.kind = MAXGL_OPTIMIZER_SGD, .momentum = MOMENTUM};
    const MaxglShape input = maxgl_network_input(r->network)->shape;
    g_autofree char *name = g_strdup_printf("step %d", step);
    g_autofree float *clips = formula_clips(name, input.n, input.t, input.h);
    g_autofree gint32 *labels = g_new(gint32, input.n);
    for (int i = 0; i < input.n; i++)
        labels[i] = (3 * i + step) % r->classes;
    g_autoptr(GError) error = NULL;
    MaxglCrossEntropy result;
    const gboolean ok =
        maxgl_tensor_write(context, maxgl_network_input(r->network), clips, &error) &&
        maxgl_buffer_write(context, r->labels, 0, labels, (gsize)input.n * sizeof *labels, &error) &&
        maxgl_network_set_step(r->network, (guint32)step, &error) &&
        maxgl_optimizer_set_step(context, &sgd, r->step, (guint32)step + 1, r->rate, &error) &&
        maxgl_sequence_run(maxgl_network_forward(r->network), &error) &&
        maxgl_sequence_run(r->loss, &error) &&
        maxgl_sequence_run(maxgl_network_backward(r->network), &error) &&
        maxgl_sequence_run(r->update, &error) &&
        maxgl_buffer_read(context, r->result, 0, &result, sizeof result, &error);
    assert_ok(ok, error);
    return result.loss;
}

static void train(Trainer *r, const MaxglSafetensors *golden)
{
    g_autofree double *want = golden_get(golden, "losses", NULL);
    for (int step = 0; step < STEPS; step++) {
        const double loss = train_step(r, step);
        if (!(fabs(loss - want[step]) < 1e-4 * fabs(want[step])))
            fail_msg("loss of step %d is %g, PyTorch's %g", step, loss, want[step]);
    }
}

/* Every weight and running statistic after five steps: itself, and how far it has moved. */
static void check_weights(Trainer *r, const MaxglSafetensors *golden)
{
    double worst = 0, worst_change = 0;
    for (guint i = 0; i < maxgl_parameters_count(r->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(r->parameters, i);
        gsize n;
        g_autofree double *want = golden_get(golden, p->name, &n), *change = g_new(double, n);
        g_autofree float *got = g_new(float, n), *moved = g_new(float, n);
        g_autofree float *start = formula_parameter(p->name, p->rank, p->shape, NULL);
        assert_int_equal(n, p->count);
        assert_true(maxgl_parameters_read(r->parameters, i, got, NULL));
        for (gsize j = 0; j < n; j++) {
            moved[j] = got[j] - start[j];
            change[j] = want[j] - start[j];
        }
        const double off = relative_error(got, want, n), off_change = relative_error(moved, change, n);
        worst = MAX(worst, off);
        worst_change = MAX(worst_change, off_change);
        if (!(off < 1e-4) || !(off_change < 1e-2))
            fail_msg("%s is off by %.2e, its change by %.2e", p->name, off, off_change);
    }
    print_message("worst tensor off by %.1e, worst change by %.1e\n", worst, worst_change);
}

static void check_training(const char *name, int n, int t, int s)
{
    g_autofree char *file = g_strdup_printf("training_%s.safetensors", name);
    g_autoptr(MaxglSafetensors) golden = golden_open(file);
    Trainer r = {0};
    trainer_init(&r, name, n, t, s, 5, 0);
    const guint64 allocated = context->allocated;
    train(&r, golden);
    assert_int_equal(context->allocated, allocated);
    check_weights(&r, golden);
    trainer_clear(&r);
}

static void test_training(void **state)
{
    check_training("hara-r3d18@0.03125", 6, 8, 64);
    check_training("hara-r3d18-a@0.035", 4, 6, 36);
    check_training("hara-r3d50@0.03125", 6, 8, 48);
    check_training("r3d_18@0.03125", 6, 8, 32);
}

/* torchvision's name of a parameter. */
static char *torchvision_name(const MaxglResnet *resnet, const char *ours)
{
    for (int i = 0; i < resnet->n_layers; i++) {
        const char *name = resnet->layers[i].name;
        const gsize length = strlen(name);
        if (strncmp(ours, name, length) == 0 && ours[length] == '.' && !strchr(ours + length + 1, '.'))
            return g_strconcat(resnet->layers[i].prefix[MAXGL_NAMING_TORCHVISION], ours + length, NULL);
    }
    return NULL;
}

/* The real r3d_18 at full width, by its names: each tensor's change in length, and products with a known
 * vector. */
static void test_torchvision(void **state)
{
    g_autoptr(MaxglSafetensors) golden = golden_open("training_r3d_18.safetensors");
    Trainer r = {0};
    trainer_init(&r, "r3d_18", 4, 4, 32, 5, 0);
    r.rate = TORCHVISION_RATE;
    for (guint i = 0; i < maxgl_parameters_count(r.parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(r.parameters, i);
        g_autofree char *name = torchvision_name(r.resnet, p->name);
        g_autofree float *start = formula_parameter(name, p->rank, p->shape, NULL);
        assert_true(maxgl_parameters_write(r.parameters, i, start, NULL));
    }
    train(&r, golden);
    for (guint i = 0; i < maxgl_parameters_count(r.parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(r.parameters, i);
        g_autofree char *name = torchvision_name(r.resnet, p->name);
        const gsize n = (gsize)p->count;
        g_autofree float *start = formula_parameter(name, p->rank, p->shape, NULL), *got = g_new(float, n);
        g_autofree double *probe = formula_noise("probe", n), *want = golden_get(golden, name, NULL);
        double squares = 0, change = 0, value = 0, length = 0;
        assert_true(maxgl_parameters_read(r.parameters, i, got, NULL));
        for (gsize j = 0; j < n; j++) {
            const double moved = (double)got[j] - start[j];
            squares += moved * moved;
            length += (double)got[j] * got[j];
            change += moved * probe[j];
            value += got[j] * probe[j];
        }
        /* Such small steps are rounded: a value of 1 has steps of 6e-8. */
        const double rounding = 1e-7 * sqrt(length), allowed = 5e-3 * want[0] + rounding;
        if (!(fabs(sqrt(squares) - want[0]) < allowed) || !(fabs(change - want[1]) < allowed) ||
            !(fabs(value - want[2]) < 1e-5 * sqrt(length)))
            fail_msg("%s: change %.6g (PyTorch %.6g), products %.6g (%.6g) and %.6g (%.6g)", name,
                     sqrt(squares), want[0], change, want[1], value, want[2]);
    }
    trainer_clear(&r);
}

/* Two runs of the same steps end in the same bits. */
static void test_repeatable(void **state)
{
    g_autofree float *first = NULL;
    gsize floats = 0;
    for (int run = 0; run < 2; run++) {
        Trainer r = {0};
        trainer_init(&r, "hara-r3d10@0.05", 4, 8, 32, 3, 0.4);
        for (int step = 0; step < 3; step++)
            train_step(&r, step);
        floats = maxgl_parameters_learnt_floats(r.parameters);
        g_autofree float *values = g_new(float, floats);
        assert_true(maxgl_buffer_read(context, maxgl_parameters_values(r.parameters), 0, values,
                                      floats * sizeof(float), NULL));
        if (run == 0)
            first = g_steal_pointer(&values);
        else
            assert_memory_equal(first, values, floats * sizeof(float));
        trainer_clear(&r);
    }
}

static float *read_floats(cl_mem buffer, gsize floats)
{
    float *values = g_new(float, floats);
    assert_true(maxgl_buffer_read(context, buffer, 0, values, floats * sizeof(float), NULL));
    return values;
}

static void assert_same_floats(cl_mem a, cl_mem b, gsize floats)
{
    g_autofree float *x = read_floats(a, floats), *y = read_floats(b, floats);
    assert_memory_equal(x, y, floats * sizeof(float));
}

/* Blocks computed again in the backward pass change no bit of gradients, weights and running statistics.
 * Returns: memory, by that of keeping them. */
static double check_recompute(const char *name)
{
    Trainer kept = {0}, again = {.recompute = MAXGL_RECOMPUTE_BLOCKS};
    trainer_init(&kept, name, 3, 8, 40, 3, 0.4);
    trainer_init(&again, name, 3, 8, 40, 3, 0.4);
    const gsize learnt = maxgl_parameters_learnt_floats(kept.parameters),
                statistics = maxgl_parameters_statistics_floats(kept.parameters);
    for (int step = 0; step < 2; step++) {
        const float loss = train_step(&kept, step);
        assert_float_equal(train_step(&again, step), loss, 0);
        assert_same_floats(maxgl_parameters_gradients(kept.parameters),
                           maxgl_parameters_gradients(again.parameters), learnt);
        assert_same_floats(maxgl_parameters_values(kept.parameters),
                           maxgl_parameters_values(again.parameters), learnt);
        assert_same_floats(maxgl_parameters_statistics(kept.parameters),
                           maxgl_parameters_statistics(again.parameters), statistics);
    }
    const double part =
        (double)maxgl_network_bytes(again.network) / (double)maxgl_network_bytes(kept.network);
    trainer_clear(&again);
    trainer_clear(&kept);
    return part;
}

static void test_recompute(void **state)
{
    assert_true(check_recompute("r3d_18@0.0625") < 0.85);
    assert_true(check_recompute("hara-r3d10-a@0.05") <= 1); /* most of it is the stem's */
    assert_true(check_recompute("hara-r3d50@0.03125") <= 1);
}

/* A network with a local and a global output, parameters of its own. */
typedef struct {
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
} TwoOutputs;

static const char *const two_outputs[] = {"layer3", "fc", NULL};

/* @more: room in the input and the outputs for so many clips of others. */
static void two_outputs_init(TwoOutputs *t, int batch, int at_once, int more, MaxglRecompute recompute)
{
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_TRAINING,
                                         .batch = batch,
                                         .outputs = two_outputs,
                                         .recompute = recompute,
                                         .at_once = at_once,
                                         .more_inputs = more,
                                         .more_outputs = more};
    g_autoptr(GError) error = NULL;
    t->resnet = resnet_named("r3d_18@0.0625", 5, 8, 32);
    t->parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(t->resnet, t->parameters);
    assert_ok(maxgl_parameters_allocate(t->parameters, TRUE, &error), error);
    formula_fill(t->parameters);
    t->network = maxgl_network_new(context, t->resnet, &options, t->parameters, &error);
    assert_ok(t->network != NULL, error);
    assert_int_equal(maxgl_network_batch(t->network), batch);
}

static void two_outputs_clear(TwoOutputs *t)
{
    maxgl_network_free(t->network);
    maxgl_parameters_free(t->parameters);
    maxgl_resnet_free(t->resnet);
}

/* Both passes for the samples from @first on of what all networks see. */
static void two_outputs_run(TwoOutputs *t, int first, gboolean backward)
{
    enum { SAMPLES = 6 };
    const MaxglTensor *input = maxgl_network_input(t->network);
    MaxglShape one = input->shape;
    one.n = 1;
    g_autofree float *clips = formula_clips("parts", SAMPLES, one.t, one.h);
    assert_true(first + input->shape.n <= SAMPLES);
    assert_true(maxgl_tensor_write(context, input, clips + (gsize)first * maxgl_shape_elements(&one), NULL));
    assert_true(maxgl_sequence_run(maxgl_network_forward(t->network), NULL));
    for (int i = 0; backward && two_outputs[i]; i++) {
        const MaxglTensor *d = maxgl_network_output_gradient(t->network, two_outputs[i]);
        one = d->shape;
        one.n = 1;
        const gsize floats = maxgl_shape_elements(&one);
        g_autofree double *noise = formula_noise(two_outputs[i], floats * SAMPLES);
        g_autofree float *values = g_new(float, floats *SAMPLES);
        for (gsize j = 0; j < floats * SAMPLES; j++)
            values[j] = (float)noise[j];
        assert_true(maxgl_tensor_write(context, d, values + (gsize)first * floats, NULL));
    }
    if (backward)
        assert_true(maxgl_sequence_run(maxgl_network_backward(t->network), NULL));
}

/* A batch gone through in parts gives what a network of the part's size gives part by part: outputs, running
 * statistics after all parts, and the sum of the gradients, to the bit. */
static void check_parts(MaxglRecompute recompute)
{
    enum { BATCH = 6, PART = 2, PARTS = BATCH / PART };
    TwoOutputs whole = {0}, part = {0};
    two_outputs_init(&whole, BATCH, PART, 0, recompute);
    two_outputs_init(&part, PART, 0, 0, MAXGL_RECOMPUTE_NONE);
    two_outputs_run(&whole, 0, TRUE);
    for (int i = 0; i < PARTS; i++) {
        two_outputs_run(&part, i * PART, FALSE);
        for (int j = 0; two_outputs[j]; j++) {
            const MaxglTensor *all = maxgl_network_output(whole.network, two_outputs[j]),
                              *these = maxgl_network_output(part.network, two_outputs[j]);
            const gsize floats = maxgl_shape_floats(&these->shape);
            g_autofree float *x = read_floats(all->buffer, floats * PARTS),
                             *y = read_floats(these->buffer, floats);
            assert_memory_equal(x + (gsize)i * floats, y, floats * sizeof(float));
        }
    }
    const gsize learnt = maxgl_parameters_learnt_floats(whole.parameters);
    assert_same_floats(maxgl_parameters_statistics(whole.parameters),
                       maxgl_parameters_statistics(part.parameters),
                       maxgl_parameters_statistics_floats(whole.parameters));
    g_autofree float *sum = g_new0(float, learnt);
    for (int i = 0; i < PARTS; i++) {
        two_outputs_run(&part, (i + PARTS - 1) % PARTS * PART, TRUE);
        g_autofree float *g = read_floats(maxgl_parameters_gradients(part.parameters), learnt);
        for (gsize j = 0; j < learnt; j++)
            sum[j] += g[j];
    }
    g_autofree float *g = read_floats(maxgl_parameters_gradients(whole.parameters), learnt);
    for (gsize j = 0; j < learnt; j++)
        if (g[j] != sum[j]) /* bits, but for the sign of a zero */
            fail_msg("gradient %zu is %g, the sum over parts %g", j, (double)g[j], (double)sum[j]);
    two_outputs_clear(&whole);
    two_outputs_clear(&part);
}

static void test_parts(void **state)
{
    check_parts(MAXGL_RECOMPUTE_NONE);
    check_parts(MAXGL_RECOMPUTE_BLOCKS);
    const MaxglNetworkOptions options = {
        .mode = MAXGL_NETWORK_TRAINING, .batch = 6, .outputs = two_outputs, .at_once = 4};
    g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18@0.0625", 5, 8, 32);
    g_autoptr(GError) error = NULL;
    assert_int_equal(maxgl_network_predict_bytes(context, resnet, &options, &error), 0);
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
}

/* Room for the clips of others changes nothing, and the forward pass leaves it as it is: what is written
 * there before is there when the loss is computed. */
static void check_room(int at_once)
{
    enum { OWN = 4, MORE = 2 };
    TwoOutputs roomy = {0}, plain = {0};
    two_outputs_init(&roomy, OWN, at_once, MORE, MAXGL_RECOMPUTE_NONE);
    two_outputs_init(&plain, OWN, at_once, 0, MAXGL_RECOMPUTE_NONE);
    assert_int_equal(maxgl_network_input(roomy.network)->shape.n, OWN + MORE);
    for (int j = 0; two_outputs[j]; j++) {
        const MaxglTensor *all = maxgl_network_output(roomy.network, two_outputs[j]);
        MaxglShape rest = all->shape;
        assert_int_equal(rest.n, OWN + MORE);
        rest.n = MORE;
        const gsize floats = maxgl_shape_floats(&rest);
        g_autofree float *others = g_new(float, floats);
        for (gsize i = 0; i < floats; i++)
            others[i] = (float)i;
        const gsize at = (maxgl_shape_floats(&all->shape) - floats) * sizeof(float);
        assert_true(maxgl_buffer_write(context, all->buffer, at, others, floats * sizeof(float), NULL));
    }
    two_outputs_run(&roomy, 0, TRUE);
    two_outputs_run(&plain, 0, TRUE);
    for (int j = 0; two_outputs[j]; j++) {
        const MaxglTensor *all = maxgl_network_output(roomy.network, two_outputs[j]),
                          *own = maxgl_network_output(plain.network, two_outputs[j]);
        const gsize floats = maxgl_shape_floats(&all->shape), before = maxgl_shape_floats(&own->shape);
        g_autofree float *x = read_floats(all->buffer, floats), *y = read_floats(own->buffer, before);
        assert_memory_equal(x, y, before * sizeof(float));
        for (gsize i = before; i < floats; i++)
            assert_true(x[i] == (float)(i - before));
    }
    assert_same_floats(maxgl_parameters_gradients(roomy.parameters),
                       maxgl_parameters_gradients(plain.parameters),
                       maxgl_parameters_learnt_floats(plain.parameters));
    two_outputs_clear(&roomy);
    two_outputs_clear(&plain);
}

static void test_room_for_the_clips_of_others(void **state)
{
    check_room(0);
    check_room(2);
}

/* The step decides what dropout drops. */
static void test_dropout_changes(void **state)
{
    Trainer r = {0};
    trainer_init(&r, "hara-r3d10@0.05", 4, 8, 32, 3, 0.5);
    g_autoptr(GError) error = NULL;
    const MaxglTensor *logits = maxgl_network_output(r.network, "fc");
    g_autofree float *clips = formula_clips("clips", 4, 8, 32);
    float results[3][12];
    assert_true(maxgl_tensor_write(context, maxgl_network_input(r.network), clips, &error));
    static const guint32 steps[] = {1, 2, 1};
    for (int i = 0; i < 3; i++) {
        assert_true(maxgl_network_set_step(r.network, steps[i], &error));
        assert_true(maxgl_sequence_run(maxgl_network_forward(r.network), &error));
        assert_true(maxgl_tensor_read(context, logits, results[i], &error));
    }
    assert_memory_equal(results[0], results[2], sizeof results[0]);
    assert_memory_not_equal(results[0], results[1], sizeof results[0]);
    trainer_clear(&r);
}

static int set_up(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    assert_ok(context != NULL, error);
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(context->allocated, 0);
    maxgl_context_close(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),        cmocka_unit_test(test_torchvision),
        cmocka_unit_test(test_repeatable),      cmocka_unit_test(test_recompute),
        cmocka_unit_test(test_parts),           cmocka_unit_test(test_room_for_the_clips_of_others),
        cmocka_unit_test(test_dropout_changes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
