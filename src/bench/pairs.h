/* Scores of all pairs and their estimate by themselves. Inside heads.c and pairs.c. */
#ifndef MAXGL_BENCH_PAIRS_H
#define MAXGL_BENCH_PAIRS_H

#include "bench/heads.h"
#include "bench/material.h"

/** Measures the pairs of one half with another, each video with each: appends rows called @name of scores
 * forward and backward, and of the estimate with its gradient. @regions: R; 1 for pairs of global features.
 */
gboolean maxgl_bench_pairs(MaxglMaterial *material, const MaxglHeadsOptions *options, const char *name,
                           int regions, GPtrArray *rows, GError **error);

#endif
