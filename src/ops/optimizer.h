/* Parameter updates over flat buffers, with PyTorch's meaning: SGD (torch.optim.SGD, dampening 0), Adam
 * (torch.optim.Adam) and AdamW (torch.optim.AdamW); clipping by the global norm of the gradient
 * (torch.nn.utils.clip_grad_norm_).
 *
 * Parameters, gradients and states are flat buffers of one size. An update is one launch over a range of
 * them; ranges differ in their weight decay. What changes from step to step is in a small device buffer.
 */
#ifndef MAXGL_OPS_OPTIMIZER_H
#define MAXGL_OPS_OPTIMIZER_H

#include "compute/sequence.h"

typedef enum {
    MAXGL_OPTIMIZER_SGD,
    MAXGL_OPTIMIZER_ADAM,
    MAXGL_OPTIMIZER_ADAMW,
    MAXGL_OPTIMIZER_LARS /**< updates with lars.h */
} MaxglOptimizerKind;

typedef struct {
    MaxglOptimizerKind kind;
    float momentum;               /**< SGD, LARS; 0 = none */
    gboolean nesterov;            /**< SGD */
    double beta1, beta2, epsilon; /**< Adam, AdamW; PyTorch's defaults are 0.9, 0.999, 1e-8 */
    float trust;                  /**< LARS */
} MaxglOptimizer;

/** What the kernels read each step. */
typedef struct {
    guint32 step; /**< 1, 2, …; first, so that the buffer serves dropout too */
    float learning_rate;
    float adam_rate; /**< learning_rate / (1 − beta1^step) */
    float adam_root; /**< √(1 − beta2^step) */
} MaxglOptimizerStep;

/** Flat buffers that an update reads and writes. */
typedef struct {
    cl_mem parameters, gradients;
    cl_mem state[2]; /**< as many as maxgl_optimizer_states() says; zero before the first step. SGD, LARS:
                        momentum. Adam: first and second moment */
    cl_mem step;     /**< a MaxglOptimizerStep */
    cl_mem clip;     /**< a MaxglGradientNorm whose scale multiplies the gradients, or NULL */
    cl_mem skip; /**< an unsigned number, such as a MaxglLossScale begins with: where it is not 0 nothing is
                    changed; or NULL */
} MaxglOptimizerBuffers;

/** How many state buffers @optimizer needs: 0 to 2. */
int maxgl_optimizer_states(const MaxglOptimizer *optimizer);

/** Enqueues writing the numbers of step @step (1, 2, …) into @buffer, a MaxglOptimizerStep. Does not wait and
 * keeps no reference to host memory: what was enqueued before still sees the old numbers. */
gboolean maxgl_optimizer_set_step(MaxglContext *context, const MaxglOptimizer *optimizer, cl_mem buffer,
                                  guint32 step, double learning_rate, GError **error);

/** Appends the update, with SGD, Adam or AdamW, of the floats @offset … @offset + @floats − 1. @weight_decay:
 * added to the gradient as weight_decay · parameter (SGD, Adam) or taken off the parameter as learning_rate ·
 * weight_decay · parameter (AdamW); 0 for ranges such as biases that are not decayed. */
gboolean maxgl_optimizer_update(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                                const MaxglOptimizerBuffers *buffers, gsize offset, gsize floats,
                                double weight_decay, GError **error);

/** What maxgl_gradient_norm() writes. */
typedef struct {
    float scale; /**< min(1, max_norm / (norm + 1e-6)) */
    float norm;  /**< √Σ g² */
} MaxglGradientNorm;

/** Bytes of scratch memory for @floats gradients. */
gsize maxgl_gradient_norm_workspace(gsize floats);

/** Appends the norm of the @floats gradients into @result (a MaxglGradientNorm); the order of summation
 * is fixed. @max_norm above 0; INFINITY to measure and not clip. */
gboolean maxgl_gradient_norm(MaxglSequence *sequence, cl_mem gradients, gsize floats, float max_norm,
                             cl_mem result, cl_mem workspace, GError **error);

#endif
