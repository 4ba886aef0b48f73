/* Winograd convolution of GPUs, with this device's tile of products and with others. */
#include "check_conv3d_reference.h"
#include "ops/conv3d_winograd_gemm.h"

#include <string.h>

typedef struct {
    MaxglConv3d conv;     /* n, c, t, h, w, block → channels, block; kernel; stride; pad */
    const char *settings; /* what the tuning database is to say instead */
} Case;

#define ONE                                                                                                  \
    {                                                                                                        \
        1, 1, 1                                                                                              \
    }
#define KERNEL                                                                                               \
    {                                                                                                        \
        3, 3, 3                                                                                              \
    }

/* A chunk of one tile each; as many parts of the sums as there can be. */
#define CHUNKS "chunk_kib=0"
#define SMALL "TM=16 TN=16 TK=4 group=4"
#define PARTS SMALL " GROUPS=1000000"
/* As shipped for NVIDIA and AMD, and for Intel. */
#define LARGE "TM=128 TN=128 TK=8 WM=8 WN=8 BUFFERS=2 UNROLL=1 GROUPS=1"
#define MIDDLE "TM=64 TN=64 TK=16 WM=4 WN=4 BUFFERS=1 UNROLL=1 GROUPS=1"

static const Case cases[] = {
    /* Small ones, for an interpreter: one pixel, one channel, one frame, tails on each side, all paddings. */
    {{{1, 1, 1, 1, 1, 4}, 1, 4, KERNEL, ONE, {1, 1, 1}}, "tile=4 vector=4 " SMALL},
    {{{1, 1, 1, 1, 1, 4}, 1, 4, KERNEL, ONE, {1, 1, 1}}, "tile=2 vector=2 " SMALL},
    {{{1, 3, 2, 5, 4, 4}, 5, 4, KERNEL, ONE, {1, 1, 1}}, "tile=4 vector=4 " CHUNKS " " SMALL},
    {{{2, 3, 2, 3, 4, 4}, 5, 4, KERNEL, ONE, {1, 1, 1}}, "tile=2 vector=2 " CHUNKS " " PARTS},
    {{{3, 5, 3, 4, 4, 8}, 3, 4, {3, 3, 3}, ONE, {0, 0, 1}}, "tile=4 vector=2 " PARTS},
    {{{1, 2, 1, 7, 3, 4}, 9, 8, {3, 3, 3}, ONE, {2, 2, 2}}, "tile=4 vector=4 " PARTS},
    {{{1, 6, 4, 3, 9, 8}, 4, 8, {2, 3, 3}, ONE, {1, 1, 0}}, "tile=2 vector=4 chunk_kib=8 " SMALL},
    {{{2, 4, 3, 6, 5, 4}, 7, 16, {1, 3, 3}, ONE, {0, 1, 2}}, "tile=2 vector=4 " SMALL},
    {{{1, 4, 3, 5, 3, 4}, 4, 4, {5, 3, 3}, ONE, {2, 1, 1}}, "tile=4 vector=2 chunk_kib=4 " SMALL},
    {{{1, 1, 2, 12, 12, 4}, 1, 4, {2, 3, 3}, ONE, {0, 1, 1}}, "tile=2 vector=4 " PARTS},
    {{{1, 1, 2, 12, 12, 4}, 1, 4, {3, 3, 3}, ONE, {1, 1, 1}},
     "tile=2 vector=4 TM=64 TN=16 TK=8 WM=8 group=8 chunk_kib=40"},
    /* Stored in 16 bits. */
    {{{1, 6, 2, 5, 6, 4, MAXGL_FLOAT16}, 3, 4, KERNEL, ONE, {1, 1, 1}, .out_storage = MAXGL_BFLOAT16},
     "tile=4 vector=2 " SMALL},
    {{{1, 3, 1, 4, 5, 4, MAXGL_BFLOAT16}, 5, 8, KERNEL, ONE, {1, 1, 1}, .out_storage = MAXGL_FLOAT16},
     "tile=2 vector=4 " SMALL},
    /* As in networks: channels that do not fill the last block, several tiles of products, chunks and parts.
     */
    {{{2, 20, 3, 9, 7, 16}, 40, 16, KERNEL, ONE, {1, 1, 1}}, "tile=4 vector=4 chunk_kib=64"},
    {{{2, 20, 3, 9, 7, 16}, 40, 16, KERNEL, ONE, {1, 1, 1}}, "tile=2 vector=2 chunk_kib=64 " PARTS},
    {{{2, 64, 2, 12, 12, 16}, 64, 16, KERNEL, ONE, {1, 1, 1}}, "tile=4"},
    {{{9, 33, 2, 7, 7, 32}, 34, 32, KERNEL, ONE, {1, 1, 1}}, "tile=4 chunk_kib=500 " PARTS},
    {{{1, 32, 4, 14, 14, 16}, 144, 16, KERNEL, ONE, {1, 1, 1}}, "tile=4 " LARGE},
    {{{3, 144, 2, 13, 10, 16}, 32, 16, KERNEL, ONE, {1, 1, 1}}, "tile=4 chunk_kib=2000 " LARGE},
    {{{2, 48, 3, 11, 14, 16}, 80, 16, {3, 3, 3}, ONE, {0, 2, 2}}, "tile=2 chunk_kib=1000 " MIDDLE},
};

static char *describe(guint index)
{
    g_autofree char *text = check_conv3d_describe(&cases[index].conv);
    return g_strdup_printf("%s, %s", text, cases[index].settings);
}

static gboolean is_small(guint index)
{
    return maxgl_conv3d_macs(&cases[index].conv) < 70e3;
}

static gsize forward_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_winograd_gemm.workspace(context, conv, MAXGL_CONV3D_FORWARD);
}

static gsize backward_data_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_winograd_gemm.workspace(context, conv, MAXGL_CONV3D_BACKWARD_DATA);
}

static gsize backward_weights_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_winograd_gemm.workspace(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    static const MaxglConv3dEpilogue none;
    return maxgl_conv3d_winograd_gemm.forward(sequence, conv, x, weights, y, epilogue ? epilogue : &none,
                                              workspace, error);
}

/* Weights that are made ready beforehand lead to the same numbers as others. */
static gboolean check_prepared(MaxglContext *context, const MaxglConv3d *conv, CheckReport *report,
                               GError **error)
{
    static const MaxglConv3dEpilogue none;
    const MaxglConv3dAlgorithm *algorithm = &maxgl_conv3d_winograd_gemm;
    const MaxglShape out = maxgl_conv3d_output(conv);
    const gsize n_x = maxgl_shape_elements(&conv->input), n_w = maxgl_conv3d_weight_floats(conv),
                y_bytes = maxgl_shape_bytes(&out),
                scratch[] = {algorithm->workspace(context, conv, MAXGL_CONV3D_FORWARD),
                             algorithm->workspace(context, conv, MAXGL_CONV3D_FORWARD_PREPARED)};
    g_autofree float *x_values = check_random(n_x, 1), *w_values = check_random(n_w, 2);
    g_autofree void *y_of_weights = g_malloc(y_bytes), *y_of_prepared = g_malloc(y_bytes);
    void *ys[] = {y_of_weights, y_of_prepared};
    MaxglTensor x = {.shape = conv->input};
    cl_mem w = check_buffer(report, context, n_w, w_values, error),
           prepared = check_bytes(report, context, algorithm->prepared_bytes(context, conv), NULL, error);
    if (!w || !prepared || !check_tensor(report, context, conv->input, x_values, &x, error))
        return FALSE;
    for (int i = 0; i < 2; i++) {
        g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
        cl_mem y = check_bytes(report, context, y_bytes, NULL, error),
               workspace = check_bytes(report, context, scratch[i], NULL, error);
        const gboolean ok =
            y && workspace &&
            (i == 0 ? algorithm->forward(sequence, conv, x.buffer, w, y, &none, workspace, error)
                    : algorithm->prepare(sequence, conv, w, prepared, error) &&
                          algorithm->forward_prepared(sequence, conv, x.buffer, prepared, y, &none, workspace,
                                                      error));
        if (!ok || !check_run(sequence, error) || !maxgl_buffer_read(context, y, 0, ys[i], y_bytes, error))
            return FALSE;
    }
    if (memcmp(ys[0], ys[1], y_bytes) != 0)
        check_fail(report, "prepared weights give other numbers");
    return TRUE;
}

/* "NAME=VALUE NAME=VALUE" for as long as a case runs; or, not @on, what was there before. */
static void apply(MaxglTuning *tuning, const char *settings, gboolean on)
{
    g_auto(GStrv) words = g_strsplit(settings, " ", -1);
    for (char **word = words; *word; word++) {
        g_auto(GStrv) pair = g_strsplit(*word, "=", 2);
        maxgl_tuning_try(tuning, "conv3d_winograd_gemm", NULL, pair[0], on ? pair[1] : NULL);
    }
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const CheckConv3dAlgorithm passes = {forward_workspace,
                                         backward_data_workspace,
                                         backward_weights_workspace,
                                         forward,
                                         maxgl_conv3d_winograd_gemm.backward_data,
                                         maxgl_conv3d_winograd_gemm.backward_weights};
    const Case *c = &cases[index];
    apply(context->tuning, c->settings, TRUE);
    const gboolean ok = check_conv3d_algorithm(context, &passes, &c->conv, index, report, error) &&
                        check_prepared(context, &c->conv, report, error);
    apply(context->tuning, c->settings, FALSE);
    return ok;
}

static void gradient(guint index, CheckReport *report)
{
    check_conv3d_gradient(&cases[index].conv, index, report);
}

const MaxglCheck check_conv3d_winograd_gemm = {
    .name = "conv3d_winograd_gemm",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
};
