/* Gradient with respect to the input without turning the weights round: cl/conv3d_dot.cl. */
#include "ops/conv3d_algorithms.h"

static int tuned(MaxglContext *context, const char *shape, const char *name, int fallback)
{
    return maxgl_tuning_int(context->tuning, "conv3d_dot", shape, name, fallback);
}

static gboolean supports(const MaxglConv3d *conv, MaxglConv3dPass pass, const MaxglDeviceInfo *device)
{
    const int in = conv->input.block, out = conv->out_block;
    return pass == MAXGL_CONV3D_BACKWARD_DATA && device->type == MAXGL_DEVICE_CPU &&
           (out == 4 || out == 8 || out == 16) && (in == 1 || in == 4 || in == 8 || in == 16) &&
           conv->stride[0] == 1 && conv->stride[1] == 1 && conv->stride[2] == 1 && conv->input.w <= 16;
}

/* Turning the weights round costs about as much as reading them twice; on many pixels that is little. */
static gboolean worthwhile(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    (void)pass;
    const MaxglShape in = conv->input;
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    return (gint64)in.n * in.t * in.h * in.w <= tuned(context, shape, "most_pixels", 400) &&
           maxgl_shape_blocks(&in) >= (int)context->info->compute_units &&
           MIN(in.c, conv->out_channels) >= tuned(context, shape, "least_channels", 128);
}

static gsize workspace_bytes(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    (void)context, (void)pass;
    return maxgl_shape_floats(&conv->input) * (gsize)conv->out_block * sizeof(float);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglShape in = conv->input, out = maxgl_conv3d_output(conv);
    const int in_blocks = maxgl_shape_blocks(&in), out_blocks = maxgl_shape_blocks(&out);
    g_autofree char *shape = maxgl_conv3d_shape_class(conv);
    const int registers = tuned(context, shape, "registers", 14);
    int cu = 1;
    while (cu * 2 <= in.block && cu * 2 * in.w <= registers)
        cu *= 2;
    g_autofree char *dx_storage = maxgl_storage_option("X_STORAGE", in.storage);
    g_autofree char *dy_storage = maxgl_storage_option("Y_STORAGE", out.storage);
    g_autofree char *options =
        g_strdup_printf("-DBI=%d -DBO=%d -DCU=%d -DKB=%d -DRW=%d -DKW=%d -DPW=%d -DOUT_W=%d%s%s", in.block,
                        out.block, cu, tuned(context, shape, "blocks", 2), in.w, conv->kernel[2],
                        conv->pad[2], out.w, dx_storage, dy_storage);
    const MaxglLaunch launch = {
        .file = "conv3d_dot.cl",
        .kernel = "conv3d_backward_data_dot",
        .options = options,
        .dims = 1,
        .global = {(gsize)in_blocks, 1, 1},
        .local = {1, 1, 1},
    };
    return maxgl_sequence_add(sequence, &launch, error, "mmmmiiiiiiiiiiii", dy, weights, dx, workspace,
                              accumulate, in.n, in_blocks, out_blocks, in.t, in.h, out.t, out.h,
                              conv->kernel[0], conv->kernel[1], conv->pad[0], conv->pad[1]);
}

const MaxglConv3dAlgorithm maxgl_conv3d_dot = {
    .name = "dot",
    .supports = supports,
    .worthwhile = worthwhile,
    .workspace = workspace_bytes,
    .backward_data = backward_data,
};
