#include "bench/layers.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "bench/layer.h"

#include <string.h>

#define ROOF_EVERY 8 /* kinds of layers */

MaxglBenchRow *maxgl_layer_time(MaxglLayerBench *b, const char *pass, MaxglSequence *sequence, GError **error)
{
    MaxglTimes times;
    if (!maxgl_time_sequence(sequence, b->options->repeats, &times, error))
        return NULL;
    MaxglBenchRow *row = maxgl_bench_row_new(b->name, b->what, b->size, pass);
    row->count = b->count;
    row->times = times;
    g_ptr_array_add(b->rows, row);
    return row;
}

void maxgl_layer_compare(MaxglBenchRow *row, const float *got, gsize n, MaxglLayerReference reference,
                         gconstpointer data)
{
    MaxglDeviation deviation = {0};
    MaxglRandom random;
    maxgl_random_init(&random, 2, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < MAXGL_LAYER_SAMPLES; i++) {
        const gsize index =
            (((gsize)maxgl_random_next(&random) << 31) ^ (gsize)maxgl_random_next(&random)) % n;
        maxgl_deviation_add(&deviation, got[index], reference(data, index));
    }
    row->error = maxgl_deviation_relative(&deviation);
    row->samples = deviation.n;
}

/* A layer of its kind and size, and how many there are. */
typedef struct {
    int layer, count;
} Kind;

typedef struct {
    MaxglContext *context;
    const MaxglResnet *resnet;
    const MaxglLayersOptions *options;
} Plan;

static MaxglShape shape_of(const Plan *p, int tensor)
{
    return maxgl_precision_shape(p->options->precision, p->context, p->resnet, tensor, p->options->batch);
}

static char *size_of(const Plan *p, const MaxglLayer *l)
{
    const MaxglShape in = shape_of(p, l->input), out = shape_of(p, l->output);
    g_autofree char *from = maxgl_shape_text(&in), *to = maxgl_shape_text(&out);
    return g_strdup_printf("%s → %s", from, to);
}

/* Equal for layers that are measured once. */
static char *kind_text(const Plan *p, const MaxglLayer *l)
{
    g_autofree char *what = maxgl_layer_text(l), *size = size_of(p, l);
    return g_strdup_printf("%s, %s, padding %d,%d,%d%s", what, size, l->pad[0], l->pad[1], l->pad[2],
                           l->input == 0 ? ", first" : "");
}

static GArray *find_kinds(const Plan *p)
{
    GArray *kinds = g_array_new(FALSE, FALSE, sizeof(Kind));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < p->resnet->n_layers; i++) {
        const MaxglLayer *l = &p->resnet->layers[i];
        if (l->kind == MAXGL_LAYER_DROPOUT)
            continue; /* a feature vector's worth of work */
        char *text = kind_text(p, l);
        gpointer at;
        if (g_hash_table_lookup_extended(seen, text, NULL, &at)) {
            g_array_index(kinds, Kind, GPOINTER_TO_UINT(at)).count++;
            g_free(text);
            continue;
        }
        const Kind kind = {i, 1};
        g_hash_table_insert(seen, text, GUINT_TO_POINTER(kinds->len));
        g_array_append_val(kinds, kind);
    }
    return kinds;
}

static gboolean measure_layer(const Plan *p, MaxglLayerBench *b, int index, GError **error)
{
    const MaxglLayersOptions *options = p->options;
    const MaxglLayer *l = &p->resnet->layers[index];
    const MaxglShape in = shape_of(p, l->input), out = shape_of(p, l->output);
    switch (l->kind) {
    case MAXGL_LAYER_CONV3D: {
        MaxglConv3d conv =
            maxgl_precision_conv3d(options->precision, p->context, p->resnet, index, options->batch);
        conv.exact = options->exact;
        return maxgl_layer_conv3d(b, &conv, l->input == 0, error);
    }
    case MAXGL_LAYER_BATCH_NORM: {
        const MaxglBatchNorm norm = {in, 1e-5F, 0.1F, l->relu};
        return in.n * maxgl_shape_pixels(&in) == 1 || /* has no variance */
               maxgl_layer_batch_norm(b, &norm, l->residual >= 0, error);
    }
    case MAXGL_LAYER_MAX_POOL: {
        MaxglMaxPool pool = {.input = in};
        memcpy(pool.kernel, l->kernel, sizeof pool.kernel);
        memcpy(pool.stride, l->stride, sizeof pool.stride);
        memcpy(pool.pad, l->pad, sizeof pool.pad);
        return maxgl_layer_max_pool(b, &pool, error);
    }
    case MAXGL_LAYER_SHORTCUT_A: {
        MaxglSubsample subsample = {.input = in, .out_channels = out.c};
        memcpy(subsample.stride, l->stride, sizeof subsample.stride);
        return maxgl_layer_subsample(b, &subsample, error);
    }
    case MAXGL_LAYER_GLOBAL_POOL: {
        const MaxglAveragePool pool = {in, {1, 1, 1}};
        return maxgl_layer_average_pool(b, &pool, error);
    }
    case MAXGL_LAYER_LINEAR: {
        const MaxglLinear linear = {in, out.c, out.block};
        return maxgl_layer_linear(b, &linear, error);
    }
    case MAXGL_LAYER_DROPOUT:
        break;
    }
    return TRUE;
}

static gboolean measure_kind(const Plan *p, const Kind *kind, GPtrArray *rows, GError **error)
{
    const MaxglLayer *l = &p->resnet->layers[kind->layer];
    g_autofree char *what = maxgl_layer_text(l), *size = size_of(p, l);
    g_autoptr(MaxglMaterial) material = maxgl_material_new(p->context);
    MaxglLayerBench bench = {.options = p->options,
                             .material = material,
                             .rows = rows,
                             .name = l->name,
                             .what = what,
                             .size = size,
                             .count = kind->count};
    if (measure_layer(p, &bench, kind->layer, error))
        return TRUE;
    g_prefix_error(error, "%s: ", l->name);
    return FALSE;
}

/* The limits that @rows are held against. */
static gboolean measure_roof(MaxglContext *context, const GPtrArray *rows, MaxglRoof *roof, GError **error)
{
    guint units = 0;
    for (guint i = 0; i < rows->len; i++) {
        const MaxglBenchRow *row = g_ptr_array_index(rows, i);
        units |= row->on_units ? 1U << row->factors : 0;
    }
    for (int f = 0; f <= MAXGL_FACTORS_TF32; f++)
        if (units & 1U << f && !maxgl_roof_measure_matrix(context, (MaxglFactors)f, roof, error))
            return FALSE;
    return maxgl_roof_measure(context, roof, error);
}

GPtrArray *maxgl_bench_layers(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglLayersOptions *options, MaxglRoof *roof, GError **error)
{
    const Plan plan = {context, resnet, options};
    g_autoptr(GArray) kinds = find_kinds(&plan);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_bench_row_free);
    g_autoptr(MaxglProgress) progress = maxgl_progress_new("layers", kinds->len);
    const gint64 begun = g_get_monotonic_time();
    guint i = 0;
    for (; i < kinds->len && (options->limit <= 0 || maxgl_seconds_since(begun) < options->limit); i++) {
        const Kind *kind = &g_array_index(kinds, Kind, i);
        if (i % ROOF_EVERY == 0 && !measure_roof(context, rows, roof, error))
            return NULL;
        maxgl_progress_set(progress, i, "%s", resnet->layers[kind->layer].name);
        if (!measure_kind(&plan, kind, rows, error))
            return NULL;
    }
    if (options->left)
        *options->left = kinds->len - i;
    return measure_roof(context, rows, roof, error) ? g_steal_pointer(&rows) : NULL;
}

GPtrArray *maxgl_bench_layers_of(MaxglContext *context, const MaxglResnet *resnet, MaxglLayerKind kind,
                                 const MaxglLayersOptions *options, GError **error)
{
    const Plan plan = {context, resnet, options};
    g_autoptr(GArray) kinds = find_kinds(&plan);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_bench_row_free);
    for (guint i = 0; i < kinds->len; i++) {
        const Kind *k = &g_array_index(kinds, Kind, i);
        if (resnet->layers[k->layer].kind == kind && !measure_kind(&plan, k, rows, error))
            return NULL;
    }
    return g_steal_pointer(&rows);
}
