/* Something done again and again as a whole, with what it costs beside time. */
#ifndef MAXGL_BENCH_RUN_H
#define MAXGL_BENCH_RUN_H

#include "bench/record.h"

/** What came out; freed with maxgl_bench_run_clear(). */
typedef struct {
    double *seconds; /**< @n, in the order they ran */
    int n;
    double flops;           /**< of one, by the direct method */
    guint64 device_bytes;   /**< the most device memory in use */
    guint64 resident_bytes; /**< the most memory that the process had at once, 0 = not known */
    double build_seconds;   /**< until the first run could start: kernels built or found in the cache */
} MaxglBenchRun;

/** One execution, of number @number (1, 2, …); need not wait. */
typedef gboolean (*MaxglBenchWork)(gpointer data, guint32 number, GError **error);

/** Executes @work once without looking at the clock, then @n times, each waited for, or at least once and
 * until @limit seconds are over (0: no limit); fills seconds, n and bytes. Shows its progress on stderr.
 * Errors: @work's, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after Ctrl-C. */
gboolean maxgl_bench_run(MaxglContext *context, MaxglBenchWork work, gpointer data, int n, double limit,
                         MaxglBenchRun *run, GError **error);
void maxgl_bench_run_clear(MaxglBenchRun *run);

/** Members of a record. */
void maxgl_record_run(JsonBuilder *record, const MaxglBenchRun *run, const MaxglRoof *roof);

#endif
