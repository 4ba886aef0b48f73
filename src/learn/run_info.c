#include "learn/run_info.h"

#include "base/file.h"
#include "learn/shares.h"

#include <json-glib/json-glib.h>
#include <string.h>

struct MaxglRunInfo {
    char *path;
    JsonObject *run; /* all but the present session's changing members */
    JsonObject *session;
    gint64 started; /* monotonic microseconds */
};

static char *now_text(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    return g_date_time_format_iso8601(now);
}

/* The sessions so far; none if the file is not there or is not what it should be, which costs nothing but
 * history. */
static JsonArray *read_sessions(const char *path)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    if (!json_parser_load_from_file(parser, path, NULL))
        return json_array_new();
    JsonNode *root = json_parser_get_root(parser);
    JsonObject *run = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonNode *node = run ? json_object_get_member(run, "sessions") : NULL;
    JsonArray *copy = json_array_new();
    if (node && JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *old = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(old); i++)
            json_array_add_element(copy, json_node_copy(json_array_get_element(old, i)));
    }
    return copy;
}

static JsonObject *device_object(const MaxglContext *context)
{
    const MaxglDeviceInfo *d = context->info;
    JsonObject *device = json_object_new();
    json_object_set_string_member(device, "name", d->name);
    json_object_set_string_member(device, "type", maxgl_device_type_name(d->type));
    json_object_set_string_member(device, "architecture", d->architecture);
    json_object_set_string_member(device, "platform", d->platform_name);
    json_object_set_string_member(device, "platform_version", d->platform_version);
    json_object_set_string_member(device, "driver", d->driver_version);
    json_object_set_int_member(device, "compute_units", d->compute_units);
    json_object_set_string_member(device, "chosen", context->reason);
    return device;
}

/* "device": the first; with several, "devices": all of them, each with its clips of a step. */
static void set_devices(JsonObject *session, const MaxglRecipe *recipe, const GPtrArray *contexts)
{
    JsonArray *devices = json_array_new();
    MaxglShares shares = {0};
    json_object_set_object_member(session, "device", device_object(g_ptr_array_index(contexts, 0)));
    if (contexts->len > 1)
        maxgl_shares_parse(recipe->train.shares, &shares, NULL);
    for (guint i = 0; i < shares.n; i++) {
        JsonObject *device = device_object(g_ptr_array_index(contexts, i));
        json_object_set_int_member(device, "clips", shares.clips[i]);
        json_array_add_object_element(devices, device);
    }
    if (contexts->len > 1)
        json_object_set_array_member(session, "devices", devices);
    else
        json_array_unref(devices);
}

MaxglRunInfo *maxgl_run_info_new(const char *path, const MaxglRecipe *recipe, const GPtrArray *contexts,
                                 const MaxglResnet *resnet, const MaxglRunSizes *sizes, gint64 step)
{
    MaxglRunInfo *info = g_new0(MaxglRunInfo, 1);
    JsonArray *sessions = read_sessions(path);
    g_autofree char *network = maxgl_resnet_spec_name(&resnet->spec);
    g_autofree char *started = now_text();
    g_autofree char *glib =
        g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    info->path = g_strdup(path);
    info->started = g_get_monotonic_time();

    info->session = json_object_new();
    json_object_set_string_member(info->session, "started", started);
    json_object_set_string_member(info->session, "version", MAXGL_VERSION);
    json_object_set_string_member(info->session, "glib", glib);
    set_devices(info->session, recipe, contexts);
    json_object_set_int_member(info->session, "first_step", step);
    json_array_add_object_element(sessions, json_object_ref(info->session));

    info->run = json_object_new();
    json_object_set_string_member(info->run, "program", "maxgl-cl");
    json_object_set_string_member(info->run, "network", network);
    json_object_set_int_member(info->run, "parameters", sizes->parameters);
    json_object_set_double_member(info->run, "gmac_per_clip", sizes->macs * 1e-9);
    json_object_set_string_member(info->run, "task", maxgl_recipe_task_name(recipe));
    json_object_set_string_member(info->run, "data", recipe->data.path);
    json_object_set_int_member(info->run, "videos", sizes->videos);
    json_object_set_int_member(info->run, "seed", recipe->train.seed);
    json_object_set_string_member(info->run, "precision", maxgl_precision_names[recipe->train.precision]);
    json_object_set_int_member(info->run, "steps", sizes->steps);
    json_object_set_int_member(info->run, "steps_per_epoch", sizes->steps_per_epoch);
    json_object_set_array_member(info->run, "sessions", sessions);
    return info;
}

void maxgl_run_info_free(MaxglRunInfo *info)
{
    if (!info)
        return;
    json_object_unref(info->session);
    json_object_unref(info->run);
    g_free(info->path);
    g_free(info);
}

gboolean maxgl_run_info_write(MaxglRunInfo *info, const char *state, gint64 step, gsize bad_videos,
                              GError **error)
{
    g_autofree char *now = now_text();
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    json_object_set_string_member(info->session, "until", now);
    json_object_set_double_member(info->session, "seconds",
                                  (double)(g_get_monotonic_time() - info->started) / G_USEC_PER_SEC);
    json_object_set_int_member(info->session, "last_step", step);
    json_object_set_int_member(info->session, "bad_videos", (gint64)bad_videos);
    json_object_set_string_member(info->run, "state", state);
    json_object_set_int_member(info->run, "step", step);
    json_node_set_object(root, info->run);
    g_autofree char *json = json_to_string(root, TRUE);
    g_autofree char *text = g_strconcat(json, "\n", NULL);
    return maxgl_file_write_atomic(info->path, text, strlen(text), error);
}
