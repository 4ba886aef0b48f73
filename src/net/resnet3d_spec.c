#include "net/resnet3d.h"

#include "base/nearest.h"

#include <errno.h>
#include <math.h>
#include <maxgl/error.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    MaxglFamily family;
    int depth;
    char shortcut;
} NamedShape;

static const NamedShape shapes[] = {
    {"hara-r3d10", MAXGL_FAMILY_HARA, 10, 'B'},    {"hara-r3d18", MAXGL_FAMILY_HARA, 18, 'B'},
    {"hara-r3d34", MAXGL_FAMILY_HARA, 34, 'B'},    {"hara-r3d50", MAXGL_FAMILY_HARA, 50, 'B'},
    {"hara-r3d10-a", MAXGL_FAMILY_HARA, 10, 'A'},  {"hara-r3d18-a", MAXGL_FAMILY_HARA, 18, 'A'},
    {"hara-r3d34-a", MAXGL_FAMILY_HARA, 34, 'A'},  {"hara-r3d50-a", MAXGL_FAMILY_HARA, 50, 'A'},
    {"r3d_18", MAXGL_FAMILY_TORCHVISION, 18, 'B'}, {"r3d-vcop", MAXGL_FAMILY_VCOP, 10, 'B'},
};

static const char *const naming_names[MAXGL_NAMINGS + 1] = {"hara", "torchvision", "vcop", NULL};

void maxgl_resnet_spec_init(MaxglResnetSpec *spec)
{
    *spec = (MaxglResnetSpec){.family = MAXGL_FAMILY_HARA,
                              .depth = 18,
                              .shortcut = 'B',
                              .width = 1,
                              .in_channels = 3,
                              .frames = 16,
                              .height = 112,
                              .columns = 112};
}

const char *const *maxgl_resnet_names(void)
{
    static const char *names[G_N_ELEMENTS(shapes) + 1];
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++)
        names[i] = shapes[i].name;
    return names;
}

static void set_unknown_name(const char *name, const char *base, GError **error)
{
    const NamedShape *nearest = &shapes[0];
    guint best = G_MAXUINT;
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        const guint distance = maxgl_text_distance(base, shapes[i].name);
        if (distance < best) {
            best = distance;
            nearest = &shapes[i];
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)maxgl_resnet_names());
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
        "network \"%s\" is not known; did you mean %s? There are: %s; @WIDTH narrows one (hara-r3d18@0.25)",
        name, nearest->name, all);
}

gboolean maxgl_resnet_spec_parse(MaxglResnetSpec *spec, const char *name, GError **error)
{
    const char *at = strchr(name, '@');
    g_autofree char *base = at ? g_strndup(name, (gsize)(at - name)) : g_strdup(name);
    double width = 1;
    if (at) {
        char *end = NULL;
        width = g_ascii_strtod(at + 1, &end);
        if (end == at + 1 || *end || !(width >= 1.0 / 64 && width <= 8)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "network \"%s\": \"%s\" is no width; give a factor from 0.015625 to 8", name, at + 1);
            return FALSE;
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        if (strcmp(base, shapes[i].name) != 0)
            continue;
        spec->family = shapes[i].family;
        spec->depth = shapes[i].depth;
        spec->shortcut = shapes[i].shortcut;
        spec->width = width;
        return TRUE;
    }
    set_unknown_name(name, base, error);
    return FALSE;
}

char *maxgl_resnet_spec_name(const MaxglResnetSpec *spec)
{
    const char *base = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++)
        if (shapes[i].family == spec->family && shapes[i].depth == spec->depth &&
            shapes[i].shortcut == spec->shortcut)
            base = shapes[i].name;
    if (!base)
        return NULL;
    if (spec->width == 1)
        return g_strdup(base);
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(text, sizeof text, "%.15g", spec->width);
    if (g_ascii_strtod(text, NULL) != spec->width) /* the short form where it says the same number */
        g_ascii_dtostr(text, sizeof text, spec->width);
    return g_strdup_printf("%s@%s", base, text);
}

static gboolean in_range(const char *what, double value, double low, double high, GError **error)
{
    if (value >= low && value <= high)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "network: %s is %g; allowed is %g to %g", what, value,
                low, high);
    return FALSE;
}

gboolean maxgl_resnet_spec_validate(const MaxglResnetSpec *spec, GError **error)
{
    g_autofree char *name = maxgl_resnet_spec_name(spec);
    if (!name) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "network: no %s network has depth %d with shortcut %c", naming_names[spec->family],
                    spec->depth, spec->shortcut);
        return FALSE;
    }
    return in_range("width", spec->width, 1.0 / 64, 8, error) &&
           in_range("number of classes", spec->classes, 0, 1 << 20, error) &&
           in_range("dropout", spec->dropout, 0, 0.99, error) &&
           in_range("number of input channels", spec->in_channels, 1, 64, error) &&
           in_range("clip's number of frames", spec->frames, 1, 1024, error) &&
           in_range("clip's height in pixels", spec->height, MAXGL_RESNET_MIN_PIXELS, 4096, error) &&
           in_range("clip's width in pixels", spec->columns, MAXGL_RESNET_MIN_PIXELS, 4096, error);
}

const char *maxgl_naming_name(MaxglNaming naming)
{
    return naming_names[naming];
}

gboolean maxgl_naming_parse(const char *name, MaxglNaming *naming, GError **error)
{
    for (int i = 0; i < MAXGL_NAMINGS; i++)
        if (strcmp(name, naming_names[i]) == 0) {
            *naming = (MaxglNaming)i;
            return TRUE;
        }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "naming \"%s\" is not known; there are: hara, torchvision, vcop", name);
    return FALSE;
}

MaxglNaming maxgl_family_naming(MaxglFamily family)
{
    switch (family) {
    case MAXGL_FAMILY_TORCHVISION:
        return MAXGL_NAMING_TORCHVISION;
    case MAXGL_FAMILY_VCOP:
        return MAXGL_NAMING_VCOP;
    case MAXGL_FAMILY_HARA:
        break;
    }
    return MAXGL_NAMING_HARA;
}
