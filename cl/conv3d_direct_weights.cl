// Gradient of a 3D convolution with respect to its weights, direct, for CPUs:
// dw[k, c, tap] = Σ over n, t, h, w of dy[n, k, o] · x[n, c, o·stride + tap − pad].
//
// A work-item owns KU output blocks × one input block × all taps, and one of the splits of the (n, t, rows) to sum over. It goes
// through the rows of its split in chunks that stay in cache; for each tap a register tile of weights is taken up, the chunk is
// summed into it, and it is put back. Splits are added in fixed order by conv3d_add_splits.
//
// -D BI, BO     block of x and of dy (BO is the vector width)
//    KU, CU     the register tile: KU vectors of output channels × CU input channels; CU divides BI, or if that is 1, C
//    KW, SW, PW taps, stride and padding along a row
//    ROW        inputs with one channel in a block: width of the padded input
//    X_STORAGE, Y_STORAGE  how x and dy are stored (storage.clh)
//    ROWS       inputs that are not floats and have several channels in a block: numbers in the input rows of a chunk
//    COLUMNS    defined to the output's width where rows are short: the loop along a row is then unrolled

#define VECTOR BO
#include "storage.clh"

#ifndef COLUMNS
#define COLUMNS 0
#endif

// Input blocks of a work-item.
#if BI == 1
#define CHANNEL_BLOCKS CU
#else
#define CHANNEL_BLOCKS 1
#endif

// Output columns for which tap kw is inside the row.
#define FIRST_COLUMN(kw) (((PW) - (kw) + SW - 1 > 0 ? (PW) - (kw) + SW - 1 : 0) / SW)

#define WEIGHTS_ARGUMENTS                                                                                                      \
    __global const MAP(X_STORAGE) *restrict x, __global const MAP(Y_STORAGE) *restrict dy, __global float *restrict dw, int n_samples,           \
        int in_blocks, int out_blocks, int in_t, int in_h, int in_w, int out_t, int out_h, int out_w, int taps_t, int taps_h,  \
        int stride_t, int stride_h, int pad_t, int pad_h, int n_splits, int chunk_rows

// Planes (n, t) times row chunks, dealt out to the splits in runs of equal length.
#define WEIGHTS_SETUP                                                                                                          \
    const int kb = get_global_id(0) * KU, cb = get_global_id(1) * CHANNEL_BLOCKS, split = get_global_id(2);                                     \
    const int chunks = (out_h + chunk_rows - 1) / chunk_rows, n_chunks = n_samples * out_t * chunks;                           \
    const int first = (int)((long)n_chunks * split / n_splits), last = (int)((long)n_chunks * (split + 1) / n_splits);         \
    const int taps = taps_t * taps_h * KW;                                                                                     \
    const size_t block_stride = (size_t)in_blocks * taps * BI * BO;                                                            \
    const size_t y_stride = (size_t)out_t * out_h * out_w * BO;                                                                \
    __global float *own = dw + (size_t)split * out_blocks * block_stride + kb * block_stride + (size_t)cb * taps * BI * BO;    \
    for (int u = 0; u < KU; u++)                                                                                               \
        for (int i = 0; i < taps * BI * CHANNEL_BLOCKS; i++)                                                                                    \
            VSTORE((floatv)(0.0f), i, own + u * block_stride);

#if BI > 1

// One output column: CU input channels × KU vectors.
#define COLUMN(ow)                                                                                                             \
    {                                                                                                                          \
        floatv d[KU];                                                                                                          \
        _Pragma("unroll") for (int u = 0; u < KU; u++) d[u] = MAP_LOAD(Y_STORAGE, ow, dp + u * y_stride);                                    \
        _Pragma("unroll") for (int c = 0; c < CU; c++)                                                                         \
        {                                                                                                                      \
            const float value = xp[((ow) * SW + kw - (PW)) * BI + c];                                                          \
            _Pragma("unroll") for (int u = 0; u < KU; u++) acc[u][c] = fma((floatv)(value), d[u], acc[u][c]);                  \
        }                                                                                                                      \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv3d_backward_weights_direct(WEIGHTS_ARGUMENTS)
{
    WEIGHTS_SETUP
    for (int chunk = first; chunk < last; chunk++) {
        const int frame = chunk / chunks, n = frame / out_t, ot = frame - n * out_t;
        const int oh0 = (chunk - frame * chunks) * chunk_rows, oh1 = min(oh0 + chunk_rows, out_h);
        __global const MAP(Y_STORAGE) *dplane = dy + ((size_t)n * out_blocks + kb) * y_stride + (size_t)ot * out_h * out_w * BO;
        for (int kt = 0; kt < taps_t; kt++) {
            const int it = ot * stride_t + kt - pad_t;
            if (it < 0 || it >= in_t)
                continue;
            __global const MAP(X_STORAGE) *xplane = x + (((size_t)n * in_blocks + cb) * in_t + it) * in_h * in_w * BI;
            for (int kh = 0; kh < taps_h; kh++) {
#if X_STORAGE
                // Numbers are broadcast one by one, and many times: they become floats once.
                float rows[ROWS];
                for (int oh = oh0; oh < oh1; oh++) {
                    const int ih = oh * stride_h + kh - pad_h;
                    for (int i = 0; i < in_w && ih >= 0 && ih < in_h; i++)
                        MAXGL_PASTE(vstore, BI)(MAP_LOADN(BI, X_STORAGE, ih * in_w + i, xplane), (oh - oh0) * in_w + i, rows);
                }
#endif
#if COLUMNS
#pragma unroll
#endif
                for (int kw = 0; kw < KW; kw++) {
                    const int w0 = FIRST_COLUMN(kw), w1 = min(out_w, (in_w - 1 + (PW) - kw + SW) / SW);
                    __global float *wp = own + (((size_t)kt * taps_h + kh) * KW + kw) * BI * BO;
                    for (int c0 = 0; c0 < BI; c0 += CU) {
                        floatv acc[KU][CU];
#pragma unroll
                        for (int u = 0; u < KU; u++)
#pragma unroll
                            for (int c = 0; c < CU; c++)
                                acc[u][c] = VLOAD(c0 + c, wp + u * block_stride);
                        for (int oh = oh0; oh < oh1; oh++) {
                            const int ih = oh * stride_h + kh - pad_h;
                            if (ih < 0 || ih >= in_h)
                                continue;
                            __global const MAP(Y_STORAGE) *dp = dplane + (size_t)oh * out_w * BO;
#if X_STORAGE
                            const float *xp = rows + (oh - oh0) * in_w * BI + c0;
#else
                            __global const float *xp = xplane + (size_t)ih * in_w * BI + c0;
#endif
#if COLUMNS
#pragma unroll
                            for (int ow = 0; ow < COLUMNS; ow++)
                                if (ow * SW + kw - (PW) >= 0 && ow * SW + kw - (PW) < IN_COLUMNS)
                                    COLUMN(ow)
#else
                            for (int ow = w0; ow < w1; ow++)
                                COLUMN(ow)
#endif
                        }
#pragma unroll
                        for (int u = 0; u < KU; u++)
#pragma unroll
                            for (int c = 0; c < CU; c++)
                                VSTORE(acc[u][c], c0 + c, wp + u * block_stride);
                    }
                }
            }
        }
    }
}

#else

// The same for inputs with one channel in a block (a first layer): the register tile is KU vectors × CU channels × the KW taps of
// a row, and CU divides the number of channels.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv3d_backward_weights_planar(WEIGHTS_ARGUMENTS)
{
    WEIGHTS_SETUP
    const size_t plane = (size_t)in_t * in_h * in_w, channel = (size_t)taps * BO;
    // The row at hand between the zeros that taps see beyond its ends.
    float row[CU][ROW];
    for (int c = 0; c < CU; c++)
        for (int i = 0; i < ROW; i++)
            row[c][i] = 0.0f;
    for (int chunk = first; chunk < last; chunk++) {
        const int frame = chunk / chunks, n = frame / out_t, ot = frame - n * out_t;
        const int oh0 = (chunk - frame * chunks) * chunk_rows, oh1 = min(oh0 + chunk_rows, out_h);
        __global const MAP(Y_STORAGE) *dplane = dy + ((size_t)n * out_blocks + kb) * y_stride + (size_t)ot * out_h * out_w * BO;
        for (int kt = 0; kt < taps_t; kt++) {
            const int it = ot * stride_t + kt - pad_t;
            if (it < 0 || it >= in_t)
                continue;
            __global const MAP(X_STORAGE) *xplane = x + ((size_t)n * in_blocks + cb) * plane + (size_t)it * in_h * in_w;
            for (int kh = 0; kh < taps_h; kh++) {
                __global float *wp = own + ((size_t)kt * taps_h + kh) * KW * BO;
                floatv acc[KU][CU][KW];
#pragma unroll
                for (int u = 0; u < KU; u++)
#pragma unroll
                    for (int c = 0; c < CU; c++)
#pragma unroll
                        for (int kw = 0; kw < KW; kw++)
                            acc[u][c][kw] = VLOAD(kw, wp + u * block_stride + c * channel);
                for (int oh = oh0; oh < oh1; oh++) {
                    const int ih = oh * stride_h + kh - pad_h;
                    if (ih < 0 || ih >= in_h)
                        continue;
                    __global const MAP(Y_STORAGE) *dp = dplane + (size_t)oh * out_w * BO;
                    __global const MAP(X_STORAGE) *xp = xplane + (size_t)ih * in_w;
                    for (int c = 0; c < CU; c++) {
                        int from = 0;
#if X_STORAGE == 0
                        for (; from + BO <= in_w; from += BO)
                            VSTORE(VLOAD(0, xp + c * plane + from), 0, row[c] + (PW) + from);
#endif
                        for (; from < in_w; from++)
                            row[c][(PW) + from] = MAP_GET(X_STORAGE, xp, c * plane + from);
                    }
                    for (int ow = 0; ow < out_w; ow++) {
                        floatv d[KU];
#pragma unroll
                        for (int u = 0; u < KU; u++)
                            d[u] = MAP_LOAD(Y_STORAGE, ow, dp + u * y_stride);
#pragma unroll
                        for (int c = 0; c < CU; c++)
#pragma unroll
                            for (int kw = 0; kw < KW; kw++) {
                                const float value = row[c][ow * SW + kw];
#pragma unroll
                                for (int u = 0; u < KU; u++)
                                    acc[u][c][kw] = fma((floatv)(value), d[u], acc[u][c][kw]);
                            }
                    }
                }
#pragma unroll
                for (int u = 0; u < KU; u++)
#pragma unroll
                    for (int c = 0; c < CU; c++)
#pragma unroll
                        for (int kw = 0; kw < KW; kw++)
                            VSTORE(acc[u][c][kw], kw, wp + u * block_stride + c * channel);
            }
        }
    }
}

#endif

// dw = Σ splits, in order. @count vectors of BO floats; a work-item sums @grain of them.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_add_splits(__global const float *restrict parts, __global float *restrict dw, int n_splits, uint count, uint grain)
{
    const uint first = get_global_id(0) * grain, last = min(first + grain, count);
    for (uint i = first; i < last; i++) {
        floatv sum = VLOAD(i, parts);
        for (int s = 1; s < n_splits; s++)
            sum += VLOAD(i, parts + (size_t)s * count * BO);
        VSTORE(sum, i, dw);
    }
}
