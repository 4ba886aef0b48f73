#include "compute/identity.h"

#include "base/checksum.h"
#include "compute/kernel_sources.h"

gboolean maxgl_context_identify(const MaxglContext *context, GChecksum *sum)
{
    const MaxglDeviceInfo *info = context->info;
    const char *const device[] = {info->platform_name, info->platform_version, info->name,
                                  info->driver_version, info->opencl_version};
    const char *developed = g_getenv("MAXGL_KERNEL_DIR");
    if (developed && *developed)
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(device); i++)
        maxgl_checksum_add_text(sum, device[i]);
    for (const MaxglEmbeddedFile *f = maxgl_kernel_sources; f->name; f++) {
        maxgl_checksum_add_text(sum, f->name);
        maxgl_checksum_add_text(sum, f->text);
    }
    g_autofree char *tuning = maxgl_tuning_text(context->tuning);
    maxgl_checksum_add_text(sum, tuning);
    return TRUE;
}
