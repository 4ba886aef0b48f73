/* Whether a device's matrix units multiply as they should. Drivers' compilers have been seen to crash on
 * instructions that they do not know, or to give zeros: so it is tried, in a process of its own. */
#ifndef MAXGL_OPS_MMA_PROBE_H
#define MAXGL_OPS_MMA_PROBE_H

#include "ops/mma.h"

/**
 * Whether the program maxgl-probe finds that @family multiplies @factors rightly on @context's device. It is
 * looked for as $MAXGL_PROBE, beside the running program, and where it was installed; it has a minute. Its
 * answer is kept in the cache folder "matrix-units", by device, driver and kernels. Where the units are not
 * used it is said why, once, as a log message.
 */
gboolean maxgl_mma_is_right(MaxglContext *context, const MaxglMma *family, MaxglFactors factors);

/** From now on maxgl_mma_of() takes the device's units to be right: for the process that tries them. */
void maxgl_mma_trust(MaxglContext *context);

/**
 * Tries them: all passes of two small convolutions against sums in double precision. MAXGL_ERROR_DEVICE if
 * the device does not run the kernels; MAXGL_ERROR_FORMAT if a result is wrong; MAXGL_ERROR_NOT_FOUND if it
 * has no such units.
 */
gboolean maxgl_mma_try(MaxglContext *context, MaxglFactors factors, GError **error);

#endif
