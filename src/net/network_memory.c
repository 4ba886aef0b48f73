#include "net/network_memory.h"

#include "net/network_private.h"

static void add_parameters(MaxglContext *context, const MaxglResnet *resnet, gboolean training, int states,
                           MaxglNetworkMemory *memory)
{
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    maxgl_parameters_place(parameters);
    const guint64 learnt = maxgl_parameters_learnt_floats(parameters) * sizeof(float);
    memory->parameters = learnt + maxgl_parameters_statistics_floats(parameters) * sizeof(float);
    memory->gradients = training ? learnt : 0;
    memory->optimizer = training ? learnt * (guint64)states : 0;
}

static void add_arena(const MaxglNetwork *n, MaxglNetworkMemory *memory)
{
    const int time = maxgl_memory_plan_busiest(n->plan);
    for (guint i = 0; i < n->uses->len; i++)
        if (maxgl_memory_plan_lives(n->plan, i, time))
            memory->busiest[g_array_index(n->uses, MaxglMemoryUse, i)] +=
                maxgl_memory_plan_block_bytes(n->plan, i);
    memory->folded = maxgl_memory_plan_bytes(n->weights_plan);
    memory->arena = maxgl_memory_plan_bytes(n->plan);
}

gboolean maxgl_network_memory(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglNetworkOptions *options, int states, MaxglNetworkMemory *memory,
                              GError **error)
{
    *memory = (MaxglNetworkMemory){0};
    g_autoptr(MaxglNetwork) n = maxgl_network_planned(context, resnet, options, error);
    if (!n)
        return FALSE;
    add_arena(n, memory);
    add_parameters(context, resnet, options->mode == MAXGL_NETWORK_TRAINING, states, memory);
    memory->total =
        memory->parameters + memory->gradients + memory->optimizer + memory->folded + memory->arena;
    return TRUE;
}
