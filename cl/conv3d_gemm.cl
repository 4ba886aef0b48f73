// 3D convolution, forward and backward data, as an implicit matrix product through local memory:
//
//   forward        y[k, pixel]  = Σ_depth w[k, depth] · x[depth, pixel]     depth = (block of x, tap, channel)
//   backward data  dx[c, pixel] = Σ_depth w[depth, c] · dy[depth, pixel]    depth = (block of dy, tap, channel)
//
// Backward data gathers: positions of x that are equal modulo the stride make a phase; they see the same taps, so a phase is
// a convolution of stride 1 over dy with those taps alone. Dimension 2 of the launch is the phase. One without taps stores
// zeros.
//
//   BI, BO       channel blocks of x and y; weights lie as [K/BO][C/BI][taps][BI][BO]
//   TRANSPOSED   0 forward, 1 backward data
//   TM … UNROLL  see tile.clh
//   X_STORAGE, Y_STORAGE  how the source, x or dy, and the result and residual are stored (storage.clh)

#if TRANSPOSED
#define CONV3D_GEMM conv3d_backward_data_gemm
#define SOURCE_BLOCK BO
#define ROW_BLOCK BI
#else
#define CONV3D_GEMM conv3d_forward_gemm
#define SOURCE_BLOCK BI
#define ROW_BLOCK BO
#endif

// Weights are contiguous along output channels: rows of the product forward, depth backward.
#if BO % 4 != 0
#define A_FETCH SINGLE
#elif TRANSPOSED
#define A_FETCH DEEP
#else
#define A_FETCH WIDE
#endif

#if SOURCE_BLOCK % 4 == 0
#define B_FETCH DEEP
#else
#define B_FETCH SINGLE
#endif

#include "storage.clh"
#include "tile.clh"
#include "conv3d_gemm.clh"
#include "conv3d_axis.clh"

// Pixels that a work-item fetches from.
#define PIXELS FETCH_COLUMNS(B_FETCH, TN)

// Bits of flags: what happens to a sum before it is stored.
#define ACCUMULATE 1
#define RELU 2

typedef struct {
    Axis t, h, w;
    Triple source, result, kernel_size; // sizes
    int source_blocks, result_blocks;
} Geometry;

// Column @index of the product: the position it reads at tap 0, and in @result the offset of its pixel in the result's
// block 0. Columns past the last read zeros and have the offset −1.
INLINE Position column_of(const Geometry *g, int index, int columns, int *result)
{
    const Triple grid = {max(g->t.grid, 1), max(g->h.grid, 1), max(g->w.grid, 1)};
    const Digits d = digits_of(index, 1, grid);
    const Triple from = {d.t * g->t.stride + g->t.first, d.h * g->h.stride + g->h.first, d.w * g->w.stride + g->w.first};
    const Triple to = {d.t * g->t.spread + g->t.start, d.h * g->h.spread + g->h.start, d.w * g->w.spread + g->w.start};
    const int source = (d.outer * g->source_blocks * volume(g->source) + pixel_index(from, g->source)) * SOURCE_BLOCK;
    *result = index < columns
                  ? (d.outer * g->result_blocks * volume(g->result) + pixel_index(to, g->result)) * ROW_BLOCK
                  : -1;
    const Position position = {source, index < columns ? from.t : FAR, from.h, from.w};
    return position;
}

// A row of depth: the position it adds to a column's; outside if there is no such row.
INLINE Position depth_source(const Geometry *g, Digits d, bool exists)
{
    const Triple by = {SIGN * d.t, SIGN * d.h, SIGN * d.w};
    const int offset = (d.outer * volume(g->source) + pixel_index(by, g->source)) * SOURCE_BLOCK + d.channel;
    const Position position = {offset, exists ? by.t : FAR, by.h, by.w};
    return position;
}

// Backward data: the offset of a row of depth in the weights, for input channel 0; −1 if there is no such row.
INLINE int depth_weight(const Geometry *g, Digits d, bool exists)
{
    const Triple tap = {g->t.first_tap + d.t * g->t.tap_stride, g->h.first_tap + d.h * g->h.tap_stride,
                        g->w.first_tap + d.w * g->w.tap_stride};
    const int offset =
        (d.outer * g->result_blocks * volume(g->kernel_size) + pixel_index(tap, g->kernel_size)) * (BI * BO) + d.channel;
    return exists ? offset : -1;
}

// The first TK work-items work out the rows of depth of a step, well before it: row @index, whose @digits then move on.
INLINE void note_depth(const Geometry *g, Digits *digits, Digits stride, Triple taps, int depth, int index,
                       __local Position *sources, __local int *weights, uint item)
{
    if (item < TK) {
        sources[item] = depth_source(g, *digits, index < depth);
#if TRANSPOSED
        weights[item] = depth_weight(g, *digits, index < depth);
#endif
        *digits = digits_add(*digits, stride, SOURCE_BLOCK, taps);
    }
}

// This work-item's share of A from row @done of depth on. @offsets are those of depth_weight().
INLINE void fetch_weights(FETCHED(A_FETCH) *to, __global const float *weights, const Geometry *g, uint row0, int depth,
                          int done, __local const int *offsets, uint item)
{
    const uint rows = g->result_blocks * ROW_BLOCK;
#pragma unroll
    for (int r = 0; r < FETCHES(A_FETCH, TM); r++) {
        const uint row = row0 + fetch_column(A_FETCH, TM, item, r);
        const int k = fetch_row(A_FETCH, TM, item, r);
#if TRANSPOSED
        const int along = offsets[k];
        const bool exists = row < rows && along >= 0;
        const int offset = channel_offset(row, BI, volume(g->kernel_size) * BI) * BO + along;
#else
        const bool exists = row < rows && done + k < depth;
        const int offset = channel_offset(row, BO, depth * BO) + (done + k) * BO;
#endif
        const FETCHED(A_FETCH) value = FETCH(A_FETCH, 0, weights, exists ? offset : 0);
        to[r] = exists ? value : (FETCHED(A_FETCH))(0.0f);
    }
}

INLINE void fetch_source(FETCHED(B_FETCH) *to, __global const MAP(X_STORAGE) *source, Triple size, const Position *columns,
                         __local const Position *depths, uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(B_FETCH, TN); r++) {
        const Position p = position_add(&columns[r % PIXELS], &depths[fetch_row(B_FETCH, TN, item, r)]);
        const bool inside = position_inside(p, size);
        const FETCHED(B_FETCH) value = FETCH(B_FETCH, X_STORAGE, source, inside ? p.offset : 0);
        to[r] = inside ? value : (FETCHED(B_FETCH))(0.0f);
    }
}

INLINE void store_tile(const TileSums *sums, __local const int *pixel_result, const Geometry *g, uint row0, uint item,
                       __global MAP(Y_STORAGE) *result, __global const float *bias,
                       __global const MAP(Y_STORAGE) *residual, int flags)
{
    const uint rows = g->result_blocks * ROW_BLOCK, plane = volume(g->result) * ROW_BLOCK;
#pragma unroll
    for (int j = 0; j < WN; j++) {
        const int pixel = pixel_result[tile_column(item, j)];
#pragma unroll
        for (int i = 0; i < WM / 4; i++) {
            const stored *parts = (const stored *)&sums->value[j][i];
#pragma unroll
            for (int p = 0; p < 4 / STORED; p++) {
                const uint row = row0 + tile_row(item, i) + p;
                if (pixel < 0 || row >= rows)
                    continue;
                const int offset = pixel + channel_offset(row, ROW_BLOCK, plane);
                __global MAP(Y_STORAGE) *at = result + offset;
                stored sum = parts[p];
                if (bias)
                    sum += *(__global const stored *)(bias + row);
                if (residual)
                    sum += MAP_LOADN(STORED, Y_STORAGE, 0, residual + offset);
                if (flags & ACCUMULATE)
                    sum += MAP_LOADN(STORED, Y_STORAGE, 0, at);
                if (flags & RELU)
                    sum = sum < 0.0f ? (stored)(0.0f) : sum; // keeps a NaN
                MAP_STOREN(STORED, Y_STORAGE, sum, 0, at);
            }
        }
    }
}

__kernel __attribute__((reqd_work_group_size(TILE_ITEMS, 1, 1))) void
CONV3D_GEMM(__global const MAP(X_STORAGE) *restrict source, __global const float *restrict weights,
            __global MAP(Y_STORAGE) *result, __global const float *bias, __global const MAP(Y_STORAGE) *residual, int flags, int batch, int source_blocks,
            int source_t, int source_h, int source_w, int result_blocks, int result_t, int result_h, int result_w,
            int kernel_t, int kernel_h, int kernel_w, int stride_t, int stride_h, int stride_w, int pad_t, int pad_h,
            int pad_w)
{
    __local float4 a[TILE_A4], b[TILE_B4];
    __local Position depth_sources[2][TK]; // of the coming step and the one after
    __local int depth_weights[2][TK];
    __local int pixel_result[TN];
    const uint item = get_local_id(0), row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN;
    const Triple strides = {stride_t, stride_h, stride_w};
    const Digits phase = digits_of(get_group_id(2), 1, strides);
    const Geometry g = {.t = axis_of(result_t, kernel_t, stride_t, pad_t, phase.t),
                        .h = axis_of(result_h, kernel_h, stride_h, pad_h, phase.h),
                        .w = axis_of(result_w, kernel_w, stride_w, pad_w, phase.w),
                        .source = {source_t, source_h, source_w},
                        .result = {result_t, result_h, result_w},
                        .kernel_size = {kernel_t, kernel_h, kernel_w},
                        .source_blocks = source_blocks,
                        .result_blocks = result_blocks};
    const int columns = batch * g.t.grid * g.h.grid * g.w.grid;
    const int depth = column0 < columns ? source_blocks * g.t.taps * g.h.taps * g.w.taps * SOURCE_BLOCK : 0;
    const int steps = (depth + TK - 1) / TK;

    Position pixels[PIXELS];
    for (int r = 0; r < PIXELS; r++) {
        const int column = fetch_column(B_FETCH, TN, item, r);
        int offset;
        pixels[r] = column_of(&g, column0 + column, columns, &offset);
        if (fetch_row(B_FETCH, TN, item, r) == 0)
            pixel_result[column] = offset;
    }

    const Triple taps = {max(g.t.taps, 1), max(g.h.taps, 1), max(g.w.taps, 1)};
    const Digits stride = digits_of(TK, SOURCE_BLOCK, taps);
    Digits digits = digits_of(item, SOURCE_BLOCK, taps);
    FETCHED(A_FETCH) from_a[FETCHES(A_FETCH, TM)];
    FETCHED(B_FETCH) from_b[FETCHES(B_FETCH, TN)];
    TileSums sums;
    tile_clear(&sums);

    note_depth(&g, &digits, stride, taps, depth, item, depth_sources[0], depth_weights[0], item);
    barrier(CLK_LOCAL_MEM_FENCE);
    fetch_weights(from_a, weights, &g, row0, depth, 0, depth_weights[0], item);
    fetch_source(from_b, source, g.source, pixels, depth_sources[0], item);
    note_depth(&g, &digits, stride, taps, depth, TK + item, depth_sources[1], depth_weights[1], item);
    tile_put(a, b, 0, item, from_a, from_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step & 1, next = now ^ 1, done = (step + 1) * TK;
        fetch_weights(from_a, weights, &g, row0, depth, done, depth_weights[next], item);
        fetch_source(from_b, source, g.source, pixels, depth_sources[next], item);
        note_depth(&g, &digits, stride, taps, depth, done + TK + item, depth_sources[now], depth_weights[now], item);
        tile_multiply(&sums, a, b, now % BUFFERS, item);
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        tile_put(a, b, next % BUFFERS, item, from_a, from_b);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, pixel_result, &g, row0, item, result, bias, residual, flags);
}
