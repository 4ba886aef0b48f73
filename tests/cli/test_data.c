/* maxgl-cl data. */
#include "cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-glib/json-glib.h>
#include <string.h>

/* A copy of @from called @to, or only its first @bytes (0: all). */
static void copy_file(const char *from, const char *to, gsize bytes)
{
    g_autofree char *source = cli_path(from), *target = cli_path(to), *data = NULL;
    gsize size = 0;
    assert_true(g_file_get_contents(source, &data, &size, NULL));
    assert_true(g_file_set_contents(target, data, (gssize)(bytes ? bytes : size), NULL));
}

static void nothing_wrong(void **state)
{
    g_autoptr(CliRun) videos =
        cli_expect(0, "synth", "good", "--set", "videos=9,test=2,test_new=0,directions=1", NULL);
    g_autoptr(CliRun) run = cli_expect(0, "data", "check", "good/list.csv", "--whole", NULL);
    cli_assert_contains(run->out, "good/list.csv: 11 videos: test 2, train 9; 1 classes");
    cli_assert_contains(run->out, "nothing wrong was found");
    g_autoptr(CliRun) memory = cli_expect(0, "data", "check", "synth:", NULL);
    cli_assert_contains(memory->out, "synth:: 2800 videos");
}

static void all_that_can_be_wrong(void **state)
{
    g_autoptr(CliRun) videos =
        cli_expect(0, "synth", "bad", "--set", "videos=5,test=0,test_new=0,frames=20", NULL);
    copy_file("bad/train/00000.mkv", "bad/copy.mkv", 0);
    copy_file("bad/train/00001.mkv", "bad/cut.mkv", 1500);
    cli_write("bad/text.mkv", "hello");
    cli_write("bad/empty.mkv", "");
    cli_write("bad/list.csv", "path,label,split\n"
                              "train/00000.mkv,Hand_stand,train\n"
                              "copy.mkv,Hand_stand,test\n"
                              "train/00001.mkv,hand stand,train\n"
                              "train/00001.mkv,hand stand,test\n"
                              "train/00002.mkv,,train\n"
                              "train/00003.mkv,jump,test\n"
                              "gone.mkv,hand stand,train\n"
                              "cut.mkv,hand stand,train\n"
                              "text.mkv,hand stand,train\n"
                              "empty.mkv,hand stand,train\n");
    g_autoptr(CliRun) run = cli_expect(1, "data", "check", "bad/list.csv", "--json", "found.json", NULL);
    cli_assert_contains(run->out, "missing: bad/gone.mkv (no such file)");
    cli_assert_contains(run->out, "unreadable: bad/cut.mkv (");
    cli_assert_contains(run->out, "unreadable: bad/text.mkv (");
    cli_assert_contains(run->out, "unreadable: bad/empty.mkv (is empty (0 bytes))");
    cli_assert_contains(run->out, "listed twice: bad/train/00001.mkv (train and test)");
    cli_assert_contains(run->out, "same bytes: bad/copy.mkv (as bad/train/00000.mkv (test and train))");
    cli_assert_contains(run->out, "names alike: Hand_stand (and hand stand, in column label)");
    cli_assert_contains(run->out, "without a label: bad/train/00002.mkv\n");
    cli_assert_contains(run->out, "never trained: jump (no video of the split train)");
    cli_assert_contains(run->out, "     3 unreadable\n");
    cli_assert_contains(run->err, "bad/list.csv: 9 findings");
    assert_null(strstr(run->out, "too short"));

    g_autofree char *path = cli_path("found.json");
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_file(parser, path, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(json_object_get_int_member(root, "videos"), 10);
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "findings")), 9);

    g_autoptr(CliRun) longer = cli_expect(1, "data", "check", "bad/train", "--frames", "21", NULL);
    cli_assert_contains(longer->out, "too short: bad/train/00004.mkv (20 frames of 21)");
    cli_assert_contains(longer->out, "     5 too short\n");
}

static void usage(void **state)
{
    g_autoptr(CliRun) none = cli_expect(2, "data", "check", NULL);
    cli_assert_contains(none->err, "DATA expected");
    g_autoptr(CliRun) frames = cli_expect(2, "data", "check", "synth:", "--frames", "-1", NULL);
    cli_assert_contains(frames->err, "--frames=-1 is out of range");
    g_autoptr(CliRun) verb = cli_expect(2, "data", "chek", NULL);
    cli_assert_contains(verb->err, "did you mean check?");
    g_autoptr(CliRun) nowhere = cli_expect(1, "data", "check", "no-such-folder", NULL);
    cli_assert_contains(nowhere->err, "no-such-folder: no such file or folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wrong),
        cmocka_unit_test(all_that_can_be_wrong),
        cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
