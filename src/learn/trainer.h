/* The devices' side of training: network, loss, gradients and optimiser prepared once, then one step after
 * the other without allocating anything.
 *
 * A single device is not waited for. Several go through a step together: each has the network and a share of
 * the batch. What the networks make of their clips is gathered on the first, where the loss is computed for
 * the whole batch, as a single device would: every video of the batch is a negative of every other. Each goes
 * backward through its share, gradients are added on the first in the devices' order, and it updates the
 * parameters. */
#ifndef MAXGL_LEARN_TRAINER_H
#define MAXGL_LEARN_TRAINER_H

#include "learn/checkpoint.h"
#include "learn/task.h"
#include "media/loader.h"

typedef struct MaxglTrainer MaxglTrainer;

/** Bytes of the device that a trainer will take, but for frames on their way to it; 0 with @error set as
 * maxgl_trainer_new() would where the recipe is at fault or one piece exceeds the largest allocation. */
guint64 maxgl_trainer_predict_bytes(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                    const MaxglClasses *classes, GError **error);

/** Where train.micro_batch is 0 and the step's clips together would take more than @limit bytes, sets it to
 * the largest number of clips that does not. MAXGL_ERROR_LIMIT if even the fewest are too
 * many: two, or the smallest larger divisor of an odd number. */
gboolean maxgl_trainer_fit(MaxglContext *context, MaxglRecipe *recipe, const MaxglTask *task,
                           const MaxglClasses *classes, guint64 limit, GError **error);

/** Prepares the training that @recipe (valid) describes on @context, parameters drawn from train.seed.
 * @classes: of a supervised task, else NULL. All are borrowed. MAXGL_ERROR_LIMIT with need and limit,
 * MAXGL_ERROR_DEVICE. */
MaxglTrainer *maxgl_trainer_new(MaxglContext *context, const MaxglRecipe *recipe, const MaxglTask *task,
                                const MaxglClasses *classes, GError **error);

/** The same on @n devices, the first of which leads. train.shares of @recipe are settled (see shares.h). */
MaxglTrainer *maxgl_trainer_new_on(MaxglContext *const *contexts, guint n, const MaxglRecipe *recipe,
                                   const MaxglTask *task, const MaxglClasses *classes, GError **error);
void maxgl_trainer_free(MaxglTrainer *trainer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglTrainer, maxgl_trainer_free)

/** The network that is trained. */
const MaxglResnet *maxgl_trainer_resnet(const MaxglTrainer *trainer);

/** What checkpoints save and restore. */
const MaxglTrainingState *maxgl_trainer_state(const MaxglTrainer *trainer);

/** Enqueues step @step (1, 2, …) on @batch, of train.batch videos with as many clips as the task wants, which
 * may be freed then. An error of one of several devices says which. */
gboolean maxgl_trainer_step(MaxglTrainer *trainer, const MaxglBatch *batch, guint32 step,
                            double learning_rate, GError **error);

/** The task's numbers of the last step; waits for the device. */
gboolean maxgl_trainer_read(MaxglTrainer *trainer, double values[MAXGL_TASK_MAX_VALUES], GError **error);

#endif
