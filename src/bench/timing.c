#include "bench/timing.h"

#include "base/interrupt.h"

#include <math.h>
#include <stdlib.h>

#define SHORTEST_RUN 2e-3 /* seconds */
#define MOST_EXECUTIONS 1000

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double maxgl_seconds_since(gint64 start)
{
    return (double)(g_get_monotonic_time() - start) * 1e-6;
}

MaxglTimes maxgl_times_of(const double *seconds, int n)
{
    g_autofree double *sorted = g_memdup2(seconds, sizeof(double) * (gsize)n);
    qsort(sorted, (gsize)n, sizeof(double), compare_doubles);
    const double median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    return (MaxglTimes){
        .n = n, .inner = 1, .median = median, .min = sorted[0], .p90 = sorted[(9 * n + 9) / 10 - 1]};
}

/* Seconds that one of @inner executions takes. */
static gboolean run(MaxglSequence *sequence, int inner, double *seconds, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    for (int i = 0; i < inner; i++)
        if (!maxgl_sequence_run(sequence, error))
            return FALSE;
    if (!maxgl_context_finish(maxgl_sequence_context(sequence), error) || !maxgl_interrupt_check(error))
        return FALSE;
    *seconds = (double)MAX(g_get_monotonic_time() - start, 1) * 1e-6 / inner;
    return TRUE;
}

gboolean maxgl_time_sequence(MaxglSequence *sequence, int repeats, MaxglTimes *times, GError **error)
{
    g_autofree double *seconds = g_new(double, repeats);
    double once = 0;
    for (int i = 0; i < 2; i++) /* the second tells how long it takes */
        if (!run(sequence, 1, &once, error))
            return FALSE;
    const int inner = (int)CLAMP(ceil(SHORTEST_RUN / once), 1, MOST_EXECUTIONS);
    for (int i = 0; i < repeats; i++)
        if (!run(sequence, inner, &seconds[i], error))
            return FALSE;
    *times = maxgl_times_of(seconds, repeats);
    times->inner = inner;
    return TRUE;
}
