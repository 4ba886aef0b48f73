/* Records of measurements side by side. */
#ifndef MAXGL_BENCH_COMPARE_H
#define MAXGL_BENCH_COMPARE_H

#include <glib.h>

/** Who was measured: one program of one file. Strings may be "". */
typedef struct {
    char *label; /**< the file's name without ".json"; with the program where the file has several; of a
                    suite's record the device's name */
    char *file, *program, *date, *device, *system, *algorithms;
    gboolean suite;     /**< its file is a record of the suite */
    double peak, copy;  /**< the device's limits, FLOP/s and bytes/s; 0 = not measured */
    GPtrArray *remarks; /**< char*: what else is to be said of the measurement, sections that failed */
} MaxglMeasurer;

/** What one of them needed; 0 stands for what is not known. */
typedef struct {
    double seconds, min, p90; /**< median, fastest, 90th percentile; all 0: nothing was measured */
    double flops, bytes;      /**< FLOP/s by the direct method, bytes/s */
    double clips;             /**< clips/s, of data */
    double memory;            /**< bytes that the process had at most; in suites, on the device */
    double error;             /**< relative L2, against float64 */
    double units_peak;        /**< FLOP/s of the matrix units that did it; 0: it was not them */
    double of_limit;          /**< part of what the device can do at most, 1 = all of it */
    double predicted;         /**< seconds that a model of the device expected */
    char *algorithm;          /**< "" if there is only one */
} MaxglMeasurement;

typedef enum {
    MAXGL_COMPARE_WHOLE,        /**< a network or the heads: one row */
    MAXGL_COMPARE_LAYERS,       /**< rows that may count FLOPs, of several passes */
    MAXGL_COMPARE_DATA,         /**< rows of clips/s */
    MAXGL_COMPARE_LIMITS,       /**< of a suite: rows of FLOP/s, of bytes/s or of seconds */
    MAXGL_COMPARE_RUNS,         /**< of a suite: rows of one network or the heads at several sizes */
    MAXGL_COMPARE_SUITE_LAYERS, /**< of a suite: as LAYERS, on devices that differ by orders of magnitude */
} MaxglComparedKind;

typedef struct {
    char *name, *what, *pass;       /**< "layer1.0.conv1 ×4", "convolution …, 2×64×…", "forward" */
    double count;                   /**< of layers: how many there are of the kind; else 1 */
    MaxglMeasurement *measurements; /**< one a measurer, in their order */
} MaxglComparedRow;

/** The same work done by all or some of them. */
typedef struct {
    MaxglComparedKind kind;
    char *title;     /**< "r3d_18, training, 2 clips of 16x112x112" */
    GPtrArray *rows; /**< MaxglComparedRow* */
    GArray *by;      /**< guint: the measurers who did any of it; ratios are to the first of them */
} MaxglComparedWork;

typedef struct {
    GPtrArray *measurers; /**< MaxglMeasurer* */
    GPtrArray *works;     /**< MaxglComparedWork* */
} MaxglComparison;

/**
 * Reads records of maxgl-cl bench and of bench/vs_pytorch.py (@paths NULL-terminated, at least one).
 * #MAXGL_ERROR_NOT_FOUND, #MAXGL_ERROR_IO; #MAXGL_ERROR_FORMAT naming the file that is no JSON or no record.
 */
MaxglComparison *maxgl_compare(const char *const *paths, GError **error);
void maxgl_comparison_free(MaxglComparison *comparison);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglComparison, maxgl_comparison_free)

/** Whether it was by a suite. */
gboolean maxgl_compared_by_suite(const MaxglComparedWork *work);

/** Whether anything was measured. */
gboolean maxgl_measured(const MaxglMeasurement *m);

/** How many times as fast @this is as @first; 0 if one of them was not measured. */
double maxgl_measured_ratio(const MaxglMeasurement *first, const MaxglMeasurement *this);

/** What there is of @m in a unit that suits it: "3.2 ms", "508 GFLOP/s", "61.2 TFLOP/s", "14.1 GB/s", "12.5
 * clips/s", "–"; caller frees. */
char *maxgl_measurement_text(const MaxglMeasurement *m);

/** A page with plots that needs nothing else (HTML 5, SVG); caller frees. */
char *maxgl_compare_page(const MaxglComparison *comparison);

#endif
