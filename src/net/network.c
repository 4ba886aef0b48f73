#include "net/network_memory.h"
#include "net/network_private.h"

#include <maxgl/error.h>
#include <string.h>

/* Shapes of tensors as the caller sees them. */
static void describe(MaxglNetwork *n)
{
    n->value_tensors = g_new0(MaxglTensor, n->resnet->n_tensors);
    n->gradient_tensors = g_new0(MaxglTensor, n->resnet->n_tensors);
    for (int i = 0; i < n->resnet->n_tensors; i++) {
        n->value_tensors[i].shape = n->gradient_tensors[i].shape = maxgl_network_held_shape(n, i);
    }
}

MaxglNetwork *maxgl_network_planned(MaxglContext *context, const MaxglResnet *resnet,
                                    const MaxglNetworkOptions *options, GError **error)
{
    if (options->batch < 1) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: a batch of %d clips; at least 1",
                    options->batch);
        return NULL;
    }
    if (options->at_once != 0 &&
        (options->at_once < 0 || options->batch % options->at_once != 0 ||
         (options->mode == MAXGL_NETWORK_INFERENCE && options->at_once != options->batch))) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "network: a batch of %d clips cannot be gone through %d at a time", options->batch,
                    options->at_once);
        return NULL;
    }
    g_autoptr(MaxglNetwork) n = g_new0(MaxglNetwork, 1);
    n->context = context;
    n->mode = options->mode;
    n->batch = options->batch;
    n->at_once = options->at_once > 0 ? options->at_once : options->batch;
    n->parts = n->batch / n->at_once;
    n->seed = options->seed;
    n->exact = options->exact;
    n->more_inputs = options->more_inputs;
    n->more_outputs = options->more_outputs;
    n->first_part = options->first_part;
    n->precision = options->precision;
    n->frozen = options->frozen;
    n->recompute = options->recompute;
    n->resnet = maxgl_resnet_new(&resnet->spec, error);
    if (!n->resnet || !maxgl_network_plan(n, options->outputs, error))
        return NULL;
    describe(n);
    return g_steal_pointer(&n);
}

static cl_mem window(const MaxglNetwork *n, int block)
{
    return block == NO_BLOCK ? NULL : maxgl_memory_plan_window(n->plan, (guint)block);
}

static gboolean allocate(MaxglNetwork *n, GError **error)
{
    g_autofree char *name = maxgl_resnet_spec_name(&n->resnet->spec);
    g_autofree char *what = g_strdup_printf(
        "%s of %s for %d clips of %d×%d×%d", n->mode == MAXGL_NETWORK_TRAINING ? "training" : "inference",
        name, n->batch, n->resnet->spec.frames, n->resnet->spec.height, n->resnet->spec.columns);
    if (!maxgl_memory_plan_allocate(n->plan, n->context, what, error) ||
        !maxgl_memory_plan_allocate(n->weights_plan, n->context, what, error))
        return FALSE;
    for (int i = 0; i < n->resnet->n_tensors; i++) {
        const gboolean apart = maxgl_network_is_apart(n, i);
        n->value_tensors[i].buffer = window(n, apart ? n->whole_values[i] : n->values[i]);
        n->gradient_tensors[i].buffer = window(n, apart ? n->whole_gradients[i] : n->gradients[i]);
    }
    return TRUE;
}

MaxglNetwork *maxgl_network_new(MaxglContext *context, const MaxglResnet *resnet,
                                const MaxglNetworkOptions *options, MaxglParameters *parameters,
                                GError **error)
{
    g_autoptr(MaxglNetwork) n = maxgl_network_planned(context, resnet, options, error);
    if (!n)
        return NULL;
    n->parameters = parameters;
    if (!allocate(n, error))
        return NULL;
    n->forward = maxgl_sequence_new(context);
    if (n->mode == MAXGL_NETWORK_TRAINING)
        n->backward = maxgl_sequence_new(context);
    return maxgl_network_build(n, error) && maxgl_network_refresh(n, error) ? g_steal_pointer(&n) : NULL;
}

void maxgl_network_free(MaxglNetwork *n)
{
    if (!n)
        return;
    maxgl_sequence_free(n->forward);
    maxgl_sequence_free(n->backward);
    maxgl_memory_plan_free(n->plan);
    maxgl_memory_plan_free(n->weights_plan);
    maxgl_resnet_free(n->resnet);
    g_clear_pointer(&n->steps, g_array_unref);
    g_clear_pointer(&n->uses, g_array_unref);
    g_free(n->is_output);
    g_free(n->layers);
    g_free(n->values);
    g_free(n->gradients);
    g_free(n->whole_values);
    g_free(n->whole_gradients);
    g_free(n->value_tensors);
    g_free(n->gradient_tensors);
    g_free(n);
}

guint64 maxgl_network_bytes(const MaxglNetwork *n)
{
    return maxgl_memory_plan_bytes(n->plan) + maxgl_memory_plan_bytes(n->weights_plan);
}

guint64 maxgl_network_predict_bytes(MaxglContext *context, const MaxglResnet *resnet,
                                    const MaxglNetworkOptions *options, GError **error)
{
    g_autoptr(MaxglNetwork) n = maxgl_network_planned(context, resnet, options, error);
    return n ? maxgl_network_bytes(n) : 0;
}

int maxgl_network_batch(const MaxglNetwork *n)
{
    return n->batch;
}

MaxglNetworkMode maxgl_network_mode(const MaxglNetwork *n)
{
    return n->mode;
}

const MaxglResnet *maxgl_network_resnet(const MaxglNetwork *n)
{
    return n->resnet;
}

int maxgl_network_parameter(const MaxglNetwork *n, int layer, const char *what, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s.%s", n->resnet->layers[layer].name, what);
    const int index = maxgl_parameters_find(n->parameters, name);
    if (index < 0)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: parameter %s was not declared", name);
    return index;
}

cl_mem maxgl_network_value(const MaxglNetwork *n, int layer, const char *what, GError **error)
{
    const int index = maxgl_network_parameter(n, layer, what, error);
    return index < 0 ? NULL : maxgl_parameters_get(n->parameters, (guint)index)->value;
}

const MaxglTensor *maxgl_network_input(const MaxglNetwork *n)
{
    return &n->value_tensors[0];
}

static int output_index(const MaxglNetwork *n, const char *tap)
{
    const int tensor = maxgl_resnet_tap(n->resnet, tap);
    return tensor >= 0 && n->is_output[tensor] ? tensor : -1;
}

const MaxglTensor *maxgl_network_output(const MaxglNetwork *n, const char *tap)
{
    const int tensor = output_index(n, tap);
    return tensor >= 0 ? &n->value_tensors[tensor] : NULL;
}

const MaxglTensor *maxgl_network_output_gradient(const MaxglNetwork *n, const char *tap)
{
    const int tensor = output_index(n, tap);
    return tensor >= 0 && n->mode == MAXGL_NETWORK_TRAINING ? &n->gradient_tensors[tensor] : NULL;
}

MaxglSequence *maxgl_network_forward(const MaxglNetwork *n)
{
    return n->forward;
}

MaxglSequence *maxgl_network_backward(const MaxglNetwork *n)
{
    return n->backward;
}

gboolean maxgl_network_refresh(MaxglNetwork *n, GError **error)
{
    return n->mode != MAXGL_NETWORK_INFERENCE || maxgl_network_fold(n, error);
}

gboolean maxgl_network_set_step(MaxglNetwork *n, guint32 step, GError **error)
{
    /* A fill copies its pattern when it is enqueued; a write that does not wait would need @step to live on.
     */
    const cl_int code =
        clEnqueueFillBuffer(n->context->queue, maxgl_memory_plan_window(n->plan, (guint)n->step_block), &step,
                            sizeof step, 0, sizeof step, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: number of the step", n->context->info->name);
}
