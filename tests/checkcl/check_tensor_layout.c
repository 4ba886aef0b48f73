/* The layout that every other check relies on: PyTorch's order to blocked memory and back. */
#include "checkcl.h"

static const MaxglShape cases[] = {
    {1, 1, 1, 1, 1, 1},  {2, 3, 2, 3, 5, 1},  {2, 3, 2, 3, 5, 4},   {1, 8, 1, 4, 4, 8},
    {3, 17, 2, 1, 3, 8}, {2, 5, 1, 1, 1, 16}, {1, 33, 2, 2, 2, 16},
};

static char *describe(guint index)
{
    g_autofree char *shape = maxgl_shape_text(&cases[index]);
    return g_strdup_printf("%s, block %d", shape, cases[index].block);
}

/* N, ⌈C/b⌉, T, H, W, b written as nested loops over memory rather than as maxgl_shape_pack() does it. */
static double *blocked_reference(const MaxglShape *s, const float *plain)
{
    double *blocked = check_zeros(maxgl_shape_floats(s)), *to = blocked;
    for (int n = 0; n < s->n; n++)
        for (int block = 0; block < (s->c + s->block - 1) / s->block; block++)
            for (int t = 0; t < s->t; t++)
                for (int h = 0; h < s->h; h++)
                    for (int w = 0; w < s->w; w++)
                        for (int c = block * s->block; c < (block + 1) * s->block; c++)
                            *to++ = c < s->c ? plain[(((n * s->c + c) * s->t + t) * s->h + h) * s->w + w] : 0;
    return blocked;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const MaxglShape shape = cases[index];
    const gsize elements = maxgl_shape_elements(&shape), floats = maxgl_shape_floats(&shape);
    g_autofree float *plain = check_random(elements, index), *back = g_new0(float, elements);
    g_autofree double *want = check_to_double(plain, elements), *blocked = blocked_reference(&shape, plain);
    MaxglTensor tensor;
    if (!check_tensor(report, context, shape, NULL, &tensor, error) ||
        !maxgl_tensor_write(context, &tensor, plain, error) ||
        !check_compare_buffer(report, context, "memory", tensor.buffer, blocked, floats, 0, 0, error) ||
        !check_compare_tensor(report, context, "tensor", &tensor, want, 0, error) ||
        !maxgl_tensor_read(context, &tensor, back, error))
        return FALSE;
    check_compare(report, "read back", back, want, elements, 0);
    return TRUE;
}

const MaxglCheck check_tensor_layout = {
    .name = "tensor_layout",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .check = check,
};
