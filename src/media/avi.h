/* What GStreamer does not tell about an AVI file. Private to the room. */
#ifndef MAXGL_MEDIA_AVI_H
#define MAXGL_MEDIA_AVI_H

#include <glib.h>

/** Looks at the chunks of @path. Without an index avidemux takes every picture for a key frame, so that what
 * is decoded after a seek is rubbish: such files have to be decoded from their start.
 *
 *  @present: the part of the bytes its header announces that the file has, at most 1. @has_index: whether
 * there is a whole index. For files of other formats, or that cannot be read: 1 and TRUE. */
void maxgl_avi_inspect(const char *path, double *present, gboolean *has_index);

#endif
