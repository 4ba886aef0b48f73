/* maxgl-cl model info --batch: what it says of memory, beside what maxgl-cl bench then takes. */
#include "cli.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NETWORK "r3d_18@0.25", "--clip", "8x32x32", "--batch", "3"

static JsonObject *parse(JsonParser *parser, const char *text)
{
    g_autoptr(GError) error = NULL;
    if (!json_parser_load_from_data(parser, text, -1, &error))
        fail_msg("%s: %s", error->message, text);
    return json_node_get_object(json_parser_get_root(parser));
}

static gint64 bytes_of(JsonObject *memory, const char *member)
{
    if (!json_object_has_member(memory, member))
        fail_msg("no member \"%s\"", member);
    return json_object_get_int_member(memory, member);
}

/* Forecast and truth of @pass, with @flag (NULL: none) for both commands. */
static void check_forecast(const char *pass, const char *flag)
{
    const gboolean training = strcmp(pass, "training") == 0;
    g_autoptr(CliRun) info = cli_expect(0, "model", "info", NETWORK, "--json", training ? "--training" : flag,
                                        training ? flag : NULL, NULL);
    g_autoptr(CliRun) bench = cli_expect(0, "bench", "--net", NETWORK, "--pass", pass, "--repeats", "1",
                                         "--json", "bench.json", flag, NULL);
    g_autoptr(JsonParser) parser = json_parser_new(), other = json_parser_new();
    JsonObject *memory = json_object_get_object_member(parse(parser, info->out), "memory");
    g_autofree char *text = cli_read("bench.json");
    const double truth = json_object_get_double_member(parse(other, text), "peak_device_bytes");
    const double total = (double)bytes_of(memory, "total");
    if (!(total > 0.95 * truth && total < 1.05 * truth))
        fail_msg("%s%s: %.0f bytes forecast, %.0f taken", pass, flag ? flag : "", total, truth);
    assert_string_equal(json_object_get_string_member(memory, "pass"), pass);
    assert_int_equal(bytes_of(memory, "total"),
                     bytes_of(memory, "parameters") + bytes_of(memory, "parameter_gradients") +
                         bytes_of(memory, "optimizer") + bytes_of(memory, "folded_weights") +
                         bytes_of(memory, "arena"));
    assert_true(bytes_of(memory, "activations") + bytes_of(memory, "activation_gradients") +
                    bytes_of(memory, "workspace") <=
                bytes_of(memory, "arena"));
    assert_true((bytes_of(memory, "optimizer") > 0) == training);
    assert_true((bytes_of(memory, "folded_weights") > 0) == !training);
    if (training)
        assert_true(bytes_of(memory, "total_recompute_blocks") < bytes_of(memory, "total"));
}

static void test_training(void **state)
{
    check_forecast("training", NULL);
    check_forecast("training", "--exact");
    check_forecast("training", "--precision=bf16");
}

static void test_inference(void **state)
{
    check_forecast("inference", NULL);
    check_forecast("inference", "--exact");
    check_forecast("inference", "--precision=fp16");
}

static void test_table(void **state)
{
    g_autoptr(CliRun) training = cli_expect(0, "model", "info", NETWORK, "--training", NULL);
    static const char *const rows[] = {" for training of 3 clips\n",
                                       "\n  parameters ",
                                       "\n  gradients of parameters ",
                                       "\n  optimiser (SGD with momentum) ",
                                       "\n  activations ",
                                       "\n  gradients of activations ",
                                       "\n  workspace ",
                                       "\n  total ",
                                       "\n  total with train.recompute=blocks "};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        cli_assert_contains(training->out, rows[i]);
    g_autoptr(CliRun) inference = cli_expect(0, "model", "info", NETWORK, NULL);
    cli_assert_contains(inference->out, "\n  folded weights ");
    assert_null(strstr(inference->out, "optimiser"));
    g_autoptr(CliRun) plain = cli_expect(0, "model", "info", "r3d_18@0.25", NULL);
    assert_null(strstr(plain->out, "Memory"));
}

static void test_usage(void **state)
{
    g_autoptr(CliRun) batch = cli_expect(2, "model", "info", "r3d_18", "--batch=-1", NULL);
    cli_assert_contains(batch->err, "--batch=-1 is out of range");
    g_autoptr(CliRun) none = cli_expect(2, "model", "info", "r3d_18", "--batch=0", NULL);
    cli_assert_contains(none->err, "--batch=0 is out of range");
    g_autoptr(CliRun) training = cli_expect(2, "model", "info", "r3d_18", "--training", NULL);
    cli_assert_contains(training->err, "--training says how memory is used; give --batch too");
    g_autoptr(CliRun) alone = cli_expect(2, "model", "info", "r3d_18", "--precision", "bf16", NULL);
    cli_assert_contains(alone->err, "--precision says how memory is used; give --batch too");
    g_autoptr(CliRun) unknown = cli_expect(2, "model", "info", NETWORK, "--precision", "fp8", NULL);
    cli_assert_contains(unknown->err, "precision \"fp8\" is unknown; there are fp32, tf32, fp16, bf16");
    g_autoptr(CliRun) huge =
        cli_expect(1, "model", "info", "r3d_18@8", "--clip", "1024x1024x1024", "--batch", "512", NULL);
    cli_assert_contains(huge->err, "the device's largest allocation is ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
