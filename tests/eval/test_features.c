/* Features of videos against the embedder called by hand; the untrained network; files of features. */
#include "eval/control.h"
#include "eval/features.h"
#include "tiny_model.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder, *model;

static int set_up(void **state)
{
    folder = tiny_folder_new();
    model = g_build_filename(folder, "model.safetensors", NULL);
    tiny_model_write(model, 5);
    return 0;
}

static int tear_down(void **state)
{
    tiny_folder_remove(folder);
    g_free(model);
    return 0;
}

static MaxglEmbedder *open_model(const char *path, int batch)
{
    g_autoptr(GError) error = NULL;
    MaxglEmbedder *embedder = maxgl_embedder_open(path, NULL, batch, &error);
    if (!embedder)
        fail_msg("%s", error->message);
    return embedder;
}

static MaxglDataset *open_data(const char *source)
{
    g_autoptr(GError) error = NULL;
    MaxglDataset *dataset = maxgl_dataset_open(source, &error);
    if (!dataset)
        fail_msg("%s", error->message);
    return dataset;
}

/* All vectors that came. */
typedef struct {
    GArray *vectors;  /* of MaxglFeatureVector, features NULL */
    GArray *features; /* of float */
} Taken;

static gboolean take(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    Taken *taken = user_data;
    g_array_append_vals(taken->features, vector->features, TINY_FEATURES);
    g_array_append_vals(taken->vectors, vector, 1);
    return TRUE;
}

static void taken_init(Taken *taken)
{
    taken->vectors = g_array_new(FALSE, FALSE, sizeof(MaxglFeatureVector));
    taken->features = g_array_new(FALSE, FALSE, sizeof(float));
}

static void taken_clear(Taken *taken)
{
    g_array_unref(taken->vectors);
    g_array_unref(taken->features);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Taken, taken_clear)

static void run(const char *source, const MaxglFeatureOptions *options, int batch, Taken *taken)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDataset) dataset = open_data(source);
    g_autoptr(MaxglEmbedder) embedder = open_model(model, batch);
    taken_init(taken);
    if (!maxgl_features_each(embedder, dataset, options, take, taken, NULL, &error))
        fail_msg("%s", error->message);
}

/* The features of the clip of @source's video @video that shows the frames @numbers. */
static void by_hand(const char *source, gsize video, const int numbers[TINY_FRAMES],
                    float features[TINY_FEATURES])
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDataset) dataset = open_data(source);
    g_autoptr(MaxglEmbedder) embedder = open_model(model, 1);
    const MaxglSyntheticOptions *synthetic = maxgl_dataset_synthetic(dataset);
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(synthetic, &layout);
    g_autofree guint8 *memory = g_malloc(TINY_FRAMES * layout.frame_bytes);
    const guint8 *frames[TINY_FRAMES];
    for (gsize i = 0; i < TINY_FRAMES; i++) {
        maxgl_synthetic_render(synthetic, video, numbers[i], 1, memory + i * layout.frame_bytes);
        frames[i] = memory + i * layout.frame_bytes;
    }
    const MaxglEmbedderClip clip = {.frames = frames, .layout = layout};
    assert_true(maxgl_embedder_run_frames(embedder, &clip, 1, features, &error));
}

static void assert_features(const float *a, const float *b)
{
    for (int i = 0; i < TINY_FEATURES; i++)
        assert_float_equal(a[i], b[i], 1e-5 * (1 + fabsf(b[i])));
}

/* Clips at 0, 3, 6, 9, 12 of 19 frames. */
#define FIVE "synth:videos=3,test=0,test_new=0,frames=19,fps=10"

static void clips_are_where_they_should_be(void **state)
{
    const MaxglFeatureOptions options = {.clips = 5, .title = "test"};
    g_auto(Taken) taken = {0};
    run(FIVE, &options, 10, &taken);
    assert_int_equal(taken.vectors->len, 15);
    for (int v = 0; v < 3; v++)
        for (int c = 0; c < 5; c++) {
            const MaxglFeatureVector *vector =
                &g_array_index(taken.vectors, MaxglFeatureVector, (guint)(v * 5 + c));
            const int numbers[TINY_FRAMES] = {3 * c, 3 * c + 2, 3 * c + 4, 3 * c + 6};
            float expected[TINY_FEATURES];
            by_hand(FIVE, (gsize)v, numbers, expected);
            assert_features(&g_array_index(taken.features, float, (guint)(v * 5 + c) * TINY_FEATURES),
                            expected);
            assert_int_equal(vector->video, v);
            assert_int_equal(vector->clip, c);
            assert_int_equal(vector->clips, 1);
            assert_float_equal(vector->first_seconds, 0.3 * c, 1e-9);
            assert_float_equal(vector->last_seconds, 0.3 * c + 0.6, 1e-9);
        }
    /* Different clips have different features, or nothing of this was a test. */
    const float *first = &g_array_index(taken.features, float, 0);
    assert_true(fabsf(first[0] - first[TINY_FEATURES]) > 1e-5 ||
                fabsf(first[1] - first[TINY_FEATURES + 1]) > 1e-5);
}

static void mean_of_a_video(void **state)
{
    const MaxglFeatureOptions clips = {.clips = 5, .title = "test"};
    const MaxglFeatureOptions videos = {.clips = 5, .per_video = TRUE, .title = "test"};
    g_auto(Taken) one = {0}, mean = {0};
    run(FIVE, &clips, 10, &one);
    run(FIVE, &videos, 4, &mean); /* a batch that does not hold all clips of a video */
    assert_int_equal(mean.vectors->len, 3);
    for (guint v = 0; v < 3; v++) {
        const MaxglFeatureVector *vector = &g_array_index(mean.vectors, MaxglFeatureVector, v);
        float expected[TINY_FEATURES] = {0};
        for (guint c = 0; c < 5; c++)
            for (guint i = 0; i < TINY_FEATURES; i++)
                expected[i] += g_array_index(one.features, float, (v * 5 + c) * TINY_FEATURES + i) / 5;
        assert_features(&g_array_index(mean.features, float, v *TINY_FEATURES), expected);
        assert_int_equal(vector->clip, -1);
        assert_int_equal(vector->clips, 5);
        assert_float_equal(vector->first_seconds, 0, 1e-9);
        assert_float_equal(vector->last_seconds, 1.8, 1e-9);
    }
}

/* 9 frames have three clips of seven, 5 frames are less than one. */
static void short_videos(void **state)
{
    const MaxglFeatureOptions options = {.clips = 10, .title = "test"};
    g_auto(Taken) three = {0}, looped = {0};
    run("synth:videos=2,test=0,test_new=0,frames=9", &options, 10, &three);
    assert_int_equal(three.vectors->len, 6);
    assert_int_equal(g_array_index(three.vectors, MaxglFeatureVector, 5).clip, 2);
    run("synth:videos=2,test=0,test_new=0,frames=5", &options, 10, &looped);
    assert_int_equal(looped.vectors->len, 2);
    const int numbers[TINY_FRAMES] = {0, 2, 4, 1};
    float expected[TINY_FEATURES];
    by_hand("synth:videos=2,test=0,test_new=0,frames=5", 1, numbers, expected);
    assert_features(&g_array_index(looped.features, float, TINY_FEATURES), expected);
}

static void still_pictures(void **state)
{
    const MaxglFeatureOptions options = {.clips = 1, .still = TRUE, .title = "test"};
    g_auto(Taken) taken = {0};
    run(FIVE, &options, 3, &taken); /* the clip 6, 8, 10, 12 */
    const int numbers[TINY_FRAMES] = {10, 10, 10, 10};
    float expected[TINY_FEATURES];
    by_hand(FIVE, 0, numbers, expected);
    assert_features(&g_array_index(taken.features, float, 0), expected);
}

static void workers_change_nothing(void **state)
{
    MaxglFeatureOptions options = {.clips = 3, .workers = 1, .title = "test"};
    g_auto(Taken) one = {0}, four = {0};
    run(FIVE, &options, 6, &one);
    options.workers = 4;
    run(FIVE, &options, 6, &four);
    assert_int_equal(one.features->len, four.features->len);
    assert_memory_equal(one.features->data, four.features->data, one.features->len * sizeof(float));
}

static void batch_sizes(void **state)
{
    assert_int_equal(maxgl_features_batch(10, 1000), 20);
    assert_int_equal(maxgl_features_batch(1, 1000), 16);
    assert_int_equal(maxgl_features_batch(1, 3), 3);
    assert_int_equal(maxgl_features_batch(40, 1000), 40);
    assert_int_equal(maxgl_features_batch(10, 1), 10);
}

static void bad_videos(void **state)
{
    const MaxglFeatureOptions options = {.clips = 2, .title = "test"};
    g_autoptr(GError) error = NULL;
    MaxglSyntheticOptions synthetic;
    g_autofree char *videos = g_build_filename(folder, "videos", NULL);
    g_autofree char *junk = g_build_filename(folder, "junk.mkv", NULL);
    g_autofree char *empty = g_build_filename(folder, "empty.avi", NULL);
    g_autofree char *list = g_build_filename(folder, "list.csv", NULL);
    maxgl_synthetic_options_init(&synthetic);
    assert_true(maxgl_synthetic_options_parse(&synthetic, "videos=2,test=0,test_new=0", NULL));
    assert_true(maxgl_synthetic_write(videos, &synthetic, 1, NULL));
    assert_true(g_file_set_contents(junk, "no video at all", -1, NULL));
    assert_true(g_file_set_contents(empty, "", 0, NULL));
    assert_true(g_file_set_contents(
        list, "junk.mkv\nvideos/train/00000.mkv\nmissing.mp4\nempty.avi\nvideos/train/00001.mkv\n", -1,
        NULL));
    g_autoptr(MaxglDataset) some = open_data(list);
    g_autoptr(MaxglEmbedder) embedder = open_model(model, 4);
    g_autoptr(MaxglFeatures) features = maxgl_features_extract(embedder, some, &options, &error);
    if (!features)
        fail_msg("%s", error->message);
    assert_int_equal(features->n, 2);
    assert_int_equal(features->bad, 3);
    assert_int_equal(features->clips, 4);
    assert_int_equal(features->length, TINY_FEATURES);
    assert_int_equal(features->videos[0], 1);
    assert_int_equal(features->videos[1], 4);

    assert_true(g_file_set_contents(list, "junk.mkv\nmissing.mp4\nempty.avi\n", -1, NULL));
    g_autoptr(MaxglDataset) none = open_data(list);
    assert_null(maxgl_features_extract(embedder, none, &options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "all 3 videos are bad"));
}

static float *read_tensor(const MaxglSafetensors *file, const char *name, gint64 *count)
{
    const MaxglSafetensor *tensor = maxgl_safetensors_find(file, name);
    if (!tensor)
        fail_msg("no %s", name);
    float *values = g_new(float, tensor->count);
    maxgl_safetensor_copy_f32(tensor, values);
    *count = tensor->count;
    return values;
}

/* The weights are those of the model's seed; only the statistics are new, and they are what the videos have.
 */
static void untrained_network(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *other = g_build_filename(folder, "other.safetensors", NULL);
    g_autofree char *path = g_build_filename(folder, "control.safetensors", NULL);
    g_autofree char *again = g_build_filename(folder, "again.safetensors", NULL);
    g_autofree char *bytes = NULL, *same_bytes = NULL;
    gsize length, same_length;
    tiny_model_write(other, 6);
    g_autoptr(MaxglDataset) train = open_data(FIVE);
    if (!maxgl_control_write(model, NULL, train, path, &error) ||
        !maxgl_control_write(model, NULL, train, again, &error))
        fail_msg("%s", error->message);
    g_autoptr(MaxglSafetensors) before = maxgl_safetensors_open(model, NULL);
    g_autoptr(MaxglSafetensors) foreign = maxgl_safetensors_open(other, NULL);
    g_autoptr(MaxglSafetensors) control = maxgl_safetensors_open(path, NULL);
    gint64 n;
    g_autofree float *weights = read_tensor(before, "conv1.temporal_spatial_conv.weight", &n);
    g_autofree float *others = read_tensor(foreign, "conv1.temporal_spatial_conv.weight", &n);
    g_autofree float *drawn = read_tensor(control, "conv1.temporal_spatial_conv.weight", &n);
    assert_memory_equal(weights, drawn, (gsize)n * sizeof(float));
    assert_memory_not_equal(others, drawn, (gsize)n * sizeof(float));
    g_autofree float *variance = read_tensor(control, "bn1.running_var", &n);
    for (gint64 i = 0; i < n; i++)
        assert_true(variance[i] > 0 && fabsf(variance[i] - 1) > 1e-3F);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    assert_true(g_file_get_contents(again, &same_bytes, &same_length, NULL));
    assert_int_equal(length, same_length);
    assert_memory_equal(bytes, same_bytes, length);
    g_autoptr(MaxglEmbedder) embedder = open_model(path, 1);
    assert_int_equal(maxgl_embedder_info(embedder)->features, TINY_FEATURES);
    assert_int_equal(maxgl_embedder_info(embedder)->frame_stride, TINY_STRIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clips_are_where_they_should_be),
        cmocka_unit_test(mean_of_a_video),
        cmocka_unit_test(short_videos),
        cmocka_unit_test(still_pictures),
        cmocka_unit_test(workers_change_nothing),
        cmocka_unit_test(batch_sizes),
        cmocka_unit_test(bad_videos),
        cmocka_unit_test(untrained_network),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
