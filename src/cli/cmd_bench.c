/* maxgl-cl bench: how fast things are on a device, and how that compares with other measurements. */
#include "base/interrupt.h"
#include "bench/layers.h"
#include "bench/network.h"
#include "cli/command.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *net, *clip, *pass, *json;
    int batch, classes, repeats;
    gboolean exact;
} Options;

static gboolean parse_clip(const char *text, MaxglResnetSpec *spec, GError **error)
{
    int used = 0;
    if (sscanf(text, "%dx%dx%d%n", &spec->frames, &spec->height, &spec->columns, &used) == 3 &&
        text[used] == '\0')
        return TRUE;
    return maxgl_command_usage(error, "--clip=%s: give frames, height and width, such as 16x112x112", text);
}

static MaxglResnet *make_resnet(const Options *o, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, o->net, error) || !parse_clip(o->clip, &spec, error))
        return NULL;
    spec.classes = o->classes;
    return maxgl_resnet_new(&spec, error);
}

/* What of the record says what was computed. */
static void add_work(JsonBuilder *b, const Options *o)
{
    maxgl_record_string(b, "net", o->net);
    maxgl_record_string(b, "clip", o->clip);
    maxgl_record_string(b, "algorithms", o->exact ? "exact" : "fast");
    maxgl_record_number(b, "batch", o->batch);
}

static void print_roof(const MaxglRoof *roof)
{
    printf("  the device's limits, measured: %.1f GFLOP/s of multiply-adds, copies at %.1f GB/s\n",
           roof->flops * 1e-9, roof->copy_bytes * 1e-9);
}

/* ---------------- a whole network ---------------- */

static void print_network(const Options *o, const MaxglNetworkTimes *t, const MaxglTimes *s)
{
    printf("%s, %d clips of %s, %s, %s algorithms, %d runs\n", o->net, o->batch, o->clip,
           g_str_equal(o->pass, "training") ? "training step" : "inference", o->exact ? "exact" : "fast",
           o->repeats);
    printf("  median %.1f ms, fastest %.1f ms, 90th percentile %.1f ms\n", s->median * 1e3, s->min * 1e3,
           s->p90 * 1e3);
    printf("  %.2f clips/s, %.1f GFLOP/s by the direct count\n", o->batch / s->median,
           2e-9 * t->macs / s->median);
    printf("  %.1f MiB of device memory, process %.1f MiB at most, %.1f s to build or load the kernels\n",
           (double)t->bytes / 1048576.0, (double)t->resident / 1048576.0, t->build_seconds);
}

static gboolean write_network(const Options *o, const MaxglContext *context, const MaxglNetworkTimes *t,
                              const MaxglTimes *s, const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    const double gflop = 2e-9 * t->macs;
    add_work(b, o);
    maxgl_record_times(b, s);
    json_builder_set_member_name(b, "seconds");
    json_builder_begin_array(b);
    for (int i = 0; i < o->repeats; i++)
        json_builder_add_double_value(b, t->seconds[i]);
    json_builder_end_array(b);
    maxgl_record_number(b, "direct_gflop", gflop);
    maxgl_record_number(b, "gflop_per_s", gflop / s->median);
    maxgl_record_number(b, "of_peak", gflop * 1e9 / s->median / roof->flops);
    maxgl_record_roof(b, roof);
    maxgl_record_number(b, "peak_device_bytes", (double)t->bytes);
    if (t->resident > 0)
        maxgl_record_number(b, "peak_resident_bytes", (double)t->resident);
    maxgl_record_number(b, "build_s", t->build_seconds);
    return maxgl_record_write(b, o->json, error);
}

static gboolean bench_network(const Options *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = make_resnet(o, error);
    const MaxglNetworkBench bench = {.mode = g_str_equal(o->pass, "training") ? MAXGL_NETWORK_TRAINING
                                                                              : MAXGL_NETWORK_INFERENCE,
                                     .batch = o->batch,
                                     .repeats = o->repeats,
                                     .exact = o->exact};
    MaxglNetworkTimes times = {0};
    MaxglRoof roof = {0};
    gboolean ok = resnet && maxgl_network_bench(context, resnet, &bench, &times, error) &&
                  maxgl_roof_measure(context, &roof, error);
    if (ok) {
        const MaxglTimes s = maxgl_times_of(times.seconds, o->repeats);
        print_network(o, &times, &s);
        print_roof(&roof);
        ok = !o->json || write_network(o, context, &times, &s, &roof, error);
    }
    maxgl_network_bench_clear(&times);
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
        add_percent(table, row->flops / t->median / roof->flops);
    } else {
        maxgl_table_add(table, "");
        maxgl_table_add(table, "");
    }
    maxgl_table_addf(table, "%.2f", row->bytes * 1e-6);
    add_percent(table, row->bytes / t->median / roof->copy_bytes);
    maxgl_table_addf(table, row->samples ? "%.1e" : "", row->error);
}

static void print_rows(const GPtrArray *rows, const MaxglRoof *roof)
{
    static const char *const titles[] = {"layer",    "pass",    "algorithm", ">median ms",   ">min",   ">p90",
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

static gboolean write_rows(const Options *o, const MaxglContext *context, const GPtrArray *rows,
                           const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_roof(b, roof);
    maxgl_record_rows(b, rows, roof);
    return maxgl_record_write(b, o->json, error);
}

static gboolean bench_layers(const Options *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = make_resnet(o, error);
    const MaxglLayersOptions options = {.batch = o->batch, .exact = o->exact, .repeats = o->repeats};
    MaxglRoof roof = {0};
    g_autoptr(GPtrArray) rows = resnet ? maxgl_bench_layers(context, resnet, &options, &roof, error) : NULL;
    if (!rows)
        return FALSE;
    printf("layers of %s, %d clips of %s, %s algorithms, %d runs\n", o->net, o->batch, o->clip,
           o->exact ? "exact" : "fast", o->repeats);
    print_roof(&roof);
    print_rows(rows, &roof);
    print_sums(rows);
    return !o->json || write_rows(o, context, rows, &roof, error);
}

/* ---------------- the command ---------------- */

typedef struct {
    const char *name;
    gboolean (*run)(const Options *o, MaxglContext *context, GError **error);
} Pass;

static const Pass passes[] = {
    {"inference", bench_network}, {"training", bench_network}, {"layers", bench_layers}};

static const Pass *find_pass(const char *name, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(passes); i++)
        if (g_str_equal(passes[i].name, name))
            return &passes[i];
    maxgl_command_usage(error, "--pass=%s: give inference, training or layers", name);
    return NULL;
}

static gboolean check_range(const char *option, int value, int most, GError **error)
{
    return (value >= 1 && value <= most) ||
           maxgl_command_usage(error, "--%s=%d is out of range; allowed: 1 … %d", option, value, most);
}

static gboolean run(const Options *o, GError **error)
{
    const Pass *pass = find_pass(o->pass, error);
    if (!pass || !check_range("batch", o->batch, 65536, error) ||
        !check_range("repeats", o->repeats, 100000, error))
        return FALSE;
    g_autoptr(MaxglResnet) resnet =
        make_resnet(o, error); /* wrong usage is said before a device is looked for */
    g_autoptr(MaxglContext) context = resnet ? maxgl_context_open(maxgl_command_device(), error) : NULL;
    if (!context)
        return FALSE;
    printf("%s (%s)\n", context->info->name, context->reason);
    return pass->run(o, context, error);
}

gboolean maxgl_cmd_bench(int argc, char **argv, GError **error)
{
    Options o = {.net = g_strdup("r3d_18"),
                 .clip = g_strdup("16x112x112"),
                 .pass = g_strdup("inference"),
                 .batch = 2,
                 .classes = 400,
                 .repeats = 5};
    const GOptionEntry entries[] = {
        {"pass", 'p', 0, G_OPTION_ARG_STRING, &o.pass,
         "inference; training: forward, backward and SGD; layers: each by itself (inference)", "PASS"},
        {"net", 'n', 0, G_OPTION_ARG_STRING, &o.net, "Network, as maxgl-cl model info names it (r3d_18)",
         "NET"},
        {"clip", 'c', 0, G_OPTION_ARG_STRING, &o.clip, "Clip size: frames, height, width (16x112x112)",
         "TxHxW"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &o.batch, "Clips at once (2)", "N"},
        {"classes", 0, 0, G_OPTION_ARG_INT, &o.classes, "Classes of the training step (400)", "N"},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &o.exact,
         "No algorithm whose rounding errors exceed direct summation's", NULL},
        {"repeats", 'r', 0, G_OPTION_ARG_INT, &o.repeats, "Timed runs, after one that is not counted (5)",
         "N"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &o.json, "Also write a record of the measurement", "FILE"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary =
            "Times a network with random weights on random clips, beside what the device can do at most.",
        .entries = entries,
        .examples = "  maxgl-cl bench\n"
                    "  maxgl-cl bench --net hara-r3d18 --batch 8 --pass training\n"
                    "  maxgl-cl bench --device gpu --pass layers --json layers.json",
        .more =
            "--pass layers measures every layer and pass that differs from those before it: time,\n"
            "algorithm, GFLOP/s by the direct count and what part of the device's measured peak that is,\n"
            "bytes that must be moved and what part of the measured bandwidth, and the relative L2\n"
            "error of 200 results against float64.\n"
            "\n"
            "MAXGL_PROFILE=1 prints the time of every kernel at the end (it waits for each, so the\n"
            "whole is slower then).",
        .max_arguments = 0,
    };
    gboolean ok = maxgl_command_parse(&help, &argc, &argv, error);
    if (ok) {
        maxgl_interrupt_install();
        ok = run(&o, error);
    }
    g_free(o.net);
    g_free(o.clip);
    g_free(o.pass);
    g_free(o.json);
    return ok;
}
