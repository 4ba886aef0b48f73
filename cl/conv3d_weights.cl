// Weights for the gradient with respect to the input: input and output channels change places, and of each axis the taps
// first, first + step, … (count of them) are taken in reverse order. From [KB][CB][T][H][W][BI][BO] to [CB][KB][t][h][w][BO][BI].
//
// -D BI, BO   blocks of the convolution's input and output

// A stage of a matrix transposition in registers: in rows a and b, which are S apart, columns with and without bit S of their
// number change places.
#define SWAP_8(a, b)                                                                                                           \
    {                                                                                                                          \
        const float16 p = (float16)(a.lo, b.lo);                                                                               \
        b = (float16)(a.hi, b.hi);                                                                                             \
        a = p;                                                                                                                 \
    }
#define SWAP_4(a, b)                                                                                                         \
    {                                                                                                                          \
        const float16 p = (float16)(a.s0123, b.s0123, a.s89ab, b.s89ab);                                                       \
        b = (float16)(a.s4567, b.s4567, a.scdef, b.scdef);                                                                     \
        a = p;                                                                                                                 \
    }
#define SWAP_2(a, b)                                                                                                         \
    {                                                                                                                          \
        const float16 p = (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd);                                   \
        b = (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef);                                                 \
        a = p;                                                                                                                 \
    }
#define SWAP_1(a, b)                                                                                                         \
    {                                                                                                                          \
        const float16 p = (float16)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6, a.s8, b.s8, a.sa, b.sa, a.sc, b.sc, a.se,  \
                                    b.se);                                                                                     \
        b = (float16)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7, a.s9, b.s9, a.sb, b.sb, a.sd, b.sd, a.sf, b.sf);         \
        a = p;                                                                                                                 \
    }
#define STAGE(swap, s)                                                                                                         \
    _Pragma("unroll") for (int i = 0; i < BI; i++) if ((i & (s)) == 0) swap(row[i], row[i + (s)])

void transpose_block(__global const float *from, __global float *to)
{
#if BI == 16 && BO == 16
    float16 row[16];
#pragma unroll
    for (int i = 0; i < 16; i++)
        row[i] = vload16(i, from);
    STAGE(SWAP_8, 8)
    STAGE(SWAP_4, 4)
    STAGE(SWAP_2, 2)
    STAGE(SWAP_1, 1)
#pragma unroll
    for (int i = 0; i < 16; i++)
        vstore16(row[i], i, to);
#else
    for (int k = 0; k < BO; k++)
        for (int c = 0; c < BI; c++)
            to[k * BI + c] = from[c * BO + k];
#endif
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv3d_transpose_weights(__global const float *restrict weights, __global float *restrict transposed, int in_blocks,
                         int out_blocks, int taps_t, int taps_h, int taps_w, int first_t, int first_h, int first_w, int step_t,
                         int step_h, int step_w, int count_t, int count_h, int count_w)
{
    const int kb = get_global_id(0), cb = get_global_id(1);
    __global const float *from = weights + ((size_t)kb * in_blocks + cb) * taps_t * taps_h * taps_w * BI * BO;
    __global float *to = transposed + ((size_t)cb * out_blocks + kb) * count_t * count_h * count_w * BI * BO;
    for (int t = count_t - 1; t >= 0; t--)
        for (int h = count_h - 1; h >= 0; h--)
            for (int w = count_w - 1; w >= 0; w--, to += BI * BO)
                transpose_block(from + (((first_t + step_t * t) * taps_h + first_h + step_h * h) * taps_w + first_w + step_w * w) * BI * BO,
                                to);
}
