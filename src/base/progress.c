#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MICROSECONDS (G_USEC_PER_SEC / 10)
#define PLAIN_MICROSECONDS (10 * G_USEC_PER_SEC)
#define BAR_MAX 40
#define BAR_STEP 8 /* so that the bar does not change its width with every digit behind it */

/* When how much was done. */
typedef struct {
    gint64 time, done;
} Mark;

struct MaxglProgress {
    char *title;
    char *metrics;
    gint64 total;
    gint64
        first; /* steps done before the clock started: a resumed run's; −1 until the first step is reported */
    gint64 done;
    gint64 started, shown; /* monotonic microseconds */
    Mark before, half;     /* how far it was after a quarter to a half of the steps done since, and later */
    gboolean bar, color;   /* what stderr can show */
    gboolean utf8;
    MaxglProgress *beneath; /* the one that was drawn before this */
};

static GMutex lock;
static MaxglProgress *top; /* the newest unfinished one */
static gboolean drawn;     /* whether a bar stands on the terminal's last line */

char *maxgl_progress_time_text(double seconds)
{
    gint64 s = (gint64)(seconds + 0.5);
    int d = (int)(s / 86400), h = (int)(s / 3600 % 24), m = (int)(s / 60 % 60);
    if (d > 0)
        return g_strdup_printf("%d d %02d:%02d", d, h, m);
    if (h > 0)
        return g_strdup_printf("%d:%02d:%02d", h, m, (int)(s % 60));
    if (m > 0)
        return g_strdup_printf("%d:%02d", m, (int)(s % 60));
    return g_strdup_printf("%d s", (int)s);
}

/* @width columns, filled to @fraction; block elements give eighths of a column. */
static char *render_bar(int width, double fraction, gboolean utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    GString *bar = g_string_new(utf8 ? "▕" : "[");
    int filled = (int)(CLAMP(fraction, 0.0, 1.0) * width * 8);
    int column = 0;
    for (; column < filled / 8; column++)
        g_string_append(bar, utf8 ? "█" : "#");
    if (utf8 && filled % 8 && column < width) {
        g_string_append(bar, eighths[filled % 8]);
        column++;
    }
    for (; column < width; column++)
        g_string_append(bar, utf8 ? " " : "-");
    g_string_append(bar, utf8 ? "▏" : "]");
    return g_string_free(bar, FALSE);
}

static char *cut(const char *text, glong columns, gboolean utf8)
{
    if (g_utf8_strlen(text, -1) <= columns)
        return g_strdup(text);
    if (columns < 4)
        return g_strdup("");
    const char *mark = utf8 ? "…" : "...";
    g_autofree char *head = g_utf8_substring(text, 0, columns - g_utf8_strlen(mark, -1));
    return g_strconcat(head, mark, NULL);
}

static char *render(const char *title, gint64 done, gint64 total, double elapsed, double remaining,
                    const char *metrics, int columns, gboolean utf8, gboolean color)
{
    g_autofree char *count = total > 0
                                 ? g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, done, total)
                                 : g_strdup_printf("%" G_GINT64_FORMAT, done);
    g_autofree char *time = maxgl_progress_time_text(remaining >= 0 ? remaining : elapsed);
    g_autoptr(GString) tail = g_string_new(count);
    if (metrics && *metrics)
        g_string_append_printf(tail, "  %s", metrics);
    g_string_append_printf(tail, "  %s%s", time, remaining >= 0 ? " left" : "");

    glong room = columns - g_utf8_strlen(title, -1) - g_utf8_strlen(tail->str, -1) - 4;
    int width = (int)MIN(room - 2, BAR_MAX) / BAR_STEP * BAR_STEP;
    g_autofree char *line = NULL;
    if (total > 0 && width > 0) {
        g_autofree char *bar = render_bar(width, (double)done / (double)total, utf8);
        line = g_strdup_printf("%s  %s%s%s  %s", title, color ? "\033[36m" : "", bar, color ? "\033[0m" : "",
                               tail->str);
        return g_steal_pointer(&line);
    }
    line = g_strdup_printf("%s  %s", title, tail->str);
    return cut(line, columns, utf8);
}

char *maxgl_progress_render(const char *title, gint64 done, gint64 total, double elapsed, double remaining,
                            const char *metrics, int columns, gboolean utf8)
{
    return render(title, done, total, elapsed, remaining, metrics, columns, utf8, FALSE);
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static double elapsed_seconds(const MaxglProgress *progress)
{
    return (double)(g_get_monotonic_time() - progress->started) / G_USEC_PER_SEC;
}

/* Negative while not known. The latest half or more of the steps tells how fast it goes: the first ones build
 * kernels and open files, and what is first reported says nothing. */
static double remaining_seconds(const MaxglProgress *progress)
{
    gint64 steps = progress->done - progress->before.done;
    if (progress->total <= 0 || progress->first < 0 || steps <= 0 || progress->before.done == progress->first)
        return -1;
    double elapsed = (double)(g_get_monotonic_time() - progress->before.time) / G_USEC_PER_SEC;
    return elapsed / (double)steps * (double)MAX(progress->total - progress->done, 0);
}

static void start_marks(MaxglProgress *progress, gint64 first)
{
    progress->first = first;
    progress->before = progress->half = (Mark){progress->started, first};
}

static void move_marks(MaxglProgress *progress)
{
    const gint64 done = progress->done - progress->first, half = progress->half.done - progress->first;
    if (done <= 0 || done < 2 * half)
        return;
    progress->before = progress->half;
    progress->half = (Mark){g_get_monotonic_time(), progress->done};
}

static void erase(void)
{
    if (drawn)
        fputs("\r\033[K", stderr);
    drawn = FALSE;
}

static void draw_bar(const MaxglProgress *progress, double remaining)
{
    /* The last column stays free: some terminals wrap as soon as it is written. */
    g_autofree char *line =
        render(progress->title, progress->done, progress->total, elapsed_seconds(progress), remaining,
               progress->metrics, terminal_columns() - 1, progress->utf8, progress->color);
    fprintf(stderr, "\r%s\033[K", line);
    drawn = TRUE;
}

static void print_plain(const MaxglProgress *progress, gboolean last)
{
    g_autoptr(GString) line = g_string_new(NULL);
    g_string_printf(line, "%s: %" G_GINT64_FORMAT, progress->title, progress->done);
    if (progress->total > 0)
        g_string_append_printf(line, "/%" G_GINT64_FORMAT, progress->total);
    if (*progress->metrics)
        g_string_append_printf(line, ", %s", progress->metrics);
    double remaining = last ? -1 : remaining_seconds(progress);
    g_autofree char *time = maxgl_progress_time_text(remaining >= 0 ? remaining : elapsed_seconds(progress));
    g_string_append_printf(line, ", %s%s", time, remaining >= 0 ? " left" : "");
    fprintf(stderr, "%s\n", line->str);
}

/* Shows the state if it is time to. The lock is held. */
static void show(MaxglProgress *progress, gboolean now)
{
    gint64 time = g_get_monotonic_time();
    gint64 pause = progress->bar ? REDRAW_MICROSECONDS : PLAIN_MICROSECONDS;
    if (progress != top || (!now && time - progress->shown < pause))
        return;
    progress->shown = time;
    if (progress->bar)
        draw_bar(progress, remaining_seconds(progress));
    else
        print_plain(progress, FALSE);
    fflush(stderr);
}

MaxglProgress *maxgl_progress_new(const char *title, gint64 total)
{
    const char *terminal = g_getenv("TERM");
    const char *no_color = g_getenv("NO_COLOR");
    gint64 now = g_get_monotonic_time();
    MaxglProgress *progress = g_new0(MaxglProgress, 1);
    *progress = (MaxglProgress){
        .title = g_strdup(title),
        .metrics = g_strdup(""),
        .total = total,
        .first = -1,
        .started = now,
        .shown = now,
        .bar = isatty(STDERR_FILENO) && terminal && *terminal && strcmp(terminal, "dumb") != 0,
        .color = !no_color || !*no_color,
        .utf8 = g_get_charset(NULL),
    };
    g_mutex_lock(&lock);
    progress->beneath = top;
    top = progress;
    if (progress->bar)
        show(progress, TRUE);
    g_mutex_unlock(&lock);
    return progress;
}

void maxgl_progress_set(MaxglProgress *progress, gint64 done, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_mutex_lock(&lock);
    g_free(progress->metrics);
    progress->metrics = g_strdup_vprintf(format, arguments);
    progress->done = done;
    /* The first step reported is taken to be the first one made since the start. */
    if (progress->first < 0)
        start_marks(progress, MAX(done - 1, 0));
    move_marks(progress);
    show(progress, FALSE);
    g_mutex_unlock(&lock);
    va_end(arguments);
}

void maxgl_progress_restart(MaxglProgress *progress, const char *title, gint64 total)
{
    g_mutex_lock(&lock);
    g_free(progress->title);
    progress->title = g_strdup(title);
    progress->total = total;
    progress->done = 0;
    progress->first = -1;
    progress->started = g_get_monotonic_time();
    show(progress, FALSE);
    g_mutex_unlock(&lock);
}

/* Takes @progress from the stack of unfinished ones, and draws the new top if no bar stands there now. */
static void release(MaxglProgress *progress)
{
    MaxglProgress **link = &top;
    while (*link != progress)
        link = &(*link)->beneath;
    *link = progress->beneath;
    if (top && top->bar && !drawn)
        show(top, TRUE);
    fflush(stderr);
    g_free(progress->title);
    g_free(progress->metrics);
    g_free(progress);
}

void maxgl_progress_finish(MaxglProgress *progress)
{
    g_mutex_lock(&lock);
    erase();
    if (progress->bar) {
        draw_bar(progress, -1);
        fputc('\n', stderr);
        drawn = FALSE;
    } else {
        print_plain(progress, TRUE);
    }
    release(progress);
    g_mutex_unlock(&lock);
}

void maxgl_progress_free(MaxglProgress *progress)
{
    if (!progress)
        return;
    g_mutex_lock(&lock);
    if (top == progress)
        erase();
    release(progress);
    g_mutex_unlock(&lock);
}

void maxgl_progress_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_mutex_lock(&lock);
    gboolean redraw = drawn;
    erase();
    fprintf(stderr, "%s\n", line);
    if (redraw && top)
        show(top, TRUE);
    fflush(stderr);
    g_mutex_unlock(&lock);
}
