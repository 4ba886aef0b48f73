/* Inside suite.c and suite_sections.c. */
#ifndef MAXGL_BENCH_SUITE_PRIVATE_H
#define MAXGL_BENCH_SUITE_PRIVATE_H

#include "bench/suite.h"

/** How much is measured. */
typedef struct {
    const char *net, *heads_net; /**< of layers, inference and training; whose heads */
    int frames, height, width;   /**< of a clip */
    int layers_batch;            /**< clips */
    int batches[4];              /**< of inference and training, rising, ended by 0 */
    guint precisions;            /**< the same: bit 1 << MaxglPrecision for each */
    int videos;                  /**< of the heads */
    int repeats;                 /**< timed runs */
    gsize transfer_bytes;
    int video_width, video_height, prepare_batch;
    double prepare_seconds;
} MaxglSuiteSizes;

/** A suite under way. */
typedef struct {
    MaxglContext *context;
    const MaxglSuiteSizes *sizes;
    double limit;       /**< seconds of a section */
    MaxglRoof roof;     /**< the highest so far; 0: not measured */
    double half_flops;  /**< 0: not measured */
    double local_bytes; /**< bytes a second, 0: not measured */
    gboolean broken;    /**< a part of the present section failed: the device is to be opened again */
    GString *left;      /**< what the present section had to leave out, "" if nothing */
    GString *outcome;   /**< what came out of it, in a few words */
} MaxglSuite;

/** Adds the section's members to @record. FALSE with @error if nothing came of it. */
typedef gboolean (*MaxglSuiteSection)(MaxglSuite *suite, JsonBuilder *record, GError **error);

gboolean maxgl_suite_peaks(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_launch(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_transfers(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_layers(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_heads(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_inference(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_training(MaxglSuite *suite, JsonBuilder *record, GError **error);
gboolean maxgl_suite_preparation(MaxglSuite *suite, JsonBuilder *record, GError **error);

#endif
