/* Frames of a data set's videos: from the cache, from a file, or drawn. Private to the room. */
#ifndef MAXGL_MEDIA_CLIP_SOURCE_H
#define MAXGL_MEDIA_CLIP_SOURCE_H

#include "media/dataset.h"
#include "media/decoder.h"

/** A data set's videos with what has been learnt of them so far. Any number of threads. */
typedef struct MaxglClipSource MaxglClipSource;

/** Chooses the frames of a video that are wanted: @info is known, @numbers (n of them) are to be filled in.
 * FALSE: none, since the video does not fit the purpose (which may rest on @info alone); the reason goes to
 * @error. */
typedef gboolean (*MaxglFrameChooser)(const MaxglVideoInfo *info, gint64 *numbers, gpointer user_data,
                                      GError **error);

/** How often what was used. */
typedef struct {
    guint64 decoded, hits;
    gsize cache_bytes;
} MaxglClipSourceStats;

/** @options: for the decoders, copied; their pool is the source's own. @cache_bytes: see frame_cache.h. */
MaxglClipSource *maxgl_clip_source_new(const MaxglDataset *dataset, gsize cache_bytes,
                                       const MaxglDecoderOptions *options);

void maxgl_clip_source_free(MaxglClipSource *source);

/** Reads the @n frames of video @index that @choose chooses, one after the other; @info gets what the video
 * is. The result depends on the file and on the numbers chosen, not on what is in the cache. NULL with the
 * reason, which does not name the path, if the video is bad; what is known to be bad fails at once from then
 * on. Free the frames with g_free(). */
guint8 *maxgl_clip_source_read(MaxglClipSource *source, gsize index, MaxglFrameChooser choose,
                               gpointer user_data, gsize n, MaxglVideoInfo *info, GError **error);

/** How many videos are known to be bad as a whole. */
gsize maxgl_clip_source_bad_count(MaxglClipSource *source);

/** Why video @index is bad as a whole, as far as known; NULL otherwise. It stays until the source is freed.
 */
const char *maxgl_clip_source_bad_reason(MaxglClipSource *source, gsize index);

void maxgl_clip_source_get_stats(MaxglClipSource *source, MaxglClipSourceStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClipSource, maxgl_clip_source_free)

#endif
