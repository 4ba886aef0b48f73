// Lays a picture of another clip over all frames of a clip; see src/ops/clip_mix.h. Option: VECTOR floats at once, which divides a
// picture (the H·W pixels of a block of channels at one time). A work-item takes the vectors i·run … (i+1)·run − 1.

#include "layout.clh"

// MaxglClipMix
typedef struct {
    int other, frame;
    float weight;
    int unused;
} ClipMix;

#define FOR_EACH_PICTURE(number, at, stop)                                                                               \
    for (ulong at = get_global_id(0) * (ulong)run, end = min(at + run, (ulong)vectors), number = at / picture,           \
               stop = min(end, (number + 1) * picture);                                                                  \
         at < end; number++, at = stop, stop = min(end, at + picture))

// Picks up each clip's picture: stills (N, blocks, H, W, B).
kernel void clip_mix_take(global const float *x, global const ClipMix *mixes, global float *stills, uint vectors, int run,
                          uint picture, int blocks, int frames)
{
    FOR_EACH_PICTURE(number, at, stop)
    {
        const uint n = (uint)number / (uint)blocks, block = (uint)number - n * (uint)blocks;
        global const ClipMix *mix = mixes + n;
        if (mix->weight == 0.0f)
            continue;
        const ulong from = (((ulong)mix->other * blocks + block) * frames + mix->frame) * picture;
        for (ulong i = at; i < stop; i++)
            VSTORE(VLOAD(from + i - number * picture, x), i, stills);
    }
}

// x ← x + λ·(still − x).
kernel void clip_mix_lay(global float *x, global const ClipMix *mixes, global const float *stills, uint vectors, int run,
                         uint picture, int blocks, int frames)
{
    FOR_EACH_PICTURE(number, at, stop)
    {
        const uint plane = (uint)number / (uint)frames; // of a clip and a block
        const float weight = mixes[plane / (uint)blocks].weight;
        if (weight == 0.0f)
            continue;
        const ulong still = (ulong)plane * picture;
        for (ulong i = at; i < stop; i++) {
            const floatv own = VLOAD(i, x);
            VSTORE(fma((floatv)weight, VLOAD(still + i - number * picture, stills) - own, own), i, x);
        }
    }
}
