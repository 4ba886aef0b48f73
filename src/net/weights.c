#include "net/weights.h"

#include "net/weights_match.h"

/* Takes those discriminators of the file that the registry has too; a registry's need not be in the file. */
static void take_heads(MaxglWeightsMatch *match, const MaxglParameters *parameters, gboolean none)
{
    for (guint i = 0; i < match->heads->len; i++) {
        const MaxglWeightsPair *head = match->heads->pdata[i];
        const int index = none ? -1 : maxgl_parameters_find(parameters, head->name);
        if (index < 0) {
            g_ptr_array_add(match->left_out, g_strdup(head->tensor->name));
            continue;
        }
        const MaxglParameter *p = maxgl_parameters_get(parameters, (guint)index);
        maxgl_weights_check(head->tensor, p->rank, p->shape, match->misshapen);
    }
}

static gboolean copy_pairs(const GPtrArray *pairs, MaxglParameters *parameters, guint *copied, GError **error)
{
    for (guint i = 0; i < pairs->len; i++) {
        const MaxglWeightsPair *pair = pairs->pdata[i];
        const int index = maxgl_parameters_find(parameters, pair->name);
        if (index < 0)
            continue;
        g_autofree float *plain = g_new(float, pair->tensor->count);
        maxgl_safetensor_copy_f32(pair->tensor, plain);
        if (!maxgl_parameters_write(parameters, (guint)index, plain, error))
            return FALSE;
        ++*copied;
    }
    return TRUE;
}

gboolean maxgl_weights_load_from(const MaxglSafetensors *file, const MaxglModelInfo *info,
                                 const MaxglResnet *resnet, MaxglParameters *parameters,
                                 const MaxglWeightsOptions *options, char **notes, GError **error)
{
    const gboolean no_heads = options && options->backbone_only;
    g_autoptr(MaxglWeightsMatch) match = maxgl_weights_match(file, info, resnet, options);
    guint copied = 0;
    take_heads(match, parameters, no_heads);
    if (!maxgl_weights_match_report(match, file, info, resnet, error) ||
        !copy_pairs(match->pairs, parameters, &copied, error) ||
        (!no_heads && !copy_pairs(match->heads, parameters, &copied, error)))
        return FALSE;
    if (notes) {
        g_autofree char *left_out = maxgl_weights_list(match->left_out);
        g_autofree char *prefix =
            *info->prefix ? g_strdup_printf(", prefix \"%s\"", info->prefix) : g_strdup("");
        *notes = g_strdup_printf("%s: %s names%s, %u tensors%s%s", maxgl_safetensors_path(file),
                                 maxgl_naming_name(info->naming), prefix, copied,
                                 *left_out ? "; not taken: " : "", left_out);
    }
    return TRUE;
}

gboolean maxgl_weights_load(const char *path, const MaxglResnet *resnet, MaxglParameters *parameters,
                            const MaxglWeightsOptions *options, char **notes, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(path, error);
    g_autoptr(MaxglSafetensors) file = info ? maxgl_safetensors_open(path, error) : NULL;
    return file && maxgl_weights_load_from(file, info, resnet, parameters, options, notes, error);
}

/* Adds a parameter to the file; its numbers are kept in @arrays until that is written. */
static gboolean save_parameter(MaxglSafetensorsWriter *writer, const MaxglParameters *parameters, guint index,
                               const char *name, GPtrArray *arrays, GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    float *plain = g_new(float, p->count);
    g_ptr_array_add(arrays, plain);
    if (!maxgl_parameters_read(parameters, index, plain, error))
        return FALSE;
    maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_F32, p->rank, p->shape, plain);
    return TRUE;
}

static gboolean save_layer(MaxglSafetensorsWriter *writer, const MaxglResnet *resnet, int index,
                           const MaxglParameters *parameters, MaxglNaming naming, const gint64 *batches,
                           GPtrArray *arrays, GError **error)
{
    const MaxglLayer *layer = &resnet->layers[index];
    MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
    const int n = maxgl_layer_tensors(resnet, index, tensors);
    for (int j = 0; j < n; j++) {
        g_autofree char *ours = g_strdup_printf("%s.%s", layer->name, tensors[j].what);
        g_autofree char *name = g_strdup_printf("%s.%s", layer->prefix[naming], tensors[j].what);
        const int parameter = maxgl_parameters_find(parameters, ours);
        g_assert(parameter >= 0);
        if (!save_parameter(writer, parameters, (guint)parameter, name, arrays, error))
            return FALSE;
    }
    if (layer->kind == MAXGL_LAYER_BATCH_NORM) {
        g_autofree char *name = g_strdup_printf("%s.num_batches_tracked", layer->prefix[naming]);
        maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_I64, 0, NULL, batches);
    }
    return TRUE;
}

gboolean maxgl_weights_add(MaxglSafetensorsWriter *writer, const MaxglResnet *resnet,
                           const MaxglParameters *parameters, MaxglNaming naming,
                           const gint64 *batches_tracked, gboolean heads, GPtrArray *arrays, GError **error)
{
    for (int i = 0; i < resnet->n_layers; i++)
        if (!save_layer(writer, resnet, i, parameters, naming, batches_tracked, arrays, error))
            return FALSE;
    for (guint i = 0; heads && i < maxgl_parameters_count(parameters); i++) {
        const char *name = maxgl_parameters_get(parameters, i)->name;
        if (g_str_has_prefix(name, "head.") && !save_parameter(writer, parameters, i, name, arrays, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_weights_save(const char *path, const MaxglResnet *resnet, const MaxglParameters *parameters,
                            const MaxglModelInfo *info, gint64 batches_tracked, gboolean heads,
                            GError **error)
{
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(g_free);
    maxgl_model_info_write(info, writer);
    return maxgl_weights_add(writer, resnet, parameters, info->naming, &batches_tracked, heads, arrays,
                             error) &&
           maxgl_safetensors_writer_write(writer, path, error);
}
