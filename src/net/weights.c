#include "net/weights.h"

#include <maxgl/error.h>
#include <string.h>

/* What a file and a network have in common, and what not. */
typedef struct {
    const MaxglSafetensors *file;
    const MaxglModelInfo *info;
    MaxglParameters *parameters;
    GHashTable *wanted; /* names that were asked for */
    GArray *found;      /* Match */
    GString *missing, *unexpected, *misshapen;
    GString *left_out; /* what was skipped on purpose */
} Comparison;

typedef struct {
    const MaxglSafetensor *tensor;
    guint parameter;
} Match;

static void append_name(GString *list, const char *name)
{
    g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
}

/* The suffixes of a layer's parameters, NULL-terminated. */
static const char *const *suffixes(MaxglLayerKind kind)
{
    static const char *const conv[] = {"weight", NULL}, *const linear[] = {"weight", "bias", NULL};
    static const char *const norm[] = {"weight", "bias", "running_mean", "running_var", NULL};
    static const char *const none[] = {NULL};
    return kind == MAXGL_LAYER_CONV3D       ? conv
           : kind == MAXGL_LAYER_LINEAR     ? linear
           : kind == MAXGL_LAYER_BATCH_NORM ? norm
                                            : none;
}

/* Looks for parameter @index under @name (taken). @forgiving: what is wrong with it is only noted. */
static void compare(Comparison *c, char *name, guint index, gboolean forgiving)
{
    const MaxglParameter *p = maxgl_parameters_get(c->parameters, index);
    const MaxglSafetensor *tensor = maxgl_safetensors_find(c->file, name);
    g_hash_table_add(c->wanted, name);
    if (!tensor) {
        append_name(forgiving ? c->left_out : c->missing, name);
        return;
    }
    gboolean same = tensor->rank == p->rank && maxgl_dtype_is_float(tensor->dtype);
    for (int i = 0; same && i < p->rank; i++)
        same = tensor->shape[i] == p->shape[i];
    if (same) {
        const Match match = {tensor, index};
        g_array_append_val(c->found, match);
    } else if (forgiving) {
        append_name(c->left_out, name);
    } else {
        g_autofree char *has = maxgl_safetensor_shape_text(tensor->rank, tensor->shape);
        g_autofree char *wants = maxgl_safetensor_shape_text(p->rank, p->shape);
        g_string_append_printf(c->misshapen, "%s%s is %s %s and should be %s", c->misshapen->len ? ", " : "",
                               name, maxgl_dtype_name(tensor->dtype), has, wants);
    }
}

static void compare_network(Comparison *c, const MaxglResnet *resnet, const MaxglWeightsOptions *options)
{
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        const gboolean fc = layer->kind == MAXGL_LAYER_LINEAR;
        if (fc && options->backbone_only)
            continue;
        const char *const *what = suffixes(layer->kind);
        for (int j = 0; what[j]; j++) {
            g_autofree char *ours = g_strdup_printf("%s.%s", layer->name, what[j]);
            const int index = maxgl_parameters_find(c->parameters, ours);
            g_assert(index >= 0);
            char *name = g_strdup_printf("%s%s.%s", c->info->prefix, layer->prefix[c->info->naming], what[j]);
            compare(c, name, (guint)index, fc && options->allow_other_head);
        }
    }
}

/* Heads of the file that the registry has too are taken; a registry's heads need not be in the file. */
static void compare_heads(Comparison *c, const MaxglWeightsOptions *options)
{
    for (guint i = 0; i < maxgl_parameters_count(c->parameters) && !options->backbone_only; i++) {
        const char *ours = maxgl_parameters_get(c->parameters, i)->name;
        g_autofree char *name = g_strconcat(c->info->prefix, ours, NULL);
        if (g_str_has_prefix(ours, "head.") && maxgl_safetensors_find(c->file, name))
            compare(c, g_steal_pointer(&name), i, FALSE);
    }
}

/* Tensors of the file that nobody asked for. */
static void compare_rest(Comparison *c, const MaxglWeightsOptions *options)
{
    const char *fc = c->info->naming == MAXGL_NAMING_VCOP ? "linear." : "fc.";
    for (guint i = 0; i < maxgl_safetensors_count(c->file); i++) {
        const char *name = maxgl_safetensors_get(c->file, i)->name;
        if (g_hash_table_contains(c->wanted, name) || g_str_has_suffix(name, ".num_batches_tracked"))
            continue;
        const gboolean prefixed = g_str_has_prefix(name, c->info->prefix);
        const char *own = prefixed ? name + strlen(c->info->prefix) : name;
        if (g_str_has_prefix(own, "optimizer.")) /* a checkpoint's, of no use to a network */
            continue;
        const gboolean head = g_str_has_prefix(own, "head.");
        const gboolean forgiven =
            head || (g_str_has_prefix(own, fc) && (options->backbone_only || options->allow_other_head));
        append_name(prefixed && forgiven ? c->left_out : c->unexpected, name);
    }
}

static gboolean report(const Comparison *c, const MaxglResnet *resnet, GError **error)
{
    if (c->missing->len + c->unexpected->len + c->misshapen->len == 0)
        return TRUE;
    g_autofree char *network = maxgl_resnet_spec_name(&resnet->spec);
    g_autoptr(GString) message = g_string_new(NULL);
    const struct {
        const char *what;
        const GString *list;
    } parts[] = {{"missing", c->missing}, {"unexpected", c->unexpected}, {"of another shape", c->misshapen}};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i].list->len)
            g_string_append_printf(message, "; %s: %s", parts[i].what, parts[i].list->str);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: does not fit %s (%s names, prefix \"%s\")%s",
                maxgl_safetensors_path(c->file), network, maxgl_naming_name(c->info->naming), c->info->prefix,
                message->str);
    return FALSE;
}

static gboolean copy_found(const Comparison *c, GError **error)
{
    for (guint i = 0; i < c->found->len; i++) {
        const Match *match = &g_array_index(c->found, Match, i);
        g_autofree float *plain = g_new(float, match->tensor->count);
        maxgl_safetensor_copy_f32(match->tensor, plain);
        if (!maxgl_parameters_write(c->parameters, match->parameter, plain, error))
            return FALSE;
    }
    return TRUE;
}

static void comparison_clear(Comparison *c)
{
    g_hash_table_unref(c->wanted);
    g_array_unref(c->found);
    g_string_free(c->missing, TRUE);
    g_string_free(c->unexpected, TRUE);
    g_string_free(c->misshapen, TRUE);
    g_string_free(c->left_out, TRUE);
}

gboolean maxgl_weights_load_from(const MaxglSafetensors *file, const MaxglModelInfo *info,
                                 const MaxglResnet *resnet, MaxglParameters *parameters,
                                 const MaxglWeightsOptions *options, char **notes, GError **error)
{
    static const MaxglWeightsOptions strict = {FALSE, FALSE};
    options = options ? options : &strict;
    Comparison c = {file,
                    info,
                    parameters,
                    g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                    g_array_new(FALSE, FALSE, sizeof(Match)),
                    g_string_new(NULL),
                    g_string_new(NULL),
                    g_string_new(NULL),
                    g_string_new(NULL)};
    compare_network(&c, resnet, options);
    compare_heads(&c, options);
    compare_rest(&c, options);
    const gboolean ok = report(&c, resnet, error) && copy_found(&c, error);
    if (ok && notes) {
        g_autofree char *prefix =
            *info->prefix ? g_strdup_printf(", prefix \"%s\"", info->prefix) : g_strdup("");
        *notes = g_strdup_printf("%s: %s names%s, %u tensors%s%s", maxgl_safetensors_path(file),
                                 maxgl_naming_name(info->naming), prefix, c.found->len,
                                 c.left_out->len ? "; not taken: " : "", c.left_out->str);
    }
    comparison_clear(&c);
    return ok;
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

static gboolean save_layer(MaxglSafetensorsWriter *writer, const MaxglLayer *layer,
                           const MaxglParameters *parameters, MaxglNaming naming, const gint64 *batches,
                           GPtrArray *arrays, GError **error)
{
    const char *const *what = suffixes(layer->kind);
    for (int j = 0; what[j]; j++) {
        g_autofree char *ours = g_strdup_printf("%s.%s", layer->name, what[j]);
        g_autofree char *name = g_strdup_printf("%s.%s", layer->prefix[naming], what[j]);
        const int index = maxgl_parameters_find(parameters, ours);
        g_assert(index >= 0);
        if (!save_parameter(writer, parameters, (guint)index, name, arrays, error))
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
        if (!save_layer(writer, &resnet->layers[i], parameters, naming, batches_tracked, arrays, error))
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
