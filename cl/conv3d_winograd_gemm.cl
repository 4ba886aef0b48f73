// Winograd convolution for GPUs: the products, a matrix product through local memory for each frequency,
//
//   M[k, column] = Σ_depth U[depth, k] · V[depth, column]     depth = (tap in time, channel of x), column = (frame of y, tile)
//
// where V is read at column plus as many frames as the tap is away. See conv3d_winograd_gemm_transforms.cl for the three arrays.
// Dimension 2 of the launch is the frequency. Taps that reach no frame of x from any column of the tile are left out.
//
// -D TM … UNROLL  see tile.clh

// U is contiguous along rows, V in fours of the depth.
#define A_FETCH WIDE
#define B_FETCH DEEP

#include "storage.clh"
#include "tile.clh"

// A row of V: the tap and the four channels that a work-item fetches at a step.
typedef struct {
    int tap, four;
} Row;

INLINE Row row_advance(Row row, int fours_of_tap, int by)
{
    for (row.four += by; row.four >= fours_of_tap; row.tap++)
        row.four -= fours_of_tap;
    return row;
}

INLINE void fetch_u(FETCHED(A_FETCH) *to, __global const float *u, uint rows, uint row0, int depth, int done, uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(A_FETCH, TM); r++) {
        const uint row = row0 + fetch_column(A_FETCH, TM, item, r);
        const int k = done + fetch_row(A_FETCH, TM, item, r);
        const bool exists = row < rows && k < depth;
        const FETCHED(A_FETCH) value = FETCH(A_FETCH, 0, u, exists ? k * rows + row : 0);
        to[r] = exists ? value : (FETCHED(A_FETCH))(0.0f);
    }
}

// @shift: from a column to where tap 0 reads; @tiles: from there to the next tap.
INLINE void fetch_v(FETCHED(B_FETCH) *to, __global const float4 *v, uint columns, uint column0, int shift, int tiles, int taps,
                    Row row, uint item)
{
#pragma unroll
    for (int r = 0; r < FETCHES(B_FETCH, TN); r++) {
        const int column = (int)(column0 + fetch_column(B_FETCH, TN, item, r)) + shift + row.tap * tiles;
        const bool inside = ((uint)column < columns) & (row.tap < taps);
        const FETCHED(B_FETCH) value = v[inside ? row.four * columns + column : 0];
        to[r] = inside ? value : (FETCHED(B_FETCH))(0.0f);
    }
}

INLINE void store_tile(const TileSums *sums, __global float *m, uint rows, uint columns, uint row0, uint column0, uint item)
{
#pragma unroll
    for (int j = 0; j < WN; j++) {
        const uint column = column0 + tile_column(item, j);
#pragma unroll
        for (int i = 0; i < WM / 4; i++) {
            const uint row = row0 + tile_row(item, i);
            if (column < columns && row < rows)
                *(__global float4 *)(m + column * rows + row) = sums->value[j][i];
        }
    }
}

__kernel __attribute__((reqd_work_group_size(TILE_ITEMS, 1, 1))) void
conv3d_winograd_gemm_multiply(__global const float *restrict u, __global const float *restrict v, __global float *restrict m,
                              int rows, int channels, int in_t, int out_t, int taps_t, int pad_t, int tiles)
{
    __local float4 a[TILE_A4], b[TILE_B4];
    const uint item = get_local_id(0), row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN, f = get_group_id(2);
    const uint columns = out_t * tiles, columns_v = in_t * tiles, fours = channels / 4;
    // Taps that reach a frame of x from one of the tile's columns.
    const int first_t = column0 / tiles, last_t = (min(column0 + TN, columns) - 1) / tiles;
    const int first = max(0, pad_t - last_t), taps = min(taps_t, in_t + pad_t - first_t) - first;
    const int depth = max(taps, 0) * channels, steps = (depth + TK - 1) / TK, shift = (first - pad_t) * tiles;
    __global const float *own_u = u + ((size_t)f * taps_t + first) * channels * rows;
    __global const float4 *own_v = (__global const float4 *)v + (size_t)f * fours * columns_v;

    const Row start = {0, 0};
    Row row = row_advance(start, fours, fetch_row(B_FETCH, TN, item, 0) / 4);
    FETCHED(A_FETCH) from_a[FETCHES(A_FETCH, TM)];
    FETCHED(B_FETCH) from_b[FETCHES(B_FETCH, TN)];
    TileSums sums;
    tile_clear(&sums);

    fetch_u(from_a, own_u, rows, row0, depth, 0, item);
    fetch_v(from_b, own_v, columns_v, column0, shift, tiles, taps, row, item);
    tile_put(a, b, 0, item, from_a, from_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step & 1, next = now ^ 1;
        row = row_advance(row, fours, TK / 4);
        fetch_u(from_a, own_u, rows, row0, depth, (step + 1) * TK, item);
        fetch_v(from_b, own_v, columns_v, column0, shift, tiles, taps, row, item);
        tile_multiply(&sums, a, b, now % BUFFERS, item);
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        tile_put(a, b, next % BUFFERS, item, from_a, from_b);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, m + (size_t)f * columns * rows, rows, columns, row0, column0, item);
}
