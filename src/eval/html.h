/* What our pages of HTML have in common: text that is escaped, one style, and members of JSON files. */
#ifndef MAXGL_EVAL_HTML_H
#define MAXGL_EVAL_HTML_H

#include <json-glib/json-glib.h>

/** Appends HTML; what %s stands for is escaped. */
void maxgl_html(GString *html, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** Appends the beginning of a page, up to and with its heading: @title, then @lead in a line of its own.
 * HTML 5 that needs nothing else, the style sheet is in it. */
void maxgl_html_begin(GString *html, const char *title, const char *lead);

/** Appends the end: "Made by maxgl-cl COMMAND VERSION." */
void maxgl_html_end(GString *html, const char *command);

/** Appends a line of a list <dl class="facts">; nothing if @value is NULL or "". */
void maxgl_html_fact(GString *html, const char *name, const char *value);

/** 1, 2 or 5 times a power of ten: the distance between about @count ticks over @range. */
double maxgl_html_tick_step(double range, int count);

/** A member that may be missing. */
const char *maxgl_json_string(JsonObject *object, const char *name, const char *otherwise);
double maxgl_json_number(JsonObject *object, const char *name);      /**< or 0 */
JsonObject *maxgl_json_object(JsonObject *object, const char *name); /**< or NULL */
JsonArray *maxgl_json_array(JsonObject *object, const char *name);   /**< or NULL */

#endif
