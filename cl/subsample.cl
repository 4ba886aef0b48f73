// Every stride-th pixel of a tensor, with zero channels behind its own: a shortcut without parameters.

#include "storage.clh"

typedef MAP(X_STORAGE) number; // both tensors

typedef struct {
    int block, channels, t, h, w; // of one tensor
} Map;

// Where a vector of a tensor is.
typedef struct {
    int n, channel, t, h, w; // @channel: its first
} Place;

static int blocks_of(Map m)
{
    return (m.channels + m.block - 1) / m.block;
}

// Takes the last digit, of a number system of @base digits, off @number.
static int last_digit(uint *number, int base)
{
    const uint rest = *number / (uint)base;
    const int digit = (int)(*number - rest * (uint)base); // not %: Oclgrind 21.10 cannot run what / and % become
    *number = rest;
    return digit;
}

static Place place_of(uint vector, Map m)
{
    uint rest = vector;
    Place p;
    p.channel = last_digit(&rest, m.block / VECTOR) * VECTOR;
    p.w = last_digit(&rest, m.w);
    p.h = last_digit(&rest, m.h);
    p.t = last_digit(&rest, m.t);
    p.channel += last_digit(&rest, blocks_of(m)) * m.block;
    p.n = (int)rest;
    return p;
}

static ulong vector_at(Place p, Map m)
{
    const int block = p.channel / m.block;
    const ulong pixel = (((ulong)p.n * blocks_of(m) + block) * m.t + p.t) * m.h * m.w + (ulong)p.h * m.w + p.w;
    return (pixel * m.block + (p.channel - block * m.block)) / VECTOR;
}

// Zeroes the lanes of channels from @channels on.
static floatv own_channels(floatv v, int first, int channels)
{
    if (first + VECTOR <= channels)
        return v;
    float lanes[VECTOR];
    VSTORE(v, 0, lanes);
    for (int i = 0; i < VECTOR; i++)
        if (first + i >= channels)
            lanes[i] = 0.0f;
    return VLOAD(0, lanes);
}

#define SIZES                                                                                                \
    int run, int block, int c, int k, int xt, int xh, int xw, int yt, int yh, int yw, int st, int sh, int sw
#define MAPS                                                                                                 \
    const Map mx = {block, c, xt, xh, xw}, my = {block, k, yt, yh, yw};                                      \
    const uint first = (uint)get_global_id(0) * run, end = min(first + run, vectors)

kernel void subsample_forward(global const number *x, global number *y, uint vectors, SIZES, int accumulate)
{
    MAPS;
    for (uint i = first; i < end; i++) {
        Place p = place_of(i, my);
        p.t *= st;
        p.h *= sh;
        p.w *= sw;
        floatv v = 0.0f;
        if (p.channel < c)
            v = MAP_LOAD(X_STORAGE, vector_at(p, mx), x);
        MAP_STORE(X_STORAGE, v, i, y);
    }
}

kernel void subsample_backward(global const number *dy, global number *dx, uint vectors, SIZES, int accumulate)
{
    MAPS;
    for (uint i = first; i < end; i++) {
        Place p = place_of(i, mx);
        floatv v = 0.0f;
        uint t = (uint)p.t, h = (uint)p.h, w = (uint)p.w;
        if ((last_digit(&t, st) | last_digit(&h, sh) | last_digit(&w, sw)) == 0) {
            p.t = (int)t;
            p.h = (int)h;
            p.w = (int)w;
            v = own_channels(MAP_LOAD(X_STORAGE, vector_at(p, my), dy), p.channel, c); // y has channels in x's padding
        }
        MAP_STORE(X_STORAGE, accumulate ? v + MAP_LOAD(X_STORAGE, i, dx) : v, i, dx);
    }
}
