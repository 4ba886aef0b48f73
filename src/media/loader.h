/* Clips in batches, decoded ahead by worker threads.
 *
 * Every clip is a function of (seed, epoch, position in the epoch) and of the files: the number of workers,
 * the cache and the step that a run starts at change nothing. So the state of a loader is (epoch, step).
 *
 * A video that cannot be decoded is named once (g_warning()) and counted. In training order another video
 * takes its place, chosen by a random number of that position, so it is the same one in every run. */
#ifndef MAXGL_MEDIA_LOADER_H
#define MAXGL_MEDIA_LOADER_H

#include <maxgl/frames.h>

#include "media/dataset.h"
#include "media/sampler.h"

/** What clips to load. Fill with maxgl_loader_options_init(), then change. */
typedef struct {
    guint64 seed;
    MaxglClipSpec clip;
    int clips_per_video;      /**< 1 … 1024; two for pre-training */
    int batch;                /**< videos in a batch */
    const char *label_column; /**< NULL: the data set's label */

    gboolean
        train; /**< TRUE: shuffled epochs, random clips and views, bad videos replaced, the videos left over
                * at an epoch's end dropped. FALSE: the data set's order, evenly spaced clips, centre view,
                * bad videos left out, all the others delivered (the last batch may be smaller). */
    MaxglAugmentation augmentation; /**< training views */
    int resize_width,
        resize_height; /**< centre views: see maxgl_view_center(); 0 × 0: no resize, the whole picture */
    int crop_width, crop_height;

    guint epochs;      /**< batches end after this epoch (counted from 0); 0: never */
    guint start_epoch; /**< where to begin */
    gsize start_step;

    int workers;       /**< decoding threads; 0: as many as cores, 8 at most */
    int prefetch;      /**< batches decoded ahead, at least 1 */
    gsize cache_bytes; /**< memory for decoded short videos; 0: no cache */
    double max_bad;    /**< the largest fraction of bad videos with which a run goes on */
    double timeout;    /**< seconds, see decoder.h */
} MaxglLoaderOptions;

/** One clip: what the preparing kernel needs. */
typedef struct {
    guint8 *frames;          /**< [clip.frames] frames of layout.frame_bytes, one after the other */
    MaxglFrameLayout layout; /**< may differ from video to video */
    MaxglClipView view;
    gsize index;          /**< of the video in the data set */
    int label;            /**< class in the label column, −1 if it has none */
    gint64 first, last;   /**< numbers of the first frame and of the last in time */
    double first_seconds; /**< when the first frame begins … */
    double last_seconds;  /**< … and when the last in time begins, since the video's first frame */
} MaxglClip;

/** One batch. Clip c of its video v is clips[v·clips_per_video + c]. */
typedef struct {
    guint epoch;
    gsize step; /**< within the epoch */
    gsize videos;
    gsize n_clips; /**< videos·clips_per_video */
    MaxglClip *clips;
} MaxglBatch;

/** What a loader has done so far. */
typedef struct {
    guint64 batches, clips; /**< delivered */
    double wait_seconds;    /**< the caller spent in maxgl_loader_next() */
    guint64 decoded;        /**< videos opened and decoded from */
    guint64 cache_hits;     /**< videos that were in the cache instead */
    gsize cache_bytes;      /**< in use */
    gsize bad;              /**< videos named as bad among those delivered so far and at the start */
} MaxglLoaderStats;

/** One bad video. */
typedef struct {
    gsize index;
    const char *reason; /**< without the path; belongs to the loader */
} MaxglBadVideo;

typedef struct MaxglLoader MaxglLoader;

/** One clip of 16 frames at stride 1 a video, batch 1, evaluation order, no resize, cache of 1 GiB, max_bad
 * 0.5. */
void maxgl_loader_options_init(MaxglLoaderOptions *options);

/** Starts loading @dataset, which must live longer. Bad videos that the data set knows of are named here.
 *  #MAXGL_ERROR_USAGE: an option out of its range, or a batch larger than the data set (train).
 *  #MAXGL_ERROR_FORMAT: all videos are bad, or more than the allowed fraction. */
MaxglLoader *maxgl_loader_new(const MaxglDataset *dataset, const MaxglLoaderOptions *options, GError **error);

/** Stops the workers wherever they are and frees everything but batches that were handed out. NULL is
 * nothing. */
void maxgl_loader_free(MaxglLoader *loader);

/** Steps in an epoch. */
gsize maxgl_loader_steps(const MaxglLoader *loader);

/** The next batch, which the caller frees; waits until it is decoded. *@batch is NULL after the last one.
 *  #MAXGL_ERROR_FORMAT when more than the allowed fraction of the videos has turned out to be bad,
 *  #MAXGL_ERROR_CANCELLED after maxgl_loader_cancel() or when maxgl_interrupt_requested(). */
gboolean maxgl_loader_next(MaxglLoader *loader, MaxglBatch **batch, GError **error);

void maxgl_batch_free(MaxglBatch *batch);

/** Makes the running and every later maxgl_loader_next() fail. Any thread. */
void maxgl_loader_cancel(MaxglLoader *loader);

/** A snapshot. Any thread. */
void maxgl_loader_get_stats(MaxglLoader *loader, MaxglLoaderStats *stats);

/** The bad videos named so far, in the order of their naming: stats.bad of them, to be freed with g_free();
 * the reasons live as long as the loader. */
MaxglBadVideo *maxgl_loader_get_bad(MaxglLoader *loader, gsize *n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglLoader, maxgl_loader_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglBatch, maxgl_batch_free)

#endif
