#include "net/parameters.h"

#include "base/random.h"
#include <math.h>
#include <string.h>

/* The flat buffers. */
enum { LEARNT, STATISTICS, BUFFERS };

struct MaxglParameters {
    MaxglContext *context;
    GPtrArray *entries; /* MaxglParameter */
    GHashTable *by_name;
    gboolean placed;
    gsize decayed, floats[BUFFERS];
    cl_mem values[BUFFERS], gradients;
};

static void release(cl_mem buffer)
{
    if (buffer)
        clReleaseMemObject(buffer);
}

static void parameter_free(gpointer data)
{
    MaxglParameter *p = data;
    release(p->value);
    release(p->gradient);
    g_free(p->name);
    g_free(p);
}

MaxglParameters *maxgl_parameters_new(MaxglContext *context)
{
    MaxglParameters *parameters = g_new0(MaxglParameters, 1);
    parameters->context = context;
    parameters->entries = g_ptr_array_new_with_free_func(parameter_free);
    parameters->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return parameters;
}

void maxgl_parameters_free(MaxglParameters *parameters)
{
    if (!parameters)
        return;
    g_hash_table_unref(parameters->by_name);
    g_ptr_array_unref(parameters->entries);
    for (int i = 0; i < BUFFERS; i++)
        maxgl_buffer_free(parameters->context, parameters->values[i]);
    maxgl_buffer_free(parameters->context, parameters->gradients);
    g_free(parameters);
}

MaxglContext *maxgl_parameters_context(const MaxglParameters *parameters)
{
    return parameters->context;
}

int maxgl_layout_block(MaxglContext *context)
{
    return maxgl_tuning_int(context->tuning, "layout", NULL, "block", 16);
}

int maxgl_layout_input_block(MaxglContext *context)
{
    return maxgl_tuning_int(context->tuning, "layout", NULL, "input_block", 1);
}

static MaxglParameter *add(MaxglParameters *parameters, const char *name, MaxglParameterKind kind,
                           MaxglParameterGroup group, MaxglInit init)
{
    g_assert(!parameters->placed && !g_hash_table_contains(parameters->by_name, name));
    MaxglParameter *p = g_new0(MaxglParameter, 1);
    p->name = g_strdup(name);
    p->kind = kind;
    p->group = group;
    p->init = init;
    p->count = 1;
    g_hash_table_insert(parameters->by_name, p->name, GUINT_TO_POINTER(parameters->entries->len));
    g_ptr_array_add(parameters->entries, p);
    return p;
}

static void add_dimension(MaxglParameter *p, gint64 size)
{
    p->shape[p->rank++] = size;
    p->count *= size;
}

int maxgl_parameters_add_conv3d(MaxglParameters *parameters, const char *name, const MaxglConv3d *conv,
                                MaxglInit init)
{
    MaxglParameter *p = add(parameters, name, MAXGL_PARAMETER_CONV3D, MAXGL_PARAMETER_DECAYED, init);
    add_dimension(p, conv->out_channels);
    add_dimension(p, conv->input.c);
    for (int i = 0; i < 3; i++)
        add_dimension(p, conv->kernel[i]);
    p->conv = *conv;
    p->floats = maxgl_conv3d_weight_floats(conv);
    return (int)parameters->entries->len - 1;
}

int maxgl_parameters_add_linear(MaxglParameters *parameters, const char *name, int in, int out,
                                MaxglInit init)
{
    const int block = maxgl_layout_block(parameters->context);
    MaxglParameter *p = add(parameters, name, MAXGL_PARAMETER_LINEAR, MAXGL_PARAMETER_DECAYED, init);
    add_dimension(p, out);
    add_dimension(p, in);
    p->linear = (MaxglLinear){maxgl_shape(1, in, 1, 1, 1, block), out, block};
    p->floats = maxgl_linear_weight_floats(&p->linear);
    return (int)parameters->entries->len - 1;
}

int maxgl_parameters_add_vector(MaxglParameters *parameters, const char *name, int channels,
                                MaxglParameterGroup group, MaxglInit init)
{
    const int block = maxgl_layout_block(parameters->context);
    MaxglParameter *p = add(parameters, name, MAXGL_PARAMETER_VECTOR, group, init);
    add_dimension(p, channels);
    p->floats = (gsize)(channels + block - 1) / block * block;
    return (int)parameters->entries->len - 1;
}

static void declare_vector(MaxglParameters *parameters, const MaxglLayer *layer, const char *what,
                           int channels, MaxglParameterGroup group, double value)
{
    g_autofree char *name = g_strdup_printf("%s.%s", layer->name, what);
    maxgl_parameters_add_vector(parameters, name, channels, group, (MaxglInit){MAXGL_INIT_CONSTANT, value});
}

static void declare_conv(MaxglParameters *parameters, const MaxglResnet *resnet, const MaxglLayer *layer)
{
    const MaxglMap in = resnet->tensors[layer->input].map;
    const int block = maxgl_layout_block(parameters->context);
    MaxglConv3d conv = {
        .input = maxgl_shape(1, in.c, in.t, in.h, in.w,
                             layer->input == 0 ? maxgl_layout_input_block(parameters->context) : block),
        .out_channels = resnet->tensors[layer->output].map.c,
        .out_block = block,
    };
    memcpy(conv.kernel, layer->kernel, sizeof conv.kernel);
    memcpy(conv.stride, layer->stride, sizeof conv.stride);
    memcpy(conv.pad, layer->pad, sizeof conv.pad);
    const int fan_out = conv.out_channels * conv.kernel[0] * conv.kernel[1] * conv.kernel[2];
    g_autofree char *name = g_strdup_printf("%s.weight", layer->name);
    maxgl_parameters_add_conv3d(parameters, name, &conv, (MaxglInit){MAXGL_INIT_NORMAL, sqrt(2.0 / fan_out)});
}

MaxglInit maxgl_fc_init(const MaxglResnet *resnet, gboolean weights)
{
    if (resnet->spec.family != MAXGL_FAMILY_TORCHVISION)
        return (MaxglInit){MAXGL_INIT_UNIFORM, 1 / sqrt(maxgl_resnet_features(resnet))};
    return weights ? (MaxglInit){MAXGL_INIT_NORMAL, 0.01} : (MaxglInit){MAXGL_INIT_CONSTANT, 0};
}

static void declare_linear(MaxglParameters *parameters, const MaxglResnet *resnet, const MaxglLayer *layer)
{
    const int in = resnet->tensors[layer->input].map.c, out = resnet->tensors[layer->output].map.c;
    g_autofree char *weight = g_strdup_printf("%s.weight", layer->name);
    g_autofree char *bias = g_strdup_printf("%s.bias", layer->name);
    maxgl_parameters_add_linear(parameters, weight, in, out, maxgl_fc_init(resnet, TRUE));
    maxgl_parameters_add_vector(parameters, bias, out, MAXGL_PARAMETER_UNDECAYED,
                                maxgl_fc_init(resnet, FALSE));
}

void maxgl_resnet_declare(const MaxglResnet *resnet, MaxglParameters *parameters)
{
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        const int channels = resnet->tensors[layer->output].map.c;
        switch (layer->kind) {
        case MAXGL_LAYER_CONV3D:
            declare_conv(parameters, resnet, layer);
            break;
        case MAXGL_LAYER_BATCH_NORM:
            declare_vector(parameters, layer, "weight", channels, MAXGL_PARAMETER_UNDECAYED, 1);
            declare_vector(parameters, layer, "bias", channels, MAXGL_PARAMETER_UNDECAYED, 0);
            declare_vector(parameters, layer, "running_mean", channels, MAXGL_PARAMETER_STATISTIC, 0);
            declare_vector(parameters, layer, "running_var", channels, MAXGL_PARAMETER_STATISTIC, 1);
            break;
        case MAXGL_LAYER_LINEAR:
            declare_linear(parameters, resnet, layer);
            break;
        default:
            break;
        }
    }
}

static int buffer_of(const MaxglParameter *p)
{
    return p->group == MAXGL_PARAMETER_STATISTIC ? STATISTICS : LEARNT;
}

/* With what is free behind it, so that the next one is at the start of a possible window. */
static gsize placed_floats(const MaxglParameters *parameters, const MaxglParameter *p)
{
    const gsize step = MAX(parameters->context->info->base_align, sizeof(float)) / sizeof(float);
    return (p->floats + step - 1) / step * step;
}

/* Gives every parameter of @group its place behind what is there, each at the start of a possible window. */
static void place(MaxglParameters *parameters, MaxglParameterGroup group)
{
    for (guint i = 0; i < parameters->entries->len; i++) {
        MaxglParameter *p = g_ptr_array_index(parameters->entries, i);
        if (p->group != group)
            continue;
        gsize *floats = &parameters->floats[buffer_of(p)];
        p->offset = *floats;
        *floats += placed_floats(parameters, p);
    }
}

static gboolean make_windows(MaxglParameters *parameters, GError **error)
{
    for (guint i = 0; i < parameters->entries->len; i++) {
        MaxglParameter *p = g_ptr_array_index(parameters->entries, i);
        const gsize offset = p->offset * sizeof(float), bytes = p->floats * sizeof(float);
        p->value =
            maxgl_buffer_window(parameters->context, parameters->values[buffer_of(p)], offset, bytes, error);
        if (!p->value)
            return FALSE;
        if (!parameters->gradients || p->group == MAXGL_PARAMETER_STATISTIC)
            continue;
        p->gradient = maxgl_buffer_window(parameters->context, parameters->gradients, offset, bytes, error);
        if (!p->gradient)
            return FALSE;
    }
    return TRUE;
}

static cl_mem new_zeroed(MaxglContext *context, gsize floats, const char *what, GError **error)
{
    const gsize bytes = MAX(floats, 1) * sizeof(float);
    cl_mem buffer = maxgl_buffer_new(context, bytes, what, error);
    if (buffer && !maxgl_buffer_zero(context, buffer, 0, bytes, error)) {
        maxgl_buffer_free(context, buffer);
        return NULL;
    }
    return buffer;
}

void maxgl_parameters_place(MaxglParameters *parameters)
{
    if (parameters->placed)
        return;
    parameters->placed = TRUE;
    place(parameters, MAXGL_PARAMETER_DECAYED);
    parameters->decayed = parameters->floats[LEARNT];
    place(parameters, MAXGL_PARAMETER_UNDECAYED);
    place(parameters, MAXGL_PARAMETER_STATISTIC);
}

gboolean maxgl_parameters_allocate(MaxglParameters *parameters, gboolean gradients, GError **error)
{
    MaxglContext *context = parameters->context;
    g_assert(!parameters->values[LEARNT]);
    maxgl_parameters_place(parameters);
    parameters->values[LEARNT] = new_zeroed(context, parameters->floats[LEARNT], "the parameters", error);
    if (!parameters->values[LEARNT])
        return FALSE;
    parameters->values[STATISTICS] =
        new_zeroed(context, parameters->floats[STATISTICS], "the running statistics", error);
    if (!parameters->values[STATISTICS])
        return FALSE;
    if (gradients) {
        parameters->gradients =
            new_zeroed(context, parameters->floats[LEARNT], "the parameters' gradients", error);
        if (!parameters->gradients)
            return FALSE;
    }
    return make_windows(parameters, error);
}

/* 64-bit FNV-1a, folded to the 56 bits that a random stream's sample has. */
static guint64 name_hash(const char *name)
{
    guint64 hash = 0xcbf29ce484222325U;
    for (; *name; name++)
        hash = (hash ^ (guint8)*name) * 0x100000001b3U;
    return (hash ^ hash >> 56) & ((G_GUINT64_CONSTANT(1) << 56) - 1);
}

void maxgl_parameter_draw(MaxglInit init, guint64 seed, const char *name, gint64 count, float *out)
{
    const float value = (float)init.value;
    MaxglRandom random;
    maxgl_random_init(&random, seed, MAXGL_RANDOM_WEIGHTS, 0, name_hash(name));
    for (gint64 i = 0; i < count; i++)
        out[i] = init.kind == MAXGL_INIT_NORMAL    ? maxgl_random_normal(&random) * value
                 : init.kind == MAXGL_INIT_UNIFORM ? maxgl_random_range(&random, -value, value)
                                                   : value;
}

gboolean maxgl_parameters_initialise(MaxglParameters *parameters, guint64 seed, GError **error)
{
    for (guint i = 0; i < parameters->entries->len; i++) {
        const MaxglParameter *p = g_ptr_array_index(parameters->entries, i);
        g_autofree float *plain = g_new(float, p->count);
        maxgl_parameter_draw(p->init, seed, p->name, p->count, plain);
        if (!maxgl_parameters_write(parameters, i, plain, error))
            return FALSE;
    }
    return TRUE;
}

guint maxgl_parameters_count(const MaxglParameters *parameters)
{
    return parameters->entries->len;
}

const MaxglParameter *maxgl_parameters_get(const MaxglParameters *parameters, guint index)
{
    return g_ptr_array_index(parameters->entries, index);
}

gsize maxgl_parameters_end(const MaxglParameters *parameters, guint index)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    return p->offset + placed_floats(parameters, p);
}

int maxgl_parameters_find(const MaxglParameters *parameters, const char *name)
{
    gpointer index = NULL;
    return g_hash_table_lookup_extended(parameters->by_name, name, NULL, &index)
               ? (int)GPOINTER_TO_UINT(index)
               : -1;
}

cl_mem maxgl_parameters_values(const MaxglParameters *parameters)
{
    return parameters->values[LEARNT];
}

cl_mem maxgl_parameters_gradients(const MaxglParameters *parameters)
{
    return parameters->gradients;
}

cl_mem maxgl_parameters_statistics(const MaxglParameters *parameters)
{
    return parameters->values[STATISTICS];
}

gsize maxgl_parameters_decayed_floats(const MaxglParameters *parameters)
{
    return parameters->decayed;
}

gsize maxgl_parameters_learnt_floats(const MaxglParameters *parameters)
{
    return parameters->floats[LEARNT];
}

gsize maxgl_parameters_statistics_floats(const MaxglParameters *parameters)
{
    return parameters->floats[STATISTICS];
}

/* A vector is a feature matrix of one row. */
static void pack(const MaxglParameter *p, int block, const float *plain, float *packed)
{
    const MaxglShape row = maxgl_shape(1, (int)p->count, 1, 1, 1, block);
    switch (p->kind) {
    case MAXGL_PARAMETER_CONV3D:
        maxgl_conv3d_pack_weights(&p->conv, plain, packed);
        break;
    case MAXGL_PARAMETER_LINEAR:
        maxgl_linear_pack_weights(&p->linear, plain, packed);
        break;
    case MAXGL_PARAMETER_VECTOR:
        maxgl_shape_pack(&row, plain, packed);
        break;
    }
}

static void unpack(const MaxglParameter *p, int block, const float *packed, float *plain)
{
    const MaxglShape row = maxgl_shape(1, (int)p->count, 1, 1, 1, block);
    switch (p->kind) {
    case MAXGL_PARAMETER_CONV3D:
        maxgl_conv3d_unpack_weights(&p->conv, packed, plain);
        break;
    case MAXGL_PARAMETER_LINEAR:
        maxgl_linear_unpack_weights(&p->linear, packed, plain);
        break;
    case MAXGL_PARAMETER_VECTOR:
        maxgl_shape_unpack(&row, packed, plain);
        break;
    }
}

gboolean maxgl_parameters_alike(const MaxglParameters *a, const MaxglParameters *b)
{
    return maxgl_layout_block(a->context) == maxgl_layout_block(b->context) &&
           maxgl_layout_input_block(a->context) == maxgl_layout_input_block(b->context) &&
           a->context->info->base_align == b->context->info->base_align;
}

void maxgl_parameters_convert(const MaxglParameters *from, const float *flat, const MaxglParameters *to,
                              float *converted, gboolean statistics)
{
    const int which = statistics ? STATISTICS : LEARNT;
    if (maxgl_parameters_alike(from, to)) {
        memcpy(converted, flat, from->floats[which] * sizeof *flat);
        return;
    }
    for (guint i = 0; i < from->entries->len; i++) {
        const MaxglParameter *p = maxgl_parameters_get(from, i), *q = maxgl_parameters_get(to, i);
        if (buffer_of(p) != which)
            continue;
        g_autofree float *plain = g_new(float, p->count);
        unpack(p, maxgl_layout_block(from->context), flat + p->offset, plain);
        pack(q, maxgl_layout_block(to->context), plain, converted + q->offset);
    }
}

gboolean maxgl_parameters_read_from(const MaxglParameters *parameters, cl_mem flat, guint index, float *plain,
                                    GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    g_autofree float *packed = g_new(float, p->floats);
    if (!maxgl_buffer_read(parameters->context, flat, p->offset * sizeof(float), packed,
                           p->floats * sizeof(float), error))
        return FALSE;
    unpack(p, maxgl_layout_block(parameters->context), packed, plain);
    return TRUE;
}

gboolean maxgl_parameters_write_to(const MaxglParameters *parameters, cl_mem flat, guint index,
                                   const float *plain, GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    g_autofree float *packed = g_new(float, p->floats);
    pack(p, maxgl_layout_block(parameters->context), plain, packed);
    return maxgl_buffer_write(parameters->context, flat, p->offset * sizeof(float), packed,
                              p->floats * sizeof(float), error);
}

gboolean maxgl_parameters_read(const MaxglParameters *parameters, guint index, float *plain, GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    return maxgl_parameters_read_from(parameters, parameters->values[buffer_of(p)], index, plain, error);
}

gboolean maxgl_parameters_write(MaxglParameters *parameters, guint index, const float *plain, GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    return maxgl_parameters_write_to(parameters, parameters->values[buffer_of(p)], index, plain, error);
}
