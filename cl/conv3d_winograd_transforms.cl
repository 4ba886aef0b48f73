// Winograd's F(4×4, 3×3) on height and width, points 0, ±1, ±2, ∞ (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016): what comes before the products. See conv3d_winograd.cl (forward, backward data) and
// conv3d_winograd_gradient.cl (backward weights). Explicit vectors over the channels of a block.
//
// Spatial tiles (n, th, tw) are numbered through the batch; launches work on chunks of them:
//    V[36][in_t][in_blocks][chunk_tiles][BI]            transformed input, 6×6 pixels a tile
//    U[36][out_blocks][taps_t][in_blocks][BI][BO]       transformed weights
//    M[36][out_t][out_blocks][chunk_tiles][BO]          transformed gradient of the output, 4×4 pixels a tile
//
// -D BI, BO   blocks of input and output

#define VECTOR BO
#include "layout.clh"
#define LOAD_IN(i, p) MAXGL_PASTE(vload, BI)(i, p)
#define STORE_IN(v, i, p) MAXGL_PASTE(vstore, BI)(v, i, p)
typedef MAXGL_PASTE(float, BI) floatin;

// Bᵀ: six inputs along a line to six frequencies.
#define INPUT_TRANSFORM(type, o, x0, x1, x2, x3, x4, x5)                                                                       \
    {                                                                                                                          \
        const type e_ = fma(x2, (type)(-4.0f), x4), f_ = fma(x1, (type)(-4.0f), x3), g_ = x4 - x2, h_ = 2.0f * (x3 - x1);                          \
        o[0] = fma(x0, (type)(4.0f), fma(x2, (type)(-5.0f), x4));                                                                              \
        o[1] = e_ + f_;                                                                                                          \
        o[2] = e_ - f_;                                                                                                          \
        o[3] = g_ + h_;                                                                                                          \
        o[4] = g_ - h_;                                                                                                          \
        o[5] = fma(x1, (type)(4.0f), fma(x3, (type)(-5.0f), x5));                                                                              \
    }

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

// One (output block, input block, tap in time).
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_weights(__global const float *restrict weights, __global float *restrict u, int in_blocks, int out_blocks, int taps_t)
{
    const int kb = get_global_id(0), cb = get_global_id(1);
    const size_t frequency = (size_t)out_blocks * taps_t * in_blocks * BI * BO;
    for (int kt = 0; kt < taps_t; kt++) {
        __global const float *g = weights + (((size_t)kb * in_blocks + cb) * taps_t + kt) * 9 * BI * BO;
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

// One spatial tile, one frame, one input block. Tiles past the last one are zeros, so that the products need no test.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_input(__global const float *restrict x, __global float *restrict v, __global const float *restrict zeros,
                      int in_blocks, int in_t, int in_h, int in_w, int tiles_h, int tiles_w, int pad_h, int pad_w, int first_tile,
                      int n_tiles, int chunk_tiles)
{
    const int t = get_global_id(0), cb = get_global_id(1);
    const size_t frequency = (size_t)in_t * in_blocks * chunk_tiles * BI;
    for (int i = 0; i < chunk_tiles; i++) {
        __global float *to = v + (((size_t)t * in_blocks + cb) * chunk_tiles + i) * BI;
        const int tile = first_tile + i, tile_row = tile / tiles_w, n = tile_row / tiles_h;
        const int h0 = (tile_row - n * tiles_h) * 4 - pad_h, w0 = (tile - tile_row * tiles_w) * 4 - pad_w;
        floatin y[6][6];
        const int inside = tile < n_tiles && h0 >= 0 && w0 >= 0 && h0 + 6 <= in_h && w0 + 6 <= in_w;
        __global const float *xp = x + ((((size_t)n * in_blocks + cb) * in_t + t) * in_h * in_w + (h0 * in_w + w0)) * BI;
#pragma unroll
        for (int r = 0; r < 6; r++) {
            floatin in[6];
            if (inside) {
#pragma unroll
                for (int c = 0; c < 6; c++)
                    in[c] = LOAD_IN(r * in_w + c, xp);
            } else {
                const int row_inside = tile < n_tiles && h0 + r >= 0 && h0 + r < in_h;
#pragma unroll
                for (int c = 0; c < 6; c++)
                    in[c] = LOAD_IN(0, row_inside && w0 + c >= 0 && w0 + c < in_w ? xp + (r * in_w + c) * BI : zeros);
            }
            INPUT_TRANSFORM(floatin, y[r], in[0], in[1], in[2], in[3], in[4], in[5])
        }
#pragma unroll
        for (int c = 0; c < 6; c++) {
            floatin o[6];
            INPUT_TRANSFORM(floatin, o, y[0][c], y[1][c], y[2][c], y[3][c], y[4][c], y[5][c])
#pragma unroll
            for (int r = 0; r < 6; r++)
                STORE_IN(o[r], 0, to + (r * 6 + c) * frequency);
        }
    }
}

// One frame and output block of the output's gradient. What tiles have beyond the output, and tiles past the last one, are zeros.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_gradient(__global const float *restrict dy, __global float *restrict m, __global const float *restrict zeros,
                         int out_blocks, int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int first_tile, int n_tiles,
                         int chunk_tiles)
{
    const int t = get_global_id(0), kb = get_global_id(1);
    const size_t frequency = (size_t)out_t * out_blocks * chunk_tiles * BO;
    for (int i = 0; i < chunk_tiles; i++) {
        __global float *to = m + (((size_t)t * out_blocks + kb) * chunk_tiles + i) * BO;
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
                d[c] = VLOAD(0, row_inside && w0 + c < out_w ? dp + (r * out_w + c) * BO : zeros);
            GRADIENT_TRANSFORM(x[r], d[0], d[1], d[2], d[3])
        }
#pragma unroll
        for (int c = 0; c < 6; c++) {
            floatv o[6];
            GRADIENT_TRANSFORM(o, x[0][c], x[1][c], x[2][c], x[3][c])
#pragma unroll
            for (int r = 0; r < 6; r++)
                VSTORE(o[r], 0, to + (r * 6 + c) * frequency);
        }
    }
}
