#include "cli/table.h"

#include <stdio.h>

struct MaxglTable {
    guint columns;
    gboolean *right; /* [columns] */
    GPtrArray *cells;
};

MaxglTable *maxgl_table_new(const char *const *titles)
{
    MaxglTable *table = g_new0(MaxglTable, 1);
    table->columns = g_strv_length((char **)titles);
    table->right = g_new0(gboolean, table->columns);
    table->cells = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < table->columns; i++) {
        table->right[i] = titles[i][0] == '>';
        maxgl_table_add(table, titles[i] + (table->right[i] ? 1 : 0));
    }
    return table;
}

void maxgl_table_free(MaxglTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->cells);
    g_free(table->right);
    g_free(table);
}

void maxgl_table_add(MaxglTable *table, const char *text)
{
    g_ptr_array_add(table->cells, g_strdup(text));
}

void maxgl_table_addf(MaxglTable *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(table->cells, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void maxgl_table_print(const MaxglTable *table, const char *indent)
{
    g_autofree glong *widths = g_new0(glong, table->columns);
    for (guint i = 0; i < table->cells->len; i++) {
        glong *width = &widths[i % table->columns];
        *width = MAX(*width, g_utf8_strlen(g_ptr_array_index(table->cells, i), -1));
    }
    for (guint i = 0; i < table->cells->len; i++) {
        const guint column = i % table->columns;
        const char *cell = g_ptr_array_index(table->cells, i);
        const gboolean last = column == table->columns - 1;
        const int pad = (int)(widths[column] - g_utf8_strlen(cell, -1));
        if (table->right[column])
            printf("%s%*s%s", column == 0 ? indent : "  ", pad, "", cell);
        else
            printf("%s%s%*s", column == 0 ? indent : "  ", cell, last ? 0 : pad, "");
        if (last)
            putchar('\n');
    }
}
