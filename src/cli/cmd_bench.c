/* maxgl-cl bench: how fast things are on a device, and how that compares with other measurements. */
#include "base/interrupt.h"
#include "bench/data.h"
#include "bench/heads.h"
#include "bench/layers.h"
#include "bench/network.h"
#include "bench/recipe.h"
#include "cli/bench_compare.h"
#include "cli/command.h"
#include "cli/recipe_arguments.h"
#include "cli/table.h"
#include "learn/task.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_BATCH G_MININT /* none was given */

typedef struct {
    char *net, *clip, *pass, *json, *data, *config, *out, *estimator, *discriminator;
    char **sets;
    int batch; /* clips; of heads and data: videos */
    int classes, repeats, regions, clips_per_video;
    double seconds;
    gboolean exact, compare;
    guint64 opened; /* bytes resident with nothing but the device opened */
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
    if (o->opened > 0)
        maxgl_record_number(b, "opened_resident_bytes", (double)o->opened);
}

static void print_roof(const MaxglRoof *roof)
{
    printf("  the device's limits, measured: %.1f GFLOP/s of multiply-adds, copies at %.1f GB/s\n",
           roof->flops * 1e-9, roof->copy_bytes * 1e-9);
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

static gboolean write_network(const Options *o, const MaxglContext *context, const MaxglBenchRun *run,
                              const MaxglRoof *roof, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_run(b, run, roof);
    return maxgl_record_write(b, o->json, error);
}

static gboolean bench_network(const Options *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = make_resnet(o, error);
    const gboolean training = g_str_equal(o->pass, "training");
    const MaxglNetworkBench bench = {.mode = training ? MAXGL_NETWORK_TRAINING : MAXGL_NETWORK_INFERENCE,
                                     .batch = o->batch,
                                     .repeats = o->repeats,
                                     .exact = o->exact};
    MaxglBenchRun run = {0};
    MaxglRoof roof = {0};
    gboolean ok = resnet && maxgl_network_bench(context, resnet, &bench, &run, error) &&
                  maxgl_roof_measure(context, &roof, error);
    if (ok) {
        printf("%s, %d clips of %s, %s, %s algorithms: %.2f clips/s\n", o->net, o->batch, o->clip,
               training ? "training step" : "inference", o->exact ? "exact" : "fast",
               o->batch / maxgl_times_of(run.seconds, run.n).median);
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
        add_percent(table, row->flops / t->median / roof->flops);
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
    print_rows("layer", rows, &roof);
    print_sums(rows);
    return !o->json || write_rows(o, context, rows, &roof, error);
}

/* ---------------- heads ---------------- */

static gboolean write_heads(const Options *o, const MaxglContext *context, const MaxglHeadsOptions *heads,
                            const MaxglBenchRun *run, const GPtrArray *rows, const MaxglRoof *roof,
                            GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    add_work(b, o);
    maxgl_record_string(b, "estimator", o->estimator);
    maxgl_record_string(b, "discriminator", o->discriminator);
    maxgl_record_number(b, "clips_per_video", heads->clips);
    maxgl_record_number(b, "regions", heads->regions);
    maxgl_record_number(b, "features", heads->features);
    maxgl_record_number(b, "channels", heads->channels);
    maxgl_record_number(b, "hidden", heads->hidden);
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

static int estimator_of(const Options *o, GError **error)
{
    return choice("estimator", o->estimator, maxgl_mi_estimator_names, error);
}

static int discriminator_of(const Options *o, GError **error)
{
    return choice("discriminator", o->discriminator, maxgl_discriminator_names, error);
}

static gboolean bench_heads(const Options *o, MaxglContext *context, GError **error)
{
    g_autoptr(MaxglResnet) resnet = make_resnet(o, error);
    if (!resnet)
        return FALSE;
    const MaxglMap map = resnet->tensors[maxgl_resnet_tap(resnet, "layer3")].map;
    const MaxglHeadsOptions heads = {.videos = o->batch,
                                     .clips = o->clips_per_video,
                                     .estimator = estimator_of(o, NULL),
                                     .discriminator = discriminator_of(o, NULL),
                                     .features = maxgl_resnet_features(resnet),
                                     .channels = map.c,
                                     .regions = o->regions ? o->regions : map.t * map.h * map.w,
                                     .hidden = 512,
                                     .repeats = o->repeats};
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

/* ---------------- data ---------------- */

static gboolean write_data(const Options *o, const MaxglContext *context, const GArray *rows, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    maxgl_record_string(b, "data", o->data);
    maxgl_record_string(b, "clip", o->clip);
    maxgl_record_number(b, "batch", o->batch);
    maxgl_record_number(b, "clips_per_video", o->clips_per_video);
    maxgl_record_data(b, rows);
    return maxgl_record_write(b, o->json, error);
}

static gboolean bench_data(const Options *o, MaxglContext *context, GError **error)
{
    MaxglResnetSpec spec;
    if (!parse_clip(o->clip, &spec, error))
        return FALSE;
    const MaxglDataOptions options = {.source = o->data,
                                      .frames = spec.frames,
                                      .height = spec.height,
                                      .width = spec.columns,
                                      .stride = 1,
                                      .batch = o->batch,
                                      .clips = o->clips_per_video,
                                      .seconds = o->seconds};
    static const char *const titles[] = {"", ">clips/s", ">clips", ">waiting for videos", NULL};
    g_autoptr(GArray) rows = maxgl_bench_data(context, &options, error);
    if (!rows)
        return FALSE;
    printf("%s, clips of %s, batches of %d videos with %d clips each\n", o->data, o->clip, o->batch,
           o->clips_per_video);
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        maxgl_table_add(table, row->name);
        maxgl_table_addf(table, "%.1f", (double)row->clips / row->seconds);
        maxgl_table_addf(table, "%" G_GUINT64_FORMAT, row->clips);
        maxgl_table_addf(table, "%.0f %%", 100 * row->waiting);
    }
    maxgl_table_print(table, "  ");
    return !o->json || write_data(o, context, rows, error);
}

/* ---------------- a recipe ---------------- */

static gboolean write_recipe(const Options *o, const MaxglContext *context, const MaxglRecipe *recipe,
                             const GArray *rows, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    maxgl_record_string(b, "config", o->config);
    maxgl_record_string(b, "data", recipe->data.path);
    maxgl_record_string(b, "net", recipe->network.name);
    maxgl_record_number(b, "width", recipe->network.width);
    maxgl_record_number(b, "batch", recipe->train.batch);
    maxgl_record_number(b, "clips_per_video", maxgl_task_of(recipe)->clips_per_video(recipe));
    maxgl_record_data(b, rows);
    return maxgl_record_write(b, o->json, error);
}

static double clips_per_second(const GArray *rows, guint i)
{
    const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
    return (double)row->clips / row->seconds;
}

static gboolean bench_recipe(const Options *o, MaxglContext *context, GError **error)
{
    static const char *const titles[] = {"", ">clips/s", ">of the step alone", ">waiting for videos", NULL};
    const MaxglRecipeArguments given = {.config = o->config, .data = o->data, .sets = o->sets};
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_read(&given, error);
    if (!recipe || !maxgl_recipe_validate(recipe, error))
        return FALSE;
    g_autoptr(GArray) rows = maxgl_bench_recipe(context, recipe, o->seconds, error);
    if (!rows)
        return FALSE;
    const int clips = maxgl_task_of(recipe)->clips_per_video(recipe);
    printf("%s: %s@%g, %d videos a step, %d clip%s of each\n", o->config, recipe->network.name,
           recipe->network.width, recipe->train.batch, clips, clips == 1 ? "" : "s");
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        maxgl_table_add(table, row->name);
        maxgl_table_addf(table, "%.1f", clips_per_second(rows, i));
        maxgl_table_addf(table, "%.0f %%", 100 * clips_per_second(rows, i) / clips_per_second(rows, 0));
        maxgl_table_addf(table, "%.0f %%", 100 * row->waiting);
    }
    maxgl_table_print(table, "  ");
    return !o->json || write_recipe(o, context, recipe, rows, error);
}

/* ---------------- the command ---------------- */

/* What can be measured, and what is measured unless something else is asked for. */
typedef struct {
    const char *name, *net;
    int batch;
    gboolean (*run)(const Options *o, MaxglContext *context, GError **error);
} Pass;

static const Pass passes[] = {
    {"inference", "r3d_18", 2, bench_network}, {"training", "r3d_18", 2, bench_network},
    {"layers", "r3d_18", 2, bench_layers},     {"heads", "hara-r3d18", 32, bench_heads},
    {"data", "r3d_18", 8, bench_data},         {"recipe", "r3d_18", 2, bench_recipe}};

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

static gboolean check_options(const Options *o, GError **error)
{
    const gboolean heads = g_str_equal(o->pass, "heads");
    if (!check_range("batch", o->batch, heads ? 2 : 1, 65536, error) ||
        !check_range("repeats", o->repeats, 1, 100000, error) ||
        !check_range("regions", o->regions, 0, 65536, error) ||
        !check_range("clips-per-video", o->clips_per_video, heads ? 2 : 1, MAXGL_MAX_CLIPS, error) ||
        estimator_of(o, error) < 0 || discriminator_of(o, error) < 0)
        return FALSE;
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

static gboolean run(Options *o, GError **error)
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
        make_resnet(o, error); /* wrong usage is said before a device is looked for */
    g_autoptr(MaxglContext) context = resnet ? maxgl_context_open(maxgl_command_device(), error) : NULL;
    if (!context)
        return FALSE;
    o->opened = maxgl_resident_bytes();
    printf("%s (%s)\n", context->info->name, context->reason);
    return pass->run(o, context, error);
}

/* @records: @n of them, then a NULL. */
static gboolean run_or_compare(Options *o, int n, const char *const *records, GError **error)
{
    if (!o->compare && n > 0)
        return maxgl_command_usage(error, "\"%s\" was not expected without --compare", records[0]);
    if (!o->compare && o->out)
        return maxgl_command_usage(error, "--out=%s is for --compare; a record is written by --json", o->out);
    if (!o->compare)
        return run(o, error);
    if (n == 0)
        return maxgl_command_usage(error, "--compare: records expected, as --json writes them");
    return maxgl_bench_compare(records, o->out ? o->out : "bench.html", error);
}

static const char examples[] = "  maxgl-cl bench\n"
                               "  maxgl-cl bench --net hara-r3d18 --batch 8 --pass training\n"
                               "  maxgl-cl bench --device gpu --pass layers --json layers.json\n"
                               "  maxgl-cl bench --pass heads --batch 32 --estimator infonce\n"
                               "  maxgl-cl bench --pass data --data videos/\n"
                               "  maxgl-cl bench --pass recipe --config config/demo.cfg\n"
                               "  maxgl-cl bench --compare before.json after.json --out comparison.html";

static const char explanation[] =
    "What --pass measures, on random numbers where it is not data:\n"
    "  inference  a network's forward pass, batch norm folded into convolutions\n"
    "  training   forward, cross-entropy, backward, SGD\n"
    "  layers     every layer that differs from those before it, pass by pass: time, algorithm,\n"
    "             GFLOP/s by the direct count and what part of the device's measured peak that is,\n"
    "             bytes that must be moved and what part of the measured bandwidth, relative L2\n"
    "             error of 200 results against float64\n"
    "  heads      Max-GL's scores, estimates and their gradients, without a network\n"
    "  data       decoding and preparing the videos of --data for training\n"
    "  recipe     the training of --config: its step on clips that are there already, then with\n"
    "             its videos, in the first epoch and later (nothing is saved)\n"
    "\n"
    "--compare takes records of --json and of bench/vs_pytorch.py. Ratios are how many times as fast\n"
    "as the first of them.\n"
    "\n"
    "MAXGL_PROFILE=1 prints the time of every kernel at the end (it waits for each, so the\n"
    "whole is slower then).";

gboolean maxgl_cmd_bench(int argc, char **argv, GError **error)
{
    Options o = {.batch = DEFAULT_BATCH, .classes = 400, .repeats = 5, .seconds = 5, .clips_per_video = 2};
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
    maxgl_command_default(&o.pass, "inference");
    maxgl_command_default(&o.estimator, "jsd");
    maxgl_command_default(&o.discriminator, "concat");
    if (ok) {
        maxgl_interrupt_install();
        ok = run_or_compare(&o, argc - 1, (const char *const *)argv + 1, error);
    }
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
