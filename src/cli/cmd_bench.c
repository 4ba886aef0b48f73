/* maxgl-cl bench: how fast things are on a device, and how that compares with other measurements. */
#include "base/interrupt.h"
#include "bench/record.h"
#include "cli/bench_compare.h"
#include "cli/bench_passes.h"
#include "cli/command.h"
#include "net/max_gl.h"

#include <stdio.h>

#define DEFAULT_BATCH G_MININT /* none was given */

/* ---------------- the command ---------------- */

/* What can be measured, and what is measured unless something else is asked for. */
typedef struct {
    const char *name, *net;
    int batch;
    gboolean (*run)(const MaxglBenchArguments *o, MaxglContext *context, GError **error);
} Pass;

static const Pass passes[] = {
    {"inference", "r3d_18", 2, maxgl_bench_pass_network}, {"training", "r3d_18", 2, maxgl_bench_pass_network},
    {"layers", "r3d_18", 2, maxgl_bench_pass_layers},     {"heads", "hara-r3d18", 32, maxgl_bench_pass_heads},
    {"data", "r3d_18", 8, maxgl_bench_pass_data},         {"recipe", "r3d_18", 2, maxgl_bench_pass_recipe}};

static const Pass *find_pass(const char *name, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(passes); i++)
        if (g_str_equal(passes[i].name, name))
            return &passes[i];
    maxgl_command_usage(error, "--pass=%s: give inference, training, layers, heads, data or recipe", name);
    return NULL;
}

static gboolean check_range(const char *option, int value, int least, int most, GError **error)
{
    return (value >= least && value <= most) ||
           maxgl_command_usage(error, "--%s=%d is out of range; allowed: %d … %d", option, value, least,
                               most);
}

static gboolean check_options(const MaxglBenchArguments *o, GError **error)
{
    const gboolean heads = g_str_equal(o->pass, "heads");
    if (!check_range("batch", o->batch, heads ? 2 : 1, 65536, error) ||
        !check_range("repeats", o->repeats, 1, 100000, error) ||
        !check_range("regions", o->regions, 0, 65536, error) ||
        !check_range("clips-per-video", o->clips_per_video, heads ? 2 : 1, MAXGL_MAX_CLIPS, error) ||
        maxgl_bench_estimator(o, error) < 0 || maxgl_bench_discriminator(o, error) < 0 ||
        maxgl_bench_precision(o, error) < 0)
        return FALSE;
    if (!g_str_equal(o->precision, "fp32") && !g_str_equal(o->pass, "inference") &&
        !g_str_equal(o->pass, "training") && !g_str_equal(o->pass, "layers"))
        return maxgl_command_usage(error, "--precision=%s is for inference, training and layers",
                                   o->precision);
    if (!(o->seconds > 0 && o->seconds <= 3600))
        return maxgl_command_usage(error, "--seconds=%g is out of range; allowed: above 0, up to 3600",
                                   o->seconds);
    if (g_str_equal(o->pass, "data") && !o->data)
        return maxgl_command_usage(error, "--data is missing: a folder of videos, a list, or synth:");
    if (g_str_equal(o->pass, "recipe") != (o->config != NULL))
        return maxgl_command_usage(error,
                                   o->config ? "--config=%s is for --pass recipe"
                                             : "--config is missing: the recipe that trains%s",
                                   o->config ? o->config : "");
    if (o->sets && !o->config)
        return maxgl_command_usage(error, "--set=%s is for --pass recipe", o->sets[0]);
    return TRUE;
}

static gboolean run(MaxglBenchArguments *o, GError **error)
{
    const Pass *pass = find_pass(o->pass, error);
    if (!pass)
        return FALSE;
    if (!o->net)
        o->net = g_strdup(pass->net);
    if (o->batch == DEFAULT_BATCH)
        o->batch = pass->batch;
    if (!check_options(o, error))
        return FALSE;
    g_autoptr(MaxglResnet) resnet =
        maxgl_bench_resnet(o, error); /* wrong usage is said before a device is looked for */
    g_autoptr(MaxglContext) context = resnet ? maxgl_context_open(maxgl_command_device(), error) : NULL;
    if (!context)
        return FALSE;
    o->opened = maxgl_resident_bytes();
    printf("%s (%s)\n", context->info->name, context->reason);
    return pass->run(o, context, error);
}

/* Options that only one of the ways to call the command has. */
static gboolean check_ways(const MaxglBenchArguments *o, int records, const char *first, GError **error)
{
    if (o->suite + o->compare + o->check + (o->predict != NULL) > 1)
        return maxgl_command_usage(error, "--suite, --compare, --check and --predict: give one of them");
    if (!o->compare && !o->check && records > 0)
        return maxgl_command_usage(error, "\"%s\" was not expected without --compare or --check", first);
    if ((o->compare || o->check) && records == 0)
        return maxgl_command_usage(error, "--%s: records expected, as --json writes them",
                                   o->compare ? "compare" : "check");
    if (!o->compare && o->out)
        return maxgl_command_usage(error, "--out=%s is for --compare; a record is written by --json", o->out);
    if (o->suite && o->pass)
        return maxgl_command_usage(error, "--pass=%s: --suite measures all of them", o->pass);
    if (o->predict && o->pass)
        return maxgl_command_usage(error, "--pass=%s: --predict says inference and training", o->pass);
    if (!o->suite && (o->quick || o->sections || o->note || o->limit != 0))
        return maxgl_command_usage(error, "--%s is for --suite",
                                   o->quick      ? "quick"
                                   : o->sections ? "sections"
                                   : o->note     ? "note"
                                                 : "limit");
    return TRUE;
}

/* @records: @n of them, then a NULL. */
static gboolean run_any(MaxglBenchArguments *o, int n, const char *const *records, GError **error)
{
    if (!check_ways(o, n, records[0], error))
        return FALSE;
    if (o->compare)
        return maxgl_bench_compare(records, o->out ? o->out : "bench.html", error);
    if (o->check)
        return maxgl_bench_check(records, error);
    if (o->suite)
        return maxgl_bench_pass_suite(o, error);
    maxgl_command_default(&o->pass, "inference");
    if (o->predict) {
        maxgl_command_default(&o->net, "r3d_18");
        o->batch = o->batch == DEFAULT_BATCH ? 8 : o->batch;
        return check_options(o, error) && maxgl_bench_predict(o, error);
    }
    return run(o, error);
}

static const char examples[] = "  maxgl-cl bench\n"
                               "  maxgl-cl bench --net hara-r3d18 --batch 8 --pass training\n"
                               "  maxgl-cl bench --device gpu --pass layers --json layers.json\n"
                               "  maxgl-cl bench --device gpu --pass layers --batch 8 --precision fp16\n"
                               "  maxgl-cl bench --pass heads --batch 32 --estimator infonce\n"
                               "  maxgl-cl bench --pass data --data videos/\n"
                               "  maxgl-cl bench --pass recipe --config config/demo.cfg\n"
                               "  maxgl-cl bench --suite --device gpu --json suite.json\n"
                               "  maxgl-cl bench --check suite.json\n"
                               "  maxgl-cl bench --predict H100 --batch 32\n"
                               "  maxgl-cl bench --compare before.json after.json --out comparison.html";

static const char explanation[] =
    "What --pass measures, on random numbers where it is not data:\n"
    "  inference  a network's forward pass, batch norm folded into convolutions\n"
    "  training   forward, cross-entropy, backward, SGD\n"
    "  layers     every layer that differs from those before it, pass by pass: time, algorithm,\n"
    "             GFLOP/s by the direct count and what part of the device's measured peak that is\n"
    "             (of what runs on matrix units: of their peak in that precision), bytes that must\n"
    "             be moved and what part of the measured bandwidth, relative L2 error of 200\n"
    "             results against float64 of the operands as they are stored\n"
    "  heads      Max-GL's scores, estimates and their gradients, without a network\n"
    "  data       decoding and preparing the videos of --data for training\n"
    "  recipe     the training of --config: its step on clips that are there already, then with\n"
    "             its videos, in the first epoch and later (nothing is saved)\n"
    "\n"
    "--suite measures what the device can do at most (float32 and half-precision multiply-adds,\n"
    "copying, local memory, matrix units), what a launch and transfers cost, then r3d_18's layers (in\n"
    "float32 and in each precision that matrix units have), Max-GL's heads,\n"
    "r3d_18's inference and training, and the preparation of clips. What fails or is too large for the\n"
    "device is said in the record, and the rest is measured. Ctrl-C writes nothing.\n"
    "\n"
    "--compare takes records of --json and of bench/vs_pytorch.py. Ratios are how many times as fast\n"
    "as the first of them.\n"
    "\n"
    "MAXGL_PROFILE=1 prints the time of every kernel at the end (it waits for each, so the\n"
    "whole is slower then).";

gboolean maxgl_cmd_bench(int argc, char **argv, GError **error)
{
    MaxglBenchArguments o = {
        .batch = DEFAULT_BATCH, .classes = 400, .repeats = 5, .seconds = 5, .clips_per_video = 2};
    const GOptionEntry entries[] = {
        {"pass", 'p', 0, G_OPTION_ARG_STRING, &o.pass,
         "inference, training, layers, heads, data or recipe (inference)", "PASS"},
        {"net", 'n', 0, G_OPTION_ARG_STRING, &o.net,
         "Network, as maxgl-cl model info names it (r3d_18; heads: hara-r3d18)", "NET"},
        {"clip", 'c', 0, G_OPTION_ARG_STRING, &o.clip, "Clip size: frames, height, width (16x112x112)",
         "TxHxW"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &o.batch,
         "Clips at once (2); of heads and data videos at once (heads: 32, data: 8)", "N"},
        {"classes", 0, 0, G_OPTION_ARG_INT, &o.classes, "Classes of the training step (400)", "N"},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &o.exact,
         "No algorithm whose rounding errors exceed direct summation's", NULL},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
         "Of inference, training and layers: fp32, tf32, fp16 or bf16 (fp32)", "NAME"},
        {"regions", 0, 0, G_OPTION_ARG_INT, &o.regions,
         "Regions of Local-MI (0: every position of the network's layer3)", "R"},
        {"estimator", 0, 0, G_OPTION_ARG_STRING, &o.estimator, "Of the heads: jsd, infonce or dv (jsd)",
         "NAME"},
        {"discriminator", 0, 0, G_OPTION_ARG_STRING, &o.discriminator, "Of the heads: concat or dot (concat)",
         "NAME"},
        {"clips-per-video", 0, 0, G_OPTION_ARG_INT, &o.clips_per_video, "Of heads and data (2)", "N"},
        {"data", 0, 0, G_OPTION_ARG_STRING, &o.data, "Videos: a folder, a list, or synth:key=value,…",
         "SOURCE"},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &o.config, "Recipe, as maxgl-cl train takes it", "FILE"},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &o.sets, "Change an option of the recipe (repeatable)",
         "KEY=VALUE"},
        {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &o.seconds,
         "How long each measurement of data or of a recipe takes (5)", "S"},
        {"repeats", 'r', 0, G_OPTION_ARG_INT, &o.repeats, "Timed runs, after one that is not counted (5)",
         "N"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &o.json, "Also write a record of the measurement", "FILE"},
        {"suite", 0, 0, G_OPTION_ARG_NONE, &o.suite,
         "All of it at sizes that do not change, and the device's own limits, into the record of --json",
         NULL},
        {"quick", 0, 0, G_OPTION_ARG_NONE, &o.quick, "Of the suite: small sizes, to see that it runs", NULL},
        {"limit", 0, 0, G_OPTION_ARG_DOUBLE, &o.limit,
         "Of the suite: seconds after which a section begins nothing further (120)", "S"},
        {"sections", 0, 0, G_OPTION_ARG_STRING, &o.sections,
         "Of the suite: only these, such as peaks,layers (all)", "LIST"},
        {"note", 0, 0, G_OPTION_ARG_STRING, &o.note, "Of the suite: recorded with it, how it was measured",
         "TEXT"},
        {"predict", 0, 0, G_OPTION_ARG_STRING, &o.predict,
         "Measure nothing: what a model expects of a device's data sheet; its name, or all", "DEVICE"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &o.check,
         "Measure nothing: hold the records RECORD… against the schema (docs/benchmark.schema.json)", NULL},
        {"compare", 0, 0, G_OPTION_ARG_NONE, &o.compare,
         "Measure nothing: put the records RECORD… side by side, on a page with plots too", NULL},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o.out, "That page (bench.html)", "FILE"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "[RECORD…]",
        .summary = "Times a network or its parts, beside what the device can do at most.",
        .entries = entries,
        .examples = examples,
        .more = explanation,
        .max_arguments = -1,
    };
    gboolean ok = maxgl_command_parse(&help, &argc, &argv, error);
    maxgl_command_default(&o.clip, "16x112x112");
    maxgl_command_default(&o.estimator, "jsd");
    maxgl_command_default(&o.precision, "fp32");
    maxgl_command_default(&o.discriminator, "concat");
    if (ok) {
        maxgl_interrupt_install();
        ok = run_any(&o, argc - 1, (const char *const *)argv + 1, error);
    }
    g_free(o.sections);
    g_free(o.note);
    g_free(o.precision);
    g_free(o.predict);
    g_free(o.estimator);
    g_free(o.discriminator);
    g_free(o.net);
    g_free(o.clip);
    g_free(o.pass);
    g_free(o.json);
    g_free(o.data);
    g_free(o.config);
    g_strfreev(o.sets);
    g_free(o.out);
    return ok;
}
