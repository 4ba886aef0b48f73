// The limit of matrix units, for benchmarks: products of fragments that stay in registers. A work-group is one wave. Options:
// see mma.clh; TM = WM, TN = WN.
#include "mma.clh"

// Numbers ±½ … ±1 of the factors' format with random digits: zeros would be multiplied at a lower power, and so faster.
INLINE uint random_word(uint i)
{
    uint h = i * 2654435761u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
#if FACTORS == 1
    return (h & 0x83ff83ffu) | 0x38003800u;
#elif FACTORS == 2
    return (h & 0x807f807fu) | 0x3f003f00u;
#else
    return (h & 0x807fffffu) | 0x3f000000u;
#endif
}

INLINE void fill(local uint4 *tile, uint pieces, uint item, uint seed)
{
    for (uint i = item; i < pieces; i += ITEMS) {
        const uint first = 4 * (i + seed);
        tile[i] = (uint4)(random_word(first), random_word(first + 1), random_word(first + 2), random_word(first + 3));
    }
}

// Each product of a round has sums of its own, so that none waits for another. What is stored is a·(all sums) + b.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) MMA_ATTRIBUTES void peak_mma(global float *out, int rounds, float a,
                                                                                       float b)
{
    local uint4 tile_a[STEP_PIECES * PITCH_A], tile_b[STEP_PIECES * PITCH_B];
    MMA_SCRATCH(scratch)
    const uint item = (uint)get_local_id(0);
    fill(tile_a, STEP_PIECES * PITCH_A, item, 0);
    fill(tile_b, STEP_PIECES * PITCH_B, item, 1000);
    barrier(CLK_LOCAL_MEM_FENCE);
    FragmentA rows[FRAGMENTS_M];
    FragmentB columns[FRAGMENTS_N];
    WaveSums sums;
    mma_clear(&sums);
    MMA_UNROLL
    for (int m = 0; m < FRAGMENTS_M; m++)
        rows[m] = load_a(tile_a + m * FRAGMENT_M, item, 0);
    MMA_UNROLL
    for (int n = 0; n < FRAGMENTS_N; n++)
        columns[n] = load_b(tile_b + n * FRAGMENT_N, item, 0);
    for (int r = 0; r < rounds; r++) {
        MMA_UNROLL
        for (int n = 0; n < FRAGMENTS_N; n++) {
            MMA_UNROLL
            for (int m = 0; m < FRAGMENTS_M; m++)
                sums.value[n][m] = multiply(rows[m], columns[n], sums.value[n][m], MMA_SCRATCH_OF(scratch, item));
        }
    }
    float all = 0.0f;
    MMA_UNROLL
    for (int n = 0; n < FRAGMENTS_N; n++) {
        MMA_UNROLL
        for (int m = 0; m < FRAGMENTS_M; m++) {
            const FragmentSums s = sums.value[n][m];
            all += s.s0 + s.s1 + s.s2 + s.s3;
#if FRAGMENT_RUN * FRAGMENT_COLUMNS == 8
            all += s.s4 + s.s5 + s.s6 + s.s7;
#endif
        }
    }
    out[get_global_id(0)] = fma(all, a, b);
}
