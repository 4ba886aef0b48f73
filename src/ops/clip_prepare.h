/* From decoded 8-bit frames to a network's input: crop, resize, flip, colour, normalise, blur.
 *
 * What is computed, in this order, in real numbers (nothing is rounded to 8 bits on the way):
 *
 * 1. Resize. Output pixel o of a row lies at x + (o + ½)·width/W in the picture, pixel centres at halves
 *    (PyTorch's align_corners=False); rows likewise. Bilinear between the nearest two samples, or with
 *    @antialias a triangle filter as wide as the scale factor (Pillow, and torchvision's antialias=True).
 * Taps beyond the picture's edge take the edge's sample (bilinear) or fall away (antialias), so a box gives
 * what resizing the whole picture and cropping gives. The box may reach beyond the picture. Chroma of I420
 * and NV12 is taken as brought to full resolution first: linearly, its samples lying on the luma columns 0,
 * 2, 4, … and between the rows 0|1, 2|3, … (MPEG-2's siting), edges repeated.
 * 2. R'G'B' in [0, 1]: by BT.601-7 or BT.709-6, limited (16–235, 16–240) or full range, then clamped. Grey
 *    pictures are R = G = B. (Resizing comes first because it costs less there; both are linear, so the order
 *    only shows where colours outside the RGB cube are clamped.)
 * 3. Colour, formulas of torchvision 0.14 (functional_tensor.py) on float images, always in this order, each
 *    clamped to [0, 1]:
 *      brightness  c' = f·c
 *      contrast    c' = f·c + (1 − f)·m, m = mean grey of all frames of the clip (torchvision: of one image)
 *      saturation  c' = f·c + (1 − f)·grey
 *      hue         turn in HSV
 *      grey        c' = grey
 *    with grey = 0.2989 R + 0.587 G + 0.114 B. The mean is summed in a fixed order: equal input, equal bits.
 * 4. Normalise: (c − mean)/std for each channel.
 * 5. Blur each frame, where view.blur = σ > 0: weights exp(−k²/2σ²) for the pixels k = −⌈3σ⌉ … ⌈3σ⌉ away,
 *    divided by their sum, along rows and along columns; beyond the edges the picture is mirrored without
 *    repeating the edge (…2 1 0 1 2…), as often as a small picture needs. That is torchvision's gaussian_blur
 *    with kernels of 2⌈3σ⌉ + 1. (Normalisation may come first, since the weights add up to 1.)
 */
#ifndef MAXGL_OPS_CLIP_PREPARE_H
#define MAXGL_OPS_CLIP_PREPARE_H

#include "ops/tensor.h"
#include <maxgl/frames.h>

/** Largest σ of a blur, pixels. */
enum { MAXGL_CLIP_BLUR_MAX = 16 };

/** What every clip becomes. */
typedef struct {
    int frames, height, width; /**< T, H, W of the tensors written; at least 1 */
    int block;                 /**< their channel block */
    float mean[3], std[3];     /**< of R, G, B in [0, 1]; std above 0 */
    gboolean antialias;        /**< widen the filter when shrinking */
    int staging;               /**< clips whose pixels may be on their way to the device at once; 0 = 2 */
} MaxglClipPreparerOptions;

/** Prepares clips one after the other. Holds staging memory, which grows with the largest clip so far. */
typedef struct MaxglClipPreparer MaxglClipPreparer;

/** A preparer on @context, which must outlive it. MAXGL_ERROR_USAGE for an option out of its range;
 * MAXGL_ERROR_DEVICE. */
MaxglClipPreparer *maxgl_clip_preparer_new(MaxglContext *context, const MaxglClipPreparerOptions *options,
                                           GError **error);

/** Waits for clips under way, then frees. NULL is nothing. */
void maxgl_clip_preparer_free(MaxglClipPreparer *preparer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglClipPreparer, maxgl_clip_preparer_free)

/**
 * Enqueues the preparation of one clip into sample @n of @out (N,3,T,H,W; padding channels are zeroed).
 * @frames: T frames, layout->frame_bytes apart. They are copied (only the rows and columns that the view
 * needs) before the call returns and may be freed then; the computation itself runs later, in the order of
 * context->queue. The call waits only while all staging memory is in use by earlier clips.
 *
 * Errors: MAXGL_ERROR_USAGE when the layout, the view or @out makes no sense (nothing is enqueued);
 * MAXGL_ERROR_LIMIT when the clip is too large for the device; MAXGL_ERROR_DEVICE.
 */
gboolean maxgl_clip_preparer_run(MaxglClipPreparer *preparer, const MaxglFrameLayout *layout,
                                 const MaxglClipView *view, const guint8 *frames, const MaxglTensor *out,
                                 int n, GError **error);

/** The same with each frame where it happens to be. */
gboolean maxgl_clip_preparer_run_frames(MaxglClipPreparer *preparer, const MaxglFrameLayout *layout,
                                        const MaxglClipView *view, const guint8 *const frames[],
                                        const MaxglTensor *out, int n, GError **error);

#endif
