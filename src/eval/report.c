#include "eval/report_parts.h"

#include <maxgl/error.h>
#include <string.h>

/* ---------------- the folder ---------------- */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *maxgl_report_read_results(const char *run)
{
    static const char *const protocols[] = {"linear", "retrieval", "recognition", "scenes", "aslan"};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) folder = g_dir_open(run, 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder)))
        if (g_str_has_prefix(name, "eval-") && g_str_has_suffix(name, ".json"))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    GPtrArray *results = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autofree char *path = g_build_filename(run, g_ptr_array_index(names, i), NULL);
        gboolean good = FALSE;
        JsonNode *root = json_parser_load_from_file(parser, path, NULL) ? json_parser_get_root(parser) : NULL;
        for (guint p = 0; p < G_N_ELEMENTS(protocols); p++)
            good = good || maxgl_report_is_result(root, protocols[p]);
        if (good)
            g_ptr_array_add(results, json_object_ref(json_node_get_object(root)));
        else
            g_warning("%s: has no results of maxgl-cl eval; left out", path);
    }
    return results;
}

static JsonObject *read_run(const char *run)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *path = g_build_filename(run, "run.json", NULL);
    JsonNode *root = json_parser_load_from_file(parser, path, NULL) ? json_parser_get_root(parser) : NULL;
    return root && JSON_NODE_HOLDS_OBJECT(root) ? json_object_ref(json_node_get_object(root)) : NULL;
}

/* ---------------- the page ---------------- */

static JsonObject *last_session(JsonObject *run)
{
    JsonArray *sessions = maxgl_json_array(run, "sessions");
    const guint n = sessions ? json_array_get_length(sessions) : 0;
    return n > 0 ? json_array_get_object_element(sessions, n - 1) : NULL;
}

static char *duration_text(JsonObject *run)
{
    JsonArray *sessions = maxgl_json_array(run, "sessions");
    double seconds = 0;
    for (guint i = 0; sessions && i < json_array_get_length(sessions); i++)
        seconds += maxgl_json_number(json_array_get_object_element(sessions, i), "seconds");
    const int s = (int)(seconds + 0.5);
    if (s < 60)
        return g_strdup_printf("%d s", s);
    return s < 3600 ? g_strdup_printf("%d min %02d s", s / 60, s % 60)
                    : g_strdup_printf("%d h %02d min", s / 3600, s / 60 % 60);
}

/* "2026-01-31 12:00 UTC"; NULL for what is no time. */
static char *time_text(const char *iso)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(iso, NULL);
    return time ? g_date_time_format(time, "%Y-%m-%d %H:%M UTC") : NULL;
}

static void append_facts(GString *html, JsonObject *run)
{
    JsonObject *session = last_session(run), *device = maxgl_json_object(session, "device");
    g_autofree char *duration = duration_text(run);
    g_autofree char *network =
        g_strdup_printf("%s: %.2f million parameters with the heads, %.3f GMAC a clip",
                        maxgl_json_string(run, "network", "?"), maxgl_json_number(run, "parameters") * 1e-6,
                        maxgl_json_number(run, "gmac_per_clip"));
    g_autofree char *data =
        g_strdup_printf("%.0f of %s", maxgl_json_number(run, "videos"), maxgl_json_string(run, "data", "?"));
    g_autofree char *steps = g_strdup_printf(
        "%.0f of %.0f steps in %s (%s), %s", maxgl_json_number(run, "step"), maxgl_json_number(run, "steps"),
        duration, maxgl_json_string(run, "state", "?"), maxgl_json_string(run, "precision", "fp32"));
    g_autofree char *hardware =
        g_strdup_printf("%s, %.0f compute units; %s %s", maxgl_json_string(device, "name", "?"),
                        maxgl_json_number(device, "compute_units"), maxgl_json_string(device, "platform", ""),
                        maxgl_json_string(device, "driver", ""));
    g_autofree char *version = g_strdup_printf(
        "maxgl-cl %s, seed %.0f", maxgl_json_string(session, "version", "?"), maxgl_json_number(run, "seed"));
    g_autofree char *begun = time_text(maxgl_json_string(session, "started", ""));
    g_string_append(html, "<dl class=\"facts\">\n");
    maxgl_html_fact(html, "Network", network);
    maxgl_html_fact(html, "Videos", data);
    maxgl_html_fact(html, "Training", steps);
    maxgl_html_fact(html, "Device", hardware);
    maxgl_html_fact(html, "Program", version);
    maxgl_html_fact(html, "Begun", begun);
    g_string_append(html, "</dl>\n");
}

static void append_recipe(GString *html, const char *run)
{
    g_autofree char *path = g_build_filename(run, "recipe.cfg", NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return;
    maxgl_html(html,
               "<section><h2>Recipe</h2><details><summary>All options of the run (recipe.cfg)</summary>"
               "<pre>%s</pre></details></section>\n",
               text);
}

static void append_header(GString *html, const char *name, JsonObject *run, GPtrArray *results)
{
    const gboolean recognition = run && strcmp(maxgl_json_string(run, "task", ""), "recognition") == 0;
    maxgl_html_begin(html, name,
                     recognition ? "A 3D ResNet that learnt to tell classes of videos apart."
                                 : "Max-GL: a 3D ResNet that learnt from videos without labels, by mutual "
                                   "information between clips and their regions.");
    maxgl_report_tiles(html, results);
    if (run)
        append_facts(html, run);
    g_string_append(html, "</header>\n<main>\n");
}

char *maxgl_report_make(const MaxglReportOptions *options, GError **error)
{
    g_autofree char *metrics = g_build_filename(options->run, "metrics.csv", NULL);
    g_autofree char *whole = g_canonicalize_filename(options->run, NULL);
    g_autofree char *name = g_path_get_basename(whole);
    g_autoptr(GPtrArray) results = maxgl_report_read_results(options->run);
    if (results->len == 0 && !g_file_test(metrics, G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "%s: has neither a training run nor results of maxgl-cl eval", options->run);
        return NULL;
    }
    g_autoptr(GString) html = g_string_new(NULL);
    g_autoptr(JsonObject) run = read_run(options->run);
    append_header(html, name, run, results);
    maxgl_report_results(html, results);
    if (!maxgl_report_curves(html, metrics, options, error))
        return NULL;
    maxgl_report_pictures(html, results, options);
    append_recipe(html, options->run);
    maxgl_html_end(html, "report");
    return g_string_free(g_steal_pointer(&html), FALSE);
}
