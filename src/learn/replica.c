#include "learn/replica.h"

#include "learn/updater.h"
#include "net/network_memory.h"

#include <string.h>

static MaxglResnet *make_resnet(const MaxglRecipe *recipe, const MaxglClasses *classes, GError **error)
{
    return maxgl_recipe_resnet(recipe, classes ? classes->n : 0, error);
}

/* Whether clips of other devices are laid over its own: those are brought here too. */
static gboolean has_guests(const MaxglRecipe *recipe, const MaxglShare *share)
{
    return recipe->augment.mix > 0 && share->clips < share->total;
}

static MaxglNetworkOptions network_options(const MaxglRecipe *recipe, const MaxglResnet *resnet,
                                           const MaxglShare *share, const char *const *outputs)
{
    return (MaxglNetworkOptions){.mode = MAXGL_NETWORK_TRAINING,
                                 .batch = share->clips,
                                 .outputs = outputs,
                                 .seed = (guint64)recipe->train.seed,
                                 .recompute = recipe->train.recompute,
                                 .at_once = share->at_once,
                                 .frozen = maxgl_recipe_frozen(recipe, resnet),
                                 .exact = recipe->train.algorithms == MAXGL_ALGORITHMS_EXACT,
                                 .precision = recipe->train.precision,
                                 .more_inputs = has_guests(recipe, share) ? share->clips : 0,
                                 .more_outputs = share->first == 0 ? share->total - share->clips : 0,
                                 .first_part = share->first_part};
}

static void declare(const MaxglRecipe *recipe, const MaxglTask *task, const MaxglResnet *resnet,
                    MaxglParameters *parameters)
{
    maxgl_resnet_declare(resnet, parameters);
    task->declare(recipe, resnet, parameters);
}

static gboolean make_network(MaxglReplica *r, GError **error)
{
    g_autofree const char **outputs = r->task->outputs(r->recipe);
    const MaxglNetworkOptions options = network_options(r->recipe, r->resnet, &r->share, outputs);
    r->parameters = maxgl_parameters_new(r->context);
    declare(r->recipe, r->task, r->resnet, r->parameters);
    if (!maxgl_parameters_allocate(r->parameters, TRUE, error))
        return FALSE;
    r->network = maxgl_network_new(r->context, r->resnet, &options, r->parameters, error);
    return r->network != NULL;
}

static gboolean make_preparer(MaxglReplica *r, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(r->recipe, r->resnet);
    const MaxglShape *input = &maxgl_network_input(r->network)->shape;
    MaxglClipPreparerOptions options = {.frames = input->t,
                                        .height = input->h,
                                        .width = input->w,
                                        .block = input->block,
                                        .antialias = r->recipe->clip.antialias};
    memcpy(options.mean, info->preprocessing.mean, sizeof options.mean);
    memcpy(options.std, info->preprocessing.std, sizeof options.std);
    r->preparer = maxgl_clip_preparer_new(r->context, &options, error);
    return r->preparer != NULL;
}

/* Bytes of device memory that background mixing takes. */
static guint64 mixing_bytes(const MaxglRecipe *recipe, const MaxglShape *input)
{
    return recipe->augment.mix > 0 ? maxgl_clip_mix_table_bytes(input->n) + maxgl_clip_mix_workspace(input)
                                   : 0;
}

static gboolean make_mixing(MaxglReplica *r, GError **error)
{
    const MaxglTensor *input = maxgl_network_input(r->network);
    const MaxglShape *shape = &input->shape;
    const char *what = "background mixing";
    if (r->recipe->augment.mix == 0)
        return TRUE;
    r->mixes = g_new0(MaxglClipMix, shape->n);
    r->mix = maxgl_sequence_new(r->context);
    return (r->mix_table = maxgl_buffer_new(r->context, maxgl_clip_mix_table_bytes(shape->n), what, error)) &&
           (r->mix_workspace = maxgl_buffer_new(r->context, maxgl_clip_mix_workspace(shape), what, error)) &&
           maxgl_clip_mix(r->mix, shape, input->buffer, r->mix_table, r->mix_workspace, error);
}

MaxglReplica *maxgl_replica_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglClasses *classes, const MaxglShare *share, GError **error)
{
    g_autoptr(MaxglReplica) r = g_new0(MaxglReplica, 1);
    r->context = context;
    r->share = *share;
    r->recipe = recipe;
    r->task = task;
    r->resnet = make_resnet(recipe, classes, error);
    if (!r->resnet || !make_network(r, error) || !make_preparer(r, error) || !make_mixing(r, error))
        return NULL;
    return g_steal_pointer(&r);
}

void maxgl_replica_free(MaxglReplica *r)
{
    if (!r)
        return;
    maxgl_clip_preparer_free(r->preparer);
    maxgl_sequence_free(r->mix);
    maxgl_buffer_free(r->context, r->mix_table);
    maxgl_buffer_free(r->context, r->mix_workspace);
    g_free(r->mixes);
    maxgl_network_free(r->network);
    maxgl_parameters_free(r->parameters);
    maxgl_resnet_free(r->resnet);
    g_free(r);
}

/* Of the device that leads: @bytes on top. */
static gboolean predict_lead(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                             const MaxglClasses *classes, MaxglNetwork *network,
                             const MaxglParameters *parameters, gboolean sums, guint64 *bytes, GError **error)
{
    const guint64 loss = task->predict_bytes(recipe, classes, context, network, error);
    if (loss == 0)
        return FALSE;
    *bytes += loss + maxgl_updater_predict_bytes(recipe, maxgl_network_resnet(network), parameters) +
              (sums ? maxgl_parameters_learnt_floats(parameters) * sizeof(float) : 0);
    return TRUE;
}

guint64 maxgl_replica_predict_bytes(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                    const MaxglClasses *classes, const MaxglShare *share, gboolean leads,
                                    GError **error)
{
    g_autofree const char **outputs = task->outputs(recipe);
    g_autoptr(MaxglResnet) resnet = make_resnet(recipe, classes, error);
    if (!resnet)
        return 0;
    const MaxglNetworkOptions options = network_options(recipe, resnet, share, outputs);
    g_autoptr(MaxglNetwork) network = maxgl_network_planned(context, resnet, &options, error);
    if (!network)
        return 0;
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    declare(recipe, task, resnet, parameters);
    maxgl_parameters_place(parameters);
    guint64 bytes =
        maxgl_network_bytes(network) + mixing_bytes(recipe, &maxgl_network_input(network)->shape) +
        (2 * maxgl_parameters_learnt_floats(parameters) + maxgl_parameters_statistics_floats(parameters)) *
            sizeof(float);
    if (leads && !predict_lead(context, recipe, task, classes, network, parameters,
                               share->clips < share->total, &bytes, error))
        return 0;
    return bytes;
}

/* Sample @sample of the batch goes to @place of the network's input. */
static gboolean bring(MaxglReplica *r, const MaxglBatch *batch, int sample, int place, GError **error)
{
    const int videos = (int)batch->videos, per_video = r->task->clips_per_video(r->recipe);
    const MaxglClip *clip = &batch->clips[sample % videos * per_video + sample / videos];
    return maxgl_clip_preparer_run(r->preparer, &clip->layout, &clip->view, clip->frames,
                                   maxgl_network_input(r->network), place, error);
}

/* What is laid over sample @sample: the same on however many devices the batch is. */
static void draw_still(const MaxglReplica *r, const MaxglBatch *batch, int sample, MaxglStill *still)
{
    const int videos = (int)batch->videos, per_video = r->task->clips_per_video(r->recipe);
    MaxglRandom random;
    maxgl_random_init(&random, (guint64)r->recipe->train.seed, MAXGL_RANDOM_MIX, batch->epoch,
                      (guint64)batch->step * batch->n_clips + (guint64)sample);
    maxgl_still_random(&r->recipe->augment, sample % videos, videos, per_video, r->recipe->clip.frames,
                       &random, still);
}

static gboolean mix_backgrounds(MaxglReplica *r, const MaxglBatch *batch, GError **error)
{
    const MaxglShare *own = &r->share;
    int guests = own->clips; /* where the next one goes */
    if (!r->mix)
        return TRUE;
    for (int i = 0; i < own->clips; i++) {
        MaxglStill still;
        draw_still(r, batch, own->first + i, &still);
        const int sample = still.clip * (int)batch->videos + still.video;
        int place = sample - own->first;
        if (still.weight > 0 && (place < 0 || place >= own->clips)) {
            place = guests++;
            if (!bring(r, batch, sample, place, error))
                return FALSE;
        }
        r->mixes[i] = (MaxglClipMix){place, still.frame, still.weight, 0};
    }
    return maxgl_clip_mix_set(r->context, &maxgl_network_input(r->network)->shape, r->mix_table, r->mixes,
                              error) &&
           maxgl_sequence_run(r->mix, error);
}

gboolean maxgl_replica_take(MaxglReplica *r, const MaxglBatch *batch, GError **error)
{
    g_return_val_if_fail(batch->n_clips == (gsize)r->share.total, FALSE);
    for (int i = 0; i < r->share.clips; i++)
        if (!bring(r, batch, r->share.first + i, i, error))
            return FALSE;
    return mix_backgrounds(r, batch, error);
}
