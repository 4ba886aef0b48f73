#include "ops/pool.h"

#include "ops/plane.h"
#include <maxgl/error.h>

static const char *const BY_PIXELS = "pool.cl", *const BY_ROWS = "pool_rows.cl";

/* Work-items that have neighbours in a group walk through pixels with them; those that have none, along rows.
 */
static gboolean goes_by_rows(const MaxglPlanes *planes)
{
    return planes->columns * planes->lanes == 1;
}

/* Sizes of a launch over @all rows of @pixels in each plane of @n samples. Returns: rows of a work-item. */
static int launch_rows(const MaxglPlanes *planes, int n, int pixels, int all, MaxglLaunch *launch)
{
    const int rows = MAX(1, planes->chunk / pixels);
    maxgl_planes_launch_groups(planes, (gsize)((all + rows - 1) / rows), (gsize)n * (gsize)planes->blocks,
                               launch);
    return rows;
}

static int output_size(int size, int kernel, int stride, int pad)
{
    return (size + 2 * pad - kernel) / stride + 1;
}

MaxglShape maxgl_max_pool_output(const MaxglMaxPool *pool)
{
    const int *k = pool->kernel, *s = pool->stride, *p = pool->pad;
    MaxglShape y = pool->input;
    y.t = output_size(y.t, k[0], s[0], p[0]);
    y.h = output_size(y.h, k[1], s[1], p[1]);
    y.w = output_size(y.w, k[2], s[2], p[2]);
    return y;
}

gboolean maxgl_max_pool_validate(const MaxglMaxPool *pool, GError **error)
{
    const int size[3] = {pool->input.t, pool->input.h, pool->input.w};
    static const char *const names[3] = {"time", "height", "width"};
    for (int i = 0; i < 3; i++) {
        const int k = pool->kernel[i], s = pool->stride[i], p = pool->pad[i];
        if (k >= 1 && s >= 1 && p >= 0 && p <= k / 2 && size[i] + 2 * p >= k)
            continue;
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
            "max-pool over %s of %d: kernel %d, stride %d, padding %d make no windows: the kernel must fit, "
            "the stride be at least 1 and the padding at most half the kernel",
            names[i], size[i], k, s, p);
        return FALSE;
    }
    return TRUE;
}

static char *max_pool_options(const MaxglMaxPool *pool, const MaxglPlanes *planes)
{
    const int *k = pool->kernel, *s = pool->stride, *p = pool->pad;
    return g_strdup_printf("%s -DKERNEL_T=%d -DKERNEL_H=%d -DKERNEL_W=%d -DSTRIDE_T=%d -DSTRIDE_H=%d "
                           "-DSTRIDE_W=%d -DPAD_T=%d -DPAD_H=%d -DPAD_W=%d",
                           planes->options, k[0], k[1], k[2], s[0], s[1], s[2], p[0], p[1], p[2]);
}

gboolean maxgl_max_pool_forward(MaxglSequence *sequence, const MaxglMaxPool *pool, cl_mem x, cl_mem y,
                                cl_mem taps, GError **error)
{
    if (!maxgl_max_pool_validate(pool, error))
        return FALSE;
    const MaxglShape in = pool->input, out = maxgl_max_pool_output(pool);
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "max_pool", &out);
    g_autofree char *options = max_pool_options(pool, &planes);
    if (goes_by_rows(&planes)) {
        g_autofree char *all_options = g_strdup_printf("%s -DFORWARD -DTAPS=%d", options, taps != NULL);
        MaxglLaunch launch = {.file = BY_ROWS, .kernel = "max_pool_forward_rows", .options = all_options};
        const int all = out.t * out.h, rows = launch_rows(&planes, out.n, out.w, all, &launch);
        return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiii", x, y, taps, in.t, in.h, in.w, all,
                                  out.h, out.w, rows);
    }
    MaxglLaunch launch = {.file = BY_PIXELS, .kernel = "max_pool_forward", .options = options};
    maxgl_planes_launch(&planes, out.n, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiii", x, y, taps, in.t, in.h, in.w,
                              (int)maxgl_shape_pixels(&out), out.h, out.w, planes.chunk, planes.blocks);
}

/* Blocks of a stride's pixels that hold @size pixels, where the first begins with the padding. */
static int stride_blocks(const MaxglMaxPool *pool, int direction, int size)
{
    const int stride = pool->stride[direction], pad = pool->pad[direction];
    return (size - 1 + pad) / stride - pad / stride + 1;
}

gboolean maxgl_max_pool_backward(MaxglSequence *sequence, const MaxglMaxPool *pool, cl_mem dy, cl_mem taps,
                                 cl_mem dx, gboolean accumulate, GError **error)
{
    if (!maxgl_max_pool_validate(pool, error))
        return FALSE;
    const MaxglShape in = pool->input, out = maxgl_max_pool_output(pool);
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "max_pool", &in);
    g_autofree char *options = max_pool_options(pool, &planes);
    if (goes_by_rows(&planes)) {
        g_autofree char *all_options = g_strconcat(options, " -DBACKWARD", NULL);
        MaxglLaunch launch = {.file = BY_ROWS, .kernel = "max_pool_backward_rows", .options = all_options};
        const int height = stride_blocks(pool, 1, in.h), all = stride_blocks(pool, 0, in.t) * height;
        const int rows = launch_rows(&planes, in.n, in.w * pool->stride[0] * pool->stride[1], all, &launch);
        return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiiii", dy, taps, dx, out.t, out.h,
                                  out.w, in.t, in.h, in.w, rows, all, height, accumulate);
    }
    MaxglLaunch launch = {.file = BY_PIXELS, .kernel = "max_pool_backward", .options = options};
    maxgl_planes_launch(&planes, in.n, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmmiiiiiiiii", dy, taps, dx, out.t, out.h, out.w,
                              (int)maxgl_shape_pixels(&in), in.h, in.w, planes.chunk, planes.blocks,
                              accumulate);
}

MaxglShape maxgl_average_pool_output(const MaxglAveragePool *pool)
{
    MaxglShape y = pool->input;
    y.t = pool->regions[0];
    y.h = pool->regions[1];
    y.w = pool->regions[2];
    return maxgl_shape_stored(y, MAXGL_FLOAT32);
}

static gboolean average_pool_validate(const MaxglAveragePool *pool, GError **error)
{
    const int *r = pool->regions;
    if (r[0] >= 1 && r[1] >= 1 && r[2] >= 1)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "average pool into %d×%d×%d regions: each number must be at least 1", r[0], r[1], r[2]);
    return FALSE;
}

static char *average_pool_options(const MaxglAveragePool *pool, const MaxglPlanes *planes)
{
    return g_strdup_printf("%s -DREGIONS_T=%d -DREGIONS_H=%d -DREGIONS_W=%d", planes->options,
                           pool->regions[0], pool->regions[1], pool->regions[2]);
}

gboolean maxgl_average_pool_forward(MaxglSequence *sequence, const MaxglAveragePool *pool, cl_mem x, cl_mem y,
                                    GError **error)
{
    if (!average_pool_validate(pool, error))
        return FALSE;
    const MaxglShape in = pool->input, out = maxgl_average_pool_output(pool);
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "average_pool", &in);
    g_autofree char *options = average_pool_options(pool, &planes);
    const gboolean by_rows = goes_by_rows(&planes);
    MaxglLaunch launch = {.file = by_rows ? BY_ROWS : BY_PIXELS,
                          .kernel = by_rows ? "average_pool_forward_rows" : "average_pool_forward",
                          .options = options};
    maxgl_planes_launch_groups(&planes, maxgl_shape_pixels(&out), (gsize)in.n * (gsize)planes.blocks,
                               &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmiii", x, y, in.t, in.h, in.w);
}

gboolean maxgl_average_pool_backward(MaxglSequence *sequence, const MaxglAveragePool *pool, cl_mem dy,
                                     cl_mem dx, gboolean accumulate, GError **error)
{
    if (!average_pool_validate(pool, error))
        return FALSE;
    const MaxglShape in = pool->input;
    const MaxglPlanes planes = maxgl_planes(maxgl_sequence_context(sequence), "average_pool", &in);
    g_autofree char *options = average_pool_options(pool, &planes);
    /* A single region needs no search for it: then pixels are as fast. */
    const MaxglShape out = maxgl_average_pool_output(pool);
    if (goes_by_rows(&planes) && maxgl_shape_pixels(&out) > 1) {
        MaxglLaunch launch = {.file = BY_ROWS, .kernel = "average_pool_backward_rows", .options = options};
        const int rows = launch_rows(&planes, in.n, in.w, in.t * in.h, &launch);
        return maxgl_sequence_add(sequence, &launch, error, "mmiiiii", dy, dx, in.t, in.h, in.w, rows,
                                  accumulate);
    }
    MaxglLaunch launch = {.file = BY_PIXELS, .kernel = "average_pool_backward", .options = options};
    maxgl_planes_launch(&planes, in.n, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmiiiiii", dy, dx, in.t, in.h, in.w, planes.chunk,
                              planes.blocks, accumulate);
}
