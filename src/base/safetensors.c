#include "base/safetensors.h"

#include "base/file.h"
#include "base/half.h"

#include <json-glib/json-glib.h>
#include <maxgl/error.h>
#include <stdarg.h>
#include <string.h>

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

#define HEADER_MAX 100000000 /* as in the reference implementation */
#define DEPTH_MAX 8
#define METADATA "__metadata__"

static const struct {
    const char *name;
    gsize size;
    gboolean is_float;
} dtypes[] = {
    [MAXGL_DTYPE_F32] = {"F32", 4, TRUE},   [MAXGL_DTYPE_F16] = {"F16", 2, TRUE},
    [MAXGL_DTYPE_BF16] = {"BF16", 2, TRUE}, [MAXGL_DTYPE_F64] = {"F64", 8, TRUE},
    [MAXGL_DTYPE_I64] = {"I64", 8, FALSE},  [MAXGL_DTYPE_I32] = {"I32", 4, FALSE},
    [MAXGL_DTYPE_U8] = {"U8", 1, FALSE},
};

struct MaxglSafetensors {
    char *path;
    GMappedFile *mapped;
    JsonParser *header;
    JsonObject *metadata; /* inside @header, or NULL */
    GArray *tensors;      /* of MaxglSafetensor, in the header's order; names belong to @header */
    GHashTable *by_name;  /* name → MaxglSafetensor */
};

const char *maxgl_dtype_name(MaxglDtype dtype)
{
    return dtypes[dtype].name;
}

gsize maxgl_dtype_size(MaxglDtype dtype)
{
    return dtypes[dtype].size;
}

gboolean maxgl_dtype_is_float(MaxglDtype dtype)
{
    return dtypes[dtype].is_float;
}

char *maxgl_safetensor_shape_text(int rank, const gint64 *shape)
{
    GString *text = g_string_new("[");
    for (int i = 0; i < rank; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i ? ", " : "", shape[i]);
    g_string_append_c(text, ']');
    return g_string_free(text, FALSE);
}

static gboolean fail(GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean fail(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", path, what);
    return FALSE;
}

/* One object, not deeply nested, of nothing but JSON's characters. The parser itself takes comments and more
 * text behind the object, and recurses as deep as it is told to. */
static gboolean check_nesting(const MaxglSafetensors *file, const char *text, gsize size, GError **error)
{
    int depth = 0;
    gsize i = 0;
    do {
        char c = text[i];
        if (c == '"') {
            for (i++; i < size && text[i] != '"'; i++)
                if (text[i] == '\\')
                    i++;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (!g_ascii_isalnum(c) && !(c && strchr(":,+-. \t\r\n", c))) {
            return fail(error, file->path, "the header is not JSON at byte %" G_GSIZE_FORMAT, i + 8);
        }
        if (depth > DEPTH_MAX)
            return fail(error, file->path, "the header is nested more than %d levels deep", DEPTH_MAX);
        i++;
    } while (i < size && depth > 0);
    while (i < size && strchr(" \t\r\n", text[i]) && text[i])
        i++;
    if (i < size)
        return fail(error, file->path, "more text after the header's object at byte %" G_GSIZE_FORMAT, i + 8);
    return TRUE;
}

/* The first member that an object has twice: the parser keeps the last of them and does not complain. */
typedef struct {
    GHashTable *seen; /* object address and name */
    char *twice;
} Members;

static void on_member(JsonParser *parser, JsonObject *object, const char *name, gpointer data)
{
    Members *members = data;
    if (!g_hash_table_add(members->seen, g_strdup_printf("%p %s", (void *)object, name)) && !members->twice)
        members->twice = g_strdup(name);
}

static gboolean parse_json(MaxglSafetensors *file, const char *text, gsize size, GError **error)
{
    g_autoptr(GError) reason = NULL;
    const char *bad;
    if (size == 0 || text[0] != '{')
        return fail(error, file->path, "the header does not begin with '{'");
    if (!g_utf8_validate_len(text, size, &bad))
        return fail(error, file->path, "the header is not UTF-8 at byte %" G_GSIZE_FORMAT,
                    (gsize)(bad - text) + 8);
    if (!check_nesting(file, text, size, error))
        return FALSE;

    Members members = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), NULL};
    gulong handler = g_signal_connect(file->header, "object-member", G_CALLBACK(on_member), &members);
    gboolean good = json_parser_load_from_data(file->header, text, (gssize)size, &reason);
    g_signal_handler_disconnect(file->header, handler);
    g_hash_table_unref(members.seen);
    g_autofree char *twice = members.twice;
    if (!good)
        return fail(error, file->path, "the header is not JSON: %s", reason->message);
    JsonNode *root = json_parser_get_root(file->header);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return fail(error, file->path, "the header is not a JSON object");
    if (twice)
        return fail(error, file->path, "the header has \"%s\" twice", twice);
    return TRUE;
}

static gboolean check_metadata(MaxglSafetensors *file, JsonNode *node, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return fail(error, file->path, METADATA " is not an object");
    file->metadata = json_node_get_object(node);
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init(&iter, file->metadata);
    while (json_object_iter_next(&iter, &key, &value))
        if (!JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_STRING)
            return fail(error, file->path, METADATA ": the value of \"%s\" is not a string", key);
    return TRUE;
}

/* The @index-th element as a non-negative integer. */
static gboolean element_integer(JsonArray *array, guint index, gint64 *value)
{
    JsonNode *node = json_array_get_element(array, index);
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
        return FALSE;
    *value = json_node_get_int(node);
    return *value >= 0;
}

static gboolean read_dtype(MaxglSafetensors *file, JsonObject *entry, MaxglSafetensor *tensor, GError **error)
{
    JsonNode *node = json_object_get_member(entry, "dtype");
    if (!node)
        return fail(error, file->path, "tensor %s: no dtype", tensor->name);
    const char *name = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
    if (!name)
        return fail(error, file->path, "tensor %s: dtype is not a string", tensor->name);
    for (guint i = 0; i < G_N_ELEMENTS(dtypes); i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            tensor->dtype = (MaxglDtype)i;
            return TRUE;
        }
    }
    return fail(error, file->path,
                "tensor %s: dtype \"%s\" is not known (F32, F16, BF16, F64, I64, I32, U8 are)", tensor->name,
                name);
}

static gboolean read_shape(MaxglSafetensors *file, JsonObject *entry, MaxglSafetensor *tensor, GError **error)
{
    JsonNode *node = json_object_get_member(entry, "shape");
    if (!node)
        return fail(error, file->path, "tensor %s: no shape", tensor->name);
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return fail(error, file->path, "tensor %s: shape is not an array", tensor->name);
    JsonArray *array = json_node_get_array(node);
    guint rank = json_array_get_length(array);
    if (rank > MAXGL_SAFETENSORS_MAX_RANK)
        return fail(error, file->path, "tensor %s: %u dimensions, at most %d are possible", tensor->name,
                    rank, MAXGL_SAFETENSORS_MAX_RANK);
    tensor->rank = (int)rank;
    guint64 count = 1;
    for (guint i = 0; i < MAXGL_SAFETENSORS_MAX_RANK; i++) {
        tensor->shape[i] = 1;
        if (i < rank && !element_integer(array, i, &tensor->shape[i]))
            return fail(error, file->path, "tensor %s: dimension %u of the shape is not an integer from 0 up",
                        tensor->name, i);
        if (!g_uint64_checked_mul(&count, count, (guint64)tensor->shape[i]) || count > G_MAXINT64 / 8)
            return fail(error, file->path, "tensor %s: the shape has more elements than any file",
                        tensor->name);
    }
    tensor->count = (gint64)count;
    return TRUE;
}

/* Sets data and size after checking them against the file's @available data bytes. */
static gboolean read_offsets(MaxglSafetensors *file, JsonObject *entry, MaxglSafetensor *tensor,
                             const char *data, gsize available, GError **error)
{
    JsonNode *node = json_object_get_member(entry, "data_offsets");
    if (!node)
        return fail(error, file->path, "tensor %s: no data_offsets", tensor->name);
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    gint64 begin, end;
    if (!array || json_array_get_length(array) != 2 || !element_integer(array, 0, &begin) ||
        !element_integer(array, 1, &end))
        return fail(error, file->path, "tensor %s: data_offsets is not a pair of integers from 0 up",
                    tensor->name);
    if (begin > end)
        return fail(error, file->path,
                    "tensor %s: data_offsets [%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "] are reversed",
                    tensor->name, begin, end);
    if ((guint64)end > available)
        return fail(error, file->path,
                    "tensor %s: data_offsets [%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                    "] reach beyond the file, which has %" G_GSIZE_FORMAT " bytes of data (truncated?)",
                    tensor->name, begin, end, available);
    gsize need = (gsize)tensor->count * dtypes[tensor->dtype].size;
    tensor->size = (gsize)(end - begin);
    tensor->data = data + begin;
    if (tensor->size != need) {
        g_autofree char *shape = maxgl_safetensor_shape_text(tensor->rank, tensor->shape);
        return fail(error, file->path,
                    "tensor %s: %s of shape %s needs %" G_GSIZE_FORMAT
                    " bytes, data_offsets give %" G_GSIZE_FORMAT,
                    tensor->name, dtypes[tensor->dtype].name, shape, need, tensor->size);
    }
    return TRUE;
}

static gboolean read_tensors(MaxglSafetensors *file, const char *data, gsize available, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init_ordered(&iter, json_node_get_object(json_parser_get_root(file->header)));
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        if (strcmp(name, METADATA) == 0) {
            if (!check_metadata(file, node, error))
                return FALSE;
            continue;
        }
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return fail(error, file->path, "tensor %s: its entry is not an object", name);
        JsonObject *entry = json_node_get_object(node);
        MaxglSafetensor tensor = {.name = name};
        if (!read_dtype(file, entry, &tensor, error) || !read_shape(file, entry, &tensor, error) ||
            !read_offsets(file, entry, &tensor, data, available, error))
            return FALSE;
        g_array_append_val(file->tensors, tensor);
    }
    return TRUE;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
    const MaxglSafetensor *x = *(const MaxglSafetensor *const *)a, *y = *(const MaxglSafetensor *const *)b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    /* An empty tensor goes before the one that begins where it does. */
    return x->size < y->size ? -1 : x->size > y->size;
}

/* The tensors must cover the data from its first to its last byte, each byte once. */
static gboolean check_cover(MaxglSafetensors *file, const char *data, gsize available, GError **error)
{
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint i = 0; i < file->tensors->len; i++)
        g_ptr_array_add(order, &g_array_index(file->tensors, MaxglSafetensor, i));
    g_ptr_array_sort(order, compare_places);
    const char *at = data;
    for (guint i = 0; i < order->len; i++) {
        const MaxglSafetensor *tensor = order->pdata[i];
        const char *begin = tensor->data;
        if (begin < at)
            return fail(error, file->path, "tensor %s: its data overlap those of %s", tensor->name,
                        ((const MaxglSafetensor *)order->pdata[i - 1])->name);
        if (begin > at)
            return fail(error, file->path, "tensor %s: a hole of %" G_GSIZE_FORMAT " bytes before its data",
                        tensor->name, (gsize)(begin - at));
        at = begin + tensor->size;
    }
    gsize rest = available - (gsize)(at - data);
    if (rest > 0)
        return fail(error, file->path, "%" G_GSIZE_FORMAT " bytes at the end belong to no tensor", rest);
    return TRUE;
}

static gboolean read_file(MaxglSafetensors *file, GError **error)
{
    const char *contents = g_mapped_file_get_contents(file->mapped);
    gsize size = g_mapped_file_get_length(file->mapped);
    guint64 length;
    if (size < sizeof length)
        return fail(error, file->path,
                    "not a safetensors file: %" G_GSIZE_FORMAT " bytes, the first 8 are the header's length",
                    size);
    memcpy(&length, contents, sizeof length);
    if (length > HEADER_MAX)
        return fail(error, file->path,
                    "not a safetensors file: header of %" G_GUINT64_FORMAT " bytes, at most %d are allowed",
                    length, HEADER_MAX);
    if (length > size - sizeof length)
        return fail(error, file->path,
                    "header of %" G_GUINT64_FORMAT " bytes, but only %" G_GSIZE_FORMAT " follow (truncated?)",
                    length, size - sizeof length);
    const char *data = contents + sizeof length + length;
    gsize available = size - sizeof length - length;
    return parse_json(file, contents + sizeof length, length, error) &&
           read_tensors(file, data, available, error) && check_cover(file, data, available, error);
}

MaxglSafetensors *maxgl_safetensors_open(const char *path, GError **error)
{
    GMappedFile *mapped = maxgl_file_map(path, error);
    if (!mapped)
        return NULL;
    g_autoptr(MaxglSafetensors) file = g_new0(MaxglSafetensors, 1);
    file->path = g_strdup(path);
    file->mapped = mapped;
    file->header = json_parser_new_immutable();
    file->tensors = g_array_new(FALSE, FALSE, sizeof(MaxglSafetensor));
    file->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    if (!read_file(file, error))
        return NULL;
    for (guint i = 0; i < file->tensors->len; i++) {
        MaxglSafetensor *tensor = &g_array_index(file->tensors, MaxglSafetensor, i);
        g_hash_table_insert(file->by_name, (char *)tensor->name, tensor);
    }
    return g_steal_pointer(&file);
}

void maxgl_safetensors_free(MaxglSafetensors *file)
{
    if (!file)
        return;
    g_clear_pointer(&file->by_name, g_hash_table_unref);
    g_clear_pointer(&file->tensors, g_array_unref);
    g_clear_object(&file->header);
    g_clear_pointer(&file->mapped, g_mapped_file_unref);
    g_free(file->path);
    g_free(file);
}

const char *maxgl_safetensors_path(const MaxglSafetensors *file)
{
    return file->path;
}

guint maxgl_safetensors_count(const MaxglSafetensors *file)
{
    return file->tensors->len;
}

const MaxglSafetensor *maxgl_safetensors_get(const MaxglSafetensors *file, guint index)
{
    g_return_val_if_fail(index < file->tensors->len, NULL);
    return &g_array_index(file->tensors, MaxglSafetensor, index);
}

const MaxglSafetensor *maxgl_safetensors_find(const MaxglSafetensors *file, const char *name)
{
    return g_hash_table_lookup(file->by_name, name);
}

const char *maxgl_safetensors_metadata(const MaxglSafetensors *file, const char *key)
{
    if (!file->metadata || !json_object_has_member(file->metadata, key))
        return NULL;
    return json_object_get_string_member(file->metadata, key);
}

const char **maxgl_safetensors_metadata_keys(const MaxglSafetensors *file)
{
    GPtrArray *keys = g_ptr_array_new();
    JsonObjectIter iter;
    const char *key;
    if (file->metadata) {
        json_object_iter_init_ordered(&iter, file->metadata);
        while (json_object_iter_next_ordered(&iter, &key, NULL))
            g_ptr_array_add(keys, (char *)key);
    }
    g_ptr_array_add(keys, NULL);
    return (const char **)g_ptr_array_free(keys, FALSE);
}

void maxgl_safetensor_copy_f32(const MaxglSafetensor *tensor, float *out)
{
    const char *in = tensor->data;
    gsize step = dtypes[tensor->dtype].size;
    g_return_if_fail(dtypes[tensor->dtype].is_float);
    if (tensor->dtype == MAXGL_DTYPE_F32) {
        memcpy(out, in, tensor->size);
        return;
    }
    for (gint64 i = 0; i < tensor->count; i++, in += step) {
        if (tensor->dtype == MAXGL_DTYPE_F64) {
            double value;
            memcpy(&value, in, sizeof value);
            out[i] = (float)value;
            continue;
        }
        guint16 half;
        memcpy(&half, in, sizeof half);
        out[i] = tensor->dtype == MAXGL_DTYPE_F16 ? maxgl_half_to_float(half) : maxgl_bfloat_to_float(half);
    }
}
