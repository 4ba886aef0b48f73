/* Real clips, which are not part of the project, through decodebin: MAXGL_SHARED/clips, else ../shared/clips
 * beside the source. Without them the test is skipped. */
#include "plugin_test.h"

#include <stdio.h>

static char *clips;

/* Time stamps and ends of the frames that reach the element. */
typedef struct {
    GArray *pts, *end;
} Seen;

static GstPadProbeReturn see_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    const Seen *seen = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    const GstClockTime pts = GST_BUFFER_PTS(buffer), end = pts + GST_BUFFER_DURATION(buffer);
    assert_true(GST_CLOCK_TIME_IS_VALID(pts) && GST_BUFFER_DURATION_IS_VALID(buffer));
    g_array_append_val(seen->pts, pts);
    g_array_append_val(seen->end, end);
    return GST_PAD_PROBE_OK;
}

static GstClockTime at(const GArray *times, guint number)
{
    assert_true(number < times->len);
    return g_array_index(times, GstClockTime, number);
}

/* Plays to the end and returns the element's messages. */
static GPtrArray *play(GstElement *pipeline, const char *path)
{
    GPtrArray *messages = g_ptr_array_new_with_free_func((GDestroyNotify)gst_structure_free);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (gboolean ended = FALSE; !ended;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
            bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
        assert_non_null(message);
        g_autoptr(GError) error = NULL;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            gst_message_parse_error(message, &error, NULL);
            fail_msg("%s: %s", path, error->message);
        }
        ended = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
        if (gst_message_has_name(message, "maxgl-embedding"))
            g_ptr_array_add(messages, gst_structure_copy(gst_message_get_structure(message)));
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return messages;
}

/* One message a window, with the first and last frame's time stamps. */
static void check_clip(const char *path, guint stride, guint hop)
{
    g_autofree char *launch =
        g_strdup_printf("filesrc name=file ! decodebin ! videoconvert ! maxglembed name=embed "
                        "model=%s frame-stride=%u hop=%u partial=pad-last ! fakesink",
                        plugin_test_model(), stride, hop);
    g_autoptr(GstElement) pipeline = gst_parse_launch(launch, NULL);
    g_autoptr(GstElement) file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
    g_autoptr(GstElement) embed = gst_bin_get_by_name(GST_BIN(pipeline), "embed");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(embed, "sink");
    g_object_set(file, "location", path, NULL);
    Seen seen = {g_array_new(FALSE, FALSE, sizeof(GstClockTime)),
                 g_array_new(FALSE, FALSE, sizeof(GstClockTime))};
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, see_frame, &seen, NULL);
    g_autoptr(GPtrArray) messages = play(pipeline, path);

    const guint frames = seen.pts->len, span = (MODEL_FRAMES - 1) * stride + 1;
    assert_true(frames > 30);
    guint index = 0;
    for (guint start = 0; start + span <= frames; start += hop, index++) {
        assert_true(index < messages->len);
        const GstStructure *message = messages->pdata[index];
        assert_int_equal(plugin_test_field(message, "index"), index);
        assert_int_equal(plugin_test_field(message, "first-pts"), at(seen.pts, start));
        assert_int_equal(plugin_test_field(message, "last-pts"), at(seen.pts, start + span - 1));
        assert_int_equal(plugin_test_field(message, "duration"),
                         at(seen.end, start + span - 1) - at(seen.pts, start));
    }
    /* What is left at the end, as "pad-last" promises. */
    const guint start = index * hop, covered = start - hop + span - 1;
    if (start < frames) {
        const guint last = frames - 1 - (frames - 1 - start) % stride;
        if (last > covered) {
            assert_true(index < messages->len);
            const GstStructure *message = messages->pdata[index++];
            assert_int_equal(plugin_test_field(message, "first-pts"), at(seen.pts, start));
            assert_int_equal(plugin_test_field(message, "last-pts"), at(seen.pts, last));
        }
    }
    assert_int_equal(messages->len, index);
    g_array_unref(seen.pts);
    g_array_unref(seen.end);
}

static void each_window_gives_one_message(void **state)
{
    static const guint cases[][2] = {{2, 7}, {1, 1}, {5, 8}, {3, 20}};
    g_autofree char *folder = g_build_filename(clips, "asl", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    assert_non_null(dir);
    guint files = 0;
    for (const char *name; (name = g_dir_read_name(dir)); files++) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        check_clip(path, cases[files % 4][0], cases[files % 4][1]);
    }
    assert_true(files > 0);
}

int main(void)
{
    const char *shared = g_getenv("MAXGL_SHARED"), *source = g_getenv("MAXGL_SOURCE_DIR");
    clips = shared ? g_build_filename(shared, "clips", NULL)
                   : g_build_filename(source ? source : ".", "..", "shared", "clips", NULL);
    if (!g_file_test(clips, G_FILE_TEST_IS_DIR)) {
        printf("skipped: no real clips in %s (MAXGL_SHARED says where they are)\n", clips);
        g_free(clips);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_window_gives_one_message)};
    const int failed = plugin_test_run("gst-plugin/real_clips", tests, G_N_ELEMENTS(tests));
    g_free(clips);
    return failed;
}
