/* maxgl-cl data: looks after data sets. */
#include "base/interrupt.h"
#include "base/json.h"
#include "cli/command.h"
#include "media/dataset_check.h"

#include <maxgl/error.h>
#include <stdio.h>

enum { SHOWN = 10 }; /* findings of a kind, without --all */

typedef struct {
    int frames, threads;
    gboolean whole, all;
    char *json;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->json);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"frames", 'f', 0, G_OPTION_ARG_INT, &a->frames,
         "Shorter videos are too short, 0: none is (default: 16, what a clip of 16 frames spans)", "N"},
        {"whole", 'w', 0, G_OPTION_ARG_NONE, &a->whole, "Decode every frame (slow), not only both ends",
         NULL},
        {"all", 'a', 0, G_OPTION_ARG_NONE, &a->all, "Print all findings, not only ten of a kind", NULL},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &a->json, "Also write the findings to F", "F"},
        {"threads", 'j', 0, G_OPTION_ARG_INT, &a->threads, "Threads (default: one a core, 8 at most)", "N"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "DATA",
        .summary =
            "Looks at every video of a data set and at its list: files that are missing, cannot be decoded,\n"
            "end too early or are too short; files that are listed twice, or that have the bytes of another\n"
            "(worst between train and test); class names that differ in case or spaces only; videos without\n"
            "a label; classes that the split train lacks.",
        .entries = entries,
        .examples =
            "  maxgl-cl data check videos/list.csv\n"
            "  maxgl-cl data check ucf101:videos=UCF-101,lists=ucfTrainTestlist,split=1\n"
            "  maxgl-cl data check hmdb51:videos=hmdb51_org,lists=testTrainMulti_7030_splits --whole\n"
            "  maxgl-cl data check kinetics:videos=k400,lists=k400/train.csv --json findings.json",
        .more = "DATA is a folder, a list or a published data set, as train and eval take it.\n"
                "Exit status: 0 if there is nothing to say, 1 otherwise.",
        .min_arguments = 1,
        .max_arguments = 1,
    };
    if (!maxgl_command_parse(&help, argc, argv, error))
        return FALSE;
    if (a->frames < 0)
        return maxgl_command_usage(error, "--frames=%d is out of range; allowed: 0 …", a->frames);
    if (a->threads < 0 || a->threads > 1024)
        return maxgl_command_usage(error, "--threads=%d is out of range; allowed: 0 … 1024", a->threads);
    return TRUE;
}

static void print_findings(const GPtrArray *findings, gboolean all)
{
    guint counts[MAXGL_N_FINDINGS] = {0};
    for (guint i = 0; i < findings->len; i++) {
        const MaxglFinding *finding = findings->pdata[i];
        if (!all && counts[finding->kind] == SHOWN)
            printf("  …\n");
        if (++counts[finding->kind] <= SHOWN || all)
            printf("  %s: %s%s%s%s\n", maxgl_finding_name(finding->kind), finding->what,
                   finding->detail[0] ? " (" : "", finding->detail, finding->detail[0] ? ")" : "");
    }
    for (MaxglFindingKind kind = 0; kind < MAXGL_N_FINDINGS; kind++)
        if (counts[kind] > 0)
            printf("%6u %s\n", counts[kind], maxgl_finding_name(kind));
}

static gboolean write_json(const char *path, const char *source, gsize videos, const GPtrArray *findings,
                           GError **error)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "data");
    json_builder_add_string_value(b, source);
    json_builder_set_member_name(b, "videos");
    json_builder_add_int_value(b, (gint64)videos);
    json_builder_set_member_name(b, "findings");
    json_builder_begin_array(b);
    for (guint i = 0; i < findings->len; i++) {
        const MaxglFinding *finding = findings->pdata[i];
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "kind");
        json_builder_add_string_value(b, maxgl_finding_name(finding->kind));
        json_builder_set_member_name(b, "what");
        json_builder_add_string_value(b, finding->what);
        json_builder_set_member_name(b, "detail");
        json_builder_add_string_value(b, finding->detail);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
    return maxgl_json_write(b, path, error);
}

/* "400 videos: train 300, test 100; 12 classes" */
static void print_summary(const char *source, const MaxglDataset *dataset)
{
    gsize n_splits = 0, n_classes = 0;
    const char *const *splits = maxgl_dataset_classes(dataset, "split", &n_splits);
    maxgl_dataset_classes(dataset, NULL, &n_classes);
    printf("%s: %" G_GSIZE_FORMAT " videos", source, maxgl_dataset_size(dataset));
    for (gsize s = 0; s < n_splits; s++) {
        gsize count = 0;
        for (gsize i = 0; i < maxgl_dataset_size(dataset); i++)
            count += maxgl_dataset_label(dataset, i, "split") == (int)s;
        printf("%s %s %" G_GSIZE_FORMAT, s ? "," : ":", splits[s], count);
    }
    printf("; %" G_GSIZE_FORMAT " classes\n", n_classes);
}

static gboolean run_check(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.frames = 16};
    if (!parse(&argc, &argv, &a, error))
        return FALSE;
    maxgl_interrupt_install();
    const MaxglDatasetCheckOptions options = {.frames = a.frames, .whole = a.whole, .threads = a.threads};
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(argv[1], error);
    g_autoptr(GPtrArray) findings = dataset ? maxgl_dataset_check(dataset, &options, error) : NULL;
    if (!findings)
        return FALSE;
    print_summary(argv[1], dataset);
    print_findings(findings, a.all);
    fflush(stdout);
    if (a.json && !write_json(a.json, argv[1], maxgl_dataset_size(dataset), findings, error))
        return FALSE;
    if (findings->len == 0) {
        printf("nothing wrong was found\n");
        return TRUE;
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "%s: %u %s", argv[1], findings->len,
                findings->len == 1 ? "finding" : "findings");
    return FALSE;
}

gboolean maxgl_cmd_data(int argc, char **argv, GError **error)
{
    const MaxglCommand verbs[] = {{"check", "find what is wrong with a data set", run_check}, {NULL}};
    return maxgl_command_run_verb(verbs, "Looks after data sets.", argc, argv, error);
}
