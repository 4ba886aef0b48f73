/* One GStreamer pipeline that decodes one file: pictures come out one by one. Private to the room. */
#ifndef MAXGL_MEDIA_PIPELINE_H
#define MAXGL_MEDIA_PIPELINE_H

#include <gst/gst.h>

#include "media/container.h"
#include "media/decoder.h"

/** uridecodebin ! videoconvertscale ! appsink, or the chain that uridecodebin found for another file;
 * playing, no clock, few pictures ahead. For one thread at a time. */
typedef struct MaxglPipeline MaxglPipeline;

/** Starts decoding @path, a container of @kind. @options are copied. @chained: with the chain of the options'
 * pool, if it has one for @kind; what fails so may well succeed without. */
MaxglPipeline *maxgl_pipeline_open(const char *path, MaxglContainerKind kind, gboolean chained,
                                   const MaxglDecoderOptions *options, GError **error);

/** Whether the options' pool has a chain for containers of @kind. */
gboolean maxgl_pipeline_can_chain(MaxglContainerKind kind, const MaxglDecoderOptions *options);

/** Stops; hands the pipeline to the options' pool if it can take another file, else frees it. Never waits for
 * longer than the timeout: what hangs is left to a thread of its own. NULL is nothing. */
void maxgl_pipeline_close(MaxglPipeline *pipeline);

/** Frees a stopped one. */
void maxgl_pipeline_free(MaxglPipeline *pipeline);

/** Changes how long maxgl_pipeline_pull() waits, the timeout at first. */
void maxgl_pipeline_set_patience(MaxglPipeline *pipeline, double seconds);

/** Waits for the next picture, whose caps are one of #MaxglPixelFormat's formats in system memory. At the end
 * @sample is NULL. @time: stream time in nanoseconds; made up from the frame rate where the picture has none.
 *  #MAXGL_ERROR_FORMAT for what GStreamer cannot decode, #MAXGL_ERROR_IO for what it cannot read and after
 * the timeout. */
gboolean maxgl_pipeline_pull(MaxglPipeline *pipeline, GstSample **sample, gint64 *time, GError **error);

/** Jumps: the next picture is the one on screen at stream time @time, or a later one if the container cannot
 * do better. Its time stamp may be moved up to @time. FALSE without an error if the stream cannot seek. */
gboolean maxgl_pipeline_seek(MaxglPipeline *pipeline, gint64 time, GError **error);

/** Duration in nanoseconds as the container tells it; −1 if it does not. */
gint64 maxgl_pipeline_duration(MaxglPipeline *pipeline);

/** Whether maxgl_pipeline_seek() can work. */
gboolean maxgl_pipeline_seekable(MaxglPipeline *pipeline);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglPipeline, maxgl_pipeline_close)

#endif
