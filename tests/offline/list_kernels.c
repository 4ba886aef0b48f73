/* Prints, as JSON, every kernel with its options that devices nobody here needs to have would be given: a
 * network's training step and inference, Max-GL's heads, clips' preparation, and every layer's convolution by
 * every algorithm of GPUs with every kind of factors. Memory is that of a CPU's OpenCL; nothing is built but
 * clips' preparation.
 *
 *   list_kernels devices.json [ARCHITECTURE …]
 */
#include "base/json.h"
#include "bench/heads.h"
#include "bench/network.h"
#include "bench/prepare.h"
#include "bench/tune_conv3d.h"
#include "compute/program.h"
#include "ops/mma.h"
#include "ops/mma_probe.h"

#include <locale.h>
#include <string.h>

enum { BATCH = 8 };

/* Layers of r3d_18 by every algorithm; hara-r3d18 as a whole, which has pools and shortcut A besides. */
typedef struct {
    const MaxglResnet *layers, *whole;
} Networks;

static MaxglVendor vendor_named(const char *name)
{
    for (MaxglVendor v = MAXGL_VENDOR_OTHER; v <= MAXGL_VENDOR_OCLGRIND; v++)
        if (g_str_equal(maxgl_vendor_name(v), name))
            return v;
    g_error("%s: no such vendor", name);
}

static void set_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

/* Makes @context's device look like the one described, as far as kernels' parameters depend on it. */
static gboolean disguise(MaxglContext *context, JsonObject *device, GError **error)
{
    MaxglDeviceInfo *info = context->info;
    info->type = MAXGL_DEVICE_GPU;
    info->vendor = vendor_named(json_object_get_string_member(device, "vendor"));
    set_text(&info->name, json_object_get_string_member(device, "device"));
    set_text(&info->architecture, json_object_get_string_member(device, "architecture"));
    set_text(&info->matrix_units, json_object_get_string_member_with_default(device, "matrix", NULL));
    info->block_reads = json_object_get_boolean_member_with_default(device, "block_reads", FALSE);
    info->local_memory = (guint64)json_object_get_int_member(device, "local_kib") * 1024;
    info->local_memory_is_real = TRUE;
    info->compute_units = (guint)json_object_get_int_member(device, "units");
    info->max_work_group = (gsize)json_object_get_int_member(device, "group");
    info->global_memory = info->max_allocation = (guint64)16 << 30;
    info->float_vector_width = 1;
    info->fp16 = TRUE;
    maxgl_tuning_free(context->tuning);
    context->tuning = maxgl_tuning_load(info, error);
    maxgl_mma_trust(context);
    return context->tuning != NULL;
}

/* One pass of a layer. Its workspace is there, since windows of it are made. */
static gboolean add_pass(MaxglContext *context, const MaxglTuneKind *kind, MaxglConv3dPass pass,
                         GError **error)
{
    const MaxglTuneWork nothing = {.kind = kind};
    const gsize bytes = maxgl_tune_workspace(context, &kind->conv, pass);
    g_autoptr(MaxglMaterial) material = maxgl_material_new(context);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    return maxgl_material_buffer(material, bytes, &workspace, error) &&
           maxgl_tune_append(&nothing, pass, workspace, sequence, error);
}

/* For every pass; NULL: as the database says. */
static void choose_algorithm(MaxglContext *context, const char *name)
{
    for (int pass = 0; pass < MAXGL_TUNE_PASSES; pass++)
        maxgl_tuning_try(context->tuning, "conv3d", NULL, maxgl_tune_pass_names[pass], name);
}

static gboolean add_convolutions(MaxglContext *context, const MaxglResnet *resnet, const char *algorithm,
                                 MaxglPrecision precision, GError **error)
{
    g_autoptr(GArray) kinds = maxgl_tune_kinds(context, resnet, BATCH, precision);
    choose_algorithm(context, algorithm);
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < kinds->len; i++) {
        const MaxglTuneKind *kind = &g_array_index(kinds, MaxglTuneKind, i);
        for (MaxglConv3dPass pass = MAXGL_CONV3D_FORWARD; ok && pass <= MAXGL_CONV3D_BACKWARD_WEIGHTS; pass++)
            if (maxgl_tune_has_pass(kind, pass) &&
                g_str_equal(maxgl_conv3d_algorithm_name(context, &kind->conv, pass), algorithm))
                ok = add_pass(context, kind, pass, error);
    }
    choose_algorithm(context, NULL);
    return ok;
}

static gboolean add_all_convolutions(MaxglContext *context, const MaxglResnet *resnet, GError **error)
{
    static const struct {
        MaxglPrecision precision;
        MaxglFactors factors;
    } all[] = {{MAXGL_PRECISION_FP32, MAXGL_FACTORS_FP32},
               {MAXGL_PRECISION_TF32, MAXGL_FACTORS_TF32},
               {MAXGL_PRECISION_FP16, MAXGL_FACTORS_FP16},
               {MAXGL_PRECISION_BF16, MAXGL_FACTORS_BF16}};
    gboolean emulated;
    if (!add_convolutions(context, resnet, "gemm", MAXGL_PRECISION_FP32, error) ||
        !add_convolutions(context, resnet, "winograd_gemm", MAXGL_PRECISION_FP32, error))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        if (maxgl_mma_of(context, all[i].factors, &emulated) &&
            !add_convolutions(context, resnet, "mma", all[i].precision, error))
            return FALSE;
    return TRUE;
}

static gboolean add_network(MaxglContext *context, const MaxglResnet *resnet, MaxglNetworkMode mode,
                            MaxglPrecision precision, GError **error)
{
    const MaxglNetworkBench bench = {.mode = mode, .batch = BATCH, .repeats = 1, .precision = precision};
    MaxglBenchRun run;
    return maxgl_network_bench(context, resnet, &bench, &run, error);
}

static gboolean add_heads(MaxglContext *context, const MaxglResnet *resnet, MaxglDiscriminator discriminator,
                          GError **error)
{
    MaxglHeadsOptions heads;
    MaxglBenchRun run;
    maxgl_heads_options_init(&heads, resnet, BATCH);
    heads.discriminator = discriminator;
    heads.repeats = 1;
    g_autoptr(GPtrArray) rows = maxgl_bench_heads(context, &heads, &run, error);
    return rows != NULL;
}

static gboolean add_others(MaxglContext *context, const MaxglResnet *resnet, GError **error)
{
    const MaxglPrepareOptions prepare = {
        .frames = 16, .height = 112, .width = 112, .video_width = 340, .video_height = 256, .batch = 1};
    if (!add_network(context, resnet, MAXGL_NETWORK_INFERENCE, MAXGL_PRECISION_FP32, error) ||
        !add_network(context, resnet, MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_FP32, error) ||
        !add_network(context, resnet, MAXGL_NETWORK_TRAINING, MAXGL_PRECISION_FP16, error) ||
        !add_heads(context, resnet, MAXGL_DISCRIMINATOR_CONCAT, error) ||
        !add_heads(context, resnet, MAXGL_DISCRIMINATOR_DOT, error))
        return FALSE;
    g_autoptr(GArray) rows = maxgl_bench_prepare(context, &prepare, error);
    return rows != NULL;
}

static void add_text(JsonBuilder *json, const char *name, const char *text)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, text);
}

static gboolean add_sources(JsonBuilder *json, MaxglContext *context, GHashTable *files, GError **error)
{
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(files), (GCompareFunc)strcmp);
    json_builder_set_member_name(json, "sources");
    json_builder_begin_object(json);
    for (GList *l = names; l; l = l->next) {
        g_autofree char *source = maxgl_program_source(context, l->data, error);
        if (!source)
            return FALSE;
        add_text(json, l->data, source);
    }
    json_builder_end_object(json);
    return TRUE;
}

static gboolean print_kernels(JsonBuilder *json, MaxglContext *context, const GPtrArray *kernels,
                              GError **error)
{
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    json_builder_begin_object(json);
    json_builder_set_member_name(json, "kernels");
    json_builder_begin_array(json);
    for (guint i = 0; i < kernels->len; i++) {
        const MaxglListedKernel *k = g_ptr_array_index(kernels, i);
        g_hash_table_add(files, g_strdup(k->file));
        json_builder_begin_object(json);
        add_text(json, "file", k->file);
        add_text(json, "kernel", k->kernel);
        add_text(json, "options", k->options);
        json_builder_set_member_name(json, "items");
        json_builder_add_int_value(json, (gint64)k->items);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    const gboolean ok = add_sources(json, context, files, error);
    json_builder_end_object(json);
    return ok;
}

static gboolean add_device(JsonObject *device, const Networks *networks, JsonBuilder *json, GError **error)
{
    g_autoptr(MaxglContext) context = maxgl_context_open("cpu", error);
    g_autoptr(GPtrArray) kernels = maxgl_program_list_new();
    if (!context || !disguise(context, device, error))
        return FALSE;
    maxgl_program_list(context, kernels);
    if (!add_all_convolutions(context, networks->layers, error) ||
        !add_others(context, networks->whole, error))
        return FALSE;
    json_builder_set_member_name(json, json_object_get_string_member(device, "architecture"));
    return print_kernels(json, context, kernels, error);
}

static MaxglResnet *network_named(const char *name, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, name, error))
        return NULL;
    spec.classes = 400;
    return maxgl_resnet_new(&spec, error);
}

static gboolean add_devices(JsonArray *devices, char **wanted, const Networks *networks, JsonBuilder *json,
                            GError **error)
{
    json_builder_begin_object(json);
    for (guint i = 0; i < json_array_get_length(devices); i++) {
        JsonObject *device = json_array_get_object_element(devices, i);
        const char *architecture = json_object_get_string_member(device, "architecture");
        if (*wanted && !g_strv_contains((const char *const *)wanted, architecture))
            continue;
        if (!add_device(device, networks, json, error)) {
            g_prefix_error(error, "%s: ", architecture);
            return FALSE;
        }
    }
    json_builder_end_object(json);
    return TRUE;
}

static gboolean list(const char *path, char **wanted, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(MaxglResnet) layers = network_named("r3d_18", error);
    g_autoptr(MaxglResnet) whole = layers ? network_named("hara-r3d18", error) : NULL;
    if (!whole || !json_parser_load_from_file(parser, path, error))
        return FALSE;
    const Networks networks = {layers, whole};
    if (!add_devices(json_node_get_array(json_parser_get_root(parser)), wanted, &networks, json, error))
        return FALSE;
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    g_autofree char *text = json_to_string(root, FALSE);
    g_print("%s\n", text);
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    setlocale(LC_ALL, "");
    if (argc < 2) {
        g_printerr("usage: list_kernels devices.json [ARCHITECTURE …]\n");
        return 2;
    }
    if (list(argv[1], argv + 2, &error))
        return 0;
    g_printerr("list_kernels: %s\n", error->message);
    return 1;
}
