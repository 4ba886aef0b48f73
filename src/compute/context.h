/* One open device: context, queue, programs, tuning. Everything that computes holds one. */
#ifndef MAXGL_COMPUTE_CONTEXT_H
#define MAXGL_COMPUTE_CONTEXT_H

#include "compute/device.h"
#include "compute/tuning.h"

typedef struct {
    MaxglDeviceInfo *info;
    cl_platform_id platform;
    cl_device_id device;
    cl_device_id part; /**< the same where it is a part of a device; else NULL */
    cl_context context;
    cl_command_queue queue; /**< in order; everything that computes */
    MaxglTuning *tuning;
    GHashTable *programs;           /**< key → cl_program, see program.h */
    gboolean keeps_programs;        /**< on disk; not where the driver does so itself, see program.h */
    GPtrArray *listed;              /**< see maxgl_program_list(); or NULL */
    GHashTable *profile;            /**< label → times, when MAXGL_PROFILE is set; else NULL */
    struct MaxglProgress *building; /**< of programs, while it is shown */
    double build_seconds;           /**< spent on that since something ran */
    gint64 n_built;
    GArray *at_close; /**< of MaxglContextCall, see maxgl_context_at_close(); or NULL */
    cl_mem zeros;     /**< see maxgl_context_zeros() */
    gsize zeros_bytes;
    char *reason;                     /**< why this device, one sentence */
    guint64 allocated;                /**< bytes in buffers now */
    guint64 peak;                     /**< the most there were */
    guint matrix_asked, matrix_works; /**< see maxgl_mma_of(): bits of factors that matrix units were tried
                                         with, and that they multiply rightly */
} MaxglContext;

/**
 * Opens the device that @selector means (see maxgl_device_choose()).
 * Returns: (transfer full) the context; NULL with MAXGL_ERROR_DEVICE, MAXGL_ERROR_NOT_FOUND or
 * MAXGL_ERROR_USAGE. One thread at a time may use a context.
 */
MaxglContext *maxgl_context_open(const char *selector, GError **error);

/** The most devices of one process. */
#define MAXGL_MAX_DEVICES 16

/**
 * Opens each device of a list: selectors with commas between ("0:0,1:0"). "S/N" is the device S in N parts,
 * each a device of its own with as many of its compute units. NULL stands for MAXGL_DEVICE, or "auto".
 * Devices that are there several times share the memory: each context's info has its part of it.
 * Returns: (element MaxglContext*, closed with the array) at least one; NULL as maxgl_context_open(), and
 * with MAXGL_ERROR_DEVICE where a device cannot be cut. Several threads may use one context each.
 */
GPtrArray *maxgl_contexts_open(const char *selectors, GError **error);

/** Waits for the device, prints the profile if one was asked for, releases everything. */
void maxgl_context_close(MaxglContext *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglContext, maxgl_context_close)

/** Waits until all that was enqueued has run. MAXGL_ERROR_DEVICE if something failed meanwhile. */
gboolean maxgl_context_finish(MaxglContext *context, GError **error);

/** A function for maxgl_context_at_close(). */
typedef void (*MaxglContextCall)(void);

/** Calls @function when @context is closed, before anything of it is released; once, however often this is
 * asked for. For libraries that keep OpenCL objects of their own. */
void maxgl_context_at_close(MaxglContext *context, MaxglContextCall function);

/**
 * A read-only buffer of at least @bytes zeros, owned by the context: what kernels read where a map ends.
 * NULL with MAXGL_ERROR_DEVICE.
 */
cl_mem maxgl_context_zeros(MaxglContext *context, gsize bytes, GError **error);

#endif
