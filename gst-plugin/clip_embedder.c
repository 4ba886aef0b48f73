#include "clip_embedder.h"

#include "frame_store.h"
#include <maxgl/error.h>

struct MaxglClipEmbedder {
    MaxglEmbedder *embedder;
    int stride;
    MaxglClipWindow *window;
    MaxglFrameStore *store; /* NULL before the format is known */
    GstMapInfo *maps;       /* [frames of a clip] */
    const guint8 **pixels;  /* likewise */
};

static void release_frame(gpointer frame)
{
    gst_buffer_unref(frame);
}

MaxglClipEmbedder *maxgl_clip_embedder_open(const char *model, const char *device, const char *precision,
                                            guint stride, guint hop, GError **error)
{
    const MaxglEmbedderOptions options = {.device = device, .batch = 1, .precision = precision};
    g_autoptr(MaxglClipEmbedder) e = g_new0(MaxglClipEmbedder, 1);
    e->embedder = maxgl_embedder_open_with(model, &options, error);
    if (!e->embedder)
        return NULL;
    const MaxglEmbedderInfo *info = maxgl_embedder_info(e->embedder);
    e->stride = stride > 0 ? (int)stride : info->frame_stride;
    e->window = maxgl_clip_window_new(info->frames, e->stride, (int)hop, release_frame);
    e->maps = g_new(GstMapInfo, info->frames);
    e->pixels = g_new(const guint8 *, info->frames);
    return g_steal_pointer(&e);
}

void maxgl_clip_embedder_close(MaxglClipEmbedder *e)
{
    if (!e)
        return;
    maxgl_clip_window_free(e->window);
    maxgl_frame_store_free(e->store);
    maxgl_embedder_close(e->embedder);
    g_free(e->maps);
    g_free(e->pixels);
    g_free(e);
}

const MaxglEmbedderInfo *maxgl_clip_embedder_info(const MaxglClipEmbedder *e)
{
    return maxgl_embedder_info(e->embedder);
}

int maxgl_clip_embedder_stride(const MaxglClipEmbedder *e)
{
    return e->stride;
}

MaxglClipWindow *maxgl_clip_embedder_window(MaxglClipEmbedder *e)
{
    return e->window;
}

gboolean maxgl_clip_embedder_has_format(const MaxglClipEmbedder *e, const GstVideoInfo *info)
{
    return e->store && gst_video_info_is_equal(maxgl_frame_store_info(e->store), info);
}

gboolean maxgl_clip_embedder_set_format(MaxglClipEmbedder *e, const GstVideoInfo *info, GError **error)
{
    maxgl_clip_window_reset(e->window);
    g_clear_pointer(&e->store, maxgl_frame_store_free);
    e->store = maxgl_frame_store_new(info);
    if (!e->store)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "no buffer pool for frames of %d×%d pixels",
                    GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info));
    return e->store != NULL;
}

static GstClockTime frame_duration(const MaxglClipEmbedder *e, GstBuffer *buffer)
{
    const GstVideoInfo *info = maxgl_frame_store_info(e->store);
    if (GST_BUFFER_DURATION_IS_VALID(buffer))
        return GST_BUFFER_DURATION(buffer);
    if (GST_VIDEO_INFO_FPS_N(info) <= 0)
        return GST_CLOCK_TIME_NONE;
    return gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(info), GST_VIDEO_INFO_FPS_N(info));
}

gboolean maxgl_clip_embedder_push(MaxglClipEmbedder *e, GstBuffer *buffer, gboolean *closed,
                                  MaxglWindowClip *clip, GError **error)
{
    GstBuffer *copy = NULL;
    if (maxgl_clip_window_next_use(e->window) == MAXGL_FRAME_WANTED) {
        copy = maxgl_frame_store_copy(e->store, buffer);
        if (!copy) {
            const GstVideoInfo *info = maxgl_frame_store_info(e->store);
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "a buffer of %" G_GSIZE_FORMAT " bytes is no %s frame of %d×%d pixels",
                        gst_buffer_get_size(buffer), GST_VIDEO_INFO_NAME(info), GST_VIDEO_INFO_WIDTH(info),
                        GST_VIDEO_INFO_HEIGHT(info));
            return FALSE;
        }
    }
    *closed =
        maxgl_clip_window_push(e->window, copy, GST_BUFFER_PTS(buffer), frame_duration(e, buffer), clip);
    return TRUE;
}

float *maxgl_clip_embedder_compute(MaxglClipEmbedder *e, const MaxglWindowClip *clip, GError **error)
{
    const MaxglEmbedderInfo *info = maxgl_embedder_info(e->embedder);
    int mapped = 0;
    while (mapped < clip->real && gst_buffer_map(clip->frames[mapped], &e->maps[mapped], GST_MAP_READ))
        mapped++;
    g_autofree float *features = g_new(float, info->features);
    gboolean done = mapped == clip->real;
    if (done) {
        for (int i = 0; i < info->frames; i++)
            e->pixels[i] = e->maps[MIN(i, clip->real - 1)].data;
        const MaxglEmbedderClip frames = {
            .frames = e->pixels,
            .layout = *maxgl_frame_store_layout(e->store),
        };
        done = maxgl_embedder_run_frames(e->embedder, &frames, 1, features, error);
    } else {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "cannot read a frame kept for its window");
    }
    for (int i = 0; i < mapped; i++)
        gst_buffer_unmap(clip->frames[i], &e->maps[i]);
    return done ? g_steal_pointer(&features) : NULL;
}
