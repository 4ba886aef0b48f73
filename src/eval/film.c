#include "eval/film.h"

#include "media/decoder.h"

#include "ops/clip_prepare.h"

#include <cairo.h>
#include <maxgl/error.h>

#define MOST_PIXELS 72 /* of a film's side */
#define MOST_FRAMES 8  /* of a film; of longer clips some are left out */

struct MaxglFilmMaker {
    MaxglFilmOptions options;
    int frames, size;
    MaxglContext *context;
    MaxglClipPreparer *preparer;
    MaxglTensor tensor;
    float *planes; /* 3 × frames × size × size, 0 … 1 */
};

static gboolean open_preparer(MaxglFilmMaker *maker, const char *device, GError **error)
{
    const MaxglClipPreparerOptions options = {.frames = maker->frames,
                                              .height = maker->size,
                                              .width = maker->size,
                                              .block = 1,
                                              .std = {1, 1, 1},
                                              .antialias = maker->options.antialias ||
                                                           maker->size < maker->options.size};
    const MaxglShape shape = maxgl_shape(1, 3, maker->frames, maker->size, maker->size, 1);
    maker->context = maxgl_context_open(device, error);
    if (!maker->context || !maxgl_tensor_new(maker->context, shape, "a film", &maker->tensor, error))
        return FALSE;
    maker->preparer = maxgl_clip_preparer_new(maker->context, &options, error);
    maker->planes = g_new(float, maxgl_shape_elements(&shape));
    return maker->preparer != NULL;
}

MaxglFilmMaker *maxgl_film_maker_new(const char *device, const MaxglFilmOptions *options, GError **error)
{
    g_autoptr(MaxglFilmMaker) maker = g_new0(MaxglFilmMaker, 1);
    maker->options = *options;
    maker->frames = MIN(options->clip.frames, MOST_FRAMES);
    maker->size = MIN(options->size, MOST_PIXELS);
    return open_preparer(maker, device, error) ? g_steal_pointer(&maker) : NULL;
}

void maxgl_film_maker_free(MaxglFilmMaker *maker)
{
    if (!maker)
        return;
    maxgl_clip_preparer_free(maker->preparer);
    if (maker->tensor.buffer)
        maxgl_tensor_release(maker->context, &maker->tensor);
    maxgl_context_close(maker->context);
    g_free(maker->planes);
    g_free(maker);
}

/* ---------------- pictures ---------------- */

static cairo_status_t append_bytes(void *closure, const unsigned char *data, unsigned int length)
{
    g_byte_array_append(closure, data, length);
    return CAIRO_STATUS_SUCCESS;
}

static guint32 to_byte(float value)
{
    return (guint32)(CLAMP(value, 0, 1) * 255 + 0.5F);
}

/* The frames side by side. */
static cairo_surface_t *draw_strip(const MaxglFilmMaker *maker)
{
    const int size = maker->size, frames = maker->frames;
    const gsize pixels = (gsize)size * (gsize)size, plane = pixels * (gsize)frames;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, size * frames, size);
    cairo_surface_flush(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    const int stride = cairo_image_surface_get_stride(surface);
    for (int t = 0; t < frames; t++)
        for (int y = 0; y < size; y++) {
            guint32 *row = (guint32 *)(void *)(data + (gsize)y * (gsize)stride) + (gsize)t * (gsize)size;
            const float *from = maker->planes + (gsize)t * pixels + (gsize)y * (gsize)size;
            for (int x = 0; x < size; x++, from++)
                row[x] = to_byte(from[0]) << 16 | to_byte(from[plane]) << 8 | to_byte(from[2 * plane]);
        }
    cairo_surface_mark_dirty(surface);
    return surface;
}

static char *encode_strip(const MaxglFilmMaker *maker)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cairo_surface_t *surface = draw_strip(maker);
    cairo_surface_write_to_png_stream(surface, append_bytes, bytes);
    cairo_surface_destroy(surface);
    return g_base64_encode(bytes->data, bytes->len);
}

/* @frames: all of the clip. */
static MaxglFilm *make_film(MaxglFilmMaker *maker, const MaxglFrameLayout *layout, const MaxglClipView *view,
                            const guint8 *frames, double seconds, GError **error)
{
    const guint8 *chosen[MOST_FRAMES];
    for (int t = 0; t < maker->frames; t++)
        chosen[t] = frames + (gsize)(t * maker->options.clip.frames / maker->frames) * layout->frame_bytes;
    if (!maxgl_clip_preparer_run_frames(maker->preparer, layout, view, chosen, &maker->tensor, 0, error) ||
        !maxgl_tensor_read(maker->context, &maker->tensor, maker->planes, error))
        return NULL;
    MaxglFilm *film = g_new(MaxglFilm, 1);
    *film = (MaxglFilm){.png = encode_strip(maker),
                        .frames = maker->frames,
                        .width = maker->size,
                        .height = maker->size,
                        .seconds = seconds};
    return film;
}

MaxglFilm *maxgl_film_of_clip(MaxglFilmMaker *maker, const MaxglClip *clip, GError **error)
{
    const double last = clip->last_seconds - clip->first_seconds; /* to the beginning of the last frame */
    const int frames = maker->options.clip.frames;
    return make_film(maker, &clip->layout, &clip->view, clip->frames,
                     frames > 1 ? last * frames / (frames - 1) : 1, error);
}

/* ---------------- videos ---------------- */

/* The frames of the clip in the middle of a video; free them. */
static guint8 *read_file(const char *path, const MaxglClipSpec *spec, MaxglVideoInfo *info, GError **error)
{
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, NULL, error);
    if (!decoder)
        return NULL;
    *info = *maxgl_decoder_info(decoder);
    g_autofree gint64 *numbers = g_new(gint64, spec->frames);
    maxgl_clip_numbers(spec, info->frames, maxgl_clip_start_even(spec, info->frames, 0, 1), numbers);
    g_autofree guint8 *frames = g_malloc((gsize)spec->frames * info->layout.frame_bytes);
    return maxgl_decoder_read(decoder, numbers, (gsize)spec->frames, frames, error) ? g_steal_pointer(&frames)
                                                                                    : NULL;
}

static guint8 *draw_synthetic(const MaxglDataset *dataset, gsize index, const MaxglClipSpec *spec,
                              MaxglVideoInfo *info)
{
    const MaxglSyntheticOptions *options = maxgl_dataset_synthetic(dataset);
    g_autofree gint64 *numbers = g_new(gint64, spec->frames);
    *info = (MaxglVideoInfo){.fps = options->fps, .frames = options->frames};
    maxgl_synthetic_layout(options, &info->layout);
    maxgl_clip_numbers(spec, info->frames, maxgl_clip_start_even(spec, info->frames, 0, 1), numbers);
    guint8 *frames = g_malloc((gsize)spec->frames * info->layout.frame_bytes);
    for (int i = 0; i < spec->frames; i++)
        maxgl_synthetic_render(options, maxgl_dataset_synthetic_index(dataset, index), (int)numbers[i], 1,
                               frames + (gsize)i * info->layout.frame_bytes);
    return frames;
}

MaxglFilm *maxgl_film_of_video(MaxglFilmMaker *maker, const MaxglDataset *dataset, gsize index,
                               GError **error)
{
    const MaxglFilmOptions *o = &maker->options;
    MaxglClipSpec spec = o->clip;
    MaxglVideoInfo info;
    MaxglClipView view;
    spec.short_policy = MAXGL_SHORT_REPEAT_LAST; /* numbers that rise, as the decoder wants them */
    g_autofree guint8 *frames = maxgl_dataset_synthetic(dataset)
                                    ? draw_synthetic(dataset, index, &spec, &info)
                                    : read_file(maxgl_dataset_path(dataset, index), &spec, &info, error);
    if (!frames)
        return NULL;
    maxgl_view_center(info.layout.width, info.layout.height, o->resize_width, o->resize_height, o->size,
                      o->size, &view);
    return make_film(maker, &info.layout, &view, frames, spec.frames * spec.stride / info.fps, error);
}

void maxgl_film_free(MaxglFilm *film)
{
    if (!film)
        return;
    g_free(film->png);
    g_free(film);
}
