/* maxgl-cl tune: finds the fastest parameters of kernels on a device, and tells where those in use come from.
 */
#include "base/file.h"
#include "base/interrupt.h"
#include "bench/tune.h"
#include "cli/command.h"
#include "cli/table.h"

#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char *net, *clip, *out, *precision;
    int batch, precision_index;
    double budget;
    gboolean show;
} Options;

static MaxglResnet *make_resnet(const Options *o, GError **error)
{
    MaxglResnetSpec spec;
    int used = 0;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, o->net, error))
        return NULL;
    if (sscanf(o->clip, "%dx%dx%d%n", &spec.frames, &spec.height, &spec.columns, &used) != 3 ||
        o->clip[used] != '\0') {
        maxgl_command_usage(error, "--clip=%s: give frames, height and width, such as 16x112x112", o->clip);
        return NULL;
    }
    return maxgl_resnet_new(&spec, error);
}

static gboolean parse_precision(Options *o, GError **error)
{
    for (int i = 0; maxgl_precision_names[i]; i++)
        if (g_str_equal(maxgl_precision_names[i], o->precision)) {
            o->precision_index = i;
            return TRUE;
        }
    return maxgl_command_usage(error, "--precision=%s: allowed: fp32, tf32, fp16, bf16", o->precision);
}

static gboolean check_options(Options *o, int arguments, char **argv, GError **error)
{
    if (arguments > 0)
        return maxgl_command_usage(error, "\"%s\" was not expected", argv[1]);
    if (!parse_precision(o, error))
        return FALSE;
    if (o->batch < 1 || o->batch > 65536)
        return maxgl_command_usage(error, "--batch=%d is out of range; allowed: 1 … 65536", o->batch);
    if (!(o->budget >= 0 && o->budget <= 10000))
        return maxgl_command_usage(error, "--budget=%g is out of range; allowed: 0 … 10000 minutes",
                                   o->budget);
    return !o->show || !o->out ||
           maxgl_command_usage(error, "--show writes nothing: it does not go with --out");
}

/* ---------------- --show ---------------- */

/* "  conv3d_direct: registers = 30 (cpu.cfg:18), work_items = 128 (built in)": all that was asked of @kernel.
 */
static void print_answers(const MaxglTuneUse *use, const char *kernel, const char *shape)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < use->answers->len; i++) {
        const MaxglTuningAnswer *a = g_ptr_array_index(use->answers, i);
        const gboolean follows = g_str_equal(kernel, "conv3d") && !a->source; /* a pass named by none */
        if (!g_str_equal(a->kernel, kernel) || g_strcmp0(a->shape, shape) ||
            (follows && !g_str_equal(a->name, "algorithm")))
            continue;
        g_string_append_printf(text, "%s%s = %s (%s)", text->len ? ", " : "", a->name,
                               a->value ? a->value : "…", a->source ? a->source : "built in");
    }
    printf("      %s%s%s: %s\n", kernel, shape ? " for " : "", shape ? shape : "", text->str);
}

static void print_use(const MaxglTuneUse *use)
{
    if (*use->pass)
        printf("    %s: %s\n", use->pass, use->algorithm);
    for (guint i = 0; i < use->answers->len; i++) {
        const MaxglTuningAnswer *a = g_ptr_array_index(use->answers, i);
        gboolean first = TRUE;
        for (guint j = 0; j < i && first; j++) {
            const MaxglTuningAnswer *b = g_ptr_array_index(use->answers, j);
            first = !g_str_equal(a->kernel, b->kernel) || g_strcmp0(a->shape, b->shape);
        }
        if (first)
            print_answers(use, a->kernel, a->shape);
    }
}

static gboolean show(const Options *o, MaxglContext *context, const MaxglResnet *resnet)
{
    g_autofree char *path = maxgl_tuning_user_path();
    g_autoptr(GPtrArray) uses =
        maxgl_tune_uses(context, resnet, o->batch, (MaxglPrecision)o->precision_index);
    printf("%s, %d clips of %s\n", o->net, o->batch, o->clip);
    printf("your database: %s%s\n", path, g_file_test(path, G_FILE_TEST_EXISTS) ? "" : " (not there)");
    const MaxglTuneUse *before = NULL;
    for (guint i = 0; i < uses->len; i++) {
        const MaxglTuneUse *use = g_ptr_array_index(uses, i);
        if (!before || !g_str_equal(before->layer, use->layer))
            printf("  %s ×%d: %s\n", use->layer, use->count, use->what);
        print_use(use);
        before = use;
    }
    return TRUE;
}

/* ---------------- the search ---------------- */

static void print_rows(const GPtrArray *rows)
{
    static const char *const titles[] = {"layer",      "pass",      "algorithm", "",
                                         ">before ms", ">after ms", ">faster",   NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    double before = 0, after = 0;
    for (guint i = 0; i < rows->len; i++) {
        const MaxglTuneRow *r = g_ptr_array_index(rows, i);
        if (r->count > 1)
            maxgl_table_addf(table, "%s ×%d", r->layer, r->count);
        else
            maxgl_table_add(table, r->layer);
        maxgl_table_add(table, r->pass);
        maxgl_table_add(table, r->before_algorithm);
        const gboolean same = g_str_equal(r->before_algorithm, r->after_algorithm);
        maxgl_table_addf(table, "%s%s", same ? "" : "→ ", same ? "" : r->after_algorithm);
        maxgl_table_addf(table, "%.3f", r->before * 1e3);
        maxgl_table_addf(table, "%.3f", r->after * 1e3);
        maxgl_table_addf(table, "%.2f×", r->before / r->after);
        before += r->count * r->before;
        after += r->count * r->after;
    }
    maxgl_table_print(table, "  ");
    printf("  all of them, each as often as the network has it: %.1f ms before, %.1f ms after\n",
           before * 1e3, after * 1e3);
}

static char *note_text(const MaxglContext *context)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *date = g_date_time_format(now, "%Y-%m-%d %H:%M");
    return g_strdup_printf("by maxgl-cl " MAXGL_VERSION " tune, %s, driver %s", date,
                           context->info->driver_version);
}

static gboolean tune(const Options *o, MaxglContext *context, const MaxglResnet *resnet, GError **error)
{
    const MaxglTuneOptions options = {
        .batch = o->batch, .minutes = o->budget, .precision = (MaxglPrecision)o->precision_index};
    MaxglTuneCounts counts;
    g_autofree char *path = o->out ? g_strdup(o->out) : maxgl_tuning_user_path();
    g_autofree char *folder = g_path_get_dirname(path);
    if (!maxgl_dir_ensure(folder, error)) /* said now, not when the budget is spent */
        return FALSE;
    g_autoptr(GPtrArray) rows = maxgl_tune_network(context, resnet, &options, &counts, error);
    if (!rows)
        return FALSE;
    g_autoptr(GPtrArray) settings = maxgl_tuning_tried(context->tuning);
    g_autofree char *hopeless =
        counts.hopeless
            ? g_strdup_printf("; %u tiles were not tried, a model expects nothing of them", counts.hopeless)
            : NULL;
    printf("%s, %d clips of %s: %u candidates (%u given up as slow, %u wrong, %u impossible)%s%s\n", o->net,
           o->batch, o->clip, counts.candidates, counts.slow, counts.wrong, counts.impossible,
           hopeless ? hopeless : "", counts.complete ? "" : "; time was up before all were tried");
    print_rows(rows);
    if (settings->len == 0) {
        printf("nothing faster was found: %s is left as it is\n", path);
        return TRUE;
    }
    g_autofree char *note = note_text(context);
    if (!maxgl_tuning_save(path, context->info, settings, note, error))
        return FALSE;
    printf("%u parameters written to %s%s\n", settings->len, path,
           o->out ? " (MAXGL_TUNING makes it the one that is used)" : "");
    return TRUE;
}

static gboolean run(const Options *o, GError **error)
{
    g_autoptr(MaxglResnet) resnet = make_resnet(o, error);
    g_autoptr(MaxglContext) context = resnet ? maxgl_context_open(maxgl_command_device(), error) : NULL;
    if (!context)
        return FALSE;
    printf("%s (%s)\n", context->info->name, context->reason);
    return o->show ? show(o, context, resnet) : tune(o, context, resnet, error);
}

gboolean maxgl_cmd_tune(int argc, char **argv, GError **error)
{
    Options o = {.batch = 2, .budget = 20};
    const GOptionEntry entries[] = {
        {"net", 'n', 0, G_OPTION_ARG_STRING, &o.net, "Network, as maxgl-cl model info names it (r3d_18)",
         "NET"},
        {"clip", 'c', 0, G_OPTION_ARG_STRING, &o.clip, "Clip size: frames, height, width (16x112x112)",
         "TxHxW"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &o.batch, "Clips at once (2)", "N"},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
         "What networks are computed in: fp32, tf32, fp16 or bf16; each has entries of its own (fp32)",
         "NAME"},
        {"budget", 0, 0, G_OPTION_ARG_DOUBLE, &o.budget,
         "Minutes after which nothing new is tried (20); the costliest layers come first", "MIN"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o.out,
         "Database to write into (default: $MAXGL_TUNING, or maxgl/tuning.cfg in your configuration folder)",
         "FILE"},
        {"show", 0, 0, G_OPTION_ARG_NONE, &o.show,
         "Try nothing: tell layer by layer which parameters are used, and which file and line set them",
         NULL},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary =
            "Tries algorithms and their parameters for each kind of convolution in a network, and writes\n"
            "what is faster on this device into your tuning database. Candidates with other results\n"
            "(by more than 1e-4; in 16 bits or tf32, more than their rounding) are not used.",
        .entries = entries,
        .examples = "  maxgl-cl tune\n"
                    "  maxgl-cl tune --net hara-r3d50 --clip 16x112x112 --batch 8 --budget 60\n"
                    "  maxgl-cl tune --device gpu --out gpu.cfg\n"
                    "  maxgl-cl tune --device gpu --precision fp16 --batch 32\n"
                    "  maxgl-cl tune --show --net r3d_18\n",
        .more = "Do this while the machine has nothing else to do. What is in the database already stays,\n"
                "but for parameters found anew and for comments. Ctrl-C writes nothing.",
    };
    gboolean ok = maxgl_command_parse(&help, &argc, &argv, error);
    maxgl_command_default(&o.net, "r3d_18");
    maxgl_command_default(&o.clip, "16x112x112");
    maxgl_command_default(&o.precision, "fp32");
    ok = ok && check_options(&o, argc - 1, argv, error);
    if (ok) {
        maxgl_interrupt_install();
        ok = run(&o, error);
    }
    g_free(o.net);
    g_free(o.clip);
    g_free(o.precision);
    g_free(o.out);
    return ok;
}
