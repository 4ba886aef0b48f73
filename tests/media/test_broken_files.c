/* Files that are no videos, or not whole ones, and decoders that are missing or hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>

#include "base/random.h"
#include "folder.h"
#include "media/decoder.h"
#include "video_files.h"

/* Has seen a whole file of every kind that is written here. */
static MaxglDecoderPool *pool;

static int setup(void **state)
{
    pool = maxgl_decoder_pool_new();
    assert_true(maxgl_gstreamer_init(NULL));
    *state = test_folder_new();
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    g_clear_pointer(&pool, maxgl_decoder_pool_free);
    return 0;
}

/* A pool that has seen nothing: for files that are good until the decoders change. */
static void forget(void)
{
    maxgl_decoder_pool_free(pool);
    pool = maxgl_decoder_pool_new();
}

/* Neither a decoder nor a whole video is to be had of @path, for a reason with @text in it. */
static void check_bad(const char *path, const MaxglDecoderOptions *options, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_decoder_open(path, NULL, options, &error));
    print_message("%s\n", error->message);
    assert_int_equal(error->domain, MAXGL_ERROR);
    assert_int_equal(error->code, code);
    assert_true(g_str_has_prefix(error->message, path));
    assert_non_null(strstr(error->message, text));
    assert_null(strchr(error->message, '\n'));
    MaxglDecoderOptions with_pool;
    maxgl_decoder_options_init(&with_pool);
    if (options != NULL)
        with_pool = *options;
    with_pool.pool = pool;
    g_autoptr(GError) same = NULL;
    assert_null(maxgl_decoder_open(path, NULL, &with_pool, &same));
    assert_string_equal(same->message, error->message);
    g_clear_error(&error);
    assert_null(maxgl_video_read(path, (gsize)1 << 28, options, &error));
    assert_int_equal(error->code, code);
}

static char *write_video(const char *folder, const char *name, const char *encoder, int frames)
{
    char *path = test_folder_path(folder, name);
    test_video_write(
        path, &(TestVideo){.encoder = encoder, .width = 64, .height = 48, .frames = frames, .fps = 25});
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.pool = pool;
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, &options, NULL);
    assert_non_null(decoder);
    return path;
}

/* The first @part of a file as another one. */
static char *write_part(const char *folder, const char *name, const char *whole, double part)
{
    char *path = test_folder_path(folder, name);
    g_autofree char *data = NULL;
    gsize size;
    assert_true(g_file_get_contents(whole, &data, &size, NULL));
    assert_true(g_file_set_contents(path, data, (gssize)((double)size * part), NULL));
    return path;
}

static void no_videos(void **state)
{
    g_autofree char *missing = test_folder_path(*state, "missing.avi");
    check_bad(missing, NULL, MAXGL_ERROR_NOT_FOUND, "no such file");
    test_folder_write(*state, "zero.mp4", "");
    g_autofree char *zero = test_folder_path(*state, "zero.mp4");
    check_bad(zero, NULL, MAXGL_ERROR_FORMAT, "cannot decode");
    g_autofree char *words_of_text = g_strnfill(5000, 'x');
    test_folder_write(*state, "text.avi", words_of_text);
    g_autofree char *text = test_folder_path(*state, "text.avi");
    check_bad(text, NULL, MAXGL_ERROR_FORMAT, "text");
    g_autofree char *noise = test_folder_path(*state, "noise.mkv");
    guint32 words[2048];
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        words[i] = maxgl_random_next(&random);
    assert_true(g_file_set_contents(noise, (const char *)words, sizeof words, NULL));
    check_bad(noise, NULL, MAXGL_ERROR_FORMAT, "cannot decode");
}

static void only_sound(void **state)
{
    g_autofree char *path = test_folder_path(*state, "sound.ogg");
    g_autofree char *pipeline =
        g_strdup_printf("audiotestsrc num-buffers=20 ! vorbisenc ! oggmux ! filesink location=\"%s\"", path);
    test_pipeline_run(pipeline);
    check_bad(path, NULL, MAXGL_ERROR_FORMAT, "no video");
}

static void truncated(void **state)
{
    static const struct {
        const char *encoder, *name, *reason;
    } cases[] = {
        {"jpegenc ! matroskamux", "a.mkv", "truncated"},
        {"vp8enc deadline=1 ! webmmux", "a.webm", "truncated"},
        {"jpegenc ! avimux", "a.avi", "truncated"},
        {"jpegenc ! qtmux", "a.mov", "movie header"},
        {"jpegenc ! qtmux faststart=true", "b.mov", "truncated"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *whole = write_video(*state, cases[i].name, cases[i].encoder, 100);
        g_autofree char *part_name = g_strconcat("part-", cases[i].name, NULL);
        g_autofree char *part = write_part(*state, part_name, whole, 0.5);
        check_bad(part, NULL, MAXGL_ERROR_FORMAT, cases[i].reason);
    }
}

/* A file that lacks little at its end is used as far as it goes. */
static void slightly_truncated(void **state)
{
    static const char *const encoders[] = {"jpegenc ! matroskamux", "jpegenc ! avimux"};
    static const char *const names[] = {"a.mkv", "a.avi"};
    for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++) {
        g_autofree char *whole = write_video(*state, names[i], encoders[i], 100);
        g_autofree char *part_name = g_strconcat("part-", names[i], NULL);
        g_autofree char *part = write_part(*state, part_name, whole, 0.87);
        g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(part, NULL, NULL, NULL);
        g_autoptr(MaxglVideo) video = maxgl_video_read(part, (gsize)1 << 28, NULL, NULL);
        assert_non_null(decoder);
        assert_non_null(video);
        gint64 frames = maxgl_decoder_info(decoder)->frames;
        assert_in_range(frames, 80, 99);
        assert_int_equal(video->info.frames, frames);
        guint8 frame[64 * 48 * 2];
        for (gint64 k = frames - 1; k > 0; k -= 7) {
            assert_true(maxgl_decoder_read(decoder, &k, 1, frame, NULL));
            assert_int_equal(test_frame_number(&video->info.layout, frame), (int)k);
        }
    }
}

/* An AVI file without its index: the pictures after a seek would be rubbish. */
static void avi_without_index(void **state)
{
    g_autofree char *path = write_video(*state, "a.avi", "avenc_mpeg4 gop-size=50 ! avimux", 100);
    g_autofree char *data = NULL;
    gsize size;
    assert_true(g_file_get_contents(path, &data, &size, NULL));
    gsize at = size;
    while (at > 0 && memcmp(data + at - 4, "idx1", 4) != 0)
        at--;
    assert_true(at > 4);
    memcpy(data + at - 4, "JUNK", 4);
    assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, NULL);
    const MaxglVideoInfo *info = maxgl_decoder_info(decoder);
    assert_int_equal(info->frames, 100);
    guint8 frame[64 * 48 * 2];
    for (gint64 k = 99; k > 0; k -= 13) {
        assert_true(maxgl_decoder_read(decoder, &k, 1, frame, NULL));
        assert_int_equal(test_frame_number(&info->layout, frame), (int)k);
    }
}

/* Whatever bytes are wrong, there is an answer: a video or a reason. */
static void damaged(void **state)
{
    static const char *const encoders[] = {"jpegenc ! matroskamux",
                                           "avenc_mpeg4 gop-size=20 ! avimux",
                                           "vp8enc deadline=1 ! webmmux",
                                           "theoraenc ! oggmux",
                                           "jpegenc ! qtmux",
                                           "avenc_ffv1 ! matroskamux"};
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.timeout = 4.0;
    int good = 0, bad = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++) {
        g_autofree char *path = write_video(*state, "whole", encoders[i], 40);
        g_autofree char *data = NULL;
        gsize size;
        assert_true(g_file_get_contents(path, &data, &size, NULL));
        for (guint64 round = 0; round < 12; round++) {
            options.pool = round < 6 ? NULL : pool;
            g_autofree char *copy = g_memdup2(data, size);
            g_autofree char *damaged_path = test_folder_path(*state, "damaged");
            MaxglRandom random;
            maxgl_random_init(&random, 5, MAXGL_RANDOM_TEST, (guint32)i, round);
            for (int k = 0; k < 1 << round % 6; k++)
                copy[maxgl_random_below(&random, (guint32)size)] = (char)maxgl_random_next(&random);
            assert_true(g_file_set_contents(damaged_path, copy, (gssize)size, NULL));
            g_autoptr(GError) error = NULL;
            g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(damaged_path, NULL, &options, &error);
            if (decoder != NULL) {
                const MaxglVideoInfo *info = maxgl_decoder_info(decoder);
                g_autofree guint8 *frame = g_malloc(info->layout.frame_bytes);
                gint64 numbers[] = {info->frames / 2};
                gboolean read = maxgl_decoder_read(decoder, numbers, 1, frame, &error);
                assert_int_equal(read, error == NULL);
                good++;
            } else {
                print_message("%s: %s\n", encoders[i], error->message);
                assert_non_null(error);
                assert_int_not_equal(error->code, MAXGL_ERROR_CANCELLED);
                bad++;
            }
        }
    }
    print_message("%d open, %d do not\n", good, bad);
    assert_true(good > 0 && bad > 0);
}

/* Changes the rank of all decoders of JPEG. */
static void rank_jpeg_decoders(GstRank rank)
{
    static const char *const names[] = {"jpegdec", "avdec_mjpeg"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GstPluginFeature *feature = gst_registry_lookup_feature(gst_registry_get(), names[i]);
        if (feature == NULL)
            continue;
        gst_plugin_feature_set_rank(feature, rank);
        gst_object_unref(feature);
    }
}

static void missing_decoder(void **state)
{
    g_autofree char *path = write_video(*state, "a.mkv", "jpegenc ! matroskamux", 5);
    forget();
    rank_jpeg_decoders(GST_RANK_NONE);
    check_bad(path, NULL, MAXGL_ERROR_FORMAT, "decoder: install gstreamer1.0-plugins-good");
    rank_jpeg_decoders(GST_RANK_PRIMARY);
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, NULL);
    assert_non_null(decoder);
}

/* A decoder of JPEG that takes one picture and never returns, until it is released. */
static struct {
    GMutex mutex;
    GCond cond;
    gboolean released;
    int created, inside, finalized;
} hang;

typedef struct {
    GstElement parent;
} Hang;
typedef struct {
    GstElementClass parent_class;
} HangClass;
GType hang_get_type(void);
G_DEFINE_TYPE(Hang, hang, GST_TYPE_ELEMENT)

static GstStaticPadTemplate hang_sink =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("image/jpeg"));
static GstStaticPadTemplate hang_source =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));

static GstFlowReturn hang_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    gst_buffer_unref(buffer);
    g_mutex_lock(&hang.mutex);
    hang.inside++;
    while (!hang.released)
        g_cond_wait(&hang.cond, &hang.mutex);
    g_mutex_unlock(&hang.mutex);
    return GST_FLOW_FLUSHING;
}

static void hang_finalize(GObject *object)
{
    G_OBJECT_CLASS(hang_parent_class)->finalize(object);
    g_mutex_lock(&hang.mutex);
    hang.finalized++;
    g_cond_broadcast(&hang.cond);
    g_mutex_unlock(&hang.mutex);
}

static void hang_class_init(HangClass *class)
{
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    G_OBJECT_CLASS(class)->finalize = hang_finalize;
    gst_element_class_add_static_pad_template(element, &hang_sink);
    gst_element_class_add_static_pad_template(element, &hang_source);
    gst_element_class_set_static_metadata(element, "Hangs", "Codec/Decoder/Video",
                                          "Takes a picture and hangs", "maxgl-cl");
}

static void hang_init(Hang *self)
{
    g_atomic_int_inc(&hang.created);
    GstPad *sink = gst_pad_new_from_static_template(&hang_sink, "sink");
    gst_pad_set_chain_function(sink, hang_chain);
    gst_element_add_pad(GST_ELEMENT(self), sink);
    gst_element_add_pad(GST_ELEMENT(self), gst_pad_new_from_static_template(&hang_source, "src"));
}

static gpointer cancel_later(gpointer cancellable)
{
    g_usleep(300 * G_TIME_SPAN_MILLISECOND);
    g_cancellable_cancel(cancellable);
    return NULL;
}

/* Lets the hanging decoders go and waits until all of them are gone. */
static void release(void)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&hang.mutex);
    hang.released = TRUE;
    g_cond_broadcast(&hang.cond);
    while (hang.finalized < g_atomic_int_get(&hang.created) &&
           g_cond_wait_until(&hang.cond, &hang.mutex, deadline))
        ;
    assert_int_equal(hang.finalized, hang.created);
    g_mutex_unlock(&hang.mutex);
}

static void hanging_decoder(void **state)
{
    g_autofree char *path = write_video(*state, "a.mkv", "jpegenc ! matroskamux", 5);
    forget();
    assert_true(gst_element_register(NULL, "maxgltesthang", GST_RANK_PRIMARY + 1000, hang_get_type()));
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.timeout = 0.5;
    check_bad(path, &options, MAXGL_ERROR_IO, "nothing came for 0.5 s");

    g_autoptr(GError) error = NULL;
    options.timeout = 60.0;
    options.cancellable = g_cancellable_new();
    GThread *thread = g_thread_new("cancel", cancel_later, options.cancellable);
    assert_null(maxgl_decoder_open(path, NULL, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_CANCELLED);
    g_thread_join(thread);
    g_object_unref(options.cancellable);
    assert_true(hang.inside >= 1);
    release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_videos, setup, teardown),
        cmocka_unit_test_setup_teardown(only_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(slightly_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(avi_without_index, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_decoder, setup, teardown),
        cmocka_unit_test_setup_teardown(hanging_decoder, setup,
                                        teardown), /* the last one: nothing decodes JPEG after it */
    };
    return cmocka_run_group_tests(tests, NULL, test_gstreamer_end);
}
