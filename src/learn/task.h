/* What is learnt, as far as the training loop has to know: which outputs of the network a loss needs, and how
 * it comes to their gradients. */
#ifndef MAXGL_LEARN_TASK_H
#define MAXGL_LEARN_TASK_H

#include "learn/classes.h"
#include "learn/recipe.h"
#include "media/loader.h"

/** The most numbers a task reports of a batch. */
#define MAXGL_TASK_MAX_VALUES 8

/** A task. The loop runs the network's forward pass, the loss's sequence, the backward pass and the update.
 */
typedef struct {
    const char *const *values; /**< names of the numbers reported, NULL-terminated; the first is the loss */
    const char *const *labels; /**< the same for people */
    const char *unit;          /**< behind each number but the loss: " nats" */
    gboolean supervised;       /**< learns from labels: the functions below get classes, others NULL */

    /** Clips of each video: clip c of video v is sample c·videos + v of the network's batch. */
    int (*clips_per_video)(const MaxglRecipe *recipe);
    /** Taps the loss needs; free with g_free(). */
    const char **(*outputs)(const MaxglRecipe *recipe);
    /** Declares the parameters of the loss beside the network's. */
    void (*declare)(const MaxglRecipe *recipe, const MaxglResnet *resnet, MaxglParameters *parameters);
    /** Bytes of the device that the loss takes on @network, of which nothing need be allocated; 0 with @error
     * set. */
    guint64 (*predict_bytes)(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                             MaxglNetwork *network, GError **error);
    /** The loss on a training network; what @free frees. */
    gpointer (*prepare)(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                        MaxglNetwork *network, MaxglParameters *parameters, GError **error);
    /** Takes over what the loss has to know of @batch beside its clips; does not wait. NULL: nothing. */
    gboolean (*take)(gpointer loss, const MaxglBatch *batch, GError **error);
    /** Run between forward and backward: fills the gradients of the network's outputs. */
    MaxglSequence *(*sequence)(gpointer loss);
    /** The numbers of the last batch, one for each of @values. Waits for the device. */
    gboolean (*read)(gpointer loss, double *values, GError **error);
    void (*free)(gpointer loss);
} MaxglTask;

/** Max-GL pre-training: "loss", "global_mi", "local_mi" (nats). */
extern const MaxglTask maxgl_pretrain_task;

/** Recognition: "loss" (nats), "accuracy" of the batch. */
extern const MaxglTask maxgl_recognition_task;

/** The task that the recipe asks for. */
const MaxglTask *maxgl_task_of(const MaxglRecipe *recipe);

#endif
