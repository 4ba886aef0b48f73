/* maxgl-cl tune: finds what is faster, writes it where it is found again, and says where things come from. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TINY "--net", "r3d-vcop@0.125", "--clip", "4x16x16", "--batch", "4"

static CliRun *run_with_database(const char *const *arguments)
{
    g_autofree char *path = cli_path("slow.cfg");
    CliRun *run = cli_run_under("MAXGL_TUNING", path, NULL, arguments);
    if (run->status != 0)
        fail_msg("%s%s", run->out, run->err);
    return run;
}

/* A database with one work-item a launch cannot be what the search leaves; another entry of it has to stay.
 */
static void test_search_and_show(void **state)
{
    const char *const search[] = {"tune", TINY, "--budget", "0.3", NULL};
    const char *const show[] = {"tune", TINY, "--show", NULL};
    cli_write("slow.cfg",
              "entries = (\n"
              "  { kernel = \"conv3d\"; parameters = { algorithm = \"direct\"; }; },\n"
              "  { kernel = \"conv3d_direct\"; parameters = { registers = 2; work_items = 1; }; });\n");
    g_autoptr(CliRun) before = run_with_database(show);
    cli_assert_contains(before->out, "conv1 ×1: conv 3×7×7");
    cli_assert_contains(before->out, "forward: direct");
    cli_assert_contains(before->out, "slow.cfg:2)");
    cli_assert_contains(before->out, "registers = 2 (");
    cli_assert_contains(before->out, "(built in)");
    cli_assert_contains(before->out, "slow.cfg:3)");

    g_autoptr(CliRun) tuned = run_with_database(search);
    cli_assert_contains(tuned->out, "candidates");
    cli_assert_contains(tuned->out, "parameters written to ");
    g_autofree char *text = cli_read("slow.cfg");
    cli_assert_contains(text, "by maxgl-cl ");
    cli_assert_contains(text, "registers = 2;");
    cli_assert_contains(text, "shape = \"k");
    cli_assert_contains(text, "device = \"");

    g_autoptr(CliRun) after = run_with_database(show);
    assert_string_not_equal(after->out, before->out);
    /* Lines below the third were not there before. */
    g_autoptr(GRegex) newer = g_regex_new("slow\\.cfg:[0-9]{2}", 0, 0, NULL);
    assert_true(g_regex_match(newer, after->out, 0, NULL));
    assert_false(g_regex_match(newer, before->out, 0, NULL));
}

/* Without time nothing is tried, and a file that there is no need for is not made. */
static void test_no_budget(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "tune", TINY, "--budget", "0", "--out", "new.cfg", NULL);
    cli_assert_contains(run->out, "0 candidates");
    cli_assert_contains(run->out, "time was up");
    assert_false(cli_exists("new.cfg"));
}

/* Said before time is spent. */
static void test_out_cannot_be_written(void **state)
{
    cli_write("file", "in the way");
    g_autoptr(CliRun) run = cli_expect(1, "tune", TINY, "--out", "file/new.cfg", NULL);
    cli_assert_contains(run->err, "file");
    assert_null(strstr(run->out, "candidates"));
}

static void test_wrong_usage(void **state)
{
    static const struct {
        const char *arguments[4], *says;
    } cases[] = {
        {{"extra"}, "\"extra\" was not expected"},
        {{"--batch", "0"}, "--batch=0 is out of range"},
        {{"--budget", "-1"}, "--budget=-1 is out of range"},
        {{"--budget", "nan"}, "out of range"},
        {{"--clip", "16x112"}, "--clip=16x112: give frames, height and width"},
        {{"--net", "r3d_81"}, "r3d_81"},
        {{"--show", "--out", "x.cfg"}, "--show writes nothing"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const *a = cases[i].arguments;
        g_autoptr(CliRun) run = cli_expect(2, "tune", a[0], a[1], a[2], NULL);
        cli_assert_contains(run->err, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_and_show),
        cmocka_unit_test(test_no_budget),
        cmocka_unit_test(test_out_cannot_be_written),
        cmocka_unit_test(test_wrong_usage),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
