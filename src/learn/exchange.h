/* What travels between the devices of a training step, through memory of the host: no buffer belongs to two.
 *
 *   first device (leads)                            every other one
 *   parameters, running statistics      ── 1 →      the same
 *   outputs of the whole batch          ← 2 ──      outputs of its share; running statistics
 *   gradients of those outputs          ── 3 →      gradients of its outputs
 *   gradients of all parameters, added  ← 4 ──      gradients of all parameters
 *
 * Gradients are added in the devices' order, so that sums have the same bits in every run. Running statistics
 * become the mean of the devices', each counting as much as it has clips. Devices whose layouts differ are
 * translated on the host. */
#ifndef MAXGL_LEARN_EXCHANGE_H
#define MAXGL_LEARN_EXCHANGE_H

#include "learn/replica.h"

typedef struct MaxglExchange MaxglExchange;

/** Between @n replicas of one training, of which the first leads; all are borrowed. */
MaxglExchange *maxgl_exchange_new(MaxglReplica *const *replicas, guint n, GError **error);
void maxgl_exchange_free(MaxglExchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglExchange, maxgl_exchange_free)

/* The steps, in their order. Those with a number are for the thread of that device. The others are for the
 * first device's, while no other is at work, and do not wait for it. */

/** 1: the first device's parameters set out … */
gboolean maxgl_exchange_publish(MaxglExchange *exchange, GError **error);
/** … and arrive. Not for device 0. */
gboolean maxgl_exchange_adopt(MaxglExchange *exchange, guint i, GError **error);

/** 2, behind the forward pass: waits for outputs and statistics … */
gboolean maxgl_exchange_collect(MaxglExchange *exchange, guint i, GError **error);
/** … which arrive at the first device. */
gboolean maxgl_exchange_gather(MaxglExchange *exchange, GError **error);

/** 3, behind the loss: gradients of outputs set out … */
gboolean maxgl_exchange_scatter(MaxglExchange *exchange, GError **error);
/** … and arrive. Not for device 0. */
gboolean maxgl_exchange_receive(MaxglExchange *exchange, guint i, GError **error);

/** 4, behind the backward pass: waits for gradients of parameters. Not for device 0. */
gboolean maxgl_exchange_return(MaxglExchange *exchange, guint i, GError **error);
/** … which are added to those of the first device. */
gboolean maxgl_exchange_sum(MaxglExchange *exchange, GError **error);

#endif
