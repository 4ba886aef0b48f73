#include "checkcl.h"

#include "base/random.h"
#include <math.h>
#include <string.h>

enum {
    GUARD_BYTES = 256,
    DERIVATIVE_PLACES = 24,
    FILL = 0xFF /* four of them are a NaN */
};

typedef struct {
    cl_mem memory;
    gsize bytes;
} Buffer;

struct CheckReport {
    char *name;
    char *description; /* of the case that runs */
    MaxglContext *context;
    GArray *buffers; /* of Buffer, of the case that runs */
    guint comparisons, failures;
    double limit;                  /* of every comparison; 0: none */
    double worst, worst_tolerance; /* by worst/worst_tolerance */
    char *worst_place;
};

CheckReport *check_report_new(const char *name, double limit)
{
    CheckReport *report = g_new0(CheckReport, 1);
    report->name = g_strdup(name);
    report->limit = limit;
    report->buffers = g_array_new(FALSE, FALSE, sizeof(Buffer));
    return report;
}

void check_report_free(CheckReport *report)
{
    if (!report)
        return;
    g_array_unref(report->buffers);
    g_free(report->name);
    g_free(report->description);
    g_free(report->worst_place);
    g_free(report);
}

void check_report_begin(CheckReport *report, MaxglContext *context, const char *description)
{
    report->context = context;
    g_free(report->description);
    report->description = g_strdup(description);
}

static gboolean is_oclgrind(const MaxglContext *context)
{
    return context->info->vendor == MAXGL_VENDOR_OCLGRIND;
}

static gsize guard_bytes(const MaxglContext *context)
{
    return is_oclgrind(context) ? 0 : GUARD_BYTES;
}

static void inspect_guard(CheckReport *report, const Buffer *buffer)
{
    guint8 guard[GUARD_BYTES];
    g_autoptr(GError) error = NULL;
    if (!maxgl_buffer_read(report->context, buffer->memory, buffer->bytes, guard, sizeof guard, &error)) {
        check_fail(report, "cannot read a buffer's guard: %s", error->message);
        return;
    }
    for (gsize i = 0; i < sizeof guard; i++)
        if (guard[i] != FILL) {
            check_fail(report,
                       "something wrote past the end of a buffer of %" G_GSIZE_FORMAT
                       " bytes, at byte %" G_GSIZE_FORMAT " behind it",
                       buffer->bytes, i);
            return;
        }
}

void check_report_end(CheckReport *report)
{
    for (guint i = 0; i < report->buffers->len; i++) {
        const Buffer *buffer = &g_array_index(report->buffers, Buffer, i);
        if (guard_bytes(report->context) > 0)
            inspect_guard(report, buffer);
        /* Oclgrind 21.10 takes new buffers for uninitialised, whatever is written to them, where they follow
         * released ones. */
        if (!is_oclgrind(report->context))
            maxgl_buffer_free(report->context, buffer->memory);
    }
    g_array_set_size(report->buffers, 0);
}

guint check_report_failures(const CheckReport *report)
{
    return report->failures;
}

char *check_report_summary(const CheckReport *report)
{
    if (!report->worst_place)
        return g_strdup_printf("%u comparisons", report->comparisons);
    return g_strdup_printf("%u comparisons, worst %.1e of %.0e allowed (%s)", report->comparisons,
                           report->worst, report->worst_tolerance, report->worst_place);
}

void check_fail(CheckReport *report, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    report->failures++;
    g_print("FAIL  %s: %s: %s\n", report->name, report->description ? report->description : "?", text);
}

void check_count(CheckReport *report)
{
    report->comparisons++;
}

float *check_random(gsize n, guint64 seed)
{
    MaxglRandom random;
    maxgl_random_init(&random, seed, MAXGL_RANDOM_TEST, 0, 0);
    float *values = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        values[i] = maxgl_random_normal(&random);
    return values;
}

double *check_zeros(gsize n)
{
    return g_new0(double, n);
}

double *check_to_double(const float *values, gsize n)
{
    double *result = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        result[i] = values[i];
    return result;
}

static gboolean fill(MaxglContext *context, cl_mem memory, gsize offset, gsize bytes, GError **error)
{
    const guint8 pattern = FILL;
    cl_int code =
        clEnqueueFillBuffer(context->queue, memory, &pattern, sizeof pattern, offset, bytes, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: cannot fill a buffer", context->info->name);
}

cl_mem check_bytes(CheckReport *report, MaxglContext *context, gsize bytes, const void *data, GError **error)
{
    const gsize guard = guard_bytes(context);
    Buffer buffer = {maxgl_buffer_new(context, bytes + guard, "a test's buffer", error), bytes};
    if (!buffer.memory)
        return NULL;
    g_array_append_val(report->buffers, buffer);
    if (guard > 0 && !fill(context, buffer.memory, data ? bytes : 0, data ? guard : bytes + guard, error))
        return NULL;
    if (data && bytes > 0 && !maxgl_buffer_write(context, buffer.memory, 0, data, bytes, error))
        return NULL;
    return buffer.memory;
}

cl_mem check_buffer(CheckReport *report, MaxglContext *context, gsize floats, const float *data,
                    GError **error)
{
    return check_bytes(report, context, floats * sizeof(float), data, error);
}

gboolean check_tensor(CheckReport *report, MaxglContext *context, MaxglShape shape, const float *data,
                      MaxglTensor *tensor, GError **error)
{
    const gsize floats = maxgl_shape_floats(&shape), bytes = maxgl_shape_bytes(&shape);
    g_autofree float *blocked = NULL;
    g_autofree void *stored = NULL;
    if (data) {
        blocked = g_new(float, floats);
        stored = g_malloc(bytes);
        maxgl_shape_pack(&shape, data, blocked);
        maxgl_storage_pack(shape.storage, blocked, stored, floats);
    }
    tensor->shape = shape;
    tensor->buffer = check_bytes(report, context, bytes, stored, error);
    return tensor->buffer != NULL;
}

void check_stored(MaxglStorage storage, float *values, gsize n)
{
    g_autofree void *stored = g_malloc(n * maxgl_storage_bytes(storage));
    maxgl_storage_pack(storage, values, stored, n);
    maxgl_storage_unpack(storage, stored, values, n);
}

gboolean check_run(MaxglSequence *sequence, GError **error)
{
    return maxgl_sequence_run(sequence, error) &&
           maxgl_context_finish(maxgl_sequence_context(sequence), error);
}

/* Notes the outcome of one comparison. @error: relative L2 error, infinite if there was a NaN. @at: where the
 * largest difference is. */
static void judge(CheckReport *report, const char *what, double error, double tolerance, gsize at, gsize n,
                  double got, double want)
{
    report->comparisons++;
    if (!(error <= tolerance))
        check_fail(report,
                   "%s: relative error %.2e, allowed %.0e; worst at [%" G_GSIZE_FORMAT "] of %" G_GSIZE_FORMAT
                   ": got %.9g, want %.9g",
                   what, error, tolerance, at, n, got, want);
    const double ratio = tolerance > 0 ? error / tolerance : error;
    const double before =
        report->worst_tolerance > 0 ? report->worst / report->worst_tolerance : report->worst;
    if (report->worst_place && ratio <= before)
        return;
    report->worst = error;
    report->worst_tolerance = tolerance;
    g_free(report->worst_place);
    report->worst_place = g_strdup_printf("%s of %s", what, report->description ? report->description : "?");
}

static double limited(const CheckReport *report, double tolerance)
{
    return report->limit > 0 ? MIN(tolerance, report->limit) : tolerance;
}

static void compare(CheckReport *report, const char *what, const double *got, const double *want, gsize n,
                    double tolerance)
{
    double difference = 0, norm = 0, largest = -1;
    gsize at = 0;
    for (gsize i = 0; i < n; i++) {
        const double d = isfinite(got[i]) ? fabs(got[i] - want[i]) : INFINITY;
        difference += d * d;
        norm += want[i] * want[i];
        if (d > largest) {
            largest = d;
            at = i;
        }
    }
    const double error = norm > 0 ? sqrt(difference / norm) : sqrt(difference);
    judge(report, what, error, tolerance, at, n, n ? got[at] : 0, n ? want[at] : 0);
}

void check_compare_double(CheckReport *report, const char *what, const double *got, const double *want,
                          gsize n, double tolerance)
{
    compare(report, what, got, want, n, limited(report, tolerance));
}

void check_compare(CheckReport *report, const char *what, const float *got, const double *want, gsize n,
                   double tolerance)
{
    g_autofree double *values = check_to_double(got, n);
    check_compare_double(report, what, values, want, n, tolerance);
}

static void check_padding(CheckReport *report, const char *what, const MaxglShape *s, const float *blocked)
{
    const gsize pixels = maxgl_shape_pixels(s);
    const int blocks = maxgl_shape_blocks(s), b = s->block;
    for (int n = 0; n < s->n; n++)
        for (int c = s->c; c < blocks * b; c++)
            for (gsize p = 0; p < pixels; p++) {
                const float value = blocked[(((gsize)n * blocks + c / b) * pixels + p) * b + c % b];
                if (value != 0) {
                    check_fail(report, "%s: padding channel %d of sample %d is %g at pixel %" G_GSIZE_FORMAT,
                               what, c, n, value, p);
                    return;
                }
            }
}

/* How far a number may be from what it is rounded to, relative to it. */
static double rounding(MaxglStorage storage)
{
    return storage == MAXGL_FLOAT16 ? 0x1p-11 : storage == MAXGL_BFLOAT16 ? 0x1p-8 : 0;
}

gboolean check_compare_tensor(CheckReport *report, MaxglContext *context, const char *what,
                              const MaxglTensor *got, const double *want, double tolerance, GError **error)
{
    const MaxglShape *shape = &got->shape;
    const gsize floats = maxgl_shape_floats(shape), bytes = maxgl_shape_bytes(shape);
    g_autofree void *stored = g_malloc(bytes);
    g_autofree float *blocked = g_new(float, floats), *plain = g_new(float, maxgl_shape_elements(shape));
    if (!maxgl_buffer_read(context, got->buffer, 0, stored, bytes, error))
        return FALSE;
    maxgl_storage_unpack(shape->storage, stored, blocked, floats);
    maxgl_shape_unpack(shape, blocked, plain);
    g_autofree double *values = check_to_double(plain, maxgl_shape_elements(shape));
    compare(report, what, values, want, maxgl_shape_elements(shape),
            limited(report, tolerance) + rounding(shape->storage));
    check_padding(report, what, shape, blocked);
    return TRUE;
}

gboolean check_compare_buffer(CheckReport *report, MaxglContext *context, const char *what, cl_mem got,
                              const double *want, gsize n, gsize padding, double tolerance, GError **error)
{
    g_autofree float *values = g_new(float, n + padding);
    if (!maxgl_buffer_read(context, got, 0, values, (n + padding) * sizeof(float), error))
        return FALSE;
    check_compare(report, what, values, want, n, tolerance);
    for (gsize i = n; i < n + padding; i++)
        if (values[i] != 0) {
            check_fail(report, "%s: padding entry %" G_GSIZE_FORMAT " is %g", what, i, values[i]);
            break;
        }
    return TRUE;
}

void check_derivative(CheckReport *report, const char *what, CheckFunction function, gpointer data, double *x,
                      const double *derivative, gsize n, double tolerance)
{
    const double step = 1e-5;
    const gsize places = MIN(n, DERIVATIVE_PLACES);
    g_autofree double *got = check_zeros(places), *want = check_zeros(places);
    for (gsize k = 0; k < places; k++) {
        const gsize i = k * n / places;
        const double before = x[i];
        x[i] = before + step;
        const double above = function(data);
        x[i] = before - step;
        const double below = function(data);
        x[i] = before;
        got[k] = derivative[i];
        want[k] = (above - below) / (2 * step);
    }
    g_autofree char *name = g_strconcat("derivative of ", what, NULL);
    check_compare_double(report, name, got, want, places, tolerance);
}
