#include "net/embedder_identity.h"

#include "base/checksum.h"
#include "base/view.h"
#include "compute/identity.h"
#include "net/network.h"
#include "net/weights.h"
#include "ops/clip_prepare.h"
#include "ops/pool.h"
#include <math.h>
#include <string.h>

struct MaxglEmbedder {
    MaxglEmbedderInfo info;
    char *model, *path;
    gboolean exact;
    MaxglPrecision precision;
    MaxglContext *context;
    MaxglNetwork *network;
    MaxglClipPreparer *preparer; /* from the first clip of frames on */
    float *packed;               /* a batch of clips on its way to the device */
    char **layers;               /* that features are of */
    int *layer_features;
    MaxglSequence *pooling; /* what makes the means of layers' maps */
    MaxglTensor *means;     /* [layers]; no buffer where the layer's output is a mean itself */
    float *pooled;          /* a batch of one layer's */
};

/* The features need neither fc nor heads. */
static MaxglResnet *read_resnet(const MaxglModelInfo *info, GError **error)
{
    MaxglResnetSpec spec = info->spec;
    spec.classes = 0;
    return maxgl_resnet_new(&spec, error);
}

/* The parameters are needed only until they are folded into the network. */
static MaxglNetwork *open_network(MaxglContext *context, const char *path, const MaxglModelInfo *info,
                                  const MaxglEmbedderOptions *how, MaxglPrecision precision, GError **error)
{
    const MaxglWeightsOptions backbone = {.backbone_only = TRUE};
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_INFERENCE,
                                         .batch = how->batch,
                                         .outputs = how->layers,
                                         .exact = how->exact,
                                         .precision = precision};
    g_autoptr(MaxglResnet) resnet = read_resnet(info, error);
    if (!resnet)
        return NULL;
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    if (!maxgl_parameters_allocate(parameters, FALSE, error) ||
        !maxgl_weights_load(path, resnet, parameters, &backbone, NULL, error))
        return NULL;
    return maxgl_network_new(context, resnet, &options, parameters, error);
}

/* Prepares the means of all layers, once the network is there. */
static gboolean open_layers(MaxglEmbedder *e, const char *const *layers, GError **error)
{
    const int n = (int)g_strv_length((char **)layers);
    e->layers = g_strdupv((char **)layers);
    e->layer_features = g_new0(int, n);
    e->means = g_new0(MaxglTensor, n);
    e->pooling = maxgl_sequence_new(e->context);
    int widest = 0;
    for (int i = 0; layers[i]; i++) {
        const MaxglTensor *output = maxgl_network_output(e->network, layers[i]);
        const MaxglAveragePool pool = {.input = output->shape, .regions = {1, 1, 1}};
        e->layer_features[i] = output->shape.c;
        e->info.features += output->shape.c;
        widest = MAX(widest, output->shape.c);
        if (maxgl_shape_pixels(&output->shape) > 1 &&
            (!maxgl_tensor_new(e->context, maxgl_average_pool_output(&pool), layers[i], &e->means[i],
                               error) ||
             !maxgl_average_pool_forward(e->pooling, &pool, output->buffer, e->means[i].buffer, error)))
            return FALSE;
    }
    e->info.layers = (const char *const *)e->layers;
    e->info.layer_features = e->layer_features;
    e->pooled = g_new(float, (gsize)e->info.batch *(gsize)widest);
    return TRUE;
}

MaxglEmbedder *maxgl_embedder_open(const char *model, const char *device, int batch, GError **error)
{
    const MaxglEmbedderOptions options = {.device = device, .batch = batch};
    return maxgl_embedder_open_with(model, &options, error);
}

MaxglEmbedder *maxgl_embedder_open_with(const char *model, const MaxglEmbedderOptions *options,
                                        GError **error)
{
    static const char *const pool[] = {"pool", NULL};
    MaxglEmbedderOptions how = *options;
    how.layers = options->layers && options->layers[0] ? options->layers : pool;
    const int batch = options->batch;
    if (batch < 1) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: a batch of %d clips; at least 1", model,
                    batch);
        return NULL;
    }
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(model, error);
    if (!info)
        return NULL;
    if (info->spec.in_channels != 3) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: takes clips of %d channels, not of R, G, B",
                    model, info->spec.in_channels);
        return NULL;
    }
    g_autoptr(MaxglEmbedder) e = g_new0(MaxglEmbedder, 1);
    if (!maxgl_precision_parse(options->precision, &e->precision, error))
        return NULL;
    e->context = maxgl_context_open(options->device, error);
    if (!e->context)
        return NULL;
    e->network = open_network(e->context, model, info, &how, e->precision, error);
    if (!e->network)
        return NULL;
    e->path = g_strdup(model);
    e->exact = options->exact;
    e->model = maxgl_resnet_spec_name(&info->spec);
    e->info = (MaxglEmbedderInfo){
        .model = e->model,
        .device = e->context->info->name,
        .batch = batch,
        .frames = info->spec.frames,
        .height = info->spec.height,
        .width = info->spec.columns,
        .frame_stride = info->frame_stride,
        .preprocessing = info->preprocessing,
    };
    if (!open_layers(e, how.layers, error))
        return NULL;
    e->packed = g_malloc(maxgl_shape_bytes(&maxgl_network_input(e->network)->shape));
    return g_steal_pointer(&e);
}

void maxgl_embedder_close(MaxglEmbedder *e)
{
    if (!e)
        return;
    maxgl_clip_preparer_free(e->preparer);
    maxgl_sequence_free(e->pooling);
    for (int i = 0; e->means && e->layers[i]; i++)
        maxgl_tensor_release(e->context, &e->means[i]);
    maxgl_network_free(e->network);
    maxgl_context_close(e->context);
    g_free(e->packed);
    g_free(e->pooled);
    g_free(e->means);
    g_free(e->layer_features);
    g_strfreev(e->layers);
    g_free(e->model);
    g_free(e->path);
    g_free(e);
}

const MaxglEmbedderInfo *maxgl_embedder_info(const MaxglEmbedder *e)
{
    return &e->info;
}

gboolean maxgl_embedder_identify(const MaxglEmbedder *e, GChecksum *sum)
{
    const int how[] = {e->info.batch, e->exact, e->precision};
    g_autofree char *weights = maxgl_checksum_of_file(e->path, NULL);
    if (!weights || !maxgl_context_identify(e->context, sum))
        return FALSE;
    maxgl_checksum_add_text(sum, weights);
    g_checksum_update(sum, (const guchar *)how, sizeof how);
    for (int i = 0; e->layers[i]; i++)
        maxgl_checksum_add_text(sum, e->layers[i]);
    return TRUE;
}

/* Computes the batch in the network's input and copies the first @n features. What else is in the input, from
 * earlier batches, is computed in vain. */
static gboolean run_batch(MaxglEmbedder *e, gsize n, float *features, GError **error)
{
    if (!maxgl_sequence_run(maxgl_network_forward(e->network), error) ||
        !maxgl_sequence_run(e->pooling, error))
        return FALSE;
    for (int i = 0; e->layers[i]; i++) {
        const MaxglTensor *output = maxgl_network_output(e->network, e->layers[i]);
        const gsize length = (gsize)e->layer_features[i];
        if (!maxgl_tensor_read(e->context, e->means[i].buffer ? &e->means[i] : output, e->pooled, error))
            return FALSE;
        for (gsize row = 0; row < n; row++)
            memcpy(features + row * (gsize)e->info.features, e->pooled + row * length,
                   length * sizeof(float));
        features += length;
    }
    return TRUE;
}

gboolean maxgl_embedder_run(MaxglEmbedder *e, const float *clips, gsize n, float *features, GError **error)
{
    const MaxglTensor *input = maxgl_network_input(e->network);
    for (gsize done = 0; done < n;) {
        MaxglShape part = input->shape;
        part.n = (int)MIN(n - done, (gsize)e->info.batch);
        maxgl_shape_pack(&part, clips, e->packed);
        if (!maxgl_buffer_write(e->context, input->buffer, 0, e->packed, maxgl_shape_bytes(&part), error) ||
            !run_batch(e, (gsize)part.n, features, error))
            return FALSE;
        clips += maxgl_shape_elements(&part);
        features += (gsize)part.n * (gsize)e->info.features;
        done += (gsize)part.n;
    }
    return TRUE;
}

static gboolean ensure_preparer(MaxglEmbedder *e, GError **error)
{
    if (e->preparer)
        return TRUE;
    const MaxglPreprocessing *p = &e->info.preprocessing;
    MaxglClipPreparerOptions options = {
        .frames = e->info.frames,
        .height = e->info.height,
        .width = e->info.width,
        .block = maxgl_network_input(e->network)->shape.block,
        .antialias = p->antialias,
    };
    memcpy(options.mean, p->mean, sizeof options.mean);
    memcpy(options.std, p->std, sizeof options.std);
    e->preparer = maxgl_clip_preparer_new(e->context, &options, error);
    return e->preparer != NULL;
}

gboolean maxgl_embedder_run_frames(MaxglEmbedder *e, const MaxglEmbedderClip *clips, gsize n, float *features,
                                   GError **error)
{
    if (!ensure_preparer(e, error))
        return FALSE;
    const MaxglTensor *input = maxgl_network_input(e->network);
    for (gsize done = 0; done < n;) {
        const gsize part = MIN(n - done, (gsize)e->info.batch);
        for (gsize i = 0; i < part; i++) {
            const MaxglEmbedderClip *clip = &clips[done + i];
            MaxglClipView view;
            maxgl_preprocessing_center_view(&e->info.preprocessing, clip->layout.width, clip->layout.height,
                                            &view);
            if (!maxgl_clip_preparer_run_frames(e->preparer, &clip->layout, clip->view ? clip->view : &view,
                                                clip->frames, input, (int)i, error))
                return FALSE;
        }
        if (!run_batch(e, part, features + done * (gsize)e->info.features, error))
            return FALSE;
        done += part;
    }
    return TRUE;
}

void maxgl_preprocessing_center_view(const MaxglPreprocessing *p, int width, int height, MaxglClipView *view)
{
    maxgl_view_center(width, height, p->resize_width, p->resize_height, p->crop_width, p->crop_height, view);
}

void maxgl_features_normalize(float *features, gsize n, int length)
{
    for (gsize i = 0; i < n; i++, features += length) {
        double sum = 0;
        for (int j = 0; j < length; j++)
            sum += (double)features[j] * features[j];
        const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int j = 0; j < length; j++)
            features[j] = (float)(features[j] * scale);
    }
}
