/* Video buffers in, feature vectors out: an open model, the windows over the stream, and the frames they wait
 * for. One thread at a time. */
#ifndef MAXGL_CLIP_EMBEDDER_H
#define MAXGL_CLIP_EMBEDDER_H

#include "clip_window.h"
#include <gst/video/video.h>
#include <maxgl/embedder.h>

typedef struct MaxglClipEmbedder MaxglClipEmbedder;

/** Opens @model on @device to compute in @precision, as maxgl_embedder_open_with(). @stride: frames from one
 * of a clip's frames to the next, 0 = the model's. @hop: frames from one window's start to the next's, 0 =
 * the window's span. */
MaxglClipEmbedder *maxgl_clip_embedder_open(const char *model, const char *device, const char *precision,
                                            guint stride, guint hop, GError **error);
void maxgl_clip_embedder_close(MaxglClipEmbedder *embedder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClipEmbedder, maxgl_clip_embedder_close)

const MaxglEmbedderInfo *maxgl_clip_embedder_info(const MaxglClipEmbedder *embedder);

/** Frames from one of a clip's frames to the next. */
int maxgl_clip_embedder_stride(const MaxglClipEmbedder *embedder);

/** The windows, for all but pushing. */
MaxglClipWindow *maxgl_clip_embedder_window(MaxglClipEmbedder *embedder);

/** Whether frames are of @info already. */
gboolean maxgl_clip_embedder_has_format(const MaxglClipEmbedder *embedder, const GstVideoInfo *info);

/** From now on frames are of @info; forgets earlier ones. MAXGL_ERROR_FAILED if memory is short. */
gboolean maxgl_clip_embedder_set_format(MaxglClipEmbedder *embedder, const GstVideoInfo *info,
                                        GError **error);

/**
 * Counts a frame (copied if a window needs it). Where @buffer has no duration, the frame rate gives it.
 * @closed: (out) whether it closes a window, which @clip then describes until the next call.
 * MAXGL_ERROR_FORMAT if @buffer is no frame of the format.
 */
gboolean maxgl_clip_embedder_push(MaxglClipEmbedder *embedder, GstBuffer *buffer, gboolean *closed,
                                  MaxglWindowClip *clip, GError **error);

/** The features of @clip: (transfer full) (array length=info->features) to be freed with g_free(). */
float *maxgl_clip_embedder_compute(MaxglClipEmbedder *embedder, const MaxglWindowClip *clip, GError **error);

#endif
