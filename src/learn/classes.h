/* What a classifier tells apart. */
#ifndef MAXGL_LEARN_CLASSES_H
#define MAXGL_LEARN_CLASSES_H

#include "media/dataset.h"

/** The classes that occur among the training videos, in the order of the classifier's outputs. */
typedef struct {
    char *label;    /**< the column */
    int n;          /**< at least 2 */
    char **names;   /**< sorted by their bytes, NULL-terminated */
    float *weights; /**< [n] of the loss; NULL: all alike */
    int *outputs;   /**< by the data set's class: the output, −1 where no training video is of it */
} MaxglClasses;

/**
 * The classes of @label (NULL: the data set's label) among the videos of @dataset. @balanced: weight videos /
 * (classes · videos of the class) as scikit-learn's compute_class_weight("balanced"), so that each class
 * counts as much as any other. Videos without a class count for nothing; their number is said.
 * #MAXGL_ERROR_USAGE: no such column, or fewer than two classes.
 */
MaxglClasses *maxgl_classes_new(const MaxglDataset *dataset, const char *label, gboolean balanced,
                                GError **error);
void maxgl_classes_free(MaxglClasses *classes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClasses, maxgl_classes_free)

#endif
