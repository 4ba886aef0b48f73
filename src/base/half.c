#include "base/half.h"

#include <string.h>

static float float_of(guint32 bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static guint32 bits_of(float value)
{
    guint32 bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Takes off the lowest @n bits, rounding to nearest, ties to even; a carry may reach the exponent, as it
 * should. */
static guint32 shift_rounding(guint32 bits, int n)
{
    return (bits + (((guint32)1 << (n - 1)) - 1) + (bits >> n & 1)) >> n;
}

float maxgl_half_to_float(guint16 half)
{
    const guint32 sign = (guint32)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f,
                  fraction = half & 0x3ff;
    if (exponent == 0) { /* zero or subnormal: fraction · 2^-24 */
        const float magnitude = (float)fraction * 0x1p-24F;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31)
        return float_of(sign | 0x7f800000U | fraction << 13);
    return float_of(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

guint16 maxgl_half_from_float(float value)
{
    const guint32 bits = bits_of(value), magnitude = bits & 0x7fffffff;
    const guint16 sign = (guint16)(bits >> 16 & 0x8000);
    guint32 half;
    if (magnitude > 0x7f800000) /* NaN */
        half = 0x7e00;
    else if (magnitude >= 0x477ff000) /* 65520 */
        half = 0x7c00;
    else if (magnitude < 0x38800000) /* below 2^-14: adding 0.5 leaves multiples of 2^-24 in the low bits */
        half = bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F);
    else
        half = shift_rounding(magnitude - ((guint32)(127 - 15) << 23), 13);
    return (guint16)(sign | half);
}

float maxgl_bfloat_to_float(guint16 bfloat)
{
    return float_of((guint32)bfloat << 16);
}

guint16 maxgl_bfloat_from_float(float value)
{
    const guint32 bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (guint16)(bits >> 16 | 0x40); /* a NaN whose low bits alone say so must not become infinite */
    return (guint16)shift_rounding(bits, 16);
}
