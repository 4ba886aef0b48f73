/* Lists of pairs under construction. Private to the room. */
#ifndef MAXGL_MEDIA_PAIR_LIST_PRIVATE_H
#define MAXGL_MEDIA_PAIR_LIST_PRIVATE_H

#include "media/pair_list.h"

/** A list that grows. */
typedef struct {
    MaxglPairList *list;
    GHashTable *known; /**< id → its index + 1 */
} MaxglPairBuilder;

/** Adds a pair. */
void maxgl_pair_builder_add(MaxglPairBuilder *builder, int fold, const char *first, const char *second,
                            gboolean same);

/** Reads a MATLAB file; the errors of maxgl_pair_list_read(). */
gboolean maxgl_pair_list_read_mat(MaxglPairBuilder *builder, const char *path, GError **error);

#endif
