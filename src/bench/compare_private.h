/* Reading records for a comparison. Inside compare.c and compare_suite.c. */
#ifndef MAXGL_BENCH_COMPARE_PRIVATE_H
#define MAXGL_BENCH_COMPARE_PRIVATE_H

#include "bench/compare.h"

#include <json-glib/json-glib.h>

/** One file being read. */
typedef struct {
    MaxglComparison *comparison;
    const char *path;
    guint first; /**< of its measurers */
} MaxglCompareReader;

/** FALSE with MAXGL_ERROR_FORMAT "PATH: WHAT". */
gboolean maxgl_compare_refuse(const MaxglCompareReader *reader, GError **error, const char *what);

/** What titles and names end with: ", fp16" of a record or run in that precision, "" of float32; caller
 * frees.
 */
char *maxgl_compare_precision(JsonObject *record);

/** The index of who made @record: a new one if the file has not named the program yet. */
guint maxgl_compare_measurer(const MaxglCompareReader *reader, JsonObject *record);

/** The work of this kind and title, new if there is none. */
MaxglComparedWork *maxgl_compare_work(const MaxglCompareReader *reader, MaxglComparedKind kind,
                                      const char *title);

/** The row of this name, new if there is none. */
MaxglComparedRow *maxgl_compare_row(const MaxglCompareReader *reader, MaxglComparedWork *work,
                                    const char *name, const char *what, const char *pass);

/** Fills @measurement with what @object has. MAXGL_ERROR_FORMAT if there is no time in it. */
gboolean maxgl_compare_read(const MaxglCompareReader *reader, JsonObject *object,
                            MaxglMeasurement *measurement, GError **error);

/** The member "rows" of @record. */
gboolean maxgl_compare_read_rows(const MaxglCompareReader *reader, JsonObject *record, guint measurer,
                                 MaxglComparedWork *work, GError **error);

/** A record of the suite. */
gboolean maxgl_compare_read_suite(const MaxglCompareReader *reader, JsonObject *record, guint measurer,
                                  GError **error);

#endif
