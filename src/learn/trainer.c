#include "learn/trainer.h"

#include "learn/updater.h"
#include "net/network_memory.h"
#include "ops/clip_mix.h"
#include "ops/clip_prepare.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

struct MaxglTrainer {
    MaxglContext *context;
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    const MaxglClasses *classes;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    gpointer loss;
    MaxglClipPreparer *preparer;
    cl_mem mix_table, mix_workspace; /* background mixing; NULL without */
    MaxglSequence *mix;
    MaxglClipMix *mixes; /* of the batch that comes */
    MaxglUpdater *updater;
    MaxglTrainingState state;
};

static gboolean make_parameters(MaxglTrainer *t, GError **error)
{
    t->parameters = maxgl_parameters_new(t->context);
    maxgl_resnet_declare(t->resnet, t->parameters);
    t->task->declare(t->recipe, t->resnet, t->parameters);
    return maxgl_parameters_allocate(t->parameters, TRUE, error) &&
           maxgl_parameters_initialise(t->parameters, (guint64)t->recipe->train.seed, error);
}

static int clips_of(const MaxglRecipe *recipe, const MaxglTask *task)
{
    return recipe->train.batch * task->clips_per_video(recipe);
}

static MaxglResnet *make_resnet(const MaxglRecipe *recipe, const MaxglClasses *classes, GError **error)
{
    return maxgl_recipe_resnet(recipe, classes ? classes->n : 0, error);
}

static MaxglNetworkOptions network_options(const MaxglRecipe *recipe, const MaxglTask *task,
                                           const MaxglResnet *resnet, const char *const *outputs)
{
    return (MaxglNetworkOptions){.mode = MAXGL_NETWORK_TRAINING,
                                 .batch = clips_of(recipe, task),
                                 .outputs = outputs,
                                 .seed = (guint64)recipe->train.seed,
                                 .recompute = recipe->train.recompute,
                                 .at_once = recipe->train.micro_batch,
                                 .frozen = maxgl_recipe_frozen(recipe, resnet),
                                 .exact = recipe->train.algorithms == MAXGL_ALGORITHMS_EXACT};
}

static gboolean make_network(MaxglTrainer *t, GError **error)
{
    g_autofree const char **outputs = t->task->outputs(t->recipe);
    const MaxglNetworkOptions options = network_options(t->recipe, t->task, t->resnet, outputs);
    t->network = maxgl_network_new(t->context, t->resnet, &options, t->parameters, error);
    if (t->network)
        t->loss = t->task->prepare(t->recipe, t->classes, t->context, t->network, t->parameters, error);
    return t->loss != NULL;
}

static gboolean make_preparer(MaxglTrainer *t, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(t->recipe, t->resnet);
    const MaxglShape *input = &maxgl_network_input(t->network)->shape;
    MaxglClipPreparerOptions options = {.frames = input->t,
                                        .height = input->h,
                                        .width = input->w,
                                        .block = input->block,
                                        .antialias = t->recipe->clip.antialias};
    memcpy(options.mean, info->preprocessing.mean, sizeof options.mean);
    memcpy(options.std, info->preprocessing.std, sizeof options.std);
    t->preparer = maxgl_clip_preparer_new(t->context, &options, error);
    return t->preparer != NULL;
}

/* Bytes of device memory that background mixing takes. */
static guint64 mixing_bytes(const MaxglRecipe *recipe, const MaxglShape *input)
{
    return recipe->augment.mix > 0 ? maxgl_clip_mix_table_bytes(input->n) + maxgl_clip_mix_workspace(input)
                                   : 0;
}

static gboolean make_mixing(MaxglTrainer *t, GError **error)
{
    const MaxglTensor *input = maxgl_network_input(t->network);
    const MaxglShape *shape = &input->shape;
    const char *what = "background mixing";
    if (t->recipe->augment.mix == 0)
        return TRUE;
    t->mixes = g_new0(MaxglClipMix, shape->n);
    t->mix = maxgl_sequence_new(t->context);
    return (t->mix_table = maxgl_buffer_new(t->context, maxgl_clip_mix_table_bytes(shape->n), what, error)) &&
           (t->mix_workspace = maxgl_buffer_new(t->context, maxgl_clip_mix_workspace(shape), what, error)) &&
           maxgl_clip_mix(t->mix, shape, input->buffer, t->mix_table, t->mix_workspace, error);
}

static gboolean make_updater(MaxglTrainer *t, GError **error)
{
    t->updater = maxgl_updater_new(t->recipe, t->task, t->resnet, t->parameters, error);
    if (!t->updater)
        return FALSE;
    t->state = (MaxglTrainingState){.resnet = t->resnet, .parameters = t->parameters};
    maxgl_updater_state(t->updater, &t->state);
    return TRUE;
}

guint64 maxgl_trainer_predict_bytes(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                    const MaxglClasses *classes, GError **error)
{
    g_autofree const char **outputs = task->outputs(recipe);
    g_autoptr(MaxglResnet) resnet = make_resnet(recipe, classes, error);
    if (!resnet)
        return 0;
    const MaxglNetworkOptions options = network_options(recipe, task, resnet, outputs);
    g_autoptr(MaxglNetwork) network = maxgl_network_planned(context, resnet, &options, error);
    const guint64 loss = network ? task->predict_bytes(recipe, classes, context, network, error) : 0;
    if (loss == 0)
        return 0;
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    task->declare(recipe, resnet, parameters);
    maxgl_parameters_place(parameters);
    const guint64 learnt = maxgl_parameters_learnt_floats(parameters),
                  statistics = maxgl_parameters_statistics_floats(parameters);
    return maxgl_network_bytes(network) + loss + mixing_bytes(recipe, &maxgl_network_input(network)->shape) +
           (2 * learnt + statistics) * sizeof(float) +
           maxgl_updater_predict_bytes(recipe, resnet, parameters);
}

/* The same, and G_MAXUINT64 where one piece would exceed the largest allocation; 0 on other errors. */
static guint64 need_of(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                       const MaxglClasses *classes, GError **error)
{
    GError *reason = NULL;
    const guint64 bytes = maxgl_trainer_predict_bytes(context, recipe, task, classes, &reason);
    if (!reason)
        return bytes;
    if (!g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_LIMIT)) {
        g_propagate_error(error, reason);
        return 0;
    }
    g_error_free(reason);
    return G_MAXUINT64;
}

/* @fewest: the fewest of the step's clips at once, which need @least bytes. */
static gboolean too_large(const MaxglRecipe *recipe, int clips, int fewest, guint64 least, guint64 limit,
                          GError **error)
{
    g_autofree char *need = least == G_MAXUINT64
                                ? g_strdup("exceed the device's largest allocation")
                                : g_strdup_printf("need %.1f MiB", (double)least / (1 << 20));
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
        "train.batch: of the %d clips of a step even %d at once %s, and %.1f MiB are allowed: use fewer or "
        "smaller clips%s, or a smaller network",
        clips, fewest, need, (double)limit / (1 << 20),
        recipe->train.recompute == MAXGL_RECOMPUTE_NONE ? ", train.recompute=blocks" : "");
    return FALSE;
}

gboolean maxgl_trainer_fit(MaxglContext *context, MaxglRecipe *recipe, const MaxglTask *task,
                           const MaxglClasses *classes, guint64 limit, GError **error)
{
    const int clips = clips_of(recipe, task);
    guint64 need = 0;
    int fewest = clips;
    if (recipe->train.micro_batch > 0)
        return TRUE;
    for (int parts = 1; parts <= clips / 2; parts++) {
        if (clips % parts != 0)
            continue;
        fewest = clips / parts;
        recipe->train.micro_batch = parts == 1 ? 0 : fewest;
        need = need_of(context, recipe, task, classes, error);
        if (need == 0)
            return FALSE;
        if (need <= limit)
            return TRUE;
    }
    recipe->train.micro_batch = 0;
    return too_large(recipe, clips, fewest, need, limit, error);
}

MaxglTrainer *maxgl_trainer_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglClasses *classes, GError **error)
{
    g_autoptr(MaxglTrainer) t = g_new0(MaxglTrainer, 1);
    t->context = context;
    t->recipe = recipe;
    t->task = task;
    t->classes = classes;
    t->resnet = make_resnet(recipe, classes, error);
    if (!t->resnet || !make_parameters(t, error) || !make_network(t, error) || !make_preparer(t, error) ||
        !make_mixing(t, error) || !make_updater(t, error))
        return NULL;
    return g_steal_pointer(&t);
}

void maxgl_trainer_free(MaxglTrainer *t)
{
    if (!t)
        return;
    maxgl_clip_preparer_free(t->preparer);
    maxgl_sequence_free(t->mix);
    maxgl_buffer_free(t->context, t->mix_table);
    maxgl_buffer_free(t->context, t->mix_workspace);
    g_free(t->mixes);
    maxgl_updater_free(t->updater);
    if (t->loss)
        t->task->free(t->loss);
    maxgl_network_free(t->network);
    maxgl_parameters_free(t->parameters);
    maxgl_resnet_free(t->resnet);
    g_free(t);
}

const MaxglResnet *maxgl_trainer_resnet(const MaxglTrainer *t)
{
    return t->resnet;
}

const MaxglTrainingState *maxgl_trainer_state(const MaxglTrainer *t)
{
    return &t->state;
}

/* Sample of the network's batch that clip @clip of video @video is: first clips of all videos, then second
 * clips of all, … */
static int sample_of(const MaxglBatch *batch, int video, int clip)
{
    return clip * (int)batch->videos + video;
}

static gboolean prepare_clips(MaxglTrainer *t, const MaxglBatch *batch, GError **error)
{
    const MaxglTensor *input = maxgl_network_input(t->network);
    const int per_video = t->task->clips_per_video(t->recipe);
    g_return_val_if_fail(batch->n_clips == (gsize)input->shape.n, FALSE);
    for (int v = 0; v < (int)batch->videos; v++)
        for (int c = 0; c < per_video; c++) {
            const MaxglClip *clip = &batch->clips[v * per_video + c];
            if (!maxgl_clip_preparer_run(t->preparer, &clip->layout, &clip->view, clip->frames, input,
                                         sample_of(batch, v, c), error))
                return FALSE;
        }
    return TRUE;
}

static gboolean mix_backgrounds(MaxglTrainer *t, const MaxglBatch *batch, GError **error)
{
    const MaxglShape *shape = &maxgl_network_input(t->network)->shape;
    const int videos = (int)batch->videos, per_video = t->task->clips_per_video(t->recipe);
    if (!t->mix)
        return TRUE;
    for (int v = 0; v < videos; v++)
        for (int c = 0; c < per_video; c++) {
            const int sample = sample_of(batch, v, c);
            MaxglStill still;
            MaxglRandom random;
            maxgl_random_init(&random, (guint64)t->recipe->train.seed, MAXGL_RANDOM_MIX, batch->epoch,
                              (guint64)batch->step * batch->n_clips + (guint64)sample);
            maxgl_still_random(&t->recipe->augment, v, videos, per_video, shape->t, &random, &still);
            t->mixes[sample] =
                (MaxglClipMix){sample_of(batch, still.video, still.clip), still.frame, still.weight, 0};
        }
    return maxgl_clip_mix_set(t->context, shape, t->mix_table, t->mixes, error) &&
           maxgl_sequence_run(t->mix, error);
}

gboolean maxgl_trainer_step(MaxglTrainer *t, const MaxglBatch *batch, guint32 step, double learning_rate,
                            GError **error)
{
    return prepare_clips(t, batch, error) && mix_backgrounds(t, batch, error) &&
           (!t->task->take || t->task->take(t->loss, batch, error)) &&
           maxgl_network_set_step(t->network, step, error) &&
           maxgl_updater_begin(t->updater, step, learning_rate, error) &&
           maxgl_sequence_run(maxgl_network_forward(t->network), error) &&
           maxgl_sequence_run(t->task->sequence(t->loss), error) &&
           maxgl_sequence_run(maxgl_network_backward(t->network), error) &&
           maxgl_updater_run(t->updater, error);
}

gboolean maxgl_trainer_read(MaxglTrainer *t, double values[MAXGL_TASK_MAX_VALUES], GError **error)
{
    return t->task->read(t->loss, values, error);
}
