/* The windows against their definition, frame by frame, for many sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "clip_window.h"
#include <cmocka.h>

#define SECOND G_GUINT64_CONSTANT(1000000000)
#define FRAME_TIME 40000000u

static int held; /* frames that the window has not given back */

static void release(gpointer frame)
{
    assert_true(GPOINTER_TO_INT(frame) > 0);
    held--;
}

/* Whether some window has frame @number. */
static gboolean is_wanted(int number, int frames, int stride, int hop)
{
    for (int start = 0; start <= number; start += hop)
        for (int j = 0; j < frames; j++)
            if (start + j * stride == number)
                return TRUE;
    return FALSE;
}

static gboolean is_inside(int number, int span, int hop)
{
    for (int start = 0; start <= number; start += hop)
        if (number < start + span)
            return TRUE;
    return FALSE;
}

static gboolean push(MaxglClipWindow *window, int number, int frames, int stride, int hop,
                     MaxglWindowClip *clip)
{
    const int span = (frames - 1) * stride + 1;
    const gboolean wanted = is_wanted(number, frames, stride, hop);
    assert_int_equal(maxgl_clip_window_next_use(window), wanted ? MAXGL_FRAME_WANTED
                                                         : is_inside(number, span, hop)
                                                             ? MAXGL_FRAME_SKIPPED
                                                             : MAXGL_FRAME_OUTSIDE);
    held += wanted;
    return maxgl_clip_window_push(window, wanted ? GINT_TO_POINTER(number + 1) : NULL,
                                  (guint64)number * FRAME_TIME, FRAME_TIME, clip);
}

static void check_clip(const MaxglWindowClip *clip, int start, int real, int frames, int stride)
{
    assert_int_equal(clip->real, real);
    for (int j = 0; j < frames; j++)
        assert_int_equal(GPOINTER_TO_INT(clip->frames[j]) - 1, start + MIN(j, real - 1) * stride);
    const guint64 last = (guint64)(start + (real - 1) * stride);
    assert_int_equal(clip->first_pts, (guint64)start * FRAME_TIME);
    assert_int_equal(clip->last_pts, last * FRAME_TIME);
    assert_int_equal(clip->duration, (last + 1 - (guint64)start) * FRAME_TIME);
}

/* A stream of @n frames: every window as defined, at the right frame, and what is left at the end. Returns
 * the number of clips. */
static guint64 check_stream(MaxglClipWindow *window, int n, int frames, int stride, int hop, guint64 index)
{
    const int span = (frames - 1) * stride + 1;
    int closed = 0;
    MaxglWindowClip clip;
    for (int number = 0; number < n; number++) {
        const gboolean closes = number == closed * hop + span - 1;
        assert_int_equal(push(window, number, frames, stride, hop, &clip), closes);
        /* No more frames are kept than a span has. */
        assert_true(held <= span);
        if (closes) {
            check_clip(&clip, closed * hop, frames, frames, stride);
            assert_int_equal(clip.index, index++);
            closed++;
        }
    }
    const int covered = closed > 0 ? (closed - 1) * hop + span - 1 : -1;
    int start = closed * hop, real = 0;
    while (start + real * stride < n)
        real++;
    const gboolean left = real > 0 && start + (real - 1) * stride > covered;
    assert_int_equal(maxgl_clip_window_drain(window, &clip), left);
    if (left) {
        check_clip(&clip, start, real, frames, stride);
        assert_int_equal(clip.index, index++);
    }
    assert_true(n == 0 || index > 0);
    maxgl_clip_window_reset(window);
    assert_int_equal(held, 0);
    return index;
}

static void windows_are_as_defined(void **state)
{
    static const int all_frames[] = {1, 2, 3, 5}, strides[] = {1, 2, 3, 7}, hops[] = {0, 1, 2, 3, 4, 9, 30};
    for (gsize f = 0; f < G_N_ELEMENTS(all_frames); f++)
        for (gsize s = 0; s < G_N_ELEMENTS(strides); s++)
            for (gsize h = 0; h < G_N_ELEMENTS(hops); h++) {
                const int frames = all_frames[f], stride = strides[s];
                g_autoptr(MaxglClipWindow) window = maxgl_clip_window_new(frames, stride, hops[h], release);
                const int span = (frames - 1) * stride + 1, hop = hops[h] ? hops[h] : span;
                assert_int_equal(maxgl_clip_window_span(window), span);
                assert_int_equal(maxgl_clip_window_hop(window), hop);
                guint64 index = 0;
                for (int n = 0; n < 3 * span + hop; n++)
                    index = check_stream(window, n, frames, stride, hop, index);
            }
}

static void freeing_gives_frames_back(void **state)
{
    MaxglClipWindow *window = maxgl_clip_window_new(4, 2, 3, release);
    MaxglWindowClip clip;
    for (int number = 0; number < 9; number++)
        push(window, number, 4, 2, 3, &clip);
    assert_true(held > 0);
    maxgl_clip_window_free(window);
    assert_int_equal(held, 0);
}

static void reset_says_whether_a_window_was_open(void **state)
{
    g_autoptr(MaxglClipWindow) window = maxgl_clip_window_new(2, 1, 4, release);
    MaxglWindowClip clip;
    assert_false(maxgl_clip_window_reset(window));
    push(window, 0, 2, 1, 4, &clip);
    assert_true(maxgl_clip_window_reset(window));
    for (int number = 0; number < 3; number++)
        push(window, number, 2, 1, 4, &clip);
    assert_false(maxgl_clip_window_reset(window)); /* between two windows */
}

static void unknown_times_stay_unknown(void **state)
{
    g_autoptr(MaxglClipWindow) window = maxgl_clip_window_new(2, 1, 0, release);
    MaxglWindowClip clip;
    held = 4;
    assert_false(maxgl_clip_window_push(window, GINT_TO_POINTER(1), 5, 1, &clip));
    assert_true(maxgl_clip_window_push(window, GINT_TO_POINTER(2), MAXGL_TIME_NONE, 1, &clip));
    assert_true(clip.first_pts == 5 && clip.last_pts == MAXGL_TIME_NONE && clip.duration == MAXGL_TIME_NONE);
    assert_true(maxgl_clip_window_end(window) == MAXGL_TIME_NONE);
    assert_false(maxgl_clip_window_push(window, GINT_TO_POINTER(3), 7, MAXGL_TIME_NONE, &clip));
    assert_true(maxgl_clip_window_push(window, GINT_TO_POINTER(4), 9, MAXGL_TIME_NONE, &clip));
    assert_int_equal(clip.duration, 2); /* to the beginning of the last frame */
    assert_int_equal(maxgl_clip_window_end(window), 9);
}

static void jumps_are_told_from_pauses(void **state)
{
    g_autoptr(MaxglClipWindow) window = maxgl_clip_window_new(2, 1, 0, release);
    MaxglWindowClip clip;
    assert_true(maxgl_clip_window_follows(window, 77 * SECOND)); /* the first frame follows nothing */
    maxgl_clip_window_push(window, NULL, 10 * SECOND, FRAME_TIME, &clip);
    const guint64 due = 10 * SECOND + FRAME_TIME;
    assert_true(maxgl_clip_window_follows(window, due));
    assert_true(maxgl_clip_window_follows(window, 10 * SECOND)); /* twice the same */
    assert_false(maxgl_clip_window_follows(window, 10 * SECOND - 1));
    assert_true(maxgl_clip_window_follows(window, due + SECOND / 4));
    assert_false(maxgl_clip_window_follows(window, due + SECOND / 4 + 1));
    assert_true(maxgl_clip_window_follows(window, MAXGL_TIME_NONE));
    /* Slow streams: two frames may be missing. */
    maxgl_clip_window_push(window, NULL, 20 * SECOND, SECOND, &clip);
    assert_true(maxgl_clip_window_follows(window, 23 * SECOND));
    assert_false(maxgl_clip_window_follows(window, 23 * SECOND + 1));
    /* Without a duration nobody knows when the next one is due. */
    maxgl_clip_window_push(window, NULL, 30 * SECOND, MAXGL_TIME_NONE, &clip);
    assert_true(maxgl_clip_window_follows(window, 99 * SECOND));
    assert_false(maxgl_clip_window_follows(window, 29 * SECOND));
    maxgl_clip_window_push(window, NULL, MAXGL_TIME_NONE, FRAME_TIME, &clip);
    assert_true(maxgl_clip_window_follows(window, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_as_defined),
        cmocka_unit_test(freeing_gives_frames_back),
        cmocka_unit_test(reset_says_whether_a_window_was_open),
        cmocka_unit_test(unknown_times_stay_unknown),
        cmocka_unit_test(jumps_are_told_from_pauses),
    };
    return cmocka_run_group_tests_name("gst-plugin/clip_window", tests, NULL, NULL);
}
