/* maxgl-cl eval aslan on a miniature of ASLAN, from video files and lists to the report's page. */
#include "../eval/reference_pairs.h"
#include "../eval/tiny_model.h"
#include "../media/pairs_mat.h"
#include "base/array.h"
#include "cli.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VIDEOS 24
#define FOLDS 10
#define ROWS 12 /* pairs of a fold */
#define COLUMNS 5

static double pairs[FOLDS * COLUMNS * ROWS]; /* as MATLAB has them */

static double at(int fold, int row, int column)
{
    return pairs[(fold * COLUMNS + column) * ROWS + row];
}

/* Pairs of videos 1 … 24, alternately of the same motion and of others, from @motions. */
static void draw_pairs(const int *motions)
{
    guint32 state = 1;
    for (int i = 0; i < FOLDS * ROWS; i++) {
        int a, b;
        do {
            state = state * 1664525U + 1013904223U;
            a = (int)((state >> 8) % VIDEOS);
            b = (int)((state >> 20) % VIDEOS);
        } while (a == b || (motions[a] == motions[b]) != (i % 2 == 0));
        const double row[COLUMNS] = {a + 1, b + 1, i % 2 == 0, motions[a], motions[b]};
        for (int c = 0; c < COLUMNS; c++)
            pairs[(i / ROWS * COLUMNS + c) * ROWS + i % ROWS] = row[c];
    }
}

static void write_lists(void)
{
    g_autofree char *mat = cli_path("view2.mat");
    g_autoptr(GString) two = g_string_new("fold,id1,id2,same,action1,action2\r\n");
    g_autoptr(GString) one = g_string_new("split,id1,id2,same\n");
    pairs_mat_add(mat, "action_splits_pairs", PAIRS_CUBE, ROWS, COLUMNS, FOLDS, pairs);
    for (int f = 0; f < FOLDS; f++)
        for (int r = 0; r < ROWS; r++) {
            g_string_append_printf(two, "%d,%g,%06g,%g,%g,%g \r\n", f + 1, at(f, r, 0), at(f, r, 1),
                                   at(f, r, 2), at(f, r, 3), at(f, r, 4));
            g_string_append_printf(one, "%s,%g,%g,%g\n", f < 7 ? "train" : "test", at(f, r, 0), at(f, r, 1),
                                   at(f, r, 2));
        }
    cli_write("view2.csv", two->str);
    cli_write("view1.csv", one->str);
}

/* "aslan/part 1/clip 000001.mkv", …: the videos of synth, of 15 frames: clips of 7 that overlap by half begin
 * with 0, 4 and 8, as three evenly spaced ones do. */
static int set_up(void **state)
{
    static const char *const names[] = {"right", "left", "up", "down"};
    int motions[VIDEOS];
    if (cli_set_up(state) != 0)
        return -1;
    g_autoptr(CliRun) run = cli_expect(0, "synth", "made", "--set",
                                       "videos=24,test=0,test_new=0,directions=4,frames=15,width=16,"
                                       "height=16",
                                       NULL);
    g_autofree char *list = cli_read("made/list.csv");
    g_auto(GStrv) lines = g_strsplit(list, "\n", -1);
    for (int i = 0; i < VIDEOS; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i + 1], ",", -1);
        motions[i] = 0;
        while (strcmp(fields[2], names[motions[i]]) != 0)
            motions[i]++;
        g_autofree char *from = g_build_filename("made", fields[0], NULL);
        g_autofree char *to = g_strdup_printf("aslan/part %d/clip %06d.mkv", i % 3, i + 1);
        g_autofree char *from_path = cli_path(from), *to_path = cli_path(to);
        g_autofree char *folder = g_path_get_dirname(to_path);
        if (g_mkdir_with_parents(folder, 0700) != 0 || g_rename(from_path, to_path) != 0)
            return -1;
    }
    draw_pairs(motions);
    write_lists();
    g_autofree char *model = cli_path("model.safetensors");
    tiny_model_write(model, 5);
    return 0;
}

/* Vectors of length 1 of the videos 1 … 24, by maxgl-cl embed. */
static float *vectors_by_embed(int *length)
{
    g_autoptr(CliRun) run = cli_expect(0, "embed", "-m", "model.safetensors", "--clips", "3", "--batch", "15",
                                       "--per-video", "-o", "features.npy", "aslan", NULL);
    g_autofree char *path = cli_path("features.npy"), *index = cli_read("features.index.csv");
    g_autoptr(MaxglArray) array = maxgl_array_open(path, NULL);
    g_auto(GStrv) lines = g_strsplit(index, "\n", -1);
    assert_int_equal(array->shape[0], VIDEOS);
    *length = (int)array->shape[1];
    float *vectors = g_new0(float, VIDEOS **length);
    for (int i = 0; i < VIDEOS; i++) {
        const char *name = strstr(lines[i + 1], "/clip ");
        assert_non_null(name);
        const float *from = array->data + i * *length;
        float *to = vectors + (atoi(name + 6) - 1) * *length;
        double sum = 0;
        for (int k = 0; k < *length; k++)
            sum += (double)from[k] * from[k];
        for (int k = 0; k < *length; k++)
            to[k] = (float)(from[k] * (1 / sqrt(sum)));
    }
    return vectors;
}

/* The table of similarities of all pairs, and what goes with it. */
static double *table_by_hand(gboolean *same, int *folds, int view)
{
    int length;
    g_autofree float *vectors = vectors_by_embed(&length);
    double *table = g_new(double, FOLDS *ROWS *REFERENCE_MEASURES);
    for (int f = 0, i = 0; f < FOLDS; f++)
        for (int r = 0; r < ROWS; r++, i++) {
            reference_similarities(vectors + ((int)at(f, r, 0) - 1) * length,
                                   vectors + ((int)at(f, r, 1) - 1) * length, length,
                                   table + i * REFERENCE_MEASURES);
            same[i] = at(f, r, 2) != 0;
            folds[i] = view == 2 ? f : f >= 7;
        }
    return table;
}

/* The trained network's part of the results. */
static JsonObject *trained_of(JsonParser *parser, const char *text, int view)
{
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_string_equal(json_object_get_string_member(root, "protocol"), "aslan");
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "similarities")), 12);
    JsonObject *row = json_array_get_object_element(json_object_get_array_member(root, "results"), 0);
    assert_int_equal(json_object_get_int_member(row, "view"), view);
    return json_object_get_object_member(json_object_get_object_member(row, "networks"), "trained");
}

static void assert_near(JsonObject *object, const char *member, double wanted)
{
    const double value = json_object_get_double_member(object, member);
    if (!(fabs(value - wanted) < 1e-6))
        fail_msg("%s is %.9g, wanted %.9g", member, value, wanted);
}

static void compare(const char *list, int view)
{
    gboolean same[FOLDS * ROWS];
    int folds[FOLDS * ROWS];
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "aslan", "--model", "model.safetensors", "--videos", "aslan", "--pairs", list,
                   "--batch", "15", "--json", "aslan.json", NULL);
    g_autofree char *text = cli_read("aslan.json");
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *trained = trained_of(parser, text, view);
    g_autofree double *similarities = table_by_hand(same, folds, view);
    const ReferenceScore wanted = reference_pairs(similarities, same, folds, FOLDS * ROWS, REFERENCE_MEASURES,
                                                  view == 2 ? 0 : 1, view == 2 ? FOLDS : 2, 1);
    assert_near(trained, "accuracy", wanted.accuracy);
    assert_near(trained, "auc", wanted.auc);
    assert_int_equal(json_object_has_member(trained, "standard_error"), view == 2);
    if (view == 2)
        assert_near(trained, "standard_error", wanted.standard_error);
    const int n_folds = view == 2 ? FOLDS : 1;
    assert_int_equal(json_array_get_length(json_object_get_array_member(trained, "folds")), n_folds);
    assert_int_equal(json_object_get_int_member(trained, "pairs"), view == 2 ? FOLDS * ROWS : 3 * ROWS);
    cli_assert_contains(run->out, view == 2 ? "network  accuracy  ± standard error" : "View 1: 36 pairs");
    g_autofree char *line = g_strdup_printf("trained    %.4f ", wanted.accuracy);
    cli_assert_contains(run->out, line);
}

static void view2_mat(void **state)
{
    compare("view2.mat", 2);
}

static void view2_csv(void **state)
{
    compare("view2.csv", 2);
}

static void view1_csv(void **state)
{
    compare("view1.csv", 1);
}

static void layers_compared_and_reported(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "aslan", "-m", "model.safetensors", "--videos", "aslan", "--pairs", "view2.mat",
                   "--layers", "layer2, layer3,avgpool", "--clips", "2", "--svm-c", "0.1", "--random-init",
                   "--out", "results", "--json", "-", NULL);
    g_autofree char *stored = cli_read("results/eval-aslan.json");
    assert_true(g_str_has_prefix(run->out, stored));
    cli_assert_contains(stored, "\"layer2\"");
    cli_assert_contains(stored, "\"random\"");
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *trained = trained_of(parser, stored, 2);
    JsonArray *roc = json_object_get_array_member(trained, "roc");
    JsonArray *last = json_array_get_array_element(roc, json_array_get_length(roc) - 1);
    assert_true(json_array_get_double_element(last, 0) == 1 && json_array_get_double_element(last, 1) == 1);
    g_autoptr(CliRun) report = cli_expect(0, "report", "results", NULL);
    g_autofree char *html = cli_read("results/report.html");
    cli_assert_contains(html, "<h3>Action similarity</h3>");
    cli_assert_contains(html, "layer2, layer3, pool");
    cli_assert_contains(html, "Receiver operating characteristic");
    cli_assert_contains(html, "random init, AUC 0.");
}

static void expect_error(int status, const char *list, const char *option, const char *value,
                         const char *message)
{
    g_autoptr(CliRun) run = cli_expect(status, "eval", "aslan", "-m", "model.safetensors", "--videos",
                                       "aslan", "--out", "none", "--pairs", list, option, value, NULL);
    cli_assert_contains(run->err, message);
    assert_false(cli_exists("none/eval-aslan.json"));
}

static void bad_input(void **state)
{
    cli_write("broken.csv", "fold,id1,id2,same\n1,2,3,1\n1,2,3,maybe\n");
    expect_error(1, "broken.csv", "--svm-c", "1", "broken.csv:3: same is \"maybe\", neither 0 nor 1");
    cli_write("missing.csv", "fold,id1,id2,same\n1,2,3,1\n2,2,77,0\n2,walk,3,0\n");
    expect_error(1, "missing.csv", "--svm-c", "1", "aslan: no video is called 77, walk (2 of 4 are missing)");
    expect_error(1, "nothing.mat", "--svm-c", "1", "nothing.mat: no such list of pairs");
    expect_error(2, "view2.csv", "--svm-c", "-1", "--svm-c=-1 is out of range; above 0");
    expect_error(2, "view2.csv", "--layers", "layer9", "has no output \"layer9\"; there are: stem");
    expect_error(2, "view2.csv", "--layers", "layer4,pool",
                 "layer pool gives features that are there already (pool is the mean of layer4)");
    g_autoptr(CliRun) none =
        cli_expect(2, "eval", "aslan", "-m", "model.safetensors", "--videos", "aslan", NULL);
    cli_assert_contains(none->err, "--pairs is missing");
}

/* Pairs of a video that cannot be decoded are left out, and said to be. */
static void bad_video(void **state)
{
    cli_write("aslan/part 0/x 99.mkv", "no video");
    g_autofree char *list = cli_read("view1.csv");
    g_autofree char *more = g_strconcat(list, "test,99,1,0\ntrain,99,2,1\n", NULL);
    cli_write("more.csv", more);
    g_autoptr(CliRun) run = cli_expect(0, "eval", "aslan", "-m", "model.safetensors", "--videos", "aslan",
                                       "--pairs", "more.csv", NULL);
    cli_assert_contains(run->err, "x 99.mkv: cannot decode");
    cli_assert_contains(run->out, "2 pairs are left out, of videos that are bad");
    cli_assert_contains(run->out, "View 1: 36 pairs of 25 videos");
}

/* A video that no pair names is not looked at, however clips are chosen; three clips at equal distances are
 * those that overlap by half. */
static void only_named_videos(void **state)
{
    static const char *const clips[] = {"0", "3"};
    g_autofree char *first = NULL;
    cli_write("aslan/part 0/a 98.mkv", "no video");
    for (guint i = 0; i < G_N_ELEMENTS(clips); i++) {
        g_autoptr(CliRun) run =
            cli_expect(0, "eval", "aslan", "-m", "model.safetensors", "--videos", "aslan", "--pairs",
                       "view1.csv", "--batch", "15", "--clips", clips[i], NULL);
        assert_null(strstr(run->err, "98.mkv"));
        cli_assert_contains(run->out, "View 1: 36 pairs of 24 videos");
        if (first)
            assert_string_equal(run->out, first);
        first = first ? first : g_strdup(run->out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view2_mat),         cmocka_unit_test(view2_csv),
        cmocka_unit_test(view1_csv),         cmocka_unit_test(layers_compared_and_reported),
        cmocka_unit_test(bad_input),         cmocka_unit_test(bad_video),
        cmocka_unit_test(only_named_videos),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
