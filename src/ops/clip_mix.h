/* Background mixing: a still picture of another clip of the batch laid over every frame of a clip, as in
 * "Background Erasing" (Wang et al., "Removing the Background by Adding the Background", CVPR 2021), where
 * the picture comes from the same video. What does not move then says less about which video a clip is from,
 * and what moves is left as it is.
 *
 *   x[n, :, t] ← (1 − λ_n) · x[n, :, t] + λ_n · x[other_n, :, frame_n]    for every t,
 *
 * with the pictures on the right as they were before anything was mixed. Normalised clips may be mixed as
 * well as colours: normalisation is affine and the weights add up to 1.
 */
#ifndef MAXGL_OPS_CLIP_MIX_H
#define MAXGL_OPS_CLIP_MIX_H

#include "compute/sequence.h"
#include "ops/tensor.h"

/** What is laid over one clip. */
typedef struct {
    gint32 other;  /**< clip of the batch, 0 … N − 1; may be the clip itself */
    gint32 frame;  /**< of that clip, 0 … T − 1 */
    float weight;  /**< λ, 0 … 1; 0: nothing, whatever @other and @frame are */
    gint32 unused; /**< 0 */
} MaxglClipMix;

/** Bytes of the table that the kernels read for @n clips. */
gsize maxgl_clip_mix_table_bytes(int n);

/** Bytes of scratch memory for clips of @input (N,3,T,H,W): a picture a clip. */
gsize maxgl_clip_mix_workspace(const MaxglShape *input);

/** Appends mixing of the clips @x of shape @input (any block), in place. @table:
 * maxgl_clip_mix_table_bytes(), set before each run by maxgl_clip_mix_set(). MAXGL_ERROR_LIMIT beyond 2^32
 * vectors. */
gboolean maxgl_clip_mix(MaxglSequence *sequence, const MaxglShape *input, cl_mem x, cl_mem table,
                        cl_mem workspace, GError **error);

/** Enqueues writing @mixes, one for each clip of @input, into @table. Does not wait, and @mixes may be freed
 * then. MAXGL_ERROR_USAGE, naming the clip, for one out of its range. */
gboolean maxgl_clip_mix_set(MaxglContext *context, const MaxglShape *input, cl_mem table,
                            const MaxglClipMix *mixes, GError **error);

#endif
