/* Tables on stdout. */
#ifndef MAXGL_CLI_TABLE_H
#define MAXGL_CLI_TABLE_H

#include <glib.h>

/** A table under construction. */
typedef struct MaxglTable MaxglTable;

/** A table whose columns are @titles (NULL-terminated); a title that begins with '>' belongs to a column of
 * numbers, set flush right. */
MaxglTable *maxgl_table_new(const char *const *titles);
void maxgl_table_free(MaxglTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglTable, maxgl_table_free)

/** Fills the next cell, row by row. */
void maxgl_table_add(MaxglTable *table, const char *text);
void maxgl_table_addf(MaxglTable *table, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** Prints it on stdout, each line indented by @indent, columns as wide as they need to be, two spaces
 * between. */
void maxgl_table_print(const MaxglTable *table, const char *indent);

#endif
