/* Models in safetensors files, under the names of the published codes. */
#ifndef MAXGL_NET_WEIGHTS_H
#define MAXGL_NET_WEIGHTS_H

#include "base/safetensors.h"
#include "net/parameters.h"
#include <maxgl/embedder.h>

/** What a file says, or lets us infer, about its model. */
typedef struct {
    MaxglResnetSpec spec;
    gboolean spec_inferred; /**< from names and shapes, there being no metadata of ours */
    MaxglNaming naming;
    char *prefix; /**< in front of each name: "", "module.", "state_dict.module.", … */
    MaxglPreprocessing preprocessing;
    int frame_stride; /**< source frames from one of a clip's frames to the next */
    char **classes;   /**< names of fc's outputs, as many as spec.classes; NULL: not known */
    char *label;      /**< the label column that these are of; NULL: not known */
    char *recipe;     /**< text of the training recipe, or NULL */
    char *seed;       /**< or NULL */
    char *version;    /**< of the program that wrote it, or NULL */
    char *
        averaged; /**< the weights are moving averages with this decay; NULL: they are what was learnt last */
} MaxglModelInfo;

/** Info of a network made now: preprocessing of its family, stride 2. */
MaxglModelInfo *maxgl_model_info_new(const MaxglResnetSpec *spec);
void maxgl_model_info_free(MaxglModelInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglModelInfo, maxgl_model_info_free)

/** The preprocessing that the family's code tests with, for clips of @height × @width pixels: torchvision
 * resizes to 128×171 for 112×112 (in proportion for other sizes), hara the shorter side to the clip's, VCOP
 * as torchvision but without mean and deviation. */
void maxgl_preprocessing_init(MaxglPreprocessing *preprocessing, MaxglFamily family, int height, int width);

/**
 * Reads what @path says. Without metadata of ours the naming is recognised, any prefix in front of the names
 * found, and family, depth, shortcut, width and classes inferred from names and shapes; the clip is then
 * 3×16×112×112 and the preprocessing the family's. MAXGL_ERROR_FORMAT with the reason (a pickled .pth file is
 * told how to convert it).
 */
MaxglModelInfo *maxgl_model_info_read(const char *path, GError **error);

/** The same of an open file. */
MaxglModelInfo *maxgl_model_info_of(const MaxglSafetensors *file, GError **error);

/** Adds @info to the metadata of a file being written. */
void maxgl_model_info_write(const MaxglModelInfo *info, MaxglSafetensorsWriter *writer);

typedef struct {
    gboolean allow_other_head; /**< fc missing or of another size: keep what fc has, and say so */
    gboolean backbone_only;    /**< ignore fc and heads of the file */
} MaxglWeightsOptions;

/**
 * Loads @path into those of @parameters that belong to @resnet, and those of heads ("head.*") that both have.
 * Everything is checked first; if anything is wrong, nothing is changed and one MAXGL_ERROR_FORMAT message
 * names every missing, unexpected and misshapen tensor. num_batches_tracked is ignored.
 * @options: NULL = strict. @notes: (out, optional, caller frees) what was recognised and left out, in one
 * line.
 */
gboolean maxgl_weights_load(const char *path, const MaxglResnet *resnet, MaxglParameters *parameters,
                            const MaxglWeightsOptions *options, char **notes, GError **error);

/** The same from an open file, @info being what maxgl_model_info_of() says of it. */
gboolean maxgl_weights_load_from(const MaxglSafetensors *file, const MaxglModelInfo *info,
                                 const MaxglResnet *resnet, MaxglParameters *parameters,
                                 const MaxglWeightsOptions *options, char **notes, GError **error);

/**
 * Writes all of @parameters (with heads if @heads) under @info's naming, with @info as metadata.
 * @batches_tracked: training steps so far, for num_batches_tracked. Atomic; the same parameters give the same
 * bytes.
 */
gboolean maxgl_weights_save(const char *path, const MaxglResnet *resnet, const MaxglParameters *parameters,
                            const MaxglModelInfo *info, gint64 batches_tracked, gboolean heads,
                            GError **error);

/**
 * The same into a file being put together (such as a training state, which has more in it), without metadata.
 * @batches_tracked and what is added to @arrays (with g_free as its free function) must stay until the file
 * is written.
 */
gboolean maxgl_weights_add(MaxglSafetensorsWriter *writer, const MaxglResnet *resnet,
                           const MaxglParameters *parameters, MaxglNaming naming,
                           const gint64 *batches_tracked, gboolean heads, GPtrArray *arrays, GError **error);

#endif
