#include "formula.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

double *formula_noise(const char *name, gsize n)
{
    guint32 seed = 2166136261U;
    for (; *name; name++)
        seed = (seed ^ (guint8)*name) * 16777619U;
    double *noise = g_new(double, n);
    for (gsize i = 0; i < n; i++) {
        guint32 x = (guint32)i * 0x9E3779B9U + seed;
        x = (x ^ x >> 16) * 0x85EBCA6BU;
        x = (x ^ x >> 13) * 0xC2B2AE35U;
        x ^= x >> 16;
        noise[i] = (x >> 8) / 8388608.0 - 1;
    }
    return noise;
}

float *formula_parameter(const char *name, int rank, const gint64 *shape, gsize *count)
{
    gsize n = 1;
    for (int i = 0; i < rank; i++)
        n *= (gsize)shape[i];
    double scale = 0.2, offset = 1;
    if (g_str_has_suffix(name, "running_var")) {
        scale = 0.5;
    } else if (rank == 5) {
        scale = sqrt(6.0 / (double)(shape[0] * shape[2] * shape[3] * shape[4]));
        offset = 0;
    } else if (rank == 2) {
        scale = sqrt(3.0 / (double)shape[1]);
        offset = 0;
    } else if (g_str_has_suffix(name, "bias") || g_str_has_suffix(name, "running_mean")) {
        scale = 0.1;
        offset = 0;
    } else if (g_str_has_suffix(name, "bn3.weight")) {
        scale = 0.05;
        offset = 0.25;
    }
    g_autofree double *noise = formula_noise(name, n);
    float *values = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        values[i] = (float)(offset + scale * noise[i]);
    if (count)
        *count = n;
    return values;
}

float *formula_clips(const char *name, int n, int t, int s)
{
    const gsize st = (gsize)t, ss = (gsize)s, pt = (st + 3) / 4, ps = (ss + 7) / 8;
    const gsize count = (gsize)n * 3 * st * ss * ss;
    g_autofree char *coarse_name = g_strconcat(name, " patches", NULL);
    g_autofree double *coarse = formula_noise(coarse_name, (gsize)n * 3 * pt * ps * ps);
    g_autofree double *fine = formula_noise(name, count);
    float *clips = g_new(float, count);
    for (gsize i = 0; i < count; i++) {
        const gsize x = i % ss, y = i / ss % ss, z = i / (ss * ss) % st, c = i / (ss * ss * st);
        clips[i] = (float)(1.2 * coarse[((c * pt + z / 4) * ps + y / 8) * ps + x / 8] + 0.5 * fine[i]);
    }
    return clips;
}

void formula_fill(MaxglParameters *parameters)
{
    for (guint i = 0; i < maxgl_parameters_count(parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(parameters, i);
        /* The scores' weights are a matrix of one row in PyTorch. */
        const gboolean is_row = g_str_has_suffix(p->name, ".score.weight");
        const gint64 row[2] = {1, p->count};
        g_autofree float *values = is_row ? formula_parameter(p->name, 2, row, NULL)
                                          : formula_parameter(p->name, p->rank, p->shape, NULL);
        g_autoptr(GError) error = NULL;
        assert_ok(maxgl_parameters_write(parameters, i, values, &error), error);
    }
}

static void add_tensor(MaxglSafetensorsWriter *writer, GPtrArray *arrays, const char *prefix,
                       const char *layer, const char *what, int rank, const gint64 *shape)
{
    g_autofree char *name = g_strdup_printf("%s.%s", layer, what), *full = g_strconcat(prefix, name, NULL);
    float *values = formula_parameter(name, rank, shape, NULL);
    g_ptr_array_add(arrays, values);
    maxgl_safetensors_writer_add(writer, full, MAXGL_DTYPE_F32, rank, shape, values);
}

void formula_write_file(const char *path, const MaxglResnet *resnet, MaxglNaming naming, const char *prefix)
{
    static const gint64 zero = 0;
    static const char *const vectors[] = {"weight", "bias", "running_mean", "running_var"};
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *l = &resnet->layers[i];
        const gint64 in = resnet->tensors[l->input].map.c, out = resnet->tensors[l->output].map.c;
        const gint64 shape[5] = {out, in, l->kernel[0], l->kernel[1], l->kernel[2]};
        if (l->kind == MAXGL_LAYER_CONV3D || l->kind == MAXGL_LAYER_LINEAR)
            add_tensor(writer, arrays, prefix, l->prefix[naming], "weight",
                       l->kind == MAXGL_LAYER_LINEAR ? 2 : 5, shape);
        if (l->kind == MAXGL_LAYER_LINEAR)
            add_tensor(writer, arrays, prefix, l->prefix[naming], "bias", 1, shape);
        for (guint v = 0; l->kind == MAXGL_LAYER_BATCH_NORM && v < G_N_ELEMENTS(vectors); v++)
            add_tensor(writer, arrays, prefix, l->prefix[naming], vectors[v], 1, shape);
        if (l->kind == MAXGL_LAYER_BATCH_NORM) {
            g_autofree char *name = g_strdup_printf("%s%s.num_batches_tracked", prefix, l->prefix[naming]);
            maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_I64, 0, NULL, &zero);
        }
    }
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_safetensors_writer_write(writer, path, &error), error);
}

double relative_error(const float *got, const double *want, gsize n)
{
    double difference = 0, length = 0;
    for (gsize i = 0; i < n; i++) {
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        length += want[i] * want[i];
    }
    return isfinite(difference) ? sqrt(difference / length) : INFINITY;
}

double *golden_get(const MaxglSafetensors *golden, const char *name, gsize *count)
{
    const MaxglSafetensor *tensor = maxgl_safetensors_find(golden, name);
    if (!tensor)
        fail_msg("%s has no tensor %s", maxgl_safetensors_path(golden), name);
    g_autofree float *values = g_new(float, tensor->count);
    maxgl_safetensor_copy_f32(tensor, values);
    double *wide = g_new(double, tensor->count);
    for (gint64 i = 0; i < tensor->count; i++)
        wide[i] = values[i];
    if (count)
        *count = (gsize)tensor->count;
    return wide;
}

MaxglSafetensors *golden_open(const char *name)
{
    g_autofree char *path = g_build_filename(GOLDEN_DIR, name, NULL);
    g_autoptr(GError) error = NULL;
    MaxglSafetensors *golden = maxgl_safetensors_open(path, &error);
    assert_ok(golden != NULL, error);
    return golden;
}

MaxglResnet *resnet_named(const char *name, int classes, int t, int s)
{
    MaxglResnetSpec spec;
    g_autoptr(GError) error = NULL;
    maxgl_resnet_spec_init(&spec);
    assert_ok(maxgl_resnet_spec_parse(&spec, name, &error), error);
    spec.classes = classes;
    spec.frames = t;
    spec.height = spec.columns = s;
    MaxglResnet *resnet = maxgl_resnet_new(&spec, &error);
    assert_ok(resnet != NULL, error);
    return resnet;
}

void assert_ok_(gboolean ok, const GError *error, const char *file, int line)
{
    if (!ok) {
        print_error("%s:%d: %s\n", file, line, error ? error->message : "failed without a reason");
        fail();
    }
}
