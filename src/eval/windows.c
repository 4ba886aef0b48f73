#include "eval/windows.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "media/decoder.h"
#include "media/sampler.h"

#include <maxgl/error.h>
#include <string.h>
#include <sys/resource.h>

#define NICENESS 5                     /* of decoding: what computes goes first */
#define CHUNK_BYTES ((gsize)256 << 20) /* of frames, about the most in one chunk */
#define WAIT (100 * G_TIME_SPAN_MILLISECOND)

/* Some clips of one video that follow each other. */
typedef struct {
    gsize video;
    int clips;
    gboolean last; /* of its video */
    char *reason;  /* why the video is bad, with no clips */
    MaxglFrameLayout layout;
    guint8 *frames;             /* those that the clips need, in their order */
    const guint8 **clip_frames; /* [clips][frames of a clip] into frames */
} Chunk;

/* What all threads share. */
typedef struct {
    const MaxglDataset *dataset;
    const MaxglEmbedderInfo *info;
    const gboolean *wanted;
    MaxglDecoderPool *pool;
    GCancellable *cancellable;
    int niceness;
    gsize videos;

    GMutex mutex; /* for all that follows */
    GCond filled, emptied;
    GQueue chunks;
    guint room;       /* chunks that may wait */
    gsize next_video; /* that nobody has taken */
    int working;      /* threads */
    gboolean stop;
} Stream;

static void chunk_free(Chunk *chunk)
{
    g_free(chunk->reason);
    g_free(chunk->frames);
    g_free(chunk->clip_frames);
    g_free(chunk);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chunk, chunk_free)

/* Waits for room and takes over @chunk. FALSE: everything is to stop. */
static gboolean push(Stream *s, Chunk *chunk)
{
    g_mutex_lock(&s->mutex);
    while (!s->stop && s->chunks.length >= s->room)
        g_cond_wait(&s->emptied, &s->mutex);
    const gboolean goes_on = !s->stop;
    if (goes_on)
        g_queue_push_tail(&s->chunks, chunk);
    else
        chunk_free(chunk);
    g_cond_signal(&s->filled);
    g_mutex_unlock(&s->mutex);
    return goes_on;
}

/* ---------------- decoding ---------------- */

/* One video under way. Only every stride-th frame is of interest: these are numbered from 0. */
typedef struct {
    Stream *stream;
    gsize video;
    MaxglDecoder *decoder;
    MaxglVideoInfo info;
    int length, step; /* of a clip, and from one to the next */
    gint64 clips;     /* in all */
} Walk;

/* A video shorter than a clip. */
static gboolean read_short(Walk *w, Chunk *chunk, GError **error)
{
    const MaxglClipSpec spec = {w->length, w->stream->info->frame_stride, MAXGL_SHORT_LOOP};
    g_autofree gint64 *numbers = g_new(gint64, MAX(w->info.frames, w->length));
    chunk->frames = g_malloc((gsize)w->info.frames * chunk->layout.frame_bytes);
    for (gint64 i = 0; i < w->info.frames; i++)
        numbers[i] = i;
    if (!maxgl_decoder_read(w->decoder, numbers, (gsize)w->info.frames, chunk->frames, error))
        return FALSE;
    maxgl_clip_numbers(&spec, w->info.frames, 0, numbers);
    for (int t = 0; t < w->length; t++)
        chunk->clip_frames[t] = chunk->frames + (gsize)numbers[t] * chunk->layout.frame_bytes;
    return TRUE;
}

/* The clips from @first on. What the chunk before, if it is one, read of them is copied from @kept. */
static gboolean read_chunk(Walk *w, Chunk *chunk, gint64 first, const guint8 *kept, GError **error)
{
    const gsize size = chunk->layout.frame_bytes;
    const int overlap = kept ? w->length - w->step : 0;
    const int frames = (chunk->clips - 1) * w->step + w->length;
    g_autofree gint64 *numbers = g_new(gint64, frames);
    chunk->frames = g_malloc((gsize)frames * size);
    if (kept)
        memcpy(chunk->frames, kept, (gsize)overlap * size);
    for (int i = overlap; i < frames; i++)
        numbers[i] = (first * w->step + i) * w->stream->info->frame_stride;
    if (!maxgl_decoder_read(w->decoder, numbers + overlap, (gsize)(frames - overlap),
                            chunk->frames + (gsize)overlap * size, error))
        return FALSE;
    for (int c = 0; c < chunk->clips; c++)
        for (int t = 0; t < w->length; t++)
            chunk->clip_frames[c * w->length + t] = chunk->frames + (gsize)(c * w->step + t) * size;
    return TRUE;
}

static int clips_at_once(const Walk *w)
{
    const gsize fit = CHUNK_BYTES / w->info.layout.frame_bytes / (gsize)w->step;
    return (int)CLAMP(fit, 1, (gsize)w->stream->info->batch);
}

/* Reads the video and hands its clips on. FALSE without @error set: everything is to stop. */
static gboolean walk(Walk *w, GError **error)
{
    const MaxglClipSpec spec = {w->length, w->stream->info->frame_stride, MAXGL_SHORT_LOOP};
    const gint64 span = maxgl_clip_span(&spec), room = w->info.frames - span;
    const int most = clips_at_once(w);
    g_autofree guint8 *kept = NULL;
    w->clips = room < 0 ? 1 : 1 + room / ((gint64)w->step * spec.stride);
    for (gint64 first = 0; first < w->clips; first += most) {
        g_autoptr(Chunk) chunk = g_new0(Chunk, 1);
        chunk->video = w->video;
        chunk->clips = (int)MIN(most, w->clips - first);
        chunk->last = first + chunk->clips == w->clips;
        chunk->layout = w->info.layout;
        chunk->clip_frames = g_new(const guint8 *, chunk->clips * w->length);
        if (!(room < 0 ? read_short(w, chunk, error) : read_chunk(w, chunk, first, kept, error)))
            return FALSE;
        if (!chunk->last) {
            const gsize from = (gsize)chunk->clips * (gsize)w->step * chunk->layout.frame_bytes;
            const gsize bytes = (gsize)(w->length - w->step) * chunk->layout.frame_bytes;
            g_free(kept);
            kept = g_memdup2(chunk->frames + from, MAX(bytes, 1));
        }
        if (!push(w->stream, g_steal_pointer(&chunk)))
            return FALSE;
    }
    return TRUE;
}

static void decode_video(Stream *s, gsize video)
{
    Walk w = {.stream = s, .video = video, .length = s->info->frames, .step = MAX(s->info->frames / 2, 1)};
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.niceness = s->niceness;
    options.cancellable = s->cancellable;
    options.pool = s->pool;
    g_autoptr(GError) error = NULL;
    const char *path = maxgl_dataset_path(s->dataset, video);
    const char *reason = maxgl_dataset_bad_reason(s->dataset, video);
    w.decoder = reason ? NULL : maxgl_decoder_open(path, NULL, &options, &error);
    if (w.decoder) {
        w.info = *maxgl_decoder_info(w.decoder);
        const gboolean done = walk(&w, &error);
        maxgl_decoder_free(w.decoder);
        if (done || !error)
            return;
    }
    Chunk *bad = g_new0(Chunk, 1);
    bad->video = video;
    bad->last = TRUE;
    bad->reason = reason ? g_strdup_printf("%s: %s", path, reason) : g_strdup(error->message);
    push(s, bad);
}

static gpointer decode(gpointer user_data)
{
    Stream *s = user_data;
    if (getpriority(PRIO_PROCESS, 0) < s->niceness)
        setpriority(PRIO_PROCESS, 0, s->niceness); /* on Linux of this thread alone */
    g_mutex_lock(&s->mutex);
    for (;;) {
        while (s->next_video < s->videos && s->wanted && !s->wanted[s->next_video])
            s->next_video++;
        if (s->stop || s->next_video >= s->videos)
            break;
        const gsize video = s->next_video++;
        g_mutex_unlock(&s->mutex);
        decode_video(s, video);
        g_mutex_lock(&s->mutex);
    }
    s->working--;
    g_cond_signal(&s->filled);
    g_mutex_unlock(&s->mutex);
    return NULL;
}

/* ---------------- embedding ---------------- */

/* The next chunk; NULL when there will be none, or after a signal. */
static Chunk *pop(Stream *s)
{
    g_mutex_lock(&s->mutex);
    while (g_queue_is_empty(&s->chunks) && s->working > 0 && !maxgl_interrupt_requested())
        g_cond_wait_until(&s->filled, &s->mutex, g_get_monotonic_time() + WAIT); /* a signal wakes nobody */
    Chunk *chunk = maxgl_interrupt_requested() ? NULL : g_queue_pop_head(&s->chunks);
    g_cond_broadcast(&s->emptied);
    g_mutex_unlock(&s->mutex);
    return chunk;
}

/* Sums of features of the videos under way, and clips that wait for a batch to be full. */
typedef struct {
    MaxglEmbedder *embedder;
    gsize length, batch;
    double **sums;             /* [videos] */
    gsize *clips;              /* [videos] summed */
    gboolean *bad;             /* [videos] */
    MaxglEmbedderClip *inputs; /* [batch] */
    gsize *owners;             /* [batch] videos of the inputs */
    gsize waiting;             /* of inputs */
    GPtrArray *held;           /* chunks that inputs point into */
    float *features;           /* [batch][length] */
    gsize all_clips;
    char *first_reason;
} Sums;

static void sums_init(Sums *a, MaxglEmbedder *embedder, gsize videos)
{
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    a->embedder = embedder;
    a->length = (gsize)info->features;
    a->batch = (gsize)info->batch;
    a->sums = g_new0(double *, videos + 1);
    a->clips = g_new0(gsize, videos);
    a->bad = g_new0(gboolean, videos);
    a->inputs = g_new0(MaxglEmbedderClip, a->batch);
    a->owners = g_new0(gsize, a->batch);
    a->held = g_ptr_array_new_with_free_func((GDestroyNotify)chunk_free);
    a->features = g_new(float, a->batch * a->length);
}

/* Embeds the clips that wait. */
static gboolean embed_waiting(Sums *a, GError **error)
{
    const gsize n = a->waiting;
    if (n > 0 && (!maxgl_embedder_run_frames(a->embedder, a->inputs, n, a->features, error) ||
                  !maxgl_features_check(a->features, n * a->length, error)))
        return FALSE;
    for (gsize c = 0; c < n; c++) {
        const gsize v = a->owners[c];
        if (!a->sums[v])
            a->sums[v] = g_new0(double, a->length);
        for (gsize i = 0; i < a->length; i++)
            a->sums[v][i] += a->features[c * a->length + i];
        a->clips[v]++;
    }
    a->all_clips += n;
    a->waiting = 0;
    g_ptr_array_set_size(a->held, 0);
    return TRUE;
}

/* Takes over @chunk. */
static gboolean add_chunk(Sums *a, Chunk *taken, GError **error)
{
    g_autoptr(Chunk) chunk = taken;
    if (chunk->reason) {
        g_warning("%s; left out", chunk->reason);
        a->bad[chunk->video] = TRUE;
        if (!a->first_reason)
            a->first_reason = g_strdup(chunk->reason);
        return TRUE;
    }
    const int frames = maxgl_embedder_info(a->embedder)->frames;
    for (int c = 0; c < chunk->clips; c++) {
        if (a->waiting == a->batch && !embed_waiting(a, error))
            return FALSE;
        a->owners[a->waiting] = chunk->video;
        a->inputs[a->waiting++] = (MaxglEmbedderClip){.frames = chunk->clip_frames + (gsize)c * (gsize)frames,
                                                      .layout = chunk->layout};
    }
    g_ptr_array_add(a->held, g_steal_pointer(&chunk));
    return a->waiting < a->batch || embed_waiting(a, error);
}

/* The means of all videos that are good to their end. */
static MaxglFeatures *means_of(const Sums *a, const gboolean *wanted, gsize videos)
{
    MaxglFeatures *f = g_new0(MaxglFeatures, 1);
    f->length = (int)a->length;
    f->data = g_new(float, videos * a->length);
    f->videos = g_new(gsize, videos);
    for (gsize v = 0; v < videos; v++) {
        if (wanted && !wanted[v])
            continue;
        if (a->bad[v] || !a->sums[v]) {
            f->bad++;
            continue;
        }
        for (gsize i = 0; i < a->length; i++)
            f->data[f->n * a->length + i] = (float)(a->sums[v][i] / (double)a->clips[v]);
        f->videos[f->n++] = v;
        f->clips += a->clips[v];
    }
    return f;
}

static void sums_clear(Sums *a, gsize videos)
{
    for (gsize v = 0; v < videos; v++)
        g_free(a->sums[v]);
    g_free(a->sums);
    g_free(a->clips);
    g_free(a->bad);
    g_free(a->features);
    g_free(a->inputs);
    g_free(a->owners);
    g_ptr_array_unref(a->held);
    g_free(a->first_reason);
}

static gboolean embed_all(Stream *s, Sums *a, gsize total, const char *title, GError **error)
{
    g_autoptr(MaxglProgress) progress = maxgl_progress_new(title, (gint64)total);
    const gint64 started = g_get_monotonic_time();
    gint64 done = 0;
    for (;;) {
        g_autoptr(Chunk) chunk = pop(s);
        if (!maxgl_interrupt_check(error))
            return FALSE;
        if (!chunk)
            break;
        done += chunk->last;
        if (!add_chunk(a, g_steal_pointer(&chunk), error))
            return FALSE;
        maxgl_progress_set(progress, done, "%.0f clips/s",
                           (double)a->all_clips * G_USEC_PER_SEC /
                               (double)MAX(g_get_monotonic_time() - started, 1));
    }
    if (!embed_waiting(a, error))
        return FALSE;
    maxgl_progress_finish(g_steal_pointer(&progress));
    return TRUE;
}

static MaxglFeatures *run_threads(Stream *s, Sums *a, const MaxglWindowOptions *options, gsize total,
                                  GError **error)
{
    s->working = options->workers > 0 ? options->workers : (int)MIN(g_get_num_processors(), 8);
    s->room = (guint)s->working + 1;
    const int threads = s->working;
    g_autofree GThread **workers = g_new(GThread *, threads);
    for (int i = 0; i < threads; i++)
        workers[i] = g_thread_new("maxgl-windows", decode, s);
    const gboolean done = embed_all(s, a, total, options->title, error);
    g_mutex_lock(&s->mutex);
    s->stop = TRUE;
    g_cond_broadcast(&s->emptied);
    g_mutex_unlock(&s->mutex);
    g_cancellable_cancel(s->cancellable);
    for (int i = 0; i < threads; i++)
        g_thread_join(workers[i]);
    if (!done)
        return NULL;
    MaxglFeatures *features = means_of(a, options->wanted, s->videos);
    if (features->n > 0)
        return features;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "all %" G_GSIZE_FORMAT " videos are bad (%s)", total,
                a->first_reason ? a->first_reason : "none is wanted");
    maxgl_features_free(features);
    return NULL;
}

MaxglFeatures *maxgl_windows_extract(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                     const MaxglWindowOptions *options, GError **error)
{
    if (maxgl_dataset_synthetic(dataset)) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "synth: has no files to walk through");
        return NULL;
    }
    Stream s = {.dataset = dataset,
                .info = maxgl_embedder_info(embedder),
                .wanted = options->wanted,
                .pool = maxgl_decoder_pool_new(),
                .cancellable = g_cancellable_new(),
                .niceness = MIN(getpriority(PRIO_PROCESS, 0) + NICENESS, 19),
                .videos = maxgl_dataset_size(dataset)};
    Sums a = {0};
    gsize total = 0;
    for (gsize v = 0; v < s.videos; v++)
        total += !options->wanted || options->wanted[v];
    g_mutex_init(&s.mutex);
    g_cond_init(&s.filled);
    g_cond_init(&s.emptied);
    g_queue_init(&s.chunks);
    sums_init(&a, embedder, s.videos);
    MaxglFeatures *features = run_threads(&s, &a, options, total, error);
    sums_clear(&a, s.videos);
    g_queue_clear_full(&s.chunks, (GDestroyNotify)chunk_free);
    maxgl_decoder_pool_free(s.pool);
    g_object_unref(s.cancellable);
    g_cond_clear(&s.emptied);
    g_cond_clear(&s.filled);
    g_mutex_clear(&s.mutex);
    return features;
}
