#include "check_conv3d_reference.h"

#include <math.h>
#include <string.h>

/* Where dimension @dim of x is read for output position @o and @tap; -1 = outside, in the zero padding. */
static int input_position(const MaxglConv3d *conv, int dim, int o, int tap, int size)
{
    int i = o * conv->stride[dim] + tap - conv->pad[dim];
    return i >= 0 && i < size ? i : -1;
}

static int positions(int size, int kernel, int stride, int pad)
{
    int count = 0;
    for (int start = -pad; start + kernel <= size + pad; start += stride)
        count++;
    return count;
}

MaxglShape check_conv3d_output(const MaxglConv3d *conv)
{
    const MaxglShape *in = &conv->input;
    const MaxglShape out = maxgl_shape(
        in->n, conv->out_channels, positions(in->t, conv->kernel[0], conv->stride[0], conv->pad[0]),
        positions(in->h, conv->kernel[1], conv->stride[1], conv->pad[1]),
        positions(in->w, conv->kernel[2], conv->stride[2], conv->pad[2]), conv->out_block);
    return maxgl_shape_stored(out, conv->out_storage);
}

static gsize weight_count(const MaxglConv3d *conv)
{
    return (gsize)conv->out_channels * conv->input.c * conv->kernel[0] * conv->kernel[1] * conv->kernel[2];
}

/* What a pass does with one multiply-add: the elements of x, w and y that belong together. */
typedef void (*Visit)(gsize x, gsize w, gsize y, gpointer data);

static void visit_taps(const MaxglConv3d *conv, gsize x_plane, gsize w_kernel, const int o[3], gsize y,
                       Visit visit, gpointer data)
{
    const MaxglShape *in = &conv->input;
    for (int a = 0; a < conv->kernel[0]; a++)
        for (int b = 0; b < conv->kernel[1]; b++)
            for (int c = 0; c < conv->kernel[2]; c++) {
                int t = input_position(conv, 0, o[0], a, in->t);
                int h = input_position(conv, 1, o[1], b, in->h);
                int w = input_position(conv, 2, o[2], c, in->w);
                if (t >= 0 && h >= 0 && w >= 0)
                    visit(((x_plane * in->t + t) * in->h + h) * in->w + w,
                          ((w_kernel * conv->kernel[0] + a) * conv->kernel[1] + b) * conv->kernel[2] + c, y,
                          data);
            }
}

static void visit_all(const MaxglConv3d *conv, Visit visit, gpointer data)
{
    const MaxglShape out = check_conv3d_output(conv);
    gsize y = 0;
    for (int n = 0; n < out.n; n++)
        for (int k = 0; k < out.c; k++)
            for (int t = 0; t < out.t; t++)
                for (int h = 0; h < out.h; h++)
                    for (int w = 0; w < out.w; w++, y++)
                        for (int c = 0; c < conv->input.c; c++)
                            visit_taps(conv, (gsize)n * conv->input.c + c, (gsize)k * conv->input.c + c,
                                       (const int[3]){t, h, w}, y, visit, data);
}

typedef struct {
    const double *left, *right;
    double *sum;
} Product;

static void add_to_y(gsize x, gsize w, gsize y, gpointer data)
{
    const Product *p = data;
    p->sum[y] += p->left[x] * p->right[w];
}

static void add_to_x(gsize x, gsize w, gsize y, gpointer data)
{
    const Product *p = data;
    p->sum[x] += p->left[y] * p->right[w];
}

static void add_to_w(gsize x, gsize w, gsize y, gpointer data)
{
    const Product *p = data;
    p->sum[w] += p->left[y] * p->right[x];
}

void check_conv3d_forward(const MaxglConv3d *conv, const double *x, const double *w, const double *bias,
                          const double *residual, gboolean relu, double *y)
{
    const MaxglShape out = check_conv3d_output(conv);
    const gsize pixels = maxgl_shape_pixels(&out), count = maxgl_shape_elements(&out);
    memset(y, 0, count * sizeof *y);
    visit_all(conv, add_to_y, &(Product){x, w, y});
    for (gsize i = 0; i < count; i++) {
        y[i] += (bias ? bias[i / pixels % out.c] : 0) + (residual ? residual[i] : 0);
        if (relu && y[i] < 0)
            y[i] = 0;
    }
}

void check_conv3d_backward_data(const MaxglConv3d *conv, const double *dy, const double *w, double *dx)
{
    visit_all(conv, add_to_x, &(Product){dy, w, dx});
}

void check_conv3d_backward_weights(const MaxglConv3d *conv, const double *x, const double *dy, double *dw)
{
    visit_all(conv, add_to_w, &(Product){dy, x, dw});
}

static double *random_doubles(gsize n, guint64 seed)
{
    g_autofree float *values = check_random(n, seed);
    return check_to_double(values, n);
}

static double dot(const double *a, const double *b, gsize n)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* (L(at + ε·direction) − L(at − ε·direction)) / 2ε with L = Σ g·y; y is bilinear, so ε may be large. */
static double slope(const MaxglConv3d *conv, double *x, double *w, double *varied, const double *direction,
                    gsize n, const double *g, double *y)
{
    const MaxglShape out = check_conv3d_output(conv);
    const gsize y_count = maxgl_shape_elements(&out);
    const double step = 0.125;
    double value[2];
    for (int side = 0; side < 2; side++) {
        double shift = side ? -step : step;
        for (gsize i = 0; i < n; i++)
            varied[i] += shift * direction[i];
        check_conv3d_forward(conv, x, w, NULL, NULL, FALSE, y);
        value[side] = dot(g, y, y_count);
        for (gsize i = 0; i < n; i++)
            varied[i] -= shift * direction[i];
    }
    return (value[0] - value[1]) / (2 * step);
}

void check_conv3d_gradient(const MaxglConv3d *conv, guint64 seed, CheckReport *report)
{
    const MaxglShape out = check_conv3d_output(conv);
    const gsize x_count = maxgl_shape_elements(&conv->input), w_count = weight_count(conv);
    const gsize y_count = maxgl_shape_elements(&out);
    g_autofree double *x = random_doubles(x_count, seed), *w = random_doubles(w_count, seed + 1);
    g_autofree double *g = random_doubles(y_count, seed + 2), *y = check_zeros(y_count);
    g_autofree double *x_way = random_doubles(x_count, seed + 3), *w_way = random_doubles(w_count, seed + 4);
    g_autofree double *dx = check_zeros(x_count), *dw = check_zeros(w_count);

    check_conv3d_backward_data(conv, g, w, dx);
    check_conv3d_backward_weights(conv, x, g, dw);
    double want = slope(conv, x, w, x, x_way, x_count, g, y), got = dot(dx, x_way, x_count);
    check_compare_double(report, "dx along a direction", &got, &want, 1, 1e-9);
    want = slope(conv, x, w, w, w_way, w_count, g, y);
    got = dot(dw, w_way, w_count);
    check_compare_double(report, "dw along a direction", &got, &want, 1, 1e-9);
}

/* ", fp16→bf16" where not both are floats; caller frees. */
static char *describe_storage(const MaxglConv3d *conv)
{
    if (conv->input.storage == MAXGL_FLOAT32 && conv->out_storage == MAXGL_FLOAT32)
        return g_strdup(conv->tf32 ? ", tf32" : "");
    return g_strdup_printf(", %s→%s", maxgl_storage_name(conv->input.storage),
                           maxgl_storage_name(conv->out_storage));
}

char *check_conv3d_describe(const MaxglConv3d *conv)
{
    g_autofree char *input = maxgl_shape_text(&conv->input), *storage = describe_storage(conv);
    const int *k = conv->kernel, *s = conv->stride, *p = conv->pad;
    return g_strdup_printf("%s, K %d, kernel %d×%d×%d, stride %d×%d×%d, pad %d×%d×%d, blocks %d→%d%s", input,
                           conv->out_channels, k[0], k[1], k[2], s[0], s[1], s[2], p[0], p[1], p[2],
                           conv->input.block, conv->out_block, storage);
}

/* The random inputs of one case in float (for the device) and double (for the reference). */
typedef struct {
    MaxglShape out;
    gsize x_count, w_count, y_count, w_floats;
    float *x, *w, *y, *bias, *w_packed, *bias_padded;
    double *x64, *w64, *y64, *bias64;
} Numbers;

static Numbers *numbers_new(const MaxglConv3d *conv, const CheckConv3dAlgorithm *algorithm, guint64 seed)
{
    Numbers *v = g_new0(Numbers, 1);
    v->out = check_conv3d_output(conv);
    v->x_count = maxgl_shape_elements(&conv->input);
    v->w_count = weight_count(conv);
    v->y_count = maxgl_shape_elements(&v->out);
    v->w_floats = maxgl_conv3d_weight_floats(conv);
    v->x = check_random(v->x_count, seed);
    v->w = check_random(v->w_count, seed + 1);
    v->y = check_random(v->y_count, seed + 2);
    check_stored(conv->input.storage, v->x, v->x_count);
    check_stored(conv->out_storage, v->y, v->y_count);
    if (algorithm->round_factors) {
        algorithm->round_factors(conv, v->x, v->x_count);
        algorithm->round_factors(conv, v->w, v->w_count);
        algorithm->round_factors(conv, v->y, v->y_count);
    }
    v->bias = check_random((gsize)v->out.c, seed + 3);
    v->w_packed = g_new0(float, v->w_floats);
    maxgl_conv3d_pack_weights(conv, v->w, v->w_packed);
    v->bias_padded = g_new0(float, (gsize)maxgl_shape_blocks(&v->out) * v->out.block);
    memcpy(v->bias_padded, v->bias, (gsize)v->out.c * sizeof(float));
    v->x64 = check_to_double(v->x, v->x_count);
    v->w64 = check_to_double(v->w, v->w_count);
    v->y64 = check_to_double(v->y, v->y_count);
    v->bias64 = check_to_double(v->bias, (gsize)v->out.c);
    return v;
}

static void numbers_free(Numbers *v)
{
    gpointer owned[] = {v->x,           v->w,   v->y,   v->bias, v->w_packed,
                        v->bias_padded, v->x64, v->w64, v->y64,  v->bias64};
    for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
        g_free(owned[i]);
    g_free(v);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Numbers, numbers_free)

typedef struct {
    MaxglContext *context;
    const CheckConv3dAlgorithm *algorithm;
    const MaxglConv3d *conv;
    const Numbers *numbers;
    MaxglTensor x, dy; /* inputs of the passes */
    cl_mem weights;
    CheckReport *report;
} Case;

/* What a buffer holds that a pass must overwrite: NaN, whatever the storage. */
static void *garbage_new(gsize bytes)
{
    void *values = g_malloc(bytes);
    memset(values, 0xff, bytes);
    return values;
}

/* Scratch memory of exactly the bytes asked for, full of NaN; FALSE on failure, *workspace NULL if none is
 * wanted. */
static gboolean make_workspace(const Case *c, gsize bytes, cl_mem *workspace, GError **error)
{
    const gsize floats = (bytes + 3) / 4;
    *workspace = NULL;
    if (!bytes)
        return TRUE;
    g_autofree void *garbage = garbage_new(floats * sizeof(float));
    *workspace = check_bytes(c->report, c->context, floats * sizeof(float), garbage, error);
    return *workspace != NULL;
}

/* Runs what was appended, twice over @buffer restored to @before, and compares the bits of the two results.
 */
static gboolean run_twice(const Case *c, MaxglSequence *sequence, const char *what, cl_mem buffer,
                          const void *before, gsize bytes, GError **error)
{
    g_autofree void *first = g_malloc(bytes), *second = g_malloc(bytes);
    for (int run = 0; run < 2; run++)
        if (!maxgl_buffer_write(c->context, buffer, 0, before, bytes, error) ||
            !maxgl_sequence_run(sequence, error) ||
            !maxgl_buffer_read(c->context, buffer, 0, run ? second : first, bytes, error))
            return FALSE;
    if (memcmp(first, second, bytes) != 0)
        check_fail(c->report, "%s: two runs differ", what);
    return TRUE;
}

static gboolean check_forward(const Case *c, gboolean with_epilogue, GError **error)
{
    const Numbers *v = c->numbers;
    const char *what = with_epilogue ? "forward with bias, residual, relu" : "forward";
    const gsize bytes = maxgl_shape_bytes(&v->out);
    MaxglTensor y = {.shape = v->out}, residual = {.shape = v->out};
    cl_mem bias = NULL, workspace = NULL;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(c->context);
    if (!check_tensor(c->report, c->context, v->out, NULL, &y, error) ||
        !make_workspace(c, c->algorithm->forward_workspace(c->context, c->conv), &workspace, error))
        return FALSE;
    if (with_epilogue) {
        bias = check_buffer(c->report, c->context, (gsize)maxgl_shape_blocks(&v->out) * v->out.block,
                            v->bias_padded, error);
        if (!bias || !check_tensor(c->report, c->context, v->out, v->y, &residual, error))
            return FALSE;
    }
    const MaxglConv3dEpilogue epilogue = {.bias = bias, .residual = residual.buffer, .relu = TRUE};
    g_autofree void *before = garbage_new(bytes);
    if (!c->algorithm->forward(sequence, c->conv, c->x.buffer, c->weights, y.buffer,
                               with_epilogue ? &epilogue : NULL, workspace, error) ||
        !run_twice(c, sequence, what, y.buffer, before, bytes, error))
        return FALSE;
    g_autofree double *want = check_zeros(v->y_count);
    check_conv3d_forward(c->conv, v->x64, v->w64, with_epilogue ? v->bias64 : NULL,
                         with_epilogue ? v->y64 : NULL, with_epilogue, want);
    return check_compare_tensor(c->report, c->context, what, &y, want, 1e-5, error);
}

static gboolean check_backward_data(const Case *c, gboolean accumulate, GError **error)
{
    const Numbers *v = c->numbers;
    const char *what = accumulate ? "backward data, accumulating" : "backward data";
    const MaxglShape *in = &c->conv->input;
    const gsize bytes = maxgl_shape_bytes(in);
    MaxglTensor dx = {.shape = *in};
    cl_mem workspace = NULL;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(c->context);
    if (!check_tensor(c->report, c->context, *in, NULL, &dx, error) ||
        !make_workspace(c, c->algorithm->backward_data_workspace(c->context, c->conv), &workspace, error))
        return FALSE;
    g_autofree void *before = garbage_new(bytes);
    g_autofree double *want = check_zeros(v->x_count);
    if (accumulate) {
        g_autofree float *blocked = g_new(float, maxgl_shape_floats(in));
        maxgl_shape_pack(in, v->x, blocked);
        maxgl_storage_pack(in->storage, blocked, before, maxgl_shape_floats(in));
        memcpy(want, v->x64, v->x_count * sizeof *want);
    }
    if (!c->algorithm->backward_data(sequence, c->conv, c->dy.buffer, c->weights, dx.buffer, accumulate,
                                     workspace, error) ||
        !run_twice(c, sequence, what, dx.buffer, before, bytes, error))
        return FALSE;
    check_conv3d_backward_data(c->conv, v->y64, v->w64, want);
    return check_compare_tensor(c->report, c->context, what, &dx, want, 1e-5, error);
}

static gboolean check_backward_weights(const Case *c, GError **error)
{
    const Numbers *v = c->numbers;
    cl_mem workspace = NULL;
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(c->context);
    cl_mem dw = check_buffer(c->report, c->context, v->w_floats, NULL, error);
    if (!dw ||
        !make_workspace(c, c->algorithm->backward_weights_workspace(c->context, c->conv), &workspace, error))
        return FALSE;
    const gsize bytes = v->w_floats * sizeof(float);
    g_autofree void *before = garbage_new(bytes);
    g_autofree float *packed = g_new(float, v->w_floats);
    if (!c->algorithm->backward_weights(sequence, c->conv, c->x.buffer, c->dy.buffer, dw, workspace, error) ||
        !run_twice(c, sequence, "backward weights", dw, before, bytes, error) ||
        !maxgl_buffer_read(c->context, dw, 0, packed, bytes, error))
        return FALSE;

    /* In device layout, so that the entries of padding channels are compared (with zero) too. */
    g_autofree double *plain64 = check_zeros(v->w_count);
    g_autofree float *plain = g_new(float, v->w_count), *want = g_new0(float, v->w_floats);
    check_conv3d_backward_weights(c->conv, v->x64, v->y64, plain64);
    for (gsize i = 0; i < v->w_count; i++)
        plain[i] = (float)plain64[i];
    maxgl_conv3d_pack_weights(c->conv, plain, want);
    g_autofree double *want64 = check_to_double(want, v->w_floats);
    check_compare(c->report, "backward weights", packed, want64, v->w_floats, 1e-5);
    return TRUE;
}

gboolean check_conv3d_algorithm(MaxglContext *context, const CheckConv3dAlgorithm *algorithm,
                                const MaxglConv3d *conv, guint64 seed, CheckReport *report, GError **error)
{
    g_autoptr(Numbers) numbers = numbers_new(conv, algorithm, seed);
    Case c = {.context = context, .algorithm = algorithm, .conv = conv, .numbers = numbers, .report = report};
    c.weights = check_buffer(report, context, numbers->w_floats, numbers->w_packed, error);
    return c.weights && check_tensor(report, context, conv->input, numbers->x, &c.x, error) &&
           check_tensor(report, context, numbers->out, numbers->y, &c.dy, error) &&
           check_forward(&c, FALSE, error) && check_forward(&c, TRUE, error) &&
           (!algorithm->backward_data ||
            (check_backward_data(&c, FALSE, error) && check_backward_data(&c, TRUE, error))) &&
           check_backward_weights(&c, error);
}
