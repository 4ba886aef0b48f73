/* 3D ResNets as a list of layers: what is computed from what, with shapes, parameter names and counts. Pure
 * description, no device. */
#ifndef MAXGL_NET_RESNET3D_H
#define MAXGL_NET_RESNET3D_H

#include <glib.h>

/** Published shapes of the network. Each has its stem and its names of parameters. */
typedef enum {
    MAXGL_FAMILY_HARA,        /**< 3D-ResNets-PyTorch: 7×7×7 stem, max-pool; depth 10, 18, 34 or 50 */
    MAXGL_FAMILY_TORCHVISION, /**< torchvision's r3d_18: 3×7×7 stem, no pool; depth 18 */
    MAXGL_FAMILY_VCOP, /**< R3D of the VCOP code: the 3×7×7 stem and one basic block a stage (depth 10) */
} MaxglFamily;

/** Which of the published codes' names parameters have in a file. */
typedef enum { MAXGL_NAMING_HARA, MAXGL_NAMING_TORCHVISION, MAXGL_NAMING_VCOP } MaxglNaming;
#define MAXGL_NAMINGS 3

/** What is built. Fill with maxgl_resnet_spec_parse() or maxgl_resnet_spec_init(), then change. */
typedef struct {
    MaxglFamily family;
    int depth;       /**< 10, 18, 34 (basic blocks) or 50 (bottlenecks, ×4 channels) */
    char shortcut;   /**< 'B': 1×1×1 convolution and batch norm; 'A': subsampling and zero channels */
    double width;    /**< channels are ⌊64·width⌋, ⌊128·width⌋, …; 1/64 … 8 */
    int classes;     /**< outputs of fc; 0 = no fc */
    double dropout;  /**< probability of zeroing a feature before fc, 0 … below 1 */
    int in_channels; /**< 3 */
    int frames, height, columns; /**< clip size: frames, rows, columns of pixels */
} MaxglResnetSpec;

/** The smallest height and width of a clip. Nothing in the arithmetic forbids less, but all stages behind the
 * stem would see one pixel (our choice). */
#define MAXGL_RESNET_MIN_PIXELS 8

/** hara-r3d18, 3×16×112×112, no classes, no dropout. */
void maxgl_resnet_spec_init(MaxglResnetSpec *spec);

/**
 * Sets family, depth, shortcut and width of @spec from a name: hara-r3d10, -r3d18, -r3d34, -r3d50 (each also
 * with -a for shortcut A), r3d_18, r3d-vcop, followed by @WIDTH for a width multiplier ("hara-r3d18@0.25").
 * MAXGL_ERROR_USAGE with the nearest name and all names.
 */
gboolean maxgl_resnet_spec_parse(MaxglResnetSpec *spec, const char *name, GError **error);

/** The name that maxgl_resnet_spec_parse() reads back; caller frees. */
char *maxgl_resnet_spec_name(const MaxglResnetSpec *spec);

/** MAXGL_ERROR_USAGE if a number is out of range, the clip too small or there is no such network. */
gboolean maxgl_resnet_spec_validate(const MaxglResnetSpec *spec, GError **error);

/** All names, NULL-terminated; static. */
const char *const *maxgl_resnet_names(void);

/** "hara", "torchvision", "vcop". */
const char *maxgl_naming_name(MaxglNaming naming);

/** The naming called @name; MAXGL_ERROR_USAGE listing all. */
gboolean maxgl_naming_parse(const char *name, MaxglNaming *naming, GError **error);

/** A family's own naming. */
MaxglNaming maxgl_family_naming(MaxglFamily family);

typedef enum {
    MAXGL_LAYER_CONV3D,      /**< weight; no bias */
    MAXGL_LAYER_BATCH_NORM,  /**< weight, bias, running_mean, running_var; y = relu?(bn(x) + residual?) */
    MAXGL_LAYER_MAX_POOL,    /**< padding counts as −∞ */
    MAXGL_LAYER_SHORTCUT_A,  /**< every stride-th pixel, channels past the input's are zero */
    MAXGL_LAYER_GLOBAL_POOL, /**< mean over time and space */
    MAXGL_LAYER_DROPOUT,
    MAXGL_LAYER_LINEAR, /**< weight, bias */
} MaxglLayerKind;

/** Size of a tensor for one clip: channels, time, height, width. */
typedef struct {
    int c, t, h, w;
} MaxglMap;

/** One step of the computation. Tensors are numbered; each is the output of one layer, 0 is the clip. */
typedef struct {
    MaxglLayerKind kind;
    char *name;                       /**< "layer1.0.conv1": hara's name of the module */
    char *prefix[MAXGL_NAMINGS];      /**< of its parameters in files, by naming; NULL if it has none */
    int input, output;                /**< tensors */
    int residual;                     /**< tensor added by a batch norm, −1 = none */
    gboolean relu;                    /**< batch norm: followed by ReLU */
    int kernel[3], stride[3], pad[3]; /**< time, height, width; convolution, max-pool, shortcut A */
    double rate;                      /**< dropout */
} MaxglLayer;

/** What a layer reads and writes. */
typedef struct {
    MaxglMap map;
    char *tap; /**< name by which it is asked for: "stem", "layer1" … "layer4", "pool", "fc"; else NULL */
    int producer; /**< layer, −1 for the clip */
} MaxglActivation;

/** A network for one clip size. */
typedef struct {
    MaxglResnetSpec spec;
    MaxglLayer *layers;
    int n_layers;
    MaxglActivation *tensors;
    int n_tensors;
} MaxglResnet;

/** The layers of @spec. MAXGL_ERROR_USAGE if its numbers are out of range or the clip is too small. */
MaxglResnet *maxgl_resnet_new(const MaxglResnetSpec *spec, GError **error);
void maxgl_resnet_free(MaxglResnet *resnet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglResnet, maxgl_resnet_free)

/** The tensor that @tap names, −1 if there is none. */
int maxgl_resnet_tap(const MaxglResnet *resnet, const char *tap);

/** The same with MAXGL_ERROR_USAGE listing what exists. */
int maxgl_resnet_require_tap(const MaxglResnet *resnet, const char *tap, GError **error);

/** The first layer of @stage, "layer1" … "layer4" or "fc"; −1 if there is none. */
int maxgl_resnet_stage(const MaxglResnet *resnet, const char *stage);

/** Channels of "pool": the length of a feature vector. */
int maxgl_resnet_features(const MaxglResnet *resnet);

/** Learnt numbers of one layer or of all (batch norm's running statistics do not count, as in PyTorch). */
gint64 maxgl_layer_parameters(const MaxglResnet *resnet, int layer);
gint64 maxgl_resnet_parameters(const MaxglResnet *resnet);

/** One tensor of a layer; in a file it is called PREFIX.WHAT. */
typedef struct {
    const char *what; /**< "weight", "bias", "running_mean", "running_var" */
    int rank;
    gint64 shape[5]; /**< in PyTorch's order */
    gboolean learnt; /**< not a running statistic */
} MaxglLayerTensor;
#define MAXGL_LAYER_TENSORS 4

/** Describes the tensors of a layer. Returns: how many it has, 0 for a layer that learns nothing. */
int maxgl_layer_tensors(const MaxglResnet *resnet, int layer, MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS]);

/** Multiply-adds for one clip by the direct method: convolutions and fc. */
double maxgl_layer_macs(const MaxglResnet *resnet, int layer);
double maxgl_resnet_macs(const MaxglResnet *resnet);

/** "convolution 3×3×3 /2,2,2": what a layer does; caller frees. */
char *maxgl_layer_text(const MaxglLayer *layer);

/** A table for people: layer, kernel, output map, parameters, multiply-adds by the billion, and the sums;
 * caller frees. */
char *maxgl_resnet_table(const MaxglResnet *resnet);

#endif
