#include "learn/updater.h"

#include "ops/lars.h"
#include "ops/loss_scale.h"
#include "ops/weight_average.h"
#include <string.h>

struct MaxglUpdater {
    MaxglContext *context;
    MaxglOptimizer optimizer;
    MaxglOptimizerBuffers buffers;
    cl_mem norm_workspace;
    cl_mem lars_table, lars_workspace; /* NULL with other optimisers */
    MaxglSequence *update;
    MaxglParameters *averages; /* and their beginning; NULL without */
    MaxglSequence *start;
    cl_mem loss_scale; /* a MaxglLossScale; NULL without */
    MaxglSequence *scale;
};

/* The floats of the flat buffers that are learnt: [weights, decayed) and [others, learnt). */
typedef struct {
    gsize weights, decayed, others, learnt;
} Ranges;

static MaxglOptimizer optimizer_of(const MaxglRecipe *recipe)
{
    return (MaxglOptimizer){.kind = recipe->train.optimizer,
                            .momentum = (float)recipe->train.momentum,
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .epsilon = 1e-8,
                            .trust = (float)recipe->train.trust};
}

/* Where the parameters of a group, which lie from @begin to @end, begin that belong to none of the first
 * @layers layers: in each group layers lie in their order, heads behind them. @end if there are none. */
static gsize first_behind(int layers, const MaxglResnet *resnet, const MaxglParameters *parameters,
                          MaxglParameterGroup group, gsize begin, gsize end)
{
    for (int i = 0; i < layers; i++) {
        MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
        const int n = maxgl_layer_tensors(resnet, i, tensors);
        for (int j = 0; j < n; j++) {
            g_autofree char *name = g_strdup_printf("%s.%s", resnet->layers[i].name, tensors[j].what);
            const guint index = (guint)maxgl_parameters_find(parameters, name);
            if (maxgl_parameters_get(parameters, index)->group == group)
                begin = maxgl_parameters_end(parameters, index);
        }
    }
    return MIN(begin, end);
}

static Ranges ranges_of(const MaxglRecipe *recipe, const MaxglResnet *resnet,
                        const MaxglParameters *parameters)
{
    const gsize decayed = maxgl_parameters_decayed_floats(parameters),
                learnt = maxgl_parameters_learnt_floats(parameters);
    const int frozen = maxgl_recipe_frozen(recipe, resnet);
    return (Ranges){first_behind(frozen, resnet, parameters, MAXGL_PARAMETER_DECAYED, 0, decayed), decayed,
                    first_behind(frozen, resnet, parameters, MAXGL_PARAMETER_UNDECAYED, decayed, learnt),
                    learnt};
}

/* The learnt weights, each a tensor of its own, and all the rest. */
static GArray *lars_tensors(const MaxglParameters *parameters, const Ranges *r)
{
    GArray *tensors = g_array_new(FALSE, FALSE, sizeof(MaxglLarsTensor));
    for (guint i = 0; i < maxgl_parameters_count(parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(parameters, i);
        const MaxglLarsTensor tensor = {p->offset, p->floats, TRUE};
        if (p->group == MAXGL_PARAMETER_DECAYED && p->offset >= r->weights)
            g_array_append_val(tensors, tensor);
    }
    const MaxglLarsTensor rest = {r->others, r->learnt - r->others, FALSE};
    g_array_append_val(tensors, rest);
    return tensors;
}

static guint64 lars_bytes(const MaxglParameters *parameters, const Ranges *r)
{
    g_autoptr(GArray) list = lars_tensors(parameters, r);
    const MaxglLarsTensor *tensors = (const MaxglLarsTensor *)list->data;
    return maxgl_lars_table_bytes(tensors, list->len) + maxgl_lars_workspace(tensors, list->len);
}

guint64 maxgl_updater_predict_bytes(const MaxglRecipe *recipe, const MaxglResnet *resnet,
                                    const MaxglParameters *parameters)
{
    const MaxglOptimizer optimizer = optimizer_of(recipe);
    const guint64 learnt = maxgl_parameters_learnt_floats(parameters);
    guint64 bytes =
        learnt * (guint64)maxgl_optimizer_states(&optimizer) * sizeof(float) + sizeof(MaxglOptimizerStep);
    if (recipe->train.clip_norm > 0)
        bytes += sizeof(MaxglGradientNorm) + maxgl_gradient_norm_workspace(learnt);
    if (optimizer.kind == MAXGL_OPTIMIZER_LARS) {
        const Ranges ranges = ranges_of(recipe, resnet, parameters);
        bytes += lars_bytes(parameters, &ranges);
    }
    if (recipe->train.precision == MAXGL_PRECISION_FP16)
        bytes += sizeof(MaxglLossScale);
    if (recipe->train.ema > 0)
        bytes += (learnt + maxgl_parameters_statistics_floats(parameters)) * sizeof(float);
    return bytes;
}

static cl_mem zeroed(MaxglContext *context, gsize bytes, const char *what, GError **error)
{
    cl_mem buffer = maxgl_buffer_new(context, bytes, what, error);
    if (!buffer || maxgl_buffer_zero(context, buffer, 0, bytes, error))
        return buffer;
    maxgl_buffer_free(context, buffer);
    return NULL;
}

static gboolean make_buffers(MaxglUpdater *u, const MaxglParameters *parameters, GError **error)
{
    const gsize floats = maxgl_parameters_learnt_floats(parameters);
    MaxglOptimizerBuffers *b = &u->buffers;
    b->parameters = maxgl_parameters_values(parameters);
    b->gradients = maxgl_parameters_gradients(parameters);
    for (int i = 0; i < maxgl_optimizer_states(&u->optimizer); i++)
        if (!(b->state[i] = zeroed(u->context, floats * sizeof(float), "the optimiser's state", error)))
            return FALSE;
    b->step = zeroed(u->context, sizeof(MaxglOptimizerStep), "the optimiser's step", error);
    return b->step != NULL;
}

/* Gradients of the network's parameters are scaled, those of the heads are not; what is not finite counts in
 * both. */
static gboolean append_unscaling(MaxglUpdater *u, const MaxglRecipe *recipe, const MaxglResnet *resnet,
                                 const MaxglParameters *parameters, const Ranges *r, GError **error)
{
    const int layers = resnet->n_layers;
    const gsize heads = first_behind(layers, resnet, parameters, MAXGL_PARAMETER_DECAYED, 0, r->decayed),
                other_heads = first_behind(layers, resnet, parameters, MAXGL_PARAMETER_UNDECAYED, r->decayed,
                                           r->learnt);
    const struct {
        gsize first, end;
        gboolean scaled;
    } ranges[] = {{r->weights, heads, TRUE},
                  {heads, r->decayed, FALSE},
                  {r->others, other_heads, TRUE},
                  {other_heads, r->learnt, FALSE}};
    if (recipe->train.precision != MAXGL_PRECISION_FP16)
        return TRUE;
    const MaxglLossScale begin = {.scale = (float)recipe->train.loss_scale};
    u->scale = maxgl_sequence_new(u->context);
    u->loss_scale = maxgl_buffer_new(u->context, sizeof begin, "the loss scale", error);
    if (!u->loss_scale || !maxgl_loss_scale_write(u->context, u->loss_scale, &begin, error))
        return FALSE;
    u->buffers.skip = u->loss_scale;
    for (guint i = 0; i < G_N_ELEMENTS(ranges); i++)
        if (!maxgl_loss_scale_remove(u->update, u->buffers.gradients, ranges[i].first,
                                     ranges[i].end - ranges[i].first, ranges[i].scaled, u->loss_scale, error))
            return FALSE;
    return maxgl_loss_scale_update(u->update, recipe->train.loss_scale_steps, u->loss_scale, error) &&
           maxgl_loss_scale_count(u->update, &u->optimizer, u->buffers.step, u->loss_scale, error);
}

static gboolean append_clipping(MaxglUpdater *u, gsize floats, double max_norm, GError **error)
{
    const char *what = "the gradient's norm";
    if (max_norm == 0)
        return TRUE;
    return (u->buffers.clip = zeroed(u->context, sizeof(MaxglGradientNorm), what, error)) &&
           (u->norm_workspace =
                maxgl_buffer_new(u->context, maxgl_gradient_norm_workspace(floats), what, error)) &&
           maxgl_gradient_norm(u->update, u->buffers.gradients, floats, (float)max_norm, u->buffers.clip,
                               u->norm_workspace, error);
}

static gboolean append_lars(MaxglUpdater *u, const MaxglParameters *parameters, const Ranges *r,
                            double weight_decay, GError **error)
{
    g_autoptr(GArray) list = lars_tensors(parameters, r);
    const MaxglLarsTensor *tensors = (const MaxglLarsTensor *)list->data;
    const gsize n = list->len;
    const char *what = "the ratios of LARS";
    return (u->lars_table = maxgl_buffer_new(u->context, maxgl_lars_table_bytes(tensors, n), what, error)) &&
           (u->lars_workspace =
                maxgl_buffer_new(u->context, maxgl_lars_workspace(tensors, n), what, error)) &&
           maxgl_lars_table_write(u->context, tensors, n, u->lars_table, error) &&
           maxgl_lars_update(u->update, &u->optimizer, &u->buffers, tensors, n, weight_decay, u->lars_table,
                             u->lars_workspace, error);
}

static gboolean append_update(MaxglUpdater *u, const MaxglParameters *parameters, const Ranges *r,
                              double weight_decay, GError **error)
{
    if (u->optimizer.kind == MAXGL_OPTIMIZER_LARS)
        return append_lars(u, parameters, r, weight_decay, error);
    return maxgl_optimizer_update(u->update, &u->optimizer, &u->buffers, r->weights, r->decayed - r->weights,
                                  weight_decay, error) &&
           maxgl_optimizer_update(u->update, &u->optimizer, &u->buffers, r->others, r->learnt - r->others, 0,
                                  error);
}

/* Averages are parameters by the same names, and lie alike. */
static gboolean append_averages(MaxglUpdater *u, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglResnet *resnet, const MaxglParameters *parameters, GError **error)
{
    if (recipe->train.ema == 0)
        return TRUE;
    u->averages = maxgl_parameters_new(u->context);
    u->start = maxgl_sequence_new(u->context);
    maxgl_resnet_declare(resnet, u->averages);
    task->declare(recipe, resnet, u->averages);
    if (!maxgl_parameters_allocate(u->averages, FALSE, error))
        return FALSE;
    const struct {
        cl_mem from, to;
        gsize floats;
    } flat[] = {{maxgl_parameters_values(parameters), maxgl_parameters_values(u->averages),
                 maxgl_parameters_learnt_floats(parameters)},
                {maxgl_parameters_statistics(parameters), maxgl_parameters_statistics(u->averages),
                 maxgl_parameters_statistics_floats(parameters)}};
    for (guint i = 0; i < G_N_ELEMENTS(flat); i++)
        if (!maxgl_sequence_add_copy(u->start, flat[i].from, 0, flat[i].to, 0, flat[i].floats * sizeof(float),
                                     error) ||
            !maxgl_weight_average(u->update, flat[i].from, flat[i].to, flat[i].floats, recipe->train.ema,
                                  u->buffers.step, u->buffers.skip, error))
            return FALSE;
    return TRUE;
}

MaxglUpdater *maxgl_updater_new(const MaxglRecipe *recipe, const MaxglTask *task, const MaxglResnet *resnet,
                                MaxglParameters *parameters, GError **error)
{
    g_autoptr(MaxglUpdater) u = g_new0(MaxglUpdater, 1);
    const Ranges ranges = ranges_of(recipe, resnet, parameters);
    u->context = maxgl_parameters_context(parameters);
    u->optimizer = optimizer_of(recipe);
    u->update = maxgl_sequence_new(u->context);
    if (!make_buffers(u, parameters, error) ||
        !append_unscaling(u, recipe, resnet, parameters, &ranges, error) ||
        !append_clipping(u, ranges.learnt, recipe->train.clip_norm, error) ||
        !append_update(u, parameters, &ranges, recipe->train.weight_decay, error) ||
        !append_averages(u, recipe, task, resnet, parameters, error))
        return NULL;
    return g_steal_pointer(&u);
}

void maxgl_updater_free(MaxglUpdater *u)
{
    if (!u)
        return;
    maxgl_sequence_free(u->update);
    maxgl_sequence_free(u->start);
    maxgl_sequence_free(u->scale);
    maxgl_buffer_free(u->context, u->loss_scale);
    maxgl_parameters_free(u->averages);
    maxgl_buffer_free(u->context, u->buffers.state[0]);
    maxgl_buffer_free(u->context, u->buffers.state[1]);
    maxgl_buffer_free(u->context, u->buffers.step);
    maxgl_buffer_free(u->context, u->buffers.clip);
    maxgl_buffer_free(u->context, u->norm_workspace);
    maxgl_buffer_free(u->context, u->lars_table);
    maxgl_buffer_free(u->context, u->lars_workspace);
    g_free(u);
}

void maxgl_updater_state(const MaxglUpdater *u, MaxglTrainingState *state)
{
    state->optimizer = &u->optimizer;
    state->averages = u->averages;
    state->loss_scale = u->loss_scale;
    memcpy(state->states, u->buffers.state, sizeof state->states);
}

gboolean maxgl_updater_begin(MaxglUpdater *u, guint32 step, double learning_rate, GError **error)
{
    return maxgl_optimizer_set_step(u->context, &u->optimizer, u->buffers.step, step, learning_rate, error) &&
           (step > 1 || !u->start || maxgl_sequence_run(u->start, error));
}

gboolean maxgl_updater_add_scaled(MaxglUpdater *u, const MaxglTensor *gradient, GError **error)
{
    return !u->scale || maxgl_loss_scale_apply(u->scale, gradient->buffer,
                                               maxgl_shape_floats(&gradient->shape), u->loss_scale, error);
}

gboolean maxgl_updater_scale(MaxglUpdater *u, GError **error)
{
    return !u->scale || maxgl_sequence_run(u->scale, error);
}

gboolean maxgl_updater_run(MaxglUpdater *u, GError **error)
{
    return maxgl_sequence_run(u->update, error);
}
