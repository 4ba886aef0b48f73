/* A list of videos with the labels that are known of them. */
#ifndef MAXGL_MEDIA_DATASET_H
#define MAXGL_MEDIA_DATASET_H

#include <glib.h>

#include "media/synthetic.h"

/** Videos 0 … n−1, each with a path and a value in every label column. Read-only once opened, so any number
 * of threads may use it. */
typedef struct MaxglDataset MaxglDataset;

/** Opens @source, which is one of
 *
 *  - a folder: every file below it with a video's extension, sorted by path; hidden files and folders are
 * left out. The one column, "label", is the name of the folder's sub-folder that a file is in (at any depth
 * below that), none for files directly in the folder. Where all sub-folders with videos are called train,
 * test, val or validation, they are a column "split" and the classes are the folders inside them.
 *  - a list, NAME.csv or NAME.txt: a line a video, `path[,label[,group]]`, fields as in RFC 4180 (quotes,
 * CRLF), spaces around unquoted fields dropped, empty lines skipped. If the first line's first field is
 * `path`, that line names any number of columns: `path,split,motion,appearance,background`. A relative path
 * is relative to the list. An empty field is no label.
 *  - `synth:` or `synth:key=value,…` (see maxgl_synthetic_help()): videos in memory with the columns split,
 * motion, appearance, background and, where they have more than one, speed.
 *  - `ucf101:`, `hmdb51:` or `kinetics:` and the options of media/published.h: videos by the lists that these
 * data sets were published with; columns label, split and, of ucf101, group.
 *  - any other file: one video without labels.
 *
 *  Files of a list that are missing, empty or not regular files stay in it and have a
 * maxgl_dataset_bad_reason(). Errors: #MAXGL_ERROR_NOT_FOUND for a source that does not exist or has no
 * video, #MAXGL_ERROR_FORMAT ("LIST:LINE: …") for a list that cannot be parsed, #MAXGL_ERROR_USAGE for wrong
 * synth: options, #MAXGL_ERROR_IO. */
MaxglDataset *maxgl_dataset_open(const char *source, GError **error);

/** Opens several sources (NULL-terminated) as one, in the given order. Columns are matched by name. `synth:`
 * has to stand alone (#MAXGL_ERROR_USAGE). */
MaxglDataset *maxgl_dataset_open_all(const char *const *sources, GError **error);

/** The videos whose value in @column is @value, as a data set of its own with the same class tables (so that
 * class indices keep their meaning). #MAXGL_ERROR_USAGE, naming the columns or values there are, if no video
 * is left. */
MaxglDataset *maxgl_dataset_filter(const MaxglDataset *dataset, const char *column, const char *value,
                                   GError **error);

/** The @n videos (at least 1) with the indices @videos, in that order, likewise. */
MaxglDataset *maxgl_dataset_select(const MaxglDataset *dataset, const gsize *videos, gsize n);

void maxgl_dataset_free(MaxglDataset *dataset);

/** Number of videos, at least 1. */
gsize maxgl_dataset_size(const MaxglDataset *dataset);

/** Path of a video as the decoder takes it; for `synth:` the name that its file would have ("train/00017").
 */
const char *maxgl_dataset_path(const MaxglDataset *dataset, gsize index);

/** Why a video cannot be used, known without decoding it; NULL if nothing speaks against it. */
const char *maxgl_dataset_bad_reason(const MaxglDataset *dataset, gsize index);

/** How many videos have a bad reason. */
gsize maxgl_dataset_bad_count(const MaxglDataset *dataset);

/** Names of the columns, NULL-terminated, in the order of the list. */
const char *const *maxgl_dataset_columns(const MaxglDataset *dataset);

/** Whether there is a column @column. */
gboolean maxgl_dataset_has_column(const MaxglDataset *dataset, const char *column);

/** Text in @column, NULL if it is empty there. @column NULL: the label, i.e. the first column that is called
 * neither "split" nor "group" (NULL if there is none). */
const char *maxgl_dataset_value(const MaxglDataset *dataset, gsize index, const char *column);

/** Class of a video: index of its value among maxgl_dataset_classes(), −1 if it has none. @column as above.
 */
int maxgl_dataset_label(const MaxglDataset *dataset, gsize index, const char *column);

/** The different values of @column (as above), sorted by their bytes, NULL-terminated. Their number goes to
 * @n (which may be NULL); 0 without such a column. */
const char *const *maxgl_dataset_classes(const MaxglDataset *dataset, const char *column, gsize *n);

/** Options of a `synth:` data set, NULL if the videos are files. */
const MaxglSyntheticOptions *maxgl_dataset_synthetic(const MaxglDataset *dataset);

/** Which video of maxgl_dataset_synthetic() video @index is (they differ after maxgl_dataset_filter()). */
gsize maxgl_dataset_synthetic_index(const MaxglDataset *dataset, gsize index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglDataset, maxgl_dataset_free)

#endif
