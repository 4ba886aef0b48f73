/* maxgl-cl bench: networks, their layers and heads. */
#include "bench/heads.h"
#include "bench/layers.h"
#include "bench/network.h"
#include "cli/bench_passes.h"
#include "cli/command.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

gboolean maxgl_bench_parse_clip(const char *text, MaxglResnetSpec *spec, GError **error)
{
    int used = 0;
    if (sscanf(text, "%dx%dx%d%n", &spec->frames, &spec->height, &spec->columns, &used) == 3 &&
        text[used] == '\0')
        return TRUE;
    return maxgl_command_usage(error, "--clip=%s: give frames, height and width, such as 16x112x112", text);
}

MaxglResnet *maxgl_bench_resnet(const MaxglBenchArguments *o, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, o->net, error) || !maxgl_bench_parse_clip(o->clip, &spec, error))
        return NULL;
    spec.classes = o->classes;
    return maxgl_resnet_new(&spec, error);
}

/* What of the record says what was computed. */
static void add_work(JsonBuilder *b, const MaxglBenchArguments *o)
{
    maxgl_record_string(b, "net", o->net);
    maxgl_record_string(b, "clip", o->clip);
    maxgl_record_string(b, "algorithms", o->exact ? "exact" : "fast");
    maxgl_record_number(b, "batch", o->batch);
    if (o->opened > 0)
        maxgl_record_number(b, "opened_resident_bytes", (double)o->opened);
}

static void print_roof(const MaxglRoof *roof)
{
    printf("  the device's limits, measured: %.1f GFLOP/s of multiply-adds, copies at %.1f GB/s\n",
           roof->flops * 1e-9, roof->copy_bytes * 1e-9);
    for (int f = 0; f <= MAXGL_FACTORS_TF32; f++)
        if (roof->matrix[f] > 0)
            printf("  matrix units, %s, measured: %.1f TFLOP/s; the peak of what runs on them\n",
                   maxgl_factors_name((MaxglFactors)f), roof->matrix[f] * 1e-12);
}

/* ---------------- a whole network ---------------- */

static void print_run(const MaxglBenchRun *run, const MaxglRoof *roof)
{
    const MaxglTimes t = maxgl_times_of(run->seconds, run->n);
    printf("  median %.1f ms, fastest %.1f ms, 90th percentile %.1f ms of %d runs\n", t.median * 1e3,
           t.min * 1e3, t.p90 * 1e3, run->n);
    printf("  %.1f GFLOP/s by the direct count, %.0f %% of the device's peak\n", 1e-9 * run->flops / t.median,
           100 * run->flops / t.median / roof->flops);
    printf("  %.1f MiB of device memory, process %.1f MiB at most, %.1f s to build or load the kernels\n",
           (double)run->device_bytes / 1048576.0, (double)run->resident_bytes / 1048576.0,
           run->build_seconds);
    print_roof(roof);
}

static gboolean write_network(const MaxglBenchArguments *o, const MaxglContext *context,
                              const MaxglBenchRun *run, const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_string(b, "precision", o->precision);
    maxgl_record_run(b, run, roof);
    return maxgl_record_write(b, o->json, error);
}

gboolean maxgl_bench_pass_network(const MaxglBenchArguments *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = maxgl_bench_resnet(o, error);
    const gboolean training = g_str_equal(o->pass, "training");
    const MaxglNetworkBench bench = {.mode = training ? MAXGL_NETWORK_TRAINING : MAXGL_NETWORK_INFERENCE,
                                     .batch = o->batch,
                                     .repeats = o->repeats,
                                     .exact = o->exact,
                                     .precision = (MaxglPrecision)maxgl_bench_precision(o, NULL)};
    MaxglBenchRun run = {0};
    MaxglRoof roof = {0};
    gboolean ok = resnet && maxgl_network_bench(context, resnet, &bench, &run, error) &&
                  maxgl_roof_measure(context, &roof, error);
    if (ok) {
        const gboolean plain = bench.precision == MAXGL_PRECISION_FP32;
        printf("%s, %d clips of %s, %s, %s algorithms%s%s: %.2f clips/s\n", o->net, o->batch, o->clip,
               training ? "training step" : "inference", o->exact ? "exact" : "fast", plain ? "" : ", ",
               plain ? "" : o->precision, o->batch / maxgl_times_of(run.seconds, run.n).median);
        print_run(&run, &roof);
        ok = !o->json || write_network(o, context, &run, &roof, error);
    }
    maxgl_bench_run_clear(&run);
    return ok;
}

/* ---------------- rows ---------------- */

static void add_percent(MaxglTable *table, double part)
{
    maxgl_table_addf(table, part < 0.1 ? "%.1f" : "%.0f", 100 * part);
}

/* What stands in the first column: name and number of layers, what it does, its size, one below the other. */
static void add_name(MaxglTable *table, const MaxglBenchRow *row, guint line)
{
    if (line == 0 && row->count > 1)
        maxgl_table_addf(table, "%s ×%d", row->name, row->count);
    else
        maxgl_table_add(table, line == 0 ? row->name : line == 1 ? row->what : line == 2 ? row->size : "");
}

static void add_row(MaxglTable *table, const MaxglBenchRow *row, guint line, const MaxglRoof *roof)
{
    const MaxglTimes *t = &row->times;
    add_name(table, row, line);
    maxgl_table_add(table, row->pass);
    maxgl_table_add(table, row->algorithm ? row->algorithm : "");
    maxgl_table_addf(table, "%.3f", t->median * 1e3);
    maxgl_table_addf(table, "%.3f", t->min * 1e3);
    maxgl_table_addf(table, "%.3f", t->p90 * 1e3);
    if (row->flops > 0) {
        maxgl_table_addf(table, "%.1f", row->flops * 1e-9 / t->median);
        add_percent(table, row->flops / t->median / maxgl_bench_row_peak(row, roof));
    } else {
        maxgl_table_add(table, "");
        maxgl_table_add(table, "");
    }
    maxgl_table_addf(table, "%.2f", row->bytes * 1e-6);
    add_percent(table, row->bytes / t->median / roof->copy_bytes);
    if (row->samples > 0)
        maxgl_table_addf(table, "%.1e", row->error);
    else
        maxgl_table_add(table, "");
}

static void print_rows(const char *title, const GPtrArray *rows, const MaxglRoof *roof)
{
    const char *const titles[] = {title,      "pass",    "algorithm", ">median ms",   ">min",   ">p90",
                                  ">GFLOP/s", ">% peak", ">MB",       ">% bandwidth", ">error", NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    guint line = 0;
    for (guint i = 0; i < rows->len; i++) {
        const MaxglBenchRow *row = g_ptr_array_index(rows, i);
        const MaxglBenchRow *before = i > 0 ? g_ptr_array_index(rows, i - 1) : NULL;
        line = before && g_str_equal(before->name, row->name) ? line + 1 : 0;
        add_row(table, row, line, roof);
    }
    maxgl_table_print(table, "  ");
}

/* The time of all layers, pass by pass. */
static void print_sums(const GPtrArray *rows)
{
    static const char *const passes[] = {"inference",        "forward",  "backward_data",
                                         "backward_weights", "backward", NULL};
    printf("  all layers, each as often as the network has it:");
    for (int p = 0; passes[p]; p++) {
        double seconds = 0;
        for (guint i = 0; i < rows->len; i++) {
            const MaxglBenchRow *row = g_ptr_array_index(rows, i);
            if (g_str_equal(row->pass, passes[p]))
                seconds += row->count * row->times.median;
        }
        printf("%s %s %.1f ms", p > 0 ? "," : "", passes[p], seconds * 1e3);
    }
    printf("\n");
}

static gboolean write_rows(const MaxglBenchArguments *o, const MaxglContext *context, const GPtrArray *rows,
                           const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_string(b, "precision", o->precision);
    maxgl_record_roof(b, roof);
    maxgl_record_matrix(b, roof);
    maxgl_record_rows(b, rows, roof);
    return maxgl_record_write(b, o->json, error);
}

gboolean maxgl_bench_pass_layers(const MaxglBenchArguments *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = maxgl_bench_resnet(o, error);
    const MaxglLayersOptions options = {.batch = o->batch,
                                        .exact = o->exact,
                                        .precision = (MaxglPrecision)maxgl_bench_precision(o, NULL),
                                        .repeats = o->repeats};
    const gboolean plain = options.precision == MAXGL_PRECISION_FP32;
    MaxglRoof roof = {0};
    g_autoptr(GPtrArray) rows = resnet ? maxgl_bench_layers(context, resnet, &options, &roof, error) : NULL;
    if (!rows)
        return FALSE;
    printf("layers of %s, %d clips of %s, %s algorithms%s%s, %d runs\n", o->net, o->batch, o->clip,
           o->exact ? "exact" : "fast", plain ? "" : ", ", plain ? "" : o->precision, o->repeats);
    print_roof(&roof);
    print_rows("layer", rows, &roof);
    print_sums(rows);
    return !o->json || write_rows(o, context, rows, &roof, error);
}

/* ---------------- heads ---------------- */

static gboolean write_heads(const MaxglBenchArguments *o, const MaxglContext *context,
                            const MaxglHeadsOptions *heads, const MaxglBenchRun *run, const GPtrArray *rows,
                            const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_heads(b, heads);
    maxgl_record_run(b, run, roof);
    maxgl_record_rows(b, rows, roof);
    return maxgl_record_write(b, o->json, error);
}

/* The index of @word in @choices, −1 with @error set if it is none of them. */
static int choice(const char *option, const char *word, const char *const *choices, GError **error)
{
    g_autofree char *all = g_strjoinv(", ", (char **)choices);
    for (int i = 0; choices[i]; i++)
        if (g_str_equal(choices[i], word))
            return i;
    maxgl_command_usage(error, "--%s=%s: give one of %s", option, word, all);
    return -1;
}

int maxgl_bench_estimator(const MaxglBenchArguments *o, GError **error)
{
    return choice("estimator", o->estimator, maxgl_mi_estimator_names, error);
}

int maxgl_bench_precision(const MaxglBenchArguments *o, GError **error)
{
    return choice("precision", o->precision, maxgl_precision_names, error);
}

int maxgl_bench_discriminator(const MaxglBenchArguments *o, GError **error)
{
    return choice("discriminator", o->discriminator, maxgl_discriminator_names, error);
}

gboolean maxgl_bench_pass_heads(const MaxglBenchArguments *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = maxgl_bench_resnet(o, error);
    if (!resnet)
        return FALSE;
    MaxglHeadsOptions heads;
    maxgl_heads_options_init(&heads, resnet, o->batch);
    heads.clips = o->clips_per_video;
    heads.estimator = (MaxglMiEstimator)maxgl_bench_estimator(o, NULL);
    heads.discriminator = (MaxglDiscriminator)maxgl_bench_discriminator(o, NULL);
    heads.repeats = o->repeats;
    if (o->regions > 0)
        heads.regions = o->regions;
    MaxglBenchRun run = {0};
    MaxglRoof roof = {0};
    g_autoptr(GPtrArray) rows = maxgl_bench_heads(context, &heads, &run, error);
    gboolean ok = rows && maxgl_roof_measure(context, &roof, error);
    if (ok) {
        printf("heads of %s, %d videos (%d clips each), %d regions, %s %d, %s: Global-MI and Local-MI with "
               "gradients\n",
               o->net, heads.videos, heads.clips, heads.regions, o->discriminator, heads.hidden,
               o->estimator);
        print_run(&run, &roof);
        print_rows("part", rows, &roof);
        ok = !o->json || write_heads(o, context, &heads, &run, rows, &roof, error);
    }
    maxgl_bench_run_clear(&run);
    return ok;
}
