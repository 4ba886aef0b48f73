/* What the inside of a network is computed with, and what its layers are then. */
#ifndef MAXGL_NET_PRECISION_H
#define MAXGL_NET_PRECISION_H

#include "net/resnet3d.h"
#include "ops/conv3d.h"
#include "ops/mma.h"

/** Parameters, their gradients, statistics, sums and what the caller sees (the clips, outputs, their
 * gradients) are floats whatever it is. */
typedef enum {
    MAXGL_PRECISION_FP32,
    MAXGL_PRECISION_TF32, /**< floats, but matrix units may round the factors of products to 11 digits */
    MAXGL_PRECISION_FP16, /**< activations and their gradients in 16 bits: IEEE 754 binary16 … */
    MAXGL_PRECISION_BF16, /**< … or bfloat16 */
} MaxglPrecision;

/** "fp32", "tf32", "fp16", "bf16", NULL. */
extern const char *const maxgl_precision_names[];

/** The precision called @name; NULL is fp32. MAXGL_ERROR_USAGE if there is none. */
gboolean maxgl_precision_parse(const char *name, MaxglPrecision *precision, GError **error);

/** What matrix units multiply in that precision. */
MaxglFactors maxgl_precision_factors(MaxglPrecision precision);

/** The shape of tensor @tensor of @resnet for @n clips, in the block of @context's device, and stored as the
 * precision says: clips, and what comes behind the global pool, are floats. */
MaxglShape maxgl_precision_shape(MaxglPrecision precision, MaxglContext *context, const MaxglResnet *resnet,
                                 int tensor, int n);

/** The convolution that layer @layer of @resnet is for @n clips; not exact. */
MaxglConv3d maxgl_precision_conv3d(MaxglPrecision precision, MaxglContext *context, const MaxglResnet *resnet,
                                   int layer, int n);

#endif
