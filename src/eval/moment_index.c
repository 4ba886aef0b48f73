#include "eval/moment_index.h"

#include "base/checksum.h"
#include "base/safetensors.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#define FORMAT "maxgl-cl index 1"
#define UNIT_TOLERANCE 1e-3

/* ---------------- the model ---------------- */

static void add_three(JsonBuilder *b, const char *name, const float *values)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
    for (int i = 0; i < 3; i++)
        json_builder_add_double_value(b, values[i]);
    json_builder_end_array(b);
}

static char *preprocessing_json(const MaxglEmbedderInfo *info)
{
    const MaxglPreprocessing *p = &info->preprocessing;
    const struct {
        const char *name;
        int value;
    } numbers[] = {{"frames", info->frames},          {"frame_stride", info->frame_stride},
                   {"height", info->height},          {"width", info->width},
                   {"resize_width", p->resize_width}, {"resize_height", p->resize_height},
                   {"crop_width", p->crop_width},     {"crop_height", p->crop_height}};
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        json_builder_set_member_name(b, numbers[i].name);
        json_builder_add_int_value(b, numbers[i].value);
    }
    add_three(b, "mean", p->mean);
    add_three(b, "std", p->std);
    json_builder_set_member_name(b, "antialias");
    json_builder_add_boolean_value(b, p->antialias);
    json_builder_end_object(b);
    g_autoptr(JsonNode) root = json_builder_get_root(b);
    return json_to_string(root, FALSE);
}

MaxglMomentModel *maxgl_moment_model_new(const char *path, const MaxglEmbedderInfo *info, GError **error)
{
    g_autofree char *hash = maxgl_checksum_of_file(path, error);
    if (!hash)
        return NULL;
    MaxglMomentModel *model = g_new0(MaxglMomentModel, 1);
    model->path = g_canonicalize_filename(path, NULL);
    model->sha256 = g_steal_pointer(&hash);
    model->network = g_strdup(info->model);
    model->preprocessing = preprocessing_json(info);
    model->features = info->features;
    return model;
}

void maxgl_moment_model_free(MaxglMomentModel *model)
{
    if (!model)
        return;
    g_free(model->path);
    g_free(model->sha256);
    g_free(model->network);
    g_free(model->preprocessing);
    g_free(model);
}

/* ---------------- writing ---------------- */

/* Only the videos that have moments; @numbers gets which is which. */
static char *sources_json(const MaxglMoments *moments, const MaxglDataset *dataset, gint64 *numbers)
{
    g_autoptr(JsonArray) array = json_array_new();
    for (gsize i = 0; i < moments->n; i++) {
        if (i == 0 || moments->video[i] != moments->video[i - 1]) {
            const char *path = maxgl_dataset_path(dataset, (gsize)moments->video[i]);
            g_autofree char *valid = g_utf8_make_valid(path, -1);
            json_array_add_string_element(array, valid);
        }
        numbers[i] = (gint64)json_array_get_length(array) - 1;
    }
    g_autoptr(JsonNode) node = json_node_init_array(json_node_alloc(), array);
    return json_to_string(node, FALSE);
}

gboolean maxgl_moment_index_write(const char *path, const MaxglMoments *moments, const MaxglDataset *dataset,
                                  const MaxglMomentModel *model, GError **error)
{
    const gint64 rows = (gint64)moments->n, features[] = {rows, moments->length}, seconds[] = {rows, 2};
    g_autofree gint64 *source = g_new(gint64, moments->n);
    g_autofree char *sources = sources_json(moments, dataset, source);
    g_autofree char *folder = g_get_current_dir();
    const struct {
        const char *key, *value;
    } metadata[] = {{"format", FORMAT},
                    {"sources", sources},
                    {"folder", folder},
                    {"model", model->path},
                    {"model_sha256", model->sha256},
                    {"network", model->network},
                    {"preprocessing", model->preprocessing}};
    g_autoptr(MaxglSafetensorsWriter) file = maxgl_safetensors_writer_new();
    for (gsize i = 0; i < G_N_ELEMENTS(metadata); i++) {
        g_autofree char *valid = g_utf8_make_valid(metadata[i].value, -1);
        maxgl_safetensors_writer_set_metadata(file, metadata[i].key, valid);
    }
    maxgl_safetensors_writer_add(file, "features", MAXGL_DTYPE_F32, 2, features, moments->features);
    maxgl_safetensors_writer_add(file, "source", MAXGL_DTYPE_I64, 1, &rows, source);
    maxgl_safetensors_writer_add(file, "seconds", MAXGL_DTYPE_F32, 2, seconds, moments->seconds);
    return maxgl_safetensors_writer_write(file, path, error);
}

/* ---------------- reading ---------------- */

static gboolean G_GNUC_PRINTF(3, 4)
    refuse(GError **error, const MaxglMomentIndex *index, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", index->path, reason);
    return FALSE;
}

static gboolean read_metadata(MaxglMomentIndex *index, const MaxglSafetensors *file, GError **error)
{
    const char *format = maxgl_safetensors_metadata(file, "format");
    if (g_strcmp0(format, FORMAT) != 0)
        return refuse(error, index, "is no index (make one with maxgl-cl index)");
    const struct {
        const char *key;
        char **value;
    } wanted[] = {{"folder", &index->folder},
                  {"model", &index->model->path},
                  {"model_sha256", &index->model->sha256},
                  {"network", &index->model->network},
                  {"preprocessing", &index->model->preprocessing}};
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        *wanted[i].value = g_strdup(maxgl_safetensors_metadata(file, wanted[i].key));
        if (!*wanted[i].value)
            return refuse(error, index, "is damaged: no %s in its metadata", wanted[i].key);
    }
    return TRUE;
}

static gboolean read_sources(MaxglMomentIndex *index, const MaxglSafetensors *file, GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, "sources");
    g_autoptr(JsonNode) root = text ? json_from_string(text, NULL) : NULL;
    JsonArray *array = root && JSON_NODE_HOLDS_ARRAY(root) ? json_node_get_array(root) : NULL;
    if (!array)
        return refuse(error, index, "is damaged: no list of sources in its metadata");
    index->n_sources = json_array_get_length(array);
    index->sources = g_new0(char *, index->n_sources + 1);
    for (gsize i = 0; i < index->n_sources; i++) {
        JsonNode *node = json_array_get_element(array, (guint)i);
        if (!JSON_NODE_HOLDS_VALUE(node) || !json_node_get_string(node))
            return refuse(error, index, "is damaged: source %" G_GSIZE_FORMAT " is not a text", i);
        index->sources[i] = json_node_dup_string(node);
    }
    return TRUE;
}

static gboolean read_tensors(MaxglMomentIndex *index, const MaxglSafetensors *file, GError **error)
{
    const MaxglSafetensor *features = maxgl_safetensors_find(file, "features");
    const MaxglSafetensor *source = maxgl_safetensors_find(file, "source");
    const MaxglSafetensor *seconds = maxgl_safetensors_find(file, "seconds");
    if (!features || !source || !seconds)
        return refuse(error, index, "is damaged: it lacks features, source or seconds");
    const gint64 n = features->shape[0];
    if (features->rank != 2 || features->dtype != MAXGL_DTYPE_F32 || features->shape[1] > G_MAXINT ||
        source->rank != 1 || source->dtype != MAXGL_DTYPE_I64 || source->shape[0] != n ||
        seconds->rank != 2 || seconds->dtype != MAXGL_DTYPE_F32 || seconds->shape[0] != n ||
        seconds->shape[1] != 2)
        return refuse(error, index, "is damaged: features, source and seconds do not go together");
    if (features->count == 0)
        return refuse(error, index, "is empty: there is nothing to search in");
    index->n = (gsize)n;
    index->model->features = (int)features->shape[1];
    index->features = g_new(float, features->count);
    index->source = g_new(gint64, n);
    index->seconds = g_new(float, seconds->count);
    maxgl_safetensor_copy_f32(features, index->features);
    maxgl_safetensor_copy_f32(seconds, index->seconds);
    memcpy(index->source, source->data, source->size);
    return TRUE;
}

static gboolean check_rows(const MaxglMomentIndex *index, GError **error)
{
    const gsize length = (gsize)index->model->features;
    for (gsize i = 0; i < index->n; i++) {
        const float *row = index->features + i * length, *seconds = index->seconds + i * 2;
        double sum = 0;
        for (gsize j = 0; j < length; j++)
            sum += (double)row[j] * row[j];
        if (index->source[i] < 0 || (gsize)index->source[i] >= index->n_sources)
            return refuse(error, index, "is damaged: clip %" G_GSIZE_FORMAT " has no source", i);
        if (!(seconds[0] >= 0 && seconds[1] >= seconds[0] && isfinite(seconds[1])))
            return refuse(error, index, "is damaged: clip %" G_GSIZE_FORMAT " has unknown times", i);
        if (!(sum == 0 || fabs(sum - 1) < UNIT_TOLERANCE))
            return refuse(error, index,
                          "is damaged: the features of clip %" G_GSIZE_FORMAT " are not of unit length", i);
    }
    return TRUE;
}

MaxglMomentIndex *maxgl_moment_index_open(const char *path, GError **error)
{
    g_autoptr(MaxglMomentIndex) index = g_new0(MaxglMomentIndex, 1);
    index->path = g_strdup(path);
    index->model = g_new0(MaxglMomentModel, 1);
    g_autoptr(GError) reason = NULL;
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(path, &reason);
    if (!file && g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_FORMAT)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s (no index: make one with maxgl-cl index)",
                    reason->message);
        return NULL;
    }
    if (!file) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    return read_metadata(index, file, error) && read_sources(index, file, error) &&
                   read_tensors(index, file, error) && check_rows(index, error)
               ? g_steal_pointer(&index)
               : NULL;
}

void maxgl_moment_index_free(MaxglMomentIndex *index)
{
    if (!index)
        return;
    maxgl_moment_model_free(index->model);
    g_strfreev(index->sources);
    g_free(index->path);
    g_free(index->folder);
    g_free(index->features);
    g_free(index->source);
    g_free(index->seconds);
    g_free(index);
}

gboolean maxgl_moment_index_check_model(const MaxglMomentIndex *index, const MaxglMomentModel *model,
                                        GError **error)
{
    const MaxglMomentModel *made = index->model;
    if (!g_str_equal(made->sha256, model->sha256))
        return refuse(error, index, "was made with another model (%s) than %s; index the videos again",
                      made->network, model->path);
    if (made->features != model->features || !g_str_equal(made->preprocessing, model->preprocessing))
        return refuse(error, index,
                      "was made with other preprocessing than this version's for %s; index the videos again",
                      model->path);
    return TRUE;
}

char *maxgl_moment_index_video(const MaxglMomentIndex *index, gsize source)
{
    return g_canonicalize_filename(index->sources[source], index->folder);
}
