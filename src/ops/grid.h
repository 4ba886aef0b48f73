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

/** How many of @pieces equal pieces, too big to be split further, a work-item or work-group takes so that
 * there are at most "elementwise"/"items" of them; at least 1. */
int maxgl_grid_run(MaxglContext *context, gsize pieces);

/** Sets @launch's sizes (dimension 0) for at least @items work-items, in work-groups of
 * "elementwise"/"group". */
void maxgl_grid_items(MaxglContext *context, gsize items, MaxglLaunch *launch);

/**
 * Sets @launch's sizes (one dimension) for @groups work-groups of "elementwise"/"group" work-items that
 * reduce something together. Returns: that size, to be given to the kernel as -DLANES (see cl/group.clh).
 */
int maxgl_grid_groups(MaxglContext *context, gsize groups, MaxglLaunch *launch);

#endif
