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

static void random_views(void **state)
{
    MaxglAugmentation augmentation;
    maxgl_augmentation_init(&augmentation);
    int flips = 0, jittered = 0, grey = 0, n = 4000;
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
        jittered += view.brightness != 1.0f;
        assert_true(view.brightness >= 0.6f && view.brightness <= 1.4f);
        assert_true(view.contrast >= 0.6f && view.contrast <= 1.4f);
        assert_true(view.saturation >= 0.6f && view.saturation <= 1.4f);
        assert_true(fabsf(view.hue) <= 0.1f);
    }
    assert_true(smallest < 0.22 && largest > 0.95);
    assert_in_range(flips, n / 2 - 150, n / 2 + 150);
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
    assert_true(!view.flip && !view.grey && view.brightness == 1.0f && view.hue == 0.0f);
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
        cmocka_unit_test(spans),        cmocka_unit_test(random_starts),   cmocka_unit_test(even_starts),
        cmocka_unit_test(short_videos), cmocka_unit_test(random_views),    cmocka_unit_test(fallback_view),
        cmocka_unit_test(center_views), cmocka_unit_test(no_augmentation), cmocka_unit_test(stills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
