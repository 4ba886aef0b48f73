#include "bench/material.h"

#include <string.h>

#define POOL 1048583 /* a prime, so that what lies side by side in a tensor is never the same */

struct MaxglMaterial {
    MaxglContext *context;
    GPtrArray *buffers, *host;
    float *pool;
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
    g_free(m->pool);
    g_free(m);
}

MaxglContext *maxgl_material_context(const MaxglMaterial *m)
{
    return m->context;
}

static void fill_pool(MaxglMaterial *m)
{
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    m->pool = g_new(float, POOL);
    for (gsize i = 0; i < POOL; i++)
        m->pool[i] = maxgl_random_normal(&random);
}

static float *host_floats(MaxglMaterial *m, gsize n)
{
    float *values = g_new(float, MAX(n, 1));
    g_ptr_array_add(m->host, values);
    return values;
}

float *maxgl_material_random(MaxglMaterial *m, gsize n, guint salt)
{
    if (!m->pool)
        fill_pool(m);
    float *values = host_floats(m, n);
    gsize from = (gsize)salt * 179424673U % POOL;
    for (gsize done = 0; done < n;) {
        const gsize part = MIN(n - done, POOL - from);
        memcpy(values + done, m->pool + from, part * sizeof(float));
        done += part;
        from = 0;
    }
    return values;
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
