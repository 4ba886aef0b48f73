/* Layer normalisation over channels (Ba et al., 2016; PyTorch's LayerNorm of the last dimension) and its
 * gradient.
 *
 *   y[n,c,p] = (x[n,c,p] − mean[n,p]) · rstd[n,p] · gamma[c] + beta[c]
 *   mean = Σ_c x / C     rstd = 1/√(Σ_c (x − mean)² / C + epsilon)
 *
 * Every pixel p of every sample n is normalised by itself. A feature matrix has one pixel a row.
 */
#ifndef MAXGL_OPS_LAYER_NORM_H
#define MAXGL_OPS_LAYER_NORM_H

#include "compute/sequence.h"
#include "ops/tensor.h"

#define MAXGL_LAYER_NORM_EPSILON 1e-5F /**< PyTorch's default */

typedef struct {
    MaxglShape shape; /**< of x and y */
    float epsilon;
} MaxglLayerNorm;

/** Bytes of scratch memory of the backward pass. */
gsize maxgl_layer_norm_backward_workspace(MaxglContext *context, const MaxglLayerNorm *norm);

/** Appends the forward pass. @gamma, @beta: ⌈C/b⌉·b floats with zero padding. @mean, @rstd: N·T·H·W floats
 * each, for the backward pass; both NULL if there is none. @y may be @x. */
gboolean maxgl_layer_norm_forward(MaxglSequence *sequence, const MaxglLayerNorm *norm, cl_mem x, cl_mem gamma,
                                  cl_mem beta, cl_mem y, cl_mem mean, cl_mem rstd, GError **error);

/** Appends dx, dgamma = Σ dy·(x − mean)·rstd and dbeta = Σ dy (⌈C/b⌉·b floats each, padding zeroed; both NULL
 * if not wanted), overwriting them. @dx may be @dy. The order of summation is fixed. */
gboolean maxgl_layer_norm_backward(MaxglSequence *sequence, const MaxglLayerNorm *norm, cl_mem x,
                                   cl_mem gamma, cl_mem mean, cl_mem rstd, cl_mem dy, cl_mem dx,
                                   cl_mem dgamma, cl_mem dbeta, cl_mem workspace, GError **error);

#endif
