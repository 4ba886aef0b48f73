/* maxgl-cl eval and report, from a run's folder to its page. */
#include "cli.h"
#include "tiny.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DATA "synth:videos=32,test=8,test_new=4,frames=8,directions=4,colors=2,shapes=1,backgrounds=2"

/* A run of three steps of a small network. */
static int set_up(void **state)
{
    if (cli_set_up(state) != 0)
        return -1;
    g_autoptr(CliRun) run = cli_expect(
        0, "train", "--out", "run", "--data", DATA, "--set", "network.name=r3d-vcop", "--set",
        "network.width=0.0625", "--set", "clip.frames=4", "--set", "clip.stride=1", "--set", "clip.size=16",
        "--set", "train.steps=3", "--set", "train.batch=4", "--set", "train.log_every=1", "--set",
        "objective.estimator=infonce", "--set", "objective.hidden=16", "--set", "objective.regions=[1,1,1]",
        "--set", "train.warmup=0", NULL);
    return 0;
}

static char *read_text(const char *name)
{
    g_autofree char *path = cli_path(name);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        fail_msg("no %s", name);
    return text;
}

static void assert_protocol(const char *text, const char *protocol, const char *network)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_data(parser, text, -1, NULL))
        fail_msg("no JSON: %s", text);
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_string_equal(json_object_get_string_member(root, "protocol"), protocol);
    JsonArray *results = json_object_get_array_member(root, "results");
    JsonObject *row = json_array_get_object_element(results, 0);
    assert_true(json_object_has_member(json_object_get_object_member(row, "networks"), network));
}

static void both_protocols(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "eval", "linear", "retrieval", "--model", "run", "--data", DATA,
                                       "--random-init", "--clips", "2", NULL);
    cli_assert_contains(run->out, "Linear probe, accuracy (trained on 32 videos of \"train\")");
    cli_assert_contains(run->out, "label       split     videos  classes  chance  trained  random init\n");
    cli_assert_contains(run->out, "motion      test           8        4   0.250 ");
    cli_assert_contains(run->out, "motion      test-new       4 ");
    cli_assert_contains(run->out, "R@50");
    cli_assert_contains(run->out, "chance ");
    cli_assert_contains(run->err, "linear probe of background on test-new: left out");
    g_autofree char *linear = read_text("run/eval-linear.json");
    g_autofree char *retrieval = read_text("run/eval-retrieval.json");
    assert_protocol(linear, "linear", "random");
    assert_protocol(retrieval, "retrieval", "random");
}

/* The results of eval without the line that says when; @extra is an option more, or NULL. */
static char *results_without_time(const char *extra, CliRun **run)
{
    *run = cli_expect(0, "eval", "linear", "retrieval", "-m", "run", "--data", DATA, "--random-init",
                      "--clips", "2", "--json", "-", extra, NULL);
    g_autoptr(GRegex) time = g_regex_new("\"time\" : \"[^\"]*\"", 0, 0, NULL);
    return g_regex_replace_literal(time, (*run)->out, -1, 0, "", 0, NULL);
}

/* What embed has computed, eval finds; results are the same with and without. */
static void shared_features(void **state)
{
    g_autofree char *cache = cli_path("cache"), *old = g_strdup(g_getenv("MAXGL_CACHE_DIR"));
    g_setenv("MAXGL_CACHE_DIR", cache, TRUE);
    g_setenv("MAXGL_FEATURE_CACHE_MB", "64", TRUE);
    g_autoptr(CliRun) embed = cli_expect(0, "embed", "-m", "run", "--clips", "2", "-p", DATA, NULL);
    g_autoptr(CliRun) again = cli_expect(0, "embed", "-m", "run", "--clips", "2", "-p", DATA, NULL);
    assert_null(strstr(embed->err, "cache"));
    cli_assert_contains(again->err, "maxgl-cl: features of 44 of 44 videos came from the cache\n");
    assert_string_equal(embed->out, again->out);
    g_autoptr(CliRun) first = NULL, second = NULL, without = NULL;
    g_autofree char *a = results_without_time(NULL, &first), *b = results_without_time(NULL, &second),
                    *c = results_without_time("--no-cache", &without);
    cli_assert_contains(first->err, "trained network: features of 44 of 44 videos came from the cache\n");
    assert_null(strstr(first->err, "random initialisation: features"));
    cli_assert_contains(second->err,
                        "random initialisation: features of 44 of 44 videos came from the cache\n");
    assert_null(strstr(without->err, "cache"));
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    g_unsetenv("MAXGL_FEATURE_CACHE_MB");
    g_unsetenv("MAXGL_CACHE_DIR");
    if (old)
        g_setenv("MAXGL_CACHE_DIR", old, TRUE);
}

static void json_instead_of_tables(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "linear", "-m", "run/model.safetensors", "--data", DATA, "--label", "motion",
                   "--test-split", "test", "--clips", "1", "--json", "-", NULL);
    assert_protocol(run->out, "linear", "trained");
    assert_null(strstr(run->out, "appearance\","));
    g_autoptr(CliRun) file = cli_expect(0, "eval", "linear", "retrieval", "-m", "run", "--data", DATA,
                                        "--label", "motion", "--clips", "1", "--still", "--json", "both.json",
                                        "--out", "elsewhere", "--name", "still", NULL);
    g_autofree char *linear = read_text("elsewhere/eval-linear-still.json");
    assert_protocol(linear, "linear", "still");
    g_autofree char *both = read_text("both.json");
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, both, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_true(json_object_has_member(root, "linear") && json_object_has_member(root, "retrieval"));
}

static void page(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "report", "run", NULL);
    cli_assert_contains(run->err, "run/report.html");
    g_autofree char *html = read_text("run/report.html");
    assert_true(g_str_has_prefix(html, "<!DOCTYPE html>"));
    cli_assert_contains(html, "upper bound 1.39"); /* log 4 */
    cli_assert_contains(html, "Linear probe");
    cli_assert_contains(html, "Retrieval");
    cli_assert_contains(html, "Training clips");
    cli_assert_contains(html, "data:image/png;base64,");
    assert_null(strstr(html, "cannot be shown"));
    /* A folder of results alone, to another place. */
    g_autoptr(CliRun) results = cli_expect(0, "report", "elsewhere", "-o", "page.html", NULL);
    g_autofree char *short_page = read_text("page.html");
    cli_assert_contains(short_page, "still frames");
}

/* Two seeds of one recipe are a group; another recipe is another, and says what it has. */
static void several_runs(void **state)
{
    static const char *const changes[][3] = {{"two-1", "train.seed=1", "train.keep=1"},
                                             {"two-2", "train.seed=2", "train.keep=2"},
                                             {"alone-1", "train.seed=1", "objective.local_weight=0"}};
    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autoptr(CliRun) run = cli_expect(0, "train", "--out", changes[i][0], TINY, "-s", "train.steps=2",
                                           "-s", changes[i][1], "-s", changes[i][2], NULL);
    }
    g_autoptr(CliRun) evaluated =
        cli_expect(0, "eval", "linear", "--model", "two-1", "--data", DATA, "--label", "motion", "--clips",
                   "1", "--test-split", "test", NULL);
    g_autoptr(CliRun) run =
        cli_expect(0, "report", "two-1", "two-2", "alone-1", "-o", "all.html", "--json", "all.json", NULL);
    cli_assert_contains(run->err, "all.html: 3 runs in 2 groups");
    cli_assert_contains(run->out, DATA);
    cli_assert_contains(run->out, "motion  test    linear accuracy   0.250  ");
    g_autofree char *page = read_text("all.html"), *json = read_text("all.json");
    cli_assert_contains(page, "<dt>two</dt><dd>2 runs</dd>");
    cli_assert_contains(page, "<dt>alone-1</dt><dd>1 run; objective.local_weight 0.0</dd>");
    cli_assert_contains(json, "\"alone-1\"");
    g_autoptr(CliRun) one = cli_expect(2, "report", "two-1", "--json", "one.json", NULL);
    cli_assert_contains(one->err, "--json: is for several runs");
    g_autoptr(CliRun) missing = cli_expect(1, "report", "two-1", "nothing-here", NULL);
    cli_assert_contains(missing->err, "nothing-here: is no folder of a training run");
}

/* Results as eval writes them, of two data sets. */
static void mean_of_results(void **state)
{
    static const char *const data[] = {DATA, DATA ",seed=2"}, *const names[] = {"a", "b"};
    for (guint i = 0; i < G_N_ELEMENTS(data); i++)
        cli_run_free(cli_expect(0, "eval", "linear", "retrieval", "-m", "run", "--data", data[i], "--label",
                                "motion", "--clips", "1", "--out", "means", "--name", names[i], NULL));
    g_autoptr(CliRun) linear =
        cli_expect(0, "eval", "mean", "means/eval-linear-a.json", "means/eval-linear-b.json", NULL);
    cli_assert_contains(linear->out, "motion  test      trained  accuracy  0.");
    cli_assert_contains(linear->out, "motion  test-new  trained  accuracy  0.");
    g_autoptr(CliRun) retrieval =
        cli_expect(0, "eval", "mean", "means/eval-retrieval-a.json", "means/eval-retrieval-b.json", NULL);
    cli_assert_contains(retrieval->out, "motion  test      trained  R@50");
}

static void usage(void **state)
{
    g_autoptr(CliRun) none = cli_expect(2, "eval", "--model", "run", "--data", DATA, NULL);
    cli_assert_contains(none->err, "linear|retrieval… expected");
    g_autoptr(CliRun) unknown = cli_expect(2, "eval", "linearly", "--model", "run", "--data", DATA, NULL);
    cli_assert_contains(unknown->err, "no protocol \"linearly\"; there are: linear, retrieval");
    g_autoptr(CliRun) model = cli_expect(2, "eval", "linear", "--data", DATA, NULL);
    cli_assert_contains(model->err, "--model is missing");
    g_autoptr(CliRun) data = cli_expect(2, "eval", "linear", "--model", "run", NULL);
    cli_assert_contains(data->err, "--data is missing");
    g_autoptr(CliRun) clips =
        cli_expect(2, "eval", "linear", "-m", "run", "--data", DATA, "--clips", "2000", NULL);
    cli_assert_contains(clips->err, "--clips=2000 is out of range; allowed: 1 … 1024");
    g_autoptr(CliRun) label =
        cli_expect(2, "eval", "linear", "-m", "run", "--data", DATA, "-l", "taste", NULL);
    cli_assert_contains(label->err,
                        "has no column \"taste\"; the columns are: split, motion, appearance, background");
    g_autoptr(CliRun) split =
        cli_expect(2, "eval", "linear", "-m", "run", "--data", DATA, "--test-split", "val", NULL);
    cli_assert_contains(split->err, "val");
    g_autoptr(CliRun) json =
        cli_expect(1, "eval", "linear", "-m", "run", "--data", DATA, "--json", "nowhere/x.json", NULL);
    cli_assert_contains(json->err, "nowhere/x.json: cannot write");
    g_autoptr(CliRun) no_run = cli_expect(1, "report", "nothing-here", NULL);
    cli_assert_contains(no_run->err, "nothing-here");
    g_autoptr(CliRun) report = cli_expect(2, "report", NULL);
    cli_assert_contains(report->err, "RUN… expected");
}

/* A list whose videos are all bad in one split. */
static void bad_videos(void **state)
{
    g_autofree char *list = cli_path("list.csv");
    assert_true(g_file_set_contents(list, "path,split,label\na.mkv,train,x\nb.mkv,test,x\n", -1, NULL));
    g_autoptr(CliRun) run = cli_expect(1, "eval", "linear", "-m", "run", "--data", "list.csv", NULL);
    cli_assert_contains(run->err, "a.mkv: no such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_protocols),         cmocka_unit_test(shared_features),
        cmocka_unit_test(json_instead_of_tables), cmocka_unit_test(page),
        cmocka_unit_test(several_runs),           cmocka_unit_test(usage),
        cmocka_unit_test(mean_of_results),        cmocka_unit_test(bad_videos),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
