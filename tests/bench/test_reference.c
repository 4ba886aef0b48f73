/* What measured passes are compared with: the gradients are the transposes of the forward pass, and a wrong
 * result shows. (That the forward pass is right is seen from the operators, which have references of their
 * own.) */
#include "bench/reference.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static float *draw(gsize n, guint64 sample)
{
    float *values = g_new(float, n);
    MaxglRandom random;
    maxgl_random_init(&random, 5, MAXGL_RANDOM_TEST, 0, sample);
    for (gsize i = 0; i < n; i++)
        values[i] = maxgl_random_normal(&random);
    return values;
}

static void places(void **state)
{
    const MaxglShape shape = maxgl_shape(2, 3, 4, 5, 6, 8);
    for (gsize i = 0; i < maxgl_shape_elements(&shape); i++)
        assert_int_equal(maxgl_place_index(&shape, maxgl_place_of(&shape, i)), i);
    const MaxglPlace last = maxgl_place_of(&shape, maxgl_shape_elements(&shape) - 1);
    assert_true(last.n == 1 && last.c == 2 && last.t == 3 && last.h == 4 && last.w == 5);
}

/* ⟨dy, conv(x, w)⟩ = ⟨x, backward data⟩ = ⟨w, backward weights⟩. */
static void convolution(void **state)
{
    const MaxglConv3d conv = {.input = maxgl_shape(2, 3, 4, 5, 6, 1),
                              .out_channels = 2,
                              .out_block = 1,
                              .kernel = {3, 2, 3},
                              .stride = {2, 1, 2},
                              .pad = {1, 0, 2}};
    const MaxglShape out = maxgl_conv3d_output(&conv);
    const gsize nx = maxgl_shape_elements(&conv.input), ny = maxgl_shape_elements(&out);
    const gsize nw = maxgl_conv3d_weight_elements(&conv);
    g_autofree float *x = draw(nx, 1), *dy = draw(ny, 2), *w = draw(nw, 3);
    double by_y = 0, by_x = 0, by_w = 0;
    for (gsize i = 0; i < ny; i++)
        by_y += dy[i] * maxgl_reference_conv3d(&conv, x, w, maxgl_place_of(&out, i));
    for (gsize i = 0; i < nx; i++)
        by_x += x[i] * maxgl_reference_conv3d_data(&conv, dy, w, maxgl_place_of(&conv.input, i));
    for (gsize i = 0; i < nw; i++)
        by_w += w[i] * maxgl_reference_conv3d_weights(&conv, x, dy, i);
    assert_true(fabs(by_y) > 1);
    assert_true(fabs(by_x - by_y) < 1e-9 * fabs(by_y));
    assert_true(fabs(by_w - by_y) < 1e-9 * fabs(by_y));
}

static void max_pool(void **state)
{
    const MaxglMaxPool pool = {maxgl_shape(1, 2, 4, 5, 6, 1), {3, 3, 3}, {2, 2, 2}, {1, 1, 1}};
    const MaxglShape out = maxgl_max_pool_output(&pool);
    const gsize nx = maxgl_shape_elements(&pool.input), ny = maxgl_shape_elements(&out);
    g_autofree float *x = draw(nx, 1), *dy = draw(ny, 2);
    double by_y = 0, by_x = 0;
    for (gsize i = 0; i < ny; i++)
        by_y += (double)dy[i] * x[maxgl_reference_max_pool_winner(&pool, x, maxgl_place_of(&out, i))];
    for (gsize i = 0; i < nx; i++)
        by_x += x[i] * maxgl_reference_max_pool_data(&pool, x, dy, maxgl_place_of(&pool.input, i));
    assert_true(fabs(by_y) > 1);
    assert_true(fabs(by_x - by_y) < 1e-9 * fabs(by_y));
}

static void deviation(void **state)
{
    MaxglDeviation d = {0};
    maxgl_deviation_add(&d, 0, 0);
    assert_true(maxgl_deviation_relative(&d) == 0);
    maxgl_deviation_add(&d, 3, 3);
    maxgl_deviation_add(&d, 4.5, 4);
    assert_true(fabs(maxgl_deviation_relative(&d) - 0.1) < 1e-12);
    assert_int_equal(d.n, 3);
    maxgl_deviation_add(&d, NAN, 1);
    assert_true(isinf(maxgl_deviation_relative(&d)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(places), cmocka_unit_test(convolution),
                                       cmocka_unit_test(max_pool), cmocka_unit_test(deviation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
