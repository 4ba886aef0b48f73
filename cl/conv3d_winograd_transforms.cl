// Winograd's F(TILE×TILE, 3×3) on height and width: what comes before the products. See conv3d_winograd_tile.clh,
// conv3d_winograd.cl (forward, backward data) and conv3d_winograd_gradient.cl (backward weights). Explicit vectors over the channels of
// a block.
//
// Spatial tiles (n, th, tw) are numbered through the batch; launches work on chunks of them, in groups of so many that what a
// group's transform writes stays in the innermost cache:
//    V[in_t][in_blocks][chunk_tiles / group][FREQUENCIES][group][BI]     transformed input, EDGE × EDGE pixels a tile
//    U[FREQUENCIES][u_blocks][taps_t][in_blocks][BI][BO]                 transformed weights of so many output blocks
//    M[out_t][out_blocks][chunk_tiles / group][FREQUENCIES][group][BO]   transformed gradient of the output, TILE × TILE a tile
//
// -D BI, BO   blocks of input and output
//    TILE     outputs a tile's side: 4 or 2
//    X_STORAGE, Y_STORAGE  how the input and the gradient of the output are stored (storage.clh)

#define VECTOR BO
#define INPUT_VECTOR BI
#include "storage.clh"
#include "conv3d_winograd_tile.clh"
#include "conv3d_winograd_input.clh"

// One (output block, input block), all taps in time.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_weights(__global const float *restrict weights, __global float *restrict u, int in_blocks, int u_blocks, int first_block,
                        int taps_t)
{
    const int kb = get_global_id(0), cb = get_global_id(1);
    const size_t frequency = (size_t)u_blocks * taps_t * in_blocks * BI * BO;
    for (int kt = 0; kt < taps_t; kt++) {
        __global const float *g = weights + (((size_t)(first_block + kb) * in_blocks + cb) * taps_t + kt) * 9 * BI * BO;
        __global float *to = u + (((size_t)kb * taps_t + kt) * in_blocks + cb) * BI * BO;
        for (int c = 0; c < BI; c++) {
            floatv x[EDGE][3];
#pragma unroll
            for (int w = 0; w < 3; w++) {
                const floatv column[3] = {VLOAD(w * BI + c, g), VLOAD((3 + w) * BI + c, g), VLOAD((6 + w) * BI + c, g)};
                floatv o[EDGE];
                weight_transform(o, column);
#pragma unroll
                for (int i = 0; i < EDGE; i++)
                    x[i][w] = o[i];
            }
#pragma unroll
            for (int i = 0; i < EDGE; i++) {
                floatv o[EDGE];
                weight_transform(o, x[i]);
#pragma unroll
                for (int j = 0; j < EDGE; j++)
                    VSTORE(o[j], c, to + (i * EDGE + j) * frequency);
            }
        }
    }
}

// One frame and input block.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_input(__global const MAP(X_STORAGE) *restrict x, __global float *restrict v, __global const MAP(X_STORAGE) *restrict zeros,
                      int in_blocks, int in_t, int in_h, int in_w, int tiles_h, int tiles_w, int pad_h, int pad_w, int first_tile,
                      int n_tiles, int chunk_tiles, int group)
{
    const int t = get_global_id(0), cb = get_global_id(1), plane = in_h * in_w * BI;
    __global float *to = v + ((size_t)t * in_blocks + cb) * chunk_tiles * FREQUENCIES * BI;
    for (int i = 0; i < chunk_tiles; i += group, to += group * FREQUENCIES * BI)
        transform_input_group(x + ((size_t)cb * in_t + t) * plane, (size_t)in_blocks * in_t * plane, zeros, to, first_tile + i, group,
                              n_tiles, tiles_h, tiles_w, pad_h, pad_w, in_h, in_w);
}

// One frame and output block of the output's gradient. What tiles have beyond the output, and tiles past the last one, are zeros.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_winograd_gradient(__global const MAP(Y_STORAGE) *restrict dy, __global float *restrict m, __global const MAP(Y_STORAGE) *restrict zeros,
                         int out_blocks, int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int first_tile, int n_tiles,
                         int chunk_tiles, int group)
{
    const int t = get_global_id(0), kb = get_global_id(1);
    const int frequency = group * BO;
    for (int i = 0; i < chunk_tiles; i++) {
        const int first = i / group * group;
        __global float *to = m + ((((size_t)t * out_blocks + kb) * chunk_tiles + first) * FREQUENCIES + (i - first)) * BO;
        const int tile = first_tile + i, tile_row = tile / tiles_w, n = tile_row / tiles_h;
        const int h0 = (tile_row - n * tiles_h) * TILE, w0 = (tile - tile_row * tiles_w) * TILE;
        __global const MAP(Y_STORAGE) *dp = dy + ((((size_t)n * out_blocks + kb) * out_t + t) * out_h * out_w + (h0 * out_w + w0)) * BO;
        floatv x[TILE][EDGE];
#pragma unroll
        for (int r = 0; r < TILE; r++) {
            floatv d[TILE];
            const int row_inside = tile < n_tiles && h0 + r < out_h;
#pragma unroll
            for (int c = 0; c < TILE; c++)
                d[c] = MAP_LOAD(Y_STORAGE, 0, row_inside && w0 + c < out_w ? dp + (r * out_w + c) * BO : zeros);
            gradient_transform(x[r], d);
        }
#pragma unroll
        for (int c = 0; c < EDGE; c++) {
            floatv column[TILE], o[EDGE];
#pragma unroll
            for (int r = 0; r < TILE; r++)
                column[r] = x[r][c];
            gradient_transform(o, column);
#pragma unroll
            for (int r = 0; r < EDGE; r++)
                VSTORE_ALIGNED(o[r], 0, to + (r * EDGE + c) * frequency);
        }
    }
}
