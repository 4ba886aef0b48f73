/* Copies of video frames that wait for their window to fill.
 *
 * Copies, because holding on to the buffers themselves would starve the pools of decoders and cameras, and
 * would make buffers that are passed on read-only for everyone behind. All copies have one layout, whatever
 * the padding of the buffers they come from. */
#ifndef MAXGL_FRAME_STORE_H
#define MAXGL_FRAME_STORE_H

#include <gst/video/video.h>
#include <maxgl/frames.h>

typedef struct MaxglFrameStore MaxglFrameStore;

/** A store for frames of @info, NULL if there is no memory for one. */
MaxglFrameStore *maxgl_frame_store_new(const GstVideoInfo *info);
void maxgl_frame_store_free(MaxglFrameStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFrameStore, maxgl_frame_store_free)

/** The layout of all copies. */
const MaxglFrameLayout *maxgl_frame_store_layout(const MaxglFrameStore *store);

/** What the frames are. */
const GstVideoInfo *maxgl_frame_store_info(const MaxglFrameStore *store);

/** A copy of @buffer's picture (transfer full). NULL if @buffer holds no
 * picture of this size and format. */
GstBuffer *maxgl_frame_store_copy(MaxglFrameStore *store, GstBuffer *buffer);

#endif
