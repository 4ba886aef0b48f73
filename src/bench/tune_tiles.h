/* Tiles of matrix products for GPUs: parameters that make sense together alone. Inside tune*.c. */
#ifndef MAXGL_BENCH_TUNE_TILES_H
#define MAXGL_BENCH_TUNE_TILES_H

#include "bench/model.h"

#define MAXGL_TUNE_TILE_NAMES 7

/** A tile: values of parameters of one kernel; a name that is NULL ends them. */
typedef struct {
    const char *kernel;
    const char *names[MAXGL_TUNE_TILE_NAMES + 1];
    int values[MAXGL_TUNE_TILE_NAMES];
    double predicted; /**< seconds of the pass; 0 where there is no model */
} MaxglTuneTile;

/** The part of the best predicted time that a tile may take besides, to be tried. */
#define MAXGL_TUNE_TILE_HOPE 1.0

/** Seconds that no launch should take: drivers of displays end what runs for two. */
#define MAXGL_TUNE_TILE_WATCHDOG 1.0

/**
 * The tiles to try for a pass, the most promising first: those of @kernel ("conv3d_gemm", "conv3d_mma" or
 * "conv3d_winograd_gemm") that are tiles, and that @model (NULL: none) does not take to be hopeless or longer
 * than a watchdog lets them run. @shape: what the kernel asks the tuning database with. *@left_out counts the
 * others. Leaves the database as it is.
 * Returns: (element MaxglTuneTile) an array.
 */
GArray *maxgl_tune_tiles(MaxglContext *context, const MaxglModel *model, const MaxglConv3d *conv,
                         MaxglConv3dPass pass, const char *kernel, const char *shape, guint *left_out);

#endif
