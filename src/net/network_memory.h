/* How much memory of the device a network will take, known before any is allocated. */
#ifndef MAXGL_NET_NETWORK_MEMORY_H
#define MAXGL_NET_NETWORK_MEMORY_H

#include "net/network.h"

/** A network of which nothing is allocated: outputs and their gradients have shapes and no buffers, there are
 * no passes, and maxgl_network_bytes() tells what it would take. Errors: as maxgl_network_new(). */
MaxglNetwork *maxgl_network_planned(MaxglContext *context, const MaxglResnet *resnet,
                                    const MaxglNetworkOptions *options, GError **error);

/** Bytes of the device. */
typedef struct {
    guint64 parameters; /**< learnt numbers and running statistics */
    guint64 gradients;  /**< of the parameters; training */
    guint64 optimizer;  /**< its state; training */
    guint64 folded;     /**< weights with batch norm in them, as the algorithms want them; inference */
    guint64 arena;      /**< what activations, their gradients and workspace share, at different times */
    guint64 busiest[MAXGL_MEMORY_USES]; /**< by MaxglMemoryUse: what of the arena is in use when most is */
    guint64 total;                      /**< parameters … arena */
} MaxglNetworkMemory;

/**
 * What @resnet run as @options say takes, with an optimiser that keeps @states numbers for each parameter
 * (see maxgl_optimizer_states(); training only). Labels, a loss and what brings clips to the device are not
 * counted: they are small. Nothing is allocated. Errors: as maxgl_network_new(), where one piece exceeds the
 * device's largest allocation; not where only the total exceeds its memory.
 */
gboolean maxgl_network_memory(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglNetworkOptions *options, int states, MaxglNetworkMemory *memory,
                              GError **error);

#endif
