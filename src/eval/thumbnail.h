/* Small still pictures of videos, for web pages. Private to the room. */
#ifndef MAXGL_EVAL_THUMBNAIL_H
#define MAXGL_EVAL_THUMBNAIL_H

#include <glib.h>

/** What is on screen in a video at one time. */
typedef struct {
    char *png; /**< base64 */
    int width, height;
} MaxglThumbnail;

/** The picture of the video @path at @seconds (the last one, if it ends before), reduced to at most @width
 * pixels across. #MAXGL_ERROR_NOT_FOUND, #MAXGL_ERROR_FORMAT, … as the decoder's. */
MaxglThumbnail *maxgl_thumbnail_of_video(const char *path, double seconds, int width, GError **error);
void maxgl_thumbnail_free(MaxglThumbnail *thumbnail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglThumbnail, maxgl_thumbnail_free)

#endif
