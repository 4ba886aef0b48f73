/* Fully connected layer on feature matrices, as PyTorch's Linear, and its gradients.
 *
 *   y[n,k] = bias[k] + Σ_c x[n,c] · w[c,k]
 *
 * Weights lie on the device as [⌈C/bi⌉·bi][⌈K/bo⌉·bo], where bi is the block of x and bo that of y: input
 * features major, the transpose of PyTorch's (K, C). Entries of padding features are zero, and so are those
 * of the gradients, which have the same layout.
 */
#ifndef MAXGL_OPS_LINEAR_H
#define MAXGL_OPS_LINEAR_H

#include "compute/sequence.h"
#include "ops/tensor.h"

typedef struct {
    MaxglShape input; /**< N × C: T = H = W = 1; any block */
    int out_features; /**< K */
    int out_block;    /**< block of y */
} MaxglLinear;

/** Shape of y: N × K. */
MaxglShape maxgl_linear_output(const MaxglLinear *linear);

/** Floats of the weights in device layout, padding included; and K·C without. */
gsize maxgl_linear_weight_floats(const MaxglLinear *linear);
gsize maxgl_linear_weight_elements(const MaxglLinear *linear);

/** Host memory: PyTorch's (K, C) ↔ device layout. */
void maxgl_linear_pack_weights(const MaxglLinear *linear, const float *plain, float *packed);
void maxgl_linear_unpack_weights(const MaxglLinear *linear, const float *packed, float *plain);

/** Multiply-adds of one pass. */
double maxgl_linear_macs(const MaxglLinear *linear);

/** Name of the algorithm that the tuning database chooses for all passes; NULL with MAXGL_ERROR_USAGE if
 * there is none of that name. */
const char *maxgl_linear_algorithm_name(MaxglContext *context, GError **error);

/** Bytes of scratch memory a pass wants, whatever algorithm the tuning database ("linear"/"algorithm": direct
 * or clblast) chooses; 0 = none. */
gsize maxgl_linear_forward_workspace(MaxglContext *context, const MaxglLinear *linear);
gsize maxgl_linear_backward_data_workspace(MaxglContext *context, const MaxglLinear *linear);
gsize maxgl_linear_backward_weights_workspace(MaxglContext *context, const MaxglLinear *linear);

/**
 * Appends y = x·w + bias, with ReLU behind it when @relu. @bias: ⌈K/bo⌉·bo floats, or NULL. @workspace has at
 * least the bytes asked for above (NULL if 0). Errors: MAXGL_ERROR_USAGE for a shape that is no matrix or an
 * algorithm that does not exist; MAXGL_ERROR_DEVICE. The gradients below are those of the layer without ReLU.
 */
gboolean maxgl_linear_forward(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem weights,
                              cl_mem bias, gboolean relu, cl_mem y, cl_mem workspace, GError **error);

/** Appends dx = dy·wᵀ, or dx += it when @accumulate. */
gboolean maxgl_linear_backward_data(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy,
                                    cl_mem weights, cl_mem dx, gboolean accumulate, cl_mem workspace,
                                    GError **error);

/** Appends dw = xᵀ·dy in the weights' layout and db = Σ_n dy[n] (⌈K/bo⌉·bo floats, or NULL), overwriting
 * them; the order of summation is fixed. */
gboolean maxgl_linear_backward_weights(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x,
                                       cl_mem dy, cl_mem dw, cl_mem db, cl_mem workspace, GError **error);

#endif
