// Operators on each float alone: see src/ops/elementwise.h. Option: VECTOR floats at once; the number of floats is a multiple
// of it. A work-item takes the vectors i·run … (i+1)·run − 1.
#include "layout.clh"

#define FOR_EACH_VECTOR(i, vectors, run)                                                                     \
    for (size_t i = get_global_id(0) * (size_t)(run), end_ = min(i + (size_t)(run), (size_t)(vectors)); i < end_; i++)

kernel void relu_forward(global const float *x, global float *y, uint vectors, int run)
{
    FOR_EACH_VECTOR(i, vectors, run)
    {
        const floatv v = VLOAD_ALIGNED(i, x);
        VSTORE_ALIGNED(RELU(v), i, y);
    }
}

kernel void relu_backward(global const float *y, global const float *dy, global float *dx, uint vectors, int run,
                          int accumulate)
{
    FOR_EACH_VECTOR(i, vectors, run)
    {
        const floatv open = VLOAD_ALIGNED(i, y) > 0.0f ? VLOAD_ALIGNED(i, dy) : (floatv)(0.0f);
        VSTORE_ALIGNED(accumulate ? VLOAD_ALIGNED(i, dx) + open : open, i, dx);
    }
}

kernel void add(global const float *a, global const float *b, global float *y, uint vectors, int run)
{
    FOR_EACH_VECTOR(i, vectors, run)
    {
        VSTORE_ALIGNED(VLOAD_ALIGNED(i, a) + VLOAD_ALIGNED(i, b), i, y);
    }
}

kernel void scale(global const float *x, global float *y, uint vectors, int run, float factor)
{
    FOR_EACH_VECTOR(i, vectors, run)
    {
        VSTORE_ALIGNED(factor * VLOAD_ALIGNED(i, x), i, y);
    }
}
