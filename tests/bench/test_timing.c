/* Summaries of times. */
#include "bench/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_times(const double *seconds, int n, double median, double min, double p90)
{
    const MaxglTimes times = maxgl_times_of(seconds, n);
    assert_int_equal(times.n, n);
    assert_true(times.median == median);
    assert_true(times.min == min);
    assert_true(times.p90 == p90);
}

static void summaries(void **state)
{
    const double one[] = {3}, two[] = {4, 2}, five[] = {5, 1, 4, 2, 3};
    const double ten[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    double many[100];
    for (int i = 0; i < 100; i++)
        many[i] = (i * 37) % 100; /* 0 … 99 in some order */
    assert_times(one, 1, 3, 3, 3);
    assert_times(two, 2, 3, 2, 4);
    assert_times(five, 5, 3, 1, 5);
    assert_times(ten, 10, 5.5, 1, 9);
    assert_times(many, 100, 49.5, 0, 89);
}

/* The caller's list stays as it was. */
static void order(void **state)
{
    const double seconds[] = {3, 1, 2};
    (void)maxgl_times_of(seconds, 3);
    assert_true(seconds[0] == 3 && seconds[1] == 1 && seconds[2] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(summaries), cmocka_unit_test(order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
