/* maxgl-cl eval mean: the arithmetic, what is refused, and files that are no results. */
#include "cli.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NETWORK(top1, top5, per_class)                                                                       \
    "{\"accuracy\":" top1 ",\"top5\":" top5 ",\"per_class\":" per_class ",\"correct\":3,\"videos\":4}"
#define RESULTS(networks)                                                                                    \
    "[{\"label\":\"label\",\"split\":\"test\",\"classes\":2,\"chance\":0.5,\"networks\":{" networks          \
    "},\"class_names\":[\"run\",\"walk\"],\"confusion\":[[1,1],[0,2]]}]"

/* A result of recognition on split @number, with @from in it replaced by @to. */
static void write_result(const char *name, int number, const char *networks, const char *from, const char *to)
{
    g_autofree char *text = g_strdup_printf(
        "{\"protocol\":\"recognition\",\"version\":\"1\",\"time\":\"now\",\"model\":\"/runs/%d/m\","
        "\"model_sha256\":\"%d\",\"network\":\"r3d_18\",\"device\":\"CPU\","
        "\"data\":\"ucf101:videos=v,lists=l,split=%d\",\"clips\":10,\"features\":512,\"averaged\":\"logits\","
        "\"videos\":4,\"bad\":0,\"results\":%s}",
        number, number, number, networks);
    g_auto(GStrv) parts = g_strsplit(text, from ? from : "\n", -1);
    g_autofree char *changed = g_strjoinv(from ? to : "\n", parts);
    assert_true(!from || g_strv_length(parts) > 1);
    cli_write(name, changed);
}

#define ONE RESULTS("\"trained\":" NETWORK("0.80", "0.9", "0.75"))
#define TWO RESULTS("\"trained\":" NETWORK("0.85", "1", "0.75"))
#define THREE RESULTS("\"trained\":" NETWORK("0.90", "1", "0.75"))

static int set_up(void **state)
{
    if (cli_set_up(state) != 0)
        return -1;
    write_result("1.json", 1, ONE, NULL, NULL);
    write_result("2.json", 2, TWO, NULL, NULL);
    write_result("3.json", 3, THREE, NULL, NULL);
    return 0;
}

static void assert_row(JsonArray *rows, guint i, const char *measure, double mean, double deviation)
{
    JsonObject *row = json_array_get_object_element(rows, i);
    assert_string_equal(json_object_get_string_member(row, "measure"), measure);
    assert_string_equal(json_object_get_string_member(row, "network"), "trained");
    assert_true(fabs(json_object_get_double_member(row, "mean") - mean) < 1e-12);
    assert_true(fabs(json_object_get_double_member(row, "deviation") - deviation) < 1e-12);
    assert_int_equal(json_array_get_length(json_object_get_array_member(row, "values")), 3);
}

static void mean_and_deviation(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "mean", "1.json", "2.json", "3.json", "--json", "m.json", NULL);
    cli_assert_contains(run->out, "Mean of 3 results of eval recognition, and the deviation between them\n");
    cli_assert_contains(run->out, "  2  2.json\n");
    cli_assert_contains(
        run->out, "label  split  network  measure              mean  ± deviation       1       2       3\n");
    cli_assert_contains(
        run->out, "label  test   trained  top-1              0.8500       0.0500  0.8000  0.8500  0.9000\n");
    g_autofree char *json = cli_read("m.json");
    g_autoptr(CliRun) instead =
        cli_expect(0, "eval", "mean", "1.json", "2.json", "3.json", "--json", "-", NULL);
    assert_null(strstr(instead->out, "Mean of"));
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, instead->out, -1, NULL));
    assert_true(json_parser_load_from_data(parser, json, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    JsonArray *rows = json_object_get_array_member(root, "results");
    assert_string_equal(json_object_get_string_member(root, "averaged"), "logits");
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "of")), 3);
    assert_int_equal(json_array_get_length(rows), 3);
    assert_row(rows, 0, "top-1", 0.85, 0.05);
    assert_row(rows, 1, "top-5", 2.9 / 3, sqrt((2 * pow(1 - 2.9 / 3, 2) + pow(0.9 - 2.9 / 3, 2)) / 2));
    assert_row(rows, 2, "mean over classes", 0.75, 0);
}

static void retrieval(void **state)
{
    static const char *const format =
        "{\"protocol\":\"retrieval\",\"model\":\"m\",\"model_sha256\":\"1\",\"network\":\"r3d_18\","
        "\"device\":\"CPU\",\"data\":\"/lists/%d.csv\",\"clips\":10,\"train_split\":\"train\",\"results\":["
        "{\"label\":\"label\",\"split\":\"test\",\"networks\":{"
        "\"trained\":{\"recall\":{\"1\":0.%d,\"5\":0.5,\"10\":0.5,\"20\":0.5,\"50\":1}},"
        "\"random\":{\"recall\":{\"1\":0.1,\"5\":0.5,\"10\":0.5,\"20\":0.5,\"50\":1}}}}]}";
    g_autofree char *a = g_strdup_printf(format, 1, 2), *b = g_strdup_printf(format, 2, 3);
    cli_write("a.json", a);
    cli_write("b.json", b);
    g_autoptr(CliRun) run = cli_expect(0, "eval", "mean", "a.json", "b.json", NULL);
    cli_assert_contains(run->out, "trained      R@1      0.2500       0.0707  0.2000  0.3000\n");
    cli_assert_contains(run->out, "random init  R@1      0.1000       0.0000  0.1000  0.1000\n");
    cli_assert_contains(run->out, "random init  R@50     1.0000 ");
}

/* other.json is 2.json with @from replaced; it is refused. */
static void expect(int status, const char *from, const char *to, const char *message)
{
    write_result("other.json", 2, TWO, from, to);
    g_autoptr(CliRun) run =
        cli_expect(status, "eval", "mean", "1.json", "other.json", "--json", "no.json", NULL);
    cli_assert_contains(run->err, message);
    assert_string_equal(run->out, "");
    assert_false(cli_exists("no.json"));
}

static void not_comparable(void **state)
{
    expect(2, "\"recognition\"", "\"linear\"",
           "other.json: \"protocol\" is \"linear\", and in 1.json \"recognition\": no mean can be taken");
    expect(2, "\"clips\":10", "\"clips\":5", "other.json: \"clips\" is 5, and in 1.json 10");
    expect(2, "r3d_18", "hara-r3d18", "other.json: \"network\" is \"hara-r3d18\", and in 1.json \"r3d_18\"");
    expect(2, "logits", "softmax", "other.json: \"averaged\" is \"softmax\"");
    expect(2, "ucf101:", "hmdb51:", "other.json: \"data\" is \"hmdb51:videos=v,lists=l,split=2\"");
    expect(2, "\"label\":\"label\"", "\"label\":\"sport\"",
           "other.json: has a result of label sport on split test, and 1.json has none");
    expect(2, "walk", "jump", "other.json: the classes of label are not those of 1.json");
    expect(2, "\"trained\":", "\"still\":{},\"trained\":", "other.json: compares other networks than 1.json");
    expect(2, "\"recognition\"", "\"aslan\"",
           "other.json: is of the protocol aslan; a mean over splits is there of");
    write_result("two.json", 2, TWO "", NULL, NULL);
    g_autoptr(CliRun) twice = cli_expect(2, "eval", "mean", "1.json", "2.json", "two.json", NULL);
    cli_assert_contains(twice->err,
                        "two.json: is of the same model and data as 2.json: each split counts once");
    write_result("less.json", 2, TWO, "]]}]",
                 "]]},{\"label\":\"other\",\"split\":\"test\",\"networks\":{\"trained\":" NETWORK("0", "0",
                                                                                                  "0") "}}]");
    g_autoptr(CliRun) less = cli_expect(2, "eval", "mean", "less.json", "3.json", NULL);
    cli_assert_contains(less->err, "3.json: has no result of label other on split test, which less.json has");
}

static void no_results(void **state)
{
    expect(1, "\"protocol\"", "protocol", "other.json: is no JSON: ");
    expect(1, "\"results\"", "\"outcome\"", "other.json: has no \"results\"");
    expect(1, "\"results\":[", "\"results\":[7,", "other.json: has no \"results\"");
    expect(1, "\"protocol\":\"recognition\",", "",
           "other.json: is no result of maxgl-cl eval: it has no text \"protocol\"");
    expect(1, "\"model\":\"/runs/2/m\"", "\"model\":5", "it has no text \"model\"");
    expect(1, "\"top5\"", "\"top4\"",
           "other.json: has no top-5 (\"top5\", 0 … 1) of the network \"trained\" for label label on split "
           "test");
    expect(1, "0.85", "\"0.85\"", "other.json: has no top-1 (\"accuracy\", 0 … 1)");
    expect(1, "0.85", "85", "other.json: has no top-1 (\"accuracy\", 0 … 1)");
    expect(1, "\"networks\"", "\"nets\"", "other.json: has no top-1");
    cli_write("array.json", "[1, 2]");
    cli_write("empty.json", "");
    cli_write("both.json", "{\"linear\":{},\"retrieval\":{}}");
    g_autoptr(CliRun) array = cli_expect(1, "eval", "mean", "array.json", "1.json", NULL);
    cli_assert_contains(array->err, "array.json: is no result of maxgl-cl eval");
    g_autoptr(CliRun) empty = cli_expect(1, "eval", "mean", "1.json", "empty.json", NULL);
    cli_assert_contains(empty->err, "empty.json: is no result of maxgl-cl eval");
    g_autoptr(CliRun) both = cli_expect(2, "eval", "mean", "1.json", "both.json", NULL);
    cli_assert_contains(both->err, "both.json: has the results of two protocols; give the files of one");
    g_autoptr(CliRun) missing = cli_expect(1, "eval", "mean", "1.json", "4.json", NULL);
    cli_assert_contains(missing->err, "4.json: no such file");
    g_autoptr(CliRun) one = cli_expect(2, "eval", "mean", "1.json", NULL);
    cli_assert_contains(one->err, "RESULT.json RESULT.json… expected");
    g_autoptr(CliRun) folder =
        cli_expect(1, "eval", "mean", "1.json", "2.json", "--json", "none/m.json", NULL);
    cli_assert_contains(folder->err, "none/m.json: cannot write");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_deviation),
        cmocka_unit_test(retrieval),
        cmocka_unit_test(not_comparable),
        cmocka_unit_test(no_results),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
