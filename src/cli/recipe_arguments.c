#include "cli/recipe_arguments.h"

#include "cli/command.h"
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

G_GNUC_PRINTF(2, 3) static void add(GPtrArray *sets, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(sets, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* Sets network and clips of @recipe to those of the model @init. */
static gboolean adopt_model(MaxglRecipe *recipe, const char *init, GError **error)
{
    g_autofree char *path = maxgl_model_path(init, error);
    g_autoptr(MaxglModelInfo) info = path ? maxgl_model_info_read(path, error) : NULL;
    if (!info)
        return FALSE;
    MaxglResnetSpec shape = info->spec;
    char width[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(width, sizeof width, shape.width);
    shape.width = 1;
    g_autofree char *name = maxgl_resnet_spec_name(&shape);
    const MaxglPreprocessing *p = &info->preprocessing;
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(g_free);
    add(sets, "network.name=%s", name);
    add(sets, "network.width=%s", width);
    add(sets, "clip.frames=%d", shape.frames);
    add(sets, "clip.stride=%d", info->frame_stride);
    add(sets, "clip.size=%d", shape.height);
    add(sets, "clip.antialias=%s", p->antialias ? "true" : "false");
    if (p->resize_width > 0) {
        add(sets, "clip.resize_width=%d", p->resize_width);
        add(sets, "clip.resize_height=%d", p->resize_height);
    }
    g_ptr_array_add(sets, NULL);
    return maxgl_options_load(&maxgl_recipe_table, recipe, NULL, (const char *const *)sets->pdata, error);
}

/* What the last of @sets makes of @key; NULL if none says anything of it. */
static const char *set_value(char *const *sets, const char *key)
{
    const char *value = NULL;
    for (char *const *set = sets; set && *set; set++) {
        const char *equals = strchr(*set, '=');
        g_autofree char *name = equals ? g_strndup(*set, (gsize)(equals - *set)) : NULL;
        if (name && g_str_equal(g_strstrip(name), key))
            value = equals + 1;
    }
    return value;
}

/* Adds to @sets what options of their own say of keys of the recipe, unless --set says something else. */
static gboolean add_options(const MaxglRecipeArguments *a, GPtrArray *sets, GError **error)
{
    const struct {
        const char *option, *key, *value;
    } given[] = {{"data", "data.path", a->data},
                 {"task", "train.task", a->task},
                 {"init", "train.init", a->init},
                 {"share", "train.shares", a->shares}};
    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        const char *value = given[i].value, *other = set_value(a->sets, given[i].key);
        if (value && other && strcmp(value, other) != 0)
            return maxgl_command_usage(error,
                                       "--%s=%s and --set %s=%s are two values of one option: give one",
                                       given[i].option, value, given[i].key, other);
        if (value)
            add(sets, "%s=%s", given[i].key, value);
    }
    return TRUE;
}

MaxglRecipe *maxgl_recipe_read(const MaxglRecipeArguments *a, GError **error)
{
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_new();
    g_autofree char *config = a->config ? find_config(a->config) : NULL;
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(g_free);
    if (!add_options(a, sets, error))
        return NULL;
    for (char *const *set = a->sets; set && *set; set++)
        g_ptr_array_add(sets, g_strdup(*set));
    g_ptr_array_add(sets, NULL);
    const char *const *changes = (const char *const *)sets->pdata;
    const gboolean resumed = a->resumed && !config;
    if (a->init && !resumed && !adopt_model(recipe, a->init, error)) {
        g_prefix_error(error, "--init: ");
        return NULL;
    }
    const gboolean good = resumed ? maxgl_run_read_recipe(a->resumed, recipe, changes, error)
                                  : maxgl_options_load(&maxgl_recipe_table, recipe, config, changes, error);
    return good ? g_steal_pointer(&recipe) : NULL;
}
