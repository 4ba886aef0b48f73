/* Linear support vector machines, by liblinear. Private to the room. */
#ifndef MAXGL_EVAL_LINEAR_SVM_H
#define MAXGL_EVAL_LINEAR_SVM_H

#include <glib.h>

/** Vectors to train on and to classify. */
typedef struct MaxglSvmSet MaxglSvmSet;

/** Copies @n vectors of @length numbers, one after the other. A 1 is added to each, for the bias (which is
 * regularised like the other weights). */
MaxglSvmSet *maxgl_svm_set_new(const double *vectors, gsize n, int length);
void maxgl_svm_set_free(MaxglSvmSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglSvmSet, maxgl_svm_set_free)

typedef struct MaxglSvm MaxglSvm;

/**
 * Trains on the @n vectors @rows of @set with the classes @labels[rows[i]], of which there are at least two:
 * minimises ½|w|² + C Σ max(0, 1 − y w·x)² for each class against the rest (of two classes, for one of them),
 * by liblinear's solver 2, which draws no random numbers. Any number of threads may train at once.
 */
MaxglSvm *maxgl_svm_train(const MaxglSvmSet *set, const int *labels, const gsize *rows, gsize n, double c);
void maxgl_svm_free(MaxglSvm *svm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglSvm, maxgl_svm_free)

/** The class of vector @row: the one whose machine gives the largest value. */
int maxgl_svm_class(const MaxglSvm *svm, const MaxglSvmSet *set, gsize row);

/** Of a machine of the two classes 0 and 1: w·x, above 0 for class 1. */
double maxgl_svm_value(const MaxglSvm *svm, const MaxglSvmSet *set, gsize row);

#endif
