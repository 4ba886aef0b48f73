// Convolution with 3×3 weights in each tap of time and stride 1 by Winograd's F(TILE×TILE, 3×3) on height and width, direct in time:
// 36 products instead of 144 for a tile of 4×4 outputs, or 16 instead of 36 for one of 2×2. For CPUs: explicit vectors over the
// channels of a block.
//
// Many channels: the transformed input V of a chunk of tiles, which stays in the last cache, comes from
// conv3d_winograd_transforms.cl. Few channels (-D FUSED): a work-item transforms its own tiles just before it multiplies them, and
// they stay in its core's cache.
//
// -D BI, BO   blocks of input and output (BO is the vector width)
//    TILE     outputs a tile's side: 4 or 2
//    KU, RW   register tile of the products: output blocks × spatial tiles
//    TB       frames for which a work-item uses the weights of one frequency before it goes on to the next
//    X_STORAGE, Y_STORAGE  how x, and how y and the residual are stored (storage.clh)
//    STATISTICS  write statistics of y as well, a part for each register tile

#define VECTOR BO
#define INPUT_VECTOR BI
#include "storage.clh"
#include "conv3d_winograd_tile.clh"
#include "moments.clh"
#include "conv3d_winograd_products.clh"

#ifndef FUSED

// RW spatial tiles × KU of the @u_blocks output blocks from @first_block on, which @u has × TB frames.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_multiply(__global const float *restrict v, __global const float *restrict u, __global MAP(Y_STORAGE) *y,
                         __global const float *restrict bias, __global const MAP(Y_STORAGE) *residual, __global float *restrict statistics,
                         int flags, int in_blocks, int out_blocks, int u_blocks, int first_block, int in_t, int out_t, int out_h, int out_w, int tiles_h,
                         int tiles_w, int taps_t, int pad_t, int first_tile, int n_tiles, int chunk_tiles)
{
    const int i0 = get_global_id(0) * RW, t0 = get_global_id(1) * TB, kb = get_global_id(2) * KU;
    const size_t v_block = (size_t)chunk_tiles * FREQUENCIES * BI;
    multiply_and_store(v + (size_t)i0 * FREQUENCIES * BI, in_blocks * v_block, v_block, in_t, u, y, bias, residual, statistics, flags, u_blocks, kb,
                       first_block + kb, t0, first_tile + i0, n_tiles, tiles_h, tiles_w, in_blocks, out_blocks, in_t, out_t, out_h, out_w, taps_t, pad_t);
}

#else

#include "conv3d_winograd_input.clh"

// Every so many-th group of RW spatial tiles, all frames and output blocks. @scratch has
// V[TB + taps_t - 1][in_blocks][FREQUENCIES][RW][BI] for each work-item: a ring of frames.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_fused(__global const MAP(X_STORAGE) *restrict x, __global const float *restrict u, __global MAP(Y_STORAGE) *y,
                      __global float *restrict scratch, __global const MAP(X_STORAGE) *restrict zeros, __global const float *restrict bias,
                      __global const MAP(Y_STORAGE) *residual, __global float *restrict statistics, int flags, int in_blocks, int out_blocks, int in_t, int in_h, int in_w,
                      int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int taps_t, int pad_t, int pad_h, int pad_w,
                      int n_tiles)
{
    const int ring = TB + taps_t - 1, groups = (n_tiles + RW - 1) / RW, plane = in_h * in_w * BI;
    const size_t v_block = FREQUENCIES * RW * BI, v_frame = in_blocks * v_block;
    __global float *own = scratch + get_global_id(0) * ring * v_frame;
    for (int group = get_global_id(0); group < groups; group += get_global_size(0)) {
        int transformed = 0; // frames of the input
        for (int t0 = 0; t0 < out_t; t0 += TB) {
            for (const int last = min(t0 + TB - 1 - pad_t + taps_t, in_t); transformed < last; transformed++)
                for (int cb = 0; cb < in_blocks; cb++)
                    transform_input_group(x + ((size_t)cb * in_t + transformed) * plane, (size_t)in_blocks * in_t * plane, zeros,
                                          own + (transformed % ring) * v_frame + cb * v_block, group * RW, RW, n_tiles, tiles_h,
                                          tiles_w, pad_h, pad_w, in_h, in_w);
            for (int kb = 0; kb < out_blocks; kb += KU)
                multiply_and_store(own, v_frame, v_block, ring, u, y, bias, residual, statistics, flags, out_blocks, kb, kb, t0, group * RW, n_tiles, tiles_h,
                                   tiles_w, in_blocks, out_blocks, in_t, out_t, out_h, out_w, taps_t, pad_t);
        }
    }
}

#endif
