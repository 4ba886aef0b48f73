/* Which frames, which view. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/sampler.h"

static void spans(void **state)
{
    assert_int_equal(maxgl_clip_span(&(MaxglClipSpec){.frames = 16, .stride = 1}), 16);
    assert_int_equal(maxgl_clip_span(&(MaxglClipSpec){.frames = 16, .stride = 2}), 31);
    assert_int_equal(maxgl_clip_span(&(MaxglClipSpec){.frames = 1, .stride = 8}), 1);
}

/* Every possible start comes up about equally often, the last one included, and no other. */
static void random_starts(void **state)
{
    MaxglClipSpec spec = {.frames = 4, .stride = 3};
    int counts[8] = {0};
    for (guint64 i = 0; i < 8000; i++) {
        MaxglRandom random;
        maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, i);
        gint64 start = maxgl_clip_start_random(&spec, 17, &random);
        assert_in_range(start, 0, 7);
        counts[start]++;
    }
    for (int i = 0; i < 8; i++)
        assert_in_range(counts[i], 850, 1150);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    assert_int_equal(maxgl_clip_start_random(&spec, 10, &random), 0);
    assert_int_equal(maxgl_clip_start_random(&spec, 3, &random), 0);
}

static void even_starts(void **state)
{
    MaxglClipSpec spec = {.frames = 16, .stride = 1};
    /* Centres linspace(8, 106 − 8, 10) = 8, 18, … 98. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(maxgl_clip_start_even(&spec, 106, i, 10), 10 * i);
    assert_int_equal(maxgl_clip_start_even(&spec, 106, 0, 1), 45);
    assert_int_equal(maxgl_clip_start_even(&spec, 16, 3, 10), 0);
    assert_int_equal(maxgl_clip_start_even(&spec, 5, 3, 10), 0);
}

static void short_videos(void **state)
{
    gint64 numbers[5];
    MaxglClipSpec spec = {.frames = 5, .stride = 2, .short_policy = MAXGL_SHORT_LOOP};
    assert_true(maxgl_clip_numbers(&spec, 4, 0, numbers));
    const gint64 looped[] = {0, 2, 0, 2, 0};
    assert_memory_equal(numbers, looped, sizeof looped);
    spec.short_policy = MAXGL_SHORT_REPEAT_LAST;
    assert_true(maxgl_clip_numbers(&spec, 4, 0, numbers));
    const gint64 repeated[] = {0, 2, 3, 3, 3};
    assert_memory_equal(numbers, repeated, sizeof repeated);
    spec.short_policy = MAXGL_SHORT_SKIP;
    assert_false(maxgl_clip_numbers(&spec, 8, 0, numbers));
    assert_true(maxgl_clip_numbers(&spec, 9, 0, numbers));
    const gint64 exact[] = {0, 2, 4, 6, 8};
    assert_memory_equal(numbers, exact, sizeof exact);
}

/* A clip drawn for sample @sample of a video of @length frames. */
static gboolean draw_clip(const MaxglClipSpec *spec, int stride_max, int jitter, gint64 length,
                          guint64 sample, gint64 *numbers)
{
    const MaxglAugmentation augmentation = {.stride_max = stride_max, .time_jitter = jitter};
    MaxglRandom random;
    maxgl_random_init(&random, 5, MAXGL_RANDOM_TEST, 0, sample);
    return maxgl_clip_random(spec, &augmentation, length, &random, numbers);
}

/* One stride and no jitter: the start is all that is drawn. */
static void clips_of_one_stride(void **state)
{
    for (MaxglShortPolicy policy = MAXGL_SHORT_LOOP; policy <= MAXGL_SHORT_SKIP; policy++)
        for (gint64 length = 1; length < 40; length++)
            for (int stride_max = 0; stride_max <= 3; stride_max += 3) {
                const MaxglClipSpec spec = {.frames = 5, .stride = 3, .short_policy = policy};
                const MaxglAugmentation augmentation = {.stride_max = stride_max};
                MaxglRandom random, again;
                gint64 got[5], want[5];
                maxgl_random_init(&random, 5, MAXGL_RANDOM_TEST, 0, (guint64)length);
                maxgl_random_init(&again, 5, MAXGL_RANDOM_TEST, 0, (guint64)length);
                const gint64 start = maxgl_clip_start_random(&spec, length, &again);
                const gboolean fits = maxgl_clip_numbers(&spec, length, start, want);
                assert_int_equal(maxgl_clip_random(&spec, &augmentation, length, &random, got), fits);
                if (!fits)
                    continue;
                assert_memory_equal(got, want, sizeof got);
                assert_int_equal(maxgl_random_below(&random, 1000000), maxgl_random_below(&again, 1000000));
            }
}

/* Every stride for which the video is long enough, each as often, and every start of each. */
static void random_strides(void **state)
{
    enum { DRAWS = 6000 };
    const MaxglClipSpec spec = {.frames = 4, .stride = 2};
    static const struct {
        gint64 length;
        int largest;
    } videos[] = {{40, 4}, {13, 4}, {12, 3}, {10, 3}, {9, 2}, {7, 2}};
    for (gsize v = 0; v < G_N_ELEMENTS(videos); v++) {
        const gint64 length = videos[v].length;
        int counts[8] = {0}, ends[8] = {0}, beginnings[8] = {0};
        for (guint64 i = 0; i < DRAWS; i++) {
            gint64 numbers[4];
            assert_true(draw_clip(&spec, 4, 0, length, i, numbers));
            const gint64 stride = numbers[1] - numbers[0];
            assert_in_range(stride, 2, videos[v].largest);
            assert_int_equal(numbers[3] - numbers[0], 3 * stride);
            assert_true(numbers[0] >= 0 && numbers[3] < length);
            counts[stride]++;
            beginnings[stride] += numbers[0] == 0;
            ends[stride] += numbers[3] == length - 1;
        }
        for (int stride = 2; stride <= videos[v].largest; stride++) {
            const int even = DRAWS / (videos[v].largest - 1), starts = (int)length - 3 * stride;
            assert_in_range(counts[stride], even - 200, even + 200);
            assert_in_range(beginnings[stride], even / starts * 7 / 10, even / starts * 13 / 10 + 1);
            assert_in_range(ends[stride], even / starts * 7 / 10, even / starts * 13 / 10 + 1);
        }
    }
}

/* No stride fits: that of the recipe, and what is said of short videos. A single frame has no stride. */
static void random_strides_of_short_videos(void **state)
{
    gint64 numbers[4];
    MaxglClipSpec spec = {.frames = 4, .stride = 2, .short_policy = MAXGL_SHORT_LOOP};
    const gint64 looped[] = {0, 2, 4, 0}, repeated[] = {0, 2, 4, 5};
    assert_true(draw_clip(&spec, 9, 0, 6, 1, numbers));
    assert_memory_equal(numbers, looped, sizeof looped);
    spec.short_policy = MAXGL_SHORT_REPEAT_LAST;
    assert_true(draw_clip(&spec, 9, 0, 6, 1, numbers));
    assert_memory_equal(numbers, repeated, sizeof repeated);
    spec.short_policy = MAXGL_SHORT_SKIP;
    assert_false(draw_clip(&spec, 9, 0, 6, 1, numbers));
    assert_true(draw_clip(&spec, 9, 0, 7, 1, numbers));
    assert_int_equal(numbers[3], 6);
    spec.frames = 1;
    for (guint64 i = 0; i < 50; i++) {
        assert_true(draw_clip(&spec, 9, 0, 2, i, numbers));
        assert_in_range(numbers[0], 0, 1);
    }
}

/* Where frames are farther apart than they are displaced, each displacement shows, and is as likely. */
static void jitter_in_time(void **state)
{
    enum { DRAWS = 5000, LENGTH = 26 }; /* one start but for jitter: 0 */
    const MaxglClipSpec spec = {.frames = 6, .stride = 5};
    int counts[6][5] = {{0}};
    for (guint64 i = 0; i < DRAWS; i++) {
        gint64 numbers[6];
        assert_true(draw_clip(&spec, 0, 2, LENGTH, i, numbers));
        for (int f = 0; f < 6; f++) {
            assert_in_range(numbers[f], MAX(5 * f - 2, 0), MIN(5 * f + 2, LENGTH - 1));
            counts[f][numbers[f] - 5 * f + 2]++;
        }
    }
    for (int f = 1; f < 5; f++)
        for (int k = 0; k < 5; k++)
            assert_in_range(counts[f][k], 880, 1120);
    assert_in_range(counts[0][2], 2850, 3150); /* −2 and −1 stay at the video's first frame */
    assert_in_range(counts[5][2], 2850, 3150);
}

static void jitter_keeps_order_and_policy(void **state)
{
    enum { FRAMES = 8 };
    gboolean repeats = FALSE, wraps = FALSE;
    for (guint64 i = 0; i < 2000; i++) {
        gint64 numbers[FRAMES];
        MaxglClipSpec spec = {.frames = FRAMES, .stride = 2, .short_policy = MAXGL_SHORT_LOOP};
        /* Long enough: in order and within the video, also where the clip ends with it. */
        assert_true(draw_clip(&spec, 0, 7, 15 + (gint64)i % 20, i, numbers));
        for (int f = 1; f < FRAMES; f++) {
            assert_true(numbers[f] >= numbers[f - 1]);
            repeats |= numbers[f] == numbers[f - 1];
        }
        assert_true(numbers[0] >= 0 && numbers[FRAMES - 1] < 15 + (gint64)i % 20);
        /* Too short: begun again, or its last frame again. */
        assert_true(draw_clip(&spec, 0, 1, 9, i, numbers));
        for (int f = 0; f < FRAMES; f++) {
            const gint64 steps = (numbers[f] - 2 * f + 9 * 8 + 1) % 9;
            assert_in_range(numbers[f], 0, 8);
            assert_in_range(steps, 0, 2);
            wraps |= f > 0 && numbers[f] < numbers[f - 1];
        }
        spec.short_policy = MAXGL_SHORT_REPEAT_LAST;
        assert_true(draw_clip(&spec, 0, 1, 9, i, numbers));
        for (int f = 0; f < FRAMES; f++)
            assert_in_range(numbers[f], MIN(MAX(2 * f - 1, 0), 8), MIN(2 * f + 1, 8));
        spec.short_policy = MAXGL_SHORT_SKIP;
        assert_false(draw_clip(&spec, 0, 1, 14, i, numbers));
        assert_true(draw_clip(&spec, 0, 1, 15, i, numbers));
    }
    assert_true(repeats && wraps);
}

static void random_views(void **state)
{
    MaxglAugmentation augmentation;
    maxgl_augmentation_init(&augmentation);
    augmentation.blur = 0.5;
    augmentation.blur_max = 1.5;
    int flips = 0, jittered = 0, grey = 0, blurred = 0, n = 4000;
    float narrowest = 2.0f, widest = 0.0f;
    double smallest = 1.0, largest = 0.0;
    for (int i = 0; i < n; i++) {
        MaxglRandom random;
        MaxglClipView view;
        maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, (guint64)i);
        maxgl_view_random(&augmentation, 320, 240, &random, &view);
        assert_true(view.x >= 0.0f && view.y >= 0.0f && view.width >= 1.0f && view.height >= 1.0f);
        assert_true(view.x + view.width <= 320.0f && view.y + view.height <= 240.0f);
        double ratio = view.width / view.height, part = view.width * view.height / (320.0 * 240.0);
        assert_true(ratio > 0.75 * 0.97 && ratio < 4.0 / 3.0 * 1.03);
        assert_true(part > 0.2 * 0.97 && part <= 1.0);
        smallest = MIN(smallest, part);
        largest = MAX(largest, part);
        flips += view.flip;
        grey += view.grey;
        if (view.blur > 0.0f) {
            blurred++;
            narrowest = MIN(narrowest, view.blur);
            widest = MAX(widest, view.blur);
        }
        jittered += view.brightness != 1.0f;
        assert_true(view.brightness >= 0.6f && view.brightness <= 1.4f);
        assert_true(view.contrast >= 0.6f && view.contrast <= 1.4f);
        assert_true(view.saturation >= 0.6f && view.saturation <= 1.4f);
        assert_true(fabsf(view.hue) <= 0.1f);
    }
    assert_true(smallest < 0.22 && largest > 0.95);
    assert_true(narrowest >= 0.1f && narrowest < 0.12f && widest > 1.48f && widest <= 1.5f);
    assert_in_range(flips, n / 2 - 150, n / 2 + 150);
    assert_in_range(blurred, n / 2 - 150, n / 2 + 150);
    assert_in_range(jittered, n * 8 / 10 - 120, n * 8 / 10 + 120);
    assert_in_range(grey, n * 2 / 10 - 120, n * 2 / 10 + 120);
}

/* No box of the asked area and ratio fits a picture much wider than high: the largest allowed one in the
 * middle. */
static void fallback_view(void **state)
{
    MaxglAugmentation augmentation;
    maxgl_augmentation_init(&augmentation);
    augmentation.scale_min = 0.9;
    MaxglRandom random;
    MaxglClipView view;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    maxgl_view_random(&augmentation, 900, 90, &random, &view);
    assert_true(view.width == 120.0f && view.height == 90.0f && view.x == 390.0f && view.y == 0.0f);
    maxgl_view_random(&augmentation, 90, 900, &random, &view);
    assert_true(view.width == 90.0f && view.height == 120.0f && view.x == 0.0f && view.y == 390.0f);
}

/* Every picture of the other videos comes up, none of the clip's own video, and as often as it should. */
static void stills(void **state)
{
    enum { VIDEOS = 4, CLIPS = 2, FRAMES = 3, DRAWS = 4000 };
    MaxglAugmentation augmentation;
    maxgl_augmentation_init(&augmentation);
    augmentation.mix = 0.75;
    augmentation.mix_min = 0.2;
    augmentation.mix_max = 0.4;
    int drawn = 0, seen[VIDEOS][CLIPS][FRAMES] = {{{0}}};
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_MIX, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        MaxglStill still;
        maxgl_still_random(&augmentation, 2, VIDEOS, CLIPS, FRAMES, &random, &still);
        if (still.weight == 0.0f)
            continue;
        drawn++;
        assert_true(still.weight >= 0.2f && still.weight < 0.4f);
        assert_true(still.video >= 0 && still.video < VIDEOS && still.clip >= 0 && still.clip < CLIPS &&
                    still.frame >= 0 && still.frame < FRAMES);
        seen[still.video][still.clip][still.frame]++;
    }
    assert_in_range(drawn, 2850, 3150);
    for (int v = 0; v < VIDEOS; v++)
        for (int i = 0; i < CLIPS * FRAMES; i++)
            assert_in_range(seen[v][i / FRAMES][i % FRAMES], v == 2 ? 0 : 120, v == 2 ? 0 : 220);
}

static void no_augmentation(void **state)
{
    MaxglAugmentation none = {.scale_min = 1.0, .scale_max = 1.0, .ratio_min = 1.0, .ratio_max = 1.0};
    MaxglRandom random;
    MaxglClipView view;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    maxgl_view_random(&none, 64, 64, &random, &view);
    assert_true(view.x == 0.0f && view.y == 0.0f && view.width == 64.0f && view.height == 64.0f);
    assert_true(!view.flip && !view.grey && view.blur == 0.0f && view.brightness == 1.0f && view.hue == 0.0f);
}

static void center_views(void **state)
{
    MaxglClipView view;
    /* 320×240 to 171×128, then 112×112 from (30, 8): rint(29.5) is 30. */
    maxgl_view_center(320, 240, 171, 128, 112, 112, &view);
    assert_float_equal(view.x, 30.0 * 320.0 / 171.0, 1e-4);
    assert_float_equal(view.y, 8.0 * 240.0 / 128.0, 1e-4);
    assert_float_equal(view.width, 112.0 * 320.0 / 171.0, 1e-4);
    assert_float_equal(view.height, 112.0 * 240.0 / 128.0, 1e-4);
    /* The shorter side to 112, whichever it is. */
    maxgl_view_center(320, 240, 0, 112, 112, 112, &view);
    assert_float_equal(view.height, 240.0, 1e-4);
    assert_float_equal(view.width, 112.0 * 320.0 / 149.0, 1e-3);
    maxgl_view_center(240, 320, 0, 112, 112, 112, &view);
    assert_float_equal(view.width, 240.0, 1e-4);
    assert_float_equal(view.height, 112.0 * 320.0 / 149.0, 1e-3);
    /* Nothing asked, nothing cut; a crop that is too large is all there is. */
    maxgl_view_center(33, 47, 0, 0, 0, 0, &view);
    assert_true(view.x == 0.0f && view.y == 0.0f && view.width == 33.0f && view.height == 47.0f);
    maxgl_view_center(32, 32, 32, 32, 64, 64, &view);
    assert_true(view.x == 0.0f && view.y == 0.0f && view.width == 32.0f && view.height == 32.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),           cmocka_unit_test(random_starts),
        cmocka_unit_test(even_starts),     cmocka_unit_test(clips_of_one_stride),
        cmocka_unit_test(random_strides),  cmocka_unit_test(random_strides_of_short_videos),
        cmocka_unit_test(jitter_in_time),  cmocka_unit_test(jitter_keeps_order_and_policy),
        cmocka_unit_test(short_videos),    cmocka_unit_test(random_views),
        cmocka_unit_test(fallback_view),   cmocka_unit_test(center_views),
        cmocka_unit_test(no_augmentation), cmocka_unit_test(stills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
