#include "net/network_private.h"
#include "ops/elementwise.h"

static cl_mem value(const MaxglNetwork *n, int tensor)
{
    return n->value_tensors[tensor].buffer;
}

static cl_mem gradient(const MaxglNetwork *n, int tensor)
{
    return n->gradient_tensors[tensor].buffer;
}

static cl_mem window(const MaxglNetwork *n, int block)
{
    return maxgl_memory_plan_window(n->plan, (guint)block);
}

static cl_mem workspace(const MaxglNetwork *n)
{
    return window(n, n->workspace_block);
}

static gboolean norm_vectors(const MaxglNetwork *n, int layer, MaxglBatchNormVectors *v, GError **error)
{
    return (v->gamma = maxgl_network_value(n, layer, "weight", error)) &&
           (v->beta = maxgl_network_value(n, layer, "bias", error)) &&
           (v->running_mean = maxgl_network_value(n, layer, "running_mean", error)) &&
           (v->running_var = maxgl_network_value(n, layer, "running_var", error));
}

static cl_mem parameter_gradient(const MaxglNetwork *n, int layer, const char *what, GError **error)
{
    const int index = maxgl_network_parameter(n, layer, what, error);
    if (index < 0)
        return NULL;
    const MaxglParameter *p = maxgl_parameters_get(n->parameters, (guint)index);
    if (!p->gradient)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: %s has no gradient to train with",
                    p->name);
    return p->gradient;
}

static gboolean forward_folded(MaxglNetwork *n, int norm, GError **error)
{
    const MaxglLayerPlan *p = &n->layers[norm];
    const MaxglLayer *l = &n->resnet->layers[norm];
    const MaxglConv3d conv = maxgl_network_conv3d(n, p->folded);
    const MaxglConv3dEpilogue epilogue = {
        .bias = maxgl_memory_plan_window(n->weights_plan, (guint)p->bias),
        .residual = l->residual >= 0 ? value(n, l->residual) : NULL,
        .relu = l->relu,
    };
    cl_mem x = value(n, n->resnet->layers[p->folded].input), y = value(n, l->output);
    cl_mem weights = maxgl_memory_plan_window(n->weights_plan, (guint)p->weights);
    return p->prepared
               ? maxgl_conv3d_forward_prepared(n->forward, &conv, x, weights, y, &epilogue, workspace(n),
                                               error)
               : maxgl_conv3d_forward(n->forward, &conv, x, weights, y, &epilogue, workspace(n), error);
}

static gboolean forward_conv3d(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglConv3d conv = maxgl_network_conv3d(n, index);
    cl_mem weights = maxgl_network_value(n, index, "weight", error);
    return weights && maxgl_conv3d_forward(n->forward, &conv, value(n, l->input), weights,
                                           value(n, l->output), NULL, workspace(n), error);
}

static gboolean forward_batch_norm(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglBatchNorm norm = maxgl_network_batch_norm(n, index);
    MaxglBatchNormVectors vectors;
    return norm_vectors(n, index, &vectors, error) &&
           maxgl_batch_norm_forward_training(n->forward, &norm, &vectors, value(n, l->input),
                                             l->residual >= 0 ? value(n, l->residual) : NULL,
                                             value(n, l->output), window(n, n->layers[index].kept),
                                             workspace(n), error);
}

static gboolean forward_linear(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglLinear linear = maxgl_network_linear(n, index);
    cl_mem weights = maxgl_network_value(n, index, "weight", error);
    cl_mem bias = weights ? maxgl_network_value(n, index, "bias", error) : NULL;
    return bias && maxgl_linear_forward(n->forward, &linear, value(n, l->input), weights, bias, FALSE,
                                        value(n, l->output), workspace(n), error);
}

static gboolean forward_layer(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    cl_mem x = value(n, l->input), y = value(n, l->output);
    const gboolean training = n->mode == MAXGL_NETWORK_TRAINING;
    switch (l->kind) {
    case MAXGL_LAYER_CONV3D:
        return n->layers[index].folded_into >= 0 || forward_conv3d(n, index, error);
    case MAXGL_LAYER_BATCH_NORM:
        return n->layers[index].folded >= 0 ? forward_folded(n, index, error)
                                            : forward_batch_norm(n, index, error);
    case MAXGL_LAYER_MAX_POOL: {
        const MaxglMaxPool pool = maxgl_network_max_pool(n, index);
        return maxgl_max_pool_forward(n->forward, &pool, x, y,
                                      training ? window(n, n->layers[index].kept) : NULL, error);
    }
    case MAXGL_LAYER_SHORTCUT_A: {
        const MaxglSubsample subsample = maxgl_network_subsample(n, index);
        return maxgl_subsample_forward(n->forward, &subsample, x, y, error);
    }
    case MAXGL_LAYER_GLOBAL_POOL: {
        const MaxglAveragePool pool = maxgl_network_global_pool(n, index);
        return maxgl_average_pool_forward(n->forward, &pool, x, y, error);
    }
    case MAXGL_LAYER_DROPOUT: {
        const MaxglDropout dropout = maxgl_network_dropout(n, index);
        return !training ||
               maxgl_dropout_forward(n->forward, &dropout, x, window(n, n->step_block), y, error);
    }
    case MAXGL_LAYER_LINEAR:
        return forward_linear(n, index, error);
    }
    return TRUE;
}

static gboolean backward_conv3d(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglConv3d conv = maxgl_network_conv3d(n, index);
    cl_mem dy = gradient(n, l->output), weights = maxgl_network_value(n, index, "weight", error);
    cl_mem dw = weights ? parameter_gradient(n, index, "weight", error) : NULL;
    if (!dw ||
        !maxgl_conv3d_backward_weights(n->backward, &conv, value(n, l->input), dy, dw, workspace(n), error))
        return FALSE;
    return l->input == 0 || maxgl_conv3d_backward_data(n->backward, &conv, dy, weights, gradient(n, l->input),
                                                       n->layers[index].accumulate, workspace(n), error);
}

static gboolean backward_batch_norm(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglBatchNorm norm = maxgl_network_batch_norm(n, index);
    MaxglBatchNormVectors vectors;
    MaxglBatchNormGradients g = {
        .x = value(n, l->input),
        .y = l->residual >= 0 && l->relu ? value(n, l->output) : NULL,
        .saved = window(n, n->layers[index].kept),
        .dy = gradient(n, l->output),
        .dx = gradient(n, l->input),
        .d_residual = l->residual >= 0 ? gradient(n, l->residual) : NULL,
        .accumulate_residual = n->layers[index].accumulate_residual,
    };
    return norm_vectors(n, index, &vectors, error) &&
           (g.dgamma = parameter_gradient(n, index, "weight", error)) &&
           (g.dbeta = parameter_gradient(n, index, "bias", error)) &&
           maxgl_batch_norm_backward(n->backward, &norm, &vectors, &g, workspace(n), error);
}

static gboolean backward_linear(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglLinear linear = maxgl_network_linear(n, index);
    cl_mem dy = gradient(n, l->output), weights = maxgl_network_value(n, index, "weight", error), dw, db;
    return weights && (dw = parameter_gradient(n, index, "weight", error)) &&
           (db = parameter_gradient(n, index, "bias", error)) &&
           maxgl_linear_backward_weights(n->backward, &linear, value(n, l->input), dy, dw, db, workspace(n),
                                         error) &&
           maxgl_linear_backward_data(n->backward, &linear, dy, weights, gradient(n, l->input),
                                      n->layers[index].accumulate, workspace(n), error);
}

/* Dropout's gradient is computed where dy is, and added where something else was there before. */
static gboolean backward_dropout(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const MaxglDropout dropout = maxgl_network_dropout(n, index);
    cl_mem dy = gradient(n, l->output), dx = gradient(n, l->input);
    if (!maxgl_dropout_backward(n->backward, &dropout, dy, window(n, n->step_block), dy, error))
        return FALSE;
    return !n->layers[index].accumulate ||
           maxgl_add(n->backward, maxgl_shape_floats(&dropout.shape), dx, dy, dx, error);
}

static gboolean backward_layer(MaxglNetwork *n, int index, GError **error)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const gboolean accumulate = n->layers[index].accumulate;
    cl_mem dy = gradient(n, l->output), dx = gradient(n, l->input);
    switch (l->kind) {
    case MAXGL_LAYER_CONV3D:
        return backward_conv3d(n, index, error);
    case MAXGL_LAYER_BATCH_NORM:
        return backward_batch_norm(n, index, error);
    case MAXGL_LAYER_MAX_POOL: {
        const MaxglMaxPool pool = maxgl_network_max_pool(n, index);
        return maxgl_max_pool_backward(n->backward, &pool, dy, window(n, n->layers[index].kept), dx,
                                       accumulate, error);
    }
    case MAXGL_LAYER_SHORTCUT_A: {
        const MaxglSubsample subsample = maxgl_network_subsample(n, index);
        return maxgl_subsample_backward(n->backward, &subsample, dy, dx, accumulate, error);
    }
    case MAXGL_LAYER_GLOBAL_POOL: {
        const MaxglAveragePool pool = maxgl_network_global_pool(n, index);
        return maxgl_average_pool_backward(n->backward, &pool, dy, dx, accumulate, error);
    }
    case MAXGL_LAYER_DROPOUT:
        return backward_dropout(n, index, error);
    case MAXGL_LAYER_LINEAR:
        return backward_linear(n, index, error);
    }
    return TRUE;
}

gboolean maxgl_network_build_forward(MaxglNetwork *n, GError **error)
{
    for (int i = 0; i < n->resnet->n_layers; i++)
        if (n->layers[i].active && !forward_layer(n, i, error))
            return FALSE;
    return TRUE;
}

gboolean maxgl_network_build_backward(MaxglNetwork *n, GError **error)
{
    for (int i = n->resnet->n_layers - 1; i >= 0; i--)
        if (n->layers[i].active && !backward_layer(n, i, error))
            return FALSE;
    return TRUE;
}
