/* conv3d.h as networks use it: whichever algorithm the tuning database chooses, against the plain reference.
 */

#include "check_conv3d_reference.h"
#include "checkcl.h"
#include "ops/conv3d.h"

/* n, c, t, h, w, block, storage → channels, block; kernel; stride; pad; exact; storage. */
static const MaxglConv3d cases[] = {
    {{1, 1, 1, 1, 1, 1}, 1, 1, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
    {{2, 16, 2, 3, 5, 16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {{1, 3, 3, 9, 11, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}},
    {{1, 3, 4, 8, 8, 1}, 20, 8, {7, 7, 7}, {1, 2, 2}, {3, 3, 3}},
    {{2, 5, 3, 4, 7, 8}, 9, 8, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}},
    {{1, 17, 2, 4, 4, 16}, 33, 16, {1, 1, 1}, {2, 2, 2}, {0, 0, 0}},
    {{3, 4, 1, 1, 1, 4}, 6, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {{1, 2, 3, 5, 6, 4}, 3, 8, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}},
    {{1, 8, 5, 4, 3, 8}, 8, 8, {3, 1, 1}, {2, 1, 1}, {1, 0, 0}},
    {{1, 6, 4, 7, 7, 8}, 5, 16, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}},
    {{1, 4, 5, 8, 10, 4}, 4, 4, {3, 3, 3}, {3, 3, 3}, {1, 1, 1}},
    {{1, 3, 2, 6, 9, 1}, 5, 1, {2, 3, 5}, {1, 1, 2}, {1, 1, 2}},
    {{1, 4, 2, 3, 4, 4}, 8, 4, {1, 1, 1}, {1, 3, 3}, {0, 0, 0}},
    /* Wide rows: more than one tile, tails that overlap, edges on both sides. */
    {{1, 16, 1, 2, 30, 16}, 32, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {{1, 16, 2, 3, 33, 16}, 16, 16, {3, 3, 3}, {1, 2, 2}, {1, 1, 1}},
    {{1, 8, 1, 2, 29, 8}, 16, 8, {1, 5, 5}, {1, 1, 1}, {0, 2, 2}},
    /* Weights that are gone through in chunks, tiles of several rows. */
    {{2, 128, 2, 7, 7, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {{3, 160, 2, 2, 2, 16}, 64, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
    {{2, 64, 4, 14, 14, 16}, 128, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}},
    /* 16 bits: the stem, strides, what goes in chunks, tails. */
    {{1, 3, 3, 9, 11, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}, FALSE, MAXGL_BFLOAT16},
    {{2, 16, 2, 3, 5, 16, MAXGL_BFLOAT16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, FALSE, MAXGL_BFLOAT16},
    {{2, 5, 3, 4, 7, 8, MAXGL_FLOAT16}, 9, 8, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, FALSE, MAXGL_FLOAT16},
    {{1, 2, 3, 5, 6, 4, MAXGL_FLOAT16}, 3, 8, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, FALSE, MAXGL_FLOAT32},
    {{1, 17, 2, 4, 4, 16, MAXGL_BFLOAT16}, 33, 16, {1, 1, 1}, {2, 2, 2}, {0, 0, 0}, FALSE, MAXGL_FLOAT16},
    {{3, 160, 2, 2, 2, 16, MAXGL_FLOAT16}, 64, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, FALSE, MAXGL_FLOAT16},
    {{2, 64, 4, 14, 14, 16, MAXGL_BFLOAT16}, 128, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, FALSE, MAXGL_BFLOAT16},
    /* Long sums: what rounding comes to in the last layers of r3d_18. */
    {{1, 512, 2, 2, 3, 16}, 512, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
};

static char *describe(guint index)
{
    return check_conv3d_describe(&cases[index]);
}

static gboolean is_small(guint index)
{
    return maxgl_conv3d_macs(&cases[index]) < 200e3;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    static const CheckConv3dAlgorithm chosen = {maxgl_conv3d_forward_workspace,
                                                maxgl_conv3d_backward_data_workspace,
                                                maxgl_conv3d_backward_weights_workspace,
                                                maxgl_conv3d_forward,
                                                maxgl_conv3d_backward_data,
                                                maxgl_conv3d_backward_weights};
    return check_conv3d_algorithm(context, &chosen, &cases[index], index, report, error);
}

static void gradient(guint index, CheckReport *report)
{
    check_conv3d_gradient(&cases[index], index, report);
}

typedef struct {
    const char *name;
    MaxglConv3d conv;
} Bench;

#define CUBE(n)                                                                                              \
    {                                                                                                        \
        n, n, n                                                                                              \
    }
#define LAYER(c, k, t, hw)                                                                                   \
    {                                                                                                        \
        .input = {2, c, t, hw, hw, 16}, .out_channels = k, .out_block = 16, .kernel = CUBE(3),               \
        .stride = CUBE(1), .pad = CUBE(1)                                                                    \
    }

static const Bench benches[] = {
    {"64→64, 16×56²", LAYER(64, 64, 16, 56)},
    {"128→128, 8×28²", LAYER(128, 128, 8, 28)},
    {"256→256, 4×14²", LAYER(256, 256, 4, 14)},
    {"512→512, 2×7²", LAYER(512, 512, 2, 7)},
    {"64→128, 16×56², stride 2", {{2, 64, 16, 56, 56, 16}, 128, 16, CUBE(3), CUBE(2), CUBE(1)}},
    {"128→256, 8×28², stride 2", {{2, 128, 8, 28, 28, 16}, 256, 16, CUBE(3), CUBE(2), CUBE(1)}},
    {"256→512, 4×14², stride 2", {{2, 256, 4, 14, 14, 16}, 512, 16, CUBE(3), CUBE(2), CUBE(1)}},
    {"64→128, 16×56², 1×1×1, stride 2", {{2, 64, 16, 56, 56, 16}, 128, 16, CUBE(1), CUBE(2), CUBE(0)}},
    {"stem 3→64, 3×7×7, 16×112²", {{2, 3, 16, 112, 112, 1}, 64, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
    {"stem 3→64, 7×7×7, 16×112²", {{2, 3, 16, 112, 112, 1}, 64, 16, {7, 7, 7}, {1, 2, 2}, {3, 3, 3}}},
    {"stem 3→16, 3×7×7, 8×32², batch 64", {{64, 3, 8, 32, 32, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
    {"16→16, 8×16², batch 64", {{64, 16, 8, 16, 16, 16}, 16, 16, CUBE(3), CUBE(1), CUBE(1)}},
    {"32→32, 8×16², batch 64", {{64, 32, 8, 16, 16, 16}, 32, 16, CUBE(3), CUBE(1), CUBE(1)}},
    {"64→64, 4×8², batch 64", {{64, 64, 4, 8, 8, 16}, 64, 16, CUBE(3), CUBE(1), CUBE(1)}},
    {"128→128, 2×4², batch 64", {{64, 128, 2, 4, 4, 16}, 128, 16, CUBE(3), CUBE(1), CUBE(1)}},
    {"256→256, 1×2², batch 64", {{64, 256, 1, 2, 2, 16}, 256, 16, CUBE(3), CUBE(1), CUBE(1)}},
};

static const char *const pass_names[] = {"forward", "backward data", "backward weights"};

static char *describe_bench(guint index)
{
    return g_strdup_printf("%s, %s", benches[index / 3].name, pass_names[index % 3]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglConv3d *conv = &benches[index / 3].conv;
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const gsize n_x = maxgl_shape_floats(&in), n_y = maxgl_shape_floats(&out),
                n_w = maxgl_conv3d_weight_floats(conv);
    g_autofree float *values = check_random(MAX(MAX(n_x, n_y), n_w), 1);
    cl_mem x = check_buffer(report, context, n_x, values, error),
           y = check_buffer(report, context, n_y, values, error),
           w = check_buffer(report, context, n_w, values, error);
    gsize scratch[] = {maxgl_conv3d_forward_workspace(context, conv),
                       maxgl_conv3d_backward_data_workspace(context, conv),
                       maxgl_conv3d_backward_weights_workspace(context, conv)};
    cl_mem workspace = check_buffer(report, context, scratch[index % 3] / sizeof(float) + 1, NULL, error);
    if (!x || !y || !w || !workspace)
        return FALSE;
    *flops = 2 * maxgl_conv3d_macs(conv);
    *bytes = 4.0 * (double)(n_x + n_y + n_w);
    switch (index % 3) {
    case 0:
        return maxgl_conv3d_forward(sequence, conv, x, w, y, NULL, workspace, error);
    case 1:
        return maxgl_conv3d_backward_data(sequence, conv, y, w, x, FALSE, workspace, error);
    default:
        return maxgl_conv3d_backward_weights(sequence, conv, x, y, w, workspace, error);
    }
}

const MaxglCheck check_conv3d = {
    .name = "conv3d",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = 3 * G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
