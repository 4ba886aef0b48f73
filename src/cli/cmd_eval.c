/* maxgl-cl eval: what a network has learnt, measured on labelled videos. */
#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/embedding_arguments.h"
#include "cli/eval_output.h"
#include "cli/table.h"
#include "eval/evaluation.h"
#include "learn/run.h"

#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

/* What the command line says. */
typedef struct {
    char *model, *data, *train_split;
    MaxglEvalOutput output;
    char **labels, **test_splits;
    MaxglEmbeddingArguments embedding;
    int seed;
    gboolean random_init, still;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->model);
    g_free(a->data);
    g_free(a->train_split);
    maxgl_eval_output_clear(&a->output);
    g_strfreev(a->labels);
    g_strfreev(a->test_splits);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---------------- tables ---------------- */

static void print_unseen(const MaxglEvaluation *e)
{
    for (guint i = 0; i < e->linear->len; i++) {
        const MaxglLinearResult *result = g_ptr_array_index(e->linear, i);
        if (result->scores[0].unseen > 0)
            printf("\n  %s, %s: %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                   " videos are of classes without training videos, and count as errors\n",
                   result->label, result->split, result->scores[0].unseen, result->scores[0].videos);
    }
}

static void print_linear(const MaxglEvaluation *e)
{
    const char *titles[6 + MAXGL_COMPARISONS] = {"label", "split", ">videos", ">classes", ">chance"};
    g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < e->n_networks; i++) {
        char *title = g_strconcat(">", maxgl_comparison_title(e->networks[i].comparison), NULL);
        g_ptr_array_add(owned, title);
        titles[5 + i] = title;
    }
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint r = 0; r < e->linear->len; r++) {
        const MaxglLinearResult *result = g_ptr_array_index(e->linear, r);
        maxgl_table_add(table, result->label);
        maxgl_table_add(table, result->split);
        maxgl_table_addf(table, "%" G_GSIZE_FORMAT, result->scores[0].videos);
        maxgl_table_addf(table, "%d", result->classes);
        maxgl_table_addf(table, "%.3f", result->chance);
        for (int i = 0; i < e->n_networks; i++)
            maxgl_table_addf(table, "%.3f", result->scores[i].accuracy);
    }
    printf("\nLinear probe, accuracy (trained on %" G_GSIZE_FORMAT " videos of \"%s\")\n\n",
           e->networks[0].splits[0]->n, e->splits[0]);
    maxgl_table_print(table, "  ");
    print_unseen(e);
}

static void add_recalls(MaxglTable *table, const double *recalls)
{
    for (int k = 0; k < MAXGL_RETRIEVAL_KS; k++)
        maxgl_table_addf(table, "%.3f", recalls[k]);
}

static void print_retrieval(const MaxglEvaluation *e)
{
    static const char *const titles[] = {"label", "split", ">queries", "network", ">R@1",
                                         ">R@5",  ">R@10", ">R@20",    ">R@50",   NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint r = 0; r < e->retrieval->len; r++) {
        const MaxglRetrievalResult *result = g_ptr_array_index(e->retrieval, r);
        for (int i = 0; i <= e->n_networks; i++) {
            const gboolean first = i == 0, chance = i == e->n_networks;
            maxgl_table_add(table, first ? result->label : "");
            maxgl_table_add(table, first ? result->split : "");
            if (first)
                maxgl_table_addf(table, "%" G_GSIZE_FORMAT, result->scores[0].queries);
            else
                maxgl_table_add(table, "");
            maxgl_table_add(table, chance ? "chance" : maxgl_comparison_title(e->networks[i].comparison));
            add_recalls(table, chance ? result->scores[0].chance : result->scores[i].recall);
        }
    }
    printf("\nRetrieval, R@k by cosine similarity (gallery: %" G_GSIZE_FORMAT " videos of \"%s\")\n\n",
           e->networks[0].splits[0]->n, e->splits[0]);
    maxgl_table_print(table, "  ");
}

/* ---------------- JSON ---------------- */

/* The results for --json: of one protocol as they are, of both as members of one object. */
static char *join(const char *linear, const char *retrieval)
{
    if (linear && retrieval)
        return g_strdup_printf("{\n\"linear\" : %s,\n\"retrieval\" : %s\n}\n", linear, retrieval);
    return g_strconcat(linear ? linear : retrieval, "\n", NULL);
}

static gboolean report(const MaxglEvaluation *e, const Arguments *a, GError **error)
{
    g_autofree char *linear = NULL, *retrieval = NULL;
    if (e->options.linear && (!(linear = maxgl_evaluation_linear_json(e, error)) ||
                              !maxgl_eval_output_store(&a->output, "linear", linear, error)))
        return FALSE;
    if (e->options.retrieval && (!(retrieval = maxgl_evaluation_retrieval_json(e, error)) ||
                                 !maxgl_eval_output_store(&a->output, "retrieval", retrieval, error)))
        return FALSE;
    g_autofree char *both = join(linear, retrieval);
    if (maxgl_eval_output_wants_tables(&a->output) && e->options.linear)
        print_linear(e);
    if (maxgl_eval_output_wants_tables(&a->output) && e->options.retrieval)
        print_retrieval(e);
    return maxgl_eval_output_finish(&a->output, both, error);
}

/* ---------------- command line ---------------- */

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model, "Model file, or the folder of a run", "M"},
        {"data", 0, 0, G_OPTION_ARG_FILENAME, &a->data,
         "Labelled videos: folder, list, ucf101:…, hmdb51:…, kinetics:… or synth:, with a column split", "D"},
        {"label", 'l', 0, G_OPTION_ARG_STRING_ARRAY, &a->labels,
         "Label column (repeatable; default: all but split and group)", "COLUMN"},
        {"train-split", 0, 0, G_OPTION_ARG_STRING, &a->train_split,
         "Split to train on and to retrieve from (default: train)", "NAME"},
        {"test-split", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->test_splits,
         "Split to test (repeatable; default: all others)", "NAME"},
        {"clips", 0, 0, G_OPTION_ARG_INT, &a->embedding.clips, "Clips of a video, averaged (default: 10)",
         "N"},
        {"random-init", 'r', 0, G_OPTION_ARG_NONE, &a->random_init,
         "Compare with the same network before training", NULL},
        {"still", 0, 0, G_OPTION_ARG_NONE, &a->still,
         "Compare with the same network on clips of one repeated frame", NULL},
        MAXGL_EMBEDDING_ENTRIES(a->embedding),
        {"seed", 0, 0, G_OPTION_ARG_INT, &a->seed, "Of the probe's held-out fifth (default: 0)", "N"},
        MAXGL_EVAL_OUTPUT_ENTRIES(a->output),
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "linear|retrieval…",
        .summary =
            "Measures what a network has learnt, on labelled videos and without changing it. A video's\n"
            "feature vector is the mean over clips spread evenly over it, seen at the centre.\n"
            "  linear       accuracy of a linear classifier trained on the vectors of the training videos\n"
            "  retrieval    R@k: is one of the k training videos nearest to a test video of its class?\n"
            "Both can be asked for at once, which costs hardly more than one. With options of their own:\n"
            "  recognition  classes by a fine-tuned network's classifier: maxgl-cl eval recognition --help\n"
            "  scenes       recognition of dynamic scenes: maxgl-cl eval scenes --help\n"
            "  aslan        action similarity: maxgl-cl eval aslan --help\n"
            "  mean         the mean of results on several splits: maxgl-cl eval mean --help",
        .entries = entries,
        .examples = "  maxgl-cl eval linear --model runs/demo --data videos/list.csv --random-init\n"
                    "  maxgl-cl eval linear retrieval -m runs/demo --data synth: --label motion --still\n"
                    "  maxgl-cl eval retrieval -m r3d.safetensors --data "
                    "ucf101:videos=UCF-101,lists=ucfTrainTestlist",
        .more =
            "The linear classifier is L2-regularised logistic regression, one class against the rest, on\n"
            "standardised features; its strength is chosen on a held-out fifth of the training videos.\n"
            "Chance is 1/classes for linear, and for retrieval what neighbours drawn by lot would give.\n"
            "--random-init draws the weights from the seed that training began with, and lets batch norm's\n"
            "statistics adapt to the training videos.",
        .min_arguments = 1,
        .max_arguments = 2,
    };
    return maxgl_command_parse(&help, argc, argv, error);
}

static gboolean check(Arguments *a, GError **error)
{
    if (!a->model)
        return maxgl_command_usage(error, "--model is missing");
    if (!a->data)
        return maxgl_command_usage(error, "--data is missing");
    if (!maxgl_embedding_arguments_check(&a->embedding, 1, error))
        return FALSE;
    if (a->seed < 0)
        return maxgl_command_usage(error, "--seed=%d is out of range; at least 0", a->seed);
    return TRUE;
}

/* Protocols that are commands of their own. */
static const MaxglCommand others[] = {
    {"recognition", "classes of videos by a fine-tuned network's classifier", maxgl_cmd_eval_recognition},
    {"scenes", "recognition of dynamic scenes, one video left out at a time", maxgl_cmd_eval_scenes},
    {"aslan", "action similarity: whether two videos show the same action", maxgl_cmd_eval_aslan},
    {"mean", "results on several splits, averaged", maxgl_cmd_eval_mean},
    {NULL},
};

static gboolean is_other(const char *name)
{
    for (const MaxglCommand *other = others; other->name; other++)
        if (strcmp(other->name, name) == 0)
            return TRUE;
    return FALSE;
}

static gboolean parse_protocols(int argc, char **argv, MaxglEvaluationOptions *options, GError **error)
{
    for (int i = 1; i < argc; i++) {
        gboolean *protocol = strcmp(argv[i], "linear") == 0      ? &options->linear
                             : strcmp(argv[i], "retrieval") == 0 ? &options->retrieval
                                                                 : NULL;
        if (!protocol && is_other(argv[i]))
            return maxgl_command_usage(error, "%s goes alone, and directly behind \"eval\"", argv[i]);
        if (!protocol)
            return maxgl_command_usage(
                error, "no protocol \"%s\"; there are: linear, retrieval, recognition, scenes, aslan, mean",
                argv[i]);
        *protocol = TRUE;
    }
    return TRUE;
}

gboolean maxgl_cmd_eval(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.embedding.clips = 10};
    MaxglEvaluationOptions options = {0};
    if (argc > 1 && is_other(argv[1]))
        return maxgl_command_run_verb(others, NULL, argc, argv, error);
    if (!parse(&argc, &argv, &a, error) || !check(&a, error) ||
        !parse_protocols(argc, argv, &options, error) ||
        !maxgl_eval_output_prepare(&a.output, a.model, error))
        return FALSE;
    g_autofree char *model = maxgl_model_path(a.model, error);
    if (!model)
        return FALSE;
    options.model = model;
    options.device = maxgl_command_device();
    options.data = a.data;
    options.labels = (const char *const *)a.labels;
    options.train_split = a.train_split ? a.train_split : "train";
    options.test_splits = (const char *const *)a.test_splits;
    options.clips = a.embedding.clips;
    options.batch = a.embedding.batch;
    options.workers = a.embedding.workers;
    options.cache = !a.embedding.no_cache;
    options.seed = (guint64)a.seed;
    options.random_init = a.random_init;
    options.still = a.still;
    options.exact = a.embedding.exact;
    options.precision = a.embedding.precision;
    maxgl_interrupt_install();
    g_autoptr(MaxglEvaluation) evaluation = maxgl_evaluation_run(&options, error);
    return evaluation && report(evaluation, &a, error);
}
