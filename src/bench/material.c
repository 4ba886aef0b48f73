#include "bench/material.h"

#include <string.h>

#define POOL 1048583 /* a prime, so that what lies side by side in a tensor is never the same */

struct MaxglMaterial {
    MaxglContext *context;
    GPtrArray *buffers, *host;
    float *pools[MAXGL_BFLOAT16 + 1]; /* by the storage that holds their numbers; drawn when asked for */
};

MaxglMaterial *maxgl_material_new(MaxglContext *context)
{
    MaxglMaterial *m = g_new0(MaxglMaterial, 1);
    m->context = context;
    m->buffers = g_ptr_array_new();
    m->host = g_ptr_array_new_with_free_func(g_free);
    return m;
}

void maxgl_material_free(MaxglMaterial *m)
{
    if (!m)
        return;
    for (guint i = 0; i < m->buffers->len; i++)
        maxgl_buffer_free(m->context, g_ptr_array_index(m->buffers, i));
    g_ptr_array_unref(m->buffers);
    g_ptr_array_unref(m->host);
    for (guint i = 0; i < G_N_ELEMENTS(m->pools); i++)
        g_free(m->pools[i]);
    g_free(m);
}

MaxglContext *maxgl_material_context(const MaxglMaterial *m)
{
    return m->context;
}

static const float *pool_of(MaxglMaterial *m, MaxglStorage storage)
{
    if (m->pools[storage])
        return m->pools[storage];
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    float *pool = m->pools[storage] = g_new(float, POOL);
    for (gsize i = 0; i < POOL; i++)
        pool[i] = maxgl_random_normal(&random);
    g_autofree void *stored = g_malloc(POOL * maxgl_storage_bytes(storage));
    maxgl_storage_pack(storage, pool, stored, POOL);
    maxgl_storage_unpack(storage, stored, pool, POOL);
    return pool;
}

static float *host_floats(MaxglMaterial *m, gsize n)
{
    float *values = g_new(float, MAX(n, 1));
    g_ptr_array_add(m->host, values);
    return values;
}

static float *draw(MaxglMaterial *m, MaxglStorage storage, gsize n, guint salt)
{
    const float *pool = pool_of(m, storage);
    float *values = host_floats(m, n);
    gsize from = (gsize)salt * 179424673U % POOL;
    for (gsize done = 0; done < n;) {
        const gsize part = MIN(n - done, POOL - from);
        memcpy(values + done, pool + from, part * sizeof(float));
        done += part;
        from = 0;
    }
    return values;
}

float *maxgl_material_random(MaxglMaterial *m, gsize n, guint salt)
{
    return draw(m, MAXGL_FLOAT32, n, salt);
}

float *maxgl_material_operand(MaxglMaterial *m, const MaxglShape *shape, guint salt)
{
    return draw(m, shape->storage, maxgl_shape_elements(shape), salt);
}

gboolean maxgl_material_buffer(MaxglMaterial *m, gsize bytes, cl_mem *buffer, GError **error)
{
    *buffer = NULL;
    if (bytes == 0)
        return TRUE;
    *buffer = maxgl_buffer_new(m->context, bytes, "a layer to measure", error);
    if (*buffer)
        g_ptr_array_add(m->buffers, *buffer);
    return *buffer != NULL;
}

gboolean maxgl_material_upload(MaxglMaterial *m, const void *data, gsize bytes, cl_mem *buffer,
                               GError **error)
{
    return maxgl_material_buffer(m, bytes, buffer, error) &&
           maxgl_buffer_write(m->context, *buffer, 0, data, bytes, error);
}

gboolean maxgl_material_tensor(MaxglMaterial *m, MaxglShape shape, const float *data, MaxglTensor *tensor,
                               GError **error)
{
    tensor->shape = shape;
    return maxgl_material_buffer(m, maxgl_shape_bytes(&shape), &tensor->buffer, error) &&
           (!data || maxgl_tensor_write(m->context, tensor, data, error));
}

const float *maxgl_material_read_tensor(MaxglMaterial *m, const MaxglTensor *tensor, GError **error)
{
    float *values = host_floats(m, maxgl_shape_elements(&tensor->shape));
    return maxgl_tensor_read(m->context, tensor, values, error) ? values : NULL;
}

const float *maxgl_material_read(MaxglMaterial *m, cl_mem buffer, gsize floats, GError **error)
{
    float *values = host_floats(m, floats);
    return maxgl_buffer_read(m->context, buffer, 0, values, floats * sizeof(float), error) ? values : NULL;
}
