#include <maxgl/device.h>
#include <maxgl/embedder.h>
#include <maxgl/error.h>

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) devices = maxgl_device_list(&error);
    for (guint i = 0; devices && i < devices->len; i++)
        g_print("%s\n", ((MaxglDeviceInfo *)g_ptr_array_index(devices, i))->name);
    g_autoptr(MaxglEmbedder) embedder = devices ? maxgl_embedder_open(argv[1], NULL, 1, &error) : NULL;
    const MaxglEmbedderInfo *info = embedder ? maxgl_embedder_info(embedder) : NULL;
    g_autofree float *clip = info ? g_new0(float, 3 * info->frames * info->height * info->width) : NULL;
    g_autofree float *features = info ? g_new0(float, info->features) : NULL;
    if (!info || !maxgl_embedder_run(embedder, clip, 1, features, &error))
        g_error("%s", error->message);
    g_print("%s: %d features, the first is %g\n", info->model, info->features, (double)features[0]);
    return argc == 2 ? 0 : 2;
}
