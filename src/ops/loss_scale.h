/* Dynamic loss scaling for gradients in half precision (Micikevicius et al., "Mixed Precision Training", ICLR
 * 2018): the loss, that is its gradients where they enter the network, is multiplied by a scale so that small
 * numbers do not vanish; gradients of parameters are divided by it. Where one is not finite the step is
 * skipped and the scale halved; after so many good steps it is doubled, as PyTorch's GradScaler does. What
 * counts steps of the optimiser counts those that are made. All of it stays on the device: nothing waits.
 */
#ifndef MAXGL_OPS_LOSS_SCALE_H
#define MAXGL_OPS_LOSS_SCALE_H

#include "ops/optimizer.h"

/** The state, in a device buffer. */
typedef struct {
    guint32 skip;     /**< not 0: the last step is one to be skipped; first, see MaxglOptimizerBuffers */
    float scale;      /**< a power of two, so that dividing by it is exact */
    guint32 good;     /**< good steps since it changed */
    guint32 skipped;  /**< steps in all, of the numbers that maxgl_optimizer_set_step() counts */
    guint32 overflow; /**< a gradient of the step under way is not finite */
} MaxglLossScale;

/** Between these the scale stays. */
#define MAXGL_LOSS_SCALE_LEAST 1.0
#define MAXGL_LOSS_SCALE_MOST 0x1p30

/** Writes or reads the state, and waits. */
gboolean maxgl_loss_scale_write(MaxglContext *context, cl_mem state, const MaxglLossScale *values,
                                GError **error);
gboolean maxgl_loss_scale_read(MaxglContext *context, cl_mem state, MaxglLossScale *values, GError **error);

/** Appends gradients ← scale · gradients, for the @floats of a buffer. */
gboolean maxgl_loss_scale_apply(MaxglSequence *sequence, cl_mem gradients, gsize floats, cl_mem state,
                                GError **error);

/** Appends, for @floats of @gradients from @offset on: gradients ← gradients / scale where they are @scaled;
 * and the state's overflow is set if one is infinite or no number. MAXGL_ERROR_LIMIT for more than 2^32 − 1.
 */
gboolean maxgl_loss_scale_remove(MaxglSequence *sequence, cl_mem gradients, gsize offset, gsize floats,
                                 gboolean scaled, cl_mem state, GError **error);

/** Appends what follows from the overflow: skip, and the next step's scale. @growth_steps: good steps, after
 * which it is doubled. */
gboolean maxgl_loss_scale_update(MaxglSequence *sequence, int growth_steps, cl_mem state, GError **error);

/** Appends that skipped steps do not count: @step, of which maxgl_optimizer_set_step() has written the
 * numbers for all steps, gets those of @optimizer's step number step − skipped. For the updates that follow,
 * which a step to be skipped does not make: nothing is written then. @state: of which no more steps are
 * skipped than were begun. */
gboolean maxgl_loss_scale_count(MaxglSequence *sequence, const MaxglOptimizer *optimizer, cl_mem step,
                                cl_mem state, GError **error);

#endif
