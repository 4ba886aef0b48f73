#include "cli/model_path.h"

#include "learn/checkpoint.h"
#include "learn/run.h"

#include <maxgl/error.h>

gboolean maxgl_is_run_folder(const char *path)
{
    g_autofree char *recipe = g_build_filename(path, MAXGL_RUN_RECIPE, NULL);
    return g_file_test(path, G_FILE_TEST_IS_DIR) && g_file_test(recipe, G_FILE_TEST_EXISTS);
}

char *maxgl_model_path(const char *model, GError **error)
{
    if (!g_file_test(model, G_FILE_TEST_IS_DIR))
        return g_strdup(model);
    g_autofree char *finished = g_build_filename(model, MAXGL_RUN_MODEL, NULL);
    if (g_file_test(finished, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&finished);
    g_autoptr(GArray) steps = maxgl_checkpoint_list(model);
    if (steps->len > 0) {
        g_autofree char *name = maxgl_checkpoint_name(g_array_index(steps, gint64, steps->len - 1));
        return g_build_filename(model, name, NULL);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: has neither %s nor a checkpoint", model,
                MAXGL_RUN_MODEL);
    return NULL;
}
