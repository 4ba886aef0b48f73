/* Everything that is measured of a device, in one record: docs/benchmarks.md, docs/benchmark.schema.json. */
#ifndef MAXGL_BENCH_SUITE_H
#define MAXGL_BENCH_SUITE_H

#include "bench/record.h"

/** The name of section @index ("peaks", "launch", "transfers", "layers", …), NULL behind the last. */
const char *maxgl_suite_section(guint index);

typedef struct {
    gboolean quick;              /**< small sizes: shows that all of it runs, and says nothing of speed */
    double limit;                /**< seconds after which a section begins nothing further; above 0 */
    const char *const *sections; /**< names of those wanted, NULL-terminated; NULL: all */
    const char *note;            /**< recorded: how the measurement was made; or NULL */
    /** Called when a section has ended: how, and what came out, in a few words. */
    void (*report)(const char *section, const char *outcome);
} MaxglSuiteOptions;

/**
 * Measures the sections one after the other on *@context. What fails, or does not fit into the device's
 * memory, is said in the record, and the others still run; after an error of the device it is opened again,
 * so *@context may be another one then. Shows its progress on stderr.
 * Returns: the record, to be given to maxgl_record_write(); NULL with MAXGL_ERROR_CANCELLED after Ctrl-C, or
 * MAXGL_ERROR_DEVICE where the device cannot be opened again.
 */
JsonBuilder *maxgl_suite_run(MaxglContext **context, const MaxglSuiteOptions *options, GError **error);

#endif
