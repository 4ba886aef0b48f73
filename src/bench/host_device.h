/* What lies between host and device: the cost of a launch, and copies from one to the other. */
#ifndef MAXGL_BENCH_HOST_DEVICE_H
#define MAXGL_BENCH_HOST_DEVICE_H

#include "bench/record.h"

/** Seconds of one launch of a kernel that does nothing. */
typedef struct {
    MaxglTimes batched;  /**< many enqueued, waited for once */
    MaxglTimes finished; /**< each waited for before the next */
} MaxglLaunchCost;

/** Measures it, @repeats runs of each. MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after Ctrl-C. */
gboolean maxgl_bench_launch(MaxglContext *context, int repeats, MaxglLaunchCost *cost, GError **error);

/** A way of copying. */
typedef struct {
    const char *name; /**< "host to device, pageable", "device to host, pinned", …; static */
    gsize bytes;      /**< of one copy */
    MaxglTimes times;
} MaxglTransfer;

/**
 * Copies @bytes (less where the device has less memory) @repeats times in both directions, waiting for each:
 * pageable is memory of the host as malloc() gives it, pinned what the driver allocated for the purpose
 * (CL_MEM_ALLOC_HOST_PTR, mapped).
 * Returns: (element MaxglTransfer) NULL with MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED.
 */
GArray *maxgl_bench_transfers(MaxglContext *context, gsize bytes, int repeats, GError **error);

#endif
