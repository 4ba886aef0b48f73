#include "eval/sliding.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "media/decoder.h"
#include "media/sampler.h"

#include <maxgl/error.h>

/* Room for as many clips as are computed at once. */
typedef struct {
    MaxglEmbedder *embedder;
    const MaxglEmbedderInfo *info;
    MaxglClipSpec spec;
    MaxglFeatureSink sink;
    gpointer user_data;
    MaxglEmbedderClip *inputs; /* [batch] */
    const guint8 **frames;     /* [batch][frames] */
    float *features;           /* [batch][features] */
    GArray *video;             /* of float: the clips of the video under way */
} Work;

static void work_init(Work *w)
{
    const gsize batch = (gsize)w->info->batch;
    w->spec = (MaxglClipSpec){w->info->frames, w->info->frame_stride, MAXGL_SHORT_LOOP};
    w->inputs = g_new0(MaxglEmbedderClip, batch);
    w->frames = g_new(const guint8 *, batch *(gsize)w->info->frames);
    w->features = g_new(float, batch *(gsize)w->info->features);
    w->video = g_array_new(FALSE, FALSE, sizeof(float));
}

static void work_clear(Work *w)
{
    g_free(w->inputs);
    g_free(w->frames);
    g_free(w->features);
    g_array_unref(w->video);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

/* How many clips of the frames from @first on are computed at once, and frames of the video that they take.
 */
static gint64 plan_chunk(const Work *w, const MaxglVideoInfo *video, gint64 first, gint64 *frames)
{
    const gint64 step = (gint64)w->spec.frames * w->spec.stride, left = video->frames - first;
    const gint64 clips = MIN((left + step - 1) / step, w->info->batch);
    *frames = MIN(left, clips * step);
    return clips;
}

/* The clips of @pixels, @n frames of the video. */
static gboolean embed_chunk(Work *w, const MaxglVideoInfo *video, gint64 n, gint64 clips,
                            const guint8 *pixels, GError **error)
{
    const gint64 step = (gint64)w->spec.frames * w->spec.stride;
    g_autofree gint64 *numbers = g_new(gint64, w->spec.frames);
    for (gint64 c = 0; c < clips; c++) {
        const guint8 **frames = w->frames + c * w->spec.frames;
        maxgl_clip_numbers(&w->spec, MIN(step, n - c * step), 0, numbers);
        for (int t = 0; t < w->spec.frames; t++)
            frames[t] = pixels + (gsize)(c * step + numbers[t]) * video->layout.frame_bytes;
        w->inputs[c] = (MaxglEmbedderClip){.frames = frames, .layout = video->layout};
    }
    const gsize length = (gsize)w->info->features;
    if (!maxgl_embedder_run_frames(w->embedder, w->inputs, (gsize)clips, w->features, error) ||
        !maxgl_features_check(w->features, (gsize)clips * length, error))
        return FALSE;
    g_array_append_vals(w->video, w->features, (guint)((gsize)clips * length));
    return TRUE;
}

/* Gives the clips of a video that was good to its end to the sink. */
static gboolean give_video(Work *w, const MaxglVideoInfo *video, gsize index, GError **error)
{
    const gint64 step = (gint64)w->spec.frames * w->spec.stride;
    const guint length = (guint)w->info->features;
    for (guint c = 0; c < w->video->len / length; c++) {
        const gint64 from = c * step, to = MIN(from + maxgl_clip_span(&w->spec), video->frames) - 1;
        const MaxglFeatureVector vector = {.video = index,
                                           .clip = (int)c,
                                           .clips = 1,
                                           .first_seconds = (double)from / video->fps,
                                           .last_seconds = (double)to / video->fps,
                                           .features = &g_array_index(w->video, float, c *length)};
        if (!w->sink(&vector, w->user_data, error))
            return FALSE;
    }
    return TRUE;
}

/* All of @pixels of a chunk; NULL with an error of the file. */
static guint8 *read_chunk(MaxglDecoder *decoder, gint64 first, gint64 n, GError **error)
{
    g_autofree gint64 *numbers = g_new(gint64, n);
    g_autofree guint8 *pixels = g_malloc((gsize)n * maxgl_decoder_info(decoder)->layout.frame_bytes);
    for (gint64 i = 0; i < n; i++)
        numbers[i] = first + i;
    return maxgl_decoder_read(decoder, numbers, (gsize)n, pixels, error) ? g_steal_pointer(&pixels) : NULL;
}

/* @bad: the video cannot be decoded to its end, which is said. */
static gboolean each_clip(Work *w, const MaxglDataset *dataset, gsize index, gboolean *bad, GError **error)
{
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    const char *path = maxgl_dataset_path(dataset, index), *known = maxgl_dataset_bad_reason(dataset, index);
    g_autoptr(GError) reason = NULL;
    g_autoptr(MaxglDecoder) decoder = known ? NULL : maxgl_decoder_open(path, NULL, &options, &reason);
    gint64 frames = 0;
    g_array_set_size(w->video, 0);
    for (gint64 first = 0; decoder && first < maxgl_decoder_info(decoder)->frames; first += frames) {
        const MaxglVideoInfo *video = maxgl_decoder_info(decoder);
        const gint64 clips = plan_chunk(w, video, first, &frames);
        g_autofree guint8 *pixels = read_chunk(decoder, first, frames, &reason);
        if (!pixels)
            break;
        if (!maxgl_interrupt_check(error) || !embed_chunk(w, video, frames, clips, pixels, error))
            return FALSE;
    }
    *bad = known || reason;
    if (known)
        g_warning("%s: %s; left out", path, known);
    else if (reason)
        g_warning("%s; left out", reason->message);
    return *bad || give_video(w, maxgl_decoder_info(decoder), index, error);
}

gboolean maxgl_sliding_each(MaxglEmbedder *embedder, const MaxglDataset *dataset, const char *title,
                            MaxglFeatureSink sink, gpointer user_data, gsize *bad, GError **error)
{
    if (maxgl_dataset_synthetic(dataset)) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                            "windows slide over files only, not over synth:; maxgl-cl synth writes files");
        return FALSE;
    }
    g_auto(Work) w = {
        .embedder = embedder, .info = maxgl_embedder_info(embedder), .sink = sink, .user_data = user_data};
    const gsize videos = maxgl_dataset_size(dataset);
    work_init(&w);
    *bad = 0;
    g_autoptr(MaxglProgress) progress = maxgl_progress_new(title, (gint64)videos);
    for (gsize i = 0; i < videos; i++) {
        gboolean is_bad;
        if (!each_clip(&w, dataset, i, &is_bad, error))
            return FALSE;
        *bad += is_bad;
        maxgl_progress_set(progress, (gint64)i + 1, "%s", "");
    }
    maxgl_progress_finish(g_steal_pointer(&progress));
    if (*bad < videos)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "all %" G_GSIZE_FORMAT " videos are bad", videos);
    return FALSE;
}
