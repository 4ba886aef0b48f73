#include "eval/feature_writer.h"

#include "base/array.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "media/csv.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

typedef enum { FORMAT_NPY, FORMAT_SAFETENSORS, FORMAT_JSON_LINES } Format;

struct MaxglFeatureWriter {
    Format format;
    char *path; /* NULL: stdout */
    const MaxglEmbedderInfo *info;
    gint64 rows;
    MaxglArrayWriter *array; /* NPY */
    MaxglFile *text;         /* its index, or lines of JSON */
    /* safetensors: everything until the end */
    GArray *features, *source, *clip, *seconds;
    GPtrArray *sources;
    GHashTable *source_numbers; /* + 1 */
};

static gboolean format_of(const char *path, Format *format, GError **error)
{
    static const char *const extensions[] = {".npy", ".safetensors", ".jsonl"};
    for (guint i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (g_str_has_suffix(path, extensions[i])) {
            *format = (Format)i;
            return TRUE;
        }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "%s: the name must end with .npy, .safetensors or .jsonl, which says what is written", path);
    return FALSE;
}

/* features.npy → features.index.csv */
static char *index_path(const char *path)
{
    g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".npy"));
    return g_strconcat(stem, ".index.csv", NULL);
}

gboolean maxgl_feature_writer_check(const char *path, GError **error)
{
    Format format;
    if (!path)
        return TRUE;
    if (!format_of(path, &format, error))
        return FALSE;
    g_autoptr(MaxglFile) file = maxgl_file_create(path, error);
    return file != NULL;
}

static gboolean open_npy(MaxglFeatureWriter *w, GError **error)
{
    g_autofree char *index = index_path(w->path);
    const gint64 row[] = {w->info->features};
    w->array = maxgl_array_writer_new(w->path, MAXGL_ARRAY_F32, 1, row, error);
    w->text = w->array ? maxgl_file_create(index, error) : NULL;
    return w->text && maxgl_file_printf(w->text, error, "source,clip,first_seconds,last_seconds\n");
}

static gboolean open_safetensors(MaxglFeatureWriter *w, GError **error)
{
    w->features = g_array_new(FALSE, FALSE, sizeof(float));
    w->source = g_array_new(FALSE, FALSE, sizeof(gint64));
    w->clip = g_array_new(FALSE, FALSE, sizeof(gint64));
    w->seconds = g_array_new(FALSE, FALSE, sizeof(float));
    w->sources = g_ptr_array_new_with_free_func(g_free);
    w->source_numbers = g_hash_table_new(g_str_hash, g_str_equal);
    return maxgl_feature_writer_check(w->path, error);
}

MaxglFeatureWriter *maxgl_feature_writer_new(const char *path, const MaxglEmbedderInfo *info, GError **error)
{
    g_autoptr(MaxglFeatureWriter) w = g_new0(MaxglFeatureWriter, 1);
    w->path = g_strdup(path);
    w->info = info;
    w->format = FORMAT_JSON_LINES;
    if (path && !format_of(path, &w->format, error))
        return NULL;
    gboolean good = TRUE;
    if (w->format == FORMAT_NPY)
        good = open_npy(w, error);
    else if (w->format == FORMAT_SAFETENSORS)
        good = open_safetensors(w, error);
    else if (path)
        good = (w->text = maxgl_file_create(path, error)) != NULL;
    return good ? g_steal_pointer(&w) : NULL;
}

/* ---------------- rows ---------------- */

/* Whatever the locale says. */
static void append_number(GString *text, const char *format, double number)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(text, g_ascii_formatd(buffer, sizeof buffer, format, number));
}

static void append_seconds(GString *text, double seconds, const char *none)
{
    if (seconds >= 0)
        append_number(text, "%.6f", seconds);
    else
        g_string_append(text, none);
}

static gboolean add_npy(MaxglFeatureWriter *w, const char *source, const MaxglFeatureVector *v,
                        GError **error)
{
    g_autofree char *quoted = maxgl_csv_quote(source);
    g_autoptr(GString) line = g_string_new(quoted);
    if (v->clip >= 0)
        g_string_append_printf(line, ",%d,", v->clip);
    else
        g_string_append(line, ",,");
    append_seconds(line, v->first_seconds, "");
    g_string_append_c(line, ',');
    append_seconds(line, v->last_seconds, "");
    g_string_append_c(line, '\n');
    return maxgl_array_writer_append(w->array, v->features, 1, error) &&
           maxgl_file_write(w->text, line->str, line->len, error);
}

static gboolean add_safetensors(MaxglFeatureWriter *w, const char *source, const MaxglFeatureVector *v)
{
    gint64 number = GPOINTER_TO_INT(g_hash_table_lookup(w->source_numbers, source));
    if (number == 0) {
        char *copy = g_strdup(source);
        g_ptr_array_add(w->sources, copy);
        number = w->sources->len;
        g_hash_table_insert(w->source_numbers, copy, GINT_TO_POINTER(w->sources->len));
    }
    const float seconds[] = {v->first_seconds >= 0 ? (float)v->first_seconds : -1,
                             v->last_seconds >= 0 ? (float)v->last_seconds : -1};
    const gint64 index = number - 1, clip = v->clip;
    g_array_append_vals(w->features, v->features, (guint)w->info->features);
    g_array_append_vals(w->seconds, seconds, 2);
    g_array_append_val(w->source, index);
    g_array_append_val(w->clip, clip);
    return TRUE;
}

static char *json_string(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), valid);
    return json_to_string(node, FALSE);
}

static gboolean write_stdout(const GString *line, GError **error)
{
    if (fwrite(line->str, 1, line->len, stdout) == line->len && fflush(stdout) == 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "cannot write to stdout: %s", g_strerror(errno));
    return FALSE;
}

static gboolean add_json(MaxglFeatureWriter *w, const char *source, const MaxglFeatureVector *v,
                         GError **error)
{
    g_autofree char *quoted = json_string(source);
    g_autoptr(GString) line = g_string_new("{\"source\": ");
    g_string_append(line, quoted);
    if (v->clip >= 0)
        g_string_append_printf(line, ", \"clip\": %d", v->clip);
    else
        g_string_append(line, ", \"clip\": null");
    g_string_append(line, ", \"first_seconds\": ");
    append_seconds(line, v->first_seconds, "null");
    g_string_append(line, ", \"last_seconds\": ");
    append_seconds(line, v->last_seconds, "null");
    g_string_append(line, ", \"features\": [");
    for (int i = 0; i < w->info->features; i++) {
        g_string_append(line, i > 0 ? ", " : "");
        append_number(line, "%.9g", v->features[i]);
    }
    g_string_append(line, "]}\n");
    return w->text ? maxgl_file_write(w->text, line->str, line->len, error) : write_stdout(line, error);
}

gboolean maxgl_feature_writer_add(MaxglFeatureWriter *w, const char *source, const MaxglFeatureVector *vector,
                                  GError **error)
{
    w->rows++;
    switch (w->format) {
    case FORMAT_NPY:
        return add_npy(w, source, vector, error);
    case FORMAT_SAFETENSORS:
        return add_safetensors(w, source, vector);
    default:
        return add_json(w, source, vector, error);
    }
}

gint64 maxgl_feature_writer_rows(const MaxglFeatureWriter *w)
{
    return w->rows;
}

/* ---------------- the end ---------------- */

static char *sources_json(const MaxglFeatureWriter *w)
{
    g_autoptr(JsonArray) array = json_array_new();
    for (guint i = 0; i < w->sources->len; i++) {
        g_autofree char *valid = g_utf8_make_valid(g_ptr_array_index(w->sources, i), -1);
        json_array_add_string_element(array, valid);
    }
    g_autoptr(JsonNode) node = json_node_init_array(json_node_alloc(), array);
    return json_to_string(node, FALSE);
}

static gboolean write_safetensors(const MaxglFeatureWriter *w, GError **error)
{
    g_autoptr(MaxglSafetensorsWriter) file = maxgl_safetensors_writer_new();
    g_autofree char *sources = sources_json(w);
    const gint64 features[] = {w->rows, w->info->features}, seconds[] = {w->rows, 2};
    maxgl_safetensors_writer_set_metadata(file, "sources", sources);
    maxgl_safetensors_writer_set_metadata(file, "network", w->info->model);
    maxgl_safetensors_writer_add(file, "features", MAXGL_DTYPE_F32, 2, features, w->features->data);
    maxgl_safetensors_writer_add(file, "source", MAXGL_DTYPE_I64, 1, &w->rows, w->source->data);
    maxgl_safetensors_writer_add(file, "clip", MAXGL_DTYPE_I64, 1, &w->rows, w->clip->data);
    maxgl_safetensors_writer_add(file, "seconds", MAXGL_DTYPE_F32, 2, seconds, w->seconds->data);
    return maxgl_safetensors_writer_write(file, w->path, error);
}

gboolean maxgl_feature_writer_commit(MaxglFeatureWriter *writer, GError **error)
{
    g_autoptr(MaxglFeatureWriter) w = writer;
    if (w->format == FORMAT_SAFETENSORS)
        return write_safetensors(w, error);
    if (w->array && !maxgl_array_writer_commit(g_steal_pointer(&w->array), error))
        return FALSE;
    return !w->text || maxgl_file_commit(g_steal_pointer(&w->text), error);
}

void maxgl_feature_writer_abandon(MaxglFeatureWriter *w)
{
    if (!w)
        return;
    maxgl_array_writer_abandon(w->array);
    maxgl_file_abandon(w->text);
    if (w->format == FORMAT_SAFETENSORS) {
        g_array_unref(w->features);
        g_array_unref(w->source);
        g_array_unref(w->clip);
        g_array_unref(w->seconds);
        g_ptr_array_unref(w->sources);
        g_hash_table_unref(w->source_numbers);
    }
    g_free(w->path);
    g_free(w);
}
