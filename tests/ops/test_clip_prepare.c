/* The clip preparer against torchvision and GStreamer, and as an object: its memory, its order, its errors.
 */
#include "base/random.h"
#include "ops/clip_prepare.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../golden/clip_prepare.h"

static MaxglContext *context;

static const MaxglClipPreparerOptions normalised = {
    .mean = {0.43216F, 0.394666F, 0.37645F}, .std = {0.22803F, 0.22145F, 0.216989F}, .block = 1};
static const MaxglClipPreparerOptions plain = {.std = {1, 1, 1}, .block = 1};
static const MaxglClipView whole_view = {.brightness = 1, .contrast = 1, .saturation = 1};

static MaxglFrameLayout rgb_layout(int width, int height)
{
    return (MaxglFrameLayout){.format = MAXGL_PIXEL_RGB,
                              .width = width,
                              .height = height,
                              .stride = {3 * width},
                              .frame_bytes = (gsize)(3 * width * height)};
}

static MaxglClipPreparerOptions options_for(const MaxglClipPreparerOptions *base, int frames, int height,
                                            int width)
{
    MaxglClipPreparerOptions options = *base;
    options.frames = frames;
    options.height = height;
    options.width = width;
    return options;
}

static MaxglTensor tensor_for(const MaxglClipPreparerOptions *o, int n)
{
    MaxglTensor tensor;
    g_autoptr(GError) error = NULL;
    maxgl_tensor_new(context, maxgl_shape(n, 3, o->frames, o->height, o->width, o->block), "clips", &tensor,
                     &error);
    assert_null(error);
    return tensor;
}

static float *read_tensor(const MaxglTensor *tensor)
{
    float *values = g_new(float, maxgl_shape_elements(&tensor->shape));
    g_autoptr(GError) error = NULL;
    maxgl_tensor_read(context, tensor, values, &error);
    assert_null(error);
    return values;
}

/* One clip from first to last; caller frees. */
static float *prepare(const MaxglClipPreparerOptions *options, const MaxglFrameLayout *layout,
                      const MaxglClipView *view, const guint8 *frames)
{
    g_autoptr(GError) error = NULL;
    MaxglTensor out = tensor_for(options, 1);
    g_autoptr(MaxglClipPreparer) preparer = maxgl_clip_preparer_new(context, options, &error);
    assert_null(error);
    maxgl_clip_preparer_run(preparer, layout, view, frames, &out, 0, &error);
    assert_null(error);
    float *values = read_tensor(&out);
    maxgl_tensor_release(context, &out);
    return values;
}

/* The pixels of make_clip_prepare.py. */
static guint8 *golden_pictures(const int size[3])
{
    guint8 *frames = g_malloc((gsize)size[0] * (gsize)size[1] * (gsize)size[2] * 3), *to = frames;
    for (int t = 0; t < size[0]; t++)
        for (int y = 0; y < size[1]; y++)
            for (int x = 0; x < size[2]; x++)
                for (int c = 0; c < 3; c++)
                    *to++ = (guint8)(37 * x + 91 * y + 53 * c + 29 * t + x * y);
    return frames;
}

static void clips_equal_torchvision(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(golden_clips); i++) {
        const int *size = golden_clips[i].size, *crop = golden_clips[i].crop;
        const double down = (double)size[1] / golden_clips[i].resized[0];
        const double along = (double)size[2] / golden_clips[i].resized[1];
        const float *colours = golden_clips[i].colours;
        const MaxglFrameLayout layout = rgb_layout(size[2], size[1]);
        const MaxglClipView view = {.x = (float)(crop[1] * along),
                                    .y = (float)(crop[0] * down),
                                    .width = (float)(crop[3] * along),
                                    .height = (float)(crop[2] * down),
                                    .flip = golden_clips[i].flip,
                                    .brightness = colours[0],
                                    .contrast = colours[1],
                                    .saturation = colours[2],
                                    .hue = colours[3],
                                    .grey = golden_clips[i].grey,
                                    .blur = golden_clips[i].blur};
        MaxglClipPreparerOptions options = options_for(&normalised, size[0], crop[2], crop[3]);
        options.antialias = golden_clips[i].antialias;
        g_autofree guint8 *frames = golden_pictures(size);
        g_autofree float *got = prepare(&options, &layout, &view, frames);
        const gsize n = 3 * (gsize)size[0] * (gsize)crop[2] * (gsize)crop[3];
        for (gsize k = 0; k < GOLDEN_NUMBERS; k++) {
            const float value = got[k * (n - 1) / (GOLDEN_NUMBERS - 1)];
            if (!(fabs(value - golden_clips[i].want[k]) < 5e-5))
                fail_msg("clip %zu, number %zu: got %.6f, torchvision has %.6f", i, k, (double)value,
                         golden_clips[i].want[k]);
        }
    }
}

/* Within 2.5 of 255 levels: videoconvert widens 8 bits to 16 by repeating them but takes 0x8000 for neutral
 * chroma, half a level off, which the matrix turns into one. (Chroma sited elsewhere is off by 15.) */
static void colours_equal_gstreamer(void **state)
{
    enum { W = GOLDEN_WIDTH, H = GOLDEN_HEIGHT, CW = (W + 1) / 2, CH = (H + 1) / 2 };
    const MaxglClipPreparerOptions options = options_for(&plain, 1, H, W);
    MaxglClipView view = whole_view;
    view.width = W;
    view.height = H;
    for (gsize i = 0; i < G_N_ELEMENTS(golden_colours); i++) {
        const MaxglFrameLayout layout = {.format = MAXGL_PIXEL_I420,
                                         .width = W,
                                         .height = H,
                                         .matrix = golden_colours[i].matrix,
                                         .full_range = golden_colours[i].full_range,
                                         .offset = {0, W * H, W * H + CW * CH},
                                         .stride = {W, CW, CW},
                                         .frame_bytes = sizeof golden_i420};
        g_autofree float *got = prepare(&options, &layout, &view, golden_i420);
        for (gsize k = 0; k < 3 * W * H; k++) {
            const double levels = 255.0 * got[k % 3 * (W * H) + k / 3],
                         want = golden_colours[i].want[k] / 257.0;
            if (!(fabs(levels - want) < 2.5))
                fail_msg("colours %zu, pixel %zu, channel %zu: got %.2f, videoconvert has %.2f", i, k / 3,
                         k % 3, levels, want);
        }
    }
}

/* A few clips of different sizes, views and formats. */
enum { CLIPS = 9, T = 3, H = 18, W = 21 };

static guint8 *any_clip(int i, MaxglFrameLayout *layout, MaxglClipView *view)
{
    MaxglRandom random;
    maxgl_random_init(&random, (guint64)i, MAXGL_RANDOM_TEST, 0, 0);
    *layout = rgb_layout(20 + 17 * i % 50, 16 + 23 * i % 60);
    *view = (MaxglClipView){(float)i, 1,     14,     11 + (float)i,        i % 2, 1.1F, i % 3 ? 1.2F : 1,
                            0.9F,     0.05F, i == 4, i % 3 == 1 ? 1.7F : 0};
    guint8 *frames = g_malloc(T * layout->frame_bytes);
    for (gsize k = 0; k < T * layout->frame_bytes; k++)
        frames[k] = (guint8)maxgl_random_below(&random, 256);
    return frames;
}

/* Frames are scribbled over as soon as the call returns; staging memory is used again and grows. */
static void frames_belong_to_the_caller_again(void **state)
{
    for (int staging = 1; staging <= 4; staging++) {
        MaxglClipPreparerOptions options = options_for(&normalised, T, H, W);
        options.staging = staging;
        g_autoptr(GError) error = NULL;
        g_autoptr(MaxglClipPreparer) preparer = maxgl_clip_preparer_new(context, &options, &error);
        MaxglTensor out = tensor_for(&options, CLIPS);
        for (int i = 0; i < CLIPS; i++) {
            MaxglFrameLayout layout;
            MaxglClipView view;
            g_autofree guint8 *frames = any_clip(i, &layout, &view);
            maxgl_clip_preparer_run(preparer, &layout, &view, frames, &out, CLIPS - 1 - i, &error);
            assert_null(error);
            memset(frames, 0x55, T * layout.frame_bytes);
        }
        g_autofree float *got = read_tensor(&out);
        maxgl_tensor_release(context, &out);
        for (int i = 0; i < CLIPS; i++) {
            MaxglFrameLayout layout;
            MaxglClipView view;
            g_autofree guint8 *frames = any_clip(i, &layout, &view);
            g_autofree float *alone = prepare(&options, &layout, &view, frames);
            assert_memory_equal(got + (gsize)(CLIPS - 1 - i) * 3 * T * H * W, alone,
                                3 * T * H * W * sizeof(float));
        }
    }
}

static void memory_is_given_back(void **state)
{
    const guint64 before = context->allocated;
    MaxglFrameLayout layout;
    MaxglClipView view;
    g_autofree guint8 *frames = any_clip(1, &layout, &view);
    const MaxglClipPreparerOptions options = options_for(&plain, T, H, W);
    g_free(prepare(&options, &layout, &view, frames));
    assert_int_equal(context->allocated, before);
}

static void assert_refused(gboolean ok, GError **error, const char *part)
{
    assert_false(ok);
    assert_true(g_error_matches(*error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    if (!strstr((*error)->message, part))
        fail_msg("\"%s\" does not say \"%s\"", (*error)->message, part);
    g_clear_error(error);
}

static void senseless_clips_are_refused(void **state)
{
    g_autoptr(GError) error = NULL;
    const MaxglClipPreparerOptions options = options_for(&plain, T, H, W);
    g_autoptr(MaxglClipPreparer) p = maxgl_clip_preparer_new(context, &options, &error);
    MaxglTensor out = tensor_for(&options, 2);
    MaxglFrameLayout good, layout;
    MaxglClipView fine, view;
    g_autofree guint8 *frames = any_clip(2, &good, &fine);

#define REFUSED(change, part)                                                                                \
    do {                                                                                                     \
        int n = 0;                                                                                           \
        layout = good;                                                                                       \
        view = fine;                                                                                         \
        change;                                                                                              \
        assert_refused(maxgl_clip_preparer_run(p, &layout, &view, frames, &out, n, &error), &error, part);   \
    } while (0)
    REFUSED(layout.width = 0, "pixels");
    REFUSED(layout.height = -1, "pixels");
    REFUSED(layout.stride[0]--, "stride");
    REFUSED(layout.stride[0] = -layout.stride[0], "stride");
    REFUSED(layout.frame_bytes--, "past the frame");
    REFUSED(layout.offset[0] = G_MAXSIZE, "past the frame");
    REFUSED(layout.format = MAXGL_PIXEL_I420, "plane 1");
    REFUSED(layout.format = (MaxglPixelFormat)77, "format");
    REFUSED(view.width = 0, "box");
    REFUSED(view.height = -3, "box");
    REFUSED(view.x = NAN, "box");
    REFUSED(view.y = INFINITY, "box");
    REFUSED(view.hue = 0.6F, "hue");
    REFUSED(view.contrast = -0.1F, "contrast");
    REFUSED(view.blur = -0.5F, "blur");
    REFUSED(view.blur = 16.5F, "blur");
    REFUSED(view.blur = NAN, "blur");
    REFUSED(n = 2, "clip 2");
    REFUSED(n = -1, "clip -1");
    REFUSED(out.shape.block = 4, "blocks of 4");
#undef REFUSED
    maxgl_tensor_release(context, &out);
}

static void senseless_options_are_refused(void **state)
{
    g_autoptr(GError) error = NULL;
    MaxglClipPreparerOptions options = options_for(&plain, T, 0, W);
    assert_refused(maxgl_clip_preparer_new(context, &options, &error) != NULL, &error, "sizes");
    options = options_for(&plain, T, H, W);
    options.std[1] = 0;
    assert_refused(maxgl_clip_preparer_new(context, &options, &error) != NULL, &error, "std of channel 1");
}

static int open_device(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    if (!context)
        print_error("%s\n", error->message);
    return context ? 0 : -1;
}

static int close_device(void **state)
{
    maxgl_context_close(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clips_equal_torchvision),           cmocka_unit_test(colours_equal_gstreamer),
        cmocka_unit_test(frames_belong_to_the_caller_again), cmocka_unit_test(memory_is_given_back),
        cmocka_unit_test(senseless_clips_are_refused),       cmocka_unit_test(senseless_options_are_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
