/* How fast the device makes a network's input of frames that are decoded already. */
#ifndef MAXGL_BENCH_PREPARE_H
#define MAXGL_BENCH_PREPARE_H

#include "bench/data.h"

typedef struct {
    int frames, height, width; /**< of the network's clips */
    int video_width, video_height;
    int batch;      /**< clips that are waited for together */
    double seconds; /**< how long each measurement takes, about */
} MaxglPrepareOptions;

/**
 * Measures the preparation of clips (see ops/clip_prepare.h) from random I420 frames in the host's memory,
 * their way to the device included: "centre", as in evaluation, then "training", random views with colours
 * changed. Both rows wait for no video: waiting is negative.
 * Returns: (element MaxglDataRow) NULL with MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED
 * after Ctrl-C.
 */
GArray *maxgl_bench_prepare(MaxglContext *context, const MaxglPrepareOptions *options, GError **error);

#endif
