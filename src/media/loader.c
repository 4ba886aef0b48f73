#include "media/loader.h"

#include <maxgl/error.h>
#include <string.h>
#include <sys/resource.h>

#include "base/interrupt.h"
#include "media/clip_source.h"

/* Added to the niceness of everything that decodes: a CPU that computes the network on the same cores goes
 * first, and decoding gets all of them as soon as the network has to wait. */
#define NICENESS 5

/* Random numbers of clip c at position p of an epoch have the sample number p·MAX_CLIPS + c. */
#define MAX_CLIPS 1024

/* Other videos drawn for a bad one, before all are tried in turn. */
#define REDRAWS 16

/* One try that failed. */
typedef struct {
    gsize index;
    char *reason;
} Failure;

/* What has become of one video of a batch. */
typedef struct {
    guint64 ticket;
    gboolean done;
    guint8 *frames;   /* of all clips; NULL if there is no good video */
    MaxglClip *clips; /* [clips_per_video] */
    GArray *failures; /* of Failure, in the order of the tries; NULL for none */
} Sample;

struct MaxglLoader {
    const MaxglDataset *dataset;
    MaxglLoaderOptions options;
    char *label_column;
    MaxglClipSource *source;
    GCancellable *cancellable;
    gsize videos, per_epoch, steps; /* of the data set; videos and batches of an epoch */
    int niceness;

    GMutex mutex; /* for all that follows */
    GCond work, filled;
    GThread **threads;
    gboolean stop;
    /* Tickets number the videos of all epochs in order. Workers take them one by one; the samples of those
     * from @delivered on wait in a ring. */
    guint64 next_ticket, end_ticket, delivered;
    Sample *ring;
    gsize ring_size;
    guint32 *order; /* of the epoch that the next ticket is in */
    guint order_epoch;

    GArray *bad;         /* of MaxglBadVideo */
    GHashTable *bad_set; /* their indices */
    guint64 batches, clips;
    double wait_seconds;
};

struct BatchOwner {
    MaxglBatch batch;
    GPtrArray *memory; /* frames of the batch's videos */
};

void maxgl_loader_options_init(MaxglLoaderOptions *options)
{
    *options = (MaxglLoaderOptions){
        .clip = {.frames = 16, .stride = 1, .short_policy = MAXGL_SHORT_LOOP},
        .clips_per_video = 1,
        .batch = 1,
        .epochs = 1,
        .prefetch = 2,
        .cache_bytes = (gsize)1 << 30,
        .max_bad = 0.5,
        .timeout = 20.0,
    };
    maxgl_augmentation_init(&options->augmentation);
}

void maxgl_batch_free(MaxglBatch *batch)
{
    if (batch == NULL)
        return;
    struct BatchOwner *owner = (struct BatchOwner *)batch;
    g_ptr_array_unref(owner->memory);
    g_free(batch->clips);
    g_free(owner);
}

/* What a chooser needs to know: the clips of one video at one position of one epoch. */
typedef struct {
    const MaxglLoader *loader;
    guint epoch;
    gsize position;
    MaxglClip *clips;
} Choice;

static gboolean choose_clips(const MaxglVideoInfo *info, gint64 *numbers, gpointer user_data, GError **error)
{
    const Choice *choice = user_data;
    const MaxglLoaderOptions *options = &choice->loader->options;
    for (int c = 0; c < options->clips_per_video; c++) {
        gint64 *clip_numbers = numbers + (gsize)c * (gsize)options->clip.frames;
        gboolean fits;
        if (options->train) {
            MaxglRandom random;
            maxgl_random_init(&random, options->seed, MAXGL_RANDOM_SAMPLING, choice->epoch,
                              (guint64)choice->position * MAX_CLIPS + (guint64)c);
            fits = maxgl_clip_random(&options->clip, &options->augmentation, info->frames, &random,
                                     clip_numbers);
        } else {
            const gint64 start =
                maxgl_clip_start_even(&options->clip, info->frames, c, options->clips_per_video);
            fits = maxgl_clip_numbers(&options->clip, info->frames, start, clip_numbers);
        }
        if (!fits) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "too short: %" G_GINT64_FORMAT " frames, a clip spans %" G_GINT64_FORMAT,
                        info->frames, maxgl_clip_span(&options->clip));
            return FALSE;
        }
        MaxglClip *clip = &choice->clips[c];
        clip->first = clip->last = clip_numbers[0];
        for (int i = 0; i < options->clip.frames; i++)
            clip->last = MAX(clip->last, clip_numbers[i]);
    }
    return TRUE;
}

/* Draws or computes the view of each clip and fills in what is known of it. */
static void describe_clips(const Choice *choice, gsize index, const MaxglVideoInfo *info, guint8 *frames)
{
    const MaxglLoaderOptions *options = &choice->loader->options;
    const MaxglFrameLayout *layout = &info->layout;
    for (int c = 0; c < options->clips_per_video; c++) {
        MaxglClip *clip = &choice->clips[c];
        clip->frames = frames + (gsize)c * (gsize)options->clip.frames * layout->frame_bytes;
        clip->layout = *layout;
        clip->index = index;
        clip->label = maxgl_dataset_label(choice->loader->dataset, index, choice->loader->label_column);
        clip->first_seconds = (double)clip->first / info->fps;
        clip->last_seconds = (double)clip->last / info->fps;
        if (options->train) {
            MaxglRandom random;
            maxgl_random_init(&random, options->seed, MAXGL_RANDOM_AUGMENT, choice->epoch,
                              (guint64)choice->position * MAX_CLIPS + (guint64)c);
            maxgl_view_random(&options->augmentation, layout->width, layout->height, &random, &clip->view);
        } else {
            maxgl_view_center(layout->width, layout->height, options->resize_width, options->resize_height,
                              options->crop_width, options->crop_height, &clip->view);
        }
    }
}

static void failure_clear(gpointer pointer)
{
    g_free(((Failure *)pointer)->reason);
}

static void sample_clear(Sample *sample)
{
    g_clear_pointer(&sample->frames, g_free);
    g_clear_pointer(&sample->clips, g_free);
    g_clear_pointer(&sample->failures, g_array_unref);
    sample->done = FALSE;
}

/* Tries video @index for @sample. FALSE: it is bad (noted), or everything is to stop. */
static gboolean try_video(MaxglLoader *loader, Choice *choice, gsize index, Sample *sample)
{
    const MaxglLoaderOptions *options = &loader->options;
    MaxglVideoInfo info;
    g_autoptr(GError) error = NULL;
    gsize n = (gsize)options->clips_per_video * (gsize)options->clip.frames;
    sample->frames = maxgl_clip_source_read(loader->source, index, choose_clips, choice, n, &info, &error);
    if (sample->frames != NULL) {
        describe_clips(choice, index, &info, sample->frames);
        return TRUE;
    }
    if (g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED))
        return FALSE;
    if (sample->failures == NULL) {
        sample->failures = g_array_new(FALSE, FALSE, sizeof(Failure));
        g_array_set_clear_func(sample->failures, failure_clear);
    }
    Failure failure = {index, g_strdup(error->message)};
    g_array_append_val(sample->failures, failure);
    return FALSE;
}

static gboolean too_many_bad(const MaxglLoader *loader, gsize bad)
{
    return bad == loader->videos || (double)bad > loader->options.max_bad * (double)loader->videos;
}

/* Decodes the clips of the video at @position of @epoch, or of the one that stands in for it: some drawn for
 * this position, then the ones that follow the last of these. */
static void load_sample(MaxglLoader *loader, guint epoch, gsize position, gsize index, Sample *sample)
{
    sample->clips = g_new0(MaxglClip, loader->options.clips_per_video);
    Choice choice = {.loader = loader, .epoch = epoch, .position = position, .clips = sample->clips};
    MaxglRandom random;
    /* Sample 0 of this purpose is the epoch's order. */
    maxgl_random_init(&random, loader->options.seed, MAXGL_RANDOM_SHUFFLE, epoch, (guint64)position + 1);
    gsize tries = loader->options.train ? REDRAWS + loader->videos : 1;
    for (gsize attempt = 0; attempt < tries; attempt++) {
        if (try_video(loader, &choice, index, sample) || g_cancellable_is_cancelled(loader->cancellable))
            return;
        if (too_many_bad(loader, maxgl_clip_source_bad_count(loader->source)))
            return;
        index = attempt < REDRAWS ? maxgl_random_below(&random, (guint32)loader->videos)
                                  : (index + 1) % loader->videos;
    }
}

/* Video at @position of @epoch in the order that videos are visited in. Tickets rise, so one epoch's order at
 * a time is enough. */
static gsize video_at(MaxglLoader *loader, guint epoch, gsize position)
{
    if (!loader->options.train)
        return position;
    if (loader->order == NULL || loader->order_epoch != epoch) {
        MaxglRandom random;
        maxgl_random_init(&random, loader->options.seed, MAXGL_RANDOM_SHUFFLE, epoch, 0);
        if (loader->order == NULL)
            loader->order = g_new(guint32, loader->videos);
        for (gsize i = 0; i < loader->videos; i++)
            loader->order[i] = (guint32)i;
        for (gsize i = loader->videos - 1; i > 0; i--) {
            guint32 other = maxgl_random_below(&random, (guint32)i + 1);
            guint32 swapped = loader->order[i];
            loader->order[i] = loader->order[other];
            loader->order[other] = swapped;
        }
        loader->order_epoch = epoch;
    }
    return loader->order[position];
}

static gpointer work(gpointer user_data)
{
    MaxglLoader *loader = user_data;
    if (getpriority(PRIO_PROCESS, 0) < loader->niceness)
        setpriority(PRIO_PROCESS, 0, loader->niceness); /* on Linux of this thread alone */
    g_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        if (loader->next_ticket == loader->end_ticket ||
            loader->next_ticket - loader->delivered >= loader->ring_size) {
            g_cond_wait(&loader->work, &loader->mutex);
            continue;
        }
        guint64 ticket = loader->next_ticket++;
        guint epoch = (guint)(ticket / loader->per_epoch);
        gsize position = (gsize)(ticket % loader->per_epoch);
        gsize index = video_at(loader, epoch, position);
        g_mutex_unlock(&loader->mutex);
        Sample sample = {.ticket = ticket};
        load_sample(loader, epoch, position, index, &sample);
        sample.done = TRUE;
        g_mutex_lock(&loader->mutex);
        loader->ring[ticket % loader->ring_size] = sample;
        g_cond_broadcast(&loader->filled);
    }
    g_mutex_unlock(&loader->mutex);
    return NULL;
}

/* Names a video, unless it was before. */
static void name_bad(MaxglLoader *loader, gsize index, const char *reason)
{
    gsize *key = g_memdup2(&index, sizeof index);
    if (!g_hash_table_add(loader->bad_set, key))
        return;
    MaxglBadVideo bad = {.index = index, .reason = g_strdup(reason)};
    g_array_append_val(loader->bad, bad);
    g_warning("%s: %s; left out", maxgl_dataset_path(loader->dataset, index), reason);
}

static gboolean check_bad(const MaxglLoader *loader, GError **error)
{
    if (!too_many_bad(loader, loader->bad->len) || loader->bad->len == 0)
        return TRUE;
    const MaxglBadVideo *first = &g_array_index(loader->bad, MaxglBadVideo, 0);
    const char *path = maxgl_dataset_path(loader->dataset, first->index);
    if (loader->bad->len == loader->videos)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "all %" G_GSIZE_FORMAT " videos are bad (%s: %s)",
                    loader->videos, path, first->reason);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%u of %" G_GSIZE_FORMAT
                    " videos are bad, more than the allowed %g %% (the first: %s: %s)",
                    loader->bad->len, loader->videos, 100.0 * loader->options.max_bad, path, first->reason);
    return FALSE;
}

static gboolean check_options(const MaxglDataset *dataset, const MaxglLoaderOptions *options, GError **error)
{
    const char *wrong = NULL;
    if (options->clip.frames < 1 || options->clip.stride < 1)
        wrong = "a clip needs at least 1 frame, and a stride of at least 1";
    else if (options->clips_per_video < 1 || options->clips_per_video > MAX_CLIPS)
        wrong = "clips per video must be 1 … 1024";
    else if (options->batch < 1 || options->prefetch < 1 || options->workers < 0)
        wrong = "batch and prefetch must be at least 1, workers at least 0";
    else if (options->timeout <= 0.0 || options->max_bad < 0.0)
        wrong = "the timeout must be above 0, the fraction of bad videos at least 0";
    else if (maxgl_dataset_size(dataset) > G_MAXINT32)
        wrong = "too many videos";
    if (wrong != NULL) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, wrong);
        return FALSE;
    }
    if (options->train && maxgl_dataset_size(dataset) < (gsize)options->batch) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "a batch of %d videos is more than the %" G_GSIZE_FORMAT " there are: make it smaller",
                    options->batch, maxgl_dataset_size(dataset));
        return FALSE;
    }
    if (options->label_column != NULL && !maxgl_dataset_has_column(dataset, options->label_column)) {
        g_autofree char *columns = g_strjoinv(", ", (char **)maxgl_dataset_columns(dataset));
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "the videos have no column %s: the columns are %s",
                    options->label_column, columns[0] != '\0' ? columns : "none");
        return FALSE;
    }
    return TRUE;
}

static void start_workers(MaxglLoader *loader)
{
    MaxglLoaderOptions *options = &loader->options;
    if (options->workers == 0)
        options->workers = MIN((int)g_get_num_processors(), 8);
    loader->threads = g_new0(GThread *, options->workers + 1);
    for (int i = 0; i < options->workers; i++)
        loader->threads[i] = g_thread_new("maxgl-loader", work, loader);
}

MaxglLoader *maxgl_loader_new(const MaxglDataset *dataset, const MaxglLoaderOptions *options, GError **error)
{
    if (!check_options(dataset, options, error))
        return NULL;
    g_autoptr(MaxglLoader) loader = g_new0(MaxglLoader, 1);
    loader->dataset = dataset;
    loader->options = *options;
    loader->label_column = g_strdup(options->label_column);
    loader->cancellable = g_cancellable_new();
    loader->niceness = MIN(getpriority(PRIO_PROCESS, 0) + NICENESS, 19);
    g_mutex_init(&loader->mutex);
    g_cond_init(&loader->work);
    g_cond_init(&loader->filled);
    loader->bad = g_array_new(FALSE, FALSE, sizeof(MaxglBadVideo));
    loader->bad_set = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    loader->videos = maxgl_dataset_size(dataset);
    gsize batch = (gsize)options->batch;
    loader->steps = options->train ? loader->videos / batch : (loader->videos + batch - 1) / batch;
    loader->per_epoch = options->train ? loader->steps * batch : loader->videos;
    MaxglDecoderOptions decoding;
    maxgl_decoder_options_init(&decoding);
    decoding.timeout = options->timeout;
    decoding.niceness = loader->niceness;
    decoding.cancellable = loader->cancellable;
    loader->source = maxgl_clip_source_new(dataset, options->cache_bytes, &decoding);
    for (gsize i = 0; i < loader->videos; i++)
        if (maxgl_dataset_bad_reason(dataset, i) != NULL)
            name_bad(loader, i, maxgl_dataset_bad_reason(dataset, i));
    if (!check_bad(loader, error))
        return NULL;
    loader->ring_size = ((gsize)options->prefetch + 1) * batch;
    loader->ring = g_new0(Sample, loader->ring_size);
    loader->end_ticket = options->epochs > 0 ? (guint64)options->epochs * loader->per_epoch : G_MAXUINT64;
    guint64 start = (guint64)options->start_epoch * loader->per_epoch + (guint64)options->start_step * batch;
    loader->next_ticket = loader->delivered = MIN(start, loader->end_ticket);
    start_workers(loader);
    return g_steal_pointer(&loader);
}

void maxgl_loader_cancel(MaxglLoader *loader)
{
    g_cancellable_cancel(loader->cancellable);
    g_mutex_lock(&loader->mutex);
    loader->stop = TRUE;
    g_cond_broadcast(&loader->work);
    g_cond_broadcast(&loader->filled);
    g_mutex_unlock(&loader->mutex);
}

void maxgl_loader_free(MaxglLoader *loader)
{
    if (loader == NULL)
        return;
    maxgl_loader_cancel(loader);
    for (int i = 0; loader->threads != NULL && loader->threads[i] != NULL; i++)
        g_thread_join(loader->threads[i]);
    for (gsize i = 0; i < loader->ring_size; i++)
        sample_clear(&loader->ring[i]);
    for (guint i = 0; i < loader->bad->len; i++)
        g_free((char *)g_array_index(loader->bad, MaxglBadVideo, i).reason);
    g_free(loader->threads);
    g_free(loader->ring);
    g_free(loader->order);
    g_free(loader->label_column);
    g_array_unref(loader->bad);
    g_hash_table_unref(loader->bad_set);
    maxgl_clip_source_free(loader->source);
    g_object_unref(loader->cancellable);
    g_mutex_clear(&loader->mutex);
    g_cond_clear(&loader->work);
    g_cond_clear(&loader->filled);
    g_free(loader);
}

gsize maxgl_loader_steps(const MaxglLoader *loader)
{
    return loader->steps;
}

/* Waits, with the mutex held, for the sample of the ticket to be delivered next. */
static gboolean wait_for_sample(MaxglLoader *loader, Sample **sample, GError **error)
{
    *sample = &loader->ring[loader->delivered % loader->ring_size];
    while (!loader->stop && !maxgl_interrupt_requested()) {
        if ((*sample)->done && (*sample)->ticket == loader->delivered)
            return TRUE;
        /* A signal wakes nobody. */
        g_cond_wait_until(&loader->filled, &loader->mutex,
                          g_get_monotonic_time() + 100 * G_TIME_SPAN_MILLISECOND);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED, "interrupted");
    return FALSE;
}

/* Moves a sample's clips into the batch and makes room for another. */
static gboolean take_sample(MaxglLoader *loader, struct BatchOwner *owner, Sample *sample, GError **error)
{
    MaxglBatch *batch = &owner->batch;
    for (guint i = 0; sample->failures != NULL && i < sample->failures->len; i++) {
        const Failure *failure = &g_array_index(sample->failures, Failure, i);
        name_bad(loader, failure->index, failure->reason);
    }
    gboolean good = sample->frames != NULL;
    if (good) {
        gsize n = (gsize)loader->options.clips_per_video;
        memcpy(batch->clips + batch->n_clips, sample->clips, n * sizeof *batch->clips);
        batch->n_clips += n;
        batch->videos++;
        g_ptr_array_add(owner->memory, g_steal_pointer(&sample->frames));
    }
    sample_clear(sample);
    loader->delivered++;
    g_cond_broadcast(&loader->work);
    if (!good && loader->options.train) /* given up: what the workers found since counts as well */
        for (gsize i = 0; i < loader->videos; i++)
            if (maxgl_clip_source_bad_reason(loader->source, i) != NULL)
                name_bad(loader, i, maxgl_clip_source_bad_reason(loader->source, i));
    if (!check_bad(loader, error))
        return FALSE;
    if (!good && loader->options.train) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "no video could be decoded: see the warnings");
        return FALSE;
    }
    return TRUE;
}

static gboolean fill_batch(MaxglLoader *loader, struct BatchOwner *owner, GError **error)
{
    MaxglBatch *batch = &owner->batch;
    gsize size = (gsize)loader->options.batch;
    gsize position = (gsize)(loader->delivered % loader->per_epoch);
    batch->epoch = (guint)(loader->delivered / loader->per_epoch);
    batch->step = position / size;
    gsize wanted = MIN(size, loader->per_epoch - position);
    batch->clips = g_new0(MaxglClip, size * (gsize)loader->options.clips_per_video);
    for (gsize i = 0; i < wanted; i++) {
        Sample *sample;
        if (!wait_for_sample(loader, &sample, error) || !take_sample(loader, owner, sample, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_loader_next(MaxglLoader *loader, MaxglBatch **batch, GError **error)
{
    gint64 start = g_get_monotonic_time();
    gboolean good = TRUE;
    *batch = NULL;
    g_mutex_lock(&loader->mutex);
    /* A batch whose videos are all bad is left out. */
    while (good && *batch == NULL && loader->delivered < loader->end_ticket) {
        struct BatchOwner *owner = g_new0(struct BatchOwner, 1);
        owner->memory = g_ptr_array_new_with_free_func(g_free);
        good = fill_batch(loader, owner, error);
        if (good && owner->batch.videos > 0) {
            *batch = &owner->batch;
            loader->batches++;
            loader->clips += owner->batch.n_clips;
        } else {
            maxgl_batch_free(&owner->batch);
        }
    }
    loader->wait_seconds += (double)(g_get_monotonic_time() - start) * 1e-6;
    g_mutex_unlock(&loader->mutex);
    return good;
}

void maxgl_loader_get_stats(MaxglLoader *loader, MaxglLoaderStats *stats)
{
    MaxglClipSourceStats source;
    maxgl_clip_source_get_stats(loader->source, &source);
    g_mutex_lock(&loader->mutex);
    *stats = (MaxglLoaderStats){
        .batches = loader->batches,
        .clips = loader->clips,
        .wait_seconds = loader->wait_seconds,
        .decoded = source.decoded,
        .cache_hits = source.hits,
        .cache_bytes = source.cache_bytes,
        .bad = loader->bad->len,
    };
    g_mutex_unlock(&loader->mutex);
}

MaxglBadVideo *maxgl_loader_get_bad(MaxglLoader *loader, gsize *n)
{
    g_mutex_lock(&loader->mutex);
    *n = loader->bad->len;
    MaxglBadVideo *bad = g_memdup2(loader->bad->data, loader->bad->len * sizeof(MaxglBadVideo));
    g_mutex_unlock(&loader->mutex);
    return bad;
}
