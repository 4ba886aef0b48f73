/* The sections of the suite: each is one of the other measurements at the suite's sizes. */
#include "bench/heads.h"
#include "bench/host_device.h"
#include "bench/layers.h"
#include "bench/network.h"
#include "bench/prepare.h"
#include "bench/suite_private.h"

#include <maxgl/error.h>

/* ---------------- the device by itself ---------------- */

gboolean maxgl_suite_peaks(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    const MaxglDeviceInfo *device = s->context->info;
    if (!maxgl_roof_measure(s->context, &s->roof, error) ||
        !maxgl_roof_measure_local(s->context, &s->local_bytes, error) ||
        (device->fp16 && !maxgl_roof_measure_half(s->context, &s->half_flops, error)))
        return FALSE;
    g_string_append_printf(s->outcome, "%.1f GFLOP/s of multiply-adds, copies at %.1f GB/s",
                           s->roof.flops * 1e-9, s->roof.copy_bytes * 1e-9);
    for (int f = 0; f <= MAXGL_FACTORS_TF32; f++) {
        if (!maxgl_roof_measure_matrix(s->context, (MaxglFactors)f, &s->roof, error))
            return FALSE;
        if (s->roof.matrix[f] > 0)
            g_string_append_printf(s->outcome, "; matrix units, %s: %.1f TFLOP/s",
                                   maxgl_factors_name((MaxglFactors)f), s->roof.matrix[f] * 1e-12);
    }
    return TRUE; /* the record has them as "peaks", where what is measured later counts too */
}

static void add_times(JsonBuilder *b, const char *name, const MaxglTimes *times)
{
    json_builder_set_member_name(b, name);
    json_builder_begin_object(b);
    maxgl_record_times(b, times);
    json_builder_end_object(b);
}

gboolean maxgl_suite_launch(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    MaxglLaunchCost cost;
    if (!maxgl_bench_launch(s->context, 4 * s->sizes->repeats, &cost, error))
        return FALSE;
    add_times(b, "batched", &cost.batched);
    add_times(b, "finished", &cost.finished);
    g_string_append_printf(s->outcome, "%.2f µs a launch, %.2f µs when each is waited for",
                           cost.batched.median * 1e6, cost.finished.median * 1e6);
    return TRUE;
}

gboolean maxgl_suite_transfers(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    g_autoptr(GArray) rows =
        maxgl_bench_transfers(s->context, s->sizes->transfer_bytes, s->sizes->repeats, error);
    if (!rows)
        return FALSE;
    json_builder_set_member_name(b, "rows");
    json_builder_begin_array(b);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglTransfer *row = &g_array_index(rows, MaxglTransfer, i);
        const double rate = (double)row->bytes * 1e-9 / row->times.median;
        json_builder_begin_object(b);
        maxgl_record_string(b, "name", row->name);
        maxgl_record_number(b, "bytes", (double)row->bytes);
        maxgl_record_times(b, &row->times);
        maxgl_record_number(b, "gbyte_per_s", rate);
        json_builder_end_object(b);
        g_string_append_printf(s->outcome, "%s%s %.1f GB/s", i > 0 ? "; " : "", row->name, rate);
    }
    json_builder_end_array(b);
    return TRUE;
}

/* ---------------- networks ---------------- */

static MaxglResnet *make_resnet(const MaxglSuite *s, const char *name, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, name, error))
        return NULL;
    spec.frames = s->sizes->frames;
    spec.height = s->sizes->height;
    spec.columns = s->sizes->width;
    spec.classes = 400;
    return maxgl_resnet_new(&spec, error);
}

static void add_work(const MaxglSuite *s, JsonBuilder *b, const char *net)
{
    g_autofree char *clip = g_strdup_printf("%dx%dx%d", s->sizes->frames, s->sizes->height, s->sizes->width);
    maxgl_record_string(b, "net", net);
    maxgl_record_string(b, "clip", clip);
    maxgl_record_string(b, "algorithms", "fast");
}

static void leave_out(MaxglSuite *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void leave_out(MaxglSuite *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (s->left->len > 0)
        g_string_append(s->left, "; ");
    g_string_append_vprintf(s->left, format, arguments);
    va_end(arguments);
}

/* Something that is run at several sizes, each an element of "runs". */
typedef struct {
    const char *name; /* "8 clips" */
    int batch;
    gconstpointer data; /* of @measure */
    gboolean (*measure)(MaxglSuite *s, int batch, gconstpointer data, JsonBuilder *b, double *seconds,
                        GError **error);
} Work;

/* Appends what @work came to. What is too large for the device is an entry that says so. */
static gboolean add_run(MaxglSuite *s, JsonBuilder *runs, const Work *work, double *seconds, GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(GError) failed = NULL;
    json_builder_begin_object(b);
    maxgl_record_number(b, "batch", work->batch);
    s->context->peak = s->context->allocated;
    if (!work->measure(s, work->batch, work->data, b, seconds, &failed)) {
        if (!g_error_matches(failed, MAXGL_ERROR, MAXGL_ERROR_LIMIT)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        leave_out(s, "%s: %s", work->name, failed->message);
        return TRUE;
    }
    json_builder_end_object(b);
    json_builder_add_value(runs, json_builder_get_root(b));
    return TRUE;
}

static gboolean has_units(const MaxglSuite *s, MaxglPrecision precision)
{
    gboolean emulated;
    return maxgl_mma_of(s->context, maxgl_precision_factors(precision), &emulated) != NULL;
}

/* ---------------- layers ---------------- */

/* The layers of a network in one precision, in so many seconds. */
typedef struct {
    const char *name; /* of the precision */
    MaxglPrecision precision;
    double limit;
} Layers;

static gboolean measure_layers(MaxglSuite *s, int batch, gconstpointer data, JsonBuilder *b, double *seconds,
                               GError **error)
{
    const Layers *layers = data;
    guint left = 0;
    const MaxglLayersOptions options = {.batch = batch,
                                        .precision = layers->precision,
                                        .repeats = s->sizes->repeats,
                                        .limit = layers->limit,
                                        .left = &left};
    g_autoptr(MaxglResnet) resnet = make_resnet(s, s->sizes->net, error);
    g_autoptr(GPtrArray) rows =
        resnet ? maxgl_bench_layers(s->context, resnet, &options, &s->roof, error) : NULL;
    if (!rows)
        return FALSE;
    if (left > 0)
        leave_out(s, "%s, %u kinds of layers: more than %g s", layers->name, left, s->limit);
    maxgl_record_string(b, "precision", layers->name);
    maxgl_record_roof(b, &s->roof);
    maxgl_record_matrix(b, &s->roof);
    maxgl_record_rows(b, rows, &s->roof);
    g_string_append_printf(s->outcome, "%s%u passes in %s", s->outcome->len > 0 ? ", " : "", rows->len,
                           layers->name);
    return TRUE;
}

/* Appends the layers in a precision that matrix units have. If that fails, the float32 ones are still worth
 * having. FALSE only if it was interrupted. */
static gboolean add_layers(MaxglSuite *s, JsonBuilder *runs, const Layers *layers, GError **error)
{
    const Work work = {layers->name, s->sizes->layers_batch, layers, measure_layers};
    g_autoptr(GError) failed = NULL;
    if (s->broken) {
        leave_out(s, "%s: not begun", layers->name);
    } else if (layers->limit <= 0) {
        leave_out(s, "%s: more than %g s", layers->name, s->limit);
    } else if (!add_run(s, runs, &work, NULL, &failed)) {
        if (g_error_matches(failed, MAXGL_ERROR, MAXGL_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return FALSE;
        }
        leave_out(s, "%s: %s", layers->name, failed->message);
        s->broken = TRUE;
    }
    return TRUE;
}

/* Each precision gets an equal part of the time that is left. */
static gboolean add_layers_on_units(MaxglSuite *s, JsonBuilder *b, gint64 start, GError **error)
{
    MaxglPrecision all[MAXGL_PRECISION_BF16];
    guint n = 0;
    for (int p = MAXGL_PRECISION_TF32; maxgl_precision_names[p]; p++)
        if (s->sizes->precisions & 1U << p && has_units(s, (MaxglPrecision)p))
            all[n++] = (MaxglPrecision)p;
    if (n == 0)
        return TRUE;
    json_builder_set_member_name(b, "runs");
    json_builder_begin_array(b);
    for (guint i = 0; i < n; i++) {
        const double limit = (s->limit - maxgl_seconds_since(start)) / (n - i);
        const Layers layers = {maxgl_precision_names[all[i]], all[i], limit};
        if (!add_layers(s, b, &layers, error))
            return FALSE;
    }
    json_builder_end_array(b);
    return TRUE;
}

gboolean maxgl_suite_layers(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    const Layers layers = {maxgl_precision_names[MAXGL_PRECISION_FP32], MAXGL_PRECISION_FP32, s->limit};
    add_work(s, b, s->sizes->net);
    maxgl_record_number(b, "batch", s->sizes->layers_batch);
    return measure_layers(s, s->sizes->layers_batch, &layers, b, NULL, error) &&
           add_layers_on_units(s, b, start, error);
}

/* ---------------- whole networks ---------------- */

/* What a network is measured with. */
typedef struct {
    MaxglNetworkMode mode;
    MaxglPrecision precision;
} Network;

static gboolean measure_network(MaxglSuite *s, int batch, gconstpointer data, JsonBuilder *b, double *seconds,
                                GError **error)
{
    const Network *network = data;
    g_autoptr(MaxglResnet) resnet = make_resnet(s, s->sizes->net, error);
    const MaxglNetworkBench bench = {.mode = network->mode,
                                     .batch = batch,
                                     .repeats = s->sizes->repeats,
                                     .limit = s->limit,
                                     .precision = network->precision};
    MaxglBenchRun run = {0};
    const gboolean ok = resnet && maxgl_network_bench(s->context, resnet, &bench, &run, error);
    if (ok) {
        *seconds = maxgl_times_of(run.seconds, run.n).median;
        run.resident_bytes = 0; /* the whole suite's, not this run's */
        const double units = s->roof.matrix[maxgl_precision_factors(network->precision)];
        const MaxglRoof roof = {.flops = units > 0 ? units : s->roof.flops, .copy_bytes = s->roof.copy_bytes};
        maxgl_record_string(b, "precision", maxgl_precision_names[network->precision]);
        maxgl_record_run(b, &run, &roof);
        maxgl_record_number(b, "clips_per_s", batch / *seconds);
    }
    maxgl_bench_run_clear(&run);
    return ok;
}

/* All batches with one precision, until the section's time is up. FALSE only if the section has failed. */
static gboolean add_batches(MaxglSuite *s, JsonBuilder *b, const Network *network, gint64 start, int *done,
                            GError **error)
{
    const char *precision = maxgl_precision_names[network->precision];
    double seconds = 0;
    int before = 0;
    for (const int *batch = s->sizes->batches; *batch > 0; batch++) {
        g_autofree char *name = g_strdup_printf("%s, %d clip%s", precision, *batch, *batch == 1 ? "" : "s");
        const Work work = {name, *batch, network, measure_network};
        const double expected = before > 0 ? 2 * seconds * *batch / before : 0; /* one does not count */
        if (maxgl_seconds_since(start) + expected > s->limit && *done > 0) {
            leave_out(s, "%s: more than %g s", name, s->limit);
            continue;
        }
        seconds = 0;
        if (!add_run(s, b, &work, &seconds, error))
            return FALSE;
        if (seconds <= 0)
            continue;
        g_string_append_printf(s->outcome, "%s%s %.1f clips/s", *done > 0 ? "; " : "", name,
                               *batch / seconds);
        before = *batch;
        (*done)++;
    }
    return TRUE;
}

static gboolean add_networks(MaxglSuite *s, JsonBuilder *b, MaxglNetworkMode mode, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    int done = 0;
    if (!maxgl_roof_measure(s->context, &s->roof, error))
        return FALSE;
    add_work(s, b, s->sizes->net);
    json_builder_set_member_name(b, "runs");
    json_builder_begin_array(b);
    for (int precision = 0; maxgl_precision_names[precision]; precision++) {
        const Network network = {mode, (MaxglPrecision)precision};
        if (!(s->sizes->precisions & 1U << precision) ||
            (precision == MAXGL_PRECISION_TF32 && !has_units(s, MAXGL_PRECISION_TF32)))
            continue; /* tf32 is fp32 there */
        if (!add_batches(s, b, &network, start, &done, error))
            return FALSE;
    }
    json_builder_end_array(b);
    if (done > 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT, "%s", s->left->str);
    return FALSE;
}

gboolean maxgl_suite_inference(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    return add_networks(s, b, MAXGL_NETWORK_INFERENCE, error);
}

gboolean maxgl_suite_training(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    return add_networks(s, b, MAXGL_NETWORK_TRAINING, error);
}

/* ---------------- heads ---------------- */

static gboolean measure_heads(MaxglSuite *s, int batch, gconstpointer data, JsonBuilder *b, double *seconds,
                              GError **error)
{
    const MaxglHeadsOptions *options = data;
    MaxglBenchRun run = {0};
    g_autoptr(GPtrArray) rows = maxgl_bench_heads(s->context, options, &run, error);
    if (rows) {
        *seconds = maxgl_times_of(run.seconds, run.n).median;
        run.resident_bytes = 0;
        maxgl_record_string(b, "precision", "fp32");
        maxgl_record_heads(b, options);
        maxgl_record_run(b, &run, &s->roof);
        maxgl_record_rows(b, rows, &s->roof);
    }
    maxgl_bench_run_clear(&run);
    return rows != NULL;
}

gboolean maxgl_suite_heads(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    static const struct {
        MaxglMiEstimator estimator;
        MaxglDiscriminator discriminator;
    } kinds[] = {{MAXGL_MI_JSD, MAXGL_DISCRIMINATOR_CONCAT}, {MAXGL_MI_INFONCE, MAXGL_DISCRIMINATOR_DOT}};
    g_autoptr(MaxglResnet) resnet = make_resnet(s, s->sizes->heads_net, error);
    int done = 0;
    if (!resnet || !maxgl_roof_measure(s->context, &s->roof, error))
        return FALSE;
    add_work(s, b, s->sizes->heads_net);
    json_builder_set_member_name(b, "runs");
    json_builder_begin_array(b);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        MaxglHeadsOptions options;
        maxgl_heads_options_init(&options, resnet, s->sizes->videos);
        options.repeats = s->sizes->repeats;
        options.limit = s->limit / G_N_ELEMENTS(kinds);
        options.estimator = kinds[i].estimator;
        options.discriminator = kinds[i].discriminator;
        const char *name = maxgl_discriminator_names[options.discriminator];
        const Work work = {name, options.videos, &options, measure_heads};
        double seconds = 0;
        if (!add_run(s, b, &work, &seconds, error))
            return FALSE;
        if (seconds > 0)
            g_string_append_printf(s->outcome, "%s%s %s %.1f ms", done++ > 0 ? ", " : "",
                                   maxgl_mi_estimator_names[options.estimator], name, seconds * 1e3);
    }
    json_builder_end_array(b);
    if (done > 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT, "%s", s->left->str);
    return FALSE;
}

/* ---------------- data ---------------- */

gboolean maxgl_suite_preparation(MaxglSuite *s, JsonBuilder *b, GError **error)
{
    const MaxglPrepareOptions options = {.frames = s->sizes->frames,
                                         .height = s->sizes->height,
                                         .width = s->sizes->width,
                                         .video_width = s->sizes->video_width,
                                         .video_height = s->sizes->video_height,
                                         .batch = s->sizes->prepare_batch,
                                         .seconds = MIN(s->sizes->prepare_seconds, s->limit)};
    g_autoptr(GArray) rows = maxgl_bench_prepare(s->context, &options, error);
    if (!rows)
        return FALSE;
    g_autofree char *clip = g_strdup_printf("%dx%dx%d", options.frames, options.height, options.width);
    g_autofree char *video = g_strdup_printf("%dx%d", options.video_width, options.video_height);
    maxgl_record_string(b, "clip", clip);
    maxgl_record_string(b, "video", video);
    maxgl_record_number(b, "batch", options.batch);
    maxgl_record_data(b, rows);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        g_string_append_printf(s->outcome, "%s%s %.1f clips/s", i > 0 ? ", " : "", row->name,
                               (double)row->clips / row->seconds);
    }
    return TRUE;
}
