/* How fast a recipe trains: its step alone, and with its videos. */
#ifndef MAXGL_BENCH_RECIPE_H
#define MAXGL_BENCH_RECIPE_H

#include "bench/data.h"
#include "learn/recipe.h"

/**
 * Three measurements of @seconds each (element MaxglDataRow): "step" repeats the recipe's step (preparing the
 * clips on the device, forward, loss, backward, update) on a batch that is there; "train, first epoch" gives
 * it the loader's batches from the start of a run; "train" those of later epochs, when decoded videos come
 * from data.cache_mb, and is left out where the first epoch takes longer than four times @seconds. Shows its
 * progress on stderr.
 *
 * @recipe: valid; train.micro_batch is set where memory demands it.
 * Returns: NULL with the errors of maxgl_feed_open(), maxgl_loader_new(), maxgl_trainer_new() and its steps,
 * MAXGL_ERROR_USAGE where there are fewer videos than train.batch, MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
GArray *maxgl_bench_recipe(MaxglContext *context, MaxglRecipe *recipe, double seconds, GError **error);

#endif
