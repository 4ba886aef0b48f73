/* Inside ops: the algorithms behind conv3d.h. conv3d.c asks the tuning database for one by name, for each
 * pass. */
#ifndef MAXGL_OPS_CONV3D_ALGORITHMS_H
#define MAXGL_OPS_CONV3D_ALGORITHMS_H

#include "ops/conv3d.h"
#include "ops/tile.h"

/** One algorithm; the functions are those of conv3d.h. Some may be NULL. */
typedef struct {
    const char
        *name; /**< in the tuning database: kernel "conv3d", parameter "forward", "backward_data" or … */
    gboolean (*supports)(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device);
    gboolean rounds_more; /**< its rounding errors exceed direct summation's: not used where conv->exact */
    /** Whether the case is of a size for which it is the faster one; NULL: always. */
    gboolean (*worthwhile)(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass);
    /** Weights made ready beforehand; all NULL where forward() takes them as they are. */
    gsize (*prepared_bytes)(MaxglContext *context, const MaxglConv3d *conv);
    gboolean (*prepare)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem weights, cl_mem prepared,
                        GError **error);
    gboolean (*forward_prepared)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem prepared,
                                 cl_mem y, const MaxglConv3dEpilogue *epilogue, cl_mem workspace,
                                 GError **error);
    int (*statistics_parts)(MaxglContext *context, const MaxglConv3d *conv); /**< NULL: writes none */
    gboolean (*work)(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass, MaxglWork *work);
    gsize (*workspace)(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass);
    gboolean (*forward)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error);
    gboolean (*backward_data)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error);
    gboolean (*backward_weights)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error);
} MaxglConv3dAlgorithm;

extern const MaxglConv3dAlgorithm maxgl_conv3d_direct;
extern const MaxglConv3dAlgorithm maxgl_conv3d_dot;
extern const MaxglConv3dAlgorithm maxgl_conv3d_winograd;

/** kt·kh·kw. */
gsize maxgl_conv3d_taps(const MaxglConv3d *conv);

/** The matrix product that a pass is, padding channels included: rows are channels of what it makes, and
 * columns its pixels (forward, backward data: of the largest stride phase, of which there are as many as the
 * batch says) or its input channels and taps (backward weights). @out: y's shape. */
MaxglProduct maxgl_conv3d_product(const MaxglConv3d *conv, const MaxglShape *out, MaxglConv3dPass pass);

/** Appends dw = Σ of @count arrays of @weights floats that lie in @parts one behind the other. */
gboolean maxgl_conv3d_add_weights_sum(MaxglSequence *sequence, cl_mem parts, cl_mem dw, gsize weights,
                                      gsize count, GError **error);

/** "k3x3x3 s1x1x1 c64 k64 o16x56x56", with " fp16", " bf16" or " tf32" behind it where factors are not
 * floats: what a tuning entry's shape pattern is matched with; caller frees. */
char *maxgl_conv3d_shape_class(const MaxglConv3d *conv);

/** One stride phase of the input positions, i ≡ phase (mod stride), in one direction: which taps reach it,
 * and from where. The input position phase + stride·q receives dy[q + j − pad]·w[first + stride·(taps − 1 −
 * j)] for j = 0 … taps − 1. */
typedef struct {
    int size;  /**< positions q in the phase */
    int first; /**< its lowest tap */
    int taps;  /**< how many taps reach it, possibly 0 */
    int pad;   /**< left padding of the equivalent stride-1 convolution over dy; may be negative */
} MaxglConv3dPhase;

MaxglConv3dPhase maxgl_conv3d_phase(int size, int kernel, int stride, int pad, int phase);

/** Appends writing the weights with input and output channels exchanged and the phase's taps of each
 * direction in reverse order: [⌈C/bi⌉][⌈K/bo⌉][taps][bo][bi]. */
gboolean maxgl_conv3d_add_transpose(MaxglSequence *sequence, const MaxglConv3d *conv,
                                    const MaxglConv3dPhase phase[3], cl_mem weights, cl_mem transposed,
                                    GError **error);

#endif
