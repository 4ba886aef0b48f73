/* maxgl-cl train on several devices: the same one twice, which is what every machine has. Every test has a
 * folder of its own. */
#include "cli.h"
#include "tiny.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TWO "--device", "0:0,0:0"
#define CONSTANT "-s", "train.schedule=constant"

static void assert_same_file(const char *a, const char *b)
{
    g_autofree char *path_a = cli_path(a), *path_b = cli_path(b);
    g_autoptr(GMappedFile) file_a = g_mapped_file_new(path_a, FALSE, NULL);
    g_autoptr(GMappedFile) file_b = g_mapped_file_new(path_b, FALSE, NULL);
    assert_non_null(file_a);
    assert_non_null(file_b);
    const gsize size = g_mapped_file_get_length(file_a);
    assert_int_equal(size, g_mapped_file_get_length(file_b));
    assert_memory_equal(g_mapped_file_get_contents(file_a), g_mapped_file_get_contents(file_b), size);
}

/* Clips of the devices that run.json knows of, of its first session. */
static void assert_devices(const char *info, int first, int second)
{
    g_autofree char *text = cli_read(info);
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *run = json_node_get_object(json_parser_get_root(parser));
    JsonObject *session = json_array_get_object_element(json_object_get_array_member(run, "sessions"), 0);
    JsonArray *devices = json_object_get_array_member(session, "devices");
    assert_int_equal(json_array_get_length(devices), 2);
    assert_int_equal(json_object_get_int_member(json_array_get_object_element(devices, 0), "clips"), first);
    assert_int_equal(json_object_get_int_member(json_array_get_object_element(devices, 1), "clips"), second);
    assert_string_equal(
        json_object_get_string_member(json_object_get_object_member(session, "device"), "name"),
        json_object_get_string_member(json_array_get_object_element(devices, 0), "name"));
}

static void test_shares_are_kept(void **state)
{
    g_autoptr(CliRun) whole = cli_expect(0, "train", TINY, CONSTANT, TWO, "--share", "3,1", "-o", "whole",
                                         "-s", "train.steps=6", NULL);
    cli_assert_contains(whole->err, "r3d-vcop@0.0625 on 2 devices");
    cli_assert_contains(whole->err, "device 1: 6 of the 8 clips of a step on ");
    cli_assert_contains(whole->err, "device 2: 2 of the 8 clips of a step on ");
    assert_null(strstr(whole->err, "measured"));
    g_autofree char *recipe = cli_read("whole/recipe.cfg");
    cli_assert_contains(recipe, "shares = \"6,2\";");
    assert_devices("whole/run.json", 6, 2);

    g_autoptr(CliRun) begun = cli_expect(0, "train", TINY, CONSTANT, TWO, "--share", "6,2", "-o", "resumed",
                                         "-s", "train.steps=3", NULL);
    g_autoptr(CliRun) resumed =
        cli_expect(0, "train", TWO, "-o", "resumed", "--resume", "-s", "train.steps=6", NULL);
    cli_assert_contains(resumed->err, "resuming after step 3 of 6");
    assert_same_file("whole/model.safetensors", "resumed/model.safetensors");
    assert_same_file("whole/checkpoint-000006.safetensors", "resumed/checkpoint-000006.safetensors");

    g_autoptr(CliRun) alone =
        cli_expect(2, "train", "-o", "resumed", "--resume", "-s", "train.steps=8", NULL);
    cli_assert_contains(alone->err, "train.shares: \"6,2\" is for 2 devices, and there is 1");
    g_autoptr(CliRun) other =
        cli_expect(2, "train", TWO, "--share", "1,1", "-o", "resumed", "--resume", NULL);
    cli_assert_contains(other->err, "train.shares: \"6,2\" → \"4,4\"");
}

static void test_shares_are_measured(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "train", TINY, CONSTANT, TWO, "-o", "run", "-s", "train.steps=2", NULL);
    cli_assert_contains(run->err, "measured: ");
    cli_assert_contains(run->err, " clips/s\n");
    g_autofree char *before = cli_read("run/recipe.cfg");
    cli_assert_contains(before, "shares = \"");
    g_autoptr(CliRun) more =
        cli_expect(0, "train", TWO, "-o", "run", "--resume", "-s", "train.steps=4", NULL);
    assert_null(strstr(more->err, "measured"));
    cli_assert_contains(more->err, "run/model.safetensors: trained for 4 steps");
}

static void test_recognition(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "train", TINY, TWO, "--task", "recognition", "--share", "1,1", "-o", "run", "-s",
                   "data.label=appearance", "-s", "train.steps=2", "-s", "augment.mix=0.5", NULL);
    cli_assert_contains(run->err, "device 2: 2 of the 4 clips of a step on ");
}

/* The loss of a run's first step. */
static double first_loss(const char *metrics)
{
    g_autofree char *text = cli_read(metrics);
    g_auto(GStrv) rows = g_strsplit(text, "\n", -1);
    g_auto(GStrv) cells = g_strsplit(rows[1], ",", -1);
    assert_string_equal(cells[0], "1");
    return g_ascii_strtod(cells[2], NULL);
}

/* Trains on @devices where there are PoCL and Oclgrind, and nothing else. */
static void train_under_both(const char *devices, const char *out)
{
    g_autofree char *vendors = cli_path("icds");
    const char *const arguments[] = {"train", TINY, "-d", devices,         "--share", "3,1",
                                     "-o",    out,  "-s", "train.steps=2", "-s",      "train.log_every=1",
                                     NULL};
    g_autoptr(CliRun) run = cli_run_under("OCL_ICD_VENDORS", vendors, NULL, arguments);
    if (run->status != 0)
        fail_msg("%s", run->err);
    cli_assert_contains(run->err, "device 2: 2 of the 8 clips of a step on ");
}

/* Devices of two platforms, by their names: an interpreter is slow, but an implementation of its own. */
static void test_two_platforms(void **state)
{
    g_autofree char *pocl = NULL;
    if (!g_file_test(OCLGRIND_ICD, G_FILE_TEST_EXISTS) ||
        !g_file_get_contents("/etc/OpenCL/vendors/pocl.icd", &pocl, NULL, NULL))
        skip();
    cli_write("icds/pocl.icd", pocl);
    cli_write("icds/oclgrind.icd", OCLGRIND_ICD "\n");
    train_under_both("portable,oclgrind", "mixed");
    train_under_both("portable,portable", "alike");
    const double mixed = first_loss("mixed/metrics.csv"), alike = first_loss("alike/metrics.csv");
    assert_float_equal(mixed, alike, 1e-5 * fabs(alike));
    g_autofree char *info = cli_read("mixed/run.json");
    cli_assert_contains(info, "\"Oclgrind Simulator\"");
}

static void test_what_is_refused(void **state)
{
    g_autoptr(CliRun) missing = cli_expect(1, "train", TINY, "-d", "0:0,97:0", "-o", "run", NULL);
    cli_assert_contains(missing->err, "no OpenCL device matches \"97:0\"");
    g_autoptr(CliRun) empty = cli_expect(2, "train", TINY, "-d", "0:0,", "-o", "run", NULL);
    cli_assert_contains(empty->err, "\"0:0,\": a device is missing");
    g_autoptr(CliRun) few =
        cli_expect(2, "train", TINY, "-d", "0:0,0:0,0:0", "-o", "run", "-s", "train.batch=2", NULL);
    cli_assert_contains(few->err, "the 4 clips of a step are too few for 3 devices");
    g_autoptr(CliRun) shares = cli_expect(2, "train", TINY, TWO, "--share", "1,2,3", "-o", "run", NULL);
    cli_assert_contains(shares->err, "\"1,2,3\" is for 3 devices, and there are 2");
    g_autoptr(CliRun) text = cli_expect(2, "train", TINY, TWO, "--share", "half", "-o", "run", NULL);
    cli_assert_contains(text->err, "train.shares: \"half\" is no list of whole numbers");
    assert_false(cli_exists("run"));

    g_autoptr(CliRun) begun =
        cli_expect(0, "train", TINY, CONSTANT, "-o", "run", "-s", "train.steps=1", NULL);
    g_autoptr(CliRun) more =
        cli_expect(2, "train", TWO, "-o", "run", "--resume", "-s", "train.steps=2", NULL);
    cli_assert_contains(more->err, "run: the run began on one device, and goes on with one");
    g_autoptr(CliRun) embed = cli_expect(2, "model", "info", "r3d_18", "--batch", "2", TWO, NULL);
    cli_assert_contains(embed->err,
                        "\"0:0,0:0\" means several devices, and only training works on more than one");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shares_are_kept), TEST(test_shares_are_measured), TEST(test_recognition),
        TEST(test_two_platforms),   TEST(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
