/* Blocks that live at the same time never share memory; those that do not, do. */
#include "net/memory_plan.h"

#include "base/random.h"
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    gsize bytes;
    int first, last;
} Want;

static void assert_sound(const MaxglMemoryPlan *plan, const Want *wants, guint n, gsize alignment,
                         gsize limit)
{
    for (guint i = 0; i < n; i++) {
        guint slab;
        gsize offset;
        maxgl_memory_plan_place(plan, i, &slab, &offset);
        assert_int_equal(offset % alignment, 0);
        assert_true(slab < maxgl_memory_plan_slabs(plan));
        assert_true(offset + wants[i].bytes <= maxgl_memory_plan_slab_bytes(plan, slab));
        assert_true(maxgl_memory_plan_slab_bytes(plan, slab) <= limit);
        for (guint j = 0; j < i; j++) {
            guint other_slab;
            gsize other;
            maxgl_memory_plan_place(plan, j, &other_slab, &other);
            const gboolean together = wants[i].first <= wants[j].last && wants[j].first <= wants[i].last;
            const gboolean overlap =
                slab == other_slab && offset < other + wants[j].bytes && other < offset + wants[i].bytes;
            assert_false(together && overlap);
        }
    }
}

static void test_random(void **state)
{
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    for (int round = 0; round < 20; round++) {
        Want wants[60];
        g_autoptr(MaxglMemoryPlan) plan = maxgl_memory_plan_new(128, 20000);
        for (guint i = 0; i < G_N_ELEMENTS(wants); i++) {
            const int first = (int)maxgl_random_below(&random, 50);
            wants[i] = (Want){1 + maxgl_random_below(&random, 5000), first,
                              first + (int)maxgl_random_below(&random, 10)};
            assert_int_equal(maxgl_memory_plan_add(plan, wants[i].bytes, first, wants[i].last, "block"), i);
        }
        assert_true(maxgl_memory_plan_solve(plan, NULL));
        assert_sound(plan, wants, G_N_ELEMENTS(wants), 128, 20000);
    }
}

/* A chain in which only neighbours live together needs two blocks, whatever its length. */
static void test_reuse(void **state)
{
    g_autoptr(MaxglMemoryPlan) plan = maxgl_memory_plan_new(64, G_MAXSIZE);
    for (int i = 0; i < 30; i++)
        maxgl_memory_plan_add(plan, 1000, i, i + 1, "link");
    assert_true(maxgl_memory_plan_solve(plan, NULL));
    assert_int_equal(maxgl_memory_plan_bytes(plan), 2 * 1024);
    maxgl_memory_plan_extend(plan, 0, 0, 30); /* now three */
    assert_true(maxgl_memory_plan_solve(plan, NULL));
    assert_int_equal(maxgl_memory_plan_bytes(plan), 3 * 1024);
}

static void test_slabs(void **state)
{
    g_autoptr(MaxglMemoryPlan) plan = maxgl_memory_plan_new(4, 1000);
    for (int i = 0; i < 5; i++)
        maxgl_memory_plan_add(plan, 400, 0, 1, "block");
    assert_true(maxgl_memory_plan_solve(plan, NULL));
    assert_int_equal(maxgl_memory_plan_slabs(plan), 3);
    assert_int_equal(maxgl_memory_plan_bytes(plan), 800 + 800 + 400);
    maxgl_memory_plan_add(plan, 1001, 2, 2, "layer1's output");
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_memory_plan_solve(plan, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "layer1's output needs"));
    assert_non_null(strstr(error->message, "1004 bytes"));
    assert_non_null(strstr(error->message, "1000 bytes"));
}

/* On the device: what is written to one block is not seen in another. */
static void test_windows(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    assert_non_null(context);
    {
        g_autoptr(MaxglMemoryPlan) plan = maxgl_memory_plan_new(context->info->base_align, 1 << 20);
        for (int i = 0; i < 8; i++)
            maxgl_memory_plan_add(plan, 300000, 0, 0, "block");
        assert_true(maxgl_memory_plan_solve(plan, NULL));
        assert_true(maxgl_memory_plan_allocate(plan, context, "the test", NULL));
        assert_int_equal(context->allocated, maxgl_memory_plan_bytes(plan));
        for (guint i = 0; i < 8; i++) {
            g_autofree guint8 *data = g_malloc(300000);
            memset(data, (int)i + 1, 300000);
            assert_true(
                maxgl_buffer_write(context, maxgl_memory_plan_window(plan, i), 0, data, 300000, NULL));
        }
        for (guint i = 0; i < 8; i++) {
            guint8 ends[2];
            assert_true(maxgl_buffer_read(context, maxgl_memory_plan_window(plan, i), 0, ends, 1, NULL));
            assert_true(
                maxgl_buffer_read(context, maxgl_memory_plan_window(plan, i), 299999, ends + 1, 1, NULL));
            assert_int_equal(ends[0], i + 1);
            assert_int_equal(ends[1], i + 1);
        }
    }
    assert_int_equal(context->allocated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_slabs),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
