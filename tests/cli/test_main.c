/* What maxgl-cl says without a subcommand, or with one that does not exist. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_version(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "--version", NULL);
    assert_true(g_regex_match_simple("^maxgl-cl \\d+\\.\\d+\\.\\d+\n$", run->out, 0, 0));
    assert_string_equal(run->err, "");
}

static void test_help(void **state)
{
    g_autoptr(CliRun) help = cli_expect(0, "--help", NULL);
    g_autoptr(CliRun) same = cli_expect(0, "help", NULL);
    cli_assert_contains(help->out, "Subcommands:");
    cli_assert_contains(same->out, "Subcommands:");
    g_autoptr(CliRun) of_one = cli_expect(0, "help", "devices", NULL);
    cli_assert_contains(of_one->out, "Examples:\n  maxgl-cl devices\n");
}

static void test_usage(void **state)
{
    const char *const none[] = {NULL};
    g_autoptr(CliRun) nothing = cli_finish(cli_start(none));
    assert_int_equal(nothing->status, 2);
    cli_assert_contains(nothing->err, "maxgl-cl: a subcommand is missing");
    g_autoptr(CliRun) unknown = cli_expect(2, "device", NULL);
    assert_string_equal(unknown->err, "maxgl-cl: no subcommand \"device\"; did you mean devices?\n");
    g_autoptr(CliRun) option = cli_expect(2, "devices", "--jsn", NULL);
    cli_assert_contains(option->err, "--jsn");
    g_autoptr(CliRun) argument = cli_expect(2, "devices", "extra", NULL);
    cli_assert_contains(argument->err, "\"extra\" was not expected");
}

static void test_unknown_device(void **state)
{
    g_autoptr(CliRun) run = cli_expect(1, "devices", "--device", "no such thing", NULL);
    cli_assert_contains(run->err, "no such thing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_unknown_device),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
