#include "learn/trainer.h"

#include "ops/clip_prepare.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

struct MaxglTrainer {
    MaxglContext *context;
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    gpointer loss;
    MaxglClipPreparer *preparer;
    MaxglOptimizer optimizer;
    MaxglOptimizerBuffers buffers;
    cl_mem norm_workspace;
    MaxglSequence *update;
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

static gboolean make_network(MaxglTrainer *t, GError **error)
{
    g_autofree const char **outputs = t->task->outputs(t->recipe);
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_TRAINING,
                                         .batch = t->recipe->train.batch * t->task->clips_per_video,
                                         .outputs = outputs,
                                         .seed = (guint64)t->recipe->train.seed,
                                         .recompute = t->recipe->train.recompute,
                                         .exact = t->recipe->train.algorithms == MAXGL_ALGORITHMS_EXACT};
    t->network = maxgl_network_new(t->context, t->resnet, &options, t->parameters, error);
    if (t->network)
        t->loss = t->task->prepare(t->recipe, t->context, t->network, t->parameters, error);
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

static cl_mem zeroed(MaxglContext *context, gsize bytes, const char *what, GError **error)
{
    cl_mem buffer = maxgl_buffer_new(context, bytes, what, error);
    if (!buffer || maxgl_buffer_zero(context, buffer, 0, bytes, error))
        return buffer;
    maxgl_buffer_free(context, buffer);
    return NULL;
}

static gboolean make_optimizer_buffers(MaxglTrainer *t, GError **error)
{
    const gsize floats = maxgl_parameters_learnt_floats(t->parameters);
    MaxglOptimizerBuffers *b = &t->buffers;
    b->parameters = maxgl_parameters_values(t->parameters);
    b->gradients = maxgl_parameters_gradients(t->parameters);
    for (int i = 0; i < maxgl_optimizer_states(&t->optimizer); i++)
        if (!(b->state[i] = zeroed(t->context, floats * sizeof(float), "the optimiser's state", error)))
            return FALSE;
    if (!(b->step = zeroed(t->context, sizeof(MaxglOptimizerStep), "the optimiser's step", error)))
        return FALSE;
    if (t->recipe->train.clip_norm == 0)
        return TRUE;
    b->clip = zeroed(t->context, sizeof(MaxglGradientNorm), "the gradient's norm", error);
    t->norm_workspace = b->clip ? maxgl_buffer_new(t->context, maxgl_gradient_norm_workspace(floats),
                                                   "the gradient's norm", error)
                                : NULL;
    return t->norm_workspace != NULL;
}

static gboolean make_update(MaxglTrainer *t, GError **error)
{
    const gsize decayed = maxgl_parameters_decayed_floats(t->parameters);
    const gsize learnt = maxgl_parameters_learnt_floats(t->parameters);
    const double decay = t->recipe->train.weight_decay;
    t->optimizer = (MaxglOptimizer){.kind = t->recipe->train.optimizer,
                                    .momentum = (float)t->recipe->train.momentum,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .epsilon = 1e-8};
    t->update = maxgl_sequence_new(t->context);
    return make_optimizer_buffers(t, error) &&
           (!t->buffers.clip ||
            maxgl_gradient_norm(t->update, t->buffers.gradients, learnt, (float)t->recipe->train.clip_norm,
                                t->buffers.clip, t->norm_workspace, error)) &&
           maxgl_optimizer_update(t->update, &t->optimizer, &t->buffers, 0, decayed, decay, error) &&
           (learnt == decayed || maxgl_optimizer_update(t->update, &t->optimizer, &t->buffers, decayed,
                                                        learnt - decayed, 0, error));
}

MaxglTrainer *maxgl_trainer_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                GError **error)
{
    g_autoptr(MaxglTrainer) t = g_new0(MaxglTrainer, 1);
    t->context = context;
    t->recipe = recipe;
    t->task = task;
    t->resnet = maxgl_recipe_resnet(recipe, error);
    if (!t->resnet || !make_parameters(t, error) || !make_network(t, error) || !make_preparer(t, error) ||
        !make_update(t, error))
        return NULL;
    t->state = (MaxglTrainingState){.resnet = t->resnet,
                                    .parameters = t->parameters,
                                    .optimizer = &t->optimizer,
                                    .states = {t->buffers.state[0], t->buffers.state[1]}};
    return g_steal_pointer(&t);
}

void maxgl_trainer_free(MaxglTrainer *t)
{
    if (!t)
        return;
    maxgl_clip_preparer_free(t->preparer);
    maxgl_sequence_free(t->update);
    maxgl_buffer_free(t->context, t->buffers.state[0]);
    maxgl_buffer_free(t->context, t->buffers.state[1]);
    maxgl_buffer_free(t->context, t->buffers.step);
    maxgl_buffer_free(t->context, t->buffers.clip);
    maxgl_buffer_free(t->context, t->norm_workspace);
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

/* First clips of all videos, then second clips of all, … */
static gboolean prepare_clips(MaxglTrainer *t, const MaxglBatch *batch, GError **error)
{
    const gsize per_video = (gsize)t->task->clips_per_video;
    const MaxglTensor *input = maxgl_network_input(t->network);
    g_return_val_if_fail(batch->n_clips == (gsize)input->shape.n, FALSE);
    for (gsize v = 0; v < batch->videos; v++)
        for (gsize c = 0; c < per_video; c++) {
            const MaxglClip *clip = &batch->clips[v * per_video + c];
            if (!maxgl_clip_preparer_run(t->preparer, &clip->layout, &clip->view, clip->frames, input,
                                         (int)(c * batch->videos + v), error))
                return FALSE;
        }
    return TRUE;
}

gboolean maxgl_trainer_step(MaxglTrainer *t, const MaxglBatch *batch, guint32 step, double learning_rate,
                            GError **error)
{
    return prepare_clips(t, batch, error) && maxgl_network_set_step(t->network, step, error) &&
           maxgl_optimizer_set_step(t->context, &t->optimizer, t->buffers.step, step, learning_rate, error) &&
           maxgl_sequence_run(maxgl_network_forward(t->network), error) &&
           maxgl_sequence_run(t->task->sequence(t->loss), error) &&
           maxgl_sequence_run(maxgl_network_backward(t->network), error) &&
           maxgl_sequence_run(t->update, error);
}

gboolean maxgl_trainer_read(MaxglTrainer *t, double values[MAXGL_TASK_MAX_VALUES], GError **error)
{
    return t->task->read(t->loss, values, error);
}
