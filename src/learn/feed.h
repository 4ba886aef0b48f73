/* What a recipe trains on: its videos, and the loader that brings them. */
#ifndef MAXGL_LEARN_FEED_H
#define MAXGL_LEARN_FEED_H

#include "learn/task.h"
#include "media/loader.h"

/** The videos of data.path that belong to data.split. The errors of maxgl_dataset_open(); MAXGL_ERROR_USAGE
 * where a split is wished for that is not there. */
MaxglDataset *maxgl_feed_open(const MaxglRecipe *recipe, GError **error);

/** Sets @options to bring the clips that @recipe trains with, in endless epochs. */
void maxgl_feed_loader_options(const MaxglRecipe *recipe, const MaxglTask *task, MaxglLoaderOptions *options);

#endif
