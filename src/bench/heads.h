/* Max-GL's heads by themselves: scores of all pairs, estimates of mutual information, their gradients. */
#ifndef MAXGL_BENCH_HEADS_H
#define MAXGL_BENCH_HEADS_H

#include "bench/run.h"
#include "net/max_gl.h"
#include "net/resnet3d.h"

typedef struct {
    int videos;   /**< N, at least 2 */
    int clips;    /**< C of each video, 2 … MAXGL_MAX_CLIPS: a batch has C·N clips */
    int features; /**< length of a clip's global feature */
    int channels; /**< of the local map */
    int regions;  /**< R of it, at least 1 */
    int hidden;   /**< width of the discriminators */
    int repeats;  /**< timed runs, at least 1 */
    double limit; /**< no further run of the whole is begun after so many seconds; 0: no limit */
    MaxglMiEstimator estimator;
    MaxglDiscriminator discriminator;
} MaxglHeadsOptions;

/** The heads of @resnet: its features, the channels and all positions of its layer3; two clips a video,
 * discriminators of 512, jsd and concat, 5 runs. @videos: N. */
void maxgl_heads_options_init(MaxglHeadsOptions *options, const MaxglResnet *resnet, int videos);

/**
 * Measures, on random features, the heads as training runs them (Global-MI and Local-MI of the same clip;
 * forward and backward, into @run), and by themselves scores and estimate of one pairing of each (compared
 * with float64 at some places). Shows its
 * progress on stderr.
 * Returns: (element MaxglBenchRow*, freed with the array) the parts; NULL with MAXGL_ERROR_LIMIT,
 * MAXGL_ERROR_DEVICE, MAXGL_ERROR_CANCELLED after Ctrl-C.
 */
GPtrArray *maxgl_bench_heads(MaxglContext *context, const MaxglHeadsOptions *options, MaxglBenchRun *run,
                             GError **error);

/** Members: how pairs are scored, and sizes except the number of videos. */
void maxgl_record_heads(JsonBuilder *record, const MaxglHeadsOptions *options);

#endif
