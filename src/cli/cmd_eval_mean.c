/* maxgl-cl eval mean: results on several splits, averaged. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/table.h"
#include "eval/evaluation.h"
#include "eval/result_mean.h"

#include <stdio.h>
#include <string.h>

static const char *title_of(const char *network)
{
    for (int i = 0; i < MAXGL_COMPARISONS; i++)
        if (strcmp(network, maxgl_comparison_name((MaxglComparison)i)) == 0)
            return maxgl_comparison_title((MaxglComparison)i);
    return network;
}

static MaxglTable *new_table(guint files)
{
    g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func(g_free);
    static const char *const first[] = {"label", "split", "network", "measure", ">mean", ">± deviation"};
    for (gsize i = 0; i < G_N_ELEMENTS(first); i++)
        g_ptr_array_add(titles, g_strdup(first[i]));
    for (guint i = 0; i < files; i++)
        g_ptr_array_add(titles, g_strdup_printf(">%u", i + 1));
    g_ptr_array_add(titles, NULL);
    return maxgl_table_new((const char *const *)titles->pdata);
}

static void print_table(const MaxglResultMean *m)
{
    g_autoptr(MaxglTable) table = new_table(m->n);
    for (guint i = 0; i < m->rows->len; i++) {
        const MaxglMeanRow *row = g_ptr_array_index(m->rows, i);
        maxgl_table_add(table, row->label);
        maxgl_table_add(table, row->split);
        maxgl_table_add(table, title_of(row->network));
        maxgl_table_add(table, row->measure);
        maxgl_table_addf(table, "%.4f", row->spread.mean);
        maxgl_table_addf(table, "%.4f", row->spread.deviation);
        for (guint k = 0; k < row->spread.n; k++)
            maxgl_table_addf(table, "%.4f", row->spread.values[k]);
    }
    printf("\nMean of %u results of eval %s, and the deviation between them\n\n", m->n, m->protocol);
    for (guint i = 0; i < m->n; i++)
        printf("  %u  %s\n", i + 1, m->files[i]);
    printf("\n");
    maxgl_table_print(table, "  ");
}

gboolean maxgl_cmd_eval_mean(int argc, char **argv, GError **error)
{
    g_autofree char *json = NULL;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "Also write the means to F (-: instead of the table)",
         "F"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "RESULT.json RESULT.json…",
        .summary =
            "The mean over splits of a data set, as it is published: takes a result of eval recognition,\n"
            "linear or retrieval for each split, from the folders of runs (eval-PROTOCOL.json) or from\n"
            "--json, and prints each measure's mean and deviation.",
        .entries = entries,
        .examples = "  maxgl-cl eval mean runs/ucf101-1/eval-recognition.json \\\n"
                    "      runs/ucf101-2/eval-recognition.json runs/ucf101-3/eval-recognition.json\n"
                    "  maxgl-cl eval mean runs/maxgl/eval-retrieval-*.json --json mean.json",
        .more =
            "The deviation is that of the values (n − 1). Results that cannot be compared are refused: of\n"
            "another protocol, architecture, number of clips, way of averaging, label or other classes, and\n"
            "the same model on the same data twice. For runs that differ in their seed: maxgl-cl report.",
        .min_arguments = 2,
        .max_arguments = 1000,
    };
    if (!maxgl_command_parse(&help, &argc, &argv, error))
        return FALSE;
    const gboolean instead = json && strcmp(json, "-") == 0;
    g_autoptr(MaxglFile) probe = json && !instead ? maxgl_file_create(json, error) : NULL;
    if (json && !instead && !probe)
        return FALSE;
    g_autoptr(MaxglResultMean) mean =
        maxgl_result_mean_new((const char *const *)argv + 1, (guint)argc - 1, error);
    if (!mean)
        return FALSE;
    g_autofree char *members = maxgl_result_mean_json(mean), *text = g_strconcat(members, "\n", NULL);
    if (!instead)
        print_table(mean);
    if (instead)
        fputs(text, stdout);
    return !json || instead || maxgl_file_write_atomic(json, text, strlen(text), error);
}
