/* metrics.csv: the curve of a training run, a row every few steps. */
#ifndef MAXGL_LEARN_METRICS_H
#define MAXGL_LEARN_METRICS_H

#include <glib.h>

typedef struct MaxglMetrics MaxglMetrics;

/** One row, beside the task's own values. */
typedef struct {
    gint64 step;          /**< steps done */
    gint64 epoch;         /**< 1, 2, … */
    double learning_rate; /**< of this step */
    double clips_per_second;
    double waiting; /**< part of the time since the last row spent waiting for data, 0 … 1 */
} MaxglMetricsRow;

/**
 * Opens @path for appending; the columns are step, epoch, @values…, lr, clips_per_s, waiting. Of a file that
 * is there already, whole rows up to step @last stay and all others go, so that a resumed run has each row
 * once.
 */
MaxglMetrics *maxgl_metrics_open(const char *path, const char *const *values, gint64 last, GError **error);

/** Appends a row, with one number for each of the values, and hands it to the system. */
gboolean maxgl_metrics_add(MaxglMetrics *metrics, const MaxglMetricsRow *row, const double *values,
                           GError **error);

void maxgl_metrics_close(MaxglMetrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMetrics, maxgl_metrics_close)

#endif
