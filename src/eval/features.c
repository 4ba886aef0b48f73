#include "eval/features.h"

#include "base/progress.h"
#include "eval/feature_cache.h"
#include "eval/feature_walk.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#define ABOUT_A_BATCH 16

int maxgl_features_batch(int clips, gsize videos)
{
    const int at_once = MAX(1, (ABOUT_A_BATCH + clips / 2) / clips);
    return clips * (int)MIN((gsize)at_once, MAX(videos, 1));
}

/* Everything that lives while the videos of a data set are embedded. */
typedef struct {
    MaxglEmbedder *embedder;
    const MaxglEmbedderInfo *info;
    const MaxglFeatureOptions *options;
    MaxglFeatureSink sink;
    gpointer user_data;
    gsize most;                /* clips in a batch of the loader */
    const guint8 **frames;     /* [most][info->frames] */
    MaxglEmbedderClip *inputs; /* [most] */
    const MaxglClip **clips;   /* [most] */
    int *numbers;              /* [most] of a clip within its video */
    MaxglFeatureVector mean;   /* of the video under way: as far as it is known */
    double *sum;               /* [info->features] of its clips */
    float *mean_features;      /* [info->features] */
    float *features;           /* [most][info->features] */
    gsize done;                /* clips embedded so far */
    MaxglFeatureCache *cache;  /* or NULL, and with it all below */
    MaxglCachedVideo *found;   /* [videos] what is in it */
    gsize next;                /* video whose turn it is, as far as those in the cache go */
    gsize *missing, n_missing; /* the others */
    MaxglDataset *to_embed;    /* those */
    double *seconds;           /* [most][2] */
} Work;

/* What is for one video. */
static void video_init(Work *w)
{
    w->sum = g_new0(double, w->info->features);
    w->mean_features = g_new(float, w->info->features);
}

static void batch_init(Work *w, gsize most)
{
    w->most = most;
    w->frames = g_new(const guint8 *, most *(gsize)w->info->frames);
    w->inputs = g_new0(MaxglEmbedderClip, most);
    w->clips = g_new(const MaxglClip *, most);
    w->numbers = g_new(int, most);
    w->features = g_new(float, most *(gsize)w->info->features);
    w->seconds = g_new(double, most * 2);
}

static void work_clear(Work *w)
{
    g_free(w->frames);
    g_free(w->inputs);
    g_free(w->clips);
    g_free(w->numbers);
    g_free(w->sum);
    g_free(w->mean_features);
    g_free(w->features);
    g_free(w->seconds);
    g_free(w->found);
    g_free(w->missing);
    maxgl_dataset_free(w->to_embed);
    maxgl_feature_cache_close(w->cache);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

/* Lists the different clips of a batch; in a short video several begin with the same frame. */
static gsize list_clips(Work *w, const MaxglBatch *batch)
{
    const int length = w->info->frames;
    gsize n = 0;
    for (gsize i = 0; i < batch->n_clips; i++) {
        const MaxglClip *clip = &batch->clips[i];
        const gboolean same_video = n > 0 && w->clips[n - 1]->index == clip->index;
        if (same_video && w->clips[n - 1]->first == clip->first)
            continue;
        const guint8 **frames = w->frames + n * (gsize)length;
        for (int t = 0; t < length; t++)
            frames[t] = clip->frames + (gsize)(w->options->still ? length / 2 : t) * clip->layout.frame_bytes;
        w->inputs[n] = (MaxglEmbedderClip){.frames = frames, .layout = clip->layout};
        w->numbers[n] = same_video ? w->numbers[n - 1] + 1 : 0;
        w->clips[n++] = clip;
    }
    return n;
}

gboolean maxgl_features_check(const float *features, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++)
        if (!isfinite(features[i])) {
            g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_FAILED,
                                "the network's features are not finite: its weights are of no use");
            return FALSE;
        }
    return TRUE;
}

/* Gives the mean of the video under way, if there is one, to the sink. */
static gboolean close_video(Work *w, GError **error)
{
    if (w->mean.clips == 0)
        return TRUE;
    for (int i = 0; i < w->info->features; i++) {
        w->mean_features[i] = (float)(w->sum[i] / w->mean.clips);
        w->sum[i] = 0;
    }
    w->mean.features = w->mean_features;
    const gboolean taken = w->sink(&w->mean, w->user_data, error);
    w->mean.clips = 0;
    return taken;
}

/* Adds a clip to its video's mean; it begins a new one if it is a video's first. */
static gboolean add_to_mean(Work *w, const MaxglFeatureVector *vector, GError **error)
{
    if (vector->clip == 0) {
        if (!close_video(w, error))
            return FALSE;
        w->mean = *vector;
        w->mean.clip = -1;
        w->mean.clips = 0;
    }
    w->mean.clips++;
    w->mean.last_seconds = MAX(w->mean.last_seconds, vector->last_seconds);
    for (int i = 0; i < w->info->features; i++)
        w->sum[i] += vector->features[i];
    return TRUE;
}

static gboolean give(Work *w, const MaxglFeatureVector *vector, GError **error)
{
    return w->options->per_video ? add_to_mean(w, vector, error) : w->sink(vector, w->user_data, error);
}

/* ---------------- the cache ---------------- */

/* Finds out what is in the cache, and with that what is not. */
static void look_in_cache(Work *w, const MaxglDataset *dataset)
{
    const gsize n = maxgl_dataset_size(dataset);
    w->cache = w->options->cache ? maxgl_feature_cache_open(w->embedder, dataset, w->options) : NULL;
    if (!w->cache)
        return;
    w->found = g_new(MaxglCachedVideo, n);
    w->missing = g_new(gsize, n);
    for (gsize v = 0; v < n; v++) {
        w->found[v] = maxgl_feature_cache_find(w->cache, v);
        if (w->found[v].clips == 0)
            w->missing[w->n_missing++] = v;
    }
    if (w->n_missing > 0)
        w->to_embed = maxgl_dataset_select(dataset, w->missing, w->n_missing);
}

/* Gives what the cache has of the videos before video @end. */
static gboolean give_cached(Work *w, gsize end, GError **error)
{
    for (; w->cache && w->next < end; w->next++) {
        const MaxglCachedVideo *video = &w->found[w->next];
        for (int i = 0; i < video->clips; i++) {
            const MaxglFeatureVector vector = {.video = w->next,
                                               .clip = i,
                                               .clips = 1,
                                               .first_seconds = video->seconds[2 * i],
                                               .last_seconds = video->seconds[2 * i + 1],
                                               .features = video->features + i * w->info->features};
            if (!give(w, &vector, error))
                return FALSE;
        }
    }
    return TRUE;
}

/* Keeps the vectors of the videos of a batch of @n clips, which has all clips of a video. */
static void keep_batch(Work *w, gsize n)
{
    for (gsize i = 0, end; i < n; i = end) {
        const gsize video = w->missing[w->clips[i]->index];
        for (end = i; end < n && w->clips[end]->index == w->clips[i]->index; end++) {
            w->seconds[2 * end] = w->clips[end]->first_seconds;
            w->seconds[2 * end + 1] = w->clips[end]->last_seconds;
        }
        const MaxglCachedVideo vectors = {.clips = (int)(end - i),
                                          .features = w->features + i * (gsize)w->info->features,
                                          .seconds = w->seconds + 2 * i};
        maxgl_feature_cache_add(w->cache, video, &vectors);
    }
}

void maxgl_features_say_cached(gsize cached, gsize videos, const char *what)
{
    if (cached > 0)
        g_message("%s%sfeatures of %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " videos came from the cache",
                  what, what[0] ? ": " : "", cached, videos);
}

/* ---------------- the work ---------------- */

static gboolean embed_batch(Work *w, const MaxglBatch *batch, GError **error)
{
    const gsize n = list_clips(w, batch), length = (gsize)w->info->features;
    if (!maxgl_embedder_run_frames(w->embedder, w->inputs, n, w->features, error) ||
        !maxgl_features_check(w->features, n * length, error))
        return FALSE;
    if (w->cache)
        keep_batch(w, n);
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = w->clips[i];
        const MaxglFeatureVector vector = {.video = w->cache ? w->missing[clip->index] : clip->index,
                                           .clip = w->numbers[i],
                                           .clips = 1,
                                           .first_seconds = clip->first_seconds,
                                           .last_seconds = clip->last_seconds,
                                           .features = w->features + i * length};
        if (!give_cached(w, vector.video, error) || !give(w, &vector, error))
            return FALSE;
    }
    w->done += n;
    return TRUE;
}

static double clips_per_second(gsize clips, gint64 started)
{
    return (double)clips * G_USEC_PER_SEC / (double)MAX(g_get_monotonic_time() - started, 1);
}

static MaxglLoader *open_loader(const Work *w, const MaxglDataset *dataset, int videos, GError **error)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.clip =
        (MaxglClipSpec){.frames = w->info->frames, .stride = w->info->frame_stride, MAXGL_SHORT_LOOP};
    options.clips_per_video = w->options->clips;
    options.batch = videos;
    options.workers = w->options->workers;
    options.cache_bytes = 0; /* each video is read once */
    options.max_bad = 1.0;
    return maxgl_loader_new(dataset, &options, error);
}

static gboolean pass_batches(Work *w, MaxglLoader *loader, MaxglProgress *progress, gint64 done,
                             GError **error)
{
    const gint64 started = g_get_monotonic_time();
    for (;;) {
        g_autoptr(MaxglBatch) batch = NULL;
        if (!maxgl_loader_next(loader, &batch, error))
            return FALSE;
        if (!batch)
            return TRUE;
        if (!embed_batch(w, batch, error))
            return FALSE;
        done += (gint64)batch->videos;
        maxgl_progress_set(progress, done, "%.0f clips/s", clips_per_second(w->done, started));
    }
}

/* Embeds the videos of @dataset; how many were bad goes to @bad. That all of them are is an error, unless
 * @done others were in the cache. */
static gboolean embed_all(Work *w, const MaxglDataset *dataset, MaxglProgress *progress, gsize done,
                          gsize *bad, GError **error)
{
    const int at_once = MAX(1, w->info->batch / w->options->clips);
    const gsize videos = maxgl_dataset_size(dataset);
    g_autoptr(GError) reason = NULL;
    g_autoptr(MaxglLoader) loader = open_loader(w, dataset, at_once, &reason);
    *bad = maxgl_dataset_bad_count(dataset);
    if (loader) {
        MaxglLoaderStats stats;
        batch_init(w, (gsize)at_once * (gsize)w->options->clips);
        const gboolean passed = pass_batches(w, loader, progress, (gint64)done, &reason);
        maxgl_loader_get_stats(loader, &stats);
        *bad = stats.bad;
        if (passed)
            return TRUE;
    }
    if (done > 0 && *bad == videos && g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_FORMAT))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

gboolean maxgl_features_each(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                             const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                             MaxglFeatureCounts *counts, GError **error)
{
    if (options->walk)
        return maxgl_feature_walk(embedder, dataset, options, sink, user_data, counts, error);
    g_auto(Work) w = {.embedder = embedder,
                      .info = maxgl_embedder_info(embedder),
                      .options = options,
                      .sink = sink,
                      .user_data = user_data};
    const gsize total = maxgl_dataset_size(dataset);
    gsize bad = 0;
    video_init(&w);
    look_in_cache(&w, dataset);
    const gsize cached = w.cache ? total - w.n_missing : 0;
    g_autoptr(MaxglProgress) progress = maxgl_progress_new(options->title, (gint64)total);
    if (cached < total && !embed_all(&w, w.cache ? w.to_embed : dataset, progress, cached, &bad, error))
        return FALSE;
    if (!give_cached(&w, total, error) || !close_video(&w, error))
        return FALSE;
    maxgl_progress_finish(g_steal_pointer(&progress));
    if (bad > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " videos were bad and left out", bad, total);
    if (counts)
        *counts = (MaxglFeatureCounts){.bad = bad, .cached = cached};
    return TRUE;
}

static gboolean collect(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    MaxglFeatures *features = user_data;
    memcpy(features->data + features->n * (gsize)features->length, vector->features,
           (gsize)features->length * sizeof(float));
    features->videos[features->n++] = vector->video;
    features->clips += (gsize)vector->clips;
    return TRUE;
}

MaxglFeatures *maxgl_features_extract(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                      const MaxglFeatureOptions *options, GError **error)
{
    const gsize videos = maxgl_dataset_size(dataset);
    MaxglFeatureOptions of_videos = *options;
    of_videos.per_video = TRUE;
    g_autoptr(MaxglFeatures) features = g_new0(MaxglFeatures, 1);
    features->length = maxgl_embedder_info(embedder)->features;
    features->data = g_new(float, videos *(gsize)features->length);
    features->videos = g_new(gsize, videos);
    MaxglFeatureCounts counts;
    if (!maxgl_features_each(embedder, dataset, &of_videos, collect, features, &counts, error))
        return NULL;
    features->bad = counts.bad;
    features->cached = counts.cached;
    return g_steal_pointer(&features);
}

void maxgl_features_free(MaxglFeatures *features)
{
    if (!features)
        return;
    g_free(features->data);
    g_free(features->videos);
    g_free(features);
}
