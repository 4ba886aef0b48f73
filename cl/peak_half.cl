// The limit of half precision, for benchmarks, where the device computes in it. Options: CHAINS vectors of eight sums that a
// work-item carries.
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

// As peak_fma. What the sums tend to, b / (1 − a), is near 1, where half precision has its normal numbers.
kernel void peak_fma_half(global float *out, int rounds, float a, float b)
{
    const half8 factor = (half8)((half)a), summand = (half8)((half)b);
    half8 sum[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum[i] = (half8)((half)((float)(get_global_id(0) % 8) + (float)i * 0.25f));
    for (int r = 0; r < rounds; r++) {
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            sum[i] = fma(sum[i], factor, summand);
    }
    half8 all = sum[0];
#pragma unroll
    for (int i = 1; i < CHAINS; i++)
        all += sum[i];
    vstore8(convert_float8(all), get_global_id(0), out);
}
