/* The page that compares runs. */
#include "eval/comparison.h"

#include "eval/report_parts.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* Colours of the style sheet: grey ones for what runs are compared with. */
static guint color_of(const MaxglRunComparison *table, const GPtrArray *groups, guint index)
{
    static const guint colors[] = {0, 1, 2, 4, 6, 7, 8, 9};
    guint before = 0;
    const char *title = g_ptr_array_index(groups, index);
    if (strcmp(title, maxgl_comparison_title(MAXGL_COMPARISON_RANDOM)) == 0)
        return 3;
    if (!g_ptr_array_find_with_equal_func(table->groups, title, g_str_equal, NULL))
        return 5;
    for (guint g = 0; g < index; g++)
        before +=
            g_ptr_array_find_with_equal_func(table->groups, g_ptr_array_index(groups, g), g_str_equal, NULL);
    return colors[before % G_N_ELEMENTS(colors)];
}

/* ---------------- bars ---------------- */

static const char *row_title(const MaxglComparisonRow *row)
{
    return strcmp(row->protocol, "linear") == 0        ? "linear probe"
           : strcmp(row->protocol, "retrieval") == 0   ? "nearest neighbour"
           : strcmp(row->protocol, "recognition") == 0 ? "recognition"
                                                       : row->protocol;
}

/* The bar ends at the mean; the line across its end reaches one deviation to both sides; ticks are single
 * runs. */
static void append_bar(GString *html, const char *title, guint color, const MaxglSpread *cell, double chance)
{
    const double low = MAX(cell->mean - cell->deviation, 0), high = MIN(cell->mean + cell->deviation, 1);
    maxgl_html(html,
               "<div class=\"bar wide\"><span class=\"name\">%s</span><span class=\"track\">"
               "<i class=\"fill%u\" style=\"width:%.1f%%\"></i>",
               title, color, 100 * cell->mean);
    if (!isnan(chance))
        maxgl_html(html, "<s style=\"left:%.1f%%\"></s>", 100 * chance);
    if (cell->n > 1)
        maxgl_html(html, "<u style=\"left:%.1f%%;width:%.1f%%\"></u>", 100 * low, 100 * (high - low));
    maxgl_html(html, "</span><span class=\"value\">%.3f", cell->mean);
    if (cell->n > 1)
        maxgl_html(html, " ± %.3f", cell->deviation);
    g_string_append(html, "</span></div>");
}

static void append_row(GString *html, const MaxglRunComparison *table, const MaxglComparisonPart *part,
                       const MaxglComparisonRow *row)
{
    maxgl_html(html, "<tr><td><b>%s</b>%s%s<br/><span class=\"note\">%s, %s</span></td><td class=\"bars\">",
               row->label, row->split[0] ? ", " : "", row->split, row_title(row), row->measure);
    for (guint g = 0; g < part->groups->len; g++)
        if (row->cells[g].n > 0)
            append_bar(html, g_ptr_array_index(part->groups, g), color_of(table, part->groups, g),
                       &row->cells[g], row->chance);
    g_string_append(html, "</td></tr>\n");
}

static void append_results(GString *html, const MaxglRunComparison *table, const MaxglComparisonPart *part)
{
    maxgl_html(
        html,
        "<h2>%s</h2>\n<div class=\"scroll\"><table class=\"wide\"><thead><tr>"
        "<th>label, videos</th><th class=\"bars\">mean and deviation of the runs</th></tr></thead><tbody>\n",
        part->data);
    for (guint r = 0; r < part->rows->len; r++)
        append_row(html, table, part, g_ptr_array_index(part->rows, r));
    g_string_append(html, "</tbody></table></div>\n<p class=\"legend\"><s></s>chance</p>\n");
}

/* ---------------- curves ---------------- */

/* A group's curve: the mean over its runs of those steps that all of them have. */
typedef struct {
    double *x, *y;
    gsize n;
} Mean;

static void mean_clear(Mean *mean)
{
    g_free(mean->x);
    g_free(mean->y);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mean, mean_clear)

/* Adds a run's column to the @runs that are in @mean already. */
static void mean_add(Mean *mean, guint runs, const MaxglMetricsTable *table, const double *column)
{
    if (runs == 0) {
        mean->x = g_memdup2(table->values, table->rows * sizeof(double));
        mean->y = g_memdup2(column, table->rows * sizeof(double));
        mean->n = table->rows;
        return;
    }
    mean->n = MIN(mean->n, table->rows);
    for (gsize i = 0; i < mean->n; i++)
        mean->y[i] += (column[i] - mean->y[i]) / (runs + 1);
}

static gboolean mean_of_group(Mean *mean, const MaxglRunComparison *table, const char *group,
                              const char *name, GError **error)
{
    guint runs = 0;
    for (guint i = 0; i < table->n_runs; i++) {
        if (strcmp(table->runs[i].group, group) != 0)
            continue;
        g_auto(MaxglMetricsTable) metrics;
        g_autofree char *path = g_build_filename(table->runs[i].folder, "metrics.csv", NULL);
        if (!maxgl_metrics_table_read(&metrics, path, error))
            return FALSE;
        const double *column = maxgl_metrics_table_column(&metrics, name);
        if (column && metrics.rows > 0)
            mean_add(mean, runs++, &metrics, column);
    }
    return TRUE;
}

static gboolean is_used(const Mean *mean)
{
    for (gsize i = 0; i < mean->n; i++)
        if (mean->y[i] != 0)
            return TRUE;
    return FALSE;
}

static gboolean append_chart(GString *html, const MaxglRunComparison *table, const GPtrArray *groups,
                             const char *name, GError **error)
{
    const guint n = groups->len;
    g_autofree Mean *means = g_new0(Mean, n);
    g_autofree MaxglCurve *curves = g_new0(MaxglCurve, n);
    gboolean good = TRUE;
    guint used = 0;
    for (guint g = 0; g < n && good; g++) {
        const char *group = g_ptr_array_index(groups, g);
        good = mean_of_group(&means[g], table, group, name, error);
        const gboolean drawn = good && is_used(&means[g]);
        curves[g] =
            (MaxglCurve){group, means[g].x, means[g].y, drawn ? means[g].n : 0, color_of(table, groups, g)};
        used += drawn;
    }
    if (good && used > 0) {
        MaxglChart chart = {.curves = curves, .n_curves = n};
        maxgl_report_column(&chart, name);
        maxgl_chart_append(html, &chart);
    }
    for (guint g = 0; g < n; g++)
        mean_clear(&means[g]);
    return good;
}

static gboolean append_curves(GString *html, const MaxglRunComparison *table, const GPtrArray *groups,
                              GError **error)
{
    static const char *const names[] = {"global_mi", "local_mi", "loss", "accuracy"};
    g_string_append(html, "<h3>Training</h3>\n<div class=\"charts\">\n");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (!append_chart(html, table, groups, names[i], error))
            return FALSE;
    g_string_append(html,
                    "</div>\n<p class=\"note\">Over training steps: moving means, and means over the runs "
                    "of a group.</p>\n");
    return TRUE;
}

/* ---------------- the page ---------------- */

static void append_groups(GString *html, const MaxglRunComparison *table)
{
    g_string_append(html, "<dl class=\"facts\">\n");
    for (guint g = 0; g < table->groups->len; g++) {
        const char *group = g_ptr_array_index(table->groups, g), *about = NULL;
        guint runs = 0;
        for (guint i = 0; i < table->n_runs; i++)
            if (strcmp(table->runs[i].group, group) == 0) {
                runs++;
                about = table->runs[i].about;
            }
        g_autofree char *text = g_strdup_printf("%u run%s%s%s", runs, runs == 1 ? "" : "s",
                                                about && about[0] ? "; " : "", about ? about : "");
        maxgl_html_fact(html, group, text);
    }
    g_string_append(html, "</dl>\n");
}

char *maxgl_run_comparison_page(const MaxglRunComparison *table, GError **error)
{
    g_autoptr(GString) html = g_string_new(NULL);
    maxgl_html_begin(
        html, "Runs beside each other",
        "Runs of a group differ in their seed alone; after a group's name stands what its recipe "
        "has that the first one's has not.");
    append_groups(html, table);
    g_string_append(html, "</header>\n<main>\n");
    for (guint p = 0; p < table->parts->len; p++) {
        const MaxglComparisonPart *part = g_ptr_array_index(table->parts, p);
        g_string_append(html, "<section>");
        append_results(html, table, part);
        if (!append_curves(html, table, part->groups, error))
            return NULL;
        g_string_append(html, "</section>\n");
    }
    if (table->parts->len == 0 && !append_curves(html, table, table->groups, error))
        return NULL;
    maxgl_html_end(html, "report");
    return g_string_free(g_steal_pointer(&html), FALSE);
}
