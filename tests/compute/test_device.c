/* Which device a selector means, among devices that this machine need not have. */
#include "compute/device.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void add(GPtrArray *devices, int platform, int index, const char *platform_name, const char *name,
                MaxglDeviceType type, MaxglVendor vendor, guint units)
{
    MaxglDeviceInfo *info = g_new0(MaxglDeviceInfo, 1);
    info->platform_index = platform;
    info->device_index = index;
    info->platform_name = g_strdup(platform_name);
    info->name = g_strdup(name);
    info->type = type;
    info->vendor = vendor;
    info->compute_units = units;
    info->clock_mhz = 1500;
    info->float_vector_width = type == MAXGL_DEVICE_CPU ? 16 : 1;
    g_ptr_array_add(devices, info);
}

enum { CPU, SMALL_GPU, LARGE_GPU, FPGA, SIMULATOR };

/* A large CPU, two GPUs, an accelerator, and Oclgrind, which calls itself whatever it likes. */
static GPtrArray *zoo(void)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_device_info_free);
    add(devices, 0, 0, "Portable Computing Language", "pthread-EPYC", MAXGL_DEVICE_CPU, MAXGL_VENDOR_POCL,
        256);
    add(devices, 1, 0, "Vendor OpenCL", "Iris small", MAXGL_DEVICE_GPU, MAXGL_VENDOR_INTEL, 8);
    add(devices, 1, 1, "Vendor OpenCL", "Iris large", MAXGL_DEVICE_GPU, MAXGL_VENDOR_INTEL, 512);
    add(devices, 2, 0, "Boards", "Stratix", MAXGL_DEVICE_ACCELERATOR, MAXGL_VENDOR_OTHER, 1);
    add(devices, 3, 0, "Oclgrind", "Oclgrind Simulator", MAXGL_DEVICE_GPU, MAXGL_VENDOR_OCLGRIND, 4096);
    return devices;
}

static void test_selectors(void **state)
{
    static const struct {
        const char *selector;
        int device;
    } cases[] = {
        {"auto", LARGE_GPU}, {"gpu", LARGE_GPU},      {"cpu", CPU},
        {"0:0", CPU},        {"1:0", SMALL_GPU},      {"1:1", LARGE_GPU},
        {"EPYC", CPU},       {"portable", CPU},       {"iris LARGE", LARGE_GPU},
        {"stratix", FPGA},   {"Oclgrind", SIMULATOR},
    };
    g_autoptr(GPtrArray) devices = zoo();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *reason = NULL;
        assert_int_equal(maxgl_device_choose(devices, cases[i].selector, &reason, &error), cases[i].device);
        assert_null(error);
        assert_non_null(reason);
    }
}

static void test_what_matches_nothing_or_too_much(void **state)
{
    static const struct {
        const char *selector;
        int code;
    } cases[] = {
        {"no such thing", MAXGL_ERROR_NOT_FOUND},
        {"9:0", MAXGL_ERROR_NOT_FOUND},
        {"1:2", MAXGL_ERROR_NOT_FOUND},
        {"iris", MAXGL_ERROR_USAGE},
        {"0:0,1:0", MAXGL_ERROR_USAGE}, /* several */
        {"0:0/2", MAXGL_ERROR_USAGE},
    };
    g_autoptr(GPtrArray) devices = zoo();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_int_equal(maxgl_device_choose(devices, cases[i].selector, NULL, &error), -1);
        assert_true(g_error_matches(error, MAXGL_ERROR, cases[i].code));
        assert_non_null(strstr(error->message, "1:1 Iris large (GPU)")); /* what there is */
    }
}

static void test_environment(void **state)
{
    g_autoptr(GPtrArray) devices = zoo();
    g_setenv("MAXGL_DEVICE", "cpu", TRUE);
    assert_int_equal(maxgl_device_choose(devices, NULL, NULL, NULL), CPU);
    assert_int_equal(maxgl_device_choose(devices, "gpu", NULL, NULL), LARGE_GPU);
    g_unsetenv("MAXGL_DEVICE");
    assert_int_equal(maxgl_device_choose(devices, NULL, NULL, NULL), LARGE_GPU);
}

/* The last resorts, as devices go. */
static void test_auto_descends(void **state)
{
    static const int expected[] = {LARGE_GPU, SMALL_GPU, FPGA, CPU, SIMULATOR};
    g_autoptr(GPtrArray) devices = zoo();
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        int chosen = maxgl_device_choose(devices, "auto", NULL, NULL);
        g_autoptr(GPtrArray) all = zoo();
        const MaxglDeviceInfo *is = g_ptr_array_index(devices, chosen);
        const MaxglDeviceInfo *should = g_ptr_array_index(all, expected[i]);
        assert_string_equal(is->name, should->name);
        g_ptr_array_remove_index(devices, (guint)chosen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_what_matches_nothing_or_too_much),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_auto_descends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
