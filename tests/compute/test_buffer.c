/* Device memory: copies, windows, limits. */
#include "compute/buffer.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglContext *context;

static int open_context(void **state)
{
    context = maxgl_context_open(NULL, NULL);
    return !context;
}

static int close_context(void **state)
{
    maxgl_context_close(context);
    return 0;
}

static void test_copies_and_zeros(void **state)
{
    guint8 bytes[64], back[64];
    for (guint i = 0; i < sizeof bytes; i++)
        bytes[i] = (guint8)(i + 1);
    cl_mem buffer = maxgl_buffer_new(context, sizeof bytes, "bytes", NULL);
    assert_true(maxgl_buffer_write(context, buffer, 0, bytes, sizeof bytes, NULL));
    assert_true(maxgl_buffer_write(context, buffer, 60, bytes, 4, NULL));
    assert_true(maxgl_buffer_zero(context, buffer, 8, 16, NULL));
    assert_true(maxgl_buffer_read(context, buffer, 0, back, sizeof back, NULL));
    memcpy(bytes + 60, bytes, 4);
    memset(bytes + 8, 0, 16);
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_true(maxgl_buffer_read(context, buffer, 30, back, 3, NULL));
    assert_memory_equal(back, bytes + 30, 3);
    maxgl_buffer_free(context, buffer);
    maxgl_buffer_free(context, NULL);
}

static void test_windows(void **state)
{
    const gsize align = context->info->base_align;
    guint32 there = 7, here = 0;
    cl_mem whole = maxgl_buffer_new(context, 4 * align, "whole", NULL);
    cl_mem half = maxgl_buffer_window(context, whole, 2 * align, 2 * align, NULL);
    cl_mem quarter = maxgl_buffer_window(context, half, align, align, NULL); /* a window into a window */
    assert_true(maxgl_buffer_write(context, quarter, 0, &there, sizeof there, NULL));
    assert_true(maxgl_buffer_read(context, whole, 3 * align, &here, sizeof here, NULL));
    assert_int_equal(here, there);
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_buffer_window(context, whole, 4 * align, align, &error));
    assert_non_null(error);
    clReleaseMemObject(quarter);
    clReleaseMemObject(half);
    maxgl_buffer_free(context, whole);
}

static void assert_limit(gsize bytes, guint64 limit)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_buffer_new(context, bytes, "a whole film", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    g_autofree char *need = g_strdup_printf("(%" G_GSIZE_FORMAT " bytes)", bytes);
    g_autofree char *have = g_strdup_printf("(%" G_GUINT64_FORMAT " bytes)", limit);
    assert_non_null(strstr(error->message, "a whole film"));
    assert_non_null(strstr(error->message, need));
    assert_non_null(strstr(error->message, have));
}

/* The device's limits, made small: one buffer, and all of them. */
static void test_limits(void **state)
{
    const guint64 largest = context->info->max_allocation, memory = context->info->global_memory;
    assert_limit((gsize)largest + 1, largest);
    context->info->max_allocation = 4096;
    context->info->global_memory = context->allocated + 6000;
    assert_limit(4097, 4096);
    cl_mem first = maxgl_buffer_new(context, 4000, "first", NULL);
    assert_non_null(first);
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_buffer_new(context, 2004, "second", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "second needs"));
    assert_true(context->peak >= context->allocated);
    maxgl_buffer_free(context, first);
    cl_mem second = maxgl_buffer_new(context, 2004, "second", NULL); /* there is room again */
    assert_non_null(second);
    maxgl_buffer_free(context, second);
    context->info->max_allocation = largest;
    context->info->global_memory = memory;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_and_zeros),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
