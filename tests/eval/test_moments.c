/* Moments of videos against the embedder called by hand, their index, the search in it, and its page. */
#include "../media/video_files.h"
#include "base/random.h"
#include "base/safetensors.h"
#include "eval/contact_sheet.h"
#include "eval/moment_search.h"
#include "media/decoder.h"
#include "tiny_model.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder, *model, *videos;
static MaxglEmbedder *by_hand; /* a clip at a time */

static MaxglEmbedder *open_model(int batch)
{
    g_autoptr(GError) error = NULL;
    MaxglEmbedder *embedder = maxgl_embedder_open(model, NULL, batch, &error);
    if (!embedder)
        fail_msg("%s", error->message);
    return embedder;
}

static void write_videos(const char *name, const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_build_filename(folder, name, NULL);
    MaxglSyntheticOptions synthetic;
    maxgl_synthetic_options_init(&synthetic);
    assert_true(maxgl_synthetic_options_parse(&synthetic, options, NULL));
    if (!maxgl_synthetic_write(dir, &synthetic, 1, &error))
        fail_msg("%s", error->message);
}

/* videos/train/0000{0,1,2}.mkv: 40 frames, 10 a second; short/train/00000.mkv: 5 frames. */
static int set_up(void **state)
{
    folder = tiny_folder_new();
    model = g_build_filename(folder, "model.safetensors", NULL);
    videos = g_build_filename(folder, "videos", NULL);
    tiny_model_write(model, 5);
    by_hand = open_model(1);
    write_videos("videos", "videos=3,test=0,test_new=0,frames=40,fps=10");
    write_videos("short", "videos=1,test=0,test_new=0,frames=5,fps=10");
    return 0;
}

static int tear_down(void **state)
{
    maxgl_embedder_close(by_hand);
    tiny_folder_remove(folder);
    g_free(model);
    g_free(videos);
    return 0;
}

static MaxglDataset *open_data(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    MaxglDataset *dataset = maxgl_dataset_open(path, &error);
    if (!dataset)
        fail_msg("%s", error->message);
    return dataset;
}

static MaxglMoments *embed(const MaxglDataset *dataset, const MaxglMomentsOptions *options, int batch)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglEmbedder) embedder = open_model(batch);
    MaxglMoments *moments = maxgl_moments_embed(embedder, dataset, options, &error);
    if (!moments)
        fail_msg("%s", error->message);
    return moments;
}

/* Fails unless row @row is the clip of @path's frames @numbers, of unit length. */
static void assert_clip(const MaxglMoments *moments, gsize row, const char *path,
                        const int numbers[TINY_FRAMES])
{
    g_autoptr(MaxglVideo) video = maxgl_video_read(path, 1 << 24, NULL, NULL);
    assert_non_null(video);
    const guint8 *frames[TINY_FRAMES];
    for (int i = 0; i < TINY_FRAMES; i++)
        frames[i] = maxgl_video_frame(video, numbers[i]);
    const MaxglEmbedderClip clip = {.frames = frames, .layout = video->info.layout};
    float features[TINY_FEATURES];
    assert_true(maxgl_embedder_run_frames(by_hand, &clip, 1, features, NULL));
    double sum = 0, length = 0;
    for (int i = 0; i < TINY_FEATURES; i++)
        sum += (double)features[i] * features[i];
    for (int i = 0; i < TINY_FEATURES; i++) {
        const float value = moments->features[row * TINY_FEATURES + (gsize)i];
        assert_float_equal(value, features[i] / sqrt(sum), 1e-5);
        length += (double)value * value;
    }
    assert_float_equal(length, 1, 1e-5);
}

/* Checks that @moments has, of each of @n_videos videos, clips that begin with the frames @starts. */
static void assert_starts(const MaxglDataset *dataset, const MaxglMoments *moments, const int *starts,
                          gsize n_starts)
{
    assert_int_equal(moments->n, n_starts * maxgl_dataset_size(dataset));
    assert_int_equal(moments->length, TINY_FEATURES);
    for (gsize i = 0; i < moments->n; i++) {
        const int start = starts[i % n_starts];
        const int numbers[TINY_FRAMES] = {start, start + 2, start + 4, start + 6};
        const gsize video = i / n_starts;
        assert_int_equal(moments->video[i], video);
        assert_float_equal(moments->seconds[2 * i], start / 10.0, 1e-5);
        assert_float_equal(moments->seconds[2 * i + 1], (start + 6) / 10.0, 1e-5);
        assert_clip(moments, i, maxgl_dataset_path(dataset, video), numbers);
    }
}

static void regular_times(void **state)
{
    static const int behind[] = {0, 7, 14, 21, 28}, overlapping[] = {0, 5, 10, 15, 20, 25, 30},
                     apart[] = {0, 16, 32}, odd[] = {0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33};
    const MaxglMomentsOptions options[] = {{0}, {.every = 0.5}, {.every = 1.6}, {.every = 0.25}};
    g_autoptr(MaxglDataset) dataset = open_data("videos");
    g_autoptr(MaxglMoments) a = embed(dataset, &options[0], 4);
    g_autoptr(MaxglMoments) b = embed(dataset, &options[1], 3);
    g_autoptr(MaxglMoments) c = embed(dataset, &options[2], 16);
    g_autoptr(MaxglMoments) d = embed(dataset, &options[3], 5);
    assert_starts(dataset, a, behind, G_N_ELEMENTS(behind));
    assert_starts(dataset, b, overlapping, G_N_ELEMENTS(overlapping));
    assert_starts(dataset, c, apart, G_N_ELEMENTS(apart));
    assert_starts(dataset, d, odd, G_N_ELEMENTS(odd));
    assert_int_equal(a->bad, 0);
    /* Different clips have different features, or nothing of this was a test. */
    assert_memory_not_equal(a->features, a->features + TINY_FEATURES, TINY_FEATURES * sizeof(float));
}

static void chosen_seconds(void **state)
{
    static const int inside[] = {10, 17}, middle[] = {21}, end[] = {33};
    const MaxglMomentsOptions options[] = {{.first_seconds = 1, .last_seconds = 2.4},
                                           {.first_seconds = 2.3, .last_seconds = 2.6}, /* shorter than one */
                                           {.first_seconds = 3.8, .last_seconds = 60}};
    g_autoptr(MaxglDataset) dataset = open_data("videos/train/00001.mkv");
    g_autoptr(MaxglMoments) a = embed(dataset, &options[0], 2);
    g_autoptr(MaxglMoments) b = embed(dataset, &options[1], 2);
    g_autoptr(MaxglMoments) c = embed(dataset, &options[2], 2);
    assert_starts(dataset, a, inside, G_N_ELEMENTS(inside));
    assert_starts(dataset, b, middle, G_N_ELEMENTS(middle));
    assert_starts(dataset, c, end, G_N_ELEMENTS(end));

    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglEmbedder) embedder = open_model(2);
    const MaxglMomentsOptions beyond = {.first_seconds = 4, .last_seconds = 5};
    assert_null(maxgl_moments_embed(embedder, dataset, &beyond, &error));
    assert_non_null(strstr(error->message, "00001.mkv: ends at 4.00 s: there is nothing at 4.00 s"));
}

static void short_video(void **state)
{
    const int numbers[TINY_FRAMES] = {0, 2, 4, 1};
    const MaxglMomentsOptions options = {0};
    g_autoptr(MaxglDataset) dataset = open_data("short");
    g_autoptr(MaxglMoments) moments = embed(dataset, &options, 4);
    assert_int_equal(moments->n, 1);
    assert_float_equal(moments->seconds[0], 0, 0);
    assert_float_equal(moments->seconds[1], 0.4, 1e-6);
    assert_clip(moments, 0, maxgl_dataset_path(dataset, 0), numbers);
}

static void bad_videos(void **state)
{
    const MaxglMomentsOptions options = {.every = 1.6};
    g_autoptr(GError) error = NULL;
    g_autofree char *junk = g_build_filename(folder, "junk.mkv", NULL);
    g_autofree char *list = g_build_filename(folder, "list.csv", NULL);
    assert_true(g_file_set_contents(junk, "no video at all", -1, NULL));
    assert_true(g_file_set_contents(list, "junk.mkv\nvideos/train/00002.mkv\nmissing.mp4\n", -1, NULL));
    g_autoptr(MaxglDataset) some = open_data("list.csv");
    g_autoptr(MaxglMoments) moments = embed(some, &options, 2);
    assert_int_equal(moments->n, 3);
    assert_int_equal(moments->bad, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(moments->video[i], 1);
    assert_true(g_file_set_contents(list, "junk.mkv\nmissing.mp4\n", -1, NULL));
    g_autoptr(MaxglDataset) none = open_data("list.csv");
    g_autoptr(MaxglEmbedder) embedder = open_model(2);
    assert_null(maxgl_moments_embed(embedder, none, &options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "all 2 videos are bad"));
}

/* A video that cannot be decoded from its middle on leaves nothing of its beginning behind. */
static void bad_from_the_middle_on(void **state)
{
    static const char encoder[] = "jpegenc ! matroskamux";
    const MaxglMomentsOptions options = {0};
    const TestVideo what = {.encoder = encoder, .width = 64, .height = 64, .frames = 100, .fps = 10};
    g_autofree char *path = g_build_filename(folder, "damaged.mkv", NULL);
    g_autofree char *list = g_build_filename(folder, "list.csv", NULL);
    g_autofree char *bytes = NULL;
    gsize length;
    if (!test_video_possible(encoder))
        skip();
    test_video_write(path, &what);
    assert_true(g_file_set_contents(list, "damaged.mkv\nvideos/train/00000.mkv\n", -1, NULL));
    g_autoptr(MaxglDataset) dataset = open_data("list.csv");
    g_autoptr(MaxglMoments) whole = embed(dataset, &options, 4);
    assert_int_equal(whole->n, 14 + 5);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    memset(bytes + length / 2, 0xff, length / 30);
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, NULL);
    assert_non_null(decoder); /* what is wrong shows only on the way */
    g_autoptr(MaxglMoments) rest = embed(dataset, &options, 4);
    assert_int_equal(rest->bad, 1);
    assert_int_equal(rest->n, 5);
    assert_int_equal(rest->video[0], 1);
    assert_memory_equal(rest->features, whole->features + (gsize)14 * TINY_FEATURES,
                        (gsize)5 * TINY_FEATURES * sizeof(float));
    assert_memory_equal(rest->seconds, whole->seconds + 14 * 2, sizeof(float) * 10);
}

static void mean_of_moments(void **state)
{
    float features[6] = {1, 0, 0, 0, 1, 0};
    const MaxglMoments moments = {.n = 2, .length = 3, .features = features};
    g_autofree float *mean = maxgl_moments_mean(&moments);
    assert_float_equal(mean[0], sqrt(0.5), 1e-6);
    assert_float_equal(mean[1], sqrt(0.5), 1e-6);
    assert_float_equal(mean[2], 0, 0);
}

/* ---------------- the file ---------------- */

static MaxglMomentModel *describe_model(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(path, NULL, 1, &error);
    assert_non_null(embedder);
    MaxglMomentModel *described = maxgl_moment_model_new(path, maxgl_embedder_info(embedder), &error);
    assert_non_null(described);
    return described;
}

static void there_and_back(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "there.index", NULL);
    g_autofree char *copy = g_build_filename(folder, "copy.safetensors", NULL);
    g_autofree char *other = g_build_filename(folder, "other.safetensors", NULL);
    g_autofree char *bytes = NULL;
    gsize length;
    const MaxglMomentsOptions options = {0};
    g_autoptr(MaxglDataset) dataset = open_data("videos");
    g_autoptr(MaxglMoments) moments = embed(dataset, &options, 4);
    g_autoptr(MaxglMomentModel) described = describe_model(model);
    assert_true(maxgl_moment_index_write(path, moments, dataset, described, &error));
    g_autoptr(MaxglMomentIndex) index = maxgl_moment_index_open(path, &error);
    if (!index)
        fail_msg("%s", error->message);
    assert_int_equal(index->n, moments->n);
    assert_int_equal(index->n_sources, 3);
    assert_memory_equal(index->features, moments->features, index->n * TINY_FEATURES * sizeof(float));
    assert_memory_equal(index->source, moments->video, index->n * sizeof(gint64));
    assert_memory_equal(index->seconds, moments->seconds, index->n * 2 * sizeof(float));
    assert_string_equal(index->model->path, model);
    for (gsize i = 0; i < 3; i++) {
        g_autofree char *video = maxgl_moment_index_video(index, i);
        assert_string_equal(video, maxgl_dataset_path(dataset, i));
    }
    assert_true(maxgl_moment_index_check_model(index, described, &error));
    /* The same bytes elsewhere are the same model, other weights are not. */
    assert_true(g_file_get_contents(model, &bytes, &length, NULL));
    assert_true(g_file_set_contents(copy, bytes, (gssize)length, NULL));
    g_autoptr(MaxglMomentModel) same = describe_model(copy);
    assert_true(maxgl_moment_index_check_model(index, same, &error));
    tiny_model_write(other, 6);
    g_autoptr(MaxglMomentModel) foreign = describe_model(other);
    assert_false(maxgl_moment_index_check_model(index, foreign, &error));
    assert_non_null(strstr(error->message, "there.index: was made with another model"));
    g_clear_error(&error);
    g_free(same->preprocessing);
    same->preprocessing = g_strdup("{}");
    assert_false(maxgl_moment_index_check_model(index, same, &error));
    assert_non_null(strstr(error->message, "was made with other preprocessing"));
}

/* A file with two clips of one video, of which something can be made wrong. */
typedef struct {
    const char *format, *sources, *folder;
    gint64 rows, source;
    float seconds[4], feature;
    const char *reason;
} Damage;

static void write_index(const char *path, const Damage *d)
{
    const gint64 features[] = {d->rows, 2}, two[] = {d->rows, 2};
    const float values[] = {d->feature, 0, 0, 1};
    const gint64 source[] = {0, d->source};
    g_autoptr(MaxglSafetensorsWriter) file = maxgl_safetensors_writer_new();
    const char *const metadata[][2] = {
        {"format", d->format},   {"sources", d->sources}, {"folder", d->folder},  {"model", "/m.safetensors"},
        {"model_sha256", "abc"}, {"network", "n"},        {"preprocessing", "{}"}};
    for (gsize i = 0; i < G_N_ELEMENTS(metadata); i++)
        if (metadata[i][1])
            maxgl_safetensors_writer_set_metadata(file, metadata[i][0], metadata[i][1]);
    maxgl_safetensors_writer_add(file, "features", MAXGL_DTYPE_F32, 2, features, values);
    maxgl_safetensors_writer_add(file, "source", MAXGL_DTYPE_I64, 1, &d->rows, source);
    maxgl_safetensors_writer_add(file, "seconds", MAXGL_DTYPE_F32, 2, two, d->seconds);
    assert_true(maxgl_safetensors_writer_write(file, path, NULL));
}

static void damaged_files(void **state)
{
    static const char good[] = "maxgl-cl index 1", one[] = "[\"a.mp4\"]";
    static const Damage damages[] = {
        {good, one, "/", 2, 0, {0, 1, 1, 2}, 1, NULL},
        {NULL, one, "/", 2, 0, {0, 1, 1, 2}, 1, "is no index"},
        {"maxgl-cl index 9", one, "/", 2, 0, {0, 1, 1, 2}, 1, "is no index"},
        {good, one, NULL, 2, 0, {0, 1, 1, 2}, 1, "no folder in its metadata"},
        {good, NULL, "/", 2, 0, {0, 1, 1, 2}, 1, "no list of sources"},
        {good, "[\"a.mp4\"", "/", 2, 0, {0, 1, 1, 2}, 1, "no list of sources"},
        {good, "[7]", "/", 2, 0, {0, 1, 1, 2}, 1, "source 0 is not a text"},
        {good, one, "/", 0, 0, {0, 1, 1, 2}, 1, "is empty"},
        {good, one, "/", 2, 1, {0, 1, 1, 2}, 1, "clip 1 has no source"},
        {good, one, "/", 2, -1, {0, 1, 1, 2}, 1, "clip 1 has no source"},
        {good, one, "/", 2, 0, {0, 1, -1, -1}, 1, "clip 1 has unknown times"},
        {good, one, "/", 2, 0, {0, 1, 2, 1}, 1, "clip 1 has unknown times"},
        {good, one, "/", 2, 0, {NAN, 1, 1, 2}, 1, "clip 0 has unknown times"},
        {good, one, "/", 2, 0, {0, INFINITY, 1, 2}, 1, "clip 0 has unknown times"},
        {good, one, "/", 2, 0, {0, 1, 1, 2}, 0.5, "clip 0 are not of unit length"},
        {good, one, "/", 2, 0, {0, 1, 1, 2}, NAN, "clip 0 are not of unit length"},
    };
    g_autofree char *path = g_build_filename(folder, "damaged.index", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autoptr(GError) error = NULL;
        write_index(path, &damages[i]);
        g_autoptr(MaxglMomentIndex) index = maxgl_moment_index_open(path, &error);
        if (!damages[i].reason) {
            assert_non_null(index);
            continue;
        }
        if (index || !strstr(error->message, damages[i].reason) || strchr(error->message, '\n'))
            fail_msg("case %d: %s", (int)i, index ? "taken" : error->message);
        assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
        assert_true(g_str_has_prefix(error->message, path));
    }
}

/* A model's own file and one of other tensors are no index, nor is one cut short. */
static void other_files(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "cut.index", NULL);
    g_autofree char *bytes = NULL;
    gsize length;
    assert_null(maxgl_moment_index_open(model, &error));
    assert_non_null(strstr(error->message, "is no index"));
    g_clear_error(&error);
    assert_true(g_file_set_contents(path, "hello, no index", -1, NULL));
    assert_null(maxgl_moment_index_open(path, &error));
    assert_true(g_str_has_prefix(error->message, path));
    assert_true(g_str_has_suffix(error->message, "(no index: make one with maxgl-cl index)"));
    g_clear_error(&error);
    write_index(path, &(Damage){"maxgl-cl index 1", "[\"a\"]", "/", 2, 0, {0, 1, 1, 2}, 1, NULL});
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)length - 4, NULL));
    assert_null(maxgl_moment_index_open(path, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    g_clear_error(&error);
    assert_null(maxgl_moment_index_open("/no/such.index", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
}

/* ---------------- the search ---------------- */

/* An index in memory of @n random vectors of @length. */
static MaxglMomentIndex *random_index(gsize n, int length)
{
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, (guint64)length);
    MaxglMomentIndex *index = g_new0(MaxglMomentIndex, 1);
    index->model = g_new0(MaxglMomentModel, 1);
    index->model->features = length;
    index->n = n;
    index->features = g_new(float, n *(gsize)length);
    for (gsize i = 0; i < n * (gsize)length; i++)
        index->features[i] = maxgl_random_normal(&random);
    maxgl_features_normalize(index->features, n, length);
    return index;
}

static void similarities_are_dot_products(void **state)
{
    static const struct {
        gsize n;
        int length;
    } sizes[] = {{1, 1}, {1, 33}, {7, 16}, {500, 128}, {1237, 50}, {35000, 512} /* in two parts */};
    for (gsize c = 0; c < G_N_ELEMENTS(sizes); c++) {
        g_autoptr(GError) error = NULL;
        const gsize length = (gsize)sizes[c].length;
        g_autoptr(MaxglMomentIndex) index = random_index(sizes[c].n, sizes[c].length);
        g_autofree float *query = g_memdup2(index->features, length * sizeof(float));
        g_autofree float *similarities = g_new0(float, index->n);
        query[0] = 0.5F;
        maxgl_features_normalize(query, 1, sizes[c].length);
        if (!maxgl_moment_similarities(index, query, NULL, similarities, &error))
            fail_msg("%s", error->message);
        for (gsize i = 0; i < index->n; i++) {
            double sum = 0;
            for (gsize j = 0; j < length; j++)
                sum += (double)query[j] * index->features[i * length + j];
            assert_float_equal(similarities[i], sum, 2e-6);
        }
    }
}

/* Rows 0 … 5 of video 0 and 6, 7 of video 1, which has the same seconds. */
static void what_is_a_hit(void **state)
{
    float seconds[] = {0, 1, 0.5F, 1.5F, 1, 2, 3, 4, 5, 6, 5.5F, 6.5F, 0, 1, 5, 6};
    gint64 source[] = {0, 0, 0, 0, 0, 0, 1, 1};
    const float similarities[] = {0.5F, 0.9F, 0.4F, 0.8F, 0.7F, 0.7F, 0.6F, -0.1F};
    const gboolean own[] = {TRUE, FALSE};
    const MaxglMomentIndex index = {.n = 8, .n_sources = 2, .source = source, .seconds = seconds};
    const struct {
        MaxglMomentSearch search;
        gsize n, rows[8];
    } cases[] = {
        {{.k = 8, .all = TRUE}, 8, {1, 3, 4, 5, 6, 0, 2, 7}},
        {{.k = 3, .all = TRUE}, 3, {1, 3, 4}},
        {{.k = 8}, 5, {1, 3, 4, 6, 7}}, /* 0 and 2 overlap 1, and 5 overlaps 4 that is as near */
        {{.k = 2}, 2, {1, 3}},
        {{.k = 8, .excluded = own, .excluded_seconds = {1.2, 3}}, 4, {4, 6, 0, 7}},
        {{.k = 8, .excluded = own, .excluded_seconds = {0, 100}}, 2, {6, 7}},
    };
    for (gsize c = 0; c < G_N_ELEMENTS(cases); c++) {
        g_autoptr(GArray) hits = maxgl_moment_nearest(&index, similarities, &cases[c].search);
        assert_int_equal(hits->len, cases[c].n);
        for (guint i = 0; i < hits->len; i++) {
            const MaxglMomentHit *hit = &g_array_index(hits, MaxglMomentHit, i);
            assert_int_equal(hit->row, cases[c].rows[i]);
            assert_float_equal(hit->similarity, similarities[hit->row], 0);
        }
    }
}

static void page_of_hits(void **state)
{
    g_autofree char *path = g_build_filename(folder, "videos", "train", "00000.mkv", NULL);
    const MaxglContact hits[] = {{path, "a <b> & \"c\".mkv", {1, 1.6}, 0.98765},
                                 {"/no/such.mkv", "such.mkv", {3723, 3724}, 0.5}};
    const MaxglContactSheet sheet = {.index = "my.index",
                                     .model = "/m.safetensors",
                                     .clips = 12,
                                     .query = {path, "query.mkv", {0, 4}, 1},
                                     .hits = hits,
                                     .n_hits = 2};
    g_autofree char *page = maxgl_contact_sheet(&sheet);
    g_auto(GStrv) pictures = g_strsplit(page, "src=\"data:image/png;base64,iVBOR", -1);
    assert_int_equal(g_strv_length(pictures), 3);
    assert_non_null(strstr(page, "alt=\"query.mkv, 0:00.00 – 0:04.00\""));
    assert_non_null(strstr(page, "a &lt;b&gt; &amp; &quot;c&quot;.mkv"));
    assert_null(strstr(page, "<b> &"));
    assert_non_null(strstr(page, "0:01.00 – 0:01.60 · similarity 0.988"));
    assert_non_null(strstr(page, "1:02:03.00 – 1:02:04.00 · similarity 0.500"));
    assert_non_null(strstr(page, "#t=1.000,1.600\""));
    assert_non_null(strstr(page, "No picture: /no/such.mkv: "));
    assert_non_null(strstr(page, "<html lang=\"en\">"));
    assert_null(strstr(page, "http")); /* nothing from elsewhere */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regular_times),
        cmocka_unit_test(chosen_seconds),
        cmocka_unit_test(short_video),
        cmocka_unit_test(bad_videos),
        cmocka_unit_test(bad_from_the_middle_on),
        cmocka_unit_test(mean_of_moments),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(other_files),
        cmocka_unit_test(similarities_are_dot_products),
        cmocka_unit_test(what_is_a_hit),
        cmocka_unit_test(page_of_hits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
