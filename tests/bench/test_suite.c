/* The suite where the device cannot hold what is asked for, and the device's own limits. */
#include "bench/host_device.h"
#include "bench/suite.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static GString *reported;

static void report(const char *section, const char *outcome)
{
    g_string_append_printf(reported, "%s: %s\n", section, outcome);
}

static MaxglContext *open_device(void)
{
    g_autoptr(GError) error = NULL;
    MaxglContext *context = maxgl_context_open(NULL, &error);
    if (!context)
        fail_msg("%s", error->message);
    return context;
}

static const char *text(JsonObject *object, const char *name)
{
    return json_object_get_string_member(object, name);
}

/* What does not fit is said, and the rest goes on, on the device opened anew. */
static void too_large(void **state)
{
    static const char *const sections[] = {"layers", "preparation", NULL};
    const MaxglSuiteOptions options = {
        .quick = TRUE, .limit = 60, .sections = sections, .note = "a test", .report = report};
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) lines = reported = g_string_new(NULL);
    MaxglContext *context = open_device();
    context->info->max_allocation = 16 << 10;
    g_autoptr(JsonBuilder) builder = maxgl_suite_run(&context, &options, &error);
    if (!builder)
        fail_msg("%s", error->message);
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    JsonObject *record = json_node_get_object(root);
    JsonObject *done = json_object_get_object_member(record, "sections");
    JsonObject *layers = json_object_get_object_member(done, "layers");
    assert_int_equal(json_object_get_size(done), 2);
    assert_string_equal(text(layers, "status"), "too large");
    assert_non_null(strstr(text(layers, "reason"), "KiB"));
    assert_false(json_object_has_member(layers, "rows"));
    assert_string_equal(text(json_object_get_object_member(done, "preparation"), "status"), "done");
    assert_string_equal(text(record, "note"), "a test");
    assert_non_null(strstr(lines->str, "layers: too large: "));
    assert_true(context->info->max_allocation > 16 << 10);
    maxgl_context_close(context);
}

/* Nothing is begun behind the limit, and the record has what was left out. */
static void limit(void **state)
{
    static const char *const sections[] = {"layers", NULL};
    const MaxglSuiteOptions options = {.quick = TRUE, .limit = 1e-6, .sections = sections, .report = report};
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) lines = reported = g_string_new(NULL);
    MaxglContext *context = open_device();
    g_autoptr(JsonBuilder) builder = maxgl_suite_run(&context, &options, &error);
    if (!builder)
        fail_msg("%s", error->message);
    assert_non_null(strstr(lines->str, "kinds of layers: more than 1e-06 s"));
    maxgl_context_close(context);
}

static void peaks(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = open_device();
    double bytes = 0;
    if (!maxgl_roof_measure_local(context, &bytes, &error))
        fail_msg("%s", error->message);
    assert_true(bytes > 1e8 && isfinite(bytes));
    double high = 1e18; /* a higher one stays */
    assert_true(maxgl_roof_measure_local(context, &high, &error));
    assert_true(high == 1e18);
}

/* None on a CPU; what each vendor's would do is worked out where the tuning database asks for it. */
static void matrix_peaks(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("maxgl-suite-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "tuning.cfg", NULL);
    MaxglRoof roof = {0};
    MaxglContext *plain = open_device();
    if (!plain->info->matrix_units) {
        assert_true(maxgl_roof_measure_matrix(plain, MAXGL_FACTORS_FP16, &roof, &error));
        assert_true(roof.matrix[MAXGL_FACTORS_FP16] == 0);
    }
    maxgl_context_close(plain);
    for (const char *const *name = maxgl_mma_names(); *name; name++) {
        g_autofree char *entry = g_strdup_printf(
            "entries = ({ kernel = \"mma\"; parameters = { emulate = \"%s\"; }; });\n", *name);
        assert_true(g_file_set_contents(path, entry, -1, NULL));
        g_setenv("MAXGL_TUNING", path, TRUE);
        MaxglContext *context = open_device();
        roof = (MaxglRoof){0};
        if (!maxgl_roof_measure_matrix(context, MAXGL_FACTORS_FP16, &roof, &error))
            fail_msg("%s: %s", *name, error->message);
        const double flops = roof.matrix[MAXGL_FACTORS_FP16];
        assert_true(flops > 1e3 && isfinite(flops));
        maxgl_context_close(context);
    }
    g_unsetenv("MAXGL_TUNING");
    remove(path);
    remove(folder);
}

static void launches_and_transfers(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = open_device();
    MaxglLaunchCost cost;
    if (!maxgl_bench_launch(context, 3, &cost, &error))
        fail_msg("%s", error->message);
    assert_int_equal(cost.batched.n, 3);
    assert_true(cost.batched.inner >= 64);
    assert_true(cost.batched.median > 0 && cost.batched.median < 1e-2);
    assert_true(cost.finished.median > 0 && cost.finished.median < 1e-2);
    g_autoptr(GArray) rows = maxgl_bench_transfers(context, 1 << 20, 2, &error);
    assert_non_null(rows);
    assert_int_equal(rows->len, 4);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglTransfer *row = &g_array_index(rows, MaxglTransfer, i);
        assert_int_equal(row->bytes, 1 << 20);
        assert_true(row->times.n == 2 && row->times.median > 0);
    }
    assert_int_equal(context->allocated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_large),
        cmocka_unit_test(limit),
        cmocka_unit_test(peaks),
        cmocka_unit_test(matrix_peaks),
        cmocka_unit_test(launches_and_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
