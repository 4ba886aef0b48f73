/* Runs beside each other: which numbers belong together, and the page. */
#include "eval/comparison.h"
#include "tiny_model.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder;
static MaxglComparedRun runs[4];

static void write_file(const char *run, const char *name, const char *text)
{
    g_autofree char *dir = g_build_filename(folder, run, NULL);
    g_autofree char *path = g_build_filename(dir, name, NULL);
    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* One row, for "motion" on the split "test" of @data. @random below 0: there is none. */
static void write_linear(const char *run, const char *data, double trained, double random)
{
    g_autofree char *control =
        random < 0 ? g_strdup("")
                   : g_strdup_printf(", \"random\": {\"accuracy\": %.3f, \"videos\": 8}", random);
    g_autofree char *text = g_strdup_printf(
        "{\"protocol\": \"linear\", \"data\": \"%s\", \"results\": [{\"label\": \"motion\", \"split\": "
        "\"test\", "
        "\"chance\": 0.125, \"networks\": {\"trained\": {\"accuracy\": %.3f, \"videos\": 8}%s}}]}",
        data, trained, control);
    write_file(run, "eval-linear.json", text);
}

static void write_metrics(const char *run, double factor)
{
    g_autoptr(GString) text = g_string_new("step,epoch,loss,global_mi,local_mi,lr,clips_per_s,waiting\n");
    for (int i = 1; i <= 3; i++)
        g_string_append_printf(text, "%d,1,%g,0,%g,0.1,10,0\n", i, -factor * i, factor * i);
    write_file(run, "metrics.csv", text->str);
}

static int set_up(void **state)
{
    static const char *const names[] = {"a-1", "a-2", "b-1", "c-1"};
    static const char *const groups[] = {"a", "a", "b", "<c>"};
    folder = tiny_folder_new();
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        runs[i] = (MaxglComparedRun){.folder = g_build_filename(folder, names[i], NULL),
                                     .group = groups[i],
                                     .about = i == 2 ? "x 1 & 2" : NULL,
                                     .seed = i == 1 ? 2 : 1};
    write_linear("a-1", "D", 0.5, 0.1);
    write_linear("a-2", "D", 0.75, 0.3);
    write_linear("b-1", "D", 0.25, 0.1); /* the very network that is beside a-1 */
    write_linear("c-1", "other <D>", 0.9, -1);
    write_file(
        "b-1", "eval-retrieval.json",
        "{\"protocol\": \"retrieval\", \"data\": \"D\", \"results\": [{\"label\": \"background\", \"split\": "
        "\"test\", \"chance\": {\"1\": 0.01, \"5\": 0.05}, \"networks\": {\"trained\": {\"recall\": {\"1\": "
        "0.4, \"5\": 0.6}}, \"still\": {\"recall\": {\"1\": 0.3}}}}]}");
    write_file("b-1", "eval-broken.json", "{\"protocol\": \"linear\", \"results\": [3]}");
    write_metrics("a-1", 1);
    write_metrics("a-2", 3);
    return 0;
}

static int tear_down(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(runs); i++)
        g_free((char *)runs[i].folder);
    tiny_folder_remove(folder);
    return 0;
}

static MaxglRunComparison *compare(guint n)
{
    g_autoptr(GError) error = NULL;
    MaxglRunComparison *table = maxgl_run_comparison_new(runs, n, &error);
    if (!table)
        fail_msg("%s", error->message);
    return table;
}

static void assert_cell(const MaxglSpread *cell, guint n, double mean, double deviation)
{
    assert_int_equal(cell->n, n);
    if (n > 0 && (fabs(cell->mean - mean) > 1e-9 || fabs(cell->deviation - deviation) > 1e-9))
        fail_msg("%g ± %g, expected %g ± %g", cell->mean, cell->deviation, mean, deviation);
}

static void groups_and_rows(void **state)
{
    static const char *const titles[] = {"a", "b", "random init", "b, still frames"};
    g_autoptr(MaxglRunComparison) table = compare(4);
    assert_int_equal(table->parts->len, 2);
    assert_int_equal(table->groups->len, 3);
    const MaxglComparisonPart *part = g_ptr_array_index(table->parts, 0);
    assert_string_equal(part->data, "D");
    assert_int_equal(part->groups->len, 4);
    for (guint g = 0; g < 4; g++)
        assert_string_equal(g_ptr_array_index(part->groups, g), titles[g]);
    assert_int_equal(part->rows->len, 2);
    const MaxglComparisonRow *motion = g_ptr_array_index(part->rows, 0);
    assert_string_equal(motion->measure, "accuracy");
    assert_true(motion->chance == 0.125);
    assert_cell(&motion->cells[0], 2, 0.625, 0.25 / sqrt(2));
    assert_cell(&motion->cells[1], 1, 0.25, 0);
    assert_cell(&motion->cells[2], 2, 0.2, 0.2 / sqrt(2)); /* seeds 1 and 2, once each */
    assert_cell(&motion->cells[3], 0, 0, 0);
    const MaxglComparisonRow *background = g_ptr_array_index(part->rows, 1);
    assert_string_equal(background->measure, "R@1");
    assert_true(background->chance == 0.01);
    assert_cell(&background->cells[0], 0, 0, 0);
    assert_cell(&background->cells[1], 1, 0.4, 0);
    assert_cell(&background->cells[3], 1, 0.3, 0);
    const MaxglComparisonPart *other = g_ptr_array_index(table->parts, 1);
    assert_string_equal(other->data, "other <D>");
    assert_int_equal(other->groups->len, 1);
    assert_string_equal(g_ptr_array_index(other->groups, 0), "<c>");
}

/* What is not another split but another way to test, or another view, is a row of its own. */
static void rows_of_one_run(void **state)
{
    static const char *const files[] = {"eval-aslan-1.json", "eval-aslan.json", "eval-recognition-w.json",
                                        "eval-recognition.json"};
    static const char *const texts[] = {
        "{\"protocol\": \"aslan\", \"data\": \"E\", \"results\": [{\"view\": 1, \"networks\": {\"trained\": "
        "{\"accuracy\": 0.5}}}]}",
        "{\"protocol\": \"aslan\", \"data\": \"E\", \"results\": [{\"view\": 2, \"networks\": {\"trained\": "
        "{\"accuracy\": 0.6}}}]}",
        "{\"protocol\": \"recognition\", \"data\": \"E\", \"averaged\": \"softmax\", \"results\": "
        "[{\"label\": \"x\", "
        "\"split\": \"test\", \"chance\": 0.5, \"networks\": {\"trained\": {\"accuracy\": 0.7}}}]}",
        "{\"protocol\": \"recognition\", \"data\": \"E\", \"averaged\": \"logits\", \"results\": "
        "[{\"label\": \"x\", "
        "\"split\": \"test\", \"chance\": 0.5, \"networks\": {\"trained\": {\"accuracy\": 0.8}}}]}",
    };
    static const char *const splits[] = {"view 1", "view 2", "test", "test"};
    static const char *const measures[] = {"accuracy", "accuracy", "accuracy, windows", "accuracy"};
    for (guint i = 0; i < 4; i++)
        write_file("e-1", files[i], texts[i]);
    g_autofree char *run = g_build_filename(folder, "e-1", NULL);
    const MaxglComparedRun one = {.folder = run, .group = "e", .seed = 1};
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglRunComparison) table = maxgl_run_comparison_new(&one, 1, &error);
    assert_non_null(table);
    const MaxglComparisonPart *part = g_ptr_array_index(table->parts, 0);
    assert_int_equal(part->rows->len, 4);
    for (guint i = 0; i < 4; i++) {
        const MaxglComparisonRow *row = g_ptr_array_index(part->rows, i);
        assert_string_equal(row->split, splits[i]);
        assert_string_equal(row->measure, measures[i]);
        assert_cell(&row->cells[0], 1, 0.5 + 0.1 * i, 0);
        assert_int_equal(isnan(row->chance), i < 2);
    }
    g_autofree char *json = maxgl_run_comparison_json(table),
                    *page = maxgl_run_comparison_page(table, &error);
    assert_null(strstr(json, "nan"));
    assert_null(strstr(page, "nan"));
}

static void numbers_as_json(void **state)
{
    g_autoptr(MaxglRunComparison) table = compare(2);
    g_autofree char *text = maxgl_run_comparison_json(table);
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "runs")), 2);
    JsonObject *part = json_array_get_object_element(json_object_get_array_member(root, "parts"), 0);
    JsonObject *row = json_array_get_object_element(json_object_get_array_member(part, "rows"), 0);
    JsonObject *a = json_object_get_object_member(json_object_get_object_member(row, "groups"), "a");
    assert_true(fabs(json_object_get_double_member(a, "mean") - 0.625) < 1e-9);
    JsonArray *values = json_object_get_array_member(a, "values");
    assert_int_equal(json_array_get_length(values), 2);
    assert_true(json_array_get_double_element(values, 1) == 0.75);
}

static void assert_contains(const char *page, const char *part)
{
    if (!strstr(page, part))
        fail_msg("the page lacks \"%s\"", part);
}

static void page_of_runs(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglRunComparison) table = compare(4);
    g_autofree char *page = maxgl_run_comparison_page(table, &error);
    if (!page)
        fail_msg("%s", error->message);
    const GMarkupParser nothing = {0};
    g_autoptr(GMarkupParseContext) parser = g_markup_parse_context_new(&nothing, 0, NULL, NULL);
    if (!g_markup_parse_context_parse(parser, page, -1, &error) ||
        !g_markup_parse_context_end_parse(parser, &error))
        fail_msg("%s", error->message);
    assert_contains(page, "0.625 ± 0.177");
    assert_contains(page, "1 run; x 1 &amp; 2");
    assert_contains(page, "other &lt;D&gt;");
    assert_contains(page, "Local-MI");
    assert_null(strstr(page, "Global-MI")); /* 0 everywhere */
    assert_null(strstr(page, "http"));
    /* The mean of the two curves ends at (1 + 3)/2 · 3 = 6, so that there is a tick at 6 and none at 9. */
    assert_contains(page, ">6</text>");
    assert_null(strstr(page, ">9</text>"));
}

static void refusals(void **state)
{
    g_autoptr(GError) error = NULL;
    const MaxglComparedRun nothing[] = {{"no such run", "a", NULL, 1}, {"nor this", "b", NULL, 1}};
    assert_null(maxgl_run_comparison_new(nothing, 2, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    g_clear_error(&error);
    write_file("a-1", "metrics.csv", "step,epoch,loss\n1,1,2\n2,1,x\n3,1,1\n");
    g_autoptr(MaxglRunComparison) table = compare(2);
    assert_null(maxgl_run_comparison_page(table, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "a-1/metrics.csv:3:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(groups_and_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_one_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_as_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_of_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
