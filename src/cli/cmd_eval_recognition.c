/* maxgl-cl eval recognition: a network's classifier on whole videos. */
#include "base/interrupt.h"
#include "cli/class_table.h"
#include "cli/command.h"
#include "cli/embedding_arguments.h"
#include "cli/eval_output.h"
#include "cli/table.h"
#include "eval/recognition.h"
#include "learn/run.h"

#include <stdio.h>

/* What the command line says. */
typedef struct {
    char *model, *data, *label, *split;
    MaxglEmbeddingArguments embedding;
    gboolean windows;
    MaxglEvalOutput output;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->model);
    g_free(a->data);
    g_free(a->label);
    g_free(a->split);
    maxgl_eval_output_clear(&a->output);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static void print_tables(const MaxglRecognition *r)
{
    static const char *const titles[] = {
        "label", ">videos", ">classes", ">top-1", ">top-5", ">mean over classes", ">chance", NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    maxgl_table_add(table, r->label);
    maxgl_table_addf(table, "%" G_GSIZE_FORMAT, r->videos);
    maxgl_table_addf(table, "%d", r->n_classes);
    maxgl_table_addf(table, "%.3f", (double)r->top1 / (double)r->videos);
    maxgl_table_addf(table, "%.3f", (double)r->top5 / (double)r->videos);
    maxgl_table_addf(table, "%.3f", r->per_class);
    maxgl_table_addf(table, "%.3f", 1.0 / r->n_classes);
    if (r->options.windows)
        printf("\nRecognition, softmax averaged over the clips that follow each other in a video\n\n");
    else
        printf("\nRecognition, logits averaged over %d clips a video\n\n", r->options.clips);
    maxgl_table_print(table, "  ");
    printf("\n");
    maxgl_class_table_print((const char *const *)r->class_names, r->n_classes, r->confusion);
    if (r->unlabelled > 0)
        printf("\n  %" G_GSIZE_FORMAT " more videos say nothing of %s\n", r->unlabelled, r->label);
}

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model,
         "Model file with a classifier, or the folder of a run", "M"},
        {"data", 0, 0, G_OPTION_ARG_FILENAME, &a->data,
         "Labelled videos: folder, list, ucf101:…, hmdb51:…, kinetics:… or synth:", "D"},
        {"label", 'l', 0, G_OPTION_ARG_STRING, &a->label,
         "Column of the classes (default: what the model was trained on)", "COLUMN"},
        {"split", 0, 0, G_OPTION_ARG_STRING, &a->split,
         "Videos to test, where D has a column split (default: test)", "NAME"},
        {"clips", 0, 0, G_OPTION_ARG_INT, &a->embedding.clips,
         "Clips spread evenly over a video, whose logits are averaged (default: 10)", "N"},
        {"windows", 0, 0, G_OPTION_ARG_NONE, &a->windows,
         "Instead, all clips of a video that follow each other, whose softmax is averaged", NULL},
        MAXGL_EMBEDDING_ENTRIES(a->embedding),
        MAXGL_EVAL_OUTPUT_ENTRIES(a->output),
        {NULL},
    };
    const MaxglCommandHelp help = {
        .summary =
            "Tests a network that maxgl-cl train --task recognition has trained, on whole videos: top-1,\n"
            "top-5, each class's accuracy, and what is taken for what.",
        .entries = entries,
        .examples = "  maxgl-cl eval recognition --model runs/actions --data videos/list.csv\n"
                    "  maxgl-cl eval recognition -m runs/ucf101-1 --data "
                    "ucf101:videos=UCF-101,lists=ucfTrainTestlist,split=1\n"
                    "  maxgl-cl eval recognition -m kinetics.safetensors --data videos/list.csv --windows",
        .more =
            "Clips are seen at the centre, as the model file says. The classes of the videos must be among\n"
            "the model's; a model that does not name its own must have as many as D, in the order of their\n"
            "bytes. --windows is the sliding window of 3D-ResNets-PyTorch; frames left over at a video's\n"
            "end are looped to a last clip.",
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
    return maxgl_embedding_arguments_check(&a->embedding, 1, error);
}

gboolean maxgl_cmd_eval_recognition(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.embedding.clips = 10};
    if (!parse(&argc, &argv, &a, error) || !check(&a, error) ||
        !maxgl_eval_output_prepare(&a.output, a.model, error))
        return FALSE;
    g_autofree char *model = maxgl_model_path(a.model, error);
    if (!model)
        return FALSE;
    const MaxglRecognitionOptions options = {
        .model = model,
        .device = maxgl_command_device(),
        .data = a.data,
        .label = a.label,
        .split = a.split ? a.split : "test",
        .clips = a.embedding.clips,
        .windows = a.windows,
        .batch = a.embedding.batch,
        .cache = !a.embedding.no_cache,
        .workers = a.embedding.workers,
        .exact = a.embedding.exact,
        .precision = a.embedding.precision,
    };
    maxgl_interrupt_install();
    g_autoptr(MaxglRecognition) recognition = maxgl_recognition_run(&options, error);
    g_autofree char *json = recognition ? maxgl_recognition_json(recognition, error) : NULL;
    if (!json || !maxgl_eval_output_store(&a.output, "recognition", json, error))
        return FALSE;
    if (maxgl_eval_output_wants_tables(&a.output))
        print_tables(recognition);
    g_autofree char *text = g_strconcat(json, "\n", NULL);
    return maxgl_eval_output_finish(&a.output, text, error);
}
