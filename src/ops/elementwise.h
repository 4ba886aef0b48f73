/* Operators on each float alone. They take the number of floats in memory (maxgl_shape_floats()): padding
 * channels stay zero because every one of them maps zeros to zero. Buffers may be the same: all work in
 * place.
 */
#ifndef MAXGL_OPS_ELEMENTWISE_H
#define MAXGL_OPS_ELEMENTWISE_H

#include "compute/sequence.h"

/** Appends y = max(x, 0). A NaN stays a NaN, as in PyTorch. */
gboolean maxgl_relu_forward(MaxglSequence *sequence, gsize floats, cl_mem x, cl_mem y, GError **error);

/** Appends dx = dy where y > 0, else 0; or dx += it when @accumulate. @y: forward's result (or its input, the
 * sign is the same). */
gboolean maxgl_relu_backward(MaxglSequence *sequence, gsize floats, cl_mem y, cl_mem dy, cl_mem dx,
                             gboolean accumulate, GError **error);

/** Appends y = a + b; with y = a it is a += b. */
gboolean maxgl_add(MaxglSequence *sequence, gsize floats, cl_mem a, cl_mem b, cl_mem y, GError **error);

/** Appends y = factor · x. */
gboolean maxgl_scale(MaxglSequence *sequence, gsize floats, float factor, cl_mem x, cl_mem y, GError **error);

#endif
