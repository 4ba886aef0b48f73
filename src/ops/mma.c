#include "ops/mma.h"

#include "ops/mma_probe.h"
#include <string.h>

#define BIT(factors) (1U << MAXGL_FACTORS_##factors)

/* Waves as large as registers allow: 64 × 64 floats are 128 for each of 32 lanes. */
static const MaxglMma families[] = {
    {"sm_75", 1, 75, BIT(FP16), 32, 8, 16, 1, FALSE, 64, 64},
    {"sm_80", 1, 80, BIT(FP16) | BIT(BF16) | BIT(TF32), 32, 8, 16, 1, FALSE, 64, 64},
    {"gfx908", 2, 908, BIT(FP32) | BIT(FP16) | BIT(BF16), 64, 16, 16, 1, FALSE, 64, 64},
    {"gfx90a", 2, 90, BIT(FP32) | BIT(FP16) | BIT(BF16), 64, 16, 16, 1, FALSE, 64, 64},
    {"gfx11", 3, 0, BIT(FP16) | BIT(BF16), 32, 16, 16, 2, FALSE, 64, 32},
    {"gfx12", 4, 0, BIT(FP16) | BIT(BF16), 32, 16, 16, 2, FALSE, 64, 32},
    {"xe16", 5, 0, BIT(FP16) | BIT(BF16), 16, 8, 16, 2, TRUE, 32, 32},
    {"xe8", 6, 0, BIT(FP16) | BIT(BF16), 8, 8, 8, 2, FALSE, 32, 16},
};

const char *maxgl_factors_name(MaxglFactors factors)
{
    static const char *const names[] = {"fp32", "fp16", "bf16", "tf32"};
    return names[factors];
}

MaxglStorage maxgl_factors_storage(MaxglFactors factors)
{
    return factors == MAXGL_FACTORS_FP16   ? MAXGL_FLOAT16
           : factors == MAXGL_FACTORS_BF16 ? MAXGL_BFLOAT16
                                           : MAXGL_FLOAT32;
}

const char *const *maxgl_mma_names(void)
{
    static const char *names[G_N_ELEMENTS(families) + 1];
    static gsize done;
    if (g_once_init_enter(&done)) {
        for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
            names[i] = families[i].name;
        g_once_init_leave(&done, 1);
    }
    return names;
}

static const MaxglMma *family_named(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
        if (g_str_equal(families[i].name, name))
            return &families[i];
    return NULL;
}

/* Intel's units are as wide as the smallest sub-group that the device has. */
static const MaxglMma *family_of_intel(const MaxglContext *context)
{
    static const struct {
        const char *architecture, *family;
    } known[] = {{"xe-hpg", "xe8"}, {"xe-lpg", "xe8"}, {"xe-hpc", "xe16"}, {"xe2", "xe16"}, {"xe3", "xe16"}};
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_equal(context->info->architecture, known[i].architecture))
            return family_named(known[i].family);
    const gsize least = maxgl_intel_least_sub_group(context->device);
    return least == 16 ? family_named("xe16") : least == 8 ? family_named("xe8") : NULL;
}

/* The instructions of a device that its makers say it has. */
static const MaxglMma *family_of(MaxglContext *context)
{
    const MaxglDeviceInfo *device = context->info;
    const char *architecture = device->architecture;
    if (!device->matrix_units)
        return NULL;
    if (device->vendor == MAXGL_VENDOR_NVIDIA) {
        const guint64 number = g_ascii_strtoull(architecture + strlen("sm_"), NULL, 10);
        return number >= 80 ? family_named("sm_80") : number >= 75 ? family_named("sm_75") : NULL;
    }
    if (device->vendor == MAXGL_VENDOR_AMD) {
        if (g_str_has_prefix(architecture, "gfx11") || g_str_has_prefix(architecture, "gfx12"))
            return family_named(architecture[4] == '1' ? "gfx11" : "gfx12");
        return family_named(g_str_equal(architecture, "gfx908") ? "gfx908" : "gfx90a");
    }
    return device->vendor == MAXGL_VENDOR_INTEL ? family_of_intel(context) : NULL;
}

const MaxglMma *maxgl_mma_of(MaxglContext *context, MaxglFactors factors, gboolean *emulated)
{
    const char *emulate = maxgl_tuning_string(context->tuning, "mma", NULL, "emulate", "");
    const guint bit = 1U << factors;
    *emulated = *emulate != '\0';
    const MaxglMma *family = *emulated ? family_named(emulate) : family_of(context);
    if (!family || !(family->factors & bit))
        return NULL;
    if (*emulated)
        return family;
    if (!(context->matrix_asked & bit)) {
        context->matrix_asked |= bit;
        if (maxgl_mma_is_right(context, family, factors))
            context->matrix_works |= bit;
    }
    return context->matrix_works & bit ? family : NULL;
}

void maxgl_mma_trust(MaxglContext *context)
{
    context->matrix_asked = context->matrix_works = ~0U;
}
