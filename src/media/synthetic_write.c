/* Procedural videos as files: maxgl_synthetic_write(). */
#define _GNU_SOURCE /* syncfs */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <maxgl/error.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "media/csv.h"
#include "media/decoder.h"
#include "media/synthetic.h"

/* An encoder that takes longer than this for one video hangs. */
#define TIMEOUT (60 * GST_SECOND)

/* All threads' work. */
typedef struct {
    const MaxglSyntheticOptions *options;
    const char *folder;
    MaxglProgress *progress;
    GMutex mutex; /* for what follows */
    gsize next, written;
    GError *error; /* the first one */
} Writing;

static GstCaps *frame_caps(const MaxglSyntheticOptions *options)
{
    int fps_n, fps_d;
    gst_util_double_to_fraction(options->fps, &fps_n, &fps_d);
    return gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "I420", "width", G_TYPE_INT,
                               options->width, "height", G_TYPE_INT, options->height, "framerate",
                               GST_TYPE_FRACTION, fps_n, fps_d, "colorimetry", G_TYPE_STRING, "bt601",
                               "interlace-mode", G_TYPE_STRING, "progressive", "pixel-aspect-ratio",
                               GST_TYPE_FRACTION, 1, 1, NULL);
}

/* One frame as GStreamer wants it: with the rows padded to its own strides. */
static GstBuffer *frame_buffer(const GstVideoInfo *info, const MaxglFrameLayout *layout, const guint8 *frame)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    memset(map.data, 0, map.size);
    for (int plane = 0; plane < 3; plane++) {
        int rows = plane == 0 ? layout->height : (layout->height + 1) / 2;
        gsize stride = (gsize)layout->stride[plane];
        for (int row = 0; row < rows; row++)
            memcpy(map.data + GST_VIDEO_INFO_PLANE_OFFSET(info, plane) +
                       (gsize)row * (gsize)GST_VIDEO_INFO_PLANE_STRIDE(info, plane),
                   frame + layout->offset[plane] + (gsize)row * stride, stride);
    }
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

static void push_frames(const MaxglSyntheticOptions *options, gsize index, GstAppSrc *source,
                        const GstVideoInfo *info)
{
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(options, &layout);
    g_autofree guint8 *frames = g_malloc_n((gsize)options->frames, layout.frame_bytes);
    maxgl_synthetic_render(options, index, 0, options->frames, frames);
    for (int i = 0; i < options->frames; i++) {
        GstBuffer *buffer = frame_buffer(info, &layout, frames + (gsize)i * layout.frame_bytes);
        GST_BUFFER_PTS(buffer) =
            gst_util_uint64_scale((guint64)i, GST_SECOND * (guint64)info->fps_d, (guint64)info->fps_n);
        GST_BUFFER_DURATION(buffer) =
            gst_util_uint64_scale(GST_SECOND, (guint64)info->fps_d, (guint64)info->fps_n);
        gst_app_src_push_buffer(source, buffer);
    }
    gst_app_src_end_of_stream(source);
}

/* appsrc ! avenc_ffv1 ! matroskamux ! filesink */
static GstElement *make_pipeline(const char *path, GstElement **source, GError **error)
{
    static const char *const factories[] = {"appsrc", "avenc_ffv1", "matroskamux", "filesink"};
    static const char *const packages[] = {"gstreamer1.0-plugins-base", "gstreamer1.0-libav",
                                           "gstreamer1.0-plugins-good", "libgstreamer1.0-0"};
    GstElement *elements[G_N_ELEMENTS(factories)];
    GstElement *pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(factories); i++) {
        elements[i] = gst_element_factory_make(factories[i], NULL);
        if (elements[i] == NULL) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "GStreamer has no element %s: install %s",
                        factories[i], packages[i]);
            gst_object_unref(pipeline);
            return NULL;
        }
        gst_bin_add(GST_BIN(pipeline), elements[i]);
    }
    *source = elements[0];
    g_object_set(elements[0], "format", GST_FORMAT_TIME, "max-bytes", (guint64)0, NULL);
    /* Key frames only, so that any frame is reached at once. */
    g_object_set(elements[1], "gop-size", 1, NULL);
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(elements[1]), "max-threads") != NULL)
        g_object_set(elements[1], "max-threads", 1, NULL);
    g_object_set(elements[3], "location", path, NULL);
    gst_element_link_many(elements[0], elements[1], elements[2], elements[3], NULL);
    return pipeline;
}

static gboolean wait_for_end(GstElement *pipeline, const char *path, GError **error)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, TIMEOUT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    gboolean good = message != NULL && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message != NULL && !good) {
        g_autoptr(GError) reason = NULL;
        gst_message_parse_error(message, &reason, NULL);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be written (%s)", path, reason->message);
    } else if (!good) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be written (the encoder hangs)", path);
    }
    gst_clear_message(&message);
    gst_object_unref(bus);
    return good;
}

static gboolean write_video(const Writing *writing, gsize index, GError **error)
{
    MaxglSyntheticVideo video;
    maxgl_synthetic_video(writing->options, index, &video);
    g_autofree char *name = maxgl_synthetic_name(writing->options, &video);
    g_autofree char *path = g_strdup_printf("%s/%s.mkv", writing->folder, name);
    GstElement *source;
    GstElement *pipeline = make_pipeline(path, &source, error);
    if (pipeline == NULL)
        return FALSE;
    GstCaps *caps = frame_caps(writing->options);
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps);
    gst_app_src_set_caps(GST_APP_SRC(source), caps);
    gst_caps_unref(caps);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    push_frames(writing->options, index, GST_APP_SRC(source), &info);
    gboolean good = wait_for_end(pipeline, path, error);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return good;
}

static gpointer write_videos(gpointer user_data)
{
    Writing *writing = user_data;
    gsize total = maxgl_synthetic_count(writing->options);
    g_mutex_lock(&writing->mutex);
    while (writing->error == NULL && writing->next < total) {
        gsize index = writing->next++;
        g_mutex_unlock(&writing->mutex);
        GError *error = NULL;
        if (maxgl_interrupt_check(&error))
            write_video(writing, index, &error);
        g_mutex_lock(&writing->mutex);
        if (error != NULL && writing->error == NULL)
            writing->error = error;
        else
            g_clear_error(&error);
        writing->written++;
        maxgl_progress_set(writing->progress, (gint64)writing->written, "%s", "");
    }
    g_mutex_unlock(&writing->mutex);
    return NULL;
}

static gboolean write_all(const MaxglSyntheticOptions *options, const char *folder, int threads,
                          GError **error)
{
    Writing writing = {.options = options, .folder = folder};
    g_mutex_init(&writing.mutex);
    writing.progress = maxgl_progress_new("videos", (gint64)maxgl_synthetic_count(options));
    if (threads <= 0)
        threads = (int)g_get_num_processors();
    g_autofree GThread **workers = g_new(GThread *, threads);
    for (int i = 0; i < threads; i++)
        workers[i] = g_thread_new("maxgl-synth", write_videos, &writing);
    for (int i = 0; i < threads; i++)
        g_thread_join(workers[i]);
    g_mutex_clear(&writing.mutex);
    if (writing.error == NULL) {
        maxgl_progress_finish(writing.progress);
        return TRUE;
    }
    maxgl_progress_free(writing.progress);
    g_propagate_error(error, writing.error);
    return FALSE;
}

static gboolean write_list(const MaxglSyntheticOptions *options, const char *folder, GError **error)
{
    const char *const *columns = maxgl_synthetic_columns(options);
    g_autofree char *header = g_strjoinv(",", (char **)columns);
    g_autofree char *path = g_build_filename(folder, "list.csv", NULL);
    g_autoptr(MaxglFile) file = maxgl_file_create(path, error);
    if (file == NULL)
        return FALSE;
    maxgl_file_printf(file, NULL, "path,%s\n", header);
    for (gsize i = 0; i < maxgl_synthetic_count(options); i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(options, i, &video);
        g_autofree char *name = maxgl_synthetic_name(options, &video);
        maxgl_file_printf(file, NULL, "%s.mkv", name);
        for (int c = 0; columns[c] != NULL; c++) {
            g_autofree char *value = maxgl_synthetic_value(options, &video, columns[c]);
            g_autofree char *field = maxgl_csv_quote(value);
            maxgl_file_printf(file, NULL, ",%s", field);
        }
        maxgl_file_printf(file, NULL, "\n");
    }
    return maxgl_file_commit(g_steal_pointer(&file), error);
}

/* Deletes a folder of folders of files. */
static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name = dir != NULL ? g_dir_read_name(dir) : NULL; name != NULL;
         name = g_dir_read_name(dir)) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (g_file_test(below, G_FILE_TEST_IS_DIR) && !g_file_test(below, G_FILE_TEST_IS_SYMLINK))
            remove_tree(below);
        else
            g_unlink(below);
    }
    g_rmdir(path);
}

static gboolean make_folders(const MaxglSyntheticOptions *options, const char *folder, GError **error)
{
    for (int split = 0; split < MAXGL_SPLITS; split++) {
        if (maxgl_synthetic_split_count(options, split) == 0)
            continue;
        g_autofree char *path = g_build_filename(folder, maxgl_synthetic_split_name(split), NULL);
        if (!maxgl_dir_ensure(path, error))
            return FALSE;
    }
    /* Lossless is never larger than the frames, and containers add little. */
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(options, &layout);
    guint64 frames = (guint64)maxgl_synthetic_count(options) * (guint64)options->frames;
    return maxgl_dir_require_space(folder, frames * (layout.frame_bytes + 64), error);
}

/* Syncs everything below @folder and gives it its name. */
static gboolean publish(const char *folder, const char *dir, GError **error)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean good = descriptor >= 0 && syncfs(descriptor) == 0 && g_rename(folder, dir) == 0;
    int code = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (!good)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be written (%s)", dir, g_strerror(code));
    return good;
}

static gboolean is_empty(const char *dir)
{
    g_autoptr(GDir) open_dir = g_dir_open(dir, 0, NULL);
    return open_dir != NULL && g_dir_read_name(open_dir) == NULL;
}

gboolean maxgl_synthetic_write(const char *dir, const MaxglSyntheticOptions *options, int threads,
                               GError **error)
{
    if (g_file_test(dir, G_FILE_TEST_EXISTS) && !is_empty(dir)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: exists and is not an empty folder: give another name, or delete it", dir);
        return FALSE;
    }
    if (!maxgl_gstreamer_init(error))
        return FALSE;
    g_autofree char *absolute = g_canonicalize_filename(dir, NULL);
    g_autofree char *parent = g_path_get_dirname(absolute);
    g_autofree char *name = g_path_get_basename(absolute);
    g_autofree char *folder = g_strdup_printf("%s/.%s.%d.partial", parent, name, (int)getpid());
    gboolean good = make_folders(options, folder, error) && write_all(options, folder, threads, error) &&
                    write_list(options, folder, error) && publish(folder, absolute, error);
    if (!good)
        remove_tree(folder);
    return good;
}
