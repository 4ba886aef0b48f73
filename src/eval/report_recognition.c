/* Recognition in the report: numbers, and a picture of what is taken for what. */
#include "eval/report_parts.h"

/* Of the picture, in its own units. */
#define SIDE 560.0     /* of the square of classes */
#define MARGIN 150.0   /* for the names */
#define MOST_NAMES 64  /* written beside the rows; more cannot be read */
#define NAME_LENGTH 24 /* characters */
#define LARGEST_FONT 12.0

/* A row's sum, 0 for what is no row of @n numbers. */
static gint64 sum_of(JsonArray *row, guint n)
{
    gint64 sum = 0;
    for (guint j = 0; row && json_array_get_length(row) == n && j < n; j++)
        sum += json_array_get_int_element(row, j);
    return sum;
}

static void append_name(GString *html, const char *name, double y, double size)
{
    g_autofree char *head = g_utf8_substring(name, 0, MIN(g_utf8_strlen(name, -1), NAME_LENGTH));
    maxgl_html(html,
               "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\" "
               "style=\"font-size:%.1fpx\">%s</text>\n",
               MARGIN - 6, y, size, head);
}

/* The cells of a row that are not empty, each with its names and number for whoever points at it. */
static void append_row(GString *html, JsonArray *names, JsonArray *row, guint i, double cell)
{
    const guint n = json_array_get_length(names);
    const gint64 videos = sum_of(row, n);
    for (guint j = 0; videos > 0 && j < n; j++) {
        const gint64 count = json_array_get_int_element(row, j);
        if (count == 0)
            continue;
        maxgl_html(html,
                   "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
                   "style=\"fill:rgba(var(--heat),%.2f)\">"
                   "<title>%s taken for %s: %d of %d</title></rect>\n",
                   MARGIN + j * cell, i * cell, cell, cell, 0.15 + 0.85 * (double)count / (double)videos,
                   json_array_get_string_element(names, i), json_array_get_string_element(names, j),
                   (int)count, (int)videos);
    }
}

static void append_picture(GString *html, JsonArray *names, JsonArray *counts)
{
    const guint n = json_array_get_length(names);
    const double cell = SIDE / n, size = MIN(LARGEST_FONT, 0.9 * cell);
    maxgl_html(
        html,
        "<figure class=\"chart\"><figcaption><b>What is taken for what</b><span>row: the video's class; "
        "column: the answer, in the same order</span></figcaption>\n<svg viewBox=\"0 0 %g %g\" "
        "role=\"img\" aria-label=\"Confusion matrix of %u classes\">\n"
        "<rect class=\"plane\" x=\"%g\" y=\"0\" width=\"%g\" height=\"%g\" fill=\"none\" "
        "style=\"stroke:var(--line)\"/>\n",
        MARGIN + SIDE + 1, SIDE + 1, n, MARGIN, SIDE, SIDE);
    for (guint i = 0; i < n; i++) {
        if (n <= MOST_NAMES)
            append_name(html, json_array_get_string_element(names, i), (i + 0.5) * cell + 0.35 * size, size);
        append_row(html, names, json_array_get_array_element(counts, i), i, cell);
    }
    g_string_append(html, "</svg></figure>\n");
}

static void append_classes(GString *html, JsonArray *names, JsonArray *counts, double chance)
{
    const guint n = json_array_get_length(names);
    g_string_append(html, "<details><summary>Class by class</summary><div class=\"scroll\"><table "
                          "class=\"wide\"><thead><tr><th>class</th><th class=\"r\">videos</th>"
                          "<th class=\"bars\">recognised</th></tr></thead><tbody>\n");
    for (guint i = 0; i < n; i++) {
        JsonArray *row = json_array_get_array_element(counts, i);
        const gint64 videos = sum_of(row, n);
        if (videos == 0)
            continue;
        maxgl_html(html, "<tr><td>%s</td><td class=\"r\">%d</td><td class=\"bars\">",
                   json_array_get_string_element(names, i), (int)videos);
        maxgl_report_bar(html, "trained", "", (double)json_array_get_int_element(row, i) / (double)videos,
                         chance);
        g_string_append(html, "</td></tr>\n");
    }
    g_string_append(html, "</tbody></table></div></details>\n");
}

void maxgl_report_recognition(GString *html, JsonObject *result)
{
    JsonObject *row = json_array_get_object_element(maxgl_json_array(result, "results"), 0);
    JsonObject *trained = maxgl_report_network(row, MAXGL_COMPARISON_TRAINED);
    JsonArray *names = maxgl_json_array(row, "class_names"), *counts = maxgl_json_array(row, "confusion");
    const double chance = maxgl_json_number(row, "chance");
    const guint n = names ? json_array_get_length(names) : 0;
    maxgl_html(
        html,
        "<h3>Recognition</h3><p class=\"note\">The network's own classifier, %s averaged over a video's "
        "clips; %.0f videos of %.0f classes (%s) in <code>%s</code>. Mean over classes: %.3f.</p>\n",
        maxgl_json_string(result, "averaged", "?"), maxgl_json_number(trained, "videos"),
        maxgl_json_number(row, "classes"), maxgl_json_string(row, "label", "?"),
        maxgl_json_string(result, "data", "?"), maxgl_json_number(trained, "per_class"));
    maxgl_report_bar(html, "trained", "top-1", maxgl_json_number(trained, "accuracy"), chance);
    maxgl_report_bar(html, "trained", "top-5", maxgl_json_number(trained, "top5"), MIN(1, 5 * chance));
    g_string_append(html, "<p class=\"legend\"><s></s>chance</p>\n");
    if (n == 0 || !counts || json_array_get_length(counts) != n)
        return;
    append_picture(html, names, counts);
    append_classes(html, names, counts, chance);
}
