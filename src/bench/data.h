/* How fast videos become a network's input. */
#ifndef MAXGL_BENCH_DATA_H
#define MAXGL_BENCH_DATA_H

#include "bench/record.h"

typedef struct {
    const char *source; /**< as maxgl_dataset_open() takes it */
    int frames, height, width;
    int stride;     /**< from one of a clip's frames to the next */
    int batch;      /**< videos at once */
    int clips;      /**< of each video */
    double seconds; /**< how long each measurement takes, about */
} MaxglDataOptions;

/** Clips, random ones and randomly viewed as in training. */
typedef struct {
    const char *name; /**< "decode", "decode, prepare", "cache, prepare"; static */
    guint64 clips;    /**< delivered (and prepared) in … */
    double seconds;
    double
        waiting; /**< part of that time in which no batch was ready; negative: there was none to wait for */
} MaxglDataRow;

/**
 * Measures the loader with its default number of workers: decoding alone; with the preparation on the
 * device; and with that from the memory of decoded videos, if the first epoch ends
 * within four times that time. Shows its progress on stderr.
 * Returns: (element MaxglDataRow) NULL with the errors of maxgl_dataset_open(), maxgl_loader_new() and
 * maxgl_clip_preparer_run(), MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
GArray *maxgl_bench_data(MaxglContext *context, const MaxglDataOptions *options, GError **error);

/** Member "rows". */
void maxgl_record_data(JsonBuilder *record, const GArray *rows);

#endif
