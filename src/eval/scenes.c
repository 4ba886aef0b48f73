#include "eval/scenes.h"

#include "eval/control.h"
#include "eval/result_json.h"

#include <maxgl/error.h>
#include <string.h>

static gboolean choose_label(MaxglScenes *s, GError **error)
{
    const char *const *columns = maxgl_dataset_columns(s->dataset);
    s->label = s->options.label;
    for (int i = 0; !s->label && columns[i]; i++)
        if (strcmp(columns[i], "split") != 0 && strcmp(columns[i], "group") != 0)
            s->label = columns[i];
    if (s->label && maxgl_dataset_has_column(s->dataset, s->label)) {
        s->class_names = maxgl_dataset_classes(s->dataset, s->label, NULL);
        return TRUE;
    }
    g_autofree char *all = g_strjoinv(", ", (char **)columns);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: has no column \"%s\"; the columns are: %s",
                s->options.data, s->label ? s->label : "label", all[0] ? all : "none");
    return FALSE;
}

static MaxglFeatures *extract(MaxglScenes *s, MaxglComparison comparison, const char *model, GError **error)
{
    static const char *const titles[MAXGL_COMPARISONS] = {"trained network", "random initialisation",
                                                          "still pictures"};
    const MaxglScenesOptions *o = &s->options;
    const int batch =
        o->batch > 0 ? o->batch : maxgl_features_batch(o->clips, maxgl_dataset_size(s->dataset));
    const MaxglEmbedderOptions how = {
        .device = o->device, .batch = batch, .exact = o->exact, .precision = o->precision};
    const MaxglFeatureOptions options = {.clips = o->clips,
                                         .workers = o->workers,
                                         .cache = o->cache,
                                         .still = comparison == MAXGL_COMPARISON_STILL,
                                         .title = titles[comparison]};
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open_with(model, &how, error);
    if (!embedder)
        return NULL;
    if (!s->network) {
        const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
        s->network = g_strdup(info->model);
        s->device_name = g_strdup(info->device);
        s->features = info->features;
    }
    MaxglFeatures *features = maxgl_features_extract(embedder, s->dataset, &options, error);
    if (features)
        maxgl_features_say_cached(features->cached, maxgl_dataset_size(s->dataset), options.title);
    return features;
}

static gboolean add_network(MaxglScenes *s, MaxglComparison comparison, const char *model, GError **error)
{
    g_autoptr(MaxglFeatures) features = extract(s, comparison, model, error);
    if (!features)
        return FALSE;
    gsize n_classes;
    maxgl_dataset_classes(s->dataset, s->label, &n_classes);
    g_autofree int *labels = g_new(int, features->n);
    for (gsize i = 0; i < features->n; i++)
        labels[i] = maxgl_dataset_label(s->dataset, features->videos[i], s->label);
    const MaxglLabelled set = {
        .n = features->n, .length = features->length, .features = features->data, .labels = labels};
    MaxglLeaveOneOut *result =
        maxgl_leave_one_out(&set, (int)n_classes, s->options.c, "leaving one out", error);
    if (!result) {
        g_prefix_error(error, "%s of %s: ", s->label, s->options.data);
        return FALSE;
    }
    s->videos = features->n;
    s->bad = features->bad;
    s->clips = features->clips;
    s->networks[s->n_networks++] = (MaxglScenesNetwork){comparison, result};
    return TRUE;
}

static gboolean add_random(const char *path, gpointer user_data, GError **error)
{
    return add_network(user_data, MAXGL_COMPARISON_RANDOM, path, error);
}

MaxglScenes *maxgl_scenes_run(const MaxglScenesOptions *options, GError **error)
{
    g_autoptr(MaxglScenes) s = g_new0(MaxglScenes, 1);
    s->options = *options;
    s->dataset = maxgl_dataset_open(options->data, error);
    if (!s->dataset || !choose_label(s, error) ||
        !add_network(s, MAXGL_COMPARISON_TRAINED, options->model, error))
        return NULL;
    if (options->random_init &&
        !maxgl_control_with(options->model, options->device, s->dataset, add_random, s, error))
        return NULL;
    if (options->still && !add_network(s, MAXGL_COMPARISON_STILL, options->model, error))
        return NULL;
    return g_steal_pointer(&s);
}

void maxgl_scenes_free(MaxglScenes *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_networks; i++)
        maxgl_leave_one_out_free(s->networks[i].result);
    maxgl_dataset_free(s->dataset);
    g_free(s->network);
    g_free(s->device_name);
    g_free(s);
}

static void add_result(JsonBuilder *b, const MaxglScenes *s)
{
    const MaxglLeaveOneOut *trained = s->networks[0].result;
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "label", s->label);
    maxgl_result_add_size(b, "classes", (gsize)trained->classes);
    maxgl_result_add_number(b, "chance", 1.0 / trained->classes);
    maxgl_result_begin_object(b, "networks");
    for (int i = 0; i < s->n_networks; i++) {
        const MaxglLeaveOneOut *result = s->networks[i].result;
        maxgl_result_begin_object(b, maxgl_comparison_name(s->networks[i].comparison));
        maxgl_result_add_number(b, "accuracy", result->accuracy);
        maxgl_result_add_number(b, "per_class", result->per_class);
        maxgl_result_add_size(b, "correct", result->correct);
        maxgl_result_add_size(b, "videos", result->videos);
        maxgl_result_add_size(b, "alone", result->alone);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    maxgl_result_add_confusion(b, s->class_names, trained->n_classes, trained->confusion);
    json_builder_end_object(b);
}

char *maxgl_scenes_json(const MaxglScenes *s, GError **error)
{
    const MaxglResultOrigin origin = {.protocol = "scenes",
                                      .model = s->options.model,
                                      .network = s->network,
                                      .device = s->device_name,
                                      .data = s->options.data,
                                      .clips = s->options.clips,
                                      .features = s->features};
    JsonBuilder *b = maxgl_result_new(&origin, error);
    if (!b)
        return NULL;
    maxgl_result_add_number(b, "c", s->options.c);
    maxgl_result_add_size(b, "videos", s->videos);
    maxgl_result_add_size(b, "bad", s->bad);
    maxgl_result_begin_array(b, "results");
    add_result(b, s);
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
