/* Operators on feature matrices as objects: how weights are laid out, that runs repeat bit for bit, and what
 * they say to arguments that cannot be. Their numbers are checked by checkcl. */
#include "base/random.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/optimizer.h"
#include "ops/softmax_cross_entropy.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglContext *context;

static int open_context(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    if (!context)
        print_error("%s\n", error->message);
    return context ? 0 : -1;
}

static int close_context(void **state)
{
    maxgl_context_close(context);
    return 0;
}

static cl_mem new_buffer(gsize bytes, const void *data)
{
    cl_mem buffer = maxgl_buffer_new(context, bytes, "a test", NULL);
    assert_non_null(buffer);
    if (data)
        assert_true(maxgl_buffer_write(context, buffer, 0, data, bytes, NULL));
    return buffer;
}

static float *random_floats(gsize n)
{
    float *values = g_new(float, n);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, n);
    for (gsize i = 0; i < n; i++)
        values[i] = maxgl_random_normal(&random);
    return values;
}

/* PyTorch's row is an output, ours an input; blocks pad both. */
static void test_weight_layout(void **state)
{
    const MaxglLinear linear = {maxgl_shape(1, 3, 1, 1, 1, 4), 2, 4};
    const float plain[] = {1, 2, 3, 4, 5, 6};
    const float want[] = {1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0};
    float packed[16], back[6];
    assert_int_equal(maxgl_linear_weight_floats(&linear), 16);
    assert_int_equal(maxgl_linear_weight_elements(&linear), 6);
    maxgl_linear_pack_weights(&linear, plain, packed);
    assert_memory_equal(packed, want, sizeof want);
    maxgl_linear_unpack_weights(&linear, packed, back);
    assert_memory_equal(back, plain, sizeof plain);
}

/* The weights' gradient of many rows is a sum of parts, and so is the gradient's norm. */
static void test_runs_repeat(void **state)
{
    const MaxglLinear linear = {maxgl_shape(3000, 48, 1, 1, 1, 16), 32, 16};
    const gsize floats = maxgl_linear_weight_floats(&linear), bytes = floats * sizeof(float);
    g_autofree float *x = random_floats(3000 * 48), *dy = random_floats(3000 * 32);
    g_autofree guint8 *first = g_malloc(bytes), *second = g_malloc(bytes);
    MaxglGradientNorm norms[2];
    cl_mem buffers[] = {new_buffer(3000 * 48 * sizeof(float), x),
                        new_buffer(3000 * 32 * sizeof(float), dy),
                        new_buffer(bytes, NULL),
                        new_buffer(32 * sizeof(float), NULL),
                        new_buffer(maxgl_linear_backward_weights_workspace(context, &linear), NULL),
                        new_buffer(maxgl_gradient_norm_workspace(3000 * 48), NULL),
                        new_buffer(sizeof(MaxglGradientNorm), NULL)};
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    assert_true(maxgl_linear_backward_weights(sequence, &linear, buffers[0], buffers[1], buffers[2],
                                              buffers[3], buffers[4], NULL));
    assert_true(maxgl_gradient_norm(sequence, buffers[0], 3000 * 48, INFINITY, buffers[6], buffers[5], NULL));
    for (int run = 0; run < 2; run++) {
        assert_true(maxgl_sequence_run(sequence, NULL));
        assert_true(maxgl_buffer_read(context, buffers[2], 0, run ? second : first, bytes, NULL));
        assert_true(maxgl_buffer_read(context, buffers[6], 0, &norms[run], sizeof norms[run], NULL));
    }
    assert_memory_equal(first, second, bytes);
    assert_memory_equal(&norms[0], &norms[1], sizeof norms[0]);
    assert_true(norms[0].scale == 1.0F && norms[0].norm > 0);
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        maxgl_buffer_free(context, buffers[i]);
}

/* What was enqueued before a step's numbers still sees the old ones; nothing waits in between. */
static void test_steps_in_order(void **state)
{
    const MaxglOptimizer sgd = {.kind = MAXGL_OPTIMIZER_SGD};
    const float zero = 0, one = 1;
    float got;
    const MaxglOptimizerBuffers buffers = {.parameters = new_buffer(sizeof zero, &zero),
                                           .gradients = new_buffer(sizeof one, &one),
                                           .step = new_buffer(sizeof(MaxglOptimizerStep), NULL)};
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    assert_int_equal(maxgl_optimizer_states(&sgd), 0);
    assert_true(maxgl_optimizer_update(sequence, &sgd, &buffers, 0, 1, 0, NULL));
    for (guint32 step = 1; step <= 8; step++) {
        assert_true(maxgl_optimizer_set_step(context, &sgd, buffers.step, step, (double)(1U << step), NULL));
        assert_true(maxgl_sequence_run(sequence, NULL));
    }
    assert_true(maxgl_buffer_read(context, buffers.parameters, 0, &got, sizeof got, NULL));
    assert_true(got == -510.0F);
    maxgl_buffer_free(context, buffers.parameters);
    maxgl_buffer_free(context, buffers.gradients);
    maxgl_buffer_free(context, buffers.step);
}

static void assert_refused(gboolean ok, GError **error, MaxglError code, const char *part)
{
    assert_false(ok);
    assert_true(g_error_matches(*error, MAXGL_ERROR, code));
    assert_non_null(strstr((*error)->message, part));
    g_clear_error(error);
}

static void test_errors(void **state)
{
    const MaxglShape map = maxgl_shape(2, 8, 1, 3, 3, 8);
    const MaxglLinear linear = {map, 4, 8};
    const MaxglDropout dropout = {.shape = map, .probability = 1.5F};
    const MaxglOptimizer sgd = {.kind = MAXGL_OPTIMIZER_SGD};
    const MaxglOptimizerBuffers none = {NULL};
    GError *error = NULL;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    assert_refused(maxgl_linear_forward(sequence, &linear, NULL, NULL, NULL, FALSE, NULL, NULL, &error),
                   &error, MAXGL_ERROR_USAGE, "2×8×1×3×3");
    assert_refused(maxgl_dropout_forward(sequence, &dropout, NULL, NULL, NULL, &error), &error,
                   MAXGL_ERROR_USAGE, "1.5");
    assert_refused(maxgl_softmax_cross_entropy(sequence, &map, NULL, NULL, NULL, NULL, NULL, NULL, &error),
                   &error, MAXGL_ERROR_USAGE, "2×8×1×3×3");
    assert_refused(maxgl_optimizer_update(sequence, &sgd, &none, 1, G_MAXUINT32, 0, &error), &error,
                   MAXGL_ERROR_LIMIT, "4294967296");
    assert_int_equal(maxgl_sequence_length(sequence), 0);
}

static void test_unknown_algorithm(void **state)
{
    static const char text[] =
        "entries = ({ kernel = \"linear\"; parameters = { algorithm = \"magic\"; }; });";
    const MaxglLinear linear = {maxgl_shape(2, 8, 1, 1, 1, 8), 4, 8};
    g_autofree char *folder = g_dir_make_tmp("maxgl-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "tuning.cfg", NULL);
    GError *error = NULL;
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_true(g_setenv("MAXGL_TUNING", path, TRUE));
    MaxglTuning *tuning = maxgl_tuning_load(context->info, &error), *before = context->tuning;
    g_unsetenv("MAXGL_TUNING");
    assert_non_null(tuning);
    context->tuning = tuning;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    assert_int_equal(maxgl_linear_backward_data_workspace(context, &linear), 0);
    assert_refused(maxgl_linear_backward_data(sequence, &linear, NULL, NULL, NULL, FALSE, NULL, &error),
                   &error, MAXGL_ERROR_USAGE, "magic");
    context->tuning = before;
    maxgl_tuning_free(tuning);
    g_remove(path);
    g_rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weight_layout),     cmocka_unit_test(test_runs_repeat),
        cmocka_unit_test(test_steps_in_order),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_unknown_algorithm),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
