/* Layer-wise adaptive rate scaling for large batches (You, Gitman, Ginsburg, "Large Batch Training of
 * Convolutional Networks", 2017, algorithm 1): the step of each tensor has a length that goes with the
 * tensor's.
 *
 *   ratio = trust · ‖w‖ / (‖g‖ + weight_decay · ‖w‖);   1 where ‖w‖ or ‖g‖ is 0
 *   v ← momentum · v + ratio · rate · (g + weight_decay · w)
 *   w ← w − v
 *
 * for each tensor with a ratio of its own; ratio 1 and no decay for the others. g is the gradient after
 * clipping. The rate is inside of v, as in the paper: a change of it leaves the way under way as it is.
 *
 * Others differ: NVIDIA's apex (LARC) and what follows it scale the gradient and leave the rest to an
 * optimiser whose rate is outside of v, add 1e-8 to the denominator and can bound ratio · rate by rate;
 * SimCLR's code divides by ‖g + weight_decay · w‖. Nesterov's momentum is not there.
 */
#ifndef MAXGL_OPS_LARS_H
#define MAXGL_OPS_LARS_H

#include "ops/optimizer.h"

/** Floats of the flat buffers that are updated alike. */
typedef struct {
    gsize offset, floats; /**< floats may be 0 */
    gboolean adapted;     /**< one tensor, with a ratio and weight decay; else any floats without either */
} MaxglLarsTensor;

/** Bytes of the table that tells work-groups which part of which of the @n tensors is theirs; at least 1. */
gsize maxgl_lars_table_bytes(const MaxglLarsTensor *tensors, gsize n);

/** Fills @table, and waits. */
gboolean maxgl_lars_table_write(MaxglContext *context, const MaxglLarsTensor *tensors, gsize n, cl_mem table,
                                GError **error);

/** Bytes of scratch memory. */
gsize maxgl_lars_workspace(const MaxglLarsTensor *tensors, gsize n);

/** Appends the update of @tensors, those that @table was written for: sums of squares of chunks, a ratio for
 * each tensor, the update. Sums have a fixed order. @optimizer: of kind MAXGL_OPTIMIZER_LARS. */
gboolean maxgl_lars_update(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                           const MaxglOptimizerBuffers *buffers, const MaxglLarsTensor *tensors, gsize n,
                           double weight_decay, cl_mem table, cl_mem workspace, GError **error);

#endif
