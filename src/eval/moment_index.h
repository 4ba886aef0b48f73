/* Files of moments that can be searched: features with where they are from and what made them.
 *
 * A safetensors file with "features" (N, F, unit length), "source" (N, index into the metadata's "sources", a
 * JSON array) and "seconds" (N, 2: when the first and the last frame of a clip begin). The other metadata:
 * "format" (maxgl-cl index 1), "folder" (that relative sources are relative to), "model" (its absolute path),
 * "model_sha256", "network", "preprocessing" (JSON: the clip and how frames become it). */
#ifndef MAXGL_EVAL_MOMENT_INDEX_H
#define MAXGL_EVAL_MOMENT_INDEX_H

#include "eval/moments.h"

/** The model that made an index, or is to search in it. */
typedef struct {
    char *path;          /**< absolute */
    char *sha256;        /**< of the file, in hexadecimal digits */
    char *network;       /**< "r3d-18@0.25" */
    char *preprocessing; /**< JSON */
    int features;        /**< length of a vector */
} MaxglMomentModel;

/** Describes the model file @path, opened as @info says. #MAXGL_ERROR_NOT_FOUND, #MAXGL_ERROR_IO. */
MaxglMomentModel *maxgl_moment_model_new(const char *path, const MaxglEmbedderInfo *info, GError **error);
void maxgl_moment_model_free(MaxglMomentModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMomentModel, maxgl_moment_model_free)

/** An index in memory. */
typedef struct {
    char *path; /**< it was read from */
    MaxglMomentModel *model;
    gsize n, n_sources;
    float *features; /**< n × model->features */
    gint64 *source;  /**< [n] index in sources */
    float *seconds;  /**< n × 2 */
    char **sources;  /**< videos, as they were given */
    char *folder;    /**< that they are relative to */
} MaxglMomentIndex;

/** Writes @moments of @dataset, made by @model, to @path: all of it or nothing. #MAXGL_ERROR_IO. */
gboolean maxgl_moment_index_write(const char *path, const MaxglMoments *moments, const MaxglDataset *dataset,
                                  const MaxglMomentModel *model, GError **error);

/** Reads and checks an index. #MAXGL_ERROR_NOT_FOUND, #MAXGL_ERROR_IO; #MAXGL_ERROR_FORMAT: it is none, is
 * empty, or something in it cannot be. */
MaxglMomentIndex *maxgl_moment_index_open(const char *path, GError **error);
void maxgl_moment_index_free(MaxglMomentIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMomentIndex, maxgl_moment_index_free)

/** Whether @model is the one that made @index, from whatever path. #MAXGL_ERROR_FORMAT if not. */
gboolean maxgl_moment_index_check_model(const MaxglMomentIndex *index, const MaxglMomentModel *model,
                                        GError **error);

/** Absolute path of video @source; caller frees. */
char *maxgl_moment_index_video(const MaxglMomentIndex *index, gsize source);

#endif
