/* A model's classifier, for features that were computed without it. Private to the room. */
#ifndef MAXGL_EVAL_CLASSIFIER_H
#define MAXGL_EVAL_CLASSIFIER_H

#include "net/weights.h"

/** Its weights, and what the file says of its classes. */
typedef struct {
    int classes, features;
    float *weight; /**< [classes × features] */
    float *bias;   /**< [classes] */
    char **names;  /**< of the classes, NULL: not known */
    char *label;   /**< the column that they are of, NULL: not known */
} MaxglClassifier;

/** The classifier of the model file @path. #MAXGL_ERROR_USAGE if it has none; the errors of
 * maxgl_model_info_read(). */
MaxglClassifier *maxgl_classifier_read(const char *path, GError **error);
void maxgl_classifier_free(MaxglClassifier *classifier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClassifier, maxgl_classifier_free)

/** @logits = weight · @features + bias. */
void maxgl_classifier_logits(const MaxglClassifier *classifier, const float *features, double *logits);

/** Softmax of @n numbers in their place. */
void maxgl_softmax(double *logits, int n);

#endif
