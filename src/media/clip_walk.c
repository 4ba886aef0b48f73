#include "media/clip_walk.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>
#include <sys/resource.h>

#include "base/interrupt.h"
#include "media/decoder.h"

#define NICENESS 5                     /* of decoding: what computes goes first */
#define AHEAD_BYTES ((gsize)128 << 20) /* of clips that wait: of the video under way, and of all others */

/* What is known of one video so far. */
typedef struct {
    GQueue clips; /* decoded ahead */
    gsize bytes;  /* of their frames */
    gboolean over;
    char *bad; /* why it is, or NULL; known when it is over */
} Lane;

struct MaxglClipWalk {
    const MaxglDataset *dataset;
    MaxglClipWalkOptions options;
    MaxglDecoderPool *pool;
    GCancellable *cancellable;
    int niceness;
    GThread **threads; /* [options.workers] */
    gsize videos;

    /* The consumer's. */
    gsize n_bad, first_bad;

    GMutex mutex; /* for all that follows */
    GCond taken, filled;
    Lane *lanes;      /* [videos] */
    gsize next, done; /* video that nobody decodes yet; video whose clips are handed out */
    gsize bytes;      /* of all lanes but that one */
    gboolean stop;
};

/* ---------------- the threads that decode ---------------- */

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
    gboolean rest;
    gint64 *numbers; /* [spec->frames] */
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
    decoding.niceness = walk->niceness;
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
    v->step = o->every > 0.0 ? MAX(o->every * v->info->fps, 1.0)
                             : (double)(o->step > 0 ? o->step : maxgl_clip_span(v->spec));
    v->rest = o->rest;
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
    if (start + span <= v->limit || (v->rest && start < v->limit))
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
    const gint64 from = v->rest ? start : 0, length = (v->rest ? v->limit : info->frames) - from;
    if (!maxgl_clip_numbers(v->spec, length, start - from, v->numbers)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "too short: %" G_GINT64_FORMAT " frames, a clip spans %" G_GINT64_FORMAT, length,
                    maxgl_clip_span(v->spec));
        return NULL;
    }
    for (int i = 0; i < v->spec->frames; i++)
        v->numbers[i] += from;
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

/* Hands @clip over once there is room. FALSE: everything is to stop. */
static gboolean push(MaxglClipWalk *walk, MaxglClip *clip)
{
    const gsize bytes = (gsize)walk->options.clip.frames * clip->layout.frame_bytes;
    Lane *lane = &walk->lanes[clip->index];
    g_mutex_lock(&walk->mutex);
    for (;;) {
        const gsize waiting = clip->index == walk->done ? lane->bytes : walk->bytes;
        if (walk->stop || waiting == 0 || waiting + bytes <= AHEAD_BYTES)
            break;
        g_cond_wait(&walk->taken, &walk->mutex);
    }
    const gboolean going = !walk->stop;
    lane->bytes += bytes;
    if (clip->index != walk->done)
        walk->bytes += bytes;
    g_queue_push_tail(&lane->clips, clip);
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
        MaxglClip *clip = read_clip(&v, index, start, error);
        if (!clip)
            return FALSE;
        if (!push(walk, clip))
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
    if (getpriority(PRIO_PROCESS, 0) < walk->niceness)
        setpriority(PRIO_PROCESS, 0, walk->niceness); /* on Linux of this thread alone */
    g_mutex_lock(&walk->mutex);
    while (!walk->stop && walk->next < walk->videos) {
        const gsize index = walk->next++;
        g_mutex_unlock(&walk->mutex);
        char *bad = g_strdup(maxgl_dataset_bad_reason(walk->dataset, index));
        g_autoptr(GError) error = NULL;
        if (!bad && !walk_video(walk, index, &error))
            bad = without_path(error->message, maxgl_dataset_path(walk->dataset, index));
        g_mutex_lock(&walk->mutex);
        walk->lanes[index].over = TRUE;
        walk->lanes[index].bad = bad;
        g_cond_signal(&walk->filled);
    }
    g_mutex_unlock(&walk->mutex);
    return NULL;
}

/* ---------------- the caller's side ---------------- */

MaxglClipWalk *maxgl_clip_walk_new(const MaxglDataset *dataset, const MaxglClipWalkOptions *options)
{
    MaxglClipWalk *walk = g_new0(MaxglClipWalk, 1);
    walk->dataset = dataset;
    walk->videos = maxgl_dataset_size(dataset);
    walk->options = *options;
    if (options->workers == 0)
        walk->options.workers = (int)MIN(g_get_num_processors(), 8);
    walk->options.workers = (int)MIN((gsize)walk->options.workers, MAX(walk->videos, 1));
    walk->niceness = MIN(getpriority(PRIO_PROCESS, 0) + NICENESS, 19);
    walk->pool = maxgl_decoder_pool_new();
    walk->cancellable = g_cancellable_new();
    walk->lanes = g_new0(Lane, walk->videos);
    g_mutex_init(&walk->mutex);
    g_cond_init(&walk->taken);
    g_cond_init(&walk->filled);
    walk->threads = g_new(GThread *, walk->options.workers);
    for (int i = 0; i < walk->options.workers; i++)
        walk->threads[i] = g_thread_new("maxgl-walk", work, walk);
    return walk;
}

void maxgl_walk_clip_free(MaxglClip *clip)
{
    if (clip == NULL)
        return;
    g_free(clip->frames);
    g_free(clip);
}

static void walk_clip_destroy(gpointer clip)
{
    maxgl_walk_clip_free(clip);
}

void maxgl_clip_walk_free(MaxglClipWalk *walk)
{
    if (walk == NULL)
        return;
    g_cancellable_cancel(walk->cancellable);
    g_mutex_lock(&walk->mutex);
    walk->stop = TRUE;
    g_cond_broadcast(&walk->taken);
    g_mutex_unlock(&walk->mutex);
    for (int i = 0; i < walk->options.workers; i++)
        g_thread_join(walk->threads[i]);
    g_free(walk->threads);
    for (gsize i = 0; i < walk->videos; i++) {
        g_queue_clear_full(&walk->lanes[i].clips, walk_clip_destroy);
        g_free(walk->lanes[i].bad);
    }
    g_free(walk->lanes);
    maxgl_decoder_pool_free(walk->pool);
    g_object_unref(walk->cancellable);
    g_mutex_clear(&walk->mutex);
    g_cond_clear(&walk->taken);
    g_cond_clear(&walk->filled);
    g_free(walk);
}

/* The next clip of the video under way; NULL after its last, or when interrupted. */
static MaxglClip *take(MaxglClipWalk *walk)
{
    Lane *lane = &walk->lanes[walk->done];
    g_mutex_lock(&walk->mutex);
    while (g_queue_is_empty(&lane->clips) && !lane->over && !maxgl_interrupt_requested())
        /* A signal wakes nobody. */
        g_cond_wait_until(&walk->filled, &walk->mutex,
                          g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND);
    MaxglClip *clip = g_queue_pop_head(&lane->clips);
    if (clip != NULL)
        lane->bytes -= (gsize)walk->options.clip.frames * clip->layout.frame_bytes;
    g_cond_broadcast(&walk->taken);
    g_mutex_unlock(&walk->mutex);
    return clip;
}

/* Goes on to the next video. */
static void end_video(MaxglClipWalk *walk)
{
    const gsize video = walk->done;
    g_mutex_lock(&walk->mutex);
    walk->done++;
    if (walk->done < walk->videos)
        walk->bytes -= walk->lanes[walk->done].bytes;
    g_cond_broadcast(&walk->taken);
    g_mutex_unlock(&walk->mutex);
    if (walk->lanes[video].bad == NULL)
        return;
    if (walk->n_bad++ == 0)
        walk->first_bad = video;
    if (walk->videos > 1) /* otherwise the error says it */
        g_warning("%s: %s; left out", maxgl_dataset_path(walk->dataset, video), walk->lanes[video].bad);
}

gboolean maxgl_clip_walk_next(MaxglClipWalk *walk, MaxglClip **clip, GError **error)
{
    *clip = NULL;
    while (walk->done < walk->videos) {
        *clip = take(walk);
        if (!maxgl_interrupt_check(error)) {
            g_clear_pointer(clip, maxgl_walk_clip_free);
            return FALSE;
        }
        if (*clip != NULL)
            return TRUE;
        end_video(walk);
    }
    if (walk->n_bad == 0 || walk->n_bad < walk->videos)
        return TRUE;
    const char *path = maxgl_dataset_path(walk->dataset, walk->first_bad);
    const char *reason = walk->lanes[walk->first_bad].bad;
    if (walk->videos == 1)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", path, reason);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "all %" G_GSIZE_FORMAT " videos are bad (%s: %s)",
                    walk->videos, path, reason);
    return FALSE;
}

gsize maxgl_clip_walk_done(const MaxglClipWalk *walk)
{
    return walk->done;
}

gboolean maxgl_clip_walk_is_bad(const MaxglClipWalk *walk, gsize index)
{
    return index < walk->done && walk->lanes[index].bad != NULL;
}

gsize maxgl_clip_walk_bad_count(const MaxglClipWalk *walk)
{
    return walk->n_bad;
}
