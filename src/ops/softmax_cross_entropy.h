/* Softmax cross-entropy of integer labels, as PyTorch's CrossEntropyLoss with mean reduction.
 *
 *   loss = Σ_n weight[label[n]] · (log Σ_k exp(x[n,k]) − x[n,label[n]]) / Σ_n weight[label[n]]
 *
 * Rows whose label is no class (−1, or anything outside 0 … K−1) count for nothing; where all are such, the
 * loss and its gradient are zero.
 */
#ifndef MAXGL_OPS_SOFTMAX_CROSS_ENTROPY_H
#define MAXGL_OPS_SOFTMAX_CROSS_ENTROPY_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** What the device writes. */
typedef struct {
    float loss;   /**< in nats */
    float weight; /**< Σ weight[label], the denominator */
    gint32 rows;  /**< rows that counted */
    gint32 hits;  /**< of those, where the label has the greatest logit (the first one, if several do) */
} MaxglCrossEntropy;

/** Bytes of scratch memory for @logits. */
gsize maxgl_softmax_cross_entropy_workspace(const MaxglShape *logits);

/**
 * Appends loss and gradient. @shape: N × K (T = H = W = 1). @labels: N gint32. @class_weights: K floats, or
 * NULL for ones. @result: a MaxglCrossEntropy. @dlogits: of @shape, or NULL if no gradient is wanted; may be
 * @logits. Errors: MAXGL_ERROR_USAGE for a shape that is no matrix.
 */
gboolean maxgl_softmax_cross_entropy(MaxglSequence *sequence, const MaxglShape *shape, cl_mem logits,
                                     cl_mem labels, cl_mem class_weights, cl_mem result, cl_mem dlogits,
                                     cl_mem workspace, GError **error);

#endif
