/* Recognition as it is tested: a video's class by its network's classifier, averaged over clips. */
#ifndef MAXGL_EVAL_RECOGNITION_H
#define MAXGL_EVAL_RECOGNITION_H

#include "eval/features.h"

/** What is asked for. Borrowed. */
typedef struct {
    const char *model;  /**< file, with a classifier */
    const char *device; /**< as maxgl_device_choose() */
    const char *data;   /**< as maxgl_dataset_open() */
    const char *label;  /**< column; NULL: the one that the model was trained on, else the data set's label */
    const char *split;  /**< whose videos are tested, where the data has a column "split" */
    int clips;          /**< of a video, evenly spaced; logits are averaged (VCOP and others) */
    gboolean windows;   /**< instead, all clips that follow each other without overlap, as many as fit; their
                           softmax is averaged (Hara et al.) */
    int batch;          /**< clips computed at once; 0: as many as is good */
    gboolean cache;     /**< see MaxglFeatureOptions; not for @windows */
    int workers;        /**< decoding threads; 0: as many as cores, at most 8 */
    gboolean exact;     /**< see MaxglEmbedderOptions */
    const char *precision; /**< the same */
} MaxglRecognitionOptions;

/** A finished test. */
typedef struct {
    MaxglRecognitionOptions options; /**< still borrowed */
    MaxglDataset *dataset;           /**< the videos tested */
    char *label;                     /**< column */
    char *network, *device_name;     /**< "hara-r3d18@0.25"; the OpenCL device */
    int features;                    /**< length of a vector */
    char **class_names;              /**< NULL-terminated */
    int n_classes;
    gsize videos; /**< that were read and have a class */
    gsize bad, unlabelled, clips;
    gsize top1, top5; /**< videos whose class has the greatest score, one of the five greatest */
    double per_class; /**< mean over the classes with videos of the part that is right */
    int *confusion;   /**< [n_classes × n_classes] row = class, column = answer */
} MaxglRecognition;

/**
 * Runs it, with progress on stderr. #MAXGL_ERROR_USAGE: the model has no classifier, no such column or split,
 * or videos are of classes that the model does not know, which are named. A model that does not name its
 * classes must have as many as the data, which are then taken for them in the order of their bytes.
 * #MAXGL_ERROR_FORMAT: a bad model, or all videos are bad. #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglRecognition *maxgl_recognition_run(const MaxglRecognitionOptions *options, GError **error);

void maxgl_recognition_free(MaxglRecognition *recognition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglRecognition, maxgl_recognition_free)

/** The results as JSON text; caller frees. What all protocols begin with (see
 * maxgl_evaluation_linear_json()), then "averaged" ("logits", "softmax"), "videos", "bad", and "results", an
 * array of one object: "label", "split", "classes", "chance", "networks" with "trained": accuracy (top-1),
 * top5, per_class, correct, videos; "class_names" and "confusion". */
char *maxgl_recognition_json(const MaxglRecognition *recognition, GError **error);

#endif
