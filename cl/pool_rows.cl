// Pooling by work-items that walk along rows of a plane, for devices with work-groups of one: see
// src/ops/pool.h. Options: as those of pool.cl, and for a max-pool FORWARD, with TAPS 0 or 1, or BACKWARD.
// A work-item takes `rows` rows of what it writes; rows are counted through a plane's maps.
#include "pool.clh"

// VLOAD's functions make compilers use vectors as wide as they are.
#if X_STORAGE == 0
#undef LOAD
#define LOAD(p) VLOAD(0, p)
#endif

// For functions that are given what is constant or in registers: calls would put it into memory.
#define INLINE __attribute__((always_inline)) static inline

// Rows `first` … of this work-item.
static Range own_rows(int rows, int all)
{
    return (Range){CHUNK * rows, min((CHUNK + 1) * rows, all)};
}

#if defined(FORWARD)

// Rows of a map that a window reads.
#define WINDOW_ROWS (KERNEL_T * KERNEL_H)

// A maximum and the tap where it was.
typedef struct {
    floatv value;
    intv tap;
} Best;

// Of two, of which the second has a later tap, and no NaN.
INLINE Best better(Best a, floatv value, intv tap)
{
    const intv wins = value > a.value;
    return (Best){wins ? value : a.value, wins ? tap : a.tap};
}

// Of the same column, `at` floats from the start of each of the window's rows. `sum` gets all values: it
// becomes NaN if one is.
INLINE Best best_of_column(global const number *const *from, const intv *taps, size_t at, floatv *sum)
{
    Best best = {LOAD(from[0] + at), taps[0]};
    floatv all = best.value;
#pragma unroll
    for (int i = 1; i < WINDOW_ROWS; i++) {
        const floatv v = LOAD(from[i] + at);
        best = better(best, v, taps[i]);
        all += v;
    }
    *sum += all;
    return best;
}

// Columns come in another order than taps, by which the first of equals wins.
INLINE Best best_of_columns(const Best *columns)
{
    Best best = {columns[0].value, INT_MAX};
#pragma unroll
    for (int c = 1; c < KERNEL_W; c++)
        best.value = columns[c].value > best.value ? columns[c].value : best.value;
#pragma unroll
    for (int c = 0; c < KERNEL_W; c++)
        best.tap = columns[c].value == best.value ? min(best.tap, columns[c].tap) : best.tap;
    return best;
}

// Columns that a window has in common with the next one.
#define SHARED_COLUMNS (KERNEL_W > STRIDE_W ? KERNEL_W - STRIDE_W : 0)

// The window of y's pixel i in the row; `inside`: none of its columns is outside of the map.
INLINE Best best_of_window(global const number *const *from, const intv *row_taps, int i, int W, Best *columns,
                           floatv *sum, const int inside)
{
    const int w = i * STRIDE_W - PAD_W;
    // Of the maps that the last windows did not read, the rows that the next ones will: they lie one
    // after the other.
#pragma unroll
    for (int a = max(KERNEL_T - STRIDE_T, 0); a < KERNEL_T; a++)
#pragma unroll
        for (int p = 0; p < STRIDE_H * STRIDE_W; p++)
            PREFETCH(from[a * KERNEL_H + KERNEL_H - 1] + (size_t)(W + i * STRIDE_H * STRIDE_W + p) * BLOCK);
#pragma unroll
    for (int c = SHARED_COLUMNS; c < KERNEL_W; c++) {
        const int at = inside ? w + c : clamp(w + c, 0, W - 1);
        columns[c] = best_of_column(from, row_taps, (size_t)at * BLOCK, sum);
        columns[c].tap += at - w;
    }
    return best_of_columns(columns);
}

// One row of y. `from`, `row_taps`: the rows that its windows read, and the first tap of each. Returns NaN if
// there was one, or perhaps if there were both infinities: then the row has to be done again.
INLINE floatv pool_row(global const number *const *from, const intv *row_taps, global number *y,
                       global int *taps, int W, int y_width)
{
    Best columns[KERNEL_W];
    floatv sum = 0.0f;
#pragma unroll
    for (int c = 0; c < SHARED_COLUMNS; c++) {
        const int at = clamp(c - PAD_W, 0, W - 1);
        columns[c] = best_of_column(from, row_taps, (size_t)at * BLOCK, &sum);
        columns[c].tap += at + PAD_W;
    }
    for (int i = 0; i < y_width; i++) {
        const int w = i * STRIDE_W - PAD_W;
        const Best best = w >= 0 && w + KERNEL_W <= W
                              ? best_of_window(from, row_taps, i, W, columns, &sum, 1)
                              : best_of_window(from, row_taps, i, W, columns, &sum, 0);
        STORE(best.value, y + (size_t)i * BLOCK);
        if (TAPS)
            *(global intv *)(taps + (size_t)i * BLOCK) = best.tap;
#pragma unroll
        for (int c = 0; c < SHARED_COLUMNS; c++) {
            columns[c] = columns[c + STRIDE_W];
            columns[c].tap -= STRIDE_W;
        }
    }
    return sum;
}

// The same tap by tap, where NaNs win; its windows begin at t and h.
static void pool_row_with_nans(global const number *plane, int t, int h, global number *y, global int *taps,
                               int T, int H, int W, int y_width)
{
    for (int i = 0; i < y_width; i++) {
        const int w = i * STRIDE_W - PAD_W;
        floatv best = -INFINITY;
        intv winner = (max(-t, 0) * KERNEL_H + max(-h, 0)) * KERNEL_W + max(-w, 0);
        for (int a = max(t, 0); a < min(t + KERNEL_T, T); a++)
            for (int b = max(h, 0); b < min(h + KERNEL_H, H); b++)
                for (int c = max(w, 0); c < min(w + KERNEL_W, W); c++) {
                    const floatv v = LOAD(plane + (size_t)((a * H + b) * W + c) * BLOCK);
                    const intv wins = (v > best) | (v != v);
                    best = wins ? v : best;
                    winner = wins ? (intv)(((a - t) * KERNEL_H + b - h) * KERNEL_W + c - w) : winner;
                }
        STORE(best, y + (size_t)i * BLOCK);
        if (TAPS)
            *(global intv *)(taps + (size_t)i * BLOCK) = winner;
    }
}

static int any_nan(floatv v)
{
#if VECTOR == 1
    return v != v;
#else
    return any(v != v);
#endif
}

// x: T × H × W pixels a plane; y: `y_rows` rows of `y_width`, `y_height` a map. A tap outside of the map
// reads the nearest one inside, which the window has too, so that loops have constant bounds.
kernel void max_pool_forward_rows(global const number *x, global number *y, global int *taps, int T, int H,
                                  int W, int y_rows, int y_height, int y_width, int rows)
{
    const Range own = own_rows(rows, y_rows);
    global const number *plane = x + plane_start(T * H * W);
    for (int row = own.first; row < own.end; row++) {
        const int map = row / y_height;
        const int t = map * STRIDE_T - PAD_T, h = (row - map * y_height) * STRIDE_H - PAD_H;
        global const number *from[WINDOW_ROWS];
        intv row_taps[WINDOW_ROWS];
#pragma unroll
        for (int a = 0; a < KERNEL_T; a++) {
            const int row_t = clamp(t + a, 0, T - 1);
#pragma unroll
            for (int b = 0; b < KERNEL_H; b++) {
                const int row_h = clamp(h + b, 0, H - 1), i = a * KERNEL_H + b;
                from[i] = plane + (size_t)(row_t * H + row_h) * W * BLOCK;
                row_taps[i] = (intv)(((row_t - t) * KERNEL_H + row_h - h) * KERNEL_W);
            }
        }
        const size_t to = plane_start(y_rows * y_width) + (size_t)row * y_width * BLOCK;
        global int *taps_to = TAPS ? taps + to : 0;
        if (any_nan(pool_row(from, row_taps, y + to, taps_to, W, y_width)))
            pool_row_with_nans(plane, t, h, y + to, taps_to, T, H, W, y_width);
    }
}

#elif defined(BACKWARD)

// Backward, dx is cut into blocks of STRIDE_T × STRIDE_H × STRIDE_W pixels: along a direction, block i begins
// where window i does, and its pixels are in the windows i, i − 1, … of this many, which may be outside of
// the map.
#define WINDOWS_T ((KERNEL_T + STRIDE_T - 1) / STRIDE_T)
#define WINDOWS_H ((KERNEL_H + STRIDE_H - 1) / STRIDE_H)
#define WINDOWS_W ((KERNEL_W + STRIDE_W - 1) / STRIDE_W)
#define WINDOW_ROWS_OVER (WINDOWS_T * WINDOWS_H)
#define BLOCK_ROWS (STRIDE_T * STRIDE_H)

// A row of blocks.
typedef struct {
    int width, windows, accumulate; // width: of dx's rows; windows: of dy's
    global number *dx[BLOCK_ROWS];   // its pixels' rows, NULL where outside of the map
    size_t at[WINDOW_ROWS_OVER];    // its windows' rows
    int beyond[WINDOW_ROWS_OVER];   // added to their taps: nothing, or where they are outside of the map what
                                    // no tap is
} BlockRow;

// Block c. `inside`: its pixels and windows are all in the map.
INLINE void spread_to_block(const BlockRow *row, global const number *dy, global const int *taps, int c,
                            const int inside)
{
    const int w = c * STRIDE_W - PAD_W;
    floatv sums[BLOCK_ROWS][STRIDE_W];
#pragma unroll
    for (int r = 0; r < BLOCK_ROWS; r++)
#pragma unroll
        for (int s = 0; s < STRIDE_W; s++) {
            if (inside)
                PREFETCH(row->dx[r] + (w + s + STRIDE_H * row->width) * BLOCK); // of the next row of blocks
            sums[r][s] = 0.0f;
            if (row->accumulate && row->dx[r] && (inside || (w + s >= 0 && w + s < row->width)))
                sums[r][s] = LOAD(row->dx[r] + (long)(w + s) * BLOCK);
        }
#pragma unroll
    for (int i = 0; i < WINDOW_ROWS_OVER; i++)
#pragma unroll
        for (int j = WINDOWS_W - 1; j >= 0; j--) {
            if (!inside && (c - j < 0 || c - j >= row->windows))
                continue;
            const size_t at = row->at[i] + (size_t)(c - j) * BLOCK;
            const floatv gradient = LOAD(dy + at);
            const intv tap = *(global const intv *)(taps + at) + row->beyond[i];
            const int back_t = (WINDOWS_T - 1 - i / WINDOWS_H) * STRIDE_T;
            const int back_h = (WINDOWS_H - 1 - (i - i / WINDOWS_H * WINDOWS_H)) * STRIDE_H;
#pragma unroll
            for (int r = 0; r < BLOCK_ROWS; r++)
#pragma unroll
                for (int s = 0; s < STRIDE_W; s++) {
                    const int tap_t = back_t + r / STRIDE_H, tap_h = back_h + r - r / STRIDE_H * STRIDE_H;
                    const int tap_w = j * STRIDE_W + s;
                    if (tap_t < KERNEL_T && tap_h < KERNEL_H && tap_w < KERNEL_W)
                        sums[r][s] = tap == (tap_t * KERNEL_H + tap_h) * KERNEL_W + tap_w
                                         ? sums[r][s] + gradient
                                         : sums[r][s];
                }
        }
#pragma unroll
    for (int r = 0; r < BLOCK_ROWS; r++)
        if (row->dx[r]) {
#pragma unroll
            for (int s = 0; s < STRIDE_W; s++)
                if (inside || (w + s >= 0 && w + s < row->width))
                    STORE(sums[r][s], row->dx[r] + (long)(w + s) * BLOCK);
        }
}

// dx: `depth` × `height` × `width` pixels a plane; dy: T × H × W. A work-item takes `rows` rows of blocks.
kernel void max_pool_backward_rows(global const number *dy, global const int *taps, global number *dx, int T,
                                   int H, int W, int depth, int height, int width, int rows, int block_rows,
                                   int block_height, int accumulate)
{
    const Range own = own_rows(rows, block_rows);
    const size_t from = plane_start(T * H * W);
    global number *plane = dx + plane_start(depth * height * width);
    // Blocks inside of the map, whose windows are there too, and all.
    const int first = PAD_W / STRIDE_W, first_inside = max(WINDOWS_W - 1, (PAD_W + STRIDE_W - 1) / STRIDE_W);
    const int end_inside = min((width + PAD_W) / STRIDE_W, W), end = (width - 1 + PAD_W) / STRIDE_W + 1;
    for (int i = own.first; i < own.end; i++) {
        const int block_t = i / block_height + PAD_T / STRIDE_T;
        const int block_h = i - i / block_height * block_height + PAD_H / STRIDE_H;
        BlockRow row = {.width = width, .windows = W, .accumulate = accumulate};
#pragma unroll
        for (int r = 0; r < BLOCK_ROWS; r++) {
            const int t = block_t * STRIDE_T - PAD_T + r / STRIDE_H;
            const int h = block_h * STRIDE_H - PAD_H + r - r / STRIDE_H * STRIDE_H;
            row.dx[r] = t >= 0 && t < depth && h >= 0 && h < height
                            ? plane + (size_t)(t * height + h) * width * BLOCK
                            : 0;
        }
#pragma unroll
        for (int r = 0; r < WINDOW_ROWS_OVER; r++) {
            const int t = block_t - (WINDOWS_T - 1) + r / WINDOWS_H;
            const int h = block_h - (WINDOWS_H - 1) + r - r / WINDOWS_H * WINDOWS_H;
            const int is_there = t >= 0 && t < T && h >= 0 && h < H;
            row.at[r] = is_there ? from + (size_t)(t * H + h) * W * BLOCK : from;
            row.beyond[r] = is_there ? 0 : INT_MIN;
        }
        int c = first;
        for (; c < min(first_inside, end); c++)
            spread_to_block(&row, dy, taps, c, 0);
        for (; c < end_inside; c++)
            spread_to_block(&row, dy, taps, c, 1);
        for (; c < end; c++)
            spread_to_block(&row, dy, taps, c, 0);
    }
}

#else

// Work-item i along dimension 1 has region i.
kernel void average_pool_forward_rows(global const number *x, global float *y, int T, int H, int W)
{
    const Position region = position(CHUNK, REGIONS_H, REGIONS_W);
    const int t = region_start(region.t, REGIONS_T, T), depth = region_end(region.t, REGIONS_T, T) - t;
    const int h = region_start(region.h, REGIONS_H, H), height = region_end(region.h, REGIONS_H, H) - h;
    const int w = region_start(region.w, REGIONS_W, W), width = region_end(region.w, REGIONS_W, W) - w;
    // Rows and maps of a region that spans them are one long row.
    const int joined = width == W ? height == H ? depth * height : height : 1;
    floatv sum = 0.0f;
    for (int a = t; a < t + depth; a += max(joined / height, 1))
        for (int b = h; b < h + height; b += joined) {
            global const number *row = x + plane_start(T * H * W) + (size_t)((a * H + b) * W + w) * BLOCK;
            for (int i = 0; i < joined * width; i++)
                sum += LOAD(row + i * BLOCK);
        }
    VSTORE_ALIGNED(sum / (float)(depth * height * width), CHUNK * (BLOCK / VECTOR),
                   y + plane_start(REGIONS_T * REGIONS_H * REGIONS_W));
}

// Pixels first … end − 1 of a row get `value`, or have it added.
static void fill_pixels(global number *row, Range pixels, floatv value, int accumulate)
{
    if (accumulate)
        for (int i = pixels.first; i < pixels.end; i++)
            STORE(LOAD(row + i * BLOCK) + value, row + i * BLOCK);
    else
        for (int i = pixels.first; i < pixels.end; i++)
            STORE(value, row + i * BLOCK);
}

// What row `row` of a plane gets from each column of regions.
static void columns_of_row(global const float *plane, int row, int T, int H, int W, floatv *columns)
{
    const int t = row / H, h = row - t * H;
    for (int c = 0; c < REGIONS_W; c++)
        columns[c] = 0.0f;
    for (int a = regions_first(t, REGIONS_T, T); a < regions_end(t, REGIONS_T, T); a++)
        for (int b = regions_first(h, REGIONS_H, H); b < regions_end(h, REGIONS_H, H); b++)
            for (int c = 0; c < REGIONS_W; c++) {
                const float share = region_share(a, REGIONS_T, T) * region_share(b, REGIONS_H, H) *
                                    region_share(c, REGIONS_W, W);
                columns[c] += share * VLOAD(0, plane + ((a * REGIONS_H + b) * REGIONS_W + c) * BLOCK);
            }
}

// Walks from one run of pixels that are in the same regions to the next.
kernel void average_pool_backward_rows(global const float *dy, global number *dx, int T, int H, int W,
                                       int rows, int accumulate)
{
    const Range own = own_rows(rows, T * H);
    global const float *plane = dy + plane_start(REGIONS_T * REGIONS_H * REGIONS_W);
    for (int row = own.first; row < own.end; row++) {
        global number *to = dx + plane_start(T * H * W) + (size_t)row * W * BLOCK;
        floatv columns[REGIONS_W];
        columns_of_row(plane, row, T, H, W, columns);
        Range regions = {0, 1}, run = {0, 0};
        while (run.first < W) {
            while (region_end(regions.first, REGIONS_W, W) <= run.first)
                regions.first++;
            while (regions.end < REGIONS_W && region_start(regions.end, REGIONS_W, W) <= run.first)
                regions.end++;
            run.end = region_end(regions.first, REGIONS_W, W);
            if (regions.end < REGIONS_W)
                run.end = min(run.end, region_start(regions.end, REGIONS_W, W));
            floatv sum = columns[regions.first];
            for (int c = regions.first + 1; c < regions.end; c++)
                sum += columns[c];
            fill_pixels(to, run, sum, accumulate);
            run.first = run.end;
        }
    }
}

#endif
