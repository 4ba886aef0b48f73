/* The moments of an index that are nearest to a query, by cosine similarity, exactly. */
#ifndef MAXGL_EVAL_MOMENT_SEARCH_H
#define MAXGL_EVAL_MOMENT_SEARCH_H

#include "eval/moment_index.h"

/** A moment that was found. */
typedef struct {
    gsize row;        /**< in the index */
    float similarity; /**< cosine, −1 … 1 */
} MaxglMomentHit;

/** What is left out. */
typedef struct {
    gsize k;                    /**< hits, at most */
    gboolean all;               /**< keep clips that overlap a nearer one in the same video */
    const gboolean *excluded;   /**< [n_sources] videos of which clips that overlap with the seconds below are
                                 * left out; NULL: none */
    double excluded_seconds[2]; /**< first and last */
} MaxglMomentSearch;

/** Cosine similarities of @query (model->features floats of unit length) with all moments of @index,
 * computed on @device (as maxgl_context_open()): @similarities[n]. #MAXGL_ERROR_DEVICE, … */
gboolean maxgl_moment_similarities(const MaxglMomentIndex *index, const float *query, const char *device,
                                   float *similarities, GError **error);

/** The nearest moments, nearest first; of equally near ones the first in the index. Unless @search->all, a
 * clip that overlaps in time with a nearer hit of the same video is not a hit of its own. An array of
 * #MaxglMomentHit, empty if everything is left out. */
GArray *maxgl_moment_nearest(const MaxglMomentIndex *index, const float *similarities,
                             const MaxglMomentSearch *search);

#endif
