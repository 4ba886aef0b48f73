// What surrounds the products of a linear layer: bias and ReLU, the bias's gradient, sums of parts,
// transposed weights.

#include "layout.clh"

// y = relu?(y + bias?), row by row. @row_vectors: of a row.
kernel void linear_epilogue(global float *y, global const float *bias, uint vectors, uint row_vectors,
                            int run, int relu)
{
    const uint start = get_global_id(0) * (uint)run;
    const uint end = min((ulong)start + run, (ulong)vectors);
    for (uint i = start; i < end; i++) {
        floatv value = VLOAD(i, y);
        if (bias)
            value += VLOAD(i % row_vectors, bias);
        if (relu)
            value = value < 0.0f ? (floatv)(0.0f) : value;
        VSTORE(value, i, y);
    }
}

// Sums of dy over a part of the rows (dimension 1), for a vector of features (dimension 0). @parts:
// [part][feature].
kernel void linear_backward_bias(global const float *dy, global float *parts, uint rows, uint part_rows,
                                 uint row_vectors)
{
    const uint i = get_global_id(0), part = get_global_id(1);
    if (i >= row_vectors)
        return;
    const uint start = part * part_rows, end = min(start + part_rows, rows);
    floatv sum = 0.0f;
    for (uint n = start; n < end; n++)
        sum += VLOAD((ulong)n * row_vectors + i, dy);
    VSTORE(sum, (ulong)part * row_vectors + i, parts);
}

kernel void linear_sum_parts(global const float *parts, uint n_parts, uint vectors, global float *out,
                             int run)
{
    const uint start = get_global_id(0) * (uint)run;
    const uint end = min((ulong)start + run, (ulong)vectors);
    for (uint i = start; i < end; i++) {
        floatv sum = VLOAD(i, parts);
        for (uint part = 1; part < n_parts; part++)
            sum += VLOAD((ulong)part * vectors + i, parts);
        VSTORE(sum, i, out);
    }
}

// to[j][i] = from[i][j]; a work-item does a square of @side × @side, which the first-level cache holds.
kernel void linear_transpose(global const float *restrict from, global float *restrict to, uint rows,
                             uint columns, uint side)
{
    const uint column = get_global_id(0) * side, row = get_global_id(1) * side;
    const uint end_column = min(column + side, columns), end_row = min(row + side, rows);
    for (uint j = column; j < end_column; j++)
        for (uint i = row; i < end_row; i++)
            to[(ulong)j * rows + i] = from[(ulong)i * columns + j];
}
