/* Inside of a network: shared by its layers as operators see them (network_layers.c), its planning
 * (network_plan.c), its folding (network_fold.c), its passes (network_passes.c) and its face (network.c). */
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
    gboolean active; /**< some output needs it */
    int folded_into; /**< inference: the batch norm that this convolution runs as part of, −1 = none */
    int folded;      /**< inference: the convolution that this batch norm runs with, −1 = none */
    int kept;        /**< training: block with batch norm's statistics or max-pool's taps */
    int statistics;  /**< training: block with partial statistics that a convolution leaves this batch norm */
    int weights, bias; /**< inference: folded ones, blocks of the plan of weights */
    gboolean prepared; /**< inference: the weights are in the form that the convolution's algorithm wants */
} MaxglLayerPlan;

typedef enum {
    MAXGL_STEP_FORWARD,
    MAXGL_STEP_LOSS,             /**< the caller's: takes outputs, gives their gradients */
    MAXGL_STEP_AGAIN,            /**< an output is computed once more from what forward left: the same bits */
    MAXGL_STEP_BACKWARD_WEIGHTS, /**< of convolutions and fc */
    MAXGL_STEP_BACKWARD,         /**< gradient of the input; of batch norm all gradients */
} MaxglStepKind;

/** A layer's turn in a pass, and where its operands lie: blocks of the plan, NO_BLOCK where it has none. */
typedef struct {
    MaxglStepKind kind;
    int layer;
    int x, residual, y;     /**< input, what batch norm adds, output */
    int dx, d_residual, dy; /**< their gradients; some share a block */
    int kept, workspace;    /**< see MaxglLayerPlan; scratch memory */
    int statistics;         /**< see MaxglLayerPlan: a convolution writes them, its batch norm reads them */
    int dw, db;             /**< of a batch in parts: gradients of the layer's weight and bias, of one part */
    gboolean accumulate;    /**< add to dx … */
    gboolean accumulate_residual; /**< … and to d_residual rather than overwrite them */
} MaxglStep;

struct MaxglNetwork {
    MaxglContext *context;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetworkMode mode;
    int batch, at_once, parts; /**< clips; clips that go through the network at once; batch / at_once */
    int more_inputs, more_outputs, first_part; /**< see MaxglNetworkOptions */
    int frozen;                                /**< layers from the first on that learn nothing */
    guint64 seed;
    gboolean exact;
    MaxglPrecision precision;
    MaxglRecompute recompute;
    gboolean *is_output;                           /**< by tensor */
    MaxglLayerPlan *layers;                        /**< by layer */
    int *values, *gradients;                       /**< by tensor: its block after the latest step planned */
    MaxglTensor *value_tensors, *gradient_tensors; /**< by tensor; the input and outputs have a buffer */
    GArray *steps;                                 /**< MaxglStep, in their order */
    GArray *uses;                                  /**< MaxglMemoryUse, by block of the plan */
    MaxglMemoryPlan *plan, *weights_plan;
    int fold_block, step_block;
    int *whole_values, *whole_gradients; /**< by tensor: blocks of what the caller sees, where that is not
                                            what the network works with, as maxgl_network_is_apart() says */
    int part;                            /**< whose steps are being appended */
    MaxglSequence *forward, *backward;
};

/** Shape of a tensor for what goes through the network at once, as it is stored inside. */
MaxglShape maxgl_network_shape(const MaxglNetwork *network, int tensor);

/** Shape of the input or an output as the caller sees it: floats, of the whole batch, with room for what
 * others write. */
MaxglShape maxgl_network_held_shape(const MaxglNetwork *network, int tensor);

/** Whether the caller sees a tensor, the input or an output, in memory of its own: the whole of a batch in
 * parts, or floats for what is stored otherwise inside. */
gboolean maxgl_network_is_apart(const MaxglNetwork *network, int tensor);

/** Whether @layer leaves something for the backward pass and changes with it. */
gboolean maxgl_network_learns(const MaxglNetwork *network, int layer);

/** The operators' specs of a layer. */
MaxglConv3d maxgl_network_conv3d(const MaxglNetwork *network, int layer);
MaxglBatchNorm maxgl_network_batch_norm(const MaxglNetwork *network, int layer);
MaxglMaxPool maxgl_network_max_pool(const MaxglNetwork *network, int layer);
MaxglAveragePool maxgl_network_global_pool(const MaxglNetwork *network, int layer);
MaxglSubsample maxgl_network_subsample(const MaxglNetwork *network, int layer);
MaxglLinear maxgl_network_linear(const MaxglNetwork *network, int layer);
MaxglDropout maxgl_network_dropout(const MaxglNetwork *network, int layer);

/** Floats of a layer's weight and bias on the device; 0: it has none. */
void maxgl_network_parameter_floats(const MaxglNetwork *network, int layer, gsize *weight, gsize *bias);

/** Bytes of scratch memory that @step wants. */
gsize maxgl_network_workspace(const MaxglNetwork *network, const MaxglStep *step);

/** Decides which layers run, in which steps, what lives when, and where everything lies. Allocates nothing on
 * the device. */
gboolean maxgl_network_plan(MaxglNetwork *network, const char *const *outputs, GError **error);

/** The parameter "LAYER.WHAT", its index or −1 with MAXGL_ERROR_USAGE. */
int maxgl_network_parameter(const MaxglNetwork *network, int layer, const char *what, GError **error);

/** Its window. */
cl_mem maxgl_network_value(const MaxglNetwork *network, int layer, const char *what, GError **error);

/** Writes the folded weights and biases of all convolutions. */
gboolean maxgl_network_fold(MaxglNetwork *network, GError **error);

/** Appends all steps to the passes. */
gboolean maxgl_network_build(MaxglNetwork *network, GError **error);

#endif
