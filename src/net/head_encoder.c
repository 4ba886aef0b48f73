#include "net/head_encoder.h"

#include "ops/batch_norm.h"
#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include <math.h>
#include <maxgl/error.h>

cl_mem maxgl_head_buffer(MaxglHeadBuilder *b, gsize bytes, const char *what)
{
    if (b->sequence)
        return maxgl_memory_plan_window(b->plan, b->next_block++);
    maxgl_memory_plan_add(b->plan, bytes, b->time, b->time, what);
    return NULL;
}

MaxglTensor maxgl_head_tensor(MaxglHeadBuilder *b, MaxglShape shape, const char *what)
{
    return (MaxglTensor){shape, maxgl_head_buffer(b, maxgl_shape_bytes(&shape), what)};
}

gboolean maxgl_head_planning(MaxglHeadBuilder *b, gsize workspace_bytes)
{
    b->workspace_bytes = MAX(b->workspace_bytes, workspace_bytes);
    return b->sequence == NULL;
}

static const MaxglParameter *parameter(const MaxglHeadBuilder *b, const char *prefix, const char *what,
                                       GError **error)
{
    g_autofree char *name = g_strdup_printf("%s.%s", prefix, what);
    const int index = maxgl_parameters_find(b->parameters, name);
    if (index >= 0)
        return maxgl_parameters_get(b->parameters, (guint)index);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "heads: parameter %s was not declared", name);
    return NULL;
}

cl_mem maxgl_head_value(const MaxglHeadBuilder *b, const char *prefix, const char *what, GError **error)
{
    const MaxglParameter *p = parameter(b, prefix, what, error);
    return p ? p->value : NULL;
}

cl_mem maxgl_head_gradient(const MaxglHeadBuilder *b, const char *prefix, const char *what, GError **error)
{
    const MaxglParameter *p = parameter(b, prefix, what, error);
    if (p && !p->gradient)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "heads: %s has no gradient to train with",
                    p->name);
    return p ? p->gradient : NULL;
}

/* y = W·x for each pixel: a linear layer on matrices, else a 1×1×1 convolution. */
typedef struct {
    gboolean is_map;
    MaxglConv3d conv;
    MaxglLinear linear;
} Projection;

static Projection projection(MaxglShape input, int width, gboolean is_map)
{
    return (Projection){
        is_map, {input, width, input.block, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, {input, width, input.block}};
}

static gboolean project(MaxglHeadBuilder *b, const Projection *p, const char *prefix, const char *weight,
                        const char *bias, cl_mem x, cl_mem y, GError **error)
{
    if (maxgl_head_planning(b, p->is_map ? maxgl_conv3d_forward_workspace(b->context, &p->conv)
                                         : maxgl_linear_forward_workspace(b->context, &p->linear)))
        return TRUE;
    cl_mem w = maxgl_head_value(b, prefix, weight, error);
    MaxglConv3dEpilogue epilogue = {.bias = w && bias ? maxgl_head_value(b, prefix, bias, error) : NULL};
    if (!w || (bias && !epilogue.bias))
        return FALSE;
    return p->is_map ? maxgl_conv3d_forward(b->sequence, &p->conv, x, w, y, &epilogue, b->workspace, error)
                     : maxgl_linear_forward(b->sequence, &p->linear, x, w, epilogue.bias, FALSE, y,
                                            b->workspace, error);
}

/* The weights' gradient; and the bias's, which only matrices have. */
static gboolean project_backward_weights(MaxglHeadBuilder *b, const Projection *p, const char *prefix,
                                         const char *weight, const char *bias, cl_mem x, cl_mem dy,
                                         GError **error)
{
    if (maxgl_head_planning(b, p->is_map ? maxgl_conv3d_backward_weights_workspace(b->context, &p->conv)
                                         : maxgl_linear_backward_weights_workspace(b->context, &p->linear)))
        return TRUE;
    cl_mem dw = maxgl_head_gradient(b, prefix, weight, error);
    cl_mem db = dw && bias ? maxgl_head_gradient(b, prefix, bias, error) : NULL;
    if (!dw || (bias && !db))
        return FALSE;
    return p->is_map
               ? maxgl_conv3d_backward_weights(b->sequence, &p->conv, x, dy, dw, b->workspace, error)
               : maxgl_linear_backward_weights(b->sequence, &p->linear, x, dy, dw, db, b->workspace, error);
}

static gboolean project_backward_data(MaxglHeadBuilder *b, const Projection *p, const char *prefix,
                                      const char *weight, cl_mem dy, cl_mem dx, gboolean accumulate,
                                      GError **error)
{
    if (maxgl_head_planning(b, p->is_map ? maxgl_conv3d_backward_data_workspace(b->context, &p->conv)
                                         : maxgl_linear_backward_data_workspace(b->context, &p->linear)))
        return TRUE;
    cl_mem w = maxgl_head_value(b, prefix, weight, error);
    if (!w)
        return FALSE;
    return p->is_map
               ? maxgl_conv3d_backward_data(b->sequence, &p->conv, dy, w, dx, accumulate, b->workspace, error)
               : maxgl_linear_backward_data(b->sequence, &p->linear, dy, w, dx, accumulate, b->workspace,
                                            error);
}

static char *full_name(const MaxglEncoder *e, const char *what)
{
    return g_strdup_printf("%s.%s", e->prefix, what);
}

/* PyTorch's default of linear layers and convolutions: uniform within ±1/√inputs. */
static void declare_projection(const MaxglEncoder *e, MaxglParameters *parameters, const char *what, int in)
{
    g_autofree char *name = full_name(e, what);
    const MaxglInit init = {MAXGL_INIT_UNIFORM, 1 / sqrt(in)};
    MaxglShape input = e->input;
    input.c = in;
    const Projection p = projection(input, e->width, e->is_map);
    if (p.is_map)
        maxgl_parameters_add_conv3d(parameters, name, &p.conv, init);
    else
        maxgl_parameters_add_linear(parameters, name, in, e->width, init);
}

static void declare_vector(const MaxglEncoder *e, MaxglParameters *parameters, const char *what,
                           MaxglParameterGroup group, MaxglInit init)
{
    g_autofree char *name = full_name(e, what);
    maxgl_parameters_add_vector(parameters, name, e->width, group, init);
}

void maxgl_encoder_declare(const MaxglEncoder *e, MaxglParameters *parameters)
{
    const MaxglInit zero = {MAXGL_INIT_CONSTANT, 0}, one = {MAXGL_INIT_CONSTANT, 1};
    if (e->kind != MAXGL_ENCODER_RESIDUAL) {
        declare_projection(e, parameters, "weight", e->input.c);
        if (e->kind == MAXGL_ENCODER_LINEAR_BIAS)
            declare_vector(e, parameters, "bias", MAXGL_PARAMETER_UNDECAYED,
                           (MaxglInit){MAXGL_INIT_UNIFORM, 1 / sqrt(e->input.c)});
        return;
    }
    declare_projection(e, parameters, "conv1.weight", e->input.c);
    declare_projection(e, parameters, "conv2.weight", e->width);
    declare_projection(e, parameters, "shortcut.weight", e->input.c);
    declare_vector(e, parameters, "bn.weight", MAXGL_PARAMETER_UNDECAYED, one);
    declare_vector(e, parameters, "bn.bias", MAXGL_PARAMETER_UNDECAYED, zero);
    declare_vector(e, parameters, "bn.running_mean", MAXGL_PARAMETER_STATISTIC, zero);
    declare_vector(e, parameters, "bn.running_var", MAXGL_PARAMETER_STATISTIC, one);
    declare_vector(e, parameters, "norm.weight", MAXGL_PARAMETER_UNDECAYED, one);
    declare_vector(e, parameters, "norm.bias", MAXGL_PARAMETER_UNDECAYED, zero);
}

static MaxglShape output_shape(const MaxglEncoder *e)
{
    MaxglShape shape = e->input;
    shape.c = e->width;
    return shape;
}

static gboolean norm_vectors(MaxglHeadBuilder *b, const MaxglEncoder *e, MaxglBatchNormVectors *v,
                             GError **error)
{
    return (v->gamma = maxgl_head_value(b, e->prefix, "bn.weight", error)) &&
           (v->beta = maxgl_head_value(b, e->prefix, "bn.bias", error)) &&
           (v->running_mean = maxgl_head_value(b, e->prefix, "bn.running_mean", error)) &&
           (v->running_var = maxgl_head_value(b, e->prefix, "bn.running_var", error));
}

static MaxglBatchNorm batch_norm(const MaxglEncoder *e)
{
    return (MaxglBatchNorm){output_shape(e), 1e-5F, 0.1F, TRUE};
}

static MaxglLayerNorm layer_norm(const MaxglEncoder *e)
{
    return (MaxglLayerNorm){output_shape(e), MAXGL_LAYER_NORM_EPSILON};
}

static void ask_residual(MaxglHeadBuilder *b, MaxglEncoder *e)
{
    const MaxglShape shape = output_shape(e);
    const MaxglBatchNorm bn = batch_norm(e);
    const gsize rows = (gsize)shape.n * maxgl_shape_pixels(&shape);
    e->hidden_raw = maxgl_head_tensor(b, shape, e->prefix);
    e->hidden = maxgl_head_tensor(b, shape, e->prefix);
    e->hidden_gradient = maxgl_head_tensor(b, shape, e->prefix);
    e->sum = maxgl_head_tensor(b, shape, e->prefix);
    e->saved = maxgl_head_buffer(b, maxgl_batch_norm_saved_floats(&bn) * sizeof(float), e->prefix);
    e->mean = maxgl_head_buffer(b, rows * sizeof(float), e->prefix);
    e->rstd = maxgl_head_buffer(b, rows * sizeof(float), e->prefix);
}

static gboolean normalise_hidden(MaxglHeadBuilder *b, MaxglEncoder *e, GError **error)
{
    const MaxglBatchNorm bn = batch_norm(e);
    MaxglBatchNormVectors vectors;
    if (maxgl_head_planning(b, maxgl_batch_norm_workspace(b->context, &bn)))
        return TRUE;
    return norm_vectors(b, e, &vectors, error) &&
           maxgl_batch_norm_forward_training(b->sequence, &bn, &vectors, e->hidden_raw.buffer, NULL,
                                             e->hidden.buffer, e->saved, b->workspace, error);
}

/* The shortcut is computed where the output will be, and added to the sum. */
static gboolean finish_residual(MaxglHeadBuilder *b, MaxglEncoder *e, GError **error)
{
    const MaxglLayerNorm ln = layer_norm(e);
    const MaxglShape shape = output_shape(e);
    if (maxgl_head_planning(b, 0))
        return TRUE;
    cl_mem gamma = maxgl_head_value(b, e->prefix, "norm.weight", error);
    cl_mem beta = gamma ? maxgl_head_value(b, e->prefix, "norm.bias", error) : NULL;
    return beta &&
           maxgl_add(b->sequence, maxgl_shape_floats(&shape), e->sum.buffer, e->output.buffer, e->sum.buffer,
                     error) &&
           maxgl_layer_norm_forward(b->sequence, &ln, e->sum.buffer, gamma, beta, e->output.buffer, e->mean,
                                    e->rstd, error);
}

gboolean maxgl_encoder_forward(MaxglHeadBuilder *b, MaxglEncoder *e, cl_mem x, GError **error)
{
    const MaxglShape shape = output_shape(e);
    e->output = maxgl_head_tensor(b, shape, e->prefix);
    e->gradient = maxgl_head_tensor(b, shape, e->prefix);
    const Projection from_x = projection(e->input, e->width, e->is_map),
                     from_hidden = projection(shape, e->width, e->is_map);
    if (e->kind != MAXGL_ENCODER_RESIDUAL)
        return project(b, &from_x, e->prefix, "weight", e->kind == MAXGL_ENCODER_LINEAR_BIAS ? "bias" : NULL,
                       x, e->output.buffer, error);
    ask_residual(b, e);
    return project(b, &from_x, e->prefix, "conv1.weight", NULL, x, e->hidden_raw.buffer, error) &&
           normalise_hidden(b, e, error) &&
           project(b, &from_hidden, e->prefix, "conv2.weight", NULL, e->hidden.buffer, e->sum.buffer,
                   error) &&
           project(b, &from_x, e->prefix, "shortcut.weight", NULL, x, e->output.buffer, error) &&
           finish_residual(b, e, error);
}

/* From the gradient of the output to that of the sum, in place. */
static gboolean backward_layer_norm(MaxglHeadBuilder *b, MaxglEncoder *e, GError **error)
{
    const MaxglLayerNorm ln = layer_norm(e);
    if (maxgl_head_planning(b, maxgl_layer_norm_backward_workspace(b->context, &ln)))
        return TRUE;
    cl_mem gamma = maxgl_head_value(b, e->prefix, "norm.weight", error), dgamma, dbeta;
    return gamma && (dgamma = maxgl_head_gradient(b, e->prefix, "norm.weight", error)) &&
           (dbeta = maxgl_head_gradient(b, e->prefix, "norm.bias", error)) &&
           maxgl_layer_norm_backward(b->sequence, &ln, e->sum.buffer, gamma, e->mean, e->rstd,
                                     e->gradient.buffer, e->gradient.buffer, dgamma, dbeta, b->workspace,
                                     error);
}

/* From the gradient of the hidden layer to that of W1·x, in place. */
static gboolean backward_hidden(MaxglHeadBuilder *b, MaxglEncoder *e, GError **error)
{
    const MaxglBatchNorm bn = batch_norm(e);
    MaxglBatchNormVectors vectors;
    MaxglBatchNormGradients g = {.x = e->hidden_raw.buffer,
                                 .saved = e->saved,
                                 .dy = e->hidden_gradient.buffer,
                                 .dx = e->hidden_gradient.buffer};
    if (maxgl_head_planning(b, maxgl_batch_norm_workspace(b->context, &bn)))
        return TRUE;
    return norm_vectors(b, e, &vectors, error) &&
           (g.dgamma = maxgl_head_gradient(b, e->prefix, "bn.weight", error)) &&
           (g.dbeta = maxgl_head_gradient(b, e->prefix, "bn.bias", error)) &&
           maxgl_batch_norm_backward(b->sequence, &bn, &vectors, &g, b->workspace, error);
}

gboolean maxgl_encoder_backward(MaxglHeadBuilder *b, MaxglEncoder *e, cl_mem x, cl_mem dx,
                                gboolean accumulate, GError **error)
{
    const Projection from_x = projection(e->input, e->width, e->is_map),
                     from_hidden = projection(output_shape(e), e->width, e->is_map);
    cl_mem dy = e->gradient.buffer, dh = e->hidden_gradient.buffer;
    if (e->kind != MAXGL_ENCODER_RESIDUAL)
        return project_backward_weights(b, &from_x, e->prefix, "weight",
                                        e->kind == MAXGL_ENCODER_LINEAR_BIAS ? "bias" : NULL, x, dy, error) &&
               project_backward_data(b, &from_x, e->prefix, "weight", dy, dx, accumulate, error);
    return backward_layer_norm(b, e, error) &&
           project_backward_weights(b, &from_x, e->prefix, "shortcut.weight", NULL, x, dy, error) &&
           project_backward_data(b, &from_x, e->prefix, "shortcut.weight", dy, dx, accumulate, error) &&
           project_backward_weights(b, &from_hidden, e->prefix, "conv2.weight", NULL, e->hidden.buffer, dy,
                                    error) &&
           project_backward_data(b, &from_hidden, e->prefix, "conv2.weight", dy, dh, FALSE, error) &&
           backward_hidden(b, e, error) &&
           project_backward_weights(b, &from_x, e->prefix, "conv1.weight", NULL, x, dh, error) &&
           project_backward_data(b, &from_x, e->prefix, "conv1.weight", dh, dx, TRUE, error);
}
