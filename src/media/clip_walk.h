/* Clips at regular times of videos, one after the other, decoded ahead by threads: for videos of any length,
 * since no more than a few clips are in memory at a time. */
#ifndef MAXGL_MEDIA_CLIP_WALK_H
#define MAXGL_MEDIA_CLIP_WALK_H

#include "media/dataset.h"
#include "media/loader.h"

/** Which clips. Clips begin at @first_seconds and then every @every seconds or every @step frames, as long as
 * they end before @last_seconds or the video's end. Where there is room for none, there is one: in the middle
 * of that time, moved to lie within the video (a video shorter than a clip does what clip.short_policy says).
 */
typedef struct {
    MaxglClipSpec clip;
    double every;         /**< seconds from the beginning of one clip to that of the next; 0: @step */
    gint64 step;          /**< the same in frames; 0: what a clip spans */
    gboolean rest;        /**< clips go on beginning as long as there are frames: the last ones, fewer than a
                           * clip, are a video of their own, of which clip.short_policy makes one */
    double first_seconds; /**< at least 0 */
    double last_seconds;  /**< above first_seconds; 0: the video's end */
    int workers;          /**< videos that are decoded at once; 0: as many as cores, 8 at most */
} MaxglClipWalkOptions;

/** A walk through the videos of a data set. */
typedef struct MaxglClipWalk MaxglClipWalk;

/** Starts decoding @dataset (videos in files, not `synth:`), which must live longer. */
MaxglClipWalk *maxgl_clip_walk_new(const MaxglDataset *dataset, const MaxglClipWalkOptions *options);

/** Stops and frees everything but clips that were handed out. NULL is nothing. */
void maxgl_clip_walk_free(MaxglClipWalk *walk);

/** The next clip, in the data set's order and in time's, which the caller frees; waits until it is decoded.
 * *@clip is NULL after the last one. A bad video is named (g_warning()), which can be after some of its clips
 * were handed out. #MAXGL_ERROR_FORMAT: all videos are bad; #MAXGL_ERROR_CANCELLED:
 * maxgl_interrupt_requested(). The clips' views are the whole picture, their labels −1. */
gboolean maxgl_clip_walk_next(MaxglClipWalk *walk, MaxglClip **clip, GError **error);

void maxgl_walk_clip_free(MaxglClip *clip);

/** How many videos are behind the last clip handed out, good or bad. */
gsize maxgl_clip_walk_done(const MaxglClipWalk *walk);

/** Whether video @index has turned out to be bad so far, and how many have. */
gboolean maxgl_clip_walk_is_bad(const MaxglClipWalk *walk, gsize index);
gsize maxgl_clip_walk_bad_count(const MaxglClipWalk *walk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClipWalk, maxgl_clip_walk_free)

#endif
