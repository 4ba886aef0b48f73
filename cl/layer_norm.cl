// Layer normalisation over the channels of each pixel. A row is one pixel of one sample; a work-group of
// LANES takes @run rows after each other.

#include "group.clh"
#include "vector.clh"

// Channel blocks of @block channels, @pixels · block floats apart.
typedef struct {
    uint channels, pixels, blocks, block;
} Rows;

static uint row_vectors(Rows rows)
{
    return rows.blocks * rows.block / VECTOR;
}

// Where vector @i of row @row is.
static ulong row_place(Rows rows, uint row, uint i)
{
    if (rows.pixels == 1)
        return (ulong)row * rows.blocks * rows.block + i * VECTOR;
    const uint n = row / rows.pixels, pixel = row - n * rows.pixels;
    const uint in_blocks = rows.block / VECTOR, block = i / in_blocks;
    return ((ulong)(n * rows.blocks + block) * rows.pixels + pixel) * rows.block +
           (i - block * in_blocks) * VECTOR;
}

// How many channels vector @i and those behind it have: less than VECTOR where it ends in padding, not above
// 0 where it is padding.
static int row_lanes(Rows rows, uint i)
{
    return (int)rows.channels - (int)(i * VECTOR);
}

// @mean, @rstd: what the backward pass needs, or NULL.
kernel void layer_norm_forward(global const float *x, global const float *gamma, global const float *beta,
                               global float *y, global float *mean_out, global float *rstd_out, uint n_rows,
                               int run, uint channels, uint pixels, uint blocks, uint block, float epsilon)
{
    GROUP_SCRATCH(scratch);
    const Rows rows = {channels, pixels, blocks, block};
    const uint vectors = row_vectors(rows);
    const uint start = get_group_id(0) * (uint)run, end = min(start + (uint)run, n_rows);
    for (uint row = start; row < end; row++) {
        floatv sum = 0.0f, squares = 0.0f;
        for (uint i = LANE; i < vectors; i += LANES)
            sum += VLOAD(0, x + row_place(rows, row, i));
        const float mean = group_sum(vector_sum(sum), scratch) / channels;
        for (uint i = LANE; i < vectors; i += LANES) {
            const floatv off =
                vector_head(VLOAD(0, x + row_place(rows, row, i)) - mean, row_lanes(rows, i), 0.0f);
            squares = fma(off, off, squares);
        }
        const float rstd = 1.0f / sqrt(group_sum(vector_sum(squares), scratch) / channels + epsilon);
        for (uint i = LANE; i < vectors; i += LANES) {
            const ulong at = row_place(rows, row, i);
            const floatv normal = (VLOAD(0, x + at) - mean) * rstd;
            VSTORE(fma(normal, VLOAD(i, gamma), VLOAD(i, beta)), 0, y + at);
        }
        if (LANE == 0 && mean_out) {
            mean_out[row] = mean;
            rstd_out[row] = rstd;
        }
    }
}

// With n = (x − mean)·rstd and g = dy·gamma: dx = rstd · (g − mean(g) − n · mean(g·n)).
kernel void layer_norm_backward_data(global const float *x, global const float *gamma,
                                     global const float *means, global const float *rstds,
                                     global const float *dy, global float *dx, uint n_rows, int run,
                                     uint channels, uint pixels, uint blocks, uint block)
{
    GROUP_SCRATCH(scratch);
    const Rows rows = {channels, pixels, blocks, block};
    const uint vectors = row_vectors(rows);
    const uint start = get_group_id(0) * (uint)run, end = min(start + (uint)run, n_rows);
    for (uint row = start; row < end; row++) {
        const float mean = means[row], rstd = rstds[row];
        floatv sum = 0.0f, product = 0.0f;
        for (uint i = LANE; i < vectors; i += LANES) {
            const ulong at = row_place(rows, row, i);
            const floatv g = VLOAD(0, dy + at) * VLOAD(i, gamma);
            sum += g;
            product = fma(g, (VLOAD(0, x + at) - mean) * rstd, product);
        }
        const float mean_g = group_sum(vector_sum(sum), scratch) / channels;
        const float mean_gn = group_sum(vector_sum(product), scratch) / channels;
        for (uint i = LANE; i < vectors; i += LANES) {
            const ulong at = row_place(rows, row, i);
            const floatv g = VLOAD(0, dy + at) * VLOAD(i, gamma);
            const floatv normal = (VLOAD(0, x + at) - mean) * rstd;
            VSTORE(vector_head((g - mean_g - normal * mean_gn) * rstd, row_lanes(rows, i), 0.0f), 0, dx + at);
        }
    }
}

// Sums over the rows of a chunk (dimension 1) for a vector of channels (dimension 0). @partial:
// [chunk][gamma, beta][channel].
kernel void layer_norm_backward_weights(global const float *x, global const float *means,
                                        global const float *rstds, global const float *dy,
                                        global float *partial, uint n_rows, uint chunk_rows, uint channels,
                                        uint pixels, uint blocks, uint block)
{
    const Rows rows = {channels, pixels, blocks, block};
    const uint vectors = row_vectors(rows), i = get_global_id(0), chunk = get_global_id(1);
    if (i >= vectors)
        return;
    const uint start = chunk * chunk_rows, end = min(start + chunk_rows, n_rows);
    floatv dgamma = 0.0f, dbeta = 0.0f;
    for (uint row = start; row < end; row++) {
        const ulong at = row_place(rows, row, i);
        const floatv g = VLOAD(0, dy + at);
        dgamma = fma(g, (VLOAD(0, x + at) - means[row]) * rstds[row], dgamma);
        dbeta += g;
    }
    VSTORE(dgamma, chunk * 2 * vectors + i, partial);
    VSTORE(dbeta, (chunk * 2 + 1) * vectors + i, partial);
}

kernel void layer_norm_backward_total(global const float *partial, global float *dgamma, global float *dbeta,
                                      uint chunks, uint vectors)
{
    const uint i = get_global_id(0);
    if (i >= vectors)
        return;
    floatv sum_gamma = 0.0f, sum_beta = 0.0f;
    for (uint chunk = 0; chunk < chunks; chunk++) {
        sum_gamma += VLOAD(chunk * 2 * vectors + i, partial);
        sum_beta += VLOAD((chunk * 2 + 1) * vectors + i, partial);
    }
    VSTORE(sum_gamma, i, dgamma);
    VSTORE(sum_beta, i, dbeta);
}
