/* Video files whose pictures tell their number. */
#ifndef MAXGL_TESTS_VIDEO_FILES_H
#define MAXGL_TESTS_VIDEO_FILES_H

#include <gst/gst.h>
#include <maxgl/frames.h>

/** What to write. */
typedef struct {
    const char *encoder; /**< "jpegenc ! avimux": what stands between the frames and the file */
    const char *format;  /**< GStreamer's name of the pixel format; NULL: I420 */
    int width, height, frames;
    int fps;             /**< 0: a variable rate; picture i is at @times[i] */
    const gint64 *times; /**< nanoseconds */
} TestVideo;

/** Whether all elements of @encoder are installed. */
gboolean test_video_possible(const char *encoder);

/** Writes @video to @path. Picture i shows the bits of i as 4×2 dark and bright fields: still legible when
 * the encoder loses something. */
void test_video_write(const char *path, const TestVideo *video);

/** The number that a frame in memory tells; −1 if a field is neither dark nor bright. */
int test_frame_number(const MaxglFrameLayout *layout, const guint8 *frame);

/** Ends GStreamer and the threads that wait for work: a group teardown. (The leak checker stumbles over
 * threads that end while it looks.) */
int test_gstreamer_end(void **state);

/** Runs a gst_parse_launch() pipeline to its end. */
void test_pipeline_run(const char *description);

#endif
