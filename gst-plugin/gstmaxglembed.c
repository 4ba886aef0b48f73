#include "gstmaxglembed_private.h"

GST_DEBUG_CATEGORY(maxglembed_debug);

#define MAX_STRIDE 1000
#define MAX_HOP 1000000

typedef enum {
    PROP_MODEL = 1,
    PROP_DEVICE,
    PROP_FRAME_STRIDE,
    PROP_HOP,
    PROP_PARTIAL,
    PROP_PRECISION,
    PROP_L2_NORMALIZE,
    PROP_POST_MESSAGES,
    PROP_MESSAGE_VECTOR,
    PROP_STATS,
} Property;

G_DEFINE_TYPE_WITH_CODE(GstMaxglEmbed, gst_maxgl_embed, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(maxglembed_debug, "maxglembed", 0, "Max-GL clip embedder"))
GST_ELEMENT_REGISTER_DEFINE(maxglembed, "maxglembed", GST_RANK_NONE, GST_TYPE_MAXGL_EMBED)

GType gst_maxgl_partial_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_MAXGL_PARTIAL_DROP, "The open window gives no embedding", "drop"},
        {GST_MAXGL_PARTIAL_PAD_LAST, "The open window is filled with its last frame", "pad-last"},
        {0, NULL, NULL},
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstMaxglPartial", values));
    return type;
}

GType gst_maxgl_precision_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_MAXGL_PRECISION_FP32, "Single precision", "fp32"},
        {GST_MAXGL_PRECISION_TF32, "Factors of products may be rounded to 11 digits", "tf32"},
        {GST_MAXGL_PRECISION_FP16, "Maps in 16 bits, IEEE 754 binary16", "fp16"},
        {GST_MAXGL_PRECISION_BF16, "Maps in 16 bits, bfloat16", "bf16"},
        {0, NULL, NULL},
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstMaxglPrecision", values));
    return type;
}

static GstStructure *stats_structure(GstMaxglEmbed *self)
{
    const MaxglEmbedStats *s = &self->stats;
    GstStructure *structure =
        self->opened ? gst_structure_copy(self->opened) : gst_structure_new_empty("maxglembed-stats");
    gst_structure_set(structure, "frames", G_TYPE_UINT64, s->frames, "clips", G_TYPE_UINT64, s->clips,
                      "interruptions", G_TYPE_UINT64, s->interruptions, "ms-last", G_TYPE_DOUBLE, s->last_ms,
                      "ms-mean", G_TYPE_DOUBLE, s->clips > 0 ? s->sum_ms / (double)s->clips : 0.0, "ms-max",
                      G_TYPE_DOUBLE, s->max_ms, NULL);
    return structure;
}

static void gst_maxgl_embed_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(object);
    GST_OBJECT_LOCK(self);
    switch ((Property)id) {
    case PROP_MODEL:
        g_value_set_string(value, self->model);
        break;
    case PROP_DEVICE:
        g_value_set_string(value, self->device);
        break;
    case PROP_FRAME_STRIDE:
        g_value_set_uint(value, self->frame_stride);
        break;
    case PROP_HOP:
        g_value_set_uint(value, self->hop);
        break;
    case PROP_PARTIAL:
        g_value_set_enum(value, (int)self->partial);
        break;
    case PROP_PRECISION:
        g_value_set_enum(value, (int)self->precision);
        break;
    case PROP_L2_NORMALIZE:
        g_value_set_boolean(value, self->l2_normalize);
        break;
    case PROP_POST_MESSAGES:
        g_value_set_boolean(value, self->post_messages);
        break;
    case PROP_MESSAGE_VECTOR:
        g_value_set_boolean(value, self->message_vector);
        break;
    case PROP_STATS:
        g_value_take_boxed(value, stats_structure(self));
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_maxgl_embed_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(object);
    GST_OBJECT_LOCK(self);
    switch ((Property)id) {
    case PROP_MODEL:
        g_free(self->model);
        self->model = g_value_dup_string(value);
        break;
    case PROP_DEVICE:
        g_free(self->device);
        self->device = g_value_dup_string(value);
        break;
    case PROP_FRAME_STRIDE:
        self->frame_stride = g_value_get_uint(value);
        break;
    case PROP_HOP:
        self->hop = g_value_get_uint(value);
        break;
    case PROP_PARTIAL:
        self->partial = (GstMaxglPartial)g_value_get_enum(value);
        break;
    case PROP_PRECISION:
        self->precision = (GstMaxglPrecision)g_value_get_enum(value);
        break;
    case PROP_L2_NORMALIZE:
        self->l2_normalize = g_value_get_boolean(value);
        break;
    case PROP_POST_MESSAGES:
        self->post_messages = g_value_get_boolean(value);
        break;
    case PROP_MESSAGE_VECTOR:
        self->message_vector = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_maxgl_embed_finalize(GObject *object)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(object);
    maxgl_clip_embedder_close(self->embedder);
    g_clear_pointer(&self->opened, gst_structure_free);
    g_free(self->model);
    g_free(self->device);
    G_OBJECT_CLASS(gst_maxgl_embed_parent_class)->finalize(object);
}

static void install_properties(GObjectClass *object)
{
    const GParamFlags ready =
        (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | (int)GST_PARAM_MUTABLE_READY);
    const GParamFlags playing =
        (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | (int)GST_PARAM_MUTABLE_PLAYING);
    g_object_class_install_property(
        object, PROP_MODEL,
        g_param_spec_string("model", "Model",
                            "Weights of a 3D ResNet in a .safetensors file, as 'maxgl-cl train' and "
                            "'maxgl-cl model convert' write them",
                            NULL, ready));
    g_object_class_install_property(
        object, PROP_DEVICE,
        g_param_spec_string("device", "Device",
                            "OpenCL device: auto, cpu, gpu, P:D (platform and device index) or a part of its "
                            "name ('maxgl-cl devices' lists them); unset: the environment's MAXGL_DEVICE, or "
                            "auto",
                            NULL, ready));
    g_object_class_install_property(
        object, PROP_FRAME_STRIDE,
        g_param_spec_uint("frame-stride", "Frame stride",
                          "Frames of the stream from one of a window's frames to the next; 0: as the model "
                          "was trained. A window of T frames spans (T - 1) * frame-stride + 1 frames of the "
                          "stream",
                          0, MAX_STRIDE, 0, ready));
    g_object_class_install_property(
        object, PROP_HOP,
        g_param_spec_uint("hop", "Hop",
                          "Frames of the stream from one window's start to the next window's; less than the "
                          "span: windows overlap, more: frames between them are left out; 0: the span",
                          0, MAX_HOP, 0, ready));
    g_object_class_install_property(
        object, PROP_PARTIAL,
        g_param_spec_enum("partial", "Partial window",
                          "What becomes of the window that the end of the stream leaves open",
                          GST_TYPE_MAXGL_PARTIAL, GST_MAXGL_PARTIAL_DROP, ready));
    g_object_class_install_property(
        object, PROP_PRECISION,
        g_param_spec_enum("precision", "Precision",
                          "What the network computes with, whatever it was trained with; 16 bits take about "
                          "half the memory, and features differ in the third digit",
                          GST_TYPE_MAXGL_PRECISION, GST_MAXGL_PRECISION_FP32, ready));
    g_object_class_install_property(
        object, PROP_L2_NORMALIZE,
        g_param_spec_boolean("l2-normalize", "L2 normalisation",
                             "Divide each vector by its Euclidean length, so that dot products are cosines",
                             FALSE, playing));
    g_object_class_install_property(object, PROP_POST_MESSAGES,
                                    g_param_spec_boolean("post-messages", "Post messages",
                                                         "Post an element message 'maxgl-embedding' on the "
                                                         "bus for each window",
                                                         TRUE, playing));
    g_object_class_install_property(
        object, PROP_MESSAGE_VECTOR,
        g_param_spec_boolean("message-vector", "Vector in messages",
                             "Put the vector into the messages, as an array of floats named 'vector'", FALSE,
                             playing));
    g_object_class_install_property(
        object, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Since the element was started: frames seen, clips embedded, interruptions (open "
                           "windows given up), milliseconds a clip (ms-last, ms-mean, ms-max), and what is "
                           "open: model, device, features, clip-frames, frame-stride, span, hop",
                           GST_TYPE_STRUCTURE, (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

/* What gst-inspect-1.0 says; continuation lines stand in its column. */
#define DESCRIPTION                                                                                          \
    "Feature vectors of video clips, from a 3D ResNet trained by Max-GL, on any OpenCL device.\n"            \
    "                           A window is the clip that the model sees: its T frames, frame-stride "       \
    "apart.\n"                                                                                               \
    "                           The frame that closes a window gets the vector as a meta (see\n"             \
    "                           maxgl/gstmaxglmeta.h; custom meta 'maxgl-embedding'), and the bus a "        \
    "message\n"                                                                                              \
    "                           'maxgl-embedding' with index, timestamp, stream-time, running-time,\n"       \
    "                           duration, first-pts, last-pts, frames, norm. Frames pass unchanged.\n"       \
    "                           Where downstream asks for other/tensors (float32, for NNStreamer) or\n"      \
    "                           text/x-raw (lines of JSON), it gets one buffer a window instead of "         \
    "frames.\n"                                                                                              \
    "                           Windows start anew after a seek, a discontinuity, a jump in time, new "      \
    "caps.\n"                                                                                                \
    "                           Examples:\n"                                                                 \
    "                           gst-launch-1.0 -m filesrc location=a.mp4 ! decodebin ! videoconvert !\n"     \
    "                             maxglembed model=model.safetensors partial=pad-last ! fakesink\n"          \
    "                           gst-launch-1.0 filesrc location=a.mp4 ! decodebin ! videoconvert !\n"        \
    "                             maxglembed model=model.safetensors hop=8 ! text/x-raw !\n"                 \
    "                             filesink location=a.jsonl"

static void gst_maxgl_embed_class_init(GstMaxglEmbedClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);

    object->set_property = gst_maxgl_embed_set_property;
    object->get_property = gst_maxgl_embed_get_property;
    object->finalize = gst_maxgl_embed_finalize;
    install_properties(object);

    gst_element_class_set_static_metadata(element, "Max-GL clip embedder", "Filter/Analyzer/Video",
                                          DESCRIPTION, "The maxgl-cl maintainers");
    g_autoptr(GstCaps) video = gst_caps_from_string(MAXGL_EMBED_VIDEO_CAPS);
    g_autoptr(GstCaps) any =
        gst_caps_from_string(MAXGL_EMBED_VIDEO_CAPS "; " MAXGL_EMBED_TENSOR_CAPS "; " MAXGL_EMBED_JSON_CAPS);
    gst_element_class_add_pad_template(element,
                                       gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, video));
    gst_element_class_add_pad_template(element,
                                       gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, any));
    gst_type_mark_as_plugin_api(GST_TYPE_MAXGL_PARTIAL, (GstPluginAPIFlags)0);
    gst_type_mark_as_plugin_api(GST_TYPE_MAXGL_PRECISION, (GstPluginAPIFlags)0);

    gst_maxgl_embed_install_stream(GST_BASE_TRANSFORM_CLASS(class));
}

static void gst_maxgl_embed_init(GstMaxglEmbed *self)
{
    self->post_messages = TRUE;
    self->covered = GST_CLOCK_TIME_NONE;
}
