/* Batch normalisation over N, T, H, W (PyTorch's BatchNorm3d; BatchNorm1d for a feature matrix), with
 * addition of a residual and ReLU in the same pass:
 *
 *   y = relu?(gamma · x̂ + beta + residual?)      x̂ = (x − mean) · invstd      invstd = 1/√(var + eps)
 *
 * Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2. Per-channel vectors (gamma, beta,
 * running statistics and the gradients) have ⌈C/b⌉·b floats with zeros behind C.
 */
#ifndef MAXGL_OPS_BATCH_NORM_H
#define MAXGL_OPS_BATCH_NORM_H

#include "compute/sequence.h"
#include "ops/tensor.h"

typedef struct {
    MaxglShape shape; /**< of x, y and the residual; any block */
    float eps;        /**< above 0; PyTorch's default is 1e-5 */
    float momentum;   /**< weight of the new batch in the running statistics, PyTorch's default is 0.1 */
    gboolean relu;    /**< clamp y at zero */
} MaxglBatchNorm;

/** Parameters and running statistics of the channels. */
typedef struct {
    cl_mem gamma, beta;
    cl_mem running_mean, running_var;
} MaxglBatchNormVectors;

/** Floats that training forward leaves for backward: the batch's mean and then invstd of each channel. */
gsize maxgl_batch_norm_saved_floats(const MaxglBatchNorm *norm);

/** Bytes of scratch memory that training forward, and likewise backward, want. */
gsize maxgl_batch_norm_workspace(MaxglContext *context, const MaxglBatchNorm *norm);

/**
 * Appends y from the batch's mean and biased variance, fills @saved and updates the running statistics:
 * running ← (1 − momentum)·running + momentum·batch, with the unbiased variance.
 * @residual: a tensor of x's shape, or NULL. @y may be the residual's buffer.
 * MAXGL_ERROR_USAGE when N·T·H·W = 1: the variance of one value is nothing (PyTorch refuses it too).
 */
gboolean maxgl_batch_norm_forward_training(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                           const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                           cl_mem y, cl_mem saved, cl_mem workspace, GError **error);

/** Bytes of partial statistics in @parts parts: of each the sum and the squared deviations from the mean of
 * every channel, then how many pixels it is about, at least one; see cl/moments.clh. */
gsize maxgl_batch_norm_statistics_bytes(const MaxglBatchNorm *norm, int parts);

/** maxgl_batch_norm_forward_training() with the partial statistics of x made already, by the convolution that
 * made x (MaxglConv3dEpilogue): x is read once. */
gboolean maxgl_batch_norm_forward_given(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                        const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                        cl_mem y, cl_mem saved, cl_mem statistics, int parts, GError **error);

/** Appends y once more from what training forward left in @saved: the same bits, and no statistics change.
 * gamma and beta must be as they were. */
gboolean maxgl_batch_norm_forward_again(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                        const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                        cl_mem y, cl_mem saved, GError **error);

/** Appends y from the running statistics. @y may be the buffer of @x or of @residual (NULL = none). */
gboolean maxgl_batch_norm_forward_evaluation(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                             const MaxglBatchNormVectors *vectors, cl_mem x, cl_mem residual,
                                             cl_mem y, GError **error);

/** What backward reads and writes. */
typedef struct {
    cl_mem x;     /**< the input of training forward */
    cl_mem y;     /**< its output; needed if it had a residual and relu. NULL otherwise saves reading it */
    cl_mem saved; /**< filled by training forward */
    cl_mem dy;    /**< gradient of the output */
    cl_mem dx;    /**< gradient of the input, overwritten; may be dy's buffer or x's */
    cl_mem d_residual; /**< gradient of the residual, or NULL; may be dy's buffer if not accumulated, but not
                          dx's */
    gboolean accumulate_residual; /**< add to d_residual rather than overwrite it */
    cl_mem dgamma, dbeta;         /**< overwritten */
} MaxglBatchNormGradients;

/** Appends the gradients of training forward, through the batch's statistics. gamma and beta are read. */
gboolean maxgl_batch_norm_backward(MaxglSequence *sequence, const MaxglBatchNorm *norm,
                                   const MaxglBatchNormVectors *vectors,
                                   const MaxglBatchNormGradients *gradients, cl_mem workspace,
                                   GError **error);

#endif
