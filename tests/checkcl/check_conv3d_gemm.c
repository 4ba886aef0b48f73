/* The local-memory convolution of GPUs, with the device's own tile and with the tiles shipped for GPUs. */
#include "check_conv3d_reference.h"
#include "ops/conv3d_gemm.h"

#include <glib/gstdio.h>

/* The device whose shipped tile is used instead of the own device's; NULL architecture = the own one. */
typedef struct {
    MaxglVendor vendor;
    const char *architecture;
} As;

typedef struct {
    MaxglConv3d conv; /* n, c, t, h, w, block → channels, block; kernel; stride; pad */
    As as;
} Case;

/* Few pairs of blocks: each is three programs to compile. */
static const Case cases[] = {
    {{{1, 1, 1, 1, 1, 1}, 1, 1, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}},
    {{{3, 7, 3, 5, 5, 1}, 5, 1, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}}},
    {{{2, 1, 1, 1, 1, 4}, 3, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{{1, 5, 4, 6, 7, 4}, 6, 4, {5, 5, 5}, {1, 1, 1}, {2, 2, 2}}},
    {{{1, 16, 2, 3, 3, 16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{{2, 16, 3, 5, 7, 16}, 32, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{{2, 20, 3, 6, 5, 16}, 40, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}}},
    {{{2, 64, 2, 4, 5, 16}, 48, 16, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}},
    {{{8, 16, 4, 12, 12, 16}, 16, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{{1, 3, 4, 11, 13, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}},
    {{{1, 3, 7, 9, 10, 1}, 8, 16, {7, 7, 7}, {1, 2, 2}, {3, 3, 3}}},
    {{{1, 17, 4, 7, 9, 8}, 9, 8, {3, 3, 3}, {3, 3, 3}, {1, 1, 1}}},
    {{{1, 8, 2, 9, 31, 8}, 16, 8, {1, 5, 5}, {1, 1, 1}, {0, 2, 2}}},
    {{{1, 24, 3, 7, 7, 8}, 16, 8, {1, 1, 1}, {2, 2, 2}, {0, 0, 0}}},
    {{{2, 33, 5, 4, 3, 32}, 34, 32, {3, 1, 1}, {2, 1, 1}, {1, 0, 0}}},
    {{{2, 32, 4, 10, 10, 32}, 64, 32, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}},
    {{{1, 12, 3, 4, 4, 3}, 10, 5, {2, 3, 1}, {2, 1, 3}, {1, 0, 0}}},
    {{{1, 6, 5, 5, 5, 4}, 4, 16, {1, 1, 1}, {3, 2, 4}, {0, 0, 0}}},
    {{{1, 3, 4, 11, 13, 1}, 16, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}, FALSE, MAXGL_FLOAT16}},
    {{{2, 20, 3, 6, 5, 16, MAXGL_BFLOAT16}, 40, 16, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}, FALSE, MAXGL_BFLOAT16}},
    {{{1, 12, 3, 4, 4, 3, MAXGL_FLOAT16}, 10, 5, {2, 3, 1}, {2, 1, 3}, {1, 0, 0}, FALSE, MAXGL_BFLOAT16}},
    {{{1, 32, 2, 12, 14, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, {MAXGL_VENDOR_NVIDIA, "sm_80"}},
    {{{2, 80, 3, 11, 12, 16}, 70, 16, {1, 3, 3}, {2, 2, 2}, {0, 1, 1}}, {MAXGL_VENDOR_NVIDIA, "sm_80"}},
    {{{1, 3, 3, 19, 21, 1}, 64, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}, {MAXGL_VENDOR_NVIDIA, "sm_80"}},
    {{{1, 32, 2, 12, 14, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, {MAXGL_VENDOR_AMD, "gfx90a"}},
    {{{1, 32, 2, 12, 14, 16}, 128, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, {MAXGL_VENDOR_INTEL, "unknown"}},
    {{{1, 3, 3, 19, 21, 1}, 64, 16, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}}, {MAXGL_VENDOR_INTEL, "unknown"}},
};

static char *describe(guint index)
{
    const As *as = &cases[index].as;
    g_autofree char *text = check_conv3d_describe(&cases[index].conv);
    return as->architecture
               ? g_strdup_printf("%s, tile of %s %s", text, maxgl_vendor_name(as->vendor), as->architecture)
               : g_steal_pointer(&text);
}

static gboolean is_small(guint index)
{
    return !cases[index].as.architecture && maxgl_conv3d_macs(&cases[index].conv) < 200e3;
}

static gsize forward_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_gemm.workspace(context, conv, MAXGL_CONV3D_FORWARD);
}

static gsize backward_data_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_gemm.workspace(context, conv, MAXGL_CONV3D_BACKWARD_DATA);
}

static gsize backward_weights_workspace(MaxglContext *context, const MaxglConv3d *conv)
{
    return maxgl_conv3d_gemm.workspace(context, conv, MAXGL_CONV3D_BACKWARD_WEIGHTS);
}

static gboolean forward(MaxglSequence *sequence, const MaxglConv3d *conv, cl_mem x, cl_mem weights, cl_mem y,
                        const MaxglConv3dEpilogue *epilogue, cl_mem workspace, GError **error)
{
    static const MaxglConv3dEpilogue none;
    return maxgl_conv3d_gemm.forward(sequence, conv, x, weights, y, epilogue ? epilogue : &none, workspace,
                                     error);
}

/* The shipped tuning of another device. Tiles are not halved for want of work-groups, as they would be for
 * shapes that fit a test. */
static MaxglTuning *tuning_of(const As *as, GError **error)
{
    static const char whole_tiles[] =
        "entries = ({ kernel = \"conv3d_gemm\"; parameters = { GROUPS = 1; UNROLL = 1; }; });";
    MaxglDeviceInfo device = {.vendor = as->vendor,
                              .type = MAXGL_DEVICE_GPU,
                              .name = (char *)as->architecture,
                              .architecture = (char *)as->architecture};
    g_autofree char *before = g_strdup(g_getenv("MAXGL_TUNING")), *path = NULL;
    int file = g_file_open_tmp("checkcl-XXXXXX.cfg", &path, error);
    if (file < 0)
        return NULL;
    g_close(file, NULL);
    MaxglTuning *tuning = NULL;
    if (g_file_set_contents(path, whole_tiles, -1, error)) {
        g_setenv("MAXGL_TUNING", path, TRUE);
        tuning = maxgl_tuning_load(&device, error);
    }
    if (before)
        g_setenv("MAXGL_TUNING", before, TRUE);
    else
        g_unsetenv("MAXGL_TUNING");
    g_unlink(path);
    return tuning;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const CheckConv3dAlgorithm algorithm = {
        forward_workspace, backward_data_workspace,         backward_weights_workspace,
        forward,           maxgl_conv3d_gemm.backward_data, maxgl_conv3d_gemm.backward_weights};
    const Case *c = &cases[index];
    MaxglTuning *own = context->tuning;
    g_autoptr(MaxglTuning) other = NULL;
    if (c->as.architecture) {
        other = tuning_of(&c->as, error);
        if (!other)
            return FALSE;
        context->tuning = other;
    }
    const gboolean ok = check_conv3d_algorithm(context, &algorithm, &c->conv, index, report, error);
    context->tuning = own;
    return ok;
}

static void gradient(guint index, CheckReport *report)
{
    check_conv3d_gradient(&cases[index].conv, index, report);
}

const MaxglCheck check_conv3d_gemm = {
    .name = "conv3d_gemm",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
};
