/* Which frames of a stream make a clip: pure counting, without GStreamer's objects.
 *
 * Frames are numbered 0, 1, 2, … from the last reset, whether they are used or not. Window w starts at frame
 * w·hop and consists of the frames w·hop + j·stride, j = 0 … frames − 1. So it spans (frames − 1)·stride + 1
 * frames, and its last frame closes it. Windows overlap where hop is less than the span; where it is more,
 * the frames between two windows are outside of both. A frame closes one window at most. */
#ifndef MAXGL_CLIP_WINDOW_H
#define MAXGL_CLIP_WINDOW_H

#include <glib.h>

/** A point in time or a length of time that is not known; GST_CLOCK_TIME_NONE. Times are nanoseconds. */
#define MAXGL_TIME_NONE G_MAXUINT64

/** What a frame is to the windows. */
typedef enum {
    MAXGL_FRAME_OUTSIDE, /**< lies between two windows */
    MAXGL_FRAME_SKIPPED, /**< lies in a window, but no window has it */
    MAXGL_FRAME_WANTED,  /**< belongs to at least one window */
} MaxglFrameUse;

/** One window's frames. */
typedef struct {
    gpointer *frames; /**< as many as the window has, borrowed; the last one repeated where padded */
    int real;         /**< frames that are not padding, at least 1 */
    guint64 index;    /**< windows delivered before this one since the window was made; resets do not count */
    guint64 first_pts, last_pts; /**< of the first and the last real frame */
    guint64 duration;            /**< from first_pts to the end of the last real frame (to its beginning, if
                                    its duration is not known); none without time stamps */
} MaxglWindowClip;

typedef struct MaxglClipWindow MaxglClipWindow;

/**
 * @frames, @stride: at least 1. @hop: at least 1, or 0 for the span.
 * @release: called for each frame that no window needs any more.
 */
MaxglClipWindow *maxgl_clip_window_new(int frames, int stride, int hop, GDestroyNotify release);
void maxgl_clip_window_free(MaxglClipWindow *window);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClipWindow, maxgl_clip_window_free)

/** Frames from a window's first to its last, both counted. */
gint64 maxgl_clip_window_span(const MaxglClipWindow *window);

/** Frames from a window's first to the next window's first. */
gint64 maxgl_clip_window_hop(const MaxglClipWindow *window);

/**
 * Whether a frame at @pts follows the last one without a jump. A jump is a time stamp before the last one's,
 * or one that lies later than the last frame's end by more than two frames and more than 250 ms (our
 * choice: a picture dropped here and there is none). Unknown times follow anything; after a frame without a
 * duration only steps backwards are jumps.
 */
gboolean maxgl_clip_window_follows(const MaxglClipWindow *window, guint64 pts);

/** What the next frame will be. */
MaxglFrameUse maxgl_clip_window_next_use(const MaxglClipWindow *window);

/**
 * Counts the next frame. @frame: (transfer full) the frame itself if it is wanted, else NULL.
 * @pts, @duration: of the frame, or none.
 * Returns: whether it closes a window, which @clip then describes until the next call.
 */
gboolean maxgl_clip_window_push(MaxglClipWindow *window, gpointer frame, guint64 pts, guint64 duration,
                                MaxglWindowClip *clip);

/**
 * The stream ends here: the oldest open window, padded with its last frame, if it has a frame later than
 * all complete windows. So every frame that a window would have had is in one, and a stream of at least one
 * frame gives at least one clip. To be followed by a reset.
 * Returns: whether there is such a window, which @clip then describes until the next call.
 */
gboolean maxgl_clip_window_drain(MaxglClipWindow *window, MaxglWindowClip *clip);

/** Forgets all frames: the next one is frame 0. Returns: whether a window was open. */
gboolean maxgl_clip_window_reset(MaxglClipWindow *window);

/** End of the last frame counted, none at the start or without time stamps. */
guint64 maxgl_clip_window_end(const MaxglClipWindow *window);

#endif
