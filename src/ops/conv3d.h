/* 3D convolution (cross-correlation, as PyTorch's Conv3d with groups = dilation = 1) and its gradients.
 *
 *   y[n,k,o] = bias[k] + Σ_{c,tap} w[k,c,tap] · x[n,c, o·stride + tap − pad]      o = (t,h,w) of the output
 *
 * Weights lie on the device as [⌈K/bo⌉][⌈C/bi⌉][KT][KH][KW][bi][bo], where bi is the block of x and bo that
 * of y; entries of padding channels are zero. Gradients with respect to weights have the same layout, so
 * optimisers see one flat array.
 */
#ifndef MAXGL_OPS_CONV3D_H
#define MAXGL_OPS_CONV3D_H

#include "compute/sequence.h"
#include "ops/tensor.h"
#include "ops/work.h"

/** What a convolution is. Index 0 is time, 1 height, 2 width. */
typedef struct {
    MaxglShape input; /**< shape of x; any block and storage */
    int out_channels; /**< K */
    int out_block;    /**< block of y */
    int kernel[3];    /**< taps, at least 1 */
    int stride[3];    /**< at least 1 */
    int pad[3];       /**< zeros on either side, 0 … kernel−1 */
    gboolean exact;   /**< use no algorithm whose rounding errors exceed direct summation's (Winograd's do) */
    MaxglStorage out_storage; /**< of y. Weights and their gradients are always floats */
    gboolean tf32; /**< factors that are floats may be rounded to 11 digits before they are multiplied,
                      where the device has matrix units for that */
} MaxglConv3d;

/** Shape of y: ⌊(size + 2·pad − kernel)/stride⌋ + 1 in each direction. */
MaxglShape maxgl_conv3d_output(const MaxglConv3d *conv);

/** MAXGL_ERROR_USAGE if the numbers make no convolution (empty output, pad not below kernel, …). */
gboolean maxgl_conv3d_validate(const MaxglConv3d *conv, GError **error);

/** Floats of the weights in device layout, padding included; and K·C·taps without. */
gsize maxgl_conv3d_weight_floats(const MaxglConv3d *conv);
gsize maxgl_conv3d_weight_elements(const MaxglConv3d *conv);

/** Host memory: PyTorch's (K, C, KT, KH, KW) ↔ device layout. */
void maxgl_conv3d_pack_weights(const MaxglConv3d *conv, const float *plain, float *packed);
void maxgl_conv3d_unpack_weights(const MaxglConv3d *conv, const float *packed, float *plain);

/** Bytes of x, w and y, or of their gradients: what any pass reads or writes at least. */
double maxgl_conv3d_operand_bytes(const MaxglConv3d *conv);

/** Multiply-adds of one pass by the direct method, the convention of every figure we print. */
double maxgl_conv3d_macs(const MaxglConv3d *conv);

/** Its passes. */
typedef enum {
    MAXGL_CONV3D_FORWARD,
    MAXGL_CONV3D_BACKWARD_DATA,
    MAXGL_CONV3D_BACKWARD_WEIGHTS,
    MAXGL_CONV3D_FORWARD_PREPARED, /**< inside ops, for workspace() only */
} MaxglConv3dPass;

/** Name of the algorithm that the tuning database chooses for a pass ("direct", "winograd", "gemm", "mma").
 */
const char *maxgl_conv3d_algorithm_name(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass);

/** Names of all algorithms, ended by NULL. */
const char *const *maxgl_conv3d_algorithm_names(void);

/** What a pass asks of the device with the algorithm that is chosen for it. FALSE if that is one for CPUs,
 * which does not say. */
gboolean maxgl_conv3d_work(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass,
                           MaxglWork *work);

/** Bytes of scratch memory a pass wants, whatever algorithm the tuning database chooses; 0 = none. */
gsize maxgl_conv3d_forward_workspace(MaxglContext *context, const MaxglConv3d *conv);
gsize maxgl_conv3d_backward_data_workspace(MaxglContext *context, const MaxglConv3d *conv);
gsize maxgl_conv3d_backward_weights_workspace(MaxglContext *context, const MaxglConv3d *conv);

/** What happens to each result before it is stored: y = relu?(sum + bias? + residual?). Absent parts are NULL
 * or FALSE. */
typedef struct {
    cl_mem bias;     /**< ⌈K/bo⌉·bo floats, or NULL */
    cl_mem residual; /**< a tensor of y's shape, or NULL */
    gboolean relu;
    cl_mem statistics; /**< forward without the others: takes partial statistics of y, in as many parts as
                          maxgl_conv3d_statistics_parts() says, for batch norm; or NULL */
} MaxglConv3dEpilogue;

/** Parts in which the forward pass writes statistics of y beside y, whose order and sizes do not depend on
 * the number of compute units; 0: the algorithm chosen cannot. */
int maxgl_conv3d_statistics_parts(MaxglContext *context, const MaxglConv3d *conv);

/** Appends y = conv(x, w) with @epilogue (NULL = none). @workspace has at least the bytes asked for above
 * (NULL if 0). */
gboolean maxgl_conv3d_forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights,
                              cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace,
                              GError **error);

/** Bytes of the weights in the form that the forward pass's algorithm works with; 0 if that is the layout
 * above. */
gsize maxgl_conv3d_prepared_bytes(MaxglContext *context, const MaxglConv3d *conv);

/** Appends bringing @weights into that form, for weights that stay the same over many runs. @prepared has the
 * bytes asked for, at least 1. */
gboolean maxgl_conv3d_prepare(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights,
                              cl_mem prepared, GError **error);

/** Bytes of scratch memory of maxgl_conv3d_forward_prepared(). */
gsize maxgl_conv3d_forward_prepared_workspace(MaxglContext *context, const MaxglConv3d *conv);

/** maxgl_conv3d_forward() with what maxgl_conv3d_prepare() made. */
gboolean maxgl_conv3d_forward_prepared(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x,
                                       cl_mem prepared, cl_mem y, const MaxglConv3dEpilogue *epilogue,
                                       cl_mem workspace, GError **error);

/** Appends dx = Σ w·dy (gather form, no atomics), or dx += it when @accumulate. */
gboolean maxgl_conv3d_backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy,
                                    cl_mem weights, cl_mem dx, gboolean accumulate, cl_mem workspace,
                                    GError **error);

/** Appends dw = Σ dy·x, in the weights' layout, overwriting it; the order of summation is fixed. */
gboolean maxgl_conv3d_backward_weights(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                       cl_mem dw, cl_mem workspace, GError **error);

#endif
