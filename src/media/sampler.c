#include "media/sampler.h"

#include <math.h>
#include <stdlib.h>

const char *const maxgl_short_policy_names[] = {"loop", "repeat-last", "skip", NULL};

gint64 maxgl_clip_span(const MaxglClipSpec *spec)
{
    return (gint64)spec->stride * (spec->frames - 1) + 1;
}

gint64 maxgl_clip_start_random(const MaxglClipSpec *spec, gint64 length, MaxglRandom *random)
{
    gint64 starts = MAX(length - maxgl_clip_span(spec) + 1, 1);
    return maxgl_random_below(random, (guint32)MIN(starts, G_MAXUINT32));
}

gint64 maxgl_clip_start_even(const MaxglClipSpec *spec, gint64 length, int clip, int clips)
{
    double room = (double)MAX(length - maxgl_clip_span(spec), 0);
    double position = clips > 1 ? room * clip / (clips - 1) : room / 2.0;
    return (gint64)floor(position + 0.5);
}

static gboolean too_short(const MaxglClipSpec *spec, gint64 length)
{
    return spec->short_policy == MAXGL_SHORT_SKIP && length < maxgl_clip_span(spec);
}

/* The frame that is shown at @place, which may lie beyond the video's end. */
static gint64 number_at(const MaxglClipSpec *spec, gint64 length, gint64 place)
{
    return spec->short_policy == MAXGL_SHORT_LOOP ? place % length : MIN(place, length - 1);
}

gboolean maxgl_clip_numbers(const MaxglClipSpec *spec, gint64 length, gint64 start, gint64 *numbers)
{
    if (too_short(spec, length))
        return FALSE;
    for (int i = 0; i < spec->frames; i++)
        numbers[i] = number_at(spec, length, start + (gint64)i * spec->stride);
    return TRUE;
}

void maxgl_augmentation_init(MaxglAugmentation *augmentation)
{
    *augmentation = (MaxglAugmentation){
        .scale_min = 0.2,
        .scale_max = 1.0,
        .ratio_min = 3.0 / 4.0,
        .ratio_max = 4.0 / 3.0,
        .flip = 0.5,
        .jitter = 0.8,
        .brightness = 0.4,
        .contrast = 0.4,
        .saturation = 0.4,
        .hue = 0.1,
        .grey = 0.2,
        .blur_min = 0.1,
        .blur_max = 2.0,
        .mix_min = 0.1,
        .mix_max = 0.5,
    };
}

static int random_stride(const MaxglClipSpec *spec, int stride_max, gint64 length, MaxglRandom *random)
{
    const gint64 fits = spec->frames > 1 ? (length - 1) / (spec->frames - 1) : stride_max;
    const gint64 choices = MIN(stride_max, fits) - spec->stride + 1;
    return spec->stride + (choices > 1 ? (int)maxgl_random_below(random, (guint32)choices) : 0);
}

static int compare_places(const void *a, const void *b)
{
    const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

gboolean maxgl_clip_random(const MaxglClipSpec *spec, const MaxglAugmentation *augmentation, gint64 length,
                           MaxglRandom *random, gint64 *numbers)
{
    MaxglClipSpec chosen = *spec;
    if (too_short(spec, length))
        return FALSE;
    chosen.stride = random_stride(spec, augmentation->stride_max, length, random);
    const gint64 start = maxgl_clip_start_random(&chosen, length, random);
    const gint64 end = MAX(length, start + maxgl_clip_span(&chosen));
    const int jitter = augmentation->time_jitter;
    for (int i = 0; i < spec->frames; i++) {
        const gint64 place = start + (gint64)i * chosen.stride;
        const int off = jitter > 0 ? (int)maxgl_random_below(random, 2 * (guint32)jitter + 1) - jitter : 0;
        numbers[i] = CLAMP(place + off, 0, end - 1);
    }
    qsort(numbers, (gsize)spec->frames, sizeof *numbers, compare_places);
    for (int i = 0; i < spec->frames; i++)
        numbers[i] = number_at(&chosen, length, numbers[i]);
    return TRUE;
}

/* The largest box of an allowed ratio, in the middle. */
static void fallback_box(const MaxglAugmentation *augmentation, int width, int height, MaxglClipView *view)
{
    double ratio = (double)width / height;
    double w = width, h = height;
    if (ratio < augmentation->ratio_min)
        h = MIN(floor(width / augmentation->ratio_min + 0.5), height);
    else if (ratio > augmentation->ratio_max)
        w = MIN(floor(height * augmentation->ratio_max + 0.5), width);
    view->width = (float)MAX(w, 1.0);
    view->height = (float)MAX(h, 1.0);
    view->x = (float)floor((width - view->width) / 2.0);
    view->y = (float)floor((height - view->height) / 2.0);
}

static void random_box(const MaxglAugmentation *augmentation, int width, int height, MaxglRandom *random,
                       MaxglClipView *view)
{
    double area = (double)width * height;
    double log_min = log(augmentation->ratio_min), log_max = log(augmentation->ratio_max);
    for (int attempt = 0; attempt < 10; attempt++) {
        double target =
            area * maxgl_random_range(random, (float)augmentation->scale_min, (float)augmentation->scale_max);
        double ratio = exp(log_min + (log_max - log_min) * maxgl_random_uniform(random));
        int w = (int)floor(sqrt(target * ratio) + 0.5);
        int h = (int)floor(sqrt(target / ratio) + 0.5);
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        view->x = (float)maxgl_random_below(random, (guint32)(width - w + 1));
        view->y = (float)maxgl_random_below(random, (guint32)(height - h + 1));
        view->width = (float)w;
        view->height = (float)h;
        return;
    }
    fallback_box(augmentation, width, height, view);
}

static float jitter_factor(double amount, MaxglRandom *random)
{
    return maxgl_random_range(random, (float)MAX(0.0, 1.0 - amount), (float)(1.0 + amount));
}

void maxgl_view_random(const MaxglAugmentation *augmentation, int width, int height, MaxglRandom *random,
                       MaxglClipView *view)
{
    maxgl_view_identity(width, height, view);
    random_box(augmentation, width, height, random, view);
    view->flip = maxgl_random_uniform(random) < augmentation->flip;
    if (maxgl_random_uniform(random) < augmentation->jitter) {
        view->brightness = jitter_factor(augmentation->brightness, random);
        view->contrast = jitter_factor(augmentation->contrast, random);
        view->saturation = jitter_factor(augmentation->saturation, random);
        view->hue = maxgl_random_range(random, (float)-augmentation->hue, (float)augmentation->hue);
    }
    view->grey = maxgl_random_uniform(random) < augmentation->grey;
    if (maxgl_random_uniform(random) < augmentation->blur)
        view->blur = maxgl_random_range(random, (float)augmentation->blur_min, (float)augmentation->blur_max);
}

void maxgl_still_random(const MaxglAugmentation *augmentation, int video, int videos, int clips_per_video,
                        int frames, MaxglRandom *random, MaxglStill *still)
{
    *still = (MaxglStill){0};
    if (maxgl_random_uniform(random) >= augmentation->mix)
        return;
    still->video = (video + 1 + (int)maxgl_random_below(random, (guint32)videos - 1)) % videos;
    still->clip = (int)maxgl_random_below(random, (guint32)clips_per_video);
    still->frame = (int)maxgl_random_below(random, (guint32)frames);
    still->weight = maxgl_random_range(random, (float)augmentation->mix_min, (float)augmentation->mix_max);
}
