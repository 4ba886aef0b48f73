/* How far a long run is: a bar on a terminal, plain lines elsewhere. Always on stderr. */
#ifndef MAXGL_BASE_PROGRESS_H
#define MAXGL_BASE_PROGRESS_H

#include <glib.h>

/** A task under way. A bar needs a terminal on stderr and TERM other than "dumb"; it is coloured unless
 * NO_COLOR is set, and redrawn at most ten times a second. Anything else gets one plain line every ten
 * seconds. Thread-safe. */
typedef struct MaxglProgress MaxglProgress;

/** Starts @title ("epoch 3/10") of @total steps (0: not known). The newest unfinished one is drawn. */
MaxglProgress *maxgl_progress_new(const char *title, gint64 total);

/** @done steps are done. The metrics ("loss 1.234, 56 clips/s") follow the bar. */
void maxgl_progress_set(MaxglProgress *progress, gint64 done, const char *format, ...) G_GNUC_PRINTF(3, 4);

/** Changes title and total: the next epoch in the same bar. Starts the estimate of the remaining time anew.
 */
void maxgl_progress_restart(MaxglProgress *progress, const char *title, gint64 total);

/** Leaves the last state as a plain line, followed by the end of the line, and frees @progress. */
void maxgl_progress_finish(MaxglProgress *progress);

/** Erases the bar without leaving a line, and frees @progress. NULL is nothing. */
void maxgl_progress_free(MaxglProgress *progress);

/** Prints one line on stderr, above whatever bar is there (a line end is added). */
void maxgl_progress_line(const char *format, ...) G_GNUC_PRINTF(1, 2);

/** What a bar of the given state looks like in @columns columns, without colour. @elapsed and @remaining:
 * seconds, shown the latter if it is known (not negative), else the former; @total 0: neither a bar nor a
 * percentage. */
char *maxgl_progress_render(const char *title, gint64 done, gint64 total, double elapsed, double remaining,
                            const char *metrics, int columns, gboolean utf8);

/** "8 s", "3:07", "1:02:09", "2 d 03:04". */
char *maxgl_progress_time_text(double seconds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglProgress, maxgl_progress_free)

#endif
