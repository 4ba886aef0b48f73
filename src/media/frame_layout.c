#include "media/decoder.h"

static int bytes_per_pixel(MaxglPixelFormat format)
{
    switch (format) {
    case MAXGL_PIXEL_RGB:
    case MAXGL_PIXEL_BGR:
        return 3;
    case MAXGL_PIXEL_RGBX:
    case MAXGL_PIXEL_BGRX:
        return 4;
    default:
        return 1;
    }
}

void maxgl_frame_layout_init(MaxglFrameLayout *layout, MaxglPixelFormat format, int width, int height)
{
    *layout = (MaxglFrameLayout){.format = format, .width = width, .height = height};
    gsize chroma_width = ((gsize)width + 1) / 2, chroma_height = ((gsize)height + 1) / 2;
    layout->stride[0] = width * bytes_per_pixel(format);
    layout->frame_bytes = (gsize)layout->stride[0] * (gsize)height;
    int chroma_planes = format == MAXGL_PIXEL_I420 ? 2 : format == MAXGL_PIXEL_NV12 ? 1 : 0;
    for (int plane = 1; plane <= chroma_planes; plane++) {
        layout->stride[plane] = (int)chroma_width * (format == MAXGL_PIXEL_NV12 ? 2 : 1);
        layout->offset[plane] = layout->frame_bytes;
        layout->frame_bytes += (gsize)layout->stride[plane] * chroma_height;
    }
}
