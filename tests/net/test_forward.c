/* Inference against PyTorch: maps and features of every network, the embedder on a real r3d_18. */
#include "formula.h"
#include "net/weights.h"

#include <glib/gstdio.h>
#include <maxgl/embedder.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TOLERANCE 1e-5

static MaxglContext *context;
static MaxglSafetensors *golden;

static MaxglParameters *filled(const MaxglResnet *resnet)
{
    MaxglParameters *parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_parameters_allocate(parameters, FALSE, &error), error);
    formula_fill(parameters);
    return parameters;
}

static void assert_output(const MaxglNetwork *network, const char *key, const char *tap)
{
    g_autofree char *name = g_strdup_printf("%s/%s", key, tap);
    if (!maxgl_safetensors_find(golden, name)) {
        assert_string_not_equal(tap, "pool");
        return;
    }
    gsize n;
    g_autofree double *want = golden_get(golden, name, &n);
    const MaxglTensor *tensor = maxgl_network_output(network, tap);
    assert_int_equal(maxgl_shape_elements(&tensor->shape), n);
    g_autofree float *got = g_new(float, n);
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_tensor_read(context, tensor, got, &error), error);
    const double off = relative_error(got, want, n);
    if (!(off < TOLERANCE))
        fail_msg("%s is off by %.2e", name, off);
}

static void check_network(const char *name, int n, int t, int s)
{
    static const char *const outputs[] = {"pool", "layer2", NULL};
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE, .batch = n, .outputs = outputs};
    g_autofree char *key = g_strdup_printf("%s/%dx%dx%d", name, n, t, s);
    g_autofree float *clips = formula_clips("clips", n, t, s);
    g_autoptr(MaxglResnet) resnet = resnet_named(name, 0, t, s);
    g_autoptr(MaxglParameters) parameters = filled(resnet);
    g_autoptr(GError) error = NULL;
    const guint64 before = context->allocated;
    const guint64 predicted = maxgl_network_predict_bytes(context, resnet, &options, &error);
    g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, &error);
    assert_ok(network != NULL, error);
    assert_int_equal(context->allocated - before, predicted);
    assert_int_equal(maxgl_network_bytes(network), predicted);
    assert_ok(maxgl_tensor_write(context, maxgl_network_input(network), clips, &error), error);
    assert_ok(maxgl_sequence_run(maxgl_network_forward(network), &error), error);
    assert_output(network, key, "pool");
    assert_output(network, key, "layer2");
    assert_int_equal(context->allocated - before, predicted);
}

static void test_networks(void **state)
{
    check_network("hara-r3d10@0.25", 2, 8, 32);
    check_network("hara-r3d18@0.25", 2, 8, 48);
    check_network("hara-r3d18-a@0.3", 2, 7, 37);
    check_network("hara-r3d34-a@0.125", 1, 16, 32);
    check_network("hara-r3d50@0.25", 2, 8, 32);
    check_network("hara-r3d50-a@0.125", 1, 8, 32);
    check_network("r3d_18@0.25", 2, 8, 32);
    check_network("r3d-vcop@0.3", 2, 5, 40);
}

/* New parameters are seen after a refresh, and not before. */
static void test_refresh(void **state)
{
    static const char *const outputs[] = {"pool", NULL};
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE, .batch = 2, .outputs = outputs};
    g_autofree float *clips = formula_clips("clips", 2, 8, 32);
    g_autoptr(MaxglResnet) resnet = resnet_named("hara-r3d10@0.25", 0, 8, 32);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_parameters_allocate(parameters, FALSE, &error), error);
    assert_ok(maxgl_parameters_initialise(parameters, 1, &error), error);
    g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, &error);
    assert_ok(network != NULL, error);
    formula_fill(parameters);
    assert_ok(maxgl_network_refresh(network, &error), error);
    assert_ok(maxgl_tensor_write(context, maxgl_network_input(network), clips, &error), error);
    assert_ok(maxgl_sequence_run(maxgl_network_forward(network), &error), error);
    assert_output(network, "hara-r3d10@0.25/2x8x32", "pool");
}

static char *write_model(const char *folder, MaxglNaming naming, const char *prefix)
{
    char *path = g_build_filename(folder, "r3d_18.safetensors", NULL);
    g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18", 400, 8, 56);
    formula_write_file(path, resnet, naming, prefix);
    return path;
}

/* A torchvision r3d_18 with its weights, by its names: the logits and, through the embedder, the pooled
 * features. */
static void test_torchvision(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("maxgl-forward-XXXXXX", NULL);
    g_autofree char *path = write_model(folder, MAXGL_NAMING_TORCHVISION, "");
    g_autofree float *clips = formula_clips("clips", 2, 8, 56);
    g_autoptr(GError) error = NULL;
    {
        static const char *const outputs[] = {"fc", "pool", NULL};
        const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE, .batch = 2, .outputs = outputs};
        g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18", 400, 8, 56);
        g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
        maxgl_resnet_declare(resnet, parameters);
        assert_ok(maxgl_parameters_allocate(parameters, FALSE, &error), error);
        assert_ok(maxgl_weights_load(path, resnet, parameters, NULL, NULL, &error), error);
        g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, &error);
        assert_ok(network != NULL, error);
        assert_ok(maxgl_tensor_write(context, maxgl_network_input(network), clips, &error), error);
        assert_ok(maxgl_sequence_run(maxgl_network_forward(network), &error), error);
        assert_output(network, "r3d_18/2x8x56", "fc");
        assert_output(network, "r3d_18/2x8x56", "pool");

        /* The embedder takes the clip's size from metadata, which torchvision's file has not: save it anew.
         */
        g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&resnet->spec);
        assert_ok(maxgl_weights_save(path, resnet, parameters, info, 0, TRUE, &error), error);
    }
    gsize n;
    g_autofree double *want = golden_get(golden, "r3d_18/2x8x56/pool", &n);
    g_autofree float *features = g_new(float, 512 * 5), *five = g_new(float, 5 * 3 * 8 * 56 * 56);
    const gsize clip = 3 * 8 * 56 * 56;
    for (gsize i = 0; i < 5; i++) /* batches of 2, 2 and 1 */
        memcpy(five + i * clip, clips + i % 2 * clip, clip * sizeof(float));
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(path, NULL, 2, &error);
    assert_ok(embedder != NULL, error);
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    assert_string_equal(info->model, "r3d_18");
    assert_int_equal(info->features, 512);
    assert_int_equal(info->frames, 8);
    assert_int_equal(info->width, 56);
    assert_int_equal(info->preprocessing.resize_width, 86);
    assert_ok(maxgl_embedder_run(embedder, five, 5, features, &error), error);
    assert_true(relative_error(features, want, 1024) < TOLERANCE);
    assert_true(relative_error(features + 1024, want, 1024) < TOLERANCE);
    assert_true(relative_error(features + 2048, want, 512) < TOLERANCE);
    g_unlink(path);
    g_rmdir(folder);
}

/* 8-bit frames through the preparer give what their normalised values give. */
static void test_frames(void **state)
{
    enum { T = 8, S = 32, CLIPS = 3 };
    g_autofree char *folder = g_dir_make_tmp("maxgl-forward-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "m.safetensors", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglResnet) resnet = resnet_named("hara-r3d10@0.25", 0, T, S);
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&resnet->spec);
    {
        g_autoptr(MaxglParameters) parameters = filled(resnet);
        assert_ok(maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, &error), error);
    }
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(path, NULL, 2, &error);
    assert_ok(embedder != NULL, error);
    const int features = maxgl_embedder_info(embedder)->features;
    const MaxglFrameLayout layout = {
        .format = MAXGL_PIXEL_RGB, .width = S, .height = S, .stride = {3 * S}, .frame_bytes = 3 * S * S};
    g_autofree guint8 *bytes = g_malloc(CLIPS * T * 3 * S * S);
    g_autofree float *plain = g_new(float, CLIPS *T * 3 * S * S);
    MaxglEmbedderClip clips[CLIPS];
    const guint8 *frames[CLIPS][T];
    for (int n = 0; n < CLIPS; n++) {
        for (int t = 0; t < T; t++) {
            guint8 *frame = bytes + (n * T + t) * 3 * S * S;
            for (int p = 0; p < S * S; p++)
                for (int c = 0; c < 3; c++) {
                    frame[3 * p + c] = (guint8)(p * (7 + c) + t * 31 + n * 101);
                    plain[((n * 3 + c) * T + t) * S * S + p] =
                        ((float)frame[3 * p + c] / 255 - info->preprocessing.mean[c]) /
                        info->preprocessing.std[c];
                }
            frames[n][t] = frame;
        }
        clips[n] = (MaxglEmbedderClip){frames[n], layout, NULL};
    }
    g_autofree float *got = g_new(float, CLIPS *features), *want = g_new(float, CLIPS *features);
    g_autofree double *wide = g_new(double, CLIPS *features);
    assert_ok(maxgl_embedder_run_frames(embedder, clips, CLIPS, got, &error), error);
    assert_ok(maxgl_embedder_run(embedder, plain, CLIPS, want, &error), error);
    for (int i = 0; i < CLIPS * features; i++)
        wide[i] = want[i];
    assert_true(relative_error(got, wide, (gsize)(CLIPS * features)) < TOLERANCE);
    g_unlink(path);
    g_rmdir(folder);
}

static void assert_refused(const char *const *outputs, int batch, MaxglError code, const char *expected)
{
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE, .batch = batch, .outputs = outputs};
    g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18", 0, 16, 112);
    g_autoptr(GError) error = NULL;
    assert_int_equal(maxgl_network_predict_bytes(context, resnet, &options, &error), 0);
    if (!g_error_matches(error, MAXGL_ERROR, (int)code) || !strstr(error->message, expected))
        fail_msg("\"%s\" does not say \"%s\"", error->message, expected);
}

static void test_refused(void **state)
{
    static const char *const pool[] = {"pool", NULL}, *const fc[] = {"fc", NULL}, *const none[] = {NULL};
    assert_refused(pool, 0, MAXGL_ERROR_USAGE, "batch of 0 clips");
    assert_refused(fc, 1, MAXGL_ERROR_USAGE, "no output \"fc\"");
    assert_refused(none, 1, MAXGL_ERROR_USAGE, "no output asked for");
    assert_refused(pool, 100000, MAXGL_ERROR_LIMIT, "use a smaller batch");
}

static void test_normalize(void **state)
{
    float vectors[] = {3, 4, 0, 0, -2, 0};
    maxgl_features_normalize(vectors, 3, 2);
    const float want[] = {0.6F, 0.8F, 0, 0, -1, 0};
    assert_memory_equal(vectors, want, sizeof want);
}

static int set_up(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    assert_ok(context != NULL, error);
    golden = golden_open("networks.safetensors");
    return 0;
}

static int tear_down(void **state)
{
    maxgl_safetensors_free(golden);
    maxgl_context_close(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks), cmocka_unit_test(test_refresh), cmocka_unit_test(test_torchvision),
        cmocka_unit_test(test_frames),   cmocka_unit_test(test_refused), cmocka_unit_test(test_normalize),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
