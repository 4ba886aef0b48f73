/* Models in safetensors files, under the names of the published codes. */
#ifndef MAXGL_NET_WEIGHTS_H
#define MAXGL_NET_WEIGHTS_H

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
    char *recipe;     /**< text of the training recipe, or NULL */
    char *seed;       /**< or NULL */
    char *version;    /**< of the program that wrote it, or NULL */
} MaxglModelInfo;

/** Info of a network made now: preprocessing of its family, stride 2. */
MaxglModelInfo *maxgl_model_info_new(const MaxglResnetSpec *spec);
void maxgl_model_info_free(MaxglModelInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglModelInfo, maxgl_model_info_free)

/** The family's published preprocessing: resize 128×171 (scaled with another clip size than 112), mean,
 * deviation.
 */
void maxgl_preprocessing_init(MaxglPreprocessing *preprocessing, MaxglFamily family, int height, int width);

/**
 * Reads what @path says. Without metadata of ours the naming is recognised, any prefix in front of the names
 * found, and family, depth, shortcut, width and classes inferred from names and shapes; the clip is then
 * 3×16×112×112 and the preprocessing the family's. MAXGL_ERROR_FORMAT with the reason (a pickled .pth file is
 * told how to convert it).
 */
MaxglModelInfo *maxgl_model_info_read(const char *path, GError **error);

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

/**
 * Writes all of @parameters (with heads if @heads) under @info's naming, with @info as metadata.
 * @batches_tracked: training steps so far, for num_batches_tracked. Atomic; the same parameters give the same
 * bytes.
 */
gboolean maxgl_weights_save(const char *path, const MaxglResnet *resnet, const MaxglParameters *parameters,
                            const MaxglModelInfo *info, gint64 batches_tracked, gboolean heads,
                            GError **error);

#endif
