#include "net/network_private.h"

#include <maxgl/error.h>
#include <string.h>

/* Time, in which tensors live: START, forward layer by layer, the caller's loss, backward layer by layer,
 * END. What the caller writes before a step or reads after it lives from START or until END. */
enum { START = -1 };

static int time_of_loss(const MaxglNetwork *n)
{
    return n->resnet->n_layers;
}

static int time_backward(const MaxglNetwork *n, int layer)
{
    return 2 * n->resnet->n_layers - layer;
}

static int time_end(const MaxglNetwork *n)
{
    return 2 * n->resnet->n_layers + 1;
}

/* A folded convolution runs when its batch norm does. */
static int time_forward(const MaxglNetwork *n, int layer)
{
    return n->layers[layer].folded_into >= 0 ? n->layers[layer].folded_into : layer;
}

MaxglShape maxgl_network_shape(const MaxglNetwork *n, int tensor)
{
    const MaxglMap m = n->resnet->tensors[tensor].map;
    const int block = tensor == 0 ? maxgl_layout_input_block(n->context) : maxgl_layout_block(n->context);
    return maxgl_shape(n->batch, m.c, m.t, m.h, m.w, block);
}

MaxglConv3d maxgl_network_conv3d(const MaxglNetwork *n, int layer)
{
    const MaxglLayer *l = &n->resnet->layers[layer];
    const MaxglShape out = maxgl_network_shape(n, l->output);
    MaxglConv3d conv = {.input = maxgl_network_shape(n, l->input),
                        .out_channels = out.c,
                        .out_block = out.block,
                        .exact = n->exact};
    memcpy(conv.kernel, l->kernel, sizeof conv.kernel);
    memcpy(conv.stride, l->stride, sizeof conv.stride);
    memcpy(conv.pad, l->pad, sizeof conv.pad);
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
    return (MaxglDropout){maxgl_network_shape(n, l->output), (float)l->rate, n->seed, (guint64)layer};
}

/* Marks the outputs and every layer that one of them needs. */
static gboolean mark_active(MaxglNetwork *n, const char *const *outputs, GError **error)
{
    const MaxglResnet *r = n->resnet;
    g_autofree gboolean *needed = g_new0(gboolean, r->n_tensors);
    for (int i = 0; outputs && outputs[i]; i++) {
        const int tensor = maxgl_resnet_require_tap(r, outputs[i], error);
        if (tensor < 0)
            return FALSE;
        n->is_output[tensor] = needed[tensor] = TRUE;
    }
    gboolean any = FALSE;
    for (int i = r->n_layers - 1; i >= 0; i--) {
        const MaxglLayer *l = &r->layers[i];
        if (!needed[l->output])
            continue;
        any = n->layers[i].active = needed[l->input] = TRUE;
        if (l->residual >= 0)
            needed[l->residual] = TRUE;
    }
    if (!any)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: no output asked for");
    return any;
}

/* In inference every batch norm behind a convolution becomes part of it. */
static void mark_folded(MaxglNetwork *n)
{
    for (int i = 0; i < n->resnet->n_layers; i++)
        n->layers[i].folded = n->layers[i].folded_into = NO_BLOCK;
    if (n->mode != MAXGL_NETWORK_INFERENCE)
        return;
    for (int i = 0; i < n->resnet->n_layers; i++) {
        const MaxglLayer *l = &n->resnet->layers[i];
        const int producer = n->resnet->tensors[l->input].producer;
        if (!n->layers[i].active || l->kind != MAXGL_LAYER_BATCH_NORM ||
            n->resnet->layers[producer].kind != MAXGL_LAYER_CONV3D)
            continue;
        n->layers[i].folded = producer;
        n->layers[producer].folded_into = i;
        const MaxglConv3d conv = maxgl_network_conv3d(n, producer);
        const gsize prepared = maxgl_conv3d_prepared_bytes(n->context, &conv);
        const gsize weights = prepared ? prepared : maxgl_conv3d_weight_floats(&conv) * sizeof(float);
        n->layers[i].prepared = prepared > 0;
        n->layers[i].weights = (int)maxgl_memory_plan_add(n->weights_plan, weights, 0, 0, l->name);
        const MaxglShape out = maxgl_network_shape(n, l->output);
        n->layers[i].bias = (int)maxgl_memory_plan_add(
            n->weights_plan, (gsize)maxgl_shape_blocks(&out) * (gsize)out.block * sizeof(float), 0, 0,
            l->name);
    }
}

static int add_tensor(MaxglNetwork *n, int tensor, int first, int last, const char *what)
{
    const MaxglShape shape = maxgl_network_shape(n, tensor);
    const int producer = n->resnet->tensors[tensor].producer;
    g_autofree char *text = maxgl_shape_text(&shape);
    g_autofree char *name = g_strdup_printf(
        "%s of %s (%s)", what, producer < 0 ? "the clips" : n->resnet->layers[producer].name, text);
    return (int)maxgl_memory_plan_add(n->plan, maxgl_shape_bytes(&shape), first, last, name);
}

static void keep(MaxglNetwork *n, int block, int time)
{
    maxgl_memory_plan_extend(n->plan, (guint)block, time, time);
}

/* What backward needs of a layer's input and output, and what forward leaves for it. */
static void plan_kept(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const int time = time_backward(n, index);
    MaxglLayerPlan *p = &n->layers[index];
    if (l->kind == MAXGL_LAYER_CONV3D || l->kind == MAXGL_LAYER_LINEAR || l->kind == MAXGL_LAYER_BATCH_NORM)
        keep(n, n->values[l->input], time);
    if (l->kind == MAXGL_LAYER_BATCH_NORM) {
        const MaxglBatchNorm norm = maxgl_network_batch_norm(n, index);
        if (l->residual >= 0 && l->relu)
            keep(n, n->values[l->output], time);
        p->kept = (int)maxgl_memory_plan_add(n->plan, maxgl_batch_norm_saved_floats(&norm) * sizeof(float),
                                             index, time, l->name);
    }
    if (l->kind == MAXGL_LAYER_MAX_POOL) {
        const MaxglShape out = maxgl_network_shape(n, l->output);
        p->kept = (int)maxgl_memory_plan_add(n->plan, maxgl_shape_bytes(&out), index, time, l->name);
    }
}

static void plan_forward(MaxglNetwork *n)
{
    const MaxglResnet *r = n->resnet;
    n->values[0] = add_tensor(n, 0, START, 0, "input");
    for (int i = 0; i < r->n_layers; i++) {
        const MaxglLayer *l = &r->layers[i];
        if (!n->layers[i].active)
            continue;
        const int time = time_forward(n, i);
        if (n->layers[i].folded < 0)
            keep(n, n->values[l->input], time);
        if (l->residual >= 0)
            keep(n, n->values[l->residual], time);
        if (n->layers[i].folded_into >= 0)
            continue; /* its output exists in registers only */
        if (l->kind == MAXGL_LAYER_DROPOUT && n->mode == MAXGL_NETWORK_INFERENCE)
            n->values[l->output] = n->values[l->input];
        else
            n->values[l->output] = add_tensor(n, l->output, time, time, "output");
        if (n->mode == MAXGL_NETWORK_TRAINING)
            plan_kept(n, i);
    }
    for (int i = 0; i < r->n_tensors; i++)
        if (n->is_output[i])
            maxgl_memory_plan_extend(n->plan, (guint)n->values[i], START, time_end(n));
}

/* The gradient of @tensor is written (or added to) at @time. Returns: whether it was there before. */
static gboolean want_gradient(MaxglNetwork *n, int tensor, int time)
{
    const gboolean there = n->gradients[tensor] != NO_BLOCK;
    if (there)
        keep(n, n->gradients[tensor], time);
    else
        n->gradients[tensor] = add_tensor(n, tensor, time, time, "gradient");
    return there;
}

/* A gradient that takes over another's memory, which nobody reads any more. */
static void share_gradient(MaxglNetwork *n, int tensor, int from)
{
    n->gradients[tensor] = n->gradients[from];
}

static void plan_backward_of_batch_norm(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    MaxglLayerPlan *p = &n->layers[index];
    p->accumulate_residual = l->residual >= 0 && n->gradients[l->residual] != NO_BLOCK;
    if (l->residual < 0 || p->accumulate_residual) {
        share_gradient(n, l->input, l->output);
        if (l->residual >= 0)
            keep(n, n->gradients[l->residual], time_backward(n, index));
        return;
    }
    share_gradient(n, l->residual, l->output);
    want_gradient(n, l->input, time_backward(n, index));
}

/* In the order of the backward pass: whoever comes first to a tensor's gradient writes it, later ones add. */
static void plan_backward(MaxglNetwork *n)
{
    const MaxglResnet *r = n->resnet;
    for (int i = 1; i < r->n_tensors; i++)
        if (n->is_output[i])
            n->gradients[i] = add_tensor(n, i, time_of_loss(n), time_of_loss(n), "gradient");
    for (int i = r->n_layers - 1; i >= 0; i--) {
        const MaxglLayer *l = &r->layers[i];
        if (!n->layers[i].active)
            continue;
        keep(n, n->gradients[l->output], time_backward(n, i));
        if (l->kind == MAXGL_LAYER_BATCH_NORM)
            plan_backward_of_batch_norm(n, i);
        else if (l->kind == MAXGL_LAYER_DROPOUT && n->gradients[l->input] == NO_BLOCK)
            share_gradient(n, l->input, l->output);
        else if (l->input > 0)
            n->layers[i].accumulate = want_gradient(n, l->input, time_backward(n, i));
    }
}

static gsize workspace_of(MaxglNetwork *n, int index)
{
    MaxglContext *context = n->context;
    const gboolean training = n->mode == MAXGL_NETWORK_TRAINING;
    gsize bytes = 0;
    switch (n->resnet->layers[index].kind) {
    case MAXGL_LAYER_CONV3D: {
        const MaxglConv3d conv = maxgl_network_conv3d(n, index);
        if (n->layers[index].folded_into >= 0 && n->layers[n->layers[index].folded_into].prepared)
            return MAX(maxgl_conv3d_forward_prepared_workspace(context, &conv),
                       maxgl_conv3d_weight_floats(&conv) *
                           sizeof(float)); /* folded before they are prepared */
        bytes = maxgl_conv3d_forward_workspace(context, &conv);
        if (training)
            bytes = MAX(bytes, maxgl_conv3d_backward_weights_workspace(context, &conv));
        if (training && n->resnet->layers[index].input > 0)
            bytes = MAX(bytes, maxgl_conv3d_backward_data_workspace(context, &conv));
        return bytes;
    }
    case MAXGL_LAYER_LINEAR: {
        const MaxglLinear linear = maxgl_network_linear(n, index);
        bytes = maxgl_linear_forward_workspace(context, &linear);
        if (training) {
            bytes = MAX(bytes, maxgl_linear_backward_weights_workspace(context, &linear));
            bytes = MAX(bytes, maxgl_linear_backward_data_workspace(context, &linear));
        }
        return bytes;
    }
    case MAXGL_LAYER_BATCH_NORM: {
        const MaxglBatchNorm norm = maxgl_network_batch_norm(n, index);
        return training ? maxgl_batch_norm_workspace(context, &norm) : 0;
    }
    default:
        return 0;
    }
}

gboolean maxgl_network_plan(MaxglNetwork *n, const char *const *outputs, GError **error)
{
    const MaxglDeviceInfo *info = n->context->info;
    n->plan = maxgl_memory_plan_new(info->base_align, info->max_allocation);
    n->weights_plan = maxgl_memory_plan_new(info->base_align, info->max_allocation);
    n->is_output = g_new0(gboolean, n->resnet->n_tensors);
    n->layers = g_new0(MaxglLayerPlan, n->resnet->n_layers);
    n->values = g_new0(int, n->resnet->n_tensors);
    n->gradients = g_new0(int, n->resnet->n_tensors);
    for (int i = 0; i < n->resnet->n_tensors; i++)
        n->values[i] = n->gradients[i] = NO_BLOCK;
    if (!mark_active(n, outputs, error))
        return FALSE;
    mark_folded(n);
    plan_forward(n);
    if (n->mode == MAXGL_NETWORK_TRAINING)
        plan_backward(n);
    n->workspace_bytes = 0;
    for (int i = 0; i < n->resnet->n_layers; i++)
        if (n->layers[i].active)
            n->workspace_bytes = MAX(n->workspace_bytes, workspace_of(n, i));
    n->workspace_block =
        (int)maxgl_memory_plan_add(n->plan, n->workspace_bytes, START, time_end(n), "the workspace");
    n->step_block =
        (int)maxgl_memory_plan_add(n->plan, sizeof(guint32), START, time_end(n), "the number of the step");
    return maxgl_memory_plan_solve(n->plan, error) && maxgl_memory_plan_solve(n->weights_plan, error);
}
