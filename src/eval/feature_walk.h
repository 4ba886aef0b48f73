/* Feature vectors of clips that follow each other through whole videos. Private to the room. */
#ifndef MAXGL_EVAL_FEATURE_WALK_H
#define MAXGL_EVAL_FEATURE_WALK_H

#include "eval/features.h"

/** maxgl_features_each() where options->walk is given. */
gboolean maxgl_feature_walk(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                            const MaxglFeatureOptions *options, MaxglFeatureSink sink, gpointer user_data,
                            MaxglFeatureCounts *counts, GError **error);

#endif
