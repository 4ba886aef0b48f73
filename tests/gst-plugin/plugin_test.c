#include "plugin_test.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder, *model;
static int complaints;

/* The tracer "leaks" warns in gst_deinit(), and GLib when a function is called with nonsense. To count is
 * surer than to make such messages fatal: OpenCL drivers catch the signal. */
static void count_complaints(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    if (level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL))
        complaints++;
    g_log_default_handler(domain, level, message, data);
}

const char *plugin_test_folder(void)
{
    return folder;
}

const char *plugin_test_model(void)
{
    return model;
}

char *plugin_test_make_model(const char *name, guint64 seed)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, seed);
    const char *program = g_getenv("MAXGL_TEST_MAKE_MODEL");
    assert_non_null(program);
    char *arguments[] = {(char *)program,
                         path,
                         (char *)G_STRINGIFY(MODEL_FRAMES),
                         (char *)"16",
                         (char *)G_STRINGIFY(MODEL_STRIDE),
                         number,
                         NULL};
    int status = -1;
    if (!g_spawn_sync(NULL, arguments, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL, &status,
                      &error) ||
        !g_spawn_check_wait_status(status, &error))
        fail_msg("%s: %s", program, error->message);
    return path;
}

static void remove_folder(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_remove(path);
    }
    g_rmdir(folder);
    g_clear_pointer(&folder, g_free);
    g_clear_pointer(&model, g_free);
}

int plugin_test_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
    gst_init(NULL, NULL);
    g_log_set_default_handler(count_complaints, NULL);
    g_autoptr(GstElementFactory) factory = gst_element_factory_find("maxglembed");
    if (!factory) {
        g_printerr("%s: the plugin is not found or cannot be loaded\n", name);
        return 1;
    }
    gst_clear_object(&factory);
    folder = g_dir_make_tmp("maxgl-plugin-XXXXXX", NULL);
    model = plugin_test_make_model("model.safetensors", 1);
    const int failed = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
    remove_folder();
    gst_deinit();
    return failed + complaints;
}

GstHarness *plugin_test_harness(const char *properties, const char *source, const char *sink)
{
    g_autofree char *launch = g_strdup_printf("maxglembed model=%s %s", model, properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(launch, &error);
    if (!element)
        fail_msg("%s: %s", launch, error->message);
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_object_unref(bus);
    GstHarness *harness = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    if (sink)
        gst_harness_set_sink_caps_str(harness, sink);
    gst_harness_set_src_caps_str(harness, source);
    return harness;
}

void plugin_test_harness_free(GstHarness *harness)
{
    gst_element_set_state(harness->element, GST_STATE_NULL);
    gst_element_set_bus(harness->element, NULL);
    gst_harness_teardown(harness);
}

static guint8 pixel(guint number, guint plane, int x, int y)
{
    return (guint8)(16 + (number * 37 + plane * 91 + (guint)x * (5 + number) + (guint)y * (3 + 2 * plane) +
                          (guint)(x * y) / 7) %
                             220);
}

/* Bytes of a row of a plane that are picture, and the plane's rows. */
static void plane_size(const GstVideoInfo *info, guint plane, int *bytes, int *rows)
{
    const guint component = plane;
    *rows = GST_VIDEO_INFO_COMP_HEIGHT(info, component);
    *bytes = GST_VIDEO_INFO_COMP_WIDTH(info, component) * GST_VIDEO_INFO_COMP_PSTRIDE(info, component);
}

GstBuffer *plugin_test_frame(const GstVideoInfo *info, guint number, int fps, int padding)
{
    gsize offset[GST_VIDEO_MAX_PLANES] = {0}, size = 0;
    int stride[GST_VIDEO_MAX_PLANES] = {0};
    for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(info); plane++) {
        int bytes, rows;
        plane_size(info, plane, &bytes, &rows);
        stride[plane] = padding > 0 ? bytes + padding : GST_VIDEO_INFO_PLANE_STRIDE(info, plane);
        offset[plane] = padding > 0 ? size + (gsize)padding : GST_VIDEO_INFO_PLANE_OFFSET(info, plane);
        size = offset[plane] + (gsize)stride[plane] * (gsize)rows;
    }
    size = MAX(size, GST_VIDEO_INFO_SIZE(info));
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);
    GstMapInfo map;
    assert_true(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    memset(map.data, 0xa5, map.size);
    for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(info); plane++) {
        int bytes, rows;
        plane_size(info, plane, &bytes, &rows);
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < bytes; x++)
                map.data[offset[plane] + (gsize)y * (gsize)stride[plane] + (gsize)x] =
                    pixel(number, plane, x, y);
    }
    gst_buffer_unmap(buffer, &map);
    if (padding > 0)
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(info),
                                       (guint)GST_VIDEO_INFO_WIDTH(info), (guint)GST_VIDEO_INFO_HEIGHT(info),
                                       GST_VIDEO_INFO_N_PLANES(info), offset, stride);
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_int(number, GST_SECOND, fps);
    GST_BUFFER_DURATION(buffer) =
        gst_util_uint64_scale_int(number + 1, GST_SECOND, fps) - GST_BUFFER_PTS(buffer);
    return buffer;
}

static void info_of(GstVideoInfo *info, const char *text)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    assert_true(gst_video_info_from_caps(info, caps));
}

void plugin_test_push(GstHarness *harness, const char *caps, guint from, guint to)
{
    GstVideoInfo info;
    info_of(&info, caps);
    for (guint number = from; number < to; number++)
        assert_int_equal(gst_harness_push(harness, plugin_test_frame(&info, number, 25, 0)), GST_FLOW_OK);
}

static MaxglPixelFormat pixel_format(const GstVideoInfo *info)
{
    static const struct {
        GstVideoFormat theirs;
        MaxglPixelFormat ours;
    } formats[] = {
        {GST_VIDEO_FORMAT_RGB, MAXGL_PIXEL_RGB},     {GST_VIDEO_FORMAT_BGR, MAXGL_PIXEL_BGR},
        {GST_VIDEO_FORMAT_RGBx, MAXGL_PIXEL_RGBX},   {GST_VIDEO_FORMAT_BGRx, MAXGL_PIXEL_BGRX},
        {GST_VIDEO_FORMAT_I420, MAXGL_PIXEL_I420},   {GST_VIDEO_FORMAT_NV12, MAXGL_PIXEL_NV12},
        {GST_VIDEO_FORMAT_GRAY8, MAXGL_PIXEL_GRAY8},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].theirs == GST_VIDEO_INFO_FORMAT(info))
            return formats[i].ours;
    fail_msg("no such format in libmaxgl: %s", GST_VIDEO_INFO_NAME(info));
    return MAXGL_PIXEL_RGB;
}

/* Planes without any padding, one after the other: another layout than GStreamer's. */
float *plugin_test_reference(const char *path, const char *caps, const guint *numbers)
{
    g_autoptr(GError) error = NULL;
    GstVideoInfo info;
    info_of(&info, caps);
    MaxglFrameLayout layout = {
        .format = pixel_format(&info),
        .width = GST_VIDEO_INFO_WIDTH(&info),
        .height = GST_VIDEO_INFO_HEIGHT(&info),
        .matrix = strstr(caps, "bt709") ? MAXGL_MATRIX_BT709 : MAXGL_MATRIX_BT601,
        .full_range = strstr(caps, "1:4:0:0") != NULL,
    };
    guint8 *frames[MODEL_FRAMES];
    for (int f = 0; f < MODEL_FRAMES; f++) {
        GByteArray *data = g_byte_array_new();
        for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(&info); plane++) {
            int bytes, rows;
            plane_size(&info, plane, &bytes, &rows);
            layout.offset[plane] = data->len;
            layout.stride[plane] = bytes;
            for (int i = 0; i < rows * bytes; i++) {
                const guint8 value = pixel(numbers[f], plane, i % bytes, i / bytes);
                g_byte_array_append(data, &value, 1);
            }
        }
        layout.frame_bytes = data->len;
        frames[f] = g_byte_array_free(data, FALSE);
    }
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(path, NULL, 1, &error);
    if (!embedder)
        fail_msg("%s", error->message);
    const MaxglEmbedderClip clip = {.frames = (const guint8 *const *)frames, .layout = layout};
    float *features = g_new(float, maxgl_embedder_info(embedder)->features);
    if (!maxgl_embedder_run_frames(embedder, &clip, 1, features, &error))
        fail_msg("%s", error->message);
    for (int f = 0; f < MODEL_FRAMES; f++)
        g_free(frames[f]);
    return features;
}

GstStructure *plugin_test_next_message(GstHarness *harness)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(harness->element);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);
    if (!message)
        return NULL;
    assert_string_equal(gst_structure_get_name(gst_message_get_structure(message)), "maxgl-embedding");
    assert_ptr_equal(GST_MESSAGE_SRC(message), harness->element);
    return gst_structure_copy(gst_message_get_structure(message));
}

GError *plugin_test_next_error(GstElement *element)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(element);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    if (message)
        gst_message_parse_error(message, &error, NULL);
    return error;
}

guint64 plugin_test_field(const GstStructure *structure, const char *name)
{
    guint64 value = 0;
    if (!gst_structure_get_uint64(structure, name, &value))
        fail_msg("no field %s of 64 bits", name);
    return value;
}

void plugin_test_assert_vector(GBytes *bytes, const float *expected, int length)
{
    gsize size;
    const float *vector = g_bytes_get_data(bytes, &size);
    assert_int_equal(size, (gsize)length * sizeof(float));
    assert_memory_equal(vector, expected, size);
}
