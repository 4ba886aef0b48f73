#include "ops/conv3d_mma_clip.h"

static const char *const FILE_NAME = "conv3d_mma_clip.cl";

enum { ROOM = 4 }; /* channels, of the kernels */

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

gboolean maxgl_mma_clip_supports(const MaxglConv3d *conv, MaxglFactors factors)
{
    const MaxglShape *in = &conv->input;
    return in->block == 1 && in->c <= ROOM && in->storage == MAXGL_FLOAT32 &&
           conv->stride[2] % (maxgl_factors_piece(factors) / ROOM) == 0;
}

MaxglMmaClip maxgl_mma_clip_of(const MaxglConv3d *conv, MaxglFactors factors)
{
    const int pixels = maxgl_factors_piece(factors) / ROOM;
    MaxglMmaClip clip = {.conv = *conv, .pixels = pixels};
    clip.lead = (pixels - conv->pad[2] % pixels) % pixels;
    clip.conv.input.c = clip.conv.input.block = ROOM * pixels;
    clip.conv.input.w = ceil_div(conv->input.w, pixels);
    clip.conv.input.storage = maxgl_factors_storage(factors);
    clip.conv.kernel[2] = ceil_div(conv->kernel[2] + clip.lead, pixels);
    clip.conv.stride[2] = conv->stride[2] / pixels;
    clip.conv.pad[2] = (conv->pad[2] + clip.lead) / pixels;
    return clip;
}

static char *options_of(const MaxglConv3d *conv, MaxglFactors factors, const MaxglMmaClip *clip)
{
    return g_strdup_printf("-DPIXELS=%d -DLEAD=%d -DFACTORS=%d -DBO=%d", clip->pixels, clip->lead, factors,
                           conv->out_block);
}

static gsize round_up(gsize n, gsize multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

gboolean maxgl_mma_clip_add_pack(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                 cl_mem x, cl_mem packed, GError **error)
{
    enum { GROUP = 32 };
    const MaxglMmaClip clip = maxgl_mma_clip_of(conv, factors);
    const MaxglShape *in = &conv->input;
    g_autofree char *options = options_of(conv, factors, &clip);
    const MaxglLaunch launch = {
        .file = FILE_NAME,
        .kernel = "conv3d_mma_clip_pack",
        .options = options,
        .dims = 3,
        .global = {round_up((gsize)clip.conv.input.w, GROUP), (gsize)in->t * (gsize)in->h, (gsize)in->n},
        .local = {GROUP, 1, 1}};
    return maxgl_sequence_add(sequence, &launch, error, "mmiiii", x, packed, in->c, in->t * in->h, in->w,
                              clip.conv.input.w);
}

gboolean maxgl_mma_clip_add_prepare(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                    cl_mem weights, cl_mem prepared, GError **error)
{
    enum { GROUP = 32 };
    const MaxglMmaClip clip = maxgl_mma_clip_of(conv, factors);
    const MaxglShape out = maxgl_conv3d_output(conv);
    const int *k = conv->kernel, rows = maxgl_shape_blocks(&out) * out.block;
    g_autofree char *options = options_of(conv, factors, &clip);
    const MaxglLaunch launch = {
        .file = FILE_NAME,
        .kernel = "conv3d_mma_clip_prepare",
        .options = options,
        .dims = 2,
        .global = {round_up((gsize)rows, GROUP), (gsize)k[0] * (gsize)k[1] * (gsize)clip.conv.kernel[2]},
        .local = {GROUP, 1}};
    return maxgl_sequence_add(sequence, &launch, error, "mmiiiiii", weights, prepared, conv->input.c, rows,
                              k[0], k[1], k[2], clip.conv.kernel[2]);
}

gboolean maxgl_mma_clip_add_gradient(MaxglSequence *sequence, const MaxglConv3d *conv, MaxglFactors factors,
                                     cl_mem packed_dw, cl_mem dw, GError **error)
{
    enum { GROUP = 64 };
    const MaxglMmaClip clip = maxgl_mma_clip_of(conv, factors);
    const int *k = conv->kernel, weights = (int)maxgl_conv3d_weight_floats(conv);
    g_autofree char *options = options_of(conv, factors, &clip);
    const MaxglLaunch launch = {.file = FILE_NAME,
                                .kernel = "conv3d_mma_clip_gradient",
                                .options = options,
                                .dims = 1,
                                .global = {round_up((gsize)weights, GROUP)},
                                .local = {GROUP}};
    return maxgl_sequence_add(sequence, &launch, error, "mmiiiiii", packed_dw, dw, conv->input.c, weights,
                              k[0], k[1], k[2], clip.conv.kernel[2]);
}
