#include "base/random.h"

#include <math.h>

static void multiply(guint32 a, guint32 b, guint32 *high, guint32 *low)
{
    guint64 product = (guint64)a * b;
    *high = (guint32)(product >> 32);
    *low = (guint32)product;
}

void maxgl_random_philox(const guint32 counter[4], const guint32 key[2], guint32 out[4])
{
    guint32 c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    guint32 k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        guint32 high0, low0, high1, low1;
        multiply(0xD2511F53u, c0, &high0, &low0);
        multiply(0xCD9E8D57u, c2, &high1, &low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void maxgl_random_init(MaxglRandom *random, guint64 seed, MaxglRandomPurpose purpose, guint32 epoch,
                       guint64 sample)
{
    g_return_if_fail(sample < G_GUINT64_CONSTANT(1) << 56);
    *random = (MaxglRandom){
        .key = {(guint32)seed, (guint32)(seed >> 32)},
        .counter = {0, (guint32)sample, (guint32)(sample >> 32) | (guint32)purpose << 24, epoch},
        .used = G_N_ELEMENTS(random->block),
    };
}

guint32 maxgl_random_next(MaxglRandom *random)
{
    if (random->used == G_N_ELEMENTS(random->block)) {
        maxgl_random_philox(random->counter, random->key, random->block);
        random->counter[0]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

float maxgl_random_uniform(MaxglRandom *random)
{
    return (float)(maxgl_random_next(random) >> 8) * 0x1p-24f;
}

float maxgl_random_range(MaxglRandom *random, float low, float high)
{
    float value = low + (high - low) * maxgl_random_uniform(random);
    /* Rounding can reach the open end. */
    return value < high || !(low < high) ? value : nextafterf(high, low);
}

guint32 maxgl_random_below(MaxglRandom *random, guint32 n)
{
    g_return_val_if_fail(n > 0, 0);
    /* Lemire, "Fast random integer generation in an interval" (ACM TOMACS 2019), algorithm 5: reject the low
     * products that would make some results more frequent than others. */
    guint64 product = (guint64)maxgl_random_next(random) * n;
    if ((guint32)product < n) {
        guint32 threshold = (0u - n) % n;
        while ((guint32)product < threshold)
            product = (guint64)maxgl_random_next(random) * n;
    }
    return (guint32)(product >> 32);
}

float maxgl_random_normal(MaxglRandom *random)
{
    /* Half a step up keeps the logarithm's argument off zero. */
    double u = (maxgl_random_next(random) + 0.5) * 0x1p-32;
    double v = (maxgl_random_next(random) + 0.5) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(2.0 * G_PI * v));
}
