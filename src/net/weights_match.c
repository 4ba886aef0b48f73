#include "net/weights_match.h"

#include <maxgl/error.h>
#include <string.h>

/* What is being compared. */
typedef struct {
    const MaxglSafetensors *file;
    const MaxglModelInfo *info;
    const MaxglWeightsOptions *options;
    GHashTable *wanted; /* names that were asked for */
    MaxglWeightsMatch *match;
} Comparison;

static void pair_free(gpointer data)
{
    MaxglWeightsPair *pair = data;
    g_free(pair->name);
    g_free(pair);
}

static void add_pair(GPtrArray *pairs, const MaxglSafetensor *tensor, char *name, int layer)
{
    MaxglWeightsPair *pair = g_new(MaxglWeightsPair, 1);
    *pair = (MaxglWeightsPair){tensor, name, layer};
    g_ptr_array_add(pairs, pair);
}

gboolean maxgl_weights_check(const MaxglSafetensor *tensor, int rank, const gint64 *shape,
                             GPtrArray *misshapen)
{
    gboolean same = tensor->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = tensor->shape[i] == shape[i];
    const gboolean is_float = maxgl_dtype_is_float(tensor->dtype);
    if (same && is_float)
        return TRUE;
    g_autofree char *has = maxgl_safetensor_shape_text(tensor->rank, tensor->shape);
    g_autofree char *wants = maxgl_safetensor_shape_text(rank, shape);
    g_ptr_array_add(misshapen,
                    g_strdup_printf("%s is %s %s and should be %s%s", tensor->name,
                                    maxgl_dtype_name(tensor->dtype), has, is_float ? "" : "F32 ", wants));
    return FALSE;
}

/* Looks for a tensor of layer @index in the file. @forgiving: what is wrong with it is only noted. */
static void compare(Comparison *c, const MaxglLayer *layer, int index, const MaxglLayerTensor *wants,
                    gboolean forgiving)
{
    MaxglWeightsMatch *match = c->match;
    char *name = g_strdup_printf("%s%s.%s", c->info->prefix, layer->prefix[c->info->naming], wants->what);
    const MaxglSafetensor *tensor = maxgl_safetensors_find(c->file, name);
    g_hash_table_add(c->wanted, name);
    if (!tensor)
        g_ptr_array_add(forgiving ? match->left_out : match->missing, g_strdup(name));
    else if (maxgl_weights_check(tensor, wants->rank, wants->shape, match->misshapen))
        add_pair(match->pairs, tensor, g_strdup_printf("%s.%s", layer->name, wants->what), index);
    else if (forgiving) {
        g_ptr_array_set_size(match->misshapen, (int)match->misshapen->len - 1);
        g_ptr_array_add(match->left_out, g_strdup(name));
    }
}

static void compare_network(Comparison *c, const MaxglResnet *resnet)
{
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        const gboolean fc = layer->kind == MAXGL_LAYER_LINEAR;
        if (fc && c->options->backbone_only)
            continue;
        MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
        const int n = maxgl_layer_tensors(resnet, i, tensors);
        for (int j = 0; j < n; j++)
            compare(c, layer, i, &tensors[j], fc && c->options->allow_other_head);
    }
}

/* Tensors of the file that the network did not ask for. */
static void compare_rest(Comparison *c)
{
    const MaxglWeightsOptions *options = c->options;
    const char *fc = c->info->naming == MAXGL_NAMING_VCOP ? "linear." : "fc.";
    for (guint i = 0; i < maxgl_safetensors_count(c->file); i++) {
        const MaxglSafetensor *tensor = maxgl_safetensors_get(c->file, i);
        if (g_hash_table_contains(c->wanted, tensor->name) ||
            g_str_has_suffix(tensor->name, ".num_batches_tracked"))
            continue;
        const gboolean prefixed = g_str_has_prefix(tensor->name, c->info->prefix);
        const char *own = prefixed ? tensor->name + strlen(c->info->prefix) : tensor->name;
        if (g_str_has_prefix(own, "optimizer.")) /* a checkpoint's, of no use to a network */
            continue;
        const gboolean is_fc = g_str_has_prefix(own, fc);
        if (prefixed && g_str_has_prefix(own, "head."))
            add_pair(c->match->heads, tensor, g_strdup(own), -1);
        else if (prefixed && is_fc && (options->backbone_only || options->allow_other_head))
            g_ptr_array_add(c->match->left_out, g_strdup(tensor->name));
        else
            g_ptr_array_add(c->match->unexpected, g_strdup(tensor->name));
    }
}

MaxglWeightsMatch *maxgl_weights_match(const MaxglSafetensors *file, const MaxglModelInfo *info,
                                       const MaxglResnet *resnet, const MaxglWeightsOptions *options)
{
    static const MaxglWeightsOptions strict = {FALSE, FALSE};
    MaxglWeightsMatch *match = g_new(MaxglWeightsMatch, 1);
    *match = (MaxglWeightsMatch){
        .pairs = g_ptr_array_new_with_free_func(pair_free),
        .heads = g_ptr_array_new_with_free_func(pair_free),
        .missing = g_ptr_array_new_with_free_func(g_free),
        .unexpected = g_ptr_array_new_with_free_func(g_free),
        .misshapen = g_ptr_array_new_with_free_func(g_free),
        .left_out = g_ptr_array_new_with_free_func(g_free),
    };
    Comparison c = {file, info, options ? options : &strict,
                    g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), match};
    compare_network(&c, resnet);
    compare_rest(&c);
    g_hash_table_unref(c.wanted);
    return match;
}

void maxgl_weights_match_free(MaxglWeightsMatch *match)
{
    if (!match)
        return;
    g_ptr_array_unref(match->pairs);
    g_ptr_array_unref(match->heads);
    g_ptr_array_unref(match->missing);
    g_ptr_array_unref(match->unexpected);
    g_ptr_array_unref(match->misshapen);
    g_ptr_array_unref(match->left_out);
    g_free(match);
}

char *maxgl_weights_list(const GPtrArray *names)
{
    GString *list = g_string_new(NULL);
    for (guint i = 0; i < names->len; i++)
        g_string_append_printf(list, "%s%s", i ? ", " : "", (const char *)names->pdata[i]);
    return g_string_free(list, FALSE);
}

gboolean maxgl_weights_match_report(const MaxglWeightsMatch *match, const MaxglSafetensors *file,
                                    const MaxglModelInfo *info, const MaxglResnet *resnet, GError **error)
{
    if (match->missing->len + match->unexpected->len + match->misshapen->len == 0)
        return TRUE;
    const struct {
        const char *what;
        const GPtrArray *names;
    } parts[] = {{"missing", match->missing},
                 {"unexpected", match->unexpected},
                 {"of another type or shape", match->misshapen}};
    g_autofree char *network = maxgl_resnet_spec_name(&resnet->spec);
    g_autoptr(GString) message = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *list = maxgl_weights_list(parts[i].names);
        if (*list)
            g_string_append_printf(message, "; %s: %s", parts[i].what, list);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: does not fit %s (%s names, prefix \"%s\")%s",
                maxgl_safetensors_path(file), network, maxgl_naming_name(info->naming), info->prefix,
                message->str);
    return FALSE;
}
