/* maxgl-cl train: the run's folder, and recipes. Every test has a folder of its own. */
#include "cli.h"
#include "tiny.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_run_folder(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "train", TINY, "-o", "runs/tiny", "-s", "train.epochs=2", "-s",
                                       "train.checkpoint_every=3", "-s", "train.keep=2", NULL);
    cli_assert_contains(run->err, "runs/tiny/model.safetensors: trained for 12 steps");
    cli_assert_contains(run->err, "training: 12/12, epoch 2, loss ");
    cli_assert_contains(run->err, "clips/s, waiting for data ");
    g_autofree char *recipe = cli_read("runs/tiny/recipe.cfg");
    cli_assert_contains(recipe, "width = 0.0625;");
    g_autofree char *info = cli_read("runs/tiny/run.json");
    cli_assert_contains(info, "\"state\" : \"finished\"");
    cli_assert_contains(info, "\"steps\" : 12");
    g_autofree char *metrics = cli_read("runs/tiny/metrics.csv");
    g_auto(GStrv) rows = g_strsplit(g_strchomp(metrics), "\n", -1);
    assert_string_equal(rows[0], "step,epoch,loss,global_mi,local_mi,lr,clips_per_s,waiting");
    assert_int_equal(g_strv_length(rows), 1 + 6);
    assert_true(g_str_has_prefix(rows[6], "12,2,"));
    assert_true(cli_exists("runs/tiny/checkpoint-000012.safetensors"));
    assert_true(cli_exists("runs/tiny/checkpoint-000009.safetensors"));
    assert_false(cli_exists("runs/tiny/checkpoint-000006.safetensors"));

    /* The resolved recipe alone makes the same run again. */
    g_autoptr(CliRun) again = cli_expect(0, "train", "-c", "runs/tiny/recipe.cfg", "-o", "again", NULL);
    g_autofree char *other = cli_read("again/recipe.cfg");
    assert_string_equal(recipe, other);

    /* Resuming a finished run is nothing to do. */
    g_autoptr(CliRun) finished = cli_expect(0, "train", "-o", "runs/tiny", "--resume", NULL);
    cli_assert_contains(finished->err, "resuming after step 12 of 12");
}

/* As many clips at once as memory allows; a resumed run goes on with as many. */
static void test_memory_limit(void **state)
{
    g_autoptr(CliRun) none = cli_expect(1, "train", TINY, "-o", "small", "--memory-limit", "1", "-s",
                                        "train.batch=13", "-s", "clip.size=64", NULL);
    cli_assert_contains(none->err, "train.batch: of the 26 clips of a step even 2 at once need ");
    cli_assert_contains(none->err, " MiB, and 1.0 MiB are allowed");
    assert_false(cli_exists("small"));
    g_autoptr(CliRun) wrong = cli_expect(2, "train", TINY, "-o", "small", "--memory-limit=-1", NULL);
    cli_assert_contains(wrong->err, "--memory-limit=-1 is out of range");

    g_autoptr(CliRun) run = cli_expect(0, "train", TINY, "-o", "parts", "-s", "train.micro_batch=4", "-s",
                                       "train.steps=2", "-s", "train.schedule=constant", NULL);
    cli_assert_contains(run->err, "4 of the 8 clips of a step at once (train.micro_batch)");
    g_autofree char *recipe = cli_read("parts/recipe.cfg");
    cli_assert_contains(recipe, "micro_batch = 4;");
    g_autoptr(CliRun) more =
        cli_expect(0, "train", "-o", "parts", "--resume", "-s", "train.steps=4", "--memory-limit", "1", NULL);
    cli_assert_contains(more->err, "4 of the 8 clips of a step at once");
    g_autoptr(CliRun) whole =
        cli_expect(2, "train", "-o", "parts", "--resume", "-s", "train.micro_batch=0", NULL);
    cli_assert_contains(whole->err, "train.micro_batch: 4 → 0");
}

/* Trains with a recipe file of @text; expects a usage error with @part, and that nothing was begun. */
static void assert_refused(const char *text, const char *part)
{
    cli_write("recipe.cfg", text);
    g_autoptr(CliRun) run = cli_expect(2, "train", "-c", "recipe.cfg", "-o", "run", NULL);
    cli_assert_contains(run->err, part);
    assert_false(cli_exists("run"));
}

static void test_wrong_recipes(void **state)
{
    assert_refused("train: {\n  lr = 0.1;\n  bacth = 3;\n};\n",
                   "recipe.cfg:3: train.bacth: unknown key; did you mean train.batch?");
    assert_refused("train: {\n  batch = 1;\n};\n",
                   "recipe.cfg:2: train.batch: 1 is out of range; allowed: 2 … 4096 videos");
    assert_refused("\nobjective: { estimator = 3; };\n", "recipe.cfg:2: objective.estimator: ");
    assert_refused("objective: { estimator = \"mine\"; };\n", "jsd | infonce | dv");
    assert_refused("clip: { frames = \"many\"; };\n", "clip.frames");
    assert_refused("clip: { frames = 8;\n", "recipe.cfg:");
    assert_refused("network: { name = \"resnet\"; };\n", "network.name: ");
    assert_refused("objective: { regions = [9, 1, 1]; };\n", "regions 9×1×1 do not fit");
    assert_refused("data: { path = \"synth:videos=8\"; };\ntrain: { batch = 16; };\n",
                   "train.batch: 16 is more than the 8 videos");
    assert_refused("data: { path = \"synth:vidoes=8\"; };\n", "did you mean videos?");
    assert_refused("data: { split = \"training\"; };\n", "data.split: ");
    assert_refused("train: { steps = 5; warmup = 5; };\n", "train.warmup: ");

    g_autoptr(CliRun) set = cli_expect(2, "train", "-o", "run", "--set", "train.lr=fast", NULL);
    cli_assert_contains(set->err, "train.lr");
    g_autoptr(CliRun) missing = cli_expect(1, "train", "-o", "run", "-c", "nowhere/recipe.cfg", NULL);
    cli_assert_contains(missing->err, "nowhere/recipe.cfg");
    g_autoptr(CliRun) argument = cli_expect(2, "train", "videos", NULL);
    cli_assert_contains(argument->err, "\"videos\" was not expected");
    assert_false(cli_exists("run"));
}

/* An option of its own and --set that disagree would train on something that one of them did not mean. */
static void test_two_values_of_one_option(void **state)
{
    static const char *const disagree[][4] = {
        {"--data", "a.csv", "data.path=b.csv", "--data=a.csv and --set data.path=b.csv are two values"},
        {"--data", "a.csv", " data.path =", "--data=a.csv and --set data.path= are two values"},
        {"--task", "maxgl", "train.task=recognition", "--task=maxgl and --set train.task=recognition are"},
        {"--init", "a", "train.init=b",
         "--init=a and --set train.init=b are two values of one option: give one"},
        {"--share", "3,1", "train.shares=1,1", "--share=3,1 and --set train.shares=1,1 are two values"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(disagree); i++) {
        g_autoptr(CliRun) run = cli_expect(2, "train", "-o", "run", disagree[i][0], disagree[i][1], "--set",
                                           "train.batch=4", "--set", disagree[i][2], NULL);
        cli_assert_contains(run->err, disagree[i][3]);
    }
    assert_false(cli_exists("run"));
    /* Of one key the last --set counts, and to say the same twice is no contradiction: the list is looked
     * for. */
    g_autoptr(CliRun) same = cli_expect(1, "train", "-o", "run", "--data", "nowhere.csv", "--set",
                                        "data.path=b.csv", "--set", "data.path=nowhere.csv", NULL);
    cli_assert_contains(same->err, "nowhere.csv");
    assert_null(strstr(same->err, "two values"));
    assert_false(cli_exists("run"));
}

static void test_help_lists_the_recipe(void **state)
{
    g_autoptr(CliRun) help = cli_expect(0, "train", "--help", NULL);
    cli_assert_contains(help->out, "objective.local_pairs = same");
    cli_assert_contains(help->out, "(2 … 4096 videos; our choice)");
}

static void test_existing_runs(void **state)
{
    g_autoptr(CliRun) nothing = cli_expect(1, "train", "-o", "run", "--resume", NULL);
    cli_assert_contains(nothing->err, "run: no run to resume");
    g_autoptr(CliRun) first = cli_expect(0, "train", TINY, "-o", "run", "-s", "train.steps=4", NULL);
    g_autofree char *before = cli_read("run/metrics.csv");

    g_autoptr(CliRun) again = cli_expect(2, "train", TINY, "-o", "run", "-s", "train.steps=4", NULL);
    cli_assert_contains(again->err, "run: there is a run already; continue it with --resume");
    g_autoptr(CliRun) other = cli_expect(2, "train", TINY, "-o", "run", "-s", "train.steps=4", "-s",
                                         "train.lr=0.5", "-s", "data.workers=2", "--resume", NULL);
    cli_assert_contains(other->err, "train.lr: 0.00375 → 0.5");
    assert_null(strstr(other->err, "data.workers"));
    g_autoptr(CliRun) longer = cli_expect(2, "train", "-o", "run", "-s", "train.steps=8", "--resume", NULL);
    cli_assert_contains(longer->err, "train.steps: 4 → 8");
    g_autofree char *after = cli_read("run/metrics.csv");
    assert_string_equal(before, after);
}

static void test_a_constant_schedule_can_go_on(void **state)
{
    g_autoptr(CliRun) first = cli_expect(0, "train", TINY, "-o", "run", "-s", "train.steps=4", "-s",
                                         "train.schedule=constant", NULL);
    g_autoptr(CliRun) longer = cli_expect(0, "train", "-o", "run", "-s", "train.steps=6", "--resume", NULL);
    cli_assert_contains(longer->err, "trained for 6 steps");
    g_autoptr(CliRun) shorter = cli_expect(2, "train", "-o", "run", "-s", "train.steps=5", "--resume", NULL);
    cli_assert_contains(shorter->err, "the run has 6 steps already");
    assert_true(cli_exists("run/checkpoint-000006.safetensors"));
}

static void test_averages_are_told_of(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "train", TINY, "-o", "run", "-s", "train.steps=2", "-s", "train.ema=0.25", NULL);
    cli_assert_contains(run->err, "trained for 2 steps");
    g_autoptr(CliRun) model = cli_expect(0, "model", "info", "run/model.safetensors", NULL);
    cli_assert_contains(model->out, "moving averages, decay 0.25\n");
    g_autoptr(CliRun) state_of_it = cli_expect(0, "model", "info", "run/checkpoint-000002.safetensors", NULL);
    assert_null(strstr(state_of_it->out, "moving averages"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run_folder),           TEST(test_memory_limit),
        TEST(test_wrong_recipes),        TEST(test_two_values_of_one_option),
        TEST(test_existing_runs),        TEST(test_a_constant_schedule_can_go_on),
        TEST(test_averages_are_told_of), TEST(test_help_lists_the_recipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
