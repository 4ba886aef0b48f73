#include "tiny_model.h"

#include "net/weights.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void tiny_model_write(const char *path, int seed)
{
    tiny_model_write_network(path, "r3d-vcop@0.0625", TINY_PIXELS, seed);
}

void tiny_model_write_network(const char *path, const char *name, int pixels, int seed)
{
    g_autoptr(GError) error = NULL;
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    assert_true(maxgl_resnet_spec_parse(&spec, name, NULL));
    spec.frames = TINY_FRAMES;
    spec.height = spec.columns = pixels;
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&spec, NULL);
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    assert_non_null(resnet);
    assert_non_null(context);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&spec);
    info->frame_stride = TINY_STRIDE;
    info->seed = g_strdup_printf("%d", seed);
    maxgl_resnet_declare(resnet, parameters);
    gboolean good = maxgl_parameters_allocate(parameters, FALSE, &error) &&
                    maxgl_parameters_initialise(parameters, (guint64)seed, &error) &&
                    maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, &error);
    if (!good)
        fail_msg("%s", error->message);
}

char *tiny_folder_new(void)
{
    char *folder = g_dir_make_tmp("maxgl-eval-XXXXXX", NULL);
    assert_non_null(folder);
    return folder;
}

static void remove_all(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        remove_all(inside);
    }
    (void)g_remove(path);
}

void tiny_folder_remove(char *folder)
{
    remove_all(folder);
    g_free(folder);
}
