/* Results of several training runs beside each other: mean and deviation over runs that differ in their seed
 * alone. */
#ifndef MAXGL_EVAL_COMPARISON_H
#define MAXGL_EVAL_COMPARISON_H

#include "eval/spread.h"

/** A run to be compared. Borrowed. */
typedef struct {
    const char *folder; /**< with eval-*.json and metrics.csv, those there are */
    const char *group;  /**< what the run belongs to: runs of one group differ in their seed alone */
    const char *about;  /**< what the group's recipe has that the first one's has not; NULL or "": nothing */
    gint64 seed;
} MaxglComparedRun;

/** One thing that was measured. */
typedef struct {
    char *protocol, *label, *split; /**< "linear", "motion", "test"; split "" where there are none */
    char *measure;                  /**< "accuracy", "R@1" */
    double chance;                  /**< NAN where the result names none (aslan) */
    MaxglSpread *cells;             /**< [groups of the part] of the groups' runs, in their order */
} MaxglComparisonRow;

/** What was measured on one data set. */
typedef struct {
    char *data;        /**< as the evaluations name it */
    GPtrArray *groups; /**< titles: those of the runs, then "random init", then "…, still frames" */
    GPtrArray *rows;   /**< of MaxglComparisonRow, in the order in which results name them */
} MaxglComparisonPart;

typedef struct {
    const MaxglComparedRun *runs; /**< [n_runs], borrowed */
    guint n_runs;
    GPtrArray *groups; /**< titles of the runs' groups in their order, of the runs' own strings */
    GPtrArray *parts;  /**< of MaxglComparisonPart */
} MaxglRunComparison;

/** Reads the results in the runs' folders. A file that is not what it should be is left out with a warning.
 * #MAXGL_ERROR_NOT_FOUND: no run has results or metrics. */
MaxglRunComparison *maxgl_run_comparison_new(const MaxglComparedRun *runs, guint n_runs, GError **error);
void maxgl_run_comparison_free(MaxglRunComparison *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglRunComparison, maxgl_run_comparison_free)

/** The numbers as JSON text; caller frees. "version", "time", "runs" (folder, group and seed of each) and
 * "parts": for each data set "data" and "rows", each with "protocol", "measure", "label", "split", "chance"
 * (if there is one) and "groups", an object with "mean", "deviation" and "values" for each group. */
char *maxgl_run_comparison_json(const MaxglRunComparison *table);

/** The page: bars with deviations, and the groups' curves of training (mean over their runs), in HTML 5 that
 * needs nothing else; caller frees. #MAXGL_ERROR_FORMAT: a damaged metrics.csv. */
char *maxgl_run_comparison_page(const MaxglRunComparison *table, GError **error);

#endif
