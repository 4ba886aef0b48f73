/* Curves as SVG. */
#include "eval/report_parts.h"

#include "base/file.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* Of the drawing, in its own units. */
#define WIDTH 480.0
#define HEIGHT 220.0
#define LEFT 50.0
#define RIGHT 14.0
#define TOP 12.0
#define BOTTOM 26.0
#define TICKS 5
#define MOST_POINTS 600 /* of a line; more cannot be seen */
#define SMOOTHING 30    /* the window is the curve's length by this */

/* What of the plane is shown, and where. */
typedef struct {
    double x0, x1, y0, y1;
} Frame;

static double to_x(const Frame *f, double x)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (f->x1 > f->x0 ? (x - f->x0) / (f->x1 - f->x0) : 0.5);
}

static double to_y(const Frame *f, double y)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - f->y0) / (f->y1 - f->y0);
}

static Frame frame_of(const MaxglChart *c)
{
    Frame f = {c->x[0], c->x[c->n - 1], INFINITY, -INFINITY};
    for (gsize i = 0; i < c->n; i++) {
        f.y0 = MIN(f.y0, c->y[i]);
        f.y1 = MAX(f.y1, c->y[i]);
    }
    if (c->bound > 0)
        f.y1 = MAX(f.y1, c->bound * 1.03);
    const gboolean constant = f.y1 - f.y0 < 1e-6 * fabs(f.y1);
    if (f.y0 > 0 && (constant || f.y0 < 0.5 * f.y1))
        f.y0 = 0; /* near enough to show the whole */
    f.y1 = f.y0 + MAX(f.y1 - f.y0, 1e-9) * (constant ? 1.25 : 1.04);
    return f;
}

static void append_axes(GString *html, const Frame *f)
{
    const double y_step = maxgl_html_tick_step(f->y1 - f->y0, TICKS);
    const double x_step = MAX(1, maxgl_html_tick_step(MAX(f->x1 - f->x0, 1), TICKS));
    for (gint64 i = (gint64)ceil(f->y0 / y_step); (double)i * y_step <= f->y1; i++) {
        const double at = to_y(f, (double)i * y_step);
        g_string_append_printf(html,
                               "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                               "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%g</text>\n",
                               LEFT, WIDTH - RIGHT, at, at, LEFT - 7, at + 4, (double)i * y_step);
    }
    for (gint64 i = (gint64)ceil(f->x0 / x_step); (double)i * x_step <= f->x1; i++)
        g_string_append_printf(
            html, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.0f</text>\n",
            to_x(f, (double)i * x_step), HEIGHT - BOTTOM + 17, (double)i * x_step);
}

/* The mean of the values around each; @n of them. */
static double *smooth(const double *y, gsize n)
{
    const gsize half = n / SMOOTHING / 2;
    double *mean = g_new(double, n);
    double sum = 0;
    gsize from = 0, to = 0; /* the sum is of [from, to) */
    for (gsize i = 0; i < n; i++) {
        const gsize wanted = MIN(half, MIN(i, n - 1 - i)); /* symmetric, so that the ends are not biased */
        while (to < i + wanted + 1)
            sum += y[to++];
        while (to > i + wanted + 1)
            sum -= y[--to];
        while (from < i - wanted)
            sum -= y[from++];
        mean[i] = fabs(sum) > 1e-9 ? sum / (double)(to - from) : 0; /* what rounding left of nothing */
    }
    return mean;
}

static void append_line(GString *html, const Frame *f, const MaxglChart *c, const double *y,
                        const char *class)
{
    const gsize stride = (c->n + MOST_POINTS - 1) / MOST_POINTS;
    g_string_append_printf(html, "<polyline class=\"%s\" points=\"", class);
    for (gsize i = 0; i < c->n; i += stride)
        g_string_append_printf(html, "%.1f,%.1f ", to_x(f, c->x[i]), to_y(f, y[i]));
    if ((c->n - 1) % stride != 0)
        g_string_append_printf(html, "%.1f,%.1f", to_x(f, c->x[c->n - 1]), to_y(f, y[c->n - 1]));
    g_string_append(html, "\"/>\n");
}

void maxgl_chart_append(GString *html, const MaxglChart *c)
{
    if (c->n == 0)
        return;
    const Frame f = frame_of(c);
    g_autofree double *smoothed = smooth(c->y, c->n);
    const double last = c->noisy ? smoothed[c->n - 1] : c->y[c->n - 1];
    maxgl_html(html,
               "<figure class=\"chart\"><figcaption><b>%s</b><span>last %.4g%s%s</span></figcaption>\n"
               "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s over training steps\">\n",
               c->title, last, c->unit[0] ? " " : "", c->unit, WIDTH, HEIGHT, c->title);
    append_axes(html, &f);
    if (c->bound > 0) {
        const double at = to_y(&f, c->bound);
        g_string_append_printf(html,
                               "<line class=\"bound\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                               LEFT, WIDTH - RIGHT, at, at);
        maxgl_html(html, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                   WIDTH - RIGHT, at + 13, c->bound_text);
    }
    append_line(html, &f, c, c->y, c->noisy ? "raw" : "curve");
    if (c->noisy)
        append_line(html, &f, c, smoothed, "curve");
    g_string_append(html, "</svg></figure>\n");
}

/* ---------------- metrics.csv ---------------- */

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

/* All numbers of the file, column after column: values[c·rows + r]. A last line that was cut off is left
 * out. */
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

static double bound_of(const MaxglReportOptions *options, const char *column)
{
    return strcmp(column, "global_mi") == 0  ? options->global_bound
           : strcmp(column, "local_mi") == 0 ? options->local_bound
                                             : 0;
}

static void append_column(GString *html, const MaxglReportOptions *options, const char *name, const double *x,
                          double *y, gsize n)
{
    Column column = {name, name, "", TRUE, 1};
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(known[i].column, name) == 0)
            column = known[i];
    gboolean used = FALSE;
    for (gsize i = 0; i < n; i++) {
        used = used || y[i] != 0;
        y[i] *= column.scale;
    }
    if (!used && g_str_has_suffix(name, "_mi"))
        return; /* a term that was switched off */
    const double bound = bound_of(options, name);
    g_autofree char *text = g_strdup_printf("upper bound %.2f", bound);
    const MaxglChart chart = {.title = column.title,
                              .unit = column.unit,
                              .x = x,
                              .y = y,
                              .n = n,
                              .noisy = column.noisy,
                              .bound = bound,
                              .bound_text = text};
    maxgl_chart_append(html, &chart);
}

gboolean maxgl_report_curves(GString *html, const char *path, const MaxglReportOptions *options,
                             GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return TRUE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_auto(GStrv) names = g_strsplit(lines[0], ",", -1);
    const guint columns = g_strv_length(names);
    gsize rows;
    if (columns < 2 || strcmp(names[0], "step") != 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:1: is not the header of a run's metrics",
                    path);
        return FALSE;
    }
    g_autofree double *values = parse_metrics(path, lines, columns, &rows, error);
    if (!values)
        return FALSE;
    if (rows == 0)
        return TRUE;
    g_string_append(html, "<section><h2>Training</h2>\n<div class=\"charts\">\n");
    for (guint c = 1; c < columns; c++)
        if (strcmp(names[c], "epoch") != 0)
            append_column(html, options, names[c], values, values + c * rows, rows);
    g_string_append(html, "</div>\n<p class=\"note\">Over training steps. Pale: single batches; dark: their "
                          "moving mean.</p></section>\n");
    return TRUE;
}
