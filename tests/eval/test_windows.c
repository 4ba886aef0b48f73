/* Features of several layers, and of clips that overlap by half, against the network run by hand. */
#include "eval/features.h"
#include "media/decoder.h"
#include "net/network.h"
#include "net/weights.h"
#include "tiny_model.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const layers[] = {"layer3", "stem", "pool", NULL};
static char *folder, *model;

/* Videos of 5 (shorter than a clip), 7, 15 and 29 frames. */
static int set_up(void **state)
{
    static const int frames[] = {5, 7, 15, 29};
    folder = tiny_folder_new();
    model = g_build_filename(folder, "model.safetensors", NULL);
    tiny_model_write(model, 5);
    for (guint i = 0; i < G_N_ELEMENTS(frames); i++) {
        MaxglSyntheticOptions options;
        maxgl_synthetic_options_init(&options);
        options.videos = 1;
        options.test = options.test_new = 0;
        options.frames = frames[i];
        options.seed = (int)i;
        options.width = options.height = 16;
        g_autofree char *name = g_strdup_printf("videos%u", i);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (!maxgl_synthetic_write(path, &options, 1, NULL))
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    tiny_folder_remove(folder);
    g_free(model);
    return 0;
}

static MaxglEmbedder *open_model(const char *const *of, int batch)
{
    g_autoptr(GError) error = NULL;
    const MaxglEmbedderOptions options = {.batch = batch, .layers = of};
    MaxglEmbedder *embedder = maxgl_embedder_open_with(model, &options, &error);
    if (!embedder)
        fail_msg("%s", error->message);
    return embedder;
}

/* @n clips of noise. */
static float *noise(const MaxglEmbedderInfo *info, gsize n)
{
    const gsize count = n * 3 * (gsize)(info->frames * info->height * info->width);
    float *clips = g_new(float, count);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    for (gsize i = 0; i < count; i++)
        clips[i] = maxgl_random_normal(&random);
    return clips;
}

/* The mean over pixels of the output of @layer, by the network itself; [n × channels]. */
static float *means_by_hand(const char *layer, const float *clips, int n, int *channels)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(model, &error);
    assert_non_null(info);
    const char *outputs[] = {layer, NULL};
    const MaxglWeightsOptions backbone = {.backbone_only = TRUE};
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE, .batch = n, .outputs = outputs};
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    info->spec.classes = 0;
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&info->spec, &error);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    assert_true(maxgl_parameters_allocate(parameters, FALSE, &error) &&
                maxgl_weights_load(model, resnet, parameters, &backbone, NULL, &error));
    g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, &error);
    assert_non_null(network);
    const MaxglTensor *output = maxgl_network_output(network, layer);
    const gsize pixels = maxgl_shape_pixels(&output->shape);
    g_autofree float *map = g_new(float, maxgl_shape_elements(&output->shape));
    assert_true(maxgl_tensor_write(context, maxgl_network_input(network), clips, &error) &&
                maxgl_sequence_run(maxgl_network_forward(network), &error) &&
                maxgl_tensor_read(context, output, map, &error));
    *channels = output->shape.c;
    float *means = g_new(float, n **channels);
    for (int i = 0; i < n * *channels; i++) {
        double sum = 0;
        for (gsize p = 0; p < pixels; p++)
            sum += map[(gsize)i * pixels + p];
        means[i] = (float)(sum / (double)pixels);
    }
    return means;
}

static void several_layers(void **state)
{
    enum { N = 5 }; /* more than a batch */
    g_autoptr(MaxglEmbedder) embedder = open_model(layers, 3);
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    g_autofree float *clips = noise(info, N), *features = g_new(float, N * info->features);
    assert_true(maxgl_embedder_run(embedder, clips, N, features, NULL));
    int first = 0;
    for (int i = 0; layers[i]; i++) {
        int channels;
        g_autofree float *wanted = means_by_hand(layers[i], clips, N, &channels);
        assert_string_equal(info->layers[i], layers[i]);
        assert_int_equal(info->layer_features[i], channels);
        for (int v = 0; v < N; v++)
            for (int c = 0; c < channels; c++) {
                const float got = features[v * info->features + first + c], want = wanted[v * channels + c];
                assert_true(fabsf(got - want) < 1e-4F * (1 + fabsf(want)));
            }
        first += channels;
    }
    assert_int_equal(first, info->features);
}

static void last_layer_is_pool(void **state)
{
    static const char *const last[] = {"layer4", NULL};
    g_autoptr(MaxglEmbedder) by_layer = open_model(last, 2), by_default = open_model(NULL, 2);
    const MaxglEmbedderInfo *info = maxgl_embedder_info(by_default);
    assert_int_equal(info->features, TINY_FEATURES);
    assert_string_equal(info->layers[0], "pool");
    g_autofree float *clips = noise(info, 2);
    float one[2 * TINY_FEATURES], other[2 * TINY_FEATURES];
    assert_true(maxgl_embedder_run(by_layer, clips, 2, one, NULL));
    assert_true(maxgl_embedder_run(by_default, clips, 2, other, NULL));
    for (int i = 0; i < 2 * TINY_FEATURES; i++)
        assert_true(fabsf(one[i] - other[i]) < 1e-5F * (1 + fabsf(other[i])));
}

static void unknown_layer(void **state)
{
    static const char *const unknown[] = {"layer5", NULL};
    const MaxglEmbedderOptions options = {.batch = 1, .layers = unknown};
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_embedder_open_with(model, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_USAGE);
    assert_non_null(strstr(error->message, "has no output \"layer5\"; there are: stem, layer1"));
}

/* Half a clip from one to the next. */
static const MaxglClipWalkOptions halves = {.step = TINY_FRAMES / 2 * TINY_STRIDE};

/* The mean over the clips beginning at frames 0, 4, 8, … of the whole video in memory. */
static void mean_by_hand(MaxglEmbedder *embedder, const char *path, double *mean, gsize *clips)
{
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    g_autoptr(MaxglVideo) video = maxgl_video_read(path, 1 << 24, NULL, NULL);
    assert_non_null(video);
    g_autofree float *features = g_new(float, info->features);
    memset(mean, 0, sizeof *mean * (gsize)info->features);
    *clips = 0;
    for (gint64 start = 0; start == 0 || start + TINY_SPAN <= video->info.frames; start += 4) {
        const guint8 *frames[TINY_FRAMES];
        for (int t = 0; t < TINY_FRAMES; t++)
            frames[t] = maxgl_video_frame(video, (start + TINY_STRIDE * t) % video->info.frames);
        const MaxglEmbedderClip clip = {.frames = frames, .layout = video->info.layout};
        assert_true(maxgl_embedder_run_frames(embedder, &clip, 1, features, NULL));
        for (int i = 0; i < info->features; i++)
            mean[i] += features[i];
        (*clips)++;
    }
    for (int i = 0; i < info->features; i++)
        mean[i] /= (double)*clips;
}

static void overlapping_clips(void **state)
{
    static const gsize counts[] = {1, 1, 3, 6};
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(folder, &error);
    assert_int_equal(maxgl_dataset_size(dataset), 4);
    for (int batch = 1; batch <= 4; batch += 3) { /* one clip a chunk, and several */
        g_autoptr(MaxglEmbedder) embedder = open_model(layers, batch);
        const int length = maxgl_embedder_info(embedder)->features;
        const MaxglFeatureOptions options = {.walk = &halves, .workers = batch, .title = "test"};
        g_autoptr(MaxglFeatures) features = maxgl_features_extract(embedder, dataset, &options, &error);
        assert_non_null(features);
        assert_int_equal(features->n, 4);
        assert_int_equal(features->length, length);
        assert_int_equal(features->clips, 11);
        g_autofree double *mean = g_new(double, length);
        for (gsize v = 0; v < 4; v++) {
            gsize clips;
            mean_by_hand(embedder, maxgl_dataset_path(dataset, v), mean, &clips);
            assert_int_equal(clips, counts[v]);
            for (int i = 0; i < length; i++)
                assert_true(fabs(features->data[v * (gsize)length + (gsize)i] - mean[i]) <
                            1e-5 * (1 + fabs(mean[i])));
        }
    }
}

/* What a walk gives, in its order. */
static gboolean take_vector(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    g_string_append_printf(user_data, "%zu.%d from %.1f to %.1f\n", (size_t)vector->video, vector->clip,
                           vector->first_seconds, vector->last_seconds);
    return TRUE;
}

/* In the videos' order and time's, however many are decoded at once; what is left over is a last clip. */
static void in_order(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(folder, &error);
    g_autoptr(MaxglEmbedder) embedder = open_model(NULL, 3);
    const MaxglClipWalkOptions walk = {.step = TINY_FRAMES * TINY_STRIDE, .rest = TRUE};
    for (int workers = 0; workers <= 5; workers++) {
        const MaxglFeatureOptions options = {.walk = &walk, .workers = workers};
        g_autoptr(GString) text = g_string_new(NULL);
        MaxglFeatureCounts counts;
        assert_true(maxgl_features_each(embedder, dataset, &options, take_vector, text, &counts, &error));
        assert_int_equal(counts.bad, 0);
        assert_string_equal(text->str, "0.0 from 0.0 to 0.4\n"
                                       "1.0 from 0.0 to 0.6\n"
                                       "2.0 from 0.0 to 0.6\n2.1 from 0.8 to 1.4\n"
                                       "3.0 from 0.0 to 0.6\n3.1 from 0.8 to 1.4\n3.2 from 1.6 to 2.2\n"
                                       "3.3 from 2.4 to 2.8\n");
    }
}

static void no_files(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open("synth:videos=3,test=0,test_new=0", &error);
    g_autoptr(MaxglEmbedder) embedder = open_model(NULL, 3);
    const MaxglFeatureOptions options = {.walk = &halves};
    assert_null(maxgl_features_extract(embedder, dataset, &options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_non_null(strstr(error->message, "not synth:"));
}

static void some_and_bad_videos(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *bad = g_build_filename(folder, "videos0", "zz.mkv", NULL);
    assert_true(g_file_set_contents(bad, "no video", -1, NULL));
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(folder, &error);
    assert_int_equal(maxgl_dataset_size(dataset), 5);
    g_autoptr(MaxglEmbedder) embedder = open_model(NULL, 2);
    const gsize numbers[] = {1, 3}; /* the first is the bad one */
    g_autoptr(MaxglDataset) some = maxgl_dataset_select(dataset, numbers, 2);
    const MaxglFeatureOptions options = {.walk = &halves, .title = "test"};
    g_autoptr(MaxglFeatures) features = maxgl_features_extract(embedder, some, &options, &error);
    assert_non_null(features);
    assert_int_equal(features->n, 1);
    assert_int_equal(features->bad, 1);
    assert_int_equal(features->videos[0], 1);
    g_autoptr(MaxglDataset) all_bad = maxgl_dataset_select(dataset, numbers, 1);
    assert_null(maxgl_features_extract(embedder, all_bad, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_FORMAT);
    assert_non_null(strstr(error->message, "zz.mkv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_layers),
        cmocka_unit_test(last_layer_is_pool),
        cmocka_unit_test(unknown_layer),
        cmocka_unit_test(overlapping_clips),
        cmocka_unit_test(in_order),
        cmocka_unit_test(no_files),
        cmocka_unit_test(some_and_bad_videos),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
