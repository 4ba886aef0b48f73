/* maxgl-cl synth. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_files_and_list(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "synth", "videos", "--set", "videos=3,test=2", "--set", "test_new=1", NULL);
    cli_assert_contains(run->out, "videos/list.csv: 3 training videos, 2 test videos, 1 test videos on new");
    g_autofree char *list = cli_read("videos/list.csv");
    g_auto(GStrv) lines = g_strsplit(g_strchomp(list), "\n", -1);
    assert_int_equal(g_strv_length(lines), 7);
    assert_string_equal(lines[0], "path,split,motion,appearance,background");
    for (char **line = lines + 1; *line; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ",", -1);
        g_autofree char *video = g_build_filename("videos", fields[0], NULL);
        assert_int_equal(g_strv_length(fields), 5);
        assert_true(cli_exists(video));
    }
    g_autoptr(CliRun) again = cli_expect(2, "synth", "videos", NULL);
    cli_assert_contains(again->err, "videos");
}

static void test_wrong_options_make_nothing(void **state)
{
    g_autoptr(CliRun) unknown = cli_expect(2, "synth", "nothing", "--set", "vidoes=3", NULL);
    cli_assert_contains(unknown->err, "did you mean videos?");
    g_autoptr(CliRun) range = cli_expect(2, "synth", "nothing", "--set", "shapes=9", NULL);
    cli_assert_contains(range->err, "1 … 6");
    g_autoptr(CliRun) missing = cli_expect(2, "synth", NULL);
    cli_assert_contains(missing->err, "DIR expected");
    assert_false(cli_exists("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_list),
        cmocka_unit_test(test_wrong_options_make_nothing),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
