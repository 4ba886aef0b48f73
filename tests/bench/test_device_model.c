/* The model of a device's time: what it says of every class, and that it follows what it is made of. */
#include "bench/predict.h"
#include "bench/tune_tiles.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const MaxglModel device = {.cores = 100,
                                  .flops = 10e12,
                                  .matrix = {0, 80e12},
                                  .memory = 1e12,
                                  .cache = 4e12,
                                  .local = 12e12,
                                  .launch = 5e-6,
                                  .local_memory = 65536,
                                  .registers = 65536};

/* Groups enough for every core to hold as many as it can. */
static const MaxglWork full = {
    .flops = 1e12, .groups = 100000, .items = 256, .registers = 128, .local_bytes = 16384, .launches = 1};

static void test_limits(void **state)
{
    (void)state;
    const double arithmetic = maxgl_model_time(&device, &full);
    assert_true(arithmetic > 0.1 && arithmetic < 0.15); /* 10 TFLOP/s less what else is issued */
    MaxglWork w = full;
    w.bytes = 1e12;
    assert_float_equal(maxgl_model_time(&device, &w), 1.0, 1e-3);
    w.fetched = 8e12;
    assert_float_equal(maxgl_model_time(&device, &w), 2.0, 1e-3);
    w.launches = 1000;
    assert_float_equal(maxgl_model_time(&device, &w), 2.005, 1e-3);
    w = full;
    w.units = TRUE;
    w.factors = MAXGL_FACTORS_FP16;
    assert_true(maxgl_model_time(&device, &w) < arithmetic / 7);
    w.local_reads = 12e12;
    assert_true(maxgl_model_time(&device, &w) > 1.0);
}

/* One group too many, or too few work-items to wait with. */
static void test_use(void **state)
{
    (void)state;
    MaxglWork w = full;
    w.groups = 400;
    const double even = maxgl_model_time(&device, &w);
    w.groups = 401;
    assert_true(maxgl_model_time(&device, &w) > 1.2 * even);
    w = full;
    w.items = 64;
    w.local_bytes = 65536;
    assert_true(maxgl_model_time(&device, &w) > 1.5 * maxgl_model_time(&device, &full));
}

static void test_classes(void **state)
{
    (void)state;
    MaxglResnetSpec spec;
    g_autoptr(GError) error = NULL;
    maxgl_resnet_spec_init(&spec);
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&spec, &error);
    assert_non_null(resnet);
    guint count;
    const MaxglDeviceClass *classes = maxgl_device_classes(&count);
    for (guint i = 0; i < count; i++)
        for (int f = MAXGL_FACTORS_FP32; f <= MAXGL_FACTORS_TF32; f++) {
            const double peak = MAX(classes[i].flops, classes[i].matrix[f]);
            g_autoptr(MaxglPrediction) p = maxgl_predict(&classes[i], resnet, 2, (MaxglFactors)f, &error);
            assert_non_null(p);
            assert_true(p->training > 2 * p->inference && p->training < 6 * p->inference);
            /* 41 multiply-adds · 10⁹ a clip; Winograd's method saves up to three quarters. */
            assert_true(p->inference > 2 * 82e9 / peak / 4);
        }
}

static void test_find(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_string_equal(maxgl_device_class_find("h100", &error)->name, "NVIDIA H100 SXM");
    assert_string_equal(maxgl_device_class_find("gfx942", &error)->name, "AMD Instinct MI300X");
    assert_null(maxgl_device_class_find("Voodoo", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    assert_non_null(strstr(error->message, "Intel Arc A770"));
}

/* A device belongs to its namesake, or else to the first of its architecture. */
static void test_of_device(void **state)
{
    (void)state;
    MaxglDeviceInfo info = {.vendor = MAXGL_VENDOR_NVIDIA, .architecture = (char *)"sm_90"};
    info.name = (char *)"NVIDIA H200";
    assert_string_equal(maxgl_device_class_of(&info)->name, "NVIDIA H200");
    info.name = (char *)"NVIDIA H100 80GB HBM3";
    assert_string_equal(maxgl_device_class_of(&info)->name, "NVIDIA H100 SXM");
    info.name = (char *)"something else";
    assert_string_equal(maxgl_device_class_of(&info)->architecture, "sm_90");
    info.vendor = MAXGL_VENDOR_POCL;
    assert_null(maxgl_device_class_of(&info));
}

/* The best tile first, none that the model gives up, and the database as it was. Returns: how many those are.
 */
static guint check_tiles(const char *name, MaxglStorage storage, const char *kernel)
{
    g_autoptr(GError) error = NULL;
    const MaxglDeviceClass *class = maxgl_device_class_find(name, &error);
    assert_non_null(class);
    const MaxglModel model = maxgl_model_of_class(class);
    MaxglContext *context = maxgl_device_class_context(class, &error);
    assert_non_null(context);
    MaxglConv3d conv = {{8, 128, 8, 28, 28, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
    conv.input.storage = conv.out_storage = storage;
    const char *pass_and_class = "forward k3x3x3 s1x1x1 c128 k128 o8x28x28";
    g_autofree char *asked = g_strconcat(pass_and_class, storage == MAXGL_FLOAT16 ? " fp16" : "", NULL);
    maxgl_tuning_try(context->tuning, "conv3d", asked + strlen("forward "), "forward",
                     kernel + strlen("conv3d_"));
    maxgl_tuning_try(context->tuning, kernel, asked, "TM", "64");
    g_autofree char *before = maxgl_tuning_text(context->tuning);
    guint hopeless = 0, all = 0;
    g_autoptr(GArray) tiles =
        maxgl_tune_tiles(context, &model, &conv, MAXGL_CONV3D_FORWARD, kernel, asked, &hopeless);
    g_autoptr(GArray) without =
        maxgl_tune_tiles(context, NULL, &conv, MAXGL_CONV3D_FORWARD, kernel, asked, &all);
    assert_true(tiles->len >= 3);
    assert_int_equal(without->len, tiles->len + hopeless);
    for (guint i = 1; i < tiles->len; i++) {
        const MaxglTuneTile *t = &g_array_index(tiles, MaxglTuneTile, i);
        assert_true(t->predicted >= (t - 1)->predicted);
        assert_true(t->predicted <= (1 + MAXGL_TUNE_TILE_HOPE) * (t - i)->predicted);
    }
    assert_int_equal(maxgl_tuning_int(context->tuning, kernel, asked, "TM", 0), 64);
    g_autofree char *after = maxgl_tuning_text(context->tuning);
    assert_string_equal(before, after);
    maxgl_device_class_context_free(context);
    return hopeless;
}

static void test_tiles(void **state)
{
    (void)state;
    assert_true(check_tiles("H100", MAXGL_FLOAT32, "conv3d_gemm") +
                    check_tiles("H100", MAXGL_FLOAT16, "conv3d_mma") +
                    check_tiles("MI300X", MAXGL_FLOAT16, "conv3d_mma") +
                    check_tiles("7900", MAXGL_FLOAT32, "conv3d_winograd_gemm") +
                    check_tiles("A770", MAXGL_FLOAT16, "conv3d_mma") >
                0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits), cmocka_unit_test(test_use),       cmocka_unit_test(test_classes),
        cmocka_unit_test(test_find),   cmocka_unit_test(test_of_device), cmocka_unit_test(test_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
