/* The tables of a comparison's page. */
#include "bench/page_private.h"

#include "eval/html.h"

#include <math.h>

guint maxgl_page_by(const MaxglComparedWork *work, guint i)
{
    return g_array_index(work->by, guint, i);
}

const MaxglMeasurer *maxgl_page_who(const MaxglComparison *c, const MaxglComparedWork *work, guint i)
{
    return g_ptr_array_index(c->measurers, maxgl_page_by(work, i));
}

/* ---------------- columns ---------------- */

/* A figure of a measurement; 0 and what is not finite stand for none. */
typedef struct {
    const char *title, *format;
    double (*value)(const MaxglMeasurer *who, const MaxglMeasurement *m);
    gboolean rare; /* left out where no measurement has it */
} Column;

static double clips(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->clips;
}

static double milliseconds(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->seconds * 1e3;
}

static double fastest(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->min * 1e3;
}

static double p90(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->p90 * 1e3;
}

static double predicted(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->predicted * 1e3;
}

static double of_predicted(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->predicted > 0 ? m->seconds / m->predicted : 0;
}

static double gflops(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->flops * 1e-9;
}

static double of_peak(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    const double peak = m->units_peak > 0 ? m->units_peak : who->peak;
    return peak > 0 ? 100 * m->flops / peak : 0;
}

static double of_limit(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return 100 * m->of_limit;
}

static double gbytes(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->bytes * 1e-9;
}

static double mebibytes(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->memory / 1048576;
}

static double relative_error(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return m->error;
}

static const Column columns_whole[] = {{"ms", "%.1f", milliseconds},
                                       {"fastest", "%.1f", fastest},
                                       {"90th percentile", "%.1f", p90},
                                       {"GFLOP/s", "%.1f", gflops},
                                       {"% peak", "%.0f", of_peak},
                                       {"MiB", "%.0f", mebibytes},
                                       {NULL}};
static const Column columns_runs[] = {{"clips/s", "%.1f", clips, TRUE},
                                      {"ms", "%.1f", milliseconds},
                                      {"predicted ms", "%.1f", predicted, TRUE},
                                      {"measured ÷ predicted", "%.2f", of_predicted, TRUE},
                                      {"GFLOP/s", "%.1f", gflops},
                                      {"% of its limit", "%.0f", of_limit},
                                      {"MiB on the device", "%.0f", mebibytes},
                                      {NULL}};
static const Column columns_data[] = {{"clips/s", "%.1f", clips}, {NULL}};
static const Column columns_layers[] = {{"ms", "%.3f", milliseconds},
                                        {"predicted", "%.3f", predicted, TRUE},
                                        {"measured ÷ predicted", "%.2f", of_predicted, TRUE},
                                        {"GFLOP/s", "%.1f", gflops},
                                        {"% peak", "%.0f", of_peak},
                                        {"GB/s", "%.1f", gbytes},
                                        {"error", "%.1e", relative_error},
                                        {NULL}};
static const Column columns_suite_layers[] = {{"ms", "%.3f", milliseconds},
                                              {"predicted", "%.3f", predicted, TRUE},
                                              {"measured ÷ predicted", "%.2f", of_predicted, TRUE},
                                              {"GFLOP/s", "%.1f", gflops},
                                              {"GB/s", "%.1f", gbytes},
                                              {"% of its limit", "%.0f", of_limit},
                                              {"error", "%.1e", relative_error},
                                              {NULL}};

static gboolean is_used(const MaxglComparison *c, const MaxglComparedWork *work, const Column *column)
{
    for (guint r = 0; r < work->rows->len; r++)
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
            if (column->value(maxgl_page_who(c, work, i), &row->measurements[maxgl_page_by(work, i)]) > 0)
                return TRUE;
        }
    return FALSE;
}

/* (element Column*) those of @work's kind that have something in them. */
static GPtrArray *columns_of(const MaxglComparison *c, const MaxglComparedWork *work)
{
    static const Column *const all[] = {[MAXGL_COMPARE_WHOLE] = columns_whole,
                                        [MAXGL_COMPARE_LAYERS] = columns_layers,
                                        [MAXGL_COMPARE_DATA] = columns_data,
                                        [MAXGL_COMPARE_RUNS] = columns_runs,
                                        [MAXGL_COMPARE_SUITE_LAYERS] = columns_suite_layers};
    GPtrArray *columns = g_ptr_array_new();
    for (const Column *column = all[work->kind]; column->title; column++)
        if (!column->rare || is_used(c, work, column))
            g_ptr_array_add(columns, (gpointer)column);
    return columns;
}

/* ---------------- cells ---------------- */

static void append_cell(GString *html, const char *format, double value)
{
    g_autofree char *text = NULL;
    if (value > 0 && isfinite(value)) {
        char buffer[32];
        text = g_strdup(g_ascii_formatd(buffer, sizeof buffer, format, value));
    }
    maxgl_html(html, "<td class=\"r\">%s</td>", text ? text : "–");
}

static void append_key(GString *html, const MaxglComparison *c, const MaxglComparedWork *work, guint i)
{
    maxgl_html(html, "<i class=\"key fill%u\"></i>%s", maxgl_page_by(work, i) % MAXGL_PAGE_COLOURS,
               maxgl_page_who(c, work, i)->label);
}

static void append_figures(GString *html, const GPtrArray *columns, const MaxglMeasurer *who,
                           const MaxglMeasurement *m)
{
    for (guint t = 0; t < columns->len; t++) {
        const Column *column = g_ptr_array_index(columns, t);
        append_cell(html, column->format, column->value(who, m));
    }
}

static void append_titles(GString *html, const GPtrArray *columns)
{
    for (guint t = 0; t < columns->len; t++)
        maxgl_html(html, "<th class=\"r\">%s</th>", ((const Column *)columns->pdata[t])->title);
}

/* ---------------- a line for each of few rows and each measurer ---------------- */

static void append_long_table(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    const gboolean whole = work->kind == MAXGL_COMPARE_WHOLE;
    g_autoptr(GPtrArray) columns = columns_of(c, work);
    g_string_append(html, "<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    g_string_append(html, whole ? "" : "<th></th>");
    append_titles(html, columns);
    g_string_append(html, "<th class=\"r\">× as fast</th></tr></thead>\n<tbody>\n");
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[maxgl_page_by(work, i)];
            g_string_append(html, i > 0 ? "<tr class=\"more\">" : "<tr>");
            if (!whole)
                maxgl_html(html, "<td>%s</td>", i == 0 ? row->name : "");
            g_string_append(html, "<td>");
            append_key(html, c, work, i);
            g_string_append(html, "</td>");
            append_figures(html, columns, maxgl_page_who(c, work, i), m);
            append_cell(html, "%.2f", maxgl_measured_ratio(&row->measurements[maxgl_page_by(work, 0)], m));
            g_string_append(html, "</tr>\n");
        }
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* ---------------- the measurers side by side, of many rows ---------------- */

/* Two lines: who, and the columns of each. */
static void append_wide_head(GString *html, const MaxglComparison *c, const MaxglComparedWork *work,
                             const GPtrArray *columns)
{
    g_string_append(html, "<thead><tr><th colspan=\"2\"></th>");
    for (guint i = 0; i < work->by->len; i++) {
        g_string_append_printf(html, "<th class=\"r\" colspan=\"%u\">", columns->len + 1 + (i > 0));
        append_key(html, c, work, i);
        g_string_append(html, "</th>");
    }
    g_string_append(html, "</tr>\n<tr><th></th><th>pass</th>");
    for (guint i = 0; i < work->by->len; i++) {
        g_string_append(html, "<th class=\"r\">algorithm</th>");
        append_titles(html, columns);
        g_string_append(html, i > 0 ? "<th class=\"r\">× as fast</th>" : "");
    }
    g_string_append(html, "</tr></thead>\n");
}

static void append_wide_table(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_autoptr(GPtrArray) columns = columns_of(c, work);
    g_string_append(html, "<div class=\"scroll\"><table>\n");
    append_wide_head(html, c, work, columns);
    g_string_append(html, "<tbody>\n");
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        maxgl_html(html, "<tr><td title=\"%s\">%s</td><td>%s</td>", row->what, row->name, row->pass);
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[maxgl_page_by(work, i)];
            maxgl_html(html, "<td class=\"r\">%s</td>", m->algorithm);
            append_figures(html, columns, maxgl_page_who(c, work, i), m);
            if (i > 0)
                append_cell(html, "%.2f",
                            maxgl_measured_ratio(&row->measurements[maxgl_page_by(work, 0)], m));
        }
        g_string_append(html, "</tr>\n");
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* ---------------- a cell for each measurer ---------------- */

static void append_narrow_head(GString *html, const MaxglComparison *c, const MaxglComparedWork *work,
                               const char *const *titles)
{
    guint n = 0;
    while (titles[n])
        n++;
    g_string_append(html, "<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    for (guint i = 0; i < work->by->len; i++) {
        g_string_append_printf(html, "<th class=\"r\" colspan=\"%u\">", n + (i > 0));
        append_key(html, c, work, i);
        g_string_append(html, "</th>");
    }
    g_string_append(html, "</tr>\n<tr><th></th>");
    for (guint i = 0; i < work->by->len; i++) {
        for (guint t = 0; t < n; t++)
            maxgl_html(html, "<th class=\"r\">%s</th>", titles[t]);
        g_string_append(html, i > 0 ? "<th class=\"r\">× as fast</th>" : "");
    }
    g_string_append(html, "</tr></thead>\n<tbody>\n");
}

static void append_limits(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_string_append(html, "<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    for (guint i = 0; i < work->by->len; i++) {
        g_string_append(html, "<th class=\"r\">");
        append_key(html, c, work, i);
        g_string_append(html, i > 0 ? "</th><th class=\"r\">× as fast</th>" : "</th>");
    }
    g_string_append(html, "</tr></thead>\n<tbody>\n");
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        maxgl_html(html, "<tr><td title=\"%s\">%s</td>", row->what, row->name);
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[maxgl_page_by(work, i)];
            g_autofree char *text = maxgl_measurement_text(m);
            maxgl_html(html, "<td class=\"r\">%s</td>", text);
            if (i > 0)
                append_cell(html, "%.2f",
                            maxgl_measured_ratio(&row->measurements[maxgl_page_by(work, 0)], m));
        }
        g_string_append(html, "</tr>\n");
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* All layers of a pass, each as often as the network has it. */
typedef struct {
    double seconds, at_limit;   /* measured; at the device's limit */
    double foreseen, predicted; /* of those with a prediction: measured, predicted */
} Sum;

static Sum sum_of(const MaxglComparedWork *work, const char *pass, guint measurer)
{
    Sum sum = {0};
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        const MaxglMeasurement *m = &row->measurements[measurer];
        if (!g_str_equal(row->pass, pass) || m->seconds <= 0)
            continue;
        sum.seconds += row->count * m->seconds;
        sum.at_limit += row->count * m->seconds * m->of_limit;
        sum.foreseen += m->predicted > 0 ? row->count * m->seconds : 0;
        sum.predicted += row->count * m->predicted;
    }
    return sum;
}

static void append_sum(GString *html, const Sum *sum, const Sum *first, gboolean model)
{
    append_cell(html, "%.1f", sum->seconds * 1e3);
    append_cell(html, "%.0f", sum->seconds > 0 ? 100 * sum->at_limit / sum->seconds : 0);
    if (model)
        append_cell(html, "%.2f", sum->predicted > 0 ? sum->foreseen / sum->predicted : 0);
    if (sum != first)
        append_cell(html, "%.2f", sum->seconds > 0 ? first->seconds / sum->seconds : 0);
}

static void append_sums(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    static const char *const passes[] = {"inference", "forward", "backward_data", "backward_weights",
                                         "backward"};
    static const char *const plain[] = {"ms", "% of its limit", NULL}, *const foreseen[] = {
                                                                           "ms", "% of its limit",
                                                                           "measured ÷ predicted", NULL};
    const Column column = {.value = predicted};
    const gboolean model = is_used(c, work, &column);
    append_narrow_head(html, c, work, model ? foreseen : plain);
    for (guint p = 0; p < G_N_ELEMENTS(passes); p++) {
        const Sum first = sum_of(work, passes[p], maxgl_page_by(work, 0));
        g_autofree char *title = g_strdelimit(g_strdup(passes[p]), "_", ' ');
        maxgl_html(html, "<tr><td>all layers, %s</td>", title);
        append_sum(html, &first, &first, model);
        for (guint i = 1; i < work->by->len; i++) {
            const Sum sum = sum_of(work, passes[p], maxgl_page_by(work, i));
            append_sum(html, &sum, &first, model);
        }
        g_string_append(html, "</tr>\n");
    }
    g_string_append(html, "</tbody></table></div>\n");
}

void maxgl_page_tables(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    const gboolean suite = work->kind == MAXGL_COMPARE_SUITE_LAYERS;
    if (work->kind == MAXGL_COMPARE_LIMITS) {
        append_limits(html, c, work);
    } else if (suite || work->kind == MAXGL_COMPARE_LAYERS) {
        if (suite)
            append_sums(html, c, work);
        if (!suite)
            g_string_append(html,
                            "<p class=\"note\">Dashed: the device's limit as measured, of matrix units where "
                            "layers ran on them. FLOPs are counted by "
                            "the direct method, so an algorithm that needs fewer can exceed it; caches can "
                            "exceed the bandwidth of copying.</p>\n");
        g_string_append(html, "<details><summary>All figures</summary>\n");
        append_wide_table(html, c, work);
        g_string_append(html, "</details>\n");
    } else {
        append_long_table(html, c, work);
    }
}
