/* Feature vectors of all clips of whole videos, one behind the other. Private to the room. */
#ifndef MAXGL_EVAL_SLIDING_H
#define MAXGL_EVAL_SLIDING_H

#include "eval/features.h"

/**
 * Embeds the clips of each video of @dataset that follow each other without overlap, and gives the vectors to
 * @sink in the videos' order. The frames left over at a video's end are a last clip, which starts again with
 * the first of them until it is full, and so is a video shorter than a clip (the sliding window of
 * 3D-ResNets-PyTorch). Views are the centre's. Bad videos are named, counted in @bad and left out.
 * #MAXGL_ERROR_USAGE: synth: has no files. Other errors as maxgl_features_each().
 */
gboolean maxgl_sliding_each(MaxglEmbedder *embedder, const MaxglDataset *dataset, const char *title,
                            MaxglFeatureSink sink, gpointer user_data, gsize *bad, GError **error);

#endif
