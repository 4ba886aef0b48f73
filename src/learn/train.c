#include "learn/train.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "learn/feed.h"
#include "learn/metrics.h"
#include "learn/run.h"
#include "learn/shares.h"
#include "learn/start.h"
#include "learn/trainer.h"
#include "ops/loss_scale.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* What is logged of loss scaling, where there is any: the scale, and steps skipped. */
enum { LOSS_SCALE_VALUES = 2 };
static const char *const loss_scale_names[LOSS_SCALE_VALUES] = {"loss_scale", "skipped"};

/* Everything that is open while training. */
typedef struct {
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    MaxglRun *run;
    MaxglDataset *dataset;
    MaxglClasses *classes;
    GPtrArray *contexts; /* of MaxglContext, in the order of the devices */
    MaxglTrainer *trainer;
    MaxglModelInfo *info;
    MaxglLoader *loader;
    MaxglMetrics *metrics;
    MaxglProgress *progress;
    gint64 steps, steps_per_epoch;
    MaxglTrainingPosition position;
    gint64 saved;                                             /* step of the newest checkpoint */
    double values[MAXGL_TASK_MAX_VALUES + LOSS_SCALE_VALUES]; /* the task's, then those of loss scaling */
    char *summary;                                            /* of the last row */
    gint64 logged_time, logged_step;                          /* of the last row; microseconds */
    double logged_wait;
} Session;

static void session_clear(Session *s)
{
    maxgl_progress_free(s->progress);
    maxgl_metrics_close(s->metrics);
    maxgl_loader_free(s->loader);
    maxgl_model_info_free(s->info);
    maxgl_trainer_free(s->trainer);
    g_clear_pointer(&s->contexts, g_ptr_array_unref);
    maxgl_classes_free(s->classes);
    maxgl_dataset_free(s->dataset);
    maxgl_run_close(s->run);
    g_free(s->summary);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Session, session_clear)

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, message);
    return FALSE;
}

/* How long the run is, which needs the number of videos. */
static gboolean plan_length(Session *s, GError **error)
{
    const gsize videos = maxgl_dataset_size(s->dataset), batch = (gsize)s->recipe->train.batch;
    s->steps_per_epoch = (gint64)(videos / batch);
    s->steps =
        s->recipe->train.steps > 0 ? s->recipe->train.steps : s->recipe->train.epochs * s->steps_per_epoch;
    s->position.videos = (gint64)videos;
    if (s->recipe->train.schedule == MAXGL_SCHEDULE_PLATEAU)
        maxgl_plateau_init(&s->position.plateau);
    if (s->steps > G_MAXINT32)
        return refuse(error, "train.epochs: %" G_GINT64_FORMAT " steps are too many", s->steps);
    if (s->recipe->train.warmup >= s->steps)
        return refuse(error, "train.warmup: %d steps are not fewer than the run's %" G_GINT64_FORMAT,
                      s->recipe->train.warmup, s->steps);
    return TRUE;
}

/* A run goes on with the shares that it began with, unless others are asked for. */
static gboolean keep_shares(const Session *s, const MaxglTrainOptions *options, GError **error)
{
    g_autoptr(MaxglRecipe) before = maxgl_recipe_new();
    char **shares = &options->recipe->train.shares;
    if (!options->resume || (*shares)[0] != '\0')
        return TRUE;
    if (!maxgl_run_read_recipe(options->out, before, NULL, error))
        return FALSE;
    if (before->train.shares[0] == '\0' && s->contexts->len > 1)
        return refuse(error, "%s: the run began on one device, and goes on with one: name one with --device",
                      options->out);
    g_free(*shares);
    *shares = g_strdup(before->train.shares);
    return TRUE;
}

/* Which device takes how many clips, and how many go through a network at once, is part of what a run is
 * compared by. */
static gboolean open_devices(Session *s, const MaxglTrainOptions *options, GError **error)
{
    s->contexts = maxgl_contexts_open(options->device, error);
    return s->contexts && keep_shares(s, options, error) &&
           maxgl_shares_settle(s->contexts, options->recipe, s->task, s->classes, options->memory_limit,
                               error);
}

static void tell_devices(const Session *s, const MaxglShares *shares)
{
    const int clips = s->recipe->train.batch * s->task->clips_per_video(s->recipe);
    const MaxglContext *first = g_ptr_array_index(s->contexts, 0);
    if (shares->n == 1)
        g_message("%s@%g on %s (%s)", s->recipe->network.name, s->recipe->network.width, first->info->name,
                  first->reason);
    else
        g_message("%s@%g on %u devices", s->recipe->network.name, s->recipe->network.width, shares->n);
    for (guint i = 0; i < shares->n && shares->n > 1; i++) {
        const MaxglContext *context = g_ptr_array_index(s->contexts, i);
        g_message("device %u: %d of the %d clips of a step on %s (%s)", i + 1, shares->clips[i], clips,
                  context->info->name, context->reason);
    }
    if (s->recipe->train.micro_batch > 0)
        g_message("%d of the %d clips of a step at once (train.micro_batch)", s->recipe->train.micro_batch,
                  clips);
}

static gboolean make_trainer(Session *s, GError **error)
{
    MaxglShares shares;
    if (!maxgl_shares_of(s->recipe, s->task, s->contexts->len, &shares, error))
        return FALSE;
    tell_devices(s, &shares);
    s->trainer = maxgl_trainer_new_on((MaxglContext *const *)s->contexts->pdata, s->contexts->len, s->recipe,
                                      s->task, s->classes, error);
    if (!s->trainer)
        return FALSE;
    s->info = maxgl_recipe_model_info(s->recipe, maxgl_trainer_resnet(s->trainer));
    if (s->classes) {
        g_message("%d classes of %s", s->classes->n, s->classes->label);
        s->info->classes = g_strdupv(s->classes->names);
        s->info->label = g_strdup(s->classes->label);
    }
    return TRUE;
}

static gboolean restore(Session *s, const char *path, GError **error)
{
    const gint64 videos = s->position.videos;
    const gboolean plateau = s->position.plateau.used;
    if (!maxgl_checkpoint_load(path, maxgl_trainer_state(s->trainer), &s->position, error))
        return FALSE;
    if (s->position.plateau.used != plateau)
        return refuse(error, "%s: is of a run with another train.schedule", path);
    if (s->position.videos != videos)
        return refuse(error,
                      "%s: %s has %" G_GINT64_FORMAT " videos now, and had %" G_GINT64_FORMAT
                      " when the run began",
                      path, s->recipe->data.path, videos, s->position.videos);
    if (s->position.step > s->steps)
        return refuse(error,
                      "train.steps, train.epochs: the run has %" G_GINT64_FORMAT
                      " steps already, more than the %" G_GINT64_FORMAT " asked for",
                      s->position.step, s->steps);
    s->saved = s->position.step;
    g_message("resuming after step %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, s->position.step, s->steps);
    return TRUE;
}

/* The weights that the session begins with: of the run's newest checkpoint, of train.init, or as drawn. */
static gboolean load_weights(Session *s, gboolean resume, GError **error)
{
    g_autofree char *checkpoint = resume ? maxgl_run_checkpoint(s->run) : NULL;
    if (checkpoint)
        return restore(s, checkpoint, error);
    if (resume)
        g_message("no checkpoint yet: starting with step 1");
    if (s->recipe->train.init[0] == '\0')
        return TRUE;
    if (maxgl_start_from(s->recipe->train.init, s->classes, maxgl_trainer_resnet(s->trainer),
                         maxgl_trainer_state(s->trainer)->parameters, error))
        return TRUE;
    g_prefix_error(error, "train.init: ");
    return FALSE;
}

static gboolean open_loader(Session *s, GError **error)
{
    MaxglLoaderOptions options;
    maxgl_feed_loader_options(s->recipe, s->task, &options);
    options.start_epoch = (guint)(s->position.step / s->steps_per_epoch);
    options.start_step = (gsize)(s->position.step % s->steps_per_epoch);
    s->loader = maxgl_loader_new(s->dataset, &options, error);
    return s->loader != NULL;
}

static gboolean begin_run(Session *s, const char *out, GError **error)
{
    const MaxglResnet *resnet = maxgl_trainer_resnet(s->trainer);
    const MaxglTrainingState *state = maxgl_trainer_state(s->trainer);
    MaxglRunSizes sizes = {.steps = s->steps,
                           .steps_per_epoch = s->steps_per_epoch,
                           .videos = s->position.videos,
                           .macs = maxgl_resnet_macs(resnet)};
    for (guint i = 0; i < maxgl_parameters_count(state->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(state->parameters, i);
        sizes.parameters += p->group == MAXGL_PARAMETER_STATISTIC ? 0 : p->count;
    }
    /* While one is written, those that are kept are there too, and the model comes in the end. */
    const guint64 space = maxgl_checkpoint_bytes(state) * ((guint64)s->recipe->train.keep + 2);
    if (!maxgl_dir_require_space(out, space, error) ||
        !maxgl_run_begin(s->run, s->contexts, resnet, &sizes, s->position.step, error))
        return FALSE;
    g_autofree char *path = maxgl_run_file(s->run, MAXGL_RUN_METRICS);
    const char *names[MAXGL_TASK_MAX_VALUES + LOSS_SCALE_VALUES + 1] = {NULL};
    const guint n = g_strv_length((char **)s->task->values);
    memcpy(names, s->task->values, n * sizeof *names);
    if (state->loss_scale)
        memcpy(names + n, loss_scale_names, sizeof loss_scale_names);
    s->metrics = maxgl_metrics_open(path, names, s->position.step, error);
    return s->metrics != NULL;
}

static gboolean save_checkpoint(Session *s, GError **error)
{
    if (s->saved == s->position.step)
        return TRUE;
    g_autofree char *name = maxgl_checkpoint_name(s->position.step);
    g_autofree char *path = maxgl_run_file(s->run, name);
    g_autofree char *folder = g_path_get_dirname(path);
    if (!maxgl_checkpoint_save(path, maxgl_trainer_state(s->trainer), &s->position, s->info, error))
        return FALSE;
    s->saved = s->position.step;
    maxgl_checkpoint_prune(folder, s->recipe->train.keep);
    return TRUE;
}

/* What stands behind the bar. */
static void summarise(Session *s, const MaxglMetricsRow *row)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "epoch %" G_GINT64_FORMAT, row->epoch);
    for (int i = 0; s->task->values[i]; i++)
        g_string_append_printf(text, ", %s %.3f%s", s->task->labels[i], s->values[i],
                               i > 0 ? s->task->unit : "");
    if (maxgl_trainer_state(s->trainer)->loss_scale) {
        const double *scaling = s->values + g_strv_length((char **)s->task->values);
        g_string_append_printf(text, ", scale %g (%g skipped)", scaling[0], scaling[1]);
    }
    g_string_append_printf(text, ", %.0f clips/s, waiting for data %.0f %%", row->clips_per_second,
                           100 * row->waiting);
    g_free(s->summary);
    s->summary = g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean read_loss_scale(Session *s, GError **error)
{
    const MaxglTrainingState *state = maxgl_trainer_state(s->trainer);
    double *values = s->values + g_strv_length((char **)s->task->values);
    MaxglLossScale scale;
    if (!state->loss_scale)
        return TRUE;
    if (!maxgl_loss_scale_read(maxgl_parameters_context(state->parameters), state->loss_scale, &scale, error))
        return FALSE;
    values[0] = (double)scale.scale;
    values[1] = scale.skipped;
    return TRUE;
}

/* Reads what the loss has come to, for which it waits for the device. */
static gboolean read_values(Session *s, GError **error)
{
    if (!maxgl_trainer_read(s->trainer, s->values, error) || !read_loss_scale(s, error))
        return FALSE;
    if (isfinite(s->values[0]))
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED,
                "the loss is not finite any more at step %" G_GINT64_FORMAT
                ": lower train.lr, or limit the gradient with train.clip_norm",
                s->position.step);
    return FALSE;
}

/* What the schedule makes of the step's loss. */
static void watch_plateau(Session *s)
{
    maxgl_plateau_add(&s->position.plateau, s->values[0]);
    if (s->position.step % s->steps_per_epoch == 0)
        maxgl_plateau_end_epoch(&s->position.plateau, s->steps_per_epoch, s->recipe->train.patience);
}

/* Writes down what the loss has come to. */
static gboolean log_step(Session *s, gint64 epoch, double learning_rate, GError **error)
{
    MaxglLoaderStats stats;
    maxgl_loader_get_stats(s->loader, &stats);
    const gint64 now = g_get_monotonic_time();
    const double seconds = MAX((double)(now - s->logged_time) / G_USEC_PER_SEC, 1e-6);
    const gint64 clips =
        (s->position.step - s->logged_step) * s->recipe->train.batch * s->task->clips_per_video(s->recipe);
    const MaxglMetricsRow row = {
        .step = s->position.step,
        .epoch = epoch,
        .learning_rate = learning_rate,
        .clips_per_second = (double)clips / seconds,
        .waiting = CLAMP((stats.wait_seconds - s->logged_wait) / seconds, 0, 1),
    };
    s->logged_time = now;
    s->logged_step = s->position.step;
    s->logged_wait = stats.wait_seconds;
    summarise(s, &row);
    return maxgl_metrics_add(s->metrics, &row, s->values, error);
}

static gboolean train_step(Session *s, GError **error)
{
    MaxglBatch *batch = NULL;
    if (!maxgl_interrupt_check(error) || !maxgl_loader_next(s->loader, &batch, error))
        return FALSE;
    const gint64 step = s->position.step + 1;
    const double learning_rate = maxgl_schedule_rate(s->recipe, step, s->steps, &s->position.plateau);
    const gint64 epoch = (gint64)batch->epoch + 1;
    const gboolean done = maxgl_trainer_step(s->trainer, batch, (guint32)step, learning_rate, error);
    maxgl_batch_free(batch);
    if (!done)
        return FALSE;
    s->position.step = step;
    const int every = s->recipe->train.checkpoint_every;
    const gboolean logged = step % s->recipe->train.log_every == 0 || step == s->steps;
    const gboolean watched = s->position.plateau.used;
    if ((logged || watched) && !read_values(s, error))
        return FALSE;
    if (watched)
        watch_plateau(s);
    if (logged && !log_step(s, epoch, learning_rate, error))
        return FALSE;
    maxgl_progress_set(s->progress, step, "%s", s->summary ? s->summary : "");
    return every == 0 || step % every != 0 || save_checkpoint(s, error);
}

static gsize bad_videos(const Session *s)
{
    MaxglLoaderStats stats;
    maxgl_loader_get_stats(s->loader, &stats);
    return stats.bad;
}

/* The error that ends a session early; what can be saved is. */
static void stop(Session *s, GError **error)
{
    const gsize n = bad_videos(s);
    const gboolean interrupted = g_error_matches(*error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED);
    g_autoptr(GError) unsaved = NULL;
    g_clear_pointer(&s->progress, maxgl_progress_free);
    if (interrupted && save_checkpoint(s, &unsaved)) {
        g_clear_error(error);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED,
                    "interrupted after step %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    "%s; --resume continues",
                    s->position.step, s->steps, s->saved > 0 ? ", which is saved" : "");
    } else if (interrupted) {
        g_clear_error(error);
        g_propagate_prefixed_error(error, g_steal_pointer(&unsaved), "interrupted, and not saved: ");
    }
    maxgl_run_end(s->run, interrupted ? "interrupted" : "failed", s->position.step, n, NULL);
}

/* The averages, where there are any. */
static gboolean save_model(Session *s, const char *path, GError **error)
{
    const MaxglTrainingState *state = maxgl_trainer_state(s->trainer);
    if (state->averages)
        s->info->averaged =
            maxgl_option_value_text(maxgl_options_find(&maxgl_recipe_table, "train.ema"), s->recipe);
    return maxgl_weights_save(path, state->resnet, maxgl_training_result(state), s->info, s->position.step,
                              FALSE, error);
}

static gboolean finish(Session *s, GError **error)
{
    const gsize n = bad_videos(s);
    g_autofree char *path = maxgl_run_file(s->run, MAXGL_RUN_MODEL);
    if (!save_checkpoint(s, error) || !save_model(s, path, error))
        return FALSE;
    if (s->progress)
        maxgl_progress_finish(g_steal_pointer(&s->progress));
    if (n > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GINT64_FORMAT " videos were bad and left out", n,
                  s->position.videos);
    g_message("%s: trained for %" G_GINT64_FORMAT " steps", path, s->position.step);
    return maxgl_run_end(s->run, "finished", s->position.step, n, error);
}

static gboolean run_steps(Session *s, GError **error)
{
    MaxglLoaderStats stats;
    maxgl_loader_get_stats(s->loader, &stats);
    s->logged_time = g_get_monotonic_time();
    s->logged_step = s->position.step;
    s->logged_wait = stats.wait_seconds;
    if (s->position.step < s->steps)
        s->progress = maxgl_progress_new("training", s->steps);
    while (s->position.step < s->steps)
        if (!train_step(s, error))
            return FALSE;
    return finish(s, error);
}

gboolean maxgl_train(const MaxglTrainOptions *options, GError **error)
{
    g_auto(Session) s = {.recipe = options->recipe, .task = maxgl_task_of(options->recipe)};
    GError *reason = NULL;
    if (!maxgl_recipe_validate(s.recipe, error) || !(s.dataset = maxgl_feed_open(s.recipe, error)) ||
        !maxgl_feed_classes(s.recipe, s.task, s.dataset, &s.classes, error) ||
        !open_devices(&s, options, error) ||
        !(s.run = maxgl_run_open(options->out, s.recipe, options->resume, error)) ||
        !plan_length(&s, error) || !make_trainer(&s, error) || !load_weights(&s, options->resume, error) ||
        !open_loader(&s, error) || !begin_run(&s, options->out, error))
        return FALSE;
    if (run_steps(&s, &reason))
        return TRUE;
    stop(&s, &reason);
    g_propagate_error(error, reason);
    return FALSE;
}
