#include "media/clip_source.h"

#include <maxgl/error.h>
#include <string.h>

#include "media/frame_cache.h"

/* What is known of one video. */
typedef struct {
    MaxglVideoInfo info;  /* once frames is above 0 */
    char *bad;            /* why no clip can be read from it */
    gboolean uncacheable; /* too large, or damaged somewhere */
} VideoState;

struct MaxglClipSource {
    const MaxglDataset *dataset;
    MaxglDecoderOptions options;
    MaxglDecoderPool *pool;
    MaxglFrameCache *cache;
    GMutex mutex; /* for the rest */
    VideoState *states;
    gsize n_bad;
    guint64 decoded, hits;
};

MaxglClipSource *maxgl_clip_source_new(const MaxglDataset *dataset, gsize cache_bytes,
                                       const MaxglDecoderOptions *options)
{
    MaxglClipSource *source = g_new0(MaxglClipSource, 1);
    gsize n = maxgl_dataset_size(dataset);
    source->dataset = dataset;
    source->options = *options;
    source->options.pool = source->pool = maxgl_decoder_pool_new();
    source->cache = maxgl_frame_cache_new(cache_bytes, n);
    source->states = g_new0(VideoState, n);
    g_mutex_init(&source->mutex);
    for (gsize i = 0; i < n; i++)
        source->states[i].bad = g_strdup(maxgl_dataset_bad_reason(dataset, i));
    source->n_bad = maxgl_dataset_bad_count(dataset);
    return source;
}

void maxgl_clip_source_free(MaxglClipSource *source)
{
    if (source == NULL)
        return;
    for (gsize i = 0; i < maxgl_dataset_size(source->dataset); i++)
        g_free(source->states[i].bad);
    g_free(source->states);
    maxgl_frame_cache_free(source->cache);
    maxgl_decoder_pool_free(source->pool);
    g_mutex_clear(&source->mutex);
    g_free(source);
}

/* A copy of what is known; its reason is not to be freed (it is set once and stays). */
static VideoState get_state(MaxglClipSource *source, gsize index)
{
    g_mutex_lock(&source->mutex);
    VideoState state = source->states[index];
    g_mutex_unlock(&source->mutex);
    return state;
}

static void set_bad(MaxglClipSource *source, gsize index, const char *reason)
{
    g_mutex_lock(&source->mutex);
    if (source->states[index].bad == NULL) {
        source->states[index].bad = g_strdup(reason);
        source->n_bad++;
    }
    g_mutex_unlock(&source->mutex);
}

static void set_uncacheable(MaxglClipSource *source, gsize index)
{
    g_mutex_lock(&source->mutex);
    source->states[index].uncacheable = TRUE;
    g_mutex_unlock(&source->mutex);
}

static void set_info(MaxglClipSource *source, gsize index, const MaxglVideoInfo *info)
{
    g_mutex_lock(&source->mutex);
    source->states[index].info = *info;
    g_mutex_unlock(&source->mutex);
}

static void count(MaxglClipSource *source, guint64 *counter)
{
    g_mutex_lock(&source->mutex);
    ++*counter;
    g_mutex_unlock(&source->mutex);
}

/* The message of @error without the path it begins with. */
static void strip_path(const MaxglClipSource *source, gsize index, GError *error)
{
    const char *path = maxgl_dataset_path(source->dataset, index);
    gsize length = strlen(path);
    if (g_str_has_prefix(error->message, path) && g_str_has_prefix(error->message + length, ": "))
        memmove(error->message, error->message + length + 2, strlen(error->message + length + 2) + 1);
}

/* Lets @choose fill in @numbers. Its verdict rests on the video alone, so it holds for good. */
static gboolean choose_frames(MaxglClipSource *source, gsize index, MaxglFrameChooser choose,
                              gpointer user_data, const MaxglVideoInfo *info, gint64 *numbers, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (choose(info, numbers, user_data, &reason))
        return TRUE;
    set_bad(source, index, reason->message);
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

/* A whole procedural video. */
static MaxglVideo *draw_video(const MaxglClipSource *source, gsize index)
{
    const MaxglSyntheticOptions *options = maxgl_dataset_synthetic(source->dataset);
    MaxglVideo *video = g_new0(MaxglVideo, 1);
    maxgl_synthetic_layout(options, &video->info.layout);
    video->info.fps = options->fps;
    video->info.frames = video->pictures = options->frames;
    video->info.seconds = options->frames / options->fps;
    video->times = g_new(gint64, options->frames);
    for (int i = 0; i < options->frames; i++)
        video->times[i] = (gint64)((double)i / options->fps * 1e9);
    video->data = g_malloc_n((gsize)options->frames, video->info.layout.frame_bytes);
    maxgl_synthetic_render(options, maxgl_dataset_synthetic_index(source->dataset, index), 0, options->frames,
                           video->data);
    return video;
}

/* The whole video if it is one that should be kept in memory, NULL otherwise (only cancelling is an error). A
 * damaged one is left to be read in part, which decides alone whether a clip is good: what fits the cache
 * must not change that. */
static MaxglVideo *read_whole(MaxglClipSource *source, gsize index, const VideoState *state, GError **error)
{
    gsize room = maxgl_frame_cache_room(source->cache);
    if (maxgl_dataset_synthetic(source->dataset) != NULL)
        return draw_video(source, index);
    gboolean fits =
        state->info.frames == 0 || (gsize)state->info.frames * state->info.layout.frame_bytes <= room;
    if (room == 0 || state->uncacheable || !fits)
        return NULL;
    g_autoptr(GError) reason = NULL;
    MaxglVideo *video =
        maxgl_video_read(maxgl_dataset_path(source->dataset, index), room, &source->options, &reason);
    if (video != NULL && video->info.vague_times) { /* in memory and after a seek it would not be the same */
        g_clear_pointer(&video, maxgl_video_free);
        set_uncacheable(source, index);
    } else if (video != NULL) {
        set_info(source, index, &video->info);
    } else if (g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&reason));
    } else {
        set_uncacheable(source, index);
    }
    return video;
}

static guint8 *copy_frames(const MaxglVideo *video, const gint64 *numbers, gsize n, MaxglVideoInfo *info)
{
    gsize frame_bytes = video->info.layout.frame_bytes;
    guint8 *frames = g_malloc_n(n, frame_bytes);
    for (gsize i = 0; i < n; i++)
        memcpy(frames + i * frame_bytes, maxgl_video_frame(video, numbers[i]), frame_bytes);
    *info = video->info;
    return frames;
}

static guint8 *read_from_file(MaxglClipSource *source, gsize index, const VideoState *state,
                              MaxglFrameChooser choose, gpointer user_data, gint64 *numbers, gsize n,
                              MaxglVideoInfo *info, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(MaxglDecoder) decoder =
        maxgl_decoder_open(maxgl_dataset_path(source->dataset, index),
                           state->info.frames > 0 ? &state->info : NULL, &source->options, &reason);
    if (decoder == NULL) {
        strip_path(source, index, reason);
        if (!g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_CANCELLED))
            set_bad(source, index, reason->message);
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    *info = *maxgl_decoder_info(decoder);
    set_info(source, index, info);
    if (!choose_frames(source, index, choose, user_data, info, numbers, error))
        return NULL;
    g_autofree guint8 *frames = g_malloc_n(n, info->layout.frame_bytes);
    if (maxgl_decoder_read(decoder, numbers, n, frames, &reason))
        return g_steal_pointer(&frames);
    strip_path(source, index, reason);
    g_propagate_error(error, g_steal_pointer(&reason));
    return NULL;
}

guint8 *maxgl_clip_source_read(MaxglClipSource *source, gsize index, MaxglFrameChooser choose,
                               gpointer user_data, gsize n, MaxglVideoInfo *info, GError **error)
{
    VideoState state = get_state(source, index);
    if (state.bad != NULL) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, state.bad);
        return NULL;
    }
    g_autofree gint64 *numbers = g_new(gint64, n);
    const MaxglVideo *cached = maxgl_frame_cache_get(source->cache, index);
    if (cached != NULL) {
        count(source, &source->hits);
        gboolean chosen = choose_frames(source, index, choose, user_data, &cached->info, numbers, error);
        return chosen ? copy_frames(cached, numbers, n, info) : NULL;
    }
    count(source, &source->decoded);
    g_autoptr(GError) reason = NULL;
    g_autoptr(MaxglVideo) video = read_whole(source, index, &state, &reason);
    if (reason != NULL) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    if (video == NULL)
        return read_from_file(source, index, &state, choose, user_data, numbers, n, info, error);
    if (!choose_frames(source, index, choose, user_data, &video->info, numbers, error))
        return NULL;
    guint8 *frames = copy_frames(video, numbers, n, info);
    video = maxgl_frame_cache_put(source->cache, index, g_steal_pointer(&video));
    return frames;
}

gsize maxgl_clip_source_bad_count(MaxglClipSource *source)
{
    g_mutex_lock(&source->mutex);
    gsize n = source->n_bad;
    g_mutex_unlock(&source->mutex);
    return n;
}

const char *maxgl_clip_source_bad_reason(MaxglClipSource *source, gsize index)
{
    return get_state(source, index).bad;
}

void maxgl_clip_source_get_stats(MaxglClipSource *source, MaxglClipSourceStats *stats)
{
    g_mutex_lock(&source->mutex);
    *stats = (MaxglClipSourceStats){.decoded = source->decoded, .hits = source->hits};
    g_mutex_unlock(&source->mutex);
    stats->cache_bytes = maxgl_frame_cache_bytes(source->cache);
}
