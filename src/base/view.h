/* The parts of a picture that a network is shown without augmentation. */
#ifndef MAXGL_BASE_VIEW_H
#define MAXGL_BASE_VIEW_H

#include <maxgl/frames.h>

/** The whole of a width×height picture, unchanged. */
void maxgl_view_identity(int width, int height, MaxglClipView *view);

/** The picture resized to @resize_width × @resize_height (width 0: as wide as its own shape asks for at that
 * height if the height is its shorter side, otherwise @resize_height is its width: torchvision's
 * Resize(int); both 0: not resized), then the crop_width × crop_height box in the middle (0: all of that
 * side), as one box in source pixels. No flip, colours unchanged. A crop larger than the resized picture is
 * cut to it. */
void maxgl_view_center(int width, int height, int resize_width, int resize_height, int crop_width,
                       int crop_height, MaxglClipView *view);

#endif
