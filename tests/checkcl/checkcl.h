/* checkcl: one harness that checks every kernel against plain double-precision C, and times it.
 *
 * An operator's file (check_NAME.c) holds a plain reference, a table of shapes and one MaxglCheck called
 * check_NAME, listed in checks.def. See main.c for the command line.
 */
#ifndef MAXGL_CHECKCL_H
#define MAXGL_CHECKCL_H

#include "compute/context.h"
#include "compute/sequence.h"
#include "ops/tensor.h"

/** Collects the comparisons of one operator's cases. */
typedef struct CheckReport CheckReport;

typedef struct {
    const char *name; /**< the operator: "conv3d" */
    guint n_cases;
    char *(*describe)(guint index);    /**< caller frees: "3×5×4×7×9, kernel 3×1×2, stride 2" */
    gboolean (*is_small)(guint index); /**< cheap enough for Oclgrind; NULL = all are */
    /** Runs forward and every backward pass of case @index and compares each with the reference. FALSE with
     * @error if something could not run at all. */
    gboolean (*check)(MaxglContext *context, guint index, CheckReport *report, GError **error);
    /** Checks the reference's own derivative by central differences in double precision (check_derivative());
     * NULL if there is none. */
    void (*gradient)(guint index, CheckReport *report);
    guint n_benches;
    char *(*describe_bench)(guint index);
    /** Appends the work of bench @index to @sequence (allocating through check_buffer()); sets floating-point
     * operations and bytes moved at least. */
    gboolean (*bench)(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error);
} MaxglCheck;

extern const MaxglCheck *const maxgl_checks[]; /* checks.c; ends with NULL */

/** Standard normal numbers that depend on @seed only; caller frees. */
float *check_random(gsize n, guint64 seed);
/** n doubles, zero; caller frees. */
double *check_zeros(gsize n);
double *check_to_double(const float *values, gsize n);

/** A device buffer that lives until the end of the case, holding @data (or undefined if NULL), with guard
 * bytes behind it that the harness inspects afterwards: a kernel that writes past its end is caught.
 * Undefined floats and guards are NaN, so that a kernel that reads them shows. (Under Oclgrind, which watches
 * both itself, there are no guards and undefined floats stay uninitialised.) */
cl_mem check_buffer(CheckReport *report, MaxglContext *context, gsize floats, const float *data,
                    GError **error);
/** The same for bytes that are no floats, such as pixels or counters. */
cl_mem check_bytes(CheckReport *report, MaxglContext *context, gsize bytes, const void *data, GError **error);
/** The same for a tensor given or wanted in PyTorch's order; numbers are rounded to its storage: see
 * check_stored() for what a reference is to compute with. */
gboolean check_tensor(CheckReport *report, MaxglContext *context, MaxglShape shape, const float *data,
                      MaxglTensor *tensor, GError **error);

/** Rounds @n floats to what @storage can hold. */
void check_stored(MaxglStorage storage, float *values, gsize n);

/** Runs @sequence and waits for it. */
gboolean check_run(MaxglSequence *sequence, GError **error);

/** Compares a device tensor (also that its padding channels are zero) or plain numbers with the reference:
 * relative L2 error at most @tolerance, for a tensor stored in 16 bits besides their rounding, and no NaN.
 * @what names the comparison. */
gboolean check_compare_tensor(CheckReport *report, MaxglContext *context, const char *what,
                              const MaxglTensor *got, const double *want, double tolerance, GError **error);
/** The same for the first @n floats of a buffer; @padding floats behind them must be zero (a per-channel
 * vector's tail). */
gboolean check_compare_buffer(CheckReport *report, MaxglContext *context, const char *what, cl_mem got,
                              const double *want, gsize n, gsize padding, double tolerance, GError **error);
void check_compare(CheckReport *report, const char *what, const float *got, const double *want, gsize n,
                   double tolerance);
void check_compare_double(CheckReport *report, const char *what, const double *got, const double *want,
                          gsize n, double tolerance);
/** Notes a failure in words. */
void check_fail(CheckReport *report, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** Counts a comparison that the caller makes, with check_fail() where it fails. */
void check_count(CheckReport *report);

/** A scalar function of numbers that check_derivative() changes in place. */
typedef double (*CheckFunction)(gpointer data);

/** Compares @derivative (n numbers) with central differences of @function with respect to @x, at up to 24
 * places spread over x. Write the function as a fixed random weighting of the reference's outputs. */
void check_derivative(CheckReport *report, const char *what, CheckFunction function, gpointer data, double *x,
                      const double *derivative, gsize n, double tolerance);

/** @name: the operator's, for messages. @limit: comparisons that allow more than this allow this; 0: as they
 * are. */
CheckReport *check_report_new(const char *name, double limit);
void check_report_free(CheckReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CheckReport, check_report_free)

/** Starts a case: buffers and comparisons from here on belong to it. */
void check_report_begin(CheckReport *report, MaxglContext *context, const char *description);
/** Ends it: inspects the guards and frees the buffers. */
void check_report_end(CheckReport *report);

guint check_report_failures(const CheckReport *report);
/** "18 comparisons, worst 3.1e-07 of 1e-05 allowed (dx of 2×5×1×3×3)"; caller frees. */
char *check_report_summary(const CheckReport *report);

#endif
