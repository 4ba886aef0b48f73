/* Timing of a whole network's passes, for maxgl-cl bench. */
#ifndef MAXGL_BENCH_NETWORK_H
#define MAXGL_BENCH_NETWORK_H

#include "bench/run.h"
#include "net/network.h"

/** What to time. */
typedef struct {
    MaxglNetworkMode
        mode; /**< inference: the forward pass; training: forward, loss, backward, SGD with momentum */
    int batch;
    gboolean exact; /**< see MaxglNetworkOptions */
    int repeats;    /**< timed runs, at least 1; one more runs first and is not counted */
    MaxglPrecision precision;
    double limit; /**< no further run is begun after so many seconds; 0: no limit */
} MaxglNetworkBench;

/**
 * Times @resnet (training: with classes) on random clips and labels, weights drawn from a fixed seed. A
 * training step's FLOPs are three times the forward pass's. Shows its progress on stderr. Errors:
 * MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
gboolean maxgl_network_bench(MaxglContext *context, const MaxglResnet *resnet, const MaxglNetworkBench *bench,
                             MaxglBenchRun *run, GError **error);

#endif
