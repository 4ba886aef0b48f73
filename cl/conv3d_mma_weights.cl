// 3D convolution, backward weights, on matrix units (mma.clh):
//
//   dw[k, column] = Σ_pixel dy[k, pixel] · x[pixel, column]     column = (block of x, tap, channel)
//
// Pixels are dy's, of all samples. Their sum is cut into parts, dimension 2 of the launch, each stored on its own;
// conv3d_gemm_weights_sum.cl adds the parts. Depth is pixels here, while tensors have channels side by side: squares of as many
// pixels as channels are turned on their way to local memory.
//
//   BI, BO       channel blocks of x and y, multiples of PIECE_NUMBERS; weights lie as [K/BO][C/BI][taps][BI][BO]
//   BUFFERS      copies of the tiles: of 2, one is filled while the other is multiplied
//   X_STORAGE    of x and of dy, the units' factors
//   UNITS … TN   see mma.clh; TM and TN are multiples of PIECE_NUMBERS
#define RESULT_BLOCK BO
#include "conv3d_mma.clh"

#define STEP_PIXELS (STEP_PIECES * PIECE_NUMBERS)
#define SQUARES_A (TM / PIECE_NUMBERS * STEP_PIECES)
#define SQUARES_B (TN / PIECE_NUMBERS * STEP_PIECES)
#define SQUARES ((SQUARES_A + SQUARES_B + ITEMS - 1) / ITEMS) // of a work-item
#define NOTES ((STEP_PIXELS + ITEMS - 1) / ITEMS)             // pixels that a work-item looks up for a step
#define WEIGHT_PIECES (BI / PIECE_NUMBERS)

typedef struct {
    Triple input, output, kernel_size, stride, pad; // sizes and steps
    int input_blocks, output_blocks, pixels;
} Geometry;

// A pixel of dy: where it is there, what it reads of x at tap 0, both in block 0, and which of its taps exist.
typedef struct {
    int dy, x;
    uint taps;
} Pixel;

INLINE Pixel pixel_of(const Geometry *g, Digits d, bool exists)
{
    const Triple from = {d.at.t * g->stride.t - g->pad.t, d.at.h * g->stride.h - g->pad.h, d.at.w * g->stride.w - g->pad.w};
    Pixel pixel = {0, 0, 0};
    if (exists) {
        pixel.dy = (d.outer * g->output_blocks * volume(g->output) + pixel_index(d.at, g->output)) * BO;
        pixel.x = (d.outer * g->input_blocks * volume(g->input) + pixel_index(from, g->input)) * BI;
        pixel.taps = taps_set(taps_within(from.t, 1, g->kernel_size.t, g->input.t),
                              taps_within(from.h, 1, g->kernel_size.h, g->input.h),
                              taps_within(from.w, 1, g->kernel_size.w, g->input.w)) |
                     TAP_MISSING;
    }
    return pixel;
}

// a + b without a division: both have digits below their limits, so each carry is 0 or 1.
INLINE Digits digits_add(Digits a, Digits b, Triple size)
{
    a.outer += b.outer;
    a.at.t += b.at.t;
    a.at.h += b.at.h;
    a.at.w += b.at.w;
    if (a.at.w >= size.w) {
        a.at.w -= size.w;
        a.at.h++;
    }
    if (a.at.h >= size.h) {
        a.at.h -= size.h;
        a.at.t++;
    }
    if (a.at.t >= size.t) {
        a.at.t -= size.t;
        a.outer++;
    }
    return a;
}

// A square that a work-item fetches: piece @piece of the step; of dy's channels or of x's columns from @place on in the tile.
// What is read is offset from a pixel's by @offset if the pixel has @tap: dy's pixels all have TAP_MISSING.
typedef struct {
    bool of_a, exists;
    int piece, place, offset;
    uint tap;
} Square;

INLINE Square square_of(const Geometry *g, int index, int row0, int column0)
{
    Square s = {.of_a = index < SQUARES_A, .exists = index < SQUARES_A + SQUARES_B};
    const uint in_tile = s.of_a ? index : index - SQUARES_A;
    s.piece = in_tile % STEP_PIECES;
    s.place = in_tile / STEP_PIECES * PIECE_NUMBERS;
    if (s.of_a) {
        const int row = row0 + s.place, block = (uint)row / BO;
        s.offset = block * volume(g->output) * BO + (row - block * BO);
        s.tap = block < g->output_blocks ? TAP_MISSING : ~0u;
    } else {
        const int piece = (column0 + s.place) / PIECE_NUMBERS, tap_index = (uint)piece / WEIGHT_PIECES;
        const Digits d = digits_of(tap_index, g->kernel_size);
        s.offset = (d.outer * volume(g->input) + pixel_index(d.at, g->input)) * BI +
                   (piece - tap_index * WEIGHT_PIECES) * PIECE_NUMBERS;
        s.tap = d.outer < g->input_blocks ? taps_set(1u << d.at.t, 1u << d.at.h, 1u << d.at.w) : ~0u;
    }
    return s;
}

INLINE void fetch_square(uint4 *to, const Square *s, global const MAP(X_STORAGE) *x, global const MAP(X_STORAGE) *dy,
                         local const Pixel *pixels)
{
    if (!s->exists)
        return;
    global const MAP(X_STORAGE) *from = s->of_a ? dy : x;
#pragma unroll
    for (int j = 0; j < PIECE_NUMBERS; j++) {
        const Pixel p = pixels[s->piece * PIECE_NUMBERS + j];
        const bool here = (s->tap & ~p.taps) == 0;
        const uint4 value = *(global const uint4 *)(from + (here ? (s->of_a ? p.dy : p.x) + s->offset : 0));
        to[j] = here ? value : (uint4)(0);
    }
}

// With a constant @i it is a register: pointers to parts of vectors keep some compilers from using any.
INLINE uint word_of(uint4 piece, int i)
{
    return i == 0 ? piece.s0 : i == 1 ? piece.s1 : i == 2 ? piece.s2 : piece.s3;
}

// Of two pixels side by side that channel, of the two in word @word, that is @upper or not.
INLINE uint pair_of(uint4 first, uint4 second, int word, bool upper)
{
    const uint a = word_of(first, word), b = word_of(second, word);
    return upper ? (a >> 16) | (b & 0xffff0000u) : (a & 0xffffu) | (b << 16);
}

// Of vectors made of single words, Oclgrind takes the words that follow the first for undefined.
INLINE void put_piece(local uint4 *to, uint a, uint b, uint c, uint d)
{
#ifdef INTERPRETED
    local uint *words = (local uint *)to;
    words[0] = rounded_factor(a);
    words[1] = rounded_factor(b);
    words[2] = rounded_factor(c);
    words[3] = rounded_factor(d);
#else
    *to = (uint4)(rounded_factor(a), rounded_factor(b), rounded_factor(c), rounded_factor(d));
#endif
}

// Stores one channel of all pixels of a square.
INLINE void put_turned(local uint4 *to, const uint4 *square, int channel)
{
#if PIECE_NUMBERS == 8
    const int word = channel / 2;
    const bool upper = channel % 2;
    put_piece(to, pair_of(square[0], square[1], word, upper), pair_of(square[2], square[3], word, upper),
              pair_of(square[4], square[5], word, upper), pair_of(square[6], square[7], word, upper));
#else
    put_piece(to, word_of(square[0], channel), word_of(square[1], channel), word_of(square[2], channel),
              word_of(square[3], channel));
#endif
}

INLINE void put_square(local uint4 *a, local uint4 *b, const Square *s, const uint4 *from)
{
    if (!s->exists)
        return;
#pragma unroll
    for (int c = 0; c < PIECE_NUMBERS; c++) {
        if (s->of_a)
            put_turned(&a[s->piece * PITCH_A + mma_place(s->place + c)], from, c);
        else
            put_turned(&b[s->piece * PITCH_B + s->place + c], from, c);
    }
}

INLINE void store_tile(const WaveSums *sums, const Geometry *g, uint row0, uint column0, uint lane, global float *dw)
{
    const uint rows = g->output_blocks * BO, columns = g->input_blocks * volume(g->kernel_size) * BI;
    row0 += mma_row(lane);
    MMA_UNROLL
    for (int c = 0; c < MMA_COLUMNS; c++) {
        const uint column = column0 + mma_column(lane, c);
        MMA_UNROLL
        for (int i = 0; i < RUN / STORED; i++) {
            const uint row = row0 + i * STORED, block = row / BO;
            if (column < columns && row < rows)
                SUMS_STORE(0, SUMS(sums, c, i), 0, dw + (block * columns + column) * BO + (row - block * BO));
        }
    }
}

// @dw holds one array of @weights floats per part; @part_steps is the number of steps of STEP_PIXELS in a part.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) MMA_ATTRIBUTES void
conv3d_backward_weights_mma(global const MAP(X_STORAGE) *restrict x, global const MAP(X_STORAGE) *restrict dy,
                            global float *restrict dw, int weights, int part_steps, int batch, int input_blocks,
                            int input_t, int input_h, int input_w, int output_blocks, int output_t, int output_h,
                            int output_w, int kernel_t, int kernel_h, int kernel_w, int stride_t, int stride_h,
                            int stride_w, int pad_t, int pad_h, int pad_w)
{
    local uint4 a[BUFFERS * STEP_PIECES * PITCH_A], b[BUFFERS * STEP_PIECES * PITCH_B];
    local Pixel pixels[2][STEP_PIXELS]; // of the coming step and the one after
    MMA_SCRATCH(scratch)
    const uint item = get_local_id(0), wave = item / LANES, lane = item - wave * LANES;
    const uint wave_n = wave / WAVES_M, row_in_tile = (wave - wave_n * WAVES_M) * WM, column_in_tile = wave_n * WN;
    const int row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN, part = get_group_id(2);
    const Geometry g = {.input = {input_t, input_h, input_w},
                        .output = {output_t, output_h, output_w},
                        .kernel_size = {kernel_t, kernel_h, kernel_w},
                        .stride = {stride_t, stride_h, stride_w},
                        .pad = {pad_t, pad_h, pad_w},
                        .input_blocks = input_blocks,
                        .output_blocks = output_blocks,
                        .pixels = batch * output_t * output_h * output_w};
    const int first = part * part_steps, steps = min(part_steps, (g.pixels + STEP_PIXELS - 1) / STEP_PIXELS - first);

    Square squares[SQUARES];
#pragma unroll
    for (int i = 0; i < SQUARES; i++)
        squares[i] = square_of(&g, item + i * ITEMS, row0, column0);
    Digits digits[NOTES];
    const Digits stride = digits_of(STEP_PIXELS, g.output);
    uint4 fetched[SQUARES][PIECE_NUMBERS];
    WaveSums sums;
    mma_clear(&sums);

#define NOTE_PIXELS(step)                                                                                              \
    for (int i = 0; i < NOTES; i++) {                                                                                  \
        const int index = item + i * ITEMS;                                                                            \
        if (index < STEP_PIXELS)                                                                                       \
            pixels[(step) % 2][index] =                                                                                \
                pixel_of(&g, digits[i], (first + (step)) * STEP_PIXELS + index < g.pixels);                            \
        digits[i] = digits_add(digits[i], stride, g.output);                                                           \
    }
    for (int i = 0; i < NOTES; i++)
        digits[i] = digits_of(first * STEP_PIXELS + item + i * ITEMS, g.output);
    NOTE_PIXELS(0)
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int i = 0; i < SQUARES; i++)
        fetch_square(fetched[i], &squares[i], x, dy, pixels[0]);
    NOTE_PIXELS(1)
#pragma unroll
    for (int i = 0; i < SQUARES; i++)
        put_square(a, b, &squares[i], fetched[i]);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = 0; step < steps; step++) {
        const int now = step % BUFFERS, next = (step + 1) % BUFFERS;
#pragma unroll
        for (int i = 0; i < SQUARES; i++)
            fetch_square(fetched[i], &squares[i], x, dy, pixels[(step + 1) % 2]);
        NOTE_PIXELS(step + 2)
        mma_step(&sums, a + now * (STEP_PIECES * PITCH_A) + row_in_tile,
                 b + now * (STEP_PIECES * PITCH_B) + column_in_tile, lane, MMA_SCRATCH_OF(scratch, item));
#if BUFFERS == 1
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
#pragma unroll
        for (int i = 0; i < SQUARES; i++)
            put_square(a + next * (STEP_PIECES * PITCH_A), b + next * (STEP_PIECES * PITCH_B), &squares[i], fetched[i]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    store_tile(&sums, &g, row0 + row_in_tile, column0 + column_in_tile, lane, dw + (size_t)part * weights);
}
