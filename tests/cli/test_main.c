/* What maxgl-cl says without a subcommand, or with one that does not exist. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* The names in the overview, NULL-terminated. */
static char **subcommands(void)
{
    g_autoptr(CliRun) overview = cli_expect(0, "help", NULL);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    const char *list = strstr(overview->out, "Subcommands:\n");
    assert_non_null(list);
    g_auto(GStrv) lines = g_strsplit(list, "\n", -1);
    for (char **line = lines + 1; **line; line++) {
        g_auto(GStrv) words = g_strsplit(g_strstrip(*line), " ", 2);
        g_strv_builder_add(names, words[0]);
    }
    return g_strv_builder_end(names);
}

static void test_help_of_each(void **state)
{
    g_auto(GStrv) names = subcommands();
    assert_true(g_strv_contains((const char *const *)names, "train"));
    for (char **name = names; *name; name++) {
        g_autoptr(CliRun) help = cli_expect(0, *name, "--help", NULL);
        g_autoptr(CliRun) same = cli_expect(0, "help", *name, NULL);
        g_autofree char *usage = g_strdup_printf("Usage:\n  maxgl-cl %s ", *name);
        assert_true(g_str_has_prefix(help->out, usage));
        assert_string_equal(help->out, same->out);
    }
}

static void test_usage(void **state)
{
    const char *const none[] = {NULL};
    g_autoptr(CliRun) nothing = cli_finish(cli_start(none));
    assert_int_equal(nothing->status, 2);
    cli_assert_contains(nothing->err, "maxgl-cl: a subcommand is missing");
    g_autoptr(CliRun) unknown = cli_expect(2, "device", NULL);
    assert_string_equal(unknown->err, "maxgl-cl: no subcommand \"device\"; did you mean devices?\n");
    g_autoptr(CliRun) far = cli_expect(2, "qqqqqqqq", NULL);
    cli_assert_contains(far->err, "no subcommand \"qqqqqqqq\"; there are: ");
    g_autoptr(CliRun) option = cli_expect(2, "devices", "--jsn", NULL);
    cli_assert_contains(option->err, "--jsn");
    g_autoptr(CliRun) argument = cli_expect(2, "devices", "extra", NULL);
    cli_assert_contains(argument->err, "\"extra\" was not expected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_of_each),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
