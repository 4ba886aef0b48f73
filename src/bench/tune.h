/* Searching for the parameters with which a network's layers are fastest on a device. */
#ifndef MAXGL_BENCH_TUNE_H
#define MAXGL_BENCH_TUNE_H

#include "compute/context.h"
#include "net/network.h"

typedef struct {
    int batch;      /**< clips at once, at least 1 */
    double minutes; /**< no candidate is begun after that */
    MaxglPrecision precision;
} MaxglTuneOptions;

/** One pass of a convolution, for all layers of its kind; or all other layers of one kind together. */
typedef struct {
    char *layer, *pass; /**< name of the first one, "forward", …; "batch norm", "all passes" */
    int count;          /**< layers of this kind; 1 for all together */
    char *before_algorithm, *after_algorithm;
    double before, after; /**< seconds of one */
} MaxglTuneRow;

typedef struct {
    guint candidates, slow, wrong,
        impossible;    /**< tried; given up early; with other results; not to be run */
    guint hopeless;    /**< tiles left out because a model of the device expects nothing of them */
    gboolean complete; /**< nothing was left out for lack of time */
} MaxglTuneCounts;

/**
 * Tries, for each kind of convolution in @resnet, the costliest first, the algorithms of each pass, for GPUs'
 * matrix products whole tiles, and then the values of what that algorithm asks the tuning database for, one
 * by one. On a GPU its limits are measured first, which also brings it to its clock under load; tiles of
 * which bench/model.h expects nothing are left out. A candidate counts if its result differs from the one
 * without it by at most 1e-4 (relative L2) and it is faster by 3 %, twice. What is found is left in the
 * context's database (see maxgl_tuning_tried()). Shows progress on stderr. Returns: (element MaxglTuneRow*,
 * freed with the array) the passes measured; NULL with MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE,
 * MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
GPtrArray *maxgl_tune_network(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglTuneOptions *options, MaxglTuneCounts *counts, GError **error);

/** What decides over one pass of a layer. */
typedef struct {
    char *layer, *what, *pass; /**< name of the first of its kind, what it does, "forward", … or "" */
    int count;
    char *algorithm;    /**< or NULL */
    GPtrArray *answers; /**< MaxglTuningAnswer: what the pass asks the database, in the order of asking */
} MaxglTuneUse;

/** What the passes of @resnet's layers ask the tuning database, and what it answers; builds and runs nothing.
 * Returns: (element MaxglTuneUse*, freed with the array). */
GPtrArray *maxgl_tune_uses(MaxglContext *context, const MaxglResnet *resnet, int batch,
                           MaxglPrecision precision);

#endif
