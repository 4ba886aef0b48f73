#include "bench/prepare.h"

#include "base/interrupt.h"
#include "media/sampler.h"
#include "net/parameters.h"
#include "ops/clip_prepare.h"

enum { CLIPS = 4 }; /* different ones in the host's memory */

typedef struct {
    MaxglContext *context;
    const MaxglPrepareOptions *options;
    MaxglClipPreparer *preparer;
    MaxglTensor input;
    MaxglFrameLayout layout;
    guint8 *clips;
    GArray *rows;
} Prepare;

static void prepare_clear(Prepare *p)
{
    maxgl_clip_preparer_free(p->preparer);
    maxgl_tensor_release(p->context, &p->input);
    g_free(p->clips);
    if (p->rows)
        g_array_unref(p->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Prepare, prepare_clear)

static MaxglFrameLayout layout_of(int width, int height)
{
    const gsize luma = (gsize)width * (gsize)height, chroma = luma / 4;
    return (MaxglFrameLayout){.format = MAXGL_PIXEL_I420,
                              .width = width,
                              .height = height,
                              .offset = {0, luma, luma + chroma},
                              .stride = {width, width / 2, width / 2},
                              .frame_bytes = luma + 2 * chroma};
}

static gboolean prepare_init(Prepare *p, GError **error)
{
    const MaxglPrepareOptions *o = p->options;
    const int block = maxgl_layout_input_block(p->context);
    const MaxglClipPreparerOptions options = {.frames = o->frames,
                                              .height = o->height,
                                              .width = o->width,
                                              .block = block,
                                              .mean = {0.45F, 0.45F, 0.45F},
                                              .std = {0.225F, 0.225F, 0.225F}};
    const MaxglShape shape = maxgl_shape(o->batch, 3, o->frames, o->height, o->width, block);
    p->layout = layout_of(o->video_width / 2 * 2, o->video_height / 2 * 2);
    const gsize bytes = CLIPS * (gsize)o->frames * p->layout.frame_bytes;
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    p->clips = g_malloc(bytes);
    for (gsize i = 0; i < bytes; i++)
        p->clips[i] = (guint8)(maxgl_random_next(&random) >> 24);
    p->rows = g_array_new(FALSE, TRUE, sizeof(MaxglDataRow));
    return (p->preparer = maxgl_clip_preparer_new(p->context, &options, error)) &&
           maxgl_tensor_new(p->context, shape, "clips", &p->input, error);
}

/* The largest box of the network's ratio in the middle, or a random one with colours that always change. */
static MaxglClipView view_of(const Prepare *p, gboolean training, MaxglRandom *random)
{
    MaxglClipView view = {.brightness = 1, .contrast = 1, .saturation = 1};
    if (training) {
        MaxglAugmentation augmentation;
        maxgl_augmentation_init(&augmentation);
        augmentation.jitter = 1;
        maxgl_view_random(&augmentation, p->layout.width, p->layout.height, random, &view);
        return view;
    }
    const float w = (float)p->layout.width, h = (float)p->layout.height;
    const float ratio = (float)p->options->width / (float)p->options->height;
    view.width = MIN(w, h * ratio);
    view.height = view.width / ratio;
    view.x = (w - view.width) / 2;
    view.y = (h - view.height) / 2;
    return view;
}

static gboolean run_batch(Prepare *p, gboolean training, MaxglRandom *random, GError **error)
{
    const gsize clip_bytes = (gsize)p->options->frames * p->layout.frame_bytes;
    for (int n = 0; n < p->options->batch; n++) {
        const MaxglClipView view = view_of(p, training, random);
        if (!maxgl_clip_preparer_run(p->preparer, &p->layout, &view, p->clips + (n % CLIPS) * clip_bytes,
                                     &p->input, n, error))
            return FALSE;
    }
    return maxgl_context_finish(p->context, error) && maxgl_interrupt_check(error);
}

static gboolean measure(Prepare *p, const char *name, gboolean training, GError **error)
{
    MaxglDataRow row = {.name = name, .waiting = -1};
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 1, 0);
    if (!run_batch(p, training, &random, error)) /* builds kernels */
        return FALSE;
    const gint64 start = g_get_monotonic_time();
    do {
        if (!run_batch(p, training, &random, error))
            return FALSE;
        row.clips += (guint64)p->options->batch;
        row.seconds = maxgl_seconds_since(start);
    } while (row.seconds < p->options->seconds);
    g_array_append_val(p->rows, row);
    return TRUE;
}

GArray *maxgl_bench_prepare(MaxglContext *context, const MaxglPrepareOptions *options, GError **error)
{
    g_auto(Prepare) p = {.context = context, .options = options};
    if (!prepare_init(&p, error) || !measure(&p, "centre", FALSE, error) ||
        !measure(&p, "training", TRUE, error))
        return NULL;
    return g_steal_pointer(&p.rows);
}
