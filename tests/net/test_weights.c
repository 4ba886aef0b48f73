/* Models in and out of files: namings, prefixes, what is inferred, what is refused. */
#include "formula.h"
#include "net/weights.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglContext *context;
static char *folder;

static char *file_in_folder(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static MaxglParameters *declared(const MaxglResnet *resnet)
{
    MaxglParameters *parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    g_autoptr(GError) error = NULL;
    assert_ok(maxgl_parameters_allocate(parameters, FALSE, &error), error);
    return parameters;
}

/* Every parameter is what the formula gives for its name under @naming. */
static void assert_by_formula(const MaxglResnet *resnet, MaxglParameters *parameters, MaxglNaming naming)
{
    for (int i = 0; i < resnet->n_layers; i++) {
        for (guint j = 0; j < maxgl_parameters_count(parameters); j++) {
            const MaxglParameter *p = maxgl_parameters_get(parameters, j);
            const gsize length = strlen(resnet->layers[i].name);
            if (strncmp(p->name, resnet->layers[i].name, length) != 0 || p->name[length] != '.' ||
                strchr(p->name + length + 1, '.'))
                continue;
            g_autofree char *name = g_strconcat(resnet->layers[i].prefix[naming], p->name + length, NULL);
            g_autofree float *want = formula_parameter(name, p->rank, p->shape, NULL),
                             *got = g_new(float, p->count);
            assert_true(maxgl_parameters_read(parameters, j, got, NULL));
            assert_memory_equal(got, want, (gsize)p->count * sizeof(float));
        }
    }
}

static void test_namings(void **state)
{
    static const struct {
        const char *network;
        MaxglNaming naming;
        const char *prefix;
    } table[] = {
        {"hara-r3d18@0.05", MAXGL_NAMING_HARA, ""},
        {"hara-r3d18-a@0.05", MAXGL_NAMING_HARA, "module."},
        {"hara-r3d34@0.03125", MAXGL_NAMING_TORCHVISION, "state_dict.module.module."},
        {"hara-r3d50@0.03125", MAXGL_NAMING_HARA, "module.module."},
        {"r3d_18@0.1", MAXGL_NAMING_TORCHVISION, ""},
        {"r3d_18@0.1", MAXGL_NAMING_HARA, "model."},
        {"r3d-vcop@0.1", MAXGL_NAMING_VCOP, "base_network."},
        {"hara-r3d10@0.05", MAXGL_NAMING_VCOP, ""},
    };
    g_autofree char *path = file_in_folder("model.safetensors");
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(MaxglResnet) resnet = resnet_named(table[i].network, 7, 16, 112);
        formula_write_file(path, resnet, table[i].naming, table[i].prefix);
        g_autoptr(GError) error = NULL;
        g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(path, &error);
        assert_ok(info != NULL, error);
        assert_true(info->spec_inferred);
        assert_int_equal(info->naming, table[i].naming);
        assert_string_equal(info->prefix, table[i].prefix);
        assert_int_equal(info->spec.family, resnet->spec.family);
        assert_int_equal(info->spec.depth, resnet->spec.depth);
        assert_int_equal(info->spec.shortcut, resnet->spec.shortcut);
        assert_int_equal(info->spec.classes, 7);
        g_autoptr(MaxglResnet) again = maxgl_resnet_new(&info->spec, &error);
        assert_int_equal(maxgl_resnet_parameters(again), maxgl_resnet_parameters(resnet));

        g_autoptr(MaxglParameters) parameters = declared(resnet);
        g_autofree char *notes = NULL;
        assert_ok(maxgl_weights_load(path, resnet, parameters, NULL, &notes, &error), error);
        assert_non_null(strstr(notes, maxgl_naming_name(table[i].naming)));
        assert_by_formula(resnet, parameters, table[i].naming);
    }
}

/* What is saved comes back: weights, metadata, and the same bytes from the same parameters. */
static void test_round_trip(void **state)
{
    g_autofree char *path = file_in_folder("saved.safetensors"),
                    *second = file_in_folder("second.safetensors");
    for (int naming = 0; naming < MAXGL_NAMINGS; naming++) {
        g_autoptr(MaxglResnet) resnet = resnet_named("hara-r3d18@0.07", 3, 8, 48);
        g_autoptr(MaxglParameters) parameters = declared(resnet);
        formula_fill(parameters);
        g_autoptr(MaxglModelInfo) info = maxgl_model_info_new(&resnet->spec);
        info->naming = (MaxglNaming)naming;
        info->frame_stride = 3;
        info->preprocessing.resize_width = 171;
        info->preprocessing.mean[1] = 0.1F;
        info->recipe = g_strdup("train: { lr = 0.1; };\n");
        info->seed = g_strdup("42");
        g_autoptr(GError) error = NULL;
        assert_ok(maxgl_weights_save(path, resnet, parameters, info, 77, TRUE, &error), error);
        assert_ok(maxgl_weights_save(second, resnet, parameters, info, 77, TRUE, &error), error);
        g_autofree char *a = NULL, *b = NULL;
        gsize na, nb;
        assert_true(g_file_get_contents(path, &a, &na, NULL) && g_file_get_contents(second, &b, &nb, NULL));
        assert_int_equal(na, nb);
        assert_memory_equal(a, b, na);

        g_autoptr(MaxglModelInfo) back = maxgl_model_info_read(path, &error);
        assert_ok(back != NULL, error);
        assert_false(back->spec_inferred);
        assert_memory_equal(&back->spec, &info->spec, sizeof info->spec);
        assert_memory_equal(&back->preprocessing, &info->preprocessing, sizeof info->preprocessing);
        assert_int_equal(back->naming, naming);
        assert_int_equal(back->frame_stride, 3);
        assert_string_equal(back->recipe, info->recipe);
        assert_string_equal(back->seed, "42");
        assert_null(back->version);

        g_autoptr(MaxglParameters) loaded = declared(resnet);
        assert_ok(maxgl_weights_load(path, resnet, loaded, NULL, NULL, &error), error);
        assert_by_formula(resnet, loaded, MAXGL_NAMING_HARA); /* the registry's names */
        g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(path, &error);
        static const char *const counters[] = {"bn1", "stem.1", "bn1"};
        g_autofree char *counter = g_strdup_printf("%s.num_batches_tracked", counters[naming]);
        const MaxglSafetensor *tracked = maxgl_safetensors_find(file, counter);
        assert_non_null(tracked);
        assert_int_equal(tracked->dtype, MAXGL_DTYPE_I64);
        assert_int_equal(*(const gint64 *)tracked->data, 77);
    }
}

/* One message with everything that is wrong, and nothing changed. */
static void test_mismatch(void **state)
{
    g_autofree char *path = file_in_folder("other.safetensors");
    g_autoptr(MaxglResnet) file_resnet = resnet_named("hara-r3d18@0.05", 7, 16, 112);
    formula_write_file(path, file_resnet, MAXGL_NAMING_HARA, "module.");
    g_autoptr(MaxglResnet) resnet = resnet_named("hara-r3d10@0.06", 9, 16, 112);
    g_autoptr(MaxglParameters) parameters = declared(resnet);
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_weights_load(path, resnet, parameters, NULL, NULL, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    static const char *const parts[] = {
        "does not fit hara-r3d10@0.06 (hara names, prefix \"module.\")", "unexpected: module.layer1.1.",
        "module.layer4.1.bn2.running_var",
        "module.layer3.0.conv1.weight is F32 [12, 6, 3, 3, 3] and should be [15, 7, 3, 3, 3]",
        "module.fc.weight is F32 [7, 25] and should be [9, 30]"};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        if (!strstr(error->message, parts[i]))
            fail_msg("no \"%s\" in: %s", parts[i], error->message);
    assert_null(strstr(error->message, "num_batches_tracked"));
    assert_null(strstr(error->message, "missing"));
    g_clear_error(&error);
    const int stem = maxgl_parameters_find(parameters, "conv1.weight");
    float first[3 * 3 * 343];
    assert_true(maxgl_parameters_read(parameters, (guint)stem, first, NULL));
    assert_true(first[0] == 0 && first[100] == 0);

    /* The other way round tensors are missing. */
    g_autoptr(MaxglResnet) deeper = resnet_named("hara-r3d34@0.05", 7, 16, 112);
    g_autoptr(MaxglParameters) more = declared(deeper);
    assert_false(maxgl_weights_load(path, deeper, more, NULL, NULL, &error));
    assert_non_null(strstr(error->message, "missing: module.layer1.2.conv1.weight"));
    assert_non_null(strstr(error->message, "module.layer3.5.bn2.running_var"));
}

static void test_other_head(void **state)
{
    g_autofree char *path = file_in_folder("head.safetensors"), *notes = NULL;
    g_autoptr(MaxglResnet) file_resnet = resnet_named("r3d_18@0.05", 7, 16, 112);
    formula_write_file(path, file_resnet, MAXGL_NAMING_TORCHVISION, "");
    g_autoptr(MaxglResnet) resnet = resnet_named("r3d_18@0.05", 9, 16, 112);
    g_autoptr(MaxglParameters) parameters = declared(resnet);
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_weights_load(path, resnet, parameters, NULL, NULL, &error));
    g_clear_error(&error);
    const MaxglWeightsOptions options = {.allow_other_head = TRUE};
    assert_ok(maxgl_weights_load(path, resnet, parameters, &options, &notes, &error), error);
    assert_non_null(strstr(notes, "not taken: fc.weight, fc.bias"));
    assert_null(strchr(notes, '\n'));

    g_autoptr(MaxglResnet) headless = resnet_named("r3d_18@0.05", 0, 16, 112);
    g_autoptr(MaxglParameters) backbone = declared(headless);
    assert_false(maxgl_weights_load(path, headless, backbone, NULL, NULL, &error));
    assert_non_null(strstr(error->message, "unexpected: fc.weight, fc.bias"));
    g_clear_error(&error);
    const MaxglWeightsOptions only = {.backbone_only = TRUE};
    assert_ok(maxgl_weights_load(path, headless, backbone, &only, NULL, &error), error);
    assert_by_formula(headless, backbone, MAXGL_NAMING_TORCHVISION);
}

static void assert_unreadable(const char *path, const char *expected)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_model_info_read(path, &error));
    if (!g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT) || !strstr(error->message, expected))
        fail_msg("\"%s\" does not say \"%s\"", error->message, expected);
}

static void write_one(const char *path, const char *name, const char *key, const char *value)
{
    static const float zeros[4096];
    const gint64 shape[5] = {4, 3, 1, 7, 7};
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_F32, 5, shape, zeros);
    maxgl_safetensors_writer_add(writer, "layer1.0.conv1.weight", MAXGL_DTYPE_F32, 5, shape, zeros);
    if (key)
        maxgl_safetensors_writer_set_metadata(writer, key, value);
    assert_true(maxgl_safetensors_writer_write(writer, path, NULL));
}

static void test_no_model(void **state)
{
    g_autofree char *path = file_in_folder("bad.safetensors"), *pickle = file_in_folder("model.pth");
    write_one(path, "weights", NULL, NULL);
    assert_unreadable(path, "no 3D ResNet");
    write_one(path, "conv1.weight", NULL, NULL);
    assert_unreadable(path, "not the layers of a 3D ResNet");
    write_one(path, "conv1.weight", "maxgl.network", "hara-r3d19");
    assert_unreadable(path, "did you mean hara-r3d1");
    write_one(path, "conv1.weight", "maxgl.network", "hara-r3d18");
    assert_unreadable(path, "metadata \"maxgl.classes\" is missing or malformed");
    assert_true(g_file_set_contents(pickle, "PK\3\4data", 8, NULL));
    assert_unreadable(pickle, "is a PyTorch pickle");
}

/* The same name starts the same in any network; other names and seeds start differently. */
static void test_initialise(void **state)
{
    g_autoptr(MaxglResnet) narrow = resnet_named("hara-r3d10@0.1", 0, 8, 32);
    g_autoptr(MaxglResnet) deep = resnet_named("hara-r3d18-a@0.1", 5, 16, 64);
    g_autoptr(MaxglParameters) a = declared(narrow), b = declared(deep), c = declared(narrow);
    assert_true(maxgl_parameters_initialise(a, 1, NULL) && maxgl_parameters_initialise(b, 1, NULL) &&
                maxgl_parameters_initialise(c, 2, NULL));
    const guint ia = (guint)maxgl_parameters_find(a, "layer2.0.conv2.weight");
    const guint ib = (guint)maxgl_parameters_find(b, "layer2.0.conv2.weight");
    const gsize n = (gsize)maxgl_parameters_get(a, ia)->count;
    g_autofree float *x = g_new(float, n), *y = g_new(float, n), *z = g_new(float, n);
    assert_true(maxgl_parameters_read(a, ia, x, NULL) && maxgl_parameters_read(b, ib, y, NULL) &&
                maxgl_parameters_read(c, ia, z, NULL));
    assert_memory_equal(x, y, n * sizeof(float));
    assert_memory_not_equal(x, z, n * sizeof(float));
    double sum = 0, squares = 0;
    for (gsize i = 0; i < n; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    const double deviation = 2.0 / (12 * 27); /* Kaiming, fan out: 12 channels × 27 taps */
    assert_true(sum * sum / (double)n < 9 * deviation);
    assert_true(squares / (double)n > 0.9 * deviation && squares / (double)n < 1.1 * deviation);
}

static int set_up(void **state)
{
    g_autoptr(GError) error = NULL;
    context = maxgl_context_open(NULL, &error);
    assert_ok(context != NULL, error);
    folder = g_dir_make_tmp("maxgl-weights-XXXXXX", NULL);
    return folder ? 0 : -1;
}

static int tear_down(void **state)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = file_in_folder(name);
        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
    maxgl_context_close(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_namings),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_mismatch), cmocka_unit_test(test_other_head),
        cmocka_unit_test(test_no_model), cmocka_unit_test(test_initialise),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
