/* Parameters of operators whose tuning entries have no shapes: one value for all layers. Inside tune*.c. */
#ifndef MAXGL_BENCH_TUNE_OTHERS_H
#define MAXGL_BENCH_TUNE_OTHERS_H

#include "base/progress.h"
#include "bench/tune.h"

/** What a search has at hand. */
typedef struct {
    MaxglContext *context;
    const MaxglResnet *resnet;
    const MaxglTuneOptions *options;
    MaxglTuneCounts *counts;
    MaxglProgress *progress;
    gint64 done;     /**< to be shown */
    gint64 deadline; /**< monotonic microseconds */
} MaxglTuneSearch;

/** Tries values for batch norm, pooling and linear layers, judged by the time of all the network's layers of
 * that kind. What is faster is left in the context's database; a row for each kind goes to @rows (of
 * MaxglTuneRow). */
gboolean maxgl_tune_others(const MaxglTuneSearch *search, GPtrArray *rows, GError **error);

/** Whether there is no time left; notes that something was left out. */
gboolean maxgl_tune_time_is_up(const MaxglTuneSearch *search);

#endif
