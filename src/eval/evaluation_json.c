#include "eval/evaluation.h"

#include "eval/result_json.h"

#define SAMPLES 8           /* queries that are shown */
#define HITS 5              /* of each */
#define CONFUSION_LIMIT 128 /* classes; a larger table of confusions is nothing to look at */

/* What both protocols say of the evaluation as a whole. */
static JsonBuilder *new_result(const MaxglEvaluation *e, const char *protocol, GError **error)
{
    const MaxglResultOrigin origin = {.protocol = protocol,
                                      .model = e->options.model,
                                      .network = e->network,
                                      .device = e->device_name,
                                      .data = e->options.data,
                                      .clips = e->options.clips,
                                      .features = e->features};
    JsonBuilder *b = maxgl_result_new(&origin, error);
    if (!b)
        return NULL;
    maxgl_result_add_string(b, "train_split", e->splits[0]);
    maxgl_result_begin_object(b, "splits");
    for (int i = 0; i < e->n_splits; i++) {
        const MaxglFeatures *f = e->networks[0].splits[i];
        maxgl_result_begin_object(b, e->splits[i]);
        maxgl_result_add_size(b, "videos", f->n);
        maxgl_result_add_size(b, "bad", f->bad);
        maxgl_result_add_size(b, "clips", f->clips);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    return b;
}

/* ---------------- linear probe ---------------- */

static void add_linear(JsonBuilder *b, const MaxglEvaluation *e, const MaxglLinearResult *result)
{
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "label", result->label);
    maxgl_result_add_string(b, "split", result->split);
    maxgl_result_add_size(b, "classes", (gsize)result->classes);
    maxgl_result_add_number(b, "chance", result->chance);
    maxgl_result_add_number(b, "majority", result->majority);
    maxgl_result_begin_object(b, "networks");
    for (int i = 0; i < e->n_networks; i++) {
        const MaxglProbeScore *score = &result->scores[i];
        maxgl_result_begin_object(b, maxgl_comparison_name(e->networks[i].comparison));
        maxgl_result_add_number(b, "accuracy", score->accuracy);
        maxgl_result_add_size(b, "correct", score->correct);
        maxgl_result_add_size(b, "videos", score->videos);
        maxgl_result_add_size(b, "unseen", score->unseen);
        maxgl_result_add_number(b, "c", result->c[i]);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    if (result->n_classes <= CONFUSION_LIMIT)
        maxgl_result_add_confusion(b, (const char *const *)result->class_names, result->n_classes,
                                   result->confusion);
    json_builder_end_object(b);
}

char *maxgl_evaluation_linear_json(const MaxglEvaluation *e, GError **error)
{
    JsonBuilder *b = new_result(e, "linear", error);
    if (!b)
        return NULL;
    maxgl_result_add_size(b, "seed", (gsize)e->options.seed);
    maxgl_result_begin_array(b, "results");
    for (guint i = 0; i < e->linear->len; i++)
        add_linear(b, e, g_ptr_array_index(e->linear, i));
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}

/* ---------------- retrieval ---------------- */

static void add_recalls(JsonBuilder *b, const char *name, const double *recalls)
{
    maxgl_result_begin_object(b, name);
    for (int i = 0; i < MAXGL_RETRIEVAL_KS; i++) {
        g_autofree char *k = g_strdup_printf("%d", maxgl_retrieval_ks[i]);
        maxgl_result_add_number(b, k, recalls[i]);
    }
    json_builder_end_object(b);
}

static void add_retrieval(JsonBuilder *b, const MaxglEvaluation *e, const MaxglRetrievalResult *result)
{
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "label", result->label);
    maxgl_result_add_string(b, "split", result->split);
    maxgl_result_add_size(b, "queries", result->scores[0].queries);
    maxgl_result_add_size(b, "unseen", result->scores[0].unseen);
    add_recalls(b, "chance", result->scores[0].chance);
    maxgl_result_begin_object(b, "networks");
    for (int i = 0; i < e->n_networks; i++) {
        maxgl_result_begin_object(b, maxgl_comparison_name(e->networks[i].comparison));
        add_recalls(b, "recall", result->scores[i].recall);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    json_builder_end_object(b);
}

/* A video with its labels. */
static void add_video(JsonBuilder *b, const MaxglEvaluation *e, int split, gsize video)
{
    maxgl_result_add_string(b, "path", maxgl_dataset_path(e->parts[split], video));
    maxgl_result_begin_object(b, "labels");
    for (int i = 0; e->labels[i]; i++) {
        const char *value = maxgl_dataset_value(e->parts[split], video, e->labels[i]);
        if (value)
            maxgl_result_add_string(b, e->labels[i], value);
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
    maxgl_result_begin_array(b, "hits");
    for (gsize i = 0; i < n; i++) {
        json_builder_begin_object(b);
        add_video(b, e, 0, train->videos[hits[i]]);
        maxgl_result_add_number(b, "similarity", similarities[i]);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
}

char *maxgl_evaluation_retrieval_json(const MaxglEvaluation *e, GError **error)
{
    JsonBuilder *b = new_result(e, "retrieval", error);
    if (!b)
        return NULL;
    maxgl_result_begin_array(b, "results");
    for (guint i = 0; i < e->retrieval->len; i++)
        add_retrieval(b, e, g_ptr_array_index(e->retrieval, i));
    json_builder_end_array(b);
    const gsize queries = e->networks[0].splits[1]->n, samples = MIN(queries, SAMPLES);
    maxgl_result_add_string(b, "sample_split", e->splits[1]);
    maxgl_result_begin_array(b, "samples");
    for (gsize i = 0; i < samples; i++)
        add_sample(b, e, i * queries / samples);
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
