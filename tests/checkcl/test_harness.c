/* That the harness notices what it is there to notice. */
#include "checkcl.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void wrong_numbers_fail(void **state)
{
    g_autoptr(CheckReport) report = check_report_new("numbers", 0);
    const double want[] = {3, 4, 0};
    check_compare(report, "equal", (float[]){3, 4, 0}, want, 3, 0);
    check_compare(report, "close", (float[]){3, 4, 4e-3F}, want, 3, 1e-3);
    assert_int_equal(check_report_failures(report), 0);
    check_compare(report, "off", (float[]){3, 4, 6e-3F}, want, 3, 1e-3);
    assert_int_equal(check_report_failures(report), 1);
    check_compare(report, "not a number", (float[]){3, 4, NAN}, want, 3, 1e9);
    assert_int_equal(check_report_failures(report), 2);
    check_compare(report, "infinite", (float[]){INFINITY, 4, 0}, want, 3, 1e9);
    assert_int_equal(check_report_failures(report), 3);
    check_compare(report, "not zero", (float[]){1e-3F}, &want[2], 1, 1e-6);
    assert_int_equal(check_report_failures(report), 4);
}

static void limit_lowers_what_is_allowed(void **state)
{
    g_autoptr(CheckReport) report = check_report_new("limit", 1e-4);
    const double want[] = {1};
    check_compare(report, "within", (float[]){1 + 5e-5F}, want, 1, 1e-3);
    assert_int_equal(check_report_failures(report), 0);
    check_compare(report, "beyond", (float[]){1 + 5e-4F}, want, 1, 1e-3);
    assert_int_equal(check_report_failures(report), 1);
    check_compare(report, "stricter than the limit", (float[]){1 + 5e-5F}, want, 1, 1e-5);
    assert_int_equal(check_report_failures(report), 2);
}

static double cube(gpointer x)
{
    return pow(*(double *)x, 3);
}

static void wrong_derivative_fails(void **state)
{
    g_autoptr(CheckReport) report = check_report_new("derivative", 0);
    double x = 2;
    check_derivative(report, "cube", cube, &x, &x, (double[]){12}, 1, 1e-8);
    assert_int_equal(check_report_failures(report), 0);
    check_derivative(report, "cube", cube, &x, &x, (double[]){12.001}, 1, 1e-8);
    assert_int_equal(check_report_failures(report), 1);
    assert_true(x == 2);
}

static void device_mistakes_fail(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    assert_non_null(context);
    g_autoptr(CheckReport) report = check_report_new("device", 0);
    const float data[4] = {1, 2, 3, 0};
    const double want[4] = {1, 2, 3};

    check_report_begin(report, context, "good");
    cl_mem good = check_buffer(report, context, 4, data, &error);
    assert_true(check_compare_buffer(report, context, "all", good, want, 3, 1, 0, &error));
    check_report_end(report);
    assert_int_equal(check_report_failures(report), 0);

    check_report_begin(report, context, "padding");
    cl_mem padded = check_buffer(report, context, 4, data, &error);
    assert_true(check_compare_buffer(report, context, "all", padded, want, 2, 2, 0, &error));
    MaxglTensor tensor = {maxgl_shape(1, 2, 1, 1, 1, 4), padded};
    assert_true(check_compare_tensor(report, context, "tensor", &tensor, want, 0, &error));
    check_report_end(report);
    assert_int_equal(check_report_failures(report), 2);

    check_report_begin(report, context, "past the end");
    cl_mem small = check_buffer(report, context, 3, NULL, &error);
    assert_true(maxgl_buffer_write(context, small, 0, data, sizeof data, &error));
    check_report_end(report);
    assert_int_equal(check_report_failures(report), 3);

    check_report_begin(report, context, "never written");
    cl_mem unwritten = check_buffer(report, context, 4, NULL, &error);
    assert_true(check_compare_buffer(report, context, "all", unwritten, want, 4, 0, 1e9, &error));
    check_report_end(report);
    assert_int_equal(check_report_failures(report), 4);
    assert_int_equal(context->allocated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_numbers_fail),
        cmocka_unit_test(limit_lowers_what_is_allowed),
        cmocka_unit_test(wrong_derivative_fails),
        cmocka_unit_test(device_mistakes_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
