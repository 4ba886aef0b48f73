#include "media/sampler.h"

#include <math.h>

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

gboolean maxgl_clip_numbers(const MaxglClipSpec *spec, gint64 length, gint64 start, gint64 *numbers)
{
    if (spec->short_policy == MAXGL_SHORT_SKIP && length < maxgl_clip_span(spec))
        return FALSE;
    for (int i = 0; i < spec->frames; i++) {
        gint64 number = start + (gint64)i * spec->stride;
        numbers[i] = spec->short_policy == MAXGL_SHORT_LOOP ? number % length : MIN(number, length - 1);
    }
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
        .mix_min = 0.3,
        .mix_max = 0.7,
    };
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
