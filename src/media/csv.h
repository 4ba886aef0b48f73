/* Comma-separated values, as RFC 4180 has them and people write them. */
#ifndef MAXGL_MEDIA_CSV_H
#define MAXGL_MEDIA_CSV_H

#include <glib.h>

/** Walks through a text in memory. */
typedef struct {
    const char *name; /**< of the file, for messages */
    const char *at, *end;
    int line; /**< of the record that was read last, counted from 1 */
    int next_line;
} MaxglCsv;

/** Starts at the beginning of @text (a UTF-8 byte order mark is skipped). Both strings must live as long as
 * @csv. */
void maxgl_csv_init(MaxglCsv *csv, const char *name, const char *text, gsize size);

/** The fields of the next record that is not an empty line, in @fields (freed with g_ptr_array_unref(), NULL
 * at the end of the text). Lines end with LF or CRLF. A field within double quotes may hold commas, line ends
 * and doubled quotes; other fields lose the spaces and tabs around them. #MAXGL_ERROR_FORMAT "NAME:LINE: …"
 * for what is neither. */
gboolean maxgl_csv_next(MaxglCsv *csv, GPtrArray **fields, GError **error);

/** @value as a field: quoted if it needs to be. Free it. */
char *maxgl_csv_quote(const char *value);

#endif
