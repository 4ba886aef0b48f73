/* What decides the bits of a computation, beside its inputs. */
#ifndef MAXGL_COMPUTE_IDENTITY_H
#define MAXGL_COMPUTE_IDENTITY_H

#include "compute/context.h"

/** Adds to @sum the device with its platform and driver, the kernels' text and the tuning entries that apply.
 * FALSE while kernels are read from $MAXGL_KERNEL_DIR, where they may change at any time. */
gboolean maxgl_context_identify(const MaxglContext *context, GChecksum *sum);

#endif
