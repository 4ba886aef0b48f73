/* All learnt numbers of a network and its heads, by name, in one flat buffer on the device.
 *
 * Declare first (maxgl_resnet_declare(), maxgl_objective_declare()), allocate once, then initialise or load.
 * Gradients, and whatever an optimiser keeps, are flat buffers of the same layout, so that one launch updates
 * everything. Those that weight decay applies to (weights of convolutions and linear layers) come first.
 * Running statistics of batch norm have a buffer of their own. */
#ifndef MAXGL_NET_PARAMETERS_H
#define MAXGL_NET_PARAMETERS_H

#include "net/resnet3d.h"
#include "ops/conv3d.h"
#include "ops/linear.h"

/** How a parameter lies on the device. */
typedef enum {
    MAXGL_PARAMETER_CONV3D, /**< as ops/conv3d.h says; shape K, C, KT, KH, KW */
    MAXGL_PARAMETER_LINEAR, /**< as ops/linear.h says; shape out, in */
    MAXGL_PARAMETER_VECTOR, /**< one number a channel, padded to whole blocks with zeros */
} MaxglParameterKind;

typedef enum {
    MAXGL_PARAMETER_DECAYED,   /**< learnt, weight decay applies */
    MAXGL_PARAMETER_UNDECAYED, /**< learnt; biases, scales and shifts */
    MAXGL_PARAMETER_STATISTIC, /**< running mean or variance */
} MaxglParameterGroup;

/** How a parameter starts. */
typedef struct {
    enum { MAXGL_INIT_CONSTANT, MAXGL_INIT_NORMAL, MAXGL_INIT_UNIFORM } kind;
    double value; /**< the constant; the standard deviation about 0; the bound: uniform in ±value */
} MaxglInit;

/** One parameter. */
typedef struct {
    char *name; /**< "layer1.0.conv1.weight" (hara's names), "head.global.…" */
    MaxglParameterKind kind;
    MaxglParameterGroup group;
    MaxglInit init;
    int rank;
    gint64 shape[5];    /**< in PyTorch's order */
    gint64 count;       /**< product of the shape */
    MaxglConv3d conv;   /**< its packing, if it is a convolution's */
    MaxglLinear linear; /**< or a linear layer's */
    gsize floats;       /**< on the device */
    gsize offset;       /**< floats, into the flat buffer of its group */
    cl_mem value;       /**< window, once allocated */
    cl_mem gradient;    /**< window; NULL for statistics and without gradients */
} MaxglParameter;

typedef struct MaxglParameters MaxglParameters;

/** An empty registry for @context, which must outlive it. */
MaxglParameters *maxgl_parameters_new(MaxglContext *context);
void maxgl_parameters_free(MaxglParameters *parameters);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglParameters, maxgl_parameters_free)

MaxglContext *maxgl_parameters_context(const MaxglParameters *parameters);

/** Channels in a block of activations and of input clips on this device (tuning: layout). */
int maxgl_layout_block(MaxglContext *context);
int maxgl_layout_input_block(MaxglContext *context);

/** Declares a parameter under a new name. Returns: its index. Only before maxgl_parameters_allocate(). */
int maxgl_parameters_add_conv3d(MaxglParameters *parameters, const char *name, const MaxglConv3d *conv,
                                MaxglInit init);
int maxgl_parameters_add_linear(MaxglParameters *parameters, const char *name, int in, int out,
                                MaxglInit init);
int maxgl_parameters_add_vector(MaxglParameters *parameters, const char *name, int channels,
                                MaxglParameterGroup group, MaxglInit init);

/** Declares every parameter of @resnet. */
void maxgl_resnet_declare(const MaxglResnet *resnet, MaxglParameters *parameters);

/** Gives every parameter its place in the flat buffers, whose sizes are known then. Declare nothing after it.
 */
void maxgl_parameters_place(MaxglParameters *parameters);

/** Places if that has not been done, then allocates the flat buffers, zeroed; with @gradients also that of
 * the gradients. MAXGL_ERROR_LIMIT or _DEVICE. */
gboolean maxgl_parameters_allocate(MaxglParameters *parameters, gboolean gradients, GError **error);

/** Draws every parameter anew as its declaration says, element by element in PyTorch's order, from the stream
 * (seed, MAXGL_RANDOM_WEIGHTS, 0, hash of the name): the same name starts the same in any network and on any
 * device. */
gboolean maxgl_parameters_initialise(MaxglParameters *parameters, guint64 seed, GError **error);

/** What maxgl_parameters_initialise() gives the @count elements of a parameter called @name. Needs no device.
 */
void maxgl_parameter_draw(MaxglInit init, guint64 seed, const char *name, gint64 count, float *out);

/** How fc's weights, or its biases, start: torchvision draws them from a normal distribution and zero, hara
 * and VCOP leave PyTorch's default of Linear. */
MaxglInit maxgl_fc_init(const MaxglResnet *resnet, gboolean weights);

guint maxgl_parameters_count(const MaxglParameters *parameters);
const MaxglParameter *maxgl_parameters_get(const MaxglParameters *parameters, guint index);
/** Floats into the flat buffer at which the place of a parameter ends, padding included. */
gsize maxgl_parameters_end(const MaxglParameters *parameters, guint index);
/** Index of @name, −1 if there is none. */
int maxgl_parameters_find(const MaxglParameters *parameters, const char *name);

/** The flat buffers. Learnt values: floats [0, decayed) are decayed, [decayed, learnt) are not. */
cl_mem maxgl_parameters_values(const MaxglParameters *parameters);
cl_mem maxgl_parameters_gradients(const MaxglParameters *parameters); /**< or NULL */
cl_mem maxgl_parameters_statistics(const MaxglParameters *parameters);
gsize maxgl_parameters_decayed_floats(const MaxglParameters *parameters);
gsize maxgl_parameters_learnt_floats(const MaxglParameters *parameters);
gsize maxgl_parameters_statistics_floats(const MaxglParameters *parameters);

/** Whether flat buffers of @a and @b, which declare the same parameters, have every number in the same place.
 */
gboolean maxgl_parameters_alike(const MaxglParameters *a, const MaxglParameters *b);

/** Copies flat host memory @flat, in the order of @from, to @converted in that of @to: the learnt values,
 * gradients and the like, or the @statistics. Both are placed and declare the same parameters; padding
 * between parameters is left as it is. */
void maxgl_parameters_convert(const MaxglParameters *from, const float *flat, const MaxglParameters *to,
                              float *converted, gboolean statistics);

/** Reads or writes one parameter's @count floats in PyTorch's order, and waits. */
gboolean maxgl_parameters_read(const MaxglParameters *parameters, guint index, float *plain, GError **error);
gboolean maxgl_parameters_write(MaxglParameters *parameters, guint index, const float *plain, GError **error);

/** The same for the part that belongs to a learnt parameter in another flat buffer of the same layout
 * (gradients, momentum, Adam's moments). */
gboolean maxgl_parameters_read_from(const MaxglParameters *parameters, cl_mem flat, guint index, float *plain,
                                    GError **error);
gboolean maxgl_parameters_write_to(const MaxglParameters *parameters, cl_mem flat, guint index,
                                   const float *plain, GError **error);

#endif
