/* JSON that has been built, as text. */
#ifndef MAXGL_BASE_JSON_H
#define MAXGL_BASE_JSON_H

#include <json-glib/json-glib.h>

/** What @builder has built, indented, without a newline at its end; g_free(). */
char *maxgl_json_text(JsonBuilder *builder);

/** Writes that and a newline to @path: maxgl_file_write_atomic(). */
gboolean maxgl_json_write(JsonBuilder *builder, const char *path, GError **error);

#endif
