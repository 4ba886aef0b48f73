/* The learning rate of each step. */
#ifndef MAXGL_LEARN_SCHEDULE_H
#define MAXGL_LEARN_SCHEDULE_H

#include "learn/recipe.h"

/** What the schedule "plateau" has seen so far; part of a run's state. It is PyTorch's ReduceLROnPlateau with
 * mode min, factor 0.1, threshold 1e-4 (relative), neither cooldown nor smallest rate, and looks at the mean
 * loss of all steps of an epoch. */
typedef struct {
    gboolean used; /**< FALSE with other schedules */
    double best;   /**< the least mean loss of an epoch; INFINITY before the first has ended */
    double sum;    /**< of the losses of the steps of the epoch under way */
    int bad;       /**< epochs since one was better than all before */
    int drops;     /**< times that the rate has fallen */
} MaxglPlateau;

/** Before the first step. */
void maxgl_plateau_init(MaxglPlateau *plateau);

/** Takes the @loss of a step. */
void maxgl_plateau_add(MaxglPlateau *plateau, double loss);

/** The epoch, of @steps steps, has ended: the rate falls if more than @patience epochs in a row have not been
 * better than the best by a part of 1e-4. (Of a loss below 0, where PyTorch would take one that is a little
 * higher for better, it has to be lower by that part.) */
void maxgl_plateau_end_epoch(MaxglPlateau *plateau, gint64 steps, int patience);

/**
 * Learning rate of step @step (1 … @steps) of @steps: a line from 0 to train.lr over the warm-up, then
 *
 *   constant  train.lr
 *   cosine    half a cosine from train.lr to 0 after the last step
 *   linear    a line from train.lr to 0 after the last step
 *   step      train.lr, a tenth of it after the first of train.drops, in percent of @steps, and so on
 *   plateau   train.lr, a tenth of it for each drop of @plateau
 *
 * @plateau: NULL for none so far.
 */
double maxgl_schedule_rate(const MaxglRecipe *recipe, gint64 step, gint64 steps, const MaxglPlateau *plateau);

#endif
