#include "clip_window.h"

#define JUMP_NANOSECONDS 250000000u

/* A frame that a window needs, in the slot of its number modulo the span: a window has no two frames in one
 * slot, and when a slot is wanted again the window of its old frame is closed. */
typedef struct {
    gpointer frame; /* NULL: empty */
    gint64 number;
    guint64 pts, duration;
} Slot;

struct MaxglClipWindow {
    int frames, stride;
    gint64 span, hop;
    GDestroyNotify release;
    Slot *slots;       /* [span] */
    gpointer *clip;    /* [frames], what a MaxglWindowClip points to */
    gint64 count;      /* frames since the reset */
    gint64 closed;     /* windows closed since the reset */
    gint64 released;   /* frames before this number have been given back */
    guint64 delivered; /* windows since the beginning */
    guint64 last_pts, last_duration;
};

MaxglClipWindow *maxgl_clip_window_new(int frames, int stride, int hop, GDestroyNotify release)
{
    g_return_val_if_fail(frames >= 1 && stride >= 1 && hop >= 0, NULL);
    MaxglClipWindow *window = g_new0(MaxglClipWindow, 1);
    window->frames = frames;
    window->stride = stride;
    window->span = (gint64)(frames - 1) * stride + 1;
    window->hop = hop > 0 ? hop : window->span;
    window->release = release;
    window->slots = g_new0(Slot, (gsize)window->span);
    window->clip = g_new0(gpointer, (gsize)frames);
    window->last_pts = window->last_duration = MAXGL_TIME_NONE;
    return window;
}

void maxgl_clip_window_free(MaxglClipWindow *window)
{
    if (!window)
        return;
    maxgl_clip_window_reset(window);
    g_free(window->slots);
    g_free(window->clip);
    g_free(window);
}

gint64 maxgl_clip_window_span(const MaxglClipWindow *window)
{
    return window->span;
}

gint64 maxgl_clip_window_hop(const MaxglClipWindow *window)
{
    return window->hop;
}

gboolean maxgl_clip_window_follows(const MaxglClipWindow *window, guint64 pts)
{
    if (pts == MAXGL_TIME_NONE || window->last_pts == MAXGL_TIME_NONE)
        return TRUE;
    if (pts < window->last_pts)
        return FALSE;
    if (window->last_duration == MAXGL_TIME_NONE)
        return TRUE;
    const guint64 tolerance = MAX(2 * window->last_duration, JUMP_NANOSECONDS);
    return pts - window->last_pts <= window->last_duration + tolerance;
}

MaxglFrameUse maxgl_clip_window_next_use(const MaxglClipWindow *window)
{
    const gint64 latest_start = window->count - window->count % window->hop;
    if (window->count - latest_start >= window->span)
        return MAXGL_FRAME_OUTSIDE;
    for (gint64 start = latest_start; start >= 0 && window->count - start < window->span;
         start -= window->hop)
        if ((window->count - start) % window->stride == 0)
            return MAXGL_FRAME_WANTED;
    return MAXGL_FRAME_SKIPPED;
}

static const Slot *slot_of(const MaxglClipWindow *window, gint64 number)
{
    return &window->slots[number % window->span];
}

/* Gives back the frames before @number, all of closed windows. */
static void release_before(MaxglClipWindow *window, gint64 number)
{
    if (number == window->released)
        return;
    window->released = number;
    for (gint64 i = 0; i < window->span; i++) {
        Slot *slot = &window->slots[i];
        if (slot->frame && slot->number < number) {
            window->release(slot->frame);
            slot->frame = NULL;
        }
    }
}

/* The window that starts at @start, of which the first @real frames are there. */
static void describe(MaxglClipWindow *window, gint64 start, int real, MaxglWindowClip *clip)
{
    for (int j = 0; j < window->frames; j++)
        window->clip[j] = slot_of(window, start + (gint64)MIN(j, real - 1) * window->stride)->frame;
    const Slot *first = slot_of(window, start);
    const Slot *last = slot_of(window, start + (gint64)(real - 1) * window->stride);
    const gboolean timed = first->pts != MAXGL_TIME_NONE && last->pts != MAXGL_TIME_NONE;
    *clip = (MaxglWindowClip){
        .frames = window->clip,
        .real = real,
        .index = window->delivered++,
        .first_pts = first->pts,
        .last_pts = last->pts,
        .duration = !timed                              ? MAXGL_TIME_NONE
                    : last->duration == MAXGL_TIME_NONE ? last->pts - first->pts
                                                        : last->pts + last->duration - first->pts,
    };
}

gboolean maxgl_clip_window_push(MaxglClipWindow *window, gpointer frame, guint64 pts, guint64 duration,
                                MaxglWindowClip *clip)
{
    /* Frames of a window that the last call delivered are borrowed until now. */
    release_before(window, window->closed * window->hop);
    const gint64 number = window->count++;
    window->last_pts = pts;
    window->last_duration = duration;
    if (!frame)
        return FALSE;
    window->slots[number % window->span] =
        (Slot){.frame = frame, .number = number, .pts = pts, .duration = duration};
    const gint64 start = window->closed * window->hop;
    if (number != start + window->span - 1)
        return FALSE;
    describe(window, start, window->frames, clip);
    window->closed++;
    return TRUE;
}

gboolean maxgl_clip_window_drain(MaxglClipWindow *window, MaxglWindowClip *clip)
{
    const gint64 start = window->closed * window->hop;
    if (start >= window->count)
        return FALSE;
    const gint64 steps = (window->count - 1 - start) / window->stride;
    const gint64 covered = window->closed > 0 ? start - window->hop + window->span - 1 : -1;
    if (start + steps * window->stride <= covered)
        return FALSE;
    describe(window, start, (int)steps + 1, clip);
    return TRUE;
}

gboolean maxgl_clip_window_reset(MaxglClipWindow *window)
{
    const gboolean open = window->closed * window->hop < window->count;
    release_before(window, G_MAXINT64);
    window->count = window->closed = window->released = 0;
    window->last_pts = window->last_duration = MAXGL_TIME_NONE;
    return open;
}

guint64 maxgl_clip_window_end(const MaxglClipWindow *window)
{
    if (window->last_pts == MAXGL_TIME_NONE || window->last_duration == MAXGL_TIME_NONE)
        return window->last_pts;
    return window->last_pts + window->last_duration;
}
