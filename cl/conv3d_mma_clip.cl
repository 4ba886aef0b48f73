// A network's first convolution on matrix units: clips have three channels, each by itself, and units take pieces of channels
// side by side. So pixels that follow each other in a row are put side by side, with room for four channels each: a piece of 16
// bytes is two pixels in 16 bits or one of floats. That is a convolution of its own, along w of half the size, stride and taps
// (src/ops/conv3d_mma_clip.h).
//
//   PIXELS     in a piece; PIECE_NUMBERS is 4 · PIXELS
//   LEAD       taps of nothing in front, so that the first tap is a piece's first pixel
//   FACTORS    see mma.clh
//   BO         channel block of y; weights lie as [K/BO][C][taps][BO]
#include "storage.clh"

#define ROOM 4
#define PIECE_NUMBERS (ROOM * PIXELS)
#if FACTORS == 1 || FACTORS == 2
#define FACTOR_STORAGE FACTORS
#else
#define FACTOR_STORAGE 0
#endif

typedef struct {
    int t, h, w;
} Triple;

// Where weight (tap, channel) of the clip's convolution is in that of pieces: number of the tap, and of the number in it.
typedef struct {
    int tap, number;
} Place;

static Place place_of(int tap, int channel, Triple taps, int piece_taps)
{
    const int row = tap / taps.w, along = tap - row * taps.w + LEAD, piece = along / PIXELS;
    const Place place = {row * piece_taps + piece, (along - piece * PIXELS) * ROOM + channel};
    return place;
}

// Dimension 0: pieces of a row; 1: rows; 2: clips.
kernel void conv3d_mma_clip_pack(global const float *restrict x, global MAP(FACTOR_STORAGE) *restrict pieces, int channels,
                                 int rows, int width, int row_pieces)
{
    const int piece = get_global_id(0), row = get_global_id(1), n = get_global_id(2);
    if (piece >= row_pieces)
        return;
    global MAP(FACTOR_STORAGE) *to = pieces + ((size_t)(n * rows + row) * row_pieces + piece) * PIECE_NUMBERS;
    for (int p = 0; p < PIXELS; p++) {
        const int w = piece * PIXELS + p;
        float values[ROOM];
        for (int c = 0; c < ROOM; c++)
            values[c] = c < channels && w < width ? x[((size_t)(n * channels + c) * rows + row) * width + w] : 0.0f;
        MAP_STOREN(4, FACTOR_STORAGE, (float4)(values[0], values[1], values[2], values[3]), p, to);
    }
}

// Weights as conv3d_mma.cl reads them: pieces [tap of pieces][row]. Dimension 0: rows, which are channels of y; 1: taps.
kernel void conv3d_mma_clip_prepare(global const float *restrict weights, global uint4 *restrict prepared, int channels,
                                    int rows, int taps_t, int taps_h, int taps_w, int piece_taps)
{
    const int row = get_global_id(0), tap = get_global_id(1), line = tap / piece_taps;
    if (row >= rows)
        return;
    const int block = row / BO, taps = taps_t * taps_h * taps_w;
    global MAP(FACTOR_STORAGE) *to = (global MAP(FACTOR_STORAGE) *)(prepared + (size_t)tap * rows + row);
    for (int i = 0; i < PIECE_NUMBERS; i++) {
        const int c = i % ROOM, along = (tap - line * piece_taps) * PIXELS + i / ROOM - LEAD;
        float w = 0.0f;
        if (c < channels && along >= 0 && along < taps_w)
            w = weights[((block * channels + c) * taps + line * taps_w + along) * BO + (row - block * BO)];
        if (FACTORS == 3)
            w = as_float((as_uint(w) + 0x1000u) & 0xffffe000u);
        MAP_PUT(FACTOR_STORAGE, to, i, w);
    }
}

// The gradient of the clip's weights from that of pieces, [K/BO][taps of pieces][PIECE_NUMBERS][BO].
kernel void conv3d_mma_clip_gradient(global const float *restrict pieces, global float *restrict dw, int channels,
                                     int weights, int taps_t, int taps_h, int taps_w, int piece_taps)
{
    const int index = get_global_id(0), taps = taps_t * taps_h * taps_w;
    if (index >= weights)
        return;
    const int weight = index / BO, line = weight / taps, block = line / channels;
    const Triple kernel_taps = {taps_t, taps_h, taps_w};
    const Place place = place_of(weight - line * taps, line - block * channels, kernel_taps, piece_taps);
    dw[index] = pieces[((block * taps_t * taps_h * piece_taps + place.tap) * PIECE_NUMBERS + place.number) * BO +
                       (index - weight * BO)];
}
