#include "base/array.h"

#include "base/file.h"

#include <maxgl/error.h>
#include <stdarg.h>
#include <string.h>

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define ALIGNMENT 64 /* of the data in the file, as NumPy writes it */

static const struct {
    const char *descr;
    gsize size;
} types[] = {
    [MAXGL_ARRAY_F32] = {"<f4", 4},
    [MAXGL_ARRAY_I64] = {"<i8", 8},
};

/* What the header's dictionary says. */
typedef struct {
    char descr[16];
    gboolean fortran;
    int rank;
    gint64 shape[MAXGL_ARRAY_MAX_RANK];
    gboolean has_descr, has_fortran, has_shape;
} Header;

/* A cursor over the header text. */
typedef struct {
    const char *at, *end;
} Cursor;

static void skip_space(Cursor *cursor)
{
    while (cursor->at < cursor->end && g_ascii_isspace(*cursor->at))
        cursor->at++;
}

static gboolean take(Cursor *cursor, char c)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != c)
        return FALSE;
    cursor->at++;
    return TRUE;
}

static gboolean take_word(Cursor *cursor, const char *word)
{
    gsize length = strlen(word);
    skip_space(cursor);
    if ((gsize)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return FALSE;
    cursor->at += length;
    return TRUE;
}

static gboolean take_string(Cursor *cursor, char *text, gsize size)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || (*cursor->at != '\'' && *cursor->at != '"'))
        return FALSE;
    const char *start = cursor->at + 1;
    const char *stop = memchr(start, *cursor->at, (gsize)(cursor->end - start));
    if (!stop || (gsize)(stop - start) >= size)
        return FALSE;
    memcpy(text, start, (gsize)(stop - start));
    text[stop - start] = '\0';
    cursor->at = stop + 1;
    return TRUE;
}

static gboolean take_integer(Cursor *cursor, gint64 *value)
{
    skip_space(cursor);
    const char *start = cursor->at;
    gint64 number = 0;
    for (; cursor->at < cursor->end && g_ascii_isdigit(*cursor->at); cursor->at++) {
        int digit = *cursor->at - '0';
        if (number > (G_MAXINT64 - digit) / 10)
            return FALSE;
        number = number * 10 + digit;
    }
    *value = number;
    return cursor->at > start;
}

static gboolean take_shape(Cursor *cursor, Header *header, const char **problem)
{
    if (!take(cursor, '('))
        return FALSE;
    while (!take(cursor, ')')) {
        gint64 extent;
        if (!take_integer(cursor, &extent))
            return FALSE;
        if (header->rank == MAXGL_ARRAY_MAX_RANK) {
            *problem = "more than 6 dimensions";
            return FALSE;
        }
        header->shape[header->rank++] = extent;
        if (!take(cursor, ',') && (cursor->at == cursor->end || *cursor->at != ')'))
            return FALSE;
    }
    return TRUE;
}

static gboolean take_entry(Cursor *cursor, Header *header, const char **problem)
{
    char key[16];
    if (!take_string(cursor, key, sizeof key) || !take(cursor, ':'))
        return FALSE;
    if (strcmp(key, "descr") == 0 && !header->has_descr) {
        header->has_descr = TRUE;
        if (take_string(cursor, header->descr, sizeof header->descr))
            return TRUE;
        if (take(cursor, '['))
            *problem = "structured elements, float32 ('<f4') is needed";
        return FALSE;
    }
    if (strcmp(key, "fortran_order") == 0 && !header->has_fortran) {
        header->has_fortran = TRUE;
        header->fortran = take_word(cursor, "True");
        return header->fortran || take_word(cursor, "False");
    }
    if (strcmp(key, "shape") == 0 && !header->has_shape) {
        header->has_shape = TRUE;
        return take_shape(cursor, header, problem);
    }
    return FALSE;
}

/* The dictionary {'descr': …, 'fortran_order': …, 'shape': …} in any order; @problem says what is wrong. */
static gboolean parse_header(const char *text, gsize size, Header *header, const char **problem)
{
    Cursor cursor = {text, text + size};
    *header = (Header){.rank = 0};
    *problem = "the header is not a dictionary of descr, fortran_order and shape";
    if (!take(&cursor, '{'))
        return FALSE;
    while (!take(&cursor, '}')) {
        if (!take_entry(&cursor, header, problem))
            return FALSE;
        if (!take(&cursor, ',') && (cursor.at == cursor.end || *cursor.at != '}'))
            return FALSE;
    }
    skip_space(&cursor);
    return cursor.at == cursor.end && header->has_descr && header->has_fortran && header->has_shape;
}

static gboolean format_error(GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean format_error(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", path, what);
    return FALSE;
}

/* Finds the header text and where the data starts. */
static gboolean find_header(const char *path, const guint8 *file, gsize size, gsize *start, gsize *length,
                            GError **error)
{
    if (size < MAGIC_SIZE + 4 || memcmp(file, MAGIC, MAGIC_SIZE) != 0)
        return format_error(error, path, "not a .npy file (it does not begin with \\x93NUMPY)");
    int version = file[MAGIC_SIZE];
    if (version < 1 || version > 3)
        return format_error(error, path, ".npy format version %d is not known (1 to 3 are)", version);
    *start = version == 1 ? 10 : 12;
    if (size < *start)
        return format_error(error, path, "truncated inside the header");
    *length = file[8] | (gsize)file[9] << 8;
    if (version > 1)
        *length |= (gsize)file[10] << 16 | (gsize)file[11] << 24;
    if (*length > size - *start)
        return format_error(error, path, "truncated inside the header");
    return TRUE;
}

/* Bytes of an array, or FALSE if that does not fit in 63 bits. */
static gboolean shape_bytes(int rank, const gint64 *shape, gsize element, gint64 *count, gsize *bytes)
{
    guint64 n = 1, total;
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || !g_uint64_checked_mul(&n, n, (guint64)shape[i]))
            return FALSE;
    if (!g_uint64_checked_mul(&total, n, element) || total > G_MAXINT64)
        return FALSE;
    *count = (gint64)n;
    *bytes = total;
    return TRUE;
}

static gboolean check_header(const char *path, const Header *header, gsize available, MaxglArray *array,
                             GError **error)
{
    gsize bytes;
    g_autofree char *shape = maxgl_array_shape_text(header->rank, header->shape);
    if (strcmp(header->descr, "<f4") != 0)
        return format_error(error, path, "elements of type '%s', float32 ('<f4') is needed", header->descr);
    if (header->rank == 0)
        return format_error(error, path, "a single number, an array of 1 to 6 dimensions is needed");
    if (header->fortran && header->rank > 1)
        return format_error(error, path, "Fortran order, C order is needed (numpy.ascontiguousarray)");
    if (!shape_bytes(header->rank, header->shape, sizeof(float), &array->count, &bytes))
        return format_error(error, path, "shape %s is too large", shape);
    if (available < bytes)
        return format_error(error, path,
                            "truncated: shape %s needs %" G_GSIZE_FORMAT
                            " bytes after the header, there are %" G_GSIZE_FORMAT,
                            shape, bytes, available);
    if (available > bytes)
        return format_error(error, path,
                            "shape %s needs %" G_GSIZE_FORMAT
                            " bytes after the header, there are %" G_GSIZE_FORMAT,
                            shape, bytes, available);
    return TRUE;
}

MaxglArray *maxgl_array_open(const char *path, GError **error)
{
    g_autoptr(GMappedFile) mapped = maxgl_file_map(path, error);
    if (!mapped)
        return NULL;
    const char *file = g_mapped_file_get_contents(mapped);
    gsize size = g_mapped_file_get_length(mapped), start = 0, length = 0;
    Header header;
    const char *problem;
    if (!find_header(path, (const guint8 *)file, size, &start, &length, error))
        return NULL;
    if (!parse_header(file + start, length, &header, &problem)) {
        format_error(error, path, "%s", problem);
        return NULL;
    }
    g_autoptr(MaxglArray) array = g_new0(MaxglArray, 1);
    gsize data = start + length;
    if (!check_header(path, &header, size - data, array, error))
        return NULL;

    array->rank = header.rank;
    for (int i = 0; i < MAXGL_ARRAY_MAX_RANK; i++)
        array->shape[i] = i < header.rank ? header.shape[i] : 1;
    if (data % sizeof(float) == 0) {
        g_autoptr(GBytes) all = g_mapped_file_get_bytes(mapped);
        array->owner = g_bytes_new_from_bytes(all, data, size - data);
    } else {
        array->owner = g_bytes_new(file + data, size - data);
    }
    array->data = g_bytes_get_data(array->owner, NULL);
    return g_steal_pointer(&array);
}

void maxgl_array_free(MaxglArray *array)
{
    if (!array)
        return;
    g_clear_pointer(&array->owner, g_bytes_unref);
    g_free(array);
}

char *maxgl_array_shape_text(int rank, const gint64 *shape)
{
    GString *text = g_string_new("(");
    for (int i = 0; i < rank; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i ? ", " : "", shape[i]);
    g_string_append(text, rank == 1 ? ",)" : ")");
    return g_string_free(text, FALSE);
}

struct MaxglArrayWriter {
    MaxglFile *file;
    MaxglArrayType type;
    int rank;
    gint64 shape[MAXGL_ARRAY_MAX_RANK];
    gsize row_bytes, header_bytes;
};

/* The whole header with @size bytes in all (a multiple of 64), so that it can be written again with more
 * rows. */
static GString *format_header(MaxglArrayType type, int rank, const gint64 *shape, gsize size)
{
    g_autofree char *text = maxgl_array_shape_text(rank, shape);
    GString *header = g_string_new_len(MAGIC "\x01\x00\x00\x00", MAGIC_SIZE + 4);
    g_string_append_printf(header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                           types[type].descr, text);
    if (size == 0) /* room for 19 digits of rows */
        size = (header->len + 20 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    while (header->len < size - 1)
        g_string_append_c(header, ' ');
    g_string_append_c(header, '\n');
    gsize length = header->len - 10;
    header->str[8] = (char)(length & 0xff);
    header->str[9] = (char)(length >> 8);
    return header;
}

MaxglArrayWriter *maxgl_array_writer_new(const char *path, MaxglArrayType type, int row_rank,
                                         const gint64 *row_shape, GError **error)
{
    gint64 count;
    gsize row_bytes;
    g_return_val_if_fail(row_rank >= 0 && row_rank < MAXGL_ARRAY_MAX_RANK, NULL);
    if (!shape_bytes(row_rank, row_shape, types[type].size, &count, &row_bytes)) {
        g_autofree char *shape = maxgl_array_shape_text(row_rank, row_shape);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "%s: rows of shape %s cannot be", path, shape);
        return NULL;
    }
    g_autoptr(MaxglFile) file = maxgl_file_create(path, error);
    if (!file)
        return NULL;
    MaxglArrayWriter *writer = g_new0(MaxglArrayWriter, 1);
    writer->type = type;
    writer->rank = row_rank + 1;
    for (int i = 0; i < row_rank; i++)
        writer->shape[i + 1] = row_shape[i];
    writer->row_bytes = row_bytes;
    g_autoptr(GString) header = format_header(type, writer->rank, writer->shape, 0);
    writer->header_bytes = header->len;
    maxgl_file_write(file, header->str, header->len, NULL);
    writer->file = g_steal_pointer(&file);
    return writer;
}

gboolean maxgl_array_writer_append(MaxglArrayWriter *writer, const void *rows, gint64 n, GError **error)
{
    writer->shape[0] += n;
    return maxgl_file_write(writer->file, rows, (gsize)n * writer->row_bytes, error);
}

gint64 maxgl_array_writer_rows(const MaxglArrayWriter *writer)
{
    return writer->shape[0];
}

gboolean maxgl_array_writer_commit(MaxglArrayWriter *writer, GError **error)
{
    g_autoptr(GString) header =
        format_header(writer->type, writer->rank, writer->shape, writer->header_bytes);
    maxgl_file_overwrite(writer->file, 0, header->str, header->len, NULL);
    gboolean good = maxgl_file_commit(writer->file, error);
    g_free(writer);
    return good;
}

void maxgl_array_writer_abandon(MaxglArrayWriter *writer)
{
    if (!writer)
        return;
    maxgl_file_abandon(writer->file);
    g_free(writer);
}

gboolean maxgl_array_save(const char *path, MaxglArrayType type, int rank, const gint64 *shape,
                          const void *data, GError **error)
{
    g_return_val_if_fail(rank >= 1, FALSE);
    MaxglArrayWriter *writer = maxgl_array_writer_new(path, type, rank - 1, shape + 1, error);
    if (!writer)
        return FALSE;
    maxgl_array_writer_append(writer, data, shape[0], NULL);
    return maxgl_array_writer_commit(writer, error);
}
