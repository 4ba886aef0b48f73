// Pooling by pixels, for devices where neighbouring work-items touch neighbouring pixels: see src/ops/pool.h. Options: those of
// plane.clh, and either KERNEL_T …, STRIDE_T …, PAD_T … of a max-pool or REGIONS_T … of an average pool.
#include "pool.clh"

#if defined(KERNEL_T)

// x: T × H × W pixels a plane; y: `pixels`, in rows of `y_width` and maps of `y_height`. A tap outside of the map reads the
// nearest one inside, which the window has too, so that loops have constant bounds.
kernel void max_pool_forward(global const number *x, global number *y, global int *taps, int T, int H, int W, int pixels,
                             int y_height, int y_width, int chunk, int blocks)
{
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    Position at = position(CHUNK * chunk + LANE, y_height, y_width);
    const size_t plane = plane_start(T * H * W);
    for (int i = 0; i < walk.count; i++) {
        const int t = at.t * STRIDE_T - PAD_T, h = at.h * STRIDE_H - PAD_H, w = at.w * STRIDE_W - PAD_W;
        int columns[KERNEL_W];
#pragma unroll
        for (int c = 0; c < KERNEL_W; c++)
            columns[c] = clamp(w + c, 0, W - 1);
        floatv best = -INFINITY;
        intv winner = (max(-t, 0) * KERNEL_H + max(-h, 0)) * KERNEL_W + max(-w, 0);
#pragma unroll
        for (int a = 0; a < KERNEL_T; a++) {
            const int row_t = clamp(t + a, 0, T - 1);
#pragma unroll
            for (int b = 0; b < KERNEL_H; b++) {
                const int row_h = clamp(h + b, 0, H - 1);
                global const number *row = x + plane + (row_t * H + row_h) * W * BLOCK;
                const int row_tap = ((row_t - t) * KERNEL_H + row_h - h) * KERNEL_W - w;
#pragma unroll
                for (int c = 0; c < KERNEL_W; c++) {
                    const floatv v = LOAD(row + columns[c] * BLOCK);
                    const intv wins = (v > best) | (v != v);
                    best = wins ? v : best;
                    winner = wins ? (intv)(row_tap + columns[c]) : winner;
                }
            }
        }
        STORE(best, y + walk.first + i * STEP);
        if (taps)
            *(global intv *)(taps + walk.first + i * STEP) = winner;
        at = advance(at, LANES, y_height, y_width);
    }
}

// Windows that pixel `x` is in, of `windows` along its direction.
static Range windows_over(int x, int kernel_size, int stride, int pad, int windows)
{
    const int last = x + pad, first = last - kernel_size + 1;
    return (Range){first > 0 ? (first + stride - 1) / stride : 0, min(last / stride + 1, windows)};
}

// dx: `pixels` a plane, in rows of `width` and maps of `height`; dy: T × H × W.
kernel void max_pool_backward(global const number *dy, global const int *taps, global number *dx, int T, int H, int W,
                              int pixels, int height, int width, int chunk, int blocks, int accumulate)
{
    const Walk walk = walk_chunk(pixels, chunk, blocks);
    Position at = position(CHUNK * chunk + LANE, height, width);
    const size_t plane = plane_start(T * H * W);
    for (int i = 0; i < walk.count; i++) {
        const Range t = windows_over(at.t, KERNEL_T, STRIDE_T, PAD_T, T);
        const Range h = windows_over(at.h, KERNEL_H, STRIDE_H, PAD_H, H);
        const Range w = windows_over(at.w, KERNEL_W, STRIDE_W, PAD_W, W);
        floatv sum = accumulate ? LOAD(dx + walk.first + i * STEP) : (floatv)(0.0f);
        for (int a = t.first; a < t.end; a++)
            for (int b = h.first; b < h.end; b++)
                for (int c = w.first; c < w.end; c++) {
                    const int tap = ((at.t + PAD_T - a * STRIDE_T) * KERNEL_H + at.h + PAD_H - b * STRIDE_H) * KERNEL_W +
                                    at.w + PAD_W - c * STRIDE_W;
                    const size_t window = plane + (size_t)((a * H + b) * W + c) * BLOCK;
                    const intv won = *(global const intv *)(taps + window) == tap;
                    sum += won ? LOAD(dy + window) : (floatv)(0.0f);
                }
        STORE(sum, dx + walk.first + i * STEP);
        at = advance(at, LANES, height, width);
    }
}

#else

// Group i along dimension 1 has region i; its lanes share the pixels.
kernel void average_pool_forward(global const number *x, global float *y, int T, int H, int W)
{
    LANE_SCRATCH(scratch);
    const Position region = position(CHUNK, REGIONS_H, REGIONS_W);
    const int t = region_start(region.t, REGIONS_T, T), depth = region_end(region.t, REGIONS_T, T) - t;
    const int h = region_start(region.h, REGIONS_H, H), height = region_end(region.h, REGIONS_H, H) - h;
    const int w = region_start(region.w, REGIONS_W, W), width = region_end(region.w, REGIONS_W, W) - w;
    global const number *plane = x + plane_start(T * H * W);

    floatv sum = 0.0f;
    Position at = position(LANE, height, width);
    for (int i = LANE; i < depth * height * width; i += LANES) {
        sum += LOAD(plane + (size_t)(((t + at.t) * H + h + at.h) * W + w + at.w) * BLOCK);
        at = advance(at, LANES, height, width);
    }
    sum = sum_lanes(sum, scratch);
    if (LANE == 0)
        VSTORE_ALIGNED(sum / (float)(depth * height * width), CHUNK * (BLOCK / VECTOR),
                       y + plane_start(REGIONS_T * REGIONS_H * REGIONS_W));
}

kernel void average_pool_backward(global const float *dy, global number *dx, int T, int H, int W, int chunk, int blocks,
                                  int accumulate)
{
    const Walk walk = walk_chunk(T * H * W, chunk, blocks);
    Position at = position(CHUNK * chunk + LANE, H, W);
    global const float *plane = dy + plane_start(REGIONS_T * REGIONS_H * REGIONS_W);
    for (int i = 0; i < walk.count; i++) {
        floatv sum = accumulate ? LOAD(dx + walk.first + i * STEP) : (floatv)(0.0f);
        for (int a = regions_first(at.t, REGIONS_T, T); a < regions_end(at.t, REGIONS_T, T); a++)
            for (int b = regions_first(at.h, REGIONS_H, H); b < regions_end(at.h, REGIONS_H, H); b++)
                for (int c = regions_first(at.w, REGIONS_W, W); c < regions_end(at.w, REGIONS_W, W); c++) {
                    const float share = region_share(a, REGIONS_T, T) * region_share(b, REGIONS_H, H) *
                                        region_share(c, REGIONS_W, W);
                    sum += share * VLOAD_ALIGNED(0, plane + ((a * REGIONS_H + b) * REGIONS_W + c) * BLOCK);
                }
        STORE(sum, dx + walk.first + i * STEP);
        at = advance(at, LANES, H, W);
    }
}

#endif
