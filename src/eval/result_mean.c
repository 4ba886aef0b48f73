#include "eval/result_mean.h"

#include "eval/evaluation.h"
#include "eval/html.h"
#include "eval/result_json.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* What is averaged: a member of a network's object, or of an object in that. */
static const struct {
    const char *protocol, *title, *member, *inner;
} measures[] = {
    {"recognition", "top-1", "accuracy", NULL},
    {"recognition", "top-5", "top5", NULL},
    {"recognition", "mean over classes", "per_class", NULL},
    {"linear", "accuracy", "accuracy", NULL},
    {"retrieval", "R@1", "recall", "1"},
    {"retrieval", "R@5", "recall", "5"},
    {"retrieval", "R@10", "recall", "10"},
    {"retrieval", "R@20", "recall", "20"},
    {"retrieval", "R@50", "recall", "50"},
};

/* What must be the same in all files, if it is there. */
static const char *const settings[] = {"protocol", "network", "averaged", "clips", "features", "train_split"};

static void row_free(gpointer pointer)
{
    MaxglMeanRow *row = pointer;
    g_free(row->label);
    g_free(row->split);
    g_free(row->network);
    maxgl_spread_clear(&row->spread);
    g_free(row);
}

static JsonObject *root_of(const MaxglResultMean *m, guint file)
{
    return json_node_get_object(json_parser_get_root(m->parsers[file]));
}

/* ---------------- one file ---------------- */

static gboolean is_averaged(const char *protocol)
{
    for (gsize i = 0; i < G_N_ELEMENTS(measures); i++)
        if (strcmp(measures[i].protocol, protocol) == 0)
            return TRUE;
    return FALSE;
}

static gboolean check_file(const MaxglResultMean *m, guint file, GError **error)
{
    static const char *const members[] = {"protocol", "network", "model", "model_sha256", "device", "data"};
    const char *path = m->files[file];
    JsonNode *node = json_parser_get_root(m->parsers[file]);
    JsonObject *root = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    if (root && maxgl_json_object(root, "linear") && maxgl_json_object(root, "retrieval")) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: has the results of two protocols; give the files of one (eval-linear.json, "
                    "eval-retrieval.json)",
                    path);
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        if (!maxgl_json_string(root, members[i], NULL)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "%s: is no result of maxgl-cl eval: it has no text \"%s\"", path, members[i]);
            return FALSE;
        }
    const char *protocol = maxgl_json_string(root, "protocol", NULL);
    JsonArray *results = maxgl_json_array(root, "results");
    if (!is_averaged(protocol)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: is of the protocol %s; a mean over splits is there of recognition, linear and "
                    "retrieval",
                    path, protocol);
        return FALSE;
    }
    for (guint i = 0; results && i < json_array_get_length(results); i++)
        if (!JSON_NODE_HOLDS_OBJECT(json_array_get_element(results, i)))
            results = NULL;
    if (results && json_array_get_length(results) > 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: has no \"results\"", path);
    return FALSE;
}

static gboolean read_file(MaxglResultMean *m, guint file, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (!g_file_test(m->files[file], G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such file", m->files[file]);
        return FALSE;
    }
    m->parsers[file] = json_parser_new();
    if (json_parser_load_from_file(m->parsers[file], m->files[file], &reason))
        return check_file(m, file, error);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: is no JSON: %s", m->files[file],
                reason->message);
    return FALSE;
}

/* ---------------- files beside each other ---------------- */

static gboolean differ(const MaxglResultMean *m, guint file, const char *what, JsonNode *is, JsonNode *first,
                       GError **error)
{
    g_autofree char *a = is ? json_to_string(is, FALSE) : g_strdup("none");
    g_autofree char *b = first ? json_to_string(first, FALSE) : g_strdup("none");
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: %s is %s, and in %s %s: no mean can be taken",
                m->files[file], what, a, m->files[0], b);
    return FALSE;
}

static gboolean same_node(JsonNode *a, JsonNode *b)
{
    return a == b || (a && b && json_node_equal(a, b));
}

/* "ucf101" of "ucf101:videos=…", "" of a folder or list. */
static char *kind_of(const char *data)
{
    static const char *const kinds[] = {"ucf101:", "hmdb51:", "kinetics:", "synth:"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(data, kinds[i]))
            return g_strndup(kinds[i], strlen(kinds[i]) - 1);
    return g_strdup("");
}

static gboolean check_settings(const MaxglResultMean *m, guint file, GError **error)
{
    JsonObject *root = root_of(m, file), *first = root_of(m, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        JsonNode *a = json_object_get_member(root, settings[i]),
                 *b = json_object_get_member(first, settings[i]);
        g_autofree char *what = g_strdup_printf("\"%s\"", settings[i]);
        if (!same_node(a, b))
            return differ(m, file, what, a, b, error);
    }
    g_autofree char *kind = kind_of(maxgl_json_string(root, "data", ""));
    g_autofree char *first_kind = kind_of(maxgl_json_string(first, "data", ""));
    if (strcmp(kind, first_kind) != 0)
        return differ(m, file, "\"data\"", json_object_get_member(root, "data"),
                      json_object_get_member(first, "data"), error);
    for (guint other = 0; other < file; other++)
        if (same_node(json_object_get_member(root, "data"),
                      json_object_get_member(root_of(m, other), "data")) &&
            same_node(json_object_get_member(root, "model_sha256"),
                      json_object_get_member(root_of(m, other), "model_sha256"))) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "%s: is of the same model and data as %s: each split counts once", m->files[file],
                        m->files[other]);
            return FALSE;
        }
    return TRUE;
}

/* The result of @label and @split in a file, NULL if it has none. */
static JsonObject *find_result(const MaxglResultMean *m, guint file, const char *label, const char *split)
{
    JsonArray *results = maxgl_json_array(root_of(m, file), "results");
    for (guint i = 0; i < json_array_get_length(results); i++) {
        JsonObject *result = json_array_get_object_element(results, i);
        if (strcmp(maxgl_json_string(result, "label", ""), label) == 0 &&
            strcmp(maxgl_json_string(result, "split", ""), split) == 0)
            return result;
    }
    return NULL;
}

/* Whether a file's results are of the labels, classes and networks of the first one's. */
static gboolean check_results(const MaxglResultMean *m, guint file, GError **error)
{
    static const char *const alike[] = {"classes", "class_names"};
    JsonArray *results = maxgl_json_array(root_of(m, file), "results");
    for (guint i = 0; i < json_array_get_length(results); i++) {
        JsonObject *result = json_array_get_object_element(results, i);
        const char *label = maxgl_json_string(result, "label", ""),
                   *split = maxgl_json_string(result, "split", "");
        JsonObject *first = find_result(m, 0, label, split),
                   *networks = maxgl_json_object(result, "networks");
        if (!first) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "%s: has a result of label %s on split %s, and %s has none: no mean can be taken",
                        m->files[file], label, split, m->files[0]);
            return FALSE;
        }
        for (gsize k = 0; k < G_N_ELEMENTS(alike); k++)
            if (!same_node(json_object_get_member(result, alike[k]),
                           json_object_get_member(first, alike[k]))) {
                g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                            "%s: the classes of %s are not those of %s: no mean can be taken", m->files[file],
                            label, m->files[0]);
                return FALSE;
            }
        JsonObject *first_networks = maxgl_json_object(first, "networks");
        if (networks && first_networks &&
            json_object_get_size(networks) != json_object_get_size(first_networks)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "%s: compares other networks than %s (--random-init, --still): no mean can be taken",
                        m->files[file], m->files[0]);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---------------- means ---------------- */

static gboolean value_of(const MaxglResultMean *m, guint file, const MaxglMeanRow *row, gsize measure,
                         double *value, GError **error)
{
    JsonObject *result = find_result(m, file, row->label, row->split);
    if (!result) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: has no result of label %s on split %s, which %s has: no mean can be taken",
                    m->files[file], row->label, row->split, m->files[0]);
        return FALSE;
    }
    JsonObject *object = maxgl_json_object(maxgl_json_object(result, "networks"), row->network);
    const char *member = measures[measure].member;
    if (measures[measure].inner) {
        object = maxgl_json_object(object, member);
        member = measures[measure].inner;
    }
    JsonNode *node = object ? json_object_get_member(object, member) : NULL;
    const GType type = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    *value = type == G_TYPE_DOUBLE || type == G_TYPE_INT64 ? json_node_get_double(node) : NAN;
    if (*value >= 0 && *value <= 1)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                "%s: has no %s (\"%s\", 0 … 1) of the network \"%s\" for label %s on split %s",
                m->files[file], measures[measure].title, member, row->network, row->label, row->split);
    return FALSE;
}

static gboolean add_row(MaxglResultMean *m, JsonObject *result, const char *network, gsize measure,
                        GError **error)
{
    g_autofree double *values = g_new(double, m->n);
    MaxglMeanRow *row = g_new0(MaxglMeanRow, 1);
    row->label = g_strdup(maxgl_json_string(result, "label", ""));
    row->split = g_strdup(maxgl_json_string(result, "split", ""));
    row->network = g_strdup(network);
    row->measure = measures[measure].title;
    g_ptr_array_add(m->rows, row);
    for (guint file = 0; file < m->n; file++)
        if (!value_of(m, file, row, measure, &values[file], error))
            return FALSE;
    maxgl_spread_fill(&row->spread, values, m->n);
    return TRUE;
}

static gboolean add_rows(MaxglResultMean *m, GError **error)
{
    JsonArray *results = maxgl_json_array(root_of(m, 0), "results");
    for (guint i = 0; i < json_array_get_length(results); i++) {
        JsonObject *result = json_array_get_object_element(results, i);
        JsonObject *networks = maxgl_json_object(result, "networks");
        for (int n = 0; n < MAXGL_COMPARISONS; n++) {
            const char *network = maxgl_comparison_name((MaxglComparison)n);
            const gboolean there = networks && json_object_has_member(networks, network);
            for (gsize k = 0; k < G_N_ELEMENTS(measures); k++)
                if (strcmp(measures[k].protocol, m->protocol) == 0 &&
                    (there || n == MAXGL_COMPARISON_TRAINED) && !add_row(m, result, network, k, error))
                    return FALSE;
        }
    }
    return TRUE;
}

MaxglResultMean *maxgl_result_mean_new(const char *const *files, guint n, GError **error)
{
    g_autoptr(MaxglResultMean) m = g_new0(MaxglResultMean, 1);
    m->files = files;
    m->n = n;
    m->parsers = g_new0(JsonParser *, n);
    m->rows = g_ptr_array_new_with_free_func(row_free);
    for (guint i = 0; i < n; i++)
        if (!read_file(m, i, error))
            return NULL;
    for (guint i = 1; i < n; i++)
        if (!check_settings(m, i, error) || !check_results(m, i, error))
            return NULL;
    m->protocol = g_strdup(maxgl_json_string(root_of(m, 0), "protocol", ""));
    return add_rows(m, error) ? g_steal_pointer(&m) : NULL;
}

void maxgl_result_mean_free(MaxglResultMean *m)
{
    if (!m)
        return;
    for (guint i = 0; i < m->n; i++)
        g_clear_object(&m->parsers[i]);
    g_free(m->parsers);
    g_ptr_array_unref(m->rows);
    g_free(m->protocol);
    g_free(m);
}

/* ---------------- JSON ---------------- */

static void copy_member(JsonBuilder *b, JsonObject *from, const char *name)
{
    JsonNode *node = json_object_get_member(from, name);
    if (!node)
        return;
    json_builder_set_member_name(b, name);
    json_builder_add_value(b, json_node_copy(node));
}

static void add_origin(JsonBuilder *b, const MaxglResultMean *m, guint file)
{
    static const char *const members[] = {"model", "model_sha256", "device", "data"};
    g_autofree char *path = g_canonicalize_filename(m->files[file], NULL);
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "file", path);
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        copy_member(b, root_of(m, file), members[i]);
    json_builder_end_object(b);
}

char *maxgl_result_mean_json(const MaxglResultMean *m)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format_iso8601(now);
    JsonBuilder *b = json_builder_new();
    json_builder_begin_object(b);
    copy_member(b, root_of(m, 0), "protocol");
    maxgl_result_add_string(b, "version", MAXGL_VERSION);
    maxgl_result_add_string(b, "time", time);
    for (gsize i = 1; i < G_N_ELEMENTS(settings); i++)
        copy_member(b, root_of(m, 0), settings[i]);
    maxgl_result_begin_array(b, "of");
    for (guint i = 0; i < m->n; i++)
        add_origin(b, m, i);
    json_builder_end_array(b);
    maxgl_result_begin_array(b, "results");
    for (guint i = 0; i < m->rows->len; i++) {
        const MaxglMeanRow *row = g_ptr_array_index(m->rows, i);
        json_builder_begin_object(b);
        maxgl_result_add_string(b, "label", row->label);
        maxgl_result_add_string(b, "split", row->split);
        maxgl_result_add_string(b, "network", row->network);
        maxgl_result_add_string(b, "measure", row->measure);
        maxgl_spread_add_json(b, &row->spread);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
