/* Inside ops: a network's first convolution on matrix units (cl/conv3d_mma_clip.cl). Its input, a clip of at
 * most four channels, block 1, floats, is packed: neighbours along w side by side with room for four channels
 * each, as many as fill a piece of 16 bytes. Weights follow, with zeros where there is nothing.
 */
#ifndef MAXGL_OPS_CONV3D_MMA_CLIP_H
#define MAXGL_OPS_CONV3D_MMA_CLIP_H

#include "ops/conv3d.h"
#include "ops/mma.h"

/** The convolution of pieces that a clip's convolution becomes. */
typedef struct {
    MaxglConv3d conv; /**< of what is packed; its own output may be wider than the clip's convolution's */
    int pixels;       /**< in a piece */
    int lead;         /**< taps of nothing in front */
} MaxglMmaClip;

/** Whether @conv's input is a clip that can be packed for such factors. */
gboolean maxgl_mma_clip_supports(const MaxglConv3d *conv, MaxglFactors factors);

MaxglMmaClip maxgl_mma_clip_of(const MaxglConv3d *conv, MaxglFactors factors);

/** Appends packing @x; @packed is a tensor of the packed convolution's input. */
gboolean maxgl_mma_clip_add_pack(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                 cl_mem x, cl_mem packed, GError **error);

/** Appends bringing the weights into the units' pieces: those of the packed convolution's weights. */
gboolean maxgl_mma_clip_add_prepare(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                    cl_mem weights, cl_mem prepared, GError **error);

/** Appends the weights' gradient from that of the packed convolution's weights. */
gboolean maxgl_mma_clip_add_gradient(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                     cl_mem packed_dw, cl_mem dw, GError **error);

#endif
