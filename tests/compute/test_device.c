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

static guint32 ip_version(guint architecture, guint release, guint revision)
{
    return architecture << 22 | release << 14 | revision;
}

/* Versions as drivers give them: SKL 9.0.9, ICL 11.0.0, TGL 12.0.0, DG1 12.10.0, DG2-G10 12.55.8,
 * PVC 12.60.7, MTL 12.70.4, ARL-H 12.74.4, BMG 20.1.4, LNL 20.4.4, PTL 30.0.4. */
static void test_architectures_of_intel(void **state)
{
    static const char matrix[] = "cl_khr_fp16 cl_intel_subgroup_matrix_multiply_accumulate";
    const struct {
        guint32 version;
        gsize least;
        const char *extensions, *architecture;
    } cases[] = {
        {0x02400009, 8, "", "gen9"},
        {ip_version(8, 0, 0), 8, "", "gen8"},
        {ip_version(11, 0, 0), 8, "", "gen11"},
        {0x03000000, 8, "", "xe-lp"},
        {ip_version(12, 10, 0), 8, "", "xe-lp"},
        {ip_version(12, 50, 4), 8, matrix, "xe-hp"},
        {0x030dc008, 8, matrix, "xe-hpg"},
        {ip_version(12, 57, 0), 8, matrix, "xe-hpg"},
        {0x030f0007, 16, matrix, "xe-hpc"},
        {ip_version(12, 70, 4), 8, "", "xe-lpg"},
        {ip_version(12, 74, 4), 8, matrix, "xe-lpg"},
        {0x05004004, 16, matrix, "xe2"},
        {ip_version(20, 4, 4), 16, matrix, "xe2"},
        {ip_version(30, 0, 4), 16, matrix, "xe3"},
        /* not said: guessed */
        {0, 8, matrix, "xe-hpg"},
        {0, 16, matrix, "xe-hpc"},
        {0, 8, "cl_khr_fp64 cl_khr_fp16", "gen9"},
        {0, 8, "cl_khr_fp16", "xe-lp"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *architecture =
            maxgl_intel_architecture(cases[i].version, cases[i].least, cases[i].extensions);
        assert_string_equal(architecture, cases[i].architecture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_what_matches_nothing_or_too_much),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_auto_descends),
        cmocka_unit_test(test_architectures_of_intel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
