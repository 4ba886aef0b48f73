#include "media/clip_walk.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#include "base/interrupt.h"
#include "media/decoder.h"

#define AHEAD_BYTES ((gsize)256 << 20) /* of decoded clips that wait */

/* A clip, or (clip NULL) the end of a video. */
typedef struct {
    MaxglClip *clip;
    gsize video;
    char *bad; /* at the end: why the video is bad, or NULL */
} Step;

struct MaxglClipWalk {
    const MaxglDataset *dataset;
    MaxglClipWalkOptions options;
    MaxglDecoderPool *pool;
    GCancellable *cancellable;
    GThread *thread;

    /* The consumer's. */
    gsize done, n_bad;
    gboolean *bad;
    char *first_bad; /* "path: reason" */

    GMutex mutex; /* for all that follows */
    GCond taken, filled;
    GQueue steps;
    gsize bytes; /* of frames in @steps */
    gboolean stop, finished;
};

/* ---------------- the thread that decodes ---------------- */

/* Frames first … first + count − 1 of the video, kept where clips overlap so that none is decoded twice. */
typedef struct {
    guint8 *data;
    gint64 first, count;
} Window;

/* One video under way. */
typedef struct {
    MaxglDecoder *decoder;
    const MaxglVideoInfo *info;
    const MaxglClipSpec *spec;
    gint64 begin, limit; /* frames that clips may use, where they fit */
    double step;         /* frames from one clip to the next */
    gint64 *numbers;     /* [spec->frames] */
    Window window;
} Video;

static void video_clear(Video *v)
{
    maxgl_decoder_free(v->decoder);
    g_free(v->numbers);
    g_free(v->window.data);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Video, video_clear)

static gboolean open_video(MaxglClipWalk *walk, const char *path, Video *v, GError **error)
{
    const MaxglClipWalkOptions *o = &walk->options;
    MaxglDecoderOptions decoding;
    maxgl_decoder_options_init(&decoding);
    decoding.timeout = o->timeout;
    decoding.cancellable = walk->cancellable;
    decoding.pool = walk->pool;
    v->decoder = maxgl_decoder_open(path, NULL, &decoding, error);
    if (v->decoder == NULL)
        return FALSE;
    v->info = maxgl_decoder_info(v->decoder);
    v->spec = &o->clip;
    v->numbers = g_new(gint64, v->spec->frames);
    v->begin = llround(o->first_seconds * v->info->fps);
    v->limit = v->info->frames;
    if (o->last_seconds > 0.0)
        v->limit = MIN(v->limit, llround(o->last_seconds * v->info->fps));
    v->step = o->every > 0.0 ? MAX(o->every * v->info->fps, 1.0) : (double)maxgl_clip_span(v->spec);
    if (v->begin < v->info->frames)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: ends at %.2f s: there is nothing at %.2f s",
                path, v->info->seconds, o->first_seconds);
    return FALSE;
}

/* First frame of clip @clip, −1 if there is none. */
static gint64 start_of(const Video *v, gint64 clip)
{
    const gint64 span = maxgl_clip_span(v->spec);
    const gint64 start = v->begin + llround((double)clip * v->step);
    if (start + span <= v->limit)
        return start;
    const gint64 middle = v->begin + (v->limit - v->begin - span) / 2;
    return clip > 0 ? -1 : CLAMP(middle, 0, MAX(v->info->frames - span, 0));
}

/* Has frames @first … @end − 1 in the window. */
static gboolean fill_window(Video *v, gint64 first, gint64 end, GError **error)
{
    Window *w = &v->window;
    const gsize bytes = v->info->layout.frame_bytes;
    if (w->data == NULL)
        w->data = g_malloc_n((gsize)maxgl_clip_span(v->spec), bytes);
    const gint64 kept = MAX(w->first + w->count - first, 0);
    if (kept > 0)
        memmove(w->data, w->data + (gsize)(first - w->first) * bytes, (gsize)kept * bytes);
    g_autofree gint64 *numbers = g_new(gint64, end - first);
    for (gint64 i = kept; i < end - first; i++)
        numbers[i] = first + i;
    w->first = first;
    w->count = end - first;
    return kept == w->count || maxgl_decoder_read(v->decoder, numbers + kept, (gsize)(w->count - kept),
                                                  w->data + (gsize)kept * bytes, error);
}

/* The frames v->numbers of the clip that begins at @start, in their order. */
static gboolean read_frames(Video *v, gint64 start, guint8 *frames, GError **error)
{
    const gint64 span = maxgl_clip_span(v->spec), end = MIN(start + span, v->info->frames);
    const gsize bytes = v->info->layout.frame_bytes;
    if (v->step >= (double)span && end == start + span)
        return maxgl_decoder_read(v->decoder, v->numbers, (gsize)v->spec->frames, frames, error);
    if (!fill_window(v, start, end, error))
        return FALSE;
    for (int i = 0; i < v->spec->frames; i++)
        memcpy(frames + (gsize)i * bytes, v->window.data + (gsize)(v->numbers[i] - start) * bytes, bytes);
    return TRUE;
}

static MaxglClip *read_clip(Video *v, gsize index, gint64 start, GError **error)
{
    const MaxglVideoInfo *info = v->info;
    if (!maxgl_clip_numbers(v->spec, info->frames, start, v->numbers)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "too short: %" G_GINT64_FORMAT " frames, a clip spans %" G_GINT64_FORMAT, info->frames,
                    maxgl_clip_span(v->spec));
        return NULL;
    }
    MaxglClip *clip = g_new0(MaxglClip, 1);
    clip->frames = g_malloc_n((gsize)v->spec->frames, info->layout.frame_bytes);
    clip->layout = info->layout;
    clip->index = index;
    clip->label = -1;
    clip->first = clip->last = start;
    maxgl_view_identity(info->layout.width, info->layout.height, &clip->view);
    if (!read_frames(v, start, clip->frames, error)) {
        maxgl_walk_clip_free(clip);
        return NULL;
    }
    for (int i = 0; i < v->spec->frames; i++)
        clip->last = MAX(clip->last, v->numbers[i]);
    clip->first_seconds = (double)clip->first / info->fps;
    clip->last_seconds = (double)clip->last / info->fps;
    return clip;
}

static gsize clip_bytes(const MaxglClipWalk *walk, const MaxglClip *clip)
{
    return clip ? (gsize)walk->options.clip.frames * clip->layout.frame_bytes : 0;
}

/* Hands @step over once there is room. FALSE: everything is to stop. */
static gboolean push(MaxglClipWalk *walk, Step step)
{
    const gsize bytes = clip_bytes(walk, step.clip);
    g_mutex_lock(&walk->mutex);
    while (!walk->stop && walk->bytes > 0 && walk->bytes + bytes > AHEAD_BYTES)
        g_cond_wait(&walk->taken, &walk->mutex);
    const gboolean going = !walk->stop;
    walk->bytes += bytes;
    g_queue_push_tail(&walk->steps, g_memdup2(&step, sizeof step));
    g_cond_signal(&walk->filled);
    g_mutex_unlock(&walk->mutex);
    return going;
}

static gboolean walk_video(MaxglClipWalk *walk, gsize index, GError **error)
{
    g_auto(Video) v = {0};
    if (!open_video(walk, maxgl_dataset_path(walk->dataset, index), &v, error))
        return FALSE;
    for (gint64 i = 0, start; (start = start_of(&v, i)) >= 0; i++) {
        const Step step = {.clip = read_clip(&v, index, start, error), .video = index};
        if (!step.clip)
            return FALSE;
        if (!push(walk, step))
            return TRUE;
    }
    return TRUE;
}

/* @message without the path it begins with. */
static char *without_path(const char *message, const char *path)
{
    const gsize length = strlen(path);
    const gboolean has = g_str_has_prefix(message, path) && g_str_has_prefix(message + length, ": ");
    return g_strdup(has ? message + length + 2 : message);
}

static gpointer work(gpointer user_data)
{
    MaxglClipWalk *walk = user_data;
    gboolean going = TRUE;
    for (gsize i = 0; going && i < maxgl_dataset_size(walk->dataset); i++) {
        Step end = {.video = i, .bad = g_strdup(maxgl_dataset_bad_reason(walk->dataset, i))};
        g_autoptr(GError) error = NULL;
        if (!end.bad && !walk_video(walk, i, &error))
            end.bad = without_path(error->message, maxgl_dataset_path(walk->dataset, i));
        going = push(walk, end);
    }
    g_mutex_lock(&walk->mutex);
    walk->finished = TRUE;
    g_cond_signal(&walk->filled);
    g_mutex_unlock(&walk->mutex);
    return NULL;
}

/* ---------------- the caller's side ---------------- */

MaxglClipWalk *maxgl_clip_walk_new(const MaxglDataset *dataset, const MaxglClipWalkOptions *options)
{
    MaxglClipWalk *walk = g_new0(MaxglClipWalk, 1);
    walk->dataset = dataset;
    walk->options = *options;
    walk->pool = maxgl_decoder_pool_new();
    walk->cancellable = g_cancellable_new();
    walk->bad = g_new0(gboolean, maxgl_dataset_size(dataset));
    g_mutex_init(&walk->mutex);
    g_cond_init(&walk->taken);
    g_cond_init(&walk->filled);
    g_queue_init(&walk->steps);
    walk->thread = g_thread_new("maxgl-walk", work, walk);
    return walk;
}

void maxgl_walk_clip_free(MaxglClip *clip)
{
    if (clip == NULL)
        return;
    g_free(clip->frames);
    g_free(clip);
}

static void step_free(gpointer pointer)
{
    Step *step = pointer;
    maxgl_walk_clip_free(step->clip);
    g_free(step->bad);
    g_free(step);
}

void maxgl_clip_walk_free(MaxglClipWalk *walk)
{
    if (walk == NULL)
        return;
    g_cancellable_cancel(walk->cancellable);
    g_mutex_lock(&walk->mutex);
    walk->stop = TRUE;
    g_cond_signal(&walk->taken);
    g_mutex_unlock(&walk->mutex);
    g_thread_join(walk->thread);
    g_queue_clear_full(&walk->steps, step_free);
    maxgl_decoder_pool_free(walk->pool);
    g_object_unref(walk->cancellable);
    g_mutex_clear(&walk->mutex);
    g_cond_clear(&walk->taken);
    g_cond_clear(&walk->filled);
    g_free(walk->first_bad);
    g_free(walk->bad);
    g_free(walk);
}

/* The next step; NULL after the last, or when interrupted. */
static Step *pop(MaxglClipWalk *walk)
{
    g_mutex_lock(&walk->mutex);
    while (g_queue_is_empty(&walk->steps) && !walk->finished && !maxgl_interrupt_requested())
        /* A signal wakes nobody. */
        g_cond_wait_until(&walk->filled, &walk->mutex,
                          g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND);
    Step *step = g_queue_pop_head(&walk->steps);
    if (step != NULL)
        walk->bytes -= clip_bytes(walk, step->clip);
    g_cond_signal(&walk->taken);
    g_mutex_unlock(&walk->mutex);
    return step;
}

static void end_video(MaxglClipWalk *walk, const Step *step)
{
    walk->done++;
    if (step->bad == NULL)
        return;
    const char *path = maxgl_dataset_path(walk->dataset, step->video);
    walk->bad[step->video] = TRUE;
    if (walk->n_bad++ == 0)
        walk->first_bad = g_strdup_printf("%s: %s", path, step->bad);
    if (maxgl_dataset_size(walk->dataset) > 1) /* otherwise the error says it */
        g_warning("%s: %s; left out", path, step->bad);
}

gboolean maxgl_clip_walk_next(MaxglClipWalk *walk, MaxglClip **clip, GError **error)
{
    const gsize videos = maxgl_dataset_size(walk->dataset);
    *clip = NULL;
    for (;;) {
        Step *step = pop(walk);
        if (!maxgl_interrupt_check(error)) {
            if (step != NULL)
                step_free(step);
            return FALSE;
        }
        if (step == NULL)
            break;
        *clip = g_steal_pointer(&step->clip);
        if (*clip == NULL)
            end_video(walk, step);
        step_free(step);
        if (*clip != NULL)
            return TRUE;
    }
    if (walk->n_bad < videos)
        return TRUE;
    if (videos == 1)
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, walk->first_bad);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "all %" G_GSIZE_FORMAT " videos are bad (%s)",
                    videos, walk->first_bad);
    return FALSE;
}

gsize maxgl_clip_walk_done(const MaxglClipWalk *walk)
{
    return walk->done;
}

gboolean maxgl_clip_walk_is_bad(const MaxglClipWalk *walk, gsize index)
{
    return walk->bad[index];
}

gsize maxgl_clip_walk_bad_count(const MaxglClipWalk *walk)
{
    return walk->n_bad;
}
