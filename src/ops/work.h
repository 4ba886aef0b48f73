/* What an algorithm asks of a device: counted from its plan, without running it. Models of its time
 * (bench/model.h) are made of this. */
#ifndef MAXGL_OPS_WORK_H
#define MAXGL_OPS_WORK_H

#include "ops/mma.h"

/** One pass. All numbers are of the whole pass unless they say otherwise. */
typedef struct {
    gboolean units;       /**< matrix units multiply … */
    MaxglFactors factors; /**< … these */
    double flops;         /**< of the products, in whole tiles: what falls outside the result is done too */
    double groups;        /**< work-groups that make the products */
    int items, registers; /**< work-items of one, and about how many registers each needs */
    gsize local_bytes;    /**< local memory of one */
    double local_reads;   /**< bytes read from local memory */
    double fetched;       /**< bytes that work-groups fetch into local memory, from memory or caches */
    double bytes; /**< bytes read from and written to memory at least, intermediate results included */
    int launches;
} MaxglWork;

#endif
