/* Timing of a whole network's passes, for maxgl-cl bench. */
#ifndef MAXGL_BENCH_NETWORK_H
#define MAXGL_BENCH_NETWORK_H

#include "net/network.h"

/** What to time. */
typedef struct {
    MaxglNetworkMode
        mode; /**< inference: the forward pass; training: forward, loss, backward, SGD with momentum */
    int batch;
    gboolean exact; /**< see MaxglNetworkOptions */
    int repeats;    /**< timed runs, at least 1; one more runs first and is not counted */
} MaxglNetworkBench;

/** What came out; freed with maxgl_network_bench_clear(). */
typedef struct {
    double *seconds; /**< @repeats, in the order they ran */
    double
        macs; /**< multiply-adds of one run by the direct method (training: three times the forward pass) */
    guint64 bytes;        /**< the most device memory in use */
    guint64 resident;     /**< the most memory that the process had at once, 0 = not known */
    double build_seconds; /**< until the first run could start: kernels built or found in the cache */
    double loss; /**< training: cross-entropy after the last step, a sign that the arithmetic is real */
} MaxglNetworkTimes;

/**
 * Times @resnet (training: with classes) on random clips and labels, weights drawn from a fixed seed.
 * Shows its progress on stderr. Errors: MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after
 * Ctrl-C.
 */
gboolean maxgl_network_bench(MaxglContext *context, const MaxglResnet *resnet, const MaxglNetworkBench *bench,
                             MaxglNetworkTimes *times, GError **error);
void maxgl_network_bench_clear(MaxglNetworkTimes *times);

#endif
