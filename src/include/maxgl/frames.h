/* Decoded 8-bit video frames in memory, and the view of them that a network is shown. */
#ifndef MAXGL_FRAMES_H
#define MAXGL_FRAMES_H

#include <glib.h>

G_BEGIN_DECLS

/** Pixel formats the preparing kernel reads. Chroma of I420 and NV12 is 2×2 subsampled, centred as in MPEG-2.
 */
typedef enum {
    MAXGL_PIXEL_RGB,  /**< 3 bytes a pixel: R G B */
    MAXGL_PIXEL_BGR,  /**< 3 bytes a pixel: B G R */
    MAXGL_PIXEL_RGBX, /**< 4 bytes a pixel: R G B and one unused */
    MAXGL_PIXEL_BGRX, /**< 4 bytes a pixel: B G R and one unused */
    MAXGL_PIXEL_I420, /**< planes Y, U, V */
    MAXGL_PIXEL_NV12, /**< planes Y and interleaved UV */
    MAXGL_PIXEL_GRAY8 /**< one plane; full or limited range as @full_range says */
} MaxglPixelFormat;

/** Luma coefficients of the Y'CbCr formats. */
typedef enum { MAXGL_MATRIX_BT601, MAXGL_MATRIX_BT709 } MaxglColorMatrix;

/** Where the samples of one frame are. All frames of a clip share one layout. */
typedef struct {
    MaxglPixelFormat format;
    int width, height; /**< pixels, at least 1 */
    MaxglColorMatrix matrix;
    gboolean full_range; /**< Y'CbCr and grey: 0–255 rather than 16–235/240; ignored for the RGB formats */
    gsize offset[3];     /**< bytes from the frame's first byte to each plane */
    int stride[3];       /**< bytes from one row to the next in each plane */
    gsize frame_bytes;   /**< bytes from the frame's first byte to one past its last */
} MaxglFrameLayout;

/** What of a clip's frames the network sees, the same for every frame of the clip (augmentation is per clip).
 */
typedef struct {
    float x, y, width, height; /**< the crop box in source pixels, resized to the network's input */
    gboolean flip;             /**< mirror left and right */
    float brightness;          /**< factor, 1 = unchanged (as torchvision's adjust_brightness) */
    float contrast;            /**< factor about the clip's mean grey, 1 = unchanged */
    float saturation;          /**< factor, 1 = unchanged, 0 = grey */
    float hue;                 /**< shift as a fraction of the colour circle, −0.5 … 0.5, 0 = unchanged */
    gboolean grey;             /**< replace by luma in all three channels */
    float blur;                /**< σ of a Gaussian in the network's pixels, 0 … 16; 0 = none */
} MaxglClipView;

G_END_DECLS

#endif
