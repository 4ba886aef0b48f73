/* maxgl-cl devices: what OpenCL offers. */
#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include "compute/device.h"

#include <stdio.h>
#include <string.h>

/* Which device a selector means, and why. */
typedef struct {
    const MaxglDeviceInfo *device;
    char *reason;
} Choice;

static gboolean choose(GPtrArray *devices, const char *selector, Choice *choice, GError **error)
{
    int index = maxgl_device_choose(devices, selector, &choice->reason, error);
    if (index < 0)
        return FALSE;
    choice->device = g_ptr_array_index(devices, (guint)index);
    return TRUE;
}

static char *position_text(const MaxglDeviceInfo *d)
{
    return g_strdup_printf("%d:%d", d->platform_index, d->device_index);
}

static const char *yes(gboolean truth)
{
    return truth ? "yes" : "no";
}

static char *memory_text(guint64 bytes)
{
    if (bytes >= G_GUINT64_CONSTANT(1) << 30)
        return g_strdup_printf("%.1f GiB", (double)bytes / (1 << 30));
    return g_strdup_printf("%.0f MiB", (double)bytes / (1 << 20));
}

static void print_devices(GPtrArray *devices, const MaxglDeviceInfo *automatic)
{
    static const char *const titles[] = {"",       "P:D",  "type",      "name",         "memory", ">units",
                                         "driver", "fp16", "subgroups", "matrix units", "tuned",  NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < devices->len; i++) {
        const MaxglDeviceInfo *d = g_ptr_array_index(devices, i);
        g_autofree char *position = position_text(d);
        g_autofree char *memory = memory_text(d->global_memory);
        maxgl_table_add(table, d == automatic ? "*" : "");
        maxgl_table_add(table, position);
        maxgl_table_add(table, maxgl_device_type_name(d->type));
        maxgl_table_add(table, d->name);
        maxgl_table_add(table, memory);
        maxgl_table_addf(table, "%u", d->compute_units);
        maxgl_table_addf(table, "%s %s", d->platform_name, d->driver_version);
        maxgl_table_add(table, yes(d->fp16));
        maxgl_table_add(table, yes(d->subgroups));
        maxgl_table_add(table, d->matrix_units ? d->matrix_units : "none");
        if (maxgl_device_is_tuned(d))
            maxgl_table_addf(table, "yes (%s)", d->architecture);
        else
            maxgl_table_add(table, "no");
    }
    maxgl_table_print(table, "");
}

static void print_choice(const char *what, const Choice *choice)
{
    g_autofree char *position = position_text(choice->device);
    printf("%s: %s %s (%s)\n", what, position, choice->device->name, choice->reason);
}

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    if (value)
        json_builder_add_string_value(builder, value);
    else
        json_builder_add_null_value(builder);
}

static void add_int(JsonBuilder *builder, const char *name, guint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)value);
}

static void add_bool(JsonBuilder *builder, const char *name, gboolean value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

static void add_device(JsonBuilder *builder, const MaxglDeviceInfo *d)
{
    g_autofree char *position = position_text(d);
    json_builder_begin_object(builder);
    add_string(builder, "device", position);
    add_string(builder, "name", d->name);
    add_string(builder, "type", maxgl_device_type_name(d->type));
    add_string(builder, "vendor", maxgl_vendor_name(d->vendor));
    add_string(builder, "architecture", d->architecture);
    add_string(builder, "platform", d->platform_name);
    add_string(builder, "platform_version", d->platform_version);
    add_string(builder, "driver", d->driver_version);
    add_string(builder, "opencl", d->opencl_version);
    add_int(builder, "memory_bytes", d->global_memory);
    add_int(builder, "max_allocation_bytes", d->max_allocation);
    add_int(builder, "local_memory_bytes", d->local_memory);
    add_bool(builder, "local_memory_is_dedicated", d->local_memory_is_real);
    add_int(builder, "compute_units", d->compute_units);
    add_int(builder, "clock_mhz", d->clock_mhz);
    add_int(builder, "max_work_group", d->max_work_group);
    add_int(builder, "float_vector_width", d->float_vector_width);
    add_bool(builder, "fp16", d->fp16);
    add_bool(builder, "fp64", d->fp64);
    add_bool(builder, "subgroups", d->subgroups);
    add_string(builder, "matrix_units", d->matrix_units);
    add_bool(builder, "block_reads", d->block_reads);
    add_bool(builder, "tuned", maxgl_device_is_tuned(d));
    json_builder_end_object(builder);
}

static void add_choice(JsonBuilder *builder, const char *name, const Choice *choice)
{
    g_autofree char *position = position_text(choice->device);
    json_builder_set_member_name(builder, name);
    json_builder_begin_object(builder);
    add_string(builder, "device", position);
    add_string(builder, "reason", choice->reason);
    json_builder_end_object(builder);
}

static void print_json(GPtrArray *devices, const Choice *automatic, const Choice *chosen)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "devices");
    json_builder_begin_array(builder);
    for (guint i = 0; i < devices->len; i++)
        add_device(builder, g_ptr_array_index(devices, i));
    json_builder_end_array(builder);
    add_choice(builder, "auto", automatic);
    add_choice(builder, "chosen", chosen);
    json_builder_end_object(builder);
    g_autofree char *text = maxgl_json_text(builder);
    printf("%s\n", text);
}

gboolean maxgl_cmd_devices(int argc, char **argv, GError **error)
{
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, with more of each device", NULL}, {NULL}};
    const MaxglCommandHelp help = {
        .summary = "Lists the devices of all OpenCL platforms, and says which one would be used and why.",
        .entries = entries,
        .examples = "  maxgl-cl devices\n"
                    "  maxgl-cl devices --device gpu\n"
                    "  maxgl-cl devices --json",
    };
    if (!maxgl_command_parse(&help, &argc, &argv, error))
        return FALSE;
    g_autoptr(GPtrArray) devices = maxgl_device_list(error);
    Choice automatic = {0}, chosen = {0};
    gboolean good = devices && choose(devices, "auto", &automatic, error) &&
                    choose(devices, maxgl_command_device(), &chosen, error);
    if (good && json)
        print_json(devices, &automatic, &chosen);
    else if (good) {
        print_devices(devices, automatic.device);
        print_choice("\n* auto", &automatic);
        if (strcmp(automatic.reason, chosen.reason) != 0)
            print_choice("used", &chosen);
    }
    g_free(automatic.reason);
    g_free(chosen.reason);
    return good;
}
