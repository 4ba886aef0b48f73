/* How long a device should take: a model of limits, to leave hopeless candidates out of tuning and to say
 * beforehand what a device that nobody here has will do.
 *
 *   time = launches · launch
 *        + max(max(flops / peak, local reads / local bandwidth) / used, fetched / cache, bytes / memory)
 *
 * where used is the part of the device that has something to do, is not held up by instructions other than
 * multiply-adds, and has enough work-items to wait for memory with.
 */
#ifndef MAXGL_BENCH_MODEL_H
#define MAXGL_BENCH_MODEL_H

#include "bench/device_class.h"
#include "bench/roof.h"
#include "net/resnet3d.h"
#include "ops/conv3d.h"

/** The limits of a device, a second and a core. */
typedef struct {
    int cores;
    double flops, matrix[MAXGL_FACTORS_TF32 + 1]; /**< see MaxglDeviceClass */
    double memory, cache, local;                  /**< bytes */
    double launch;                                /**< seconds from one launch to the next */
    gsize local_memory;                           /**< bytes of a core */
    int registers;                                /**< of a core */
} MaxglModel;

/** From the maker's figures. */
MaxglModel maxgl_model_of_class(const MaxglDeviceClass *class);

/** Of a device at hand: its float32 peak and bandwidth as measured, which takes some tenths of a second; the
 * rest from its class, or else from how many compute units it has and their clock. The errors of
 * maxgl_roof_measure(). */
gboolean maxgl_model_of_device(MaxglContext *context, MaxglModel *model, GError **error);

/** Seconds. */
double maxgl_model_time(const MaxglModel *model, const MaxglWork *work);

/** Seconds of a pass with the algorithm and tile that @context's tuning gives it; 0: not known. */
double maxgl_model_conv3d(const MaxglModel *model, MaxglContext *context, const MaxglConv3d *conv,
                          MaxglConv3dPass pass);

#endif
