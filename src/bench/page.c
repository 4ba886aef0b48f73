/* The page of a comparison. */
#include "bench/compare.h"

#include "eval/html.h"

#include <math.h>

/* Of a chart, in its own units. */
#define WIDTH 480.0
#define LEFT 158.0
#define RIGHT 62.0
#define TOP 6.0
#define BOTTOM 24.0
#define BAR 11.0 /* height of one */
#define GAP 9.0  /* between rows */
#define TICKS 4
#define COLOURS 6

/* What a chart shows of a measurement. */
typedef struct {
    const char *title, *unit;
    double (*value)(const MaxglMeasurement *m);
    double (*limit)(const MaxglMeasurer *m); /* or NULL: drawn as a line */
    gboolean whiskers;                       /* from the fastest to the 90th percentile, of milliseconds */
} Quantity;

static double milliseconds(const MaxglMeasurement *m)
{
    return m->seconds * 1e3;
}

static double gflops(const MaxglMeasurement *m)
{
    return m->flops * 1e-9;
}

static double gbytes(const MaxglMeasurement *m)
{
    return m->bytes * 1e-9;
}

static double mebibytes(const MaxglMeasurement *m)
{
    return m->memory / 1048576;
}

static double clips(const MaxglMeasurement *m)
{
    return m->clips;
}

static double peak(const MaxglMeasurer *m)
{
    return m->peak * 1e-9;
}

static double bandwidth(const MaxglMeasurer *m)
{
    return m->copy * 1e-9;
}

static const Quantity time_quantity = {"Time", "ms", milliseconds, NULL, TRUE};
static const Quantity memory_quantity = {"Memory of the process, at most", "MiB", mebibytes, NULL, FALSE};
static const Quantity flops_quantity = {NULL, "GFLOP/s", gflops, peak, FALSE};
static const Quantity bytes_quantity = {NULL, "GB/s", gbytes, bandwidth, FALSE};
static const Quantity clips_quantity = {"Clips", "clips/s", clips, NULL, FALSE};

/* ---------------- charts ---------------- */

typedef struct {
    const MaxglComparison *comparison;
    const MaxglComparedWork *work;
    const Quantity *quantity;
    const char *title;
    GPtrArray *rows; /* MaxglComparedRow*, borrowed */
    double most;     /* right end of the scale */
} Chart;

/* Number @i of those who did @work, and who that is. */
static guint by(const MaxglComparedWork *work, guint i)
{
    return g_array_index(work->by, guint, i);
}

static const MaxglMeasurer *who_did(const MaxglComparison *c, const MaxglComparedWork *work, guint i)
{
    return g_ptr_array_index(c->measurers, by(work, i));
}

static double to_x(const Chart *c, double value)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * MIN(value / c->most, 1);
}

/* The largest bar fits; a limit far beyond all bars does not shrink them to nothing. */
static double scale_of(const Chart *c)
{
    double most = 0, limit = 0;
    for (guint i = 0; i < c->work->by->len; i++) {
        for (guint r = 0; r < c->rows->len; r++) {
            const MaxglMeasurement *x =
                &((MaxglComparedRow *)c->rows->pdata[r])->measurements[by(c->work, i)];
            most = MAX(most, c->quantity->value(x));
            if (c->quantity->whiskers)
                most = MAX(most, x->p90 * 1e3);
        }
        if (c->quantity->limit)
            limit = MAX(limit, c->quantity->limit(who_did(c->comparison, c->work, i)));
    }
    return 1.02 * (limit < 4 * most ? MAX(most, limit) : most);
}

static void append_grid(GString *html, const Chart *c, double bottom)
{
    const double step = maxgl_html_tick_step(c->most, TICKS);
    for (int i = 0; i * step <= c->most; i++) {
        const double x = to_x(c, i * step);
        g_string_append_printf(
            html,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%g</text>\n",
            x, x, TOP, bottom, x, bottom + 15, i * step);
    }
}

static void append_limits(GString *html, const Chart *c, double bottom)
{
    for (guint i = 0; c->quantity->limit && i < c->work->by->len; i++) {
        const double limit = c->quantity->limit(who_did(c->comparison, c->work, i));
        if (limit > 0 && limit <= c->most)
            g_string_append_printf(
                html, "<line class=\"limit stroke%u\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                by(c->work, i) % COLOURS, to_x(c, limit), to_x(c, limit), TOP, bottom);
    }
}

static void append_bar(GString *html, const Chart *c, const MaxglComparedRow *row, guint m, double y)
{
    const MaxglMeasurement *x = &row->measurements[m];
    const MaxglMeasurer *who = g_ptr_array_index(c->comparison->measurers, m);
    const double value = c->quantity->value(x);
    if (value <= 0)
        return;
    maxgl_html(html,
               "<g><title>%s, %s: %.4g %s</title><rect class=\"fill%u\" rx=\"2\" x=\"%.1f\" y=\"%.1f\" "
               "width=\"%.1f\" height=\"%.1f\"/>",
               row->name, who->label, value, c->quantity->unit, m % COLOURS, LEFT, y,
               MAX(to_x(c, value) - LEFT, 1), BAR - 2);
    double end = to_x(c, value);
    if (c->quantity->whiskers && x->p90 > x->min) {
        end = MAX(end, to_x(c, x->p90 * 1e3));
        g_string_append_printf(html,
                               "<line class=\"whisker\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                               to_x(c, x->min * 1e3), end, y + BAR / 2 - 1, y + BAR / 2 - 1);
    }
    g_string_append_printf(html, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%.*f</text></g>\n", end + 5,
                           y + BAR - 2.5,
                           value < 10    ? 2
                           : value < 100 ? 1
                                         : 0,
                           value);
}

static void append_rows(GString *html, const Chart *c)
{
    const guint measurers = c->work->by->len;
    const double height = measurers * BAR + GAP;
    for (guint r = 0; r < c->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(c->rows, r);
        const double y = TOP + GAP / 2 + r * height;
        maxgl_html(
            html,
            "<text class=\"name\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s<title>%s</title></text>\n",
            LEFT - 7, y + measurers * BAR / 2 + 3,
            c->work->kind == MAXGL_COMPARE_WHOLE ? row->pass : row->name, row->what);
        for (guint m = 0; m < measurers; m++)
            append_bar(html, c, row, by(c->work, m), y + m * BAR);
    }
}

static void append_chart(GString *html, Chart *c)
{
    c->most = scale_of(c);
    if (c->most <= 0)
        return;
    const double bottom = TOP + c->rows->len * (c->work->by->len * BAR + GAP);
    maxgl_html(html,
               "<figure class=\"chart\"><figcaption><b>%s</b><span>%s</span></figcaption>\n"
               "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n",
               c->title, c->quantity->unit, WIDTH, bottom + BOTTOM, c->title);
    append_grid(html, c, bottom);
    append_limits(html, c, bottom);
    append_rows(html, c);
    g_string_append(html, "</svg></figure>\n");
}

/* The rows of @work for which @pass (NULL = any) and whether FLOPs count are as wanted. */
static GPtrArray *select_rows(const MaxglComparedWork *work, const char *pass, gboolean flops,
                              guint measurers)
{
    GPtrArray *rows = g_ptr_array_new();
    for (guint r = 0; r < work->rows->len; r++) {
        MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        gboolean counts = FALSE;
        for (guint m = 0; m < measurers; m++)
            counts = counts || row->measurements[m].flops > 0;
        if ((!pass || g_str_equal(row->pass, pass)) && counts == flops)
            g_ptr_array_add(rows, row);
    }
    return rows;
}

/* The passes of @work's rows: those of a network's layers in their order, then others. */
static GPtrArray *passes_of(const MaxglComparedWork *work)
{
    static const char *const known[] = {"inference", "forward", "backward_data", "backward_weights",
                                        "backward"};
    GPtrArray *passes = g_ptr_array_new();
    for (guint k = 0; k <= G_N_ELEMENTS(known); k++)
        for (guint r = 0; r < work->rows->len; r++) {
            const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
            if ((k == G_N_ELEMENTS(known) || g_str_equal(row->pass, known[k])) &&
                !g_ptr_array_find_with_equal_func(passes, row->pass, g_str_equal, NULL))
                g_ptr_array_add(passes, row->pass);
        }
    return passes;
}

/* A chart for each pass of what multiplies, and of what only moves memory. */
static void append_layer_charts(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_autoptr(GPtrArray) passes = passes_of(work);
    for (int flops = 1; flops >= 0; flops--)
        for (guint p = 0; p < passes->len; p++) {
            const char *pass = g_ptr_array_index(passes, p);
            g_autoptr(GPtrArray) rows = select_rows(work, pass, flops, c->measurers->len);
            g_autofree char *title = g_strdelimit(g_strdup(pass), "_", ' ');
            g_autofree char *whole = g_strdup_printf("%s%s", title, flops ? "" : ", memory moved");
            Chart chart = {.comparison = c,
                           .work = work,
                           .quantity = flops ? &flops_quantity : &bytes_quantity,
                           .title = whole,
                           .rows = rows};
            if (rows->len > 0)
                append_chart(html, &chart);
        }
}

static void append_charts(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_string_append(html, "<div class=\"charts pairs\">\n");
    if (work->kind == MAXGL_COMPARE_LAYERS) {
        append_layer_charts(html, c, work);
    } else {
        const Quantity *quantity = work->kind == MAXGL_COMPARE_DATA ? &clips_quantity : &time_quantity;
        Chart chart = {.comparison = c,
                       .work = work,
                       .quantity = quantity,
                       .title = quantity->title,
                       .rows = work->rows};
        append_chart(html, &chart);
        if (work->kind == MAXGL_COMPARE_WHOLE) {
            chart.quantity = &memory_quantity;
            chart.title = memory_quantity.title;
            append_chart(html, &chart);
        }
    }
    g_string_append(html, "</div>\n");
}

/* ---------------- tables ---------------- */

static void append_cell(GString *html, const char *format, double value)
{
    g_autofree char *text = NULL;
    if (value > 0 && isfinite(value)) {
        char buffer[32];
        text = g_strdup(g_ascii_formatd(buffer, sizeof buffer, format, value));
    }
    maxgl_html(html, "<td class=\"r\">%s</td>", text ? text : "–");
}

static const char *const titles_whole[] = {"ms",     "fastest", "90th percentile", "GFLOP/s",
                                           "% peak", "MiB",     "× as fast",       NULL};
static const char *const titles_data[] = {"clips/s", "× as fast", NULL};
static const char *const titles_layers[] = {"algorithm", "ms", "GFLOP/s", "% peak", "GB/s", "error", NULL};

static void append_measurement(GString *html, MaxglComparedKind kind, const MaxglMeasurer *who,
                               const MaxglMeasurement *m)
{
    const double of_peak = who->peak > 0 ? 100 * m->flops / who->peak : 0;
    switch (kind) {
    case MAXGL_COMPARE_WHOLE:
        append_cell(html, "%.1f", m->seconds * 1e3);
        append_cell(html, "%.1f", m->min * 1e3);
        append_cell(html, "%.1f", m->p90 * 1e3);
        append_cell(html, "%.1f", m->flops * 1e-9);
        append_cell(html, "%.0f", of_peak);
        append_cell(html, "%.0f", m->memory / 1048576);
        break;
    case MAXGL_COMPARE_LAYERS:
        maxgl_html(html, "<td class=\"r\">%s</td>", m->algorithm);
        append_cell(html, "%.3f", m->seconds * 1e3);
        append_cell(html, "%.1f", m->flops * 1e-9);
        append_cell(html, "%.0f", of_peak);
        append_cell(html, "%.1f", m->bytes * 1e-9);
        append_cell(html, "%.1e", m->error);
        break;
    case MAXGL_COMPARE_DATA:
        append_cell(html, "%.1f", m->clips);
        break;
    }
}

/* Few rows: a line for each of them and each measurer. */
static void append_long_table(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    const gboolean whole = work->kind == MAXGL_COMPARE_WHOLE;
    const char *const *titles = whole ? titles_whole : titles_data;
    g_string_append(html, "<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    g_string_append(html, whole ? "" : "<th></th>");
    for (guint t = 0; titles[t]; t++)
        maxgl_html(html, "<th class=\"r\">%s</th>", titles[t]);
    g_string_append(html, "</tr></thead>\n<tbody>\n");
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[by(work, i)];
            g_string_append(html, "<tr>");
            if (!whole)
                maxgl_html(html, "<td>%s</td>", i == 0 ? row->name : "");
            maxgl_html(html, "<td><i class=\"key fill%u\"></i>%s</td>", by(work, i) % COLOURS,
                       who_did(c, work, i)->label);
            append_measurement(html, work->kind, who_did(c, work, i), m);
            append_cell(html, "%.2f", maxgl_measured_ratio(&row->measurements[by(work, 0)], m));
            g_string_append(html, "</tr>\n");
        }
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* Many rows: the measurers side by side. */
static void append_wide_head(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    const guint n = G_N_ELEMENTS(titles_layers) - 1;
    g_string_append(html, "<thead><tr><th colspan=\"2\"></th>");
    for (guint i = 0; i < work->by->len; i++)
        maxgl_html(html, "<th class=\"r\" colspan=\"%u\"><i class=\"key fill%u\"></i>%s</th>", n + (i > 0),
                   by(work, i) % COLOURS, who_did(c, work, i)->label);
    g_string_append(html, "</tr>\n<tr><th></th><th>pass</th>");
    for (guint i = 0; i < work->by->len; i++) {
        for (guint t = 0; titles_layers[t]; t++)
            maxgl_html(html, "<th class=\"r\">%s</th>", titles_layers[t]);
        if (i > 0)
            g_string_append(html, "<th class=\"r\">× as fast</th>");
    }
    g_string_append(html, "</tr></thead>\n");
}

static void append_wide_table(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_string_append(html, "<div class=\"scroll\"><table>\n");
    append_wide_head(html, c, work);
    g_string_append(html, "<tbody>\n");
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        maxgl_html(html, "<tr><td title=\"%s\">%s</td><td>%s</td>", row->what, row->name, row->pass);
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[by(work, i)];
            append_measurement(html, work->kind, who_did(c, work, i), m);
            if (i > 0)
                append_cell(html, "%.2f", maxgl_measured_ratio(&row->measurements[by(work, 0)], m));
        }
        g_string_append(html, "</tr>\n");
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* ---------------- the page ---------------- */

static void append_measurers(GString *html, const MaxglComparison *c)
{
    g_string_append(html, "<dl class=\"facts\">\n");
    for (guint m = 0; m < c->measurers->len; m++) {
        const MaxglMeasurer *who = g_ptr_array_index(c->measurers, m);
        maxgl_html(html, "<dt><i class=\"key fill%u\"></i>%s</dt><dd>%s", m % COLOURS, who->label,
                   who->program);
        const char *const parts[] = {who->algorithms, who->device, who->system, who->date};
        for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
            if (parts[i][0])
                maxgl_html(html, i == 0 ? ", %s algorithms" : "; %s", parts[i]);
        if (who->peak > 0)
            maxgl_html(html, "; limits measured: %.0f GFLOP/s, %.1f GB/s", who->peak * 1e-9,
                       who->copy * 1e-9);
        g_string_append(html, "</dd>\n");
    }
    g_string_append(html, "</dl>\n");
}

char *maxgl_compare_page(const MaxglComparison *c)
{
    GString *html = g_string_new(NULL);
    maxgl_html_begin(html, "Benchmarks",
                     c->measurers->len > 1
                         ? "The same work, measured several times. × as fast: than the first of them."
                         : "What was measured, beside what the device can do at most.");
    append_measurers(html, c);
    g_string_append(html, "</header>\n<main>\n");
    for (guint w = 0; w < c->works->len; w++) {
        const MaxglComparedWork *work = g_ptr_array_index(c->works, w);
        maxgl_html(html, "<section><h2>%s</h2>\n", work->title);
        append_charts(html, c, work);
        if (work->kind == MAXGL_COMPARE_LAYERS) {
            g_string_append(html,
                            "<p class=\"note\">Dashed: the device's limit as measured. FLOPs are counted "
                            "by the direct method, so an algorithm that needs fewer can exceed it; "
                            "caches can exceed the bandwidth of copying.</p>\n"
                            "<details><summary>All figures</summary>\n");
            append_wide_table(html, c, work);
            g_string_append(html, "</details>\n");
        } else {
            append_long_table(html, c, work);
        }
        g_string_append(html, "</section>\n");
    }
    maxgl_html_end(html, "bench --compare");
    return g_string_free(html, FALSE);
}
