/* Curves as SVG. */
#include "eval/report_parts.h"

#include <math.h>

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

/* @ys: the values to show, of each curve. */
static Frame frame_of(const MaxglChart *c, double *const *ys)
{
    Frame f = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (guint k = 0; k < c->n_curves; k++)
        for (gsize i = 0; i < c->curves[k].n; i++) {
            f.x0 = MIN(f.x0, c->curves[k].x[i]);
            f.x1 = MAX(f.x1, c->curves[k].x[i]);
            f.y0 = MIN(f.y0, ys[k][i]);
            f.y1 = MAX(f.y1, ys[k][i]);
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

static double *scaled(const double *y, gsize n, double scale)
{
    double *values = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        values[i] = scale * y[i];
    return values;
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

static void append_line(GString *html, const Frame *f, const MaxglCurve *c, const double *y,
                        const char *class)
{
    const gsize stride = (c->n + MOST_POINTS - 1) / MOST_POINTS;
    g_string_append_printf(html, "<polyline class=\"%s stroke%u\" points=\"", class, c->color);
    for (gsize i = 0; i < c->n; i += stride)
        g_string_append_printf(html, "%.1f,%.1f ", to_x(f, c->x[i]), to_y(f, y[i]));
    if ((c->n - 1) % stride != 0)
        g_string_append_printf(html, "%.1f,%.1f", to_x(f, c->x[c->n - 1]), to_y(f, y[c->n - 1]));
    g_string_append(html, "\"/>\n");
}

/* What stands above: of one curve its last value, of several their names. */
static void append_caption(GString *html, const MaxglChart *c, double *const *ys)
{
    maxgl_html(html, "<figure class=\"chart\"><figcaption><b>%s</b><span>", c->title);
    if (c->n_curves == 1)
        maxgl_html(html, "last %.4g%s%s", ys[0][c->curves[0].n - 1], c->unit[0] ? " " : "", c->unit);
    for (guint k = 0; c->n_curves > 1 && k < c->n_curves; k++)
        if (c->curves[k].n > 0)
            maxgl_html(html, "<i class=\"key fill%u\"></i>%s ", c->curves[k].color, c->curves[k].name);
    maxgl_html(html,
               "</span></figcaption>\n"
               "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s over training steps\">\n",
               WIDTH, HEIGHT, c->title);
}

static void append_bound(GString *html, const Frame *f, const MaxglChart *c)
{
    const double at = to_y(f, c->bound);
    g_string_append_printf(html, "<line class=\"bound\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                           LEFT, WIDTH - RIGHT, at, at);
    maxgl_html(html, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
               WIDTH - RIGHT, at + 13, c->bound_text);
}

void maxgl_chart_append(GString *html, const MaxglChart *c)
{
    g_autoptr(GPtrArray) raw = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) shown = g_ptr_array_new_with_free_func(g_free);
    gsize points = 0;
    for (guint k = 0; k < c->n_curves; k++) {
        const MaxglCurve *curve = &c->curves[k];
        points += curve->n;
        g_ptr_array_add(raw, scaled(curve->y, curve->n, c->scale));
        g_ptr_array_add(shown, c->noisy ? smooth(g_ptr_array_index(raw, k), curve->n)
                                        : scaled(curve->y, curve->n, c->scale));
    }
    if (points == 0)
        return;
    double *const *ys = (double *const *)shown->pdata;
    const gboolean with_raw = c->noisy && c->n_curves == 1;
    const Frame f = frame_of(c, with_raw ? (double *const *)raw->pdata : ys);
    append_caption(html, c, ys);
    append_axes(html, &f);
    if (c->bound > 0)
        append_bound(html, &f, c);
    if (with_raw)
        append_line(html, &f, &c->curves[0], g_ptr_array_index(raw, 0), "raw");
    for (guint k = 0; k < c->n_curves; k++)
        if (c->curves[k].n > 0)
            append_line(html, &f, &c->curves[k], ys[k], "curve");
    g_string_append(html, "</svg></figure>\n");
}
