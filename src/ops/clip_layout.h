/* What a pixel format means to the clip preparer: where its samples are and how they become R'G'B'. */
#ifndef MAXGL_OPS_CLIP_LAYOUT_H
#define MAXGL_OPS_CLIP_LAYOUT_H

#include <maxgl/frames.h>

/** Components of a picture that share a sampling grid. */
typedef struct {
    int components;    /**< 1 (Y, grey), 2 (Cb, Cr) or 3 (R, G, B) */
    int planes;        /**< 1, or as many as components */
    int plane;         /**< index of the first plane in the layout; the others follow */
    int width, height; /**< samples of the grid */
    int step;          /**< bytes from one sample to the next in a row */
    int byte;          /**< of the first component within its sample */
    int next_byte;     /**< from one component to the next where they share a plane, else 0 */
    gboolean halved;   /**< half the picture's resolution, rounded up */
} MaxglClipGrid;

/** Checks that every row lies inside the frame and no plane's rows overlap. MAXGL_ERROR_USAGE. */
gboolean maxgl_clip_layout_validate(const MaxglFrameLayout *layout, GError **error);

/** The layout's grids: all components in one, or luma before chroma. Returns: how many, 1 or 2. */
int maxgl_clip_layout_grids(const MaxglFrameLayout *layout, MaxglClipGrid grids[2]);

/**
 * The affine map from samples (0 … 255) in the order of the grids' components to R'G'B' in [0, 1]: rows R, G,
 * B; columns three components (those that a grey picture lacks have zeros) and a constant.
 * BT.601-7, 2.5.1–2.5.3 and BT.709-6, 3.2–3.4, 4.6; full range as in JFIF.
 */
void maxgl_clip_layout_matrix(const MaxglFrameLayout *layout, float matrix[12]);

#endif
