/* The state of a training run in one safetensors file: all parameters (heads too), running statistics, what
 * the optimiser keeps, averages, and how far the run is. It is a model file as well: what reads models takes
 * the network of it. The bytes depend on the state alone. */
#ifndef MAXGL_LEARN_CHECKPOINT_H
#define MAXGL_LEARN_CHECKPOINT_H

#include "learn/schedule.h"
#include "net/weights.h"
#include "ops/optimizer.h"

/** What is saved and restored. Everything is borrowed. */
typedef struct {
    const MaxglResnet *resnet;
    MaxglParameters *parameters;
    const MaxglOptimizer *optimizer;
    cl_mem states[2];          /**< the optimiser's flat buffers, as many as maxgl_optimizer_states() says */
    MaxglParameters *averages; /**< of all parameters, by the same names; NULL: none are kept */
    cl_mem loss_scale;         /**< a MaxglLossScale; NULL: there is none */
} MaxglTrainingState;

/** What a model file has of it: the averages, where there are any. */
const MaxglParameters *maxgl_training_result(const MaxglTrainingState *state);

/** How far a run is. */
typedef struct {
    gint64 step;          /**< steps done */
    gint64 videos;        /**< in the data set: with another number the order of videos would be another */
    MaxglPlateau plateau; /**< of the schedule that it is for */
} MaxglTrainingPosition;

/** Bytes that a checkpoint takes, more or less. */
guint64 maxgl_checkpoint_bytes(const MaxglTrainingState *state);

/** Writes @state to @path, atomically; waits for the device. @info as for maxgl_weights_save(). */
gboolean maxgl_checkpoint_save(const char *path, const MaxglTrainingState *state,
                               const MaxglTrainingPosition *position, const MaxglModelInfo *info,
                               GError **error);

/** Restores @state from @path; a loss scale that the file has none of stays as it is, and no step has been
 * skipped. #MAXGL_ERROR_FORMAT naming what is missing or misshapen. */
gboolean maxgl_checkpoint_load(const char *path, const MaxglTrainingState *state,
                               MaxglTrainingPosition *position, GError **error);

/** "checkpoint-000123.safetensors": a checkpoint's file name. */
char *maxgl_checkpoint_name(gint64 step);

/** The steps of all checkpoints in the folder @dir, rising. */
GArray *maxgl_checkpoint_list(const char *dir);

/** Deletes all checkpoints in @dir but the last @keep. */
void maxgl_checkpoint_prune(const char *dir, int keep);

#endif
