/* Scores of all pairs and their estimate by themselves. Inside heads.c and pairs.c. */
#ifndef MAXGL_BENCH_PAIRS_H
#define MAXGL_BENCH_PAIRS_H

#include "bench/heads.h"
#include "bench/material.h"

/** Measures one pairing of Global-MI, or (@is_local) of Local-MI, each video with each: appends rows of
 * scores forward and backward, and of the estimate with its gradient. */
gboolean maxgl_bench_pairs(MaxglMaterial *material, const MaxglHeadsOptions *options, gboolean is_local,
                           GPtrArray *rows, GError **error);

#endif
