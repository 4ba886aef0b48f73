/* Evaluations as tables with bars. */
#include "eval/report_parts.h"

#include <string.h>

#define MOST_TILES 4
#define MOST_CONFUSED 16 /* classes of a table of confusions that is still readable */

static gboolean is_protocol(JsonObject *result, const char *protocol)
{
    return strcmp(maxgl_json_string(result, "protocol", ""), protocol) == 0;
}

JsonObject *maxgl_report_network(JsonObject *row, MaxglComparison comparison)
{
    return maxgl_json_object(maxgl_json_object(row, "networks"), maxgl_comparison_name(comparison));
}

/* Row @i of a result. */
static JsonObject *row_of(JsonObject *result, guint i)
{
    return json_array_get_object_element(maxgl_json_array(result, "results"), i);
}

static guint rows_of(JsonObject *result)
{
    return json_array_get_length(maxgl_json_array(result, "results"));
}

gboolean maxgl_report_is_result(JsonNode *root, const char *protocol)
{
    JsonObject *result = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    if (!result || !is_protocol(result, protocol) || !maxgl_json_array(result, "results"))
        return FALSE;
    for (guint i = 0; i < rows_of(result); i++) {
        JsonNode *row = json_array_get_element(maxgl_json_array(result, "results"), i);
        if (!JSON_NODE_HOLDS_OBJECT(row) || !maxgl_report_network(json_node_get_object(row), 0))
            return FALSE;
    }
    return TRUE;
}

static gboolean is_linear(JsonObject *result)
{
    return is_protocol(result, "linear");
}

/* Whether its accuracies are worth a tile, and what they are called; NULL: not. */
static const char *tile_title(JsonObject *result)
{
    if (is_linear(result))
        return "linear probe";
    return is_protocol(result, "recognition") ? "recognition, top-1" : NULL;
}

/* ---------------- tiles ---------------- */

void maxgl_report_tiles(GString *html, GPtrArray *results)
{
    guint tiles = 0;
    for (guint r = 0; r < results->len; r++) {
        JsonObject *result = g_ptr_array_index(results, r);
        const char *title = tile_title(result);
        for (guint i = 0; title && i < rows_of(result) && tiles < MOST_TILES; i++) {
            JsonObject *row = row_of(result, i), *random = maxgl_report_network(row, 1);
            if (tiles++ == 0)
                g_string_append(html, "<div class=\"tiles\">\n");
            maxgl_html(html,
                       "<div class=\"tile\"><span class=\"what\">%s, %s</span><b>%.1f&#160;%%</b>"
                       "<span>%s</span>",
                       maxgl_json_string(row, "label", "?"), maxgl_json_string(row, "split", "?"),
                       100 * maxgl_json_number(maxgl_report_network(row, 0), "accuracy"), title);
            if (random)
                maxgl_html(html, "<span>random init %.1f&#160;%%</span>",
                           100 * maxgl_json_number(random, "accuracy"));
            maxgl_html(html, "<span>chance %.1f&#160;%%</span></div>\n",
                       100 * maxgl_json_number(row, "chance"));
        }
    }
    if (tiles > 0)
        g_string_append(html, "</div>\n");
}

/* ---------------- linear probe ---------------- */

void maxgl_report_bar(GString *html, const char *network, const char *title, double value, double chance)
{
    maxgl_html(
        html,
        "<div class=\"bar %s\"><span class=\"name\">%s</span><span class=\"track\"><i style=\"width:%.1f%%\">"
        "</i><s style=\"left:%.1f%%\"></s></span><span class=\"value\">%.3f</span></div>",
        network, title, 100 * value, 100 * chance, value);
}

static void append_linear_row(GString *html, JsonObject *row)
{
    const double chance = maxgl_json_number(row, "chance");
    maxgl_html(
        html,
        "<tr><td>%s</td><td>%s</td><td class=\"r\">%.0f</td><td class=\"r\">%.0f</td><td class=\"bars\">",
        maxgl_json_string(row, "label", "?"), maxgl_json_string(row, "split", "?"),
        maxgl_json_number(maxgl_report_network(row, 0), "videos"), maxgl_json_number(row, "classes"));
    for (guint n = 0; n < MAXGL_COMPARISONS; n++)
        if (maxgl_report_network(row, n))
            maxgl_report_bar(html, maxgl_comparison_name(n), maxgl_comparison_title(n),
                             maxgl_json_number(maxgl_report_network(row, n), "accuracy"), chance);
    g_string_append(html, "</td></tr>\n");
}

static void append_confusion(GString *html, JsonObject *row)
{
    JsonArray *names = maxgl_json_array(row, "class_names"), *counts = maxgl_json_array(row, "confusion");
    const guint n = names ? json_array_get_length(names) : 0;
    if (n < 2 || n > MOST_CONFUSED || !counts || json_array_get_length(counts) != n)
        return;
    maxgl_html(html, "<figure><h3>%s, %s</h3><table class=\"confusion\"><thead><tr><th></th>",
               maxgl_json_string(row, "label", "?"), maxgl_json_string(row, "split", "?"));
    for (guint i = 0; i < n; i++)
        maxgl_html(html, "<th>%s</th>", json_array_get_string_element(names, i));
    g_string_append(html, "</tr></thead><tbody>\n");
    for (guint i = 0; i < n; i++) {
        JsonArray *line = json_array_get_array_element(counts, i);
        gint64 sum = 0;
        for (guint j = 0; line && j < json_array_get_length(line); j++)
            sum += json_array_get_int_element(line, j);
        maxgl_html(html, "<tr><th>%s</th>", json_array_get_string_element(names, i));
        for (guint j = 0; line && j < MIN(n, json_array_get_length(line)); j++) {
            const gint64 count = json_array_get_int_element(line, j);
            maxgl_html(html, "<td style=\"background:rgba(var(--heat),%.2f)\">",
                       sum > 0 ? 0.85 * (double)count / (double)sum : 0);
            if (count > 0)
                g_string_append_printf(html, "%" G_GINT64_FORMAT, count);
            g_string_append(html, "</td>");
        }
        g_string_append(html, "</tr>\n");
    }
    g_string_append(html, "</tbody></table></figure>\n");
}

static void append_linear(GString *html, JsonObject *result)
{
    g_string_append(html,
                    "<div class=\"scroll\"><table class=\"wide\"><thead><tr><th>label</th><th>split</th>"
                    "<th class=\"r\">videos</th><th class=\"r\">classes</th><th "
                    "class=\"bars\">accuracy</th></tr></thead><tbody>\n");
    for (guint i = 0; i < rows_of(result); i++)
        append_linear_row(html, row_of(result, i));
    g_string_append(html,
                    "</tbody></table></div>\n<p class=\"legend\"><s></s>chance</p>\n"
                    "<details><summary>What is taken for what</summary><p class=\"note\">Row: the video's "
                    "class; column: what the probe on the trained network says.</p>"
                    "<div class=\"confusions\">\n");
    for (guint i = 0; i < rows_of(result); i++)
        append_confusion(html, row_of(result, i));
    g_string_append(html, "</div></details>\n");
}

/* ---------------- retrieval ---------------- */

static const char *const ks[] = {"1", "5", "10", "20", "50"};

static void append_recalls(GString *html, const char *class, const char *title, JsonObject *recalls)
{
    maxgl_html(html, "<td>%s</td>", title);
    for (guint k = 0; k < G_N_ELEMENTS(ks); k++) {
        const double value = maxgl_json_number(recalls, ks[k]);
        maxgl_html(html, "<td class=\"heat\" style=\"background:rgba(var(--heat),%.2f)\">%.3f</td>",
                   strcmp(class, "chance") == 0 ? 0 : 0.45 * value * value, value);
    }
    g_string_append(html, "</tr>\n");
}

static void append_retrieval(GString *html, JsonObject *result)
{
    g_string_append(html,
                    "<div class=\"scroll\"><table class=\"wide\"><thead><tr><th>label</th><th>split</th>"
                    "<th class=\"r\">queries</th><th>network</th>");
    for (guint k = 0; k < G_N_ELEMENTS(ks); k++)
        g_string_append_printf(html, "<th class=\"r\" style=\"padding-right:12px\">R@%s</th>", ks[k]);
    g_string_append(html, "</tr></thead><tbody>\n");
    for (guint i = 0; i < rows_of(result); i++) {
        JsonObject *row = row_of(result, i);
        for (guint n = 0; n < MAXGL_COMPARISONS; n++) {
            JsonObject *network = maxgl_report_network(row, n);
            if (!network)
                continue;
            if (n == 0)
                maxgl_html(html, "<tr class=\"trained\"><td>%s</td><td>%s</td><td class=\"r\">%.0f</td>",
                           maxgl_json_string(row, "label", "?"), maxgl_json_string(row, "split", "?"),
                           maxgl_json_number(row, "queries"));
            else
                g_string_append(html, "<tr class=\"more\"><td></td><td></td><td></td>");
            append_recalls(html, maxgl_comparison_name(n), maxgl_comparison_title(n),
                           maxgl_json_object(network, "recall"));
        }
        g_string_append(html, "<tr class=\"more\"><td></td><td></td><td></td>");
        append_recalls(html, "chance", "chance", maxgl_json_object(row, "chance"));
    }
    g_string_append(html, "</tbody></table></div>\n");
}

/* The linear probe's or retrieval's. */
static void append_probe(GString *html, JsonObject *result)
{
    JsonObject *train =
        maxgl_json_object(maxgl_json_object(result, "splits"), maxgl_json_string(result, "train_split", ""));
    maxgl_html(
        html,
        "<h3>%s</h3><p class=\"note\">%s of frozen features, the mean over %.0f clips a video; %.0f %s "
        "of <code>%s</code>.</p>\n",
        is_linear(result) ? "Linear probe" : "Retrieval",
        is_linear(result) ? "A linear classifier" : "Nearest neighbours by cosine similarity",
        maxgl_json_number(result, "clips"), maxgl_json_number(train, "videos"),
        is_linear(result) ? "training videos" : "videos to find, the training videos",
        maxgl_json_string(result, "data", "?"));
    if (is_linear(result))
        append_linear(html, result);
    else
        append_retrieval(html, result);
}

void maxgl_report_results(GString *html, GPtrArray *results)
{
    if (results->len > 0)
        g_string_append(html, "<section><h2>What was learnt</h2>\n");
    for (guint i = 0; i < results->len; i++) {
        JsonObject *result = g_ptr_array_index(results, i);
        if (is_protocol(result, "recognition"))
            maxgl_report_recognition(html, result);
        else if (is_protocol(result, "scenes"))
            maxgl_report_scenes(html, result);
        else if (is_protocol(result, "aslan"))
            maxgl_report_aslan(html, result);
        else
            append_probe(html, result);
    }
    if (results->len > 0)
        g_string_append(html, "</section>\n");
}
