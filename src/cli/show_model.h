/* What maxgl-cl model info prints. */
#ifndef MAXGL_CLI_SHOW_MODEL_H
#define MAXGL_CLI_SHOW_MODEL_H

#include "net/network_memory.h"
#include "net/weights_match.h"

/** Forecast of a device's memory. */
typedef struct {
    int batch; /**< clips at once; 0: not asked for */
    gboolean training, exact;
    MaxglPrecision precision;
    char *device;
    MaxglNetworkMemory bytes;
    guint64 total_of_blocks; /**< training with MAXGL_RECOMPUTE_BLOCKS */
} MaxglModelMemory;

/** A network by its name, or a file. */
typedef struct {
    MaxglModelInfo *info;
    MaxglResnet *resnet;
    MaxglSafetensors *file;   /**< NULL for a network by its name */
    MaxglWeightsMatch *match; /**< of the file with the network, NULL without file */
    MaxglModelMemory memory;
} MaxglModelShown;

/** Prints what is known about it and its layer table, for people. */
void maxgl_model_print(const MaxglModelShown *model);

/** The same as one JSON object. */
void maxgl_model_print_json(const MaxglModelShown *model);

#endif
