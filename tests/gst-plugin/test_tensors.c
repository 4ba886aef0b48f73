/* Where downstream asks for them: one buffer a window, tensors or lines of JSON. */
#include "plugin_test.h"

#include "gstmaxglmeta.h"
#include <json-glib/json-glib.h>
#include <string.h>

#define I420 "video/x-raw,format=I420,width=48,height=32,framerate=25/1,colorimetry=bt601"
#define TENSORS "other/tensors,format=static,num_tensors=1,types=float32"
#define TEXT "text/x-raw,format=utf8"
#define FRAME_TIME (GST_SECOND / 25)
#define FEATURES 64 /* of the test model */

static void tensors_are_the_vectors(void **state)
{
    GstHarness *harness = plugin_test_harness("hop=2", I420, TENSORS);
    plugin_test_push(harness, I420, 0, 11);
    assert_int_equal(gst_harness_buffers_received(harness), 3);
    for (guint window = 0; window < 3; window++) {
        const guint first = window * 2, numbers[MODEL_FRAMES] = {first, first + 2, first + 4, first + 6};
        g_autofree float *expected = plugin_test_reference(plugin_test_model(), I420, numbers);
        g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
        assert_int_equal(gst_buffer_n_memory(buffer), 1);
        assert_int_equal(gst_buffer_get_size(buffer), FEATURES * sizeof(float));
        assert_int_equal(gst_buffer_memcmp(buffer, 0, expected, FEATURES * sizeof(float)), 0);
        assert_int_equal(GST_BUFFER_PTS(buffer), first * FRAME_TIME);
        assert_int_equal(GST_BUFFER_DURATION(buffer), MODEL_SPAN * FRAME_TIME);
        assert_false(GST_BUFFER_IS_DISCONT(buffer)); /* frames without output are no discontinuity */
        const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
        assert_int_equal(meta->last_pts, (first + 6) * FRAME_TIME);
        g_autoptr(GstStructure) message = plugin_test_next_message(harness);
        assert_int_equal(plugin_test_field(message, "index"), window);
    }
    plugin_test_harness_free(harness);
}

/* @sink: what downstream wants; @expected: what the source pad then has. */
static void check_caps(const char *properties, const char *source, const char *sink, const char *expected)
{
    GstHarness *harness = plugin_test_harness(properties, source, sink);
    plugin_test_push(harness, source, 0, 1);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(harness->element, "src");
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad), wanted = gst_caps_from_string(expected);
    g_autofree char *text = gst_caps_to_string(caps);
    if (!gst_caps_is_equal(caps, wanted))
        fail_msg("not %s but %s", expected, text);
    plugin_test_harness_free(harness);
}

static void caps_say_what_comes(void **state)
{
    check_caps("hop=5", I420, TENSORS, TENSORS ",dimensions=(string)64:1:1:1,framerate=(fraction)5/1");
    check_caps("", I420, TENSORS ",dimensions=(string)64",
               TENSORS ",dimensions=(string)64,framerate=(fraction)25/7");
    check_caps("", I420, TENSORS ",framerate=(fraction)[0/1,max],dimensions=(string)64:1:1:1",
               TENSORS ",dimensions=(string)64:1:1:1,framerate=(fraction)25/7");
    check_caps("", "video/x-raw,format=I420,width=48,height=32,framerate=0/1", TENSORS,
               TENSORS ",dimensions=(string)64:1:1:1,framerate=(fraction)0/1");
    check_caps("", I420, TEXT, TEXT);
    check_caps("", I420, "ANY", I420); /* who takes anything gets frames */
}

static void wrong_dimensions_do_not_negotiate(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, TENSORS ",dimensions=(string)65:1:1:1");
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    assert_true(gst_video_info_from_caps(&info, caps));
    assert_int_equal(gst_harness_push(harness, plugin_test_frame(&info, 0, 25, 0)), GST_FLOW_NOT_NEGOTIATED);
    plugin_test_harness_free(harness);
}

static void json_lines_say_the_same(void **state)
{
    const guint numbers[MODEL_FRAMES] = {7, 9, 11, 13};
    g_autofree float *expected = plugin_test_reference(plugin_test_model(), I420, numbers);
    GstHarness *harness = plugin_test_harness("", I420, TEXT);
    plugin_test_push(harness, I420, 0, 14);
    gst_buffer_unref(gst_harness_pull(harness));
    g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
    GstMapInfo map;
    assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    assert_int_equal(map.data[map.size - 1], '\n');
    assert_null(memchr(map.data, '\n', map.size - 1));
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, (const char *)map.data, (gssize)map.size, NULL));
    gst_buffer_unmap(buffer, &map);
    JsonObject *line = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(json_object_get_int_member(line, "index"), 1);
    assert_int_equal(json_object_get_int_member(line, "first_pts"), 7 * FRAME_TIME);
    assert_int_equal(json_object_get_int_member(line, "last_pts"), 13 * FRAME_TIME);
    assert_int_equal(json_object_get_int_member(line, "duration"), 7 * FRAME_TIME);
    assert_int_equal(json_object_get_int_member(line, "stream_time"), 7 * FRAME_TIME);
    assert_int_equal(json_object_get_int_member(line, "frames"), MODEL_FRAMES);
    JsonArray *vector = json_object_get_array_member(line, "vector");
    assert_int_equal(json_array_get_length(vector), FEATURES);
    for (guint i = 0; i < FEATURES; i++)
        assert_true((float)json_array_get_double_element(vector, i) == expected[i]);
    plugin_test_harness_free(harness);
}

static void end_pads_before_the_event(void **state)
{
    GstHarness *harness = plugin_test_harness("partial=pad-last", I420, TENSORS);
    plugin_test_push(harness, I420, 0, 10);
    assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
    assert_int_equal(gst_harness_buffers_received(harness), 2);
    gst_buffer_unref(gst_harness_pull(harness));
    g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
    assert_int_equal(GST_BUFFER_PTS(buffer), 7 * FRAME_TIME);
    assert_int_equal(GST_BUFFER_DURATION(buffer), 3 * FRAME_TIME);
    gboolean ended = FALSE;
    for (GstEvent *event; (event = gst_harness_try_pull_event(harness)); gst_event_unref(event))
        ended = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    assert_true(ended);
    plugin_test_harness_free(harness);
}

/* Pulls the next gap; FALSE if there is none. */
static gboolean next_gap(GstHarness *harness, GstClockTime *start, GstClockTime *duration)
{
    for (GstEvent *event; (event = gst_harness_try_pull_event(harness)); gst_event_unref(event))
        if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
            gst_event_parse_gap(event, start, duration);
            gst_event_unref(event);
            return TRUE;
        }
    return FALSE;
}

/* Downstream hears of the time that no buffer covers: frames between windows, windows given up. */
static void gaps_fill_silence(void **state)
{
    GstHarness *harness = plugin_test_harness("hop=9", I420, TENSORS);
    GstClockTime start, duration;
    plugin_test_push(harness, I420, 0, 7);
    assert_false(next_gap(harness, &start, &duration));
    plugin_test_push(harness, I420, 7, 9);
    for (guint frame = 7; frame < 9; frame++) {
        assert_true(next_gap(harness, &start, &duration));
        assert_int_equal(start, frame * FRAME_TIME);
        assert_int_equal(duration, FRAME_TIME);
    }
    plugin_test_push(harness, I420, 9, 13);
    assert_false(next_gap(harness, &start, &duration));
    plugin_test_push(harness, I420, 100, 101); /* a jump: frames 9 to 12 give nothing */
    assert_true(next_gap(harness, &start, &duration));
    assert_int_equal(start, 9 * FRAME_TIME);
    assert_int_equal(duration, 4 * FRAME_TIME);
    plugin_test_push(harness, I420, 101, 107);
    assert_false(next_gap(harness, &start, &duration));
    assert_int_equal(gst_harness_buffers_received(harness), 2);
    plugin_test_harness_free(harness);
}

static void latency_is_the_wait_for_the_last_frame(void **state)
{
    GstHarness *harness = plugin_test_harness("frame-stride=3", I420, TENSORS);
    gst_harness_set_upstream_latency(harness, 5 * GST_MSECOND);
    plugin_test_push(harness, I420, 0, 1);
    assert_int_equal(gst_harness_query_latency(harness), 5 * GST_MSECOND + 9 * FRAME_TIME);
    g_autoptr(GstBus) bus = gst_element_get_bus(harness->element);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY);
    assert_non_null(message);
    gst_message_unref(message);
    /* Half the frame rate, twice the latency, and a word about it. */
    gst_harness_set_src_caps_str(harness, "video/x-raw,format=I420,width=48,height=32,framerate=25/2");
    message = gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY);
    assert_non_null(message);
    gst_message_unref(message);
    assert_int_equal(gst_harness_query_latency(harness), 5 * GST_MSECOND + 18 * FRAME_TIME);
    plugin_test_harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_the_vectors),
        cmocka_unit_test(caps_say_what_comes),
        cmocka_unit_test(wrong_dimensions_do_not_negotiate),
        cmocka_unit_test(json_lines_say_the_same),
        cmocka_unit_test(end_pads_before_the_event),
        cmocka_unit_test(gaps_fill_silence),
        cmocka_unit_test(latency_is_the_wait_for_the_last_frame),
    };
    return plugin_test_run("gst-plugin/tensors", tests, G_N_ELEMENTS(tests));
}
