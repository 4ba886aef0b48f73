#include "net/network_private.h"

#include <string.h>

MaxglShape maxgl_network_shape(const MaxglNetwork *n, int tensor)
{
    return maxgl_precision_shape(n->precision, n->context, n->resnet, tensor, n->at_once);
}

gboolean maxgl_network_is_apart(const MaxglNetwork *n, int tensor)
{
    return (tensor == 0 || n->is_output[tensor]) &&
           (n->parts > 1 || maxgl_network_shape(n, tensor).storage != MAXGL_FLOAT32);
}

MaxglShape maxgl_network_held_shape(const MaxglNetwork *n, int tensor)
{
    MaxglShape shape = maxgl_shape_stored(maxgl_network_shape(n, tensor), MAXGL_FLOAT32);
    shape.n = n->batch + (tensor == 0 ? n->more_inputs : n->more_outputs);
    return shape;
}

gboolean maxgl_network_learns(const MaxglNetwork *n, int layer)
{
    return n->mode == MAXGL_NETWORK_TRAINING && layer >= n->frozen;
}

MaxglConv3d maxgl_network_conv3d(const MaxglNetwork *n, int layer)
{
    MaxglConv3d conv = maxgl_precision_conv3d(n->precision, n->context, n->resnet, layer, n->at_once);
    conv.exact = n->exact;
    return conv;
}

MaxglBatchNorm maxgl_network_batch_norm(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    return (MaxglBatchNorm){maxgl_network_shape(n, l->output), MAXGL_BATCH_NORM_EPS,
                            MAXGL_BATCH_NORM_MOMENTUM, l->relu};
}

MaxglMaxPool maxgl_network_max_pool(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    MaxglMaxPool pool = {.input = maxgl_network_shape(n, l->input)};
    memcpy(pool.kernel, l->kernel, sizeof pool.kernel);
    memcpy(pool.stride, l->stride, sizeof pool.stride);
    memcpy(pool.pad, l->pad, sizeof pool.pad);
    return pool;
}

MaxglAveragePool maxgl_network_global_pool(const MaxglNetwork *n, int layer)
{
    return (MaxglAveragePool){maxgl_network_shape(n, n->resnet->layers[layer].input), {1, 1, 1}};
}

MaxglSubsample maxgl_network_subsample(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    MaxglSubsample s = {.input = maxgl_network_shape(n, l->input),
                        .out_channels = n->resnet->tensors[l->output].map.c};
    memcpy(s.stride, l->stride, sizeof s.stride);
    return s;
}

MaxglLinear maxgl_network_linear(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    const MaxglShape out = maxgl_network_shape(n, l->output);
    return (MaxglLinear){maxgl_network_shape(n, l->input), out.c, out.block};
}

MaxglDropout maxgl_network_dropout(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    return (MaxglDropout){maxgl_network_shape(n, l->output), (float)l->rate, n->seed,
                          (guint64)layer + (guint64)(n->first_part + n->part) * (guint64)n->resnet->n_layers};
}

void maxgl_network_parameter_floats(const MaxglNetwork *n, int layer, gsize *weight, gsize *bias)
{
    const MaxglShape out = maxgl_network_shape(n, n->resnet->layers[layer].output);
    const gsize vector = (gsize)maxgl_shape_blocks(&out) * (gsize)out.block;
    *weight = *bias = 0;
    switch (n->resnet->layers[layer].kind) {
    case MAXGL_LAYER_CONV3D: {
        const MaxglConv3d conv = maxgl_network_conv3d(n, layer);
        *weight = maxgl_conv3d_weight_floats(&conv);
        break;
    }
    case MAXGL_LAYER_BATCH_NORM:
        *weight = *bias = vector;
        break;
    case MAXGL_LAYER_LINEAR: {
        const MaxglLinear linear = maxgl_network_linear(n, layer);
        *weight = maxgl_linear_weight_floats(&linear);
        *bias = vector;
        break;
    }
    default:
        break;
    }
}

static gsize conv3d_workspace(const MaxglNetwork *n, MaxglStepKind kind, int layer, gboolean prepared)
{
    const MaxglConv3d conv = maxgl_network_conv3d(n, layer);
    if (kind == MAXGL_STEP_BACKWARD_WEIGHTS)
        return maxgl_conv3d_backward_weights_workspace(n->context, &conv);
    if (kind == MAXGL_STEP_BACKWARD)
        return maxgl_conv3d_backward_data_workspace(n->context, &conv);
    return prepared ? maxgl_conv3d_forward_prepared_workspace(n->context, &conv)
                    : maxgl_conv3d_forward_workspace(n->context, &conv);
}

static gsize batch_norm_workspace(const MaxglNetwork *n, const MaxglStep *step)
{
    const MaxglLayerPlan *p = &n->layers[step->layer];
    const MaxglBatchNorm norm = maxgl_network_batch_norm(n, step->layer);
    if (p->folded >= 0)
        return conv3d_workspace(n, step->kind, p->folded, p->prepared);
    if (step->kind == MAXGL_STEP_AGAIN || step->statistics != NO_BLOCK ||
        !maxgl_network_learns(n, step->layer))
        return 0;
    return maxgl_batch_norm_workspace(n->context, &norm);
}

static gsize linear_workspace(const MaxglNetwork *n, MaxglStepKind kind, int layer)
{
    const MaxglLinear linear = maxgl_network_linear(n, layer);
    if (kind == MAXGL_STEP_BACKWARD_WEIGHTS)
        return maxgl_linear_backward_weights_workspace(n->context, &linear);
    if (kind == MAXGL_STEP_BACKWARD)
        return maxgl_linear_backward_data_workspace(n->context, &linear);
    return maxgl_linear_forward_workspace(n->context, &linear);
}

gsize maxgl_network_workspace(const MaxglNetwork *n, const MaxglStep *step)
{
    switch (n->resnet->layers[step->layer].kind) {
    case MAXGL_LAYER_CONV3D:
        return conv3d_workspace(n, step->kind, step->layer, FALSE);
    case MAXGL_LAYER_BATCH_NORM:
        return batch_norm_workspace(n, step);
    case MAXGL_LAYER_LINEAR:
        return linear_workspace(n, step->kind, step->layer);
    default:
        return 0;
    }
}
