// Matrix products for CPUs: a work-item keeps a tile of ROWS × COLUMNS vectors of the result in registers.
// Tiles at the edges compute their last row or vector several times and store it once, which needs no other
// code.

#include "layout.clh"

// y = x · w, + bias?, + y if accumulate, relu?. Work-item (i, j) has COLUMNS vectors and @run tiles below
// each other.
kernel void linear_product_direct(global const float *restrict x, global const float *restrict w,
                                  global const float *restrict bias, global float *restrict y, uint rows,
                                  uint features, uint in_pitch, uint vectors, uint run, int relu,
                                  int accumulate)
{
    const uint first_vector = get_global_id(0) * COLUMNS;
    const uint first_row = get_global_id(1) * run * ROWS, end_row = min(first_row + run * ROWS, rows);
    uint column[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
        column[j] = min(first_vector + j, vectors - 1);

    for (uint row = first_row; row < end_row; row += ROWS) {
        global const float *in[ROWS];
        floatv sum[ROWS][COLUMNS];
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            const uint n = min(row + i, rows - 1);
            in[i] = x + (ulong)n * in_pitch;
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                sum[i][j] = accumulate ? VLOAD((ulong)n * vectors + column[j], y) : (floatv)(0.0f);
                if (bias)
                    sum[i][j] += VLOAD(column[j], bias);
            }
        }
        for (uint c = 0; c < features; c++) {
            floatv weight[COLUMNS];
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                weight[j] = VLOAD((ulong)c * vectors + column[j], w);
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                const floatv value = in[i][c];
#pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    sum[i][j] = fma(value, weight[j], sum[i][j]);
            }
        }
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                if (row + i < rows && first_vector + j < vectors) {
                    floatv value = sum[i][j];
                    if (relu)
                        value = value < 0.0f ? (floatv)(0.0f) : value;
                    VSTORE(value, (ulong)(row + i) * vectors + first_vector + j, y);
                }
    }
}

// dw[c] = Σ_n x[n][c] · dy[n]. Work-item (j, i, s) has a block of tiles, @row_tiles × @column_tiles, of the
// sum over split s. It walks through @chunk rows of x and dy, which stay in the cache, for each tile before
// going on, and so keeps the tiles' sums in memory in between.
kernel void linear_backward_weights_direct(global const float *restrict x, global const float *restrict dy,
                                           global float *restrict parts, uint rows, uint split_rows,
                                           uint chunk, uint in_pitch, uint vectors, uint row_tiles,
                                           uint column_tiles)
{
    const uint split = get_global_id(2);
    const uint first_vector = get_global_id(0) * column_tiles * COLUMNS;
    const uint end_vector = min(first_vector + column_tiles * COLUMNS, vectors);
    const uint first_c = get_global_id(1) * row_tiles * ROWS,
               end_c = min(first_c + row_tiles * ROWS, in_pitch);
    const uint first_row = split * split_rows, end_row = min(first_row + split_rows, rows);
    global float *dw = parts + (ulong)split * in_pitch * vectors * VECTOR;

    for (uint start = first_row; start < end_row; start += chunk) {
        const uint end = min(start + chunk, end_row);
        for (uint v = first_vector; v < end_vector; v += COLUMNS)
            for (uint c = first_c; c < end_c; c += ROWS) {
                uint column[COLUMNS], feature[ROWS];
                floatv sum[ROWS][COLUMNS];
#pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    column[j] = min(v + j, vectors - 1);
#pragma unroll
                for (int i = 0; i < ROWS; i++) {
                    feature[i] = min(c + i, in_pitch - 1);
#pragma unroll
                    for (int j = 0; j < COLUMNS; j++)
                        sum[i][j] = start == first_row ? (floatv)(0.0f)
                                                       : VLOAD((ulong)feature[i] * vectors + column[j], dw);
                }
                for (uint n = start; n < end; n++) {
                    floatv gradient[COLUMNS];
#pragma unroll
                    for (int j = 0; j < COLUMNS; j++)
                        gradient[j] = VLOAD((ulong)n * vectors + column[j], dy);
#pragma unroll
                    for (int i = 0; i < ROWS; i++) {
                        const floatv value = x[(ulong)n * in_pitch + feature[i]];
#pragma unroll
                        for (int j = 0; j < COLUMNS; j++)
                            sum[i][j] = fma(value, gradient[j], sum[i][j]);
                    }
                }
#pragma unroll
                for (int i = 0; i < ROWS; i++)
#pragma unroll
                    for (int j = 0; j < COLUMNS; j++)
                        if (c + i < end_c && v + j < end_vector)
                            VSTORE(sum[i][j], (ulong)feature[i] * vectors + column[j], dw);
            }
    }
}
