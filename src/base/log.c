#include "base/log.h"

#include "base/progress.h"

#include <locale.h>
#include <maxgl/error.h>
#include <string.h>

static const struct {
    GLogLevelFlags level;
    const char *name;
} levels[] = {
    {G_LOG_LEVEL_ERROR, "error"},     {G_LOG_LEVEL_CRITICAL, "critical"}, {G_LOG_LEVEL_WARNING, "warning"},
    {G_LOG_LEVEL_MESSAGE, "message"}, {G_LOG_LEVEL_INFO, "info"},         {G_LOG_LEVEL_DEBUG, "debug"},
};

static struct {
    char *program;
    GLogLevelFlags threshold; /* a greater value is less severe */
} setup = {NULL, G_LOG_LEVEL_MESSAGE};

static const char *level_name(GLogLevelFlags level)
{
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++)
        if (level & levels[i].level)
            return levels[i].name;
    return "message";
}

static GLogWriterOutput write_message(GLogLevelFlags flags, const GLogField *fields, gsize n, gpointer data)
{
    const char *domain = NULL, *message = "";
    GLogLevelFlags level = flags & G_LOG_LEVEL_MASK;
    if (level > setup.threshold)
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            message = fields[i].value;
        else if (strcmp(fields[i].key, "GLIB_DOMAIN") == 0)
            domain = fields[i].value;
    }
    gboolean foreign = domain && strcmp(domain, G_LOG_DOMAIN) != 0;
    gboolean named = level != G_LOG_LEVEL_MESSAGE;
    maxgl_progress_line("%s: %s%s%s%s%s", setup.program, named ? level_name(level) : "", named ? ": " : "",
                        foreign ? domain : "", foreign ? ": " : "", message);
    return G_LOG_WRITER_HANDLED;
}

void maxgl_log_init(const char *program, GLogLevelFlags level)
{
    static gboolean installed;
    setlocale(LC_CTYPE, "");
    g_free(setup.program);
    setup.program = g_strdup(program);
    setup.threshold = level;
    if (!installed)
        g_log_set_writer_func(write_message, NULL, NULL);
    installed = TRUE;

    const char *wish = g_getenv("MAXGL_LOG");
    if (!wish || !*wish)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (g_ascii_strcasecmp(wish, levels[i].name) == 0) {
            setup.threshold = levels[i].level;
            return;
        }
    }
    g_warning("MAXGL_LOG=%s: not a level; use error, warning, message, info or debug", wish);
}

void maxgl_log_error(const GError *error)
{
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    for (char **line = lines; *line; line++)
        maxgl_progress_line("%s: %s", setup.program ? setup.program : "maxgl", *line);
}

int maxgl_error_exit_code(const GError *error)
{
    if (error->domain == G_OPTION_ERROR || g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE))
        return 2;
    return g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED) ? 130 : 1;
}
