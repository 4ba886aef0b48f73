/* Feature vectors that were computed before, on disk: what one command has embedded, the next one finds. */
#ifndef MAXGL_EVAL_FEATURE_CACHE_H
#define MAXGL_EVAL_FEATURE_CACHE_H

#include "eval/features.h"

/** The vectors that one network, on one device, gives of clips chosen in one way. Nothing about it is ever an
 * error: what cannot be read is computed, what cannot be written is forgotten, and g_info() says so.
 *
 * It is the folder features/KEY/ in $MAXGL_CACHE_DIR, or maxgl/features/KEY/ in the user's cache folder; KEY
 * is the SHA-256 of all that decides the vectors beside the videos: the program, the model file, the layers,
 * the device and its driver, kernels, tuning, the batch, --exact, --precision, how clips are chosen, and what
 * decodes. In it are safetensors files of the vectors of some videos each, called after the SHA-256 of what
 * they hold: several processes may write at once, and a damaged file is told from a good one. A video is
 * known by its path, size and times (media/identity.h). */
typedef struct MaxglFeatureCache MaxglFeatureCache;

/** All clips' vectors of one video. */
typedef struct {
    int clips;             /**< 0: not in the cache */
    const float *features; /**< clips × the embedder's features, as long as the cache is open */
    const double *seconds; /**< clips × 2: of a clip's first and last frame */
} MaxglCachedVideo;

/** Opens what there is for @dataset's videos, which files are looked at now. NULL where there can be no
 * cache: $MAXGL_FEATURE_CACHE_MB is 0, or see maxgl_embedder_identify(). */
MaxglFeatureCache *maxgl_feature_cache_open(const MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                            const MaxglFeatureOptions *options);

/** Video @index of the data set. */
MaxglCachedVideo maxgl_feature_cache_find(MaxglFeatureCache *cache, gsize index);

/** Keeps a video's vectors. They are written now and then, before the cache is closed at the latest. */
void maxgl_feature_cache_add(MaxglFeatureCache *cache, gsize index, const MaxglCachedVideo *video);

/** Writes what has not been, and deletes the files that were not used for the longest time while all vectors,
 * of all networks, need more than $MAXGL_FEATURE_CACHE_MB MiB (default 1024). NULL is nothing. */
void maxgl_feature_cache_close(MaxglFeatureCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFeatureCache, maxgl_feature_cache_close)

#endif
