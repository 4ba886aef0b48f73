/* Inside of a network: shared by its planning (network_plan.c), its folding (network_fold.c), its passes
 * (network_passes.c) and its face (network.c). */
#ifndef MAXGL_NET_NETWORK_PRIVATE_H
#define MAXGL_NET_NETWORK_PRIVATE_H

#include "net/memory_plan.h"
#include "net/network.h"
#include "ops/batch_norm.h"
#include "ops/dropout.h"
#include "ops/pool.h"
#include "ops/subsample.h"

#define MAXGL_BATCH_NORM_EPS 1e-5F
#define MAXGL_BATCH_NORM_MOMENTUM 0.1F

enum { NO_BLOCK = -1 };

/** What was decided for a layer. */
typedef struct {
    gboolean active;     /**< some output needs it */
    int folded_into;     /**< inference: the batch norm that this convolution runs as part of, −1 = none */
    int folded;          /**< inference: the convolution that this batch norm runs with, −1 = none */
    int kept;            /**< training: block with batch norm's statistics or max-pool's taps */
    int weights, bias;   /**< inference: folded ones, blocks of the plan of weights */
    gboolean prepared;   /**< inference: the weights are in the form that the convolution's algorithm wants */
    gboolean accumulate; /**< backward adds to the gradient of its input … */
    gboolean accumulate_residual; /**< … and of its residual */
} MaxglLayerPlan;

struct MaxglNetwork {
    MaxglContext *context;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetworkMode mode;
    int batch;
    guint64 seed;
    gboolean exact;
    gboolean *is_output;                           /**< by tensor */
    MaxglLayerPlan *layers;                        /**< by layer */
    int *values, *gradients;                       /**< by tensor: blocks of the plan */
    MaxglTensor *value_tensors, *gradient_tensors; /**< by tensor; no buffer where there is none */
    MaxglMemoryPlan *plan, *weights_plan;
    int workspace_block, step_block;
    gsize workspace_bytes;
    MaxglSequence *forward, *backward;
};

/** Shape of a tensor for the whole batch. */
MaxglShape maxgl_network_shape(const MaxglNetwork *network, int tensor);

/** The operators' specs of a layer. */
MaxglConv3d maxgl_network_conv3d(const MaxglNetwork *network, int layer);
MaxglBatchNorm maxgl_network_batch_norm(const MaxglNetwork *network, int layer);
MaxglMaxPool maxgl_network_max_pool(const MaxglNetwork *network, int layer);
MaxglAveragePool maxgl_network_global_pool(const MaxglNetwork *network, int layer);
MaxglSubsample maxgl_network_subsample(const MaxglNetwork *network, int layer);
MaxglLinear maxgl_network_linear(const MaxglNetwork *network, int layer);
MaxglDropout maxgl_network_dropout(const MaxglNetwork *network, int layer);

/** Decides which layers run, what lives when, and where everything lies. Allocates nothing on the device. */
gboolean maxgl_network_plan(MaxglNetwork *network, const char *const *outputs, GError **error);

/** The parameter "LAYER.WHAT", its index or −1 with MAXGL_ERROR_USAGE. */
int maxgl_network_parameter(const MaxglNetwork *network, int layer, const char *what, GError **error);

/** Its window. */
cl_mem maxgl_network_value(const MaxglNetwork *network, int layer, const char *what, GError **error);

/** Writes the folded weights and biases of all convolutions. */
gboolean maxgl_network_fold(MaxglNetwork *network, GError **error);

/** Append the passes. */
gboolean maxgl_network_build_forward(MaxglNetwork *network, GError **error);
gboolean maxgl_network_build_backward(MaxglNetwork *network, GError **error);

#endif
