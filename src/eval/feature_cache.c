#include "eval/feature_cache.h"

#include "base/checksum.h"
#include "base/safetensors.h"
#include "compute/program.h"
#include "media/identity.h"
#include "net/embedder_identity.h"

#include <glib/gstdio.h>
#include <string.h>
#include <time.h>

/* Changes whenever the files are laid out anew. */
#define FORMAT "maxgl features 1, " MAXGL_VERSION

#define DEFAULT_LIMIT_MB 1024
#define FILE_BYTES (8U << 20)                /* of features; then a file is written */
#define FILE_TIME (300 * G_TIME_SPAN_SECOND) /* or when the oldest that are to be written are this old */
#define PARTIAL_AGE 86400                    /* seconds; then a file's writer is taken for dead */
#define SUFFIX ".safetensors"

/* SHA-256 of what a video is. */
typedef struct {
    guint8 bytes[32];
} Key;

/* A file of the cache. */
typedef struct {
    char *path;
    MaxglSafetensors *tensors;
    gsize videos;
    const Key *keys;     /* [videos] */
    const gint64 *clips; /* [videos] */
    gint64 *first;       /* [videos] the first of them */
    const double *seconds;
    const float *features;
    gboolean checked, good;
} Shard;

/* Where a video's vectors are. */
typedef struct {
    Key key;
    Shard *shard;
    gsize number;
} Place;

struct MaxglFeatureCache {
    char *root, *folder;
    guint64 limit;
    int features;    /* length of a vector */
    Key *keys;       /* [videos of the data set] */
    gboolean *known; /* whether a video has a key */
    GPtrArray *shards;
    GHashTable *places; /* the set of Place, by key */
    /* To be written: */
    GArray *new_keys, *new_clips, *new_seconds, *new_features;
    gint64 since;
    gboolean failed;
};

static guint key_hash(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(Key)) == 0;
}

static void shard_free(gpointer pointer)
{
    Shard *shard = pointer;
    maxgl_safetensors_free(shard->tensors);
    g_free(shard->path);
    g_free(shard->first);
    g_free(shard);
}

/* ---------------- reading ---------------- */

/* The tensor called @name if it is as a file of the cache has it, [@rows, @columns]; rows −1: any number. */
static const MaxglSafetensor *tensor_of(const MaxglSafetensors *file, const char *name, MaxglDtype dtype,
                                        gint64 rows, gint64 columns)
{
    const MaxglSafetensor *t = maxgl_safetensors_find(file, name);
    const gboolean good = t && t->dtype == dtype && t->rank == 2 && t->shape[1] == columns &&
                          (rows < 0 || t->shape[0] == rows) &&
                          GPOINTER_TO_SIZE(t->data) % maxgl_dtype_size(dtype) == 0;
    return good ? t : NULL;
}

/* Whether the clips that the videos have add up to the rows there are. */
static gboolean count_clips(Shard *shard, gint64 rows)
{
    gint64 sum = 0;
    shard->first = g_new(gint64, shard->videos);
    for (gsize v = 0; v < shard->videos; v++) {
        shard->first[v] = sum;
        if (shard->clips[v] < 1 || shard->clips[v] > MAXGL_FEATURES_MAX_CLIPS)
            return FALSE;
        sum += shard->clips[v];
    }
    return sum == rows;
}

static gboolean shard_open(Shard *shard, int length)
{
    if (!(shard->tensors = maxgl_safetensors_open(shard->path, NULL)))
        return FALSE;
    const MaxglSafetensor *features = tensor_of(shard->tensors, "features", MAXGL_DTYPE_F32, -1, length);
    const MaxglSafetensor *keys = tensor_of(shard->tensors, "videos", MAXGL_DTYPE_I64, -1, sizeof(Key) / 8);
    if (!features || !keys)
        return FALSE;
    const gint64 rows = features->shape[0];
    const MaxglSafetensor *clips = tensor_of(shard->tensors, "clips", MAXGL_DTYPE_I64, keys->shape[0], 1);
    const MaxglSafetensor *seconds = tensor_of(shard->tensors, "seconds", MAXGL_DTYPE_F64, rows, 2);
    if (!clips || !seconds)
        return FALSE;
    shard->videos = (gsize)keys->shape[0];
    shard->keys = keys->data;
    shard->clips = clips->data;
    shard->seconds = seconds->data;
    shard->features = features->data;
    return count_clips(shard, rows);
}

static char *contents_sum(gsize videos, gsize rows, int length, const void *keys, const void *clips,
                          const void *seconds, const void *features)
{
    const struct {
        const void *data;
        gsize bytes;
    } parts[] = {{keys, videos * sizeof(Key)},
                 {clips, videos * sizeof(gint64)},
                 {seconds, rows * 2 * sizeof(double)},
                 {features, rows * (gsize)length * sizeof(float)}};
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        g_checksum_update(sum, parts[i].data, (gssize)parts[i].bytes);
    return g_strdup(g_checksum_get_string(sum));
}

/* Whether a file holds what its name says; it is only then used, and only then touched. */
static gboolean shard_check(Shard *shard, int length)
{
    if (shard->checked)
        return shard->good;
    const gsize last = shard->videos - 1, rows = (gsize)(shard->first[last] + shard->clips[last]);
    g_autofree char *sum =
        contents_sum(shard->videos, rows, length, shard->keys, shard->clips, shard->seconds, shard->features);
    g_autofree char *name = g_path_get_basename(shard->path);
    shard->checked = TRUE;
    shard->good = g_str_has_prefix(name, sum) && strcmp(name + strlen(sum), SUFFIX) == 0;
    if (shard->good) {
        (void)g_utime(shard->path, NULL);
    } else {
        g_info("%s: is damaged: what it held is computed again", shard->path);
        (void)g_unlink(shard->path);
    }
    return shard->good;
}

static void add_shard(MaxglFeatureCache *c, const char *name)
{
    Shard *shard = g_new0(Shard, 1);
    shard->path = g_build_filename(c->folder, name, NULL);
    if (!shard_open(shard, c->features)) {
        g_info("%s: is damaged: what it held is computed again", shard->path);
        (void)g_unlink(shard->path);
        shard_free(shard);
        return;
    }
    g_ptr_array_add(c->shards, shard);
    for (gsize v = 0; v < shard->videos; v++) {
        Place *place = g_new(Place, 1);
        *place = (Place){.key = shard->keys[v], .shard = shard, .number = v};
        g_hash_table_add(c->places, place);
    }
}

static void open_shards(MaxglFeatureCache *c)
{
    g_autoptr(GDir) dir = g_dir_open(c->folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (name[0] != '.' && g_str_has_suffix(name, SUFFIX))
            add_shard(c, name);
}

/* ---------------- keys ---------------- */

static Key finish_key(GChecksum *sum)
{
    Key key;
    gsize length = sizeof key.bytes;
    g_checksum_get_digest(sum, key.bytes, &length);
    return key;
}

/* Which build of the program it is, as far as the system tells: another of the same version may round
 * otherwise. */
static void add_build(GChecksum *sum)
{
    GStatBuf status;
    if (g_stat("/proc/self/exe", &status) != 0)
        return;
    g_autofree char *text =
        g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld", (gint64)status.st_size,
                        (gint64)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    maxgl_checksum_add_text(sum, text);
}

static char *run_key(const MaxglEmbedder *embedder, const MaxglDataset *dataset,
                     const MaxglFeatureOptions *options)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *clips = g_strdup_printf("%d clips%s", options->clips, options->still ? ", still" : "");
    maxgl_checksum_add_text(sum, FORMAT);
    add_build(sum);
    maxgl_checksum_add_text(sum, clips);
    maxgl_dataset_identify(dataset, sum);
    return maxgl_embedder_identify(embedder, sum) ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

static void make_video_keys(MaxglFeatureCache *c, const MaxglDataset *dataset)
{
    const gsize n = maxgl_dataset_size(dataset);
    c->keys = g_new(Key, n);
    c->known = g_new(gboolean, n);
    for (gsize v = 0; v < n; v++) {
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
        c->known[v] = !maxgl_dataset_bad_reason(dataset, v) && maxgl_dataset_identify_video(dataset, v, sum);
        c->keys[v] = finish_key(sum);
    }
}

/* ---------------- use ---------------- */

static guint64 limit_bytes(void)
{
    const char *text = g_getenv("MAXGL_FEATURE_CACHE_MB");
    guint64 limit = DEFAULT_LIMIT_MB;
    if (text && *text && !g_ascii_string_to_unsigned(text, 10, 0, 1U << 30, &limit, NULL))
        g_warning("MAXGL_FEATURE_CACHE_MB=%s is no number of MiB; %d is taken", text, DEFAULT_LIMIT_MB);
    return limit << 20;
}

MaxglFeatureCache *maxgl_feature_cache_open(const MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                            const MaxglFeatureOptions *options)
{
    const guint64 limit = limit_bytes();
    g_autofree char *key = limit > 0 ? run_key(embedder, dataset, options) : NULL;
    if (!key)
        return NULL;
    MaxglFeatureCache *c = g_new0(MaxglFeatureCache, 1);
    c->limit = limit;
    c->root = maxgl_cache_dir("features");
    c->folder = g_build_filename(c->root, key, NULL);
    c->features = maxgl_embedder_info(embedder)->features;
    c->shards = g_ptr_array_new_with_free_func(shard_free);
    c->places = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    c->new_keys = g_array_new(FALSE, FALSE, sizeof(Key));
    c->new_clips = g_array_new(FALSE, FALSE, sizeof(gint64));
    c->new_seconds = g_array_new(FALSE, FALSE, sizeof(double));
    c->new_features = g_array_new(FALSE, FALSE, sizeof(float));
    make_video_keys(c, dataset);
    open_shards(c);
    return c;
}

MaxglCachedVideo maxgl_feature_cache_find(MaxglFeatureCache *c, gsize index)
{
    const Place *place = c->known[index] ? g_hash_table_lookup(c->places, &c->keys[index]) : NULL;
    if (!place || !shard_check(place->shard, c->features))
        return (MaxglCachedVideo){0};
    const gsize first = (gsize)place->shard->first[place->number];
    return (MaxglCachedVideo){.clips = (int)place->shard->clips[place->number],
                              .features = place->shard->features + first * (gsize)c->features,
                              .seconds = place->shard->seconds + first * 2};
}

/* ---------------- writing ---------------- */

static gboolean write_new(const MaxglFeatureCache *c, GError **error)
{
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    const guint videos = c->new_keys->len, rows = c->new_seconds->len / 2;
    const gint64 keys[] = {videos, sizeof(Key) / 8}, clips[] = {videos, 1}, seconds[] = {rows, 2},
                 features[] = {rows, c->features};
    maxgl_safetensors_writer_add(writer, "videos", MAXGL_DTYPE_I64, 2, keys, c->new_keys->data);
    maxgl_safetensors_writer_add(writer, "clips", MAXGL_DTYPE_I64, 2, clips, c->new_clips->data);
    maxgl_safetensors_writer_add(writer, "seconds", MAXGL_DTYPE_F64, 2, seconds, c->new_seconds->data);
    maxgl_safetensors_writer_add(writer, "features", MAXGL_DTYPE_F32, 2, features, c->new_features->data);
    g_autofree char *sum = contents_sum(videos, rows, c->features, c->new_keys->data, c->new_clips->data,
                                        c->new_seconds->data, c->new_features->data);
    g_autofree char *name = g_strconcat(sum, SUFFIX, NULL);
    g_autofree char *path = g_build_filename(c->folder, name, NULL);
    (void)g_mkdir_with_parents(c->folder, 0700); /* what follows says if that failed */
    return maxgl_safetensors_writer_write(writer, path, error);
}

/* One file of any network's. */
typedef struct {
    char *path;
    guint64 bytes;
    gint64 used;
} Kept;

static void kept_clear(gpointer pointer)
{
    g_free(((Kept *)pointer)->path);
}

static int compare_kept(gconstpointer a, gconstpointer b)
{
    const Kept *x = a, *y = b;
    return x->used != y->used ? (x->used < y->used ? -1 : 1) : strcmp(x->path, y->path);
}

/* Lists the files of @folder, but for those that another process is writing. */
static void list_kept(const char *folder, GArray *files)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        GStatBuf status;
        Kept kept = {.path = g_build_filename(folder, name, NULL)};
        if (g_stat(kept.path, &status) != 0 ||
            (name[0] == '.' && (gint64)status.st_mtime + PARTIAL_AGE > (gint64)time(NULL))) {
            g_free(kept.path);
            continue;
        }
        kept.bytes = (guint64)status.st_size;
        kept.used = (gint64)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        g_array_append_val(files, kept);
    }
}

static void trim(const MaxglFeatureCache *c)
{
    g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(Kept));
    g_autoptr(GDir) dir = g_dir_open(c->root, 0, NULL);
    guint64 bytes = 0;
    g_array_set_clear_func(files, kept_clear);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *folder = g_build_filename(c->root, name, NULL);
        list_kept(folder, files);
    }
    for (guint i = 0; i < files->len; i++)
        bytes += g_array_index(files, Kept, i).bytes;
    g_array_sort(files, compare_kept);
    for (guint i = 0; i < files->len && bytes > c->limit; i++) {
        const Kept *kept = &g_array_index(files, Kept, i);
        g_autofree char *folder = g_path_get_dirname(kept->path);
        (void)g_unlink(kept->path);
        (void)g_rmdir(folder); /* goes only if it is empty */
        bytes -= kept->bytes;
    }
}

static void flush(MaxglFeatureCache *c)
{
    g_autoptr(GError) error = NULL;
    if (c->new_keys->len == 0)
        return;
    if (!write_new(c, &error)) {
        g_info("features are not kept: %s", error->message);
        c->failed = TRUE;
    }
    g_array_set_size(c->new_keys, 0);
    g_array_set_size(c->new_clips, 0);
    g_array_set_size(c->new_seconds, 0);
    g_array_set_size(c->new_features, 0);
    trim(c);
}

void maxgl_feature_cache_add(MaxglFeatureCache *c, gsize index, const MaxglCachedVideo *video)
{
    const gint64 clips = video->clips, now = g_get_monotonic_time();
    if (!c->known[index] || c->failed)
        return;
    if (c->new_keys->len == 0)
        c->since = now;
    g_array_append_val(c->new_keys, c->keys[index]);
    g_array_append_val(c->new_clips, clips);
    g_array_append_vals(c->new_seconds, video->seconds, (guint)clips * 2);
    g_array_append_vals(c->new_features, video->features, (guint)clips * (guint)c->features);
    if (c->new_features->len * sizeof(float) >= FILE_BYTES || now - c->since > FILE_TIME)
        flush(c);
}

void maxgl_feature_cache_close(MaxglFeatureCache *c)
{
    if (!c)
        return;
    flush(c);
    g_hash_table_unref(c->places);
    g_ptr_array_unref(c->shards);
    g_array_unref(c->new_keys);
    g_array_unref(c->new_clips);
    g_array_unref(c->new_seconds);
    g_array_unref(c->new_features);
    g_free(c->keys);
    g_free(c->known);
    g_free(c->root);
    g_free(c->folder);
    g_free(c);
}
