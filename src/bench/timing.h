/* Times of something done again and again. */
#ifndef MAXGL_BENCH_TIMING_H
#define MAXGL_BENCH_TIMING_H

#include "compute/sequence.h"

/** Seconds since @start of g_get_monotonic_time(). */
double maxgl_seconds_since(gint64 start);

/** Summary of @n runs, seconds. */
typedef struct {
    int n;
    int inner; /**< executions in each run, whose time is their mean; more than 1 for short work */
    double median, min, p90;
} MaxglTimes;

/** The summary of @seconds[n]; n at least 1. p90: the smallest time that at least nine tenths of the runs do
 * not exceed. */
MaxglTimes maxgl_times_of(const double *seconds, int n);

/** Runs @sequence once without looking at the clock, then times @repeats runs of it, each waited for. A run
 * of less than 2 ms is filled with executions up to that. Errors: MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED
 * after Ctrl-C. */
gboolean maxgl_time_sequence(MaxglSequence *sequence, int repeats, MaxglTimes *times, GError **error);

#endif
