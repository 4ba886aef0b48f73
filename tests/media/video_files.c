#include "video_files.h"

#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>

#define DARK 50
#define BRIGHT 200

gboolean test_video_possible(const char *encoder)
{
    g_auto(GStrv) parts = g_strsplit(encoder, "!", -1);
    for (int i = 0; parts[i] != NULL; i++) {
        g_auto(GStrv) words = g_strsplit(g_strstrip(parts[i]), " ", 2);
        GstElementFactory *factory = gst_element_factory_find(words[0]);
        if (factory == NULL)
            return FALSE;
        gst_object_unref(factory);
    }
    return TRUE;
}

/* Brightness of a pixel of picture @number. */
static int field(int number, int x, int y, int width, int height)
{
    int column = x * 4 / width, row = y * 2 / height;
    return number >> (row * 4 + column) & 1 ? BRIGHT : DARK;
}

static void draw(GstVideoFrame *frame, int number)
{
    int width = GST_VIDEO_FRAME_WIDTH(frame), height = GST_VIDEO_FRAME_HEIGHT(frame);
    for (guint component = 0; component < GST_VIDEO_FRAME_N_COMPONENTS(frame); component++) {
        gboolean chroma = GST_VIDEO_INFO_IS_YUV(&frame->info) && component > 0;
        guint8 *data = GST_VIDEO_FRAME_COMP_DATA(frame, component);
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(frame, component); y++)
            for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(frame, component); x++)
                data[y * GST_VIDEO_FRAME_COMP_STRIDE(frame, component) +
                     x * GST_VIDEO_FRAME_COMP_PSTRIDE(frame, component)] =
                    (guint8)(chroma ? 128 : field(number, x, y, width, height));
    }
}

static void run(GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message =
        gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(message, &error, NULL);
        g_error("%s", error->message);
    }
    gst_message_unref(message);
    gst_object_unref(bus);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

static GstElement *parse(const char *description)
{
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);
    g_assert_no_error(error);
    return pipeline;
}

void test_pipeline_run(const char *description)
{
    GstElement *pipeline = parse(description);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    run(pipeline);
}

void test_video_write(const char *path, const TestVideo *video)
{
    g_autofree char *description = g_strdup_printf(
        "appsrc name=source format=time ! %s ! filesink location=\"%s\"", video->encoder, path);
    GstElement *pipeline = parse(description);
    GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    GstCaps *caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING,
                                        video->format != NULL ? video->format : "I420", "width", G_TYPE_INT,
                                        video->width, "height", G_TYPE_INT, video->height, "framerate",
                                        GST_TYPE_FRACTION, video->fps, 1, NULL);
    GstVideoInfo info;
    g_assert_true(gst_video_info_from_caps(&info, caps));
    gst_app_src_set_caps(GST_APP_SRC(source), caps);
    gst_caps_unref(caps);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (int i = 0; i < video->frames; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
        GstVideoFrame frame;
        gst_buffer_memset(buffer, 0, 0, GST_VIDEO_INFO_SIZE(&info));
        g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
        draw(&frame, i);
        gst_video_frame_unmap(&frame);
        GST_BUFFER_PTS(buffer) = video->fps > 0
                                     ? gst_util_uint64_scale_int((guint64)i, GST_SECOND, video->fps)
                                     : (GstClockTime)video->times[i];
        if (video->fps > 0)
            GST_BUFFER_DURATION(buffer) = GST_SECOND / (GstClockTime)video->fps;
        gst_app_src_push_buffer(GST_APP_SRC(source), buffer);
    }
    gst_app_src_end_of_stream(GST_APP_SRC(source));
    gst_object_unref(source);
    run(pipeline);
}

int test_frame_number(const MaxglFrameLayout *layout, const guint8 *frame)
{
    int pixel = layout->format <= MAXGL_PIXEL_BGR ? 3 : layout->format <= MAXGL_PIXEL_BGRX ? 4 : 1;
    int number = 0;
    for (int bit = 0; bit < 8; bit++) {
        int x = (bit % 4 * 2 + 1) * layout->width / 8, y = (bit / 4 * 2 + 1) * layout->height / 4;
        int value = frame[y * layout->stride[0] + x * pixel];
        if (ABS(value - BRIGHT) > 45 && ABS(value - DARK) > 45)
            return -1;
        number |= (value > (DARK + BRIGHT) / 2) << bit;
    }
    return number;
}

int test_gstreamer_end(void **state)
{
    gst_deinit();
    g_thread_pool_set_max_unused_threads(0);
    g_thread_pool_stop_unused_threads();
    g_usleep(100 * G_TIME_SPAN_MILLISECOND);
    return 0;
}
