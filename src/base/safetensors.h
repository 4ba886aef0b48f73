/* safetensors files: named tensors and text metadata. https://github.com/huggingface/safetensors (README,
 * "Format") */
#ifndef MAXGL_BASE_SAFETENSORS_H
#define MAXGL_BASE_SAFETENSORS_H

#include <glib.h>

#define MAXGL_SAFETENSORS_MAX_RANK 8

/** Element types that are recognised. */
typedef enum {
    MAXGL_DTYPE_F32,
    MAXGL_DTYPE_F16,
    MAXGL_DTYPE_BF16,
    MAXGL_DTYPE_F64,
    MAXGL_DTYPE_I64,
    MAXGL_DTYPE_I32,
    MAXGL_DTYPE_U8,
} MaxglDtype;

/** "F32", …: the name in the file. */
const char *maxgl_dtype_name(MaxglDtype dtype);

/** Bytes of one element. */
gsize maxgl_dtype_size(MaxglDtype dtype);

/** One tensor of an open file. */
typedef struct {
    const char *name;
    MaxglDtype dtype;
    int rank;                                 /**< 0 (a scalar) … 8 */
    gint64 shape[MAXGL_SAFETENSORS_MAX_RANK]; /**< @rank dimensions, the others 1 */
    gint64 count;                             /**< number of elements */
    const void *data; /**< @size bytes, little-endian, row-major, inside the mapped file; maybe unaligned */
    gsize size;       /**< bytes */
} MaxglSafetensor;

/** An open file, mapped and checked from end to end. */
typedef struct MaxglSafetensors MaxglSafetensors;

/** Maps @path and checks all of it: the header's length and JSON, and every tensor's dtype, shape and offsets
 * (inside the file, of the right size, without overlap or hole). #MAXGL_ERROR_FORMAT names file, tensor and
 * reason; #MAXGL_ERROR_NOT_FOUND or #MAXGL_ERROR_IO if it cannot be opened. Nothing beyond the file's end is
 * ever read. */
MaxglSafetensors *maxgl_safetensors_open(const char *path, GError **error);

void maxgl_safetensors_free(MaxglSafetensors *file);

/** The path it was opened with. */
const char *maxgl_safetensors_path(const MaxglSafetensors *file);

/** Number of tensors. */
guint maxgl_safetensors_count(const MaxglSafetensors *file);

/** Tensor number @index, in the order of the header. */
const MaxglSafetensor *maxgl_safetensors_get(const MaxglSafetensors *file, guint index);

/** The tensor called @name, NULL if there is none. */
const MaxglSafetensor *maxgl_safetensors_find(const MaxglSafetensors *file, const char *name);

/** The metadata under @key, NULL if there is none. Belongs to @file. */
const char *maxgl_safetensors_metadata(const MaxglSafetensors *file, const char *key);

/** All metadata keys in the file's order, NULL-terminated. Free with g_free() (the strings belong to @file).
 */
const char **maxgl_safetensors_metadata_keys(const MaxglSafetensors *file);

/** TRUE for F32, F16, BF16 and F64. */
gboolean maxgl_dtype_is_float(MaxglDtype dtype);

/** Converts a tensor of any float type into @out (tensor->count floats, the caller's). F64 is rounded to
 * nearest. The tensor's dtype must be a float one. */
void maxgl_safetensor_copy_f32(const MaxglSafetensor *tensor, float *out);

/** "[64, 3, 7, 7, 7]". */
char *maxgl_safetensor_shape_text(int rank, const gint64 *shape);

/** A file being put together. The bytes depend on the calls alone: metadata sorted by key; 8-byte types
 * before 4-byte ones (so that every tensor is aligned), otherwise in the order added. */
typedef struct MaxglSafetensorsWriter MaxglSafetensorsWriter;

MaxglSafetensorsWriter *maxgl_safetensors_writer_new(void);
void maxgl_safetensors_writer_free(MaxglSafetensorsWriter *writer);

/** Sets the metadata @key to @value (both copied, UTF-8); a second time replaces. */
void maxgl_safetensors_writer_set_metadata(MaxglSafetensorsWriter *writer, const char *key,
                                           const char *value);

/** Adds a tensor. @name (copied, UTF-8) must be new; @dtype F32, F64 or I64; @rank 0 … 8; @data is borrowed
 * until the file has been written: the product of @shape elements, row-major. */
void maxgl_safetensors_writer_add(MaxglSafetensorsWriter *writer, const char *name, MaxglDtype dtype,
                                  int rank, const gint64 *shape, const void *data);

/** Writes the file atomically (base/file.h). The writer can be used again. */
gboolean maxgl_safetensors_writer_write(const MaxglSafetensorsWriter *writer, const char *path,
                                        GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglSafetensors, maxgl_safetensors_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglSafetensorsWriter, maxgl_safetensors_writer_free)

#endif
