/* What a device can do at most: the lines that layers are measured against. */
#ifndef MAXGL_BENCH_ROOF_H
#define MAXGL_BENCH_ROOF_H

#include "ops/mma.h"

typedef struct {
    double flops;      /**< floating-point operations a second, float32: independent fused multiply-adds in
                            registers on all compute units, each counted as two */
    double copy_bytes; /**< bytes a second, read and written ones, of copying memory that no cache holds */
    double matrix[MAXGL_FACTORS_TF32 + 1]; /**< operations a second of matrix units, by what they multiply; 0:
                                              there are none, or they were not measured */
} MaxglRoof;

/** Measures the first two; of several runs the fastest counts. Numbers already in @roof stay where they are
 * the higher: measure before and after something long, as clocks change. Takes some tenths of a second and
 * 256 MiB on the device (less where it has less). MAXGL_ERROR_DEVICE, MAXGL_ERROR_LIMIT. */
gboolean maxgl_roof_measure(MaxglContext *context, MaxglRoof *roof, GError **error);

/** The most floating-point operations a second in half precision, on a device with cl_khr_fp16 (info->fp16);
 * a higher number in *@flops stays. The same errors. */
gboolean maxgl_roof_measure_half(MaxglContext *context, double *flops, GError **error);

/** The same of the matrix units with these @factors, on numbers that stay in registers: roof->matrix. What is
 * there stays where there are no such units. */
gboolean maxgl_roof_measure_matrix(MaxglContext *context, MaxglFactors factors, MaxglRoof *roof,
                                   GError **error);

/** The most bytes a second read from local memory by all compute units together; a higher number in *@bytes
 * stays. Where local memory is a part of global memory (a CPU) that is a cache's bandwidth. The same errors.
 */
gboolean maxgl_roof_measure_local(MaxglContext *context, double *bytes, GError **error);

#endif
