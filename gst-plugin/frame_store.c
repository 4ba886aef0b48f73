#include "frame_store.h"

#include <gst/video/gstvideopool.h>

struct MaxglFrameStore {
    GstVideoInfo info;
    MaxglFrameLayout layout;
    GstBufferPool *pool;
};

static MaxglPixelFormat pixel_format(GstVideoFormat format)
{
    switch (format) {
    case GST_VIDEO_FORMAT_RGB:
        return MAXGL_PIXEL_RGB;
    case GST_VIDEO_FORMAT_BGR:
        return MAXGL_PIXEL_BGR;
    case GST_VIDEO_FORMAT_RGBx:
        return MAXGL_PIXEL_RGBX;
    case GST_VIDEO_FORMAT_BGRx:
        return MAXGL_PIXEL_BGRX;
    case GST_VIDEO_FORMAT_I420:
        return MAXGL_PIXEL_I420;
    case GST_VIDEO_FORMAT_NV12:
        return MAXGL_PIXEL_NV12;
    default:
        return MAXGL_PIXEL_GRAY8;
    }
}

/* BT.2020 has no coefficients of its own in libmaxgl, and BT.709's are the nearest. */
static void layout_init(MaxglFrameLayout *layout, const GstVideoInfo *info)
{
    const GstVideoColorimetry *color = &info->colorimetry;
    const gboolean hd =
        color->matrix == GST_VIDEO_COLOR_MATRIX_BT709 || color->matrix == GST_VIDEO_COLOR_MATRIX_BT2020;
    *layout = (MaxglFrameLayout){
        .format = pixel_format(GST_VIDEO_INFO_FORMAT(info)),
        .width = GST_VIDEO_INFO_WIDTH(info),
        .height = GST_VIDEO_INFO_HEIGHT(info),
        .matrix = hd ? MAXGL_MATRIX_BT709 : MAXGL_MATRIX_BT601,
        .full_range = color->range == GST_VIDEO_COLOR_RANGE_0_255,
        .frame_bytes = GST_VIDEO_INFO_SIZE(info),
    };
    for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(info); plane++) {
        layout->offset[plane] = GST_VIDEO_INFO_PLANE_OFFSET(info, plane);
        layout->stride[plane] = GST_VIDEO_INFO_PLANE_STRIDE(info, plane);
    }
}

MaxglFrameStore *maxgl_frame_store_new(const GstVideoInfo *info)
{
    g_autoptr(MaxglFrameStore) store = g_new0(MaxglFrameStore, 1);
    g_autoptr(GstCaps) caps = gst_video_info_to_caps(info);
    store->info = *info;
    layout_init(&store->layout, info);
    store->pool = gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(store->pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(info), 0, 0);
    if (!gst_buffer_pool_set_config(store->pool, config) || !gst_buffer_pool_set_active(store->pool, TRUE))
        return NULL;
    return g_steal_pointer(&store);
}

void maxgl_frame_store_free(MaxglFrameStore *store)
{
    if (!store)
        return;
    gst_buffer_pool_set_active(store->pool, FALSE);
    gst_object_unref(store->pool);
    g_free(store);
}

const MaxglFrameLayout *maxgl_frame_store_layout(const MaxglFrameStore *store)
{
    return &store->layout;
}

const GstVideoInfo *maxgl_frame_store_info(const MaxglFrameStore *store)
{
    return &store->info;
}

GstBuffer *maxgl_frame_store_copy(MaxglFrameStore *store, GstBuffer *buffer)
{
    g_autoptr(GstBuffer) copy = NULL;
    GstVideoFrame from, to;
    if (gst_buffer_pool_acquire_buffer(store->pool, &copy, NULL) != GST_FLOW_OK ||
        !gst_video_frame_map(&from, &store->info, buffer, GST_MAP_READ))
        return NULL;
    gboolean done = gst_video_frame_map(&to, &store->info, copy, GST_MAP_WRITE);
    if (done) {
        done = gst_video_frame_copy(&to, &from);
        gst_video_frame_unmap(&to);
    }
    gst_video_frame_unmap(&from);
    return done ? g_steal_pointer(&copy) : NULL;
}
