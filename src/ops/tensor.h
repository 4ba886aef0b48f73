/* Tensors on the device. */
#ifndef MAXGL_OPS_TENSOR_H
#define MAXGL_OPS_TENSOR_H

#include "compute/buffer.h"

/** How the numbers of a tensor are stored. Whatever it is, operators compute with floats. */
typedef enum {
    MAXGL_FLOAT32,
    MAXGL_FLOAT16,  /**< IEEE 754 binary16 */
    MAXGL_BFLOAT16, /**< the upper half of a float */
} MaxglStorage;

/** "fp32", "fp16" or "bf16". */
const char *maxgl_storage_name(MaxglStorage storage);

/** Bytes of one number. */
static inline gsize maxgl_storage_bytes(MaxglStorage storage)
{
    return storage == MAXGL_FLOAT32 ? sizeof(float) : sizeof(guint16);
}

/**
 * Logical shape N, C, T, H, W (time, height, width) and how it lies in memory: channel-blocked, N, ⌈C/b⌉, T,
 * H, W, b. Channels past C up to the next multiple of b exist and are zero in every tensor: operators rely on
 * it and keep it so. A matrix of N rows and F features is a tensor with T = H = W = 1, C = F.
 */
typedef struct {
    int n, c, t, h, w;
    int block; /**< b, at least 1; b = 1 is PyTorch's order */
    MaxglStorage storage;
} MaxglShape;

/** A tensor: a shape and a buffer of maxgl_shape_bytes() bytes, which it does not own. */
typedef struct {
    MaxglShape shape;
    cl_mem buffer;
} MaxglTensor;

/** A shape stored as floats. */
static inline MaxglShape maxgl_shape(int n, int c, int t, int h, int w, int block)
{
    return (MaxglShape){n, c, t, h, w, block, MAXGL_FLOAT32};
}

/** The same shape stored otherwise. */
static inline MaxglShape maxgl_shape_stored(MaxglShape shape, MaxglStorage storage)
{
    shape.storage = storage;
    return shape;
}

/** ⌈C/b⌉. */
static inline int maxgl_shape_blocks(const MaxglShape *s)
{
    return (s->c + s->block - 1) / s->block;
}

/** Channels in memory: C with the padding of its last block. */
static inline gsize maxgl_shape_padded_channels(const MaxglShape *s)
{
    return (gsize)maxgl_shape_blocks(s) * s->block;
}

/** T·H·W. */
static inline gsize maxgl_shape_pixels(const MaxglShape *s)
{
    return (gsize)s->t * s->h * s->w;
}

/** Numbers in memory, padding channels included. */
static inline gsize maxgl_shape_floats(const MaxglShape *s)
{
    return (gsize)s->n * maxgl_shape_padded_channels(s) * maxgl_shape_pixels(s);
}

static inline gsize maxgl_shape_bytes(const MaxglShape *s)
{
    return maxgl_shape_floats(s) * maxgl_storage_bytes(s->storage);
}

/** N·C·T·H·W: floats in PyTorch's order, without padding channels. */
static inline gsize maxgl_shape_elements(const MaxglShape *s)
{
    return (gsize)s->n * s->c * maxgl_shape_pixels(s);
}

static inline gboolean maxgl_shape_equal(const MaxglShape *a, const MaxglShape *b)
{
    return a->n == b->n && a->c == b->c && a->t == b->t && a->h == b->h && a->w == b->w &&
           a->block == b->block && a->storage == b->storage;
}

/** "2×64×16×56×56"; caller frees. */
char *maxgl_shape_text(const MaxglShape *shape);

/** A tensor in a buffer of its own, contents undefined; MAXGL_ERROR_LIMIT or _DEVICE. Give back with
 * maxgl_tensor_release(). */
gboolean maxgl_tensor_new(MaxglContext *context, MaxglShape shape, const char *what, MaxglTensor *tensor,
                          GError **error);
void maxgl_tensor_release(MaxglContext *context, MaxglTensor *tensor);

/** Copies N·C·T·H·W floats in PyTorch's order into the tensor, rounding them as it stores them and clearing
 * its padding channels, and waits. */
gboolean maxgl_tensor_write(MaxglContext *context, const MaxglTensor *tensor, const float *data,
                            GError **error);

/** Copies the tensor to N·C·T·H·W floats in PyTorch's order and waits. */
gboolean maxgl_tensor_read(MaxglContext *context, const MaxglTensor *tensor, float *data, GError **error);

/** Host memory in PyTorch's order ↔ blocked (padding zeroed), floats both; the two must not overlap. */
void maxgl_shape_pack(const MaxglShape *shape, const float *plain, float *blocked);
void maxgl_shape_unpack(const MaxglShape *shape, const float *blocked, float *plain);

/** Host memory: @n floats as @storage holds them, each rounded to the nearest number that there is, ties to
 * even; and back. */
void maxgl_storage_pack(MaxglStorage storage, const float *floats, void *stored, gsize n);
void maxgl_storage_unpack(MaxglStorage storage, const void *stored, float *floats, gsize n);

/** " -DX_STORAGE=1": what makes a kernel read or write @name with cl/storage.clh, nothing for floats; caller
 * frees. */
char *maxgl_storage_option(const char *name, MaxglStorage storage);

/** Host memory: a tensor of @from stored as @to is, in the blocks of @to. The shapes are the same but for
 * those. */
void maxgl_shape_convert(const MaxglShape *from, const void *x, const MaxglShape *to, void *y);

#endif
