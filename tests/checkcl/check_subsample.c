/* Shortcut A against the same in nested loops. */
#include "checkcl.h"

#include "ops/subsample.h"

static const MaxglSubsample cases[] = {
    {{1, 1, 1, 1, 1, 1}, 1, {1, 1, 1}},
    {{2, 3, 3, 5, 4, 1}, 7, {2, 2, 2}},
    {{2, 3, 4, 3, 5, 4}, 6, {2, 2, 2}},
    {{1, 8, 2, 4, 4, 8}, 16, {2, 2, 2}},
    {{3, 17, 2, 1, 3, 8}, 40, {1, 2, 3}},
    {{2, 5, 3, 7, 7, 16}, 13, {2, 2, 2}},
    {{1, 16, 4, 6, 6, 16}, 32, {2, 2, 2}},
    {{2, 64, 4, 14, 14, 16}, 128, {2, 2, 2}},
    {{2, 3, 3, 5, 4, 1, MAXGL_BFLOAT16}, 7, {2, 2, 2}},
    {{2, 5, 3, 7, 7, 16, MAXGL_FLOAT16}, 13, {2, 2, 2}},
};

static char *describe(guint index)
{
    const MaxglSubsample *s = &cases[index];
    g_autofree char *shape = maxgl_shape_text(&s->input);
    return g_strdup_printf("%s to %d channels, stride %d,%d,%d, block %d, %s", shape, s->out_channels,
                           s->stride[0], s->stride[1], s->stride[2], s->input.block,
                           maxgl_storage_name(s->input.storage));
}

static gboolean is_small(guint index)
{
    return maxgl_shape_floats(&cases[index].input) < 4096;
}

/* The element of x that @i of y is, −1 if it is zero. */
static gssize source(const MaxglSubsample *s, gsize i)
{
    const MaxglShape x = s->input, y = maxgl_subsample_output(s);
    const int w = (int)(i % (gsize)y.w), h = (int)(i / (gsize)y.w % (gsize)y.h);
    const int t = (int)(i / (gsize)(y.w * y.h) % (gsize)y.t);
    const int c = (int)(i / maxgl_shape_pixels(&y) % (gsize)y.c), n = (int)(i / maxgl_shape_pixels(&y)) / y.c;
    if (c >= x.c)
        return -1;
    return (((gssize)(n * x.c + c) * x.t + t * s->stride[0]) * x.h + h * s->stride[1]) * x.w +
           w * s->stride[2];
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const MaxglSubsample *s = &cases[index];
    const MaxglShape shape = maxgl_subsample_output(s);
    const gsize nx = maxgl_shape_elements(&s->input), ny = maxgl_shape_elements(&shape);
    g_autofree float *x = check_random(nx, 1), *dy = check_random(ny, 2), *old = check_random(nx, 3);
    g_autofree double *want = check_zeros(ny), *want_dx = check_zeros(nx), *want_sum = NULL;
    check_stored(shape.storage, x, nx);
    check_stored(shape.storage, dy, ny);
    check_stored(shape.storage, old, nx);
    want_sum = check_to_double(old, nx);
    for (gsize i = 0; i < ny; i++) {
        const gssize from = source(s, i);
        if (from < 0)
            continue;
        want[i] = x[from];
        want_dx[from] += dy[i];
        want_sum[from] += dy[i];
    }
    MaxglTensor tx, ty, tdy, tdx, tsum;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    return check_tensor(report, context, s->input, x, &tx, error) &&
           check_tensor(report, context, shape, NULL, &ty, error) &&
           check_tensor(report, context, shape, dy, &tdy, error) &&
           check_tensor(report, context, s->input, NULL, &tdx, error) &&
           check_tensor(report, context, s->input, old, &tsum, error) &&
           maxgl_subsample_forward(sequence, s, tx.buffer, ty.buffer, error) &&
           maxgl_subsample_backward(sequence, s, tdy.buffer, tdx.buffer, FALSE, error) &&
           maxgl_subsample_backward(sequence, s, tdy.buffer, tsum.buffer, TRUE, error) &&
           check_run(sequence, error) && check_compare_tensor(report, context, "y", &ty, want, 0, error) &&
           check_compare_tensor(report, context, "dx", &tdx, want_dx, 0, error) &&
           check_compare_tensor(report, context, "dx +=", &tsum, want_sum, 1e-7, error);
}

const MaxglCheck check_subsample = {
    .name = "subsample",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
};
