#include "embed_caps.h"

MaxglOutput maxgl_embed_caps_output(const GstCaps *source_caps)
{
    const GstStructure *structure = gst_caps_get_structure(source_caps, 0);
    if (gst_structure_has_name(structure, "other/tensors"))
        return MAXGL_OUTPUT_TENSOR;
    if (gst_structure_has_name(structure, "text/x-raw"))
        return MAXGL_OUTPUT_JSON;
    return MAXGL_OUTPUT_VIDEO;
}

static void append_text(GValue *list, char *text)
{
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_STRING);
    g_value_take_string(&value, text);
    gst_value_list_append_and_take_value(list, &value);
}

/* Innermost first. NNStreamer writes the trailing ones or leaves them out, depending on its version. */
static void set_dimensions(GstStructure *tensors, int features)
{
    GValue list = G_VALUE_INIT;
    g_value_init(&list, GST_TYPE_LIST);
    append_text(&list, g_strdup_printf("%d:1:1:1", features));
    append_text(&list, g_strdup_printf("%d", features));
    gst_structure_take_value(tensors, "dimensions", &list);
}

static void append_video(GstCaps *result, GstCaps *caps)
{
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        GstStructure *structure = gst_caps_get_structure(caps, i);
        if (gst_structure_has_name(structure, "video/x-raw"))
            gst_caps_append_structure_full(result, gst_structure_copy(structure),
                                           gst_caps_features_copy(gst_caps_get_features(caps, i)));
    }
}

static gboolean has_other_than_video(GstCaps *caps)
{
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        if (!gst_structure_has_name(gst_caps_get_structure(caps, i), "video/x-raw"))
            return TRUE;
    return FALSE;
}

GstCaps *maxgl_embed_caps_transform(GstPadDirection direction, GstCaps *caps, GstCaps *filter, int features)
{
    GstCaps *result = gst_caps_new_empty();
    append_video(result, caps);
    if (direction == GST_PAD_SRC) {
        if (has_other_than_video(caps))
            gst_caps_append(result, gst_caps_from_string(MAXGL_EMBED_VIDEO_CAPS));
    } else {
        GstCaps *tensors = gst_caps_from_string(MAXGL_EMBED_TENSOR_CAPS);
        if (features > 0)
            set_dimensions(gst_caps_get_structure(tensors, 0), features);
        gst_caps_append(result, tensors);
        gst_caps_append(result, gst_caps_from_string(MAXGL_EMBED_JSON_CAPS));
    }
    if (filter) {
        GstCaps *filtered = gst_caps_intersect_full(filter, result, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(result);
        result = filtered;
    }
    return result;
}

GstCaps *maxgl_embed_caps_fixate(GstCaps *sink_caps, GstCaps *source_caps, int features, int hop)
{
    source_caps = gst_caps_make_writable(gst_caps_truncate(source_caps));
    GstStructure *structure = gst_caps_get_structure(source_caps, 0);
    if (gst_structure_has_name(structure, "other/tensors")) {
        int numerator = 0, denominator = 1;
        gst_structure_get_fraction(gst_caps_get_structure(sink_caps, 0), "framerate", &numerator,
                                   &denominator);
        if (!gst_util_fraction_multiply(numerator, denominator, 1, MAX(hop, 1), &numerator, &denominator))
            numerator = 0, denominator = 1;
        if (!gst_structure_has_field(structure, "framerate"))
            gst_structure_set(structure, "framerate", GST_TYPE_FRACTION, numerator, denominator, NULL);
        else
            gst_structure_fixate_field_nearest_fraction(structure, "framerate", numerator, denominator);
        if (!gst_structure_has_field(structure, "dimensions"))
            set_dimensions(structure, features);
    }
    return gst_caps_fixate(source_caps);
}
