/* A linear support vector machine by another method than the program's. */
#ifndef TESTS_EVAL_REFERENCE_SVM_H
#define TESTS_EVAL_REFERENCE_SVM_H

#include <glib.h>

/** w and bias, [length + 1], that minimise ½|w|² + C Σ max(0, 1 − y w·(x, 1))² over the @n vectors: Newton's
 * method, in double precision, until the set of those within the margin stays. @y: ±1. Caller frees. Fails
 * the test if it does not end. */
double *reference_svm(const double *x, const int *y, gsize n, int length, double c);

/** The value of @w for one vector. */
double reference_svm_value(const double *w, const double *x, int length);

/** Each of @n vectors classified by one machine a class, 0 … classes − 1, trained on all other vectors
 * (scaled to length 1 first): [n] classes; caller frees. Every class has two vectors or more. */
int *reference_leave_one_out(const float *features, const int *labels, gsize n, int length, int classes,
                             double c);

#endif
