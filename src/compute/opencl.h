/* The OpenCL headers, and names instead of numbers for its errors. */
#ifndef MAXGL_COMPUTE_OPENCL_H
#define MAXGL_COMPUTE_OPENCL_H

#include <CL/cl.h>
#include <glib.h>
#include <maxgl/error.h>

/** "CL_INVALID_KERNEL_ARGS" for −52, and so on; static. */
const char *maxgl_opencl_error_name(cl_int code);

/** Sets MAXGL_ERROR_DEVICE "WHAT: NAME" unless @code is CL_SUCCESS. Returns: whether it is. */
gboolean maxgl_opencl_check(cl_int code, GError **error, const char *what, ...) G_GNUC_PRINTF(3, 4);

#endif
