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

/**
 * Tuning class of a device of Intel's: "gen9", "gen11", "xe-lp", "xe-hp", "xe-hpg", "xe-hpc", "xe-lpg",
 * "xe2", …
 * @ip_version: CL_DEVICE_IP_VERSION_INTEL, architecture << 22 | release << 14 | revision as drivers give it
 * (12.55 to 12.57 are the Xe-HPG of Arc A, 12.60 and 12.61 Xe-HPC, 20.1 and 20.4 Xe2), or 0 where the driver
 * does not say. Then it is guessed from the least sub-group, whether there are matrix units and, as Gen9 has
 * doubles and Xe-LP has not, the fp64 among @extensions. Caller frees.
 */
char *maxgl_intel_architecture(guint32 ip_version, gsize least_sub_group, const char *extensions);

/** The smallest sub-group of a device of Intel's; 0 if it does not say. */
gsize maxgl_intel_least_sub_group(cl_device_id device);

/** Whether a kernel's local variables have twice their room: Rusticl of Mesa 22 lays them out twice.
 * info->local_memory is what there is for one of both. */
gboolean maxgl_device_doubles_local(const MaxglDeviceInfo *info);

/** Whether the tuning database knows the device's architecture by measurement, so that its speed is more than
 * a guess. */
gboolean maxgl_device_is_tuned(const MaxglDeviceInfo *info);

#endif
