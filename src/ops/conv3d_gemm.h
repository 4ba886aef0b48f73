/* Convolution for GPUs: implicit matrix products through local memory (cl/conv3d_gemm.cl and
 * cl/conv3d_gemm_weights.cl). Forward and backward data need no workspace; backward weights needs some when
 * the sum over pixels is cut into parts.
 *
 * Tuning, kernel "conv3d_gemm", matched with "PASS CLASS" where PASS is forward, backward_data or
 * backward_weights and CLASS is maxgl_conv3d_shape_class()'s: the tile, see ops/tile.h.
 *
 * Forward and backward data sum in the order of depth whatever the tile; backward weights in parts that these
 * parameters and the convolution decide (and the device only if its local memory is too small for the tile).
 */
#ifndef MAXGL_OPS_CONV3D_GEMM_H
#define MAXGL_OPS_CONV3D_GEMM_H

#include "ops/conv3d_algorithms.h"

/** "gemm": every convolution whose tensors have fewer than 2³⁰ floats each. */
extern const MaxglConv3dAlgorithm maxgl_conv3d_gemm;

#endif
