/* Features that were computed before: the same to the bit, and never those of something else. */
#include "eval/feature_cache.h"
#include "tiny_model.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <utime.h>

#include <cmocka.h>

#define VIDEOS 5
#define CLIPS 3

static char *folder, *videos; /* of a test */
static char *models, *model;  /* of all */
static MaxglEmbedder *usual;  /* of the model; two videos are computed at once */

static char *in_folder(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static int open_usual(void **state)
{
    models = tiny_folder_new();
    model = g_build_filename(models, "model.safetensors", NULL);
    tiny_model_write(model, 5);
    usual = maxgl_embedder_open(model, NULL, 2 * CLIPS, NULL);
    return usual ? 0 : -1;
}

static int close_usual(void **state)
{
    maxgl_embedder_close(usual);
    tiny_folder_remove(models);
    g_free(model);
    return 0;
}

/* Five videos, and a cache of one's own for each test. */
static int set_up(void **state)
{
    MaxglSyntheticOptions options;
    folder = tiny_folder_new();
    videos = in_folder("videos");
    g_autofree char *cache = in_folder("cache");
    g_setenv("MAXGL_CACHE_DIR", cache, TRUE);
    g_unsetenv("MAXGL_FEATURE_CACHE_MB");
    maxgl_synthetic_options_init(&options);
    return maxgl_synthetic_options_parse(&options, "videos=5,test=0,test_new=0,frames=19", NULL) &&
                   maxgl_synthetic_write(videos, &options, 1, NULL)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    tiny_folder_remove(folder);
    g_free(videos);
    return 0;
}

/* All that came of a run. */
typedef struct {
    GArray *vectors;  /* of MaxglFeatureVector, features NULL */
    GArray *features; /* of float */
    MaxglFeatureCounts counts;
} Result;

static void result_free(Result *result)
{
    g_array_unref(result->vectors);
    g_array_unref(result->features);
    g_free(result);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Result, result_free)

static gboolean take(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    Result *result = user_data;
    MaxglFeatureVector copy = *vector;
    copy.features = NULL;
    g_array_append_val(result->vectors, copy);
    g_array_append_vals(result->features, vector->features, TINY_FEATURES);
    return TRUE;
}

static Result *run_with(MaxglEmbedder *embedder, const char *source, const MaxglFeatureOptions *options,
                        GError **error)
{
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(source, error);
    g_autoptr(Result) result = g_new0(Result, 1);
    result->vectors = g_array_new(FALSE, FALSE, sizeof(MaxglFeatureVector));
    result->features = g_array_new(FALSE, FALSE, sizeof(float));
    return dataset && maxgl_features_each(embedder, dataset, options, take, result, &result->counts, error)
               ? g_steal_pointer(&result)
               : NULL;
}

static Result *run(const char *source, gboolean cache, gboolean per_video)
{
    const MaxglFeatureOptions options = {
        .clips = CLIPS, .per_video = per_video, .cache = cache, .workers = 1, .title = "test"};
    g_autoptr(GError) error = NULL;
    Result *result = run_with(usual, source, &options, &error);
    if (!result)
        fail_msg("%s", error->message);
    return result;
}

static void assert_same(const Result *a, const Result *b)
{
    assert_int_equal(a->vectors->len, b->vectors->len);
    assert_int_equal(a->counts.bad, b->counts.bad);
    assert_memory_equal(a->features->data, b->features->data, a->features->len * sizeof(float));
    for (guint i = 0; i < a->vectors->len; i++) {
        const MaxglFeatureVector *x = &g_array_index(a->vectors, MaxglFeatureVector, i),
                                 *y = &g_array_index(b->vectors, MaxglFeatureVector, i);
        assert_true(x->video == y->video && x->clip == y->clip && x->clips == y->clips &&
                    x->first_seconds == y->first_seconds && x->last_seconds == y->last_seconds);
    }
}

/* Runs with the cache: @cached videos come from it, and all is as without. */
static void assert_cached(const char *source, gsize cached)
{
    g_autoptr(Result) with = run(source, TRUE, FALSE);
    g_autoptr(Result) without = run(source, FALSE, FALSE);
    assert_int_equal(with->counts.cached, cached);
    assert_int_equal(without->counts.cached, 0);
    assert_same(with, without);
}

/* The files in the cache; paths, to be freed. */
static GPtrArray *cache_files(void)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *root = in_folder("cache/features");
    g_autoptr(GDir) runs = g_dir_open(root, 0, NULL);
    for (const char *name; runs && (name = g_dir_read_name(runs));) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        for (const char *file; dir && (file = g_dir_read_name(dir));)
            g_ptr_array_add(files, g_build_filename(path, file, NULL));
    }
    return files;
}

static void found_again(void **state)
{
    assert_cached(videos, 0);
    assert_cached(videos, VIDEOS);
    g_autoptr(Result) means = run(videos, TRUE, TRUE);
    g_autoptr(Result) computed = run(videos, FALSE, TRUE);
    assert_int_equal(means->counts.cached, VIDEOS);
    assert_int_equal(means->vectors->len, VIDEOS);
    assert_same(means, computed);
    assert_cached("synth:videos=3,test=0,test_new=0", 0);
    assert_cached("synth:videos=3,test=0,test_new=0", 3);
    assert_cached("synth:videos=3,test=0,test_new=0,seed=2", 0);
}

/* Some videos of a set are there: in the order of the set, whatever is computed together. */
static void found_in_part(void **state)
{
    g_autofree char *some = in_folder("some.csv");
    assert_true(g_file_set_contents(some, "videos/train/00003.mkv\nvideos/train/00001.mkv\n", -1, NULL));
    assert_cached(some, 0);
    assert_cached(videos, 2);
    assert_cached(videos, VIDEOS);
    assert_cached(some, 2);
}

/* Nothing that changes features finds those of before. */
static void other_settings(void **state)
{
    const MaxglFeatureOptions clips = {.clips = CLIPS, .cache = TRUE, .title = "test"},
                              still = {.clips = CLIPS, .cache = TRUE, .still = TRUE, .title = "test"},
                              two_clips = {.clips = 2, .cache = TRUE, .title = "test"};
    g_autofree char *other = in_folder("other.safetensors"), *tuning = in_folder("tuning.cfg");
    tiny_model_write(other, 6);
    assert_true(g_file_set_contents(
        tuning, "entries = ( { kernel = \"nothing\"; parameters = { A = 1; }; } );\n", -1, NULL));
    g_autoptr(MaxglEmbedder) small_batch = maxgl_embedder_open(model, NULL, CLIPS, NULL);
    g_autoptr(MaxglEmbedder) other_weights = maxgl_embedder_open(other, NULL, 2 * CLIPS, NULL);
    g_setenv("MAXGL_TUNING", tuning, TRUE);
    g_autoptr(MaxglEmbedder) other_tuning = maxgl_embedder_open(model, NULL, 2 * CLIPS, NULL);
    g_unsetenv("MAXGL_TUNING");
    g_autoptr(Result) first = run_with(usual, videos, &clips, NULL);
    g_autoptr(Result) again = run_with(usual, videos, &clips, NULL);
    g_autoptr(Result) stills = run_with(usual, videos, &still, NULL);
    g_autoptr(Result) two = run_with(usual, videos, &two_clips, NULL);
    g_autoptr(Result) batch = run_with(small_batch, videos, &clips, NULL);
    g_autoptr(Result) weights = run_with(other_weights, videos, &clips, NULL);
    g_autoptr(Result) tuned = run_with(other_tuning, videos, &clips, NULL);
    assert_int_equal(first->counts.cached, 0);
    assert_int_equal(again->counts.cached, VIDEOS);
    assert_int_equal(stills->counts.cached, 0);
    assert_int_equal(two->counts.cached, 0);
    assert_int_equal(batch->counts.cached, 0);
    assert_int_equal(weights->counts.cached, 0);
    assert_int_equal(tuned->counts.cached, 0);
}

/* Another content under the same name, of the same size and with the times that the file had. */
static void changed_video(void **state)
{
    g_autofree char *path = in_folder("videos/train/00002.mkv"), *from = in_folder("videos/train/00000.mkv");
    g_autofree char *bytes = NULL, *old = NULL;
    gsize length, old_length;
    GStatBuf status;
    assert_cached(videos, 0);
    g_autoptr(Result) before = run(videos, TRUE, FALSE);
    assert_true(g_file_get_contents(from, &bytes, &length, NULL));
    assert_true(g_file_get_contents(path, &old, &old_length, NULL));
    assert_int_equal(g_stat(path, &status), 0);
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    const struct utimbuf times = {status.st_atime, status.st_mtime};
    assert_int_equal(g_utime(path, (struct utimbuf *)&times), 0);
    assert_cached(videos, VIDEOS - 1);
    g_autoptr(Result) after = run(videos, TRUE, FALSE);
    const gsize video = CLIPS * TINY_FEATURES;
    const float *features = &g_array_index(after->features, float, 0);
    assert_memory_equal(features + 2 * video, features, video * sizeof(float));
    assert_memory_not_equal(&g_array_index(before->features, float, 2 * video), features,
                            video * sizeof(float));
}

/* Damage anywhere in a file, a file cut short, and one that is something else. */
static void damaged_files(void **state)
{
    assert_cached(videos, 0);
    g_autoptr(GPtrArray) first = cache_files();
    g_autofree char *bytes = NULL;
    gsize length;
    assert_int_equal(first->len, 1);
    const char *path = g_ptr_array_index(first, 0);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    for (gsize at = 0; at < length; at += 331) {
        g_autofree char *damaged = g_memdup2(bytes, length);
        damaged[at] ^= 0x40;
        assert_true(g_file_set_contents(path, damaged, (gssize)length, NULL));
        g_autoptr(Result) with = run(videos, TRUE, FALSE);
        g_autoptr(GPtrArray) files = cache_files();
        assert_int_equal(with->counts.cached, 0);
        assert_int_equal(files->len, 1);
    }
    assert_cached(videos, VIDEOS);
    assert_true(g_file_set_contents(path, bytes, (gssize)length / 2, NULL));
    assert_cached(videos, 0);
    assert_true(g_file_set_contents(path, "features", -1, NULL));
    assert_cached(videos, 0);
    assert_cached(videos, VIDEOS);
    /* A good file under another name is not what that name says. */
    g_autofree char *parent = g_path_get_dirname(path),
                    *renamed = g_build_filename(parent, "a.safetensors", NULL);
    assert_int_equal(g_rename(path, renamed), 0);
    assert_cached(videos, 0);
}

/* They are named and counted as ever, and all of the rest being bad is no error. */
static void bad_videos(void **state)
{
    g_autofree char *list = in_folder("list.csv"), *junk = in_folder("junk.mkv");
    g_autoptr(GError) error = NULL;
    assert_true(g_file_set_contents(junk, "no video", -1, NULL));
    assert_true(g_file_set_contents(
        list, "missing.mkv\nvideos/train/00000.mkv\njunk.mkv\nvideos/train/00001.mkv\n", -1, NULL));
    assert_cached(list, 0);
    assert_cached(list, 2);
    assert_true(g_file_set_contents(list, "missing.mkv\nvideos/train/00000.mkv\n", -1, NULL));
    assert_cached(list, 1);
    assert_true(g_file_set_contents(list, "missing.mkv\njunk.mkv\n", -1, NULL));
    const MaxglFeatureOptions options = {.clips = CLIPS, .cache = TRUE, .title = "test"};
    assert_null(run_with(usual, list, &options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
}

static char *make_old_file(const char *name, gint64 age)
{
    g_autofree char *bytes = g_malloc0(800 << 10);
    char *path = in_folder(name);
    g_autofree char *parent = g_path_get_dirname(path);
    const struct utimbuf times = {g_get_real_time() / G_USEC_PER_SEC - age,
                                  g_get_real_time() / G_USEC_PER_SEC - age};
    assert_int_equal(g_mkdir_with_parents(parent, 0700), 0);
    assert_true(g_file_set_contents(path, bytes, 800 << 10, NULL));
    assert_int_equal(g_utime(path, (struct utimbuf *)&times), 0);
    return path;
}

/* The files that were not used for longest go first, and those that someone writes stay. */
static void limited_size(void **state)
{
    g_autofree char *old = make_old_file("cache/features/a/1.safetensors", 500);
    g_autofree char *older = make_old_file("cache/features/b/2.safetensors", 1000);
    g_autofree char *writing = make_old_file("cache/features/a/.3.partial", 1000);
    g_autofree char *dead = make_old_file("cache/features/a/.4.partial", 2 * 86400);
    g_autofree char *folder_b = g_path_get_dirname(older);
    g_setenv("MAXGL_FEATURE_CACHE_MB", "1", TRUE);
    assert_cached(videos, 0);
    assert_true(g_file_test(old, G_FILE_TEST_EXISTS));
    assert_true(g_file_test(writing, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(older, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(folder_b, G_FILE_TEST_EXISTS));
    assert_cached(videos, VIDEOS);
    g_setenv("MAXGL_FEATURE_CACHE_MB", "0", TRUE);
    assert_cached(videos, 0);
    g_unsetenv("MAXGL_FEATURE_CACHE_MB");
    assert_cached(videos, VIDEOS);
}

/* Where nothing can be kept, nothing is, and all else is as ever. */
static void no_folder(void **state)
{
    g_autofree char *cache = in_folder("cache");
    assert_true(g_file_set_contents(cache, "in the way", -1, NULL));
    assert_cached(videos, 0);
    assert_cached(videos, 0);
}

/* Two that work on the same videos at once leave one file. */
static void two_at_once(void **state)
{
    const MaxglFeatureOptions options = {.clips = 1};
    const float features[TINY_FEATURES] = {1, 2, 3};
    const double seconds[] = {0, 0.6};
    const MaxglCachedVideo video = {.clips = 1, .features = features, .seconds = seconds};
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open(videos, NULL);
    MaxglFeatureCache *a = maxgl_feature_cache_open(usual, dataset, &options),
                      *b = maxgl_feature_cache_open(usual, dataset, &options);
    for (gsize v = 0; v < VIDEOS; v++) {
        assert_int_equal(maxgl_feature_cache_find(a, v).clips, 0);
        maxgl_feature_cache_add(a, v, &video);
        maxgl_feature_cache_add(b, v, &video);
    }
    maxgl_feature_cache_close(a);
    maxgl_feature_cache_close(b);
    g_autoptr(GPtrArray) files = cache_files();
    assert_int_equal(files->len, 1);
    g_autoptr(MaxglFeatureCache) c = maxgl_feature_cache_open(usual, dataset, &options);
    const MaxglCachedVideo found = maxgl_feature_cache_find(c, VIDEOS - 1);
    assert_int_equal(found.clips, 1);
    assert_memory_equal(found.features, features, sizeof features);
    assert_memory_equal(found.seconds, seconds, sizeof seconds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(found_again),   TEST(found_in_part), TEST(other_settings),
        TEST(changed_video), TEST(damaged_files), TEST(bad_videos),
        TEST(limited_size),  TEST(no_folder),     TEST(two_at_once),
    };
    return cmocka_run_group_tests(tests, open_usual, close_usual);
}
