/* maxgl-cl embed: arrays and videos in, all formats out, and what is refused. */
#include "../eval/tiny_model.h"
#include "base/array.h"
#include "base/random.h"
#include "base/safetensors.h"
#include "cli.h"
#include "compute/context.h"
#include <maxgl/embedder.h>

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CLIPS 5
#define CLIP_FLOATS (3 * TINY_FRAMES * TINY_PIXELS * TINY_PIXELS)

static gboolean device_is_cpu;
static float clips[CLIPS][CLIP_FLOATS], expected[CLIPS][TINY_FEATURES];

/* model.safetensors, clips.npy, what libmaxgl makes of it, and the folder videos. */
static int set_up(void **state)
{
    if (cli_set_up(state) != 0)
        return -1;
    g_autoptr(GError) error = NULL;
    g_autofree char *model = cli_path("model.safetensors");
    g_autofree char *array = cli_path("clips.npy");
    const gint64 shape[] = {CLIPS, 3, TINY_FRAMES, TINY_PIXELS, TINY_PIXELS};
    MaxglRandom random;
    maxgl_random_init(&random, 11, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < CLIPS; i++)
        for (int j = 0; j < CLIP_FLOATS; j++)
            clips[i][j] = maxgl_random_normal(&random);
    tiny_model_write(model, 1);
    assert_true(maxgl_array_save(array, MAXGL_ARRAY_F32, 5, shape, clips, NULL));
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(model, NULL, 2, &error);
    assert_non_null(embedder);
    assert_true(maxgl_embedder_run(embedder, clips[0], CLIPS, expected[0], &error));
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    assert_non_null(context);
    device_is_cpu = context->info->type == MAXGL_DEVICE_CPU;
    g_autoptr(CliRun) run =
        cli_expect(0, "synth", "videos", "--set", "videos=2,test=1,test_new=0,frames=9", NULL);
    return 0;
}

static MaxglArray *open_array(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cli_path(name);
    MaxglArray *array = maxgl_array_open(path, &error);
    if (!array)
        fail_msg("%s", error->message);
    return array;
}

static char *read_text(const char *name)
{
    g_autofree char *path = cli_path(name);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        fail_msg("no %s", name);
    return text;
}

static void assert_features(const float *a, const float *b)
{
    for (int i = 0; i < TINY_FEATURES; i++)
        assert_float_equal(a[i], b[i], 1e-5 * (1e-3 + fabsf(b[i])));
}

static void arrays(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "embed", "-m", "model.safetensors", "-o", "out.npy", "clips.npy", "clips.npy", NULL);
    g_autoptr(MaxglArray) out = open_array("out.npy");
    assert_int_equal(out->rank, 2);
    assert_int_equal(out->shape[0], 2 * CLIPS);
    assert_int_equal(out->shape[1], TINY_FEATURES);
    for (int i = 0; i < 2 * CLIPS; i++)
        assert_features(out->data + (gsize)i * TINY_FEATURES, expected[i % CLIPS]);
    g_autofree char *index = read_text("out.index.csv");
    assert_true(
        g_str_has_prefix(index, "source,clip,first_seconds,last_seconds\nclips.npy,0,,\nclips.npy,1,,\n"));
    cli_assert_contains(run->err, "out.npy: 10 vectors of 32");
    assert_string_equal(run->out, "");
}

static void batch_changes_nothing(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "embed", "-m", "model.safetensors", "-b", "3", "-o", "three.npy", "clips.npy", NULL);
    g_autoptr(MaxglArray) out = open_array("three.npy");
    for (int i = 0; i < CLIPS; i++)
        assert_features(out->data + (gsize)i * TINY_FEATURES, expected[i]);
}

static JsonObject *parse_line(JsonParser *parser, const char *line)
{
    g_autoptr(GError) error = NULL;
    if (!json_parser_load_from_data(parser, line, -1, &error))
        fail_msg("%s: %s", error->message, line);
    return json_node_get_object(json_parser_get_root(parser));
}

static void lines_of_json(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "embed", "-m", "model.safetensors", "clips.npy", NULL);
    g_autoptr(CliRun) file =
        cli_expect(0, "embed", "-m", "model.safetensors", "-o", "out.jsonl", "clips.npy", NULL);
    g_autofree char *text = read_text("out.jsonl");
    assert_string_equal(text, run->out);
    g_auto(GStrv) lines = g_strsplit(run->out, "\n", -1);
    assert_int_equal(g_strv_length(lines), CLIPS + 1);
    for (int i = 0; i < CLIPS; i++) {
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonObject *row = parse_line(parser, lines[i]);
        JsonArray *features = json_object_get_array_member(row, "features");
        assert_string_equal(json_object_get_string_member(row, "source"), "clips.npy");
        assert_int_equal(json_object_get_int_member(row, "clip"), i);
        assert_true(json_object_get_null_member(row, "first_seconds"));
        float values[TINY_FEATURES];
        assert_int_equal(json_array_get_length(features), TINY_FEATURES);
        for (guint k = 0; k < TINY_FEATURES; k++)
            values[k] = (float)json_array_get_double_element(features, k);
        assert_features(values, expected[i]);
    }
}

static void videos(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "embed", "-m", "model.safetensors", "-o", "v.npy", "--clips", "2",
                                       "videos/train", "videos/test/00000.mkv", NULL);
    g_autoptr(MaxglArray) out = open_array("v.npy");
    g_autofree char *index = read_text("v.index.csv");
    assert_int_equal(out->shape[0], 6);
    /* Clips of seven frames at 10 frames a second, at the beginning and at the end of nine. */
    assert_true(g_str_has_prefix(index, "source,clip,first_seconds,last_seconds\n"
                                        "videos/train/00000.mkv,0,0.000000,0.600000\n"
                                        "videos/train/00000.mkv,1,0.200000,0.800000\n"
                                        "videos/train/00001.mkv,0,"));
    g_autoptr(CliRun) mean =
        cli_expect(0, "embed", "-m", "model.safetensors", "-o", "mean.safetensors", "--per-video", "--clips",
                   "2", "videos/train", "videos/test/00000.mkv", NULL);
    g_autofree char *path = cli_path("mean.safetensors");
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(path, NULL);
    assert_non_null(file);
    const MaxglSafetensor *features = maxgl_safetensors_find(file, "features");
    const gint64 *clip = maxgl_safetensors_find(file, "clip")->data;
    const gint64 *source = maxgl_safetensors_find(file, "source")->data;
    float values[3 * TINY_FEATURES];
    assert_int_equal(features->count, 3 * TINY_FEATURES);
    maxgl_safetensor_copy_f32(features, values);
    for (int v = 0; v < 3; v++) {
        float both[TINY_FEATURES];
        for (int i = 0; i < TINY_FEATURES; i++)
            both[i] = (out->data[2 * v * TINY_FEATURES + i] + out->data[(2 * v + 1) * TINY_FEATURES + i]) / 2;
        assert_features(values + (gsize)v * TINY_FEATURES, both);
        assert_int_equal(clip[v], -1);
        assert_int_equal(source[v], v);
    }
    assert_string_equal(maxgl_safetensors_metadata(file, "sources"),
                        "[\"videos/train/00000.mkv\",\"videos/train/00001.mkv\",\"videos/test/00000.mkv\"]");
    assert_string_equal(maxgl_safetensors_metadata(file, "network"), "r3d-vcop@0.0625");
}

static void unit_length(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "embed", "-m", "model.safetensors", "--l2-normalize", "-o",
                                       "unit.npy", "clips.npy", NULL);
    g_autoptr(MaxglArray) out = open_array("unit.npy");
    for (int i = 0; i < CLIPS; i++) {
        double square = 0;
        for (int k = 0; k < TINY_FEATURES; k++)
            square += (double)out->data[i * TINY_FEATURES + k] * out->data[i * TINY_FEATURES + k];
        assert_float_equal(square, 1, 1e-5);
        assert_true(out->data[i * TINY_FEATURES] * expected[i][0] >= 0);
    }
}

/* A network with convolutions that Winograd's algorithm is for: other digits, the same features. */
static void exact_algorithms(void **state)
{
    enum { PIXELS = 32, N = 2, FEATURES = 256, FLOATS = N * 3 * TINY_FRAMES * PIXELS * PIXELS };
    g_autofree char *model = cli_path("wide.safetensors");
    g_autofree char *array = cli_path("wide.npy");
    const gint64 shape[] = {N, 3, TINY_FRAMES, PIXELS, PIXELS};
    g_autofree float *wide = g_new(float, FLOATS);
    MaxglRandom random;
    maxgl_random_init(&random, 12, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < FLOATS; i++)
        wide[i] = maxgl_random_normal(&random);
    tiny_model_write_network(model, "r3d-vcop@0.5", PIXELS, 1);
    assert_true(maxgl_array_save(array, MAXGL_ARRAY_F32, 5, shape, wide, NULL));
    g_autoptr(CliRun) a =
        cli_expect(0, "embed", "-m", "wide.safetensors", "-o", "fast.npy", "wide.npy", NULL);
    g_autoptr(CliRun) b =
        cli_expect(0, "embed", "-m", "wide.safetensors", "--exact", "-o", "exact.npy", "wide.npy", NULL);
    g_autoptr(MaxglArray) fast = open_array("fast.npy");
    g_autoptr(MaxglArray) exact = open_array("exact.npy");
    double off = 0, all = 0;
    assert_int_equal(fast->count, N * FEATURES);
    assert_int_equal(exact->count, N * FEATURES);
    for (int i = 0; i < N * FEATURES; i++) {
        off += pow((double)fast->data[i] - exact->data[i], 2);
        all += pow(exact->data[i], 2);
    }
    assert_true(all > 0);
    assert_true(sqrt(off / all) < 1e-5);
    if (device_is_cpu) /* the only devices that it is written for */
        assert_memory_not_equal(fast->data, exact->data, sizeof(float) * N * FEATURES);
}

/* Maps in 16 bits: other digits, from the third on; and an unknown precision. */
static void lower_precision(void **state)
{
    g_autoptr(CliRun) floats =
        cli_expect(0, "embed", "-m", "model.safetensors", "-o", "fp32.npy", "clips.npy", NULL);
    g_autoptr(CliRun) half = cli_expect(0, "embed", "-m", "model.safetensors", "--precision", "fp16", "-o",
                                        "fp16.npy", "clips.npy", NULL);
    g_autoptr(CliRun) wrong =
        cli_expect(2, "embed", "-m", "model.safetensors", "--precision", "fp8", "clips.npy", NULL);
    cli_assert_contains(wrong->err, "precision \"fp8\" is unknown");
    g_autoptr(MaxglArray) a = open_array("fp32.npy");
    g_autoptr(MaxglArray) b = open_array("fp16.npy");
    double off = 0, all = 0;
    assert_int_equal(a->count, b->count);
    for (gint64 i = 0; i < a->count; i++) {
        off += pow((double)a->data[i] - (double)b->data[i], 2);
        all += pow((double)a->data[i], 2);
    }
    assert_true(off > 0 && sqrt(off / all) < 0.01);
}

static void write_text(const char *name, const char *text)
{
    g_autofree char *path = cli_path(name);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void bad_videos(void **state)
{
    write_text("junk.mp4", "this is no video");
    write_text("empty.avi", "");
    write_text("list.csv", "junk.mp4\nvideos/train/00001.mkv\nmissing.mkv\nempty.avi\n");
    g_autoptr(CliRun) some = cli_expect(0, "embed", "-m", "model.safetensors", "-p", "list.csv", NULL);
    cli_assert_contains(some->err, "junk.mp4: cannot decode");
    cli_assert_contains(some->err, "missing.mkv: no such file");
    cli_assert_contains(some->err, "empty.avi: is empty");
    cli_assert_contains(some->err, "3 of 4 videos were bad and left out");
    cli_assert_contains(some->out, "videos/train/00001.mkv\", \"clip\": null");
    assert_null(strchr(some->out, '\n')[1] ? some->out : NULL); /* one line */
    g_autoptr(CliRun) none =
        cli_expect(1, "embed", "-m", "model.safetensors", "-o", "none.npy", "junk.mp4", "empty.avi", NULL);
    cli_assert_contains(none->err, "all 2 videos are bad");
    g_autofree char *path = cli_path("none.npy");
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void bad_arrays(void **state)
{
    g_autofree char *path = cli_path("shape.npy");
    g_autofree char *cut = cli_path("cut.npy");
    g_autofree char *empty = cli_path("empty.npy");
    const gint64 shape[] = {2, 3, TINY_FRAMES, TINY_PIXELS, 8},
                 no_clips[] = {0, 3, TINY_FRAMES, TINY_PIXELS, TINY_PIXELS};
    assert_true(maxgl_array_save(path, MAXGL_ARRAY_F32, 5, shape, clips, NULL));
    g_autoptr(CliRun) wrong = cli_expect(1, "embed", "-m", "model.safetensors", "shape.npy", NULL);
    cli_assert_contains(wrong->err,
                        "maxgl-cl: shape.npy: has the shape (2, 3, 4, 16, 8), but r3d-vcop@0.0625 takes "
                        "float32 clips (N, 3, 4, 16, 16) with N at least 1\n");
    assert_true(maxgl_array_save(path, MAXGL_ARRAY_I64, 5, (const gint64[]){1, 1, 1, 1, 1}, clips, NULL));
    g_autoptr(CliRun) type = cli_expect(1, "embed", "-m", "model.safetensors", "shape.npy", NULL);
    cli_assert_contains(type->err, "shape.npy: ");
    cli_assert_contains(type->err, "float32");
    assert_true(maxgl_array_save(empty, MAXGL_ARRAY_F32, 5, no_clips, clips, NULL));
    g_autoptr(CliRun) nothing = cli_expect(1, "embed", "-m", "model.safetensors", "empty.npy", NULL);
    cli_assert_contains(nothing->err, "(0, 3, 4, 16, 16)");
    g_autofree char *whole = cli_path("clips.npy");
    g_autofree char *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(whole, &bytes, &length, NULL));
    assert_true(g_file_set_contents(cut, bytes, (gssize)length - 4, NULL));
    g_autoptr(CliRun) truncated = cli_expect(1, "embed", "-m", "model.safetensors", "cut.npy", NULL);
    cli_assert_contains(truncated->err, "cut.npy: ");
}

/* What was there under the final name stays, and nothing is left behind. */
static void failure_leaves_files_alone(void **state)
{
    g_autofree char *path = cli_path("shape.npy");
    const gint64 shape[] = {1, 3};
    assert_true(maxgl_array_save(path, MAXGL_ARRAY_F32, 2, shape, clips, NULL));
    write_text("kept.npy", "precious");
    g_autoptr(CliRun) run =
        cli_expect(1, "embed", "-m", "model.safetensors", "-o", "kept.npy", "clips.npy", "shape.npy", NULL);
    g_autofree char *text = read_text("kept.npy");
    assert_string_equal(text, "precious");
    g_autofree char *folder = cli_path(".");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));)
        if (strstr(name, ".partial"))
            fail_msg("%s is left", name);
}

static void usage(void **state)
{
    g_autoptr(CliRun) model = cli_expect(2, "embed", "clips.npy", NULL);
    cli_assert_contains(model->err, "--model is missing");
    g_autoptr(CliRun) input = cli_expect(2, "embed", "-m", "model.safetensors", NULL);
    cli_assert_contains(input->err, "INPUT… expected");
    g_autoptr(CliRun) mixed = cli_expect(2, "embed", "-m", "model.safetensors", "clips.npy", "videos", NULL);
    cli_assert_contains(mixed->err, "cannot be embedded at once");
    g_autoptr(CliRun) per_video = cli_expect(2, "embed", "-m", "model.safetensors", "-p", "clips.npy", NULL);
    cli_assert_contains(per_video->err, "leave out --per-video");
    g_autoptr(CliRun) range =
        cli_expect(2, "embed", "-m", "model.safetensors", "--clips", "0", "videos", NULL);
    cli_assert_contains(range->err, "--clips=0 is out of range; allowed: 1 … 1024");
    g_autoptr(CliRun) name =
        cli_expect(2, "embed", "-m", "model.safetensors", "-o", "x.txt", "clips.npy", NULL);
    cli_assert_contains(name->err, "x.txt: the name must end with .npy, .safetensors or .jsonl");
    g_autoptr(CliRun) folder =
        cli_expect(1, "embed", "-m", "model.safetensors", "-o", "nowhere/x.npy", "clips.npy", NULL);
    cli_assert_contains(folder->err, "nowhere/x.npy: cannot write");
    g_autoptr(CliRun) missing = cli_expect(1, "embed", "-m", "model.safetensors", "no-such.mp4", NULL);
    cli_assert_contains(missing->err, "no-such.mp4: ");
    g_autoptr(CliRun) no_model = cli_expect(1, "embed", "-m", "nothing.safetensors", "clips.npy", NULL);
    cli_assert_contains(no_model->err, "nothing.safetensors: ");
    g_autoptr(CliRun) help = cli_expect(0, "embed", "--help", NULL);
    cli_assert_contains(help->out, "Examples:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),          cmocka_unit_test(batch_changes_nothing),
        cmocka_unit_test(lines_of_json),   cmocka_unit_test(videos),
        cmocka_unit_test(unit_length),     cmocka_unit_test(exact_algorithms),
        cmocka_unit_test(lower_precision), cmocka_unit_test(bad_videos),
        cmocka_unit_test(bad_arrays),      cmocka_unit_test(failure_leaves_files_alone),
        cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests(tests, set_up, cli_tear_down);
}
