/* The Max-GL objective in double precision, written down as docs/method.md has it: for comparisons. */
#ifndef TESTS_NET_OBJECTIVE_REFERENCE_H
#define TESTS_NET_OBJECTIVE_REFERENCE_H

#include "net/max_gl.h"

/** Features and parameters by name: "pool", "layer2", "head.global.left.weight", … */
typedef struct {
    double *values;
    gsize n;
} ReferenceArray;

typedef struct {
    const MaxglObjectiveOptions *options;
    const MaxglResnet *resnet;
    int batch;          /**< clips, all in all */
    GHashTable *arrays; /**< name → ReferenceArray, in PyTorch's orders */
} ObjectiveReference;

ObjectiveReference *objective_reference_new(const MaxglObjectiveOptions *options, const MaxglResnet *resnet,
                                            int batch);
void objective_reference_free(ObjectiveReference *reference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectiveReference, objective_reference_free)

/** Copies @n numbers. */
void objective_reference_set(ObjectiveReference *reference, const char *name, const float *values, gsize n);

/** Global-MI, Local-MI and the loss. */
typedef struct {
    double global_mi, local_mi, loss;
} ObjectiveEstimates;
ObjectiveEstimates objective_reference_estimates(const ObjectiveReference *reference);

/** The slope of the loss along @direction in the array @name, by central differences with @step. */
double objective_reference_slope(ObjectiveReference *reference, const char *name, const double *direction,
                                 double step);

#endif
