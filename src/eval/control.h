/* The network that a trained one is compared with: the same architecture, not trained. */
#ifndef MAXGL_EVAL_CONTROL_H
#define MAXGL_EVAL_CONTROL_H

#include "media/dataset.h"
#include "net/parameters.h"
#include "net/weights.h"

/**
 * Writes the model file @path: the network of the model file @model with weights drawn anew, with the seed
 * that @model was trained from if it says so (then they are the very weights its training began with), else
 * 0.
 *
 * Running statistics of batch norm are not left at 0 and 1, which no network has that has seen a video: some
 * batches of clips of the videos @train (every clip at the centre view, without augmentation) pass through
 * the network in training mode, and nothing but these statistics changes. So what a comparison shows is what
 * was learnt.
 *
 * @device: as maxgl_device_choose(). Errors of the model file, the device, the videos and of writing.
 */
gboolean maxgl_control_write(const char *model, const char *device, const MaxglDataset *train,
                             const char *path, GError **error);

/** Uses the model file @path, which is gone afterwards. */
typedef gboolean (*MaxglControlUse)(const char *path, gpointer user_data, GError **error);

/** maxgl_control_write() to a temporary file, for @use. */
gboolean maxgl_control_with(const char *model, const char *device, const MaxglDataset *train,
                            MaxglControlUse use, gpointer user_data, GError **error);

#endif
