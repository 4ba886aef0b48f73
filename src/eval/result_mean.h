/* Mean over splits: the results of one protocol on several splits of a data set. */
#ifndef MAXGL_EVAL_RESULT_MEAN_H
#define MAXGL_EVAL_RESULT_MEAN_H

#include "eval/spread.h"

/** One thing that was measured on each split. */
typedef struct {
    char *label, *split; /**< "label", "test" */
    char *network;       /**< "trained", "random", "still" */
    const char *measure; /**< "top-1", "mean over classes", "R@5" */
    MaxglSpread spread;  /**< its values in the order of the files */
} MaxglMeanRow;

typedef struct {
    const char *const *files; /**< [n], borrowed */
    guint n;
    JsonParser **parsers; /**< [n] of the files */
    char *protocol;       /**< "recognition", "linear" or "retrieval" */
    GPtrArray *rows;      /**< of MaxglMeanRow, in the order of the first file */
} MaxglResultMean;

/**
 * Reads the @n (at least 2) result files, as eval recognition, linear and retrieval write them.
 *
 * #MAXGL_ERROR_FORMAT: no JSON, or something is missing in it. #MAXGL_ERROR_USAGE: the files are not of one
 * protocol, architecture, way to embed, kind of data set, or not of the same labels, classes and networks;
 * or two are of the same model file and data. Both name file and member.
 */
MaxglResultMean *maxgl_result_mean_new(const char *const *files, guint n, GError **error);
void maxgl_result_mean_free(MaxglResultMean *mean);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglResultMean, maxgl_result_mean_free)

/** As JSON text; caller frees. "protocol", "version", "time", "network", "clips", and, where the files have
 * them, "averaged" and "train_split"; "of", an array with "file", "model", "model_sha256", "device" and
 * "data" of each; "results", an array of objects with "label", "split", "network", "measure", "mean",
 * "deviation" and "values". */
char *maxgl_result_mean_json(const MaxglResultMean *mean);

#endif
