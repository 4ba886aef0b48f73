/* Convolution on matrix units, every vendor's, worked out lane by lane on devices that have none. */
#include "check_conv3d_reference.h"
#include "ops/conv3d_mma.h"
#include "ops/mma.h"

#include <string.h>

typedef struct {
    MaxglFactors factors;
    const char *units; /* which are emulated; NULL: the device's own */
    int groups;        /* of work-items that the device is said to need: more cut sums into parts */
    MaxglConv3d conv;  /* storages are filled in */
    gboolean block_reads;
} Case;

/* Few pairs of blocks and kernels: each is three programs to compile. */
/* clang-format off */
#define POINTWISE {{2, 16, 2, 3, 5, 16}, 16, 16, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}
#define SMALL {{1, 16, 2, 4, 5, 16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}
#define STRIDED {{2, 20, 3, 6, 5, 16}, 40, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}
#define NARROW {{2, 8, 2, 5, 4, 8}, 8, 8, {3, 1, 1}, {2, 1, 1}, {1, 0, 0}}
#define WIDE {{2, 70, 3, 7, 9, 64}, 80, 16, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}}
#define LARGE {{2, 64, 4, 9, 10, 16}, 144, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}
#define STEM {{2, 3, 3, 9, 11, 1}, 24, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}
#define CLIP {{1, 2, 2, 5, 10, 1}, 16, 16, {2, 3, 4}, {1, 1, 2}, {0, 1, 2}}

#define ALL(factors, units)                                                                                  \
    {factors, units, 1, POINTWISE}, {factors, units, 1, SMALL}, {factors, units, 3, STRIDED},                \
        {factors, units, 1, NARROW}, {factors, units, 1, WIDE}, {factors, units, 7, LARGE},                  \
        {factors, units, 2, STEM}, {factors, units, 1, CLIP}
#define BLOCK_READS(factors, units)                                                                          \
    {factors, units, 1, POINTWISE, TRUE}, {factors, units, 1, SMALL, TRUE},                                  \
        {factors, units, 3, STRIDED, TRUE}, {factors, units, 1, NARROW, TRUE},                               \
        {factors, units, 1, WIDE, TRUE}, {factors, units, 7, LARGE, TRUE}
#define FEW(factors, units) {factors, units, 1, POINTWISE}, {factors, units, 3, STRIDED}
/* clang-format on */

static const Case cases[] = {
    ALL(MAXGL_FACTORS_FP16, "sm_80"),        ALL(MAXGL_FACTORS_FP32, "gfx90a"),
    ALL(MAXGL_FACTORS_BF16, "gfx11"),        ALL(MAXGL_FACTORS_FP16, "xe16"),
    FEW(MAXGL_FACTORS_FP16, "sm_75"),        FEW(MAXGL_FACTORS_BF16, "sm_80"),
    FEW(MAXGL_FACTORS_TF32, "sm_80"),        FEW(MAXGL_FACTORS_FP16, "gfx90a"),
    FEW(MAXGL_FACTORS_BF16, "gfx90a"),       FEW(MAXGL_FACTORS_BF16, "gfx908"),
    FEW(MAXGL_FACTORS_FP16, "gfx12"),        FEW(MAXGL_FACTORS_BF16, "xe8"),
    ALL(MAXGL_FACTORS_FP16, NULL),           ALL(MAXGL_FACTORS_BF16, NULL),
    ALL(MAXGL_FACTORS_TF32, NULL),           ALL(MAXGL_FACTORS_FP32, NULL),
    BLOCK_READS(MAXGL_FACTORS_BF16, "xe16"),
};

static MaxglConv3d conv_of(guint index)
{
    MaxglConv3d conv = cases[index].conv;
    conv.out_storage = maxgl_factors_storage(cases[index].factors);
    conv.input.storage = conv.input.block == 1 ? MAXGL_FLOAT32 : conv.out_storage; /* clips are floats */
    conv.tf32 = cases[index].factors == MAXGL_FACTORS_TF32;
    return conv;
}

static char *describe(guint index)
{
    const MaxglConv3d conv = conv_of(index);
    g_autofree char *text = check_conv3d_describe(&conv);
    return g_strdup_printf("%s, %s of %s%s", text, maxgl_factors_name(cases[index].factors),
                           cases[index].units ? cases[index].units : "the device",
                           cases[index].block_reads ? ", block reads" : "");
}

static gboolean is_small(guint index)
{
    return maxgl_conv3d_macs(&cases[index].conv) < 30e3;
}

static gsize forward_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_mma.workspace(context, conv, MAXGL_CONV3D_FORWARD);
}

static gsize backward_data_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_mma.workspace(context, conv, MAXGL_CONV3D_BACKWARD_DATA);
}

static gsize backward_weights_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_mma.workspace(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    static const MaxglConv3dEpilogue none;
    return maxgl_conv3d_mma.forward(sequence, conv, x, weights, y, epilogue ? epilogue : &none, workspace,
                                    error);
}

/* What the units see of factors: numbers of so many digits come out of their rounding as they are. */
static void round_factors(const MaxglConv3d *conv, float *values, gsize n)
{
    check_stored(conv->out_storage, values, n);
    for (gsize i = 0; conv->tf32 && i < n; i++) {
        guint32 bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0xffffe000;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* Waves as small as they can be, or twice that, two each way. */
static void try_tile(MaxglTuning *tuning, const MaxglMma *mma, guint index)
{
    const int times = index % 2 ? 2 : 1, least = mma->lanes == 64 ? 32 : 16;
    const int wm = least * times, wn = mma->lanes == 64 ? least : least * times;
    const struct {
        const char *name;
        int value;
    } parameters[] = {{"WM", wm},
                      {"WN", wn},
                      {"TM", wm * 2},
                      {"TN", wn * 2},
                      {"BUFFERS", 1 + (int)index % 2},
                      {"BLOCK_READS", cases[index].block_reads},
                      {"GROUPS", cases[index].groups}};
    for (gsize i = 0; i < G_N_ELEMENTS(parameters); i++) {
        g_autofree char *value = g_strdup_printf("%d", parameters[i].value);
        maxgl_tuning_try(tuning, "conv3d_mma", NULL, parameters[i].name, value);
    }
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    CheckConv3dAlgorithm algorithm = {
        forward_workspace, backward_data_workspace,        backward_weights_workspace,
        forward,           maxgl_conv3d_mma.backward_data, maxgl_conv3d_mma.backward_weights,
        round_factors};
    const MaxglConv3d conv = conv_of(index);
    if (conv.input.block == 1)
        algorithm.backward_data = NULL; /* of a clip */
    gboolean emulated;
    maxgl_tuning_try(context->tuning, "mma", NULL, "emulate", cases[index].units);
    const MaxglMma *mma = maxgl_mma_of(context, cases[index].factors, &emulated);
    if (!mma)
        return TRUE; /* the device has no such units */
    if (emulated)
        try_tile(context->tuning, mma, index);
    const gboolean ok = check_conv3d_algorithm(context, &algorithm, &conv, index, report, error);
    maxgl_tuning_try(context->tuning, "mma", NULL, "emulate", NULL);
    return ok;
}

const MaxglCheck check_conv3d_mma = {
    .name = "conv3d_mma",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
};
