#include "eval/features.h"

#include "base/progress.h"

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
} Work;

static void work_init(Work *w, gsize most)
{
    w->most = most;
    w->frames = g_new(const guint8 *, most *(gsize)w->info->frames);
    w->inputs = g_new0(MaxglEmbedderClip, most);
    w->clips = g_new(const MaxglClip *, most);
    w->numbers = g_new(int, most);
    w->sum = g_new0(double, w->info->features);
    w->mean_features = g_new(float, w->info->features);
    w->features = g_new(float, most *(gsize)w->info->features);
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

static gboolean embed_batch(Work *w, const MaxglBatch *batch, GError **error)
{
    const gsize n = list_clips(w, batch), length = (gsize)w->info->features;
    if (!maxgl_embedder_run_frames(w->embedder, w->inputs, n, w->features, error) ||
        !maxgl_features_check(w->features, n * length, error))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = w->clips[i];
        const MaxglFeatureVector vector = {.video = clip->index,
                                           .clip = w->numbers[i],
                                           .clips = 1,
                                           .first_seconds = clip->first_seconds,
                                           .last_seconds = clip->last_seconds,
                                           .features = w->features + i * length};
        if (!(w->options->per_video ? add_to_mean(w, &vector, error) : w->sink(&vector, w->user_data, error)))
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

gboolean maxgl_features_each(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                             const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                             gsize *bad, GError **error)
{
    g_auto(Work) w = {.embedder = embedder,
                      .info = maxgl_embedder_info(embedder),
                      .options = options,
                      .sink = sink,
                      .user_data = user_data};
    const int videos = MAX(1, w.info->batch / options->clips);
    const gsize total = maxgl_dataset_size(dataset);
    work_init(&w, (gsize)videos * (gsize)options->clips);
    g_autoptr(MaxglLoader) loader = open_loader(&w, dataset, videos, error);
    if (!loader)
        return FALSE;
    g_autoptr(MaxglProgress) progress = maxgl_progress_new(options->title, (gint64)total);
    const gint64 started = g_get_monotonic_time();
    gint64 done = 0;
    for (;;) {
        g_autoptr(MaxglBatch) batch = NULL;
        if (!maxgl_loader_next(loader, &batch, error))
            return FALSE;
        if (!batch)
            break;
        if (!embed_batch(&w, batch, error))
            return FALSE;
        done += (gint64)batch->videos;
        maxgl_progress_set(progress, done, "%.0f clips/s", clips_per_second(w.done, started));
    }
    if (!close_video(&w, error))
        return FALSE;
    maxgl_progress_finish(g_steal_pointer(&progress));
    MaxglLoaderStats stats;
    maxgl_loader_get_stats(loader, &stats);
    if (stats.bad > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " videos were bad and left out", stats.bad,
                  total);
    if (bad)
        *bad = stats.bad;
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
    return maxgl_features_each(embedder, dataset, &of_videos, collect, features, &features->bad, error)
               ? g_steal_pointer(&features)
               : NULL;
}

void maxgl_features_free(MaxglFeatures *features)
{
    if (!features)
        return;
    g_free(features->data);
    g_free(features->videos);
    g_free(features);
}
