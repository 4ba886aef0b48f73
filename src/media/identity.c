#include "media/identity.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checksum.h"
#include "media/decoder.h"

static int compare_plugins(gconstpointer a, gconstpointer b)
{
    return strcmp(gst_plugin_get_name((GstPlugin *)a), gst_plugin_get_name((GstPlugin *)b));
}

static void identify_decoders(GChecksum *sum)
{
    if (!maxgl_gstreamer_init(NULL))
        return; /* then no file can be read */
    g_autofree char *version = gst_version_string();
    GList *plugins =
        g_list_sort(gst_registry_get_plugin_list(gst_registry_get()), (GCompareFunc)compare_plugins);
    maxgl_checksum_add_text(sum, version);
    for (GList *l = plugins; l; l = l->next) {
        maxgl_checksum_add_text(sum, gst_plugin_get_name(l->data));
        maxgl_checksum_add_text(sum, gst_plugin_get_version(l->data));
    }
    gst_plugin_list_free(plugins);
}

void maxgl_dataset_identify(const MaxglDataset *dataset, GChecksum *sum)
{
    const MaxglSyntheticOptions *synthetic = maxgl_dataset_synthetic(dataset);
    if (synthetic == NULL) {
        maxgl_checksum_add_text(sum, "files");
        identify_decoders(sum);
        return;
    }
    g_autofree char *text = maxgl_synthetic_text(synthetic);
    maxgl_checksum_add_text(sum, "synth");
    maxgl_checksum_add_text(sum, text);
}

gboolean maxgl_dataset_identify_video(const MaxglDataset *dataset, gsize index, GChecksum *sum)
{
    GStatBuf status;
    if (maxgl_dataset_synthetic(dataset) != NULL) {
        const guint64 number = maxgl_dataset_synthetic_index(dataset, index);
        g_checksum_update(sum, (const guchar *)&number, sizeof number);
        return TRUE;
    }
    g_autofree char *path = g_canonicalize_filename(maxgl_dataset_path(dataset, index), NULL);
    if (g_stat(path, &status) != 0)
        return FALSE;
    const gint64 numbers[] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                              status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
    maxgl_checksum_add_text(sum, path);
    g_checksum_update(sum, (const guchar *)numbers, sizeof numbers);
    return TRUE;
}
