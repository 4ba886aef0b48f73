#include "eval/feature_walk.h"

#include "base/progress.h"

#include <maxgl/error.h>

/* Everything that lives while the videos of a data set are embedded. */
typedef struct {
    MaxglEmbedder *embedder;
    const MaxglEmbedderInfo *info;
    const MaxglFeatureOptions *options;
    MaxglFeatureSink sink;
    gpointer user_data;
    MaxglClipWalk *walk;
    GPtrArray *clips;          /* of MaxglClip, to be embedded together: info->batch of them */
    MaxglEmbedderClip *inputs; /* [info->batch] */
    const guint8 **frames;     /* [info->batch][info->frames] */
    float *features;           /* [info->batch][info->features] */
    gsize video;               /* under way: its vectors wait until it has turned out to be good */
    GArray *vectors;           /* of float: [their number][info->features] */
    GArray *seconds;           /* of double: [their number][2] */
    MaxglProgress *progress;   /* or NULL */
    gint64 started;
    gsize done; /* clips embedded so far */
} Work;

static void work_init(Work *w, const MaxglDataset *dataset)
{
    const gsize batch = (gsize)w->info->batch;
    MaxglClipWalkOptions options = *w->options->walk;
    options.clip =
        (MaxglClipSpec){.frames = w->info->frames, .stride = w->info->frame_stride, MAXGL_SHORT_LOOP};
    options.workers = w->options->workers;
    w->walk = maxgl_clip_walk_new(dataset, &options);
    w->clips = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_walk_clip_free);
    w->inputs = g_new0(MaxglEmbedderClip, batch);
    w->frames = g_new(const guint8 *, batch *(gsize)w->info->frames);
    w->features = g_new(float, batch *(gsize)w->info->features);
    w->vectors = g_array_new(FALSE, FALSE, sizeof(float));
    w->seconds = g_array_new(FALSE, FALSE, sizeof(double));
    if (w->options->title)
        w->progress = maxgl_progress_new(w->options->title, (gint64)maxgl_dataset_size(dataset));
    w->started = g_get_monotonic_time();
}

static void work_clear(Work *w)
{
    maxgl_clip_walk_free(w->walk);
    g_ptr_array_unref(w->clips);
    g_free(w->inputs);
    g_free(w->frames);
    g_free(w->features);
    g_array_unref(w->vectors);
    g_array_unref(w->seconds);
    maxgl_progress_free(w->progress);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

/* Gives the vectors of the video under way to the sink. */
static gboolean give_clips(Work *w, int clips, GError **error)
{
    for (int c = 0; c < clips; c++) {
        const double *seconds = &g_array_index(w->seconds, double, 2 * c);
        const MaxglFeatureVector vector = {
            .video = w->video,
            .clip = c,
            .clips = 1,
            .first_seconds = seconds[0],
            .last_seconds = seconds[1],
            .features = &g_array_index(w->vectors, float, c * w->info->features),
        };
        if (!w->sink(&vector, w->user_data, error))
            return FALSE;
    }
    return TRUE;
}

/* Gives their mean to it. */
static gboolean give_mean(Work *w, int clips, GError **error)
{
    const int length = w->info->features;
    const float *features = &g_array_index(w->vectors, float, 0);
    const double *seconds = &g_array_index(w->seconds, double, 0);
    g_autofree float *mean = g_new(float, length);
    MaxglFeatureVector vector = {
        .video = w->video, .clip = -1, .clips = clips, .first_seconds = seconds[0], .features = mean};
    for (int c = 0; c < clips; c++)
        vector.last_seconds = MAX(vector.last_seconds, seconds[2 * c + 1]);
    for (int i = 0; i < length; i++) {
        double sum = 0;
        for (int c = 0; c < clips; c++)
            sum += features[c * length + i];
        mean[i] = (float)(sum / clips);
    }
    return w->sink(&vector, w->user_data, error);
}

/* Ends the video under way, if there is one. */
static gboolean close_video(Work *w, GError **error)
{
    const int clips = (int)w->seconds->len / 2;
    const gboolean good = clips > 0 && !maxgl_clip_walk_is_bad(w->walk, w->video);
    const gboolean given =
        !good || (w->options->per_video ? give_mean(w, clips, error) : give_clips(w, clips, error));
    g_array_set_size(w->vectors, 0);
    g_array_set_size(w->seconds, 0);
    return given;
}

/* Embeds the clips there are. */
static gboolean embed(Work *w, GError **error)
{
    const gsize n = w->clips->len, length = (gsize)w->info->features;
    const int frames = w->info->frames;
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = g_ptr_array_index(w->clips, i);
        const guint8 **to = w->frames + i * (gsize)frames;
        for (int t = 0; t < frames; t++)
            to[t] = clip->frames + (gsize)(w->options->still ? frames / 2 : t) * clip->layout.frame_bytes;
        w->inputs[i] = (MaxglEmbedderClip){.frames = to, .layout = clip->layout};
    }
    if (n > 0 && (!maxgl_embedder_run_frames(w->embedder, w->inputs, n, w->features, error) ||
                  !maxgl_features_check(w->features, n * length, error)))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = g_ptr_array_index(w->clips, i);
        const double seconds[] = {clip->first_seconds, clip->last_seconds};
        if (clip->index != w->video && !close_video(w, error))
            return FALSE;
        w->video = clip->index;
        g_array_append_vals(w->vectors, w->features + i * length, (guint)length);
        g_array_append_vals(w->seconds, seconds, 2);
    }
    w->done += n;
    g_ptr_array_set_size(w->clips, 0);
    return TRUE;
}

static void show(const Work *w, gsize videos)
{
    if (w->progress)
        maxgl_progress_set(w->progress, (gint64)videos, "%.0f clips/s",
                           (double)w->done * G_USEC_PER_SEC /
                               (double)MAX(g_get_monotonic_time() - w->started, 1));
}

static gboolean embed_all(Work *w, GError **error)
{
    for (MaxglClip *clip = NULL;;) {
        if (!maxgl_clip_walk_next(w->walk, &clip, error))
            return FALSE;
        if (clip)
            g_ptr_array_add(w->clips, clip);
        if ((!clip || w->clips->len == (guint)w->info->batch) && !embed(w, error))
            return FALSE;
        show(w, maxgl_clip_walk_done(w->walk));
        if (!clip)
            return close_video(w, error);
    }
}

gboolean maxgl_feature_walk(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                            const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                            MaxglFeatureCounts *counts, GError **error)
{
    if (maxgl_dataset_synthetic(dataset)) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                            "clips that follow each other are taken from files, not synth:; maxgl-cl synth "
                            "writes files");
        return FALSE;
    }
    g_auto(Work) w = {.embedder = embedder,
                      .info = maxgl_embedder_info(embedder),
                      .options = options,
                      .sink = sink,
                      .user_data = user_data};
    work_init(&w, dataset);
    if (!embed_all(&w, error))
        return FALSE;
    if (w.progress)
        maxgl_progress_finish(g_steal_pointer(&w.progress));
    const gsize bad = maxgl_clip_walk_bad_count(w.walk);
    if (bad > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " videos were bad and left out", bad,
                  maxgl_dataset_size(dataset));
    if (counts)
        *counts = (MaxglFeatureCounts){.bad = bad};
    return TRUE;
}
