/* One device's part in training: its copy of the parameters, the network on its share of every batch, and
 * what brings clips there. */
#ifndef MAXGL_LEARN_REPLICA_H
#define MAXGL_LEARN_REPLICA_H

#include "learn/shares.h"
#include "ops/clip_mix.h"
#include "ops/clip_prepare.h"

typedef struct {
    MaxglContext *context;
    MaxglShare share;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network; /**< where share.first is 0, its outputs have room for those of all devices */

    /* Private. */
    const MaxglRecipe *recipe;
    const MaxglTask *task;
    MaxglClipPreparer *preparer;
    cl_mem mix_table, mix_workspace; /* background mixing; NULL without */
    MaxglSequence *mix;
    MaxglClipMix *mixes; /* of the samples of the network's input */
} MaxglReplica;

/** Prepares a share; everything is borrowed. Parameters are zero, with gradients. MAXGL_ERROR_LIMIT with need
 * and limit, MAXGL_ERROR_DEVICE, MAXGL_ERROR_USAGE. */
MaxglReplica *maxgl_replica_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglClasses *classes, const MaxglShare *share, GError **error);
void maxgl_replica_free(MaxglReplica *replica);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglReplica, maxgl_replica_free)

/** Bytes of @context's device that training a share takes, but for frames on their way to it; with @leads
 * also the loss, the optimiser, and what sums gradients of several devices. 0 with @error as
 * maxgl_replica_new() where the recipe is at fault or one piece exceeds the largest allocation. */
guint64 maxgl_replica_predict_bytes(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                    const MaxglClasses *classes, const MaxglShare *share, gboolean leads,
                                    GError **error);

/** Enqueues bringing the clips of its share of @batch to the network's input, with others laid over them
 * where augment.mix says so. @batch may be freed then. */
gboolean maxgl_replica_take(MaxglReplica *replica, const MaxglBatch *batch, GError **error);

#endif
