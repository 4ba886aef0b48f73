#include "base/file.h"
#include "base/safetensors.h"

#include <string.h>

struct MaxglSafetensorsWriter {
    GArray *tensors;      /* of MaxglSafetensor, as added; names are owned */
    GHashTable *names;    /* the set of them */
    GHashTable *metadata; /* key → value */
};

MaxglSafetensorsWriter *maxgl_safetensors_writer_new(void)
{
    MaxglSafetensorsWriter *writer = g_new0(MaxglSafetensorsWriter, 1);
    writer->tensors = g_array_new(FALSE, FALSE, sizeof(MaxglSafetensor));
    writer->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    writer->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return writer;
}

void maxgl_safetensors_writer_free(MaxglSafetensorsWriter *writer)
{
    if (!writer)
        return;
    g_array_unref(writer->tensors);
    g_hash_table_unref(writer->names);
    g_hash_table_unref(writer->metadata);
    g_free(writer);
}

void maxgl_safetensors_writer_set_metadata(MaxglSafetensorsWriter *writer, const char *key, const char *value)
{
    g_hash_table_replace(writer->metadata, g_strdup(key), g_strdup(value));
}

void maxgl_safetensors_writer_add(MaxglSafetensorsWriter *writer, const char *name, MaxglDtype dtype,
                                  int rank, const gint64 *shape, const void *data)
{
    g_return_if_fail(dtype == MAXGL_DTYPE_F32 || dtype == MAXGL_DTYPE_F64 || dtype == MAXGL_DTYPE_I64);
    g_return_if_fail(rank >= 0 && rank <= MAXGL_SAFETENSORS_MAX_RANK);
    g_return_if_fail(!g_hash_table_contains(writer->names, name) && strcmp(name, "__metadata__") != 0);
    MaxglSafetensor tensor = {.name = g_strdup(name), .dtype = dtype, .rank = rank, .count = 1, .data = data};
    for (int i = 0; i < MAXGL_SAFETENSORS_MAX_RANK; i++) {
        tensor.shape[i] = i < rank ? shape[i] : 1;
        tensor.count *= tensor.shape[i];
    }
    tensor.size = (gsize)tensor.count * maxgl_dtype_size(dtype);
    g_hash_table_add(writer->names, (char *)tensor.name);
    g_array_append_val(writer->tensors, tensor);
}

/* A JSON string (RFC 8259, section 7). */
static void append_string(GString *json, const char *text)
{
    g_string_append_c(json, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_printf(json, "\\%c", *c);
        else if (*c == '\n')
            g_string_append(json, "\\n");
        else if ((guchar)*c < 0x20)
            g_string_append_printf(json, "\\u%04x", (guint)*c);
        else
            g_string_append_c(json, *c);
    }
    g_string_append_c(json, '"');
}

static void append_metadata(GString *json, GHashTable *metadata)
{
    GList *keys = g_list_sort(g_hash_table_get_keys(metadata), (GCompareFunc)strcmp);
    g_string_append(json, "\"__metadata__\":{");
    for (GList *key = keys; key; key = key->next) {
        append_string(json, key->data);
        g_string_append_c(json, ':');
        append_string(json, g_hash_table_lookup(metadata, key->data));
        if (key->next)
            g_string_append_c(json, ',');
    }
    g_string_append_c(json, '}');
    g_list_free(keys);
}

static void append_tensor(GString *json, const MaxglSafetensor *tensor, guint64 offset)
{
    if (json->len > 1)
        g_string_append_c(json, ',');
    append_string(json, tensor->name);
    g_string_append_printf(json, ":{\"dtype\":\"%s\",\"shape\":[", maxgl_dtype_name(tensor->dtype));
    for (int i = 0; i < tensor->rank; i++)
        g_string_append_printf(json, "%s%" G_GINT64_FORMAT, i ? "," : "", tensor->shape[i]);
    g_string_append_printf(json, "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", offset,
                           offset + tensor->size);
}

/* The tensors in the order of their data: wide elements first, so that no tensor's start is unaligned. */
static GPtrArray *data_order(const MaxglSafetensorsWriter *writer)
{
    static const gsize passes[] = {8, 4};
    GPtrArray *order = g_ptr_array_new();
    for (guint pass = 0; pass < G_N_ELEMENTS(passes); pass++)
        for (guint i = 0; i < writer->tensors->len; i++) {
            MaxglSafetensor *tensor = &g_array_index(writer->tensors, MaxglSafetensor, i);
            if (maxgl_dtype_size(tensor->dtype) == passes[pass])
                g_ptr_array_add(order, tensor);
        }
    return order;
}

gboolean maxgl_safetensors_writer_write(const MaxglSafetensorsWriter *writer, const char *path,
                                        GError **error)
{
    g_autoptr(GPtrArray) order = data_order(writer);
    g_autoptr(GString) json = g_string_new("{");
    guint64 offset = 0;
    if (g_hash_table_size(writer->metadata) > 0)
        append_metadata(json, writer->metadata);
    for (guint i = 0; i < order->len; i++) {
        const MaxglSafetensor *tensor = order->pdata[i];
        append_tensor(json, tensor, offset);
        offset += tensor->size;
    }
    g_string_append_c(json, '}');
    while (json->len % 8 != 0)
        g_string_append_c(json, ' ');

    MaxglFile *file = maxgl_file_create(path, error);
    if (!file)
        return FALSE;
    guint64 length = json->len;
    maxgl_file_write(file, &length, sizeof length, NULL);
    maxgl_file_write(file, json->str, json->len, NULL);
    for (guint i = 0; i < order->len; i++) {
        const MaxglSafetensor *tensor = order->pdata[i];
        maxgl_file_write(file, tensor->data, tensor->size, NULL);
    }
    return maxgl_file_commit(file, error);
}
