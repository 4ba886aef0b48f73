/* Records of measurements as docs/benchmarks.md describes them: JSON that says what ran where. */
#ifndef MAXGL_BENCH_RECORD_H
#define MAXGL_BENCH_RECORD_H

#include "bench/roof.h"
#include "bench/timing.h"

#include <json-glib/json-glib.h>

/** One measured piece of work: a layer's pass, a part of the heads. */
typedef struct {
    char *name;       /**< "layer1.0.conv1": the first of its kind */
    char *what;       /**< "convolution 3×3×3 /1,1,1" */
    char *size;       /**< "2×64×16×56×56 → 2×64×16×56×56" */
    const char *pass; /**< "forward", "backward_data", …; static */
    char *algorithm;  /**< NULL where there is only one */
    int count;        /**< how many there are of this kind and size */
    MaxglTimes times;
    double flops;         /**< of one, by the direct method; 0 where bytes are what matters */
    gboolean on_units;    /**< matrix units multiply … */
    MaxglFactors factors; /**< … these */
    double bytes;         /**< that it must read and write */
    gsize workspace;      /**< bytes of scratch memory */
    double predicted;     /**< seconds that bench/model.h expects of such a device; 0: it does not know it */
    double error;         /**< relative L2 error against float64 of what is stored … */
    guint samples;        /**< … over so many results; 0: not compared */
} MaxglBenchRow;

MaxglBenchRow *maxgl_bench_row_new(const char *name, const char *what, const char *size, const char *pass);
void maxgl_bench_row_free(MaxglBenchRow *row);

/** Operations a second that the row's part of the peak is of: the matrix units' where it runs on them. */
double maxgl_bench_row_peak(const MaxglBenchRow *row, const MaxglRoof *roof);

/** Starts a record: the program, the device, the system, @pass; the caller adds members and ends it. */
JsonBuilder *maxgl_record_begin(const MaxglContext *context, const char *pass);

/** Members. Numbers that are not finite become null. */
void maxgl_record_string(JsonBuilder *record, const char *name, const char *value);
void maxgl_record_number(JsonBuilder *record, const char *name, double value);
void maxgl_record_times(JsonBuilder *record, const MaxglTimes *times);
void maxgl_record_roof(JsonBuilder *record, const MaxglRoof *roof);
/** Matrix units' by what they multiply; nothing where none were measured. */
void maxgl_record_matrix(JsonBuilder *record, const MaxglRoof *roof);

/** Member "rows" with all of @rows (element MaxglBenchRow*), each with its share of the roof. */
void maxgl_record_rows(JsonBuilder *record, const GPtrArray *rows, const MaxglRoof *roof);

/** Ends the record and writes it. MAXGL_ERROR_IO. */
gboolean maxgl_record_write(JsonBuilder *record, const char *path, GError **error);

/** Reads the JSON file @path, whatever is in it. MAXGL_ERROR_NOT_FOUND, MAXGL_ERROR_IO; MAXGL_ERROR_FORMAT if
 * it is empty or no JSON. */
JsonParser *maxgl_record_parse(const char *path, GError **error);

/** Memory of the process now, bytes: VmRSS of Linux; 0 where that is not known. */
guint64 maxgl_resident_bytes(void);

/** The most memory that the process has had at once, bytes: VmHWM of Linux; 0 where that is not known. */
guint64 maxgl_peak_resident_bytes(void);

#endif
