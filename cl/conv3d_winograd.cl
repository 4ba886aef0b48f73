// 3×3×3 convolution with stride 1 by Winograd's F(4×4, 3×3) on height and width, direct in time: 36 products instead of 144 for a
// tile of 4×4 outputs. For CPUs: explicit vectors over the channels of a block. The transformed input V of a chunk of tiles, which
// stays in cache, and the transformed weights U come from conv3d_winograd_transforms.cl.
//
// -D BI, BO   blocks of input and output (BO is the vector width)
//    KU, RW   register tile of the products: output blocks × spatial tiles
//    TB       frames for which a work-item uses the weights of one frequency before it goes on to the next

#define VECTOR BO
#include "layout.clh"

// Aᵀ: six frequencies to four outputs.
#define OUTPUT_TRANSFORM(o, m0, m1, m2, m3, m4, m5)                                                                            \
    {                                                                                                                          \
        const floatv s_ = m1 + m2, t_ = m1 - m2, p_ = m3 + m4, q_ = m3 - m4;                                                       \
        o[0] = m0 + s_ + p_;                                                                                                     \
        o[1] = fma(q_, (floatv)(2.0f), t_);                                                                                                \
        o[2] = fma(p_, (floatv)(4.0f), s_);                                                                                                \
        o[3] = fma(q_, (floatv)(8.0f), t_) + m5;                                                                                           \
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
