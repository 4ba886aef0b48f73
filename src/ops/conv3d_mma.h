/* Convolution on matrix units: implicit matrix products with the tiles of cl/mma.clh (cl/conv3d_mma.cl and
 * cl/conv3d_mma_weights.cl). Weights are first brought into the units' numbers and order, in the workspace or
 * beforehand; backward weights needs workspace when the sum over pixels is cut into parts.
 *
 * Factors are what tensors are stored as: halves, bfloat16, or floats, which where the convolution allows it
 * are rounded to 11 digits, and otherwise multiplied as they are (AMD's MFMA alone).
 *
 * Tuning, kernel "conv3d_mma", matched with "PASS CLASS" as for conv3d_gemm:
 *
 *   WM, WN      rows and columns of the product that a wave makes; multiples of the instruction's
 *   TM, TN      those of a work-group
 *   BUFFERS     1 or 2 copies of the tiles in local memory
 *   BLOCK_READS 1: where source blocks are multiples of 16, Intel's units with 16 lanes read weights as
 *               blocks of two dimensions, past local memory; 0: not. Default: whether the device has such
 *               reads (cl_intel_subgroup_2d_block_io); without them the same numbers come by ordinary ones
 *   REGISTERS   as for conv3d_gemm, see ops/tile.h
 *   GROUPS      work-groups that fill the device: with fewer, tiles are halved, or the sum over pixels is cut
 *
 * The order of summation depends on these parameters and the convolution alone.
 */
#ifndef MAXGL_OPS_CONV3D_MMA_H
#define MAXGL_OPS_CONV3D_MMA_H

#include "ops/conv3d_algorithms.h"

/** "mma": blocks that are multiples of a piece of 16 bytes, kernels of at most 10 taps in a direction,
 * tensors of fewer than 2³⁰ numbers; x and y stored alike. Or x is a clip, see conv3d_mma_clip.h: then there
 * is no backward data. It is worthwhile where the device has units for such factors. */
extern const MaxglConv3dAlgorithm maxgl_conv3d_mma;

#endif
