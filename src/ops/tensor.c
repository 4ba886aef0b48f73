#include "ops/tensor.h"

#include "base/half.h"
#include <string.h>

const char *maxgl_storage_name(MaxglStorage storage)
{
    static const char *const names[] = {"fp32", "fp16", "bf16"};
    return names[storage];
}

char *maxgl_storage_option(const char *name, MaxglStorage storage)
{
    return storage == MAXGL_FLOAT32 ? g_strdup("") : g_strdup_printf(" -D%s=%d", name, (int)storage);
}

void maxgl_storage_pack(MaxglStorage storage, const float *floats, void *stored, gsize n)
{
    guint16 *to = stored;
    if (storage == MAXGL_FLOAT32)
        memcpy(stored, floats, n * sizeof *floats);
    else
        for (gsize i = 0; i < n; i++)
            to[i] = storage == MAXGL_FLOAT16 ? maxgl_half_from_float(floats[i])
                                             : maxgl_bfloat_from_float(floats[i]);
}

void maxgl_storage_unpack(MaxglStorage storage, const void *stored, float *floats, gsize n)
{
    const guint16 *from = stored;
    if (storage == MAXGL_FLOAT32)
        memcpy(floats, stored, n * sizeof *floats);
    else
        for (gsize i = 0; i < n; i++)
            floats[i] =
                storage == MAXGL_FLOAT16 ? maxgl_half_to_float(from[i]) : maxgl_bfloat_to_float(from[i]);
}

char *maxgl_shape_text(const MaxglShape *s)
{
    return g_strdup_printf("%d×%d×%d×%d×%d", s->n, s->c, s->t, s->h, s->w);
}

gboolean maxgl_tensor_new(MaxglContext *context, MaxglShape shape, const char *what, MaxglTensor *tensor,
                          GError **error)
{
    g_autofree char *text = maxgl_shape_text(&shape);
    g_autofree char *name = g_strdup_printf("%s (%s)", what, text);
    tensor->shape = shape;
    tensor->buffer = maxgl_buffer_new(context, maxgl_shape_bytes(&shape), name, error);
    return tensor->buffer != NULL;
}

void maxgl_tensor_release(MaxglContext *context, MaxglTensor *tensor)
{
    maxgl_buffer_free(context, tensor->buffer);
    tensor->buffer = NULL;
}

void maxgl_shape_pack(const MaxglShape *s, const float *plain, float *blocked)
{
    const gsize pixels = maxgl_shape_pixels(s);
    const int blocks = maxgl_shape_blocks(s), b = s->block;
    for (int n = 0; n < s->n; n++)
        for (int c = 0; c < blocks * b; c++) {
            float *to = blocked + ((gsize)n * blocks + c / b) * pixels * b + c % b;
            const float *from = plain + ((gsize)n * s->c + c) * pixels;
            for (gsize p = 0; p < pixels; p++)
                to[p * b] = c < s->c ? from[p] : 0.0F;
        }
}

void maxgl_shape_unpack(const MaxglShape *s, const float *blocked, float *plain)
{
    const gsize pixels = maxgl_shape_pixels(s);
    const int blocks = maxgl_shape_blocks(s), b = s->block;
    for (int n = 0; n < s->n; n++)
        for (int c = 0; c < s->c; c++) {
            const float *from = blocked + ((gsize)n * blocks + c / b) * pixels * b + c % b;
            float *to = plain + ((gsize)n * s->c + c) * pixels;
            for (gsize p = 0; p < pixels; p++)
                to[p] = from[p * b];
        }
}

/* Batches of clips are large: they are packed so much at a time. */
#define PIECE_BYTES ((gsize)4 << 20)

gboolean maxgl_tensor_write(MaxglContext *context, const MaxglTensor *tensor, const float *data,
                            GError **error)
{
    const int samples = tensor->shape.n;
    MaxglShape piece = tensor->shape;
    piece.n = 1;
    const gsize sample_bytes = maxgl_shape_bytes(&piece), elements = maxgl_shape_elements(&piece);
    const int most = (int)CLAMP(PIECE_BYTES / sample_bytes, 1, (gsize)samples);
    const gsize sample_floats = maxgl_shape_floats(&piece);
    g_autofree float *blocked = g_new(float, sample_floats *(gsize)most);
    g_autofree void *stored =
        tensor->shape.storage == MAXGL_FLOAT32 ? NULL : g_malloc(sample_bytes * (gsize)most);
    for (int n = 0; n < samples; n += most) {
        piece.n = MIN(most, samples - n);
        maxgl_shape_pack(&piece, data + (gsize)n * elements, blocked);
        if (stored)
            maxgl_storage_pack(piece.storage, blocked, stored, maxgl_shape_floats(&piece));
        if (!maxgl_buffer_write(context, tensor->buffer, (gsize)n * sample_bytes, stored ? stored : blocked,
                                maxgl_shape_bytes(&piece), error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_tensor_read(MaxglContext *context, const MaxglTensor *tensor, float *data, GError **error)
{
    const gsize floats = maxgl_shape_floats(&tensor->shape), bytes = maxgl_shape_bytes(&tensor->shape);
    g_autofree float *blocked = g_new(float, floats);
    g_autofree void *stored = tensor->shape.storage == MAXGL_FLOAT32 ? NULL : g_malloc(bytes);
    if (!maxgl_buffer_read(context, tensor->buffer, 0, stored ? stored : blocked, bytes, error))
        return FALSE;
    if (stored)
        maxgl_storage_unpack(tensor->shape.storage, stored, blocked, floats);
    maxgl_shape_unpack(&tensor->shape, blocked, data);
    return TRUE;
}

void maxgl_shape_convert(const MaxglShape *from, const void *x, const MaxglShape *to, void *y)
{
    if (from->block == to->block && from->storage == to->storage) {
        memcpy(y, x, maxgl_shape_bytes(from));
        return;
    }
    const gsize in = maxgl_shape_floats(from), out = maxgl_shape_floats(to);
    g_autofree float *floats = g_new0(float, MAX(in, out)),
                     *plain = g_new0(float, maxgl_shape_elements(from));
    maxgl_storage_unpack(from->storage, x, floats, in);
    maxgl_shape_unpack(from, floats, plain);
    maxgl_shape_pack(to, plain, floats);
    maxgl_storage_pack(to->storage, floats, y, out);
}
