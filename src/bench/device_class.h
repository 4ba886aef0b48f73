/* Devices that are known without having been measured: what their makers say they can do. */
#ifndef MAXGL_BENCH_DEVICE_CLASS_H
#define MAXGL_BENCH_DEVICE_CLASS_H

#include "compute/context.h"
#include "ops/mma.h"

typedef struct {
    const char *name;         /**< "NVIDIA H100 SXM" */
    const char *architecture; /**< as MaxglDeviceInfo has it */
    MaxglVendor vendor;
    int cores;    /**< what has a local memory: multiprocessors, compute units, sub-slices, Xe cores */
    int units;    /**< compute units as OpenCL counts them */
    double clock; /**< Hz, under load as far as it is published */
    double flops; /**< float32 multiply-adds a second, each counted as two */
    double matrix[MAXGL_FACTORS_TF32 + 1]; /**< the same of matrix units, by what they multiply; 0: they do
                                              not */
    double memory;                         /**< bytes a second */
    int local_kib, local_clock;            /**< of a core: KiB of local memory, bytes read from it a clock */
    int registers;                         /**< of a core, of 32 bits */
    gsize memory_bytes;
} MaxglDeviceClass;

/** All classes, by vendor and age; *@count of them. Sources: docs/gpus.md. */
const MaxglDeviceClass *maxgl_device_classes(guint *count);

/** The one of that name or part of a name, or else of that architecture, upper and lower case alike; NULL
 * with MAXGL_ERROR_NOT_FOUND naming those that there are. */
const MaxglDeviceClass *maxgl_device_class_find(const char *name, GError **error);

/** The class that a device belongs to: the one whose name its name contains, else the first of its
 * architecture; NULL if there is none. */
const MaxglDeviceClass *maxgl_device_class_of(const MaxglDeviceInfo *info);

/**
 * A context with the device information and the tuning of @class and no device: for asking which algorithms
 * and tiles it would get, with the matrix units that it is said to have. Nothing can be built or allocated
 * with it. Give it back with maxgl_device_class_context_free(). NULL with MAXGL_ERROR_FORMAT.
 */
MaxglContext *maxgl_device_class_context(const MaxglDeviceClass *class, GError **error);
void maxgl_device_class_context_free(MaxglContext *context);

#endif
