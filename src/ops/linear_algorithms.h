/* Inside ops: the algorithms behind linear.h. linear.c asks the tuning database for one by name. */
#ifndef MAXGL_OPS_LINEAR_ALGORITHMS_H
#define MAXGL_OPS_LINEAR_ALGORITHMS_H

#include "ops/linear.h"

typedef enum {
    MAXGL_LINEAR_FORWARD,
    MAXGL_LINEAR_BACKWARD_DATA,
    MAXGL_LINEAR_BACKWARD_WEIGHTS
} MaxglLinearPass;

/** One algorithm; the functions are those of linear.h, but the gradient of the bias is not theirs. */
typedef struct {
    const char *name; /**< in the tuning database: kernel "linear", parameter "algorithm" */
    gsize (*workspace)(MaxglContext *context, const MaxglLinear *linear, MaxglLinearPass pass);
    gboolean (*forward)(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem weights,
                        cl_mem bias, gboolean relu, cl_mem y, cl_mem workspace, GError **error);
    gboolean (*backward_data)(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error);
    gboolean (*backward_weights)(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error);
} MaxglLinearAlgorithm;

/** Register tiles of rows and vectors of outputs: for CPUs. */
extern const MaxglLinearAlgorithm maxgl_linear_direct;
/** CLBlast's SGEMM. */
extern const MaxglLinearAlgorithm maxgl_linear_clblast;

/** Floats from one row of x, or of y, to the next. */
gsize maxgl_linear_in_pitch(const MaxglLinear *linear);
gsize maxgl_linear_out_pitch(const MaxglLinear *linear);

/** Appends out[i] = Σ_p parts[p·floats + i] for @floats floats, in the order of p. */
gboolean maxgl_linear_sum_parts(MaxglSequence *sequence, cl_mem parts, guint32 n_parts, gsize floats,
                                cl_mem out, GError **error);

#endif
