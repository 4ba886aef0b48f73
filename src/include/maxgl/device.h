/* OpenCL devices: what there is, and which one a name means. */
#ifndef MAXGL_DEVICE_H
#define MAXGL_DEVICE_H

#include <glib.h>
#include <maxgl/visibility.h>

G_BEGIN_DECLS

typedef enum { MAXGL_DEVICE_CPU, MAXGL_DEVICE_GPU, MAXGL_DEVICE_ACCELERATOR } MaxglDeviceType;

/** Who made the platform. Taken from the platform and not the device: PoCL and Mesa report the hardware
 * vendor's id. */
typedef enum {
    MAXGL_VENDOR_OTHER,
    MAXGL_VENDOR_NVIDIA,
    MAXGL_VENDOR_AMD,
    MAXGL_VENDOR_INTEL,
    MAXGL_VENDOR_POCL,
    MAXGL_VENDOR_MESA,
    MAXGL_VENDOR_APPLE,
    MAXGL_VENDOR_OCLGRIND,
} MaxglVendor;

/** One OpenCL device. Strings are owned by the structure. */
typedef struct {
    int platform_index, device_index; /**< the P:D that selects it */
    char *platform_name, *platform_version;
    char *name, *driver_version, *opencl_version;
    MaxglDeviceType type;
    MaxglVendor vendor;
    char *architecture;     /**< tuning class: "avx512", "avx2", "sm_90", "gfx90a", …, or "unknown" */
    guint64 global_memory;  /**< bytes */
    guint64 max_allocation; /**< bytes in one buffer */
    guint64 local_memory;   /**< bytes of a work-group's variables */
    gboolean local_memory_is_real; /**< dedicated memory rather than a part of global memory */
    guint compute_units;
    guint clock_mhz;
    gsize max_work_group;
    guint base_align; /**< bytes; sub-buffers start at multiples of it */
    guint float_vector_width;
    gboolean fp16, fp64, subgroups;
    gboolean block_reads; /**< a sub-group reads blocks of two dimensions (cl_intel_subgroup_2d_block_io) */
    char *matrix_units; /**< how matrix units are reached ("PTX mma", "MFMA", "WMMA", "Intel matrix_mad"), or
                           NULL */
} MaxglDeviceInfo;

MAXGL_API void maxgl_device_info_free(MaxglDeviceInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglDeviceInfo, maxgl_device_info_free)

MAXGL_API const char *maxgl_device_type_name(MaxglDeviceType type);
MAXGL_API const char *maxgl_vendor_name(MaxglVendor vendor);

/**
 * Every device of every OpenCL platform, in the loader's order.
 * Returns: (element MaxglDeviceInfo*, freed with the array) never empty; NULL with MAXGL_ERROR_DEVICE when
 * there is no platform or no device (the message says what to install).
 */
MAXGL_API GPtrArray *maxgl_device_list(GError **error);

/**
 * The device that @selector means: "auto", "cpu", "gpu", "P:D" (platform and device index) or a part of a
 * device's or platform's name, upper and lower case alike. NULL stands for the environment's MAXGL_DEVICE, or
 * "auto". "auto" takes the best GPU, then accelerator, then CPU; never a CPU above a GPU.
 * @reason: (out, optional, caller frees) one sentence on why this one.
 * Returns: an index into @devices, or -1 with MAXGL_ERROR_NOT_FOUND (the message lists what exists) or
 * MAXGL_ERROR_USAGE (an ambiguous or malformed selector).
 */
MAXGL_API int maxgl_device_choose(GPtrArray *devices, const char *selector, char **reason, GError **error);

G_END_DECLS

#endif
