/* Videos below a folder. */
#ifndef MAXGL_MEDIA_FOLDER_H
#define MAXGL_MEDIA_FOLDER_H

#include <glib.h>

/** What names of videos end in, without the dot, NULL-terminated. */
const char *const *maxgl_video_extensions(void);

/** Whether @name ends in one of them, in whatever case. */
gboolean maxgl_is_video_name(const char *name);

/** Paths, relative to @root, of all files below it with a video's extension (element char *), sorted by their
 * bytes; maybe none. Hidden files and folders are left out; symbolic links are followed, but not round in
 * circles. #MAXGL_ERROR_IO naming the folder that cannot be read. */
GPtrArray *maxgl_folder_videos(const char *root, GError **error);

#endif
