/* One layer under measurement. Inside layers.c and layer_*.c. */
#ifndef MAXGL_BENCH_LAYER_H
#define MAXGL_BENCH_LAYER_H

#include "bench/layers.h"
#include "bench/material.h"
#include "bench/reference.h"
#include "ops/batch_norm.h"
#include "ops/conv3d.h"
#include "ops/linear.h"
#include "ops/pool.h"
#include "ops/subsample.h"

/** Results of a pass that are compared with the reference. */
#define MAXGL_LAYER_SAMPLES 200

typedef struct {
    const MaxglLayersOptions *options;
    MaxglMaterial *material;
    GPtrArray *rows;
    const char *name, *what, *size;
    int count;
} MaxglLayerBench;

/** Times @sequence and appends a row. Returns: it, to be filled; NULL with @error. */
MaxglBenchRow *maxgl_layer_time(MaxglLayerBench *bench, const char *pass, MaxglSequence *sequence,
                                GError **error);

/** What one result should be; @data is the caller's. */
typedef double (*MaxglLayerReference)(gconstpointer data, gsize index);

/** Compares results @got[n] with the reference at random places. */
void maxgl_layer_compare(MaxglBenchRow *row, const float *got, gsize n, MaxglLayerReference reference,
                         gconstpointer data);

/** Measure the layers. @first: the input is the clip, which has no gradient. */
gboolean maxgl_layer_conv3d(MaxglLayerBench *bench, const MaxglConv3d *conv, gboolean first, GError **error);
gboolean maxgl_layer_batch_norm(MaxglLayerBench *bench, const MaxglBatchNorm *norm, gboolean residual,
                                GError **error);
gboolean maxgl_layer_max_pool(MaxglLayerBench *bench, const MaxglMaxPool *pool, GError **error);
gboolean maxgl_layer_average_pool(MaxglLayerBench *bench, const MaxglAveragePool *pool, GError **error);
gboolean maxgl_layer_subsample(MaxglLayerBench *bench, const MaxglSubsample *subsample, GError **error);
gboolean maxgl_layer_linear(MaxglLayerBench *bench, const MaxglLinear *linear, GError **error);

#endif
