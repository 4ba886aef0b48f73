#include "bench/data.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "media/loader.h"
#include "net/parameters.h"
#include "ops/clip_prepare.h"

#define CACHE_BYTES ((gsize)1 << 30) /* the loader's default */
#define EPOCH_LIMIT 4                /* times the wanted time of a measurement */

typedef struct {
    MaxglContext *context;
    const MaxglDataOptions *options;
    MaxglDataset *dataset;
    MaxglClipPreparer *preparer;
    MaxglTensor input;
    MaxglProgress *progress;
    GArray *rows;
} Data;

static void data_clear(Data *d)
{
    maxgl_progress_free(d->progress);
    maxgl_clip_preparer_free(d->preparer);
    maxgl_tensor_release(d->context, &d->input);
    g_clear_pointer(&d->dataset, maxgl_dataset_free);
    if (d->rows)
        g_array_unref(d->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Data, data_clear)

static gboolean data_init(Data *d, GError **error)
{
    const MaxglDataOptions *o = d->options;
    const int block = maxgl_layout_input_block(d->context);
    const MaxglClipPreparerOptions options = {.frames = o->frames,
                                              .height = o->height,
                                              .width = o->width,
                                              .block = block,
                                              .mean = {0.45F, 0.45F, 0.45F},
                                              .std = {0.225F, 0.225F, 0.225F}};
    const MaxglShape shape = maxgl_shape(o->batch * o->clips, 3, o->frames, o->height, o->width, block);
    d->rows = g_array_new(FALSE, TRUE, sizeof(MaxglDataRow));
    return (d->dataset = maxgl_dataset_open(o->source, error)) &&
           (d->preparer = maxgl_clip_preparer_new(d->context, &options, error)) &&
           maxgl_tensor_new(d->context, shape, "clips", &d->input, error);
}

static MaxglLoader *open_loader(const Data *d, gsize cache_bytes, GError **error)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.seed = 1;
    options.clip = (MaxglClipSpec){d->options->frames, d->options->stride, MAXGL_SHORT_LOOP};
    options.clips_per_video = d->options->clips;
    options.batch = d->options->batch;
    options.train = TRUE;
    options.epochs = 0;
    options.cache_bytes = cache_bytes;
    return maxgl_loader_new(d->dataset, &options, error);
}

/* One batch, prepared unless @decode_only; adds its clips to @clips and says where in the epochs it was. */
static gboolean next_batch(Data *d, MaxglLoader *loader, gboolean decode_only, guint64 *clips, guint *epoch,
                           GError **error)
{
    MaxglBatch *next = NULL;
    if (!maxgl_interrupt_check(error) || !maxgl_loader_next(loader, &next, error))
        return FALSE;
    g_autoptr(MaxglBatch) batch = next;
    for (gsize i = 0; i < batch->n_clips && !decode_only; i++) {
        const MaxglClip *clip = &batch->clips[i];
        if (!maxgl_clip_preparer_run(d->preparer, &clip->layout, &clip->view, clip->frames, &d->input, (int)i,
                                     error))
            return FALSE;
    }
    *clips += batch->n_clips;
    *epoch = batch->epoch;
    return TRUE;
}

static gboolean measure(Data *d, MaxglLoader *loader, const char *name, gboolean decode_only, GError **error)
{
    MaxglLoaderStats before, after;
    guint64 clips = 0;
    guint epoch = 0;
    if (!next_batch(d, loader, decode_only, &clips, &epoch, error) ||
        !maxgl_context_finish(d->context, error))
        return FALSE; /* the first batch builds kernels */
    MaxglDataRow row = {.name = name};
    maxgl_loader_get_stats(loader, &before);
    const gint64 start = g_get_monotonic_time();
    do {
        if (!next_batch(d, loader, decode_only, &row.clips, &epoch, error))
            return FALSE;
        maxgl_progress_set(d->progress, d->rows->len, "%s, %.1f clips/s", name,
                           (double)row.clips / maxgl_seconds_since(start));
    } while (maxgl_seconds_since(start) < d->options->seconds);
    if (!maxgl_context_finish(d->context, error))
        return FALSE;
    row.seconds = maxgl_seconds_since(start);
    maxgl_loader_get_stats(loader, &after);
    row.waiting = (after.wait_seconds - before.wait_seconds) / row.seconds;
    g_array_append_val(d->rows, row);
    return TRUE;
}

static gboolean measure_fresh(Data *d, const char *name, gboolean decode_only, GError **error)
{
    g_autoptr(MaxglLoader) loader = open_loader(d, 0, error);
    return loader && measure(d, loader, name, decode_only, error);
}

/* From the second epoch on, if all videos are in memory by then. */
static gboolean measure_cached(Data *d, GError **error)
{
    g_autoptr(MaxglLoader) loader = open_loader(d, CACHE_BYTES, error);
    MaxglLoaderStats stats;
    guint64 clips = 0;
    guint epoch = 0;
    const gint64 start = g_get_monotonic_time();
    if (!loader)
        return FALSE;
    while (epoch == 0 && maxgl_seconds_since(start) < EPOCH_LIMIT * d->options->seconds)
        if (!next_batch(d, loader, TRUE, &clips, &epoch, error))
            return FALSE;
    maxgl_loader_get_stats(loader, &stats);
    const guint64 decoded = stats.decoded;
    if (epoch == 0) {
        g_message("from the cache: left out, an epoch takes longer than %g s (%d times --seconds)",
                  EPOCH_LIMIT * d->options->seconds, EPOCH_LIMIT);
        return TRUE;
    }
    if (!measure(d, loader, "cache, prepare", FALSE, error))
        return FALSE;
    maxgl_loader_get_stats(loader, &stats);
    if (stats.decoded - decoded > stats.cache_hits / 10)
        g_message("from the cache: the videos do not all fit in its 1 GiB");
    return TRUE;
}

GArray *maxgl_bench_data(MaxglContext *context, const MaxglDataOptions *options, GError **error)
{
    g_auto(Data) d = {.context = context, .options = options};
    d.progress = maxgl_progress_new("data", 3);
    if (!data_init(&d, error) || !measure_fresh(&d, "decode", TRUE, error) ||
        !measure_fresh(&d, "decode, prepare", FALSE, error) || !measure_cached(&d, error))
        return NULL;
    return g_steal_pointer(&d.rows);
}

void maxgl_record_data(JsonBuilder *b, const GArray *rows)
{
    json_builder_set_member_name(b, "rows");
    json_builder_begin_array(b);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        json_builder_begin_object(b);
        maxgl_record_string(b, "name", row->name);
        maxgl_record_number(b, "clips", (double)row->clips);
        maxgl_record_number(b, "seconds", row->seconds);
        maxgl_record_number(b, "clips_per_s", (double)row->clips / row->seconds);
        if (row->waiting >= 0)
            maxgl_record_number(b, "waiting", row->waiting);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}
