/* Action similarity in the report: accuracies and the ROC. */
#include "eval/report_parts.h"

/* Of the drawing, in its own units. */
#define SIDE 300.0
#define LEFT 44.0
#define TOP 10.0
#define BOTTOM 40.0
#define RIGHT 12.0
#define TICKS 5

#define NETWORKS 2 /* the trained one and the one before training */
/* Colours of the style sheet. */
static const char *const strokes[] = {"stroke0", "stroke3"};
static const char *const fills[] = {"fill0", "fill3"};

static double to_x(double x)
{
    return LEFT + SIDE * x;
}

static double to_y(double y)
{
    return TOP + SIDE * (1 - y);
}

static void append_axes(GString *html)
{
    for (int i = 0; i <= TICKS; i++) {
        const double value = (double)i / TICKS, x = to_x(value), y = to_y(value);
        g_string_append_printf(
            html,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%.1f</text>"
            "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.1f</text>\n",
            to_x(0), to_x(1), y, y, LEFT - 7, y + 4, value, x, to_y(0) + 17, value);
    }
    g_string_append_printf(
        html,
        "<line class=\"bound\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">called the same, "
        "of those that are not</text>\n",
        to_x(0), to_x(1), to_y(0), to_y(1), to_x(0.5), to_y(0) + 34);
}

static void append_curve(GString *html, JsonObject *network, const char *stroke)
{
    JsonArray *roc = maxgl_json_array(network, "roc");
    g_string_append_printf(html, "<polyline class=\"%s\" fill=\"none\" stroke-width=\"1.9\" points=\"",
                           stroke);
    for (guint i = 0; roc && i < json_array_get_length(roc); i++) {
        JsonNode *node = json_array_get_element(roc, i);
        JsonArray *point = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
        if (point && json_array_get_length(point) == 2)
            g_string_append_printf(html, "%.1f,%.1f ", to_x(json_array_get_double_element(point, 0)),
                                   to_y(json_array_get_double_element(point, 1)));
    }
    g_string_append(html, "\"/>\n");
}

static void append_roc(GString *html, JsonObject *row)
{
    maxgl_html(html,
               "<figure class=\"chart\" "
               "style=\"max-width:440px;margin-top:14px\"><figcaption><b>ROC</b><span>called the "
               "same, of those that are</span></figcaption>\n"
               "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"Receiver operating characteristic\">\n",
               LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM);
    append_axes(html);
    for (guint i = NETWORKS; i > 0; i--) /* the trained one over the others */
        if (maxgl_report_network(row, i - 1))
            append_curve(html, maxgl_report_network(row, i - 1), strokes[i - 1]);
    g_string_append(html, "</svg><p class=\"legend\">");
    for (guint i = 0; i < NETWORKS; i++)
        if (maxgl_report_network(row, i))
            maxgl_html(html, "<span class=\"key %s\"></span>%s, AUC %.3f&#160;&#160; ", fills[i],
                       maxgl_comparison_title(i), maxgl_json_number(maxgl_report_network(row, i), "auc"));
    g_string_append(html, "</p></figure>\n");
}

void maxgl_report_aslan(GString *html, JsonObject *result)
{
    JsonArray *rows = maxgl_json_array(result, "results"), *layers = maxgl_json_array(result, "layers");
    if (json_array_get_length(rows) == 0)
        return;
    JsonObject *row = json_array_get_object_element(rows, 0);
    g_autoptr(GString) of = g_string_new(NULL);
    for (guint i = 0; layers && i < json_array_get_length(layers); i++)
        g_string_append_printf(of, "%s%s", i > 0 ? ", " : "", json_array_get_string_element(layers, i));
    maxgl_html(
        html,
        "<h3>Action similarity</h3><p class=\"note\">Whether two videos show the same action: a linear "
        "SVM (C = %g) on twelve similarities of %s; View %.0f, %.0f pairs of <code>%s</code>.</p>\n",
        maxgl_json_number(result, "c"), of->str, maxgl_json_number(row, "view"),
        maxgl_json_number(maxgl_report_network(row, 0), "pairs"), maxgl_json_string(result, "pairs", "?"));
    for (guint i = 0; i < NETWORKS; i++) {
        JsonObject *network = maxgl_report_network(row, i);
        if (!network)
            continue;
        maxgl_report_bar(html, maxgl_comparison_name(i), maxgl_comparison_title(i),
                         maxgl_json_number(network, "accuracy"), 0.5);
        if (json_object_has_member(network, "standard_error"))
            maxgl_html(html, "<p class=\"note\">± %.3f, standard error of the folds' mean</p>\n",
                       maxgl_json_number(network, "standard_error"));
    }
    g_string_append(html, "<p class=\"legend\"><s></s>half of the pairs</p>\n");
    append_roc(html, row);
}
