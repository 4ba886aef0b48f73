/* Action similarity: do two videos show the same action? Pairs of ASLAN or of any list like its. */
#ifndef MAXGL_EVAL_ASLAN_H
#define MAXGL_EVAL_ASLAN_H

#include "eval/evaluation.h"
#include "eval/pair_machines.h"
#include "media/pair_list.h"

/** What is asked for. Borrowed. */
typedef struct {
    const char *model;         /**< file */
    const char *device;        /**< as maxgl_device_choose() */
    const char *videos;        /**< folder */
    const char *pairs;         /**< list, see media/pair_list.h */
    const char *const *layers; /**< as MaxglEmbedderOptions; NULL: "pool" */
    int clips;                 /**< of a video, spread evenly; 0: as many as overlap by half */
    int batch;                 /**< clips computed at once; 0: as many as is good */
    gboolean cache;            /**< see MaxglFeatureOptions; for @clips above 0 */
    int workers;               /**< decoding threads; 0: as many as cores, at most 8 */
    gboolean exact;            /**< see MaxglEmbedderOptions */
    const char *precision;     /**< the same */
    double c;                  /**< of the machines, above 0 */
    gboolean random_init;      /**< compare with the same network before training, see control.h */
} MaxglAslanOptions;

/** One network's. */
typedef struct {
    MaxglComparison comparison;
    MaxglPairScore *score;
} MaxglAslanNetwork;

/** A finished evaluation. */
typedef struct {
    MaxglAslanOptions options; /**< still borrowed */
    MaxglDataset *dataset;     /**< the videos of the folder */
    MaxglPairList *list;
    gsize *videos;               /**< [list->ids->len] of the dataset */
    char *network, *device_name; /**< "hara-r3d18@0.25"; the OpenCL device */
    int features;                /**< of all layers */
    char **layers;
    gsize bad, clips;                              /**< videos left out; clips embedded of each network */
    gsize left_out;                                /**< pairs of videos that were left out */
    MaxglAslanNetwork networks[MAXGL_COMPARISONS]; /**< the trained one first */
    int n_networks;
} MaxglAslan;

/**
 * Runs it, with progress on stderr: a video's vector of each layer, scaled to length 1; the measures of
 * eval/similarity.h for each pair and layer; eval/pair_machines.h. The list is read and all videos are found
 * before anything is computed.
 *
 * Errors of the list and the model; #MAXGL_ERROR_USAGE: a layer twice, or both layer4 and pool;
 * #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglAslan *maxgl_aslan_run(const MaxglAslanOptions *options, GError **error);

void maxgl_aslan_free(MaxglAslan *aslan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglAslan, maxgl_aslan_free)

/** The results as JSON text; caller frees. What maxgl_evaluation_linear_json() begins with, then "pairs",
 * "layers", "similarities", "c", "videos", "bad", "pairs_left_out" and "results", an array of one object:
 * "view" and "networks" with accuracy, standard_error (of View 2), auc, correct, pairs, folds and roc of
 * each.
 */
char *maxgl_aslan_json(const MaxglAslan *aslan, GError **error);

#endif
