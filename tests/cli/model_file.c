#include "model_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

MaxglResnet *model_file_network(const char *name, int classes)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    assert_true(maxgl_resnet_spec_parse(&spec, name, NULL));
    spec.classes = classes;
    MaxglResnet *resnet = maxgl_resnet_new(&spec, NULL);
    assert_non_null(resnet);
    return resnet;
}

static float number(const char *name, gint64 i)
{
    return (float)((g_str_hash(name) + (guint)i * 2654435761U) >> 8) * 0x1p-24F + 0.25F;
}

static void add(MaxglSafetensorsWriter *writer, const char *full, const char *hara, const MaxglLayerTensor *t,
                GPtrArray *arrays)
{
    gint64 count = 1;
    for (int d = 0; d < t->rank; d++)
        count *= t->shape[d];
    float *values = g_new(float, count);
    g_ptr_array_add(arrays, values);
    for (gint64 i = 0; i < count; i++)
        values[i] = number(hara, i);
    maxgl_safetensors_writer_add(writer, full, MAXGL_DTYPE_F32, t->rank, t->shape, values);
}

void model_file_write(const char *path, const MaxglResnet *resnet, MaxglNaming naming, const char *prefix,
                      const char *leave_out)
{
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(g_free);
    static const gint64 seen = 77;
    maxgl_safetensors_writer_set_metadata(writer, "format", "pt");
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
        const int n = maxgl_layer_tensors(resnet, i, tensors);
        for (int j = 0; j < n; j++) {
            g_autofree char *hara = g_strdup_printf("%s.%s", layer->name, tensors[j].what);
            g_autofree char *own = g_strdup_printf("%s.%s", layer->prefix[naming], tensors[j].what);
            g_autofree char *full = g_strconcat(prefix, own, NULL);
            if (g_strcmp0(own, leave_out) != 0)
                add(writer, full, hara, &tensors[j], arrays);
        }
        g_autofree char *counter = g_strdup_printf("%s%s.num_batches_tracked", prefix, layer->prefix[naming]);
        if (layer->kind == MAXGL_LAYER_BATCH_NORM)
            maxgl_safetensors_writer_add(writer, counter, MAXGL_DTYPE_I64, 0, NULL, &seen);
    }
    assert_true(maxgl_safetensors_writer_write(writer, path, NULL));
}

void model_file_assert_tensor(const MaxglSafetensor *tensor, const char *name)
{
    assert_int_equal(tensor->dtype, MAXGL_DTYPE_F32);
    g_autofree float *values = g_new(float, tensor->count);
    maxgl_safetensor_copy_f32(tensor, values);
    for (gint64 i = 0; i < tensor->count; i++)
        if (values[i] != number(name, i))
            fail_msg("%s[%d] is %g and should be %g", tensor->name, (int)i, (double)values[i],
                     (double)number(name, i));
}

void model_file_write_raw(const char *path, const char *header, guint64 claimed, gsize data)
{
    const guint64 length = claimed ? claimed : strlen(header);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)&length, sizeof length);
    g_byte_array_append(bytes, (const guint8 *)header, (guint)strlen(header));
    const guint size = bytes->len;
    g_byte_array_set_size(bytes, size + (guint)data);
    memset(bytes->data + size, 0, data);
    assert_true(g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL));
}
