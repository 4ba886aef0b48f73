// Gradient of a convolution with stride 1 with respect to its input, for CPUs and maps that are small beside the weights: the
// weights are read as they lie, once, and not turned round first. A vector's lanes are output channels, so sums are vectors until
// the end, when their lanes are added:
// dx[n, c, i] = Σ over k, tap of dy[n, k, i + pad − tap] · w[k, c, tap].
//
// A work-item owns one input block. For KB output blocks after the others it adds their share to all its sums, CU channels of a row
// of pixels at a time; weights and dy of these blocks stay in the inner caches, and so do the sums.
//
// -D BI, BO   blocks of dx and of dy (BO is the vector width)
//    CU, RW   register tile: input channels × width of dx; CU divides BI
//    KB       output blocks
//    KW, PW   taps and padding along a row
//    OUT_W    width of dy
//    X_STORAGE, Y_STORAGE  how dx and dy are stored (storage.clh)

#define VECTOR BO
#include "storage.clh"

inline float sum_of_lanes(floatv v)
{
#ifdef INTERPRETED
    float lanes[BO], sum = 0.0f;
    VSTORE(v, 0, lanes);
    for (int i = 0; i < BO; i++)
        sum += lanes[i];
    return sum;
#else
#if BO == 16
    const float8 half_ = v.lo + v.hi;
    const float4 quarter = half_.lo + half_.hi;
#elif BO == 8
    const float4 quarter = v.lo + v.hi;
#else
    const float4 quarter = v;
#endif
    return (quarter.s0 + quarter.s2) + (quarter.s1 + quarter.s3);
#endif
}

#define OUTSIDE(column, kw) ((column) + (PW) - (kw) < 0 || (column) + (PW) - (kw) >= OUT_W)

// @sums: [in_blocks][n · in_t · in_h][BI][RW] vectors.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_backward_data_dot(__global const MAP(Y_STORAGE) *restrict dy, __global const float *restrict weights, __global MAP(X_STORAGE) *dx,
                         __global float *restrict sums, int accumulate, int n_samples, int in_blocks, int out_blocks, int in_t,
                         int in_h, int out_t, int out_h, int taps_t, int taps_h, int pad_t, int pad_h)
{
    const int cb = get_global_id(0), n_rows = n_samples * in_t * in_h;
    __global float *own = sums + (size_t)cb * n_rows * BI * RW * BO;
    for (int i = 0; i < n_rows * BI * RW; i++)
        VSTORE_ALIGNED((floatv)(0.0f), i, own);

    const size_t d_block = (size_t)out_t * out_h * OUT_W * BO, w_block = (size_t)in_blocks * taps_t * taps_h * KW * BI * BO;
    const int lines = (taps_t * taps_h * KW * BI * BO + 15) / 16, ahead = (lines + n_rows - 1) / n_rows;
    for (int kb = 0; kb < out_blocks; kb += KB) {
        const int blocks = min(KB, out_blocks - kb);
        __global const float *w = weights + kb * w_block + (size_t)cb * taps_t * taps_h * KW * BI * BO;
        for (int row = 0; row < n_rows; row++) {
            const int map = row / in_h, h = row - map * in_h, n = map / in_t, t = map - n * in_t;
            __global const MAP(Y_STORAGE) *d = dy + ((size_t)n * out_blocks + kb) * d_block;
            // A part of the next output blocks' weights: all of them by the last row.
            for (int b = 0; b < KB; b++)
                for (int i = row * ahead; i < (row + 1) * ahead; i++)
                    PREFETCH(w + (KB + b) * w_block + i * 16);
            // Taps whose row of dy exists.
            const int kt0 = max(0, t + pad_t - out_t + 1), kt1 = min(taps_t, t + pad_t + 1);
            const int kh0 = max(0, h + pad_h - out_h + 1), kh1 = min(taps_h, h + pad_h + 1);
            for (int c = 0; c < BI; c += CU) {
                __global float *at = own + ((size_t)row * BI + c) * RW * BO;
                floatv acc[CU][RW];
#pragma unroll
                for (int u = 0; u < CU; u++)
#pragma unroll
                    for (int i = 0; i < RW; i++)
                        acc[u][i] = VLOAD_ALIGNED(u * RW + i, at);
                for (int b = 0; b < blocks; b++)
                    for (int kt = kt0; kt < kt1; kt++)
                        for (int kh = kh0; kh < kh1; kh++) {
                            __global const MAP(Y_STORAGE) *dp = d + b * d_block + ((t + pad_t - kt) * out_h + h + pad_h - kh) * OUT_W * BO;
                            __global const float *wp = w + b * w_block + ((kt * taps_h + kh) * KW * BI + c) * BO;
#pragma unroll
                            for (int kw = 0; kw < KW; kw++) {
                                floatv here[CU];
#pragma unroll
                                for (int u = 0; u < CU; u++)
                                    here[u] = VLOAD_ALIGNED(kw * BI + u, wp);
#pragma unroll
                                for (int i = 0; i < RW; i++) {
                                    if (OUTSIDE(i, kw))
                                        continue;
                                    const floatv pixel = MAP_LOAD(Y_STORAGE, i + (PW) - kw, dp);
#pragma unroll
                                    for (int u = 0; u < CU; u++)
                                        acc[u][i] = fma(pixel, here[u], acc[u][i]);
                                }
                            }
                        }
#pragma unroll
                for (int u = 0; u < CU; u++)
#pragma unroll
                    for (int i = 0; i < RW; i++)
                        VSTORE_ALIGNED(acc[u][i], u * RW + i, at);
            }
        }
    }

    for (int row = 0; row < n_rows; row++) {
        const int map = row / in_h, h = row - map * in_h, n = map / in_t, t = map - n * in_t;
        __global MAP(X_STORAGE) *to = dx + ((((size_t)n * in_blocks + cb) * in_t + t) * in_h + h) * RW * BI;
        for (int i = 0; i < RW; i++)
            for (int c = 0; c < BI; c++) {
                const float sum = sum_of_lanes(VLOAD_ALIGNED(((size_t)row * BI + c) * RW + i, own));
                MAP_PUT(X_STORAGE, to, i * BI + c, accumulate ? MAP_GET(X_STORAGE, to, i * BI + c) + sum : sum);
            }
    }
}
