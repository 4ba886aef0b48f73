#include "eval/html.h"

#include "compute/kernel_sources.h"

#include <math.h>

/* The style sheet, embedded when building. */
extern const MaxglEmbeddedFile maxgl_report_files[];

void maxgl_html(GString *html, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_markup_vprintf_escaped(format, arguments);
    va_end(arguments);
    g_string_append(html, text);
}

const char *maxgl_json_string(JsonObject *object, const char *name, const char *otherwise)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    const char *value = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
    return value ? value : otherwise;
}

double maxgl_json_number(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : 0;
}

JsonObject *maxgl_json_object(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *maxgl_json_array(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

void maxgl_html_begin(GString *html, const char *title, const char *lead)
{
    maxgl_html(html,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
               "<title>%s – Max-GL</title>\n<style>\n",
               title);
    g_string_append(html, maxgl_report_files[0].text);
    maxgl_html(html, "</style></head>\n<body>\n<header><h1>%s</h1>\n<p class=\"lead\">%s</p>\n", title, lead);
}

void maxgl_html_end(GString *html, const char *command)
{
    maxgl_html(html, "</main>\n<footer>Made by maxgl-cl %s " MAXGL_VERSION ".</footer>\n</body></html>\n",
               command);
}

void maxgl_html_fact(GString *html, const char *name, const char *value)
{
    if (value && value[0])
        maxgl_html(html, "<dt>%s</dt><dd>%s</dd>\n", name, value);
}

double maxgl_html_tick_step(double range, int count)
{
    const double raw = range / count, power = pow(10, floor(log10(raw)));
    const double part = raw / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}
