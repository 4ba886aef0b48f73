/* Pooling over T, H, W. Index 0 of a triple is time, 1 height, 2 width. */
#ifndef MAXGL_OPS_POOL_H
#define MAXGL_OPS_POOL_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** The largest value of each window (PyTorch's MaxPool3d with dilation 1 and floor mode; padding never wins).
 */
typedef struct {
    MaxglShape input; /**< shape of x; y has the same block and storage */
    int kernel[3];    /**< taps, at least 1 */
    int stride[3];    /**< at least 1 */
    int pad[3];       /**< on either side, 0 … kernel/2 */
} MaxglMaxPool;

/** Shape of y: ⌊(size + 2·pad − kernel)/stride⌋ + 1 in each direction. */
MaxglShape maxgl_max_pool_output(const MaxglMaxPool *pool);

/** MAXGL_ERROR_USAGE if the numbers make no pooling (empty output, pad above half the kernel, …). */
gboolean maxgl_max_pool_validate(const MaxglMaxPool *pool, GError **error);

/**
 * Appends y = max of each window. @taps: a 32-bit integer for each number of y, filled with the tap that won,
 * for backward; NULL if there will be none. Of equal values the first in the order t, h, w wins, and a NaN
 * wins over everything, as in PyTorch.
 */
gboolean maxgl_max_pool_forward(MaxglSequence *sequence, const MaxglMaxPool *pool, cl_mem x, cl_mem y,
                                cl_mem taps, GError **error);

/** Appends dx = Σ dy of the windows that x won (gather form, no atomics), or dx += it when @accumulate. */
gboolean maxgl_max_pool_backward(MaxglSequence *sequence, const MaxglMaxPool *pool, cl_mem dy, cl_mem taps,
                                 cl_mem dx, gboolean accumulate, GError **error);

/** The mean of each region of a grid over the maps (PyTorch's AdaptiveAvgPool3d): region i of R over a
 * direction of S pixels is ⌊i·S/R⌋ … ⌈(i+1)·S/R⌉ − 1, so that regions overlap where R does not divide S. */
typedef struct {
    MaxglShape input;
    int regions[3]; /**< rt, rh, rw, at least 1; all 1 is the global average pool */
} MaxglAveragePool;

/** N, C, rt, rh, rw with the input's block, as floats however the input is stored. The global pool's is a
 * feature matrix N × C. */
MaxglShape maxgl_average_pool_output(const MaxglAveragePool *pool);

/** Appends y = mean of each region. */
gboolean maxgl_average_pool_forward(MaxglSequence *sequence, const MaxglAveragePool *pool, cl_mem x, cl_mem y,
                                    GError **error);

/** Appends dx from dy, or dx += it when @accumulate. */
gboolean maxgl_average_pool_backward(MaxglSequence *sequence, const MaxglAveragePool *pool, cl_mem dy,
                                     cl_mem dx, gboolean accumulate, GError **error);

#endif
