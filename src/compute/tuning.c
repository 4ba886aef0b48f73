#include "compute/tuning.h"

#include "compute/kernel_sources.h"
#include <libconfig.h>
#include <maxgl/error.h>
#include <string.h>

typedef struct {
    char *kernel;
    char *shape; /* glob, or NULL */
    int specificity;
    char *source;           /* "FILE:LINE" */
    GHashTable *parameters; /* name → text */
} Entry;

struct MaxglTuning {
    GPtrArray *entries; /* most specific first */
    GPtrArray *answers; /* where to note what was asked, or NULL */
    gboolean knows_architecture;
};

/* How closely an entry fits; each level outweighs all below it. */
enum {
    FITS_SHAPE = 1,
    FITS_TYPE = 2,
    FITS_VENDOR = 4,
    FITS_ARCHITECTURES = 8, /* a pattern */
    FITS_ARCHITECTURE = 16,
    FITS_DEVICE = 32,
    FROM_USER = 64,
    FROM_TRIAL = 128
};

static void entry_free(Entry *entry)
{
    g_free(entry->kernel);
    g_free(entry->shape);
    g_free(entry->source);
    g_hash_table_unref(entry->parameters);
    g_free(entry);
}

static Entry *entry_new(const char *kernel)
{
    Entry *entry = g_new0(Entry, 1);
    entry->kernel = g_strdup(kernel);
    entry->parameters = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return entry;
}

/* Whether the entry's optional word @key equals @value; adds @weight if it is there. */
static gboolean fits(const config_setting_t *setting, const char *key, const char *value, int weight,
                     int *specificity)
{
    const char *word = NULL;
    if (!config_setting_lookup_string(setting, key, &word))
        return TRUE;
    *specificity += weight;
    return g_ascii_strcasecmp(word, value) == 0;
}

/* The same for the architecture, which can be a pattern for several. */
static gboolean fits_architecture(const config_setting_t *setting, const char *architecture, int *specificity)
{
    const char *word = NULL;
    if (!config_setting_lookup_string(setting, "architecture", &word))
        return TRUE;
    if (!strpbrk(word, "*?"))
        return fits(setting, "architecture", architecture, FITS_ARCHITECTURE, specificity);
    g_autofree char *pattern = g_ascii_strdown(word, -1), *lower = g_ascii_strdown(architecture, -1);
    *specificity += FITS_ARCHITECTURES;
    return g_pattern_match_simple(pattern, lower);
}

/* Entries that come from counting and not from a clock say so. */
static gboolean is_modelled(const config_setting_t *setting)
{
    const char *note = NULL;
    return config_setting_lookup_string(setting, "note", &note) && g_str_has_prefix(note, "modelled");
}

static char *value_text(const config_setting_t *value)
{
    switch (config_setting_type(value)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, (gint64)config_setting_get_int64(value));
    case CONFIG_TYPE_STRING:
        return g_strdup(config_setting_get_string(value));
    default:
        return NULL;
    }
}

static gboolean add_entry(MaxglTuning *tuning, const MaxglDeviceInfo *device, const config_setting_t *setting,
                          const char *file, int base, GError **error)
{
    const char *kernel = NULL, *shape = NULL;
    const config_setting_t *parameters = config_setting_get_member(setting, "parameters");
    if (!config_setting_lookup_string(setting, "kernel", &kernel) || !parameters ||
        !config_setting_is_group(parameters)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s:%d: a tuning entry needs kernel = \"…\" and parameters = { … }", file,
                    config_setting_source_line(setting));
        return FALSE;
    }
    int specificity = base;
    if (!fits(setting, "type", maxgl_device_type_name(device->type), FITS_TYPE, &specificity) ||
        !fits(setting, "vendor", maxgl_vendor_name(device->vendor), FITS_VENDOR, &specificity) ||
        !fits_architecture(setting, device->architecture, &specificity) ||
        !fits(setting, "device", device->name, FITS_DEVICE, &specificity))
        return TRUE;
    if (specificity & (FITS_ARCHITECTURES | FITS_ARCHITECTURE | FITS_DEVICE) && !is_modelled(setting))
        tuning->knows_architecture = TRUE;

    Entry *entry = entry_new(kernel);
    entry->source = g_strdup_printf("%s:%d", file, config_setting_source_line(setting));
    if (config_setting_lookup_string(setting, "shape", &shape)) {
        entry->shape = g_strdup(shape);
        specificity += FITS_SHAPE;
    }
    entry->specificity = specificity;
    g_ptr_array_add(tuning->entries, entry);
    for (int i = 0; i < config_setting_length(parameters); i++) {
        const config_setting_t *value = config_setting_get_elem(parameters, (unsigned)i);
        char *text = value_text(value);
        if (!text) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "%s:%d: parameter %s must be a whole number or a word", file,
                        config_setting_source_line(value), config_setting_name(value));
            return FALSE;
        }
        g_hash_table_insert(entry->parameters, g_strdup(config_setting_name(value)), text);
    }
    return TRUE;
}

static gboolean add_database(MaxglTuning *tuning, const MaxglDeviceInfo *device, const char *text,
                             const char *file, int base, GError **error)
{
    config_t config;
    gboolean ok = TRUE;
    config_init(&config);
    if (!config_read_string(&config, text)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: %s", file, config_error_line(&config),
                    config_error_text(&config));
        ok = FALSE;
    }
    const config_setting_t *entries = ok ? config_lookup(&config, "entries") : NULL;
    for (int i = 0; ok && entries && i < config_setting_length(entries); i++)
        ok = add_entry(tuning, device, config_setting_get_elem(entries, (unsigned)i), file, base, error);
    config_destroy(&config);
    return ok;
}

char *maxgl_tuning_user_path(void)
{
    const char *named = g_getenv("MAXGL_TUNING");
    return named && *named ? g_strdup(named)
                           : g_build_filename(g_get_user_config_dir(), "maxgl", "tuning.cfg", NULL);
}

static gboolean add_user_database(MaxglTuning *tuning, const MaxglDeviceInfo *device, GError **error)
{
    const char *named = g_getenv("MAXGL_TUNING");
    gboolean must_exist = named && *named;
    g_autofree char *path = maxgl_tuning_user_path();
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, must_exist ? error : NULL))
        return !must_exist;
    return add_database(tuning, device, text, path, FROM_USER, error);
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const Entry *const *x = a, *const *y = b;
    return (*y)->specificity - (*x)->specificity;
}

static void reverse(GPtrArray *array)
{
    for (guint i = 0; i < array->len / 2; i++) {
        gpointer other = array->pdata[array->len - 1 - i];
        array->pdata[array->len - 1 - i] = array->pdata[i];
        array->pdata[i] = other;
    }
}

MaxglTuning *maxgl_tuning_load(const MaxglDeviceInfo *device, GError **error)
{
    g_autoptr(MaxglTuning) tuning = g_new0(MaxglTuning, 1);
    tuning->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    for (const MaxglEmbeddedFile *file = maxgl_device_databases; file->name; file++)
        if (!add_database(tuning, device, file->text, file->name, 0, error))
            return NULL;
    if (!add_user_database(tuning, device, error))
        return NULL;
    reverse(tuning->entries); /* the sort is stable: among equals the later in the file comes first */
    g_ptr_array_sort(tuning->entries, compare_entries);
    return g_steal_pointer(&tuning);
}

void maxgl_tuning_free(MaxglTuning *tuning)
{
    if (!tuning)
        return;
    g_ptr_array_unref(tuning->entries);
    g_free(tuning);
}

gboolean maxgl_tuning_knows_architecture(const MaxglTuning *tuning)
{
    return tuning->knows_architecture;
}

char *maxgl_tuning_text(const MaxglTuning *tuning)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < tuning->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(tuning->entries, i);
        g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(entry->parameters), (GCompareFunc)strcmp);
        g_string_append_printf(text, "%s [%s] %d\n", entry->kernel, entry->shape ? entry->shape : "",
                               entry->specificity);
        for (GList *l = names; l; l = l->next)
            g_string_append_printf(text, "  %s = %s\n", (const char *)l->data,
                                   (const char *)g_hash_table_lookup(entry->parameters, l->data));
    }
    return g_string_free(text, FALSE);
}

static void answer_free(MaxglTuningAnswer *answer)
{
    g_free(answer->kernel);
    g_free(answer->shape);
    g_free(answer->name);
    g_free(answer->value);
    g_free(answer->source);
    g_free(answer);
}

GPtrArray *maxgl_tuning_answers_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)answer_free);
}

void maxgl_tuning_watch(MaxglTuning *tuning, GPtrArray *answers)
{
    tuning->answers = answers;
}

static void note_answer(GPtrArray *answers, const char *kernel, const char *shape, const char *name,
                        const char *value, const char *source)
{
    for (guint i = 0; i < answers->len; i++) {
        const MaxglTuningAnswer *a = g_ptr_array_index(answers, i);
        if (g_str_equal(a->kernel, kernel) && !g_strcmp0(a->shape, shape) && g_str_equal(a->name, name) &&
            !g_strcmp0(a->value, value) && !g_strcmp0(a->source, source))
            return;
    }
    MaxglTuningAnswer *answer = g_new0(MaxglTuningAnswer, 1);
    *answer = (MaxglTuningAnswer){.kernel = g_strdup(kernel),
                                  .shape = g_strdup(shape),
                                  .name = g_strdup(name),
                                  .value = g_strdup(value),
                                  .source = g_strdup(source)};
    g_ptr_array_add(answers, answer);
}

/* The parameter's text in the entry that decides, and that entry's place; NULL if none sets it. */
static const char *look_up(const MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                           const char **source)
{
    for (guint i = 0; i < tuning->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(tuning->entries, i);
        if (!g_str_equal(entry->kernel, kernel) ||
            (entry->shape && !(shape && g_pattern_match_simple(entry->shape, shape))))
            continue;
        const char *text = g_hash_table_lookup(entry->parameters, name);
        *source = entry->source;
        if (text)
            return text;
    }
    *source = NULL;
    return NULL;
}

const char *maxgl_tuning_string(const MaxglTuning *tuning, const char *kernel, const char *shape,
                                const char *name, const char *fallback)
{
    const char *source, *text = look_up(tuning, kernel, shape, name, &source);
    if (tuning->answers)
        note_answer(tuning->answers, kernel, shape, name, text ? text : fallback, source);
    return text ? text : fallback;
}

int maxgl_tuning_int(const MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                     int fallback)
{
    const char *source, *text = look_up(tuning, kernel, shape, name, &source);
    const int value = text ? (int)g_ascii_strtoll(text, NULL, 10) : fallback;
    if (tuning->answers) {
        g_autofree char *number = g_strdup_printf("%d", value);
        note_answer(tuning->answers, kernel, shape, name, number, source);
    }
    return value;
}

/* The entry in front of all others in which @kernel and @shape are tried. */
static Entry *trial_entry(MaxglTuning *tuning, const char *kernel, const char *shape)
{
    for (guint i = 0; i < tuning->entries->len; i++) {
        Entry *entry = g_ptr_array_index(tuning->entries, i);
        if (entry->specificity >= FROM_TRIAL && g_str_equal(entry->kernel, kernel) &&
            !g_strcmp0(entry->shape, shape))
            return entry;
    }
    Entry *entry = entry_new(kernel);
    entry->shape = g_strdup(shape);
    entry->source = g_strdup("being tried");
    entry->specificity = FROM_TRIAL + (shape ? FITS_SHAPE : 0);
    g_ptr_array_insert(tuning->entries, 0, entry);
    g_ptr_array_sort(tuning->entries, compare_entries);
    return entry;
}

void maxgl_tuning_try(MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                      const char *value)
{
    Entry *entry = trial_entry(tuning, kernel, shape);
    if (value)
        g_hash_table_insert(entry->parameters, g_strdup(name), g_strdup(value));
    else
        g_hash_table_remove(entry->parameters, name);
}

static void setting_free(MaxglTuningSetting *setting)
{
    g_free(setting->kernel);
    g_free(setting->shape);
    g_free(setting->name);
    g_free(setting->value);
    g_free(setting);
}

GPtrArray *maxgl_tuning_tried(const MaxglTuning *tuning)
{
    GPtrArray *settings = g_ptr_array_new_with_free_func((GDestroyNotify)setting_free);
    for (guint i = 0; i < tuning->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(tuning->entries, i);
        if (entry->specificity < FROM_TRIAL)
            continue;
        g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(entry->parameters), (GCompareFunc)strcmp);
        for (GList *l = names; l; l = l->next) {
            MaxglTuningSetting *setting = g_new0(MaxglTuningSetting, 1);
            *setting =
                (MaxglTuningSetting){.kernel = g_strdup(entry->kernel),
                                     .shape = g_strdup(entry->shape),
                                     .name = g_strdup(l->data),
                                     .value = g_strdup(g_hash_table_lookup(entry->parameters, l->data))};
            g_ptr_array_add(settings, setting);
        }
    }
    return settings;
}
