// A device's limits, for benchmarks. Options: VECTOR floats at once, CHAINS vectors of sums that a work-item carries;
// of peak_local also GROUP work-items and SLOTS vectors, a power of two.
#include "layout.clh"

// CHAINS·VECTOR independent sums, a multiply-add each a round. They tend to b / (1 − a), so that no number gets out of the
// range in which arithmetic runs at full speed.
kernel void peak_fma(global float *out, int rounds, float a, float b)
{
    floatv sum[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum[i] = (floatv)((float)(get_global_id(0) % 8) + (float)i * 0.25f);
    for (int r = 0; r < rounds; r++) {
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            sum[i] = fma(sum[i], (floatv)(a), (floatv)(b));
    }
    floatv all = sum[0];
#pragma unroll
    for (int i = 1; i < CHAINS; i++)
        all += sum[i];
    VSTORE(all, get_global_id(0), out);
}

// A work-item takes the vectors i·run … (i+1)·run − 1 that are below @vectors.
kernel void peak_copy(global const float *x, global float *y, uint vectors, int run)
{
    for (size_t i = get_global_id(0) * (size_t)run, end = min(i + (size_t)run, (size_t)vectors); i < end; i++)
        VSTORE_ALIGNED(VLOAD_ALIGNED(i, x), i, y);
}

// Nothing: what is left is the cost of launching it.
kernel void peak_empty(int unused)
{
}

#ifdef SLOTS
// Reads CHAINS vectors (whatever a and b make of them) of local memory a round, neighbouring work-items neighbouring vectors. Another place each round, and
// sums that depend on each other from round to round only: no read can be left out, and none has to be waited for.
kernel void peak_local(global float *out, int rounds, float a, float b)
{
    local floatv memory[SLOTS + CHAINS * GROUP];
    const int self = (int)get_local_id(0);
    for (int i = self; i < SLOTS + CHAINS * GROUP; i += GROUP)
        memory[i] = (floatv)(a + b * (float)(i & 15));
    barrier(CLK_LOCAL_MEM_FENCE);
    floatv sum[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum[i] = (floatv)(0);
    for (int r = 0; r < rounds; r++) {
        const int place = (self + r * CHAINS * GROUP) & (SLOTS - 1);
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            sum[i] += memory[place + i * GROUP];
    }
    floatv all = sum[0];
#pragma unroll
    for (int i = 1; i < CHAINS; i++)
        all += sum[i];
    VSTORE(all, get_global_id(0), out);
}
#endif
