#include "net/network_private.h"

#include <maxgl/error.h>

/* Time is the number of a step. What the caller writes before the passes or reads after them lives from START
 * or until END. */
enum { START = -1, END = G_MAXINT };

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
        n->layers[i].folded = n->layers[i].folded_into = n->layers[i].statistics = NO_BLOCK;
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

/* The number of the next step. */
static int now(const MaxglNetwork *n)
{
    return (int)n->steps->len;
}

static int add_block(MaxglNetwork *n, MaxglMemoryUse use, gsize bytes, int first, int last, const char *name)
{
    g_array_append_val(n->uses, use);
    return (int)maxgl_memory_plan_add(n->plan, bytes, first, last, name);
}

/* Memory for @tensor from the next step on: the very one that the caller sees, where that is not apart. */
static int add_tensor(MaxglNetwork *n, int tensor, MaxglMemoryUse use, const char *what)
{
    const gboolean seen = (tensor == 0 || n->is_output[tensor]) && !maxgl_network_is_apart(n, tensor);
    const MaxglShape shape = seen ? maxgl_network_held_shape(n, tensor) : maxgl_network_shape(n, tensor);
    const int producer = n->resnet->tensors[tensor].producer;
    g_autofree char *text = maxgl_shape_text(&shape);
    g_autofree char *name = g_strdup_printf(
        "%s of %s (%s)", what, producer < 0 ? "the clips" : n->resnet->layers[producer].name, text);
    return add_block(n, use, maxgl_shape_bytes(&shape), now(n), now(n), name);
}

/* The next step uses @block. */
static int use(MaxglNetwork *n, int block)
{
    if (block != NO_BLOCK)
        maxgl_memory_plan_extend(n->plan, (guint)block, now(n), now(n));
    return block;
}

static int use_value(MaxglNetwork *n, int tensor)
{
    return tensor < 0 ? NO_BLOCK : use(n, n->values[tensor]);
}

static MaxglStep step_of(MaxglStepKind kind, int layer)
{
    return (MaxglStep){.kind = kind,
                       .layer = layer,
                       .x = NO_BLOCK,
                       .residual = NO_BLOCK,
                       .y = NO_BLOCK,
                       .dx = NO_BLOCK,
                       .d_residual = NO_BLOCK,
                       .dy = NO_BLOCK,
                       .kept = NO_BLOCK,
                       .dw = NO_BLOCK,
                       .db = NO_BLOCK,
                       .workspace = NO_BLOCK,
                       .statistics = NO_BLOCK};
}

static void add_step(MaxglNetwork *n, MaxglStep step)
{
    const gsize bytes = step.kind == MAXGL_STEP_LOSS ? 0 : maxgl_network_workspace(n, &step);
    if (bytes > 0)
        step.workspace = add_block(n, MAXGL_MEMORY_WORKSPACE, bytes, now(n), now(n), "workspace");
    g_array_append_val(n->steps, step);
}

/* What a layer leaves for its backward pass besides its output. */
static int add_kept(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    gsize bytes = 0;
    if (maxgl_network_learns(n, index) && l->kind == MAXGL_LAYER_BATCH_NORM) {
        const MaxglBatchNorm norm = maxgl_network_batch_norm(n, index);
        bytes = maxgl_batch_norm_saved_floats(&norm) * sizeof(float);
    }
    if (maxgl_network_learns(n, index) && l->kind == MAXGL_LAYER_MAX_POOL) {
        const MaxglShape out = maxgl_network_shape(n, l->output);
        bytes = maxgl_shape_floats(&out) * sizeof(gint32);
    }
    return bytes > 0 ? add_block(n, MAXGL_MEMORY_ACTIVATIONS, bytes, now(n), now(n), l->name) : NO_BLOCK;
}

/* In training a convolution that can leaves the batch norm behind it partial statistics of its output. */
static int add_statistics(MaxglNetwork *n, int index)
{
    const MaxglConv3d conv = maxgl_network_conv3d(n, index);
    const int output = n->resnet->layers[index].output;
    const int parts = maxgl_conv3d_statistics_parts(n->context, &conv);
    for (int i = index + 1; parts > 0 && i < n->resnet->n_layers; i++) {
        const MaxglLayer *l = &n->resnet->layers[i];
        if (!n->layers[i].active || l->kind != MAXGL_LAYER_BATCH_NORM || l->input != output)
            continue;
        const MaxglBatchNorm norm = maxgl_network_batch_norm(n, i);
        return n->layers[i].statistics =
                   add_block(n, MAXGL_MEMORY_WORKSPACE, maxgl_batch_norm_statistics_bytes(&norm, parts),
                             now(n), now(n), l->name);
    }
    return NO_BLOCK;
}

static int plan_statistics(MaxglNetwork *n, int index)
{
    if (!maxgl_network_learns(n, index))
        return NO_BLOCK;
    return n->resnet->layers[index].kind == MAXGL_LAYER_CONV3D ? add_statistics(n, index)
                                                               : use(n, n->layers[index].statistics);
}

static void plan_forward_of(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    MaxglLayerPlan *p = &n->layers[index];
    if (p->folded_into >= 0)
        return; /* runs as a part of its batch norm; its output exists in registers only */
    if (l->kind == MAXGL_LAYER_DROPOUT && n->mode == MAXGL_NETWORK_INFERENCE) {
        n->values[l->output] = n->values[l->input];
        return;
    }
    MaxglStep step = step_of(MAXGL_STEP_FORWARD, index);
    step.x = use_value(n, p->folded >= 0 ? n->resnet->layers[p->folded].input : l->input);
    step.residual = use_value(n, l->residual);
    step.y = n->values[l->output] = add_tensor(n, l->output, MAXGL_MEMORY_ACTIVATIONS, "output");
    step.kept = p->kept = add_kept(n, index);
    step.statistics = plan_statistics(n, index);
    add_step(n, step);
}

static void plan_forward(MaxglNetwork *n)
{
    const MaxglResnet *r = n->resnet;
    n->values[0] = add_tensor(n, 0, MAXGL_MEMORY_ACTIVATIONS, "input");
    maxgl_memory_plan_extend(n->plan, (guint)n->values[0], START, 0);
    for (int i = 0; i < r->n_layers; i++)
        if (n->layers[i].active)
            plan_forward_of(n, i);
    for (int i = 0; i < r->n_tensors; i++)
        if (n->is_output[i] && maxgl_network_is_apart(n, i) && n->parts == 1)
            maxgl_memory_plan_extend(n->plan, (guint)n->values[i], now(n) - 1, now(n) - 1);
        else if (n->is_output[i])
            maxgl_memory_plan_extend(n->plan, (guint)n->values[i], START, END);
}

/* The layer that makes @tensor, NULL for the clips. */
static const MaxglLayer *producer_of(const MaxglNetwork *n, int tensor)
{
    const int producer = n->resnet->tensors[tensor].producer;
    return producer < 0 ? NULL : &n->resnet->layers[producer];
}

/* Whether @tensor is the clips, or what a frozen layer makes: nobody wants its gradient. */
static gboolean is_fixed(const MaxglNetwork *n, int tensor)
{
    return n->resnet->tensors[tensor].producer < n->frozen;
}

/* The convolution of a shortcut that halves the map: a hundredth of its block's arithmetic. */
static gboolean is_projection(const MaxglLayer *l)
{
    return l->kind == MAXGL_LAYER_CONV3D && l->kernel[0] * l->kernel[1] * l->kernel[2] == 1 &&
           l->stride[0] * l->stride[1] * l->stride[2] > 1;
}

/* Whether what batch norm @l makes is kept although it could be normalised again: at the start of a stage
 * that would take the large input of the shortcut. */
static gboolean is_kept_norm(const MaxglNetwork *n, const MaxglLayer *l)
{
    const MaxglLayer *shortcut = l->residual < 0 ? NULL : producer_of(n, l->residual);
    if (!shortcut)
        return FALSE;
    return n->recompute == MAXGL_RECOMPUTE_BLOCKS || shortcut->kind == MAXGL_LAYER_SHORTCUT_A ||
           is_projection(producer_of(n, shortcut->input));
}

/* Whether backward finds a tensor as forward left it. If not, it computes the tensor again when it needs it:
 * always what batch norm makes, which costs one pass over memory, and projections; and with recompute =
 * blocks all but the outputs of blocks. Of frozen layers there is only the last one's output to keep. */
static gboolean is_kept(const MaxglNetwork *n, int tensor)
{
    const MaxglLayer *l = producer_of(n, tensor);
    if (n->is_output[tensor] || is_fixed(n, tensor))
        return TRUE;
    if (l->kind == MAXGL_LAYER_CONV3D)
        return !(n->recompute == MAXGL_RECOMPUTE_BLOCKS || is_projection(l));
    return l->kind != MAXGL_LAYER_BATCH_NORM || is_kept_norm(n, l);
}

/* Whether a tensor that was necessary to compute another again stays until its own turn. Of what batch norm
 * makes every second block's output does: the others are one pass away from it. */
static gboolean stays(const MaxglNetwork *n, int tensor)
{
    const MaxglLayer *l = producer_of(n, tensor);
    return is_kept(n, tensor) || l->kind != MAXGL_LAYER_BATCH_NORM ||
           (l->residual >= 0 && !stays(n, l->residual));
}

/* Appends what is necessary for the value of @tensor to be there. */
static void need(MaxglNetwork *n, int tensor)
{
    if (n->values[tensor] != NO_BLOCK)
        return;
    const MaxglLayer *l = producer_of(n, tensor);
    const int operands[] = {l->input, l->residual};
    gboolean drop[2] = {FALSE, FALSE};
    for (int i = 0; i < 2 && operands[i] >= 0; i++) {
        drop[i] = n->values[operands[i]] == NO_BLOCK && !stays(n, operands[i]);
        need(n, operands[i]);
    }
    MaxglStep step = step_of(MAXGL_STEP_AGAIN, n->resnet->tensors[tensor].producer);
    step.x = use_value(n, l->input);
    step.residual = use_value(n, l->residual);
    step.y = n->values[tensor] = add_tensor(n, tensor, MAXGL_MEMORY_ACTIVATIONS, "output");
    step.kept = use(n, n->layers[step.layer].kept);
    add_step(n, step);
    for (int i = 0; i < 2; i++)
        if (drop[i])
            n->values[operands[i]] = NO_BLOCK;
}

/* The gradient of @tensor is written, or added to if there is something already, by the next step. */
static int want_gradient(MaxglNetwork *n, int tensor, gboolean *accumulate)
{
    *accumulate = n->gradients[tensor] != NO_BLOCK;
    if (!*accumulate)
        n->gradients[tensor] = add_tensor(n, tensor, MAXGL_MEMORY_GRADIENTS, "gradient");
    return use(n, n->gradients[tensor]);
}

/* A gradient takes over memory that nobody reads any more. */
static int share_gradient(MaxglNetwork *n, int tensor, int block)
{
    return n->gradients[tensor] = use(n, block);
}

/* Where the step that is appended next puts gradients of parameters before they are added to those of other
 * parts of the batch. */
static void add_parameter_gradients(MaxglNetwork *n, MaxglStep *step)
{
    gsize weight, bias;
    if (n->parts == 1)
        return;
    maxgl_network_parameter_floats(n, step->layer, &weight, &bias);
    step->dw = add_block(n, MAXGL_MEMORY_WORKSPACE, weight * sizeof(float), now(n), now(n), "gradient");
    if (bias > 0)
        step->db = add_block(n, MAXGL_MEMORY_WORKSPACE, bias * sizeof(float), now(n), now(n), "gradient");
}

/* Gradients lie where dy was, and if that goes to the residual, where x was: nobody else reads the output of
 * a convolution. */
static void plan_backward_of_batch_norm(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    const gboolean masked = l->residual >= 0 && l->relu; /* else x tells where ReLU was open */
    need(n, l->input);
    if (masked)
        need(n, l->output);
    MaxglStep step = step_of(MAXGL_STEP_BACKWARD, index);
    step.x = use_value(n, l->input);
    step.y = masked ? use_value(n, l->output) : NO_BLOCK;
    step.kept = use(n, n->layers[index].kept);
    step.dy = use(n, n->gradients[l->output]);
    step.accumulate_residual = l->residual >= 0 && n->gradients[l->residual] != NO_BLOCK;
    if (l->residual < 0 || step.accumulate_residual) {
        step.dx = share_gradient(n, l->input, step.dy);
        step.d_residual = l->residual >= 0 ? use(n, n->gradients[l->residual]) : NO_BLOCK;
    } else {
        step.d_residual = share_gradient(n, l->residual, step.dy);
        step.dx = share_gradient(n, l->input, step.x);
        n->values[l->input] = NO_BLOCK;
    }
    add_parameter_gradients(n, &step);
    add_step(n, step);
}

/* Convolution and fc: the gradient of the weights first, so that the input's value is given back before there
 * is the input's gradient. */
static void plan_backward_of_weights(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    need(n, l->input);
    MaxglStep weights = step_of(MAXGL_STEP_BACKWARD_WEIGHTS, index);
    weights.x = use_value(n, l->input);
    weights.dy = use(n, n->gradients[l->output]);
    add_parameter_gradients(n, &weights);
    add_step(n, weights);
}

static void plan_backward_of(MaxglNetwork *n, int index)
{
    const MaxglLayer *l = &n->resnet->layers[index];
    if (l->kind == MAXGL_LAYER_BATCH_NORM) {
        plan_backward_of_batch_norm(n, index);
        return;
    }
    if (l->kind == MAXGL_LAYER_CONV3D || l->kind == MAXGL_LAYER_LINEAR)
        plan_backward_of_weights(n, index);
    if (is_fixed(n, l->input))
        return;
    MaxglStep step = step_of(MAXGL_STEP_BACKWARD, index);
    step.dy = use(n, n->gradients[l->output]);
    step.kept = use(n, n->layers[index].kept);
    if (l->kind == MAXGL_LAYER_DROPOUT && n->gradients[l->input] == NO_BLOCK)
        step.dx = share_gradient(n, l->input, step.dy);
    else
        step.dx = want_gradient(n, l->input, &step.accumulate);
    add_step(n, step);
}

/* In the order of the backward pass: whoever comes first to a tensor's gradient writes it, later ones add. */
static void plan_backward(MaxglNetwork *n)
{
    const MaxglResnet *r = n->resnet;
    for (int i = 1; i < r->n_tensors; i++)
        if (n->is_output[i])
            n->gradients[i] = add_tensor(n, i, MAXGL_MEMORY_GRADIENTS, "gradient");
    add_step(n, step_of(MAXGL_STEP_LOSS, -1));
    for (int i = 0; i < r->n_tensors; i++)
        if (!is_kept(n, i))
            n->values[i] = NO_BLOCK;
    for (int i = r->n_layers - 1; i >= n->frozen; i--)
        if (n->layers[i].active)
            plan_backward_of(n, i);
}

static int add_whole(MaxglNetwork *n, int tensor, MaxglMemoryUse use_of, int first, int last)
{
    const MaxglShape shape = maxgl_network_held_shape(n, tensor);
    g_autofree char *text = maxgl_shape_text(&shape);
    g_autofree char *name = g_strdup_printf("an input or output (%s)", text);
    return add_block(n, use_of, maxgl_shape_bytes(&shape), first, last, name);
}

/* What the caller sees apart from what the network works with. A batch at once writes outputs when forward,
 * of @forward steps, is at its end, and reads their gradients as backward begins; one in parts does both all
 * the time. */
static void plan_whole(MaxglNetwork *n, int forward)
{
    const gboolean at_once = n->parts == 1;
    for (int i = 0; i < n->resnet->n_tensors; i++) {
        if (!maxgl_network_is_apart(n, i))
            continue;
        n->whole_values[i] = add_whole(n, i, MAXGL_MEMORY_ACTIVATIONS, at_once ? forward - 1 : START, END);
        if (i > 0 && n->mode == MAXGL_NETWORK_TRAINING)
            n->whole_gradients[i] =
                add_whole(n, i, MAXGL_MEMORY_GRADIENTS, at_once ? forward : START, at_once ? forward : END);
    }
}

/* Folding wants room for weights before they are prepared. It comes between passes: outputs stay. */
static void plan_fold(MaxglNetwork *n)
{
    gsize bytes = 0;
    for (int i = 0; i < n->resnet->n_layers; i++)
        if (n->layers[i].active && n->layers[i].prepared) {
            const MaxglConv3d conv = maxgl_network_conv3d(n, n->layers[i].folded);
            bytes = MAX(bytes, maxgl_conv3d_weight_floats(&conv) * sizeof(float));
        }
    n->fold_block = add_block(n, MAXGL_MEMORY_WORKSPACE, bytes, START, START, "workspace");
}

gboolean maxgl_network_plan(MaxglNetwork *n, const char *const *outputs, GError **error)
{
    const MaxglDeviceInfo *info = n->context->info;
    n->plan = maxgl_memory_plan_new(info->base_align, info->max_allocation);
    n->weights_plan = maxgl_memory_plan_new(info->base_align, info->max_allocation);
    n->steps = g_array_new(FALSE, FALSE, sizeof(MaxglStep));
    n->uses = g_array_new(FALSE, FALSE, sizeof(MaxglMemoryUse));
    n->is_output = g_new0(gboolean, n->resnet->n_tensors);
    n->layers = g_new0(MaxglLayerPlan, n->resnet->n_layers);
    n->values = g_new0(int, n->resnet->n_tensors);
    n->gradients = g_new0(int, n->resnet->n_tensors);
    n->whole_values = g_new0(int, n->resnet->n_tensors);
    n->whole_gradients = g_new0(int, n->resnet->n_tensors);
    for (int i = 0; i < n->resnet->n_tensors; i++)
        n->values[i] = n->gradients[i] = n->whole_values[i] = n->whole_gradients[i] = NO_BLOCK;
    if (!mark_active(n, outputs, error))
        return FALSE;
    mark_folded(n);
    plan_forward(n);
    const int forward = now(n);
    if (n->mode == MAXGL_NETWORK_TRAINING)
        plan_backward(n);
    plan_whole(n, forward);
    plan_fold(n);
    n->step_block =
        add_block(n, MAXGL_MEMORY_WORKSPACE, sizeof(guint32), START, END, "the number of the step");
    return maxgl_memory_plan_solve(n->plan, error) && maxgl_memory_plan_solve(n->weights_plan, error);
}
