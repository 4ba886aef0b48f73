/* Pairs of videos that show the same action or not, as ASLAN was published. */
#ifndef MAXGL_MEDIA_PAIR_LIST_H
#define MAXGL_MEDIA_PAIR_LIST_H

#include <glib.h>

/** One pair. */
typedef struct {
    guint first, second; /**< videos, indices into ids */
    gboolean same;       /**< whether they show the same action */
    int fold;            /**< counted from 0. View 1: 0 = train, 1 = test */
} MaxglPair;

/** A list. */
typedef struct {
    int view;       /**< 1: one training and one test part; 2: folds, each tested in turn */
    int folds;      /**< at least 2 */
    GArray *pairs;  /**< of MaxglPair, in the list's order */
    GPtrArray *ids; /**< of char *, the videos in the order in which they are first named */
} MaxglPairList;

/**
 * Reads the list @path:
 *
 *  - NAME.csv: the first line names the columns `fold,id1,id2,same` (View 2; folds are numbered from 1) or
 *    `split,id1,id2,same` (View 1; split is `train` or `test`). Further columns are ignored. Same is 0 or 1.
 *  - NAME.mat (MATLAB): `action_splits_pairs`, matrices with a row a pair and the columns id1, id2, same, …:
 *    rows × columns × folds, or a cell array or an array of structures with one matrix a fold (View 2); else
 *    two matrices of which one has `train` and one `test` in its name (View 1).
 *
 * #MAXGL_ERROR_NOT_FOUND; #MAXGL_ERROR_FORMAT "LIST:LINE: …" or "LIST: VARIABLE, fold N, row R: …" for what
 * cannot be a pair, and for folds that are empty.
 */
MaxglPairList *maxgl_pair_list_read(const char *path, GError **error);

void maxgl_pair_list_free(MaxglPairList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglPairList, maxgl_pair_list_free)

/**
 * Finds the videos of @list among the @n @paths: [ids->len] indices into @paths; caller frees. An id is the
 * name of its file without the extension, or, where no file is called so and the id is a number, the first
 * number in that name ("17" is "000017.avi" and "video_17.mp4").
 * #MAXGL_ERROR_NOT_FOUND naming the ids (the first of them) that have no file, #MAXGL_ERROR_FORMAT naming two
 * files that have the same id, both beginning with @where.
 */
gsize *maxgl_pair_list_find(const MaxglPairList *list, const char *where, const char *const *paths, gsize n,
                            GError **error);

#endif
