/* maxgl-cl eval scenes: recognition of dynamic scenes. */
#include "base/interrupt.h"
#include "cli/class_table.h"
#include "cli/command.h"
#include "cli/embedding_arguments.h"
#include "cli/eval_output.h"
#include "cli/table.h"
#include "eval/scenes.h"
#include "learn/run.h"

#include <math.h>
#include <stdio.h>

/* What the command line says. */
typedef struct {
    char *model, *data, *label;
    MaxglEmbeddingArguments embedding;
    double c;
    gboolean random_init, still;
    MaxglEvalOutput output;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->model);
    g_free(a->data);
    g_free(a->label);
    maxgl_eval_output_clear(&a->output);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static void print_tables(const MaxglScenes *s)
{
    static const char *const titles[] = {"network", ">accuracy", ">mean over classes", NULL};
    const MaxglLeaveOneOut *trained = s->networks[0].result;
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (int i = 0; i < s->n_networks; i++) {
        maxgl_table_add(table, maxgl_comparison_title(s->networks[i].comparison));
        maxgl_table_addf(table, "%.3f", s->networks[i].result->accuracy);
        maxgl_table_addf(table, "%.3f", s->networks[i].result->per_class);
    }
    maxgl_table_add(table, "chance");
    maxgl_table_addf(table, "%.3f", 1.0 / trained->classes);
    maxgl_table_addf(table, "%.3f", 1.0 / trained->classes);
    printf("\nLinear SVM (C = %g), one video left out at a time: %s of %" G_GSIZE_FORMAT
           " videos, %d classes\n\n",
           s->options.c, s->label, trained->videos, trained->classes);
    maxgl_table_print(table, "  ");
    printf("\n");
    maxgl_class_table_print(s->class_names, trained->n_classes, trained->confusion);
    if (trained->alone > 0)
        printf("\n  %" G_GSIZE_FORMAT " are the only ones of their class, and count as errors\n",
               trained->alone);
}

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model, "Model file, or the folder of a run", "M"},
        {"data", 0, 0, G_OPTION_ARG_FILENAME, &a->data, "Videos: a folder of folders, one a class, or a list",
         "D"},
        {"label", 'l', 0, G_OPTION_ARG_STRING, &a->label,
         "Column of the classes (default: the first but split and group)", "COLUMN"},
        {"svm-c", 0, 0, G_OPTION_ARG_DOUBLE, &a->c, "Regularisation of the machines (default: 1)", "C"},
        {"clips", 0, 0, G_OPTION_ARG_INT, &a->embedding.clips, "Clips of a video, averaged (default: 10)",
         "N"},
        {"random-init", 'r', 0, G_OPTION_ARG_NONE, &a->random_init,
         "Compare with the same network before training", NULL},
        {"still", 0, 0, G_OPTION_ARG_NONE, &a->still,
         "Compare with the same network on clips of one repeated frame", NULL},
        MAXGL_EMBEDDING_ENTRIES(a->embedding),
        MAXGL_EVAL_OUTPUT_ENTRIES(a->output),
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary =
            "Recognises dynamic scenes without changing the network. Each video in turn is left out, a\n"
            "linear support vector machine is trained on all others, and asked for the class of this one.\n"
            "YUPENN (14 classes of 30 videos) and Maryland (13 of 10) are folders of classes: D is the\n"
            "folder that has them.",
        .entries = entries,
        .examples = "  maxgl-cl eval scenes --model runs/demo --data YUPENN --random-init\n"
                    "  maxgl-cl eval scenes -m r3d_18.safetensors --data Maryland --svm-c 10 --json -",
        .more =
            "A video's vector is the mean over clips spread evenly over it, scaled to length 1. Machines\n"
            "are L2-regularised with the squared hinge loss, one class against the rest (liblinear,\n"
            "solver 2, which draws no random numbers). Columns \"split\" and \"group\" are ignored.",
        .max_arguments = 0,
    };
    return maxgl_command_parse(&help, argc, argv, error);
}

static gboolean check(Arguments *a, GError **error)
{
    if (!a->model)
        return maxgl_command_usage(error, "--model is missing");
    if (!a->data)
        return maxgl_command_usage(error, "--data is missing");
    if (!(a->c > 0) || !isfinite(a->c))
        return maxgl_command_usage(error, "--svm-c=%g is out of range; above 0", a->c);
    return maxgl_embedding_arguments_check(&a->embedding, 1, error);
}

gboolean maxgl_cmd_eval_scenes(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.embedding.clips = 10, .c = 1};
    if (!parse(&argc, &argv, &a, error) || !check(&a, error) ||
        !maxgl_eval_output_prepare(&a.output, a.model, error))
        return FALSE;
    g_autofree char *model = maxgl_model_path(a.model, error);
    if (!model)
        return FALSE;
    const MaxglScenesOptions options = {
        .model = model,
        .device = maxgl_command_device(),
        .data = a.data,
        .label = a.label,
        .clips = a.embedding.clips,
        .batch = a.embedding.batch,
        .cache = !a.embedding.no_cache,
        .workers = a.embedding.workers,
        .exact = a.embedding.exact,
        .precision = a.embedding.precision,
        .c = a.c,
        .random_init = a.random_init,
        .still = a.still,
    };
    maxgl_interrupt_install();
    g_autoptr(MaxglScenes) scenes = maxgl_scenes_run(&options, error);
    g_autofree char *json = scenes ? maxgl_scenes_json(scenes, error) : NULL;
    if (!json || !maxgl_eval_output_store(&a.output, "scenes", json, error))
        return FALSE;
    if (maxgl_eval_output_wants_tables(&a.output))
        print_tables(scenes);
    g_autofree char *text = g_strconcat(json, "\n", NULL);
    return maxgl_eval_output_finish(&a.output, text, error);
}
