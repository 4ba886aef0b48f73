// Winograd's F(4×4, 3×3) on height and width, points 0, ±1, ±2, ∞ (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016): what comes before the products. See conv3d_winograd.cl (forward, backward data) and
// conv3d_winograd_gradient.cl (backward weights). Explicit vectors over the channels of a block.
//
// Spatial tiles (n, th, tw) are numbered through the batch; launches work on chunks of them, in groups of so many that what a
// group's transform writes stays in the innermost cache:
//    V[in_t][in_blocks][chunk_tiles / group][36][group][BI]     transformed input, 6×6 pixels a tile
//    U[36][u_blocks][taps_t][in_blocks][BI][BO]                 transformed weights of so many output blocks
//    M[out_t][out_blocks][chunk_tiles / group][36][group][BO]   transformed gradient of the output, 4×4 pixels a tile
//
// -D BI, BO   blocks of input and output

#define VECTOR BO
#include "layout.clh"
#include "conv3d_winograd_input.clh"

// G: three weights along a line to six frequencies.
#define WEIGHT_TRANSFORM(o, g0, g1, g2)                                                                                        \
    {                                                                                                                          \
        const floatv s_ = g0 + g2, t_ = fma(g2, (floatv)(4.0f), g0);                                                                       \
        o[0] = g0 * 0.25f;                                                                                                     \
        o[1] = (s_ + g1) * (-1.0f / 6.0f);                                                                                      \
        o[2] = (s_ - g1) * (-1.0f / 6.0f);                                                                                      \
        o[3] = fma(g1, (floatv)(2.0f), t_) * (1.0f / 24.0f);                                                                              \
        o[4] = fma(g1, (floatv)(-2.0f), t_) * (1.0f / 24.0f);                                                                             \
        o[5] = g2;                                                                                                             \
    }

// A: the gradients of four outputs along a line to those of six frequencies.
#define GRADIENT_TRANSFORM(o, d0, d1, d2, d3)                                                                                  \
    {                                                                                                                          \
        const floatv s_ = d0 + d2, t_ = d1 + d3, p_ = fma(d2, (floatv)(4.0f), d0), q_ = fma(d3, (floatv)(4.0f), d1) * 2.0f;    \
        o[0] = d0;                                                                                                             \
        o[1] = s_ + t_;                                                                                                        \
        o[2] = s_ - t_;                                                                                                        \
        o[3] = p_ + q_;                                                                                                        \
        o[4] = p_ - q_;                                                                                                        \
        o[5] = d3;                                                                                                             \
    }

// One (output block, input block), all taps in time.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_weights(__global const float *restrict weights, __global float *restrict u, int in_blocks, int u_blocks, int first_block,
                        int taps_t)
{
    const int kb = get_global_id(0), cb = get_global_id(1);
    const size_t frequency = (size_t)u_blocks * taps_t * in_blocks * BI * BO;
    for (int kt = 0; kt < taps_t; kt++) {
        __global const float *g = weights + (((size_t)(first_block + kb) * in_blocks + cb) * taps_t + kt) * 9 * BI * BO;
        __global float *to = u + (((size_t)kb * taps_t + kt) * in_blocks + cb) * BI * BO;
        for (int c = 0; c < BI; c++) {
            floatv x[6][3];
#pragma unroll
            for (int w = 0; w < 3; w++) {
                floatv column[6];
                WEIGHT_TRANSFORM(column, VLOAD(w * BI + c, g), VLOAD((3 + w) * BI + c, g), VLOAD((6 + w) * BI + c, g))
#pragma unroll
                for (int i = 0; i < 6; i++)
                    x[i][w] = column[i];
            }
#pragma unroll
            for (int i = 0; i < 6; i++) {
                floatv row[6];
                WEIGHT_TRANSFORM(row, x[i][0], x[i][1], x[i][2])
#pragma unroll
                for (int j = 0; j < 6; j++)
                    VSTORE(row[j], c, to + (i * 6 + j) * frequency);
            }
        }
    }
}

// One frame and input block.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_input(__global const float *restrict x, __global float *restrict v, __global const float *restrict zeros,
                      int in_blocks, int in_t, int in_h, int in_w, int tiles_h, int tiles_w, int pad_h, int pad_w, int first_tile,
                      int n_tiles, int chunk_tiles, int group)
{
    const int t = get_global_id(0), cb = get_global_id(1), plane = in_h * in_w * BI;
    __global float *to = v + ((size_t)t * in_blocks + cb) * chunk_tiles * 36 * BI;
    for (int i = 0; i < chunk_tiles; i += group, to += group * 36 * BI)
        transform_input_group(x + ((size_t)cb * in_t + t) * plane, (size_t)in_blocks * in_t * plane, zeros, to, first_tile + i, group,
                              n_tiles, tiles_h, tiles_w, pad_h, pad_w, in_h, in_w);
}

// One frame and output block of the output's gradient. What tiles have beyond the output, and tiles past the last one, are zeros.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_gradient(__global const float *restrict dy, __global float *restrict m, __global const float *restrict zeros,
                         int out_blocks, int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int first_tile, int n_tiles,
                         int chunk_tiles, int group)
{
    const int t = get_global_id(0), kb = get_global_id(1);
    const int frequency = group * BO;
    for (int i = 0; i < chunk_tiles; i++) {
        const int first = i / group * group;
        __global float *to = m + ((((size_t)t * out_blocks + kb) * chunk_tiles + first) * 36 + (i - first)) * BO;
        const int tile = first_tile + i, tile_row = tile / tiles_w, n = tile_row / tiles_h;
        const int h0 = (tile_row - n * tiles_h) * 4, w0 = (tile - tile_row * tiles_w) * 4;
        __global const float *dp = dy + ((((size_t)n * out_blocks + kb) * out_t + t) * out_h * out_w + (h0 * out_w + w0)) * BO;
        floatv x[4][6];
#pragma unroll
        for (int r = 0; r < 4; r++) {
            floatv d[4];
            const int row_inside = tile < n_tiles && h0 + r < out_h;
#pragma unroll
            for (int c = 0; c < 4; c++)
                d[c] = VLOAD_ALIGNED(0, row_inside && w0 + c < out_w ? dp + (r * out_w + c) * BO : zeros);
            GRADIENT_TRANSFORM(x[r], d[0], d[1], d[2], d[3])
        }
#pragma unroll
        for (int c = 0; c < 6; c++) {
            floatv o[6];
            GRADIENT_TRANSFORM(o, x[0][c], x[1][c], x[2][c], x[3][c])
#pragma unroll
            for (int r = 0; r < 6; r++)
                VSTORE_ALIGNED(o[r], 0, to + (r * 6 + c) * frequency);
        }
    }
}
