/* Inverted dropout: each element is zeroed with probability p, the others are divided by 1 − p.
 *
 * The mask is never stored: forward and backward compute it from the counter-based generator of
 * base/random.h. With r the stream of (seed, MAXGL_RANDOM_DROPOUT, epoch = step, sample = layer), element (n,
 * c, p) is kept if the uniform number ((n·T·H·W + p)·⌈C/4⌉·4 + c) of r is not below the probability. So the
 * mask depends on the logical element and not on layout or device.
 *
 * In evaluation dropout is the identity: append nothing and use x for y.
 */
#ifndef MAXGL_OPS_DROPOUT_H
#define MAXGL_OPS_DROPOUT_H

#include "compute/sequence.h"
#include "ops/tensor.h"

typedef struct {
    MaxglShape shape;  /**< of x and y; any block; at most 2^34 elements */
    float probability; /**< of zeroing, 0 … 1 */
    guint64 seed;
    guint64 layer; /**< tells dropout layers with one seed apart; below 2^56 */
} MaxglDropout;

/** Appends y = dropout(x); @y may be @x. @step: a buffer whose first 4 bytes are the step (guint32), such as
 * that of maxgl_optimizer_set_step(). */
gboolean maxgl_dropout_forward(MaxglSequence *sequence, const MaxglDropout *dropout, cl_mem x, cl_mem step,
                               cl_mem y, GError **error);

/** Appends dx from dy with the mask of the same @step; @dx may be @dy. */
gboolean maxgl_dropout_backward(MaxglSequence *sequence, const MaxglDropout *dropout, cl_mem dy, cl_mem step,
                                cl_mem dx, GError **error);

#endif
