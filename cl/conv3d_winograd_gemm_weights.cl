// Winograd convolution for GPUs, gradient of the weights: the products, a matrix product through local memory for each frequency,
//
//   dU[column, k] = Σ_depth D[k, depth] · V[column, depth]     depth = (frame of y, tile), column = (tap in time, channel of x)
//
// where V is read at depth plus as many frames as the tap is away. See conv3d_winograd_gemm_transforms.cl for the three arrays.
// The sum is cut into parts, each stored on its own; dimension 2 of the launch is (frequency, part). Frames that no tap of the tile
// joins with a frame of x are left out. Launches for the chunks of tiles after the first one add to what is there.
//
// -D TM … UNROLL  see tile.clh

// Both operands are in fours of rows or columns, and neighbours are along the depth.
#define A_FETCH DOWN
#define B_FETCH DOWN

#include "storage.clh"
#include "tile.clh"

#define COLUMNS FETCH_COLUMNS(B_FETCH, TN)

// A column: where its channels begin in V, and how far from a pixel of y the pixel of x is; far outside if there is no such column.
typedef struct {
    uint start;
    int shift;
} Column;

INLINE Column column_of(uint column, uint columns, uint channels, uint pixels, int pad_t, int tiles)
{
    const uint tap = column / channels, four = (column - tap * channels) / 4;
    const Column c = {four * pixels, column < columns ? ((int)tap - pad_t) * tiles : -0x40000000};
    return c;
}

// Pixel @pixel of D, of which there are @pixels, if it is below @end.
INLINE void fetch_d(FETCHED(A_FETCH) *to, __global const float4 *d, uint rows, uint row0, uint pixels, uint pixel, uint end,
                    uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(A_FETCH, TM); r++) {
        const uint row = row0 + fetch_column(A_FETCH, TM, item, r);
        const bool exists = row < rows && pixel < end;
        const FETCHED(A_FETCH) value = d[exists ? row / 4 * pixels + pixel : 0];
        to[r] = exists ? value : (FETCHED(A_FETCH))(0.0f);
    }
}

INLINE void fetch_v(FETCHED(B_FETCH) *to, __global const float4 *v, const Column *columns, uint pixels, uint pixel, uint end)
{
#pragma unroll
    for (int r = 0; r < FETCHES(B_FETCH, TN); r++) {
        const uint at = (int)pixel + columns[r].shift;
        const bool inside = (at < pixels) & (pixel < end);
        const FETCHED(B_FETCH) value = v[inside ? columns[r].start + at : 0];
        to[r] = inside ? value : (FETCHED(B_FETCH))(0.0f);
    }
}

INLINE void store_tile(const TileSums *sums, __global float *du, uint rows, uint columns, uint row0, uint column0, int accumulate,
                       uint item)
{
#pragma unroll
    for (int j = 0; j < WN; j++) {
        const uint column = column0 + tile_column(item, j);
#pragma unroll
        for (int i = 0; i < WM / 4; i++) {
            const uint row = row0 + tile_row(item, i);
            if (column >= columns || row >= rows)
                continue;
            __global float4 *at = (__global float4 *)(du + column * rows + row);
            *at = accumulate ? *at + sums->value[j][i] : sums->value[j][i];
        }
    }
}

// @part_steps: steps of TK pixels in a part.
__kernel __attribute__((reqd_work_group_size(TILE_ITEMS, 1, 1))) void
conv3d_winograd_gemm_multiply_gradient(__global const float *restrict d, __global const float *restrict v, __global float *restrict du,
                                       int rows, int channels, int in_t, int out_t, int taps_t, int pad_t, int tiles, int parts,
                                       int part_steps, int accumulate)
{
    __local float4 a[TILE_A4], b[TILE_B4];
    const uint item = get_local_id(0), row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN, batch = get_group_id(2),
               f = batch / (uint)parts, part = batch - f * parts, frequencies = get_num_groups(2) / (uint)parts;
    const uint columns = taps_t * channels, pixels_d = out_t * tiles, pixels_v = in_t * tiles;
    // Frames of y that a tap of the tile's columns joins with a frame of x.
    const int first_tap = column0 / channels, last_tap = (min(column0 + TN, columns) - 1) / channels;
    const int first_t = max(0, pad_t - last_tap), end_t = max(first_t, min(out_t, in_t + pad_t - first_tap));
    const uint begin = max(part * part_steps * TK, (uint)(first_t * tiles)),
               end = min((part + 1) * part_steps * TK, (uint)(end_t * tiles));
    const int steps = begin < end ? (end - begin + TK - 1) / TK : 0;
    __global const float4 *own_d = (__global const float4 *)d + (size_t)f * (rows / 4) * pixels_d;
    __global const float4 *own_v = (__global const float4 *)v + (size_t)f * (channels / 4) * pixels_v;

    Column own[COLUMNS];
#pragma unroll
    for (int r = 0; r < COLUMNS; r++)
        own[r] = column_of(column0 + fetch_column(B_FETCH, TN, item, r), columns, channels, pixels_v, pad_t, tiles);

    uint pixel = begin + fetch_row(A_FETCH, TM, item, 0); // the same for all that a work-item fetches
    FETCHED(A_FETCH) from_a[FETCHES(A_FETCH, TM)];
    FETCHED(B_FETCH) from_b[FETCHES(B_FETCH, TN)];
    TileSums sums;
    tile_clear(&sums);

    fetch_d(from_a, own_d, rows, row0, pixels_d, pixel, end, item);
    fetch_v(from_b, own_v, own, pixels_v, pixel, end);
    tile_put(a, b, 0, item, from_a, from_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step & 1, next = now ^ 1;
        pixel += TK;
        fetch_d(from_a, own_d, rows, row0, pixels_d, pixel, end, item);
        fetch_v(from_b, own_v, own, pixels_v, pixel, end);
        tile_multiply(&sums, a, b, now % BUFFERS, item);
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        tile_put(a, b, next % BUFFERS, item, from_a, from_b);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, du + ((size_t)part * frequencies + f) * columns * rows, rows, columns, row0, column0, accumulate, item);
}
