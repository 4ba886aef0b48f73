// Gradient of the convolution of conv3d_winograd.cl with respect to its weights: per frequency, Σ over frames and tiles of
// V · M, both from conv3d_winograd_transforms.cl, then the transpose of the weights' transform. For CPUs.
//
// A work-item owns KU output blocks × one input block × TAPS taps in time, and goes through all tiles of the chunk, so that each
// sum has one order, whatever the number of work-items at once. One frequency of its V and M stays in its core's cache.
//
// -D BI, BO   blocks of input and output (BO is the vector width)
//    TILE     outputs a tile's side: 4 or 2
//    KU, CU   register tile: KU vectors of output channels × CU input channels; CU divides BI
//    TAPS     divides taps_t
//    GROUP    tiles of a group of V and M

#define VECTOR BO
#define INPUT_VECTOR BI
#include "layout.clh"
#include "conv3d_winograd_tile.clh"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_backward_weights(__global const float *restrict v, __global const float *restrict m, __global float *dw,
                                 int accumulate, int in_blocks, int out_blocks, int in_t, int out_t, int taps_t, int pad_t,
                                 int chunk_tiles)
{
    const int kb = get_global_id(0) * KU, cb = get_global_id(1), kt0 = get_global_id(2) * TAPS;
    const size_t v_block = (size_t)chunk_tiles * FREQUENCIES * BI, m_block = (size_t)chunk_tiles * FREQUENCIES * BO;
    floatv sums[TAPS][FREQUENCIES][KU][BI];

    for (int f = 0; f < FREQUENCIES; f++)
        for (int tap = 0; tap < TAPS; tap++) {
            // Frames of the output that meet a frame of the input at this tap.
            const int shift = kt0 + tap - pad_t, first = max(0, -shift), last = min(out_t, in_t - shift);
            for (int c0 = 0; c0 < BI; c0 += CU) {
                floatv acc[KU][CU];
#pragma unroll
                for (int k = 0; k < KU; k++)
#pragma unroll
                    for (int c = 0; c < CU; c++)
                        acc[k][c] = (floatv)(0.0f);
                for (int t = first; t < last; t++) {
                    __global const float *vp = v + ((t + shift) * in_blocks + cb) * v_block + f * GROUP * BI + c0;
                    __global const float *mp = m + (t * out_blocks + kb) * m_block + f * GROUP * BO;
                    for (int g = 0; g < chunk_tiles; g += GROUP, vp += FREQUENCIES * GROUP * BI, mp += FREQUENCIES * GROUP * BO)
                        for (int i = 0; i < GROUP; i++) {
                            floatv d[KU];
#pragma unroll
                            for (int k = 0; k < KU; k++)
                                d[k] = VLOAD_ALIGNED(i, mp + k * m_block);
#pragma unroll
                            for (int c = 0; c < CU; c++) {
                                const float value = vp[i * BI + c];
#pragma unroll
                                for (int k = 0; k < KU; k++)
                                    acc[k][c] = fma((floatv)(value), d[k], acc[k][c]);
                            }
                        }
                }
#pragma unroll
                for (int k = 0; k < KU; k++)
#pragma unroll
                    for (int c = 0; c < CU; c++)
                        sums[tap][f][k][c0 + c] = acc[k][c];
            }
        }

    for (int tap = 0; tap < TAPS; tap++)
        for (int k = 0; k < KU; k++) {
            __global float *to = dw + ((((size_t)kb + k) * in_blocks + cb) * taps_t + kt0 + tap) * 9 * BI * BO;
            for (int c = 0; c < BI; c++) {
                floatv x[EDGE][3];
#pragma unroll
                for (int i = 0; i < EDGE; i++) {
                    floatv row[EDGE];
#pragma unroll
                    for (int j = 0; j < EDGE; j++)
                        row[j] = sums[tap][i * EDGE + j][k][c];
                    weights_from_frequencies(x[i], row);
                }
#pragma unroll
                for (int j = 0; j < 3; j++) {
                    floatv column[EDGE], o[3];
#pragma unroll
                    for (int i = 0; i < EDGE; i++)
                        column[i] = x[i][j];
                    weights_from_frequencies(o, column);
#pragma unroll
                    for (int i = 0; i < 3; i++) {
                        const int at = (i * 3 + j) * BI + c;
                        VSTORE_ALIGNED(accumulate ? o[i] + VLOAD_ALIGNED(at, to) : o[i], at, to);
                    }
                }
            }
        }
}
