/* The charts of a comparison's page. */
#include "bench/page_private.h"

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

/* What a chart shows of a measurement. */
typedef struct {
    const char *title, *unit;
    double (*value)(const MaxglMeasurement *m);
    double (*limit)(const MaxglMeasurer *who, const MaxglMeasurement *m); /* or NULL: drawn as a line */
    gboolean whiskers; /* from the fastest to the 90th percentile, of milliseconds */
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

static double share(const MaxglMeasurement *m)
{
    return 100 * m->of_limit;
}

static double all_of_it(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return who->peak > 0 || who->copy > 0 ? 100 : 0;
}

static double peak(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return (m->units_peak > 0 ? m->units_peak : who->peak) * 1e-9;
}

static double bandwidth(const MaxglMeasurer *who, const MaxglMeasurement *m)
{
    return who->copy * 1e-9;
}

static const Quantity time_quantity = {"Time", "ms", milliseconds, NULL, TRUE};
static const Quantity memory_quantity = {"Memory of the process, at most", "MiB", mebibytes, NULL, FALSE};
static const Quantity flops_quantity = {NULL, "GFLOP/s", gflops, peak, FALSE};
static const Quantity bytes_quantity = {NULL, "GB/s", gbytes, bandwidth, FALSE};
static const Quantity clips_quantity = {"Clips", "clips/s", clips, NULL, FALSE};
static const Quantity share_quantity = {"Of the device's own limit", "%", share, all_of_it, FALSE};

/* ---------------- charts ---------------- */

typedef struct {
    const MaxglComparison *comparison;
    const MaxglComparedWork *work;
    const Quantity *quantity;
    const char *title;
    GPtrArray *rows; /* MaxglComparedRow*, borrowed */
    double most;     /* right end of the scale */
} Chart;

static double to_x(const Chart *c, double value)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * MIN(value / c->most, 1);
}

/* Of measurer @i: the highest of what its rows are held against; 0: there is none. */
static double limit_of(const Chart *c, guint i)
{
    double most = 0;
    for (guint r = 0; c->quantity->limit && r < c->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(c->rows, r);
        most = MAX(most, c->quantity->limit(maxgl_page_who(c->comparison, c->work, i),
                                            &row->measurements[maxgl_page_by(c->work, i)]));
    }
    return most;
}

/* The largest bar fits; a limit far beyond all bars does not shrink them to nothing. */
static double scale_of(const Chart *c)
{
    double most = 0, limit = 0;
    for (guint i = 0; i < c->work->by->len; i++) {
        for (guint r = 0; r < c->rows->len; r++) {
            const MaxglMeasurement *x =
                &((MaxglComparedRow *)c->rows->pdata[r])->measurements[maxgl_page_by(c->work, i)];
            most = MAX(most, c->quantity->value(x));
            if (c->quantity->whiskers)
                most = MAX(most, x->p90 * 1e3);
        }
        limit = MAX(limit, limit_of(c, i));
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
    for (guint i = 0; i < c->work->by->len; i++) {
        const double limit = limit_of(c, i);
        if (limit > 0 && limit <= c->most)
            g_string_append_printf(
                html, "<line class=\"limit stroke%u\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                maxgl_page_by(c->work, i) % MAXGL_PAGE_COLOURS, to_x(c, limit), to_x(c, limit), TOP, bottom);
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
               row->name, who->label, value, c->quantity->unit, m % MAXGL_PAGE_COLOURS, LEFT, y,
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
            append_bar(html, c, row, maxgl_page_by(c->work, m), y + m * BAR);
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

/* The same of a suite: one for each pass, beside what each device can do. */
static void append_share_charts(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_autoptr(GPtrArray) passes = passes_of(work);
    for (guint p = 0; p < passes->len; p++) {
        const char *pass = g_ptr_array_index(passes, p);
        g_autofree char *title = g_strdelimit(g_strdup(pass), "_", ' ');
        g_autoptr(GPtrArray) rows = g_ptr_array_new();
        for (guint r = 0; r < work->rows->len; r++)
            if (g_str_equal(((MaxglComparedRow *)work->rows->pdata[r])->pass, pass))
                g_ptr_array_add(rows, work->rows->pdata[r]);
        Chart chart = {
            .comparison = c, .work = work, .quantity = &share_quantity, .title = title, .rows = rows};
        append_chart(html, &chart);
    }
}

static void append_quantity(GString *html, const MaxglComparison *c, const MaxglComparedWork *work,
                            const Quantity *quantity)
{
    Chart chart = {
        .comparison = c, .work = work, .quantity = quantity, .title = quantity->title, .rows = work->rows};
    append_chart(html, &chart);
}

static gboolean has_clips(const MaxglComparison *c, const MaxglComparedWork *work)
{
    for (guint r = 0; r < work->rows->len; r++)
        for (guint m = 0; m < c->measurers->len; m++)
            if (((MaxglComparedRow *)work->rows->pdata[r])->measurements[m].clips > 0)
                return TRUE;
    return FALSE;
}

void maxgl_page_charts(GString *html, const MaxglComparison *c, const MaxglComparedWork *work)
{
    if (work->kind == MAXGL_COMPARE_LIMITS)
        return; /* of many units: the table has them */
    g_string_append(html, "<div class=\"charts pairs\">\n");
    switch (work->kind) {
    case MAXGL_COMPARE_LAYERS:
        append_layer_charts(html, c, work);
        break;
    case MAXGL_COMPARE_SUITE_LAYERS:
        append_share_charts(html, c, work);
        break;
    case MAXGL_COMPARE_WHOLE:
        append_quantity(html, c, work, &time_quantity);
        append_quantity(html, c, work, &memory_quantity);
        break;
    case MAXGL_COMPARE_RUNS:
        append_quantity(html, c, work, has_clips(c, work) ? &clips_quantity : &time_quantity);
        append_quantity(html, c, work, &share_quantity);
        break;
    case MAXGL_COMPARE_DATA:
    case MAXGL_COMPARE_LIMITS:
        append_quantity(html, c, work, &clips_quantity);
        break;
    }
    g_string_append(html, "</div>\n");
}
