#include "learn/metrics.h"

#include "base/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

struct MaxglMetrics {
    char *path;
    guint n_values;
    FILE *stream;
};

static gboolean set_error(GError **error, const char *path, int failure)
{
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot write: %s", path, g_strerror(failure));
    return FALSE;
}

static guint count(const char *text, char what)
{
    guint n = 0;
    for (; *text; text++)
        n += *text == what;
    return n;
}

/* The file as it should be: the header, and the rows of @old that are whole and not beyond step @last. */
static char *kept_text(const char *old, const char *const *values, gint64 last)
{
    g_autofree char *names = g_strjoinv(",", (char **)values);
    GString *text = g_string_new(NULL);
    g_string_printf(text, "step,epoch,%s,lr,clips_per_s,waiting\n", names);
    const guint commas = count(text->str, ',');
    const char *line = old && g_str_has_prefix(old, text->str) ? old + text->len : "";
    const char *end;
    for (; (end = strchr(line, '\n')); line = end + 1) {
        g_autofree char *row = g_strndup(line, (gsize)(end - line));
        char *rest;
        const gint64 step = g_ascii_strtoll(row, &rest, 10);
        if (*rest == ',' && count(row, ',') == commas && step <= last)
            g_string_append_printf(text, "%s\n", row);
    }
    return g_string_free(text, FALSE);
}

MaxglMetrics *maxgl_metrics_open(const char *path, const char *const *values, gint64 last, GError **error)
{
    g_autofree char *old = NULL;
    g_autoptr(GError) ignored = NULL;
    g_file_get_contents(path, &old, NULL, &ignored);
    g_autofree char *text = kept_text(old, values, last);
    if (!maxgl_file_write_atomic(path, text, strlen(text), error))
        return NULL;
    FILE *stream = g_fopen(path, "a");
    if (!stream) {
        set_error(error, path, errno);
        return NULL;
    }
    MaxglMetrics *metrics = g_new0(MaxglMetrics, 1);
    metrics->path = g_strdup(path);
    metrics->n_values = g_strv_length((char **)values);
    metrics->stream = stream;
    return metrics;
}

static void append(GString *text, const char *format, double value)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append_printf(text, ",%s", g_ascii_formatd(number, sizeof number, format, value));
}

gboolean maxgl_metrics_add(MaxglMetrics *metrics, const MaxglMetricsRow *row, const double *values,
                           GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT, row->step, row->epoch);
    for (guint i = 0; i < metrics->n_values; i++)
        append(text, "%.9g", values[i]);
    append(text, "%.9g", row->learning_rate);
    append(text, "%.1f", row->clips_per_second);
    append(text, "%.3f", row->waiting);
    g_string_append_c(text, '\n');
    errno = 0;
    if (fwrite(text->str, 1, text->len, metrics->stream) == text->len && fflush(metrics->stream) == 0)
        return TRUE;
    return set_error(error, metrics->path, errno);
}

void maxgl_metrics_close(MaxglMetrics *metrics)
{
    if (!metrics)
        return;
    (void)fclose(metrics->stream); /* every row was flushed */
    g_free(metrics->path);
    g_free(metrics);
}
