#include "cli/recipe_arguments.h"

#include "learn/run.h"

#include <string.h>

/* A path, or the name of a recipe that was installed with the program ("demo"). */
static char *find_config(const char *name)
{
    g_autofree char *file = g_strdup_printf("%s%s", name, g_str_has_suffix(name, ".cfg") ? "" : ".cfg");
    g_autofree char *installed = g_build_filename(MAXGL_CONFIG_DIR, file, NULL);
    gboolean plain = !strchr(name, G_DIR_SEPARATOR) && !g_file_test(name, G_FILE_TEST_EXISTS);
    return g_strdup(plain && g_file_test(installed, G_FILE_TEST_EXISTS) ? installed : name);
}

MaxglRecipe *maxgl_recipe_read(const MaxglRecipeArguments *a, GError **error)
{
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_new();
    g_autofree char *config = a->config ? find_config(a->config) : NULL;
    g_autofree char *data = a->data ? g_strdup_printf("data.path=%s", a->data) : NULL;
    g_autoptr(GPtrArray) sets = g_ptr_array_new();
    if (data)
        g_ptr_array_add(sets, data);
    for (char *const *set = a->sets; set && *set; set++)
        g_ptr_array_add(sets, *set);
    g_ptr_array_add(sets, NULL);
    const char *const *changes = (const char *const *)sets->pdata;
    const gboolean good = a->resumed && !config
                              ? maxgl_run_read_recipe(a->resumed, recipe, changes, error)
                              : maxgl_options_load(&maxgl_recipe_table, recipe, config, changes, error);
    return good ? g_steal_pointer(&recipe) : NULL;
}
