#include "bench/suite.h"

#include "base/interrupt.h"
#include "bench/suite_private.h"
#include "net/network.h"

#include <maxgl/error.h>
#include <string.h>

static const struct {
    const char *name;
    MaxglSuiteSection run;
} sections[] = {
    {"peaks", maxgl_suite_peaks},         {"launch", maxgl_suite_launch},
    {"transfers", maxgl_suite_transfers}, {"layers", maxgl_suite_layers},
    {"heads", maxgl_suite_heads},         {"inference", maxgl_suite_inference},
    {"training", maxgl_suite_training},   {"preparation", maxgl_suite_preparation},
};

static const MaxglSuiteSizes full_sizes = {.net = "r3d_18",
                                           .heads_net = "hara-r3d18",
                                           .frames = 16,
                                           .height = 112,
                                           .width = 112,
                                           .layers_batch = 8,
                                           .batches = {1, 8, 32},
                                           .precisions =
                                               1 << MAXGL_PRECISION_FP32 | 1 << MAXGL_PRECISION_TF32 |
                                               1 << MAXGL_PRECISION_FP16 | 1 << MAXGL_PRECISION_BF16,
                                           .videos = 32,
                                           .repeats = 5,
                                           .transfer_bytes = (gsize)256 << 20,
                                           .video_width = 320,
                                           .video_height = 240,
                                           .prepare_batch = 32,
                                           .prepare_seconds = 3};

static const MaxglSuiteSizes quick_sizes = {.net = "r3d-vcop@0.0625",
                                            .heads_net = "r3d-vcop@0.0625",
                                            .frames = 4,
                                            .height = 16,
                                            .width = 16,
                                            .layers_batch = 2,
                                            .batches = {2, 4},
                                            .precisions =
                                                1 << MAXGL_PRECISION_FP32 | 1 << MAXGL_PRECISION_FP16,
                                            .videos = 3,
                                            .repeats = 2,
                                            .transfer_bytes = (gsize)8 << 20,
                                            .video_width = 32,
                                            .video_height = 24,
                                            .prepare_batch = 4,
                                            .prepare_seconds = 0.2};

/* ---------------- what ran where ---------------- */

static void add_boolean(JsonBuilder *b, const char *name, gboolean value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_boolean_value(b, value);
}

/* Those that say which arithmetic, matrix units and subgroups there are, and whose device it is. */
static gboolean matters(const char *extension)
{
    static const char *const parts[] = {"fp16",     "fp64",    "bfloat16",
                                        "subgroup", "matrix",  "integer_dot_product",
                                        "cl_nv_",   "cl_amd_", "il_program"};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        if (strstr(extension, parts[i]))
            return TRUE;
    return FALSE;
}

static void add_extensions(JsonBuilder *b, const MaxglContext *context)
{
    size_t size = 0;
    g_autofree char *text = NULL;
    if (clGetDeviceInfo(context->device, CL_DEVICE_EXTENSIONS, 0, NULL, &size) == CL_SUCCESS) {
        text = g_malloc0(size + 1);
        clGetDeviceInfo(context->device, CL_DEVICE_EXTENSIONS, size, text, NULL);
    }
    g_auto(GStrv) words = g_strsplit(text ? text : "", " ", -1);
    json_builder_set_member_name(b, "extensions");
    json_builder_begin_array(b);
    for (char **word = words; *word; word++)
        if (matters(*word))
            json_builder_add_string_value(b, *word);
    json_builder_end_array(b);
}

static void add_identity(JsonBuilder *b, const MaxglContext *context)
{
    const MaxglDeviceInfo *d = context->info;
    maxgl_record_string(b, "device_type", maxgl_device_type_name(d->type));
    maxgl_record_string(b, "vendor", maxgl_vendor_name(d->vendor));
    maxgl_record_string(b, "opencl_version", d->opencl_version);
    maxgl_record_number(b, "global_memory_bytes", (double)d->global_memory);
    maxgl_record_number(b, "max_allocation_bytes", (double)d->max_allocation);
    maxgl_record_number(b, "local_memory_bytes", (double)d->local_memory);
    add_boolean(b, "local_memory_is_real", d->local_memory_is_real);
    maxgl_record_number(b, "max_work_group", (double)d->max_work_group);
    maxgl_record_number(b, "float_vector_width", d->float_vector_width);
    if (d->matrix_units)
        maxgl_record_string(b, "matrix_units", d->matrix_units);
    add_extensions(b, context);
}

static void add_peaks(JsonBuilder *b, const MaxglSuite *s)
{
    json_builder_set_member_name(b, "peaks");
    json_builder_begin_object(b);
    if (s->roof.flops > 0)
        maxgl_record_number(b, "f32_gflop_per_s", s->roof.flops * 1e-9);
    if (s->half_flops > 0)
        maxgl_record_number(b, "f16_gflop_per_s", s->half_flops * 1e-9);
    if (s->roof.copy_bytes > 0)
        maxgl_record_number(b, "copy_gbyte_per_s", s->roof.copy_bytes * 1e-9);
    if (s->local_bytes > 0)
        maxgl_record_number(b, "local_gbyte_per_s", s->local_bytes * 1e-9);
    maxgl_record_matrix(b, &s->roof);
    json_builder_end_object(b);
}

/* ---------------- section by section ---------------- */

const char *maxgl_suite_section(guint index)
{
    return index < G_N_ELEMENTS(sections) ? sections[index].name : NULL;
}

static gboolean wanted(const MaxglSuiteOptions *options, const char *section)
{
    return !options->sections || g_strv_contains(options->sections, section);
}

/* The device is opened again: after some errors no context of it works any longer. */
static gboolean reopen(MaxglContext **context, GError **error)
{
    g_autofree char *selector =
        g_strdup_printf("%d:%d", (*context)->info->platform_index, (*context)->info->device_index);
    maxgl_context_close(*context);
    return (*context = maxgl_context_open(selector, error)) != NULL;
}

static void add_status(JsonBuilder *b, const char *status, const char *reason)
{
    maxgl_record_string(b, "status", status);
    if (reason)
        maxgl_record_string(b, "reason", reason);
}

/* Appends the section's object. FALSE only if the suite cannot go on. */
static gboolean run_section(MaxglSuite *s, guint index, MaxglContext **context,
                            const MaxglSuiteOptions *options, JsonBuilder *all, GError **error)
{
    g_autoptr(GError) failed = NULL;
    g_autoptr(JsonBuilder) b = json_builder_new();
    const gint64 start = g_get_monotonic_time();
    g_string_truncate(s->left, 0);
    g_string_truncate(s->outcome, 0);
    s->context = *context;
    s->broken = FALSE;
    json_builder_begin_object(b);
    if (sections[index].run(s, b, &failed)) {
        const gboolean whole = s->left->len == 0;
        add_status(b, whole ? "done" : "partial", whole ? NULL : s->left->str);
        if (!whole)
            g_string_append_printf(s->outcome, " (left out: %s)", s->left->str);
        if (s->broken && !reopen(context, error))
            return FALSE;
    } else if (g_error_matches(failed, MAXGL_ERROR, MAXGL_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return FALSE;
    } else {
        const gboolean large = g_error_matches(failed, MAXGL_ERROR, MAXGL_ERROR_LIMIT);
        g_object_unref(b); /* begun, and of no use */
        b = json_builder_new();
        json_builder_begin_object(b);
        add_status(b, large ? "too large" : "failed", failed->message);
        g_string_printf(s->outcome, "%s: %s", large ? "too large" : "failed", failed->message);
        if (!reopen(context, error))
            return FALSE;
    }
    maxgl_record_number(b, "wall_s", maxgl_seconds_since(start));
    json_builder_end_object(b);
    json_builder_set_member_name(all, sections[index].name);
    json_builder_add_value(all, json_builder_get_root(b));
    options->report(sections[index].name, s->outcome->str);
    return TRUE;
}

JsonBuilder *maxgl_suite_run(MaxglContext **context, const MaxglSuiteOptions *options, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(*context, "suite");
    g_autoptr(GString) left = g_string_new(NULL), outcome = g_string_new(NULL);
    const gint64 start = g_get_monotonic_time();
    MaxglSuite s = {.sizes = options->quick ? &quick_sizes : &full_sizes,
                    .limit = options->limit,
                    .left = left,
                    .outcome = outcome};
    maxgl_record_number(b, "suite", 1);
    add_identity(b, *context);
    add_boolean(b, "quick", options->quick);
    maxgl_record_number(b, "section_limit_s", options->limit);
    if (options->note)
        maxgl_record_string(b, "note", options->note);
    json_builder_set_member_name(b, "sections");
    json_builder_begin_object(b);
    for (guint i = 0; i < G_N_ELEMENTS(sections); i++)
        if (wanted(options, sections[i].name) &&
            (!maxgl_interrupt_check(error) || !run_section(&s, i, context, options, b, error)))
            return NULL;
    json_builder_end_object(b);
    add_peaks(b, &s);
    maxgl_record_number(b, "wall_s", maxgl_seconds_since(start));
    return g_steal_pointer(&b);
}
