#include "base/json.h"

#include "base/file.h"

#include <string.h>

char *maxgl_json_text(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    return json_to_string(root, TRUE);
}

gboolean maxgl_json_write(JsonBuilder *builder, const char *path, GError **error)
{
    g_autofree char *text = maxgl_json_text(builder);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    return maxgl_file_write_atomic(path, line, strlen(line), error);
}
