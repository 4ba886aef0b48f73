/* maxgl-cl bench: how fast a network runs on a device. */
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/bench_network.h"
#include "cli/command.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

typedef struct {
    char *net, *clip, *pass, *json;
    int batch, classes, repeats;
    gboolean exact;
} Options;

typedef struct {
    double median, min, p90;
} Summary;

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Summary summarise(const double *seconds, int n)
{
    g_autofree double *sorted = g_memdup2(seconds, sizeof(double) * (gsize)n);
    qsort(sorted, (gsize)n, sizeof(double), compare_doubles);
    const double median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    return (Summary){.median = median, .min = sorted[0], .p90 = sorted[MIN(n - 1, (int)(0.9 * n))]};
}

static void add_string(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_string_value(b, value);
}

static void add_number(JsonBuilder *b, const char *name, double value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_double_value(b, value);
}

static void add_device(JsonBuilder *b, const MaxglDeviceInfo *d)
{
    struct utsname os;
    uname(&os);
    add_string(b, "device", d->name);
    add_string(b, "platform", d->platform_name);
    add_string(b, "platform_version", d->platform_version);
    add_string(b, "driver", d->driver_version);
    add_number(b, "compute_units", d->compute_units);
    add_string(b, "os", os.sysname);
    add_string(b, "kernel", os.release);
}

/* One record as docs/benchmarks.md describes it. */
static gboolean write_json(const Options *o, const MaxglContext *context, const MaxglNetworkTimes *t,
                           const Summary *s, GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    add_string(b, "program", "maxgl-cl " MAXGL_VERSION);
    add_device(b, context->info);
    add_string(b, "net", o->net);
    add_string(b, "clip", o->clip);
    add_string(b, "pass", o->pass);
    add_string(b, "algorithms", o->exact ? "exact" : "fast");
    add_number(b, "batch", o->batch);
    add_number(b, "n", o->repeats);
    add_number(b, "median_s", s->median);
    add_number(b, "min_s", s->min);
    add_number(b, "p90_s", s->p90);
    json_builder_set_member_name(b, "seconds");
    json_builder_begin_array(b);
    for (int i = 0; i < o->repeats; i++)
        json_builder_add_double_value(b, t->seconds[i]);
    json_builder_end_array(b);
    add_number(b, "direct_gflop", 2e-9 * t->macs);
    add_number(b, "gflop_per_s", 2e-9 * t->macs / s->median);
    add_number(b, "peak_device_bytes", (double)t->bytes);
    add_number(b, "build_s", t->build_seconds);
    json_builder_end_object(b);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(b);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    gsize length = 0;
    g_autofree char *text = json_generator_to_data(generator, &length);
    return maxgl_file_write_atomic(o->json, text, length, error);
}

static gboolean parse_clip(const char *text, MaxglResnetSpec *spec, GError **error)
{
    int used = 0;
    if (sscanf(text, "%dx%dx%d%n", &spec->frames, &spec->height, &spec->columns, &used) == 3 &&
        text[used] == '\0')
        return TRUE;
    return maxgl_command_usage(error, "--clip=%s: give frames, height and width, such as 16x112x112", text);
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!g_str_equal(o->pass, "inference") && !g_str_equal(o->pass, "training"))
        return maxgl_command_usage(error, "--pass=%s: give inference or training", o->pass);
    if (o->batch < 1 || o->batch > 65536)
        return maxgl_command_usage(error, "--batch=%d is out of range; allowed: 1 … 65536", o->batch);
    if (o->repeats < 1 || o->repeats > 100000)
        return maxgl_command_usage(error, "--repeats=%d is out of range; allowed: 1 … 100000", o->repeats);
    return TRUE;
}

static gboolean run(const Options *o, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!check_options(o, error) || !maxgl_resnet_spec_parse(&spec, o->net, error) ||
        !parse_clip(o->clip, &spec, error))
        return FALSE;
    spec.classes = o->classes;
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&spec, error);
    g_autoptr(MaxglContext) context = resnet ? maxgl_context_open(maxgl_command_device(), error) : NULL;
    if (!context)
        return FALSE;
    const gboolean training = g_str_equal(o->pass, "training");
    const MaxglNetworkBench bench = {.mode = training ? MAXGL_NETWORK_TRAINING : MAXGL_NETWORK_INFERENCE,
                                     .batch = o->batch,
                                     .repeats = o->repeats,
                                     .exact = o->exact};
    MaxglNetworkTimes times = {0};
    gboolean ok = maxgl_network_bench(context, resnet, &bench, &times, error);
    if (ok) {
        const Summary s = summarise(times.seconds, o->repeats);
        printf("%s (%s)\n", context->info->name, context->reason);
        printf("%s, %d clips of %s, %s, %s algorithms, %d runs\n", o->net, o->batch, o->clip,
               training ? "training step" : "inference", o->exact ? "exact" : "fast", o->repeats);
        printf("  median %.1f ms, fastest %.1f ms, 90th percentile %.1f ms\n", s.median * 1e3, s.min * 1e3,
               s.p90 * 1e3);
        printf("  %.2f clips/s, %.1f GFLOP/s by the direct count\n", o->batch / s.median,
               2e-9 * times.macs / s.median);
        printf("  %.1f MiB of device memory, %.1f s to build or load the kernels\n",
               (double)times.bytes / 1048576.0, times.build_seconds);
        ok = !o->json || write_json(o, context, &times, &s, error);
    }
    maxgl_network_bench_clear(&times);
    return ok;
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
        {"net", 'n', 0, G_OPTION_ARG_STRING, &o.net, "Network, as maxgl-cl model info names it (r3d_18)",
         "NET"},
        {"clip", 'c', 0, G_OPTION_ARG_STRING, &o.clip, "Clip size: frames, height, width (16x112x112)",
         "TxHxW"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &o.batch, "Clips at once (2)", "N"},
        {"classes", 0, 0, G_OPTION_ARG_INT, &o.classes, "Classes of the training step (400)", "N"},
        {"pass", 'p', 0, G_OPTION_ARG_STRING, &o.pass, "inference, or training: forward, backward and SGD",
         "PASS"},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &o.exact,
         "No algorithm whose rounding errors exceed direct summation's", NULL},
        {"repeats", 'r', 0, G_OPTION_ARG_INT, &o.repeats, "Timed runs, after one that is not counted (5)",
         "N"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &o.json, "Also write a record of the measurement", "FILE"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary = "Times a network with random weights on random clips.",
        .entries = entries,
        .examples = "  maxgl-cl bench\n"
                    "  maxgl-cl bench --net hara-r3d18 --batch 8 --pass training\n"
                    "  maxgl-cl bench --device gpu --json result.json",
        .more = "MAXGL_PROFILE=1 prints the time of every kernel at the end (it waits for each, so the\n"
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
