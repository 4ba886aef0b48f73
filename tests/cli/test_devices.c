/* maxgl-cl devices, and what --device means. */
#include "cli.h"

#include <json-glib/json-glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_table(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "devices", NULL);
    cli_assert_contains(run->out, "P:D");
    cli_assert_contains(run->out, "* auto: ");
}

static void test_json(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "devices", "--json", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_data(parser, run->out, -1, NULL));
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    JsonArray *devices = json_object_get_array_member(root, "devices");
    JsonObject *automatic = json_object_get_object_member(root, "auto");
    const char *chosen = json_object_get_string_member(automatic, "device");
    gboolean found = FALSE, gpu_chosen = FALSE, gpu_exists = FALSE;
    for (guint i = 0; i < json_array_get_length(devices); i++) {
        JsonObject *device = json_array_get_object_element(devices, i);
        gboolean gpu = strcmp(json_object_get_string_member(device, "type"), "GPU") == 0;
        gboolean this = strcmp(json_object_get_string_member(device, "device"), chosen) == 0;
        assert_true(json_object_get_int_member(device, "memory_bytes") > 0);
        assert_true(json_object_get_int_member(device, "compute_units") > 0);
        assert_true(json_object_has_member(device, "driver"));
        found |= this;
        gpu_exists |= gpu;
        gpu_chosen |= gpu && this;
    }
    assert_true(found);
    assert_int_equal(gpu_exists, gpu_chosen); /* never a CPU above a GPU */
}

static void test_names(void **state)
{
    g_autoptr(CliRun) unknown = cli_expect(1, "devices", "--device", "no such thing", NULL);
    cli_assert_contains(unknown->err, "no OpenCL device matches \"no such thing\"; there is: 0:0 ");
    g_autoptr(CliRun) in_front = cli_expect(1, "--device=no such thing", "devices", NULL);
    assert_string_equal(in_front->err, unknown->err);
    g_autoptr(CliRun) first = cli_expect(0, "devices", "--json", "--device", "0:0", NULL);
    cli_assert_contains(first->out, "asked for: 0:0");
    const char *const devices[] = {"devices", NULL};
    g_autoptr(CliRun) variable = cli_run_under("MAXGL_DEVICE", "7:7", NULL, devices);
    assert_int_equal(variable->status, 1);
    cli_assert_contains(variable->err, "\"7:7\"");
}

static void test_no_platform(void **state)
{
    const char *const devices[] = {"devices", NULL};
    g_autoptr(CliRun) run = cli_run_under("OCL_ICD_VENDORS", "/nonexistent", NULL, devices);
    assert_int_equal(run->status, 1);
    cli_assert_contains(run->err, "no OpenCL platform found: install a driver");
    assert_string_equal(run->out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_platform),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
