#include "eval/moments.h"

#include "base/progress.h"
#include "eval/features.h"
#include "media/clip_walk.h"

#include <string.h>

#define TIMEOUT 20.0 /* seconds without a frame, the decoder's default */

/* Everything that lives while videos are embedded. */
typedef struct {
    MaxglEmbedder *embedder;
    const MaxglEmbedderInfo *info;
    GPtrArray *clips;          /* of MaxglClip: the batch under way */
    MaxglEmbedderClip *inputs; /* [info->batch] */
    const guint8 **frames;     /* [info->batch][info->frames] */
    float *batch;              /* [info->batch][info->features] */
    GArray *features, *video, *seconds;
} Work;

static void work_init(Work *w, MaxglEmbedder *embedder)
{
    w->embedder = embedder;
    w->info = maxgl_embedder_info(embedder);
    w->clips = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_walk_clip_free);
    w->inputs = g_new0(MaxglEmbedderClip, w->info->batch);
    w->frames = g_new(const guint8 *, (gsize)w->info->batch *(gsize)w->info->frames);
    w->batch = g_new(float, (gsize)w->info->batch *(gsize)w->info->features);
    w->features = g_array_new(FALSE, FALSE, sizeof(float));
    w->video = g_array_new(FALSE, FALSE, sizeof(gint64));
    w->seconds = g_array_new(FALSE, FALSE, sizeof(float));
}

static void work_clear(Work *w)
{
    g_ptr_array_unref(w->clips);
    g_free(w->inputs);
    g_free(w->frames);
    g_free(w->batch);
    g_array_unref(w->features);
    g_array_unref(w->video);
    g_array_unref(w->seconds);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

static gboolean embed_batch(Work *w, GError **error)
{
    const gsize n = w->clips->len, length = (gsize)w->info->features;
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = g_ptr_array_index(w->clips, i);
        const guint8 **frames = w->frames + i * (gsize)w->info->frames;
        for (int t = 0; t < w->info->frames; t++)
            frames[t] = clip->frames + (gsize)t * clip->layout.frame_bytes;
        w->inputs[i] = (MaxglEmbedderClip){.frames = frames, .layout = clip->layout};
    }
    if (!maxgl_embedder_run_frames(w->embedder, w->inputs, n, w->batch, error) ||
        !maxgl_features_check(w->batch, n * length, error))
        return FALSE;
    maxgl_features_normalize(w->batch, n, w->info->features);
    g_array_append_vals(w->features, w->batch, (guint)(n * length));
    for (gsize i = 0; i < n; i++) {
        const MaxglClip *clip = g_ptr_array_index(w->clips, i);
        const gint64 video = (gint64)clip->index;
        const float seconds[] = {(float)clip->first_seconds, (float)clip->last_seconds};
        g_array_append_val(w->video, video);
        g_array_append_vals(w->seconds, seconds, 2);
    }
    g_ptr_array_set_size(w->clips, 0);
    return TRUE;
}

/* What was embedded, without the clips of videos that turned out to be bad behind them. */
static MaxglMoments *take_moments(Work *w, const MaxglClipWalk *walk)
{
    const gsize length = (gsize)w->info->features, rows = w->video->len;
    MaxglMoments *m = g_new0(MaxglMoments, 1);
    m->length = w->info->features;
    m->bad = maxgl_clip_walk_bad_count(walk);
    m->features = (float *)(void *)g_array_steal(w->features, NULL);
    m->video = (gint64 *)(void *)g_array_steal(w->video, NULL);
    m->seconds = (float *)(void *)g_array_steal(w->seconds, NULL);
    for (gsize i = 0; i < rows; i++) {
        if (maxgl_clip_walk_is_bad(walk, (gsize)m->video[i]))
            continue;
        memmove(m->features + m->n * length, m->features + i * length, length * sizeof(float));
        memmove(m->seconds + m->n * 2, m->seconds + i * 2, 2 * sizeof(float));
        m->video[m->n++] = m->video[i];
    }
    return m;
}

static MaxglClipWalk *start_walk(const Work *w, const MaxglDataset *dataset,
                                 const MaxglMomentsOptions *options)
{
    const MaxglClipWalkOptions walk = {
        .clip = {.frames = w->info->frames, .stride = w->info->frame_stride, MAXGL_SHORT_LOOP},
        .every = options->every,
        .first_seconds = options->first_seconds,
        .last_seconds = options->last_seconds,
        .timeout = TIMEOUT,
    };
    return maxgl_clip_walk_new(dataset, &walk);
}

MaxglMoments *maxgl_moments_embed(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                  const MaxglMomentsOptions *options, GError **error)
{
    g_auto(Work) w = {0};
    work_init(&w, embedder);
    const gsize videos = maxgl_dataset_size(dataset);
    g_autoptr(MaxglClipWalk) walk = start_walk(&w, dataset, options);
    g_autoptr(MaxglProgress) progress =
        options->title ? maxgl_progress_new(options->title, (gint64)videos) : NULL;
    const gint64 started = g_get_monotonic_time();
    for (;;) {
        MaxglClip *clip;
        if (!maxgl_clip_walk_next(walk, &clip, error))
            return NULL;
        if (clip)
            g_ptr_array_add(w.clips, clip);
        if (w.clips->len > 0 && (!clip || w.clips->len == (guint)w.info->batch) && !embed_batch(&w, error))
            return NULL;
        if (progress)
            maxgl_progress_set(progress, (gint64)maxgl_clip_walk_done(walk), "%u clips, %.0f/s", w.video->len,
                               (double)w.video->len * G_USEC_PER_SEC /
                                   (double)MAX(g_get_monotonic_time() - started, 1));
        if (!clip)
            break;
    }
    if (progress)
        maxgl_progress_finish(g_steal_pointer(&progress));
    MaxglMoments *moments = take_moments(&w, walk);
    if (moments->bad > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " videos were bad and left out", moments->bad,
                  videos);
    return moments;
}

void maxgl_moments_free(MaxglMoments *moments)
{
    if (!moments)
        return;
    g_free(moments->features);
    g_free(moments->video);
    g_free(moments->seconds);
    g_free(moments);
}

float *maxgl_moments_mean(const MaxglMoments *moments)
{
    const gsize length = (gsize)moments->length;
    float *mean = g_new(float, length);
    for (gsize j = 0; j < length; j++) {
        double sum = 0;
        for (gsize i = 0; i < moments->n; i++)
            sum += moments->features[i * length + j];
        mean[j] = (float)(sum / (double)moments->n);
    }
    maxgl_features_normalize(mean, 1, moments->length);
    return mean;
}
