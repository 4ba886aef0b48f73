/* What a misspelt word was meant to be. */
#ifndef MAXGL_BASE_NEAREST_H
#define MAXGL_BASE_NEAREST_H

#include <glib.h>

/** Levenshtein's distance: the fewest bytes to insert, delete or replace that make @b of @a. */
guint maxgl_text_distance(const char *a, const char *b);

/** The word of @known (NULL-terminated) nearest to @text, the first if several are; NULL if none is so near
 * that it can have been meant. */
const char *maxgl_text_nearest(const char *text, const char *const *known);

#endif
