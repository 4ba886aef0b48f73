// 3D convolution, backward weights, as an implicit matrix product through local memory:
//
//   dw[k, column] = Σ_pixel dy[k, pixel] · x[pixel, column]     column = (block of x, tap, channel)
//
// Pixels are dy's, of all samples. Their sum is cut into parts, dimension 2 of the launch, each stored on its own;
// conv3d_gemm_weights_sum.cl adds the parts.
//
//   BI, BO       channel blocks of x and y; weights lie as [K/BO][C/BI][taps][BI][BO]
//   TM … UNROLL  see tile.clh
//   X_STORAGE, Y_STORAGE  how x and dy are stored (storage.clh)

#if BO % 4 == 0
#define A_FETCH WIDE
#else
#define A_FETCH SINGLE
#endif

#if BI % 4 == 0
#define B_FETCH WIDE
#else
#define B_FETCH SINGLE
#endif

#define ROW_BLOCK BO

#include "storage.clh"
#include "tile.clh"
#include "conv3d_gemm.clh"

#define COLUMNS FETCH_COLUMNS(B_FETCH, TN)

typedef struct {
    Triple input, output, kernel_size, stride, pad; // sizes and steps
    int input_blocks, output_blocks, pixels, columns;
} Geometry;

// Column @index of the product: what it adds to a pixel's position in x; outside if there is no such column.
INLINE Position column_of(const Geometry *g, int index)
{
    const Digits d = digits_of(index, BI, g->kernel_size);
    const Triple tap = {d.t, d.h, d.w};
    const int offset = (d.outer * volume(g->input) + pixel_index(tap, g->input)) * BI + d.channel;
    const Position position = {offset, index < g->columns ? tap.t : FAR, tap.h, tap.w};
    return position;
}

// The first TK work-items work out the pixels of a step, well before it: pixel @index, at @digits, which then move on. Its
// position in x at tap 0 goes to @inputs, its offset in dy's block 0, or −1 if there is no such pixel, to @outputs.
INLINE void note_pixel(const Geometry *g, Digits *digits, Digits stride, int index, __local Position *inputs,
                       __local int *outputs, uint item)
{
    if (item < TK) {
        const Digits d = *digits;
        const Triple to = {d.t, d.h, d.w};
        const Triple from = {d.t * g->stride.t - g->pad.t, d.h * g->stride.h - g->pad.h, d.w * g->stride.w - g->pad.w};
        const bool exists = index < g->pixels;
        const int offset = (d.outer * g->input_blocks * volume(g->input) + pixel_index(from, g->input)) * BI;
        const Position position = {offset, exists ? from.t : FAR, from.h, from.w};
        inputs[item] = position;
        outputs[item] =
            exists ? (d.outer * g->output_blocks * volume(g->output) + pixel_index(to, g->output)) * BO : -1;
        *digits = digits_add(d, stride, 1, g->output);
    }
}

INLINE void fetch_dy(FETCHED(A_FETCH) *to, __global const MAP(Y_STORAGE) *dy, const Geometry *g, uint row0,
                     __local const int *pixels, uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(A_FETCH, TM); r++) {
        const uint row = row0 + fetch_column(A_FETCH, TM, item, r);
        const int pixel = pixels[fetch_row(A_FETCH, TM, item, r)];
        const bool exists = row < g->output_blocks * BO && pixel >= 0;
        const int offset = pixel + channel_offset(row, BO, volume(g->output) * BO);
        const FETCHED(A_FETCH) value = FETCH(A_FETCH, Y_STORAGE, dy, exists ? offset : 0);
        to[r] = exists ? value : (FETCHED(A_FETCH))(0.0f);
    }
}

INLINE void fetch_x(FETCHED(B_FETCH) *to, __global const MAP(X_STORAGE) *x, const Geometry *g, const Position *columns,
                    __local const Position *pixels, uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(B_FETCH, TN); r++) {
        const Position p = position_add(&columns[r % COLUMNS], &pixels[fetch_row(B_FETCH, TN, item, r)]);
        const bool inside = position_inside(p, g->input);
        const FETCHED(B_FETCH) value = FETCH(B_FETCH, X_STORAGE, x, inside ? p.offset : 0);
        to[r] = inside ? value : (FETCHED(B_FETCH))(0.0f);
    }
}

INLINE void store_tile(const TileSums *sums, const Geometry *g, uint row0, uint column0, uint item, __global float *dw)
{
    const uint rows = g->output_blocks * BO, columns = g->columns;
#pragma unroll
    for (int j = 0; j < WN; j++) {
        const uint column = column0 + tile_column(item, j);
#pragma unroll
        for (int i = 0; i < WM / 4; i++) {
            const stored *parts = (const stored *)&sums->value[j][i];
#pragma unroll
            for (int p = 0; p < 4 / STORED; p++) {
                const uint row = row0 + tile_row(item, i) + p;
                if (column < columns && row < rows)
                    *(__global stored *)(dw + channel_offset(row, BO, columns * BO) + column * BO) = parts[p];
            }
        }
    }
}

// @dw holds one array of @weights floats per part; @part_steps is the number of steps of TK pixels in a part.
__kernel __attribute__((reqd_work_group_size(TILE_ITEMS, 1, 1))) void
conv3d_backward_weights_gemm(__global const MAP(X_STORAGE) *restrict x, __global const MAP(Y_STORAGE) *restrict dy,
                             __global float *restrict dw, int weights, int part_steps, int batch, int input_blocks,
                             int input_t, int input_h, int input_w, int output_blocks, int output_t, int output_h,
                             int output_w, int kernel_t, int kernel_h, int kernel_w, int stride_t, int stride_h,
                             int stride_w, int pad_t, int pad_h, int pad_w)
{
    __local float4 a[TILE_A4], b[TILE_B4];
    __local Position pixel_inputs[2][TK]; // of the coming step and the one after
    __local int pixel_outputs[2][TK];
    const uint item = get_local_id(0), row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN;
    const int part = get_group_id(2);
    const Geometry g = {.input = {input_t, input_h, input_w},
                        .output = {output_t, output_h, output_w},
                        .kernel_size = {kernel_t, kernel_h, kernel_w},
                        .stride = {stride_t, stride_h, stride_w},
                        .pad = {pad_t, pad_h, pad_w},
                        .input_blocks = input_blocks,
                        .output_blocks = output_blocks,
                        .pixels = batch * output_t * output_h * output_w,
                        .columns = input_blocks * kernel_t * kernel_h * kernel_w * BI};
    const int first = part * part_steps, steps = min(part_steps, (g.pixels + TK - 1) / TK - first);

    Position columns[COLUMNS];
#pragma unroll
    for (int r = 0; r < COLUMNS; r++)
        columns[r] = column_of(&g, column0 + fetch_column(B_FETCH, TN, item, r));

    const Digits stride = digits_of(TK, 1, g.output);
    Digits digits = digits_of(first * TK + item, 1, g.output);
    FETCHED(A_FETCH) from_a[FETCHES(A_FETCH, TM)];
    FETCHED(B_FETCH) from_b[FETCHES(B_FETCH, TN)];
    TileSums sums;
    tile_clear(&sums);

    note_pixel(&g, &digits, stride, first * TK + item, pixel_inputs[0], pixel_outputs[0], item);
    barrier(CLK_LOCAL_MEM_FENCE);
    fetch_dy(from_a, dy, &g, row0, pixel_outputs[0], item);
    fetch_x(from_b, x, &g, columns, pixel_inputs[0], item);
    note_pixel(&g, &digits, stride, (first + 1) * TK + item, pixel_inputs[1], pixel_outputs[1], item);
    tile_put(a, b, 0, item, from_a, from_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step & 1, next = now ^ 1;
        fetch_dy(from_a, dy, &g, row0, pixel_outputs[next], item);
        fetch_x(from_b, x, &g, columns, pixel_inputs[next], item);
        note_pixel(&g, &digits, stride, (first + step + 2) * TK + item, pixel_inputs[now], pixel_outputs[now], item);
        tile_multiply(&sums, a, b, now % BUFFERS, item);
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        tile_put(a, b, next % BUFFERS, item, from_a, from_b);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, &g, row0, column0, item, dw + (size_t)part * weights);
}
