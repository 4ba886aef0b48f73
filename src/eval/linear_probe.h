/* Linear probe: what a linear classifier can read from frozen features. */
#ifndef MAXGL_EVAL_LINEAR_PROBE_H
#define MAXGL_EVAL_LINEAR_PROBE_H

#include "eval/retrieval.h"

/** A trained classifier. */
typedef struct MaxglLinearProbe MaxglLinearProbe;

/**
 * Trains on those vectors of @set that have a class, 0 … @classes − 1: features standardised to mean 0 and
 * deviation 1 over @set (those that never change are left out), L2-regularised logistic regression, one class
 * against the rest (liblinear's solver 0, which draws no random numbers), with a bias. The regularisation C
 * is the one of 10⁻⁴ … 100 that does best on a fifth of each class held out (of equally good ones the
 * smallest; the fifth depends on @seed alone), then everything is trained on.
 * #MAXGL_ERROR_USAGE: fewer than two classes have vectors.
 */
MaxglLinearProbe *maxgl_linear_probe_train(const MaxglLabelled *set, int classes, guint64 seed,
                                           GError **error);

void maxgl_linear_probe_free(MaxglLinearProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglLinearProbe, maxgl_linear_probe_free)

/** The class of one vector; of those that were trained on. */
int maxgl_linear_probe_predict(const MaxglLinearProbe *probe, const float *features);

/** The C that was chosen. */
double maxgl_linear_probe_c(const MaxglLinearProbe *probe);

/** How well it does. */
typedef struct {
    gsize videos;    /**< that have a class */
    gsize unseen;    /**< of them, those whose class was not trained on: always wrong */
    gsize correct;   /**< of them, those that are recognised */
    double accuracy; /**< correct / videos */
} MaxglProbeScore;

/** Classifies every vector of @set that has a class. @confusion: NULL, or [classes × classes] counts, row =
 * its class, column = what the probe says; overwritten. FALSE: none has a class. */
gboolean maxgl_linear_probe_score(const MaxglLinearProbe *probe, const MaxglLabelled *set,
                                  MaxglProbeScore *score, int *confusion);

#endif
