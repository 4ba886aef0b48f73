/* Numbers of 16 bits on the host: IEEE 754 binary16 ("half", fp16) and bfloat16, the upper half of a float.
 */
#ifndef MAXGL_BASE_HALF_H
#define MAXGL_BASE_HALF_H

#include <glib.h>

/** The float that a half is, exactly. */
float maxgl_half_to_float(guint16 half);

/** The half nearest to @value, ties to even; numbers of 65520 and more become infinite, a NaN stays one. */
guint16 maxgl_half_from_float(float value);

/** The same two for bfloat16. */
float maxgl_bfloat_to_float(guint16 bfloat);
guint16 maxgl_bfloat_from_float(float value);

#endif
