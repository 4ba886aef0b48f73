// Direct 3D convolution for CPUs: one work-item owns a register tile of KU output-channel blocks × (RH × RW) pixels and walks
// through all taps and input channels with broadcast multiply-adds. No local memory, no barriers.
//
// -D BI, BO        block of the input and of the output tensor (BO is the vector width, too)
//    KU, RH, RW    the register tile; KU divides the number of output blocks, RW is at most the output's width
//    KW, SH, SW    taps along a row; strides
//    PL, PR        columns that taps reach beyond the left and the right edge at most (negative: they stay short of it)
//    WHOLE_ROW     defined to the input's width when RW is the output's whole width: edges are then known at compile time

//    PREFETCH_WEIGHTS  vectors of weights that are asked for ahead
//    UNROLL        input channels at once
//    X_STORAGE     how x is stored (storage.clh)
//    Y_STORAGE     how y and the residual are stored

#define VECTOR BO
#include "storage.clh"

// Inputs along a row that a tile sees, and how many of them share a cache line of 64 bytes.
#define SPAN ((RW - 1) * SW + KW)
#define LINE (BI >= 16 ? 1 : 16 / BI)

// A tap of pixel rw can lie outside the row on the left (in the first tile) or on the right (in the last one).
#define MAY_LEFT(rw, kw) ((rw) * SW + (kw) - (PL) < 0)
#define MAY_RIGHT(rw, kw) ((kw) >= (RW - 1 - (rw)) * SW + KW - (PR))

// Known at compile time to be outside of the row.
#ifdef WHOLE_ROW
#define OUTSIDE(r) ((((r) % RW) * SW + kw - (PL)) < 0 || (((r) % RW) * SW + kw - (PL)) >= WHOLE_ROW)
#else
#define OUTSIDE(r) 0
#endif

#if BI == 1
#define STORE_SPAN(v, i, p) ((p)[i] = (v))
#else
#define STORE_SPAN(v, i, p) MAXGL_PASTE(vstore, BI)(v, i, p)
#endif

enum { WITH_BIAS = 1, WITH_RESIDUAL = 2, WITH_RELU = 4, ACCUMULATE = 8 };

// y[n, k, (o)·y_stride + y_start] = Σ x[n, c, o·stride + tap − pad] · w. The y_ strides serve the gradient of a strided
// convolution, whose output positions fall into phases. @zeros: a row of zeros that stands for rows outside the map. @sums: floats
// that lie as y does, for what the chunks of input channels have come to so far; y itself where that holds floats.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_forward_direct(__global const MAP(X_STORAGE) *restrict x, __global const float *restrict weights, __global MAP(Y_STORAGE) *y,
                      __global const float *restrict bias, __global const MAP(Y_STORAGE) *residual,
                      __global const MAP(X_STORAGE) *restrict zeros, __global float *sums,
                      int flags, int in_blocks, int chunk_blocks, int out_blocks, int n_tiles, int tiles_per_item,
                      int in_t, int in_h, int in_w, int out_t, int out_h, int out_w, int taps_t, int taps_h, int stride_t,
                      int pad_t, int pad_h, int y_t, int y_h, int y_w, int y_stride_t, int y_stride_h, int y_stride_w,
                      int y_start_t, int y_start_h, int y_start_w)
{
    const int kb = get_global_id(1) * KU;
    const int first = get_global_id(0) * tiles_per_item, last = min(first + tiles_per_item, n_tiles);
    const int tiles_w = (out_w + RW - 1) / RW, tiles_h = (out_h + RH - 1) / RH;
    const size_t taps = (size_t)taps_t * taps_h * KW;
    const size_t weights_stride = (size_t)in_blocks * taps * BI * BO;
    const size_t plane = (size_t)in_h * in_w * BI, y_plane = (size_t)y_t * y_h * y_w * BO;

    // At least once, so that a convolution without taps (a phase that none reaches) stores its zeros.
    for (int c0 = 0; c0 == 0 || c0 < in_blocks; c0 += chunk_blocks) {
        const int c1 = min(c0 + chunk_blocks, in_blocks);
        for (int tile = first; tile < last; tile++) {
            // Remainders by hand: from / and % of one pair the compiler makes an instruction (freeze) that Oclgrind lacks.
            const int row_tile = tile / tiles_w, frame = row_tile / tiles_h, n = frame / out_t;
            const int tw = tile - row_tile * tiles_w, th = row_tile - frame * tiles_h, ot = frame - n * out_t;
            // A last tile that would stick out starts earlier and does not store what the one before it has stored.
            const int ow0 = min(tw * RW, out_w - RW), oh0 = th * RH;
            const int skip = tw * RW - ow0, rows = min(RH, out_h - oh0);
            const int first_tile = ow0 == 0, last_tile = ow0 + RW >= out_w;
            const size_t to = ((size_t)n * out_blocks + kb) * y_plane +
                              (((size_t)(ot * y_stride_t + y_start_t) * y_h + oh0 * y_stride_h + y_start_h) * y_w +
                               ow0 * y_stride_w + y_start_w) * BO;
#define TO(u, r) (to + (u) * y_plane + ((size_t)((r) / RW) * y_stride_h * y_w + ((r) % RW) * y_stride_w) * BO)

            floatv acc[KU][RH * RW];
#pragma unroll
            for (int u = 0; u < KU; u++)
#pragma unroll
                for (int r = 0; r < RH * RW; r++)
                    acc[u][r] = (floatv)(0.0f);
            if (c0 > 0 || (flags & ACCUMULATE))
#pragma unroll
                for (int u = 0; u < KU; u++)
#pragma unroll
                    for (int r = 0; r < RH * RW; r++)
                        if (r / RW < rows && r % RW >= skip)
                            acc[u][r] = c0 > 0 ? VLOAD(0, sums + TO(u, r)) : MAP_LOAD(Y_STORAGE, 0, y + TO(u, r));

            for (int cb = c0; cb < c1; cb++)
                for (int kt = 0; kt < taps_t; kt++) {
                    const int it = ot * stride_t + kt - pad_t;
                    if (it < 0 || it >= in_t)
                        continue;
                    __global const MAP(X_STORAGE) *xp = x + (((size_t)n * in_blocks + cb) * in_t + it) * plane + (ow0 * SW - (PL)) * BI;
                    for (int kh = 0; kh < taps_h; kh++) {
                        const int ih0 = oh0 * SH + kh - pad_h;
#if RH == 1
                        if (ih0 < 0 || ih0 >= in_h)
                            continue;
#endif
                        __global const MAP(X_STORAGE) *row[RH];
#pragma unroll
                        for (int r = 0; r < RH; r++) {
                            const int ih = ih0 + r * SH;
                            row[r] = ih >= 0 && ih < in_h ? xp + (long)ih * in_w * BI : zeros;
                        }
                        __global const float *wp =
                            weights + kb * weights_stride + (((size_t)cb * taps_t + kt) * taps_h + kh) * KW * BI * BO;
#if BI > 1
                        // The rows that come next: of this frame, of the next one, or of the next block's first.
                        const int frames = kh + 1 < taps_h ? 0 : kt + 1 < taps_t ? 1 : in_t + 1 - taps_t;
                        const int rows_ahead = kh + 1 < taps_h ? 1 : 1 - taps_h;
                        __global const MAP(X_STORAGE) *next = xp + ((long)frames * in_h + ih0 + rows_ahead) * in_w * BI;
#pragma unroll
                        for (int r = 0; r < RH; r++)
#pragma unroll
                            for (int i = 0; i < SPAN; i += LINE)
                                PREFETCH(next + ((long)r * SH * in_w + i) * BI);
#endif
#if X_STORAGE
                        // Numbers are broadcast one by one, and many times: they become floats once.
                        float span[RH][SPAN * BI];
#pragma unroll
                        for (int r = 0; r < RH; r++)
                            for (int i = 0; i < SPAN; i++) {
                                const int column = ow0 * SW - (PL) + i, inside = column >= 0 && column < in_w;
                                STORE_SPAN(MAP_LOADN(BI, X_STORAGE, 0, inside ? row[r] + i * BI : zeros), i, span[r]);
                            }
#endif
#pragma unroll
                        for (int kw = 0; kw < KW; kw++) {
#if X_STORAGE
#define PIXEL(r) span[(r) / RW][(((r) % RW) * SW + kw) * BI + c]
#elif defined(WHOLE_ROW)
#define PIXEL(r) row[(r) / RW][(((r) % RW) * SW + kw) * BI + c]
#else
                            __global const float *edge[RH * RW];
#pragma unroll
                            for (int r = 0; r < RH * RW; r++) {
                                const int column = ((r % RW) * SW + kw) * BI;
                                edge[r] = row[r / RW] + column;
                                if (MAY_LEFT(r % RW, kw) && first_tile && ow0 * SW + (r % RW) * SW + kw - (PL) < 0)
                                    edge[r] = zeros;
                                if (MAY_RIGHT(r % RW, kw) && last_tile && ow0 * SW + (r % RW) * SW + kw - (PL) >= in_w)
                                    edge[r] = zeros;
                            }
#define PIXEL(r)                                                                                                               \
    (MAY_LEFT((r) % RW, kw) || MAY_RIGHT((r) % RW, kw) ? edge[r][c] : row[(r) / RW][(((r) % RW) * SW + kw) * BI + c])
#endif
#if BI > 1
#pragma unroll UNROLL
#endif
                            for (int c = 0; c < BI; c++) {
                                floatv w[KU];
#pragma unroll
                                for (int u = 0; u < KU; u++) {
                                    w[u] = VLOAD(0, wp + u * weights_stride + (kw * BI + c) * BO);
                                    if (BI > 1)
                                        PREFETCH(wp + u * weights_stride + (kw * BI + c + PREFETCH_WEIGHTS) * BO);
                                }
#pragma unroll
                                for (int r = 0; r < RH * RW; r++) {
                                    if (OUTSIDE(r))
                                        continue;
                                    const float value = PIXEL(r);
#pragma unroll
                                    for (int u = 0; u < KU; u++)
                                        acc[u][r] = fma((floatv)(value), w[u], acc[u][r]);
                                }
                            }
                        }
                    }
                }

#pragma unroll
            for (int u = 0; u < KU; u++)
#pragma unroll
                for (int r = 0; r < RH * RW; r++)
                    if (r / RW < rows && r % RW >= skip) {
                        floatv value = acc[u][r];
                        if (c1 >= in_blocks && flags) {
                            if (flags & WITH_BIAS)
                                value += VLOAD(kb + u, bias);
                            if (flags & WITH_RESIDUAL)
                                value += MAP_LOAD(Y_STORAGE, 0, residual + TO(u, r));
                            if (flags & WITH_RELU)
                                value = max(value, (floatv)(0.0f));
                        }
                        if (c1 < in_blocks)
                            VSTORE(value, 0, sums + TO(u, r));
                        else
                            MAP_STORE(Y_STORAGE, value, 0, y + TO(u, r));
                    }
        }
    }
}
