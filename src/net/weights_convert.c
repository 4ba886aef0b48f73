#include "net/weights_convert.h"

#include "net/weights_match.h"
#include <string.h>

/* A file on its way. */
typedef struct {
    const MaxglSafetensors *file;
    const MaxglModelInfo *info;
    const MaxglResnet *resnet; /* the new one */
    MaxglNaming naming;
    MaxglSafetensorsWriter *writer;
    GPtrArray *arrays; /* what the writer borrows */
} Conversion;

static float *new_array(Conversion *c, gint64 count)
{
    float *array = g_new(float, count);
    g_ptr_array_add(c->arrays, array);
    return array;
}

static void add_tensor(Conversion *c, const MaxglSafetensor *tensor, const char *name)
{
    float *plain = new_array(c, tensor->count);
    maxgl_safetensor_copy_f32(tensor, plain);
    maxgl_safetensors_writer_add(c->writer, name, MAXGL_DTYPE_F32, tensor->rank, tensor->shape, plain);
}

/* The training steps that a batch norm has seen; 0 if the file does not say, as files of old do not. */
static void add_counter(Conversion *c, const MaxglLayer *layer)
{
    g_autofree char *from =
        g_strdup_printf("%s%s.num_batches_tracked", c->info->prefix, layer->prefix[c->info->naming]);
    g_autofree char *to = g_strdup_printf("%s.num_batches_tracked", layer->prefix[c->naming]);
    const MaxglSafetensor *tensor = maxgl_safetensors_find(c->file, from);
    gint64 *counter = g_new0(gint64, 1);
    g_ptr_array_add(c->arrays, counter);
    if (tensor && tensor->dtype == MAXGL_DTYPE_I64 && tensor->count == 1)
        memcpy(counter, tensor->data, sizeof *counter);
    maxgl_safetensors_writer_add(c->writer, to, MAXGL_DTYPE_I64, 0, NULL, counter);
}

static void draw_layer(Conversion *c, int index, guint64 seed)
{
    MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
    const MaxglLayer *layer = &c->resnet->layers[index];
    const int n = maxgl_layer_tensors(c->resnet, index, tensors);
    for (int i = 0; i < n; i++) {
        const MaxglLayerTensor *t = &tensors[i];
        g_autofree char *ours = g_strdup_printf("%s.%s", layer->name, t->what);
        g_autofree char *name = g_strdup_printf("%s.%s", layer->prefix[c->naming], t->what);
        const gint64 count = t->shape[0] * (t->rank > 1 ? t->shape[1] : 1);
        float *plain = new_array(c, count);
        maxgl_parameter_draw(maxgl_fc_init(c->resnet, t->rank > 1), seed, ours, count, plain);
        maxgl_safetensors_writer_add(c->writer, name, MAXGL_DTYPE_F32, t->rank, t->shape, plain);
    }
}

/* Layer by layer, so that the new file's order does not depend on the old one's. */
static void add_layers(Conversion *c, const MaxglWeightsMatch *match, guint64 seed)
{
    guint next = 0;
    for (int i = 0; i < c->resnet->n_layers; i++) {
        const MaxglLayer *layer = &c->resnet->layers[i];
        const gsize length = strlen(layer->name);
        gboolean found = FALSE;
        for (; next < match->pairs->len; next++) {
            const MaxglWeightsPair *pair = match->pairs->pdata[next];
            if (pair->layer != i)
                break;
            g_autofree char *name = g_strconcat(layer->prefix[c->naming], pair->name + length, NULL);
            add_tensor(c, pair->tensor, name);
            found = TRUE;
        }
        if (layer->kind == MAXGL_LAYER_BATCH_NORM)
            add_counter(c, layer);
        else if (layer->kind == MAXGL_LAYER_LINEAR && !found)
            draw_layer(c, i, seed);
    }
}

/* Discriminators go as they are: their shapes are a matter of the objective. */
static gboolean add_heads(Conversion *c, MaxglWeightsMatch *match)
{
    for (guint i = 0; i < match->heads->len; i++) {
        const MaxglWeightsPair *head = match->heads->pdata[i];
        if (maxgl_weights_check(head->tensor, head->tensor->rank, head->tensor->shape, match->misshapen))
            add_tensor(c, head->tensor, head->name);
    }
    return match->misshapen->len == 0;
}

static void add_metadata(Conversion *c, const MaxglModelInfo *info)
{
    g_autofree const char **keys = maxgl_safetensors_metadata_keys(c->file);
    for (int i = 0; keys[i]; i++)
        maxgl_safetensors_writer_set_metadata(c->writer, keys[i],
                                              maxgl_safetensors_metadata(c->file, keys[i]));
    maxgl_model_info_write(info, c->writer);
}

gboolean maxgl_weights_convert(const MaxglSafetensors *file, const MaxglModelInfo *info,
                               const MaxglConversion *conversion, const char *path, GError **error)
{
    const MaxglWeightsOptions options = {.backbone_only = !conversion->keep_fc};
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&conversion->info->spec, error);
    if (!resnet)
        return FALSE;
    g_autoptr(MaxglWeightsMatch) match = maxgl_weights_match(file, info, resnet, &options);
    if (!maxgl_weights_match_report(match, file, info, resnet, error))
        return FALSE;
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(g_free);
    Conversion c = {file, info, resnet, conversion->info->naming, writer, arrays};
    add_metadata(&c, conversion->info);
    add_layers(&c, match, conversion->seed);
    if (!conversion->drop_heads && !add_heads(&c, match))
        return maxgl_weights_match_report(match, file, info, resnet, error);
    return maxgl_safetensors_writer_write(writer, path, error);
}
