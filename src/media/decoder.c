#include "media/decoder.h"

#include <gst/video/video.h>
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#include "media/container.h"
#include "media/pipeline.h"

/* A frame at most this many seconds ahead is reached by decoding on, not by a seek (which decodes from a key
 * frame). */
#define NEAR_SECONDS 2.0

/* The part of the announced duration that pictures must cover, or else the file is truncated. */
#define MIN_COVERED 0.8

/* AVI files up to this many seconds are always decoded from their start. */
#define AVI_SECONDS 120.0

/* Seconds to wait for a first picture before starting a second time. */
#define FIRST_TIMEOUT 3.0

/* Rates above this one are time bases, not frame rates (ASF says 1000/1). */
#define MAX_FPS 480.0

/* Pictures looked at to find the rate of a stream that does not tell. */
#define RATE_PICTURES 17

/* One decoded picture; time in nanoseconds since the first one of the video. */
typedef struct {
    GstSample *sample;
    gint64 time;
} Picture;

struct MaxglDecoder {
    char *path;
    MaxglDecoderOptions options;
    MaxglContainerKind kind;
    gboolean plain; /* the pool's chain is not for this file */
    MaxglPipeline *pipeline;
    MaxglVideoInfo info;
    gint64 origin;   /* stream time of the first picture */
    gint64 duration; /* as announced; −1: unknown */
    gboolean seekable;
    Picture current; /* the last picture at or before the time asked for; empty right after a seek */
    Picture next;    /* the one after it; empty at the end */
};

void maxgl_decoder_options_init(MaxglDecoderOptions *options)
{
    *options = (MaxglDecoderOptions){.timeout = 20.0};
}

static void picture_clear(Picture *picture)
{
    g_clear_pointer(&picture->sample, gst_sample_unref);
}

void maxgl_decoder_free(MaxglDecoder *decoder)
{
    if (decoder == NULL)
        return;
    picture_clear(&decoder->current);
    picture_clear(&decoder->next);
    maxgl_pipeline_close(decoder->pipeline);
    g_free(decoder->path);
    g_free(decoder);
}

const MaxglVideoInfo *maxgl_decoder_info(const MaxglDecoder *decoder)
{
    return &decoder->info;
}

static gboolean pixel_format(GstVideoFormat format, MaxglPixelFormat *pixel)
{
    static const struct {
        GstVideoFormat theirs;
        MaxglPixelFormat ours;
    } formats[] = {{GST_VIDEO_FORMAT_RGB, MAXGL_PIXEL_RGB},    {GST_VIDEO_FORMAT_BGR, MAXGL_PIXEL_BGR},
                   {GST_VIDEO_FORMAT_RGBx, MAXGL_PIXEL_RGBX},  {GST_VIDEO_FORMAT_BGRx, MAXGL_PIXEL_BGRX},
                   {GST_VIDEO_FORMAT_I420, MAXGL_PIXEL_I420},  {GST_VIDEO_FORMAT_NV12, MAXGL_PIXEL_NV12},
                   {GST_VIDEO_FORMAT_GRAY8, MAXGL_PIXEL_GRAY8}};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (formats[i].theirs == format) {
            *pixel = formats[i].ours;
            return TRUE;
        }
    }
    return FALSE;
}

/* Layout and announced rate from the first picture. */
static gboolean read_caps(MaxglDecoder *decoder, GstSample *sample, GError **error)
{
    GstVideoInfo video;
    MaxglPixelFormat format;
    if (!gst_video_info_from_caps(&video, gst_sample_get_caps(sample)) ||
        !pixel_format(GST_VIDEO_INFO_FORMAT(&video), &format)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: cannot decode (no known pixel format)",
                    decoder->path);
        return FALSE;
    }
    MaxglFrameLayout *layout = &decoder->info.layout;
    maxgl_frame_layout_init(layout, format, GST_VIDEO_INFO_WIDTH(&video), GST_VIDEO_INFO_HEIGHT(&video));
    GstVideoColorMatrix matrix = video.colorimetry.matrix;
    gboolean hd = matrix == GST_VIDEO_COLOR_MATRIX_BT709 || matrix == GST_VIDEO_COLOR_MATRIX_BT2020;
    layout->matrix = hd ? MAXGL_MATRIX_BT709 : MAXGL_MATRIX_BT601;
    layout->full_range = video.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
    decoder->info.fps = video.fps_n > 0 && video.fps_d > 0 ? (double)video.fps_n / video.fps_d : 0.0;
    if (decoder->info.fps > MAX_FPS)
        decoder->info.fps = 0.0;
    return TRUE;
}

/* Takes the next picture into @picture, empty at the end. */
static gboolean pull(MaxglDecoder *decoder, Picture *picture, GError **error)
{
    gint64 time;
    picture_clear(picture);
    if (!maxgl_pipeline_pull(decoder->pipeline, &picture->sample, &time, error))
        return FALSE;
    picture->time = time - decoder->origin;
    return TRUE;
}

/* One try to get the first picture of a new pipeline as the next one. FALSE in @waiting: it is no use to try
 * again. */
static gboolean try_start(MaxglDecoder *decoder, double timeout, gboolean *waiting, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_clear_pointer(&decoder->pipeline, maxgl_pipeline_close);
    decoder->pipeline =
        maxgl_pipeline_open(decoder->path, decoder->kind, !decoder->plain, &decoder->options, error);
    *waiting = FALSE;
    if (decoder->pipeline == NULL)
        return FALSE;
    maxgl_pipeline_set_patience(decoder->pipeline, timeout);
    gboolean good = pull(decoder, &decoder->next, &reason);
    maxgl_pipeline_set_patience(decoder->pipeline, decoder->options.timeout);
    *waiting = g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_IO);
    if (reason != NULL)
        g_propagate_error(error, g_steal_pointer(&reason));
    return good;
}

/* (Re)starts the pipeline: the first picture becomes the next one. Twice if need be: decodebin overlooks
 * errors that a demuxer has while it starts, and then waits for ever; the second time it hardly will. */
static gboolean start(MaxglDecoder *decoder, GError **error)
{
    gboolean waiting;
    picture_clear(&decoder->current);
    picture_clear(&decoder->next);
    decoder->plain = decoder->plain || !maxgl_pipeline_can_chain(decoder->kind, &decoder->options);
    double first = MIN(FIRST_TIMEOUT, decoder->options.timeout / 2.0);
    g_autoptr(GError) reason = NULL;
    if (try_start(decoder, first, &waiting, &reason))
        return TRUE;
    if (waiting && decoder->plain)
        return try_start(decoder, decoder->options.timeout - first, &waiting, error);
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

typedef gboolean (*Attempt)(MaxglDecoder *decoder, gpointer data, GError **error);

/* Does with the file what @function does. What fails with the pool's chain is done once more without, so that
 * the chain decides neither what can be decoded nor what is said of it. */
static gboolean attempt(MaxglDecoder *decoder, Attempt function, gpointer data, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (function(decoder, data, &reason))
        return TRUE;
    if (decoder->plain || g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_CANCELLED) ||
        g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_LIMIT)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    decoder->plain = TRUE;
    g_clear_pointer(&decoder->pipeline, maxgl_pipeline_close);
    return function(decoder, data, error);
}

static int compare_times(gconstpointer a, gconstpointer b)
{
    gint64 difference = *(const gint64 *)a - *(const gint64 *)b;
    return difference < 0 ? -1 : difference > 0;
}

/* The rate of a stream that does not tell: one by the median distance of its first pictures. */
static gboolean measure_rate(MaxglDecoder *decoder, GError **error)
{
    gint64 distances[RATE_PICTURES];
    gsize n = 0;
    gint64 last = decoder->next.time;
    while (n < RATE_PICTURES - 1) {
        if (!pull(decoder, &decoder->next, error))
            return FALSE;
        if (decoder->next.sample == NULL)
            break;
        distances[n++] = MAX(decoder->next.time - last, 1);
        last = decoder->next.time;
    }
    qsort(distances, n, sizeof *distances, compare_times);
    gsize middle = n / 2;
    double rate = n > 0 ? 1e9 / (double)distances[middle] : 25.0;
    decoder->info.fps = CLAMP(rate, 0.01, MAX_FPS);
    return start(decoder, error);
}

/* Looks at the file without decoding it. FALSE if it is bad. */
static gboolean inspect(const char *path, MaxglContainer *container, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such file", path);
        return FALSE;
    }
    maxgl_container_inspect(path, container);
    if (!container->headed)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: truncated (the movie header at its end is missing)", path);
    else if (container->present < MIN_COVERED)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: truncated (it has %.0f %% of the bytes that it announces)", path,
                    100.0 * container->present);
    else
        return TRUE;
    return FALSE;
}

/* Finds out how long the video claims to be, and whether seeks can be trusted. */
static void read_timing(MaxglDecoder *decoder, const MaxglContainer *container)
{
    decoder->duration = maxgl_pipeline_duration(decoder->pipeline);
    double seconds = (double)decoder->duration * 1e-9;
    decoder->seekable = container->indexed &&
                        seconds > (container->kind == MAXGL_CONTAINER_AVI ? AVI_SECONDS : 0.0) &&
                        maxgl_pipeline_seekable(decoder->pipeline);
    decoder->info.vague_times = container->kind == MAXGL_CONTAINER_AVI && decoder->seekable;
}

static MaxglDecoder *decoder_new(const char *path, const MaxglDecoderOptions *options)
{
    MaxglDecoder *decoder = g_new0(MaxglDecoder, 1);
    decoder->path = g_strdup(path);
    if (options != NULL)
        decoder->options = *options;
    else
        maxgl_decoder_options_init(&decoder->options);
    return decoder;
}

/* Opens the file and reads what its first picture tells. */
static gboolean open_first(MaxglDecoder *decoder, GError **error)
{
    MaxglContainer container;
    decoder->origin = 0;
    if (!inspect(decoder->path, &container, error))
        return FALSE;
    decoder->kind = container.kind;
    if (!start(decoder, error))
        return FALSE;
    if (decoder->next.sample == NULL) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: cannot decode (it has no pictures)",
                    decoder->path);
        return FALSE;
    }
    if (!read_caps(decoder, decoder->next.sample, error))
        return FALSE;
    decoder->origin = decoder->next.time;
    decoder->next.time = 0;
    read_timing(decoder, &container);
    return decoder->info.fps != 0.0 || measure_rate(decoder, error);
}

/* The video ends with the picture at @last: counts the frames, unless too much is missing. */
static gboolean set_end(MaxglDecoder *decoder, gint64 last, GError **error)
{
    MaxglVideoInfo *info = &decoder->info;
    info->frames = (gint64)floor((double)last * 1e-9 * info->fps + 0.5) + 1;
    info->seconds = (double)info->frames / info->fps;
    double announced = (double)decoder->duration * 1e-9;
    if (decoder->duration <= 0 || info->seconds >= MIN_COVERED * announced)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: truncated: its pictures end at %.2f s of %.2f s",
                decoder->path, info->seconds, announced);
    return FALSE;
}

/* Whether a picture comes no earlier than the announced end (one of a variable rate can). After a seek
 * GStreamer leaves such pictures out, so they never count. */
static gboolean beyond_end(const MaxglDecoder *decoder, gint64 time)
{
    return time > 0 && decoder->origin < decoder->duration && decoder->origin + time >= decoder->duration;
}

/* Decodes from where the pipeline is to the end; @last: time of the last picture, −1 if there was none. */
static gboolean run_to_end(MaxglDecoder *decoder, gint64 *last, GError **error)
{
    *last = decoder->next.sample != NULL ? decoder->next.time : -1;
    do {
        if (!pull(decoder, &decoder->next, error))
            return FALSE;
        if (decoder->next.sample != NULL && !beyond_end(decoder, decoder->next.time))
            *last = MAX(*last, decoder->next.time);
    } while (decoder->next.sample != NULL);
    return TRUE;
}

/* Jumps so that the next picture is one near @time; FALSE in @jumped if the stream cannot. */
static gboolean jump(MaxglDecoder *decoder, gint64 time, gboolean *jumped, GError **error)
{
    g_autoptr(GError) reason = NULL;
    picture_clear(&decoder->current);
    picture_clear(&decoder->next);
    *jumped =
        decoder->seekable && maxgl_pipeline_seek(decoder->pipeline, decoder->origin + MAX(time, 0), &reason);
    if (reason == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

/* Finds the last picture: in the last half second as announced, else further and further before it. */
static gboolean find_end(MaxglDecoder *decoder, GError **error)
{
    gint64 last = -1;
    gint64 shortest = (gint64)(3.0 / decoder->info.fps * 1e9);
    double tail = 0.5;
    while (decoder->seekable && decoder->duration > 0 && last < 0) {
        gint64 from = decoder->duration - decoder->origin - MAX((gint64)(tail * 1e9), shortest);
        gboolean jumped;
        if (from <= (gint64)(NEAR_SECONDS * 1e9))
            break; /* as quick from the start */
        if (!jump(decoder, from, &jumped, error))
            return FALSE;
        if (!jumped || (double)from < MIN_COVERED / 2 * (double)decoder->duration)
            break;
        if (!run_to_end(decoder, &last, error))
            return FALSE;
        tail *= 4.0;
    }
    if (last < 0 &&
        ((decoder->next.sample == NULL && !start(decoder, error)) || !run_to_end(decoder, &last, error)))
        return FALSE;
    return set_end(decoder, last, error);
}

/* Opens the file; @data: what is known of it, or NULL. */
static gboolean open_video(MaxglDecoder *decoder, gpointer data, GError **error)
{
    const MaxglVideoInfo *known = data;
    if (!open_first(decoder, error))
        return FALSE;
    if (known != NULL)
        decoder->info = *known;
    return known != NULL || find_end(decoder, error);
}

MaxglDecoder *maxgl_decoder_open(const char *path, const MaxglVideoInfo *known,
                                 const MaxglDecoderOptions *options, GError **error)
{
    g_autoptr(MaxglDecoder) decoder = decoder_new(path, options);
    return attempt(decoder, open_video, (gpointer)known, error) ? g_steal_pointer(&decoder) : NULL;
}

/* Copies a picture without the padding of its rows. */
static gboolean copy_picture(MaxglDecoder *decoder, GstSample *sample, guint8 *frame, GError **error)
{
    const MaxglFrameLayout *layout = &decoder->info.layout;
    GstVideoInfo video;
    GstVideoFrame mapped;
    MaxglPixelFormat format;
    if (!gst_video_info_from_caps(&video, gst_sample_get_caps(sample)) ||
        !pixel_format(GST_VIDEO_INFO_FORMAT(&video), &format) || format != layout->format ||
        GST_VIDEO_INFO_WIDTH(&video) != layout->width || GST_VIDEO_INFO_HEIGHT(&video) != layout->height ||
        !gst_video_frame_map(&mapped, &video, gst_sample_get_buffer(sample), GST_MAP_READ)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: cannot decode (its pixel format or size changes, or the file has changed)",
                    decoder->path);
        return FALSE;
    }
    for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&mapped); plane++) {
        const guint8 *from = GST_VIDEO_FRAME_PLANE_DATA(&mapped, plane);
        guint8 *to = frame + layout->offset[plane];
        gsize stride = (gsize)layout->stride[plane];
        int rows = plane == 0 ? layout->height : (layout->height + 1) / 2;
        for (int row = 0; row < rows; row++)
            memcpy(to + (gsize)row * stride,
                   from + (gsize)row * (gsize)GST_VIDEO_FRAME_PLANE_STRIDE(&mapped, plane), stride);
    }
    gst_video_frame_unmap(&mapped);
    return TRUE;
}

/* Middle of frame @number's time on screen. */
static gint64 frame_middle(const MaxglVideoInfo *info, gint64 number)
{
    return (gint64)(((double)number + 0.5) / info->fps * 1e9);
}

/* Makes the next picture one at or before @target: by a seek to shortly before it, then to ever earlier
 * places (a picture can be on screen for long, and not every container finds its way), at last from the
 * start. */
static gboolean approach(MaxglDecoder *decoder, gint64 target, GError **error)
{
    gint64 before = (gint64)(1e9 / decoder->info.fps);
    gint64 from;
    do {
        gboolean jumped;
        from = MAX(target - before, 0);
        if (!jump(decoder, from, &jumped, error))
            return FALSE;
        if (!jumped)
            break;
        if (!pull(decoder, &decoder->next, error))
            return FALSE;
        if (decoder->next.sample != NULL && decoder->next.time <= target)
            return TRUE;
        before = MAX(before * 4, GST_SECOND);
    } while (from > 0);
    return start(decoder, error);
}

/* Makes the current picture the one on screen at @target. */
static gboolean go_to(MaxglDecoder *decoder, gint64 target, GError **error)
{
    Picture *current = &decoder->current, *next = &decoder->next;
    gint64 here = current->sample != NULL ? current->time : next->sample != NULL ? next->time : G_MAXINT64;
    gboolean ended = next->sample == NULL;
    gboolean far = !ended && (double)(target - next->time) > NEAR_SECONDS * 1e9 && decoder->seekable;
    if ((target < here || far) && !approach(decoder, target, error))
        return FALSE;
    while (next->sample != NULL && (next->time <= target || current->sample == NULL)) {
        picture_clear(current);
        *current = *next;
        next->sample = NULL;
        if (!pull(decoder, next, error))
            return FALSE;
    }
    return TRUE;
}

typedef struct {
    gint64 number;
    gsize place;
} Wanted;

static int compare_wanted(gconstpointer a, gconstpointer b)
{
    return compare_times(&((const Wanted *)a)->number, &((const Wanted *)b)->number);
}

/* Frames in rising order of their numbers, and where they go. */
typedef struct {
    Wanted *wanted; /* [n] */
    gsize n;
    guint8 *frames;
} Reading;

static gboolean read_frames(MaxglDecoder *decoder, gpointer data, GError **error)
{
    const Reading *reading = data;
    const MaxglVideoInfo *info = &decoder->info;
    if (decoder->pipeline == NULL && !start(decoder, error))
        return FALSE;
    for (gsize i = 0; i < reading->n; i++) {
        gint64 number = reading->wanted[i].number;
        gint64 target = frame_middle(info, number);
        if (!go_to(decoder, target, error))
            return FALSE;
        gboolean missing = decoder->current.sample == NULL || number < 0 || number >= info->frames;
        /* The last frame's middle is at most a frame behind the last picture. */
        if (!missing && decoder->next.sample == NULL)
            missing = (double)(target - decoder->current.time) * 1e-9 > 1.01 / info->fps;
        if (missing) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "%s: cannot decode (frame %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " is not there)",
                        decoder->path, number, info->frames);
            return FALSE;
        }
        guint8 *frame = reading->frames + reading->wanted[i].place * info->layout.frame_bytes;
        if (!copy_picture(decoder, decoder->current.sample, frame, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_decoder_read(MaxglDecoder *decoder, const gint64 *numbers, gsize n, guint8 *frames,
                            GError **error)
{
    g_autofree Wanted *wanted = g_new(Wanted, MAX(n, 1));
    for (gsize i = 0; i < n; i++)
        wanted[i] = (Wanted){numbers[i], i};
    qsort(wanted, n, sizeof *wanted, compare_wanted);
    return attempt(decoder, read_frames, &(Reading){wanted, n, frames}, error);
}

static gboolean too_large(const MaxglDecoder *decoder, gsize max_bytes, GError **error)
{
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "%s: its pictures need more than %" G_GSIZE_FORMAT " bytes", decoder->path, max_bytes);
    return FALSE;
}

/* Room for one picture more; FALSE beyond @max_bytes. */
static gboolean video_grow(MaxglVideo *video, gsize *room, gsize max_bytes)
{
    gsize frame_bytes = video->info.layout.frame_bytes;
    if (((gsize)video->pictures + 1) * frame_bytes > max_bytes)
        return FALSE;
    if ((gsize)video->pictures < *room)
        return TRUE;
    *room = MIN(*room + *room / 2 + 16, max_bytes / frame_bytes);
    video->data = g_realloc_n(video->data, *room, frame_bytes);
    video->times = g_renew(gint64, video->times, *room);
    return TRUE;
}

/* A video on its way into memory. */
typedef struct {
    gsize max_bytes;
    MaxglVideo *video;
} Filling;

/* All pictures of a file that was opened just now. */
static gboolean fill_video(MaxglDecoder *decoder, const Filling *filling, GError **error)
{
    MaxglVideo *video = filling->video;
    gsize frame_bytes = video->info.layout.frame_bytes, room = 0;
    while (decoder->next.sample != NULL && !beyond_end(decoder, decoder->next.time)) {
        if (!video_grow(video, &room, filling->max_bytes))
            return too_large(decoder, filling->max_bytes, error);
        gint64 last = video->pictures > 0 ? video->times[video->pictures - 1] : 0;
        video->times[video->pictures] = MAX(decoder->next.time, last);
        if (!copy_picture(decoder, decoder->next.sample, video->data + (gsize)video->pictures * frame_bytes,
                          error))
            return FALSE;
        video->pictures++;
        if (!pull(decoder, &decoder->next, error))
            return FALSE;
    }
    if (!set_end(decoder, video->times[video->pictures - 1], error))
        return FALSE;
    video->info = decoder->info;
    video->data = g_realloc_n(video->data, (gsize)video->pictures, frame_bytes);
    return TRUE;
}

static gboolean read_video(MaxglDecoder *decoder, gpointer data, GError **error)
{
    Filling *filling = data;
    if (!open_first(decoder, error))
        return FALSE;
    g_clear_pointer(&filling->video, maxgl_video_free);
    filling->video = g_new0(MaxglVideo, 1);
    filling->video->info = decoder->info;
    double announced = (double)MAX(decoder->duration, 0) * 1e-9 * decoder->info.fps;
    if (announced * MIN_COVERED * (double)decoder->info.layout.frame_bytes > (double)filling->max_bytes)
        return too_large(decoder, filling->max_bytes, error);
    return fill_video(decoder, filling, error);
}

MaxglVideo *maxgl_video_read(const char *path, gsize max_bytes, const MaxglDecoderOptions *options,
                             GError **error)
{
    g_autoptr(MaxglDecoder) decoder = decoder_new(path, options);
    Filling filling = {.max_bytes = max_bytes};
    if (!attempt(decoder, read_video, &filling, error))
        g_clear_pointer(&filling.video, maxgl_video_free);
    return filling.video;
}

void maxgl_video_free(MaxglVideo *video)
{
    if (video == NULL)
        return;
    g_free(video->times);
    g_free(video->data);
    g_free(video);
}

const guint8 *maxgl_video_frame(const MaxglVideo *video, gint64 number)
{
    gint64 target = frame_middle(&video->info, number);
    gint64 low = 0, high = video->pictures - 1; /* the wanted one is in low … high */
    while (low < high) {
        gint64 middle = (low + high + 1) / 2;
        if (video->times[middle] <= target)
            low = middle;
        else
            high = middle - 1;
    }
    return video->data + (gsize)low * video->info.layout.frame_bytes;
}
