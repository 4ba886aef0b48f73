/* The parameter-free shortcut of residual networks (He et al., "Deep residual learning", CVPR 2016, option
 * A): every stride-th pixel of x, and channels past x's are zero.
 *
 *   y[n,c,o] = x[n,c,o·stride] for c < C, else 0
 *
 * The gradient is the transpose of this. (3D-ResNets-PyTorch computes the same y but cuts the gradient off;
 * passing it on is our choice.)
 */
#ifndef MAXGL_OPS_SUBSAMPLE_H
#define MAXGL_OPS_SUBSAMPLE_H

#include "compute/sequence.h"
#include "ops/tensor.h"

typedef struct {
    MaxglShape input; /**< shape of x; y has the same block */
    int out_channels; /**< of y, at least x's */
    int stride[3];    /**< time, height, width; at least 1 */
} MaxglSubsample;

/** Shape of y: ⌈size/stride⌉ in each direction. */
MaxglShape maxgl_subsample_output(const MaxglSubsample *subsample);

/** Appends y. MAXGL_ERROR_USAGE if y has fewer channels than x. */
gboolean maxgl_subsample_forward(MaxglSequence *sequence, const MaxglSubsample *subsample, cl_mem x, cl_mem y,
                                 GError **error);

/** Appends dx from dy, or dx += it when @accumulate. */
gboolean maxgl_subsample_backward(MaxglSequence *sequence, const MaxglSubsample *subsample, cl_mem dy,
                                  cl_mem dx, gboolean accumulate, GError **error);

#endif
