// The same numbers stored otherwise: see src/ops/convert.h. Options: VECTOR numbers at once; X_STORAGE, Y_STORAGE.
#include "storage.clh"

// A work-item takes the vectors i·run … (i+1)·run − 1 behind the first ones of x and y.
kernel void convert(global const MAP(X_STORAGE) *x, global MAP(Y_STORAGE) *y, uint first_x, uint first_y, uint vectors,
                    int run)
{
    const uint first = (uint)get_global_id(0) * run, end = min(first + run, vectors);
    for (uint i = first; i < end; i++)
        MAP_STORE(Y_STORAGE, MAP_LOAD(X_STORAGE, first_x + i, x), first_y + i, y);
}
