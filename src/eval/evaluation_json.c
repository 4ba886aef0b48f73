#include "eval/evaluation.h"

#include "base/file.h"

#include <json-glib/json-glib.h>
#include <maxgl/error.h>
#include <string.h>

#define SAMPLES 8           /* queries that are shown */
#define HITS 5              /* of each */
#define CONFUSION_LIMIT 128 /* classes; a larger table of confusions is nothing to look at */

static void add_string(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_string_value(b, value);
}

static void add_size(JsonBuilder *b, const char *name, gsize value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_int_value(b, (gint64)value);
}

static void add_number(JsonBuilder *b, const char *name, double value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_double_value(b, value);
}

static void begin_object(JsonBuilder *b, const char *name)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_object(b);
}

static void begin_array(JsonBuilder *b, const char *name)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
}

static char *hash_file(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = maxgl_file_map(path, error);
    return file ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)g_mapped_file_get_contents(file),
                                              g_mapped_file_get_length(file))
                : NULL;
}

/* What both protocols say of the evaluation as a whole. */
static gboolean add_circumstances(JsonBuilder *b, const MaxglEvaluation *e, const char *protocol,
                                  GError **error)
{
    const MaxglEvaluationOptions *o = &e->options;
    g_autofree char *hash = hash_file(o->model, error);
    if (!hash)
        return FALSE;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format_iso8601(now);
    g_autofree char *model = g_canonicalize_filename(o->model, NULL);
    g_autofree char *data =
        maxgl_dataset_synthetic(e->dataset) ? g_strdup(o->data) : g_canonicalize_filename(o->data, NULL);
    add_string(b, "protocol", protocol);
    add_string(b, "version", MAXGL_VERSION);
    add_string(b, "time", time);
    add_string(b, "model", model);
    add_string(b, "model_sha256", hash);
    add_string(b, "network", e->network);
    add_string(b, "device", e->device_name);
    add_string(b, "data", data);
    add_size(b, "clips", (gsize)o->clips);
    add_size(b, "features", (gsize)e->features);
    add_string(b, "train_split", e->splits[0]);
    begin_object(b, "splits");
    for (int i = 0; i < e->n_splits; i++) {
        const MaxglFeatures *f = e->networks[0].splits[i];
        begin_object(b, e->splits[i]);
        add_size(b, "videos", f->n);
        add_size(b, "bad", f->bad);
        add_size(b, "clips", f->clips);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    return TRUE;
}

static char *finish(JsonBuilder *b)
{
    json_builder_end_object(b);
    g_autoptr(JsonNode) root = json_builder_get_root(b);
    return json_to_string(root, TRUE);
}

/* ---------------- linear probe ---------------- */

static void add_confusion(JsonBuilder *b, const MaxglLinearResult *result)
{
    begin_array(b, "class_names");
    for (int i = 0; i < result->n_classes; i++)
        json_builder_add_string_value(b, result->class_names[i]);
    json_builder_end_array(b);
    begin_array(b, "confusion");
    for (int i = 0; i < result->n_classes; i++) {
        json_builder_begin_array(b);
        for (int j = 0; j < result->n_classes; j++)
            json_builder_add_int_value(b, result->confusion[i * result->n_classes + j]);
        json_builder_end_array(b);
    }
    json_builder_end_array(b);
}

static void add_linear(JsonBuilder *b, const MaxglEvaluation *e, const MaxglLinearResult *result)
{
    json_builder_begin_object(b);
    add_string(b, "label", result->label);
    add_string(b, "split", result->split);
    add_size(b, "classes", (gsize)result->classes);
    add_number(b, "chance", result->chance);
    add_number(b, "majority", result->majority);
    begin_object(b, "networks");
    for (int i = 0; i < e->n_networks; i++) {
        const MaxglProbeScore *score = &result->scores[i];
        begin_object(b, maxgl_comparison_name(e->networks[i].comparison));
        add_number(b, "accuracy", score->accuracy);
        add_size(b, "correct", score->correct);
        add_size(b, "videos", score->videos);
        add_size(b, "unseen", score->unseen);
        add_number(b, "c", result->c[i]);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    if (result->n_classes <= CONFUSION_LIMIT)
        add_confusion(b, result);
    json_builder_end_object(b);
}

char *maxgl_evaluation_linear_json(const MaxglEvaluation *e, GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    if (!add_circumstances(b, e, "linear", error))
        return NULL;
    add_size(b, "seed", (gsize)e->options.seed);
    begin_array(b, "results");
    for (guint i = 0; i < e->linear->len; i++)
        add_linear(b, e, g_ptr_array_index(e->linear, i));
    json_builder_end_array(b);
    return finish(b);
}

/* ---------------- retrieval ---------------- */

static void add_recalls(JsonBuilder *b, const char *name, const double *recalls)
{
    begin_object(b, name);
    for (int i = 0; i < MAXGL_RETRIEVAL_KS; i++) {
        g_autofree char *k = g_strdup_printf("%d", maxgl_retrieval_ks[i]);
        add_number(b, k, recalls[i]);
    }
    json_builder_end_object(b);
}

static void add_retrieval(JsonBuilder *b, const MaxglEvaluation *e, const MaxglRetrievalResult *result)
{
    json_builder_begin_object(b);
    add_string(b, "label", result->label);
    add_string(b, "split", result->split);
    add_size(b, "queries", result->scores[0].queries);
    add_size(b, "unseen", result->scores[0].unseen);
    add_recalls(b, "chance", result->scores[0].chance);
    begin_object(b, "networks");
    for (int i = 0; i < e->n_networks; i++) {
        begin_object(b, maxgl_comparison_name(e->networks[i].comparison));
        add_recalls(b, "recall", result->scores[i].recall);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    json_builder_end_object(b);
}

/* A video with its labels. */
static void add_video(JsonBuilder *b, const MaxglEvaluation *e, int split, gsize video)
{
    add_string(b, "path", maxgl_dataset_path(e->parts[split], video));
    begin_object(b, "labels");
    for (int i = 0; e->labels[i]; i++) {
        const char *value = maxgl_dataset_value(e->parts[split], video, e->labels[i]);
        if (value)
            add_string(b, e->labels[i], value);
    }
    json_builder_end_object(b);
}

/* A query of the first test split and what the trained network finds for it. */
static void add_sample(JsonBuilder *b, const MaxglEvaluation *e, gsize query)
{
    const MaxglFeatures *train = e->networks[0].splits[0], *test = e->networks[0].splits[1];
    const MaxglLabelled gallery = {.n = train->n, .length = train->length, .features = train->data};
    gsize hits[HITS];
    float similarities[HITS];
    const gsize n =
        maxgl_retrieval_nearest(test->data + query * (gsize)test->length, &gallery, HITS, hits, similarities);
    json_builder_begin_object(b);
    add_video(b, e, 1, test->videos[query]);
    begin_array(b, "hits");
    for (gsize i = 0; i < n; i++) {
        json_builder_begin_object(b);
        add_video(b, e, 0, train->videos[hits[i]]);
        add_number(b, "similarity", similarities[i]);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
}

char *maxgl_evaluation_retrieval_json(const MaxglEvaluation *e, GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    if (!add_circumstances(b, e, "retrieval", error))
        return NULL;
    begin_array(b, "results");
    for (guint i = 0; i < e->retrieval->len; i++)
        add_retrieval(b, e, g_ptr_array_index(e->retrieval, i));
    json_builder_end_array(b);
    const gsize queries = e->networks[0].splits[1]->n, samples = MIN(queries, SAMPLES);
    add_string(b, "sample_split", e->splits[1]);
    begin_array(b, "samples");
    for (gsize i = 0; i < samples; i++)
        add_sample(b, e, i * queries / samples);
    json_builder_end_array(b);
    return finish(b);
}
