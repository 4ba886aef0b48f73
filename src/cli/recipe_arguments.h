/* A recipe from the command line. */
#ifndef MAXGL_CLI_RECIPE_ARGUMENTS_H
#define MAXGL_CLI_RECIPE_ARGUMENTS_H

#include "learn/recipe.h"

/** What the options say. Borrowed; any may be NULL. */
typedef struct {
    const char *config; /**< --config: a file, or the name of an installed recipe ("demo") */
    const char *data;   /**< --data: data.path */
    const char *task;   /**< --task: train.task */
    const char *init;   /**< --init: train.init, and the network and clips of that model where nothing else is
                           said of them */
    const char *shares; /**< --share: train.shares */
    char *const *sets;  /**< --set: "key=value", NULL-terminated; the last of a key counts */
    const char *resumed; /**< folder of a run whose recipe counts where there is no config */
} MaxglRecipeArguments;

/** The recipe, not yet validated as a whole; caller frees. MAXGL_ERROR_USAGE where --set and another option
 * give one key different values; the errors of maxgl_options_load() and maxgl_run_read_recipe(). */
MaxglRecipe *maxgl_recipe_read(const MaxglRecipeArguments *arguments, GError **error);

#endif
