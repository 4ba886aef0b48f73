/* maxgl-cl eval scenes on a folder of classes, from video files to the report's page. */
#include "../eval/reference_svm.h"
#include "../eval/tiny_model.h"
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
#define CLASSES 4

/* "scenes/Beach (1)/film 07.mkv", …: the videos of synth, in folders by their motion. */
static int set_up(void **state)
{
    static const char *const names[CLASSES] = {"Beach (1)", "Elevator", "Fountain, night", "Windmill#farm"};
    static const char *const motions[CLASSES] = {"right", "left", "up", "down"};
    if (cli_set_up(state) != 0)
        return -1;
    g_autoptr(CliRun) run = cli_expect(0, "synth", "made", "--set",
                                       "videos=24,test=0,test_new=0,directions=4,frames=12,width=16,"
                                       "height=16",
                                       NULL);
    g_autofree char *list = cli_read("made/list.csv");
    g_auto(GStrv) lines = g_strsplit(list, "\n", -1);
    for (int i = 0; i < VIDEOS; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i + 1], ",", -1);
        int class = 0;
        while (strcmp(fields[2], motions[class]) != 0)
            class ++;
        g_autofree char *from = g_build_filename("made", fields[0], NULL);
        g_autofree char *to = g_strdup_printf("scenes/%s/film %02d.mkv", names[class], i);
        g_autofree char *from_path = cli_path(from), *to_path = cli_path(to);
        g_autofree char *folder = g_path_get_dirname(to_path);
        if (g_mkdir_with_parents(folder, 0700) != 0 || g_rename(from_path, to_path) != 0)
            return -1;
    }
    g_autofree char *model = cli_path("model.safetensors");
    tiny_model_write(model, 5);
    return 0;
}

/* The row of @text's results. */
static JsonObject *row_of(JsonParser *parser, const char *text)
{
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    assert_string_equal(json_object_get_string_member(root, "protocol"), "scenes");
    return json_array_get_object_element(json_object_get_array_member(root, "results"), 0);
}

/* The vectors by maxgl-cl embed, machines by another method. */
static void numbers(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "scenes", "--model", "model.safetensors", "--data", "scenes", "--clips", "3",
                   "--svm-c", "50", "--json", "scenes.json", NULL);
    g_autofree char *json = cli_read("scenes.json");
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *row = row_of(parser, json);

    g_autoptr(CliRun) embedded = cli_expect(0, "embed", "-m", "model.safetensors", "--clips", "3",
                                            "--per-video", "-o", "features.npy", "scenes", NULL);
    g_autofree char *path = cli_path("features.npy"), *index = cli_read("features.index.csv");
    g_autoptr(MaxglArray) features = maxgl_array_open(path, NULL);
    assert_int_equal(features->shape[0], VIDEOS);
    g_auto(GStrv) lines = g_strsplit(index, "\n", -1);
    JsonArray *names = json_object_get_array_member(row, "class_names");
    assert_int_equal(json_array_get_length(names), CLASSES);
    int labels[VIDEOS];
    for (int i = 0; i < VIDEOS; i++)
        for (int c = 0; c < CLASSES; c++) {
            g_autofree char *folder = g_strdup_printf("/%s/", json_array_get_string_element(names, (guint)c));
            if (strstr(lines[i + 1], folder))
                labels[i] = c;
        }
    g_autofree int *answers =
        reference_leave_one_out(features->data, labels, VIDEOS, (int)features->shape[1], CLASSES, 50);
    int confusion[CLASSES][CLASSES] = {{0}}, correct = 0;
    for (int i = 0; i < VIDEOS; i++) {
        confusion[labels[i]][answers[i]]++;
        correct += labels[i] == answers[i];
    }
    JsonArray *counts = json_object_get_array_member(row, "confusion");
    for (guint i = 0; i < CLASSES; i++)
        for (guint j = 0; j < CLASSES; j++)
            assert_int_equal(json_array_get_int_element(json_array_get_array_element(counts, i), j),
                             confusion[i][j]);
    JsonObject *trained =
        json_object_get_object_member(json_object_get_object_member(row, "networks"), "trained");
    assert_int_equal(json_object_get_int_member(trained, "correct"), correct);
    assert_true(fabs(json_object_get_double_member(trained, "accuracy") - correct / (double)VIDEOS) < 1e-9);
    cli_assert_contains(run->out, "one video left out at a time: label of 24 videos, 4 classes");
    cli_assert_contains(run->out, "Windmill#farm ");
    cli_assert_contains(run->out, "network  accuracy  mean over classes\n");
    g_autofree char *short_line = g_strdup_printf("trained     %.3f ", correct / (double)VIDEOS);
    cli_assert_contains(run->out, short_line);
}

static void compared_and_reported(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "eval", "scenes", "-m", "model.safetensors", "--data", "scenes", "--clips", "1",
                   "--random-init", "--still", "--out", "results", "--json", "-", NULL);
    g_autofree char *stored = cli_read("results/eval-scenes.json");
    assert_true(g_str_has_prefix(run->out, stored));
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *networks = json_object_get_object_member(row_of(parser, stored), "networks");
    assert_true(json_object_has_member(networks, "random") && json_object_has_member(networks, "still"));
    g_autoptr(CliRun) report = cli_expect(0, "report", "results", NULL);
    g_autofree char *html = cli_read("results/report.html");
    cli_assert_contains(html, "<h3>Dynamic scenes</h3>");
    cli_assert_contains(html, "Fountain, night");
    cli_assert_contains(html, "still frames");
}

static void bad_input(void **state)
{
    g_autoptr(CliRun) c =
        cli_expect(2, "eval", "scenes", "-m", "model.safetensors", "--data", "scenes", "--svm-c", "0", NULL);
    cli_assert_contains(c->err, "--svm-c=0 is out of range; above 0");
    g_autoptr(CliRun) data = cli_expect(2, "eval", "scenes", "-m", "model.safetensors", NULL);
    cli_assert_contains(data->err, "--data is missing");
    g_autoptr(CliRun) place =
        cli_expect(2, "eval", "linear", "scenes", "-m", "model.safetensors", "--data", "scenes", NULL);
    cli_assert_contains(place->err, "scenes goes alone, and directly behind \"eval\"");
    g_autoptr(CliRun) column = cli_expect(2, "eval", "scenes", "-m", "model.safetensors", "--data", "scenes",
                                          "--label", "taste", "--out", "none", NULL);
    cli_assert_contains(column->err, "scenes: has no column \"taste\"; the columns are: label");
    assert_false(cli_exists("none/eval-scenes.json"));
    g_autoptr(CliRun) one = cli_expect(2, "eval", "scenes", "-m", "model.safetensors", "--data",
                                       "scenes/Elevator", "--clips", "1", NULL);
    cli_assert_contains(one->err, "scenes/Elevator");
    cli_write("list.csv", "path,label\nscenes/Elevator,x\nnothing.mkv,y\n");
    g_autoptr(CliRun) bad =
        cli_expect(1, "eval", "scenes", "-m", "model.safetensors", "--data", "list.csv", NULL);
    cli_assert_contains(bad->err, "nothing.mkv: no such file");
    cli_write("broken.csv", "path,label\na.mkv,\"x\" y\n");
    g_autoptr(CliRun) broken =
        cli_expect(1, "eval", "scenes", "-m", "model.safetensors", "--data", "broken.csv", NULL);
    cli_assert_contains(broken->err, "broken.csv:2: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(compared_and_reported),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
