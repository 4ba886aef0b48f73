// Winograd's F(TILE×TILE, 3×3) on height and width for GPUs: what comes before and after the products of conv3d_winograd_gemm.cl and
// conv3d_winograd_gemm_weights.cl, in global memory, for a chunk of spatial tiles (n, th, tw) of the batch and all frames:
//
//    V[FREQUENCIES][channels of x / 4][in_t][tiles][4]      transformed input
//    D[FREQUENCIES][channels of y / 4][out_t][tiles][4]     transformed gradient of the output
//    M[FREQUENCIES][out_t][tiles][channels of y]            products, to be transformed back
//    U[FREQUENCIES][taps_t][channels of x][channels of y]   transformed weights, and their gradient
//
// Channels are those in memory, whole blocks. A work-item has VECTOR of them, its neighbours the others of the block and then the next
// tiles, so that all that is read and written at once are pieces of at least 64 bytes; nothing is shared, and nothing but the input's
// transform keeps a whole tile of frequencies in registers.
//
// Backward data takes dy as x and turns the weights round on the way (-D TRANSPOSED).
//
// -D BI, BO      blocks of x and y, multiples of 4
//    TILE        outputs a tile's side: 4 or 2
//    VECTOR      channels of a work-item: 2 or 4
//    X_STORAGE, Y_STORAGE

#include "storage.clh"
#define INPUT_VECTOR VECTOR
#include "conv3d_winograd_tile.clh"

#define INLINE static inline __attribute__((always_inline))

enum { RELU_FLAG = 1, ACCUMULATE_FLAG = 2 };

// The tensor that tiles are in, and where they are in it.
typedef struct {
    int blocks, t, h, w, tiles_h, tiles_w, first_tile;
} Map;

typedef struct {
    int sample, h, w;
} Corner;

INLINE Corner corner_of(const Map *map, uint tile)
{
    const uint number = map->first_tile + tile, row = number / (uint)map->tiles_w, sample = row / (uint)map->tiles_h;
    const Corner corner = {sample, (row - sample * map->tiles_h) * TILE, (number - row * map->tiles_w) * TILE};
    return corner;
}

// Number of the vector at a pixel, which may be outside: an int, as tensors have fewer than 2³⁰ numbers.
INLINE int vector_at(const Map *map, int sample, int block, int t, int h, int w, int lanes, int lane)
{
    return ((((sample * map->blocks + block) * map->t + t) * map->h + h) * map->w + w) * lanes + lane;
}

INLINE bool pixel_inside(const Map *map, int h, int w)
{
    return ((uint)h < (uint)map->h) & ((uint)w < (uint)map->w);
}

// Work-items: dimension 0 lanes of the block, then tiles; 1 frames; 2 blocks.
#define LANES_X (BI / VECTOR)
#define LANES_Y (BO / VECTOR)

// Where the frequencies of a vector of channels go in V or D: the first one, in vectors.
INLINE size_t frequencies_at(uint channel, uint columns, uint column)
{
    return (((size_t)(channel / 4) * columns + column) * 4 + channel % 4) / VECTOR;
}

__kernel void conv3d_winograd_gemm_input(__global const MAP(X_STORAGE) *restrict x, __global float *restrict v, int blocks, int in_t,
                                         int in_h, int in_w, int tiles_h, int tiles_w, int pad_h, int pad_w, int first_tile, int tiles)
{
    const uint item = get_global_id(0), tile = item / LANES_X, lane = item - tile * LANES_X, t = get_global_id(1),
               block = get_global_id(2);
    if (tile >= (uint)tiles)
        return;
    const Map map = {blocks, in_t, in_h, in_w, tiles_h, tiles_w, first_tile};
    const Corner corner = corner_of(&map, tile);
    const int h0 = corner.h - pad_h, w0 = corner.w - pad_w;
    const int at = vector_at(&map, corner.sample, block, t, h0, w0, LANES_X, lane);
    floatv f[EDGE][EDGE];
#pragma unroll
    for (int c = 0; c < EDGE; c++) {
        floatv column[EDGE], o[EDGE];
#pragma unroll
        for (int r = 0; r < EDGE; r++) {
            const bool inside = pixel_inside(&map, h0 + r, w0 + c);
            const floatv value = MAP_LOAD(X_STORAGE, inside ? at + (r * in_w + c) * LANES_X : 0, x);
            column[r] = inside ? value : (floatv)(0.0f);
        }
        input_transform(o, column);
#pragma unroll
        for (int r = 0; r < EDGE; r++)
            f[r][c] = o[r];
    }
    const uint columns = in_t * tiles;
    const size_t frequency = (size_t)blocks * BI * columns / VECTOR;
    size_t to = frequencies_at(block * BI + lane * VECTOR, columns, t * tiles + tile);
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
        floatv o[EDGE];
        input_transform(o, f[r]);
#pragma unroll
        for (int c = 0; c < EDGE; c++, to += frequency)
            VSTORE_ALIGNED(o[c], to, v);
    }
}

// What tiles have beyond the output is zeros.
__kernel void conv3d_winograd_gemm_gradient(__global const MAP(Y_STORAGE) *restrict dy, __global float *restrict d, int blocks,
                                            int out_t, int out_h, int out_w, int tiles_h, int tiles_w, int first_tile, int tiles)
{
    const uint item = get_global_id(0), tile = item / LANES_Y, lane = item - tile * LANES_Y, t = get_global_id(1),
               block = get_global_id(2);
    if (tile >= (uint)tiles)
        return;
    const Map map = {blocks, out_t, out_h, out_w, tiles_h, tiles_w, first_tile};
    const Corner corner = corner_of(&map, tile);
    const int at = vector_at(&map, corner.sample, block, t, corner.h, corner.w, LANES_Y, lane);
    floatv f[EDGE][TILE];
#pragma unroll
    for (int c = 0; c < TILE; c++) {
        floatv column[TILE], o[EDGE];
#pragma unroll
        for (int r = 0; r < TILE; r++) {
            const bool inside = pixel_inside(&map, corner.h + r, corner.w + c);
            const floatv value = MAP_LOAD(Y_STORAGE, inside ? at + (r * out_w + c) * LANES_Y : 0, dy);
            column[r] = inside ? value : (floatv)(0.0f);
        }
        gradient_transform(o, column);
#pragma unroll
        for (int r = 0; r < EDGE; r++)
            f[r][c] = o[r];
    }
    const uint columns = out_t * tiles;
    const size_t frequency = (size_t)blocks * BO * columns / VECTOR;
    size_t to = frequencies_at(block * BO + lane * VECTOR, columns, t * tiles + tile);
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
        floatv o[EDGE];
        gradient_transform(o, f[r]);
#pragma unroll
        for (int c = 0; c < EDGE; c++, to += frequency)
            VSTORE_ALIGNED(o[c], to, d);
    }
}

INLINE void store_output(floatv value, int at, uint channel, __global MAP(Y_STORAGE) *y, __global const float *bias,
                         __global const MAP(Y_STORAGE) *residual, int flags)
{
    if (bias)
        value += VLOAD_ALIGNED(channel / VECTOR, bias);
    if (residual)
        value += MAP_LOAD(Y_STORAGE, at, residual);
    if (flags & ACCUMULATE_FLAG)
        value += MAP_LOAD(Y_STORAGE, at, (__global const MAP(Y_STORAGE) *)y);
    if (flags & RELU_FLAG)
        value = RELU(value);
    MAP_STORE(Y_STORAGE, value, at, y);
}

__kernel void conv3d_winograd_gemm_output(__global const float *restrict m, __global MAP(Y_STORAGE) *y, __global const float *bias,
                                          __global const MAP(Y_STORAGE) *residual, int flags, int blocks, int out_t, int out_h,
                                          int out_w, int tiles_h, int tiles_w, int first_tile, int tiles)
{
    const uint item = get_global_id(0), tile = item / LANES_Y, lane = item - tile * LANES_Y, t = get_global_id(1),
               block = get_global_id(2);
    if (tile >= (uint)tiles)
        return;
    const Map map = {blocks, out_t, out_h, out_w, tiles_h, tiles_w, first_tile};
    const Corner corner = corner_of(&map, tile);
    const int at = vector_at(&map, corner.sample, block, t, corner.h, corner.w, LANES_Y, lane);
    const uint lanes = blocks * LANES_Y;
    const size_t frequency = (size_t)out_t * tiles * lanes;
    size_t from = (size_t)(t * tiles + tile) * lanes + block * LANES_Y + lane;
    floatv x[EDGE][TILE];
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
        floatv row[EDGE];
#pragma unroll
        for (int c = 0; c < EDGE; c++, from += frequency)
            row[c] = VLOAD_ALIGNED(from, m);
        output_transform(x[r], row);
    }
#pragma unroll
    for (int c = 0; c < TILE; c++) {
        floatv column[EDGE], o[TILE];
#pragma unroll
        for (int r = 0; r < EDGE; r++)
            column[r] = x[r][c];
        output_transform(o, column);
#pragma unroll
        for (int r = 0; r < TILE; r++)
            if (pixel_inside(&map, corner.h + r, corner.w + c))
                store_output(o[r], at + (r * out_w + c) * LANES_Y, block * BO + lane * VECTOR, y, bias, residual, flags);
    }
}

// The nine taps of a vector of weights, @step vectors apart, to frequencies; those of the gradient in reverse order.
INLINE void transform_weights(floatv f[EDGE][EDGE], __global const float *weights, size_t from, size_t step)
{
    floatv x[EDGE][3];
#pragma unroll
    for (int w = 0; w < 3; w++) {
        floatv column[3], o[EDGE];
#pragma unroll
        for (int h = 0; h < 3; h++) {
            const int tap = h * 3 + w;
            column[h] = VLOAD_ALIGNED(from + (TRANSPOSED ? 8 - tap : tap) * step, weights);
        }
        weight_transform(o, column);
#pragma unroll
        for (int r = 0; r < EDGE; r++)
            x[r][w] = o[r];
    }
#pragma unroll
    for (int r = 0; r < EDGE; r++)
        weight_transform(f[r], x[r]);
}

#if !TRANSPOSED

// Work-items: dimension 0 vectors of output channels, 1 input channels, 2 taps in time. Weights are [blocks_y][blocks_x][taps][BI][BO].
__kernel void conv3d_winograd_gemm_weights(__global const float *restrict weights, __global float *restrict u, int blocks_x,
                                           int blocks_y, int taps_t)
{
    const uint k = get_global_id(0), c = get_global_id(1), kt = get_global_id(2), lanes = blocks_y * LANES_Y;
    if (k >= lanes)
        return;
    const uint kb = k / LANES_Y, cb = c / BI;
    floatv f[EDGE][EDGE];
    transform_weights(f, weights,
                      ((((size_t)kb * blocks_x + cb) * taps_t + kt) * 9 * BI + (c - cb * BI)) * LANES_Y + (k - kb * LANES_Y),
                      BI * LANES_Y);
    const size_t frequency = (size_t)taps_t * blocks_x * BI * lanes;
    size_t to = ((size_t)kt * blocks_x * BI + c) * lanes + k;
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
#pragma unroll
        for (int i = 0; i < EDGE; i++, to += frequency)
            VSTORE_ALIGNED(f[r][i], to, u);
    }
}

#else

// Of the convolution from dy (x here) to dx (y here), whose weights are [blocks_x][blocks_y][taps][BO][BI] with all taps in reverse order.
// Work-items: dimension 0 output channels of a block, then vectors of input channels of a block; 1 blocks of input; 2 taps in time,
// then blocks of output.
__kernel void conv3d_winograd_gemm_weights(__global const float *restrict weights, __global float *restrict u, int blocks_x,
                                           int blocks_y, int taps_t)
{
    const uint item = get_global_id(0), lane = item / BO, k = item - lane * BO, cb = get_global_id(1), kb = get_global_id(2) / taps_t,
               kt = get_global_id(2) - kb * taps_t;
    if (lane >= LANES_X)
        return;
    floatv f[EDGE][EDGE];
    transform_weights(f, weights, ((((size_t)cb * blocks_y + kb) * taps_t + (taps_t - 1 - kt)) * 9 * BO + k) * LANES_X + lane,
                      BO * LANES_X);
    const uint rows = blocks_y * BO;
    const size_t frequency = (size_t)taps_t * blocks_x * BI * rows;
    size_t to = ((size_t)kt * blocks_x * BI + cb * BI + lane * VECTOR) * rows + kb * BO + k;
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
#pragma unroll
        for (int i = 0; i < EDGE; i++, to += frequency) {
            const float *parts = (const float *)&f[r][i];
#pragma unroll
            for (int p = 0; p < VECTOR; p++)
                u[to + p * rows] = parts[p];
        }
    }
}

#endif

// The gradient of U, in @parts parts that are added from the first to the last, to that of the weights. Work-items as for the weights.
__kernel void conv3d_winograd_gemm_weights_gradient(__global const float *restrict du, __global float *restrict dw, int blocks_x,
                                                    int blocks_y, int taps_t, int parts)
{
    const uint k = get_global_id(0), c = get_global_id(1), kt = get_global_id(2), lanes = blocks_y * LANES_Y;
    if (k >= lanes)
        return;
    const uint kb = k / LANES_Y, cb = c / BI;
    const size_t frequency = (size_t)taps_t * blocks_x * BI * lanes;
    size_t from = ((size_t)kt * blocks_x * BI + c) * lanes + k;
    floatv x[EDGE][3];
#pragma unroll
    for (int r = 0; r < EDGE; r++) {
        floatv row[EDGE];
#pragma unroll
        for (int i = 0; i < EDGE; i++, from += frequency) {
            row[i] = VLOAD_ALIGNED(from, du);
            for (int p = 1; p < parts; p++)
                row[i] += VLOAD_ALIGNED(from + p * FREQUENCIES * frequency, du);
        }
        weights_from_frequencies(x[r], row);
    }
    const size_t to =
        ((((size_t)kb * blocks_x + cb) * taps_t + kt) * 9 * BI + (c - cb * BI)) * LANES_Y + (k - kb * LANES_Y);
#pragma unroll
    for (int w = 0; w < 3; w++) {
        floatv column[EDGE], o[3];
#pragma unroll
        for (int r = 0; r < EDGE; r++)
            column[r] = x[r][w];
        weights_from_frequencies(o, column);
#pragma unroll
        for (int h = 0; h < 3; h++)
            VSTORE_ALIGNED(o[h], to + (h * 3 + w) * (BI * LANES_Y), dw);
    }
}
