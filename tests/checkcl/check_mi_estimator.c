/* Bounds on mutual information against the formulas written out pair by pair. */
#include "checkcl.h"

#include "ops/mi_estimator.h"
#include <math.h>

typedef struct {
    MaxglMiTerm term;
    double spread; /* of the scores */
    gboolean add, in_place, value_only;
} Case;

static const Case cases[] = {
    {{MAXGL_MI_JSD, 3, 1, FALSE, FALSE, 1, 1}, 1},
    {{MAXGL_MI_JSD, 5, 2, FALSE, FALSE, 0.5, 2}, 2, .add = TRUE},
    {{MAXGL_MI_JSD, 17, 7, TRUE, FALSE, 1, 0.25}, 20, .in_place = TRUE},
    {{MAXGL_MI_JSD, 2, 3, FALSE, FALSE, 1, 1}, 1, .value_only = TRUE},
    {{MAXGL_MI_INFONCE, 2, 1, FALSE, FALSE, 1, 1}, 1},
    {{MAXGL_MI_INFONCE, 3, 1, FALSE, TRUE, 1, 1}, 1},
    {{MAXGL_MI_INFONCE, 5, 2, FALSE, FALSE, 0.5, 3}, 2, .add = TRUE},
    {{MAXGL_MI_INFONCE, 17, 7, FALSE, TRUE, 1, 1}, 20},
    {{MAXGL_MI_INFONCE, 3, 2, TRUE, FALSE, 1, 1}, 1},
    {{MAXGL_MI_INFONCE, 5, 7, TRUE, TRUE, 0.25, 1}, 5, .in_place = TRUE},
    {{MAXGL_MI_INFONCE, 17, 3, TRUE, FALSE, 1, 1}, 30, .value_only = TRUE},
    {{MAXGL_MI_DV, 3, 1, FALSE, FALSE, 1, 1}, 1},
    {{MAXGL_MI_DV, 5, 2, FALSE, FALSE, 0.5, 2}, 2, .add = TRUE},
    {{MAXGL_MI_DV, 5, 7, TRUE, FALSE, 1, 1}, 3},
    {{MAXGL_MI_DV, 17, 7, TRUE, FALSE, 1, 1}, 30, .in_place = TRUE},
    {{MAXGL_MI_DV, 17, 2, FALSE, FALSE, 1, 1}, 1, .value_only = TRUE},
};

static const char *const names[] = {"jsd", "infonce", "dv"};

static char *describe(guint index)
{
    const Case *c = &cases[index];
    return g_strdup_printf("%s%s%s, N %d, R %d, share %g, weight %g, scores ±%g%s%s%s",
                           names[c->term.estimator], c->term.all_regions ? " all regions" : "",
                           c->term.symmetric ? " symmetric" : "", c->term.items, c->term.regions,
                           c->term.share, c->term.weight, c->spread, c->add ? ", add" : "",
                           c->in_place ? ", in place" : "", c->value_only ? ", value only" : "");
}

static gboolean is_small(guint index)
{
    return cases[index].term.items * cases[index].term.regions < 40;
}

/* One term of the reference: scores and, with gradients, ∂value/∂scores. */
typedef struct {
    const MaxglMiTerm *term;
    double *scores, *gradient;
} Reference;

static gsize at(const Reference *ref, int r, int i, int j)
{
    return ((gsize)r * ref->term->items + i) * ref->term->items + j;
}

/* log Σ exp over @n scores; adds @slope · softmax to their gradients. */
static double log_sum_exp(const Reference *ref, const gsize *set, gsize n, double slope)
{
    double most = -INFINITY, sum = 0;
    for (gsize k = 0; k < n; k++)
        most = fmax(most, ref->scores[set[k]]);
    for (gsize k = 0; k < n; k++)
        sum += exp(ref->scores[set[k]] - most);
    for (gsize k = 0; ref->gradient && k < n; k++)
        ref->gradient[set[k]] += slope * exp(ref->scores[set[k]] - most) / sum;
    return most + log(sum);
}

static double score(const Reference *ref, gsize place, double slope)
{
    if (ref->gradient)
        ref->gradient[place] += slope;
    return ref->scores[place];
}

static double jsd(const Reference *ref)
{
    const int n = ref->term->items, regions = ref->term->regions;
    const double positives = n * regions, negatives = positives * (n - 1);
    double value = 0;
    for (int r = 0; r < regions; r++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                const double t = ref->scores[at(ref, r, i, j)];
                value +=
                    i == j ? (log(2) - log1p(exp(-t))) / positives : (log(2) - log1p(exp(t))) / negatives;
                score(ref, at(ref, r, i, j),
                      i == j ? 1 / (1 + exp(t)) / positives : -1 / (1 + exp(-t)) / negatives);
            }
    return value;
}

/* Mean over positive pairs of T − log Σ exp + log K, over the candidates of rows or of columns. */
static double infonce(const Reference *ref, gboolean columns, double share)
{
    const int n = ref->term->items, regions = ref->term->regions;
    g_autofree gsize *set = g_new(gsize, (gsize)n * regions);
    const double slope = share / (n * regions);
    double value = 0;
    for (int r = 0; r < regions; r++)
        for (int i = 0; i < n; i++) {
            gsize count = 0;
            set[count++] = at(ref, r, i, i);
            for (int s = 0; s < regions; s++)
                for (int j = 0; j < n; j++)
                    if (j != i && (s == r || (ref->term->all_regions && !columns)))
                        set[count++] = columns ? at(ref, s, j, i) : at(ref, s, i, j);
            value += slope *
                     (score(ref, set[0], slope) - log_sum_exp(ref, set, count, -slope) + log((double)count));
        }
    return value;
}

static double dv(const Reference *ref)
{
    const int n = ref->term->items, regions = ref->term->regions;
    const int pools = ref->term->all_regions ? 1 : regions;
    g_autofree gsize *set = g_new(gsize, (gsize)n * n * regions);
    double value = 0;
    for (int pool = 0; pool < pools; pool++) {
        gsize count = 0;
        for (int r = 0; r < regions; r++)
            for (int i = 0; i < n && (pools == 1 || r == pool); i++)
                for (int j = 0; j < n; j++) {
                    const double slope = 1.0 / (n * regions);
                    if (i == j)
                        value += slope * score(ref, at(ref, r, i, i), slope);
                    else
                        set[count++] = at(ref, r, i, j);
                }
        value -= (log_sum_exp(ref, set, count, -1.0 / pools) - log((double)count)) / pools;
    }
    return value;
}

static double value_of(gpointer data)
{
    const Reference *ref = data;
    switch (ref->term->estimator) {
    case MAXGL_MI_JSD:
        return jsd(ref);
    case MAXGL_MI_DV:
        return dv(ref);
    default:
        return ref->term->symmetric ? infonce(ref, FALSE, 0.5) + infonce(ref, TRUE, 0.5)
                                    : infonce(ref, FALSE, 1);
    }
}

static gsize count_of(const MaxglMiTerm *term)
{
    return (gsize)term->items * term->items * term->regions;
}

static float *make_scores(const Case *c, guint index)
{
    float *scores = check_random(count_of(&c->term), index);
    for (gsize i = 0; i < count_of(&c->term); i++)
        scores[i] *= (float)c->spread;
    return scores;
}

static void gradient(guint index, CheckReport *report)
{
    const Case *c = &cases[index];
    const gsize n = count_of(&c->term);
    g_autofree float *scores = make_scores(c, index);
    g_autofree double *values = check_to_double(scores, n), *slopes = check_zeros(n);
    Reference ref = {&c->term, values, slopes};
    value_of(&ref);
    ref.gradient = NULL;
    check_derivative(report, "value", value_of, &ref, values, slopes, n, 1e-6);
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Case *c = &cases[index];
    const MaxglMiTerm *term = &c->term;
    const gsize n = count_of(term);
    const float before[] = {7, -3, 5};
    g_autofree float *scores = make_scores(c, index);
    g_autofree double *values = check_to_double(scores, n), *slopes = check_zeros(n);
    const Reference ref = {term, values, slopes};
    const double value = value_of((gpointer)&ref);
    const double want[] = {7, term->share * value + (c->add ? -3 : 0), 5};
    for (gsize i = 0; i < n; i++)
        slopes[i] *= -term->weight * term->share;
    if (term->estimator == MAXGL_MI_INFONCE && value > log(maxgl_mi_estimator_candidates(term)))
        check_fail(report, "the reference is above log K");

    cl_mem t = check_buffer(report, context, n, scores, error), dt = NULL;
    if (!c->value_only)
        dt = c->in_place ? t : check_buffer(report, context, n, NULL, error);
    cl_mem slots = check_buffer(report, context, 3, before, error);
    cl_mem workspace = check_bytes(report, context, maxgl_mi_estimator_workspace(term), NULL, error);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    return t && (dt || c->value_only) && slots && workspace &&
           maxgl_mi_estimator(sequence, term, t, dt, slots, 1, c->add, workspace, error) &&
           check_run(sequence, error) &&
           check_compare_buffer(report, context, "values", slots, want, 3, 0, 1e-6, error) &&
           (c->value_only ||
            check_compare_buffer(report, context, "dscores", dt, slopes, n, 0, 1e-5, error)) &&
           (c->in_place || check_compare_buffer(report, context, "scores", t, values, n, 0, 0, error));
}

static const MaxglMiTerm benches[] = {
    {MAXGL_MI_JSD, 32, 98, FALSE, FALSE, 1, 1},
    {MAXGL_MI_INFONCE, 32, 98, FALSE, FALSE, 1, 1},
    {MAXGL_MI_INFONCE, 32, 98, TRUE, TRUE, 1, 1},
};

static char *describe_bench(guint index)
{
    const MaxglMiTerm *term = &benches[index];
    return g_strdup_printf("%s%s, N %d, R %d", names[term->estimator],
                           term->all_regions ? " all regions symmetric" : "", term->items, term->regions);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    const MaxglMiTerm *term = &benches[index];
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize n = count_of(term);
    g_autofree float *scores = check_random(n, 1);
    cl_mem t = check_buffer(report, context, n, scores, error);
    cl_mem dt = check_buffer(report, context, n, NULL, error);
    cl_mem slots = check_buffer(report, context, 1, NULL, error);
    cl_mem workspace = check_bytes(report, context, maxgl_mi_estimator_workspace(term), NULL, error);
    *flops = 0;
    *bytes = 2 * sizeof(float) * (double)n;
    return t && dt && slots && workspace &&
           maxgl_mi_estimator(sequence, term, t, dt, slots, 0, FALSE, workspace, error);
}

const MaxglCheck check_mi_estimator = {
    .name = "mi_estimator",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
