/* What a discriminator does to each side of a pair before they meet, with its gradient. */
#ifndef MAXGL_NET_HEAD_ENCODER_H
#define MAXGL_NET_HEAD_ENCODER_H

#include "net/memory_plan.h"
#include "net/parameters.h"

/**
 * Builds the heads' launches. The same code runs twice: planning (sequence NULL) it only asks for buffers and
 * workspace, building it gets them, in the same order, and appends launches.
 */
typedef struct {
    MaxglContext *context;
    MaxglParameters *parameters;
    MaxglMemoryPlan *plan;
    MaxglSequence *sequence;
    int time; /**< buffers asked for now live at this time of the plan */
    guint next_block;
    gsize workspace_bytes;
    cl_mem workspace;
} MaxglHeadBuilder;

/** A buffer of @bytes for the present time; NULL while planning. */
cl_mem maxgl_head_buffer(MaxglHeadBuilder *builder, gsize bytes, const char *what);

/** The same for a tensor. */
MaxglTensor maxgl_head_tensor(MaxglHeadBuilder *builder, MaxglShape shape, const char *what);

/** Asks for workspace. Returns: TRUE while planning, when nothing is to be appended. */
gboolean maxgl_head_planning(MaxglHeadBuilder *builder, gsize workspace_bytes);

/** The window of the parameter "PREFIX.WHAT" or of its gradient; NULL with @error. */
cl_mem maxgl_head_value(const MaxglHeadBuilder *builder, const char *prefix, const char *what,
                        GError **error);
cl_mem maxgl_head_gradient(const MaxglHeadBuilder *builder, const char *prefix, const char *what,
                           GError **error);

/** Kinds of encoder. */
typedef enum {
    MAXGL_ENCODER_LINEAR,      /**< W·x */
    MAXGL_ENCODER_LINEAR_BIAS, /**< W·x + b */
    MAXGL_ENCODER_RESIDUAL,    /**< LayerNorm(W2·ReLU(BN(W1·x)) + W3·x), the encoder of Deep InfoMax's
                                  encode-and-dot    (Hjelm et al., ICLR 2019, appendix A.2) */
} MaxglEncoderKind;

/** One encoder, applied to every pixel of a tensor alike. */
typedef struct {
    MaxglEncoderKind kind;
    char *prefix; /**< of its parameters: "head.local.right" */
    MaxglShape input;
    gboolean is_map; /**< weights are those of 1×1×1 convolutions; else of linear layers, on matrices */
    int width;       /**< output channels */
    MaxglTensor output, gradient; /**< the latter is to be filled before the backward pass */
    MaxglTensor hidden_raw, hidden, hidden_gradient,
        sum;                  /**< residual: W1·x, ReLU(BN(…)), its gradient, sum */
    cl_mem saved, mean, rstd; /**< residual: kept by batch norm and layer norm */
} MaxglEncoder;

void maxgl_encoder_declare(const MaxglEncoder *encoder, MaxglParameters *parameters);

/** Appends output = encoder(@x). */
gboolean maxgl_encoder_forward(MaxglHeadBuilder *builder, MaxglEncoder *encoder, cl_mem x, GError **error);

/** Appends the gradients of the parameters, overwriting them, and dx, or dx += it when @accumulate. */
gboolean maxgl_encoder_backward(MaxglHeadBuilder *builder, MaxglEncoder *encoder, cl_mem x, cl_mem dx,
                                gboolean accumulate, GError **error);

#endif
