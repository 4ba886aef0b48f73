#include "net/network_private.h"
#include "ops/convert.h"
#include "ops/elementwise.h"

#include <maxgl/error.h>

/* Where a step's operands lie. */
static cl_mem at(const MaxglNetwork *n, int block)
{
    return block == NO_BLOCK ? NULL : maxgl_memory_plan_window(n->plan, (guint)block);
}

static gboolean norm_vectors(const MaxglNetwork *n, int layer, MaxglBatchNormVectors *v, GError **error)
{
    return (v->gamma = maxgl_network_value(n, layer, "weight", error)) &&
           (v->beta = maxgl_network_value(n, layer, "bias", error)) &&
           (v->running_mean = maxgl_network_value(n, layer, "running_mean", error)) &&
           (v->running_var = maxgl_network_value(n, layer, "running_var", error));
}

/* Where a step writes the gradient of a parameter, and where it belongs; floats of it. */
typedef struct {
    cl_mem written, total;
    gsize floats;
} Gradient;

/* The backward pass begins with the batch's last part, which the forward pass has left as it is. That one
 * overwrites, the others add. */
static gboolean gradient_of(const MaxglNetwork *n, const MaxglStep *s, const char *what, int block,
                            Gradient *gradient, GError **error)
{
    const int index = maxgl_network_parameter(n, s->layer, what, error);
    const MaxglParameter *p = index < 0 ? NULL : maxgl_parameters_get(n->parameters, (guint)index);
    if (!p)
        return FALSE;
    *gradient = (Gradient){p->gradient, p->gradient, p->floats};
    if (n->part < n->parts - 1)
        gradient->written = at(n, block);
    if (!p->gradient)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: %s has no gradient to train with",
                    p->name);
    return p->gradient != NULL;
}

static gboolean add_up(const MaxglNetwork *n, const Gradient *g, GError **error)
{
    return g->written == g->total || maxgl_add(n->backward, g->floats, g->total, g->written, g->total, error);
}

static gboolean forward_folded(MaxglNetwork *n, MaxglSequence *sequence, const MaxglStep *s, GError **error)
{
    const MaxglLayerPlan *p = &n->layers[s->layer];
    const MaxglConv3d conv = maxgl_network_conv3d(n, p->folded);
    const MaxglConv3dEpilogue epilogue = {
        .bias = maxgl_memory_plan_window(n->weights_plan, (guint)p->bias),
        .residual = at(n, s->residual),
        .relu = n->resnet->layers[s->layer].relu,
    };
    cl_mem weights = maxgl_memory_plan_window(n->weights_plan, (guint)p->weights);
    return (p->prepared ? maxgl_conv3d_forward_prepared : maxgl_conv3d_forward)(
        sequence, &conv, at(n, s->x), weights, at(n, s->y), &epilogue, at(n, s->workspace), error);
}

static gboolean forward_conv3d(MaxglNetwork *n, MaxglSequence *sequence, const MaxglStep *s, GError **error)
{
    const MaxglConv3d conv = maxgl_network_conv3d(n, s->layer);
    const MaxglConv3dEpilogue epilogue = {.statistics = at(n, s->statistics)};
    cl_mem weights = maxgl_network_value(n, s->layer, "weight", error);
    return weights && maxgl_conv3d_forward(sequence, &conv, at(n, s->x), weights, at(n, s->y), &epilogue,
                                           at(n, s->workspace), error);
}

static gboolean forward_batch_norm(MaxglNetwork *n, MaxglSequence *sequence, const MaxglStep *s,
                                   GError **error)
{
    MaxglBatchNorm norm = maxgl_network_batch_norm(n, s->layer);
    MaxglBatchNormVectors vectors;
    if (!norm_vectors(n, s->layer, &vectors, error))
        return FALSE;
    if (!maxgl_network_learns(n, s->layer))
        return maxgl_batch_norm_forward_evaluation(sequence, &norm, &vectors, at(n, s->x), at(n, s->residual),
                                                   at(n, s->y), error);
    if (sequence == n->backward)
        norm.momentum = 0; /* forward has updated the running statistics already */
    if (s->kind == MAXGL_STEP_AGAIN)
        return maxgl_batch_norm_forward_again(sequence, &norm, &vectors, at(n, s->x), at(n, s->residual),
                                              at(n, s->y), at(n, s->kept), error);
    if (s->statistics == NO_BLOCK)
        return maxgl_batch_norm_forward_training(sequence, &norm, &vectors, at(n, s->x), at(n, s->residual),
                                                 at(n, s->y), at(n, s->kept), at(n, s->workspace), error);
    const MaxglLayer *l = &n->resnet->layers[s->layer];
    const MaxglConv3d conv = maxgl_network_conv3d(n, n->resnet->tensors[l->input].producer);
    return maxgl_batch_norm_forward_given(sequence, &norm, &vectors, at(n, s->x), at(n, s->residual),
                                          at(n, s->y), at(n, s->kept), at(n, s->statistics),
                                          maxgl_conv3d_statistics_parts(n->context, &conv), error);
}

static gboolean forward_linear(MaxglNetwork *n, MaxglSequence *sequence, const MaxglStep *s, GError **error)
{
    const MaxglLinear linear = maxgl_network_linear(n, s->layer);
    cl_mem weights = maxgl_network_value(n, s->layer, "weight", error);
    cl_mem bias = weights ? maxgl_network_value(n, s->layer, "bias", error) : NULL;
    return bias && maxgl_linear_forward(sequence, &linear, at(n, s->x), weights, bias, FALSE, at(n, s->y),
                                        at(n, s->workspace), error);
}

static gboolean forward_layer(MaxglNetwork *n, MaxglSequence *sequence, const MaxglStep *s, GError **error)
{
    cl_mem x = at(n, s->x), y = at(n, s->y);
    switch (n->resnet->layers[s->layer].kind) {
    case MAXGL_LAYER_CONV3D:
        return forward_conv3d(n, sequence, s, error);
    case MAXGL_LAYER_BATCH_NORM:
        return n->layers[s->layer].folded >= 0 ? forward_folded(n, sequence, s, error)
                                               : forward_batch_norm(n, sequence, s, error);
    case MAXGL_LAYER_MAX_POOL: {
        const MaxglMaxPool pool = maxgl_network_max_pool(n, s->layer);
        return maxgl_max_pool_forward(sequence, &pool, x, y, at(n, s->kept), error);
    }
    case MAXGL_LAYER_SHORTCUT_A: {
        const MaxglSubsample subsample = maxgl_network_subsample(n, s->layer);
        return maxgl_subsample_forward(sequence, &subsample, x, y, error);
    }
    case MAXGL_LAYER_GLOBAL_POOL: {
        const MaxglAveragePool pool = maxgl_network_global_pool(n, s->layer);
        return maxgl_average_pool_forward(sequence, &pool, x, y, error);
    }
    case MAXGL_LAYER_DROPOUT: {
        const MaxglDropout dropout = maxgl_network_dropout(n, s->layer);
        return maxgl_dropout_forward(sequence, &dropout, x, at(n, n->step_block), y, error);
    }
    case MAXGL_LAYER_LINEAR:
        return forward_linear(n, sequence, s, error);
    }
    return TRUE;
}

static gboolean backward_weights(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    cl_mem x = at(n, s->x), dy = at(n, s->dy), workspace = at(n, s->workspace);
    Gradient weight, bias;
    if (!gradient_of(n, s, "weight", s->dw, &weight, error))
        return FALSE;
    if (n->resnet->layers[s->layer].kind == MAXGL_LAYER_CONV3D) {
        const MaxglConv3d conv = maxgl_network_conv3d(n, s->layer);
        return maxgl_conv3d_backward_weights(n->backward, &conv, x, dy, weight.written, workspace, error) &&
               add_up(n, &weight, error);
    }
    const MaxglLinear linear = maxgl_network_linear(n, s->layer);
    return gradient_of(n, s, "bias", s->db, &bias, error) &&
           maxgl_linear_backward_weights(n->backward, &linear, x, dy, weight.written, bias.written, workspace,
                                         error) &&
           add_up(n, &weight, error) && add_up(n, &bias, error);
}

static gboolean backward_batch_norm(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    const MaxglBatchNorm norm = maxgl_network_batch_norm(n, s->layer);
    MaxglBatchNormVectors vectors;
    Gradient gamma, beta;
    if (!norm_vectors(n, s->layer, &vectors, error) || !gradient_of(n, s, "weight", s->dw, &gamma, error) ||
        !gradient_of(n, s, "bias", s->db, &beta, error))
        return FALSE;
    const MaxglBatchNormGradients g = {
        .x = at(n, s->x),
        .y = at(n, s->y),
        .saved = at(n, s->kept),
        .dy = at(n, s->dy),
        .dx = at(n, s->dx),
        .d_residual = at(n, s->d_residual),
        .accumulate_residual = s->accumulate_residual,
        .dgamma = gamma.written,
        .dbeta = beta.written,
    };
    return maxgl_batch_norm_backward(n->backward, &norm, &vectors, &g, at(n, s->workspace), error) &&
           add_up(n, &gamma, error) && add_up(n, &beta, error);
}

static gboolean backward_conv3d(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    const MaxglConv3d conv = maxgl_network_conv3d(n, s->layer);
    cl_mem weights = maxgl_network_value(n, s->layer, "weight", error);
    return weights && maxgl_conv3d_backward_data(n->backward, &conv, at(n, s->dy), weights, at(n, s->dx),
                                                 s->accumulate, at(n, s->workspace), error);
}

static gboolean backward_linear(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    const MaxglLinear linear = maxgl_network_linear(n, s->layer);
    cl_mem weights = maxgl_network_value(n, s->layer, "weight", error);
    return weights && maxgl_linear_backward_data(n->backward, &linear, at(n, s->dy), weights, at(n, s->dx),
                                                 s->accumulate, at(n, s->workspace), error);
}

/* Dropout's gradient is computed where dy is, and added where something else was there before. */
static gboolean backward_dropout(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    const MaxglDropout dropout = maxgl_network_dropout(n, s->layer);
    cl_mem dy = at(n, s->dy), dx = at(n, s->dx);
    if (!maxgl_dropout_backward(n->backward, &dropout, dy, at(n, n->step_block), dy, error))
        return FALSE;
    return !s->accumulate || maxgl_add(n->backward, maxgl_shape_floats(&dropout.shape), dx, dy, dx, error);
}

static gboolean backward_layer(MaxglNetwork *n, const MaxglStep *s, GError **error)
{
    cl_mem dy = at(n, s->dy), dx = at(n, s->dx);
    switch (n->resnet->layers[s->layer].kind) {
    case MAXGL_LAYER_CONV3D:
        return backward_conv3d(n, s, error);
    case MAXGL_LAYER_BATCH_NORM:
        return backward_batch_norm(n, s, error);
    case MAXGL_LAYER_MAX_POOL: {
        const MaxglMaxPool pool = maxgl_network_max_pool(n, s->layer);
        return maxgl_max_pool_backward(n->backward, &pool, dy, at(n, s->kept), dx, s->accumulate, error);
    }
    case MAXGL_LAYER_SHORTCUT_A: {
        const MaxglSubsample subsample = maxgl_network_subsample(n, s->layer);
        return maxgl_subsample_backward(n->backward, &subsample, dy, dx, s->accumulate, error);
    }
    case MAXGL_LAYER_GLOBAL_POOL: {
        const MaxglAveragePool pool = maxgl_network_global_pool(n, s->layer);
        return maxgl_average_pool_backward(n->backward, &pool, dy, dx, s->accumulate, error);
    }
    case MAXGL_LAYER_DROPOUT:
        return backward_dropout(n, s, error);
    case MAXGL_LAYER_LINEAR:
        return backward_linear(n, s, error);
    }
    return TRUE;
}

static gboolean backward_step(MaxglNetwork *n, const MaxglStep *step, GError **error)
{
    switch (step->kind) {
    case MAXGL_STEP_AGAIN:
        return forward_layer(n, n->backward, step, error);
    case MAXGL_STEP_BACKWARD_WEIGHTS:
        return backward_weights(n, step, error);
    case MAXGL_STEP_BACKWARD:
        return backward_layer(n, step, error);
    default:
        return TRUE;
    }
}

/* Between a tensor as the caller sees it and that of the part, as it is stored inside; nothing where they are
 * one. */
static gboolean copy_part(MaxglNetwork *n, MaxglSequence *sequence, int tensor, int whole, int part,
                          gboolean in, GError **error)
{
    const MaxglShape shape = maxgl_network_shape(n, tensor);
    const gsize numbers = maxgl_shape_floats(&shape), bytes = maxgl_shape_bytes(&shape);
    const MaxglNumbers outside = {at(n, whole), MAXGL_FLOAT32, (gsize)n->part * numbers},
                       inside = {at(n, part), shape.storage, 0};
    if (whole == NO_BLOCK)
        return TRUE;
    if (shape.storage != MAXGL_FLOAT32)
        return maxgl_convert(sequence, numbers, in ? outside : inside, in ? inside : outside, error);
    const gsize offset = (gsize)n->part * bytes;
    return in ? maxgl_sequence_add_copy(sequence, outside.buffer, offset, inside.buffer, 0, bytes, error)
              : maxgl_sequence_add_copy(sequence, inside.buffer, 0, outside.buffer, offset, bytes, error);
}

/* The forward pass of a part. */
static gboolean build_forward(MaxglNetwork *n, MaxglSequence *sequence, GError **error)
{
    gboolean ok = copy_part(n, sequence, 0, n->whole_values[0], n->values[0], TRUE, error);
    for (guint i = 0; ok && i < n->steps->len; i++) {
        const MaxglStep *step = &g_array_index(n->steps, MaxglStep, i);
        ok = step->kind != MAXGL_STEP_FORWARD || forward_layer(n, sequence, step, error);
    }
    return ok;
}

static gboolean build_backward(MaxglNetwork *n, GError **error)
{
    gboolean ok = TRUE;
    for (int i = 1; ok && i < n->resnet->n_tensors; i++)
        ok = copy_part(n, n->backward, i, n->whole_gradients[i], n->gradients[i], TRUE, error);
    for (guint i = 0; ok && i < n->steps->len; i++)
        ok = backward_step(n, &g_array_index(n->steps, MaxglStep, i), error);
    return ok;
}

gboolean maxgl_network_build(MaxglNetwork *n, GError **error)
{
    for (n->part = 0; n->part < n->parts; n->part++) {
        if (!build_forward(n, n->forward, error))
            return FALSE;
        for (int i = 1; i < n->resnet->n_tensors; i++)
            if (!copy_part(n, n->forward, i, n->whole_values[i], n->values[i], FALSE, error))
                return FALSE;
    }
    for (int i = 0; n->backward && i < n->parts; i++) {
        n->part = (n->parts - 1 + i) % n->parts; /* the last, then from the first on */
        if ((i > 0 && !build_forward(n, n->backward, error)) || !build_backward(n, error))
            return FALSE;
    }
    return TRUE;
}
