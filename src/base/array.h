/* NumPy's .npy files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef MAXGL_BASE_ARRAY_H
#define MAXGL_BASE_ARRAY_H

#include <glib.h>

#define MAXGL_ARRAY_MAX_RANK 6

/** Element types that are written. */
typedef enum {
    MAXGL_ARRAY_F32, /**< '<f4' */
    MAXGL_ARRAY_I64, /**< '<i8' */
} MaxglArrayType;

/** A float32 array of a file, C order (the last dimension is contiguous). */
typedef struct {
    int rank;                           /**< 1 … 6 */
    gint64 shape[MAXGL_ARRAY_MAX_RANK]; /**< @rank dimensions, the others 1 */
    gint64 count;                       /**< number of elements */
    const float *data; /**< @count numbers, read-only: pages of the file itself where aligned */
    GBytes *owner;     /**< what @data belongs to */
} MaxglArray;

/** Opens a float32 .npy file (format versions 1 to 3) without reading its data into memory.
 * #MAXGL_ERROR_FORMAT with the exact reason for anything but 1 to 6 dimensions of little-endian float32 in C
 * order and exactly that many bytes; #MAXGL_ERROR_IO or #MAXGL_ERROR_NOT_FOUND if it cannot be read. */
MaxglArray *maxgl_array_open(const char *path, GError **error);

void maxgl_array_free(MaxglArray *array);

/** "(8, 3, 16, 112, 112)". */
char *maxgl_array_shape_text(int rank, const gint64 *shape);

/** Writes a whole array at once, atomically. @data: the product of @shape elements of @type. */
gboolean maxgl_array_save(const char *path, MaxglArrayType type, int rank, const gint64 *shape,
                          const void *data, GError **error);

/** An array being written row by row, for when the number of rows is not known before. */
typedef struct MaxglArrayWriter MaxglArrayWriter;

/** Starts @path. A row has the dimensions @row_shape[0 … row_rank−1] (row_rank 0 … 5: the array has one more
 * in front). */
MaxglArrayWriter *maxgl_array_writer_new(const char *path, MaxglArrayType type, int row_rank,
                                         const gint64 *row_shape, GError **error);

/** Appends @n rows, one after the other in @rows. Failures stick as in maxgl_file_write(). */
gboolean maxgl_array_writer_append(MaxglArrayWriter *writer, const void *rows, gint64 n, GError **error);

/** Rows so far. */
gint64 maxgl_array_writer_rows(const MaxglArrayWriter *writer);

/** Puts the number of rows into the header and the file under its final name. Frees @writer in any case. */
gboolean maxgl_array_writer_commit(MaxglArrayWriter *writer, GError **error);

/** Drops what was written and frees @writer. NULL is nothing. */
void maxgl_array_writer_abandon(MaxglArrayWriter *writer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglArray, maxgl_array_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglArrayWriter, maxgl_array_writer_abandon)

#endif
