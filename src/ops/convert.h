/* Numbers stored otherwise. */
#ifndef MAXGL_OPS_CONVERT_H
#define MAXGL_OPS_CONVERT_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** Appends y = x, @numbers of them (maxgl_shape_floats()), where x holds them as @from and y takes them as
 * @to: rounded to nearest, ties to even. The buffers must not be the same. */
gboolean maxgl_convert(MaxglSequence *sequence, gsize numbers, MaxglStorage from, cl_mem x, MaxglStorage to,
                       cl_mem y, GError **error);

#endif
