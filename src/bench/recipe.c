#include "bench/recipe.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "learn/feed.h"
#include "learn/schedule.h"
#include "learn/trainer.h"

#define EPOCH_LIMIT 4 /* times the wanted time of a measurement */

typedef struct {
    MaxglContext *context;
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    double seconds;
    MaxglDataset *dataset;
    MaxglClasses *classes;
    MaxglTrainer *trainer;
    MaxglLoader *loader;
    MaxglBatch *batch; /* the last one */
    MaxglProgress *progress;
    GArray *rows;
    guint32 step;
} Training;

static void training_clear(Training *t)
{
    maxgl_progress_free(t->progress);
    maxgl_batch_free(t->batch);
    maxgl_loader_free(t->loader);
    maxgl_trainer_free(t->trainer);
    maxgl_classes_free(t->classes);
    g_clear_pointer(&t->dataset, maxgl_dataset_free);
    if (t->rows)
        g_array_unref(t->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Training, training_clear)

static gboolean open_loader(Training *t, GError **error)
{
    MaxglLoaderOptions options;
    maxgl_feed_loader_options(t->recipe, t->task, &options);
    t->loader = maxgl_loader_new(t->dataset, &options, error);
    return t->loader != NULL;
}

static gboolean open_all(Training *t, MaxglRecipe *recipe, GError **error)
{
    t->rows = g_array_new(FALSE, TRUE, sizeof(MaxglDataRow));
    t->dataset = maxgl_feed_open(recipe, error);
    if (!t->dataset)
        return FALSE;
    return maxgl_feed_classes(recipe, t->task, t->dataset, &t->classes, error) &&
           maxgl_trainer_fit(t->context, recipe, t->task, t->classes, t->context->info->global_memory,
                             error) &&
           (t->trainer = maxgl_trainer_new(t->context, recipe, t->task, t->classes, error)) &&
           open_loader(t, error);
}

static gboolean next_batch(Training *t, GError **error)
{
    g_clear_pointer(&t->batch, maxgl_batch_free);
    return maxgl_loader_next(t->loader, &t->batch, error);
}

/* A step, and what the training loop does every train.log_every steps: it waits for the loss. */
static gboolean step(Training *t, GError **error)
{
    double values[MAXGL_TASK_MAX_VALUES];
    t->step++;
    const double rate = maxgl_schedule_rate(t->recipe, t->step, G_MAXINT32, NULL);
    return maxgl_interrupt_check(error) && maxgl_trainer_step(t->trainer, t->batch, t->step, rate, error) &&
           (t->step % (guint)t->recipe->train.log_every != 0 ||
            maxgl_trainer_read(t->trainer, values, error));
}

static gboolean measure(Training *t, const char *name, gboolean feed, GError **error)
{
    MaxglLoaderStats before, after;
    MaxglDataRow row = {.name = name};
    if (!maxgl_context_finish(t->context, error))
        return FALSE;
    maxgl_loader_get_stats(t->loader, &before);
    const gint64 start = g_get_monotonic_time();
    do {
        if ((feed && !next_batch(t, error)) || !step(t, error))
            return FALSE;
        row.clips += t->batch->n_clips;
        maxgl_progress_set(t->progress, t->rows->len, "%s, %.1f clips/s", name,
                           (double)row.clips / maxgl_seconds_since(start));
    } while (maxgl_seconds_since(start) < t->seconds);
    if (!maxgl_context_finish(t->context, error))
        return FALSE;
    row.seconds = maxgl_seconds_since(start);
    maxgl_loader_get_stats(t->loader, &after);
    row.waiting = (after.wait_seconds - before.wait_seconds) / row.seconds;
    g_array_append_val(t->rows, row);
    return TRUE;
}

/* The first steps build kernels and fill the queue of batches. */
static gboolean measure_step(Training *t, GError **error)
{
    return next_batch(t, error) && step(t, error) && step(t, error) && measure(t, "step", FALSE, error);
}

static gboolean measure_training(Training *t, GError **error)
{
    /* From the start, so that the first epoch is not over by then. */
    g_clear_pointer(&t->batch, maxgl_batch_free);
    g_clear_pointer(&t->loader, maxgl_loader_free);
    if (!open_loader(t, error) || !next_batch(t, error) || !measure(t, "train, first epoch", TRUE, error))
        return FALSE;
    const gint64 start = g_get_monotonic_time();
    while (t->batch->epoch == 0 && maxgl_seconds_since(start) < EPOCH_LIMIT * t->seconds)
        if (!next_batch(t, error) || !maxgl_interrupt_check(error))
            return FALSE;
    if (t->batch->epoch == 0) {
        g_message("later epochs: left out, the first takes longer than %g s (%d times --seconds)",
                  EPOCH_LIMIT * t->seconds, EPOCH_LIMIT);
        return TRUE;
    }
    return measure(t, "train", TRUE, error);
}

GArray *maxgl_bench_recipe(MaxglContext *context, MaxglRecipe *recipe, double seconds, GError **error)
{
    g_auto(Training) t = {.context = context,
                          .recipe = recipe,
                          .task = maxgl_task_of(recipe),
                          .seconds = seconds,
                          .progress = maxgl_progress_new("training", 3)};
    if (!open_all(&t, recipe, error) || !measure_step(&t, error) || !measure_training(&t, error))
        return NULL;
    return g_steal_pointer(&t.rows);
}
