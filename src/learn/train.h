/* One session of a training run, from the recipe to the trained model. */
#ifndef MAXGL_LEARN_TRAIN_H
#define MAXGL_LEARN_TRAIN_H

#include "learn/recipe.h"

/** What to train. Borrowed. */
typedef struct {
    MaxglRecipe *recipe;  /**< train.shares and train.micro_batch are settled, see maxgl_shares_settle() */
    const char *device;   /**< one or several, as maxgl_contexts_open() */
    guint64 memory_limit; /**< bytes of each device; 0: all it has */
    const char *out;      /**< the run's folder, see run.h */
    gboolean resume;      /**< continue the run that is there */
} MaxglTrainOptions;

/**
 * Trains to the end, with progress on stderr. Checkpoints every train.checkpoint_every steps, at the end, and
 * when interrupted (maxgl_interrupt_install() is the caller's business); a resumed run ends with the bytes it
 * would have had without the interruption.
 *
 * Errors: #MAXGL_ERROR_USAGE for a recipe that makes no sense or does not fit the run or the data,
 * #MAXGL_ERROR_CANCELLED when interrupted, #MAXGL_ERROR_FORMAT for too many bad videos, #MAXGL_ERROR_FAILED
 * when the loss is no number any more, #MAXGL_ERROR_IO, _DEVICE, _LIMIT, _NOT_FOUND.
 */
gboolean maxgl_train(const MaxglTrainOptions *options, GError **error);

#endif
