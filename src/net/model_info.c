#include "net/weights.h"

#include <gio/gio.h>
#include <math.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

#define KEY_NETWORK "maxgl.network"
#define KEY_CLASS_NAMES "maxgl.class_names"

MaxglModelInfo *maxgl_model_info_new(const MaxglResnetSpec *spec)
{
    MaxglModelInfo *info = g_new0(MaxglModelInfo, 1);
    info->spec = *spec;
    info->naming = maxgl_family_naming(spec->family);
    info->prefix = g_strdup("");
    info->frame_stride = 2;
    maxgl_preprocessing_init(&info->preprocessing, spec->family, spec->height, spec->columns);
    return info;
}

void maxgl_model_info_free(MaxglModelInfo *info)
{
    if (!info)
        return;
    g_free(info->prefix);
    g_strfreev(info->classes);
    g_free(info->label);
    g_free(info->recipe);
    g_free(info->seed);
    g_free(info->version);
    g_free(info->averaged);
    g_free(info);
}

void maxgl_preprocessing_init(MaxglPreprocessing *p, MaxglFamily family, int height, int width)
{
    const float hara_mean[3] = {0.4345F, 0.4051F, 0.3775F}, hara_std[3] = {0.2768F, 0.2713F, 0.2737F};
    const float torchvision_mean[3] = {0.43216F, 0.394666F, 0.37645F};
    const float torchvision_std[3] = {0.22803F, 0.22145F, 0.216989F};
    *p = (MaxglPreprocessing){.crop_width = width, .crop_height = height, .std = {1, 1, 1}};
    if (family == MAXGL_FAMILY_HARA) {
        p->resize_height = MAX(height, width);
        memcpy(p->mean, hara_mean, sizeof p->mean);
        memcpy(p->std, hara_std, sizeof p->std);
    } else {
        p->resize_height = (int)lround(128.0 * height / 112);
        p->resize_width = (int)lround(171.0 * width / 112);
    }
    if (family == MAXGL_FAMILY_TORCHVISION) {
        memcpy(p->mean, torchvision_mean, sizeof p->mean);
        memcpy(p->std, torchvision_std, sizeof p->std);
    }
    p->antialias = family != MAXGL_FAMILY_TORCHVISION; /* the others resize with Pillow */
}

/* A tensor "PREFIX" + "NAME", or NULL. */
static const MaxglSafetensor *find(const MaxglSafetensors *file, const char *prefix, const char *name)
{
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    return maxgl_safetensors_find(file, full);
}

/* The stem's and the first block's first convolution: enough to tell the namings apart. */
static const char *const landmarks[MAXGL_NAMINGS][2] = {
    [MAXGL_NAMING_HARA] = {"conv1.weight", "layer1.0.conv1.weight"},
    [MAXGL_NAMING_TORCHVISION] = {"stem.0.weight", "layer1.0.conv1.0.weight"},
    [MAXGL_NAMING_VCOP] = {"conv1.temporal_spatial_conv.weight",
                           "conv2.block1.conv1.temporal_spatial_conv.weight"},
};

static gboolean recognise(const MaxglSafetensors *file, MaxglModelInfo *info)
{
    for (guint i = 0; i < maxgl_safetensors_count(file); i++) {
        const char *name = maxgl_safetensors_get(file, i)->name;
        for (int naming = 0; naming < MAXGL_NAMINGS; naming++) {
            if (!g_str_has_suffix(name, landmarks[naming][0]))
                continue;
            g_autofree char *prefix = g_strndup(name, strlen(name) - strlen(landmarks[naming][0]));
            if (!find(file, prefix, landmarks[naming][1]))
                continue;
            info->naming = (MaxglNaming)naming;
            g_free(info->prefix);
            info->prefix = g_steal_pointer(&prefix);
            return TRUE;
        }
    }
    return FALSE;
}

/* The weights of convolution @number of a block (0: the shortcut's) under the file's naming. */
static const MaxglSafetensor *block_conv(const MaxglSafetensors *file, const MaxglModelInfo *info, int stage,
                                         int block, int number)
{
    g_autofree char *place = NULL, *conv = NULL;
    if (info->naming != MAXGL_NAMING_VCOP)
        place = g_strdup_printf("layer%d.%d", stage, block);
    else if (block == 0)
        place = g_strdup_printf("conv%d.block1", stage + 1);
    else
        place = g_strdup_printf("conv%d.blocks.%d", stage + 1, block - 1);
    if (number > 0)
        conv = g_strdup_printf("conv%d", number);
    else
        conv = g_strdup(info->naming == MAXGL_NAMING_VCOP ? "downsampleconv" : "downsample.0");
    static const char *const ends[MAXGL_NAMINGS] = {".weight", ".0.weight", ".temporal_spatial_conv.weight"};
    const char *end =
        number == 0 && info->naming == MAXGL_NAMING_TORCHVISION ? ".weight" : ends[info->naming];
    g_autofree char *name = g_strconcat(place, ".", conv, end, NULL);
    return find(file, info->prefix, name);
}

static int depth_of(const MaxglSafetensors *file, const MaxglModelInfo *info)
{
    int blocks[5] = {0};
    for (int stage = 1; stage <= 4; stage++)
        while (block_conv(file, info, stage, blocks[stage], 1))
            blocks[stage]++;
    static const int known[][4] = {{1, 1, 1, 1}, {2, 2, 2, 2}, {3, 4, 6, 3}};
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (memcmp(known[i], blocks + 1, sizeof known[i]) == 0)
            return i == 0 ? 10 : i == 1 ? 18 : block_conv(file, info, 1, 0, 3) ? 50 : 34;
    return 0;
}

static gboolean infer(const MaxglSafetensors *file, MaxglModelInfo *info, GError **error)
{
    MaxglResnetSpec *spec = &info->spec;
    const MaxglSafetensor *stem = find(file, info->prefix, landmarks[info->naming][0]);
    const MaxglSafetensor *last = block_conv(file, info, 4, 0, 1);
    const MaxglSafetensor *fc =
        find(file, info->prefix, info->naming == MAXGL_NAMING_VCOP ? "linear.weight" : "fc.weight");
    maxgl_resnet_spec_init(spec);
    spec->depth = depth_of(file, info);
    if (stem->rank != 5 || !last || last->rank != 5 || spec->depth == 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: has %s names, but not the layers of a 3D ResNet of depth 10, 18, 34 or 50",
                    maxgl_safetensors_path(file), maxgl_naming_name(info->naming));
        return FALSE;
    }
    spec->family = stem->shape[2] == 7 ? MAXGL_FAMILY_HARA
                   : spec->depth == 10 ? MAXGL_FAMILY_VCOP
                                       : MAXGL_FAMILY_TORCHVISION;
    spec->shortcut = block_conv(file, info, 2, 0, 0) ? 'B' : 'A';
    spec->width =
        (double)last->shape[0] / 512; /* the widest stage: no other width rounds to other channels */
    spec->in_channels = (int)CLAMP(stem->shape[1], 0, 1 << 20);
    spec->classes = fc && fc->rank == 2 ? (int)CLAMP(fc->shape[0], 0, G_MAXINT) : 0;
    info->spec_inferred = TRUE;
    maxgl_preprocessing_init(&info->preprocessing, spec->family, spec->height, spec->columns);
    if (maxgl_resnet_spec_validate(spec, error))
        return TRUE;
    g_prefix_error(error, "%s: ", maxgl_safetensors_path(file));
    return FALSE;
}

static gboolean bad_metadata(const MaxglSafetensors *file, const char *key, GError **error)
{
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                "%s: metadata \"%s\" is missing or malformed (\"%s\")", maxgl_safetensors_path(file), key,
                maxgl_safetensors_metadata(file, key));
    return FALSE;
}

/* @n numbers with commas between them. */
static gboolean read_numbers(const MaxglSafetensors *file, const char *key, double *out, int n,
                             GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, key);
    for (int i = 0; text && i < n; i++) {
        char *end = NULL;
        out[i] = g_ascii_strtod(text, &end);
        if (end == text || !isfinite(out[i]))
            break;
        if (i + 1 == n && !*end)
            return TRUE;
        if (*end != ',')
            break;
        text = end + 1;
    }
    return bad_metadata(file, key, error);
}

/* @n integers of at least 0 with "x" between them. Not read_numbers(): strtod would take "0x12" as one
 * hexadecimal number. */
static gboolean read_integers(const MaxglSafetensors *file, const char *key, int *out, int n, GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, key);
    for (int i = 0; text && i < n; i++) {
        char *end = NULL;
        const gint64 number = g_ascii_isdigit(*text) ? g_ascii_strtoll(text, &end, 10) : -1;
        if (number < 0 || number > G_MAXINT)
            break;
        out[i] = (int)number;
        if (i + 1 == n && !*end)
            return TRUE;
        if (*end != 'x')
            break;
        text = end + 1;
    }
    return bad_metadata(file, key, error);
}

static gboolean read_floats(const MaxglSafetensors *file, const char *key, float *out, GError **error)
{
    double numbers[3];
    if (!read_numbers(file, key, numbers, 3, error))
        return FALSE;
    for (int i = 0; i < 3; i++)
        out[i] = (float)numbers[i];
    return TRUE;
}

static gboolean read_spec(const MaxglSafetensors *file, MaxglResnetSpec *spec, GError **error)
{
    int clip[3];
    maxgl_resnet_spec_init(spec);
    if (!maxgl_resnet_spec_parse(spec, maxgl_safetensors_metadata(file, KEY_NETWORK), error) ||
        !read_integers(file, "maxgl.classes", &spec->classes, 1, error) ||
        !read_integers(file, "maxgl.in_channels", &spec->in_channels, 1, error) ||
        !read_numbers(file, "maxgl.dropout", &spec->dropout, 1, error) ||
        !read_integers(file, "maxgl.clip", clip, 3, error))
        return FALSE;
    spec->frames = clip[0];
    spec->height = clip[1];
    spec->columns = clip[2];
    return maxgl_resnet_spec_validate(spec, error);
}

/* A line a name, with C's escapes. */
static gboolean read_classes(const MaxglSafetensors *file, MaxglModelInfo *info, GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, KEY_CLASS_NAMES);
    if (!text)
        return TRUE;
    info->classes = g_strsplit(text, "\n", -1);
    if (g_strv_length(info->classes) != (guint)info->spec.classes)
        return bad_metadata(file, KEY_CLASS_NAMES, error);
    for (char **name = info->classes; *name; name++) {
        char *plain = g_strcompress(*name);
        g_free(*name);
        *name = plain;
    }
    info->label = g_strdup(maxgl_safetensors_metadata(file, "maxgl.label"));
    return TRUE;
}

static gboolean read_metadata(const MaxglSafetensors *file, MaxglModelInfo *info, GError **error)
{
    MaxglPreprocessing *p = &info->preprocessing;
    GError *reason = NULL;
    if (!read_spec(file, &info->spec, &reason)) {
        if (g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_USAGE)) { /* what is wrong is the file */
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", maxgl_safetensors_path(file),
                        reason->message);
            g_error_free(reason);
        } else {
            g_propagate_error(error, reason);
        }
        return FALSE;
    }
    int resize[2], antialias;
    if (!read_integers(file, "maxgl.resize", resize, 2, error) ||
        !read_integers(file, "maxgl.antialias", &antialias, 1, error) ||
        !read_floats(file, "maxgl.mean", p->mean, error) || !read_floats(file, "maxgl.std", p->std, error) ||
        !read_integers(file, "maxgl.frame_stride", &info->frame_stride, 1, error) ||
        !read_classes(file, info, error))
        return FALSE;
    p->resize_width = resize[0];
    p->resize_height = resize[1];
    p->crop_width = info->spec.columns;
    p->crop_height = info->spec.height;
    p->antialias = antialias != 0;
    if (info->frame_stride < 1)
        return bad_metadata(file, "maxgl.frame_stride", error);
    if (!(p->std[0] > 0 && p->std[1] > 0 && p->std[2] > 0))
        return bad_metadata(file, "maxgl.std", error);
    info->recipe = g_strdup(maxgl_safetensors_metadata(file, "maxgl.recipe"));
    info->seed = g_strdup(maxgl_safetensors_metadata(file, "maxgl.seed"));
    info->version = g_strdup(maxgl_safetensors_metadata(file, "maxgl.version"));
    info->averaged = g_strdup(maxgl_safetensors_metadata(file, "maxgl.averaged"));
    return TRUE;
}

MaxglModelInfo *maxgl_model_info_of(const MaxglSafetensors *file, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&spec);
    if (!recognise(file, info)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: no 3D ResNet: it has neither conv1.weight (hara), stem.0.weight (torchvision) nor "
                    "conv1.temporal_spatial_conv.weight (vcop) with a layer 1 beside it",
                    maxgl_safetensors_path(file));
        return NULL;
    }
    const gboolean ok = maxgl_safetensors_metadata(file, KEY_NETWORK) ? read_metadata(file, info, error)
                                                                      : infer(file, info, error);
    return ok ? g_steal_pointer(&info) : NULL;
}

/* Whether @path is what torch.save() writes: a zip archive, or a bare pickle of old. */
static gboolean is_pickle(const char *path)
{
    guint8 start[4] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return FALSE;
    const size_t n = fread(start, 1, sizeof start, file);
    (void)fclose(file);
    return n == sizeof start &&
           (memcmp(start, "PK\3\4", 4) == 0 || (start[0] == 0x80 && start[1] <= 5 && start[2] == 0x8a));
}

MaxglModelInfo *maxgl_model_info_read(const char *path, GError **error)
{
    if (is_pickle(path)) {
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
            "%s: is a PyTorch pickle, not safetensors; convert it with Python: "
            "safetensors.torch.save_file(torch.load(FILE, map_location=\"cpu\"), \"model.safetensors\")",
            path);
        return NULL;
    }
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(path, error);
    return file ? maxgl_model_info_of(file, error) : NULL;
}

static void write_text(MaxglSafetensorsWriter *writer, const char *key, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void write_text(MaxglSafetensorsWriter *writer, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    maxgl_safetensors_writer_set_metadata(writer, key, text);
}

/* Three floats, as short as gives the same floats back, whatever the locale. */
static void write_floats(MaxglSafetensorsWriter *writer, const char *key, const float *values)
{
    char text[3][G_ASCII_DTOSTR_BUF_SIZE];
    for (int i = 0; i < 3; i++)
        g_ascii_formatd(text[i], sizeof text[i], "%.9g", (double)values[i]);
    write_text(writer, key, "%s,%s,%s", text[0], text[1], text[2]);
}

static void write_classes(MaxglSafetensorsWriter *writer, char *const *classes)
{
    char beyond_ascii[0x80 + 1] = "";
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 0x80; i++)
        beyond_ascii[i] = (char)(0x80 + i); /* UTF-8, which stays as it is */
    for (int i = 0; classes[i]; i++) {
        const gboolean utf8 = g_utf8_validate(classes[i], -1, NULL);
        g_autofree char *name = g_strescape(classes[i], utf8 ? beyond_ascii : NULL);
        g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", name);
    }
    maxgl_safetensors_writer_set_metadata(writer, KEY_CLASS_NAMES, text->str);
}

void maxgl_model_info_write(const MaxglModelInfo *info, MaxglSafetensorsWriter *writer)
{
    const MaxglResnetSpec *spec = &info->spec;
    const MaxglPreprocessing *p = &info->preprocessing;
    g_autofree char *name = maxgl_resnet_spec_name(spec);
    char dropout[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(dropout, sizeof dropout, spec->dropout);
    write_text(writer, KEY_NETWORK, "%s", name);
    write_text(writer, "maxgl.naming", "%s", maxgl_naming_name(info->naming));
    write_text(writer, "maxgl.classes", "%d", spec->classes);
    write_text(writer, "maxgl.in_channels", "%d", spec->in_channels);
    write_text(writer, "maxgl.dropout", "%s", dropout);
    write_text(writer, "maxgl.clip", "%dx%dx%d", spec->frames, spec->height, spec->columns);
    write_text(writer, "maxgl.resize", "%dx%d", p->resize_width, p->resize_height);
    write_text(writer, "maxgl.antialias", "%d", p->antialias ? 1 : 0);
    write_floats(writer, "maxgl.mean", p->mean);
    write_floats(writer, "maxgl.std", p->std);
    write_text(writer, "maxgl.frame_stride", "%d", info->frame_stride);
    if (info->classes)
        write_classes(writer, info->classes);
    if (info->label)
        maxgl_safetensors_writer_set_metadata(writer, "maxgl.label", info->label);
    if (info->recipe)
        maxgl_safetensors_writer_set_metadata(writer, "maxgl.recipe", info->recipe);
    if (info->seed)
        maxgl_safetensors_writer_set_metadata(writer, "maxgl.seed", info->seed);
    if (info->version)
        maxgl_safetensors_writer_set_metadata(writer, "maxgl.version", info->version);
    if (info->averaged)
        maxgl_safetensors_writer_set_metadata(writer, "maxgl.averaged", info->averaged);
}
