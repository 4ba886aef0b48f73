// The second step of backward weights: dw = Σ parts, from the first to the last.
__kernel void conv3d_backward_weights_sum(__global const float *restrict parts, __global float *restrict dw, int weights,
                                          int count)
{
    const int i = get_global_id(0);
    float sum = 0.0f;
    if (i < weights) {
        for (int p = 0; p < count; p++)
            sum += parts[(size_t)p * weights + i];
        dw[i] = sum;
    }
}
