/* maxgl-cl train with lists of broken files, folders that cannot be written to, disks that are full. Every
 * test has a folder of its own. */
#include "cli.h"
#include "tiny.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* Eight good videos, and beside them a file cut short, an empty one and a text that is no video. */
static void make_videos(void)
{
    g_autoptr(CliRun) run = cli_expect(0, "synth", "videos", "-s",
                                       "videos=8,test=0,test_new=0,width=16,height=16,frames=8", NULL);
    g_autofree char *whole = cli_path("videos/train/00000.mkv"), *cut = cli_path("cut.mkv"), *bytes = NULL;
    gsize size = 0;
    assert_true(g_file_get_contents(whole, &bytes, &size, NULL));
    assert_true(g_file_set_contents(cut, bytes, (gssize)size / 2, NULL));
    cli_write("empty.mkv", "");
    cli_write("text.mkv", "no video at all\n");
}

/* list.csv: all bad videos, one of them missing, and the first @good good ones. */
static void make_list(int good)
{
    g_autoptr(GString) text = g_string_new("cut.mkv\nempty.mkv\ntext.mkv\nmissing.mkv\n");
    for (int i = 0; i < good; i++)
        g_string_append_printf(text, "videos/train/%05d.mkv\n", i);
    cli_write("list.csv", text->str);
}

#define TRAIN "train", TINY, "--data", "list.csv", "-o", "run"

static void test_bad_files_are_left_out(void **state)
{
    make_videos();
    make_list(8);
    g_autoptr(CliRun) run = cli_expect(0, TRAIN, "-s", "train.epochs=2", NULL);
    cli_assert_contains(run->err, "4 of 12 videos were bad and left out");
    const char *const names[] = {"/cut.mkv: ", "/empty.mkv: ", "/text.mkv: ", "/missing.mkv: "};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        cli_assert_contains(run->err, names[i]);
        assert_null(strstr(strstr(run->err, names[i]) + 1, names[i])); /* once is enough */
    }
    assert_true(cli_exists("run/model.safetensors"));
}

static void test_all_bad(void **state)
{
    make_videos();
    make_list(0);
    g_autoptr(CliRun) run = cli_expect(1, TRAIN, "-s", "data.bad_fraction=1", NULL);
    cli_assert_contains(run->err, "all 4 videos are bad");
    assert_false(cli_exists("run/model.safetensors"));
}

static void test_too_many_bad(void **state)
{
    make_videos();
    make_list(8);
    g_autoptr(CliRun) run = cli_expect(1, TRAIN, "-s", "data.bad_fraction=0.1", NULL);
    cli_assert_contains(run->err, "more than the allowed 10 %");
}

static void test_what_does_not_begin_leaves_nothing(void **state)
{
    g_autoptr(CliRun) data = cli_expect(1, "train", TINY, "--data", "nowhere", "-o", "run", NULL);
    cli_assert_contains(data->err, "nowhere");
    g_autoptr(CliRun) device = cli_expect(1, "train", TINY, "-o", "run", "--device", "no such thing", NULL);
    cli_assert_contains(device->err, "no OpenCL device matches \"no such thing\"; there is: ");
    assert_false(cli_exists("run"));
}

static void test_unwritable(void **state)
{
    cli_write("file", "x");
    g_autoptr(CliRun) run = cli_expect(1, "train", TINY, "-o", "file/run", NULL);
    cli_assert_contains(run->err, "file/run: cannot make this folder");
    assert_null(strstr(run->err, "training:"));
}

/* No file may grow beyond this: like a full disk for a program that ignores the signal. */
static void limit_files(rlim_t bytes)
{
    const struct rlimit limit = {bytes, bytes};
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void limit_to_2_mib(gpointer data)
{
    limit_files(2 << 20);
}

static void test_disk_full(void **state)
{
    const char *const resume[] = {
        "train", "-o", "run", "--resume", "-s", "train.steps=8", "-s", "train.checkpoint_every=2", NULL};
    g_autofree char *kept = cli_path("run/checkpoint-000004.safetensors"), *before = NULL, *after = NULL;
    gsize size = 0, size_after = 0;
    g_autoptr(CliRun) first = cli_expect(0, "train", TINY, "-o", "run", "-s", "train.steps=4", "-s",
                                         "train.schedule=constant", "-s", "network.width=0.25", NULL);
    assert_true(g_file_get_contents(kept, &before, &size, NULL));

    /* The recipe and what PoCL writes whenever it builds kernels still fit, a checkpoint does not. */
    assert_true(size > 2 << 20);
    g_autoptr(CliRun) later = cli_run_under(NULL, NULL, limit_to_2_mib, resume);
    assert_int_equal(later->status, 1);
    cli_assert_contains(later->err, "checkpoint-000006.safetensors: cannot write: File too large");
    assert_true(g_file_get_contents(kept, &after, &size_after, NULL));
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    g_autoptr(CliRun) roomy = cli_run_under(NULL, NULL, NULL, resume);
    assert_int_equal(roomy->status, 0);
    cli_assert_contains(roomy->err, "trained for 8 steps");
    g_autofree char *folder = cli_path("run");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));)
        assert_false(g_str_has_suffix(name, ".partial"));
}

static void test_data_that_changed(void **state)
{
    make_videos();
    make_list(8);
    g_autoptr(CliRun) first = cli_expect(0, TRAIN, "-s", "train.steps=2", NULL);
    make_list(7);
    g_autoptr(CliRun) changed = cli_expect(2, "train", "-o", "run", "--resume", NULL);
    cli_assert_contains(changed->err, "list.csv has 11 videos now, and had 12 when the run began");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bad_files_are_left_out),
        TEST(test_all_bad),
        TEST(test_too_many_bad),
        TEST(test_what_does_not_begin_leaves_nothing),
        TEST(test_unwritable),
        TEST(test_disk_full),
        TEST(test_data_that_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
