/* Recognition of whole videos against a computation of its own from the clips' features and the weights. */
#include "eval/recognition.h"
#include "net/weights.h"
#include "tiny_model.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VIDEOS "videos=12,test=30,test_new=0,width=20,height=20,directions=4,shapes=2,colors=3,backgrounds=2"
#define DATA "synth:" VIDEOS ",frames=9"
#define CLASSES 7

/* Not in the order of their bytes, and one that no video is of. */
static const char *const names[CLASSES + 1] = {"red-square", "blue-disc",   "green-square", "nothing",
                                               "red-disc",   "blue-square", "green-disc",   NULL};

static char *folder, *model;

/* A network with a classifier of @classes classes called @class_names (NULL: without names). */
static void write_model(const char *path, int classes, const char *const *class_names)
{
    g_autoptr(GError) error = NULL;
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    assert_true(maxgl_resnet_spec_parse(&spec, "r3d-vcop@0.0625", NULL));
    spec.frames = TINY_FRAMES;
    spec.height = spec.columns = TINY_PIXELS;
    spec.classes = classes;
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&spec, NULL);
    MaxglContext *context = maxgl_context_open(NULL, NULL);
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&spec);
    MaxglParameters *parameters = maxgl_parameters_new(context);
    info->frame_stride = 1;
    info->classes = g_strdupv((char **)class_names);
    info->label = class_names ? g_strdup("appearance") : NULL;
    maxgl_resnet_declare(resnet, parameters);
    gboolean good = maxgl_parameters_allocate(parameters, FALSE, &error) &&
                    maxgl_parameters_initialise(parameters, 4, &error) &&
                    maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, &error);
    if (!good)
        fail_msg("%s", error->message);
    maxgl_parameters_free(parameters);
    maxgl_context_close(context);
}

static int set_up(void **state)
{
    folder = tiny_folder_new();
    model = g_build_filename(folder, "model.safetensors", NULL);
    write_model(model, CLASSES, names);
    return 0;
}

static int tear_down(void **state)
{
    tiny_folder_remove(folder);
    g_free(model);
    return 0;
}

/* ---------------- the other computation ---------------- */

typedef struct {
    float weight[CLASSES * TINY_FEATURES], bias[CLASSES];
    gboolean softmax;
    double scores[64][CLASSES]; /* by video, sums over its clips */
    int clips[64];
} Reference;

static void reference_read(Reference *r)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(model, NULL);
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&info->spec, NULL);
    MaxglContext *context = maxgl_context_open(NULL, NULL);
    MaxglParameters *parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    assert_true(maxgl_parameters_allocate(parameters, FALSE, NULL));
    assert_true(maxgl_weights_load(model, resnet, parameters, NULL, NULL, NULL));
    const int weight = maxgl_parameters_find(parameters, "fc.weight"),
              bias = maxgl_parameters_find(parameters, "fc.bias");
    assert_true(maxgl_parameters_read(parameters, (guint)weight, r->weight, NULL));
    assert_true(maxgl_parameters_read(parameters, (guint)bias, r->bias, NULL));
    maxgl_parameters_free(parameters);
    maxgl_context_close(context);
}

static gboolean add_clip(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    Reference *r = user_data;
    double logits[CLASSES], sum = 0;
    assert_true(vector->video < 64);
    for (int k = 0; k < CLASSES; k++) {
        logits[k] = r->bias[k];
        for (int i = 0; i < TINY_FEATURES; i++)
            logits[k] += (double)r->weight[k * TINY_FEATURES + i] * vector->features[i];
        sum += exp(logits[k]);
    }
    for (int k = 0; k < CLASSES; k++)
        r->scores[vector->video][k] += r->softmax ? exp(logits[k]) / sum : logits[k];
    r->clips[vector->video]++;
    return TRUE;
}

/* Holds @result against @r, whose scores are of the same videos. */
static void assert_same(const Reference *r, const MaxglRecognition *result)
{
    gsize top1 = 0, top5 = 0, videos = maxgl_dataset_size(result->dataset), clips = 0;
    g_autofree int *confusion = g_new0(int, CLASSES *CLASSES);
    for (gsize v = 0; v < videos; v++) {
        const char *name = maxgl_dataset_value(result->dataset, v, "appearance");
        int class = 0, order[CLASSES];
        while (strcmp(names[class], name) != 0)
            class ++;
        for (int k = 0; k < CLASSES; k++) {
            int at = k;
            for (; at > 0 && r->scores[v][order[at - 1]] < r->scores[v][k]; at--)
                order[at] = order[at - 1];
            order[at] = k;
        }
        for (int place = 0; place < 5; place++)
            top5 += order[place] == class;
        top1 += order[0] == class;
        confusion[class * CLASSES + order[0]]++;
        clips += (gsize)r->clips[v];
    }
    assert_int_equal(result->videos, videos);
    assert_int_equal(result->clips, clips);
    assert_int_equal(result->top1, top1);
    assert_int_equal(result->top5, top5);
    assert_true(top1 > 0 && top5 > top1 && top5 < videos); /* or little is tested */
    assert_memory_equal(result->confusion, confusion, CLASSES * CLASSES * sizeof(int));
    double mean = 0;
    int with_videos = 0;
    for (int k = 0; k < CLASSES; k++) {
        int sum = 0;
        for (int j = 0; j < CLASSES; j++)
            sum += confusion[k * CLASSES + j];
        with_videos += sum > 0;
        mean += sum > 0 ? (double)confusion[k * CLASSES + k] / sum : 0;
    }
    assert_int_equal(with_videos, CLASSES - 1);
    assert_float_equal(result->per_class, mean / with_videos, 1e-12);
}

static MaxglRecognition *recognise(MaxglRecognitionOptions options)
{
    g_autoptr(GError) error = NULL;
    MaxglRecognition *result = maxgl_recognition_run(&options, &error);
    if (!result)
        fail_msg("%s", error->message);
    return result;
}

/* @clips evenly spaced ones of each video of @result. */
static void reference_add(Reference *r, const MaxglRecognition *result, int clips)
{
    const MaxglFeatureOptions options = {.clips = clips, .title = "again"};
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(model, NULL, 6, NULL);
    assert_int_equal(maxgl_embedder_info(embedder)->features, TINY_FEATURES);
    assert_true(maxgl_features_each(embedder, result->dataset, &options, add_clip, r, NULL, NULL));
}

static void test_clips(void **state)
{
    g_autofree Reference *r = g_new0(Reference, 1);
    g_autoptr(MaxglRecognition) result =
        recognise((MaxglRecognitionOptions){.model = model, .data = DATA, .split = "test", .clips = 3});
    assert_int_equal(maxgl_dataset_size(result->dataset), 30);
    assert_string_equal(result->label, "appearance");
    reference_read(r);
    reference_add(r, result, 3);
    assert_same(r, result);

    g_autofree char *json = maxgl_recognition_json(result, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, json, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    JsonObject *row = json_array_get_object_element(json_object_get_array_member(root, "results"), 0);
    JsonObject *trained =
        json_object_get_object_member(json_object_get_object_member(row, "networks"), "trained");
    assert_float_equal(json_object_get_double_member(trained, "accuracy"), result->top1 / 30.0, 1e-12);
    assert_float_equal(json_object_get_double_member(trained, "top5"), result->top5 / 30.0, 1e-12);
    assert_string_equal(json_object_get_string_member(root, "averaged"), "logits");
}

/* Writes the test videos as files of @frames frames; their list. */
static char *write_videos(const char *name, int frames)
{
    g_autofree char *dir = g_build_filename(folder, name, NULL);
    g_autofree char *text = g_strdup_printf(VIDEOS ",frames=%d", frames);
    MaxglSyntheticOptions options;
    maxgl_synthetic_options_init(&options);
    g_autoptr(GError) error = NULL;
    if (!maxgl_synthetic_options_parse(&options, text, &error) ||
        !maxgl_synthetic_write(dir, &options, 1, &error))
        fail_msg("%s", error->message);
    return g_build_filename(dir, "list.csv", NULL);
}

/* In videos as long as three clips these are the evenly spaced ones. */
static void test_windows(void **state)
{
    g_autofree Reference *r = g_new0(Reference, 1);
    g_autofree char *list = write_videos("three", 3 * TINY_FRAMES);
    const MaxglRecognitionOptions options = {
        .model = model, .data = list, .split = "test", .clips = 10, .windows = TRUE, .batch = 2};
    g_autoptr(MaxglRecognition) result = recognise(options);
    reference_read(r);
    r->softmax = TRUE;
    reference_add(r, result, 3);
    assert_same(r, result);
}

/* A clip of what is left, and one of a video shorter than a clip. */
static void test_windows_at_the_end(void **state)
{
    static const struct {
        int frames, clips;
    } cases[] = {{3 * TINY_FRAMES + 1, 4}, {TINY_FRAMES - 1, 1}, {TINY_FRAMES, 1}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = g_strdup_printf("end%u", i), *list = write_videos(name, cases[i].frames);
        g_autoptr(MaxglRecognition) result = recognise((MaxglRecognitionOptions){
            .model = model, .data = list, .split = "test", .clips = 10, .windows = TRUE, .batch = 3});
        assert_int_equal(result->videos, 30);
        assert_int_equal(result->clips, 30 * cases[i].clips);
    }
}

/* A file that is no video is named, counted and left out of everything. */
static void test_bad_video(void **state)
{
    g_autofree char *list = write_videos("bad", 9), *text = NULL;
    assert_true(g_file_get_contents(list, &text, NULL, NULL));
    g_autofree char *more = g_strconcat(text, "missing.mkv,test,up,red-disc,b0\n", NULL);
    assert_true(g_file_set_contents(list, more, -1, NULL));
    for (int windows = 0; windows < 2; windows++) {
        g_autoptr(MaxglRecognition) result = recognise((MaxglRecognitionOptions){
            .model = model, .data = list, .split = "test", .clips = 2, .windows = windows});
        assert_int_equal(result->bad, 1);
        assert_int_equal(result->videos, 30);
    }
}

static void assert_refused(MaxglRecognitionOptions options, const char *part)
{
    g_autoptr(GError) error = NULL;
    options.split = options.split ? options.split : "test";
    options.clips = 1;
    assert_null(maxgl_recognition_run(&options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    if (!strstr(error->message, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error->message);
}

static void test_refusals(void **state)
{
    static const char *const others[] = {"blue-disc", "blue-square", "green-disc", "green-square", "x", NULL};
    g_autofree char *backbone = g_build_filename(folder, "backbone.safetensors", NULL);
    g_autofree char *other = g_build_filename(folder, "other.safetensors", NULL);
    g_autofree char *nameless = g_build_filename(folder, "nameless.safetensors", NULL);
    tiny_model_write(backbone, 1);
    write_model(other, 5, others);
    write_model(nameless, 6, NULL);
    assert_refused((MaxglRecognitionOptions){.model = backbone, .data = DATA},
                   "has no classifier; maxgl-cl train");
    assert_refused((MaxglRecognitionOptions){.model = other, .data = DATA},
                   "classes that the model does not know: red-disc, red-square");
    assert_refused((MaxglRecognitionOptions){.model = model, .data = DATA, .label = "sport"},
                   "has no column \"sport\"");
    assert_refused((MaxglRecognitionOptions){.model = model, .data = DATA, .split = "validation"},
                   "validation");
    assert_refused((MaxglRecognitionOptions){.model = model, .data = DATA, .windows = TRUE}, "not synth:");
    assert_refused((MaxglRecognitionOptions){.model = nameless, .data = DATA, .label = "motion"},
                   "has 6 classes without names, and motion of " DATA " has 4");
    /* Without names, as many classes are taken in their order. */
    g_autoptr(MaxglRecognition) result = recognise((MaxglRecognitionOptions){
        .model = nameless, .data = DATA, .split = "test", .label = "appearance", .clips = 1});
    assert_string_equal(result->class_names[0], "blue-disc");
    assert_int_equal(result->videos, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_windows_at_the_end),
        cmocka_unit_test(test_bad_video),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
