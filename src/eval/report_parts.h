/* Sections of the report. Private to the room. */
#ifndef MAXGL_EVAL_REPORT_PARTS_H
#define MAXGL_EVAL_REPORT_PARTS_H

#include "eval/evaluation.h"
#include "eval/html.h"
#include "eval/report.h"

/** A curve over training steps. */
typedef struct {
    const char *name;    /**< where there are several */
    const double *x, *y; /**< [n] */
    gsize n;
    guint color; /**< fill0 … fill9 of the style sheet */
} MaxglCurve;

/** Curves of one quantity. */
typedef struct {
    const char *title, *unit; /**< unit "" if there is none */
    const MaxglCurve *curves;
    guint n_curves;
    gboolean noisy;         /**< draw smoothed curves; a single one over the values */
    double scale;           /**< of values on the page */
    double bound;           /**< drawn as a line, unless it is 0 … */
    const char *bound_text; /**< … with this beside it */
} MaxglChart;

/** Appends the curves as a figure; nothing where there are no points. */
void maxgl_chart_append(GString *html, const MaxglChart *chart);

/** The numbers of a run's metrics.csv. */
typedef struct {
    char **names; /**< [columns], the first is "step"; NULL where there is no file */
    guint columns;
    gsize rows;
    double *values; /**< [columns][rows] */
} MaxglMetricsTable;

/** Reads it; an empty table if there is no such file. FALSE with #MAXGL_ERROR_FORMAT naming the line that is
 * not as it should be. Clear it in any case. */
gboolean maxgl_metrics_table_read(MaxglMetricsTable *table, const char *path, GError **error);
void maxgl_metrics_table_clear(MaxglMetricsTable *table);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MaxglMetricsTable, maxgl_metrics_table_clear)

/** A column's numbers, [rows]; NULL if there is none of that name. */
const double *maxgl_metrics_table_column(const MaxglMetricsTable *table, const char *name);

/** Sets title, unit, noisy and scale of a chart of the column @name. */
void maxgl_report_column(MaxglChart *chart, const char *name);

/** The results in the folder's eval-*.json, linear probes first; JsonObjects. A file that has none is left
 * out with a warning. */
GPtrArray *maxgl_report_read_results(const char *folder);

/** Appends the section of curves from metrics.csv at @path, nothing if there is no such file. FALSE with
 * #MAXGL_ERROR_FORMAT naming the line that is not as it should be. */
gboolean maxgl_report_curves(GString *html, const char *path, const MaxglReportOptions *options,
                             GError **error);

/** Whether @root is the results of @protocol with all that is needed: at least one, each with the trained
 * network's. */
gboolean maxgl_report_is_result(JsonNode *root, const char *protocol);

/** What the result @row says of one of the networks that it compares; NULL if nothing. */
JsonObject *maxgl_report_network(JsonObject *row, MaxglComparison comparison);

/** Appends the numbers of greatest interest, large. */
void maxgl_report_tiles(GString *html, GPtrArray *results);

/** Appends the section of evaluations: @results are JsonObjects. */
void maxgl_report_results(GString *html, GPtrArray *results);

/** Appends a bar of class @network ("trained", "random", "still") called @title: @value within 0 … 1, and a
 * mark at @chance. */
void maxgl_report_bar(GString *html, const char *network, const char *title, double value, double chance);

/** Append the part of one protocol's results. */
void maxgl_report_recognition(GString *html, JsonObject *result);
void maxgl_report_scenes(GString *html, JsonObject *result);
void maxgl_report_aslan(GString *html, JsonObject *result);

/** Appends the section of pictures: training clips as the network sees them, and queries of the retrieval
 * among @results with what was found. */
void maxgl_report_pictures(GString *html, GPtrArray *results, const MaxglReportOptions *options);

#endif
