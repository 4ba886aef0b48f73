/* What decides the frames of videos: for finding out whether what was computed of them still holds. */
#ifndef MAXGL_MEDIA_IDENTITY_H
#define MAXGL_MEDIA_IDENTITY_H

#include "media/dataset.h"

/** Adds to @sum what the videos of @dataset have in common: of files, GStreamer's version and its plugins
 * with theirs; of `synth:`, all its options. */
void maxgl_dataset_identify(const MaxglDataset *dataset, GChecksum *sum);

/** Adds to @sum which video @index is: of a file its absolute path, its size, and when it was written and
 * last changed in any way; of `synth:` its number. FALSE if there is no such file. */
gboolean maxgl_dataset_identify_video(const MaxglDataset *dataset, gsize index, GChecksum *sum);

#endif
