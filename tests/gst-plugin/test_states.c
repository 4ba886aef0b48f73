/* Opening models, good and bad, and going through the states again and again. */
#include "plugin_test.h"

#include <glib/gstdio.h>
#include <string.h>

#define I420 "video/x-raw,format=I420,width=48,height=32,framerate=25/1,colorimetry=bt601"

static GstElement *new_element(const char *model, const char *device)
{
    GstElement *element = gst_element_factory_make("maxglembed", NULL);
    g_object_set(element, "model", model, "device", device, NULL);
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    return gst_object_ref_sink(element);
}

static void free_element(GstElement *element)
{
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
}

/* Asserts that the element cannot be started, says why, and can afterwards with a good model. */
static void check_failure(const char *model, const char *device, GQuark domain, int code, const char *part)
{
    GstElement *element = new_element(model, device);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(gst_element_set_state(element, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
        assert_int_equal(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
        g_autoptr(GError) error = plugin_test_next_error(element);
        assert_non_null(error);
        if (!g_error_matches(error, domain, code) || !strstr(error->message, part))
            fail_msg("not \"%s\", code %d: \"%s\", code %d of %s", part, code, error->message, error->code,
                     g_quark_to_string(error->domain));
        assert_null(strchr(error->message, '\n'));
        assert_int_equal(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
        gst_bus_set_flushing(GST_ELEMENT_BUS(element), FALSE);
    }
    g_object_set(element, "model", plugin_test_model(), "device", NULL, NULL);
    assert_int_equal(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
    free_element(element);
}

static void missing_model_is_an_error(void **state)
{
    check_failure(NULL, NULL, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "set the property model");
    check_failure("/nowhere/model.safetensors", NULL, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                  "/nowhere/model.safetensors");
}

/* @bytes of the good model, or other contents. */
static char *write_model(const char *name, const char *contents, gssize length)
{
    char *path = g_build_filename(plugin_test_folder(), name, NULL);
    assert_true(g_file_set_contents(path, contents, length, NULL));
    return path;
}

static void corrupt_model_is_an_error(void **state)
{
    g_autofree char *contents = NULL;
    gsize length;
    assert_true(g_file_get_contents(plugin_test_model(), &contents, &length, NULL));
    g_autofree char *truncated = write_model("truncated.safetensors", contents, (gssize)length / 2);
    check_failure(truncated, NULL, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, "truncated.safetensors");
    g_autofree char *text = write_model("text.safetensors", "this is no model", -1);
    check_failure(text, NULL, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, "text.safetensors");
    g_autofree char *empty = write_model("empty.safetensors", "", 0);
    check_failure(empty, NULL, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, "empty.safetensors");
}

static void unknown_device_is_an_error(void **state)
{
    check_failure(plugin_test_model(), "abacus", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "abacus");
    check_failure(plugin_test_model(), "9:9", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "9:9");
}

static void states_cycle(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    static const GstState walk[] = {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PLAYING,
                                    GST_STATE_NULL,   GST_STATE_PAUSED,  GST_STATE_NULL,  GST_STATE_PLAYING};
    for (int round = 0; round < 3; round++)
        for (gsize i = 0; i < G_N_ELEMENTS(walk); i++)
            assert_int_equal(gst_element_set_state(harness->element, walk[i]), GST_STATE_CHANGE_SUCCESS);
    plugin_test_harness_free(harness);
}

/* A stop in the middle of a window: the next start begins with nothing, and counts from 0. */
static void stop_clears_the_window(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    g_autoptr(GstStructure) before = NULL, after = NULL;
    plugin_test_push(harness, I420, 0, 10);
    before = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(before, "index"), 0);
    gst_element_set_state(harness->element, GST_STATE_READY);
    gst_element_set_state(harness->element, GST_STATE_PLAYING);
    /* What an element upstream would send again. */
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(harness, gst_event_new_stream_start("again"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    gst_harness_push_event(harness, gst_event_new_caps(caps));
    gst_harness_push_event(harness, gst_event_new_segment(&segment));
    plugin_test_push(harness, I420, 10, 17);
    after = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(after, "index"), 0);
    assert_int_equal(plugin_test_field(after, "first-pts"), 10 * GST_SECOND / 25);
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(harness->element, "stats", &stats, NULL);
    assert_int_equal(plugin_test_field(stats, "clips"), 1);
    plugin_test_harness_free(harness);
}

/* What streams while somebody else stops and starts. */
static gpointer change_states(gpointer data)
{
    GstElement *pipeline = data;
    for (int round = 0; round < 12; round++) {
        gst_element_set_state(pipeline, round % 3 == 0 ? GST_STATE_READY : GST_STATE_PAUSED);
        g_usleep(round % 4 * 3000);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        g_usleep(20000);
    }
    return NULL;
}

static void state_changes_in_mid_stream_are_safe(void **state)
{
    g_autofree char *launch =
        g_strdup_printf("videotestsrc ! video/x-raw,format=NV12,width=64,height=48,framerate=25/1 ! "
                        "maxglembed name=embed model=%s hop=1 message-vector=true ! fakesink sync=false",
                        plugin_test_model());
    g_autoptr(GstElement) pipeline = gst_parse_launch(launch, NULL);
    g_autoptr(GstElement) embed = gst_bin_get_by_name(GST_BIN(pipeline), "embed");
    g_autoptr(GThread) thread = g_thread_new("states", change_states, pipeline);
    for (int i = 0; i < 200; i++) {
        g_autoptr(GstStructure) stats = NULL;
        g_object_set(embed, "l2-normalize", i % 2, "message-vector", i % 3 == 0, NULL);
        g_object_get(embed, "stats", &stats, NULL);
        assert_non_null(stats);
        g_usleep(2000);
    }
    g_thread_join(g_steal_pointer(&thread));
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) error = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    assert_null(error);
}

/* Seeks flush in mid-window; afterwards windows begin where the seek went. */
static void seeks_start_new_windows(void **state)
{
    g_autofree char *launch = g_strdup_printf(
        "videotestsrc num-buffers=500 ! video/x-raw,format=GRAY8,width=32,height=32,framerate=25/1 ! "
        "maxglembed model=%s ! fakesink name=sink sync=false",
        plugin_test_model());
    g_autoptr(GstElement) pipeline = gst_parse_launch(launch, NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    for (guint64 second = 1; second <= 5; second++) {
        assert_true(gst_element_seek_simple(pipeline, GST_FORMAT_TIME,
                                            GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                            (gint64)(second * GST_SECOND)));
        gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        for (gboolean found = FALSE; !found;) {
            g_autoptr(GstMessage) message =
                gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_ELEMENT);
            assert_non_null(message);
            found = plugin_test_field(gst_message_get_structure(message), "first-pts") == second * GST_SECOND;
        }
        gst_element_set_state(pipeline, GST_STATE_PAUSED);
        gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

/* Pushes frames until some have passed; what comes before the element is active is refused. */
static gpointer stream(gpointer data)
{
    GstPad *source = data;
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    gst_video_info_from_caps(&info, caps);
    guint refused = 0;
    for (guint number = 0; number < 30;) {
        const GstFlowReturn flow = gst_pad_push(source, plugin_test_frame(&info, number, 25, 0));
        if (flow == GST_FLOW_OK || flow == GST_FLOW_NOT_LINKED) /* the source pad leads nowhere */
            number++;
        else if (flow != GST_FLOW_FLUSHING || ++refused > 1000000)
            return GINT_TO_POINTER((int)flow);
    }
    return NULL;
}

/* An element that is put into a pipeline that runs: frames come while it is still opening the model. */
static void starting_under_a_stream_is_safe(void **state)
{
    for (int round = 0; round < 12; round++) {
        GstElement *element = new_element(plugin_test_model(), NULL);
        g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
        g_autoptr(GstPad) source = GST_PAD(gst_object_ref_sink(gst_pad_new("source", GST_PAD_SRC)));
        assert_int_equal(gst_pad_link(source, sink), GST_PAD_LINK_OK);
        gst_pad_set_active(source, TRUE);
        GstSegment segment;
        g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_pad_push_event(source, gst_event_new_stream_start("running"));
        gst_pad_push_event(source, gst_event_new_caps(caps));
        gst_pad_push_event(source, gst_event_new_segment(&segment));
        GThread *thread = g_thread_new("stream", stream, source);
        g_usleep((gulong)round * 300);
        assert_int_equal(gst_element_set_state(element, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
        assert_null(g_thread_join(thread));
        gst_pad_set_active(source, FALSE);
        gst_pad_unlink(source, sink);
        free_element(element);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_model_is_an_error),  cmocka_unit_test(corrupt_model_is_an_error),
        cmocka_unit_test(unknown_device_is_an_error), cmocka_unit_test(states_cycle),
        cmocka_unit_test(stop_clears_the_window),     cmocka_unit_test(state_changes_in_mid_stream_are_safe),
        cmocka_unit_test(seeks_start_new_windows),    cmocka_unit_test(starting_under_a_stream_is_safe),
    };
    return plugin_test_run("gst-plugin/states", tests, G_N_ELEMENTS(tests));
}
