/* The curves of metrics.csv. */
#include "eval/report_parts.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* How a column is shown. */
typedef struct {
    const char *column, *title, *unit;
    gboolean noisy;
    double scale;
} Column;

static const Column known[] = {
    {"loss", "Loss", "", TRUE, 1},
    {"global_mi", "Global-MI", "nats", TRUE, 1},
    {"local_mi", "Local-MI", "nats", TRUE, 1},
    {"accuracy", "Accuracy of a batch", "%", TRUE, 100},
    {"lr", "Learning rate", "", FALSE, 1},
    {"clips_per_s", "Speed", "clips/s", TRUE, 1},
    {"waiting", "Waiting for data", "%", TRUE, 100},
};

static gboolean parse_row(const char *line, guint columns, double *row)
{
    for (guint i = 0; i < columns; i++) {
        char *end;
        row[i] = g_ascii_strtod(line, &end);
        if (end == line || !isfinite(row[i]) || *end != (i + 1 < columns ? ',' : '\0'))
            return FALSE;
        line = end + 1;
    }
    return TRUE;
}

/* All numbers of the file, column after column. A last line that was cut off is left out. */
static double *parse_metrics(const char *path, char **lines, guint columns, gsize *rows, GError **error)
{
    const guint n = g_strv_length(lines) - 1; /* behind the last line end */
    g_autofree double *values = g_new(double, (gsize)columns *MAX(n, 1)), *row = g_new(double, columns);
    *rows = n > 0 ? n - 1 : 0;
    for (gsize r = 0; r < *rows; r++) {
        if (!parse_row(lines[r + 1], columns, row)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "%s:%" G_GSIZE_FORMAT ": is not %u numbers with commas between them", path, r + 2,
                        columns);
            return NULL;
        }
        for (guint c = 0; c < columns; c++)
            values[c * *rows + r] = row[c];
    }
    return g_steal_pointer(&values);
}

gboolean maxgl_metrics_table_read(MaxglMetricsTable *table, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    *table = (MaxglMetricsTable){0};
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return TRUE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    table->names = g_strsplit(lines[0], ",", -1);
    table->columns = g_strv_length(table->names);
    if (table->columns < 2 || strcmp(table->names[0], "step") != 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:1: is not the header of a run's metrics",
                    path);
        return FALSE;
    }
    table->values = parse_metrics(path, lines, table->columns, &table->rows, error);
    return table->values != NULL;
}

void maxgl_metrics_table_clear(MaxglMetricsTable *table)
{
    g_strfreev(table->names);
    g_free(table->values);
    *table = (MaxglMetricsTable){0};
}

const double *maxgl_metrics_table_column(const MaxglMetricsTable *table, const char *name)
{
    for (guint c = 0; c < table->columns; c++)
        if (strcmp(table->names[c], name) == 0)
            return table->values + c * table->rows;
    return NULL;
}

void maxgl_report_column(MaxglChart *chart, const char *name)
{
    static const Column other = {NULL, NULL, "", TRUE, 1};
    const Column *column = &other;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(known[i].column, name) == 0)
            column = &known[i];
    chart->title = column->title ? column->title : name;
    chart->unit = column->unit;
    chart->noisy = column->noisy;
    chart->scale = column->scale;
}

static double bound_of(const MaxglReportOptions *options, const char *column)
{
    return strcmp(column, "global_mi") == 0  ? options->global_bound
           : strcmp(column, "local_mi") == 0 ? options->local_bound
                                             : 0;
}

static void append_column(GString *html, const MaxglReportOptions *options, const MaxglMetricsTable *table,
                          const char *name)
{
    const double *y = maxgl_metrics_table_column(table, name);
    const double bound = bound_of(options, name);
    g_autofree char *text = g_strdup_printf("upper bound %.2f", bound);
    const MaxglCurve curve = {.x = table->values, .y = y, .n = table->rows};
    MaxglChart chart = {.curves = &curve, .n_curves = 1, .bound = bound, .bound_text = text};
    gboolean used = FALSE;
    for (gsize i = 0; i < table->rows; i++)
        used = used || y[i] != 0;
    if (!used && g_str_has_suffix(name, "_mi"))
        return; /* a term that was switched off */
    maxgl_report_column(&chart, name);
    maxgl_chart_append(html, &chart);
}

gboolean maxgl_report_curves(GString *html, const char *path, const MaxglReportOptions *options,
                             GError **error)
{
    g_auto(MaxglMetricsTable) table;
    if (!maxgl_metrics_table_read(&table, path, error))
        return FALSE;
    if (table.rows == 0)
        return TRUE;
    g_string_append(html, "<section><h2>Training</h2>\n<div class=\"charts\">\n");
    for (guint c = 1; c < table.columns; c++)
        if (strcmp(table.names[c], "epoch") != 0)
            append_column(html, options, &table, table.names[c]);
    g_string_append(html, "</div>\n<p class=\"note\">Over training steps. Pale: single batches; dark: their "
                          "moving mean.</p></section>\n");
    return TRUE;
}
