/* Decoded videos kept in memory. Filled once: with epochs that visit every video once, throwing out the
 * oldest for the newest would never find anything. Private to the room. */
#ifndef MAXGL_MEDIA_FRAME_CACHE_H
#define MAXGL_MEDIA_FRAME_CACHE_H

#include "media/decoder.h"

/** Videos by their index in a data set; any number of threads. */
typedef struct MaxglFrameCache MaxglFrameCache;

/** A cache of at most @limit bytes (0: it stays empty) for videos 0 … @videos − 1. */
MaxglFrameCache *maxgl_frame_cache_new(gsize limit, gsize videos);

void maxgl_frame_cache_free(MaxglFrameCache *cache);

/** Video @index, which stays until the cache is freed; NULL if it is not there. */
const MaxglVideo *maxgl_frame_cache_get(MaxglFrameCache *cache, gsize index);

/** The most bytes a video may have that is worth offering now: what is left, but never more than an eighth of
 * the limit, so that one video does not take the place of many; 0 once less than a 64th of the limit is left.
 */
gsize maxgl_frame_cache_room(MaxglFrameCache *cache);

/** Offers a video, taking it over. It comes back if there is no room for it (otherwise NULL), for the caller
 * to free. */
MaxglVideo *maxgl_frame_cache_put(MaxglFrameCache *cache, gsize index, MaxglVideo *video);

/** Bytes in use. */
gsize maxgl_frame_cache_bytes(MaxglFrameCache *cache);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFrameCache, maxgl_frame_cache_free)

#endif
