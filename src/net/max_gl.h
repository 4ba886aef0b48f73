/* Max-GL: maximise the mutual information between global features of two clips of a video (Global-MI), and
 * between a clip's global feature and local features of many of its regions (Local-MI).
 *
 * A batch is C·N clips, two or more of each video: first clips A_0 … A_{N−1}, then second clips B_0 …
 * B_{N−1}, …; A_i, B_i, … come from the same video. What is known from the paper and what is our choice is
 * told in docs/method.md. */
#ifndef MAXGL_NET_MAX_GL_H
#define MAXGL_NET_MAX_GL_H

#include "net/network.h"
#include "ops/mi_estimator.h"

/** How a pair of features is scored. */
typedef enum {
    MAXGL_DISCRIMINATOR_CONCAT, /**< multi-layer perceptron on both, two hidden layers */
    MAXGL_DISCRIMINATOR_DOT,    /**< both encoded, then their dot product */
} MaxglDiscriminator;

/** "concat", "dot", NULL. */
extern const char *const maxgl_discriminator_names[];

/** Whose regions a clip's global feature is paired with. */
typedef enum {
    MAXGL_LOCAL_SAME,  /**< its own */
    MAXGL_LOCAL_CROSS, /**< those of the video's other clips */
    MAXGL_LOCAL_BOTH,  /**< those of all its clips */
} MaxglLocalPairs;

/** Which pairs are negatives of a region under InfoNCE. */
typedef enum {
    MAXGL_NEGATIVES_REGION, /**< the same region of the other videos */
    MAXGL_NEGATIVES_ALL,    /**< every region of the other videos */
} MaxglLocalNegatives;

/** The most clips of a video, and layers with a local map. */
#define MAXGL_MAX_CLIPS 8
#define MAXGL_MAX_LOCAL_LAYERS 4

typedef struct {
    int clips;                          /**< C of a video, 2 … MAXGL_MAX_CLIPS */
    double global_weight, local_weight; /**< at least 0; 0 switches a term and its cost off */
    MaxglMiEstimator estimator;         /**< the bound that is maximised */
    MaxglDiscriminator discriminator;
    /** Taps of the local maps, "layer1" … "layer4", each but once. Local-MI is the mean over them. */
    char local_layers[MAXGL_MAX_LOCAL_LAYERS][8];
    int n_local_layers; /**< at least 1 */
    int regions[3];     /**< grid over each map's time, height, width; 0 = every position in that direction */
    MaxglLocalPairs local_pairs;
    MaxglLocalNegatives local_negatives;
    int hidden;         /**< width of discriminators */
    double temperature; /**< InfoNCE: scores are divided by it */
} MaxglObjectiveOptions;

/** Two clips, both weights 1, jsd, concat, layer3, every position, same clip, same region, hidden 512,
 * temperature 1. */
void maxgl_objective_options_init(MaxglObjectiveOptions *options);

/** Sets the local layers: @text names them, with commas between ("layer2,layer3"). MAXGL_ERROR_USAGE if one
 * is unknown or there twice; @options are untouched then. */
gboolean maxgl_objective_options_set_layers(MaxglObjectiveOptions *options, const char *text, GError **error);

/** MAXGL_ERROR_USAGE if a number is out of range, a local layer does not exist, or its map is smaller than
 * the regions. */
gboolean maxgl_objective_options_validate(const MaxglObjectiveOptions *options, const MaxglResnet *resnet,
                                          GError **error);

/** The taps that the terms switched on need: "pool" and, with a Local-MI term, the local layers.
 * NULL-terminated; points into @options; free with g_free(). */
const char **maxgl_objective_outputs(const MaxglObjectiveOptions *options);

/** Declares the discriminators' parameters of the terms switched on, under head.global.* and head.local.*, or
 * head.local.LAYER.* with several local layers. */
void maxgl_objective_declare(const MaxglObjectiveOptions *options, const MaxglResnet *resnet,
                             MaxglParameters *parameters);

typedef struct MaxglObjective MaxglObjective;

/** Heads on a training network whose outputs are of a multiple of the clips (those of other networks among
 * them, see MaxglNetworkOptions), and that has the outputs asked for.
 * Keeps references to @network and @parameters, which must outlive it. */
MaxglObjective *maxgl_objective_new(MaxglContext *context, const MaxglObjectiveOptions *options,
                                    MaxglNetwork *network, MaxglParameters *parameters, GError **error);
void maxgl_objective_free(MaxglObjective *objective);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglObjective, maxgl_objective_free)

/** Run between the network's forward and backward pass: scores, estimates, gradients of the heads' parameters
 * and of the network's outputs, of loss = −(global_weight · Global-MI + local_weight · Local-MI). */
MaxglSequence *maxgl_objective_sequence(const MaxglObjective *objective);

/** Estimates of the last batch. */
typedef struct {
    float loss;      /**< −(weighted sum) */
    float global_mi; /**< nats (jsd: the estimator's own scale, 0 at chance); 0 if switched off */
    float local_mi;  /**< the same, the mean over regions and layers */
} MaxglObjectiveValues;

/** Reads them and waits. */
gboolean maxgl_objective_read(const MaxglObjective *objective, MaxglObjectiveValues *values, GError **error);

/** Bytes that heads on @network would hold, which may be one of maxgl_network_planned(); 0 with @error set as
 * maxgl_objective_new() would. */
guint64 maxgl_objective_predict_bytes(MaxglContext *context, const MaxglObjectiveOptions *options,
                                      MaxglNetwork *network, GError **error);

/** Bytes on the device that the heads hold (parameters not included). */
guint64 maxgl_objective_bytes(const MaxglObjective *objective);

#endif
