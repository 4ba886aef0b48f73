/* Frames by number, from many kinds of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <maxgl/error.h>
#include <string.h>

#include "folder.h"
#include "media/decoder.h"
#include "media/pipeline.h"
#include "video_files.h"

/* What every file is read with: without a pool, then with one that has seen all files before. */
static MaxglDecoderOptions options;

static int setup(void **state)
{
    assert_true(maxgl_gstreamer_init(NULL));
    *state = test_folder_new();
    maxgl_decoder_options_init(&options);
    return 0;
}

static int setup_pool(void **state)
{
    setup(state);
    options.pool = maxgl_decoder_pool_new();
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    g_clear_pointer(&options.pool, maxgl_decoder_pool_free);
    return 0;
}

static MaxglDecoder *open_ok(const char *path, const MaxglVideoInfo *known)
{
    g_autoptr(GError) error = NULL;
    MaxglDecoder *decoder = maxgl_decoder_open(path, known, &options, &error);
    if (decoder == NULL)
        fail_msg("%s", error->message);
    return decoder;
}

static void read_ok(MaxglDecoder *decoder, const gint64 *numbers, gsize n, guint8 *frames)
{
    g_autoptr(GError) error = NULL;
    if (!maxgl_decoder_read(decoder, numbers, n, frames, &error))
        fail_msg("%s", error->message);
}

static MaxglVideo *video_ok(const char *path)
{
    g_autoptr(GError) error = NULL;
    MaxglVideo *video = maxgl_video_read(path, (gsize)1 << 28, &options, &error);
    if (video == NULL)
        fail_msg("%s", error->message);
    return video;
}

/* Reads @numbers in one call, from a decoder that was just opened, and compares with the whole video's bytes
 * and, where the numbers of the pictures are known (@shown[number]), with what they show. */
static void check_read(const char *path, const MaxglVideo *whole, const gint64 *numbers, gsize n,
                       const int *shown)
{
    g_autoptr(MaxglDecoder) decoder = open_ok(path, &whole->info);
    gsize frame_bytes = whole->info.layout.frame_bytes;
    g_autofree guint8 *frames = g_malloc(n * frame_bytes);
    read_ok(decoder, numbers, n, frames);
    for (gsize i = 0; i < n; i++) {
        if (shown != NULL)
            assert_int_equal(test_frame_number(&whole->info.layout, frames + i * frame_bytes),
                             shown[numbers[i]]);
        assert_memory_equal(frames + i * frame_bytes, maxgl_video_frame(whole, numbers[i]), frame_bytes);
    }
}

/* Every frame of a file: all in order, in jumps, backwards, one by one from a decoder that goes to and fro.
 */
static void check_file(const char *path, const int *shown, gint64 count, const char *what)
{
    g_autoptr(MaxglVideo) whole = video_ok(path);
    g_autoptr(MaxglDecoder) decoder = open_ok(path, NULL);
    const MaxglVideoInfo *info = maxgl_decoder_info(decoder);
    print_message("%s: %" G_GINT64_FORMAT " frames\n", what, info->frames);
    assert_int_equal(info->frames, count);
    assert_int_equal(whole->info.frames, count);
    assert_memory_equal(&info->layout, &whole->info.layout, sizeof info->layout);
    assert_float_equal(info->fps, whole->info.fps, 1e-9);
    g_autofree gint64 *numbers = g_new(gint64, count);
    for (gint64 i = 0; i < count; i++)
        numbers[i] = i;
    check_read(path, whole, numbers, (gsize)count, shown);
    gint64 some[] = {count - 1, count / 2, count / 2, 0, count / 3, 3};
    check_read(path, whole, some, G_N_ELEMENTS(some), shown);
    gint64 last[] = {count - 1};
    check_read(path, whole, last, 1, shown);
    g_autofree guint8 *frame = g_malloc(info->layout.frame_bytes);
    for (gint64 i = 0; i < 40; i++) {
        gint64 number = (i * 37 + 11) % count;
        read_ok(decoder, &number, 1, frame);
        assert_memory_equal(frame, maxgl_video_frame(whole, number), info->layout.frame_bytes);
    }
}

/* Containers and codecs of Debian's base, good and libav plugins; with key frames far apart where the codec
 * has others. */
static void many_kinds(void **state)
{
    static const struct {
        const char *encoder, *extension;
    } kinds[] = {
        {"jpegenc ! avimux", "avi"},
        {"jpegenc ! matroskamux", "mkv"},
        {"avenc_ffv1 ! matroskamux", "mkv"},
        {"avenc_mpeg4 gop-size=60 bitrate=2000000 ! avimux", "avi"},
        {"avenc_wmv2 gop-size=30 bitrate=2000000 ! avimux", "avi"},
        {"vp8enc keyframe-max-dist=90 target-bitrate=2000000 deadline=1 ! webmmux", "webm"},
        {"vp8enc keyframe-max-dist=300 target-bitrate=2000000 deadline=1 ! webmmux", "webm"},
        {"vp9enc keyframe-max-dist=90 target-bitrate=2000000 deadline=1 cpu-used=8 ! matroskamux", "mkv"},
        {"theoraenc keyframe-force=60 quality=60 ! oggmux", "ogv"},
        {"jpegenc ! qtmux", "mov"},
        {"y4menc", "y4m"},
    };
    int shown[200];
    for (int i = 0; i < 200; i++)
        shown[i] = i;
    int done = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!test_video_possible(kinds[i].encoder)) {
            print_message("%s: not installed\n", kinds[i].encoder);
            continue;
        }
        g_autofree char *name = g_strdup_printf("%" G_GSIZE_FORMAT ".%s", i, kinds[i].extension);
        g_autofree char *path = test_folder_path(*state, name);
        test_video_write(
            path,
            &(TestVideo){.encoder = kinds[i].encoder, .width = 64, .height = 48, .frames = 130, .fps = 25});
        check_file(path, shown, 130, kinds[i].encoder);
        done++;
    }
    assert_true(done >= 6);
}

/* AVI has no time stamps, so that pictures which are not stored in the order they are shown in get them from
 * a guess. Which picture has which number is unsure then, but it is always the same one. */
static void reordered_in_avi(void **state)
{
    const char *encoder = "avenc_mpeg4 gop-size=60 max-bframes=2 bitrate=2000000 ! avimux";
    if (!test_video_possible(encoder))
        return;
    g_autofree char *path = test_folder_path(*state, "b.avi");
    test_video_write(path,
                     &(TestVideo){.encoder = encoder, .width = 64, .height = 48, .frames = 130, .fps = 25});
    g_autoptr(MaxglVideo) video = video_ok(path);
    assert_in_range(video->info.frames, 127, 131);
    check_file(path, NULL, video->info.frames, encoder);
}

static void layouts(void **state)
{
    MaxglFrameLayout layout;
    maxgl_frame_layout_init(&layout, MAXGL_PIXEL_NV12, 5, 3);
    assert_int_equal(layout.stride[0], 5);
    assert_int_equal(layout.stride[1], 6);
    assert_int_equal(layout.offset[1], 15);
    assert_int_equal(layout.frame_bytes, 15 + 12);
    maxgl_frame_layout_init(&layout, MAXGL_PIXEL_RGBX, 5, 3);
    assert_int_equal(layout.stride[0], 20);
    assert_int_equal(layout.frame_bytes, 60);
}

static void odd_sizes(void **state)
{
    int shown[12];
    for (int i = 0; i < 12; i++)
        shown[i] = i;
    static const int sizes[][2] = {{65, 47}, {33, 32}, {32, 33}, {320, 240}};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *name = g_strdup_printf("%d.mkv", sizes[i][0] * 1000 + sizes[i][1]);
        g_autofree char *path = test_folder_path(*state, name);
        test_video_write(path, &(TestVideo){.encoder = "avenc_ffv1 ! matroskamux",
                                            .width = sizes[i][0],
                                            .height = sizes[i][1],
                                            .frames = 12,
                                            .fps = 30});
        check_file(path, shown, 12, name);
        g_autoptr(MaxglDecoder) decoder = open_ok(path, NULL);
        const MaxglFrameLayout *layout = &maxgl_decoder_info(decoder)->layout;
        int chroma_width = (sizes[i][0] + 1) / 2, chroma_height = (sizes[i][1] + 1) / 2;
        assert_int_equal(layout->format, MAXGL_PIXEL_I420);
        assert_int_equal(layout->stride[1], chroma_width);
        assert_int_equal(layout->offset[1], sizes[i][0] * sizes[i][1]);
        assert_int_equal(layout->offset[2], layout->offset[1] + (gsize)(chroma_width * chroma_height));
        assert_int_equal(layout->frame_bytes, layout->offset[2] + (gsize)(chroma_width * chroma_height));
    }
}

/* Formats that are delivered as they are, and ones that are not. */
static void pixel_formats(void **state)
{
    static const struct {
        const char *encoder, *format;
        MaxglPixelFormat delivered;
        gboolean full_range;
    } cases[] = {
        {"avenc_ffv1 ! matroskamux", "I420", MAXGL_PIXEL_I420, FALSE},
        {"avenc_ffv1 ! matroskamux", "Y444", MAXGL_PIXEL_I420, FALSE},
        {"avenc_ffv1 ! matroskamux", "GRAY8", MAXGL_PIXEL_GRAY8, TRUE},
        {"jpegenc ! avimux", "I420", MAXGL_PIXEL_I420, TRUE},
        {"jpegenc ! avimux", "GRAY8", MAXGL_PIXEL_GRAY8, TRUE},
        {"matroskamux", "RGB", MAXGL_PIXEL_RGB, FALSE},
        {"matroskamux", "BGR", MAXGL_PIXEL_BGR, FALSE},
        {"avenc_huffyuv ! avimux", "Y42B", MAXGL_PIXEL_I420, FALSE},
    };
    int shown[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = g_strdup_printf("%" G_GSIZE_FORMAT ".bin", i);
        g_autofree char *path = test_folder_path(*state, name);
        g_autofree char *what = g_strdup_printf("%s %s", cases[i].encoder, cases[i].format);
        test_video_write(path, &(TestVideo){.encoder = cases[i].encoder,
                                            .format = cases[i].format,
                                            .width = 64,
                                            .height = 48,
                                            .frames = 8,
                                            .fps = 10});
        check_file(path, shown, 8, what);
        g_autoptr(MaxglVideo) video = video_ok(path);
        assert_int_equal(video->info.layout.format, cases[i].delivered);
        if (cases[i].delivered >= MAXGL_PIXEL_I420)
            assert_int_equal(video->info.layout.full_range, cases[i].full_range);
    }
}

static void color_matrix(void **state)
{
    static const struct {
        const char *colorimetry;
        MaxglColorMatrix matrix;
    } cases[] = {{"bt709", MAXGL_MATRIX_BT709}, {"bt601", MAXGL_MATRIX_BT601}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_folder_path(*state, cases[i].colorimetry);
        g_autofree char *pipeline =
            g_strdup_printf("videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=64,height=48,"
                            "colorimetry=%s ! avenc_ffv1 ! matroskamux ! filesink location=\"%s\"",
                            cases[i].colorimetry, path);
        test_pipeline_run(pipeline);
        g_autoptr(MaxglVideo) video = video_ok(path);
        assert_int_equal(video->info.layout.matrix, cases[i].matrix);
    }
}

static void as_rgb(void **state)
{
    g_autofree char *path = test_folder_path(*state, "a.avi");
    test_video_write(
        path, &(TestVideo){.encoder = "jpegenc ! avimux", .width = 64, .height = 48, .frames = 5, .fps = 10});
    options.rgb = TRUE;
    g_autoptr(MaxglVideo) video = maxgl_video_read(path, 1 << 20, &options, NULL);
    assert_int_equal(video->info.layout.format, MAXGL_PIXEL_RGB);
    assert_int_equal(video->info.layout.frame_bytes, 64 * 48 * 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(test_frame_number(&video->info.layout, maxgl_video_frame(video, i)), i);
}

/* Ten pictures a second, then one that stays for long, then short ones: frame k is the one on screen at (k +
 * ½)/f. */
static void variable_rate(void **state)
{
    static const gint64 ms[] = {0,    100,  200,  300,  400,  500,  600,  700, 5000,
                                5020, 5040, 5100, 5200, 5300, 5400, 5500, 5600};
    gint64 times[G_N_ELEMENTS(ms)];
    for (gsize i = 0; i < G_N_ELEMENTS(ms); i++)
        times[i] = ms[i] * GST_MSECOND;
    g_autofree char *path = test_folder_path(*state, "vfr.mkv");
    test_video_write(path, &(TestVideo){.encoder = "jpegenc ! matroskamux",
                                        .width = 64,
                                        .height = 48,
                                        .frames = G_N_ELEMENTS(ms),
                                        .fps = 0,
                                        .times = times});
    int shown[56];
    for (int k = 0; k < 56; k++) {
        shown[k] = 0;
        for (gsize i = 0; i < G_N_ELEMENTS(ms); i++)
            if (ms[i] <= k * 100 + 50)
                shown[k] = (int)i;
    }
    check_file(path, shown, 56, "variable rate");
    g_autoptr(MaxglVideo) video = video_ok(path);
    /* Nothing says how long the last one stays, so it ends where it begins. */
    assert_int_equal(video->pictures, G_N_ELEMENTS(ms) - 1);
    assert_float_equal(video->info.fps, 10.0, 1e-6);
}

/* 24000/1001 in a container of whole milliseconds. */
static void rounded_times(void **state)
{
    g_autofree char *path = test_folder_path(*state, "ntsc.mkv");
    g_autofree char *pipeline =
        g_strdup_printf("videotestsrc num-buffers=100 pattern=snow ! "
                        "video/x-raw,format=I420,width=32,height=32,framerate=24000/1001 ! "
                        "jpegenc ! matroskamux ! filesink location=\"%s\"",
                        path);
    test_pipeline_run(pipeline);
    g_autoptr(MaxglVideo) whole = video_ok(path);
    assert_int_equal(whole->pictures, 100);
    assert_int_equal(whole->info.frames, 100);
    for (gint64 i = 0; i < 100; i++)
        assert_ptr_equal(maxgl_video_frame(whole, i),
                         whole->data + (gsize)i * whole->info.layout.frame_bytes);
    for (gint64 i = 99; i > 0; i -= 7) {
        g_autoptr(MaxglDecoder) decoder = open_ok(path, NULL);
        g_autofree guint8 *frame = g_malloc(whole->info.layout.frame_bytes);
        read_ok(decoder, &i, 1, frame);
        assert_memory_equal(frame, maxgl_video_frame(whole, i), whole->info.layout.frame_bytes);
    }
}

/* Sound is there but not decoded, whether or not it lasts longer. */
static void with_sound(void **state)
{
    g_autofree char *path = test_folder_path(*state, "sound.mkv");
    g_autofree char *pipeline =
        g_strdup_printf("matroskamux name=mux ! filesink location=\"%s\"  "
                        "videotestsrc num-buffers=50 ! "
                        "video/x-raw,format=I420,width=32,height=32,framerate=25/1 ! jpegenc ! queue ! mux. "
                        "audiotestsrc num-buffers=100 samplesperbuffer=1024 ! audio/x-raw,rate=44100 ! "
                        "vorbisenc ! queue ! mux.",
                        path);
    test_pipeline_run(pipeline);
    g_autoptr(MaxglDecoder) decoder = open_ok(path, NULL);
    assert_int_equal(maxgl_decoder_info(decoder)->frames, 50);
}

static void read_beyond(void **state)
{
    g_autofree char *path = test_folder_path(*state, "a.mkv");
    test_video_write(
        path,
        &(TestVideo){.encoder = "jpegenc ! matroskamux", .width = 32, .height = 32, .frames = 10, .fps = 10});
    static const gint64 wrong[] = {10, -1, 1000000};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MaxglDecoder) decoder = open_ok(path, NULL);
        guint8 frame[32 * 32 * 3];
        assert_false(maxgl_decoder_read(decoder, &wrong[i], 1, frame, &error));
        assert_int_equal(error->code, MAXGL_ERROR_FORMAT);
    }
}

static void memory_limit(void **state)
{
    g_autofree char *path = test_folder_path(*state, "a.mkv");
    test_video_write(
        path,
        &(TestVideo){.encoder = "jpegenc ! matroskamux", .width = 32, .height = 32, .frames = 10, .fps = 10});
    g_autoptr(GError) error = NULL;
    gsize bytes = 32 * 32 * 3 / 2 * 10;
    g_autoptr(MaxglVideo) fits = maxgl_video_read(path, bytes, &options, NULL);
    assert_non_null(fits);
    assert_null(maxgl_video_read(path, bytes - 1, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_LIMIT);
    g_clear_error(&error);
    assert_null(maxgl_video_read(path, 100, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_LIMIT);
}

/* The pool learns what decodes a container, and anew when files of another kind come; what it has learnt
 * changes no byte. */
static void pool_learns(void **state)
{
    static const struct {
        const char *encoder, *format;
        gboolean learnt; /* pictures that have to be converted are left to decodebin */
    } kinds[] = {{"jpegenc ! matroskamux", "I420", TRUE},
                 {"avenc_ffv1 ! matroskamux", "Y444", FALSE},
                 {"avenc_ffv1 ! matroskamux", "I420", TRUE},
                 {"matroskamux", "RGB", FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *name = g_strdup_printf("%" G_GSIZE_FORMAT ".mkv", i);
        g_autofree char *path = test_folder_path(*state, name);
        test_video_write(path, &(TestVideo){.encoder = kinds[i].encoder,
                                            .format = kinds[i].format,
                                            .width = 64,
                                            .height = 48,
                                            .frames = 9,
                                            .fps = 10});
        g_clear_pointer(&options.pool, maxgl_decoder_pool_free);
        options.pool = maxgl_decoder_pool_new();
        g_autoptr(MaxglVideo) video = video_ok(path);
        assert_int_equal(maxgl_pipeline_can_chain(MAXGL_CONTAINER_MATROSKA, &options), kinds[i].learnt);
        assert_false(maxgl_pipeline_can_chain(MAXGL_CONTAINER_AVI, &options));
    }
    for (int round = 0; round < 12; round++) {
        g_autofree char *name = g_strdup_printf("%d.mkv", round * 7 % 4);
        g_autofree char *path = test_folder_path(*state, name);
        MaxglDecoderPool *pool = g_steal_pointer(&options.pool);
        g_autoptr(MaxglVideo) plain = video_ok(path);
        options.pool = pool;
        g_autoptr(MaxglVideo) pooled = video_ok(path);
        assert_int_equal(pooled->pictures, plain->pictures);
        assert_memory_equal(&pooled->info.layout, &plain->info.layout, sizeof plain->info.layout);
        assert_memory_equal(pooled->times, plain->times, (gsize)plain->pictures * sizeof *plain->times);
        assert_memory_equal(pooled->data, plain->data,
                            (gsize)plain->pictures * plain->info.layout.frame_bytes);
    }
}

/* A stopped pipeline takes the next file: nothing is left of the one before, read to its end or not. */
static void pipeline_used_again(void **state)
{
    g_autofree char *path = test_folder_path(*state, "a.mkv");
    test_video_write(
        path, &(TestVideo){
                  .encoder = "avenc_ffv1 ! matroskamux", .width = 64, .height = 48, .frames = 60, .fps = 10});
    g_autoptr(MaxglVideo) whole = video_ok(path);
    MaxglPipeline *first = NULL;
    for (int round = 0; round < 20; round++) {
        g_autoptr(MaxglPipeline) pipeline =
            maxgl_pipeline_open(path, MAXGL_CONTAINER_MATROSKA, TRUE, &options, NULL);
        assert_non_null(pipeline);
        if (first == NULL)
            first = pipeline;
        assert_ptr_equal(pipeline, first);
        for (int i = 0; i < 6 * round % 61; i++) {
            GstSample *sample;
            gint64 time;
            assert_true(maxgl_pipeline_pull(pipeline, &sample, &time, NULL));
            assert_non_null(sample);
            assert_int_equal(time, i * GST_SECOND / 10);
            gst_sample_unref(sample);
        }
        if (round % 3 == 1)
            assert_true(maxgl_pipeline_seek(pipeline, 3 * (gint64)GST_SECOND, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(reordered_in_avi, setup, teardown),
        cmocka_unit_test(layouts),
        cmocka_unit_test_setup_teardown(odd_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(pixel_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(color_matrix, setup, teardown),
        cmocka_unit_test_setup_teardown(as_rgb, setup, teardown),
        cmocka_unit_test_setup_teardown(variable_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(rounded_times, setup, teardown),
        cmocka_unit_test_setup_teardown(with_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(read_beyond, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_limit, setup, teardown),
        {"many_kinds with a pool", many_kinds, setup_pool, teardown, NULL},
        {"reordered_in_avi with a pool", reordered_in_avi, setup_pool, teardown, NULL},
        {"odd_sizes with a pool", odd_sizes, setup_pool, teardown, NULL},
        {"pixel_formats with a pool", pixel_formats, setup_pool, teardown, NULL},
        {"color_matrix with a pool", color_matrix, setup_pool, teardown, NULL},
        {"variable_rate with a pool", variable_rate, setup_pool, teardown, NULL},
        {"rounded_times with a pool", rounded_times, setup_pool, teardown, NULL},
        {"with_sound with a pool", with_sound, setup_pool, teardown, NULL},
        {"read_beyond with a pool", read_beyond, setup_pool, teardown, NULL},
        {"memory_limit with a pool", memory_limit, setup_pool, teardown, NULL},
        cmocka_unit_test_setup_teardown(pool_learns, setup_pool, teardown),
        cmocka_unit_test_setup_teardown(pipeline_used_again, setup_pool, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, test_gstreamer_end);
}
