/* Real clips, which are not part of the project: MAXGL_SHARED/clips, else ../shared/clips beside the source.
 * Without them the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "media/decoder.h"
#include "media/loader.h"

static char *clips;

static MaxglDataset *open_folder(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(clips, name, NULL);
    MaxglDataset *dataset = maxgl_dataset_open(path, &error);
    if (dataset == NULL)
        fail_msg("%s", error->message);
    return dataset;
}

/* Opens a clip, reads some frames of it by seeks, and compares them with those of the whole. */
static void check_clip(const char *path, MaxglVideoInfo *info)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, &error);
    g_autoptr(MaxglVideo) video = maxgl_video_read(path, (gsize)1 << 29, NULL, &error);
    if (decoder == NULL || video == NULL)
        fail_msg("%s", error->message);
    *info = *maxgl_decoder_info(decoder);
    assert_int_equal(info->frames, video->info.frames);
    assert_memory_equal(&info->layout, &video->info.layout, sizeof info->layout);
    gint64 last = info->frames - 1, numbers[] = {last, last / 2, last / 2 + 1, 0, last / 5};
    gsize bytes = info->layout.frame_bytes;
    g_autofree guint8 *frames = g_malloc(G_N_ELEMENTS(numbers) * bytes);
    if (!maxgl_decoder_read(decoder, numbers, G_N_ELEMENTS(numbers), frames, &error))
        fail_msg("%s", error->message);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        assert_memory_equal(frames + i * bytes, maxgl_video_frame(video, numbers[i]), bytes);
}

static void signs(void **state)
{
    g_autoptr(MaxglDataset) dataset = open_folder("asl");
    assert_int_equal(maxgl_dataset_size(dataset), 20);
    for (gsize i = 0; i < 20; i++) {
        MaxglVideoInfo info;
        check_clip(maxgl_dataset_path(dataset, i), &info);
        assert_int_equal(info.layout.width, 640);
        assert_int_equal(info.layout.height, 480);
        assert_float_equal(info.fps, 30.0, 1e-6);
        assert_true(info.seconds > 1.5 && info.seconds < 3.8);
    }
}

static void actions(void **state)
{
    g_autoptr(MaxglDataset) dataset = open_folder("actions");
    assert_int_equal(maxgl_dataset_size(dataset), 9);
    for (gsize i = 0; i < 9; i++) {
        MaxglVideoInfo info;
        check_clip(maxgl_dataset_path(dataset, i), &info);
        assert_true(info.fps > 29.9 && info.fps < 30.1);
    }
}

/* A long video with few key frames: a frame reached by a seek equals the one reached by decoding up to it. */
static void long_video(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(clips, "one-by-one-person-detection.mp4", NULL);
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, &error);
    if (decoder == NULL)
        fail_msg("%s", error->message);
    MaxglVideoInfo info = *maxgl_decoder_info(decoder);
    assert_int_equal(info.frames, 1394);
    g_autoptr(MaxglDecoder) other = maxgl_decoder_open(path, &info, NULL, &error);
    gsize bytes = info.layout.frame_bytes;
    g_autofree guint8 *a = g_malloc(bytes), *b = g_malloc(18 * bytes);
    for (gint64 k = 1390; k > 400; k -= 330) {
        gint64 run[18];
        for (int i = 0; i < 18; i++)
            run[i] = k - 17 + i;
        assert_true(maxgl_decoder_read(decoder, &k, 1, a, NULL));
        assert_true(maxgl_decoder_read(other, run, 18, b, NULL));
        assert_memory_equal(a, b + 17 * bytes, bytes);
    }
}

static char *sum_of(const MaxglDataset *dataset, int workers)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.train = TRUE;
    options.clip.frames = 8;
    options.clips_per_video = 2;
    options.batch = 3;
    options.workers = workers;
    options.cache_bytes = workers == 1 ? 0 : (gsize)64 << 20;
    g_autoptr(MaxglLoader) loader = maxgl_loader_new(dataset, &options, NULL);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    for (int i = 0; i < 3; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MaxglBatch) batch = NULL;
        if (!maxgl_loader_next(loader, &batch, &error))
            fail_msg("%s", error->message);
        for (gsize c = 0; c < batch->n_clips; c++)
            g_checksum_update(sum, batch->clips[c].frames, (gssize)(8 * batch->clips[c].layout.frame_bytes));
    }
    return g_strdup(g_checksum_get_string(sum));
}

static void loading(void **state)
{
    g_autoptr(MaxglDataset) dataset = open_folder("actions");
    g_autofree char *one = sum_of(dataset, 1), *three = sum_of(dataset, 3);
    assert_string_equal(one, three);
}

int main(void)
{
    const char *shared = g_getenv("MAXGL_SHARED"), *source = g_getenv("MAXGL_SOURCE_DIR");
    clips = shared != NULL ? g_build_filename(shared, "clips", NULL)
                           : g_build_filename(source != NULL ? source : ".", "..", "shared", "clips", NULL);
    if (!g_file_test(clips, G_FILE_TEST_IS_DIR)) {
        printf("skipped: no real clips in %s (MAXGL_SHARED says where they are)\n", clips);
        g_free(clips);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs),
        cmocka_unit_test(actions),
        cmocka_unit_test(long_video),
        cmocka_unit_test(loading),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    g_free(clips);
    return result;
}
