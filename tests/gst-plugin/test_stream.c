/* What breaks a stream: flushes, segments, discontinuities, jumps, new caps, its end; and what the element
 * answers to queries. */
#include "plugin_test.h"

#include "gstmaxglmeta.h"

#define I420 "video/x-raw,format=I420,width=48,height=32,framerate=25/1,colorimetry=bt601"
#define SMALL "video/x-raw,format=I420,width=32,height=32,framerate=25/1,colorimetry=bt601"
#define FRAME_TIME (GST_SECOND / 25)

static GstVideoInfo info;

static int set_up(void **state)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    return gst_video_info_from_caps(&info, caps) ? 0 : 1;
}

/* The next message's window starts at frame @first and ends at @last. */
static void expect_window(GstHarness *harness, guint first, guint last)
{
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_non_null(message);
    assert_int_equal(plugin_test_field(message, "first-pts"), first * FRAME_TIME);
    assert_int_equal(plugin_test_field(message, "last-pts"), last * FRAME_TIME);
}

static void expect_none(GstHarness *harness)
{
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_null(message);
}

static guint64 interruptions(GstHarness *harness)
{
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(harness->element, "stats", &stats, NULL);
    return plugin_test_field(stats, "interruptions");
}

static void push_segment(GstHarness *harness, GstClockTime start, GstClockTime base)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = segment.position = start;
    segment.base = base;
    assert_true(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
}

static void flush_clears_the_window_and_keeps_caps(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 5);
    assert_true(gst_harness_push_event(harness, gst_event_new_flush_start()));
    assert_true(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));
    push_segment(harness, 100 * FRAME_TIME, 0);
    plugin_test_push(harness, I420, 100, 106);
    expect_none(harness);
    plugin_test_push(harness, I420, 106, 107);
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(message, "first-pts"), 100 * FRAME_TIME);
    assert_int_equal(plugin_test_field(message, "stream-time"), 100 * FRAME_TIME);
    assert_int_equal(plugin_test_field(message, "running-time"), 0);
    assert_int_equal(interruptions(harness), 0); /* a seek is wanted */
    plugin_test_harness_free(harness);
}

static void segment_starts_a_new_window(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 3);
    push_segment(harness, 3 * FRAME_TIME, 3 * FRAME_TIME);
    plugin_test_push(harness, I420, 3, 10);
    expect_window(harness, 3, 9);
    expect_none(harness);
    assert_int_equal(interruptions(harness), 1);
    plugin_test_harness_free(harness);
}

static void same_segment_again_changes_nothing(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    push_segment(harness, 0, 0);
    plugin_test_push(harness, I420, 0, 3);
    push_segment(harness, 0, 0);
    plugin_test_push(harness, I420, 3, 7);
    expect_window(harness, 0, 6);
    assert_int_equal(interruptions(harness), 0);
    plugin_test_harness_free(harness);
}

static void times_map_through_the_segment(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    /* Frames up to the fourth end before the segment; the fifth reaches into it. */
    segment.start = 4 * FRAME_TIME + FRAME_TIME / 2;
    segment.time = 60 * GST_SECOND;
    segment.base = 5 * GST_SECOND;
    segment.rate = 2;
    assert_true(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
    plugin_test_push(harness, I420, 0, 4 + 2 * MODEL_SPAN);
    g_autoptr(GstStructure) first = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(first, "first-pts"), 4 * FRAME_TIME);
    assert_int_equal(plugin_test_field(first, "stream-time"), 60 * GST_SECOND);
    assert_int_equal(plugin_test_field(first, "running-time"), 5 * GST_SECOND);
    g_autoptr(GstStructure) second = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(second, "first-pts"), 11 * FRAME_TIME);
    assert_int_equal(plugin_test_field(second, "stream-time"), 60 * GST_SECOND + 13 * FRAME_TIME / 2);
    assert_int_equal(plugin_test_field(second, "running-time"), 5 * GST_SECOND + 13 * FRAME_TIME / 4);
    expect_none(harness);
    plugin_test_harness_free(harness);
}

static void discontinuity_starts_a_new_window(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 3);
    GstBuffer *buffer = plugin_test_frame(&info, 3, 25, 0);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    assert_int_equal(gst_harness_push(harness, buffer), GST_FLOW_OK);
    plugin_test_push(harness, I420, 4, 10);
    expect_window(harness, 3, 9);
    expect_none(harness);
    assert_int_equal(interruptions(harness), 1);
    plugin_test_harness_free(harness);
}

static void jump_in_time_starts_a_new_window(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 3);
    plugin_test_push(harness, I420, 5, 7); /* two pictures dropped are no jump */
    plugin_test_push(harness, I420, 50, 57);
    expect_window(harness, 50, 56);
    plugin_test_push(harness, I420, 60, 61);
    plugin_test_push(harness, I420, 20, 27); /* backwards */
    expect_window(harness, 20, 26);
    expect_none(harness);
    assert_int_equal(interruptions(harness), 2);
    plugin_test_harness_free(harness);
}

static void playing_backwards_passes_frames_only(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    for (guint number = 20; number > 0; number--)
        assert_int_equal(gst_harness_push(harness, plugin_test_frame(&info, number, 25, 0)), GST_FLOW_OK);
    assert_int_equal(gst_harness_buffers_received(harness), 20);
    expect_none(harness);
    plugin_test_harness_free(harness);
}

static void new_caps_start_a_new_window(void **state)
{
    const guint numbers[MODEL_FRAMES] = {3, 5, 7, 9};
    g_autofree float *expected = plugin_test_reference(plugin_test_model(), SMALL, numbers);
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 3);
    gst_harness_set_src_caps_str(harness, SMALL);
    plugin_test_push(harness, SMALL, 3, 10);
    expect_window(harness, 3, 9);
    expect_none(harness);
    g_autoptr(GstBuffer) last = NULL;
    for (int i = 0; i < 10; i++) {
        gst_clear_buffer(&last);
        last = gst_harness_pull(harness);
    }
    const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(last);
    plugin_test_assert_vector(meta->vector, expected, (int)(g_bytes_get_size(meta->vector) / sizeof(float)));
    /* The same caps once more are no new caps. */
    plugin_test_push(harness, SMALL, 10, 12);
    gst_harness_set_src_caps_str(harness, SMALL);
    plugin_test_push(harness, SMALL, 12, 17);
    expect_window(harness, 10, 16);
    plugin_test_harness_free(harness);
}

static void end_drops_the_open_window(void **state)
{
    GstHarness *harness = plugin_test_harness("partial=drop", I420, NULL);
    plugin_test_push(harness, I420, 0, 12);
    assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
    expect_window(harness, 0, 6);
    expect_none(harness);
    plugin_test_harness_free(harness);
}

static void end_pads_the_open_window(void **state)
{
    GstHarness *harness = plugin_test_harness("partial=pad-last message-vector=true", I420, NULL);
    plugin_test_push(harness, I420, 0, 11);
    expect_window(harness, 0, 6);
    expect_none(harness);
    assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(message, "index"), 1);
    assert_int_equal(plugin_test_field(message, "first-pts"), 7 * FRAME_TIME);
    assert_int_equal(plugin_test_field(message, "last-pts"), 9 * FRAME_TIME);
    assert_int_equal(plugin_test_field(message, "duration"), 3 * FRAME_TIME);
    guint frames;
    assert_true(gst_structure_get_uint(message, "frames", &frames));
    assert_int_equal(frames, 2);
    const guint numbers[MODEL_FRAMES] = {7, 9, 9, 9};
    g_autofree float *expected = plugin_test_reference(plugin_test_model(), I420, numbers);
    const GValue *vector = gst_structure_get_value(message, "vector");
    for (guint i = 0; i < gst_value_array_get_size(vector); i++)
        assert_true(g_value_get_float(gst_value_array_get_value(vector, i)) == expected[i]);
    expect_none(harness);
    plugin_test_harness_free(harness);
}

/* With overlapping windows, one more that reaches the end is enough; none if nothing new would be seen. */
static void end_pads_only_what_no_window_has_seen(void **state)
{
    GstHarness *harness = plugin_test_harness("partial=pad-last hop=2", I420, NULL);
    plugin_test_push(harness, I420, 0, 7);
    assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
    expect_window(harness, 0, 6);
    expect_none(harness);
    plugin_test_harness_free(harness);

    harness = plugin_test_harness("partial=pad-last", I420, NULL);
    plugin_test_push(harness, I420, 0, 1); /* a stream of one frame */
    assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
    expect_window(harness, 0, 0);
    plugin_test_harness_free(harness);

    harness = plugin_test_harness("partial=pad-last", I420, NULL);
    assert_true(gst_harness_push_event(harness, gst_event_new_eos())); /* of none */
    expect_none(harness);
    plugin_test_harness_free(harness);
}

static void latency_is_nothing_while_frames_pass(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    gst_harness_set_upstream_latency(harness, 3 * GST_MSECOND);
    plugin_test_push(harness, I420, 0, 1);
    assert_int_equal(gst_harness_query_latency(harness), 3 * GST_MSECOND);
    plugin_test_harness_free(harness);
}

static void only_known_formats_are_accepted(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    g_autoptr(GstPad) sink = gst_element_get_static_pad(harness->element, "sink");
    static const struct {
        const char *caps;
        gboolean accepted;
    } cases[] = {
        {"video/x-raw,format=NV12,width=1,height=1,framerate=0/1", TRUE},
        {"video/x-raw,format=BGRx,width=4096,height=2160,framerate=60/1", TRUE},
        {"video/x-raw,format=YUY2,width=64,height=64,framerate=25/1", FALSE},
        {"video/x-raw,format=RGBA,width=64,height=64,framerate=25/1", FALSE},
        {"video/x-raw(memory:DMABuf),format=NV12,width=64,height=64,framerate=25/1", FALSE},
        {"other/tensors,format=static,num_tensors=1,types=float32,dimensions=64:1:1:1,framerate=1/1", FALSE},
        {"video/x-h264", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GstCaps) caps = gst_caps_from_string(cases[i].caps);
        assert_int_equal(gst_pad_query_accept_caps(sink, caps), cases[i].accepted);
    }
    plugin_test_harness_free(harness);
}

static gboolean allows_video_meta(GstHarness *harness)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
    gst_pad_peer_query(harness->srcpad, query);
    return gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
}

/* Frames that pass must suit who gets them. */
static void padding_is_allowed_if_all_can_read_it(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    plugin_test_push(harness, I420, 0, 1);
    assert_false(allows_video_meta(harness));
    gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
    assert_true(allows_video_meta(harness));
    plugin_test_harness_free(harness);

    harness = plugin_test_harness("", I420, "text/x-raw,format=utf8");
    plugin_test_push(harness, I420, 0, 1);
    assert_true(allows_video_meta(harness));
    plugin_test_harness_free(harness);
}

static void buffer_that_is_no_frame_is_an_error(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 100, NULL);
    GST_BUFFER_PTS(buffer) = 0;
    assert_int_equal(gst_harness_push(harness, buffer), GST_FLOW_ERROR);
    g_autoptr(GError) error = plugin_test_next_error(harness->element);
    assert_non_null(error);
    assert_true(g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT));
    assert_string_equal(error->message, "a buffer of 100 bytes is no I420 frame of 48×32 pixels");
    plugin_test_harness_free(harness);
}

/* Without time stamps windows are counted, and times are unknown. */
static void streams_without_times_work(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    for (guint number = 0; number < MODEL_SPAN; number++) {
        GstBuffer *buffer = plugin_test_frame(&info, number, 25, 0);
        GST_BUFFER_PTS(buffer) = GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
        assert_int_equal(gst_harness_push(harness, buffer), GST_FLOW_OK);
    }
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_non_null(message);
    static const char *const times[] = {"first-pts", "last-pts", "duration", "stream-time", "running-time"};
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++)
        assert_true(plugin_test_field(message, times[i]) == GST_CLOCK_TIME_NONE);
    plugin_test_harness_free(harness);
}

/* Durations come from the frame rate where buffers have none. */
static void frame_rate_gives_missing_durations(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    for (guint number = 0; number < MODEL_SPAN; number++) {
        GstBuffer *buffer = plugin_test_frame(&info, number, 25, 0);
        GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
        assert_int_equal(gst_harness_push(harness, buffer), GST_FLOW_OK);
    }
    g_autoptr(GstStructure) message = plugin_test_next_message(harness);
    assert_int_equal(plugin_test_field(message, "duration"), MODEL_SPAN * FRAME_TIME);
    plugin_test_harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flush_clears_the_window_and_keeps_caps, set_up),
        cmocka_unit_test_setup(segment_starts_a_new_window, set_up),
        cmocka_unit_test_setup(same_segment_again_changes_nothing, set_up),
        cmocka_unit_test_setup(times_map_through_the_segment, set_up),
        cmocka_unit_test_setup(discontinuity_starts_a_new_window, set_up),
        cmocka_unit_test_setup(jump_in_time_starts_a_new_window, set_up),
        cmocka_unit_test_setup(playing_backwards_passes_frames_only, set_up),
        cmocka_unit_test_setup(new_caps_start_a_new_window, set_up),
        cmocka_unit_test_setup(end_drops_the_open_window, set_up),
        cmocka_unit_test_setup(end_pads_the_open_window, set_up),
        cmocka_unit_test_setup(end_pads_only_what_no_window_has_seen, set_up),
        cmocka_unit_test_setup(latency_is_nothing_while_frames_pass, set_up),
        cmocka_unit_test_setup(only_known_formats_are_accepted, set_up),
        cmocka_unit_test_setup(padding_is_allowed_if_all_can_read_it, set_up),
        cmocka_unit_test_setup(buffer_that_is_no_frame_is_an_error, set_up),
        cmocka_unit_test_setup(streams_without_times_work, set_up),
        cmocka_unit_test_setup(frame_rate_gives_missing_durations, set_up),
    };
    return plugin_test_run("gst-plugin/stream", tests, G_N_ELEMENTS(tests));
}
