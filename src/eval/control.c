#include "eval/control.h"

#include "base/progress.h"
#include "media/loader.h"
#include "net/network.h"
#include "ops/clip_prepare.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>

/* With momentum 0.1 what the statistics began with counts 0.9^50 = 0.5 % after so many batches. */
#define BATCHES 50
#define CLIPS 16

/* The network in training mode, and what brings clips to it. */
typedef struct {
    const MaxglModelInfo *info;
    MaxglContext *context;
    MaxglResnet *resnet;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    MaxglClipPreparer *preparer;
    MaxglLoader *loader;
} Control;

static void control_clear(Control *c)
{
    maxgl_loader_free(c->loader);
    maxgl_clip_preparer_free(c->preparer);
    maxgl_network_free(c->network);
    maxgl_parameters_free(c->parameters);
    maxgl_resnet_free(c->resnet);
    maxgl_context_close(c->context);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Control, control_clear)

static gboolean make_network(Control *c, int batch, GError **error)
{
    static const char *const outputs[] = {"pool", NULL};
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_TRAINING, .batch = batch, .outputs = outputs};
    const guint64 seed = c->info->seed ? g_ascii_strtoull(c->info->seed, NULL, 10) : 0;
    c->resnet = maxgl_resnet_new(&c->info->spec, error);
    if (!c->resnet)
        return FALSE;
    c->parameters = maxgl_parameters_new(c->context);
    maxgl_resnet_declare(c->resnet, c->parameters);
    if (!maxgl_parameters_allocate(c->parameters, TRUE, error) ||
        !maxgl_parameters_initialise(c->parameters, seed, error))
        return FALSE;
    c->network = maxgl_network_new(c->context, c->resnet, &options, c->parameters, error);
    return c->network != NULL;
}

static gboolean make_preparer(Control *c, GError **error)
{
    const MaxglPreprocessing *p = &c->info->preprocessing;
    const MaxglShape *input = &maxgl_network_input(c->network)->shape;
    MaxglClipPreparerOptions options = {.frames = input->t,
                                        .height = input->h,
                                        .width = input->w,
                                        .block = input->block,
                                        .antialias = p->antialias};
    memcpy(options.mean, p->mean, sizeof options.mean);
    memcpy(options.std, p->std, sizeof options.std);
    c->preparer = maxgl_clip_preparer_new(c->context, &options, error);
    return c->preparer != NULL;
}

static gboolean open_loader(Control *c, const MaxglDataset *train, int batch, GError **error)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.train = TRUE; /* for random videos and times; the view is set below */
    options.clip = (MaxglClipSpec){c->info->spec.frames, c->info->frame_stride, MAXGL_SHORT_LOOP};
    options.batch = batch;
    options.epochs = 0;
    options.cache_bytes = 0;
    options.max_bad = 1.0;
    c->loader = maxgl_loader_new(train, &options, error);
    return c->loader != NULL;
}

static gboolean pass_batch(Control *c, GError **error)
{
    g_autoptr(MaxglBatch) batch = NULL;
    if (!maxgl_loader_next(c->loader, &batch, error))
        return FALSE;
    for (gsize i = 0; i < batch->n_clips; i++) {
        const MaxglClip *clip = &batch->clips[i];
        MaxglClipView view;
        maxgl_preprocessing_center_view(&c->info->preprocessing, clip->layout.width, clip->layout.height,
                                        &view);
        if (!maxgl_clip_preparer_run(c->preparer, &clip->layout, &view, clip->frames,
                                     maxgl_network_input(c->network), (int)i, error))
            return FALSE;
    }
    return maxgl_sequence_run(maxgl_network_forward(c->network), error) &&
           maxgl_context_finish(c->context, error);
}

gboolean maxgl_control_write(const char *model, const char *device, const MaxglDataset *train,
                             const char *path, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(model, error);
    if (!info)
        return FALSE;
    info->spec.classes = 0; /* features are what is compared */
    const int batch = (int)MIN(maxgl_dataset_size(train), CLIPS);
    g_auto(Control) c = {.info = info};
    if (!(c.context = maxgl_context_open(device, error)) || !make_network(&c, batch, error) ||
        !make_preparer(&c, error) || !open_loader(&c, train, batch, error))
        return FALSE;
    g_autoptr(MaxglProgress) progress = maxgl_progress_new("random initialisation", BATCHES);
    for (int i = 0; i < BATCHES; i++) {
        if (!pass_batch(&c, error))
            return FALSE;
        maxgl_progress_set(progress, i + 1, "batches of clips for batch norm");
    }
    return maxgl_weights_save(path, c.resnet, c.parameters, info, 0, FALSE, error);
}

gboolean maxgl_control_with(const char *model, const char *device, const MaxglDataset *train,
                            MaxglControlUse use, gpointer user_data, GError **error)
{
    g_autofree char *folder = g_dir_make_tmp("maxgl-control-XXXXXX", error);
    if (!folder)
        return FALSE;
    g_autofree char *path = g_build_filename(folder, "random.safetensors", NULL);
    const gboolean done =
        maxgl_control_write(model, device, train, path, error) && use(path, user_data, error);
    g_unlink(path);
    g_rmdir(folder);
    return done;
}
