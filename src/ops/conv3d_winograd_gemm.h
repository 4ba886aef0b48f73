/* Winograd convolution for GPUs: transforms through global memory around matrix products through local memory
 * (cl/conv3d_winograd_gemm*.cl), a chunk of tiles at a time.
 *
 * Tuning, kernel "conv3d_winograd_gemm", matched with "PASS CLASS" as for "conv3d_gemm" (see conv3d_gemm.h),
 * balance with "CLASS" alone:
 *
 *   tile       outputs a tile's side, 2 or 4; 0: whichever the model takes to be faster
 *   vector     channels of a work-item in transforms, 2 or 4
 *   group      work-items of a work-group in transforms
 *   chunk_kib  memory for what is transformed at once, of input and output together
 *   balance    floating-point operations that take as long as moving a byte: it is used where
 *              2·macs > operations + balance · bytes
 *   TM, …      the products' tile, see ops/tile.h; where not set, that of "conv3d_gemm"
 *
 * Sums have an order that these parameters and the convolution decide.
 */
#ifndef MAXGL_OPS_CONV3D_WINOGRAD_GEMM_H
#define MAXGL_OPS_CONV3D_WINOGRAD_GEMM_H

#include "ops/conv3d_algorithms.h"

/** "winograd_gemm": kernels of t×3×3, stride 1, blocks of channels that are multiples of 4. */
extern const MaxglConv3dAlgorithm maxgl_conv3d_winograd_gemm;

#endif
