#include "media/csv.h"

#include <maxgl/error.h>
#include <string.h>

void maxgl_csv_init(MaxglCsv *csv, const char *name, const char *text, gsize size)
{
    *csv = (MaxglCsv){.name = name, .at = text, .end = text + size, .line = 0, .next_line = 1};
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
}

static gboolean at_line_end(const MaxglCsv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' ||
           (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

static void skip_blanks(MaxglCsv *csv)
{
    while (csv->at < csv->end && (*csv->at == ' ' || *csv->at == '\t'))
        csv->at++;
}

/* Steps over the end of a line. */
static void skip_line_end(MaxglCsv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end) {
        csv->at++;
        csv->next_line++;
    }
}

static char *read_plain(MaxglCsv *csv)
{
    const char *start = csv->at;
    while (!at_line_end(csv) && *csv->at != ',')
        csv->at++;
    const char *last = csv->at;
    while (last > start && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
        last--;
    return g_strndup(start, (gsize)(last - start));
}

static char *read_quoted(MaxglCsv *csv, GError **error)
{
    g_autoptr(GString) value = g_string_new(NULL);
    csv->at++;
    for (; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"' && (csv->at + 1 == csv->end || csv->at[1] != '"'))
            break;
        if (*csv->at == '"')
            csv->at++;
        if (*csv->at == '\n')
            csv->next_line++;
        g_string_append_c(value, *csv->at);
    }
    if (csv->at == csv->end) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s:%d: a quoted field does not end: close it with \"", csv->name, csv->line);
        return NULL;
    }
    csv->at++;
    skip_blanks(csv);
    if (!at_line_end(csv) && *csv->at != ',') {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s:%d: text after a closing quote: double the quotes that belong to the field",
                    csv->name, csv->next_line);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static gboolean read_record(MaxglCsv *csv, GPtrArray *record, GError **error)
{
    for (;;) {
        skip_blanks(csv);
        gboolean quoted = csv->at < csv->end && *csv->at == '"';
        char *field = quoted ? read_quoted(csv, error) : read_plain(csv);
        if (field == NULL)
            return FALSE;
        g_ptr_array_add(record, field);
        if (at_line_end(csv)) {
            skip_line_end(csv);
            return TRUE;
        }
        csv->at++; /* the comma */
    }
}

gboolean maxgl_csv_next(MaxglCsv *csv, GPtrArray **fields, GError **error)
{
    *fields = NULL;
    while (csv->at < csv->end) {
        csv->line = csv->next_line;
        skip_blanks(csv);
        if (at_line_end(csv)) {
            skip_line_end(csv);
            continue;
        }
        g_autoptr(GPtrArray) record = g_ptr_array_new_with_free_func(g_free);
        if (!read_record(csv, record, error))
            return FALSE;
        *fields = g_steal_pointer(&record);
        return TRUE;
    }
    return TRUE;
}

char *maxgl_csv_quote(const char *value)
{
    gsize length = strlen(value);
    gboolean plain = strpbrk(value, ",\"\r\n") == NULL &&
                     (length == 0 || (!g_ascii_isspace(value[0]) && !g_ascii_isspace(value[length - 1])));
    if (plain)
        return g_strdup(value);
    g_auto(GStrv) parts = g_strsplit(value, "\"", -1);
    g_autofree char *doubled = g_strjoinv("\"\"", parts);
    return g_strdup_printf("\"%s\"", doubled);
}
