/* Batches: always the same ones, whatever the circumstances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>

#include "folder.h"
#include "media/decoder.h"
#include "media/loader.h"
#include "video_files.h"

static int setup(void **state)
{
    assert_true(maxgl_gstreamer_init(NULL));
    *state = test_folder_new();
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static MaxglDataset *dataset_of(const char *source)
{
    g_autoptr(GError) error = NULL;
    MaxglDataset *dataset = maxgl_dataset_open(source, &error);
    if (dataset == NULL)
        fail_msg("%s", error->message);
    return dataset;
}

/* Two training clips of 4 frames a video, batches of 4. */
static MaxglLoaderOptions training(void)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.train = TRUE;
    options.seed = 7;
    options.clip = (MaxglClipSpec){.frames = 4, .stride = 2};
    options.clips_per_video = 2;
    options.batch = 4;
    options.epochs = 2;
    options.workers = 2;
    return options;
}

static MaxglLoader *loader_of(const MaxglDataset *dataset, const MaxglLoaderOptions *options)
{
    g_autoptr(GError) error = NULL;
    MaxglLoader *loader = maxgl_loader_new(dataset, options, &error);
    if (loader == NULL)
        fail_msg("%s", error->message);
    return loader;
}

static MaxglBatch *next(MaxglLoader *loader)
{
    g_autoptr(GError) error = NULL;
    MaxglBatch *batch = NULL;
    if (!maxgl_loader_next(loader, &batch, &error))
        fail_msg("%s", error->message);
    return batch;
}

/* Everything of a batch that training sees. */
static void add_batch(GChecksum *sum, const MaxglBatch *batch, int frames)
{
    g_checksum_update(sum, (const guint8 *)&batch->epoch, sizeof batch->epoch);
    g_checksum_update(sum, (const guint8 *)&batch->step, sizeof batch->step);
    for (gsize i = 0; i < batch->n_clips; i++) {
        const MaxglClip *clip = &batch->clips[i];
        gint64 facts[] = {(gint64)clip->index, clip->label,     clip->first,
                          clip->last,          clip->view.flip, clip->view.grey};
        float view[] = {clip->view.x,          clip->view.y,          clip->view.width,
                        clip->view.height,     clip->view.brightness, clip->view.contrast,
                        clip->view.saturation, clip->view.hue,        clip->view.blur};
        g_checksum_update(sum, clip->frames, (gssize)((gsize)frames * clip->layout.frame_bytes));
        g_checksum_update(sum, (const guint8 *)facts, sizeof facts);
        g_checksum_update(sum, (const guint8 *)view, sizeof view);
    }
}

/* The checksum of all batches, and the stats at the end if wanted. */
static char *sum_of(const MaxglDataset *dataset, const MaxglLoaderOptions *options, MaxglLoaderStats *stats)
{
    g_autoptr(MaxglLoader) loader = loader_of(dataset, options);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    for (;;) {
        g_autoptr(MaxglBatch) batch = next(loader);
        if (batch == NULL)
            break;
        add_batch(sum, batch, options->clip.frames);
    }
    if (stats != NULL)
        maxgl_loader_get_stats(loader, stats);
    return g_strdup(g_checksum_get_string(sum));
}

/* A list of @n good files of different lengths and containers, and some bad ones if wanted. */
static char *make_files(const char *folder, int n, gboolean with_bad)
{
    g_autoptr(GString) list = g_string_new("path,motion\n");
    for (int i = 0; i < n; i++) {
        const char *encoder = i % 2 ? "vp8enc deadline=1 keyframe-max-dist=30 ! webmmux" : "jpegenc ! avimux";
        g_autofree char *name = g_strdup_printf("%d.%s", i, i % 2 ? "webm" : "avi");
        g_autofree char *path = test_folder_path(folder, name);
        test_video_write(
            path,
            &(TestVideo){.encoder = encoder, .width = 64, .height = 48, .frames = 10 + 7 * i, .fps = 25});
        g_string_append_printf(list, "%s,class%d\n", name, i % 3);
    }
    if (with_bad) {
        g_autofree char *good = test_folder_path(folder, "0.avi"), *data = NULL;
        g_autofree char *part = test_folder_path(folder, "truncated.avi");
        gsize size;
        g_assert_true(g_file_get_contents(good, &data, &size, NULL));
        g_assert_true(g_file_set_contents(part, data, (gssize)size / 2, NULL));
        test_folder_write(folder, "text.avi", "no video at all, just a line of text\n");
        test_folder_write(folder, "zero.avi", "");
        g_string_append(list, "missing.avi,class0\nzero.avi,class0\ntruncated.avi,class1\ntext.avi,class2\n");
    }
    test_folder_write(folder, "list.csv", list->str);
    return g_build_filename(folder, "list.csv", NULL);
}

/* The circumstances: workers, prefetch, cache. */
static void check_circumstances(const MaxglDataset *dataset, MaxglLoaderOptions options)
{
    static const struct {
        int workers, prefetch;
        gsize cache_bytes;
    } cases[] = {{1, 1, 0}, {4, 1, 0}, {3, 5, (gsize)1 << 30}, {2, 2, 400000}};
    g_autofree char *first = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        options.workers = cases[i].workers;
        options.prefetch = cases[i].prefetch;
        options.cache_bytes = cases[i].cache_bytes;
        MaxglLoaderStats stats;
        g_autofree char *sum = sum_of(dataset, &options, &stats);
        assert_true(stats.cache_bytes <= cases[i].cache_bytes);
        if (first == NULL)
            first = g_strdup(sum);
        assert_string_equal(sum, first);
    }
}

static void same_clips_from_memory(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=30,test=0,test_new=0");
    MaxglLoaderOptions options = training();
    check_circumstances(dataset, options);
    options.train = FALSE;
    check_circumstances(dataset, options);
    g_autofree char *one = NULL, *other = NULL;
    options = training();
    one = sum_of(dataset, &options, NULL);
    options.seed = 8;
    other = sum_of(dataset, &options, NULL);
    assert_string_not_equal(one, other);
}

static void same_clips_from_files(void **state)
{
    g_autofree char *list = make_files(*state, 9, FALSE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    MaxglLoaderOptions options = training();
    check_circumstances(dataset, options);
    options.augmentation.stride_max = 6;
    options.augmentation.time_jitter = 2;
    options.augmentation.blur = 0.5;
    check_circumstances(dataset, options);
    options.train = FALSE;
    options.clips_per_video = 3;
    check_circumstances(dataset, options);
}

static void resumed(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=22,test=0,test_new=0");
    MaxglLoaderOptions options = training();
    g_autoptr(MaxglLoader) whole = loader_of(dataset, &options);
    assert_int_equal(maxgl_loader_steps(whole), 5);
    for (int i = 0; i < 8; i++)
        maxgl_batch_free(next(whole));
    options.start_epoch = 1;
    options.start_step = 3;
    g_autoptr(MaxglLoader) rest = loader_of(dataset, &options);
    for (int i = 0; i < 2; i++) {
        g_autoptr(MaxglBatch) a = next(whole), b = next(rest);
        assert_int_equal(a->epoch, 1);
        assert_int_equal(a->step, 3 + i);
        g_autoptr(GChecksum) sum_a = g_checksum_new(G_CHECKSUM_MD5), sum_b = g_checksum_new(G_CHECKSUM_MD5);
        add_batch(sum_a, a, 4);
        add_batch(sum_b, b, 4);
        assert_string_equal(g_checksum_get_string(sum_a), g_checksum_get_string(sum_b));
    }
    assert_null(next(whole));
    assert_null(next(rest));
    assert_null(next(rest));
}

/* An epoch has every video once, in another order than the next; its clips lie within the video and are two.
 */
static void training_epochs(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=24,test=0,test_new=0");
    MaxglLoaderOptions options = training();
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(maxgl_dataset_synthetic(dataset), &layout);
    g_autofree guint8 *video = g_malloc(20 * layout.frame_bytes);
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    gsize orders[2][24];
    int different_starts = 0, different_views = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        gboolean seen[24] = {FALSE};
        for (gsize step = 0; step < 6; step++) {
            g_autoptr(MaxglBatch) batch = next(loader);
            assert_int_equal(batch->videos, 4);
            assert_int_equal(batch->n_clips, 8);
            for (gsize v = 0; v < 4; v++) {
                const MaxglClip *pair = batch->clips + 2 * v;
                assert_int_equal(pair[0].index, pair[1].index);
                assert_false(seen[pair->index]);
                seen[pair->index] = TRUE;
                orders[epoch][step * 4 + v] = pair->index;
                different_starts += pair[0].first != pair[1].first;
                different_views += memcmp(&pair[0].view, &pair[1].view, sizeof pair->view) != 0;
                maxgl_synthetic_render(maxgl_dataset_synthetic(dataset), pair->index, 0, 20, video);
                for (int c = 0; c < 2; c++) {
                    assert_int_equal(pair[c].label, maxgl_dataset_label(dataset, pair->index, "motion"));
                    assert_in_range(pair[c].first, 0, 20 - 7);
                    assert_int_equal(pair[c].last, pair[c].first + 6);
                    assert_float_equal(pair[c].first_seconds, (double)pair[c].first / 10.0, 1e-9);
                    assert_float_equal(pair[c].last_seconds, (double)pair[c].last / 10.0, 1e-9);
                    for (int t = 0; t < 4; t++)
                        assert_memory_equal(pair[c].frames + (gsize)t * layout.frame_bytes,
                                            video + (gsize)(pair[c].first + 2 * t) * layout.frame_bytes,
                                            layout.frame_bytes);
                }
            }
        }
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    assert_in_range(different_starts, 36, 48);
    assert_in_range(different_views, 47, 48);
}

/* Strides and times are drawn: frames rise within the video, and first and last are what they say. */
static void drawn_in_time(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=24,test=0,test_new=0");
    MaxglLoaderOptions options = training();
    options.augmentation.stride_max = 4;
    options.augmentation.time_jitter = 1;
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(maxgl_dataset_synthetic(dataset), &layout);
    const gsize bytes = layout.frame_bytes;
    g_autofree guint8 *video = g_malloc(20 * bytes);
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    int spans[20] = {0};
    for (int step = 0; step < 12; step++) {
        g_autoptr(MaxglBatch) batch = next(loader);
        for (gsize i = 0; i < batch->n_clips; i++) {
            const MaxglClip *clip = &batch->clips[i];
            maxgl_synthetic_render(maxgl_dataset_synthetic(dataset), clip->index, 0, 20, video);
            gint64 number = clip->first;
            for (gsize t = 0; t < 4; t++) {
                while (number <= clip->last &&
                       memcmp(clip->frames + t * bytes, video + (gsize)number * bytes, bytes) != 0)
                    number++;
                assert_in_range(number, clip->first, clip->last);
            }
            assert_in_range(clip->first, 0, 19);
            assert_in_range(clip->last, clip->first, 19);
            assert_memory_equal(clip->frames, video + (gsize)clip->first * bytes, bytes);
            assert_memory_equal(clip->frames + 3 * bytes, video + (gsize)clip->last * bytes, bytes);
            assert_float_equal(clip->first_seconds, (double)clip->first / 10.0, 1e-9);
            assert_float_equal(clip->last_seconds, (double)clip->last / 10.0, 1e-9);
            spans[clip->last - clip->first]++;
        }
    }
    for (int stride = 2; stride <= 4; stride++)
        assert_true(spans[3 * stride - 1] + spans[3 * stride] + spans[3 * stride + 1] > 15);
}

/* In order, evenly spaced, nothing left over, centre views. */
static void evaluation(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=10,test=0,test_new=0");
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.clip.frames = 8;
    options.clips_per_video = 3;
    options.batch = 4;
    options.resize_height = 16;
    options.crop_width = options.crop_height = 8;
    options.label_column = "appearance";
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    assert_int_equal(maxgl_loader_steps(loader), 3);
    gsize index = 0;
    for (gsize step = 0; step < 3; step++) {
        g_autoptr(MaxglBatch) batch = next(loader);
        assert_int_equal(batch->step, step);
        assert_int_equal(batch->videos, step < 2 ? 4 : 2);
        for (gsize i = 0; i < batch->n_clips; i++) {
            const MaxglClip *clip = &batch->clips[i];
            assert_int_equal(clip->index, index + i / 3);
            assert_int_equal(clip->first, 6 * (gint64)(i % 3));
            assert_int_equal(clip->label, maxgl_dataset_label(dataset, clip->index, "appearance"));
            assert_float_equal(clip->view.x, 8.0, 1e-6);
            assert_float_equal(clip->view.width, 16.0, 1e-6);
            assert_false(clip->view.flip);
        }
        index += batch->videos;
    }
    assert_null(next(loader));
}

static void short_videos(void **state)
{
    g_autofree char *path = test_folder_path(*state, "a.avi");
    test_video_write(
        path, &(TestVideo){.encoder = "jpegenc ! avimux", .width = 64, .height = 48, .frames = 5, .fps = 10});
    g_autoptr(MaxglDataset) dataset = dataset_of(path);
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.clip = (MaxglClipSpec){.frames = 8, .stride = 1, .short_policy = MAXGL_SHORT_LOOP};
    static const int expected[2][8] = {{0, 1, 2, 3, 4, 0, 1, 2}, {0, 1, 2, 3, 4, 4, 4, 4}};
    for (int policy = 0; policy < 2; policy++) {
        for (int cached = 0; cached < 2; cached++) {
            options.clip.short_policy = (MaxglShortPolicy)policy;
            options.cache_bytes = cached ? (gsize)1 << 26 : 0;
            g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
            g_autoptr(MaxglBatch) batch = next(loader);
            const MaxglClip *clip = batch->clips;
            for (gsize t = 0; t < 8; t++)
                assert_int_equal(
                    test_frame_number(&clip->layout, clip->frames + t * clip->layout.frame_bytes),
                    expected[policy][t]);
            assert_int_equal(clip->first, 0);
            assert_int_equal(clip->last, 4);
        }
    }
    options.clip.short_policy = MAXGL_SHORT_SKIP;
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    MaxglBatch *batch;
    assert_false(maxgl_loader_next(loader, &batch, &error));
    assert_non_null(strstr(error->message, "too short: 5 frames, a clip spans 8"));
}

static int warnings;

static GLogWriterOutput count_warnings(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    if (level & G_LOG_LEVEL_WARNING)
        g_atomic_int_inc(&warnings);
    for (gsize i = 0; i < n; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            print_message("%s\n", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static void bad_files_replaced(void **state)
{
    g_autofree char *list = make_files(*state, 8, TRUE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    assert_int_equal(maxgl_dataset_size(dataset), 12);
    MaxglLoaderOptions options = training();
    g_autofree char *first = NULL;
    for (int workers = 1; workers <= 4; workers += 3) {
        options.workers = workers;
        options.cache_bytes = workers == 1 ? 0 : (gsize)1 << 28;
        warnings = 0;
        g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
        assert_int_equal(warnings, 2); /* missing and empty are known from the start */
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
        for (int i = 0; i < 6; i++) {
            g_autoptr(MaxglBatch) batch = next(loader);
            assert_int_equal(batch->videos, 4);
            for (gsize c = 0; c < batch->n_clips; c++)
                assert_in_range(batch->clips[c].index, 0, 7);
            add_batch(sum, batch, 4);
        }
        assert_null(next(loader));
        assert_int_equal(warnings, 4); /* each is named once, in two epochs */
        gsize n;
        g_autofree MaxglBadVideo *bad = maxgl_loader_get_bad(loader, &n);
        assert_int_equal(n, 4);
        gboolean named[4] = {FALSE};
        for (gsize i = 0; i < n; i++) {
            assert_in_range(bad[i].index, 8, 11);
            named[bad[i].index - 8] = TRUE;
            assert_null(strstr(bad[i].reason, ".avi"));
        }
        assert_true(named[0] && named[1] && named[2] && named[3]);
        if (first == NULL)
            first = g_strdup(g_checksum_get_string(sum));
        assert_string_equal(g_checksum_get_string(sum), first);
    }
}

static void bad_files_left_out(void **state)
{
    g_autofree char *list = make_files(*state, 4, TRUE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.batch = 2;
    options.clip.frames = 4;
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    for (gsize step = 0; step < 2; step++) {
        g_autoptr(MaxglBatch) batch = next(loader);
        assert_int_equal(batch->videos, 2);
        assert_int_equal(batch->clips[0].index, 2 * step);
    }
    assert_null(next(loader));
    MaxglLoaderStats stats;
    maxgl_loader_get_stats(loader, &stats);
    assert_int_equal(stats.bad, 4);
    assert_int_equal(stats.clips, 4);
}

static void too_many_bad_files(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *list = make_files(*state, 4, TRUE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    MaxglLoaderOptions options = training();
    options.max_bad = 0.3; /* two of eight are known from the start, all four only later */
    g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
    gboolean good = TRUE;
    for (int i = 0; good && i < 8; i++) {
        g_autoptr(MaxglBatch) batch = NULL;
        good = maxgl_loader_next(loader, &batch, &error);
    }
    assert_false(good);
    assert_int_equal(error->code, MAXGL_ERROR_FORMAT);
    assert_non_null(strstr(error->message, "of 8 videos are bad, more than the allowed 30 %"));
    g_clear_error(&error);
    options.max_bad = 0.1;
    assert_null(maxgl_loader_new(dataset, &options, &error));
    assert_int_equal(error->code, MAXGL_ERROR_FORMAT);
}

static void all_bad(void **state)
{
    g_autoptr(GError) error = NULL;
    test_folder_write(*state, "list.csv", "a.avi\nb.avi\nc.avi\nd.avi\n");
    g_autofree char *list = g_build_filename(*state, "list.csv", NULL);
    MaxglLoaderOptions options = training();
    options.max_bad = 1.0;
    g_autoptr(MaxglDataset) missing = dataset_of(list);
    assert_null(maxgl_loader_new(missing, &options, &error));
    assert_non_null(strstr(error->message, "all 4 videos are bad"));
    g_clear_error(&error);
    static const char *const names[] = {"a.avi", "b.avi", "c.avi", "d.avi"};
    for (gsize i = 0; i < 4; i++)
        test_folder_write(*state, names[i], "text");
    for (int train = 0; train < 2; train++) {
        options.train = train;
        g_autoptr(MaxglDataset) dataset = dataset_of(list);
        g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
        MaxglBatch *batch;
        assert_false(maxgl_loader_next(loader, &batch, &error));
        assert_non_null(strstr(error->message, "all 4 videos are bad"));
        g_clear_error(&error);
    }
}

static void wrong_options(void **state)
{
    g_autoptr(MaxglDataset) dataset = dataset_of("synth:videos=3,test=0,test_new=0");
    MaxglLoaderOptions options[6];
    for (int i = 0; i < 6; i++)
        options[i] = training();
    options[1].batch = 0;
    options[2].clip.stride = 0;
    options[3].clips_per_video = 0;
    options[4].batch = 1;
    options[4].label_column = "camera";
    options[5].timeout = 0.0;
    for (int i = 0; i < 6; i++) { /* the first one: a batch of four of three videos */
        g_autoptr(GError) error = NULL;
        assert_null(maxgl_loader_new(dataset, &options[i], &error));
        assert_int_equal(error->code, MAXGL_ERROR_USAGE);
    }
}

static gpointer cancel_later(gpointer loader)
{
    g_usleep(200 * G_TIME_SPAN_MILLISECOND);
    maxgl_loader_cancel(loader);
    return NULL;
}

/* At any moment: at once, in the middle of decoding, with batches in hand, while another thread waits. */
static void shutdown_any_time(void **state)
{
    g_autofree char *list = make_files(*state, 8, FALSE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    MaxglLoaderOptions options = training();
    options.workers = 3;
    options.epochs = 0;
    options.cache_bytes = 0;
    for (gulong wait = 0; wait <= 40; wait += 5) {
        g_autoptr(MaxglLoader) loader = loader_of(dataset, &options);
        g_usleep(wait * G_TIME_SPAN_MILLISECOND);
    }
    MaxglLoader *loader = loader_of(dataset, &options);
    g_autoptr(MaxglBatch) kept = next(loader);
    maxgl_loader_free(loader);
    assert_true(test_frame_number(&kept->clips[0].layout, kept->clips[0].frames) >= 0);

    loader = loader_of(dataset, &options);
    GThread *thread = g_thread_new("cancel", cancel_later, loader);
    g_autoptr(GError) error = NULL;
    gboolean good = TRUE;
    while (good) {
        g_autoptr(MaxglBatch) batch = NULL;
        good = maxgl_loader_next(loader, &batch, &error);
    }
    assert_int_equal(error->code, MAXGL_ERROR_CANCELLED);
    g_thread_join(thread);
    maxgl_loader_free(loader);
}

static void cache_used(void **state)
{
    g_autofree char *list = make_files(*state, 8, FALSE);
    g_autoptr(MaxglDataset) dataset = dataset_of(list);
    MaxglLoaderOptions options = training();
    options.epochs = 5;
    options.workers = 1;
    MaxglLoaderStats stats;
    options.cache_bytes = (gsize)1 << 28;
    g_autofree char *all = sum_of(dataset, &options, &stats);
    assert_int_equal(stats.decoded, 8);
    assert_int_equal(stats.cache_hits, 32);
    assert_int_equal(stats.batches, 10);
    assert_int_equal(stats.clips, 80);
    /* Some fit: no more memory than allowed, but some use. */
    options.cache_bytes = 1000000;
    g_autofree char *some = sum_of(dataset, &options, &stats);
    assert_true(stats.cache_bytes <= options.cache_bytes && stats.cache_bytes > 0);
    assert_true(stats.decoded > 8 && stats.cache_hits > 0);
    assert_int_equal(stats.decoded + stats.cache_hits, 40);
    assert_string_equal(all, some);
    assert_true(stats.wait_seconds > 0.0);
}

int main(void)
{
    g_log_set_writer_func(count_warnings, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_clips_from_memory),
        cmocka_unit_test_setup_teardown(same_clips_from_files, setup, teardown),
        cmocka_unit_test(resumed),
        cmocka_unit_test(training_epochs),
        cmocka_unit_test(drawn_in_time),
        cmocka_unit_test(evaluation),
        cmocka_unit_test_setup_teardown(short_videos, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(all_bad, setup, teardown),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test_setup_teardown(shutdown_any_time, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_used, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, test_gstreamer_end);
}
