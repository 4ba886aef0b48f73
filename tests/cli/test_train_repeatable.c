/* maxgl-cl train ends with the same bytes, whatever happened on the way. Every test has a folder of its own.
 */
#include "cli.h"
#include "tiny.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH "-s", "train.steps=60", "-s", "train.checkpoint_every=10", "-s", "train.keep=3"
#define PARTIAL "broken/.checkpoint-000070.safetensors.1-0.partial"

/* Trains to the end in the folder @run, with one more option. */
static void train(const char *run, const char *option)
{
    g_autoptr(CliRun) done = cli_expect(0, "train", TINY, LENGTH, "-o", run, "-s", option, NULL);
    cli_assert_contains(done->err, "trained for 60 steps");
}

static gboolean same_file(const char *a, const char *b, const char *name)
{
    g_autofree char *name_a = g_build_filename(a, name, NULL), *name_b = g_build_filename(b, name, NULL);
    g_autofree char *path_a = cli_path(name_a), *path_b = cli_path(name_b);
    g_autoptr(GMappedFile) file_a = g_mapped_file_new(path_a, FALSE, NULL);
    g_autoptr(GMappedFile) file_b = g_mapped_file_new(path_b, FALSE, NULL);
    assert_non_null(file_a);
    assert_non_null(file_b);
    gsize size = g_mapped_file_get_length(file_a);
    return size == g_mapped_file_get_length(file_b) &&
           memcmp(g_mapped_file_get_contents(file_a), g_mapped_file_get_contents(file_b), size) == 0;
}

/* metrics.csv without the columns that tell of speed. */
static char *curve(const char *run)
{
    g_autofree char *name = g_build_filename(run, "metrics.csv", NULL), *text = cli_read(name);
    g_auto(GStrv) rows = g_strsplit(text, "\n", -1);
    GString *kept = g_string_new(NULL);
    for (char **row = rows; *row; row++) {
        g_auto(GStrv) cells = g_strsplit(*row, ",", -1);
        for (guint i = 0; i < 6 && i < g_strv_length(cells); i++)
            g_string_append_printf(kept, "%s,", cells[i]);
        g_string_append_c(kept, '\n');
    }
    return g_string_free(kept, FALSE);
}

static void assert_same_run(const char *a, const char *b)
{
    assert_true(same_file(a, b, "checkpoint-000060.safetensors"));
    assert_true(same_file(a, b, "model.safetensors"));
    g_autofree char *curve_a = curve(a), *curve_b = curve(b);
    assert_string_equal(curve_a, curve_b);
}

static void test_seeds_and_workers(void **state)
{
    train("first", "data.workers=1");
    train("again", "data.workers=1");
    train("workers", "data.workers=4");
    train("seed", "train.seed=2");
    assert_same_run("first", "again");
    assert_same_run("first", "workers");
    assert_false(same_file("first", "seed", "checkpoint-000060.safetensors"));
}

/* Starts a run in the folder "broken", sends it @signal as soon as it has made @file, and expects @status. */
static void break_run(const char *file, int signal, int status, const char *option)
{
    const char *const arguments[] = {"train", TINY, LENGTH, "-o", "broken", "-s", option, NULL};
    GSubprocess *process = cli_start(arguments);
    gint64 end = g_get_monotonic_time() + 300 * G_TIME_SPAN_SECOND;
    while (!cli_exists(file) && g_get_monotonic_time() < end)
        g_usleep(1000);
    g_subprocess_send_signal(process, signal);
    g_autoptr(CliRun) run = cli_finish(process);
    if (run->status != status)
        fail_msg("exit %d and not %d:\n%s", run->status, status, run->err);
    assert_false(cli_exists("broken/model.safetensors"));
}

/* Resumes the run, which says @said then, and ends as a run that was left alone. */
static void assert_resumes(const char *said)
{
    cli_write(PARTIAL, "half a file, as a write that was cut off leaves it");
    g_autoptr(CliRun) run = cli_expect(0, "train", "-o", "broken", "--resume", "-s", "data.workers=3", "-s",
                                       "train.checkpoint_every=10", NULL);
    cli_assert_contains(run->err, said);
    assert_false(cli_exists(PARTIAL));
    train("whole", "data.workers=1");
    assert_same_run("whole", "broken");
}

static void test_kill(void **state)
{
    break_run("broken/checkpoint-000020.safetensors", SIGKILL, -SIGKILL, "train.log_every=2");
    assert_resumes("resuming after step ");
}

static void test_kill_before_the_first_checkpoint(void **state)
{
    break_run("broken/run.json", SIGKILL, -SIGKILL, "train.checkpoint_every=0");
    assert_resumes("no checkpoint yet: starting with step 1");
}

static void test_interrupt(void **state)
{
    break_run("broken/checkpoint-000020.safetensors", SIGINT, 130, "train.log_every=2");
    g_autofree char *info = cli_read("broken/run.json");
    cli_assert_contains(info, "\"state\" : \"interrupted\"");
    assert_resumes("resuming after step ");
}

static void test_terminate(void **state)
{
    break_run("broken/checkpoint-000020.safetensors", SIGTERM, 130, "train.log_every=2");
    assert_resumes("resuming after step ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_seeds_and_workers), TEST(test_kill),      TEST(test_kill_before_the_first_checkpoint),
        TEST(test_interrupt),         TEST(test_terminate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
