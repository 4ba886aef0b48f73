// Dropout whose mask is computed from the element's index each time; see ops/dropout.h for which number
// decides about which element. Four neighbouring channels of a pixel share a Philox block, so VECTOR is at
// most 4.

#include "layout.clh"
#include "philox.clh"

#if VECTOR == 1
typedef uint uintv;
#else
typedef MAXGL_PASTE(uint, VECTOR) uintv;
#endif

// The words of a group of four channels that belong to a vector starting at @channel.
static uintv words_of(uint4 group, uint channel)
{
#if VECTOR == 4
    return group;
#elif VECTOR == 2
    return channel % 4 == 0 ? group.lo : group.hi;
#else
    const uint2 pair = channel % 4 < 2 ? group.lo : group.hi;
    return channel % 2 == 0 ? pair.x : pair.y;
#endif
}

// @vectors: of the tensor; @block_vectors: of a channel block; @groups: ⌈C/4⌉; @layer: middle words of the
// counter. Forward and backward are the same.
kernel void dropout_apply(global const float *x, global const uint *step, global float *y, uint vectors,
                          int run, uint pixels, uint blocks, uint block_vectors, uint groups, uint threshold,
                          float scale, uint key0, uint key1, uint layer, uint purpose)
{
    const uint start = get_global_id(0) * (uint)run;
    const uint end = min((ulong)start + run, (ulong)vectors);
    for (uint v = start; v < end; v++) {
        // (x − x/y·y, since Oclgrind cannot run what its compiler makes of x/y beside x%y)
        const uint place = v / block_vectors, row_block = place / pixels, n = row_block / blocks;
        const uint in_block = v - place * block_vectors, pixel = place - row_block * pixels;
        const uint block = row_block - n * blocks;
        const uint channel = (block * block_vectors + in_block) * VECTOR;
        const uint group = (n * pixels + pixel) * groups + channel / 4;
        const uint4 words = philox((uint4)(group, layer, purpose, step[0]), (uint2)(key0, key1));
        VSTORE((words_of(words, channel) >> 8) >= threshold ? VLOAD(v, x) * scale : 0.0f, v, y);
    }
}
