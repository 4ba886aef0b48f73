/* maxgl-cl eval aslan: do two videos show the same action? */
#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/embedding_arguments.h"
#include "cli/eval_output.h"
#include "cli/table.h"
#include "eval/aslan.h"
#include "eval/similarity.h"
#include "learn/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the command line says. */
typedef struct {
    char *model, *videos, *pairs, *layers;
    MaxglEmbeddingArguments embedding;
    double c;
    gboolean random_init;
    MaxglEvalOutput output;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->model);
    g_free(a->videos);
    g_free(a->pairs);
    g_free(a->layers);
    maxgl_eval_output_clear(&a->output);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static void print_folds(const MaxglAslan *a)
{
    static const char *const titles[] = {"fold", ">pairs", ">correct", ">accuracy", ">AUC", NULL};
    const MaxglPairScore *score = a->networks[0].score;
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (int i = 0; i < score->n_folds; i++) {
        const MaxglPairFold *fold = &score->folds[i];
        if (a->list->view == 2)
            maxgl_table_addf(table, "%d", i + 1);
        else
            maxgl_table_add(table, "test");
        maxgl_table_addf(table, "%" G_GSIZE_FORMAT, fold->pairs);
        maxgl_table_addf(table, "%" G_GSIZE_FORMAT, fold->correct);
        maxgl_table_addf(table, "%.3f", fold->accuracy);
        maxgl_table_addf(table, "%.3f", fold->auc);
    }
    maxgl_table_print(table, "  ");
}

static void print_tables(const MaxglAslan *a)
{
    static const char *const titles[] = {"network", ">accuracy", ">± standard error", ">AUC", NULL};
    const MaxglPairScore *trained = a->networks[0].score;
    g_autofree char *layers = g_strjoinv(", ", a->layers);
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (int i = 0; i < a->n_networks; i++) {
        const MaxglPairScore *score = a->networks[i].score;
        maxgl_table_add(table, maxgl_comparison_title(a->networks[i].comparison));
        maxgl_table_addf(table, "%.4f", score->accuracy);
        if (a->list->view == 2)
            maxgl_table_addf(table, "%.4f", score->standard_error);
        else
            maxgl_table_add(table, "");
        maxgl_table_addf(table, "%.4f", score->auc);
    }
    printf("\nSame action or not, View %d: %" G_GSIZE_FORMAT " pairs of %u videos, linear SVM (C = %g) on %d "
           "similarities of %s\n\n",
           a->list->view, trained->pairs, a->list->ids->len, a->options.c,
           (int)g_strv_length(a->layers) * MAXGL_SIMILARITIES, layers);
    maxgl_table_print(table, "  ");
    printf("\n");
    print_folds(a);
    if (a->left_out > 0)
        printf("\n  %" G_GSIZE_FORMAT " pairs are left out, of videos that are bad\n", a->left_out);
}

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model, "Model file, or the folder of a run", "M"},
        {"videos", 0, 0, G_OPTION_ARG_FILENAME, &a->videos, "Folder of the videos, at any depth", "DIR"},
        {"pairs", 0, 0, G_OPTION_ARG_FILENAME, &a->pairs, "List of pairs, .mat or .csv", "F"},
        {"layers", 0, 0, G_OPTION_ARG_STRING, &a->layers,
         "Layers to compare by: of stem, layer1 … layer4, pool (default: pool)", "L,L"},
        {"clips", 0, 0, G_OPTION_ARG_INT, &a->embedding.clips,
         "Clips of a video, spread evenly (default: as many as overlap by half)", "N"},
        {"svm-c", 0, 0, G_OPTION_ARG_DOUBLE, &a->c, "Regularisation of the machines (default: 1)", "C"},
        {"random-init", 'r', 0, G_OPTION_ARG_NONE, &a->random_init,
         "Compare with the same network before training", NULL},
        MAXGL_EMBEDDING_ENTRIES(a->embedding),
        MAXGL_EVAL_OUTPUT_ENTRIES(a->output),
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary =
            "Action similarity labelling: tells pairs of videos that show the same action from others,\n"
            "without changing the network. A video's vector is the mean over clips that overlap by half,\n"
            "of each layer, scaled to length 1; twelve similarities of a pair and layer, standardised, go\n"
            "to a linear support vector machine. View 2: each fold in turn is tested, the others train.\n"
            "View 1: one part trains, the other is tested.",
        .entries = entries,
        .examples = "  maxgl-cl eval aslan --model runs/demo --videos ASLAN --pairs ASLAN_View2.mat\n"
                    "  maxgl-cl eval aslan -m r3d_18.safetensors --videos ASLAN --pairs view2.csv \\\n"
                    "      --layers layer3,pool --random-init --json -",
        .more =
            "NAME.mat has action_splits_pairs: ten matrices with the columns id1, id2, same, …; or, for\n"
            "View 1, two matrices with \"train\" and \"test\" in their names. NAME.csv names its columns:\n"
            "fold,id1,id2,same or split,id1,id2,same; same is 0 or 1. An id is the name of a video's file\n"
            "without the extension, or the first number in it (\"17\" is 000017.avi). pool, or avgpool,\n"
            "is the mean of layer4.",
        .max_arguments = 0,
    };
    return maxgl_command_parse(&help, argc, argv, error);
}

static gboolean check(Arguments *a, GError **error)
{
    if (!a->model)
        return maxgl_command_usage(error, "--model is missing");
    if (!a->videos)
        return maxgl_command_usage(error, "--videos is missing");
    if (!a->pairs)
        return maxgl_command_usage(error, "--pairs is missing");
    if (!(a->c > 0) || !isfinite(a->c))
        return maxgl_command_usage(error, "--svm-c=%g is out of range; above 0", a->c);
    return maxgl_embedding_arguments_check(&a->embedding, 0, error);
}

/* "layer3, avgpool" as the embedder wants it; NULL for the default. */
static char **split_layers(const char *text)
{
    if (!text)
        return NULL;
    char **layers = g_strsplit(text, ",", -1);
    for (int i = 0; layers[i]; i++) {
        g_strstrip(layers[i]);
        if (strcmp(layers[i], "avgpool") == 0) {
            g_free(layers[i]);
            layers[i] = g_strdup("pool");
        }
    }
    return layers;
}

gboolean maxgl_cmd_eval_aslan(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.c = 1};
    if (!parse(&argc, &argv, &a, error) || !check(&a, error) ||
        !maxgl_eval_output_prepare(&a.output, a.model, error))
        return FALSE;
    g_autofree char *model = maxgl_model_path(a.model, error);
    if (!model)
        return FALSE;
    g_auto(GStrv) layers = split_layers(a.layers);
    const MaxglAslanOptions options = {
        .model = model,
        .device = maxgl_command_device(),
        .videos = a.videos,
        .pairs = a.pairs,
        .layers = (const char *const *)layers,
        .clips = a.embedding.clips,
        .batch = a.embedding.batch,
        .cache = !a.embedding.no_cache,
        .workers = a.embedding.workers,
        .exact = a.embedding.exact,
        .precision = a.embedding.precision,
        .c = a.c,
        .random_init = a.random_init,
    };
    maxgl_interrupt_install();
    g_autoptr(MaxglAslan) aslan = maxgl_aslan_run(&options, error);
    g_autofree char *json = aslan ? maxgl_aslan_json(aslan, error) : NULL;
    if (!json || !maxgl_eval_output_store(&a.output, "aslan", json, error))
        return FALSE;
    if (maxgl_eval_output_wants_tables(&a.output))
        print_tables(aslan);
    g_autofree char *text = g_strconcat(json, "\n", NULL);
    return maxgl_eval_output_finish(&a.output, text, error);
}
