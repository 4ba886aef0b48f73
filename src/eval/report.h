/* A training run as one page: curves, evaluations, what the network sees and what it finds alike. */
#ifndef MAXGL_EVAL_REPORT_H
#define MAXGL_EVAL_REPORT_H

#include "media/loader.h"

/** What the page is made from. Borrowed. */
typedef struct {
    const char
        *run; /**< folder: run.json, recipe.cfg, metrics.csv and eval-*.json are read, those there are */
    const char *device; /**< as maxgl_device_choose(); prepares the pictures */

    /** Of the recipe. NULL or 0 where the folder has none: what needs them is left out. */
    const char *data, *split; /**< the training videos; split "" or not in the data: all of them */
    MaxglClipSpec clip;
    int clips_per_video; /**< in training */
    int size;            /**< of a clip, pixels */
    gboolean antialias;
    int resize_width, resize_height; /**< of centre views, see maxgl_view_center() */
    MaxglAugmentation augmentation;
    guint64 seed;
    double global_bound, local_bound; /**< what the estimators cannot exceed, nats; 0: none */
} MaxglReportOptions;

/**
 * The page, HTML 5 that needs nothing else: styles, charts (SVG) and pictures (PNG) are in it. Caller frees.
 * Pictures that cannot be made (videos that are gone, no OpenCL device) are left out, with a line in the page
 * that says why. A file of results that is not what it should be is left out with a warning.
 * #MAXGL_ERROR_NOT_FOUND: the folder has neither metrics.csv nor results. #MAXGL_ERROR_FORMAT: a damaged
 * metrics.csv.
 */
char *maxgl_report_make(const MaxglReportOptions *options, GError **error);

#endif
