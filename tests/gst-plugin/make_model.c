/* make_model FILE FRAMES SIZE STRIDE SEED: a narrow 3D ResNet with random weights, for clips of FRAMES × SIZE
 * × SIZE. */
#include "net/weights.h"
#include <stdlib.h>

static gboolean make_model(const char *path, int frames, int size, int stride, guint64 seed, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (!maxgl_resnet_spec_parse(&spec, "hara-r3d10@0.125", error))
        return FALSE;
    spec.frames = frames;
    spec.height = spec.columns = size;
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&spec, error);
    if (!resnet)
        return FALSE;
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, error);
    if (!context)
        return FALSE;
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&spec);
    info->frame_stride = stride;
    return maxgl_parameters_allocate(parameters, FALSE, error) &&
           maxgl_parameters_initialise(parameters, seed, error) &&
           maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 6) {
        g_printerr("usage: %s FILE FRAMES SIZE STRIDE SEED\n", argv[0]);
        return 2;
    }
    if (make_model(argv[1], atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), strtoull(argv[5], NULL, 10), &error))
        return 0;
    g_printerr("%s\n", error->message);
    return 1;
}
