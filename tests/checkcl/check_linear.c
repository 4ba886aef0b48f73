/* The linear layer and its gradients against plain double-precision loops. */
#include "checkcl.h"

#include "ops/linear.h"

static const struct {
    MaxglLinear linear;
    gboolean bias, relu;
} cases[] = {
    {{{1, 1, 1, 1, 1, 1}, 1, 1}, TRUE, FALSE},       {{{1, 1, 1, 1, 1, 16}, 1, 16}, TRUE, TRUE},
    {{{3, 5, 1, 1, 1, 1}, 7, 1}, TRUE, TRUE},        {{{3, 5, 1, 1, 1, 4}, 7, 8}, FALSE, TRUE},
    {{{1, 20, 1, 1, 1, 8}, 3, 8}, TRUE, FALSE},      {{{9, 17, 1, 1, 1, 16}, 33, 16}, TRUE, TRUE},
    {{{13, 3, 1, 1, 1, 1}, 8, 8}, FALSE, FALSE},     {{{7, 48, 1, 1, 1, 16}, 5, 1}, TRUE, TRUE},
    {{{64, 512, 1, 1, 1, 16}, 512, 16}, TRUE, TRUE}, {{{300, 96, 1, 1, 1, 16}, 70, 16}, TRUE, FALSE},
    {{{2100, 40, 1, 1, 1, 8}, 24, 8}, TRUE, TRUE},   {{{20000, 33, 1, 1, 1, 16}, 1, 16}, TRUE, FALSE},
};

typedef struct {
    const MaxglLinear *linear;
    gboolean relu;
    double *x, *weights, *bias, *dy; /* weights: PyTorch's (K, C); bias: zeros if there is none */
    double *y, *dx, *dw, *db;        /* the gradients are those of Σ dy·y without ReLU */
} Reference;

static void reference_free(Reference *r)
{
    double *arrays[] = {r->x, r->weights, r->bias, r->dy, r->y, r->dx, r->dw, r->db};
    for (gsize i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_free(arrays[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reference, reference_free)

static char *describe_linear(const MaxglLinear *l)
{
    return g_strdup_printf("%d×%d → %d, blocks %d and %d", l->input.n, l->input.c, l->out_features,
                           l->input.block, l->out_block);
}

static char *describe(guint index)
{
    g_autofree char *text = describe_linear(&cases[index].linear);
    return g_strdup_printf("%s%s%s", text, cases[index].bias ? ", bias" : "",
                           cases[index].relu ? ", ReLU" : "");
}

static gboolean is_small(guint index)
{
    return maxgl_linear_macs(&cases[index].linear) < 1e4;
}

static void reference_forward(Reference *r, gboolean relu)
{
    const gsize features = (gsize)r->linear->input.c, outputs = (gsize)r->linear->out_features;
    for (gsize n = 0; n < (gsize)r->linear->input.n; n++)
        for (gsize k = 0; k < outputs; k++) {
            double sum = r->bias[k];
            for (gsize c = 0; c < features; c++)
                sum += r->x[n * features + c] * r->weights[k * features + c];
            r->y[n * outputs + k] = relu && sum < 0 ? 0 : sum;
        }
}

static void reference_backward(Reference *r)
{
    const gsize features = (gsize)r->linear->input.c, outputs = (gsize)r->linear->out_features;
    for (gsize n = 0; n < (gsize)r->linear->input.n; n++)
        for (gsize k = 0; k < outputs; k++) {
            const double g = r->dy[n * outputs + k];
            r->db[k] += g;
            for (gsize c = 0; c < features; c++) {
                r->dx[n * features + c] += g * r->weights[k * features + c];
                r->dw[k * features + c] += g * r->x[n * features + c];
            }
        }
}

static double *random_doubles(gsize n, guint64 seed)
{
    g_autofree float *values = check_random(n, seed);
    return check_to_double(values, n);
}

static Reference make_reference(guint index)
{
    const MaxglLinear *l = &cases[index].linear;
    const gsize rows = (gsize)l->input.n, features = (gsize)l->input.c, outputs = (gsize)l->out_features;
    Reference r = {.linear = l, .relu = cases[index].relu};
    r.x = random_doubles(rows * features, 1);
    r.weights = random_doubles(outputs * features, 2);
    r.bias = cases[index].bias ? random_doubles(outputs, 3) : check_zeros(outputs);
    r.dy = random_doubles(rows * outputs, 4);
    r.y = check_zeros(rows * outputs);
    r.dx = check_zeros(rows * features);
    r.dw = check_zeros(outputs * features);
    r.db = check_zeros(outputs);
    reference_forward(&r, r.relu);
    reference_backward(&r);
    return r;
}

static double weighted_output(gpointer data)
{
    Reference *r = data;
    double sum = 0;
    reference_forward(r, FALSE);
    for (gsize i = 0; i < (gsize)r->linear->input.n * (gsize)r->linear->out_features; i++)
        sum += r->dy[i] * r->y[i];
    return sum;
}

static void gradient(guint index, CheckReport *report)
{
    if (!is_small(index))
        return;
    g_auto(Reference) r = make_reference(index);
    const gsize rows = (gsize)r.linear->input.n, outputs = (gsize)r.linear->out_features;
    const gsize features = (gsize)r.linear->input.c;
    check_derivative(report, "x", weighted_output, &r, r.x, r.dx, rows * features, 1e-6);
    check_derivative(report, "weights", weighted_output, &r, r.weights, r.dw, outputs * features, 1e-6);
    check_derivative(report, "bias", weighted_output, &r, r.bias, r.db, outputs, 1e-6);
}

typedef struct {
    MaxglLinear linear;
    MaxglTensor x, y, dy, dx, sum; /* sum: x, then dx added to it */
    cl_mem weights, bias, dw, db, workspace;
} Device;

static float *to_float(const double *values, gsize n, gsize padded)
{
    float *result = g_new0(float, padded);
    for (gsize i = 0; i < n; i++)
        result[i] = (float)values[i];
    return result;
}

static gsize out_pitch(const MaxglLinear *l)
{
    const MaxglShape out = maxgl_linear_output(l);
    return (gsize)maxgl_shape_blocks(&out) * (gsize)out.block;
}

static gsize workspace_bytes(MaxglContext *context, const MaxglLinear *l)
{
    const gsize forward = maxgl_linear_forward_workspace(context, l);
    const gsize data = maxgl_linear_backward_data_workspace(context, l);
    return MAX(MAX(forward, data), maxgl_linear_backward_weights_workspace(context, l));
}

static gboolean make_device(MaxglContext *context, const Reference *r, gboolean bias, CheckReport *report,
                            Device *d, GError **error)
{
    const MaxglLinear *l = r->linear;
    const MaxglShape in = l->input, out = maxgl_linear_output(l);
    const gsize n_in = maxgl_shape_elements(&in), n_out = maxgl_shape_elements(&out);
    const gsize n_weights = maxgl_linear_weight_elements(l), padded = maxgl_linear_weight_floats(l);
    g_autofree float *x = to_float(r->x, n_in, n_in), *dy = to_float(r->dy, n_out, n_out);
    g_autofree float *weights = to_float(r->weights, n_weights, n_weights), *packed = g_new(float, padded);
    g_autofree float *biases = to_float(r->bias, (gsize)l->out_features, out_pitch(l));
    maxgl_linear_pack_weights(l, weights, packed);
    *d = (Device){.linear = *l};
    d->weights = check_buffer(report, context, padded, packed, error);
    d->bias = bias ? check_buffer(report, context, out_pitch(l), biases, error) : NULL;
    d->dw = check_buffer(report, context, padded, NULL, error);
    d->db = bias ? check_buffer(report, context, out_pitch(l), NULL, error) : NULL;
    d->workspace = check_bytes(report, context, workspace_bytes(context, l), NULL, error);
    return d->weights && d->dw && d->workspace && (!bias || (d->bias && d->db)) &&
           check_tensor(report, context, in, x, &d->x, error) &&
           check_tensor(report, context, in, x, &d->sum, error) &&
           check_tensor(report, context, in, NULL, &d->dx, error) &&
           check_tensor(report, context, out, NULL, &d->y, error) &&
           check_tensor(report, context, out, dy, &d->dy, error);
}

static gboolean compare_weights(MaxglContext *context, const Reference *r, const Device *d,
                                CheckReport *report, GError **error)
{
    const MaxglLinear *l = r->linear;
    const gsize floats = maxgl_linear_weight_floats(l), n = maxgl_linear_weight_elements(l);
    g_autofree float *packed = g_new(float, floats), *plain = g_new(float, n), *again = g_new(float, floats);
    if (!maxgl_buffer_read(context, d->dw, 0, packed, floats * sizeof(float), error))
        return FALSE;
    maxgl_linear_unpack_weights(l, packed, plain);
    check_compare(report, "dw", plain, r->dw, n, 3e-6);
    maxgl_linear_pack_weights(l, plain, again);
    for (gsize i = 0; i < floats; i++)
        if (packed[i] != again[i]) {
            check_fail(report, "dw: padding entry %" G_GSIZE_FORMAT " is %g", i, packed[i]);
            break;
        }
    return TRUE;
}

static gboolean compare(MaxglContext *context, const Reference *r, const Device *d, CheckReport *report,
                        GError **error)
{
    const MaxglLinear *l = r->linear;
    const gsize n_in = maxgl_shape_elements(&l->input), outputs = (gsize)l->out_features;
    g_autofree double *sum = check_zeros(n_in);
    for (gsize i = 0; i < n_in; i++)
        sum[i] = r->x[i] + r->dx[i];
    return check_compare_tensor(report, context, "y", &d->y, r->y, 1e-6, error) &&
           check_compare_tensor(report, context, "dx", &d->dx, r->dx, 1e-6, error) &&
           check_compare_tensor(report, context, "dx +=", &d->sum, sum, 1e-6, error) &&
           compare_weights(context, r, d, report, error) &&
           (!d->db || check_compare_buffer(report, context, "db", d->db, r->db, outputs,
                                           out_pitch(l) - outputs, 3e-6, error));
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    g_auto(Reference) r = make_reference(index);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    const MaxglLinear *l = r.linear;
    Device d;
    return make_device(context, &r, cases[index].bias, report, &d, error) &&
           maxgl_linear_forward(sequence, l, d.x.buffer, d.weights, d.bias, r.relu, d.y.buffer, d.workspace,
                                error) &&
           maxgl_linear_backward_data(sequence, l, d.dy.buffer, d.weights, d.dx.buffer, FALSE, d.workspace,
                                      error) &&
           maxgl_linear_backward_data(sequence, l, d.dy.buffer, d.weights, d.sum.buffer, TRUE, d.workspace,
                                      error) &&
           maxgl_linear_backward_weights(sequence, l, d.x.buffer, d.dy.buffer, d.dw, d.db, d.workspace,
                                         error) &&
           check_run(sequence, error) && compare(context, &r, &d, report, error);
}

static const MaxglLinear bench_layers[] = {
    {{64, 512, 1, 1, 1, 16}, 512, 16},
    {{2048, 512, 1, 1, 1, 16}, 512, 16},
    {{50000, 512, 1, 1, 1, 16}, 512, 16},
};
static const char *const bench_passes[] = {"forward", "backward data", "backward weights"};

static char *describe_bench(guint index)
{
    g_autofree char *text = describe_linear(&bench_layers[index / 3]);
    return g_strdup_printf("%s, %s", text, bench_passes[index % 3]);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const MaxglLinear *l = &bench_layers[index / 3];
    const MaxglShape out = maxgl_linear_output(l);
    g_autofree double *x = random_doubles(maxgl_shape_elements(&l->input), 1);
    g_autofree double *dy = random_doubles(maxgl_shape_elements(&out), 2);
    g_autofree double *weights = random_doubles(maxgl_linear_weight_elements(l), 3);
    const Reference r = {.linear = l, .x = x, .dy = dy, .weights = weights, .bias = dy};
    Device d;
    *flops = 2 * maxgl_linear_macs(l);
    *bytes = (double)(maxgl_shape_bytes(&l->input) + maxgl_shape_bytes(&out)) +
             (double)maxgl_linear_weight_floats(l) * sizeof(float);
    if (!make_device(context, &r, TRUE, report, &d, error))
        return FALSE;
    if (index % 3 == 0)
        return maxgl_linear_forward(sequence, l, d.x.buffer, d.weights, d.bias, TRUE, d.y.buffer, d.workspace,
                                    error);
    if (index % 3 == 1)
        return maxgl_linear_backward_data(sequence, l, d.dy.buffer, d.weights, d.dx.buffer, FALSE,
                                          d.workspace, error);
    return maxgl_linear_backward_weights(sequence, l, d.x.buffer, d.dy.buffer, d.dw, d.db, d.workspace,
                                         error);
}

const MaxglCheck check_linear = {
    .name = "linear",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(bench_layers) * 3,
    .describe_bench = describe_bench,
    .bench = bench,
};
