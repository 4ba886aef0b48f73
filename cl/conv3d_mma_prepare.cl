// Weights as conv3d_mma.cl reads them: pieces of 16 bytes that follow one another in depth, [depth / PIECE_NUMBERS][row], with
// depth = (block of the source, tap, channel in the block). Rounded to nearest. With BLOCK_READS [row][depth / PIECE_NUMBERS], rows
// being at least 64 bytes apart.
//
//   BI, BO       channel blocks of x and y; weights come as [K/BO][C/BI][taps][BI][BO]
//   TRANSPOSED   0: rows are output channels; 1: rows are input channels, the source is dy
//   FACTORS      see mma.clh
#include "storage.clh"

#if FACTORS == 1 || FACTORS == 2
#define PIECE_NUMBERS 8
#define FACTOR_STORAGE FACTORS
#else
#define PIECE_NUMBERS 4
#define FACTOR_STORAGE 0
#endif

static float factor(float weight)
{
    return FACTORS == 3 ? as_float((as_uint(weight) + 0x1000u) & 0xffffe000u) : weight;
}

#if TRANSPOSED
#define SOURCE_BLOCK BO
#define ROW_BLOCK BI
#else
#define SOURCE_BLOCK BI
#define ROW_BLOCK BO
#endif
#define BLOCK_PIECES (SOURCE_BLOCK / PIECE_NUMBERS)

// Dimension 0: rows; 1: pieces of a tap of a block; 2: taps of all blocks of the source.
kernel void conv3d_mma_prepare(global const float *restrict weights, global uint4 *restrict prepared, int input_blocks,
                               int output_blocks, int taps)
{
    const int rows = (TRANSPOSED ? input_blocks : output_blocks) * ROW_BLOCK;
    const int row = get_global_id(0), piece = get_global_id(1), block = get_global_id(2) / taps;
    const int tap = (int)get_global_id(2) - block * taps;
    if (row >= rows)
        return;
    const int row_block = row / ROW_BLOCK, row_in_block = row - row_block * ROW_BLOCK;
    const int output_block = TRANSPOSED ? block : row_block, input_block = TRANSPOSED ? row_block : block;
    global const float *from = weights + (size_t)((output_block * input_blocks + input_block) * taps + tap) * (BI * BO) +
                               row_in_block * (TRANSPOSED ? BO : 1) +
                               piece * PIECE_NUMBERS * (TRANSPOSED ? 1 : BO);
    const size_t along = (size_t)(block * taps + tap) * BLOCK_PIECES + piece;
#if BLOCK_READS
    const int source_blocks = TRANSPOSED ? output_blocks : input_blocks;
    const size_t at = (size_t)row * max(source_blocks * taps * BLOCK_PIECES, 4) + along;
#else
    const size_t at = along * rows + row;
#endif
    global MAP(FACTOR_STORAGE) *to = (global MAP(FACTOR_STORAGE) *)(prepared + at);
    for (int i = 0; i < PIECE_NUMBERS; i++)
        MAP_PUT(FACTOR_STORAGE, to, i, factor(from[i * (TRANSPOSED ? 1 : BO)]));
}
