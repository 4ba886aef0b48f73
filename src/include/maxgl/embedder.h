/* A trained network as a function from clips to feature vectors. */
#ifndef MAXGL_EMBEDDER_H
#define MAXGL_EMBEDDER_H

#include <glib.h>
#include <maxgl/frames.h>
#include <maxgl/visibility.h>

G_BEGIN_DECLS

/** How frames become a network's input: scaled to 0 … 1, resized, cropped at the centre, (x − mean) / std. */
typedef struct {
    int resize_width, resize_height; /**< pixels the whole picture is resized to. Width 0: its shorter side
                                        becomes resize_height and its shape stays; both 0: no resizing */
    int crop_width, crop_height;     /**< the network's input, pixels */
    float mean[3], std[3];           /**< of R, G, B in 0 … 1 */
    gboolean antialias;              /**< average when shrinking, rather than sample (bilinear) */
} MaxglPreprocessing;

/** What an open model is. Strings belong to the embedder. */
typedef struct {
    const char *model;  /**< "hara-r3d18@0.25" */
    const char *device; /**< name of the OpenCL device */
    int batch;          /**< clips computed at once */
    int frames;         /**< of a clip */
    int height, width;  /**< of a clip, pixels */
    int features;       /**< length of a feature vector */
    int frame_stride;   /**< source frames from one of a clip's frames to the next, as in training */
    MaxglPreprocessing preprocessing;
    const char *const *layers; /**< that features are of, one after the other; NULL-terminated */
    const int *layer_features; /**< length of each one's part of a feature vector */
} MaxglEmbedderInfo;

/** An open model. One thread at a time may use an embedder; different embedders are independent of each
 * other. */
typedef struct MaxglEmbedder MaxglEmbedder;

/**
 * Opens the safetensors file @model on @device (as maxgl_device_choose(); NULL = MAXGL_DEVICE or auto) to
 * compute
 * @batch clips at once. Builds kernels if they are not in the cache: may take seconds.
 * @error: MAXGL_ERROR_NOT_FOUND, _FORMAT, _DEVICE, _LIMIT, _USAGE.
 * Returns: (transfer full) the embedder, NULL on error.
 */
MAXGL_API MaxglEmbedder *maxgl_embedder_open(const char *model, const char *device, int batch,
                                             GError **error);
MAXGL_API void maxgl_embedder_close(MaxglEmbedder *embedder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglEmbedder, maxgl_embedder_close)

/** How a model is opened beyond what it says itself. */
typedef struct {
    const char *device; /**< as maxgl_device_choose(); NULL = MAXGL_DEVICE or auto */
    int batch;          /**< clips computed at once, at least 1 */
    gboolean exact; /**< only algorithms that round no more than direct summation does: slower, and features
                       differ in the last digits. A model trained either way may be opened either way */
    /** What features are of, NULL-terminated: "stem", "layer1" … "layer4", each the mean over time and space
     * of its output, and "pool", which is the mean of layer4. A feature vector has them one after the other.
     * NULL: "pool" alone. */
    const char *const *layers;
    /** What the network computes with: "fp32", "tf32", "fp16" or "bf16"; NULL = "fp32". The 16-bit ones take
     * half the memory, and features differ in the third digit. A model trained with any may be opened with
     * any. */
    const char *precision;
} MaxglEmbedderOptions;

/** maxgl_embedder_open() with all @options. */
MAXGL_API MaxglEmbedder *maxgl_embedder_open_with(const char *model, const MaxglEmbedderOptions *options,
                                                  GError **error);

/** Valid while @embedder is open. */
MAXGL_API const MaxglEmbedderInfo *maxgl_embedder_info(const MaxglEmbedder *embedder);

/**
 * Features of @n clips, any number. @clips: n × 3 × frames × height × width floats, normalised already, in
 * that order. @features: n × info->features floats, written. Waits for the device.
 */
MAXGL_API gboolean maxgl_embedder_run(MaxglEmbedder *embedder, const float *clips, gsize n, float *features,
                                      GError **error);

/** One clip of decoded frames. */
typedef struct {
    const guint8 *const *frames; /**< info->frames pointers to frames of @layout.frame_bytes */
    MaxglFrameLayout layout;
    const MaxglClipView *view; /**< what part of them; NULL = the centre, as the preprocessing says */
} MaxglEmbedderClip;

/** Features of @n clips of decoded frames, any number, prepared on the device as the model's preprocessing
 * says. The frames may be given back when this returns. @features: n × info->features floats, written. */
MAXGL_API gboolean maxgl_embedder_run_frames(MaxglEmbedder *embedder, const MaxglEmbedderClip *clips, gsize n,
                                             float *features, GError **error);

/** The centre view of frames of @width × @height pixels under @preprocessing. */
MAXGL_API void maxgl_preprocessing_center_view(const MaxglPreprocessing *preprocessing, int width, int height,
                                               MaxglClipView *view);

/** Divides each of @n vectors of @length floats by its Euclidean length (zero vectors stay zero). */
MAXGL_API void maxgl_features_normalize(float *features, gsize n, int length);

G_END_DECLS

#endif
