/* 16-bit numbers: every half and bfloat there is, and rounding between them. */
#include "base/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    float (*to_float)(guint16);
    guint16 (*from_float)(float);
    int digits;      /* of the fraction, the leading one included */
    int least;       /* exponent of the smallest number above zero */
    float overflows; /* the smallest number that becomes infinite */
} Type;

static const Type half = {maxgl_half_to_float, maxgl_half_from_float, 11, -24, 65520.0F};
static const Type bfloat = {maxgl_bfloat_to_float, maxgl_bfloat_from_float, 8, -133, 0x1.ffp127F};

static void test_values(void **state)
{
    (void)state;
    assert_true(maxgl_half_to_float(0x3c00) == 1.0F);
    assert_true(maxgl_half_to_float(0xc000) == -2.0F);
    assert_true(maxgl_half_to_float(0x7bff) == 65504.0F);
    assert_true(maxgl_half_to_float(0x0400) == 0x1p-14F);
    assert_true(maxgl_half_to_float(0x0001) == 0x1p-24F);
    assert_true(maxgl_half_to_float(0x83ff) == -0x3ffp-24F);
    assert_true(isinf(maxgl_half_to_float(0x7c00)));
    assert_true(isnan(maxgl_half_to_float(0x7c01)));
    assert_true(maxgl_bfloat_to_float(0x3f80) == 1.0F);
    assert_true(maxgl_bfloat_to_float(0x4049) == 3.140625F);
    assert_true(isinf(maxgl_bfloat_to_float(0xff80)));
}

/* Every number of the type comes back as it was. */
static void check_all(const Type *type)
{
    for (guint32 i = 0; i < 0x10000; i++) {
        const float value = type->to_float((guint16)i);
        const guint16 back = type->from_float(value);
        if (isnan(value))
            assert_true(isnan(type->to_float(back)));
        else
            assert_int_equal(back, i);
    }
}

static void test_all(void **state)
{
    (void)state;
    check_all(&half);
    check_all(&bfloat);
}

/* Between neighbours the nearer one is taken, half way the even one: as rint() does it in double precision.
 */
static void check_rounding(const Type *type)
{
    for (guint32 bits = 1; bits < 0x7f800000; bits += 104729) {
        float value;
        memcpy(&value, &bits, sizeof value);
        if (value >= type->overflows) {
            assert_true(isinf(type->to_float(type->from_float(value))));
            continue;
        }
        int exponent;
        frexp((double)value, &exponent);
        const int unit = MAX(exponent - type->digits, type->least);
        const double want = ldexp(rint(ldexp((double)value, -unit)), unit);
        assert_true((double)type->to_float(type->from_float(value)) == want);
        assert_true((double)type->to_float(type->from_float(-value)) == -want);
    }
}

static void test_rounding(void **state)
{
    (void)state;
    check_rounding(&half);
    check_rounding(&bfloat);
    assert_int_equal(maxgl_half_from_float(0x1.002p0F), 0x3c00);    /* half way, to even */
    assert_int_equal(maxgl_half_from_float(0x1.006p0F), 0x3c02);    /* half way, to even */
    assert_int_equal(maxgl_half_from_float(0x1.002002p0F), 0x3c01); /* a little more */
    assert_int_equal(maxgl_half_from_float(0x1p-25F), 0);           /* half of the smallest */
    assert_int_equal(maxgl_half_from_float(0x1.8p-24F), 2);         /* half way, to even */
    assert_int_equal(maxgl_half_from_float(0x1.ffep-15F), 0x0400);  /* the least normal number */
    assert_int_equal(maxgl_half_from_float(65519.0F), 0x7bff);
    assert_int_equal(maxgl_bfloat_from_float(0x1.01p0F), 0x3f80);
    assert_int_equal(maxgl_bfloat_from_float(0x1.03p0F), 0x3f82);
}

static void test_nan(void **state)
{
    (void)state;
    const guint32 bits = 0x7f800001;
    float value;
    memcpy(&value, &bits, sizeof value);
    assert_true(isnan(maxgl_half_to_float(maxgl_half_from_float(value))));
    assert_true(isnan(maxgl_bfloat_to_float(maxgl_bfloat_from_float(value))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
