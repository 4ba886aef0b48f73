/* Convolution for GPUs: implicit matrix products through local memory (cl/conv3d_gemm.cl and
 * cl/conv3d_gemm_weights.cl). Forward and backward data need no workspace; backward weights needs some when
 * the sum over pixels is cut into parts.
 *
 * Tuning, kernel "conv3d_gemm", matched with "PASS CLASS" where PASS is forward, backward_data or
 * backward_weights and CLASS is maxgl_conv3d_shape_class()'s:
 *
 *   TM, TN, TK  rows, columns and depth of a work-group's tile; powers of two
 *   WM, WN      rows and columns of a work-item's part of it; powers of two, at least 4
 *   BUFFERS     1 or 2 copies of the tile in local memory
 *   UNROLL      steps of depth written out in the inner loop
 *   REGISTERS   the most a work-item may have, on NVIDIA's platform; 0 leaves it to the compiler
 *   GROUPS      work-groups that fill the device: with fewer, tiles are halved, or the sum over pixels is cut
 *   ITEMS       the fewest work-items in a group that halving may lead to
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
