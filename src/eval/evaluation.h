/* Evaluation of a model on labelled videos: features once, then each protocol for every label column and test
 * split, with other networks beside it for comparison. */
#ifndef MAXGL_EVAL_EVALUATION_H
#define MAXGL_EVAL_EVALUATION_H

#include "eval/features.h"
#include "eval/linear_probe.h"

/** What is asked for. Borrowed. */
typedef struct {
    gboolean linear, retrieval;     /**< protocols; at least one */
    const char *model;              /**< file */
    const char *device;             /**< as maxgl_device_choose() */
    const char *data;               /**< as maxgl_dataset_open(), with a column "split" */
    const char *const *labels;      /**< columns; NULL: all but split and group */
    const char *train_split;        /**< value of split: training videos of the probe, gallery of retrieval */
    const char *const *test_splits; /**< test videos, queries; NULL: all splits but @train_split */
    int clips;                      /**< of a video */
    int batch;                      /**< clips computed at once; 0: as many as is good */
    int workers;                    /**< decoding threads; 0: as many as cores, at most 8 */
    gboolean cache;                 /**< see MaxglFeatureOptions */
    gboolean exact;                 /**< see MaxglEmbedderOptions */
    const char *precision;          /**< the same */
    guint64 seed;                   /**< of the probe's held-out part */
    gboolean random_init;           /**< compare with the same network before training, see control.h */
    gboolean still;                 /**< compare with the trained network on still pictures, see features.h */
} MaxglEvaluationOptions;

/** What is compared: rows of a result. */
typedef enum { MAXGL_COMPARISON_TRAINED, MAXGL_COMPARISON_RANDOM, MAXGL_COMPARISON_STILL } MaxglComparison;
#define MAXGL_COMPARISONS 3

/** "trained", "random init", "still frames". */
const char *maxgl_comparison_title(MaxglComparison comparison);

/** "trained", "random", "still": members of the JSON files. */
const char *maxgl_comparison_name(MaxglComparison comparison);

/** One network's features of all splits. */
typedef struct {
    MaxglComparison comparison;
    MaxglFeatures **splits; /**< [n_splits] */
} MaxglNetworkFeatures;

/** A linear probe of one label column on one test split. */
typedef struct {
    const char *label, *split;
    int classes;                               /**< among the training videos */
    double chance;                             /**< 1 / classes */
    double majority;                           /**< accuracy of always naming the most frequent class of the
                                                  training videos */
    MaxglProbeScore scores[MAXGL_COMPARISONS]; /**< of the networks, in their order */
    double c[MAXGL_COMPARISONS];               /**< regularisation that was chosen */
    char **class_names;                        /**< of all splits, n_classes of them; the data set's */
    int n_classes;
    int *confusion; /**< of the trained network, [n_classes × n_classes], row = class, column = answer */
} MaxglLinearResult;

/** Retrieval of one label column with one test split as queries. */
typedef struct {
    const char *label, *split;
    MaxglRetrievalScore scores[MAXGL_COMPARISONS];
} MaxglRetrievalResult;

/** A finished evaluation. */
typedef struct {
    MaxglEvaluationOptions options; /**< still borrowed */
    MaxglDataset *dataset;
    MaxglDataset **parts; /**< [n_splits] the videos of each split */
    char **splits;        /**< [n_splits] the first is the training split; NULL-terminated */
    int n_splits;
    char **labels;                  /**< NULL-terminated */
    char *network, *device_name;    /**< "hara-r3d18@0.25"; the OpenCL device */
    int features;                   /**< length of a vector */
    MaxglNetworkFeatures *networks; /**< the trained one first */
    int n_networks;
    GPtrArray *linear;    /**< of MaxglLinearResult; empty if not asked for */
    GPtrArray *retrieval; /**< of MaxglRetrievalResult; the same */
} MaxglEvaluation;

/**
 * Runs it, with progress on stderr. A column that a split says nothing about, or whose classes in the test
 * split are all missing in the training split, gives no result and a g_message().
 *
 * #MAXGL_ERROR_USAGE: no column "split", an unknown split or column. #MAXGL_ERROR_FORMAT: a bad model, or all
 * videos of a split are bad. #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglEvaluation *maxgl_evaluation_run(const MaxglEvaluationOptions *options, GError **error);

void maxgl_evaluation_free(MaxglEvaluation *evaluation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglEvaluation, maxgl_evaluation_free)

/**
 * The linear probe's or retrieval's results as JSON text; caller frees. Members of the object: "protocol",
 * "version", "time", "model", "model_sha256", "network", "device", "data", "clips", "features",
 * "train_split", "seed", "splits" (videos, bad and clips of each), and "results": for each label column and
 * test split an object with "label", "split" and "networks", an object with a member for each network
 * compared.
 */
char *maxgl_evaluation_linear_json(const MaxglEvaluation *evaluation, GError **error);
char *maxgl_evaluation_retrieval_json(const MaxglEvaluation *evaluation, GError **error);

#endif
