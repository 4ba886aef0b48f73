/* 3D convolution in plain double precision, and the comparison of an algorithm's three passes with it. */
#ifndef MAXGL_CHECK_CONV3D_REFERENCE_H
#define MAXGL_CHECK_CONV3D_REFERENCE_H

#include "checkcl.h"
#include "ops/conv3d.h"

/* The reference: plain loops over PyTorch's orders, x (N,C,T,H,W), w (K,C,KT,KH,KW), y (N,K,T',H',W'). */

/** The shape of y, by counting the positions of the kernel. */
MaxglShape check_conv3d_output(const MaxglConv3d *conv);

/** y = relu?(Σ w·x + bias? + residual?); @bias has K values, @residual y's shape, either may be NULL. */
void check_conv3d_forward(const MaxglConv3d *conv, const double *x, const double *w, const double *bias,
                          const double *residual, gboolean relu, double *y);

/** dx += Σ w·dy: y's derivative with respect to x, times dy. */
void check_conv3d_backward_data(const MaxglConv3d *conv, const double *dy, const double *w, double *dx);

/** dw += Σ dy·x. */
void check_conv3d_backward_weights(const MaxglConv3d *conv, const double *x, const double *dy, double *dw);

/** Compares the two backward references with central differences of L = Σ g·y in directions drawn from @seed.
 */
void check_conv3d_gradient(const MaxglConv3d *conv, guint64 seed, CheckReport *report);

/** An algorithm for the three passes; the members mean what those of ops/conv3d.h mean. Without backward data
 * that is not checked. */
typedef struct {
    gsize (*forward_workspace)(MaxglContext *context, const MaxglConv3d *conv);
    gsize (*backward_data_workspace)(MaxglContext *context, const MaxglConv3d *conv);
    gsize (*backward_weights_workspace)(MaxglContext *context, const MaxglConv3d *conv);
    gboolean (*forward)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error);
    gboolean (*backward_data)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error);
    gboolean (*backward_weights)(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem workspace, GError **error);
    /** Rounds factors as the algorithm does before it multiplies them; NULL: as their storage does. */
    void (*round_factors)(const MaxglConv3d *conv, float *values, gsize n);
} CheckConv3dAlgorithm;

/**
 * Runs on random numbers from @seed, rounded to what tensors can store and factors can be: forward plain and
 * with bias, residual and ReLU together, backward data overwriting and accumulating, backward weights;
 * outputs that are overwritten hold garbage before. Every result is compared with the reference (relative L2
 * error 1e-5; padding channels zero) and must have the same bits in a second run.
 */
gboolean check_conv3d_algorithm(MaxglContext *context, const CheckConv3dAlgorithm *algorithm,
                                const MaxglConv3d *conv, guint64 seed, CheckReport *report, GError **error);

/** "2×3×5×7×9, K 8, kernel 3×7×7, stride 1×2×2, pad 1×3×3, blocks 1→8"; caller frees. */
char *check_conv3d_describe(const MaxglConv3d *conv);

#endif
