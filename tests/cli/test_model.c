/* maxgl-cl model: tables, conversions, and what it says of files that are no good. */
#include "cli.h"
#include "model_file.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Small, but with every kind of layer. */
#define NETWORK "hara-r3d18@0.0625"

static JsonObject *json_of(const char *text, JsonParser **parser)
{
    g_autoptr(GError) error = NULL;
    *parser = json_parser_new();
    if (!json_parser_load_from_data(*parser, text, -1, &error))
        fail_msg("not JSON: %s\n%s", error->message, text);
    return json_node_get_object(json_parser_get_root(*parser));
}

/* ---------------- info of a network ---------------- */

static void test_published_counts(void **state)
{
    static const struct {
        const char *name, *row;
    } table[] = {
        {"hara-r3d10", "14604624     5.6538\n"},   {"hara-r3d18", "33409104     8.3080\n"},
        {"hara-r3d18-a", "33235280     8.2963\n"}, {"hara-r3d34", "63718736    12.6963\n"},
        {"hara-r3d50", "47018576    10.0693\n"},   {"r3d_18", "33371472    40.6966\n"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(CliRun) run = cli_expect(0, "model", "info", table[i].name, NULL);
        cli_assert_contains(run->out, table[i].row);
        assert_string_equal(run->err, "");
    }
}

/* All numbers of the last two columns end in the same places. */
static void test_aligned(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "model", "info", "hara-r3d50-a@0.5", NULL);
    const char *table = strstr(run->out, "\nlayer ");
    assert_non_null(table);
    g_auto(GStrv) lines = g_strsplit(table + 1, "\n", -1);
    const glong width = g_utf8_strlen(lines[0], -1);
    guint rows = 0;
    for (guint i = 1; lines[i] && *lines[i]; i++, rows++) {
        assert_false(g_str_has_suffix(lines[i], " "));
        if (g_strrstr(lines[i], "."))
            assert_true(g_utf8_strlen(lines[i], -1) <= width);
        if (strstr(lines[i], "convolution") || g_str_has_prefix(lines[i], "sum"))
            assert_int_equal(g_utf8_strlen(lines[i], -1), width);
    }
    assert_int_equal(rows, 3 + 16 * 6 + 4 + 2 + 1); /* stem, blocks, subsamplings, pool and fc, sum */
}

static void test_json(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "model", "info", "hara-r3d18", "--json", "--clip", "8x64x32", "--classes=0", NULL);
    g_autoptr(JsonParser) parser = NULL;
    JsonObject *root = json_of(run->out, &parser);
    assert_string_equal(json_object_get_string_member(root, "network"), "hara-r3d18");
    assert_int_equal(json_object_get_int_member(root, "parameters"), 33409104 - 513 * 400);
    assert_int_equal(json_object_get_int_member(root, "features"), 512);
    JsonArray *clip = json_object_get_array_member(root, "clip"),
              *layers = json_object_get_array_member(root, "layers");
    static const int sizes[] = {3, 8, 64, 32};
    for (guint i = 0; i < 4; i++)
        assert_int_equal(json_array_get_int_element(clip, i), sizes[i]);
    gint64 parameters = 0;
    double gmac = 0;
    for (guint i = 0; i < json_array_get_length(layers); i++) {
        JsonObject *layer = json_array_get_object_element(layers, i);
        parameters += json_object_get_int_member(layer, "parameters");
        gmac += json_object_get_double_member(layer, "gmac");
    }
    assert_int_equal(parameters, json_object_get_int_member(root, "parameters"));
    assert_true(gmac > 0.65 && gmac < 0.75); /* half of 8×64²: 1.39 */
    assert_true(json_object_get_double_member(root, "gmac") / gmac - 1 < 1e-9);
}

static void test_usage(void **state)
{
    static const struct {
        const char *arguments[6];
        const char *says;
    } table[] = {
        {{"model"}, "info|convert … expected"},
        {{"model", "inof"}, "no subcommand of model \"inof\"; did you mean info?"},
        {{"model", "info"}, "NET|FILE expected"},
        {{"model", "info", "hara-r3d19"}, "did you mean hara-r3d1"},
        {{"model", "info", "hara-r3d18@9"}, "\"9\" is no width"},
        {{"model", "info", "hara-r3d18", "--clip", "16x112"}, "--clip=16x112 is no clip size"},
        {{"model", "info", "hara-r3d18", "--clip", "16x4x112"}, "height in pixels is 4"},
        {{"model", "info", "hara-r3d18", "--classes=-2"}, "number of classes is -2"},
        {{"model", "convert", "a"}, "IN OUT expected"},
        {{"model", "convert", "a", "b", "--frame-stride=-1"}, "--frame-stride=-1 is out of range"},
        {{"model", "convert", "a", "b", "--classes=-2"}, "--classes=-2 is out of range"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(CliRun) run = cli_finish(cli_start(table[i].arguments));
        cli_assert_contains(run->err, table[i].says);
        assert_int_equal(run->status, 2);
        assert_string_equal(run->out, "");
    }
}

/* ---------------- info of a file ---------------- */

static void test_file(void **state)
{
    g_autofree char *path = cli_path("wrapped.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network("r3d_18@0.0625", 7);
    model_file_write(path, resnet, MAXGL_NAMING_TORCHVISION, "state_dict.module.", NULL);
    g_autoptr(CliRun) run = cli_expect(0, "model", "info", "wrapped.safetensors", NULL);
    cli_assert_contains(run->out, "r3d_18@0.0625 (inferred");
    cli_assert_contains(run->out, "torchvision, prefix \"state_dict.module.\"");
    cli_assert_contains(run->out, "format = pt");
    cli_assert_contains(run->out, "resized to 171×128");
    cli_assert_contains(run->out, "mean 0.43216 0.394666 0.37645");
    assert_null(strstr(run->out, "missing"));
    g_autofree char *sum = g_strdup_printf("%" G_GINT64_FORMAT, maxgl_resnet_parameters(resnet));
    cli_assert_contains(run->out, sum);

    g_autoptr(CliRun) small =
        cli_expect(0, "model", "info", "wrapped.safetensors", "--clip", "8x56x56", NULL);
    cli_assert_contains(small->out, "resized to 86×64, centre of 56×56");
    g_autoptr(CliRun) usage = cli_expect(2, "model", "info", "wrapped.safetensors", "--classes=3", NULL);
    cli_assert_contains(usage->err, "--classes is for networks by name");
}

/* The folder of a run stands for the model in it. */
static void test_run_folder(void **state)
{
    g_autofree char *folder = cli_path("run"), *path = cli_path("run/model.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    assert_int_equal(g_mkdir(folder, 0700), 0);
    g_autoptr(CliRun) empty = cli_expect(1, "model", "info", "run", NULL);
    cli_assert_contains(empty->err, "run: has neither model.safetensors nor a checkpoint");
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "", NULL);
    g_autoptr(CliRun) run = cli_expect(0, "model", "info", "run", NULL);
    cli_assert_contains(run->out, "file            run/model.safetensors, ");
}

static void test_misfit(void **state)
{
    g_autofree char *path = cli_path("misfit.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "module.", "layer3.1.bn2.bias");
    g_autoptr(CliRun) run = cli_expect(1, "model", "info", path, NULL);
    cli_assert_contains(run->out, "missing         module.layer3.1.bn2.bias\n");
    cli_assert_contains(run->out, "layer3.1.bn2 "); /* the table all the same */
    cli_assert_contains(run->err, "misfit.safetensors: does not fit " NETWORK
                                  " (hara names, prefix \"module.\"); missing: module.layer3.1.bn2.bias\n");
    g_autoptr(CliRun) json = cli_expect(1, "model", "info", path, "--json", NULL);
    g_autoptr(JsonParser) parser = NULL;
    JsonObject *file = json_object_get_object_member(json_of(json->out, &parser), "file");
    assert_string_equal(json_array_get_string_element(json_object_get_array_member(file, "missing"), 0),
                        "module.layer3.1.bn2.bias");
    g_autoptr(CliRun) convert = cli_expect(1, "model", "convert", path, "never.safetensors", NULL);
    cli_assert_contains(convert->err, "missing: module.layer3.1.bn2.bias");
    g_autofree char *never = cli_path("never.safetensors");
    assert_false(g_file_test(never, G_FILE_TEST_EXISTS));
}

/* ---------------- bad files ---------------- */

#define TENSOR(NAME, DTYPE, SHAPE, BEGIN, END)                                                               \
    "\"" NAME "\":{\"dtype\":\"" DTYPE "\",\"shape\":[" SHAPE "],\"data_offsets\":[" #BEGIN "," #END "]}"

static void test_bad_files(void **state)
{
    static const struct {
        const char *header;
        guint64 claimed;
        gsize data;
        const char *says;
    } table[] = {
        {"{" TENSOR("a", "F32", "4", 0, 16) "}", 0, 12,
         "tensor a: data_offsets [0, 16] reach beyond the file, which has 12 bytes of data (truncated?)"},
        {"{" TENSOR("a", "F32", "4", 0, 16) "}", 5000, 16,
         "header of 5000 bytes, but only 71 follow (truncated?)"},
        {"{" TENSOR("a", "F32", "4", 0, 16) "}", G_GUINT64_CONSTANT(1) << 62, 16,
         "header of 4611686018427387904 bytes, at most 100000000 are allowed"},
        {"{" TENSOR("a", "F32", "4", 0, 16) "," TENSOR("b", "F32", "4", 8, 24) "}", 0, 24,
         "tensor b: its data overlap those of a"},
        {"{" TENSOR("a", "F32", "4", 0, 16) "," TENSOR("b", "F32", "4", 20, 36) "}", 0, 36,
         "tensor b: a hole of 4 bytes before its data"},
        {"{" TENSOR("a", "F32", "4", 0, 9223372036854775807) "}", 0, 16, "tensor a: data_offsets"},
        {"{" TENSOR("a", "F32", "4", 16, 0) "}", 0, 16, "tensor a: data_offsets [16, 0] are reversed"},
        {"{" TENSOR("a", "F32", "5", 0, 16) "}", 0, 16,
         "tensor a: F32 of shape [5] needs 20 bytes, data_offsets give 16"},
        {"{" TENSOR("a", "F31", "4", 0, 16) "}", 0, 16, "tensor a: dtype \"F31\" is not known"},
        {"{" TENSOR("a", "F32", "-4", 0, 16) "}", 0, 16, "tensor a: dimension 0 of the shape"},
        {"no JSON", 0, 0, "the header does not begin with '{'"},
        {"{" TENSOR("a", "F32", "4", 0, 16) "}", 0, 16, "no 3D ResNet"},
    };
    g_autofree char *path = cli_path("bad.safetensors");
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        model_file_write_raw(path, table[i].header, table[i].claimed, table[i].data);
        g_autoptr(CliRun) info = cli_run("model", "info", "bad.safetensors", NULL);
        cli_assert_contains(info->err, table[i].says);
        assert_true(g_str_has_prefix(info->err, "maxgl-cl: bad.safetensors: "));
        assert_int_equal(info->status, 1);
        assert_string_equal(info->out, "");
    }
    g_autoptr(CliRun) nothing = cli_expect(1, "model", "info", "nothing.safetensors", NULL);
    cli_assert_contains(nothing->err, "nothing.safetensors");
}

/* The right names with the wrong contents. */
static void test_wrong_tensors(void **state)
{
    g_autofree char *path = cli_path("whole.safetensors"), *bad = cli_path("wrong.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "", NULL);
    static const struct {
        const char *from, *to, *says;
    } table[] = {
        {"\"bn1.bias\":{\"dtype\":\"F32\"", "\"bn1.bias\":{\"dtype\":\"I32\"",
         "of another type or shape: bn1.bias is I32 [4] and should be F32 [4]"},
        {"[16,8,3,3,3]", "[8,16,3,3,3]",
         "layer3.0.conv1.weight is F32 [8, 16, 3, 3, 3] and should be [16, 8, 3, 3, 3]"},
        {"\"fc.bias\"", "\"fc.bxxs\"", "missing: fc.bias; unexpected: fc.bxxs"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree char *bytes = NULL;
        gsize size;
        assert_true(g_file_get_contents(path, &bytes, &size, NULL));
        char *place = g_strstr_len(bytes + 8, (gssize)size - 8, table[i].from);
        assert_non_null(place);
        memcpy(place, table[i].to, strlen(table[i].to));
        assert_true(g_file_set_contents(bad, bytes, (gssize)size, NULL));
        g_autoptr(CliRun) info = cli_run("model", "info", bad, NULL);
        cli_assert_contains(info->err, table[i].says);
        assert_int_equal(info->status, 1);
        g_autoptr(CliRun) convert = cli_run("model", "convert", bad, "never.safetensors", NULL);
        cli_assert_contains(convert->err, table[i].says);
        assert_int_equal(convert->status, 1);
    }
}

/* ---------------- convert ---------------- */

static MaxglSafetensors *open_file(const char *name)
{
    g_autofree char *path = cli_path(name);
    g_autoptr(GError) error = NULL;
    MaxglSafetensors *file = maxgl_safetensors_open(path, &error);
    if (!file)
        fail_msg("%s", error->message);
    return file;
}

/* @name's file has exactly @resnet's tensors under @naming, of the values that were written. */
static void assert_same_network(const char *name, const MaxglResnet *resnet, MaxglNaming naming)
{
    g_autoptr(MaxglSafetensors) file = open_file(name);
    guint expected = 0;
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *layer = &resnet->layers[i];
        MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
        const int n = maxgl_layer_tensors(resnet, i, tensors);
        for (int j = 0; j < n; j++, expected++) {
            g_autofree char *full = g_strdup_printf("%s.%s", layer->prefix[naming], tensors[j].what);
            g_autofree char *hara = g_strdup_printf("%s.%s", layer->name, tensors[j].what);
            const MaxglSafetensor *tensor = maxgl_safetensors_find(file, full);
            if (!tensor)
                fail_msg("%s: no %s", name, full);
            model_file_assert_tensor(tensor, hara);
        }
        if (layer->kind == MAXGL_LAYER_BATCH_NORM) {
            g_autofree char *full = g_strdup_printf("%s.num_batches_tracked", layer->prefix[naming]);
            const MaxglSafetensor *tensor = maxgl_safetensors_find(file, full);
            assert_non_null(tensor);
            assert_int_equal(*(const gint64 *)tensor->data, 77);
            expected++;
        }
    }
    assert_int_equal(maxgl_safetensors_count(file), expected);
}

static void assert_same_bytes(const char *first, const char *second)
{
    g_autofree char *a = cli_path(first), *b = cli_path(second), *x = NULL, *y = NULL;
    gsize n, m;
    assert_true(g_file_get_contents(a, &x, &n, NULL) && g_file_get_contents(b, &y, &m, NULL));
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
}

static void test_convert(void **state)
{
    static const struct {
        const char *network;
        MaxglNaming from, to;
        const char *to_name, *prefix;
    } table[] = {
        {"r3d_18@0.0625", MAXGL_NAMING_TORCHVISION, MAXGL_NAMING_HARA, "hara", "module.module."},
        {"hara-r3d18-a@0.0625", MAXGL_NAMING_HARA, MAXGL_NAMING_TORCHVISION, "torchvision", ""},
        {"hara-r3d50@0.0625", MAXGL_NAMING_HARA, MAXGL_NAMING_TORCHVISION, "torchvision", "state_dict."},
        {"r3d-vcop@0.0625", MAXGL_NAMING_VCOP, MAXGL_NAMING_HARA, "hara", "base."},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree char *path = cli_path("in.safetensors");
        g_autoptr(MaxglResnet) resnet = model_file_network(table[i].network, 7);
        model_file_write(path, resnet, table[i].from, table[i].prefix, NULL);
        g_autoptr(CliRun) there = cli_expect(0, "model", "convert", "in.safetensors", "out.safetensors",
                                             "--naming", table[i].to_name, NULL);
        g_autofree char *line =
            g_strdup_printf("out.safetensors: %s, %s names, 7 classes\n", table[i].network, table[i].to_name);
        assert_string_equal(there->out, line);
        assert_same_network("out.safetensors", resnet, table[i].to);

        /* And back: but for the metadata that it has now, the file it was. */
        const char *own = maxgl_naming_name(table[i].from);
        g_autoptr(CliRun) back =
            cli_expect(0, "model", "convert", "out.safetensors", "back.safetensors", "--naming", own, NULL);
        assert_same_network("back.safetensors", resnet, table[i].from);
        g_autoptr(CliRun) plain =
            cli_expect(0, "model", "convert", "in.safetensors", "plain.safetensors", NULL);
        assert_same_bytes("back.safetensors", "plain.safetensors");
    }
}

/* Metadata go along, what is asked for changes. */
static void test_metadata(void **state)
{
    g_autofree char *path = cli_path("meta.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "", NULL);
    g_autoptr(CliRun) run = cli_expect(0, "model", "convert", "meta.safetensors", "one.safetensors", "--clip",
                                       "8x56x56", "--frame-stride=3", NULL);
    g_autoptr(CliRun) again =
        cli_expect(0, "model", "convert", "one.safetensors", "two.safetensors", "--naming=torchvision", NULL);
    g_autoptr(MaxglSafetensors) file = open_file("two.safetensors");
    static const char *const expected[][2] = {
        {"format", "pt"},
        {"maxgl.network", NETWORK},
        {"maxgl.clip", "8x56x56"},
        {"maxgl.resize", "0x56"},
        {"maxgl.frame_stride", "3"},
        {"maxgl.naming", "torchvision"},
        {"maxgl.classes", "7"},
        {"maxgl.mean", "0.434500009,0.405099988,0.377499998"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_string_equal(maxgl_safetensors_metadata(file, expected[i][0]), expected[i][1]);
    g_autoptr(CliRun) info = cli_expect(0, "model", "info", "two.safetensors", NULL);
    cli_assert_contains(info->out, "3×8×56×56 (channels, frames, height, width), frame stride 3");
    assert_null(strstr(info->out, "inferred"));
}

static void test_head(void **state)
{
    g_autofree char *path = cli_path("head.safetensors");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    g_autoptr(MaxglResnet) backbone = model_file_network(NETWORK, 0);
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "", NULL);
    g_autoptr(CliRun) none =
        cli_expect(0, "model", "convert", "head.safetensors", "none.safetensors", "--classes=0", NULL);
    assert_same_network("none.safetensors", backbone, MAXGL_NAMING_HARA);
    static const char *const names[] = {"a.safetensors", "b.safetensors", "c.safetensors"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *from = i == 1 ? "none.safetensors" : "head.safetensors";
        g_autoptr(CliRun) run = cli_expect(0, "model", "convert", from, names[i], "--classes=11", "--seed",
                                           i == 2 ? "2" : "1", NULL);
    }
    assert_same_bytes("a.safetensors", "b.safetensors"); /* the old head leaves no trace */
    g_autoptr(MaxglSafetensors) a = open_file("a.safetensors"), c = open_file("c.safetensors");
    const MaxglSafetensor *x = maxgl_safetensors_find(a, "fc.weight"),
                          *y = maxgl_safetensors_find(c, "fc.weight");
    assert_int_equal(x->shape[0], 11);
    assert_int_equal(x->shape[1], 32);
    assert_memory_not_equal(x->data, y->data, x->size);
    g_autofree float *values = g_new(float, x->count);
    maxgl_safetensor_copy_f32(x, values);
    double sum = 0;
    for (gint64 i = 0; i < x->count; i++) {
        assert_true(values[i] >= -0.17678F && values[i] <= 0.17678F); /* ±1/√32, PyTorch's Linear */
        sum += (double)values[i] * values[i];
    }
    assert_true(fabs(sum / (double)x->count * 32 * 3 - 1) < 0.2);
}

static void test_input_is_safe(void **state)
{
    g_autofree char *path = cli_path("same.safetensors"), *link = cli_path("link.safetensors"),
                    *folder = cli_path("folder");
    g_autoptr(MaxglResnet) resnet = model_file_network(NETWORK, 7);
    model_file_write(path, resnet, MAXGL_NAMING_HARA, "", NULL);
    assert_int_equal(symlink("same.safetensors", link), 0);
    g_autoptr(CliRun) same = cli_expect(2, "model", "convert", "same.safetensors", path, NULL);
    cli_assert_contains(same->err, "is the input itself");
    g_autoptr(CliRun) linked =
        cli_expect(2, "model", "convert", "same.safetensors", "link.safetensors", NULL);
    cli_assert_contains(linked->err, "link.safetensors is the input itself");
    assert_int_equal(g_mkdir(folder, 0700), 0);
    g_autoptr(CliRun) to_folder = cli_expect(2, "model", "convert", "same.safetensors", "folder", NULL);
    cli_assert_contains(to_folder->err, "folder is a folder");
    g_autoptr(CliRun) nowhere =
        cli_expect(1, "model", "convert", "same.safetensors", "none/out.safetensors", NULL);
    cli_assert_contains(nowhere->err, "none");
    assert_same_network("same.safetensors", resnet, MAXGL_NAMING_HARA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_counts),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_run_folder),
        cmocka_unit_test(test_misfit),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_wrong_tensors),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_input_is_safe),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
