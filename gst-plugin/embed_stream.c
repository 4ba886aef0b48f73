#include "gstmaxglembed_private.h"

#include "embedding.h"
#include <maxgl/error.h>

GST_DEBUG_CATEGORY_EXTERN(maxglembed_debug);
#define GST_CAT_DEFAULT maxglembed_debug

static GstBaseTransformClass *parent_class;

/* Which of GStreamer's errors a libmaxgl error is; @opening: while the model is opened. */
static void classify_error(const GError *error, gboolean opening, GQuark *domain, int *code)
{
    *domain = opening ? GST_RESOURCE_ERROR : GST_STREAM_ERROR;
    *code = opening ? (int)GST_RESOURCE_ERROR_FAILED : (int)GST_STREAM_ERROR_FAILED;
    if (error->domain != MAXGL_ERROR)
        return;
    switch (error->code) {
    case MAXGL_ERROR_NOT_FOUND:
        if (opening)
            *code = GST_RESOURCE_ERROR_NOT_FOUND;
        return;
    case MAXGL_ERROR_IO:
        if (opening)
            *code = GST_RESOURCE_ERROR_OPEN_READ;
        return;
    case MAXGL_ERROR_FORMAT:
        *code = opening ? (int)GST_RESOURCE_ERROR_OPEN_READ : (int)GST_STREAM_ERROR_FORMAT;
        return;
    case MAXGL_ERROR_USAGE:
    case MAXGL_ERROR_LIMIT:
        *code = opening ? (int)GST_RESOURCE_ERROR_SETTINGS : (int)GST_STREAM_ERROR_FORMAT;
        return;
    case MAXGL_ERROR_DEVICE:
        if (opening) {
            *domain = GST_LIBRARY_ERROR;
            *code = GST_LIBRARY_ERROR_INIT;
        }
        return;
    default:
        return;
    }
}

static void post_error(GstMaxglEmbed *self, const GError *error, gboolean opening)
{
    GQuark domain;
    int code;
    classify_error(error, opening, &domain, &code);
    gst_element_message_full(GST_ELEMENT(self), GST_MESSAGE_ERROR, domain, code, g_strdup(error->message),
                             NULL, __FILE__, GST_FUNCTION, __LINE__);
}

static void set_latency(GstMaxglEmbed *self, GstClockTime latency)
{
    GST_OBJECT_LOCK(self);
    const gboolean changed = self->latency != latency;
    self->latency = latency;
    GST_OBJECT_UNLOCK(self);
    if (!changed)
        return;
    GST_DEBUG_OBJECT(self, "latency is now %" GST_TIME_FORMAT, GST_TIME_ARGS(latency));
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

/* As libmaxgl calls it. */
static const char *precision_name(GstMaxglPrecision precision)
{
    g_autoptr(GEnumClass) all = g_type_class_ref(GST_TYPE_MAXGL_PRECISION);
    return g_enum_get_value(all, (int)precision)->value_nick;
}

/* Opens what the properties say, and tells the other threads what it is. */
static gboolean open_model(GstMaxglEmbed *self, GError **error)
{
    GST_OBJECT_LOCK(self);
    g_autofree char *model = g_strdup(self->model);
    g_autofree char *device = g_strdup(self->device);
    const guint stride = self->frame_stride, hop = self->hop;
    const char *precision = precision_name(self->precision);
    self->pad_last = self->partial == GST_MAXGL_PARTIAL_PAD_LAST;
    GST_OBJECT_UNLOCK(self);
    if (!model) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "no model: set the property model to a .safetensors file");
        return FALSE;
    }
    self->embedder = maxgl_clip_embedder_open(model, device, precision, stride, hop, error);
    if (!self->embedder)
        return FALSE;
    self->output = MAXGL_OUTPUT_VIDEO;
    self->covered = GST_CLOCK_TIME_NONE;
    const MaxglEmbedderInfo *info = maxgl_clip_embedder_info(self->embedder);
    const MaxglClipWindow *window = maxgl_clip_embedder_window(self->embedder);
    GstStructure *opened = gst_structure_new(
        "maxglembed-stats", "model", G_TYPE_STRING, info->model, "device", G_TYPE_STRING, info->device,
        "features", G_TYPE_INT, info->features, "clip-frames", G_TYPE_INT, info->frames, "frame-stride",
        G_TYPE_INT, maxgl_clip_embedder_stride(self->embedder), "span", G_TYPE_INT64,
        maxgl_clip_window_span(window), "hop", G_TYPE_INT64, maxgl_clip_window_hop(window), NULL);
    GST_INFO_OBJECT(self, "opened %s: %" GST_PTR_FORMAT, model, opened);
    GST_OBJECT_LOCK(self);
    self->features = info->features;
    self->window_hop = (int)maxgl_clip_window_hop(window);
    self->latency = 0;
    self->stats = (MaxglEmbedStats){0};
    g_clear_pointer(&self->opened, gst_structure_free);
    self->opened = opened;
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

static gboolean start(GstBaseTransform *trans)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    g_autoptr(GError) error = NULL;
    const gboolean opened = open_model(self, &error);
    if (!opened)
        post_error(self, error, TRUE);
    return opened;
}

/* GstBaseTransform calls start() when the pads are active already. In a pipeline that runs, frames then come
 * before the model is open: they wait here. */
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD(element);
    if (transition != GST_STATE_CHANGE_READY_TO_PAUSED)
        return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    GST_PAD_STREAM_LOCK(sink);
    const GstStateChangeReturn result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
    GST_PAD_STREAM_UNLOCK(sink);
    return result;
}

static gboolean stop(GstBaseTransform *trans)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    g_clear_pointer(&self->embedder, maxgl_clip_embedder_close);
    GST_OBJECT_LOCK(self);
    self->features = 0;
    self->latency = 0;
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

static GstCaps *transform_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
                               GstCaps *filter)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    GST_OBJECT_LOCK(self);
    const int features = self->features;
    GST_OBJECT_UNLOCK(self);
    GstCaps *result = maxgl_embed_caps_transform(direction, caps, filter, features);
    GST_LOG_OBJECT(self, "%" GST_PTR_FORMAT " to %" GST_PTR_FORMAT, caps, result);
    return result;
}

static GstCaps *fixate_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
                            GstCaps *othercaps)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    if (direction == GST_PAD_SRC)
        return gst_caps_fixate(othercaps);
    GST_OBJECT_LOCK(self);
    const int features = self->features, hop = self->window_hop;
    GST_OBJECT_UNLOCK(self);
    return maxgl_embed_caps_fixate(caps, othercaps, features, hop);
}

/* Frames pass with the buffers that downstream allocates, so what it can read is for it to say. Otherwise
 * nobody but us sees them, and strides are read from the video meta. */
static gboolean propose_allocation(GstBaseTransform *trans, GstQuery *decide, GstQuery *query)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    if (self->output == MAXGL_OUTPUT_VIDEO)
        return parent_class->propose_allocation(trans, decide, query);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return TRUE;
}

/* Tells downstream that no buffer will come for the time until @end, of which it has heard nothing yet. */
static void push_gap_until(GstMaxglEmbed *self, GstClockTime end)
{
    if (self->output == MAXGL_OUTPUT_VIDEO || !GST_CLOCK_TIME_IS_VALID(end) ||
        !GST_CLOCK_TIME_IS_VALID(self->covered) || end <= self->covered)
        return;
    GstEvent *gap = gst_event_new_gap(self->covered, end - self->covered);
    self->covered = end;
    gst_pad_push_event(GST_BASE_TRANSFORM_SRC_PAD(self), gap);
}

/* The stream does not go on where it was: open windows are given up. */
static void interrupt(GstMaxglEmbed *self, const char *reason)
{
    MaxglClipWindow *window = maxgl_clip_embedder_window(self->embedder);
    push_gap_until(self, maxgl_clip_window_end(window));
    self->covered = GST_CLOCK_TIME_NONE;
    if (!maxgl_clip_window_reset(window))
        return;
    GST_DEBUG_OBJECT(self, "%s: starting a new window", reason);
    GST_OBJECT_LOCK(self);
    self->stats.interruptions++;
    GST_OBJECT_UNLOCK(self);
}

static gboolean set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    g_autoptr(GError) error = NULL;
    GstVideoInfo info;
    if (!self->embedder || !gst_video_info_from_caps(&info, in)) {
        GST_ERROR_OBJECT(self, "cannot read %" GST_PTR_FORMAT, in);
        return FALSE;
    }
    if (!maxgl_clip_embedder_has_format(self->embedder, &info)) {
        interrupt(self, "new caps");
        if (!maxgl_clip_embedder_set_format(self->embedder, &info, &error)) {
            post_error(self, error, FALSE);
            return FALSE;
        }
    }
    self->output = maxgl_embed_caps_output(out);
    /* A buffer has its window's first time stamp and leaves with the window's last frame. */
    GstClockTime latency = 0;
    if (self->output != MAXGL_OUTPUT_VIDEO && GST_VIDEO_INFO_FPS_N(&info) > 0) {
        const gint64 wait = maxgl_clip_window_span(maxgl_clip_embedder_window(self->embedder)) - 1;
        latency = gst_util_uint64_scale((guint64)wait, GST_SECOND * (guint64)GST_VIDEO_INFO_FPS_D(&info),
                                        (guint64)GST_VIDEO_INFO_FPS_N(&info));
    }
    set_latency(self, latency);
    return TRUE;
}

/* Embeds @clip and says so on the bus. */
static MaxglEmbedding *embed(GstMaxglEmbed *self, const MaxglWindowClip *clip)
{
    g_autoptr(GError) error = NULL;
    GST_OBJECT_LOCK(self);
    const gboolean normalize = self->l2_normalize, post = self->post_messages, full = self->message_vector;
    GST_OBJECT_UNLOCK(self);

    const gint64 began = g_get_monotonic_time();
    float *vector = maxgl_clip_embedder_compute(self->embedder, clip, &error);
    if (!vector) {
        post_error(self, error, FALSE);
        return NULL;
    }
    const double ms = (double)(g_get_monotonic_time() - began) / 1000;
    GST_OBJECT_LOCK(self);
    self->stats.clips++;
    self->stats.last_ms = ms;
    self->stats.sum_ms += ms;
    self->stats.max_ms = MAX(self->stats.max_ms, ms);
    const GQuark name = g_quark_from_string(GST_OBJECT_NAME(self));
    GST_OBJECT_UNLOCK(self);

    const int length = maxgl_clip_embedder_info(self->embedder)->features;
    MaxglEmbedding *embedding =
        maxgl_embedding_new(name, vector, length, normalize, clip, &GST_BASE_TRANSFORM(self)->segment);
    GST_LOG_OBJECT(self,
                   "window %" G_GUINT64_FORMAT ", %" GST_TIME_FORMAT " to %" GST_TIME_FORMAT ": %.1f ms",
                   clip->index, GST_TIME_ARGS(clip->first_pts), GST_TIME_ARGS(clip->last_pts), ms);
    if (post)
        gst_element_post_message(
            GST_ELEMENT(self),
            gst_message_new_element(GST_OBJECT(self), maxgl_embedding_to_structure(embedding, full)));
    return embedding;
}

/* What leaves instead of frames. */
static GstBuffer *output_buffer(GstMaxglEmbed *self, const MaxglEmbedding *embedding)
{
    if (GST_CLOCK_TIME_IS_VALID(embedding->first_pts) && GST_CLOCK_TIME_IS_VALID(embedding->duration)) {
        const GstClockTime end = embedding->first_pts + embedding->duration;
        if (!GST_CLOCK_TIME_IS_VALID(self->covered) || self->covered < end)
            self->covered = end;
    }
    return self->output == MAXGL_OUTPUT_TENSOR ? maxgl_embedding_to_tensor(embedding)
                                               : maxgl_embedding_to_json(embedding);
}

static gboolean lies_in_segment(const GstSegment *segment, GstBuffer *buffer)
{
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(pts))
        return TRUE;
    const GstClockTime end = GST_BUFFER_DURATION_IS_VALID(buffer) ? pts + GST_BUFFER_DURATION(buffer) : pts;
    return gst_segment_clip(segment, GST_FORMAT_TIME, pts, end, NULL, NULL);
}

/* Counts @buffer; @embedding: that of the window it closes, or NULL. */
static GstFlowReturn take_frame(GstMaxglEmbed *self, GstBuffer *buffer, MaxglEmbedding **embedding)
{
    g_autoptr(GError) error = NULL;
    MaxglClipWindow *window = maxgl_clip_embedder_window(self->embedder);
    if (!lies_in_segment(&GST_BASE_TRANSFORM(self)->segment, buffer))
        return GST_FLOW_OK;
    if (GST_BUFFER_IS_DISCONT(buffer))
        interrupt(self, "discontinuity");
    else if (!maxgl_clip_window_follows(window, GST_BUFFER_PTS(buffer)))
        interrupt(self, "jump in time");
    GST_OBJECT_LOCK(self);
    self->stats.frames++;
    GST_OBJECT_UNLOCK(self);
    if (!GST_CLOCK_TIME_IS_VALID(self->covered))
        self->covered = GST_BUFFER_PTS(buffer);

    const gboolean outside = maxgl_clip_window_next_use(window) == MAXGL_FRAME_OUTSIDE;
    MaxglWindowClip clip;
    gboolean closed;
    if (!maxgl_clip_embedder_push(self->embedder, buffer, &closed, &clip, &error)) {
        post_error(self, error, FALSE);
        return GST_FLOW_ERROR;
    }
    if (outside)
        push_gap_until(self, maxgl_clip_window_end(window));
    if (!closed)
        return GST_FLOW_OK;
    *embedding = embed(self, &clip);
    return *embedding ? GST_FLOW_OK : GST_FLOW_ERROR;
}

static GstFlowReturn generate_output(GstBaseTransform *trans, GstBuffer **outbuf)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    g_autoptr(GstBuffer) buffer = g_steal_pointer(&trans->queued_buf);
    g_autoptr(MaxglEmbedding) embedding = NULL;
    *outbuf = NULL;
    if (!buffer)
        return GST_FLOW_OK;
    if (!self->embedder || !gst_pad_has_current_caps(GST_BASE_TRANSFORM_SINK_PAD(self)))
        return GST_FLOW_NOT_NEGOTIATED;
    const GstFlowReturn flow = take_frame(self, buffer, &embedding);
    if (flow != GST_FLOW_OK)
        return flow;
    if (self->output != MAXGL_OUTPUT_VIDEO) {
        if (embedding)
            *outbuf = output_buffer(self, embedding);
        return GST_FLOW_OK;
    }
    *outbuf = g_steal_pointer(&buffer);
    if (embedding) {
        *outbuf = gst_buffer_make_writable(*outbuf);
        maxgl_embedding_attach(embedding, *outbuf);
    }
    return GST_FLOW_OK;
}

/* The stream ends: what is left in the open windows goes out before the event that says so. */
static void drain(GstMaxglEmbed *self)
{
    MaxglClipWindow *window = maxgl_clip_embedder_window(self->embedder);
    MaxglWindowClip clip;
    if (self->pad_last && maxgl_clip_window_drain(window, &clip)) {
        g_autoptr(MaxglEmbedding) embedding = embed(self, &clip);
        if (embedding && self->output != MAXGL_OUTPUT_VIDEO)
            gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(self), output_buffer(self, embedding));
    }
    maxgl_clip_window_reset(window);
    self->covered = GST_CLOCK_TIME_NONE;
}

/* Upstream may repeat a segment to tell a new position or duration, which changes nothing for windows. */
static gboolean is_same_segment(const GstSegment *a, const GstSegment *b)
{
    return a->flags == b->flags && a->rate == b->rate && a->applied_rate == b->applied_rate &&
           a->format == b->format && a->base == b->base && a->offset == b->offset && a->start == b->start &&
           a->stop == b->stop && a->time == b->time;
}

static gboolean sink_event(GstBaseTransform *trans, GstEvent *event)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    const GstSegment *segment;
    /* Not open: start() has failed. */
    switch (self->embedder ? GST_EVENT_TYPE(event) : GST_EVENT_UNKNOWN) {
    case GST_EVENT_FLUSH_STOP:
        maxgl_clip_window_reset(maxgl_clip_embedder_window(self->embedder));
        self->covered = GST_CLOCK_TIME_NONE;
        break;
    case GST_EVENT_SEGMENT:
        gst_event_parse_segment(event, &segment);
        if (!is_same_segment(segment, &trans->segment))
            interrupt(self, "new segment");
        break;
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_EOS:
        drain(self);
        break;
    default:
        break;
    }
    return parent_class->sink_event(trans, event);
}

static gboolean query(GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
    GstMaxglEmbed *self = GST_MAXGL_EMBED(trans);
    if (!parent_class->query(trans, direction, query))
        return FALSE;
    if (direction == GST_PAD_SRC && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
        gboolean live;
        GstClockTime min, max;
        gst_query_parse_latency(query, &live, &min, &max);
        GST_OBJECT_LOCK(self);
        min += self->latency;
        if (GST_CLOCK_TIME_IS_VALID(max))
            max += self->latency;
        GST_OBJECT_UNLOCK(self);
        gst_query_set_latency(query, live, min, max);
    }
    return TRUE;
}

void gst_maxgl_embed_install_stream(GstBaseTransformClass *class)
{
    parent_class = GST_BASE_TRANSFORM_CLASS(g_type_class_peek_parent(class));
    GST_ELEMENT_CLASS(class)->change_state = change_state;
    class->passthrough_on_same_caps = TRUE;
    class->start = start;
    class->stop = stop;
    class->transform_caps = transform_caps;
    class->fixate_caps = fixate_caps;
    class->set_caps = set_caps;
    class->propose_allocation = propose_allocation;
    class->generate_output = generate_output;
    class->sink_event = sink_event;
    class->query = query;
}
