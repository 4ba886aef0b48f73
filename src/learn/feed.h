/* What a recipe trains on: its videos, their classes, and the loader that brings them. */
#ifndef MAXGL_LEARN_FEED_H
#define MAXGL_LEARN_FEED_H

#include "learn/task.h"
#include "media/loader.h"

/** The videos of data.path that belong to data.split. The errors of maxgl_dataset_open(); MAXGL_ERROR_USAGE
 * where a split is wished for that is not there, or where there are fewer videos than train.batch. */
MaxglDataset *maxgl_feed_open(const MaxglRecipe *recipe, GError **error);

/** What @task has to tell apart in @dataset: *@classes is NULL for a task without labels. The errors of
 * maxgl_classes_new(). */
gboolean maxgl_feed_classes(const MaxglRecipe *recipe, const MaxglTask *task, const MaxglDataset *dataset,
                            MaxglClasses **classes, GError **error);

/** Sets @options to bring the clips that @recipe trains with, in endless epochs. */
void maxgl_feed_loader_options(const MaxglRecipe *recipe, const MaxglTask *task, MaxglLoaderOptions *options);

#endif
