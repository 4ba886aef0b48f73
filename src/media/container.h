/* What a file's outermost chunks tell without decoding it. Private to the room. */
#ifndef MAXGL_MEDIA_CONTAINER_H
#define MAXGL_MEDIA_CONTAINER_H

#include <glib.h>

/** Containers known by their first bytes. */
typedef enum {
    MAXGL_CONTAINER_OTHER,
    MAXGL_CONTAINER_AVI,
    MAXGL_CONTAINER_QUICKTIME, /**< and MP4 */
    MAXGL_CONTAINER_MATROSKA,  /**< and WebM */
    MAXGL_N_CONTAINERS,
} MaxglContainerKind;

/** Facts of an AVI or QuickTime/MP4 file that GStreamer does not tell, or not always. */
typedef struct {
    MaxglContainerKind kind;
    double present;   /**< the part of the announced bytes that the file has, at most 1 */
    gboolean indexed; /**< AVI: a whole index is there. Without one avidemux takes every picture for a key
                       * frame, so that what is decoded after a seek is rubbish. */
    gboolean headed;  /**< QuickTime: the movie header ("moov") is there. Without it decodebin can wait for
                       * ever: it  overlooks errors that a demuxer has while it starts. */
} MaxglContainer;

/** Looks at @path. For what is of another kind or cannot be read everything is well. */
void maxgl_container_inspect(const char *path, MaxglContainer *container);

#endif
