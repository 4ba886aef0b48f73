/* Every layer of a network by itself: how fast each pass is, and how right. */
#ifndef MAXGL_BENCH_LAYERS_H
#define MAXGL_BENCH_LAYERS_H

#include "bench/record.h"
#include "net/precision.h"

typedef struct {
    int batch;                /**< clips at once, at least 1 */
    gboolean exact;           /**< see MaxglConv3d */
    MaxglPrecision precision; /**< the layers are those of a network that trains so */
    int repeats;              /**< timed runs of each pass, at least 1 */
    double limit;             /**< no further kind of layer is begun after so many seconds; 0: no limit */
    guint *left;              /**< out: the kinds that were not; or NULL */
} MaxglLayersOptions;

/**
 * Measures each layer of @resnet that differs from those before it, on random numbers: the passes of
 * training, and a convolution's of inference (weights made ready, bias and ReLU behind it). Results are
 * compared at some places with float64 of the operands as they are stored. Shows its progress on stderr.
 * @roof: measured before, after and in between (see maxgl_roof_measure()), with the matrix units that layers
 * run on.
 * Returns: (element MaxglBenchRow*, freed with the array) in the network's order; NULL with
 * MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
GPtrArray *maxgl_bench_layers(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglLayersOptions *options, MaxglRoof *roof, GError **error);

/** The same for layers of one @kind alone, without progress and roof. */
GPtrArray *maxgl_bench_layers_of(MaxglContext *context, const MaxglResnet *resnet, MaxglLayerKind kind,
                                 const MaxglLayersOptions *options, GError **error);

#endif
