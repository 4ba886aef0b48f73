/* Single results in double precision, straight from the definitions: what a measured pass is checked
 * against, at some places. All arrays are on the host in PyTorch's order. */
#ifndef MAXGL_BENCH_REFERENCE_H
#define MAXGL_BENCH_REFERENCE_H

#include "ops/conv3d.h"
#include "ops/pool.h"

/** Sums of a comparison. */
typedef struct {
    double wrong, right; /**< Σ (got − want)², Σ want² */
    guint n;
} MaxglDeviation;

void maxgl_deviation_add(MaxglDeviation *deviation, double got, double want);
/** Relative L2 error √(wrong / right); infinite if something was not a number. */
double maxgl_deviation_relative(const MaxglDeviation *deviation);

/** An element's place in a tensor. */
typedef struct {
    int n, c, t, h, w;
} MaxglPlace;

/** The place of element @index in PyTorch's order, and back. */
MaxglPlace maxgl_place_of(const MaxglShape *shape, gsize index);
gsize maxgl_place_index(const MaxglShape *shape, MaxglPlace place);

/** One result of a convolution: y, dx or (@index in K, C, KT, KH, KW) dw. */
double maxgl_reference_conv3d(const MaxglConv3d *conv, const float *x, const float *weights,
                              MaxglPlace place);
double maxgl_reference_conv3d_data(const MaxglConv3d *conv, const float *dy, const float *weights,
                                   MaxglPlace place);
double maxgl_reference_conv3d_weights(const MaxglConv3d *conv, const float *x, const float *dy, gsize index);

/** One result of a max-pool: the index in x of the element that wins the window; and dx. */
gsize maxgl_reference_max_pool_winner(const MaxglMaxPool *pool, const float *x, MaxglPlace place);
double maxgl_reference_max_pool_data(const MaxglMaxPool *pool, const float *x, const float *dy,
                                     MaxglPlace place);

#endif
