/* Feature vectors of videos: clips, evenly spaced or one after the other, decoded, seen at the centre as the
 * model says, embedded. */
#ifndef MAXGL_EVAL_FEATURES_H
#define MAXGL_EVAL_FEATURES_H

#include <maxgl/embedder.h>

#include "media/clip_walk.h"

/** The most clips of a video. */
#define MAXGL_FEATURES_MAX_CLIPS 1024

/** What of the videos is embedded, and how. */
typedef struct {
    int clips; /**< of a video, 1 … 1024, from its beginning to its end at equal distances. A video too short
                * for so many different ones has fewer. 10: the protocol of VCOP and others */
    const MaxglClipWalkOptions *walk; /**< instead of @clips, these, with the model's length and stride and
                                       * with @workers; short videos start again. Or NULL */
    gboolean per_video; /**< one vector a video, the mean over its clips, rather than one a clip */
    gboolean still;     /**< show the network each clip's middle frame for the whole of the clip: what can be
                           told without motion */
    int workers;        /**< threads that decode; 0: as many as cores, at most 8 */
    gboolean cache; /**< not with @walk: take vectors that were computed before from disk, and keep new ones
                     * there, see feature_cache.h; to the bit the same */
    const char *title; /**< of the progress bar; with @walk NULL for none */
} MaxglFeatureOptions;

/** What became of the videos. */
typedef struct {
    gsize bad;    /**< left out */
    gsize cached; /**< taken from the cache */
} MaxglFeatureCounts;

/** One vector, of a clip or of a video. */
typedef struct {
    gsize video;           /**< index in the data set */
    int clip;              /**< number of the clip within its video, 0, 1, …; −1: of the whole video */
    int clips;             /**< that it is the mean of; 1 for a clip's own */
    double first_seconds;  /**< when the first frame begins, since the video's beginning … */
    double last_seconds;   /**< … and the last one */
    const float *features; /**< as long as the embedder's info says */
} MaxglFeatureVector;

/** Takes a vector, which is gone when this returns. FALSE with @error ends the work. */
typedef gboolean (*MaxglFeatureSink)(const MaxglFeatureVector *vector, gpointer user_data, GError **error);

/** How many clips an embedder for @clips clips of each of @videos videos does best to compute at once: those
 * of one or several videos, about sixteen, no more than there are. */
int maxgl_features_batch(int clips, gsize videos);

/**
 * Embeds the clips of every video of @dataset, in its order, and gives the vectors to @sink. Bad videos are
 * named, counted in a last line and left out, also those that fail on the way. @counts may be NULL.
 * #MAXGL_ERROR_USAGE: a walk through synth:, which has no files. #MAXGL_ERROR_FORMAT: every video is bad.
 * #MAXGL_ERROR_FAILED: a feature is not finite. #MAXGL_ERROR_CANCELLED: interrupted.
 */
gboolean maxgl_features_each(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                             const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                             MaxglFeatureCounts *counts, GError **error);

/** Says how many of @videos (of them all) came from the cache, if any did; @what: a network, or "" . */
void maxgl_features_say_cached(gsize cached, gsize videos, const char *what);

/** #MAXGL_ERROR_FAILED if one of the @n numbers is not finite. */
gboolean maxgl_features_check(const float *features, gsize n, GError **error);

/** One vector for each video that could be read: the mean over its clips. */
typedef struct {
    gsize n;       /**< videos */
    int length;    /**< of a vector */
    float *data;   /**< n × length */
    gsize *videos; /**< [n] indices in the data set, rising */
    gsize bad;     /**< videos that were left out */
    gsize cached;  /**< videos that came from the cache */
    gsize clips;   /**< embedded in all */
} MaxglFeatures;

/** Collects what maxgl_features_each() yields for each video (@options->per_video is taken for granted); the
 * same errors. */
MaxglFeatures *maxgl_features_extract(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                      const MaxglFeatureOptions *options, GError **error);

void maxgl_features_free(MaxglFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFeatures, maxgl_features_free)

#endif
