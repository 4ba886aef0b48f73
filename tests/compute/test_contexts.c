/* Several devices at once: lists of them, and parts of one. */
#include "compute/buffer.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglContext *at(GPtrArray *contexts, guint i)
{
    return g_ptr_array_index(contexts, i);
}

/* The number of the device that tests run on: "P:D". */
static char *here(void)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    assert_non_null(context);
    return g_strdup_printf("%d:%d", context->info->platform_index, context->info->device_index);
}

static void assert_works(MaxglContext *context)
{
    float sent[3] = {1, 2, 3}, back[3] = {0};
    cl_mem buffer = maxgl_buffer_new(context, sizeof sent, "three numbers", NULL);
    assert_non_null(buffer);
    assert_true(maxgl_buffer_write(context, buffer, 0, sent, sizeof sent, NULL));
    assert_true(maxgl_buffer_read(context, buffer, 0, back, sizeof back, NULL));
    assert_memory_equal(sent, back, sizeof sent);
    maxgl_buffer_free(context, buffer);
}

static void test_one_is_a_list_too(void **state)
{
    g_autoptr(GPtrArray) contexts = maxgl_contexts_open(NULL, NULL);
    g_autoptr(MaxglContext) alone = maxgl_context_open(NULL, NULL);
    assert_int_equal(contexts->len, 1);
    assert_string_equal(at(contexts, 0)->info->name, alone->info->name);
    assert_int_equal(at(contexts, 0)->info->global_memory, alone->info->global_memory);
}

static void test_a_device_twice_shares_its_memory(void **state)
{
    g_autofree char *device = here();
    g_autofree char *twice = g_strdup_printf("%s, %s", device, device);
    g_autoptr(MaxglContext) alone = maxgl_context_open(device, NULL);
    g_autoptr(GPtrArray) contexts = maxgl_contexts_open(twice, NULL);
    assert_int_equal(contexts->len, 2);
    for (guint i = 0; i < 2; i++) {
        assert_works(at(contexts, i));
        assert_int_equal(at(contexts, i)->info->global_memory, alone->info->global_memory / 2);
    }
    g_setenv("MAXGL_DEVICE", twice, TRUE);
    g_autoptr(GPtrArray) again = maxgl_contexts_open(NULL, NULL);
    g_unsetenv("MAXGL_DEVICE");
    assert_int_equal(again->len, 2);
}

static void test_parts_of_a_device(void **state)
{
    g_autofree char *device = here();
    g_autofree char *halves = g_strdup_printf("%s/2", device);
    g_autoptr(MaxglContext) alone = maxgl_context_open(device, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) contexts = maxgl_contexts_open(halves, &error);
    if (g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE)) {
        assert_non_null(strstr(error->message, "cannot be cut into 2 parts ("));
        skip(); /* one core, or a driver that cannot */
    }
    assert_null(error);
    assert_int_equal(contexts->len, 2);
    assert_int_equal(at(contexts, 0)->info->compute_units + at(contexts, 1)->info->compute_units,
                     alone->info->compute_units);
    assert_non_null(strstr(at(contexts, 1)->reason, "part 2 of 2"));
    for (guint i = 0; i < 2; i++)
        assert_works(at(contexts, i));
}

static void assert_refused(const char *selectors, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_contexts_open(selectors, &error));
    if (!g_error_matches(error, MAXGL_ERROR, code) || !strstr(error->message, part))
        fail_msg("%s: %s", selectors, error->message);
}

static void test_what_cannot_be_opened(void **state)
{
    g_autofree char *device = here();
    g_autofree char *missing = g_strdup_printf("%s,,%s", device, device);
    g_autofree char *unknown = g_strdup_printf("%s,97:0", device);
    g_autofree char *many = g_strdup_printf("%s,%s/16,x", device, device);
    g_autofree char *none = g_strdup_printf("%s/0", device);
    assert_refused(missing, MAXGL_ERROR_USAGE, "a device is missing");
    assert_refused(unknown, MAXGL_ERROR_NOT_FOUND, "no OpenCL device matches \"97:0\"");
    assert_refused(none, MAXGL_ERROR_USAGE, "/0\" means several devices");
    g_autoptr(MaxglContext) alone = maxgl_context_open(device, NULL);
    if (alone->info->compute_units < 16)
        assert_refused(many, MAXGL_ERROR_DEVICE, "cannot be cut into 16 parts (");
}

static void test_host_memory(void **state)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    MaxglHostMemory memory = {0};
    const float zero[4] = {0}, numbers[4] = {4, 3, 2, 1};
    cl_event done = NULL;
    cl_mem buffer = maxgl_buffer_new(context, sizeof numbers, "four numbers", NULL);
    assert_true(maxgl_host_memory_new(context, sizeof zero, "four numbers", &memory, NULL));
    assert_memory_equal(memory.data, zero, sizeof zero);
    assert_true(maxgl_buffer_send(context, buffer, 0, numbers, sizeof numbers, NULL));
    assert_true(maxgl_buffer_fetch(context, buffer, 0, memory.data, sizeof numbers, &done, NULL));
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    clReleaseEvent(done);
    assert_memory_equal(memory.data, numbers, sizeof numbers);
    maxgl_host_memory_free(context, &memory);
    assert_null(memory.data);
    maxgl_buffer_free(context, buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_a_list_too), cmocka_unit_test(test_a_device_twice_shares_its_memory),
        cmocka_unit_test(test_parts_of_a_device), cmocka_unit_test(test_what_cannot_be_opened),
        cmocka_unit_test(test_host_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
