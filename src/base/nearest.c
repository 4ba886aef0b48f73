#include "base/nearest.h"

#include <string.h>

guint maxgl_text_distance(const char *a, const char *b)
{
    gsize columns = strlen(b) + 1;
    g_autofree guint *row = g_new(guint, columns);
    for (gsize j = 0; j < columns; j++)
        row[j] = (guint)j;
    for (gsize i = 0; a[i]; i++) {
        guint diagonal = row[0];
        row[0] = (guint)i + 1;
        for (gsize j = 1; j < columns; j++) {
            guint replaced = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns - 1];
}

const char *maxgl_text_nearest(const char *text, const char *const *known)
{
    const char *nearest = NULL;
    guint best = (guint)strlen(text) / 3 + 2; /* anything as far as this is no help */
    for (; *known; known++) {
        guint distance = maxgl_text_distance(text, *known);
        if (distance < best) {
            best = distance;
            nearest = *known;
        }
    }
    return nearest;
}
