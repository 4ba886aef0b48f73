/* Inside the library: device information with OpenCL's own handles. The public half is <maxgl/device.h>. */
#ifndef MAXGL_COMPUTE_DEVICE_H
#define MAXGL_COMPUTE_DEVICE_H

#include "compute/opencl.h"
#include <maxgl/device.h>

/** OpenCL's handle of the device that @info describes (valid while the process lives). NULL with
 * MAXGL_ERROR_DEVICE. */
cl_device_id maxgl_device_handle(const MaxglDeviceInfo *info, cl_platform_id *platform, GError **error);

/** Cuts the device that @info describes into @parts of nearly as many compute units: @handles[parts], each to
 * be given back with clReleaseDevice(), and @infos[parts], to be freed. MAXGL_ERROR_DEVICE where the driver
 * cannot, or it has fewer units. */
gboolean maxgl_device_cut(const MaxglDeviceInfo *info, guint parts, cl_device_id *handles,
                          MaxglDeviceInfo **infos, GError **error);

/** Whether the tuning database knows the device's architecture, so that its speed is more than a guess. */
gboolean maxgl_device_is_tuned(const MaxglDeviceInfo *info);

#endif
