#include "base/file.h"
#include "base/options.h"
#include "base/options_private.h"

#include <libconfig.h>
#include <maxgl/error.h>
#include <string.h>

/* A reading under way: into a copy, so that nothing is applied unless everything is right. */
typedef struct {
    const MaxglOptionTable *table;
    void *values;
    const char *name;  /* of the recipe, in messages */
    const char *set;   /* what stands before an assignment in messages */
    GString *problems; /* one a line */
} Loading;

static void report(Loading *loading, const char *where, char *problem)
{
    if (problem)
        g_string_append_printf(loading->problems, "%s%s: %s", loading->problems->len ? "\n" : "", where,
                               problem);
    g_free(problem);
}

static const char *setting_type_text(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_GROUP:
        return "a group";
    default:
        return "a list";
    }
}

/* The setting as a text that maxgl_option_assign() takes; NULL if its type is not the option's. */
static char *setting_text(const MaxglOption *option, const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    gboolean integer = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    switch (option->type) {
    case MAXGL_OPTION_INT:
        return integer ? g_strdup_printf("%lld", config_setting_get_int64(setting)) : NULL;
    case MAXGL_OPTION_FLOAT:
        if (integer)
            return g_strdup_printf("%lld", config_setting_get_int64(setting));
        return type == CONFIG_TYPE_FLOAT ? maxgl_option_float_text(config_setting_get_float(setting)) : NULL;
    case MAXGL_OPTION_BOOL:
        if (type != CONFIG_TYPE_BOOL)
            return NULL;
        return g_strdup(config_setting_get_bool(setting) ? "true" : "false");
    case MAXGL_OPTION_STRING:
    case MAXGL_OPTION_ENUM:
        return type == CONFIG_TYPE_STRING ? g_strdup(config_setting_get_string(setting)) : NULL;
    case MAXGL_OPTION_INT3:
        break;
    }
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        int kind = config_setting_type(element);
        if (kind != CONFIG_TYPE_INT && kind != CONFIG_TYPE_INT64)
            return NULL;
        g_string_append_printf(text, "%s%lld", i ? ", " : "", config_setting_get_int64(element));
    }
    return g_strdup_printf("[%s]", text->str);
}

static char *assign_setting(Loading *loading, const MaxglOption *option, const config_setting_t *setting)
{
    g_autofree char *text = setting_text(option, setting);
    if (text)
        return maxgl_option_assign(option, loading->values, text);
    g_autofree char *range = maxgl_option_range_text(option);
    return g_strdup_printf("is %s, not %s; allowed: %s", setting_type_text(setting),
                           maxgl_option_type_text(option), range);
}

static gboolean is_group_of_options(const MaxglOptionTable *table, const char *key)
{
    gsize length = strlen(key);
    for (guint i = 0; i < table->count; i++)
        if (g_str_has_prefix(table->options[i].key, key) && table->options[i].key[length] == '.')
            return TRUE;
    return FALSE;
}

static void read_group(Loading *loading, const config_setting_t *group, const char *prefix);

static void read_setting(Loading *loading, const config_setting_t *setting, const char *key)
{
    unsigned line = config_setting_source_line(setting);
    g_autofree char *where = g_strdup_printf("%s:%u: %s", loading->name, line, key);
    const MaxglOption *option = maxgl_options_find(loading->table, key);
    if (option) {
        report(loading, where, assign_setting(loading, option, setting));
    } else if (!is_group_of_options(loading->table, key)) {
        report(loading, where, maxgl_options_unknown_text(loading->table, key));
    } else if (config_setting_is_group(setting)) {
        g_autofree char *prefix = g_strconcat(key, ".", NULL);
        read_group(loading, setting, prefix);
    } else {
        const char *type = setting_type_text(setting);
        report(loading, where,
               g_strdup_printf("is %s, but it is a group of options: %s = { … };", type, key));
    }
}

/* Only groups that the table has are entered, so the table bounds the recursion. */
static void read_group(Loading *loading, const config_setting_t *group, const char *prefix)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        g_autofree char *key = g_strconcat(prefix, config_setting_name(setting), NULL);
        read_setting(loading, setting, key);
    }
}

static void assign_text(Loading *loading, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    g_autofree char *where = g_strconcat(loading->set, assignment, NULL);
    if (!equals) {
        report(loading, where, g_strdup("key=value is needed"));
        return;
    }
    g_autofree char *key = g_strstrip(g_strndup(assignment, (gsize)(equals - assignment)));
    const MaxglOption *option = maxgl_options_find(loading->table, key);
    if (option)
        report(loading, where, maxgl_option_assign(option, loading->values, equals + 1));
    else if (is_group_of_options(loading->table, key))
        report(loading, where,
               g_strdup_printf("%s is a group of options: %s.NAME=value is needed", key, key));
    else
        report(loading, where, maxgl_options_unknown_text(loading->table, key));
}

/* The first character after the comment or string that begins at @at, or @at if none does. */
static const char *skip_comment_or_string(const char *at)
{
    const char *end;
    if (*at == '#' || g_str_has_prefix(at, "//"))
        return at + strcspn(at, "\n");
    if (g_str_has_prefix(at, "/*"))
        return (end = strstr(at + 2, "*/")) ? end + 2 : at + strlen(at);
    if (*at != '"')
        return at;
    for (end = at + 1; *end && *end != '"'; end++)
        if (*end == '\\' && end[1])
            end++;
    return *end ? end + 1 : end;
}

/* The integer at @at needs more than 32 bits and does not say so with an L. */
static gboolean is_wide_integer(const char *text, const char *at, const char **end)
{
    gboolean hexadecimal = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    gboolean negative = at > text && at[-1] == '-';
    char *stop;
    guint64 value = g_ascii_strtoull(at, &stop, hexadecimal ? 16 : 10);
    *end = stop;
    if (!hexadecimal && strchr(".eE", *stop) && *stop) {
        *end = stop + strspn(stop, ".eE+-0123456789");
        return FALSE;
    }
    return value > (guint64)G_MAXINT + negative && *stop != 'L';
}

/* libconfig 1.5 lets integers of more than 32 bits wrap around unless an L follows: puts it there. An
 * @include is not followed (its file would escape this) but reported. */
static char *widen_integers(Loading *loading, const char *text)
{
    GString *wide = g_string_new(NULL);
    for (const char *at = text, *end; *at; at = end) {
        gboolean is_wide = FALSE;
        if ((end = skip_comment_or_string(at)) != at)
            ;
        else if (g_ascii_isalpha(*at))
            end = at + strspn(at, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_*");
        else if (g_ascii_isdigit(*at))
            is_wide = is_wide_integer(text, at, &end);
        else
            end = at + 1;
        if (*at == '@')
            report(loading, loading->name, g_strdup("@include is not possible in a recipe"));
        g_string_append_len(wide, at, end - at);
        if (is_wide)
            g_string_append_c(wide, 'L');
    }
    if (!g_str_has_suffix(text, "\n")) /* a comment that ends with the text would be a syntax error */
        g_string_append_c(wide, '\n');
    return g_string_free(wide, FALSE);
}

static void read_recipe(Loading *loading, const char *text)
{
    g_autofree char *wide = widen_integers(loading, text);
    if (loading->problems->len)
        return;
    config_t config;
    config_init(&config);
    if (config_read_string(&config, wide)) {
        read_group(loading, config_root_setting(&config), "");
    } else {
        g_autofree char *where = g_strdup_printf("%s:%d", loading->name, config_error_line(&config));
        report(loading, where, g_strdup(config_error_text(&config)));
    }
    config_destroy(&config);
}

/* Puts the loaded values in the place of @values, or fails with all the problems. */
static gboolean apply(Loading *loading, void *values, GError **error)
{
    if (loading->problems->len) {
        g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, loading->problems->str);
        return FALSE;
    }
    maxgl_options_clear(loading->table, values);
    maxgl_options_copy(loading->table, loading->values, values);
    return TRUE;
}

static gboolean load(const MaxglOptionTable *table, void *values, const char *name, const char *text,
                     const char *set, const char *const *sets, GError **error)
{
    g_autofree void *work = g_malloc(table->size);
    g_autoptr(GString) problems = g_string_new(NULL);
    Loading loading = {table, work, name, set, problems};
    maxgl_options_copy(table, values, work);
    if (text)
        read_recipe(&loading, text);
    for (guint i = 0; sets && sets[i]; i++)
        assign_text(&loading, sets[i]);
    gboolean good = apply(&loading, values, error);
    maxgl_options_clear(table, work);
    return good;
}

gboolean maxgl_options_load(const MaxglOptionTable *table, void *values, const char *path,
                            const char *const *sets, GError **error)
{
    if (!path)
        return load(table, values, NULL, NULL, "--set ", sets, error);
    g_autoptr(GMappedFile) file = maxgl_file_map(path, error);
    if (!file)
        return FALSE;
    g_autofree char *text = g_strndup(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    return load(table, values, path, text ? text : "", "--set ", sets, error);
}

gboolean maxgl_options_load_text(const MaxglOptionTable *table, void *values, const char *text,
                                 const char *name, GError **error)
{
    return load(table, values, name, text, "", NULL, error);
}

gboolean maxgl_options_set(const MaxglOptionTable *table, void *values, const char *assignment,
                           GError **error)
{
    const char *const sets[] = {assignment, NULL};
    return load(table, values, NULL, NULL, "--set ", sets, error);
}

gboolean maxgl_options_assign(const MaxglOptionTable *table, void *values, const char *const *assignments,
                              GError **error)
{
    return load(table, values, NULL, NULL, "", assignments, error);
}
