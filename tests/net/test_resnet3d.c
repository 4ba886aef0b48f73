/* Counts, shapes and names of the published networks. */
#include "net/resnet3d.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglResnet *build(const char *name, int classes, int frames, int size)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    assert_true(maxgl_resnet_spec_parse(&spec, name, NULL));
    spec.classes = classes;
    spec.frames = frames;
    spec.height = spec.columns = size;
    MaxglResnet *resnet = maxgl_resnet_new(&spec, NULL);
    assert_non_null(resnet);
    return resnet;
}

/* The published numbers of parameters, with 400 classes. */
static void test_parameters(void **state)
{
    static const struct {
        const char *name;
        gint64 parameters;
        double gmac;
    } table[] = {
        {"hara-r3d10", 14604624, 5.65},  {"hara-r3d18", 33409104, 8.31},  {"hara-r3d18-a", 33235280, 8.30},
        {"hara-r3d34", 63718736, 12.70}, {"hara-r3d50", 47018576, 10.07}, {"r3d_18", 33371472, 40.70},
        {"r3d-vcop", 14566992, 19.89},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(MaxglResnet) resnet = build(table[i].name, 400, 16, 112);
        assert_int_equal(maxgl_resnet_parameters(resnet), table[i].parameters);
        assert_true(fabs(maxgl_resnet_macs(resnet) * 1e-9 - table[i].gmac) < 0.0051);
    }
}

static void test_widths(void **state)
{
    static const struct {
        const char *name;
        int frames, size;
        double gmac, tolerance;
    } table[] = {
        {"hara-r3d18@1", 16, 112, 8.31, 0.005},    {"hara-r3d18@0.5", 16, 112, 2.90, 0.005},
        {"hara-r3d18@0.25", 16, 112, 1.14, 0.005}, {"hara-r3d18", 8, 64, 1.39, 0.005},
        {"hara-r3d18@0.5", 8, 64, 0.48, 0.005},    {"hara-r3d18@0.25", 8, 64, 0.19, 0.005},
        {"hara-r3d18", 8, 32, 0.35, 0.005},        {"hara-r3d18@0.5", 8, 32, 0.12, 0.005},
        {"hara-r3d18@0.25", 8, 32, 0.047, 0.0005},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(MaxglResnet) resnet = build(table[i].name, 0, table[i].frames, table[i].size);
        assert_true(fabs(maxgl_resnet_macs(resnet) * 1e-9 - table[i].gmac) <= table[i].tolerance);
    }
    g_autoptr(MaxglResnet) narrow = build("hara-r3d50@0.3", 0, 8, 32); /* 19, 38, 76, 153 channels */
    assert_int_equal(maxgl_resnet_features(narrow), 4 * 153);
}

static void assert_map(const MaxglResnet *resnet, const char *tap, int c, int t, int h, int w)
{
    const int tensor = maxgl_resnet_tap(resnet, tap);
    assert_true(tensor >= 0);
    const MaxglMap map = resnet->tensors[tensor].map;
    assert_int_equal(map.c, c);
    assert_int_equal(map.t, t);
    assert_int_equal(map.h, h);
    assert_int_equal(map.w, w);
}

static void test_maps(void **state)
{
    g_autoptr(MaxglResnet) hara = build("hara-r3d18", 400, 16, 112);
    assert_map(hara, "stem", 64, 8, 28, 28);
    assert_map(hara, "layer1", 64, 8, 28, 28);
    assert_map(hara, "layer2", 128, 4, 14, 14);
    assert_map(hara, "layer3", 256, 2, 7, 7);
    assert_map(hara, "layer4", 512, 1, 4, 4);
    assert_map(hara, "pool", 512, 1, 1, 1);
    assert_map(hara, "fc", 400, 1, 1, 1);
    g_autoptr(MaxglResnet) torchvision = build("r3d_18", 0, 16, 112);
    assert_map(torchvision, "layer1", 64, 16, 56, 56);
    assert_map(torchvision, "layer2", 128, 8, 28, 28);
    assert_map(torchvision, "layer3", 256, 4, 14, 14);
    assert_map(torchvision, "layer4", 512, 2, 7, 7);
    assert_int_equal(maxgl_resnet_tap(torchvision, "fc"), -1);
    g_autoptr(MaxglResnet) small = build("hara-r3d18@0.25", 0, 8, 32);
    assert_map(small, "layer4", 128, 1, 1, 1);
}

/* Every layer reads what an earlier one wrote, and each tensor has one producer. */
static void test_order(void **state)
{
    const char *const *names = maxgl_resnet_names();
    for (int n = 0; names[n]; n++) {
        g_autoptr(MaxglResnet) resnet = build(names[n], 5, 8, 32);
        for (int i = 0; i < resnet->n_layers; i++) {
            const MaxglLayer *layer = &resnet->layers[i];
            assert_int_equal(layer->output, i + 1);
            assert_int_equal(resnet->tensors[layer->output].producer, i);
            assert_in_range(layer->input, 0, i);
            assert_true(layer->residual <= i);
            if (layer->residual >= 0) {
                const MaxglMap a = resnet->tensors[layer->residual].map,
                               b = resnet->tensors[layer->output].map;
                assert_memory_equal(&a, &b, sizeof a);
            }
        }
        g_autofree char *name = maxgl_resnet_spec_name(&resnet->spec);
        assert_string_equal(name, names[n]);
        g_autofree char *table = maxgl_resnet_table(resnet);
        assert_non_null(strstr(table, "layer4.0.conv1"));
    }
}

static gboolean has_prefix(const MaxglResnet *resnet, MaxglNaming naming, const char *prefix)
{
    for (int i = 0; i < resnet->n_layers; i++)
        if (g_strcmp0(resnet->layers[i].prefix[naming], prefix) == 0)
            return TRUE;
    return FALSE;
}

static void test_names(void **state)
{
    g_autoptr(MaxglResnet) resnet = build("hara-r3d18", 400, 16, 112);
    static const char *const expected[MAXGL_NAMINGS][8] = {
        {"conv1", "bn1", "layer1.0.conv1", "layer2.1.bn2", "layer2.0.downsample.0", "layer4.0.downsample.1",
         "fc", NULL},
        {"stem.0", "stem.1", "layer1.0.conv1.0", "layer2.1.conv2.1", "layer2.0.downsample.0",
         "layer4.0.downsample.1", "fc", NULL},
        {"conv1.temporal_spatial_conv", "bn1", "conv2.block1.conv1.temporal_spatial_conv",
         "conv3.blocks.0.bn2", "conv3.block1.downsampleconv.temporal_spatial_conv",
         "conv5.block1.downsamplebn", "linear", NULL},
    };
    for (int naming = 0; naming < MAXGL_NAMINGS; naming++)
        for (int i = 0; expected[naming][i]; i++)
            assert_true(has_prefix(resnet, (MaxglNaming)naming, expected[naming][i]));
    g_autoptr(MaxglResnet) bottleneck = build("hara-r3d50", 0, 16, 112);
    assert_true(has_prefix(bottleneck, MAXGL_NAMING_HARA, "layer1.0.downsample.0"));
    assert_true(has_prefix(bottleneck, MAXGL_NAMING_HARA, "layer3.5.conv3"));
    g_autoptr(MaxglResnet) plain = build("hara-r3d18-a", 0, 16, 112);
    assert_false(has_prefix(plain, MAXGL_NAMING_HARA, "layer2.0.downsample.0"));
}

static void assert_refused(const char *name, const char *expected)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_resnet_spec_parse(&spec, name, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_non_null(strstr(error->message, expected));
    assert_int_equal(spec.depth, 18);
}

static void test_bad_names(void **state)
{
    assert_refused("hara-r3d-18", "did you mean hara-r3d18?");
    assert_refused("r3d18", "did you mean r3d_18?");
    assert_refused("hara_r3d34-a@0.5", "did you mean hara-r3d34-a?");
    assert_refused("hara-r3d18@", "\"\" is no width");
    assert_refused("hara-r3d18@half", "\"half\" is no width");
    assert_refused("hara-r3d18@0", "from 0.015625 to 8");
    assert_refused("hara-r3d18@nan", "is no width");
}

static void assert_invalid(MaxglResnetSpec spec, const char *expected)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_resnet_new(&spec, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_non_null(strstr(error->message, expected));
}

static void test_bad_specs(void **state)
{
    MaxglResnetSpec good, spec;
    maxgl_resnet_spec_init(&good);
    spec = good;
    spec.height = 7;
    assert_invalid(spec, "height in pixels is 7; allowed is 8 to 4096");
    spec = good;
    spec.frames = 0;
    assert_invalid(spec, "number of frames is 0; allowed is 1 to");
    spec = good;
    spec.depth = 101;
    assert_invalid(spec, "no hara network has depth 101");
    spec = good;
    spec.dropout = 1;
    assert_invalid(spec, "dropout is 1");
    g_autoptr(MaxglResnet) resnet = maxgl_resnet_new(&good, NULL);
    g_autoptr(GError) error = NULL;
    assert_int_equal(maxgl_resnet_require_tap(resnet, "fc", &error), -1);
    assert_non_null(strstr(error->message, "stem, layer1, layer2, layer3, layer4, pool"));
}

static void test_width_name(void **state)
{
    static const char *const names[] = {"hara-r3d18@0.25", "r3d_18@0.1", "hara-r3d50-a@0.333333333333333"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        MaxglResnetSpec spec, again;
        maxgl_resnet_spec_init(&spec);
        again = spec;
        assert_true(maxgl_resnet_spec_parse(&spec, names[i], NULL));
        g_autofree char *name = maxgl_resnet_spec_name(&spec);
        assert_string_equal(name, names[i]);
        spec.width = 1.0 / 3;
        g_autofree char *third = maxgl_resnet_spec_name(&spec);
        assert_true(maxgl_resnet_spec_parse(&again, third, NULL));
        assert_true(again.width == spec.width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters), cmocka_unit_test(test_widths),
        cmocka_unit_test(test_maps),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_bad_specs),  cmocka_unit_test(test_width_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
