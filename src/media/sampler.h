/* Which frames of a video make a clip, and which view of them a network is shown. Pure functions of their
 * arguments. */
#ifndef MAXGL_MEDIA_SAMPLER_H
#define MAXGL_MEDIA_SAMPLER_H

#include <maxgl/frames.h>

#include "base/random.h"
#include "base/view.h"

/** What to do with a video of fewer frames than a clip spans. */
typedef enum {
    MAXGL_SHORT_LOOP,        /**< start again with its first frame */
    MAXGL_SHORT_REPEAT_LAST, /**< stay at its last frame */
    MAXGL_SHORT_SKIP,        /**< leave the video out */
} MaxglShortPolicy;

/** "loop", "repeat-last", "skip", NULL: choices of a recipe option. */
extern const char *const maxgl_short_policy_names[];

/** A clip's frames: @frames of them, every @stride-th. */
typedef struct {
    int frames; /**< at least 1 */
    int stride; /**< at least 1 */
    MaxglShortPolicy short_policy;
} MaxglClipSpec;

/** From the first frame of a clip to the last, both counted: stride·(frames − 1) + 1. */
gint64 maxgl_clip_span(const MaxglClipSpec *spec);

/** A first frame drawn evenly from all those whose clip ends within the @length frames of a video; 0 if the
 * video is shorter. */
gint64 maxgl_clip_start_random(const MaxglClipSpec *spec, gint64 length, MaxglRandom *random);

/** First frame of test clip @clip of @clips (both ends of the video are used: starts are linspace(0, length −
 * span, clips), so the centres are linspace(span/2, length − span/2, clips), the protocol of VCOP; one clip
 * lies in the middle). 0 if the video is shorter than the span. */
gint64 maxgl_clip_start_even(const MaxglClipSpec *spec, gint64 length, int clip, int clips);

/** The numbers of a clip's frames, @numbers[spec->frames], from its first frame @start. FALSE if the video is
 * too short and the policy is #MAXGL_SHORT_SKIP. With #MAXGL_SHORT_LOOP the numbers do not only rise. */
gboolean maxgl_clip_numbers(const MaxglClipSpec *spec, gint64 length, gint64 start, gint64 *numbers);

/** How a training clip is drawn: its frames, then its view (random resized crop, flip, colour jitter, grey,
 * blur, each once a clip). */
typedef struct {
    int stride_max;  /**< the largest stride; 0: that of the #MaxglClipSpec, which is the smallest */
    int time_jitter; /**< frames that each frame is displaced at most */
    double scale_min, scale_max;             /**< part of the picture's area, within (0, 1] */
    double ratio_min, ratio_max;             /**< width by height of the box */
    double flip;                             /**< probability */
    double jitter;                           /**< probability that colours are changed at all */
    double brightness, contrast, saturation; /**< factors from [max(0, 1 − x), 1 + x] */
    double hue;                              /**< shift from [−hue, hue], at most 0.5 */
    double grey;                             /**< probability */
    double blur;                             /**< probability */
    double blur_min, blur_max;               /**< σ, pixels of the network's input, above 0 */
    double mix;              /**< probability that a still of another video is laid over a clip */
    double mix_min, mix_max; /**< its weight, within [0, 1] */
} MaxglAugmentation;

/** Scale 0.2–1, ratio 3/4–4/3, flip 0.5, jitter 0.8 of (0.4, 0.4, 0.4, 0.1), grey 0.2, no blur, no
 * mixing, one stride and no jitter in time. */
void maxgl_augmentation_init(MaxglAugmentation *augmentation);

/** Draws a training clip's frames and gives their @numbers[spec->frames].
 *
 *  Stride: each from spec->stride to @stride_max is as likely, as far as a clip of it fits into the video;
 * that of @spec if none does. Start: maxgl_clip_start_random(). Then each frame is displaced by a whole
 * number from −@time_jitter … @time_jitter, each as likely, within the video (where that is shorter than the
 * clip: within the clip's span, and the policy says what is shown), and the frames are put in order again.
 *
 *  @random gives no number for what there is no choice of. FALSE as maxgl_clip_numbers(). */
gboolean maxgl_clip_random(const MaxglClipSpec *spec, const MaxglAugmentation *augmentation, gint64 length,
                           MaxglRandom *random, gint64 *numbers);

/** Draws a view of a width×height picture. The box is drawn as torchvision's RandomResizedCrop.get_params
 * does it: ten tries, then the largest centred box of an allowed ratio. */
void maxgl_view_random(const MaxglAugmentation *augmentation, int width, int height, MaxglRandom *random,
                       MaxglClipView *view);

/** What is laid over a clip. */
typedef struct {
    int video, clip, frame; /**< a picture of another video of the batch */
    float weight;           /**< 0: nothing */
} MaxglStill;

/** Draws what is laid over a clip of video @video of a batch of @videos (at least 2) videos with
 * @clips_per_video clips of @frames frames: each picture of each other video is as likely. */
void maxgl_still_random(const MaxglAugmentation *augmentation, int video, int videos, int clips_per_video,
                        int frames, MaxglRandom *random, MaxglStill *still);

#endif
