/* Data sets by the lists that they were published with. */
#ifndef MAXGL_MEDIA_PUBLISHED_H
#define MAXGL_MEDIA_PUBLISHED_H

#include <glib.h>

/** A line of a list. */
typedef struct {
    char *path;  /**< of the file, or where it was expected */
    char *label; /**< class; NULL where the list has none */
    char *split; /**< "train", "test", "val", … */
    char *group; /**< ucf101: "g08", what the clips of one source have in common; else NULL */
} MaxglPublishedVideo;

/** Whether @source begins with `ucf101:`, `hmdb51:` or `kinetics:`. */
gboolean maxgl_published_is(const char *source);

/**
 * The videos of @source, in the lists' order (element #MaxglPublishedVideo*):
 *
 *  - `ucf101:videos=DIR,lists=DIR,split=N`: classInd.txt, trainlist0N.txt and testlist0N.txt of the
 * "recognition" task, N = 1 … 3.
 *  - `hmdb51:videos=DIR,lists=DIR,split=N`: CLASS_test_splitN.txt; videos marked 0 belong to neither part and
 * are left out.
 *  - `kinetics:videos=DIR,lists=FILE`: a CSV with the columns label, youtube_id, time_start, time_end, split;
 * a folder instead of a file means all .csv in it. Files are called YOUTUBEID_START_END, six digits each.
 *
 * split is 1 unless given; lists is the videos' folder unless given. Files are looked for below `videos` by
 * their name without its extension, in whatever case: it does not matter how they are arranged or converted.
 * Lines may end with CRLF and with spaces. A file that is not there stays in the list, with the path where
 * the published archive has it.
 *
 * Errors: #MAXGL_ERROR_USAGE for wrong options, #MAXGL_ERROR_NOT_FOUND for a folder or list that is not
 * there, #MAXGL_ERROR_FORMAT "LIST:LINE: …" for a line that cannot be read, #MAXGL_ERROR_IO.
 */
GPtrArray *maxgl_published_read(const char *source, GError **error);

#endif
