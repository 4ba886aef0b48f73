/* Resampling along one direction of a picture: which samples each output is made of, with which weights. */
#ifndef MAXGL_OPS_CLIP_TAPS_H
#define MAXGL_OPS_CLIP_TAPS_H

#include <glib.h>

/** Output o is Σ_k weight[o·taps + k]·sample[place[o·taps + k]]. Unused taps repeat a place with weight 0. */
typedef struct {
    int outputs, taps;
    int *place;
    double *weight;
} MaxglClipTaps;

void maxgl_clip_taps_clear(MaxglClipTaps *taps);

/**
 * Taps that resize the stretch @start … @start + @length of a picture of @samples samples (sample i covers i
 * … i + 1) to @outputs: bilinear as PyTorch's interpolate(align_corners=False), or with @antialias a triangle
 * filter as wide as the scale where that is above 1 (Pillow's Resample.c, precompute_coeffs()). Each output's
 * weights sum to 1. @mirror: outputs in reverse order.
 */
void maxgl_clip_taps_resize(MaxglClipTaps *taps, int samples, double start, double length, int outputs,
                            gboolean antialias, gboolean mirror);

/** Where the samples of a plane of half the resolution, ⌈samples/2⌉ of them, lie. */
typedef enum {
    MAXGL_SITING_EVEN,   /**< on the even samples of the full resolution (MPEG-2, horizontally) */
    MAXGL_SITING_BETWEEN /**< between samples 2i and 2i + 1 (vertically) */
} MaxglClipSiting;

/** Taps on the plane of half the resolution that give what @full gives after linear interpolation of that
 * plane to @samples samples. */
void maxgl_clip_taps_halve(MaxglClipTaps *taps, const MaxglClipTaps *full, int samples,
                           MaxglClipSiting siting);

/**
 * The samples that the taps use with a weight other than 0, in rising order; places become indices into that
 * list. Returns: (transfer full) the list of *@n, at least 1.
 */
int *maxgl_clip_taps_select(MaxglClipTaps *taps, int samples, int *n);

#endif
