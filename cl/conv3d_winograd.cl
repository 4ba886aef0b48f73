// 3×3×3 convolution with stride 1 by Winograd's F(4×4, 3×3) on height and width, direct in time: 36 products instead of 144 for a
// tile of 4×4 outputs (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; points 0, ±1, ±2, ∞).
// For CPUs: explicit vectors over the channels of a block.
//
// Spatial tiles (n, th, tw) are numbered through the batch; one launch pair works on a chunk of them, whose transformed input
// stays in cache: V[36][in_t][in_blocks][chunk_tiles][BI]. Transformed weights are U[36][out_blocks][taps_t][in_blocks][BI][BO].
//
// -D BI, BO   blocks of input and output (BO is the vector width of the products, BI that of the input transform)
//    KU, RW   register tile of the products: output blocks × spatial tiles
//    TB       frames for which a work-item uses the weights of one frequency before it goes on to the next

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

// Aᵀ: six frequencies to four outputs.
#define OUTPUT_TRANSFORM(o, m0, m1, m2, m3, m4, m5)                                                                            \
    {                                                                                                                          \
        const floatv s_ = m1 + m2, t_ = m1 - m2, p_ = m3 + m4, q_ = m3 - m4;                                                       \
        o[0] = m0 + s_ + p_;                                                                                                     \
        o[1] = fma(q_, (floatv)(2.0f), t_);                                                                                                \
        o[2] = fma(p_, (floatv)(4.0f), s_);                                                                                                \
        o[3] = fma(q_, (floatv)(8.0f), t_) + m5;                                                                                           \
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

enum { WITH_BIAS = 1, WITH_RESIDUAL = 2, WITH_RELU = 4, ACCUMULATE = 8 };

// RW spatial tiles × KU output blocks × TB frames: for each frequency the products, kept in private memory, then the way back.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_multiply(__global const float *restrict v, __global const float *restrict u, __global float *y,
                         __global const float *restrict bias, __global const float *residual, int flags, int in_blocks,
                         int out_blocks, int in_t, int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int taps_t, int pad_t,
                         int first_tile, int n_tiles, int chunk_tiles)
{
    const int i0 = get_global_id(0) * RW, t0 = get_global_id(1) * TB, kb = get_global_id(2) * KU;
    const size_t v_frame = (size_t)in_blocks * chunk_tiles * BI, v_frequency = in_t * v_frame;
    const size_t u_block = (size_t)taps_t * in_blocks * BI * BO, u_frequency = out_blocks * u_block;
    floatv products[TB][KU][RW][36];

    for (int f = 0; f < 36; f++)
        for (int tb = 0; tb < TB; tb++) {
            floatv acc[KU][RW];
#pragma unroll
            for (int k = 0; k < KU; k++)
#pragma unroll
                for (int r = 0; r < RW; r++)
                    acc[k][r] = (floatv)(0.0f);
            for (int kt = 0; kt < taps_t; kt++) {
                const int it = t0 + tb + kt - pad_t;
                if (it < 0 || it >= in_t)
                    continue;
                __global const float *vp = v + f * v_frequency + it * v_frame + i0 * BI;
                __global const float *up = u + f * u_frequency + kb * u_block + (size_t)kt * in_blocks * BI * BO;
                for (int cb = 0; cb < in_blocks; cb++, vp += chunk_tiles * BI, up += BI * BO)
#pragma unroll 4
                    for (int c = 0; c < BI; c++) {
                        floatv w[KU];
#pragma unroll
                        for (int k = 0; k < KU; k++)
                            w[k] = VLOAD(c, up + k * u_block);
#pragma unroll
                        for (int r = 0; r < RW; r++) {
                            const float value = vp[r * BI + c];
#pragma unroll
                            for (int k = 0; k < KU; k++)
                                acc[k][r] = fma((floatv)(value), w[k], acc[k][r]);
                        }
                    }
            }
#pragma unroll
            for (int k = 0; k < KU; k++)
#pragma unroll
                for (int r = 0; r < RW; r++)
                    products[tb][k][r][f] = acc[k][r];
        }

    for (int tb = 0; tb < TB && t0 + tb < out_t; tb++)
        for (int k = 0; k < KU; k++)
            for (int r = 0; r < RW; r++) {
                const int tile = first_tile + i0 + r, tile_row = tile / tiles_w, n = tile_row / tiles_h;
                if (tile >= n_tiles)
                    break;
                const int h0 = (tile_row - n * tiles_h) * 4, w0 = (tile - tile_row * tiles_w) * 4;
                floatv x[6][4];
#pragma unroll
                for (int i = 0; i < 6; i++) {
                    const floatv *m = products[tb][k][r] + i * 6;
                    OUTPUT_TRANSFORM(x[i], m[0], m[1], m[2], m[3], m[4], m[5])
                }
                const size_t at = ((((size_t)n * out_blocks + kb + k) * out_t + t0 + tb) * out_h + h0) * out_w + w0;
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    floatv o[4];
                    OUTPUT_TRANSFORM(o, x[0][j], x[1][j], x[2][j], x[3][j], x[4][j], x[5][j])
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        if (h0 + i >= out_h || w0 + j >= out_w)
                            continue;
                        const size_t to = at + i * out_w + j;
                        floatv value = o[i];
                        if (flags & WITH_BIAS)
                            value += VLOAD(kb + k, bias);
                        if (flags & WITH_RESIDUAL)
                            value += VLOAD(to, residual);
                        if (flags & WITH_RELU)
                            value = max(value, (floatv)(0.0f));
                        if (flags & ACCUMULATE)
                            value += VLOAD(to, (__global const float *)y);
                        VSTORE(value, to, y);
                    }
                }
            }
}
