#include "eval/aslan.h"

#include "eval/control.h"
#include "eval/features.h"
#include "eval/result_json.h"
#include "eval/similarity.h"

#include <maxgl/error.h>
#include <string.h>

#define BATCH 16

/* ---------------- what is evaluated ---------------- */

static gboolean choose_layers(MaxglAslan *a, GError **error)
{
    static const char *const pool[] = {"pool", NULL};
    const char *const *wanted = a->options.layers ? a->options.layers : pool;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    a->layers = g_strdupv((char **)wanted);
    for (int i = 0; a->layers[i]; i++) {
        /* The mean of layer4's map is what "pool" is. */
        const char *vector = strcmp(a->layers[i], "layer4") == 0 ? "pool" : a->layers[i];
        if (g_hash_table_add(seen, (gpointer)vector))
            continue;
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "layer %s gives features that are there already%s",
                    a->layers[i], strcmp(vector, "pool") == 0 ? " (pool is the mean of layer4)" : "");
        return FALSE;
    }
    return TRUE;
}

static gboolean find_videos(MaxglAslan *a, GError **error)
{
    a->list = maxgl_pair_list_read(a->options.pairs, error);
    a->dataset = a->list ? maxgl_dataset_open(a->options.videos, error) : NULL;
    if (!a->dataset)
        return FALSE;
    if (maxgl_dataset_synthetic(a->dataset)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: is no folder of videos", a->options.videos);
        return FALSE;
    }
    const gsize n = maxgl_dataset_size(a->dataset);
    g_autofree const char **paths = g_new(const char *, n);
    for (gsize i = 0; i < n; i++)
        paths[i] = maxgl_dataset_path(a->dataset, i);
    a->videos = maxgl_pair_list_find(a->list, a->options.videos, paths, n, error);
    return a->videos != NULL;
}

/* ---------------- features ---------------- */

/* The layers' vectors are scaled to length 1, each by itself. */
static void normalise(MaxglFeatures *f, const MaxglEmbedderInfo *info)
{
    for (gsize v = 0; v < f->n; v++) {
        float *vector = f->data + v * (gsize)f->length;
        for (int i = 0; info->layers[i]; vector += info->layer_features[i++])
            maxgl_features_normalize(vector, 1, info->layer_features[i]);
    }
}

/* Of the videos that the list names alone. Clips that overlap by half begin with the video's first frame: 16
 * frames by 8 at stride 1, the recipe of C3D. */
static MaxglFeatures *embed(const MaxglAslan *a, MaxglEmbedder *embedder, const char *title, GError **error)
{
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    const MaxglClipWalkOptions halves = {.step = (gint64)MAX(info->frames / 2, 1) * info->frame_stride};
    const MaxglFeatureOptions options = {.clips = a->options.clips,
                                         .walk = a->options.clips > 0 ? NULL : &halves,
                                         .workers = a->options.workers,
                                         .cache = a->options.cache,
                                         .title = title};
    const gsize n = maxgl_dataset_size(a->dataset);
    g_autofree gboolean *wanted = g_new0(gboolean, n);
    g_autofree gsize *named = g_new(gsize, n);
    gsize n_named = 0;
    for (guint i = 0; i < a->list->ids->len; i++)
        wanted[a->videos[i]] = TRUE;
    for (gsize v = 0; v < n; v++)
        if (wanted[v])
            named[n_named++] = v;
    g_autoptr(MaxglDataset) part = maxgl_dataset_select(a->dataset, named, n_named);
    MaxglFeatures *features = maxgl_features_extract(embedder, part, &options, error);
    for (gsize i = 0; features && i < features->n; i++)
        features->videos[i] = named[features->videos[i]];
    if (features)
        maxgl_features_say_cached(features->cached, n_named, title);
    return features;
}

/* ---------------- pairs ---------------- */

/* The table that machines are trained on, of all pairs whose videos could be read. */
typedef struct {
    MaxglPairTable table;
    double *similarities;
    gboolean *same;
    int *folds;
} Table;

static void table_clear(Table *t)
{
    g_free(t->similarities);
    g_free(t->same);
    g_free(t->folds);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Table, table_clear)

static void table_init(Table *t, const MaxglAslan *a, const MaxglFeatures *f, const MaxglEmbedderInfo *info)
{
    const gsize videos = maxgl_dataset_size(a->dataset), n = a->list->pairs->len;
    const int layers = (int)g_strv_length(a->layers), length = layers * MAXGL_SIMILARITIES;
    g_autofree const float **vectors = g_new0(const float *, videos); /* NULL: left out */
    for (gsize i = 0; i < f->n; i++)
        vectors[f->videos[i]] = f->data + i * (gsize)f->length;
    t->similarities = g_new(double, n *(gsize)length);
    t->same = g_new(gboolean, n);
    t->folds = g_new(int, n);
    t->table = (MaxglPairTable){.length = length,
                                .similarities = t->similarities,
                                .same = t->same,
                                .folds = t->folds,
                                .n_folds = a->list->folds,
                                .last_only = a->list->view == 1};
    for (gsize p = 0; p < n; p++) {
        const MaxglPair *pair = &g_array_index(a->list->pairs, MaxglPair, p);
        const float *x = vectors[a->videos[pair->first]], *y = vectors[a->videos[pair->second]];
        if (!x || !y)
            continue;
        const gsize row = t->table.n++;
        double *to = t->similarities + row * (gsize)length;
        for (int i = 0; i < layers; i++, to += MAXGL_SIMILARITIES) {
            maxgl_similarities(x, y, info->layer_features[i], to);
            x += info->layer_features[i];
            y += info->layer_features[i];
        }
        t->same[row] = pair->same;
        t->folds[row] = pair->fold;
    }
}

static gboolean add_network(MaxglAslan *a, MaxglComparison comparison, const char *model, GError **error)
{
    const MaxglAslanOptions *o = &a->options;
    const int batch = o->batch > 0   ? o->batch
                      : o->clips > 0 ? maxgl_features_batch(o->clips, a->list->ids->len)
                                     : BATCH;
    const MaxglEmbedderOptions how = {.device = o->device,
                                      .batch = batch,
                                      .exact = o->exact,
                                      .precision = o->precision,
                                      .layers = (const char *const *)a->layers};
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open_with(model, &how, error);
    if (!embedder)
        return FALSE;
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    if (!a->network) {
        a->network = g_strdup(info->model);
        a->device_name = g_strdup(info->device);
        a->features = info->features;
    }
    g_autoptr(MaxglFeatures) features =
        embed(a, embedder,
              comparison == MAXGL_COMPARISON_RANDOM ? "random initialisation" : "trained network", error);
    if (!features)
        return FALSE;
    normalise(features, info);
    g_auto(Table) table = {0};
    table_init(&table, a, features, info);
    a->bad = features->bad;
    a->clips = features->clips;
    a->left_out = a->list->pairs->len - table.table.n;
    MaxglPairScore *score = maxgl_pair_machines(&table.table, o->c, error);
    if (!score) {
        g_prefix_error(error, "%s: ", o->pairs);
        return FALSE;
    }
    a->networks[a->n_networks++] = (MaxglAslanNetwork){comparison, score};
    return TRUE;
}

static gboolean add_random(const char *path, gpointer user_data, GError **error)
{
    return add_network(user_data, MAXGL_COMPARISON_RANDOM, path, error);
}

MaxglAslan *maxgl_aslan_run(const MaxglAslanOptions *options, GError **error)
{
    g_autoptr(MaxglAslan) a = g_new0(MaxglAslan, 1);
    a->options = *options;
    if (!choose_layers(a, error) || !find_videos(a, error) ||
        !add_network(a, MAXGL_COMPARISON_TRAINED, options->model, error))
        return NULL;
    if (options->random_init &&
        !maxgl_control_with(options->model, options->device, a->dataset, add_random, a, error))
        return NULL;
    return g_steal_pointer(&a);
}

void maxgl_aslan_free(MaxglAslan *a)
{
    if (!a)
        return;
    for (int i = 0; i < a->n_networks; i++)
        maxgl_pair_score_free(a->networks[i].score);
    maxgl_pair_list_free(a->list);
    maxgl_dataset_free(a->dataset);
    g_strfreev(a->layers);
    g_free(a->videos);
    g_free(a->network);
    g_free(a->device_name);
    g_free(a);
}

/* ---------------- JSON ---------------- */

static void add_score(JsonBuilder *b, const MaxglAslan *a, const MaxglPairScore *score)
{
    maxgl_result_add_number(b, "accuracy", score->accuracy);
    if (a->list->view == 2)
        maxgl_result_add_number(b, "standard_error", score->standard_error);
    maxgl_result_add_number(b, "auc", score->auc);
    maxgl_result_add_size(b, "correct", score->correct);
    maxgl_result_add_size(b, "pairs", score->pairs);
    maxgl_result_begin_array(b, "folds");
    for (int i = 0; i < score->n_folds; i++) {
        json_builder_begin_object(b);
        maxgl_result_add_number(b, "accuracy", score->folds[i].accuracy);
        maxgl_result_add_number(b, "auc", score->folds[i].auc);
        maxgl_result_add_size(b, "pairs", score->folds[i].pairs);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    maxgl_result_begin_array(b, "roc");
    for (guint i = 0; i < score->roc->len; i++) {
        const MaxglRocPoint *point = &g_array_index(score->roc, MaxglRocPoint, i);
        json_builder_begin_array(b);
        json_builder_add_double_value(b, point->false_positive);
        json_builder_add_double_value(b, point->true_positive);
        json_builder_end_array(b);
    }
    json_builder_end_array(b);
}

static void add_names(JsonBuilder *b, const char *member, const char *const *names, int n)
{
    maxgl_result_begin_array(b, member);
    for (int i = 0; i < n; i++)
        json_builder_add_string_value(b, names[i]);
    json_builder_end_array(b);
}

char *maxgl_aslan_json(const MaxglAslan *a, GError **error)
{
    const MaxglResultOrigin origin = {.protocol = "aslan",
                                      .model = a->options.model,
                                      .network = a->network,
                                      .device = a->device_name,
                                      .data = a->options.videos,
                                      .clips = a->options.clips,
                                      .features = a->features};
    JsonBuilder *b = maxgl_result_new(&origin, error);
    if (!b)
        return NULL;
    g_autofree char *pairs = g_canonicalize_filename(a->options.pairs, NULL);
    maxgl_result_add_string(b, "pairs", pairs);
    add_names(b, "layers", (const char *const *)a->layers, (int)g_strv_length(a->layers));
    add_names(b, "similarities", maxgl_similarity_names, MAXGL_SIMILARITIES);
    maxgl_result_add_number(b, "c", a->options.c);
    maxgl_result_add_size(b, "videos", a->list->ids->len);
    maxgl_result_add_size(b, "bad", a->bad);
    maxgl_result_add_size(b, "pairs_left_out", a->left_out);
    maxgl_result_begin_array(b, "results");
    json_builder_begin_object(b);
    maxgl_result_add_size(b, "view", (gsize)a->list->view);
    maxgl_result_begin_object(b, "networks");
    for (int i = 0; i < a->n_networks; i++) {
        maxgl_result_begin_object(b, maxgl_comparison_name(a->networks[i].comparison));
        add_score(b, a, a->networks[i].score);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    json_builder_end_object(b);
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
