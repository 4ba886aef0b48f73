/* Feature vectors of moments: clips at regular times over whole videos, each of unit length. */
#ifndef MAXGL_EVAL_MOMENTS_H
#define MAXGL_EVAL_MOMENTS_H

#include <maxgl/embedder.h>

#include "media/dataset.h"

/** Which moments (see media/clip_walk.h). */
typedef struct {
    double every;         /**< seconds from one clip's beginning to the next one's; 0: what a clip spans */
    double first_seconds; /**< when to begin */
    double last_seconds;  /**< before when clips end; 0: the video's end */
    const char *title;    /**< of the progress bar; NULL: none */
} MaxglMomentsOptions;

/** Vectors in the data set's order, those of a video in time's. */
typedef struct {
    gsize n;
    int length;      /**< of a vector */
    float *features; /**< n × length, of unit length (or 0) */
    gint64 *video;   /**< [n] index in the data set */
    float *seconds;  /**< n × 2: when the first frame of the clip begins and when the last does */
    gsize bad;       /**< videos that were left out */
} MaxglMoments;

/** Embeds the moments of every video of @dataset (files only). Bad videos are named, counted in a last line
 * and left out, also those that fail on the way. #MAXGL_ERROR_FORMAT: every video is bad.
 * #MAXGL_ERROR_FAILED: a feature is not finite. #MAXGL_ERROR_CANCELLED: interrupted. */
MaxglMoments *maxgl_moments_embed(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                  const MaxglMomentsOptions *options, GError **error);

void maxgl_moments_free(MaxglMoments *moments);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMoments, maxgl_moments_free)

/** The mean of all vectors, of unit length: [length]; free it with g_free(). */
float *maxgl_moments_mean(const MaxglMoments *moments);

#endif
