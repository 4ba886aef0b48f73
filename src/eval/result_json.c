#include "eval/result_json.h"

#include "base/checksum.h"
#include "base/json.h"

void maxgl_result_add_string(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_string_value(b, value);
}

void maxgl_result_add_size(JsonBuilder *b, const char *name, gsize value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_int_value(b, (gint64)value);
}

void maxgl_result_add_number(JsonBuilder *b, const char *name, double value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_double_value(b, value);
}

void maxgl_result_begin_object(JsonBuilder *b, const char *name)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_object(b);
}

void maxgl_result_begin_array(JsonBuilder *b, const char *name)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
}

void maxgl_result_add_confusion(JsonBuilder *b, const char *const *names, int classes, const int *confusion)
{
    maxgl_result_begin_array(b, "class_names");
    for (int i = 0; i < classes; i++)
        json_builder_add_string_value(b, names[i]);
    json_builder_end_array(b);
    maxgl_result_begin_array(b, "confusion");
    for (int i = 0; i < classes; i++) {
        json_builder_begin_array(b);
        for (int j = 0; j < classes; j++)
            json_builder_add_int_value(b, confusion[i * classes + j]);
        json_builder_end_array(b);
    }
    json_builder_end_array(b);
}

JsonBuilder *maxgl_result_new(const MaxglResultOrigin *origin, GError **error)
{
    g_autofree char *hash = maxgl_checksum_of_file(origin->model, error);
    if (!hash)
        return NULL;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format_iso8601(now);
    g_autofree char *model = g_canonicalize_filename(origin->model, NULL);
    g_autofree char *data = g_file_test(origin->data, G_FILE_TEST_EXISTS)
                                ? g_canonicalize_filename(origin->data, NULL)
                                : g_strdup(origin->data); /* "synth:", "ucf101:…" */
    JsonBuilder *b = json_builder_new();
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "protocol", origin->protocol);
    maxgl_result_add_string(b, "version", MAXGL_VERSION);
    maxgl_result_add_string(b, "time", time);
    maxgl_result_add_string(b, "model", model);
    maxgl_result_add_string(b, "model_sha256", hash);
    maxgl_result_add_string(b, "network", origin->network);
    maxgl_result_add_string(b, "device", origin->device);
    maxgl_result_add_string(b, "data", data);
    maxgl_result_add_size(b, "clips", (gsize)origin->clips);
    maxgl_result_add_size(b, "features", (gsize)origin->features);
    return b;
}

char *maxgl_result_finish(JsonBuilder *b)
{
    json_builder_end_object(b);
    char *text = maxgl_json_text(b);
    g_object_unref(b);
    return text;
}
