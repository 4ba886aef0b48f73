#include "cli/class_table.h"

#include "cli/table.h"

void maxgl_class_table_print(const char *const *names, int n, const int *confusion)
{
    static const char *const titles[] = {"class", ">videos", ">correct", ">accuracy", "most often taken for",
                                         NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (int i = 0; i < n; i++) {
        const int *row = confusion + i * n;
        int videos = 0, other = -1;
        for (int j = 0; j < n; j++) {
            videos += row[j];
            if (j != i && row[j] > 0 && (other < 0 || row[j] > row[other]))
                other = j;
        }
        if (videos == 0)
            continue;
        maxgl_table_add(table, names[i]);
        maxgl_table_addf(table, "%d", videos);
        maxgl_table_addf(table, "%d", row[i]);
        maxgl_table_addf(table, "%.3f", (double)row[i] / videos);
        if (other >= 0)
            maxgl_table_addf(table, "%s (%d)", names[other], row[other]);
        else
            maxgl_table_add(table, "");
    }
    maxgl_table_print(table, "  ");
}
