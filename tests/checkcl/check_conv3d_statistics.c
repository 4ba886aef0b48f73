/* The partial statistics that a convolution's forward pass writes beside y, whichever algorithm the tuning
 * database chooses, against double precision over the y that it wrote. */
#include "check_conv3d_reference.h"
#include "checkcl.h"
#include "ops/batch_norm.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* x = offset + scale · random. */
typedef struct {
    MaxglConv3d conv;
    float offset, scale;
} Case;

static const Case cases[] = {
    /* One pixel; one channel; channel tails; strides; a clip's three planes. */
    {{{1, 1, 1, 1, 1, 1}, 1, 1, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, 0, 1},
    {{{3, 4, 1, 1, 1, 4}, 6, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{2, 5, 3, 4, 7, 8}, 9, 8, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, 0, 1},
    {{{1, 17, 2, 4, 4, 16}, 33, 16, {1, 1, 1}, {2, 2, 2}, {0, 0, 0}}, 0, 1},
    {{{1, 3, 3, 9, 11, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}, 0, 1},
    {{{1, 3, 2, 6, 9, 1}, 5, 1, {2, 3, 5}, {1, 1, 2}, {1, 1, 2}}, 0, 1},
    /* Tiles that stick out on all sides, several of them, one frame more than a work-item takes. */
    {{{2, 4, 3, 5, 6, 4}, 4, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{1, 2, 3, 5, 6, 4}, 3, 8, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}}, 0, 1},
    /* A mean of thousands of standard deviations. */
    {{{2, 3, 2, 6, 7, 4}, 5, 4, {3, 3, 3}, {1, 1, 1}, {1, 0, 0}}, 100, 0.02F},
    {{{1, 4, 1, 9, 8, 4}, 4, 4, {1, 3, 3}, {1, 1, 1}, {0, 0, 0}}, 1000, 0.5F},
    {{{2, 8, 2, 9, 8, 8}, 8, 8, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}}, 1000, 0.5F},
    /* Wide rows and tails that overlap; weights in chunks; many tiles a part. */
    {{{1, 16, 2, 3, 33, 16}, 16, 16, {3, 3, 3}, {1, 2, 2}, {1, 1, 1}}, 0, 1},
    {{{1, 16, 1, 2, 30, 16}, 32, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{2, 128, 2, 7, 7, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{3, 160, 2, 2, 2, 16}, 64, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{2, 64, 4, 14, 14, 16}, 128, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, 0, 1},
    {{{2, 3, 6, 50, 46, 1}, 32, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}, 0, 1},
    {{{2, 32, 9, 27, 30, 16}, 35, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, 0, 1},
    {{{1, 16, 4, 40, 44, 16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {0, 0, 0}}, 1000, 0.5F},
    /* Stored in 16 bits: statistics are those of what is stored. */
    {{{2, 4, 3, 5, 6, 4, MAXGL_FLOAT16}, 4, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, FALSE, MAXGL_FLOAT16}, 0, 1},
    {{{1, 16, 2, 9, 30, 16, MAXGL_BFLOAT16}, 35, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, FALSE, MAXGL_BFLOAT16},
     1,
     1},
};

static char *describe(guint index)
{
    g_autofree char *conv = check_conv3d_describe(&cases[index].conv);
    return g_strdup_printf("%s, x %g ± %g", conv, cases[index].offset, cases[index].scale);
}

static gboolean is_small(guint index)
{
    return maxgl_conv3d_macs(&cases[index].conv) < 50e3;
}

/* y and its statistics on the host. */
typedef struct {
    MaxglShape shape;
    int channels, parts; /* channels with padding */
    void *y, *y_plain;   /* with statistics and without, in device layout, as stored */
    float *floats;       /* y */
    float *statistics;
} Result;

static void result_clear(Result *r)
{
    g_free(r->y);
    g_free(r->y_plain);
    g_free(r->floats);
    g_free(r->statistics);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

static gsize statistics_bytes(const Result *r)
{
    const MaxglBatchNorm norm = {.shape = r->shape};
    return maxgl_batch_norm_statistics_bytes(&norm, r->parts);
}

typedef struct {
    cl_mem x, weights, y, workspace, statistics;
} Buffers;

static gboolean make_buffers(MaxglContext *context, const Case *c, guint64 seed, const Result *r,
                             CheckReport *report, Buffers *b, GError **error)
{
    const gsize x_count = maxgl_shape_elements(&c->conv.input),
                w_floats = maxgl_conv3d_weight_floats(&c->conv);
    g_autofree float *x = check_random(x_count, seed), *packed = g_new0(float, w_floats),
                     *w = check_random(maxgl_conv3d_weight_elements(&c->conv), seed + 1);
    MaxglTensor tensor;
    for (gsize i = 0; i < x_count; i++)
        x[i] = c->offset + c->scale * x[i];
    maxgl_conv3d_pack_weights(&c->conv, w, packed);
    if (!check_tensor(report, context, c->conv.input, x, &tensor, error))
        return FALSE;
    b->x = tensor.buffer;
    const gsize workspace = maxgl_conv3d_forward_workspace(context, &c->conv);
    return (b->weights = check_buffer(report, context, w_floats, packed, error)) &&
           (b->y = check_bytes(report, context, maxgl_shape_bytes(&r->shape), NULL, error)) &&
           (b->workspace = check_buffer(report, context, workspace / sizeof(float) + 1, NULL, error)) &&
           (b->statistics = check_buffer(report, context, statistics_bytes(r) / sizeof(float), NULL, error));
}

static gboolean run(MaxglContext *context, const Case *c, const Buffers *b, cl_mem statistics, GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    const MaxglConv3dEpilogue epilogue = {.statistics = statistics};
    return maxgl_conv3d_forward(sequence, &c->conv, b->x, b->weights, b->y, &epilogue, b->workspace, error) &&
           check_run(sequence, error);
}

/* Without statistics, then twice with them. */
static gboolean run_all(MaxglContext *context, const Case *c, const Buffers *b, CheckReport *report,
                        Result *r, GError **error)
{
    const gsize y_bytes = maxgl_shape_bytes(&r->shape), bytes = statistics_bytes(r);
    g_autofree float *again = g_malloc(bytes);
    r->y = g_malloc(y_bytes);
    r->y_plain = g_malloc(y_bytes);
    r->statistics = g_malloc(bytes);
    if (!run(context, c, b, NULL, error) ||
        !maxgl_buffer_read(context, b->y, 0, r->y_plain, y_bytes, error) ||
        !run(context, c, b, b->statistics, error) ||
        !maxgl_buffer_read(context, b->statistics, 0, r->statistics, bytes, error) ||
        !run(context, c, b, b->statistics, error) ||
        !maxgl_buffer_read(context, b->statistics, 0, again, bytes, error) ||
        !maxgl_buffer_read(context, b->y, 0, r->y, y_bytes, error))
        return FALSE;
    r->floats = g_new(float, maxgl_shape_floats(&r->shape));
    maxgl_storage_unpack(r->shape.storage, r->y, r->floats, maxgl_shape_floats(&r->shape));
    if (memcmp(r->y, r->y_plain, y_bytes) != 0)
        check_fail(report, "y differs from that without statistics");
    if (memcmp(r->statistics, again, bytes) != 0)
        check_fail(report, "two runs differ");
    return TRUE;
}

/* What the parts say of a channel together. */
static void merge(const Result *r, int channel, double *mean, double *squares)
{
    const float *sums = r->statistics + channel, *deviations = sums + (gsize)r->parts * r->channels,
                *counts = r->statistics + 2 * (gsize)r->parts * r->channels;
    double total = 0, sum = 0;
    for (int i = 0; i < r->parts; i++) {
        total += counts[i];
        sum += sums[(gsize)i * r->channels];
    }
    *mean = sum / total;
    *squares = 0;
    for (int i = 0; i < r->parts; i++)
        *squares += deviations[(gsize)i * r->channels] +
                    counts[i] * pow((double)sums[(gsize)i * r->channels] / counts[i] - *mean, 2);
}

static void measure(const Result *r, int channel, double *mean, double *squares)
{
    const int block = r->shape.block;
    const gsize pixels = maxgl_shape_pixels(&r->shape);
    double total[2] = {0, 0};
    for (int pass = 0; pass < 2; pass++)
        for (int n = 0; n < r->shape.n; n++) {
            const gsize plane = (gsize)n * maxgl_shape_blocks(&r->shape) + channel / block;
            for (gsize p = 0; p < pixels; p++) {
                const double v = r->floats[(plane * pixels + p) * block + channel % block];
                total[pass] += pass ? pow(v - *mean, 2) : v;
            }
            *mean = total[0] / ((double)r->shape.n * pixels);
        }
    *squares = total[1];
}

static void compare(const Result *r, CheckReport *report)
{
    const double pixels = (double)r->shape.n * maxgl_shape_pixels(&r->shape);
    double counted = 0;
    for (int i = 0; i < r->parts; i++)
        counted += r->statistics[2 * (gsize)r->parts * r->channels + i];
    if (counted != pixels)
        check_fail(report, "parts have %g pixels, y has %g", counted, pixels);
    for (int channel = 0; channel < r->channels; channel++) {
        double mean, squares, want_mean = 0, want_squares;
        merge(r, channel, &mean, &squares);
        measure(r, channel, &want_mean, &want_squares);
        /* Sums are rounded, and squares are off by as much times twice the deviation. A sum of
         * squares less the square of the sum would be off by as much times twice the mean. */
        check_count(report);
        const double rounding = FLT_EPSILON * (fabs(want_mean) + sqrt(want_squares / pixels));
        if (!(fabs(mean - want_mean) <= 2 * rounding))
            check_fail(report, "channel %d has the mean %.9g, not %.9g", channel, mean, want_mean);
        if (!(fabs(squares - want_squares) <=
              1e-6 * want_squares + rounding * sqrt(pixels * want_squares) + pixels * rounding * rounding))
            check_fail(report, "channel %d deviates by %.9g, not %.9g", channel, squares, want_squares);
    }
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    Buffers buffers;
    g_auto(Result) r = {.shape = maxgl_conv3d_output(&c->conv),
                        .parts = maxgl_conv3d_statistics_parts(context, &c->conv)};
    if (r.parts == 0)
        return TRUE; /* batch norm reads y itself */
    r.channels = maxgl_shape_blocks(&r.shape) * r.shape.block;
    if (!make_buffers(context, c, index, &r, report, &buffers, error) ||
        !run_all(context, c, &buffers, report, &r, error))
        return FALSE;
    compare(&r, report);
    return TRUE;
}

const MaxglCheck check_conv3d_statistics = {
    .name = "conv3d_statistics",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
};
