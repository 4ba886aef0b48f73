#include "media/pipeline.h"

#include <gst/app/gstappsink.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>
#include <maxgl/error.h>
#include <string.h>
#include <sys/resource.h>

#include "media/decoder_pool.h"

/* How often a waiting thread looks whether it should give up. Waiting is counted in such slices, not by the
 * clock: it must not run out while the machine sleeps or is busy with other things. */
#define SLICE (20 * G_TIME_SPAN_MILLISECOND)

struct MaxglPipeline {
    char *path;
    MaxglDecoderOptions options;
    double patience; /* seconds to wait for a picture */
    MaxglContainerKind kind;
    MaxglDecoderChain *chain; /* what was built in; NULL: uridecodebin and videoconvertscale */
    GstElement *bin, *source, *convert, *sink;
    GstBus *bus;
    char *missing;    /* what GStreamer has no element for, and where it is to be had */
    gint64 last_time; /* of the picture before; −1 before the first one */
    gboolean stuck;   /* something did not return in time */
    gboolean failed;  /* there was an error */
};

static gpointer init_gstreamer(gpointer unused)
{
    GError *error = NULL;
    if (!gst_init_check(NULL, NULL, &error) && error == NULL)
        error = g_error_new(MAXGL_ERROR, MAXGL_ERROR_FAILED, "unknown reason");
    if (error == NULL)
        gst_pb_utils_init();
    return error;
}

gboolean maxgl_gstreamer_init(GError **error)
{
    static GOnce once = G_ONCE_INIT;
    const GError *failure = g_once(&once, init_gstreamer, NULL);
    if (failure == NULL)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "GStreamer does not start (%s)", failure->message);
    return FALSE;
}

/* Debian's package for what decodes streams whose caps begin with @caps; names as of Debian 12. */
static const char *package_for(const char *caps)
{
    static const struct {
        const char *caps, *package;
    } packages[] = {
        {"video/x-vp8", "gstreamer1.0-plugins-good"},
        {"video/x-vp9", "gstreamer1.0-plugins-good"},
        {"video/x-matroska", "gstreamer1.0-plugins-good"},
        {"video/webm", "gstreamer1.0-plugins-good"},
        {"video/quicktime", "gstreamer1.0-plugins-good"},
        {"video/x-msvideo", "gstreamer1.0-plugins-good"},
        {"video/x-flv", "gstreamer1.0-plugins-good"},
        {"video/x-dv", "gstreamer1.0-plugins-good"},
        {"image/jpeg", "gstreamer1.0-plugins-good"},
        {"image/png", "gstreamer1.0-plugins-good"},
        {"video/x-theora", "gstreamer1.0-plugins-base"},
        {"application/ogg", "gstreamer1.0-plugins-base"},
        {"video/x-av1", "gstreamer1.0-plugins-bad"},
        {"video/mpegts", "gstreamer1.0-plugins-bad"},
        {"video/mpeg, systemstream", "gstreamer1.0-plugins-bad"},
        {"video/x-ms-asf", "gstreamer1.0-plugins-ugly"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(packages); i++)
        if (g_str_has_prefix(caps, packages[i].caps))
            return packages[i].package;
    return "gstreamer1.0-libav";
}

/* Remembers which decoder or demuxer there is none of, unless it is one for sound. */
static void note_missing(MaxglPipeline *pipeline, GstMessage *message)
{
    if (!gst_is_missing_plugin_message(message) || pipeline->missing != NULL)
        return;
    g_autofree char *detail = gst_missing_plugin_message_get_installer_detail(message);
    const char *caps = detail != NULL ? strstr(detail, "|decoder-") : NULL;
    if (caps == NULL || g_str_has_prefix(caps, "|decoder-audio/"))
        return;
    g_autofree char *description = gst_missing_plugin_message_get_description(message);
    pipeline->missing =
        g_strdup_printf("no %s: install %s", description, package_for(caps + strlen("|decoder-")));
}

static void set_failure(MaxglPipeline *pipeline, const char *text, int code, GError **error)
{
    pipeline->failed = TRUE;
    g_set_error(error, MAXGL_ERROR, code, "%s: cannot decode (%s)", pipeline->path,
                pipeline->missing != NULL ? pipeline->missing : text);
}

/* Takes what the bus has. FALSE if there was an error message. */
static gboolean check_bus(MaxglPipeline *pipeline, GError **error)
{
    for (;;) {
        GstMessage *message = gst_bus_pop(pipeline->bus);
        if (message == NULL)
            return TRUE;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT)
            note_missing(pipeline, message);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            g_autoptr(GError) reason = NULL;
            gst_message_parse_error(message, &reason, NULL);
            g_autofree char *text = g_strdelimit(g_strdup(reason->message), "\n\r", ' ');
            g_strchomp(text);
            gsize length = strlen(text);
            if (length > 0 && text[length - 1] == '.')
                text[length - 1] = '\0';
            gboolean io = reason->domain == GST_RESOURCE_ERROR;
            set_failure(pipeline, text, io ? MAXGL_ERROR_IO : MAXGL_ERROR_FORMAT, error);
            gst_message_unref(message);
            return FALSE;
        }
        gst_message_unref(message);
    }
}

static gboolean check_cancelled(MaxglPipeline *pipeline, GError **error)
{
    if (pipeline->options.cancellable == NULL || !g_cancellable_is_cancelled(pipeline->options.cancellable))
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED, "interrupted");
    return FALSE;
}

static void set_timeout(MaxglPipeline *pipeline, GError **error)
{
    pipeline->stuck = TRUE;
    g_autofree char *text = g_strdup_printf("nothing came for %g s", pipeline->options.timeout);
    set_failure(pipeline, text, MAXGL_ERROR_IO, error);
}

/* Calls into the pipeline can hang with it, so they run in another thread, which alone is lost in that case.
 */
typedef enum { JOB_PLAY, JOB_SEEK, JOB_CLOSE } JobKind;
typedef struct {
    gatomicrefcount references;
    JobKind kind;
    gint64 time;
    GMutex mutex;
    GCond cond;
    gboolean done, result;
} Job;

static void job_unref(gpointer pointer)
{
    Job *job = pointer;
    if (!g_atomic_ref_count_dec(&job->references))
        return;
    g_mutex_clear(&job->mutex);
    g_cond_clear(&job->cond);
    g_free(job);
}

static void job_run(GstElement *bin, gpointer pointer)
{
    Job *job = pointer;
    gboolean result = TRUE;
    if (job->kind == JOB_PLAY)
        result = gst_element_set_state(bin, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
    else if (job->kind == JOB_SEEK)
        result = gst_element_seek_simple(bin, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                         job->time);
    else
        gst_element_set_state(bin, GST_STATE_NULL);
    g_mutex_lock(&job->mutex);
    job->done = TRUE;
    job->result = result;
    g_cond_signal(&job->cond);
    g_mutex_unlock(&job->mutex);
}

static gint64 slices(double seconds)
{
    return (gint64)(seconds * G_TIME_SPAN_SECOND / SLICE) + 1;
}

/* Pictures that the sink keeps before the decoder has to wait. */
#define MAX_PICTURES 4U

/* FALSE if the job has not returned within the timeout; its result otherwise in @result.
 *
 * A sink that is full, and that nobody takes pictures from while the job runs, holds a lock that the
 * pipeline's own change of state may be waiting for, and the job for that one. So it is never full then, and
 * does not wait at the end; a seek throws away what it took in meanwhile. */
static gboolean guarded(MaxglPipeline *pipeline, JobKind kind, gint64 time, gboolean *result)
{
    Job *job = g_new0(Job, 1);
    g_atomic_ref_count_init(&job->references);
    g_atomic_ref_count_inc(&job->references);
    g_mutex_init(&job->mutex);
    g_cond_init(&job->cond);
    job->kind = kind;
    job->time = time;
    g_object_set(pipeline->sink, "max-buffers", 0U, NULL);
    gst_element_call_async(pipeline->bin, job_run, job, job_unref);
    gint64 left = slices(pipeline->options.timeout);
    g_mutex_lock(&job->mutex);
    while (!job->done && left > 0)
        if (!g_cond_wait_until(&job->cond, &job->mutex, g_get_monotonic_time() + SLICE))
            left--;
    gboolean done = job->done;
    *result = job->result;
    g_mutex_unlock(&job->mutex);
    job_unref(job);
    if (kind != JOB_CLOSE)
        g_object_set(pipeline->sink, "max-buffers", MAX_PICTURES, NULL);
    return done;
}

/* The format to deliver pictures of @info in. */
static GstVideoFormat delivered_format(const GstVideoInfo *info, gboolean rgb)
{
    if (rgb)
        return GST_VIDEO_FORMAT_RGB;
    switch (GST_VIDEO_INFO_FORMAT(info)) {
    case GST_VIDEO_FORMAT_RGB:
    case GST_VIDEO_FORMAT_BGR:
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_I420:
    case GST_VIDEO_FORMAT_NV12:
    case GST_VIDEO_FORMAT_GRAY8:
        return GST_VIDEO_INFO_FORMAT(info);
    default:
        if (GST_VIDEO_INFO_IS_GRAY(info))
            return GST_VIDEO_FORMAT_GRAY8;
        return GST_VIDEO_INFO_IS_YUV(info) ? GST_VIDEO_FORMAT_I420 : GST_VIDEO_FORMAT_RGB;
    }
}

/* Links the first video stream, fixing format and size to those of its first picture. Streams after it are
 * left alone. */
static void on_pad_added(GstElement *source, GstPad *pad, gpointer user_data)
{
    GstElement *convert = user_data;
    GstElement *sink = g_object_get_data(G_OBJECT(convert), "maxgl-sink");
    gboolean rgb = g_object_get_data(G_OBJECT(convert), "maxgl-rgb") != NULL;
    GstPad *target = gst_element_get_static_pad(convert, "sink");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;
    if (!gst_pad_is_linked(target) && caps != NULL && gst_video_info_from_caps(&info, caps)) {
        GstVideoFormat format = delivered_format(&info, rgb);
        GstCaps *wanted = gst_caps_new_simple(
            "video/x-raw", "format", G_TYPE_STRING, gst_video_format_to_string(format), "width", G_TYPE_INT,
            GST_VIDEO_INFO_WIDTH(&info), "height", G_TYPE_INT, GST_VIDEO_INFO_HEIGHT(&info), NULL);
        gst_app_sink_set_caps(GST_APP_SINK(sink), wanted);
        gst_caps_unref(wanted);
        gst_pad_link(pad, target);
    }
    gst_clear_caps(&caps);
    gst_object_unref(target);
}

/* Only pictures are decoded: other streams come out as they are, and are not linked. */
static gboolean on_autoplug_continue(GstElement *source, GstPad *pad, GstCaps *caps, gpointer user_data)
{
    static const char *const others[] = {"audio/", "text/", "subpicture/", "subtitle/",
                                         "application/x-subtitle"};
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        if (g_str_has_prefix(name, others[i]))
            return FALSE;
    return TRUE;
}

static void on_no_more_pads(GstElement *source, gpointer user_data)
{
    GstPad *target = gst_element_get_static_pad(user_data, "sink");
    if (!gst_pad_is_linked(target))
        GST_ELEMENT_ERROR(source, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
    gst_object_unref(target);
}

/* One thread a decoder (the loader's workers are what runs side by side), and no half-decoded pictures. */
static void on_element_added(GstBin *bin, GstBin *parent, GstElement *element, gpointer user_data)
{
    static const char *const thread_properties[] = {"max-threads", "threads", "n-threads"};
    GObjectClass *class = G_OBJECT_GET_CLASS(element);
    GstElementFactory *factory = gst_element_get_factory(element);
    if (factory == NULL || !gst_element_factory_list_is_type(factory, GST_ELEMENT_FACTORY_TYPE_DECODER))
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(thread_properties); i++)
        if (g_object_class_find_property(class, thread_properties[i]) != NULL)
            gst_util_set_object_arg(G_OBJECT(element), thread_properties[i], "1");
    if (g_object_class_find_property(class, "output-corrupt") != NULL)
        g_object_set(element, "output-corrupt", FALSE, NULL);
}

/* Streaming threads announce themselves from within, which is where their niceness can be set. Messages that
 * nobody here reads are dropped. */
static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer user_data)
{
    int niceness = GPOINTER_TO_INT(user_data);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_STREAM_STATUS && niceness > 0) {
        GstStreamStatusType type;
        gst_message_parse_stream_status(message, &type, NULL);
        if (type == GST_STREAM_STATUS_TYPE_ENTER && getpriority(PRIO_PROCESS, 0) < niceness)
            setpriority(PRIO_PROCESS, 0, niceness);
    }
    if (GST_MESSAGE_TYPE(message) & (GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT))
        return GST_BUS_PASS;
    gst_message_unref(message);
    return GST_BUS_DROP;
}

/* Adds one of the elements that every pipeline has. */
static GstElement *add_element(MaxglPipeline *pipeline, const char *factory, GError **error)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    if (element != NULL)
        gst_bin_add(GST_BIN(pipeline->bin), element);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "GStreamer has no element %s: install gstreamer1.0-plugins-base", factory);
    return element;
}

static gboolean make_sink(MaxglPipeline *pipeline, GError **error)
{
    pipeline->bin = gst_object_ref_sink(gst_pipeline_new(NULL));
    pipeline->bus = gst_element_get_bus(pipeline->bin);
    g_signal_connect(pipeline->bin, "deep-element-added", G_CALLBACK(on_element_added), NULL);
    pipeline->sink = add_element(pipeline, "appsink", error);
    if (pipeline->sink != NULL)
        g_object_set(pipeline->sink, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, "qos", FALSE,
                     "wait-on-eos", FALSE, NULL);
    return pipeline->sink != NULL;
}

static gboolean make_decodebin(MaxglPipeline *pipeline, GError **error)
{
    if (!make_sink(pipeline, error) || !(pipeline->source = add_element(pipeline, "uridecodebin", error)) ||
        !(pipeline->convert = add_element(pipeline, "videoconvertscale", error)))
        return FALSE;
    g_autofree char *absolute = g_canonicalize_filename(pipeline->path, NULL);
    g_autoptr(GError) reason = NULL;
    g_autofree char *uri = gst_filename_to_uri(absolute, &reason);
    if (uri == NULL) {
        set_failure(pipeline, reason->message, MAXGL_ERROR_IO, error);
        return FALSE;
    }
    g_object_set(pipeline->source, "uri", uri, "force-sw-decoders", TRUE, NULL);
    g_object_set_data(G_OBJECT(pipeline->convert), "maxgl-sink", pipeline->sink);
    g_object_set_data(G_OBJECT(pipeline->convert), "maxgl-rgb", GINT_TO_POINTER(pipeline->options.rgb));
    g_signal_connect(pipeline->source, "pad-added", G_CALLBACK(on_pad_added), pipeline->convert);
    g_signal_connect(pipeline->source, "no-more-pads", G_CALLBACK(on_no_more_pads), pipeline->convert);
    g_signal_connect(pipeline->source, "autoplug-continue", G_CALLBACK(on_autoplug_continue), NULL);
    return gst_element_link(pipeline->convert, pipeline->sink);
}

/* Pictures go from the decoder to the sink as they are; nothing converts them, so it is for formats that are
 * delivered unchanged. */
static gboolean make_chain(MaxglPipeline *pipeline)
{
    if (!make_sink(pipeline, NULL))
        return FALSE;
    GstCaps *caps = gst_caps_from_string("video/x-raw, format = { RGB, BGR, RGBx, BGRx, I420, NV12, GRAY8 }");
    gst_app_sink_set_caps(GST_APP_SINK(pipeline->sink), caps);
    gst_caps_unref(caps);
    pipeline->source = maxgl_decoder_chain_build(pipeline->chain, GST_BIN(pipeline->bin), pipeline->sink);
    return pipeline->source != NULL;
}

/* A pipeline with the pool's chain, one that waits or a new one; NULL if there is none. */
static MaxglPipeline *get_chained(MaxglDecoderPool *pool, MaxglContainerKind kind)
{
    MaxglPipeline *waiting = maxgl_decoder_pool_take(pool, kind);
    if (waiting != NULL)
        return waiting;
    g_autoptr(MaxglDecoderChain) chain = maxgl_decoder_pool_chain(pool, kind);
    if (chain == NULL)
        return NULL;
    MaxglPipeline *pipeline = g_new0(MaxglPipeline, 1);
    pipeline->chain = g_steal_pointer(&chain);
    if (!make_chain(pipeline))
        g_clear_pointer(&pipeline, maxgl_pipeline_free);
    return pipeline;
}

static gboolean play(MaxglPipeline *pipeline, GError **error)
{
    gboolean started;
    gst_bus_set_sync_handler(pipeline->bus, on_message, GINT_TO_POINTER(pipeline->options.niceness), NULL);
    if (!guarded(pipeline, JOB_PLAY, 0, &started)) {
        set_timeout(pipeline, error);
        return FALSE;
    }
    if (!started && check_bus(pipeline, error))
        set_failure(pipeline, "GStreamer does not start", MAXGL_ERROR_FORMAT, error);
    return started;
}

gboolean maxgl_pipeline_can_chain(MaxglContainerKind kind, const MaxglDecoderOptions *options)
{
    g_autoptr(MaxglDecoderChain) chain =
        options->pool != NULL && !options->rgb ? maxgl_decoder_pool_chain(options->pool, kind) : NULL;
    return chain != NULL;
}

MaxglPipeline *maxgl_pipeline_open(const char *path, MaxglContainerKind kind, gboolean chained,
                                   const MaxglDecoderOptions *options, GError **error)
{
    if (!maxgl_gstreamer_init(error))
        return NULL;
    g_autoptr(MaxglPipeline) pipeline = NULL;
    if (chained && maxgl_pipeline_can_chain(kind, options))
        pipeline = get_chained(options->pool, kind);
    if (pipeline == NULL)
        pipeline = g_new0(MaxglPipeline, 1);
    pipeline->path = g_strdup(path);
    pipeline->options = *options;
    pipeline->kind = kind;
    pipeline->patience = options->timeout;
    pipeline->last_time = -1;
    pipeline->failed = FALSE;
    if (!check_cancelled(pipeline, error))
        return NULL;
    if (pipeline->chain != NULL)
        g_object_set(pipeline->source, "location", path, NULL);
    else if (!make_decodebin(pipeline, error))
        return NULL;
    return play(pipeline, error) ? g_steal_pointer(&pipeline) : NULL;
}

void maxgl_pipeline_free(MaxglPipeline *pipeline)
{
    g_clear_pointer(&pipeline->bus, gst_object_unref);
    g_clear_pointer(&pipeline->bin, gst_object_unref);
    maxgl_decoder_chain_unref(pipeline->chain);
    g_free(pipeline->path);
    g_free(pipeline->missing);
    g_free(pipeline);
}

void maxgl_pipeline_close(MaxglPipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    gboolean result, stopped = TRUE;
    GCancellable *cancellable = pipeline->options.cancellable;
    if (pipeline->stuck || (cancellable != NULL && g_cancellable_is_cancelled(cancellable)))
        pipeline->options.timeout = MIN(pipeline->options.timeout, 0.5);
    if (pipeline->sink != NULL)
        stopped = guarded(pipeline, JOB_CLOSE, 0, &result);
    if (pipeline->chain == NULL || pipeline->failed || !stopped) {
        maxgl_pipeline_free(pipeline);
        return;
    }
    g_clear_pointer(&pipeline->path, g_free);
    g_clear_pointer(&pipeline->missing, g_free);
    maxgl_decoder_pool_give(pipeline->options.pool, pipeline->kind, pipeline->chain, pipeline);
}

/* Tells the pool, once the first picture is there, what elements made it. */
static void tell_pool(MaxglPipeline *pipeline)
{
    GstPad *into = gst_element_get_static_pad(pipeline->convert, "sink");
    GstPad *pad = gst_pad_get_peer(into);
    GstCaps *caps = pad != NULL ? gst_pad_get_current_caps(pad) : NULL;
    GstVideoInfo info;
    if (caps != NULL && gst_video_info_from_caps(&info, caps) &&
        delivered_format(&info, FALSE) == GST_VIDEO_INFO_FORMAT(&info)) {
        g_autoptr(MaxglDecoderChain) chain = maxgl_decoder_chain_find(pad);
        if (chain != NULL)
            maxgl_decoder_pool_set_chain(pipeline->options.pool, pipeline->kind, chain);
    }
    gst_clear_caps(&caps);
    gst_clear_object(&pad);
    gst_object_unref(into);
}

void maxgl_pipeline_set_patience(MaxglPipeline *pipeline, double seconds)
{
    pipeline->patience = seconds;
}

/* Stream time of a picture. */
static gint64 picture_time(MaxglPipeline *pipeline, GstSample *sample)
{
    GstClockTime stamp = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    guint64 time = GST_CLOCK_TIME_NONE;
    if (GST_CLOCK_TIME_IS_VALID(stamp))
        time = gst_segment_to_stream_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, stamp);
    if (time != GST_CLOCK_TIME_NONE)
        return (gint64)time;
    GstVideoInfo info;
    gint64 distance = GST_SECOND / 25;
    if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) && info.fps_n > 0)
        distance = (gint64)gst_util_uint64_scale(GST_SECOND, (guint64)info.fps_d, (guint64)info.fps_n);
    return pipeline->last_time < 0 ? 0 : pipeline->last_time + distance;
}

gboolean maxgl_pipeline_pull(MaxglPipeline *pipeline, GstSample **sample, gint64 *time, GError **error)
{
    GstAppSink *sink = GST_APP_SINK(pipeline->sink);
    for (gint64 left = slices(pipeline->patience);; left--) {
        *sample = gst_app_sink_try_pull_sample(sink, SLICE * 1000);
        if (*sample != NULL) {
            if (pipeline->last_time < 0 && pipeline->chain == NULL && pipeline->options.pool != NULL &&
                pipeline->kind != MAXGL_CONTAINER_OTHER)
                tell_pool(pipeline);
            *time = pipeline->last_time = picture_time(pipeline, *sample);
            return TRUE;
        }
        gboolean end = gst_app_sink_is_eos(sink);
        if (!check_bus(pipeline, error) || !check_cancelled(pipeline, error))
            return FALSE;
        if (end)
            return TRUE;
        if (left == 0) {
            set_timeout(pipeline, error);
            return FALSE;
        }
    }
}

gboolean maxgl_pipeline_seek(MaxglPipeline *pipeline, gint64 time, GError **error)
{
    gboolean result;
    if (!guarded(pipeline, JOB_SEEK, time, &result)) {
        set_timeout(pipeline, error);
        return FALSE;
    }
    pipeline->last_time = time;
    return result;
}

gint64 maxgl_pipeline_duration(MaxglPipeline *pipeline)
{
    gint64 duration;
    return gst_element_query_duration(pipeline->sink, GST_FORMAT_TIME, &duration) ? duration : -1;
}

gboolean maxgl_pipeline_seekable(MaxglPipeline *pipeline)
{
    GstQuery *query = gst_query_new_seeking(GST_FORMAT_TIME);
    gboolean seekable = FALSE;
    if (gst_element_query(pipeline->sink, query))
        gst_query_parse_seeking(query, NULL, &seekable, NULL, NULL);
    gst_query_unref(query);
    return seekable;
}
