/* Counter-based random numbers: the same (seed, purpose, epoch, sample) gives the same numbers on any
 * machine, in any order of calls and from any number of threads. */
#ifndef MAXGL_BASE_RANDOM_H
#define MAXGL_BASE_RANDOM_H

#include <glib.h>

/** What the numbers are for; each purpose is its own stream. Append only: the values are part of
 * reproducibility. */
typedef enum {
    MAXGL_RANDOM_WEIGHTS = 0,  /**< initial parameters */
    MAXGL_RANDOM_SHUFFLE = 1,  /**< order of the samples in an epoch */
    MAXGL_RANDOM_SAMPLING = 2, /**< which frames of a video */
    MAXGL_RANDOM_AUGMENT = 3,  /**< crop, flip, colour */
    MAXGL_RANDOM_DROPOUT = 4,
    MAXGL_RANDOM_SYNTHETIC = 5,  /**< procedural videos */
    MAXGL_RANDOM_EVALUATION = 6, /**< probes and their splits */
    MAXGL_RANDOM_TEST = 7,
    MAXGL_RANDOM_MIX = 8, /**< what is laid over a clip */
} MaxglRandomPurpose;

/** One stream of numbers. Plain value: copy it freely, no clean-up. */
typedef struct {
    guint32 key[2];
    guint32 counter[4];
    guint32 block[4];
    guint used;
} MaxglRandom;

/** Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): one block of four
 * words. */
void maxgl_random_philox(const guint32 counter[4], const guint32 key[2], guint32 out[4]);

/** Starts the stream of (seed, purpose, epoch, sample). @sample below 2^56. */
void maxgl_random_init(MaxglRandom *random, guint64 seed, MaxglRandomPurpose purpose, guint32 epoch,
                       guint64 sample);

/** The next 32 random bits. */
guint32 maxgl_random_next(MaxglRandom *random);

/** Uniform in [0, 1), 24 bits. */
float maxgl_random_uniform(MaxglRandom *random);

/** Uniform in [low, high). */
float maxgl_random_range(MaxglRandom *random, float low, float high);

/** Uniform integer in [0, n), unbiased; n at least 1. */
guint32 maxgl_random_below(MaxglRandom *random, guint32 n);

/** Standard normal (Box–Muller, computed in double precision). */
float maxgl_random_normal(MaxglRandom *random);

#endif
