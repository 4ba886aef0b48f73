#include "learn/trainer.h"

#include "learn/crew.h"
#include "learn/exchange.h"
#include "learn/updater.h"

#include <maxgl/error.h>

/* The first replica leads: the loss is computed and parameters are updated on its device. */
struct MaxglTrainer {
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    const MaxglClasses *classes;
    guint n;
    MaxglReplica *replicas[MAXGL_MAX_DEVICES];
    MaxglCrew *crew;
    MaxglExchange *exchange; /* NULL for a single device */
    gpointer loss;
    MaxglUpdater *updater;
    MaxglTrainingState state;
    const MaxglBatch *batch; /* of the step under way, and its number */
    guint32 step;
};

static gboolean make_updater(MaxglTrainer *t, GError **error)
{
    const MaxglReplica *lead = t->replicas[0];
    t->updater = maxgl_updater_new(t->recipe, t->task, lead->resnet, lead->parameters, error);
    if (!t->updater)
        return FALSE;
    g_autofree const char **outputs = t->task->outputs(t->recipe);
    for (int i = 0; outputs[i]; i++)
        if (!maxgl_updater_add_scaled(t->updater, maxgl_network_output_gradient(lead->network, outputs[i]),
                                      error))
            return FALSE;
    t->state = (MaxglTrainingState){.resnet = lead->resnet, .parameters = lead->parameters};
    maxgl_updater_state(t->updater, &t->state);
    return TRUE;
}

guint64 maxgl_trainer_predict_bytes(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                    const MaxglClasses *classes, GError **error)
{
    const MaxglShare share = maxgl_share_of_all(recipe, task);
    return maxgl_replica_predict_bytes(context, recipe, task, classes, &share, TRUE, error);
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
    const int clips = maxgl_share_of_all(recipe, task).clips;
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

static gboolean make_replicas(MaxglTrainer *t, MaxglContext *const *contexts, GError **error)
{
    MaxglShares shares;
    if (!maxgl_shares_of(t->recipe, t->task, t->n, &shares, error))
        return FALSE;
    for (guint i = 0; i < t->n; i++) {
        const MaxglShare share = maxgl_shares_get(&shares, t->recipe, i);
        t->replicas[i] = maxgl_replica_new(contexts[i], t->recipe, t->task, t->classes, &share, error);
        if (t->replicas[i])
            continue;
        if (t->n > 1)
            g_prefix_error(error, "device %u of %u: ", i + 1, t->n);
        return FALSE;
    }
    return maxgl_parameters_initialise(t->replicas[0]->parameters, (guint64)t->recipe->train.seed, error);
}

/* What only the first device has. */
static gboolean make_lead(MaxglTrainer *t, GError **error)
{
    const MaxglReplica *lead = t->replicas[0];
    t->loss = t->task->prepare(t->recipe, t->classes, lead->context, lead->network, lead->parameters, error);
    return t->loss && make_updater(t, error) &&
           (t->n == 1 || (t->exchange = maxgl_exchange_new(t->replicas, t->n, error)));
}

MaxglTrainer *maxgl_trainer_new_on(MaxglContext *const *contexts, guint n, const MaxglRecipe *recipe,
                                   const MaxglTask *task, const MaxglClasses *classes, GError **error)
{
    g_autoptr(MaxglTrainer) t = g_new0(MaxglTrainer, 1);
    t->recipe = recipe;
    t->task = task;
    t->classes = classes;
    t->n = n;
    if (!make_replicas(t, contexts, error) || !make_lead(t, error))
        return NULL;
    t->crew = maxgl_crew_new(n);
    return g_steal_pointer(&t);
}

MaxglTrainer *maxgl_trainer_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglClasses *classes, GError **error)
{
    return maxgl_trainer_new_on(&context, 1, recipe, task, classes, error);
}

void maxgl_trainer_free(MaxglTrainer *t)
{
    if (!t)
        return;
    maxgl_crew_free(t->crew);
    maxgl_exchange_free(t->exchange);
    maxgl_updater_free(t->updater);
    if (t->loss)
        t->task->free(t->loss);
    for (guint i = 0; i < t->n; i++)
        maxgl_replica_free(t->replicas[i]);
    g_free(t);
}

const MaxglResnet *maxgl_trainer_resnet(const MaxglTrainer *t)
{
    return t->state.resnet;
}

const MaxglTrainingState *maxgl_trainer_state(const MaxglTrainer *t)
{
    return &t->state;
}

/* Of device @i: from clips to what the loss wants. */
static gboolean forward(gpointer data, guint i, GError **error)
{
    MaxglTrainer *t = data;
    MaxglReplica *r = t->replicas[i];
    return maxgl_replica_take(r, t->batch, error) &&
           (i == 0 || maxgl_exchange_adopt(t->exchange, i, error)) &&
           maxgl_network_set_step(r->network, t->step, error) &&
           maxgl_sequence_run(maxgl_network_forward(r->network), error) &&
           (!t->exchange || maxgl_exchange_collect(t->exchange, i, error));
}

/* From what the loss gives to gradients of the parameters. */
static gboolean backward(gpointer data, guint i, GError **error)
{
    MaxglTrainer *t = data;
    return (i == 0 || maxgl_exchange_receive(t->exchange, i, error)) &&
           maxgl_sequence_run(maxgl_network_backward(t->replicas[i]->network), error) &&
           (i == 0 || maxgl_exchange_return(t->exchange, i, error));
}

gboolean maxgl_trainer_step(MaxglTrainer *t, const MaxglBatch *batch, guint32 step, double learning_rate,
                            GError **error)
{
    MaxglExchange *x = t->exchange;
    t->batch = batch;
    t->step = step;
    return (!x || maxgl_exchange_publish(x, error)) &&
           (!t->task->take || t->task->take(t->loss, batch, error)) &&
           maxgl_updater_begin(t->updater, step, learning_rate, error) &&
           maxgl_crew_run(t->crew, forward, t, error) && (!x || maxgl_exchange_gather(x, error)) &&
           maxgl_sequence_run(t->task->sequence(t->loss), error) && maxgl_updater_scale(t->updater, error) &&
           (!x || maxgl_exchange_scatter(x, error)) && maxgl_crew_run(t->crew, backward, t, error) &&
           (!x || maxgl_exchange_sum(x, error)) && maxgl_updater_run(t->updater, error);
}

gboolean maxgl_trainer_read(MaxglTrainer *t, double values[MAXGL_TASK_MAX_VALUES], GError **error)
{
    return t->task->read(t->loss, values, error);
}
