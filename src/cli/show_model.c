#include "cli/show_model.h"

#include "base/json.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static void print_row(const char *label, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void print_row(const char *label, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    printf("%-14s  %s\n", label, text);
}

static guint64 file_bytes(const MaxglSafetensors *file)
{
    GStatBuf status;
    return g_stat(maxgl_safetensors_path(file), &status) == 0 ? (guint64)status.st_size : 0;
}

/* "F32, I64": the element types that a file has. */
static char *dtypes_text(const MaxglSafetensors *file)
{
    gboolean has[MAXGL_DTYPE_U8 + 1] = {FALSE};
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < maxgl_safetensors_count(file); i++)
        has[maxgl_safetensors_get(file, i)->dtype] = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(has); i++)
        if (has[i])
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", maxgl_dtype_name((MaxglDtype)i));
    return g_string_free(text, FALSE);
}

static gint64 head_parameters(const MaxglWeightsMatch *match)
{
    gint64 sum = 0;
    for (guint i = 0; i < match->heads->len; i++) {
        const MaxglWeightsPair *head = match->heads->pdata[i];
        const gboolean statistic =
            g_str_has_suffix(head->name, ".running_mean") || g_str_has_suffix(head->name, ".running_var");
        sum += statistic ? 0 : head->tensor->count;
    }
    return sum;
}

static void print_preprocessing(const MaxglPreprocessing *p)
{
    g_autofree char *resize =
        p->resize_width    ? g_strdup_printf("resized to %d×%d", p->resize_width, p->resize_height)
        : p->resize_height ? g_strdup_printf("shorter side resized to %d", p->resize_height)
                           : g_strdup("not resized");
    print_row("preprocessing", "%s%s, centre of %d×%d, mean %g %g %g, std %g %g %g", resize,
              p->resize_height && p->antialias ? " (antialiased)" : "", p->crop_width, p->crop_height,
              (double)p->mean[0], (double)p->mean[1], (double)p->mean[2], (double)p->std[0],
              (double)p->std[1], (double)p->std[2]);
}

static void print_names(const char *label, const GPtrArray *names)
{
    g_autofree char *list = maxgl_weights_list(names);
    if (names->len)
        print_row(label, "%s", list);
}

/* Metadata that no other row tells, each value's first line. */
static void print_metadata(const MaxglModelShown *model)
{
    static const char *const told[] = {"maxgl.network", "maxgl.naming",     "maxgl.classes",
                                       "maxgl.clip",    "maxgl.resize",     "maxgl.antialias",
                                       "maxgl.mean",    "maxgl.std",        "maxgl.frame_stride",
                                       "maxgl.recipe",  "maxgl.in_channels"};
    g_autofree const char **keys = maxgl_safetensors_metadata_keys(model->file);
    const char *label = "metadata";
    for (int i = 0; keys[i]; i++) {
        gboolean known = FALSE;
        for (guint j = 0; j < G_N_ELEMENTS(told) && !known; j++)
            known = strcmp(keys[i], told[j]) == 0;
        if (known)
            continue;
        const char *value = maxgl_safetensors_metadata(model->file, keys[i]);
        const char *end = strchr(value, '\n');
        print_row(label, "%s = %.*s%s", keys[i], end ? (int)(end - value) : (int)strlen(value), value,
                  end ? " …" : "");
        label = "";
    }
}

static void print_recipe(const char *recipe)
{
    guint lines = 0;
    for (const char *c = recipe; *c; c++)
        lines += *c == '\n';
    print_row("recipe", "%u lines (--json prints them)", lines);
}

static void print_file(const MaxglModelShown *model)
{
    const MaxglModelInfo *info = model->info;
    g_autofree char *size = g_format_size_full(file_bytes(model->file), G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *dtypes = dtypes_text(model->file);
    print_row("file", "%s, %s, %u tensors of %s", maxgl_safetensors_path(model->file), size,
              maxgl_safetensors_count(model->file), dtypes);
    print_row("names", "%s%s%s%s", maxgl_naming_name(info->naming), *info->prefix ? ", prefix \"" : "",
              info->prefix, *info->prefix ? "\"" : "");
    print_metadata(model);
    if (info->averaged)
        print_row("weights", "moving averages, decay %s", info->averaged);
    if (info->recipe)
        print_recipe(info->recipe);
    if (model->match->heads->len)
        print_row("discriminators", "%u tensors, %" G_GINT64_FORMAT " parameters (not in the table)",
                  model->match->heads->len, head_parameters(model->match));
    print_names("missing", model->match->missing);
    print_names("unexpected", model->match->unexpected);
    print_names("misshapen", model->match->misshapen);
}

static void print_bytes(const char *what, guint64 bytes)
{
    printf("  %-34s  %9.1f MiB\n", what, (double)bytes / (1 << 20));
}

static void print_memory(const MaxglModelMemory *m)
{
    const guint64 *busiest = m->bytes.busiest;
    printf("\nMemory on %s for %s of %d %s%s%s\n\n", m->device, m->training ? "training" : "inference",
           m->batch, m->batch == 1 ? "clip" : "clips", m->precision ? ", " : "",
           m->precision ? maxgl_precision_names[m->precision] : "");
    print_bytes("parameters", m->bytes.parameters);
    if (m->training) {
        print_bytes("gradients of parameters", m->bytes.gradients);
        print_bytes("optimiser (SGD with momentum)", m->bytes.optimizer);
    } else {
        print_bytes("folded weights", m->bytes.folded);
    }
    print_bytes("activations", busiest[MAXGL_MEMORY_ACTIVATIONS]);
    if (m->training)
        print_bytes("gradients of activations", busiest[MAXGL_MEMORY_GRADIENTS]);
    print_bytes("workspace", busiest[MAXGL_MEMORY_WORKSPACE]);
    print_bytes("between these (they share memory)", m->bytes.arena - busiest[MAXGL_MEMORY_ACTIVATIONS] -
                                                         busiest[MAXGL_MEMORY_GRADIENTS] -
                                                         busiest[MAXGL_MEMORY_WORKSPACE]);
    print_bytes("total", m->bytes.total);
    if (m->training)
        print_bytes("total with train.recompute=blocks", m->total_of_blocks);
}

void maxgl_model_print(const MaxglModelShown *model)
{
    const MaxglModelInfo *info = model->info;
    const MaxglResnetSpec *spec = &info->spec;
    g_autofree char *name = maxgl_resnet_spec_name(spec);
    g_autofree char *table = maxgl_resnet_table(model->resnet);
    print_row("network", "%s%s", name,
              info->spec_inferred ? " (inferred from names and shapes: no metadata of maxgl-cl)" : "");
    print_row("clip", "%d×%d×%d×%d (channels, frames, height, width), frame stride %d", spec->in_channels,
              spec->frames, spec->height, spec->columns, info->frame_stride);
    g_autofree char *classes = g_strdup_printf(", %d classes", spec->classes);
    print_row("answers", "%d features%s", maxgl_resnet_features(model->resnet), spec->classes ? classes : "");
    print_preprocessing(&info->preprocessing);
    if (model->file)
        print_file(model);
    printf("\n%s", table);
    if (model->memory.batch > 0)
        print_memory(&model->memory);
}

/* ---------------- JSON ---------------- */

static void add_int(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

static void add_double(JsonBuilder *builder, const char *name, double value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_double_value(builder, value);
}

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void add_ints(JsonBuilder *builder, const char *name, const int *values, int n)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (int i = 0; i < n; i++)
        json_builder_add_int_value(builder, values[i]);
    json_builder_end_array(builder);
}

/* A float as the decimal number that people wrote. */
static void add_floats(JsonBuilder *builder, const char *name, const float *values)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (int i = 0; i < 3; i++) {
        char text[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(text, sizeof text, "%.7g", (double)values[i]);
        json_builder_add_double_value(builder, g_ascii_strtod(text, NULL));
    }
    json_builder_end_array(builder);
}

static void add_names(JsonBuilder *builder, const char *name, const GPtrArray *names)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (guint i = 0; i < names->len; i++)
        json_builder_add_string_value(builder, names->pdata[i]);
    json_builder_end_array(builder);
}

static void add_layers(JsonBuilder *builder, const MaxglResnet *resnet)
{
    json_builder_set_member_name(builder, "layers");
    json_builder_begin_array(builder);
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglMap m = resnet->tensors[resnet->layers[i].output].map;
        const int map[4] = {m.c, m.t, m.h, m.w};
        g_autofree char *what = maxgl_layer_text(&resnet->layers[i]);
        json_builder_begin_object(builder);
        add_string(builder, "layer", resnet->layers[i].name);
        add_string(builder, "what", what);
        add_ints(builder, "output", map, 4);
        add_int(builder, "parameters", maxgl_layer_parameters(resnet, i));
        add_double(builder, "gmac", maxgl_layer_macs(resnet, i) * 1e-9);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

static void add_preprocessing(JsonBuilder *builder, const MaxglPreprocessing *p)
{
    const int resize[2] = {p->resize_width, p->resize_height}, crop[2] = {p->crop_width, p->crop_height};
    json_builder_set_member_name(builder, "preprocessing");
    json_builder_begin_object(builder);
    add_ints(builder, "resize", resize, 2);
    add_ints(builder, "crop", crop, 2);
    json_builder_set_member_name(builder, "antialias");
    json_builder_add_boolean_value(builder, p->antialias);
    add_floats(builder, "mean", p->mean);
    add_floats(builder, "std", p->std);
    json_builder_end_object(builder);
}

static void add_file(JsonBuilder *builder, const MaxglModelShown *model)
{
    g_autofree const char **keys = maxgl_safetensors_metadata_keys(model->file);
    json_builder_set_member_name(builder, "file");
    json_builder_begin_object(builder);
    add_string(builder, "path", maxgl_safetensors_path(model->file));
    add_int(builder, "bytes", (gint64)file_bytes(model->file));
    add_int(builder, "tensors", maxgl_safetensors_count(model->file));
    add_string(builder, "naming", maxgl_naming_name(model->info->naming));
    add_string(builder, "prefix", model->info->prefix);
    json_builder_set_member_name(builder, "inferred");
    json_builder_add_boolean_value(builder, model->info->spec_inferred);
    add_int(builder, "discriminator_tensors", model->match->heads->len);
    add_int(builder, "discriminator_parameters", head_parameters(model->match));
    add_names(builder, "missing", model->match->missing);
    add_names(builder, "unexpected", model->match->unexpected);
    add_names(builder, "misshapen", model->match->misshapen);
    json_builder_set_member_name(builder, "metadata");
    json_builder_begin_object(builder);
    for (int i = 0; keys[i]; i++)
        add_string(builder, keys[i], maxgl_safetensors_metadata(model->file, keys[i]));
    json_builder_end_object(builder);
    json_builder_end_object(builder);
}

static void add_memory(JsonBuilder *builder, const MaxglModelMemory *m)
{
    json_builder_set_member_name(builder, "memory");
    json_builder_begin_object(builder);
    add_string(builder, "device", m->device);
    add_string(builder, "pass", m->training ? "training" : "inference");
    add_string(builder, "algorithms", m->exact ? "exact" : "fast");
    add_string(builder, "precision", maxgl_precision_names[m->precision]);
    add_int(builder, "batch", m->batch);
    add_int(builder, "parameters", (gint64)m->bytes.parameters);
    add_int(builder, "parameter_gradients", (gint64)m->bytes.gradients);
    add_int(builder, "optimizer", (gint64)m->bytes.optimizer);
    add_int(builder, "folded_weights", (gint64)m->bytes.folded);
    add_int(builder, "activations", (gint64)m->bytes.busiest[MAXGL_MEMORY_ACTIVATIONS]);
    add_int(builder, "activation_gradients", (gint64)m->bytes.busiest[MAXGL_MEMORY_GRADIENTS]);
    add_int(builder, "workspace", (gint64)m->bytes.busiest[MAXGL_MEMORY_WORKSPACE]);
    add_int(builder, "arena", (gint64)m->bytes.arena);
    add_int(builder, "total", (gint64)m->bytes.total);
    if (m->training)
        add_int(builder, "total_recompute_blocks", (gint64)m->total_of_blocks);
    json_builder_end_object(builder);
}

void maxgl_model_print_json(const MaxglModelShown *model)
{
    const MaxglResnetSpec *spec = &model->info->spec;
    const int clip[4] = {spec->in_channels, spec->frames, spec->height, spec->columns};
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autofree char *name = maxgl_resnet_spec_name(spec);
    json_builder_begin_object(builder);
    add_string(builder, "network", name);
    add_ints(builder, "clip", clip, 4);
    add_int(builder, "frame_stride", model->info->frame_stride);
    add_int(builder, "features", maxgl_resnet_features(model->resnet));
    add_int(builder, "classes", spec->classes);
    add_int(builder, "parameters", maxgl_resnet_parameters(model->resnet));
    add_double(builder, "gmac", maxgl_resnet_macs(model->resnet) * 1e-9);
    add_preprocessing(builder, &model->info->preprocessing);
    if (model->file)
        add_file(builder, model);
    if (model->memory.batch > 0)
        add_memory(builder, &model->memory);
    add_layers(builder, model->resnet);
    json_builder_end_object(builder);
    g_autofree char *text = maxgl_json_text(builder);
    printf("%s\n", text);
}
