#include "bench/device_class.h"

#include <maxgl/error.h>
#include <string.h>

#define NVIDIA MAXGL_VENDOR_NVIDIA
#define AMD MAXGL_VENDOR_AMD
#define INTEL MAXGL_VENDOR_INTEL
#define GIB(n) ((gsize)(n) << 30)

/* Peaks of data sheets, dense, sums in float32. Hopper's matrix peaks are what mma.sync reaches of them, 62.9
 * % (Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture via Microbenchmarking",
 * 2024): the rest takes wgmma. Of Blackwell's data centre chips mma.sync is taken to do as much in a
 * multiprocessor and clock as Hopper's. */
static const MaxglDeviceClass classes[] = {
    {"NVIDIA V100 SXM2", "sm_70", NVIDIA, 80, 80, 1.53e9, 15.7e12, {0}, 900e9, 96, 128, 65536, GIB(16)},
    {"NVIDIA T4", "sm_75", NVIDIA, 40, 40, 1.59e9, 8.1e12, {0, 65e12}, 320e9, 64, 64, 65536, GIB(16)},
    {"NVIDIA A100 SXM",
     "sm_80",
     NVIDIA,
     108,
     108,
     1.41e9,
     19.5e12,
     {0, 312e12, 312e12, 156e12},
     2039e9,
     164,
     128,
     65536,
     GIB(80)},
    {"NVIDIA RTX 3090",
     "sm_86",
     NVIDIA,
     82,
     82,
     1.70e9,
     35.6e12,
     {0, 71e12, 71e12, 35.6e12},
     936e9,
     100,
     128,
     65536,
     GIB(24)},
    {"NVIDIA RTX 4090",
     "sm_89",
     NVIDIA,
     128,
     128,
     2.52e9,
     82.6e12,
     {0, 165e12, 165e12, 82.6e12},
     1008e9,
     100,
     128,
     65536,
     GIB(24)},
    {"NVIDIA H100 SXM",
     "sm_90",
     NVIDIA,
     132,
     132,
     1.83e9,
     66.9e12,
     {0, 622e12, 622e12, 311e12},
     3350e9,
     228,
     128,
     65536,
     GIB(80)},
    {"NVIDIA H200",
     "sm_90",
     NVIDIA,
     132,
     132,
     1.83e9,
     66.9e12,
     {0, 622e12, 622e12, 311e12},
     4800e9,
     228,
     128,
     65536,
     GIB(141)},
    {"NVIDIA B200",
     "sm_100",
     NVIDIA,
     148,
     148,
     1.85e9,
     75e12,
     {0, 705e12, 705e12, 352e12},
     8000e9,
     228,
     128,
     65536,
     GIB(180)},
    {"NVIDIA RTX 5090",
     "sm_120",
     NVIDIA,
     170,
     170,
     2.41e9,
     104.8e12,
     {0, 209.5e12, 209.5e12, 104.8e12},
     1792e9,
     100,
     128,
     65536,
     GIB(32)},
    {"AMD Radeon RX Vega 64", "gfx900", AMD, 64, 64, 1.546e9, 12.7e12, {0}, 484e9, 64, 128, 65536, GIB(8)},
    {"AMD Instinct MI50", "gfx906", AMD, 60, 60, 1.725e9, 13.3e12, {0}, 1024e9, 64, 128, 65536, GIB(16)},
    {"AMD Instinct MI100",
     "gfx908",
     AMD,
     120,
     120,
     1.502e9,
     23.1e12,
     {46.1e12, 184.6e12, 92.3e12},
     1229e9,
     64,
     128,
     131072,
     GIB(32)},
    {"AMD Instinct MI250X, one of two dies",
     "gfx90a",
     AMD,
     110,
     110,
     1.7e9,
     23.9e12,
     {47.9e12, 191.5e12, 191.5e12},
     1638e9,
     64,
     128,
     131072,
     GIB(64)},
    {"AMD Instinct MI300X",
     "gfx942",
     AMD,
     304,
     304,
     2.1e9,
     81.7e12,
     {163.4e12, 1307e12, 1307e12},
     5300e9,
     64,
     128,
     131072,
     GIB(192)},
    {"AMD Radeon RX 6900 XT", "gfx1030", AMD, 80, 40, 2.25e9, 23.0e12, {0}, 512e9, 64, 128, 65536, GIB(16)},
    {"AMD Radeon RX 7900 XTX",
     "gfx1100",
     AMD,
     96,
     48,
     2.5e9,
     61.4e12,
     {0, 122.8e12, 122.8e12},
     960e9,
     64,
     128,
     98304,
     GIB(24)},
    {"AMD Radeon RX 9070 XT",
     "gfx1201",
     AMD,
     64,
     32,
     2.97e9,
     48.7e12,
     {0, 195e12, 195e12},
     645e9,
     64,
     128,
     98304,
     GIB(16)},
    {"Intel HD Graphics 530", "gen9", INTEL, 3, 24, 1.15e9, 0.44e12, {0}, 34e9, 64, 64, 57344, GIB(8)},
    {"Intel Iris Xe (96 EU)", "xe-lp", INTEL, 6, 96, 1.35e9, 2.07e12, {0}, 68e9, 128, 128, 114688, GIB(8)},
    {"Intel Arc A770",
     "xe-hpg",
     INTEL,
     32,
     512,
     2.1e9,
     17.2e12,
     {0, 137.6e12, 137.6e12},
     560e9,
     128,
     128,
     131072,
     GIB(16)},
    {"Intel Data Center GPU Max 1550, one of two stacks",
     "xe-hpc",
     INTEL,
     64,
     512,
     1.6e9,
     26.2e12,
     {0, 419e12, 419e12},
     1638e9,
     128,
     128,
     131072,
     GIB(64)},
    {"Intel Arc B580",
     "xe2",
     INTEL,
     20,
     160,
     2.67e9,
     13.7e12,
     {0, 109e12, 109e12},
     456e9,
     128,
     128,
     131072,
     GIB(12)},
};

const MaxglDeviceClass *maxgl_device_classes(guint *count)
{
    *count = G_N_ELEMENTS(classes);
    return classes;
}

static gboolean contains(const char *text, const char *part)
{
    g_autofree char *in = g_ascii_strdown(text, -1), *of = g_ascii_strdown(part, -1);
    return strstr(in, of) != NULL;
}

const MaxglDeviceClass *maxgl_device_class_find(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++)
        if (contains(classes[i].name, name))
            return &classes[i];
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        if (g_ascii_strcasecmp(classes[i].architecture, name) == 0)
            return &classes[i];
        g_string_append_printf(names, "%s%s", i ? "; " : "", classes[i].name);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                "no class of devices is called \"%s\"; there are: %s", name, names->str);
    return NULL;
}

/* "NVIDIA H100 SXM" → "H100": what tells devices of one architecture apart. */
static gboolean is_called(const MaxglDeviceInfo *info, const MaxglDeviceClass *class)
{
    g_auto(GStrv) words = g_strsplit(class->name, " ", -1);
    for (char **word = words + 1; *word; word++)
        if (strpbrk(*word, "0123456789") && strlen(*word) > 2 && contains(info->name, *word))
            return TRUE;
    return FALSE;
}

const MaxglDeviceClass *maxgl_device_class_of(const MaxglDeviceInfo *info)
{
    const MaxglDeviceClass *first = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        if (classes[i].vendor != info->vendor || g_strcmp0(classes[i].architecture, info->architecture))
            continue;
        if (is_called(info, &classes[i]))
            return &classes[i];
        first = first ? first : &classes[i];
    }
    return first;
}

static MaxglDeviceInfo *info_of(const MaxglDeviceClass *class)
{
    MaxglDeviceInfo *info = g_new0(MaxglDeviceInfo, 1);
    *info = (MaxglDeviceInfo){
        .platform_name = g_strdup(maxgl_vendor_name(class->vendor)),
        .platform_version = g_strdup("OpenCL 3.0"),
        .name = g_strdup(class->name),
        .driver_version = g_strdup("none"),
        .opencl_version = g_strdup("OpenCL 3.0"),
        .type = MAXGL_DEVICE_GPU,
        .vendor = class->vendor,
        .architecture = g_strdup(class->architecture),
        .global_memory = class->memory_bytes,
        .max_allocation = class->memory_bytes / 4,
        .local_memory = (guint64)MIN(class->local_kib, class->vendor == MAXGL_VENDOR_NVIDIA ? 48 : 64) << 10,
        .local_memory_is_real = TRUE,
        .compute_units = (guint) class->units,
        .clock_mhz = (guint)(class->clock / 1e6),
        .max_work_group = 1024,
        .base_align = 256,
        .float_vector_width = 1,
        .fp16 = TRUE,
        .subgroups = TRUE,
        .matrix_units = class->matrix[MAXGL_FACTORS_FP16] > 0 ? g_strdup("as documented") : NULL,
    };
    return info;
}

MaxglContext *maxgl_device_class_context(const MaxglDeviceClass *class, GError **error)
{
    MaxglContext *context = g_new0(MaxglContext, 1);
    context->info = info_of(class);
    context->tuning = maxgl_tuning_load(context->info, error);
    for (int i = 0; i <= MAXGL_FACTORS_TF32; i++)
        if (class->matrix[i] > 0)
            context->matrix_works |= 1U << i;
    context->matrix_asked = ~0U;
    if (context->tuning)
        return context;
    maxgl_device_class_context_free(context);
    return NULL;
}

void maxgl_device_class_context_free(MaxglContext *context)
{
    if (!context)
        return;
    maxgl_device_info_free(context->info);
    maxgl_tuning_free(context->tuning);
    g_free(context);
}
