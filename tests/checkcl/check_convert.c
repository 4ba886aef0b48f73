/* Storage in 16 bits: the device's conversions against the host's, bit for bit. */
#include "checkcl.h"

#include "ops/convert.h"

#include <math.h>
#include <string.h>

static const struct {
    gsize numbers;
    MaxglStorage from, to;
} cases[] = {
    {1, MAXGL_FLOAT32, MAXGL_FLOAT16},      {1, MAXGL_FLOAT16, MAXGL_FLOAT32},
    {35, MAXGL_FLOAT32, MAXGL_BFLOAT16},    {36, MAXGL_BFLOAT16, MAXGL_FLOAT32},
    {48, MAXGL_FLOAT32, MAXGL_FLOAT16},     {40, MAXGL_FLOAT16, MAXGL_BFLOAT16},
    {64, MAXGL_FLOAT32, MAXGL_FLOAT32},     {32, MAXGL_BFLOAT16, MAXGL_FLOAT16},
    {65536, MAXGL_FLOAT32, MAXGL_FLOAT16},  {65536, MAXGL_FLOAT16, MAXGL_FLOAT32},
    {65536, MAXGL_FLOAT32, MAXGL_BFLOAT16}, {65536, MAXGL_BFLOAT16, MAXGL_FLOAT32},
};

static char *describe(guint index)
{
    return g_strdup_printf("%" G_GSIZE_FORMAT " from %s to %s", cases[index].numbers,
                           maxgl_storage_name(cases[index].from), maxgl_storage_name(cases[index].to));
}

static gboolean is_small(guint index)
{
    return cases[index].numbers < 100;
}

/* Numbers of all sizes that the types have and normal floats can be, ties, and what is no number. */
static float *numbers_of(gsize n, guint64 seed)
{
    static const float special[] = {0.0F,       -0.0F,      1.0F,       65504.0F,     65519.9F,
                                    65520.0F,   -1e30F,     0x1p-24F,   0x1p-25F,     0x1.8p-25F,
                                    0x1.004p0F, 0x1.002p0F, 0x1.006p0F, 0x1.01p0F,    0x1.03p0F,
                                    INFINITY,   -INFINITY,  NAN,        0x1.ffcp-15F, 0x1.ffep-15F};
    float *values = check_random(n, seed);
    for (gsize i = 0; i < n; i++)
        values[i] = i < G_N_ELEMENTS(special) ? special[i] : ldexpf(values[i], (int)(i % 48) - 30);
    return values;
}

/* A NaN's sign and payload are the device's affair. */
static gboolean same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const gsize n = cases[index].numbers;
    const MaxglStorage from = cases[index].from, to = cases[index].to;
    const gsize from_bytes = n * maxgl_storage_bytes(from), to_bytes = n * maxgl_storage_bytes(to);
    g_autofree float *values = numbers_of(n, index), *want = g_new(float, n), *got = g_new(float, n);
    g_autofree void *stored = g_malloc(from_bytes), *result = g_malloc(to_bytes);
    maxgl_storage_pack(from, values, stored, n);
    maxgl_storage_unpack(from, stored, want, n);
    maxgl_storage_pack(to, want, result, n);
    maxgl_storage_unpack(to, result, want, n);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    /* Of two runs of numbers the first; into two runs the second. */
    g_autofree guint8 *twice = g_malloc0(2 * from_bytes);
    memcpy(twice, stored, from_bytes);
    cl_mem x = check_bytes(report, context, 2 * from_bytes, twice, error);
    cl_mem y = check_bytes(report, context, 2 * to_bytes, NULL, error);
    cl_mem back = check_bytes(report, context, 2 * to_bytes, NULL, error);
    if (!x || !y || !back ||
        !maxgl_convert(sequence, n, (MaxglNumbers){x, from, 0}, (MaxglNumbers){y, to, n}, error) ||
        !maxgl_convert(sequence, n, (MaxglNumbers){y, to, n}, (MaxglNumbers){back, to, 0}, error) ||
        !check_run(sequence, error) || !maxgl_buffer_read(context, back, 0, result, to_bytes, error))
        return FALSE;
    maxgl_storage_unpack(to, result, got, n);
    for (gsize i = 0; i < n; i++)
        if (!same(got[i], want[i])) {
            check_fail(report, "%a becomes %a, not %a", (double)values[i], (double)got[i], (double)want[i]);
            break;
        }
    return TRUE;
}

const MaxglCheck check_convert = {
    .name = "convert",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
};
