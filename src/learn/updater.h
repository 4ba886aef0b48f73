/* What happens to the parameters once their gradients are there: clipping, the optimiser's update, the
 * average of what they have been. */
#ifndef MAXGL_LEARN_UPDATER_H
#define MAXGL_LEARN_UPDATER_H

#include "learn/checkpoint.h"
#include "learn/recipe.h"
#include "learn/task.h"

typedef struct MaxglUpdater MaxglUpdater;

/** Bytes of the device that maxgl_updater_new() will take. @parameters: placed. */
guint64 maxgl_updater_predict_bytes(const MaxglRecipe *recipe, const MaxglResnet *resnet,
                                    const MaxglParameters *parameters);

/** Prepares the updates that @recipe asks for; @parameters, which are those of @task on @resnet, allocated
 * with gradients, are borrowed. Layers of @resnet that maxgl_recipe_frozen() names are left as they are.
 * MAXGL_ERROR_LIMIT, MAXGL_ERROR_DEVICE. */
MaxglUpdater *maxgl_updater_new(const MaxglRecipe *recipe, const MaxglTask *task, const MaxglResnet *resnet,
                                MaxglParameters *parameters, GError **error);
void maxgl_updater_free(MaxglUpdater *updater);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglUpdater, maxgl_updater_free)

/** Adds what belongs to the updater, which goes on owning it, to what checkpoints save. */
void maxgl_updater_state(const MaxglUpdater *updater, MaxglTrainingState *state);

/** Enqueues what comes before step @step (1, 2, …); averages begin with what the parameters are before the
 * first. */
gboolean maxgl_updater_begin(MaxglUpdater *updater, guint32 step, double learning_rate, GError **error);

/** With loss scaling (train.precision = fp16): @gradient, of an output of the network, is one of those that
 * maxgl_updater_scale() multiplies by the scale; borrowed. Nothing without. */
gboolean maxgl_updater_add_scaled(MaxglUpdater *updater, const MaxglTensor *gradient, GError **error);

/** Enqueues that, when the loss has left them. */
gboolean maxgl_updater_scale(MaxglUpdater *updater, GError **error);

/** Enqueues the update, when the gradients are there. With loss scaling those of the network's parameters are
 * divided by the scale first, and where one is not finite nothing changes but the scale. */
gboolean maxgl_updater_run(MaxglUpdater *updater, GError **error);

#endif
