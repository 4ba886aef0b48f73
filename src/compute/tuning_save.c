/* Writing the tuning database: maxgl_tuning_save(). */
#define _GNU_SOURCE /* open_memstream */
#include "compute/tuning.h"

#include "base/file.h"
#include <libconfig.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

/* What is at @path, or nothing if there is no such file. */
static gboolean read_database(config_t *config, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    if (!g_file_get_contents(path, &text, NULL, error))
        return FALSE;
    if (config_read_string(config, text))
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: %s", path, config_error_line(config),
                config_error_text(config));
    return FALSE;
}

static gboolean word_is(const config_setting_t *entry, const char *key, const char *value)
{
    const char *word = NULL;
    config_setting_lookup_string(entry, key, &word);
    return g_strcmp0(word, value) == 0;
}

static void set_word(config_setting_t *entry, const char *key, const char *value)
{
    config_setting_remove(entry, key);
    if (value)
        config_setting_set_string(config_setting_add(entry, key, CONFIG_TYPE_STRING), value);
}

/* The entry for this kernel and shape on this device and nothing else, or a new one. */
static config_setting_t *find_entry(config_setting_t *entries, const MaxglDeviceInfo *device,
                                    const MaxglTuningSetting *setting)
{
    for (int i = 0; i < config_setting_length(entries); i++) {
        config_setting_t *entry = config_setting_get_elem(entries, (unsigned)i);
        if (config_setting_is_group(entry) && word_is(entry, "kernel", setting->kernel) &&
            word_is(entry, "shape", setting->shape) && word_is(entry, "device", device->name) &&
            word_is(entry, "type", NULL) && word_is(entry, "vendor", NULL) &&
            word_is(entry, "architecture", NULL))
            return entry;
    }
    config_setting_t *entry = config_setting_add(entries, NULL, CONFIG_TYPE_GROUP);
    set_word(entry, "kernel", setting->kernel);
    set_word(entry, "shape", setting->shape);
    set_word(entry, "device", device->name);
    return entry;
}

static void put_setting(config_setting_t *entries, const MaxglDeviceInfo *device,
                        const MaxglTuningSetting *setting, const char *note)
{
    config_setting_t *entry = find_entry(entries, device, setting);
    set_word(entry, "note", note);
    config_setting_t *parameters = config_setting_get_member(entry, "parameters");
    if (!parameters)
        parameters = config_setting_add(entry, "parameters", CONFIG_TYPE_GROUP);
    config_setting_remove(parameters, setting->name);
    gint64 number;
    if (g_ascii_string_to_signed(setting->value, 10, G_MININT, G_MAXINT, &number, NULL))
        config_setting_set_int(config_setting_add(parameters, setting->name, CONFIG_TYPE_INT), (int)number);
    else
        set_word(parameters, setting->name, setting->value);
}

/* The file's text; caller frees. */
static char *render(config_t *config, const MaxglDeviceInfo *device, const char *note)
{
    char *body = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&body, &size);
    config_write(config, file);
    fclose(file);
    char *text =
        g_strdup_printf("# Tuning database, see docs/tuning.md. Last written %s,\n"
                        "# for %s (%s, driver %s).\n"
                        "# Entries may be changed by hand; comments do not outlast the next time.\n%s",
                        note, device->name, device->platform_name, device->driver_version, body);
    free(body);
    return text;
}

gboolean maxgl_tuning_save(const char *path, const MaxglDeviceInfo *device, const GPtrArray *settings,
                           const char *note, GError **error)
{
    config_t config;
    config_init(&config);
    gboolean ok = read_database(&config, path, error);
    config_setting_t *entries = ok ? config_lookup(&config, "entries") : NULL;
    if (ok && !entries)
        entries = config_setting_add(config_root_setting(&config), "entries", CONFIG_TYPE_LIST);
    if (ok && !config_setting_is_list(entries)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: entries must be a list ( … )", path,
                    config_setting_source_line(entries));
        ok = FALSE;
    }
    if (ok) {
        for (guint i = 0; i < settings->len; i++)
            put_setting(entries, device, g_ptr_array_index(settings, i), note);
        g_autofree char *folder = g_path_get_dirname(path);
        g_autofree char *text = render(&config, device, note);
        ok = maxgl_dir_ensure(folder, error) && maxgl_file_write_atomic(path, text, strlen(text), error);
    }
    config_destroy(&config);
    return ok;
}
