/* maxgl-cl bench --suite and --check. */
#include "cli.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static JsonObject *member(JsonObject *object, const char *name)
{
    if (!json_object_has_member(object, name))
        fail_msg("no member \"%s\"", name);
    return json_object_get_object_member(object, name);
}

/* Fresh at each place in @path ("sections.layers"), set to @value. */
static void write_changed(const char *from, const char *to, const char *path, const char *value)
{
    g_autofree char *text = cli_read(from);
    g_autoptr(JsonNode) root = json_from_string(text, NULL);
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    JsonObject *object = json_node_get_object(root);
    guint i = 0;
    for (; names[i + 1]; i++)
        object = member(object, names[i]);
    if (value)
        json_object_set_member(object, names[i], json_from_string(value, NULL));
    else
        json_object_remove_member(object, names[i]);
    g_autofree char *changed = json_to_string(root, TRUE);
    cli_write(to, changed);
}

/* The record @from with a prediction for each layer, the measured time. */
static void predict(const char *from, const char *to)
{
    g_autofree char *text = cli_read(from);
    g_autoptr(JsonNode) root = json_from_string(text, NULL);
    JsonObject *layers = member(member(json_node_get_object(root), "sections"), "layers");
    JsonArray *rows = json_object_get_array_member(layers, "rows");
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        json_object_set_double_member(row, "predicted_s", json_object_get_double_member(row, "median_s"));
    }
    g_autofree char *changed = json_to_string(root, TRUE);
    cli_write(to, changed);
}

static void suite(void **state)
{
    static const char *const sections[] = {"peaks", "launch",    "transfers", "layers",
                                           "heads", "inference", "training",  "preparation"};
    g_autoptr(CliRun) run = cli_expect(0, "bench", "--suite", "--quick", "--note", "other work beside it",
                                       "--json", "new/suite.json", NULL);
    cli_assert_contains(run->err, "new/suite.json: the record");
    g_autofree char *text = cli_read("new/suite.json");
    g_autoptr(JsonNode) root = json_from_string(text, NULL);
    JsonObject *record = json_node_get_object(root), *peaks = member(record, "peaks");
    JsonObject *all = member(record, "sections");
    assert_string_equal(json_object_get_string_member(record, "pass"), "suite");
    assert_string_equal(json_object_get_string_member(record, "note"), "other work beside it");
    assert_true(json_object_get_boolean_member(record, "quick"));
    assert_true(json_object_get_double_member(peaks, "f32_gflop_per_s") > 0);
    assert_true(json_object_get_double_member(peaks, "local_gbyte_per_s") > 0);
    assert_int_equal(json_object_get_size(all), G_N_ELEMENTS(sections));
    for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
        JsonObject *section = member(all, sections[i]);
        const char *status = json_object_get_string_member(section, "status");
        if (strcmp(status, "done") != 0)
            fail_msg("%s: %s: %s", sections[i], status, json_object_get_string_member(section, "reason"));
        cli_assert_contains(run->out, sections[i]);
    }
    JsonArray *runs = json_object_get_array_member(member(all, "training"), "runs");
    assert_int_equal(json_array_get_length(runs), 4); /* two batches, two precisions */
    assert_string_equal(json_object_get_string_member(json_array_get_object_element(runs, 2), "precision"),
                        "fp16");
    JsonArray *rows = json_object_get_array_member(member(all, "layers"), "rows");
    assert_true(json_array_get_length(rows) > 20);
    cli_write("suite.json", text);
}

/* A record that is not as it should be: the file, the member, what is expected. */
static void check(void **state)
{
    static const struct {
        const char *path, *value, *expected;
    } changes[] = {
        {"device", NULL, "bad.json: the record: member \"device\" is missing"},
        {"compute_units", "0", "bad.json: compute_units: a number of at least 1 expected, not 0"},
        {"date", "\"yesterday\"", "bad.json: date: a text like "},
        {"suite", "2", "bad.json: suite: 1 expected, not 2"},
        {"peaks.f32_gflop_per_s", "null", "bad.json: peaks.f32_gflop_per_s: a number expected, not null"},
        {"peaks.f8_gflop_per_s", "1", "bad.json: peaks.f8_gflop_per_s: not known here"},
        {"peaks.matrix_gflop_per_s", "{\"f16\": 9e5, \"int8\": 1}",
         "bad.json: peaks.matrix_gflop_per_s.int8: not known here"},
        {"sections.layers.rows", NULL, "bad.json: sections.layers: member \"rows\" is missing"},
        {"sections.layers.rows", "[{\"name\": 7}]", "bad.json: sections.layers.rows[0]"},
        {"sections.training.status", "\"partial\"",
         "bad.json: sections.training: member \"reason\" is missing"},
        {"sections.launch.batched.median_s", "\"x\"",
         "bad.json: sections.launch.batched.median_s: a number expected, not \"x\""},
        {"pass", "\"rest\"", "bad.json: pass: one of \"inference\", "},
    };
    g_autoptr(CliRun) good = cli_expect(0, "bench", "--check", "suite.json", NULL);
    cli_assert_contains(good->out, "suite.json: as it should be");
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        write_changed("suite.json", "bad.json", changes[i].path, changes[i].value);
        g_autoptr(CliRun) bad = cli_expect(1, "bench", "--check", "bad.json", NULL);
        cli_assert_contains(bad->out, changes[i].expected);
        cli_assert_contains(bad->err, "maxgl-cl: bad.json: ");
    }
    write_changed("suite.json", "matrix.json", "peaks.matrix_gflop_per_s", "{\"f16\": 9e5, \"bf16\": 9e5}");
    write_changed("suite.json", "large.json", "sections.training",
                  "{\"status\": \"too large\", \"reason\": \"needs 9 GiB\", \"wall_s\": 1}");
    g_autoptr(CliRun) three =
        cli_expect(1, "bench", "--check", "matrix.json", "bad.json", "large.json", NULL);
    cli_assert_contains(three->out, "matrix.json: as it should be");
    cli_assert_contains(three->out, "large.json: as it should be");
    cli_assert_contains(three->err, "1 of 3 records are not as they should be: bad.json: ");
    cli_write("none.json", "{");
    g_autoptr(CliRun) none = cli_expect(1, "bench", "--check", "none.json", NULL);
    cli_assert_contains(none->err, "none.json: is no JSON");
    g_autoptr(CliRun) missing = cli_expect(1, "bench", "--check", "missing.json", NULL);
    cli_assert_contains(missing->err, "missing.json: cannot read");
}

/* Two devices side by side: limits of the one that has them, a section that one could not do, predictions. */
static void compare(void **state)
{
    write_changed("suite.json", "gpu1.json", "device", "\"Example GPU\"");
    write_changed("gpu1.json", "gpu2.json", "peaks.matrix_gflop_per_s", "{\"f16\": 123000}");
    write_changed("gpu2.json", "gpu3.json", "note", "\"<b>\"");
    write_changed("gpu3.json", "gpu.json", "sections.training",
                  "{\"status\": \"too large\", \"reason\": \"needs 9 GiB\", \"wall_s\": 1}");
    g_autoptr(CliRun) run =
        cli_expect(0, "bench", "--compare", "suite.json", "gpu.json", "-o", "devices.html", NULL);
    cli_assert_contains(run->out, "What the device can do at most\n");
    cli_assert_contains(run->out, "Example GPU  as fast");
    cli_assert_contains(run->out, "123 TFLOP/s");
    cli_assert_contains(run->out, "launch, waited for");
    cli_assert_contains(run->out, "r3d-vcop@0.0625, training, clips of 4x16x16\n");
    cli_assert_contains(run->out, "1.00×");
    g_autofree char *page = cli_read("devices.html");
    cli_assert_contains(page, "training: too large: needs 9 GiB");
    cli_assert_contains(page, "&lt;b&gt;");
    cli_assert_contains(page, "this says nothing of speed");
    cli_assert_contains(page, "% of its limit");
    assert_null(strstr(page, "predicted"));
    assert_null(strstr(page, "matrix units, tf32")); /* neither has any */
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "http://")); /* it needs nothing else */

    g_autoptr(CliRun) same =
        cli_expect(0, "bench", "--compare", "suite.json", "suite.json", "-o", "same.html", NULL);
    cli_assert_contains(same->out, " (suite)"); /* two of a device are told apart */
    predict("suite.json", "model.json");
    g_autoptr(CliRun) model = cli_expect(0, "bench", "--compare", "model.json", "-o", "model.html", NULL);
    g_autofree char *predicted = cli_read("model.html");
    cli_assert_contains(predicted, "measured ÷ predicted");
    cli_assert_contains(predicted, "<td class=\"r\">1.00</td>"); /* all layers of a pass */
    write_changed("suite.json", "odd.json", "sections.launch.batched", NULL);
    g_autoptr(CliRun) odd = cli_expect(1, "bench", "--compare", "odd.json", "-o", "odd.html", NULL);
    cli_assert_contains(odd->err, "odd.json: its section launch has no times");
    write_changed("suite.json", "odd.json", "sections", NULL);
    g_autoptr(CliRun) none = cli_expect(1, "bench", "--compare", "odd.json", "-o", "odd.html", NULL);
    cli_assert_contains(none->err, "odd.json: a suite without sections");
    assert_false(cli_exists("odd.html"));
}

/* The sections peaks, layers and preparation with tuning @tuning into the record @json. */
static JsonNode *suite_on_units(const char *tuning, const char *json)
{
    const char *const arguments[] = {"bench",  "--suite", "--quick", "--sections", "peaks,layers,preparation",
                                     "--json", json,      NULL};
    g_autoptr(CliRun) run = cli_run_under("MAXGL_TUNING", tuning, NULL, arguments);
    if (run->status != 0)
        fail_msg("%s", run->err);
    g_autoptr(CliRun) good = cli_expect(0, "bench", "--check", json, NULL);
    g_autofree char *text = cli_read(json);
    return json_from_string(text, NULL);
}

/* Layers in a precision that matrix units have, beside their peak. */
static void layers_on_units(void **state)
{
    g_autoptr(JsonNode) root = suite_on_units(UNITS_CFG, "units.json");
    JsonObject *record = json_node_get_object(root), *layers = member(member(record, "sections"), "layers");
    assert_string_equal(json_object_get_string_member(layers, "status"), "done");
    assert_string_equal(json_object_get_string_member(layers, "precision"), "fp32");
    JsonArray *rows = json_object_get_array_member(layers, "rows"),
              *runs = json_object_get_array_member(layers, "runs");
    assert_int_equal(json_array_get_length(runs), 1);
    JsonObject *half = json_array_get_object_element(runs, 0);
    JsonArray *half_rows = json_object_get_array_member(half, "rows");
    assert_string_equal(json_object_get_string_member(half, "precision"), "fp16");
    assert_int_equal(json_array_get_length(half_rows), json_array_get_length(rows));
    assert_string_equal(json_object_get_string_member(json_array_get_object_element(rows, 0), "peak"), "f32");
    JsonObject *row = json_array_get_object_element(half_rows, 0);
    const double peak = json_object_get_double_member(member(half, "matrix_gflop_per_s"), "f16");
    const double part = json_object_get_double_member(row, "gflop_per_s") / peak;
    assert_string_equal(json_object_get_string_member(row, "peak"), "matrix f16");
    assert_true(json_object_get_double_member(row, "of_peak") / part > 1 - 1e-9);
    assert_true(json_object_get_double_member(row, "of_peak") / part < 1 + 1e-9);
    assert_true(json_object_get_double_member(member(member(record, "peaks"), "matrix_gflop_per_s"), "f16") >=
                peak);
    g_autoptr(CliRun) compared =
        cli_expect(0, "bench", "--compare", "units.json", "suite.json", "-o", "units.html", NULL);
    cli_assert_contains(compared->out, "layers of r3d-vcop@0.0625, 2 clips of 4x16x16\n");
    cli_assert_contains(compared->out, "layers of r3d-vcop@0.0625, 2 clips of 4x16x16, fp16\n");
    g_autofree char *page = cli_read("units.html");
    cli_assert_contains(page, "<h2>layers of r3d-vcop@0.0625, 2 clips of 4x16x16, fp16</h2>");
    write_changed("units.json", "bad.json", "sections.layers.runs", "[{\"precision\": \"fp32\"}]");
    g_autoptr(CliRun) bad = cli_expect(1, "bench", "--check", "bad.json", NULL);
    cli_assert_contains(bad->out, "bad.json: sections.layers.runs[0].precision: one of \"tf32\", ");
}

/* What fails on matrix units takes neither float32's layers nor what comes behind with it. */
static void units_fail(void **state)
{
    cli_write("broken.cfg", "entries = ({ kernel = \"mma\"; parameters = { emulate = \"sm_80\"; }; },\n"
                            "           { kernel = \"conv3d_mma\"; parameters = { WM = 3; }; });\n");
    g_autoptr(JsonNode) root = suite_on_units("broken.cfg", "broken.json");
    JsonObject *sections = member(json_node_get_object(root), "sections"),
               *layers = member(sections, "layers");
    assert_string_equal(json_object_get_string_member(layers, "status"), "partial");
    cli_assert_contains(json_object_get_string_member(layers, "reason"), "fp16: conv1: tuning of conv3d_mma");
    assert_true(json_array_get_length(json_object_get_array_member(layers, "rows")) > 20);
    assert_int_equal(json_array_get_length(json_object_get_array_member(layers, "runs")), 0);
    assert_string_equal(json_object_get_string_member(member(sections, "preparation"), "status"), "done");
}

/* Ctrl-C while it measures: no file, and the status of an interrupted program. */
static void interrupted(void **state)
{
    static const char *const arguments[] = {"bench",  "--suite",          "--sections", "preparation,layers",
                                            "--json", "interrupted.json", NULL};
    GSubprocess *process = cli_start(arguments);
    GInputStream *out = g_subprocess_get_stdout_pipe(process);
    char byte;
    assert_int_equal(g_input_stream_read(out, &byte, 1, NULL, NULL), 1); /* the device is named */
    g_subprocess_send_signal(process, SIGINT);
    g_autoptr(CliRun) run = cli_finish(process);
    assert_int_equal(run->status, 130);
    assert_false(cli_exists("interrupted.json"));
}

static void usage(void **state)
{
    g_autoptr(CliRun) no_file = cli_expect(2, "bench", "--suite", NULL);
    cli_assert_contains(no_file->err, "--suite: --json FILE is missing");
    g_autoptr(CliRun) sections = cli_expect(2, "bench", "--suite", "--json", "x", "--sections", "a", NULL);
    cli_assert_contains(sections->err, "--sections=a: give some of peaks, launch, transfers, layers");
    g_autoptr(CliRun) limit = cli_expect(2, "bench", "--suite", "--json", "x", "--limit", "-1", NULL);
    cli_assert_contains(limit->err, "--limit=-1 is out of range");
    g_autoptr(CliRun) pass = cli_expect(2, "bench", "--suite", "--json", "x", "--pass", "layers", NULL);
    cli_assert_contains(pass->err, "--pass=layers: --suite measures all of them");
    g_autoptr(CliRun) quick = cli_expect(2, "bench", "--quick", NULL);
    cli_assert_contains(quick->err, "--quick is for --suite");
    g_autoptr(CliRun) two = cli_expect(2, "bench", "--suite", "--check", "x", NULL);
    cli_assert_contains(two->err, "--suite, --compare, --check and --predict: give one of them");
    g_autoptr(CliRun) none = cli_expect(2, "bench", "--check", NULL);
    cli_assert_contains(none->err, "--check: records expected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite),           cmocka_unit_test(check),      cmocka_unit_test(compare),
        cmocka_unit_test(layers_on_units), cmocka_unit_test(units_fail), cmocka_unit_test(interrupted),
        cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
