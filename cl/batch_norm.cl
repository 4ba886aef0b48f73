// Batch normalisation with residual and ReLU: see src/ops/batch_norm.h. Options: those of plane.clh.
#include "plane.clh"
#include "moments.clh"

// x, y, the residual and their gradients are stored as X_STORAGE says.
typedef MAP(X_STORAGE) number;
#define LOAD(p) MAP_LOAD(X_STORAGE, 0, p)
#define STORE(v, p) MAP_STORE(X_STORAGE, v, 0, p)

// Which part of the partial results this chunk is.
static int part_of_chunk(int blocks)
{
    return PLANE / blocks * (int)get_num_groups(1) + CHUNK;
}

// With neighbours a work-item has few pixels, at most PIXELS. They stay in its registers if those are not too many: all chunks
// under way at once would not fit a GPU's cache.
#if LANES > 1 && PIXELS <= 16
#define KEPT PIXELS
#endif

// Sum and squared deviations from the mean of each chunk. Two passes keep the squares small whatever the mean is; the second one
// finds the chunk in registers or in the cache.
kernel void batch_norm_statistics_chunk(global const number *x, global float *parts, int pixels, int chunk,
                                        int blocks, int n_parts)
{
    LANE_SCRATCH(scratch);
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    global const number *from = x + walk.first;
    floatv sum = 0.0f;
#ifdef KEPT
    floatv kept[KEPT];
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        kept[i] = 0.0f;
        if (i < walk.count)
            kept[i] = LOAD(from + i * STEP);
        sum += kept[i];
    }
#else
    for (int i = 0; i < walk.count; i++)
        sum += LOAD(from + i * STEP);
#endif
    const int n = min(pixels - CHUNK * chunk, chunk);
    sum = sum_lanes(sum, scratch);
    const floatv mean = sum / (float)n;
    floatv squares = 0.0f;
#ifdef KEPT
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        const floatv d = i < walk.count ? kept[i] - mean : (floatv)(0.0f);
        squares = fma(d, d, squares);
    }
#else
    for (int i = 0; i < walk.count; i++) {
        const floatv d = LOAD(from + i * STEP) - mean;
        squares = fma(d, d, squares);
    }
#endif
    squares = sum_lanes(squares, scratch);
    if (LANE == 0)
        store_moments(parts, blocks * BLOCK, walk.channel, n_parts, part_of_chunk(blocks), (float)n, sum, squares);
}

// Half overflows early. What a step that is skipped for that would leave in the running statistics would stay there.
#if X_STORAGE == 1
#define UNLESS_OVERFLOW(v, old) ((mean - mean) + (sum - sum) == 0.0f ? (v) : (old))
#else
#define UNLESS_OVERFLOW(v, old) (v)
#endif

// Merges the parts, whoever made them (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm", 1979, for many parts at once):
// mean = Σ sum_i / n, squares = Σ squares_i + n_i (sum_i / n_i − mean)².
kernel void batch_norm_statistics_merge(global const float *parts, global float *saved, global float *running_mean,
                                        global float *running_var, int n_parts, float total, float eps, float momentum)
{
    LANE_SCRATCH(scratch);
    const size_t channels = get_num_groups(2) * BLOCK;
    const size_t channel = PLANE * BLOCK + COLUMN * VECTOR;
    global const float *sums = parts + channel, *squares = sums + MOMENTS_SQUARES(channels, n_parts),
                       *counts = parts + MOMENTS_COUNTS(channels, n_parts);

    floatv sum = 0.0f;
    for (int i = LANE; i < n_parts; i += LANES)
        sum += VLOAD_ALIGNED(0, sums + i * channels);
    const floatv mean = sum_lanes(sum, scratch) / total;
    sum = 0.0f;
    for (int i = LANE; i < n_parts; i += LANES) {
        const floatv d = VLOAD_ALIGNED(0, sums + i * channels) / counts[i] - mean;
        sum += fma(counts[i] * d, d, VLOAD_ALIGNED(0, squares + i * channels));
    }
    sum = sum_lanes(sum, scratch);
    if (LANE != 0)
        return;
    VSTORE_ALIGNED(mean, 0, saved + channel);
    VSTORE_ALIGNED(1.0f / sqrt(sum / total + eps), 0, saved + channels + channel);
    const floatv old_mean = VLOAD_ALIGNED(0, running_mean + channel), old_var = VLOAD_ALIGNED(0, running_var + channel);
    VSTORE_ALIGNED(UNLESS_OVERFLOW(fma((floatv)momentum, mean - old_mean, old_mean), old_mean), 0, running_mean + channel);
    VSTORE_ALIGNED(UNLESS_OVERFLOW(fma((floatv)momentum, sum / (total - 1.0f) - old_var, old_var), old_var), 0,
                   running_var + channel);
}

// The one expression that forward stores and backward repeats to know where ReLU was open.
#define NORMALISED(x, mean, scale, beta) fma((x) - (mean), scale, beta)

static void normalise(Walk walk, global const number *x, global const number *residual, global number *y, floatv mean,
                      floatv scale, floatv beta, int relu)
{
    for (int i = 0; i < walk.count; i++) {
        const size_t at = walk.first + i * STEP;
        floatv v = NORMALISED(LOAD(x + at), mean, scale, beta);
        if (residual)
            v += LOAD(residual + at);
        STORE(relu ? RELU(v) : v, y + at);
    }
}

kernel void batch_norm_forward_training(global const number *x, global const number *residual, global number *y,
                                        global const float *gamma, global const float *beta,
                                        global const float *saved, int pixels, int chunk, int blocks, int relu)
{
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    const floatv mean = VLOAD_ALIGNED(0, saved + walk.channel);
    const floatv scale = VLOAD_ALIGNED(0, saved + blocks * BLOCK + walk.channel) * VLOAD_ALIGNED(0, gamma + walk.channel);
    normalise(walk, x, residual, y, mean, scale, VLOAD_ALIGNED(0, beta + walk.channel), relu);
}

kernel void batch_norm_forward_evaluation(global const number *x, global const number *residual, global number *y,
                                          global const float *gamma, global const float *beta,
                                          global const float *running_mean, global const float *running_var,
                                          int pixels, int chunk, int blocks, int relu, float eps)
{
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    const floatv invstd = 1.0f / sqrt(VLOAD_ALIGNED(0, running_var + walk.channel) + eps);
    normalise(walk, x, residual, y, VLOAD_ALIGNED(0, running_mean + walk.channel), invstd * VLOAD_ALIGNED(0, gamma + walk.channel),
              VLOAD_ALIGNED(0, beta + walk.channel), relu);
}

// dy where ReLU was open (all of it if there was none). y is NULL if forward had no residual: then x tells.
static floatv open_gradient(size_t at, global const number *x, global const number *y, global const number *dy,
                            floatv mean, floatv scale, floatv beta, int relu)
{
    const floatv d = LOAD(dy + at);
    if (!relu)
        return d;
    const floatv out = y ? LOAD(y + at) : NORMALISED(LOAD(x + at), mean, scale, beta);
    return out > 0.0f ? d : (floatv)(0.0f);
}

// Σ g and Σ g·(x − mean) of each chunk, where g is dy past ReLU; also hands g to the residual.
kernel void batch_norm_backward_chunk(global const number *x, global const number *y, global const number *dy,
                                      global number *d_residual, global const float *gamma, global const float *beta,
                                      global const float *saved, global float *parts, int pixels, int chunk,
                                      int blocks, int n_parts, int relu, int accumulate_residual)
{
    LANE_SCRATCH(scratch);
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    const floatv mean = VLOAD_ALIGNED(0, saved + walk.channel);
    const floatv scale = VLOAD_ALIGNED(0, saved + blocks * BLOCK + walk.channel) * VLOAD_ALIGNED(0, gamma + walk.channel);
    const floatv shift = VLOAD_ALIGNED(0, beta + walk.channel);
    floatv sum = 0.0f, product = 0.0f;
    for (int i = 0; i < walk.count; i++) {
        const size_t at = walk.first + i * STEP;
        const floatv g = open_gradient(at, x, y, dy, mean, scale, shift, relu);
        sum += g;
        product = fma(g, LOAD(x + at) - mean, product);
        if (d_residual)
            STORE(accumulate_residual ? LOAD(d_residual + at) + g : g, d_residual + at);
    }
    sum = sum_lanes(sum, scratch);
    product = sum_lanes(product, scratch);
    if (LANE == 0) {
        global float *part = parts + (size_t)part_of_chunk(blocks) * blocks * BLOCK + walk.channel;
        VSTORE_ALIGNED(sum, 0, part);
        VSTORE_ALIGNED(product, 0, part + (size_t)n_parts * blocks * BLOCK);
    }
}

kernel void batch_norm_backward_merge(global const float *parts, global const float *saved, global float *dgamma,
                                      global float *dbeta, int n_parts)
{
    LANE_SCRATCH(scratch);
    const size_t channels = get_num_groups(2) * BLOCK;
    const size_t channel = PLANE * BLOCK + COLUMN * VECTOR;
    global const float *sums = parts + channel, *products = sums + n_parts * channels;
    floatv sum = 0.0f, product = 0.0f;
    for (int i = LANE; i < n_parts; i += LANES) {
        sum += VLOAD_ALIGNED(0, sums + i * channels);
        product += VLOAD_ALIGNED(0, products + i * channels);
    }
    sum = sum_lanes(sum, scratch);
    product = sum_lanes(product, scratch);
    if (LANE == 0) {
        VSTORE_ALIGNED(product * VLOAD_ALIGNED(0, saved + channels + channel), 0, dgamma + channel);
        VSTORE_ALIGNED(sum, 0, dbeta + channel);
    }
}

// dx = gamma · invstd · (g − Σg/n − x̂ · Σ(g·x̂)/n).
kernel void batch_norm_backward_data(global const number *x, global const number *y, global const number *dy,
                                     global number *dx, global const float *gamma, global const float *beta,
                                     global const float *saved, global const float *dgamma, global const float *dbeta,
                                     int pixels, int chunk, int blocks, int relu, float per_total)
{
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    const floatv mean = VLOAD_ALIGNED(0, saved + walk.channel), invstd = VLOAD_ALIGNED(0, saved + blocks * BLOCK + walk.channel);
    const floatv scale = invstd * VLOAD_ALIGNED(0, gamma + walk.channel), shift = VLOAD_ALIGNED(0, beta + walk.channel);
    const floatv mean_g = VLOAD_ALIGNED(0, dbeta + walk.channel) * per_total;
    const floatv slope = VLOAD_ALIGNED(0, dgamma + walk.channel) * invstd * per_total;
    for (int i = 0; i < walk.count; i++) {
        const size_t at = walk.first + i * STEP;
        const floatv g = open_gradient(at, x, y, dy, mean, scale, shift, relu);
        STORE(scale * (g - fma(LOAD(x + at) - mean, slope, mean_g)), dx + at);
    }
}
