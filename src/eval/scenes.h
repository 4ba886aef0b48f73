/* Recognition of dynamic scenes: each video by a linear machine that was trained on all others. */
#ifndef MAXGL_EVAL_SCENES_H
#define MAXGL_EVAL_SCENES_H

#include "eval/evaluation.h"
#include "eval/leave_one_out.h"

/** What is asked for. Borrowed. */
typedef struct {
    const char *model;     /**< file */
    const char *device;    /**< as maxgl_device_choose() */
    const char *data;      /**< as maxgl_dataset_open(); a column "split" means nothing */
    const char *label;     /**< column of the classes; NULL: the data set's label */
    int clips;             /**< of a video */
    int batch;             /**< clips computed at once; 0: as many as is good */
    gboolean cache;        /**< see MaxglFeatureOptions */
    int workers;           /**< decoding threads; 0: as many as cores, at most 8 */
    gboolean exact;        /**< see MaxglEmbedderOptions */
    const char *precision; /**< the same */
    double c;              /**< of the machines, above 0 */
    gboolean random_init;  /**< compare with the same network before training, see control.h */
    gboolean still;        /**< compare with the trained network on still pictures, see features.h */
} MaxglScenesOptions;

/** One network's. */
typedef struct {
    MaxglComparison comparison;
    MaxglLeaveOneOut *result;
} MaxglScenesNetwork;

/** A finished evaluation. */
typedef struct {
    MaxglScenesOptions options; /**< still borrowed */
    MaxglDataset *dataset;
    const char *label;                              /**< column */
    const char *const *class_names;                 /**< the data set's */
    char *network, *device_name;                    /**< "hara-r3d18@0.25"; the OpenCL device */
    int features;                                   /**< length of a vector */
    gsize videos, bad, clips;                       /**< read; left out; embedded of each network */
    MaxglScenesNetwork networks[MAXGL_COMPARISONS]; /**< the trained one first */
    int n_networks;
} MaxglScenes;

/**
 * Runs it, with progress on stderr. #MAXGL_ERROR_USAGE: no label, or too few classes. #MAXGL_ERROR_FORMAT: a
 * bad model, or all videos are bad. #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglScenes *maxgl_scenes_run(const MaxglScenesOptions *options, GError **error);

void maxgl_scenes_free(MaxglScenes *scenes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglScenes, maxgl_scenes_free)

/** The results as JSON text; caller frees. What maxgl_evaluation_linear_json() begins with, then "c",
 * "videos", "bad" and "results", an array of one object: "label", "classes", "chance", "networks" with
 * accuracy, per_class, correct, videos and alone of each, "class_names" and the trained network's
 * "confusion".
 */
char *maxgl_scenes_json(const MaxglScenes *scenes, GError **error);

#endif
