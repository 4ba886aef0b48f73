/* Feature vectors of videos: evenly spaced clips, decoded, seen at the centre as the model says, embedded. */
#ifndef MAXGL_EVAL_FEATURES_H
#define MAXGL_EVAL_FEATURES_H

#include <maxgl/embedder.h>

#include "media/dataset.h"
#include "media/loader.h"

/** The most clips of a video. */
#define MAXGL_FEATURES_MAX_CLIPS 1024

/** What of the videos is embedded, and how. */
typedef struct {
    int clips;      /**< of a video, 1 … 1024, from its beginning to its end at equal distances. A video too
                       short for so many different ones has fewer. 10: the protocol of VCOP and others */
    int workers;    /**< threads that decode; 0: half of the cores */
    gboolean still; /**< show the network each clip's middle frame for the whole of the clip: what can be told
                       without motion */
    const char *title; /**< of the progress bar */
} MaxglFeatureOptions;

/** Takes one clip's features. @clip: what the clip is; its frames are gone when this returns. @number: of the
 * clip within its video, 0, 1, …. @features: as long as the embedder's info says. FALSE with @error ends the
 * work. */
typedef gboolean (*MaxglFeatureSink)(const MaxglClip *clip, int number, const float *features,
                                     gpointer user_data, GError **error);

/** How many clips an embedder for @clips clips a video does best to compute at once: those of one or several
 * videos, about sixteen. */
int maxgl_features_batch(int clips);

/**
 * Embeds the clips of every video of @dataset, in its order, and gives them to @sink. Bad videos are named,
 * counted in a last line and left out; their number goes to @bad (which may be NULL).
 * #MAXGL_ERROR_FORMAT: every video is bad. #MAXGL_ERROR_FAILED: a feature is not finite.
 * #MAXGL_ERROR_CANCELLED: interrupted.
 */
gboolean maxgl_features_each(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                             const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                             gsize *bad, GError **error);

/** One vector for each video that could be read: the mean over its clips. */
typedef struct {
    gsize n;       /**< videos */
    int length;    /**< of a vector */
    float *data;   /**< n × length */
    gsize *videos; /**< [n] indices in the data set, rising */
    gsize bad;     /**< videos that were left out */
    gsize clips;   /**< embedded in all */
} MaxglFeatures;

/** Collects what maxgl_features_each() yields; the same errors. */
MaxglFeatures *maxgl_features_extract(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                      const MaxglFeatureOptions *options, GError **error);

void maxgl_features_free(MaxglFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFeatures, maxgl_features_free)

#endif
