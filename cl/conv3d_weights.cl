// Weights for the gradient with respect to the input: input and output channels change places, and of each axis the taps
// first, first + step, … (count of them) are taken in reverse order. From [KB][CB][T][H][W][BI][BO] to [CB][KB][t][h][w][BO][BI].
//
// -D BI, BO   blocks of the convolution's input and output

#include "layout.clh"

// to[BO][BI] = from[BI][BO] transposed, in squares of four where the blocks allow (Oclgrind 21.10 with --uninitialized crashes on
// the shuffles that they become).
void transpose_block(__global const float *from, __global float *to)
{
#if BI % 4 == 0 && BO % 4 == 0 && !defined(INTERPRETED)
#pragma unroll
    for (int c = 0; c < BI; c += 4)
#pragma unroll
        for (int k = 0; k < BO; k += 4) {
            __global const float *p = from + c * BO + k;
            __global float *q = to + k * BI + c;
            const float4 a = vload4(0, p), b = vload4(0, p + BO), d = vload4(0, p + 2 * BO), e = vload4(0, p + 3 * BO);
            vstore4((float4)(a.s0, b.s0, d.s0, e.s0), 0, q);
            vstore4((float4)(a.s1, b.s1, d.s1, e.s1), 0, q + BI);
            vstore4((float4)(a.s2, b.s2, d.s2, e.s2), 0, q + 2 * BI);
            vstore4((float4)(a.s3, b.s3, d.s3, e.s3), 0, q + 3 * BI);
        }
#else
    for (int k = 0; k < BO; k++)
        for (int c = 0; c < BI; c++)
            to[k * BI + c] = from[c * BO + k];
#endif
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_transpose_weights(__global const float *restrict weights, __global float *restrict transposed, int in_blocks,
                         int out_blocks, int taps_t, int taps_h, int taps_w, int first_t, int first_h, int first_w, int step_t,
                         int step_h, int step_w, int count_t, int count_h, int count_w)
{
    const int kb = get_global_id(0), cb = get_global_id(1);
    __global const float *from = weights + ((size_t)kb * in_blocks + cb) * taps_t * taps_h * taps_w * BI * BO;
    __global float *to = transposed + ((size_t)cb * out_blocks + kb) * count_t * count_h * count_w * BI * BO;
    for (int t = count_t - 1; t >= 0; t--)
        for (int h = count_h - 1; h >= 0; h--)
            for (int w = count_w - 1; w >= 0; w--, to += BI * BO) {
                const int tap = ((first_t + step_t * t) * taps_h + first_h + step_h * h) * taps_w + first_w + step_w * w;
                // The tap after this one.
                const int next = w > 0 ? tap - step_w : tap - step_h * taps_w + (count_w - 1) * step_w;
                for (int i = 0; i < BI * BO; i += 16)
                    PREFETCH(from + (long)next * BI * BO + i);
                transpose_block(from + (size_t)tap * BI * BO, to);
            }
}
