/* What is wrong with a data set, found before a run trips over it. */
#ifndef MAXGL_MEDIA_DATASET_CHECK_H
#define MAXGL_MEDIA_DATASET_CHECK_H

#include "media/dataset.h"

/** Kinds of findings. */
typedef enum {
    MAXGL_FINDING_MISSING,    /**< no such file */
    MAXGL_FINDING_UNREADABLE, /**< cannot be opened or decoded, or ends too early */
    MAXGL_FINDING_SHORT,      /**< fewer frames than a clip needs */
    MAXGL_FINDING_TWICE,      /**< the list has the file twice */
    MAXGL_FINDING_SAME,       /**< another file has the same bytes */
    MAXGL_FINDING_NAMES,      /**< values of a column that differ in case or spaces only */
    MAXGL_FINDING_UNLABELLED, /**< no label, while others have one */
    MAXGL_FINDING_UNTRAINED,  /**< a class of other splits that the split "train" lacks */
    MAXGL_N_FINDINGS
} MaxglFindingKind;

/** One finding. */
typedef struct {
    MaxglFindingKind kind;
    char *what;   /**< a path, or the values of a column */
    char *detail; /**< the reason, the other file, … */
} MaxglFinding;

/** How thoroughly to look. */
typedef struct {
    int frames;     /**< a clip's span; videos with fewer frames are short. 0: any length will do */
    gboolean whole; /**< decode every frame; otherwise the first one, and the end is looked for */
    int threads;    /**< 0: one a core, 8 at most */
} MaxglDatasetCheckOptions;

/** A word for each kind, in its order: "missing", "unreadable", … */
const char *maxgl_finding_name(MaxglFindingKind kind);

/**
 * Looks at every video of @dataset, with progress on stderr. Files of equal size are compared by their
 * SHA-256. Videos in memory (`synth:`) are taken for granted.
 * Returns: (element MaxglFinding*) in the order of the kinds and of the videos, maybe none; NULL with
 * #MAXGL_ERROR_CANCELLED after Ctrl-C, #MAXGL_ERROR_FAILED where GStreamer does not start.
 */
GPtrArray *maxgl_dataset_check(const MaxglDataset *dataset, const MaxglDatasetCheckOptions *options,
                               GError **error);

#endif
