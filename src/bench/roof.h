/* What a device can do at most: the lines that layers are measured against. */
#ifndef MAXGL_BENCH_ROOF_H
#define MAXGL_BENCH_ROOF_H

#include "compute/context.h"

typedef struct {
    double flops;      /**< floating-point operations a second, float32: independent fused multiply-adds in
                            registers on all compute units, each counted as two */
    double copy_bytes; /**< bytes a second, read and written ones, of copying memory that no cache holds */
} MaxglRoof;

/** Measures both; of several runs the fastest counts. Numbers already in @roof stay where they are the
 * higher: measure before and after something long, as clocks change. Takes some tenths of a second and 256
 * MiB on the device (less where it has less). MAXGL_ERROR_DEVICE, MAXGL_ERROR_LIMIT. */
gboolean maxgl_roof_measure(MaxglContext *context, MaxglRoof *roof, GError **error);

#endif
