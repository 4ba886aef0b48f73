/* maxgl-cl index and maxgl-cl search: another moment of the same video is found, and what is refused. */
#include "../eval/tiny_model.h"
#include "base/safetensors.h"
#include "cli.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VIDEOS 4
#define PER_VIDEO 8 /* clips of 7 frames in 60, at 10 frames a second */

/* model.safetensors, videos/train/0000{0 … 3}.mkv, each with its own background and little motion
 * (so that an untrained network tells them apart), and their index. */
static int set_up(void **state)
{
    if (cli_set_up(state) != 0)
        return -1;
    g_autofree char *model = cli_path("model.safetensors");
    tiny_model_write(model, 1);
    g_autoptr(CliRun) synth =
        cli_expect(0, "synth", "videos", "--set",
                   "videos=4,test=0,test_new=0,frames=60,fps=10,backgrounds=0,speed=0.25", NULL);
    g_autoptr(CliRun) index =
        cli_expect(0, "index", "videos", "-o", "v.index", "--model", "model.safetensors", NULL);
    cli_assert_contains(index->err, "v.index: 32 clips of 4 videos");
    assert_string_equal(index->out, "");
    return 0;
}

static MaxglSafetensors *open_index(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cli_path(name);
    MaxglSafetensors *file = maxgl_safetensors_open(path, &error);
    if (!file)
        fail_msg("%s", error->message);
    return file;
}

static const float *read_floats(const MaxglSafetensors *file, const char *name, gint64 columns)
{
    const MaxglSafetensor *tensor = maxgl_safetensors_find(file, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->shape[0], VIDEOS * PER_VIDEO);
    assert_int_equal(tensor->shape[1], columns);
    return tensor->data;
}

static void contents_of_an_index(void **state)
{
    g_autoptr(MaxglSafetensors) file = open_index("v.index");
    const float *seconds = read_floats(file, "seconds", 2);
    for (int i = 0; i < VIDEOS * PER_VIDEO; i++) {
        assert_float_equal(seconds[2 * i], 0.7 * (i % PER_VIDEO), 1e-5);
        assert_float_equal(seconds[2 * i + 1], 0.7 * (i % PER_VIDEO) + 0.6, 1e-5);
    }
    cli_assert_contains(maxgl_safetensors_metadata(file, "model"), "/model.safetensors");
    assert_int_equal(strlen(maxgl_safetensors_metadata(file, "model_sha256")), 64);
    cli_assert_contains(maxgl_safetensors_metadata(file, "preprocessing"), "\"frame_stride\":2");
    cli_assert_contains(maxgl_safetensors_metadata(file, "sources"), "videos/train/00003.mkv");
}

static JsonObject *read_hits(JsonParser *parser, const char *name, JsonArray **hits)
{
    g_autofree char *text = cli_read(name);
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    *hits = json_object_get_array_member(root, "hits");
    return root;
}

/* Clips 2 and 3 of a video as query: similarities are those of the features in the index, and the first hit
 * that is not the query itself is another moment of the video. */
static void another_moment(void **state)
{
    g_autoptr(MaxglSafetensors) file = open_index("v.index");
    const float *features = read_floats(file, "features", TINY_FEATURES);
    for (int video = 0; video < VIDEOS; video++) {
        g_autofree char *path = g_strdup_printf("videos/train/%05d.mkv", video);
        g_autoptr(CliRun) run = cli_expect(0, "search", "v.index", path, "--seconds", "1.4-2.8", "-x", "-k",
                                           "40", "--json", "hits.json", NULL);
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonArray *hits;
        JsonObject *root = read_hits(parser, "hits.json", &hits);
        JsonObject *query = json_object_get_object_member(root, "query");
        assert_int_equal(json_object_get_int_member(query, "clips"), 2);
        assert_float_equal(json_object_get_double_member(query, "first_seconds"), 1.4, 1e-5);
        assert_float_equal(json_object_get_double_member(query, "last_seconds"), 2.7, 1e-5);
        assert_int_equal(json_array_get_length(hits), VIDEOS * PER_VIDEO - 2);
        double mean[TINY_FEATURES], length = 0, before = 2;
        for (int j = 0; j < TINY_FEATURES; j++) {
            const int row = (video * PER_VIDEO + 2) * TINY_FEATURES + j;
            mean[j] = (double)features[row] + features[row + TINY_FEATURES];
            length += mean[j] * mean[j];
        }
        for (guint i = 0; i < json_array_get_length(hits); i++) {
            JsonObject *hit = json_array_get_object_element(hits, i);
            const char *of = json_object_get_string_member(hit, "video");
            const int number = of[strlen("videos/train/0000")] - '0';
            const int clip = (int)lround(json_object_get_double_member(hit, "first_seconds") / 0.7);
            const double similarity = json_object_get_double_member(hit, "similarity");
            double sum = 0;
            for (int j = 0; j < TINY_FEATURES; j++)
                sum += mean[j] * features[(number * PER_VIDEO + clip) * TINY_FEATURES + j];
            assert_float_equal(similarity, sum / sqrt(length), 1e-5);
            assert_true(similarity <= before);
            assert_false(number == video && (clip == 2 || clip == 3));
            before = similarity;
        }
        assert_string_equal(json_object_get_string_member(json_array_get_object_element(hits, 0), "video"),
                            path);
    }
}

static void table_and_page(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "search", "v.index", "videos/train/00001.mkv", "-s", "1.4-2.1",
                                       "-k", "3", "--html", "hits.html", NULL);
    cli_assert_contains(run->out, "videos/train/00001.mkv, 1.40 – 2.00 s (1 clip), in 32 clips of 4 videos\n"
                                  "rank  similarity  video                       seconds\n"
                                  "   1      1.0000  videos/train/00001.mkv  1.40 – 2.00\n   2      0.");
    g_auto(GStrv) lines = g_strsplit(run->out, "\n", -1);
    assert_int_equal(g_strv_length(lines), 2 + 3 + 1);
    g_autofree char *page = cli_read("hits.html");
    g_auto(GStrv) pictures = g_strsplit(page, "<img width=\"32\" height=\"32\"", -1);
    assert_int_equal(g_strv_length(pictures), 1 + 1 + 3);
    cli_assert_contains(page, "similarity 1.000");
    cli_assert_contains(page, "00001.mkv#t=1.400,2.000");
}

/* Clips every 0.1 s overlap with six others on each side. */
static void overlapping_clips(void **state)
{
    g_autoptr(CliRun) index = cli_expect(0, "index", "videos/train/00000.mkv", "-o", "dense.index", "-m",
                                         "model.safetensors", "--every", "0.1", NULL);
    cli_assert_contains(index->err, "dense.index: 54 clips of 1 videos");
    for (int all = 0; all < 2; all++) {
        g_autoptr(CliRun) run = cli_expect(0, "search", "dense.index", "videos/train/00000.mkv", "-k", "99",
                                           "--json", "hits.json", all ? "--all" : NULL, NULL);
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonArray *hits;
        read_hits(parser, "hits.json", &hits);
        const guint n = json_array_get_length(hits);
        if (all)
            assert_int_equal(n, 54);
        else
            assert_in_range(n, 5, 8); /* none within 0.6 s of another, in 5.4 s */
        for (guint i = 0; !all && i < n; i++)
            for (guint j = 0; j < i; j++) {
                JsonObject *a = json_array_get_object_element(hits, i);
                JsonObject *b = json_array_get_object_element(hits, j);
                assert_true(fabs(json_object_get_double_member(a, "first_seconds") -
                                 json_object_get_double_member(b, "first_seconds")) > 0.65);
            }
    }
    g_autoptr(CliRun) none = cli_expect(0, "search", "dense.index", "videos/train/00000.mkv", "-x", NULL);
    cli_assert_contains(none->out, "nothing is left to be found");
}

/* A video that is not in the index, and the same file under another name. */
static void videos_from_elsewhere(void **state)
{
    g_autofree char *from = cli_path("videos/train/00002.mkv"), *to = cli_path("link.mkv");
    g_autoptr(GFile) link = g_file_new_for_path(to);
    assert_true(g_file_make_symbolic_link(link, from, NULL, NULL));
    g_autoptr(CliRun) one =
        cli_expect(0, "index", "videos/train/00000.mkv", "-o", "one.index", "-m", "model.safetensors", NULL);
    g_autoptr(CliRun) other = cli_expect(0, "search", "one.index", "link.mkv", "-x", "-k", "50", NULL);
    cli_assert_contains(other->out, "videos/train/00000.mkv");
    g_autoptr(CliRun) same = cli_expect(0, "search", "v.index", "link.mkv", "-x", "-k", "50", NULL);
    cli_assert_contains(same->out, "videos/train/00001.mkv");
    assert_null(strstr(same->out, "00002.mkv"));
}

static void bad_videos(void **state)
{
    cli_write("junk.mp4", "this is no video");
    cli_write("list.csv", "junk.mp4\nvideos/train/00001.mkv\nmissing.mkv\n");
    cli_write("kept.index", "precious");
    g_autoptr(CliRun) some =
        cli_expect(0, "index", "list.csv", "-o", "some.index", "-m", "model.safetensors", NULL);
    cli_assert_contains(some->err, "junk.mp4: cannot decode");
    cli_assert_contains(some->err, "missing.mkv: no such file");
    cli_assert_contains(some->err, "2 of 3 videos were bad and left out");
    cli_assert_contains(some->err, "some.index: 8 clips of 1 videos");
    g_autoptr(CliRun) none =
        cli_expect(1, "index", "junk.mp4", "-o", "kept.index", "-m", "model.safetensors", NULL);
    cli_assert_contains(none->err, "maxgl-cl: junk.mp4: cannot decode");
    g_autofree char *text = cli_read("kept.index");
    assert_string_equal(text, "precious");
    g_autoptr(CliRun) query = cli_expect(1, "search", "v.index", "junk.mp4", NULL);
    assert_true(g_str_has_prefix(query->err, "maxgl-cl: junk.mp4: cannot decode"));
    g_autoptr(CliRun) missing = cli_expect(1, "search", "v.index", "missing.mkv", NULL);
    assert_string_equal(missing->err, "maxgl-cl: missing.mkv: no such file\n");
    g_autoptr(CliRun) list = cli_expect(1, "search", "v.index", "list.csv", NULL);
    assert_string_equal(list->err, "maxgl-cl: list.csv: is not a video file\n");
    g_autoptr(CliRun) beyond =
        cli_expect(1, "search", "v.index", "videos/train/00000.mkv", "-s", "7-8", NULL);
    assert_string_equal(beyond->err,
                        "maxgl-cl: videos/train/00000.mkv: ends at 6.00 s: there is nothing at 7.00 s\n");
}

static void other_models(void **state)
{
    g_autofree char *gone = cli_path("gone.safetensors"), *other = cli_path("other.safetensors");
    g_autofree char *moved = cli_path("moved.safetensors");
    tiny_model_write(gone, 1);
    tiny_model_write(other, 2);
    g_autoptr(CliRun) index =
        cli_expect(0, "index", "videos/train/00000.mkv", "-o", "gone.index", "-m", "gone.safetensors", NULL);
    g_autoptr(GFile) from = g_file_new_for_path(gone), to = g_file_new_for_path(moved);
    assert_true(g_file_move(from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, NULL));
    g_autoptr(CliRun) missing = cli_expect(1, "search", "gone.index", "videos/train/00001.mkv", NULL);
    cli_assert_contains(missing->err, "maxgl-cl: gone.index: its model ");
    cli_assert_contains(missing->err,
                        "gone.safetensors is not there any more; say where it is with --model\n");
    g_autoptr(CliRun) found =
        cli_expect(0, "search", "gone.index", "videos/train/00001.mkv", "-m", "moved.safetensors", NULL);
    cli_assert_contains(found->out, "videos/train/00000.mkv");
    g_autoptr(CliRun) wrong =
        cli_expect(1, "search", "gone.index", "videos/train/00001.mkv", "-m", "other.safetensors", NULL);
    cli_assert_contains(wrong->err, "maxgl-cl: gone.index: was made with another model (r3d-vcop@0.0625)");
    tiny_model_write(gone, 2); /* another model in its place */
    g_autoptr(CliRun) replaced = cli_expect(1, "search", "gone.index", "videos/train/00001.mkv", NULL);
    cli_assert_contains(replaced->err, "gone.index: was made with another model");
    assert_string_equal(replaced->out, "");
    g_autoptr(CliRun) nothing =
        cli_expect(1, "index", "videos", "-o", "x.index", "-m", "nothing.safetensors", NULL);
    cli_assert_contains(nothing->err, "nothing.safetensors: ");
    assert_false(cli_exists("x.index"));
}

static void no_index(void **state)
{
    g_autoptr(CliRun) embedded = cli_expect(0, "embed", "-m", "model.safetensors", "--clips", "2", "-o",
                                            "embedded.safetensors", "videos", NULL);
    g_autoptr(CliRun) features =
        cli_expect(1, "search", "embedded.safetensors", "videos/train/00000.mkv", NULL);
    assert_string_equal(features->err,
                        "maxgl-cl: embedded.safetensors: is no index (make one with maxgl-cl index)\n");
    cli_write("text.index", "this is no index");
    g_autoptr(CliRun) text = cli_expect(1, "search", "text.index", "videos/train/00000.mkv", NULL);
    cli_assert_contains(text->err, "text.index: ");
    cli_assert_contains(text->err, "make one with maxgl-cl index");
    g_autoptr(CliRun) missing = cli_expect(1, "search", "no.index", "videos/train/00000.mkv", NULL);
    cli_assert_contains(missing->err, "no.index: ");
    assert_null(strchr(missing->err, '\n')[1] ? missing->err : NULL); /* one line */
}

/* Ctrl-C: nothing is written, and nothing is left behind. */
static void interrupted(void **state)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (int i = 0; i < 20000; i++)
        g_string_append_printf(list, "videos/train/0000%d.mkv\n", i % VIDEOS);
    cli_write("long.csv", list->str);
    const char *const arguments[] = {"index", "long.csv",          "-o", "long.index",
                                     "-m",    "model.safetensors", NULL};
    GSubprocess *process = cli_start(arguments);
    char first;
    assert_int_equal(g_input_stream_read(g_subprocess_get_stderr_pipe(process), &first, 1, NULL, NULL), 1);
    g_subprocess_send_signal(process, SIGINT);
    g_autoptr(CliRun) run = cli_finish(process);
    assert_int_equal(run->status, 130);
    cli_assert_contains(run->err, "interrupted");
    g_autofree char *folder = cli_path(".");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));)
        if (strstr(name, "long.index"))
            fail_msg("%s is left", name);
}

static void usage(void **state)
{
    static const char *const cases[][6] = {
        {"index", "videos", "-o", "x.index", NULL, "--model is missing"},
        {"index", "videos", "-m", "model.safetensors", NULL, "--out is missing"},
        {"index", "-o", "x.index", NULL, NULL, "DATA… expected"},
        {"search", "v.index", NULL, NULL, NULL, "INDEX VIDEO expected"},
        {"search", "v.index", "a.mkv", "--seconds=5", NULL, "--seconds=5 is no range"},
        {"search", "v.index", "a.mkv", "--seconds=5-", NULL, "--seconds=5- is no range"},
        {"search", "v.index", "a.mkv", "--seconds=5-5", NULL, "--seconds=5-5 is no range"},
        {"search", "v.index", "a.mkv", "--seconds=1-2s", NULL, "--seconds=1-2s is no range"},
        {"search", "v.index", "a.mkv", "--seconds=-1-2", NULL, "--seconds=-1-2 is no range"},
        {"search", "v.index", "a.mkv", "--seconds=1-inf", NULL, "--seconds=1-inf is no range"},
        {"search", "v.index", "a.mkv", "--number=0", NULL, "--number=0 is out of range"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const *c = cases[i];
        g_autoptr(CliRun) run = cli_expect(2, c[0], c[1], c[2], c[3], NULL);
        cli_assert_contains(run->err, c[5]);
    }
    g_autoptr(CliRun) every =
        cli_expect(2, "index", "videos", "-o", "x.index", "-m", "model.safetensors", "--every", "0", NULL);
    cli_assert_contains(every->err, "--every=0 is out of range");
    g_autoptr(CliRun) synth =
        cli_expect(2, "index", "synth:videos=2", "-o", "x.index", "-m", "model.safetensors", NULL);
    cli_assert_contains(synth->err, "synth:videos=2: has no files to be found again");
    g_autoptr(CliRun) folder =
        cli_expect(1, "index", "videos", "-o", "nowhere/x.index", "-m", "model.safetensors", NULL);
    cli_assert_contains(folder->err, "nowhere/x.index: cannot write");
    g_autoptr(CliRun) page = cli_expect(1, "search", "v.index", "a.mkv", "--html", "nowhere/x.html", NULL);
    cli_assert_contains(page->err, "nowhere/x.html: cannot write");
    g_autoptr(CliRun) help = cli_expect(0, "search", "--help", NULL);
    cli_assert_contains(help->out, "Examples:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_of_an_index),  cmocka_unit_test(another_moment),
        cmocka_unit_test(table_and_page),        cmocka_unit_test(overlapping_clips),
        cmocka_unit_test(videos_from_elsewhere), cmocka_unit_test(bad_videos),
        cmocka_unit_test(other_models),          cmocka_unit_test(no_index),
        cmocka_unit_test(interrupted),           cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
