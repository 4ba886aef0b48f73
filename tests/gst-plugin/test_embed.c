/* Frames pass, embeddings ride on them: numbers, times, metas, messages. */
#include "plugin_test.h"

#include "gstmaxglmeta.h"
#include <math.h>
#include <string.h>

#define I420 "video/x-raw,format=I420,width=48,height=32,framerate=25/1,colorimetry=bt601"
#define FRAME_TIME (GST_SECOND / 25)

static int features;

static int read_features(GstHarness *harness)
{
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(harness->element, "stats", &stats, NULL);
    assert_true(gst_structure_get_int(stats, "features", &features));
    return features;
}

/* Each format, rows padded or not, odd sizes: the embedding is what libmaxgl makes of the same pixels. */
static void check_format(const char *caps, int padding)
{
    const guint numbers[MODEL_FRAMES] = {0, 2, 4, 6};
    g_autofree float *expected = plugin_test_reference(plugin_test_model(), caps, numbers);
    GstHarness *harness = plugin_test_harness("", caps, NULL);
    g_autoptr(GstCaps) parsed = gst_caps_from_string(caps);
    GstVideoInfo info;
    assert_true(gst_video_info_from_caps(&info, parsed));
    for (guint number = 0; number < MODEL_SPAN; number++) {
        g_autoptr(GstBuffer) buffer =
            gst_harness_push_and_pull(harness, plugin_test_frame(&info, number, 25, padding));
        GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
        assert_int_equal(meta != NULL, number == MODEL_SPAN - 1);
        if (meta)
            plugin_test_assert_vector(meta->vector, expected, read_features(harness));
    }
    plugin_test_harness_free(harness);
}

static void numbers_are_those_of_libmaxgl(void **state)
{
    static const char *const formats[] = {"RGB", "BGR", "RGBx", "BGRx", "I420", "NV12", "GRAY8"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        for (int padding = 0; padding <= 13; padding += 13) {
            const gboolean rgb = strpbrk(formats[i], "R") && strcmp(formats[i], "GRAY8") != 0;
            g_autofree char *caps = g_strdup_printf(
                "video/x-raw,format=%s,width=37,height=23,framerate=25/1,colorimetry=%s", formats[i],
                rgb           ? "sRGB"
                : padding > 0 ? "bt601"
                              : "bt709");
            check_format(caps, padding);
        }
    check_format("video/x-raw,format=I420,width=37,height=23,framerate=25/1,colorimetry=1:4:0:0", 0);
}

/* The first window's vector under @properties; caller frees. */
static GBytes *first_vector(const char *properties)
{
    GstHarness *harness = plugin_test_harness(properties, I420, NULL);
    plugin_test_push(harness, I420, 0, MODEL_SPAN);
    GBytes *vector = NULL;
    for (int i = 0; i < MODEL_SPAN; i++) {
        g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
        const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
        if (meta)
            vector = g_bytes_ref(meta->vector);
    }
    assert_non_null(vector);
    plugin_test_harness_free(harness);
    return vector;
}

/* How far @vector is from @exact; the relative Euclidean distance. */
static double distance(GBytes *vector, GBytes *exact)
{
    gsize size, same;
    const float *a = g_bytes_get_data(vector, &size), *b = g_bytes_get_data(exact, &same);
    double off = 0, all = 0;
    assert_int_equal(size, same);
    for (gsize i = 0; i < size / sizeof *a; i++) {
        off += pow((double)a[i] - (double)b[i], 2);
        all += pow((double)b[i], 2);
    }
    return sqrt(off / all);
}

/* Maps in 16 bits: other digits, from the third on. */
static void precision_is_chosen(void **state)
{
    g_autoptr(GBytes) plain = first_vector("");
    g_autoptr(GBytes) floats = first_vector("precision=fp32");
    g_autoptr(GBytes) rounded = first_vector("precision=tf32");
    g_autoptr(GBytes) half = first_vector("precision=fp16");
    g_autoptr(GBytes) brief = first_vector("precision=bf16");
    assert_true(g_bytes_equal(plain, floats));
    assert_true(distance(rounded, floats) < 0.01); /* the same on what has no such units */
    const double of_half = distance(half, floats), of_brief = distance(brief, floats);
    if (!(of_half > 0 && of_half < of_brief && of_brief < 0.01))
        fail_msg("fp16 is off by %g, bf16 by %g", of_half, of_brief);
}

static void buffers_pass_untouched(void **state)
{
    GstHarness *harness = plugin_test_harness("", I420, NULL);
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_caps_from_string(I420);
    assert_true(gst_video_info_from_caps(&info, caps));
    for (guint number = 0; number < MODEL_SPAN; number++) {
        GstBuffer *buffer = plugin_test_frame(&info, number, 25, 0);
        /* Another reference: the element may not write to it, and must not copy the picture either. */
        g_autoptr(GstBuffer) mine = gst_buffer_ref(buffer);
        g_autoptr(GstBuffer) passed = gst_harness_push_and_pull(harness, buffer);
        assert_int_equal(passed == mine, number != MODEL_SPAN - 1);
        assert_ptr_equal(gst_buffer_peek_memory(passed, 0), gst_buffer_peek_memory(mine, 0));
        assert_int_equal(GST_BUFFER_PTS(passed), GST_BUFFER_PTS(mine));
        assert_null(gst_buffer_get_maxgl_embedding_meta(mine));
    }
    plugin_test_harness_free(harness);
}

/* Windows of the stream of @n frames under @stride and @hop, and the messages' times. */
static void check_windows(int stride, int hop, guint n)
{
    g_autofree char *properties = g_strdup_printf("frame-stride=%d hop=%d", stride, hop);
    GstHarness *harness = plugin_test_harness(properties, I420, NULL);
    const guint used_stride = stride ? (guint)stride : MODEL_STRIDE;
    const guint span = (MODEL_FRAMES - 1) * used_stride + 1, used_hop = hop ? (guint)hop : span;
    plugin_test_push(harness, I420, 0, n);
    guint64 index = 0;
    for (guint start = 0; start + span <= n; start += used_hop, index++) {
        g_autoptr(GstStructure) message = plugin_test_next_message(harness);
        assert_non_null(message);
        const GstClockTime first = start * FRAME_TIME, last = (start + span - 1) * FRAME_TIME;
        assert_int_equal(plugin_test_field(message, "index"), index);
        assert_int_equal(plugin_test_field(message, "first-pts"), first);
        assert_int_equal(plugin_test_field(message, "timestamp"), first);
        assert_int_equal(plugin_test_field(message, "stream-time"), first);
        assert_int_equal(plugin_test_field(message, "running-time"), first);
        assert_int_equal(plugin_test_field(message, "last-pts"), last);
        assert_int_equal(plugin_test_field(message, "duration"), span * FRAME_TIME);
        guint frames;
        assert_true(gst_structure_get_uint(message, "frames", &frames));
        assert_int_equal(frames, MODEL_FRAMES);
        assert_false(gst_structure_has_field(message, "vector"));
    }
    assert_null(plugin_test_next_message(harness));
    /* The frames that carry a meta are those that close a window. */
    for (guint number = 0; number < n; number++) {
        g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
        const gboolean closes = number + 1 >= span && (number + 1 - span) % used_hop == 0;
        const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
        assert_int_equal(meta != NULL, closes);
        if (!meta)
            continue;
        assert_int_equal(meta->last_pts, GST_BUFFER_PTS(buffer));
        assert_int_equal(meta->first_pts, GST_BUFFER_PTS(buffer) - (span - 1) * FRAME_TIME);
        assert_int_equal(meta->index, (number + 1 - span) / used_hop);
    }
    plugin_test_harness_free(harness);
}

static void windows_and_times_follow_stride_and_hop(void **state)
{
    check_windows(0, 0, 30);
    check_windows(1, 0, 13);
    check_windows(1, 1, 12);
    check_windows(2, 3, 25);
    check_windows(3, 15, 40);
    check_windows(1000, 0, 20);
}

/* Overlapping windows share frames: each embedding is still that of its own. */
static void overlapping_windows_have_their_own_frames(void **state)
{
    GstHarness *harness = plugin_test_harness("frame-stride=1 hop=1", I420, NULL);
    plugin_test_push(harness, I420, 0, 6);
    for (guint number = 0; number < 6; number++) {
        g_autoptr(GstBuffer) buffer = gst_harness_pull(harness);
        const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
        if (number < 3) {
            assert_null(meta);
            continue;
        }
        const guint numbers[] = {number - 3, number - 2, number - 1, number};
        g_autofree float *expected = plugin_test_reference(plugin_test_model(), I420, numbers);
        plugin_test_assert_vector(meta->vector, expected, read_features(harness));
    }
    plugin_test_harness_free(harness);
}

static void vector_is_normalised_and_posted_on_request(void **state)
{
    const guint numbers[MODEL_FRAMES] = {0, 2, 4, 6}, later[MODEL_FRAMES] = {7, 9, 11, 13};
    g_autofree float *raw = plugin_test_reference(plugin_test_model(), I420, numbers);
    g_autofree float *unit = plugin_test_reference(plugin_test_model(), I420, later);
    GstHarness *harness = plugin_test_harness("message-vector=true", I420, NULL);
    const int length = read_features(harness);
    maxgl_features_normalize(unit, 1, length);
    plugin_test_push(harness, I420, 0, 7);
    g_object_set(harness->element, "l2-normalize", TRUE, NULL); /* while playing */
    plugin_test_push(harness, I420, 7, 14);
    for (int window = 0; window < 2; window++) {
        g_autoptr(GstStructure) message = plugin_test_next_message(harness);
        const GValue *vector = gst_structure_get_value(message, "vector");
        assert_int_equal(gst_value_array_get_size(vector), length);
        double sum = 0, norm;
        for (int i = 0; i < length; i++) {
            const float number = g_value_get_float(gst_value_array_get_value(vector, (guint)i));
            assert_true(number == (window == 0 ? raw : unit)[i]);
            sum += (double)number * number;
        }
        assert_true(gst_structure_get_double(message, "norm", &norm));
        if (window == 0)
            assert_true(fabs(norm - sqrt(sum)) < 1e-6 * norm);
        else
            assert_true(fabs(sqrt(sum) - 1) < 1e-6 && fabs(norm - 1) > 1e-3);
    }
    g_object_set(harness->element, "post-messages", FALSE, NULL);
    plugin_test_push(harness, I420, 14, 21);
    assert_null(plugin_test_next_message(harness));
    plugin_test_harness_free(harness);
}

/* A program without our header reads the custom meta. */
static void custom_meta_needs_no_header(void **state)
{
    GstHarness *harness = plugin_test_harness("name=first", I420, NULL);
    plugin_test_push(harness, I420, 0, MODEL_SPAN);
    g_autoptr(GstBuffer) buffer = NULL;
    for (int i = 0; i < MODEL_SPAN; i++) {
        gst_clear_buffer(&buffer);
        buffer = gst_harness_pull(harness);
    }
    GstCustomMeta *custom = gst_buffer_get_custom_meta(buffer, "maxgl-embedding");
    const GstMaxglEmbeddingMeta *meta = gst_buffer_get_maxgl_embedding_meta(buffer);
    assert_non_null(custom);
    const GstStructure *structure = gst_custom_meta_get_structure(custom);
    g_autoptr(GBytes) vector = NULL;
    assert_true(gst_structure_get(structure, "vector", G_TYPE_BYTES, &vector, NULL));
    assert_true(g_bytes_equal(vector, meta->vector));
    assert_int_equal(plugin_test_field(structure, "first-pts"), 0);
    assert_int_equal(plugin_test_field(structure, "last-pts"), 6 * FRAME_TIME);
    assert_string_equal(gst_structure_get_string(structure, "element"), "first");
    assert_string_equal(g_quark_to_string(meta->element), "first");
    plugin_test_harness_free(harness);
}

/* Metas outlive copies and other elements; two models in a row give two. */
static void metas_travel_on(void **state)
{
    g_autofree char *other = plugin_test_make_model("other.safetensors", 2);
    g_autofree char *launch = g_strdup_printf(
        "maxglembed name=a model=%s ! videoconvert ! video/x-raw,format=RGB ! maxglembed name=b model=%s",
        plugin_test_model(), other);
    GstHarness *harness = gst_harness_new_parse(launch);
    gst_harness_set_src_caps_str(harness, I420);
    plugin_test_push(harness, I420, 0, MODEL_SPAN);
    g_autoptr(GstBuffer) buffer = NULL;
    for (int i = 0; i < MODEL_SPAN; i++) {
        gst_clear_buffer(&buffer);
        buffer = gst_harness_pull(harness);
    }
    g_autoptr(GstBuffer) copy = gst_buffer_copy_deep(buffer);
    const GType api = g_type_from_name(GST_MAXGL_EMBEDDING_META_API_NAME);
    const char *const expected[] = {"a", "b"};
    int found = 0;
    gpointer state_of_search = NULL;
    for (GstMeta *meta; (meta = gst_buffer_iterate_meta_filtered(copy, &state_of_search, api)); found++) {
        assert_true(found < 2);
        assert_string_equal(g_quark_to_string(((GstMaxglEmbeddingMeta *)meta)->element), expected[found]);
    }
    assert_int_equal(found, 2);
    assert_non_null(gst_buffer_get_custom_meta(copy, "maxgl-embedding"));
    const guint numbers[MODEL_FRAMES] = {0, 2, 4, 6};
    g_autofree float *reference = plugin_test_reference(plugin_test_model(), I420, numbers);
    plugin_test_assert_vector(gst_buffer_get_maxgl_embedding_meta(copy)->vector, reference, features);
    gst_harness_teardown(harness);
}

static void stats_count(void **state)
{
    GstHarness *harness = plugin_test_harness("hop=3", I420, NULL);
    plugin_test_push(harness, I420, 0, 10);
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(harness->element, "stats", &stats, NULL);
    assert_int_equal(plugin_test_field(stats, "frames"), 10);
    assert_int_equal(plugin_test_field(stats, "clips"), 2);
    assert_int_equal(plugin_test_field(stats, "interruptions"), 0);
    double mean, longest;
    assert_true(gst_structure_get_double(stats, "ms-mean", &mean));
    assert_true(gst_structure_get_double(stats, "ms-max", &longest));
    assert_true(mean > 0 && longest >= mean);
    gint64 span, hop;
    int stride, frames;
    assert_true(gst_structure_get(stats, "span", G_TYPE_INT64, &span, "hop", G_TYPE_INT64, &hop,
                                  "frame-stride", G_TYPE_INT, &stride, "clip-frames", G_TYPE_INT, &frames,
                                  NULL));
    assert_true(span == MODEL_SPAN && hop == 3 && stride == MODEL_STRIDE && frames == MODEL_FRAMES);
    assert_string_equal(gst_structure_get_string(stats, "model"), "hara-r3d10@0.125");
    plugin_test_harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_libmaxgl),
        cmocka_unit_test(precision_is_chosen),
        cmocka_unit_test(buffers_pass_untouched),
        cmocka_unit_test(windows_and_times_follow_stride_and_hop),
        cmocka_unit_test(overlapping_windows_have_their_own_frames),
        cmocka_unit_test(vector_is_normalised_and_posted_on_request),
        cmocka_unit_test(custom_meta_needs_no_header),
        cmocka_unit_test(metas_travel_on),
        cmocka_unit_test(stats_count),
    };
    return plugin_test_run("gst-plugin/embed", tests, G_N_ELEMENTS(tests));
}
