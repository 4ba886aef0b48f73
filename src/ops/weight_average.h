/* An exponential moving average of the weights while they are learnt, as TensorFlow's
 * ExponentialMovingAverage with num_updates:
 *
 *   average ← d_t · average + (1 − d_t) · value,   d_t = min(decay, (1 + t) / (10 + t)),
 *
 * t = 1, 2, … being the number of the step that the values come from (skipped ones are not counted, see
 * loss_scale.h): the first averages forget the weights
 * that training began with faster than @decay would.
 */
#ifndef MAXGL_OPS_WEIGHT_AVERAGE_H
#define MAXGL_OPS_WEIGHT_AVERAGE_H

#include "compute/sequence.h"

/** Appends taking @floats of @values into @averages. @decay: 0 … below 1. @step: a MaxglOptimizerStep. @skip:
 * as that of MaxglOptimizerBuffers. MAXGL_ERROR_LIMIT for more than 2^32 − 1 floats. */
gboolean maxgl_weight_average(MaxglSequence *sequence, cl_mem values, cl_mem averages, gsize floats,
                              double decay, cl_mem step, cl_mem skip, GError **error);

#endif
