// 3D convolution, forward and backward data, on matrix units (mma.clh):
//
//   forward        y[k, pixel]  = Σ_depth w[k, depth] · x[depth, pixel]     depth = (block of x, tap, channel)
//   backward data  dx[c, pixel] = Σ_depth w[depth, c] · dy[depth, pixel]    depth = (block of dy, tap, channel)
//
// Rows of the product are channels of the result, columns its pixels. Weights come as conv3d_mma_prepare leaves them, so that
// both factors are read in pieces of numbers that follow one another in depth, and both passes are the same. With BLOCK_READS
// they are a matrix, row after row, that waves read without local memory; SOURCE_BLOCK is then a multiple of 16. Backward data
// gathers: positions of x that are equal modulo the stride make a phase, which sees the same taps of dy; dimension 2 of the
// launch is the phase. One without taps stores zeros.
//
//   SOURCE_BLOCK, RESULT_BLOCK   channel blocks; SOURCE_BLOCK a multiple of PIECE_NUMBERS, RESULT_BLOCK of STORED
//   TAPS         of the kernel
//   TRANSPOSED   0 forward, 1 backward data
//   BUFFERS      copies of the tiles: of 2, one is filled while the other is multiplied
//   X_STORAGE    of the source, the units' factors; Y_STORAGE of the result
//   UNITS … TN   see mma.clh
#include "conv3d_mma.clh"
#include "conv3d_axis.clh"

#if TRANSPOSED
#define CONV3D_MMA conv3d_backward_data_mma
#else
#define CONV3D_MMA conv3d_forward_mma
#endif

#define BLOCK_PIECES (SOURCE_BLOCK / PIECE_NUMBERS)

// Bits of flags: what happens to a sum before it is stored.
#define ACCUMULATE 1
#define RELU 2

typedef struct {
    Axis t, h, w;
    Triple source, result, kernel_size; // sizes
    int source_blocks, result_blocks, taps;
} Geometry;

// A tap of the launch or phase: what it adds to a pixel's offset, its set, and its number in the kernel.
typedef struct {
    int offset;
    uint set;
    int number;
} Tap;

INLINE Tap tap_of(const Geometry *g, int index)
{
    const Triple taps = {max(g->t.taps, 1), max(g->h.taps, 1), max(g->w.taps, 1)};
    const Triple j = digits_of(index, taps).at;
    const Triple kernel_tap = {g->t.first_tap + j.t * g->t.tap_stride, g->h.first_tap + j.h * g->h.tap_stride,
                               g->w.first_tap + j.w * g->w.tap_stride};
    const Tap tap = {SIGN * pixel_index(j, g->source) * SOURCE_BLOCK, taps_set(1u << j.t, 1u << j.h, 1u << j.w),
                     pixel_index(kernel_tap, g->kernel_size)};
    return tap;
}

// A column of the product: what it reads at tap 0 of block 0, with the taps that it has, and where its pixel is in block 0 of
// the result, −1 if there is no such column.
typedef struct {
    int source;
    uint taps;
    int result;
} Column;

INLINE Column column_of(const Geometry *g, int index, int columns)
{
    const Triple grid = {max(g->t.grid, 1), max(g->h.grid, 1), max(g->w.grid, 1)};
    const Digits d = digits_of(index, grid);
    const Triple from = {d.at.t * g->t.stride + g->t.first, d.at.h * g->h.stride + g->h.first,
                         d.at.w * g->w.stride + g->w.first};
    const Triple to = {d.at.t * g->t.spread + g->t.start, d.at.h * g->h.spread + g->h.start,
                       d.at.w * g->w.spread + g->w.start};
    Column column = {(d.outer * g->source_blocks * volume(g->source) + pixel_index(from, g->source)) * SOURCE_BLOCK, 0,
                     -1};
    if (index < columns) {
        column.taps = taps_set(taps_within(from.t, SIGN, g->t.taps, g->source.t),
                               taps_within(from.h, SIGN, g->h.taps, g->source.h),
                               taps_within(from.w, SIGN, g->w.taps, g->source.w));
        column.result = (d.outer * g->result_blocks * volume(g->result) + pixel_index(to, g->result)) * RESULT_BLOCK;
    }
    return column;
}

// Where a work-item's piece of the coming step is in depth.
typedef struct {
    int block, tap, piece; // piece within the block
} Depth;

INLINE Depth depth_advance(Depth d, int pieces, int taps)
{
    d.piece += pieces % BLOCK_PIECES;
    d.tap += pieces / BLOCK_PIECES;
    if (d.piece >= BLOCK_PIECES) {
        d.piece -= BLOCK_PIECES;
        d.tap++;
    }
    while (d.tap >= taps) {
        d.tap -= taps;
        d.block++;
    }
    return d;
}

#if BLOCK_READS
// A wave's rows of the step that begins at @step.
INLINE void read_rows(WaveRows *rows, global const uint4 *weights, const Geometry *g, Depth step, local const Tap *taps,
                      int row, uint lane)
{
    const int height = g->result_blocks * RESULT_BLOCK;
    const Matrix matrix = {(global const ushort *)weights, height, max(g->source_blocks * (TAPS * SOURCE_BLOCK), 32)};
    MMA_UNROLL
    for (int s = 0; s < SUBSTEPS; s++) {
        const Depth d = depth_advance(step, s * (STEP_PIECES / SUBSTEPS), g->taps);
        const int depth = (d.block * TAPS + taps[d.tap].number) * SOURCE_BLOCK + d.piece * PIECE_NUMBERS;
        const bool exists = d.block < g->source_blocks;
        mma_read_rows(rows, s, matrix, exists ? row : height, exists ? depth : 0, lane);
    }
}
#else
INLINE void fetch_weights(uint4 *a, global const uint4 *weights, const Geometry *g, Depth d, local const Tap *taps,
                          int row0, uint item)
{
    const int rows = g->result_blocks * RESULT_BLOCK;
    const bool exists = d.block < g->source_blocks;
    const int piece = ((d.block * TAPS + taps[d.tap].number) * BLOCK_PIECES + d.piece) * rows;
#pragma unroll
    for (int i = 0; i < FETCHES(TM); i++) {
        const int row = row0 + fetch_row(item, i);
        const bool here = exists && row < rows;
        const uint4 value = weights[here ? piece + row : 0];
        a[i] = here ? value : (uint4)(0);
    }
}

INLINE void put_weights(local uint4 *to, const uint4 *a, uint item)
{
#pragma unroll
    for (int i = 0; i < FETCHES(TM); i++)
        to[fetch_piece(item) * PITCH_A + mma_place(fetch_row(item, i))] = a[i];
}
#endif

INLINE void fetch_source(uint4 *b, global const MAP(X_STORAGE) *source, const Geometry *g, Depth d, local const Tap *taps,
                         const int *sources, const uint *sets)
{
    const bool exists = d.block < g->source_blocks;
    const Tap tap = taps[d.tap];
    const int offset = tap.offset + d.block * volume(g->source) * SOURCE_BLOCK + d.piece * PIECE_NUMBERS;
    const uint set = exists ? tap.set : TAP_MISSING;
#pragma unroll
    for (int i = 0; i < FETCHES(TN); i++) {
        const bool here = (set & ~sets[i]) == 0;
        const uint4 value = *(global const uint4 *)(source + (here ? sources[i] + offset : 0));
        b[i] = here ? value : (uint4)(0);
    }
}

INLINE void put_source(local uint4 *to, const uint4 *b, uint item)
{
#pragma unroll
    for (int i = 0; i < FETCHES(TN); i++)
        to[fetch_piece(item) * PITCH_B + fetch_row(item, i)] = rounded_factors(b[i]);
}

INLINE void store_tile(const WaveSums *sums, local const int *results, const Geometry *g, uint row0, uint column0,
                       uint lane, global MAP(Y_STORAGE) *result, global const float *bias,
                       global const MAP(Y_STORAGE) *residual, int flags)
{
    const uint rows = g->result_blocks * RESULT_BLOCK, plane = volume(g->result) * RESULT_BLOCK;
    row0 += mma_row(lane);
    MMA_UNROLL
    for (int c = 0; c < MMA_COLUMNS; c++) {
        const int pixel = results[column0 + mma_column(lane, c)];
        MMA_UNROLL
        for (int i = 0; i < RUN / STORED; i++) {
            const uint row = row0 + i * STORED, block = row / RESULT_BLOCK;
            if (pixel < 0 || row >= rows)
                continue;
            const int offset = pixel + block * plane + (row - block * RESULT_BLOCK);
            stored sum = SUMS(sums, c, i);
            if (bias)
                sum += SUMS_LOAD(0, 0, bias + row);
            if (residual)
                sum += SUMS_LOAD(Y_STORAGE, 0, residual + offset);
            if (flags & ACCUMULATE)
                sum += SUMS_LOAD(Y_STORAGE, 0, result + offset);
            if (flags & RELU)
                sum = sum < 0.0f ? (stored)(0.0f) : sum; // keeps a NaN
            SUMS_STORE(Y_STORAGE, sum, 0, result + offset);
        }
    }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) MMA_ATTRIBUTES void
CONV3D_MMA(global const MAP(X_STORAGE) *restrict source, global const uint4 *restrict weights,
           global MAP(Y_STORAGE) *result, global const float *bias, global const MAP(Y_STORAGE) *residual, int flags,
           int batch, int source_blocks, int source_t, int source_h, int source_w, int result_blocks, int result_t,
           int result_h, int result_w, int kernel_t, int kernel_h, int kernel_w, int stride_t, int stride_h,
           int stride_w, int pad_t, int pad_h, int pad_w)
{
    local uint4 b[BUFFERS * STEP_PIECES * PITCH_B];
#if !BLOCK_READS
    local uint4 a[BUFFERS * STEP_PIECES * PITCH_A];
#endif
    local Tap taps[TAPS];
    local int results[TN];
    MMA_SCRATCH(scratch)
    const uint item = get_local_id(0), wave = item / LANES, lane = item - wave * LANES;
    const uint wave_n = wave / WAVES_M, row_in_tile = (wave - wave_n * WAVES_M) * WM, column_in_tile = wave_n * WN;
    const int row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN;
    const Triple strides = {stride_t, stride_h, stride_w};
    const Triple phase = digits_of(get_group_id(2), strides).at;
    Geometry g = {.t = axis_of(result_t, kernel_t, stride_t, pad_t, phase.t),
                  .h = axis_of(result_h, kernel_h, stride_h, pad_h, phase.h),
                  .w = axis_of(result_w, kernel_w, stride_w, pad_w, phase.w),
                  .source = {source_t, source_h, source_w},
                  .result = {result_t, result_h, result_w},
                  .kernel_size = {kernel_t, kernel_h, kernel_w},
                  .source_blocks = source_blocks,
                  .result_blocks = result_blocks};
    g.taps = g.t.taps * g.h.taps * g.w.taps;
    const int columns = batch * g.t.grid * g.h.grid * g.w.grid;
    const int pieces = column0 < columns ? source_blocks * g.taps * BLOCK_PIECES : 0;
    const int steps = (pieces + STEP_PIECES - 1) / STEP_PIECES;

    for (int i = item; i < TAPS; i += ITEMS)
        taps[i] = tap_of(&g, i);
    int sources[FETCHES(TN)];
    uint sets[FETCHES(TN)];
#pragma unroll
    for (int i = 0; i < FETCHES(TN); i++) {
        const Column column = column_of(&g, column0 + fetch_row(item, i), columns);
        sources[i] = column.source;
        sets[i] = column.taps;
        if (fetch_piece(item) == 0)
            results[fetch_row(item, i)] = column.result;
    }
    Depth depth = {0, 0, 0};
    depth = depth_advance(depth, fetch_piece(item), max(g.taps, 1));
    uint4 from_b[FETCHES(TN)];
#if BLOCK_READS
    Depth step_depth = {0, 0, 0};
#else
    uint4 from_a[FETCHES(TM)];
#endif
    WaveSums sums;
    mma_clear(&sums);
    barrier(CLK_LOCAL_MEM_FENCE);

    if (steps > 0) {
#if !BLOCK_READS
        fetch_weights(from_a, weights, &g, depth, taps, row0, item);
        put_weights(a, from_a, item);
#endif
        fetch_source(from_b, source, &g, depth, taps, sources, sets);
        put_source(b, from_b, item);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step % BUFFERS, next = (step + 1) % BUFFERS;
        depth = depth_advance(depth, STEP_PIECES, g.taps);
#if BLOCK_READS
        WaveRows rows;
        read_rows(&rows, weights, &g, step_depth, taps, row0 + row_in_tile, lane);
        step_depth = depth_advance(step_depth, STEP_PIECES, g.taps);
#define ROWS &rows
#else
        fetch_weights(from_a, weights, &g, depth, taps, row0, item);
#define ROWS a + now * (STEP_PIECES * PITCH_A) + row_in_tile
#endif
        fetch_source(from_b, source, &g, depth, taps, sources, sets);
        mma_step(&sums, ROWS, b + now * (STEP_PIECES * PITCH_B) + column_in_tile, lane, MMA_SCRATCH_OF(scratch, item));
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
#if !BLOCK_READS
        put_weights(a + next * (STEP_PIECES * PITCH_A), from_a, item);
#endif
        put_source(b + next * (STEP_PIECES * PITCH_B), from_b, item);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, results, &g, row0 + row_in_tile, column_in_tile, lane, result, bias, residual, flags);
}
