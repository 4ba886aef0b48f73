/* How a run of equal pieces of work is cut into work-items: many pieces each on a CPU, one each on a GPU. */
#ifndef MAXGL_OPS_GRID_H
#define MAXGL_OPS_GRID_H

#include "compute/sequence.h"

/** The widest of 16, 8, 4, 2, 1 floats that divides @multiple and is not above the tuning database's
 * "elementwise"/"vector". */
int maxgl_grid_vector(MaxglContext *context, gsize multiple);

/**
 * Sets @launch's sizes (one dimension) for @pieces pieces of work, at least 1. Work-item i takes the pieces
 * i·run … (i+1)·run − 1 that are below @pieces; there may be work-items with none. Tuned by "elementwise"
 * "items" (the most work-items; 0 = no limit), "run" (the fewest pieces a work-item takes) and "group"
 * (work-group size).
 * Returns: run, at least 1.
 */
int maxgl_grid_split(MaxglContext *context, gsize pieces, MaxglLaunch *launch);

/**
 * Sets @launch's sizes for @chunks reductions, each by one work-group (along dimension 0) of "elementwise"
 * "group" work-items.
 * Returns: that size, to be given to the kernel as -DLANES (see cl/group.clh).
 */
int maxgl_grid_groups(MaxglContext *context, gsize chunks, MaxglLaunch *launch);

#endif
