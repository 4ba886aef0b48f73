/* Files of feature vectors. */
#ifndef MAXGL_EVAL_FEATURE_WRITER_H
#define MAXGL_EVAL_FEATURE_WRITER_H

#include "eval/features.h"

/** Vectors on their way into a file. What it is to be is told by its name's extension:
 *
 *  - NAME.npy: float32 (N, F), and NAME.index.csv with a line a row: source, clip (empty: the mean of all),
 *    first_seconds and last_seconds (empty for a source that has no time).
 *  - NAME.safetensors: "features" (N, F), "source" (N, index into the metadata's "sources", a JSON array),
 *    "clip" (N, −1: the mean of all), "seconds" (N, 2; −1 without time).
 *  - NAME.jsonl, or stdout: a line {"source": …, "clip": …, "first_seconds": …, "last_seconds": …,
 *    "features": […]} a row, with null for what is empty above.
 */
typedef struct MaxglFeatureWriter MaxglFeatureWriter;

/** #MAXGL_ERROR_USAGE if @path has another extension, #MAXGL_ERROR_IO if it cannot be written. For finding
 * that out before the work. NULL (stdout) is good. */
gboolean maxgl_feature_writer_check(const char *path, GError **error);

/** Starts writing to @path (NULL: stdout) vectors of the model that @info describes. */
MaxglFeatureWriter *maxgl_feature_writer_new(const char *path, const MaxglEmbedderInfo *info, GError **error);

/** Adds one vector of @source. Negative seconds mean none. */
gboolean maxgl_feature_writer_add(MaxglFeatureWriter *writer, const char *source,
                                  const MaxglFeatureVector *vector, GError **error);

/** Vectors so far. */
gint64 maxgl_feature_writer_rows(const MaxglFeatureWriter *writer);

/** Puts everything in place. Frees @writer in any case. */
gboolean maxgl_feature_writer_commit(MaxglFeatureWriter *writer, GError **error);

/** Drops what was written and frees @writer. NULL is nothing. */
void maxgl_feature_writer_abandon(MaxglFeatureWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFeatureWriter, maxgl_feature_writer_abandon)

#endif
