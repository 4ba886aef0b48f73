/* Feature vectors of whole videos: clips that overlap by half, from the first frame to the last. */
#ifndef MAXGL_EVAL_WINDOWS_H
#define MAXGL_EVAL_WINDOWS_H

#include "eval/features.h"

/** What is embedded, and how. */
typedef struct {
    const gboolean *wanted; /**< [videos] which of the data set; NULL: all */
    int workers;            /**< threads that decode; 0: as many as cores, at most 8 */
    const char *title;      /**< of the progress bar */
} MaxglWindowOptions;

/**
 * For each wanted video of @dataset the mean over its clips: the first begins with the video's first frame,
 * each other one half a clip later, as many as fit (for clips of 16 frames at stride 1: 16 frames that
 * overlap by 8, the recipe of C3D). A video shorter than a clip has one, which starts again with the video's
 * first frame. Views are the centre's, as the model says. Videos are decoded as a stream: memory does not
 * depend on their length.
 *
 * The same numbers with any number of workers. Bad videos are named and left out. @dataset: files, not synth:
 * (#MAXGL_ERROR_USAGE). Other errors as maxgl_features_extract().
 */
MaxglFeatures *maxgl_windows_extract(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                     const MaxglWindowOptions *options, GError **error);

#endif
