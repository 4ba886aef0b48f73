/* What --model means. */
#ifndef MAXGL_CLI_MODEL_PATH_H
#define MAXGL_CLI_MODEL_PATH_H

#include <glib.h>

/** Whether @path is the folder of a training run. */
gboolean maxgl_is_run_folder(const char *path);

/** The model file that @model names: itself, or of a run's folder model.safetensors, or its newest checkpoint
 * while training goes on; caller frees. #MAXGL_ERROR_NOT_FOUND. */
char *maxgl_model_path(const char *model, GError **error);

#endif
