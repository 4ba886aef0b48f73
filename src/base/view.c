#include "base/view.h"

#include <math.h>

void maxgl_view_identity(int width, int height, MaxglClipView *view)
{
    *view = (MaxglClipView){
        .width = (float)width,
        .height = (float)height,
        .brightness = 1.0f,
        .contrast = 1.0f,
        .saturation = 1.0f,
    };
}

void maxgl_view_center(int width, int height, int resize_width, int resize_height, int crop_width,
                       int crop_height, MaxglClipView *view)
{
    maxgl_view_identity(width, height, view);
    if (resize_height == 0) {
        resize_width = width;
        resize_height = height;
    } else if (resize_width == 0) {
        int side = resize_height;
        resize_width = width >= height ? (int)((gint64)side * width / height) : side;
        resize_height = width >= height ? side : (int)((gint64)side * height / width);
    }
    if (crop_height == 0 || crop_height > resize_height)
        crop_height = resize_height;
    if (crop_width == 0 || crop_width > resize_width)
        crop_width = resize_width;
    double scale_x = (double)width / resize_width, scale_y = (double)height / resize_height;
    /* torchvision's CenterCrop rounds the corner to whole pixels of the resized picture (halves to even). */
    double left = rint((resize_width - crop_width) / 2.0), top = rint((resize_height - crop_height) / 2.0);
    view->x = (float)(left * scale_x);
    view->y = (float)(top * scale_y);
    view->width = (float)(crop_width * scale_x);
    view->height = (float)(crop_height * scale_y);
}
