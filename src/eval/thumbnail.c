#include "eval/thumbnail.h"

#include "media/decoder.h"

#include <cairo.h>
#include <math.h>

static guint8 *read_picture(const char *path, double seconds, MaxglFrameLayout *layout, GError **error)
{
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.rgb = TRUE;
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, &options, error);
    if (!decoder)
        return NULL;
    const MaxglVideoInfo *info = maxgl_decoder_info(decoder);
    const gint64 number = CLAMP(llround(seconds * info->fps), 0, info->frames - 1);
    g_autofree guint8 *picture = g_malloc(info->layout.frame_bytes);
    *layout = info->layout;
    return maxgl_decoder_read(decoder, &number, 1, picture, error) ? g_steal_pointer(&picture) : NULL;
}

/* The mean of the source pixels that end up in one of ours: box filtering, sharp enough and without
 * aliasing. */
static guint32 mean_pixel(const MaxglFrameLayout *layout, const guint8 *picture, const int *x, const int *y)
{
    guint64 sum[3] = {0};
    const guint64 n = (guint64)(x[1] - x[0]) * (guint64)(y[1] - y[0]);
    for (int row = y[0]; row < y[1]; row++) {
        const guint8 *from =
            picture + layout->offset[0] + (gsize)row * (gsize)layout->stride[0] + (gsize)x[0] * 3;
        for (int i = 0; i < 3 * (x[1] - x[0]); i++)
            sum[i % 3] += from[i];
    }
    return (guint32)((sum[0] + n / 2) / n) << 16 | (guint32)((sum[1] + n / 2) / n) << 8 |
           (guint32)((sum[2] + n / 2) / n);
}

static cairo_surface_t *reduce(const MaxglFrameLayout *layout, const guint8 *picture, int width, int height)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_surface_flush(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    const gsize stride = (gsize)cairo_image_surface_get_stride(surface);
    for (int i = 0; i < height; i++) {
        guint32 *row = (guint32 *)(void *)(data + (gsize)i * stride);
        const int y[] = {(int)((gint64)i * layout->height / height),
                         (int)((gint64)(i + 1) * layout->height / height)};
        for (int j = 0; j < width; j++) {
            const int x[] = {(int)((gint64)j * layout->width / width),
                             (int)((gint64)(j + 1) * layout->width / width)};
            row[j] = mean_pixel(layout, picture, x, y);
        }
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

static cairo_status_t append_bytes(void *closure, const unsigned char *data, unsigned int length)
{
    g_byte_array_append(closure, data, length);
    return CAIRO_STATUS_SUCCESS;
}

MaxglThumbnail *maxgl_thumbnail_of_video(const char *path, double seconds, int width, GError **error)
{
    MaxglFrameLayout layout;
    g_autofree guint8 *picture = read_picture(path, seconds, &layout, error);
    if (!picture)
        return NULL;
    width = MIN(width, layout.width);
    const int height = (int)CLAMP(((gint64)layout.height * width + layout.width / 2) / layout.width, 1,
                                  (gint64)layout.height);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cairo_surface_t *surface = reduce(&layout, picture, width, height);
    cairo_surface_write_to_png_stream(surface, append_bytes, bytes);
    cairo_surface_destroy(surface);
    MaxglThumbnail *thumbnail = g_new(MaxglThumbnail, 1);
    *thumbnail = (MaxglThumbnail){g_base64_encode(bytes->data, bytes->len), width, height};
    return thumbnail;
}

void maxgl_thumbnail_free(MaxglThumbnail *thumbnail)
{
    if (!thumbnail)
        return;
    g_free(thumbnail->png);
    g_free(thumbnail);
}
