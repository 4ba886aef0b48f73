/* Networks whose maps are stored in 16 bits against the same in floats. */
#include "formula.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglContext *context;

static const char *const outputs[] = {"layer2", "layer3", "fc", NULL};
enum { OUTPUTS = 3, SAMPLES = 6 };

/* A network and what its passes gave. */
typedef struct {
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    float *values[OUTPUTS], *gradients; /* as they lie; gradients of all parameters */
} Run;

static MaxglNetworkOptions options_of(MaxglNetworkMode mode, MaxglPrecision precision, int batch, int at_once)
{
    return (MaxglNetworkOptions){.mode = mode,
                                 .batch = batch,
                                 .outputs = outputs,
                                 .at_once = at_once,
                                 .exact = TRUE,
                                 .precision = precision};
}

static void run_init(Run *r, const char *name, const MaxglNetworkOptions *options)
{
    g_autoptr(GError) error = NULL;
    *r = (Run){.resnet = resnet_named(name, 5, 8, 32)};
    r->parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(r->resnet, r->parameters);
    assert_ok(maxgl_parameters_allocate(r->parameters, options->mode == MAXGL_NETWORK_TRAINING, &error),
              error);
    formula_fill(r->parameters);
    const guint64 before = context->allocated;
    r->network = maxgl_network_new(context, r->resnet, options, r->parameters, &error);
    assert_ok(r->network != NULL, error);
    assert_int_equal(context->allocated - before,
                     maxgl_network_predict_bytes(context, r->resnet, options, &error));
}

static void forget(Run *r)
{
    for (int i = 0; i < OUTPUTS; i++)
        g_clear_pointer(&r->values[i], g_free);
    g_clear_pointer(&r->gradients, g_free);
}

static void run_clear(Run *r)
{
    forget(r);
    maxgl_network_free(r->network);
    maxgl_parameters_free(r->parameters);
    maxgl_resnet_free(r->resnet);
}

static float *read_floats(cl_mem buffer, gsize floats)
{
    float *values = g_new(float, floats);
    assert_true(maxgl_buffer_read(context, buffer, 0, values, floats * sizeof(float), NULL));
    return values;
}

/* Noise for the samples from @first on of a tensor of the caller's. */
static void write_noise(const MaxglTensor *tensor, const char *name, int first)
{
    MaxglShape one = tensor->shape;
    one.n = 1;
    const gsize floats = maxgl_shape_elements(&one);
    g_autofree double *noise = formula_noise(name, floats * SAMPLES);
    g_autofree float *values = g_new(float, floats *SAMPLES);
    for (gsize i = 0; i < floats * SAMPLES; i++)
        values[i] = (float)noise[i];
    assert_int_equal(tensor->shape.storage, MAXGL_FLOAT32);
    assert_true(maxgl_tensor_write(context, tensor, values + (gsize)first * floats, NULL));
}

/* The passes there are, for the samples from @first on. */
static void run_passes(Run *r, int first)
{
    write_noise(maxgl_network_input(r->network), "clips", first);
    assert_true(maxgl_sequence_run(maxgl_network_forward(r->network), NULL));
    forget(r);
    for (int i = 0; i < OUTPUTS; i++) {
        const MaxglTensor *y = maxgl_network_output(r->network, outputs[i]);
        r->values[i] = read_floats(y->buffer, maxgl_shape_floats(&y->shape));
    }
    if (!maxgl_network_backward(r->network))
        return;
    for (int i = 0; i < OUTPUTS; i++)
        write_noise(maxgl_network_output_gradient(r->network, outputs[i]), outputs[i], first);
    assert_true(maxgl_sequence_run(maxgl_network_backward(r->network), NULL));
    r->gradients =
        read_floats(maxgl_parameters_gradients(r->parameters), maxgl_parameters_learnt_floats(r->parameters));
}

static double error_of(const float *got, const float *want, gsize n)
{
    g_autofree double *wanted = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        wanted[i] = want[i];
    return relative_error(got, wanted, n);
}

static gsize output_floats(const Run *r, int output)
{
    return maxgl_shape_floats(&maxgl_network_output(r->network, outputs[output])->shape);
}

/* Against floats. Gradients are further off than outputs: where a number close to zero is rounded, ReLU opens
 * or closes, which shows as the root of how often that happens. */
static void check_against_floats(const char *name, MaxglNetworkMode mode, MaxglPrecision precision,
                                 double tolerance, double gradients_tolerance)
{
    const MaxglNetworkOptions in_floats = options_of(mode, MAXGL_PRECISION_FP32, 4, 0),
                              in_16_bits = options_of(mode, precision, 4, 0);
    Run want, got;
    run_init(&want, name, &in_floats);
    run_init(&got, name, &in_16_bits);
    run_passes(&want, 0);
    run_passes(&got, 0);
    for (int i = 0; i < OUTPUTS; i++) {
        const double error = error_of(got.values[i], want.values[i], output_floats(&want, i));
        if (!(error <= tolerance) || error < tolerance / 100)
            fail_msg("%s: %s is off by %g; allowed are %g, and not nothing", maxgl_precision_names[precision],
                     outputs[i], error, tolerance);
    }
    if (want.gradients) {
        const gsize learnt = maxgl_parameters_learnt_floats(want.parameters);
        const double error = error_of(got.gradients, want.gradients, learnt);
        if (!(error <= gradients_tolerance))
            fail_msg("%s: gradients are off by %g; allowed are %g", maxgl_precision_names[precision], error,
                     gradients_tolerance);
    }
    assert_true(maxgl_network_bytes(got.network) < maxgl_network_bytes(want.network));
    run_clear(&want);
    run_clear(&got);
}

static void test_training(void **state)
{
    check_against_floats("r3d_18@0.0625", MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_FP16, 0x1p-11 * 8, 0.1);
    check_against_floats("r3d_18@0.0625", MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_BF16, 0x1p-8 * 8, 0.3);
    /* Shortcuts without parameters, and max-pooling, whose winners change as well. */
    check_against_floats("hara-r3d10-a@0.05", MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_FP16, 0x1p-11 * 8, 0.3);
}

static void test_inference(void **state)
{
    check_against_floats("r3d_18@0.0625", MAXGL_NETWORK_INFERENCE, MAXGL_PRECISION_FP16, 0x1p-11 * 4, 0);
    check_against_floats("r3d_18@0.0625", MAXGL_NETWORK_INFERENCE, MAXGL_PRECISION_BF16, 0x1p-8 * 4, 0);
}

/* Where a device has no matrix units tf32 is fp32, to the bit. */
static void test_tf32(void **state)
{
    const MaxglNetworkOptions fp32 = options_of(MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_FP32, 4, 0),
                              tf32 = options_of(MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_TF32, 4, 0);
    Run want, got;
    run_init(&want, "r3d_18@0.0625", &fp32);
    run_init(&got, "r3d_18@0.0625", &tf32);
    run_passes(&want, 0);
    run_passes(&got, 0);
    assert_memory_equal(got.values[2], want.values[2], output_floats(&want, 2) * sizeof(float));
    assert_memory_equal(got.gradients, want.gradients,
                        maxgl_parameters_learnt_floats(want.parameters) * sizeof(float));
    run_clear(&want);
    run_clear(&got);
}

/* A batch in parts gives what a network of the part's size gives, to the bit. */
static void test_parts(void **state)
{
    enum { PART = 2, PARTS = SAMPLES / PART };
    const MaxglNetworkOptions in_parts =
                                  options_of(MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_BF16, SAMPLES, PART),
                              one = options_of(MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_BF16, PART, 0);
    Run whole, part;
    run_init(&whole, "r3d_18@0.0625", &in_parts);
    run_init(&part, "r3d_18@0.0625", &one);
    run_passes(&whole, 0);
    const gsize learnt = maxgl_parameters_learnt_floats(whole.parameters);
    g_autofree float *sum = g_new0(float, learnt);
    for (int i = 0; i < PARTS; i++) {
        const int at = (i + PARTS - 1) % PARTS; /* gradients are summed in this order */
        run_passes(&part, at * PART);
        for (int j = 0; j < OUTPUTS; j++) {
            const gsize floats = output_floats(&part, j);
            assert_memory_equal(whole.values[j] + (gsize)at * floats, part.values[j], floats * sizeof(float));
        }
        for (gsize j = 0; j < learnt; j++)
            sum[j] += part.gradients[j];
    }
    for (gsize j = 0; j < learnt; j++)
        if (whole.gradients[j] != sum[j])
            fail_msg("gradient %zu is %g, the sum over parts %g", j, (double)whole.gradients[j],
                     (double)sum[j]);
    run_clear(&whole);
    run_clear(&part);
}

/* What a training step of a network of full width takes. */
static void test_memory(void **state)
{
    static const char *const pool[] = {"pool", NULL};
    g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18", 0, 16, 112);
    guint64 bytes[2];
    for (int i = 0; i < 2; i++) {
        const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_TRAINING,
                                             .batch = 4,
                                             .outputs = pool,
                                             .precision = i ? MAXGL_PRECISION_BF16 : MAXGL_PRECISION_FP32};
        g_autoptr(GError) error = NULL;
        bytes[i] = maxgl_network_predict_bytes(context, resnet, &options, &error);
        assert_ok(bytes[i] > 0, error);
    }
    const double ratio = (double)bytes[1] / (double)bytes[0];
    print_message("bf16 takes %.1f MiB, fp32 %.1f: %.3f\n", (double)bytes[1] / (1 << 20),
                  (double)bytes[0] / (1 << 20), ratio);
    assert_true(ratio < 0.55);
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
        cmocka_unit_test(test_training), cmocka_unit_test(test_inference), cmocka_unit_test(test_tf32),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
