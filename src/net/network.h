/* A network prepared for one batch size on one device: memory planned, kernels built, passes ready to run. */
#ifndef MAXGL_NET_NETWORK_H
#define MAXGL_NET_NETWORK_H

#include "compute/sequence.h"
#include "net/parameters.h"
#include "net/precision.h"

typedef enum {
    MAXGL_NETWORK_INFERENCE, /**< forward only; batch norm by running statistics, folded into convolutions */
    MAXGL_NETWORK_TRAINING,  /**< forward with batch statistics (updating the running ones) and backward */
} MaxglNetworkMode;

/** What training computes again in the backward pass rather than keep it since the forward pass. Results are
 * the same to the bit. What batch norm makes is normalised again in any case. */
typedef enum {
    MAXGL_RECOMPUTE_NONE,   /**< no convolution but strided shortcuts */
    MAXGL_RECOMPUTE_BLOCKS, /**< the stem, and all inside of a residual block from its input: less memory,
                               about a third more time */
} MaxglRecompute;

/** What memory of the device is for. */
typedef enum {
    MAXGL_MEMORY_ACTIVATIONS, /**< clips, outputs of layers and what else forward leaves for backward */
    MAXGL_MEMORY_GRADIENTS,   /**< of activations */
    MAXGL_MEMORY_WORKSPACE,   /**< scratch memory of operators */
} MaxglMemoryUse;
#define MAXGL_MEMORY_USES 3

typedef struct MaxglNetwork MaxglNetwork;

/** How a network is to be run. */
typedef struct {
    MaxglNetworkMode mode;
    int batch; /**< clips at once, at least 1 */
    /** Taps wanted ("layer3", "pool", "fc", …; see MaxglActivation), NULL-terminated, at least one. Their
     * tensors keep their values until the next forward pass. Layers that no output needs are left out. */
    const char *const *outputs;
    guint64 seed;             /**< of dropout's random numbers, in training */
    MaxglRecompute recompute; /**< in training */
    int at_once; /**< training: clips that go through the network at once, a divisor of batch; 0 = all.
                    Fewer take less memory. The forward pass goes through part after part; the backward
                    pass computes each part again and sums the gradients. That is the same as the whole
                    batch but for batch norm, which sees the statistics of a part, and updates the
                    running ones with each */
    int frozen;  /**< training: so many layers, from the first on, learn nothing. Their weights and running
                    statistics stay, batch norm among them normalises by these as in inference, and the
                    backward pass ends behind them: gradients of their parameters are not written */
    gboolean
        exact; /**< no algorithm whose rounding errors exceed direct summation's (see ops/conv3d.h); slower */
    /** Training, for a batch of which other networks compute the rest: so many more clips have room in the
     * input, and so many in each output and its gradient, behind those of @batch. Neither pass touches them.
     */
    int more_inputs, more_outputs;
    int first_part; /**< parts (see @at_once) that other networks go through before this one's first: they
                       have other random numbers */
    MaxglPrecision precision;
} MaxglNetworkOptions;

/**
 * Prepares @resnet on @context.
 * @parameters: allocated, with everything maxgl_resnet_declare() declares (and gradients, for training); must
 * outlive the network.
 * Errors: MAXGL_ERROR_LIMIT with need and limit, MAXGL_ERROR_USAGE, MAXGL_ERROR_DEVICE.
 */
MaxglNetwork *maxgl_network_new(MaxglContext *context, const MaxglResnet *resnet,
                                const MaxglNetworkOptions *options, MaxglParameters *parameters,
                                GError **error);
void maxgl_network_free(MaxglNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglNetwork, maxgl_network_free)

/** Bytes on the device that maxgl_network_new() with the same arguments will allocate (parameters not
 * included); 0 with @error set if it would fail. */
guint64 maxgl_network_predict_bytes(MaxglContext *context, const MaxglResnet *resnet,
                                    const MaxglNetworkOptions *options, GError **error);

/** Bytes that the network holds. */
guint64 maxgl_network_bytes(const MaxglNetwork *network);
int maxgl_network_batch(const MaxglNetwork *network);
MaxglNetworkMode maxgl_network_mode(const MaxglNetwork *network);
const MaxglResnet *maxgl_network_resnet(const MaxglNetwork *network);

/** Where the batch of normalised clips goes before the forward pass: batch × 3 × T × H × W, and more_inputs
 * behind it. */
const MaxglTensor *maxgl_network_input(const MaxglNetwork *network);

/** One of the outputs asked for, NULL if it is none: of the batch, and more_outputs behind it. "pool" and
 * "fc" are matrices (T = H = W = 1). */
const MaxglTensor *maxgl_network_output(const MaxglNetwork *network, const char *tap);

/** Training: where the loss's gradient with respect to an output goes before the backward pass, of the
 * output's shape. Every output's must be written each time (zeros where there is none): backward() overwrites
 * them. */
const MaxglTensor *maxgl_network_output_gradient(const MaxglNetwork *network, const char *tap);

/** The passes. Run forward, fill the output gradients, run backward: that overwrites the gradients of all
 * parameters used. Nothing waits or allocates. @backward is NULL in inference. */
MaxglSequence *maxgl_network_forward(const MaxglNetwork *network);
MaxglSequence *maxgl_network_backward(const MaxglNetwork *network);

/** Inference: takes over the parameters as they are now (folds batch norm anew). Needed after every change of
 * them; done once by maxgl_network_new(). Nothing in training mode. */
gboolean maxgl_network_refresh(MaxglNetwork *network, GError **error);

/** Training with dropout: the next forward and backward pass use the random numbers of (seed, @step). Does
 * not wait. Nothing without dropout. */
gboolean maxgl_network_set_step(MaxglNetwork *network, guint32 step, GError **error);

#endif
