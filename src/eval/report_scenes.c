/* Recognition of dynamic scenes in the report. */
#include "eval/report_parts.h"

#define MOST_CLASSES 64 /* in the table of classes */

static void append_networks(GString *html, JsonObject *row)
{
    const double chance = maxgl_json_number(row, "chance");
    for (MaxglComparison i = 0; i < MAXGL_COMPARISONS; i++) {
        JsonObject *network = maxgl_report_network(row, i);
        if (network)
            maxgl_report_bar(html, maxgl_comparison_name(i), maxgl_comparison_title(i),
                             maxgl_json_number(network, "accuracy"), chance);
    }
}

static void append_classes(GString *html, JsonObject *row)
{
    JsonArray *names = maxgl_json_array(row, "class_names"), *counts = maxgl_json_array(row, "confusion");
    const guint n = names ? json_array_get_length(names) : 0;
    if (n == 0 || n > MOST_CLASSES || !counts || json_array_get_length(counts) != n)
        return;
    g_string_append(html, "<details><summary>Class by class</summary><div class=\"scroll\"><table "
                          "class=\"wide\"><thead><tr><th>class</th><th class=\"r\">videos</th>"
                          "<th class=\"bars\">recognised</th></tr></thead><tbody>\n");
    for (guint i = 0; i < n; i++) {
        JsonArray *line = json_array_get_array_element(counts, i);
        gint64 videos = 0;
        for (guint j = 0; line && j < json_array_get_length(line); j++)
            videos += json_array_get_int_element(line, j);
        if (videos == 0 || json_array_get_length(line) != n)
            continue;
        maxgl_html(html, "<tr><td>%s</td><td class=\"r\">%d</td><td class=\"bars\">",
                   json_array_get_string_element(names, i), (int)videos);
        maxgl_report_bar(html, "trained", "", (double)json_array_get_int_element(line, i) / (double)videos,
                         maxgl_json_number(row, "chance"));
        g_string_append(html, "</td></tr>\n");
    }
    g_string_append(html, "</tbody></table></div></details>\n");
}

void maxgl_report_scenes(GString *html, JsonObject *result)
{
    JsonArray *rows = maxgl_json_array(result, "results");
    if (json_array_get_length(rows) == 0)
        return;
    JsonObject *row = json_array_get_object_element(rows, 0);
    JsonObject *trained = maxgl_report_network(row, MAXGL_COMPARISON_TRAINED);
    maxgl_html(html,
               "<h3>Dynamic scenes</h3><p class=\"note\">Each video by a linear SVM (C = %g) trained on all "
               "others; frozen features, the mean over %.0f clips a video; %.0f videos of %.0f classes "
               "(%s) in <code>%s</code>. Mean over classes: %.3f.</p>\n",
               maxgl_json_number(result, "c"), maxgl_json_number(result, "clips"),
               maxgl_json_number(trained, "videos"), maxgl_json_number(row, "classes"),
               maxgl_json_string(row, "label", "?"), maxgl_json_string(result, "data", "?"),
               maxgl_json_number(trained, "per_class"));
    append_networks(html, row);
    g_string_append(html, "<p class=\"legend\"><s></s>chance</p>\n");
    append_classes(html, row);
}
