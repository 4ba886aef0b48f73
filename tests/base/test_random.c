#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The known-answer vectors of Random123 (D. E. Shaw Research), tests/kat_vectors, "philox4x32 10". */
static void test_philox_known_answers(void **state)
{
    static const struct {
        guint32 counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (guint i = 0; i < G_N_ELEMENTS(vectors); i++) {
        guint32 out[4];
        maxgl_random_philox(vectors[i].counter, vectors[i].key, out);
        assert_memory_equal(out, vectors[i].expected, sizeof out);
    }
}

/* The keying is part of reproducibility: seed in the key; block, sample, purpose and epoch in the counter. */
static void test_stream_layout(void **state)
{
    MaxglRandom random;
    maxgl_random_init(&random, G_GUINT64_CONSTANT(0x0123456789abcdef), MAXGL_RANDOM_AUGMENT, 7,
                      G_GUINT64_CONSTANT(0xab1234567890cd));
    for (guint32 block = 0; block < 3; block++) {
        const guint32 counter[4] = {block, 0x567890cd, 0x03ab1234, 7};
        const guint32 key[2] = {0x89abcdef, 0x01234567};
        guint32 expected[4];
        maxgl_random_philox(counter, key, expected);
        for (int i = 0; i < 4; i++)
            assert_int_equal(maxgl_random_next(&random), expected[i]);
    }
}

static void test_streams_differ(void **state)
{
    MaxglRandom a[5];
    maxgl_random_init(&a[0], 1, MAXGL_RANDOM_TEST, 0, 0);
    maxgl_random_init(&a[1], 2, MAXGL_RANDOM_TEST, 0, 0);
    maxgl_random_init(&a[2], 1, MAXGL_RANDOM_SHUFFLE, 0, 0);
    maxgl_random_init(&a[3], 1, MAXGL_RANDOM_TEST, 1, 0);
    maxgl_random_init(&a[4], 1, MAXGL_RANDOM_TEST, 0, 1);
    guint32 first[5];
    for (int i = 0; i < 5; i++)
        first[i] = maxgl_random_next(&a[i]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_int_not_equal(first[i], first[j]);
}

static void test_uniform(void **state)
{
    enum { N = 200000, BINS = 16 };
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    int bins[BINS] = {0};
    for (int i = 0; i < N; i++) {
        float value = maxgl_random_uniform(&random);
        assert_true(value >= 0.0f && value < 1.0f);
        bins[(int)(value * BINS)]++;
    }
    double chi2 = 0, expected = (double)N / BINS;
    for (int i = 0; i < BINS; i++)
        chi2 += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(chi2 < 37.7); /* 15 degrees of freedom: 0.999 quantile */
}

static void test_range_keeps_its_ends(void **state)
{
    MaxglRandom random;
    maxgl_random_init(&random, 4, MAXGL_RANDOM_TEST, 0, 0);
    /* One float apart: rounding would give the open end half of the time. */
    float low = 1.0f, high = nextafterf(1.0f, 2.0f);
    for (int i = 0; i < 1000; i++)
        assert_true(maxgl_random_range(&random, low, high) == low);
    for (int i = 0; i < 1000; i++) {
        float value = maxgl_random_range(&random, -2.5f, 4.0f);
        assert_true(value >= -2.5f && value < 4.0f);
    }
    assert_true(maxgl_random_range(&random, 2.0f, 2.0f) == 2.0f);
}

static void test_below(void **state)
{
    MaxglRandom random;
    maxgl_random_init(&random, 5, MAXGL_RANDOM_TEST, 0, 0);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[maxgl_random_below(&random, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 9600, 10400);
    assert_int_equal(maxgl_random_below(&random, 1), 0);
}

/* With n = 3·2^30, scaling without rejection would give the multiples of 3 a share of 1/2 instead of 1/3. */
static void test_below_is_unbiased(void **state)
{
    MaxglRandom random;
    maxgl_random_init(&random, 6, MAXGL_RANDOM_TEST, 0, 0);
    int multiples = 0;
    for (int i = 0; i < 60000; i++) {
        guint32 value = maxgl_random_below(&random, 3u << 30);
        assert_true(value < 3u << 30);
        multiples += value % 3 == 0;
    }
    assert_in_range(multiples, 19500, 20500);
}

static void test_normal(void **state)
{
    enum { N = 200000 };
    MaxglRandom random;
    maxgl_random_init(&random, 7, MAXGL_RANDOM_TEST, 0, 0);
    double moment[5] = {0};
    for (int i = 0; i < N; i++) {
        double value = maxgl_random_normal(&random);
        assert_true(isfinite(value));
        for (int k = 1; k <= 4; k++)
            moment[k] += pow(value, k) / N;
    }
    /* Five standard errors: sqrt(1/N), sqrt(2/N), sqrt(15/N), sqrt(96/N). */
    assert_true(fabs(moment[1]) < 0.0112);
    assert_true(fabs(moment[2] - 1) < 0.0159);
    assert_true(fabs(moment[3]) < 0.0434);
    assert_true(fabs(moment[4] - 3) < 0.1096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers), cmocka_unit_test(test_stream_layout),
        cmocka_unit_test(test_streams_differ),       cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_range_keeps_its_ends), cmocka_unit_test(test_below),
        cmocka_unit_test(test_below_is_unbiased),    cmocka_unit_test(test_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
