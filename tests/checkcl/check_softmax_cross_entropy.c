/* Softmax cross-entropy: loss, gradient and hits against plain double-precision loops. */
#include "checkcl.h"

#include "ops/softmax_cross_entropy.h"
#include <math.h>
#include <string.h>

typedef enum {
    PLAIN,
    SOME_IGNORED,
    ALL_IGNORED,
    TIES,  /* logits are small integers, so that several classes share the greatest */
    LARGE, /* logits that overflow an exponential */
} Kind;

static const struct {
    int rows, classes, block;
    Kind kind;
    gboolean weighted;
} cases[] = {
    {1, 1, 1, PLAIN, FALSE},        {1, 2, 16, PLAIN, FALSE},
    {3, 5, 1, PLAIN, TRUE},         {4, 3, 4, SOME_IGNORED, FALSE},
    {6, 17, 8, SOME_IGNORED, TRUE}, {3, 4, 8, ALL_IGNORED, TRUE},
    {9, 5, 8, TIES, FALSE},         {5, 21, 16, LARGE, TRUE},
    {7, 40, 16, PLAIN, FALSE},      {64, 101, 16, SOME_IGNORED, TRUE},
    {70, 400, 16, TIES, FALSE},     {4000, 51, 8, PLAIN, FALSE},
};

typedef struct {
    int rows, classes;
    double *logits, *weights, *gradient;
    gint32 *labels;
    double result[4]; /* loss, weight, rows, hits */
} Reference;

static void reference_free(Reference *r)
{
    g_free(r->logits);
    g_free(r->weights);
    g_free(r->gradient);
    g_free(r->labels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reference, reference_free)

static char *describe(guint index)
{
    static const char *const kinds[] = {"", ", some labels ignored", ", all labels ignored", ", ties",
                                        ", large"};
    return g_strdup_printf("%d×%d, block %d%s%s", cases[index].rows, cases[index].classes, cases[index].block,
                           kinds[cases[index].kind], cases[index].weighted ? ", weighted" : "");
}

static gboolean is_small(guint index)
{
    return cases[index].rows * cases[index].classes < 500;
}

static gint32 make_label(guint index, int row)
{
    const gint32 outside[] = {-1, cases[index].classes, G_MININT32};
    if (cases[index].kind == ALL_IGNORED || (cases[index].kind == SOME_IGNORED && row % 3 == 1))
        return outside[row % 3];
    return (row * 7 + 3) % cases[index].classes;
}

static double log_sum_exp(const double *row, int n)
{
    double greatest = -INFINITY, sum = 0;
    for (int k = 0; k < n; k++)
        greatest = MAX(greatest, row[k]);
    for (int k = 0; k < n; k++)
        sum += exp(row[k] - greatest);
    return greatest + log(sum);
}

static int first_greatest(const double *row, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (row[k] > row[best])
            best = k;
    return best;
}

static void reference_run(Reference *r)
{
    double loss = 0, weight = 0, rows = 0, hits = 0;
    for (int n = 0; n < r->rows; n++) {
        const double *row = &r->logits[n * r->classes];
        const int label = r->labels[n];
        if (label < 0 || label >= r->classes)
            continue;
        loss += r->weights[label] * (log_sum_exp(row, r->classes) - row[label]);
        weight += r->weights[label];
        rows++;
        hits += first_greatest(row, r->classes) == label;
    }
    const double result[] = {weight > 0 ? loss / weight : 0, weight, rows, hits};
    for (int i = 0; i < 4; i++)
        r->result[i] = result[i];
    for (int n = 0; n < r->rows; n++)
        for (int k = 0; k < r->classes; k++) {
            const double *row = &r->logits[n * r->classes];
            const int label = r->labels[n];
            const gboolean counts = label >= 0 && label < r->classes;
            r->gradient[n * r->classes + k] =
                counts
                    ? (exp(row[k] - log_sum_exp(row, r->classes)) - (k == label)) * r->weights[label] / weight
                    : 0;
        }
}

static Reference make_reference(guint index)
{
    const int rows = cases[index].rows, classes = cases[index].classes;
    const gsize n = (gsize)rows * (gsize)classes;
    g_autofree float *random = check_random(n, index);
    Reference r = {.rows = rows, .classes = classes};
    for (gsize i = 0; i < n; i++) {
        if (cases[index].kind == TIES)
            random[i] = (float)((int)(random[i] * 2));
        if (cases[index].kind == LARGE)
            random[i] = 100 + 200 * random[i];
    }
    r.logits = check_to_double(random, n);
    r.weights = check_zeros((gsize)classes);
    r.gradient = check_zeros(n);
    r.labels = g_new(gint32, rows);
    for (int k = 0; k < classes; k++)
        r.weights[k] = cases[index].weighted ? (float)(0.25 + k % 5) : 1;
    for (int row = 0; row < rows; row++)
        r.labels[row] = make_label(index, row);
    reference_run(&r);
    return r;
}

static double loss_of(gpointer data)
{
    Reference *r = data;
    reference_run(r);
    return r->result[0];
}

static void gradient(guint index, CheckReport *report)
{
    if (!is_small(index))
        return;
    g_auto(Reference) r = make_reference(index);
    const gsize n = (gsize)r.rows * (gsize)r.classes;
    g_autofree double *derivative = g_new(double, n); /* loss_of() writes its own */
    memcpy(derivative, r.gradient, n * sizeof(double));
    check_derivative(report, "logits", loss_of, &r, r.logits, derivative, n, 1e-6);
}

static gboolean compare(MaxglContext *context, guint index, CheckReport *report, const Reference *r,
                        cl_mem result, const MaxglTensor *gradient_tensor, GError **error)
{
    MaxglCrossEntropy got;
    if (!maxgl_buffer_read(context, result, 0, &got, sizeof got, error))
        return FALSE;
    const float sums[] = {got.loss, got.weight};
    check_compare(report, "loss and weight", sums, r->result, 2, 2e-6);
    if (got.rows != (gint32)r->result[2] || got.hits != (gint32)r->result[3])
        check_fail(report, "%d hits in %d rows, want %g in %g", got.hits, got.rows, r->result[3],
                   r->result[2]);
    return check_compare_tensor(report, context, "dlogits", gradient_tensor, r->gradient,
                                cases[index].kind == LARGE ? 3e-5 : 2e-6, error);
}

static gboolean append(MaxglSequence *sequence, guint index, CheckReport *report, const Reference *r,
                       const MaxglTensor *x, cl_mem result, cl_mem dlogits, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    g_autofree float *weights = g_new(float, r->classes);
    for (int k = 0; k < r->classes; k++)
        weights[k] = (float)r->weights[k];
    cl_mem labels = check_bytes(report, context, (gsize)r->rows * sizeof(gint32), r->labels, error);
    cl_mem class_weights =
        cases[index].weighted ? check_buffer(report, context, (gsize)r->classes, weights, error) : NULL;
    cl_mem workspace =
        check_bytes(report, context, maxgl_softmax_cross_entropy_workspace(&x->shape), NULL, error);
    return labels && workspace && (class_weights || !cases[index].weighted) &&
           maxgl_softmax_cross_entropy(sequence, &x->shape, x->buffer, labels, class_weights, result, dlogits,
                                       workspace, error);
}

/* Once into a buffer of its own, and once in place of the logits. */
static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    g_auto(Reference) r = make_reference(index);
    const MaxglShape shape = maxgl_shape(r.rows, r.classes, 1, 1, 1, cases[index].block);
    const gsize n = maxgl_shape_elements(&shape);
    g_autofree float *logits = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        logits[i] = (float)r.logits[i];
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    MaxglTensor x, dx;
    cl_mem result = check_bytes(report, context, sizeof(MaxglCrossEntropy), NULL, error);
    cl_mem again = check_bytes(report, context, sizeof(MaxglCrossEntropy), NULL, error);
    return result && again && check_tensor(report, context, shape, logits, &x, error) &&
           check_tensor(report, context, shape, NULL, &dx, error) &&
           append(sequence, index, report, &r, &x, result, dx.buffer, error) &&
           append(sequence, index, report, &r, &x, again, x.buffer, error) && check_run(sequence, error) &&
           compare(context, index, report, &r, result, &dx, error) &&
           compare(context, index, report, &r, again, &x, error);
}

const MaxglCheck check_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
};
