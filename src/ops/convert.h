/* Numbers stored otherwise. */
#ifndef MAXGL_OPS_CONVERT_H
#define MAXGL_OPS_CONVERT_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** Numbers in a buffer, from the @first on. */
typedef struct {
    cl_mem buffer;
    MaxglStorage storage;
    gsize first; /**< a multiple of how many are converted */
} MaxglNumbers;

/** Appends to = from, @numbers of them (maxgl_shape_floats()): rounded to nearest, ties to even. The buffers
 * must not be the same. */
gboolean maxgl_convert(MaxglSequence *sequence, gsize numbers, MaxglNumbers from, MaxglNumbers to,
                       GError **error);

#endif
