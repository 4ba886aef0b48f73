#include "net/resnet3d.h"

#include <maxgl/error.h>
#include <string.h>

typedef struct {
    MaxglResnet *resnet;
    GArray *layers, *tensors;
} Builder;

static const int one[3] = {1, 1, 1}, zero[3] = {0, 0, 0}, two[3] = {2, 2, 2}, three[3] = {3, 3, 3};

static void layer_clear(gpointer data)
{
    MaxglLayer *layer = data;
    g_free(layer->name);
    for (int i = 0; i < MAXGL_NAMINGS; i++)
        g_free(layer->prefix[i]);
}

static int window_output(int size, int kernel, int stride, int pad)
{
    return (size + 2 * pad - kernel) / stride + 1;
}

/* Appends @layer, whose output has @map; returns the output's tensor. */
static int append(Builder *b, MaxglLayer layer, MaxglMap map)
{
    const MaxglActivation tensor = {.map = map, .producer = (int)b->layers->len};
    layer.output = (int)b->tensors->len;
    g_array_append_val(b->layers, layer);
    g_array_append_val(b->tensors, tensor);
    return layer.output;
}

static MaxglMap map_of(Builder *b, int tensor)
{
    return g_array_index(b->tensors, MaxglActivation, tensor).map;
}

static MaxglLayer layer_new(MaxglLayerKind kind, char *name, int input)
{
    MaxglLayer layer = {.kind = kind, .name = name, .input = input, .residual = -1};
    memcpy(layer.kernel, one, sizeof one);
    memcpy(layer.stride, one, sizeof one);
    return layer;
}

/* A convolution, shortcut A or max-pool: whatever moves a window over the map. */
static int add_window(Builder *b, MaxglLayer layer, int channels, const int kernel[3], const int stride[3],
                      const int pad[3])
{
    const MaxglMap in = map_of(b, layer.input);
    memcpy(layer.kernel, kernel, sizeof layer.kernel);
    memcpy(layer.stride, stride, sizeof layer.stride);
    memcpy(layer.pad, pad, sizeof layer.pad);
    return append(b, layer,
                  (MaxglMap){channels, window_output(in.t, kernel[0], stride[0], pad[0]),
                             window_output(in.h, kernel[1], stride[1], pad[1]),
                             window_output(in.w, kernel[2], stride[2], pad[2])});
}

/* Where a convolution and its batch norm stand; their names follow from it. Stage 0 is the stem. */
typedef struct {
    int stage, block;
    int number;          /* conv1, conv2, conv3 */
    gboolean downsample; /* the shortcut's instead */
} Place;

static void name_pair(const Place *p, MaxglLayer *conv, MaxglLayer *norm)
{
    if (p->stage == 0) {
        conv->name = g_strdup("conv1");
        norm->name = g_strdup("bn1");
        conv->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup("stem.0");
        norm->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup("stem.1");
        conv->prefix[MAXGL_NAMING_VCOP] = g_strdup("conv1.temporal_spatial_conv");
        norm->prefix[MAXGL_NAMING_VCOP] = g_strdup("bn1");
    } else {
        g_autofree char *block = g_strdup_printf("layer%d.%d", p->stage, p->block);
        g_autofree char *vcop = p->block == 0
                                    ? g_strdup_printf("conv%d.block1", p->stage + 1)
                                    : g_strdup_printf("conv%d.blocks.%d", p->stage + 1, p->block - 1);
        if (p->downsample) {
            conv->name = g_strdup_printf("%s.downsample.0", block);
            norm->name = g_strdup_printf("%s.downsample.1", block);
            conv->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup(conv->name);
            norm->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup(norm->name);
            conv->prefix[MAXGL_NAMING_VCOP] =
                g_strdup_printf("%s.downsampleconv.temporal_spatial_conv", vcop);
            norm->prefix[MAXGL_NAMING_VCOP] = g_strdup_printf("%s.downsamplebn", vcop);
        } else {
            conv->name = g_strdup_printf("%s.conv%d", block, p->number);
            norm->name = g_strdup_printf("%s.bn%d", block, p->number);
            conv->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup_printf("%s.conv%d.0", block, p->number);
            norm->prefix[MAXGL_NAMING_TORCHVISION] = g_strdup_printf("%s.conv%d.1", block, p->number);
            conv->prefix[MAXGL_NAMING_VCOP] =
                g_strdup_printf("%s.conv%d.temporal_spatial_conv", vcop, p->number);
            norm->prefix[MAXGL_NAMING_VCOP] = g_strdup_printf("%s.bn%d", vcop, p->number);
        }
    }
    conv->prefix[MAXGL_NAMING_HARA] = g_strdup(conv->name);
    norm->prefix[MAXGL_NAMING_HARA] = g_strdup(norm->name);
}

/* Convolution and batch norm; @residual −1: none. */
static int add_conv_norm(Builder *b, const Place *place, int input, int channels, const int kernel[3],
                         const int stride[3], int residual, gboolean relu)
{
    const int pad[3] = {kernel[0] / 2, kernel[1] / 2, kernel[2] / 2};
    MaxglLayer conv = layer_new(MAXGL_LAYER_CONV3D, NULL, input);
    MaxglLayer norm = layer_new(MAXGL_LAYER_BATCH_NORM, NULL, -1);
    name_pair(place, &conv, &norm);
    norm.input = add_window(b, conv, channels, kernel, stride, pad);
    norm.residual = residual;
    norm.relu = relu;
    return append(b, norm, map_of(b, norm.input));
}

static int add_shortcut(Builder *b, int stage, int block, int input, int channels, const int stride[3])
{
    if (stride[0] == 1 && map_of(b, input).c == channels)
        return input;
    const Place place = {.stage = stage, .block = block, .downsample = TRUE};
    if (b->resnet->spec.shortcut == 'B')
        return add_conv_norm(b, &place, input, channels, one, stride, -1, FALSE);
    MaxglLayer layer =
        layer_new(MAXGL_LAYER_SHORTCUT_A, g_strdup_printf("layer%d.%d.downsample", stage, block), input);
    return add_window(b, layer, channels, one, stride, zero);
}

/* The shortcut comes first: what it makes is smaller than the block's input, which inference then need not
 * keep. */
static int add_block(Builder *b, int stage, int block, int input, int channels, gboolean bottleneck)
{
    const int *stride = stage > 1 && block == 0 ? two : one;
    Place place = {.stage = stage, .block = block, .number = 1};
    if (!bottleneck) {
        const int shortcut = add_shortcut(b, stage, block, input, channels, stride);
        const int middle = add_conv_norm(b, &place, input, channels, three, stride, -1, TRUE);
        place.number = 2;
        return add_conv_norm(b, &place, middle, channels, three, one, shortcut, TRUE);
    }
    const int shortcut = add_shortcut(b, stage, block, input, 4 * channels, stride);
    int x = add_conv_norm(b, &place, input, channels, one, one, -1, TRUE);
    place.number = 2;
    x = add_conv_norm(b, &place, x, channels, three, stride, -1, TRUE);
    place.number = 3;
    return add_conv_norm(b, &place, x, 4 * channels, one, one, shortcut, TRUE);
}

static void set_tap(Builder *b, int tensor, char *tap)
{
    g_array_index(b->tensors, MaxglActivation, tensor).tap = tap;
}

static int add_stem(Builder *b, int channels)
{
    const gboolean hara = b->resnet->spec.family == MAXGL_FAMILY_HARA;
    const int kernel[3] = {hara ? 7 : 3, 7, 7}, stride[3] = {1, 2, 2};
    int x = add_conv_norm(b, &(Place){.stage = 0}, 0, channels, kernel, stride, -1, TRUE);
    if (hara)
        x = add_window(b, layer_new(MAXGL_LAYER_MAX_POOL, g_strdup("maxpool"), x), channels, three, two, one);
    set_tap(b, x, g_strdup("stem"));
    return x;
}

static void add_head(Builder *b, int x)
{
    const MaxglResnetSpec *spec = &b->resnet->spec;
    const int features = map_of(b, x).c;
    const MaxglMap vector = {features, 1, 1, 1};
    x = append(b, layer_new(MAXGL_LAYER_GLOBAL_POOL, g_strdup("avgpool"), x), vector);
    set_tap(b, x, g_strdup("pool"));
    if (spec->classes == 0)
        return;
    if (spec->dropout > 0) {
        MaxglLayer dropout = layer_new(MAXGL_LAYER_DROPOUT, g_strdup("dropout"), x);
        dropout.rate = spec->dropout;
        x = append(b, dropout, vector);
    }
    MaxglLayer fc = layer_new(MAXGL_LAYER_LINEAR, g_strdup("fc"), x);
    fc.prefix[MAXGL_NAMING_HARA] = g_strdup("fc");
    fc.prefix[MAXGL_NAMING_TORCHVISION] = g_strdup("fc");
    fc.prefix[MAXGL_NAMING_VCOP] = g_strdup("linear");
    x = append(b, fc, (MaxglMap){spec->classes, 1, 1, 1});
    set_tap(b, x, g_strdup("fc"));
}

MaxglResnet *maxgl_resnet_new(const MaxglResnetSpec *spec, GError **error)
{
    if (!maxgl_resnet_spec_validate(spec, error))
        return NULL;
    static const int blocks_by_depth[][5] = {
        {10, 1, 1, 1, 1}, {18, 2, 2, 2, 2}, {34, 3, 4, 6, 3}, {50, 3, 4, 6, 3}};
    const int *blocks = blocks_by_depth[0];
    for (guint i = 0; i < G_N_ELEMENTS(blocks_by_depth); i++)
        if (blocks_by_depth[i][0] == spec->depth)
            blocks = blocks_by_depth[i];

    MaxglResnet *resnet = g_new0(MaxglResnet, 1);
    resnet->spec = *spec;
    Builder b = {resnet, g_array_new(FALSE, FALSE, sizeof(MaxglLayer)),
                 g_array_new(FALSE, FALSE, sizeof(MaxglActivation))};
    const MaxglActivation clip = {.map = {spec->in_channels, spec->frames, spec->height, spec->columns},
                                  .producer = -1};
    g_array_append_val(b.tensors, clip);
    int x = add_stem(&b, (int)(64 * spec->width));
    for (int stage = 1; stage <= 4; stage++) {
        for (int i = 0; i < blocks[stage]; i++)
            x = add_block(&b, stage, i, x, (int)((32 << stage) * spec->width), spec->depth >= 50);
        set_tap(&b, x, g_strdup_printf("layer%d", stage));
    }
    add_head(&b, x);
    resnet->n_layers = (int)b.layers->len;
    resnet->n_tensors = (int)b.tensors->len;
    resnet->layers = (MaxglLayer *)(void *)g_array_free(b.layers, FALSE);
    resnet->tensors = (MaxglActivation *)(void *)g_array_free(b.tensors, FALSE);
    return resnet;
}

void maxgl_resnet_free(MaxglResnet *resnet)
{
    if (!resnet)
        return;
    for (int i = 0; i < resnet->n_layers; i++)
        layer_clear(&resnet->layers[i]);
    for (int i = 0; i < resnet->n_tensors; i++)
        g_free(resnet->tensors[i].tap);
    g_free(resnet->layers);
    g_free(resnet->tensors);
    g_free(resnet);
}

int maxgl_resnet_tap(const MaxglResnet *resnet, const char *tap)
{
    for (int i = 0; i < resnet->n_tensors; i++)
        if (g_strcmp0(resnet->tensors[i].tap, tap) == 0)
            return i;
    return -1;
}

int maxgl_resnet_require_tap(const MaxglResnet *resnet, const char *tap, GError **error)
{
    const int tensor = maxgl_resnet_tap(resnet, tap);
    if (tensor >= 0)
        return tensor;
    g_autoptr(GString) all = g_string_new(NULL);
    for (int i = 0; i < resnet->n_tensors; i++)
        if (resnet->tensors[i].tap)
            g_string_append_printf(all, "%s%s", all->len ? ", " : "", resnet->tensors[i].tap);
    g_autofree char *name = maxgl_resnet_spec_name(&resnet->spec);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s has no output \"%s\"; there are: %s", name, tap,
                all->str);
    return -1;
}

int maxgl_resnet_stage(const MaxglResnet *resnet, const char *stage)
{
    const gsize length = strlen(stage);
    for (int i = 0; i < resnet->n_layers; i++) {
        const char *name = resnet->layers[i].name;
        if (strncmp(name, stage, length) == 0 && (name[length] == '.' || name[length] == '\0'))
            return i;
    }
    return -1;
}

int maxgl_resnet_features(const MaxglResnet *resnet)
{
    return resnet->tensors[maxgl_resnet_tap(resnet, "pool")].map.c;
}

int maxgl_layer_tensors(const MaxglResnet *resnet, int index, MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS])
{
    static const char *const statistics[] = {"weight", "bias", "running_mean", "running_var"};
    const MaxglLayer *l = &resnet->layers[index];
    const int in = resnet->tensors[l->input].map.c, out = resnet->tensors[l->output].map.c;
    switch (l->kind) {
    case MAXGL_LAYER_CONV3D:
        tensors[0] =
            (MaxglLayerTensor){"weight", 5, {out, in, l->kernel[0], l->kernel[1], l->kernel[2]}, TRUE};
        return 1;
    case MAXGL_LAYER_LINEAR:
        tensors[0] = (MaxglLayerTensor){"weight", 2, {out, in}, TRUE};
        tensors[1] = (MaxglLayerTensor){"bias", 1, {out}, TRUE};
        return 2;
    case MAXGL_LAYER_BATCH_NORM:
        for (int i = 0; i < 4; i++)
            tensors[i] = (MaxglLayerTensor){statistics[i], 1, {out}, i < 2};
        return 4;
    default:
        return 0;
    }
}

gint64 maxgl_layer_parameters(const MaxglResnet *resnet, int index)
{
    MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
    gint64 sum = 0;
    for (int i = maxgl_layer_tensors(resnet, index, tensors) - 1; i >= 0; i--) {
        gint64 count = tensors[i].learnt;
        for (int d = 0; d < tensors[i].rank; d++)
            count *= tensors[i].shape[d];
        sum += count;
    }
    return sum;
}

gint64 maxgl_resnet_parameters(const MaxglResnet *resnet)
{
    gint64 sum = 0;
    for (int i = 0; i < resnet->n_layers; i++)
        sum += maxgl_layer_parameters(resnet, i);
    return sum;
}

double maxgl_layer_macs(const MaxglResnet *resnet, int index)
{
    const MaxglLayer *layer = &resnet->layers[index];
    if (layer->kind != MAXGL_LAYER_CONV3D && layer->kind != MAXGL_LAYER_LINEAR)
        return 0;
    const MaxglMap in = resnet->tensors[layer->input].map, out = resnet->tensors[layer->output].map;
    const double taps = (double)layer->kernel[0] * layer->kernel[1] * layer->kernel[2];
    return taps * in.c * out.c * out.t * out.h * out.w;
}

double maxgl_resnet_macs(const MaxglResnet *resnet)
{
    double sum = 0;
    for (int i = 0; i < resnet->n_layers; i++)
        sum += maxgl_layer_macs(resnet, i);
    return sum;
}

/* Appends @text and spaces up to @columns characters. */
static void append_padded(GString *line, const char *text, glong columns)
{
    g_string_append(line, text);
    for (glong n = g_utf8_strlen(text, -1); n < columns; n++)
        g_string_append_c(line, ' ');
}

char *maxgl_layer_text(const MaxglLayer *l)
{
    switch (l->kind) {
    case MAXGL_LAYER_CONV3D:
    case MAXGL_LAYER_MAX_POOL:
    case MAXGL_LAYER_SHORTCUT_A: {
        const char *what = l->kind == MAXGL_LAYER_CONV3D     ? "convolution"
                           : l->kind == MAXGL_LAYER_MAX_POOL ? "max-pool"
                                                             : "subsampling, zero channels";
        if (l->kind == MAXGL_LAYER_SHORTCUT_A)
            return g_strdup_printf("%s /%d,%d,%d", what, l->stride[0], l->stride[1], l->stride[2]);
        return g_strdup_printf("%s %d×%d×%d /%d,%d,%d", what, l->kernel[0], l->kernel[1], l->kernel[2],
                               l->stride[0], l->stride[1], l->stride[2]);
    }
    case MAXGL_LAYER_BATCH_NORM:
        return g_strdup_printf("batch norm%s%s", l->residual >= 0 ? ", add" : "", l->relu ? ", ReLU" : "");
    case MAXGL_LAYER_GLOBAL_POOL:
        return g_strdup("global average pool");
    case MAXGL_LAYER_DROPOUT:
        return g_strdup_printf("dropout %g", l->rate);
    case MAXGL_LAYER_LINEAR:
        return g_strdup("linear");
    }
    return NULL;
}

/* The last two columns of a row and its end; nothing for what has none. */
static void append_numbers(GString *table, gint64 parameters, double macs)
{
    if (parameters)
        g_string_append_printf(table, "%12" G_GINT64_FORMAT, parameters);
    if (macs > 0)
        g_string_append_printf(table, " %10.4f", macs * 1e-9);
    while (table->str[table->len - 1] == ' ')
        g_string_truncate(table, table->len - 1);
    g_string_append_c(table, '\n');
}

char *maxgl_resnet_table(const MaxglResnet *resnet)
{
    GString *table = g_string_new(NULL);
    append_padded(table, "layer", 26);
    append_padded(table, "what", 34);
    append_padded(table, "output", 18);
    g_string_append_printf(table, "%12s %10s\n", "parameters", "GMAC/clip");
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        const MaxglMap m = resnet->tensors[layer->output].map;
        g_autofree char *what = maxgl_layer_text(layer);
        g_autofree char *map = g_strdup_printf("%d×%d×%d×%d", m.c, m.t, m.h, m.w);
        append_padded(table, layer->name, 26);
        append_padded(table, what, 34);
        append_padded(table, map, 18);
        append_numbers(table, maxgl_layer_parameters(resnet, i), maxgl_layer_macs(resnet, i));
    }
    append_padded(table, "sum", 78);
    append_numbers(table, maxgl_resnet_parameters(resnet), maxgl_resnet_macs(resnet));
    return g_string_free(table, FALSE);
}
