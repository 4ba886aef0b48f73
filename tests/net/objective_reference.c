#include "objective_reference.h"

#include <math.h>
#include <string.h>

/* Rows of features, items × regions, each a vector. */
typedef struct {
    double *values;
    int items, regions, width;
} Rows;

static double *row_of(const Rows *rows, int item, int region)
{
    return rows->values + ((gsize)item * rows->regions + region) * rows->width;
}

static void array_free(gpointer pointer)
{
    ReferenceArray *array = pointer;
    g_free(array->values);
    g_free(array);
}

ObjectiveReference *objective_reference_new(const MaxglObjectiveOptions *options, const MaxglResnet *resnet,
                                            int batch)
{
    ObjectiveReference *reference = g_new(ObjectiveReference, 1);
    *reference = (ObjectiveReference){options, resnet, batch,
                                      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, array_free)};
    return reference;
}

void objective_reference_free(ObjectiveReference *reference)
{
    g_hash_table_unref(reference->arrays);
    g_free(reference);
}

void objective_reference_set(ObjectiveReference *reference, const char *name, const float *values, gsize n)
{
    ReferenceArray *array = g_new(ReferenceArray, 1);
    *array = (ReferenceArray){g_new(double, n), n};
    for (gsize i = 0; i < n; i++)
        array->values[i] = values[i];
    g_hash_table_insert(reference->arrays, g_strdup(name), array);
}

static const double *array_of(const ObjectiveReference *reference, const char *prefix, const char *what)
{
    g_autofree char *name = *prefix ? g_strdup_printf("%s.%s", prefix, what) : g_strdup(what);
    const ReferenceArray *array = g_hash_table_lookup(reference->arrays, name);
    if (!array)
        g_error("%s is not among the reference's arrays", name);
    return array->values;
}

/* ---------------- features ---------------- */

static MaxglMap map_of(const ObjectiveReference *reference, const char *tap)
{
    return reference->resnet->tensors[maxgl_resnet_tap(reference->resnet, tap)].map;
}

/* From @begin to before @end: the positions of part @i of @parts of @size. */
static void part_of(int i, int parts, int size, int *begin, int *end)
{
    *begin = i * size / parts;
    *end = ((i + 1) * size + parts - 1) / parts;
}

static double mean_of_region(const double *plane, MaxglMap m, const int parts[3], int region)
{
    int begin[3], end[3];
    part_of(region / (parts[1] * parts[2]), parts[0], m.t, &begin[0], &end[0]);
    part_of(region / parts[2] % parts[1], parts[1], m.h, &begin[1], &end[1]);
    part_of(region % parts[2], parts[2], m.w, &begin[2], &end[2]);
    double sum = 0;
    for (int t = begin[0]; t < end[0]; t++)
        for (int h = begin[1]; h < end[1]; h++)
            for (int w = begin[2]; w < end[2]; w++)
                sum += plane[(t * m.h + h) * m.w + w];
    return sum / ((end[0] - begin[0]) * (end[1] - begin[1]) * (end[2] - begin[2]));
}

static Rows features_of(const ObjectiveReference *reference, const char *tap, const int regions[3])
{
    const MaxglMap m = map_of(reference, tap);
    const int parts[3] = {regions[0] ? regions[0] : m.t, regions[1] ? regions[1] : m.h,
                          regions[2] ? regions[2] : m.w};
    const double *map = array_of(reference, "", tap);
    Rows rows = {NULL, reference->batch, parts[0] * parts[1] * parts[2], m.c};
    rows.values = g_new(double, (gsize)rows.items *rows.regions *rows.width);
    for (int n = 0; n < rows.items; n++)
        for (int r = 0; r < rows.regions; r++)
            for (int c = 0; c < m.c; c++)
                row_of(&rows, n, r)[c] =
                    mean_of_region(map + ((gsize)n * m.c + c) * m.t * m.h * m.w, m, parts, r);
    return rows;
}

/* ---------------- encoders ---------------- */

static Rows project(const ObjectiveReference *reference, const char *prefix, const char *weight,
                    const char *bias, const Rows *x)
{
    const int width = reference->options->hidden;
    const double *w = array_of(reference, prefix, weight),
                 *b = bias ? array_of(reference, prefix, bias) : NULL;
    Rows y = {NULL, x->items, x->regions, width};
    const int n = x->items * x->regions;
    y.values = g_new(double, (gsize)n *width);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < width; k++) {
            double sum = b ? b[k] : 0;
            for (int c = 0; c < x->width; c++)
                sum += w[k * x->width + c] * x->values[(gsize)i * x->width + c];
            y.values[(gsize)i * width + k] = sum;
        }
    return y;
}

/* @n numbers that lie @stride apart: mean 0 and variance 1. */
static void standardise(double *values, int n, int stride)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < n; i++)
        mean += values[i * stride] / n;
    for (int i = 0; i < n; i++)
        variance += (values[i * stride] - mean) * (values[i * stride] - mean) / n;
    for (int i = 0; i < n; i++)
        values[i * stride] = (values[i * stride] - mean) / sqrt(variance + 1e-5F);
}

static void scale_and_shift(const ObjectiveReference *reference, const char *prefix, const char *gamma,
                            const char *beta, Rows *x)
{
    const double *g = array_of(reference, prefix, gamma), *b = array_of(reference, prefix, beta);
    for (int i = 0; i < x->items * x->regions * x->width; i++)
        x->values[i] = x->values[i] * g[i % x->width] + b[i % x->width];
}

/* LayerNorm(W2·relu(BN(W1·x)) + W3·x) */
static Rows residual(const ObjectiveReference *reference, const char *prefix, const Rows *x)
{
    Rows hidden = project(reference, prefix, "conv1.weight", NULL, x);
    const int n = hidden.items * hidden.regions, width = hidden.width;
    for (int k = 0; k < width; k++)
        standardise(hidden.values + k, n, width);
    scale_and_shift(reference, prefix, "bn.weight", "bn.bias", &hidden);
    for (int i = 0; i < n * width; i++)
        hidden.values[i] = fmax(0, hidden.values[i]);
    Rows sum = project(reference, prefix, "conv2.weight", NULL, &hidden);
    Rows shortcut = project(reference, prefix, "shortcut.weight", NULL, x);
    for (int i = 0; i < n * width; i++)
        sum.values[i] += shortcut.values[i];
    for (int i = 0; i < n; i++)
        standardise(sum.values + (gsize)i * width, width, 1);
    scale_and_shift(reference, prefix, "norm.weight", "norm.bias", &sum);
    g_free(hidden.values);
    g_free(shortcut.values);
    return sum;
}

static Rows encode(const ObjectiveReference *reference, const char *term, const char *side, const Rows *x)
{
    const gboolean dot = reference->options->discriminator == MAXGL_DISCRIMINATOR_DOT;
    const gboolean shared = dot && strcmp(term, "head.global") == 0;
    g_autofree char *prefix = g_strdup_printf("%s.%s", term, shared ? "encoder" : side);
    return dot ? residual(reference, prefix, x)
               : project(reference, prefix, "weight", strcmp(side, "left") == 0 ? "bias" : NULL, x);
}

/* ---------------- scores and estimates ---------------- */

static double concat_score(const ObjectiveReference *reference, const char *term, const double *a,
                           const double *b)
{
    const int width = reference->options->hidden;
    const double *w2 = array_of(reference, term, "hidden.weight"),
                 *b2 = array_of(reference, term, "hidden.bias"),
                 *w3 = array_of(reference, term, "score.weight");
    double score = array_of(reference, term, "score.bias")[0];
    for (int k = 0; k < width; k++) {
        double unit = b2[k];
        for (int c = 0; c < width; c++)
            unit += w2[k * width + c] * fmax(0, a[c] + b[c]);
        score += w3[k] * fmax(0, unit);
    }
    return score;
}

static double score(const ObjectiveReference *reference, const char *term, const double *a, const double *b)
{
    const MaxglObjectiveOptions *o = reference->options;
    const gboolean infonce = o->estimator == MAXGL_MI_INFONCE;
    double t = 0;
    if (o->discriminator == MAXGL_DISCRIMINATOR_CONCAT)
        t = concat_score(reference, term, a, b);
    else
        for (int c = 0; c < o->hidden; c++)
            t += a[c] * b[c] / (infonce ? sqrt(o->hidden) : 1);
    return infonce ? t / o->temperature : t;
}

/* Scores T[r][i][j] of one pairing. */
typedef struct {
    double *t;
    int n, regions;
    gboolean all_regions, symmetric;
} Scores;

static double at(const Scores *s, int r, int i, int j)
{
    return s->t[(r * s->n + i) * s->n + j];
}

static double jsd(const Scores *s)
{
    double value = 0;
    for (int r = 0; r < s->regions; r++)
        for (int i = 0; i < s->n; i++)
            for (int j = 0; j < s->n; j++) {
                const double t = at(s, r, i, j), pairs = (double)s->regions * s->n;
                value += i == j ? (log(2) - log1p(exp(-t))) / pairs
                                : -(log1p(exp(t)) - log(2)) / (pairs * (s->n - 1));
            }
    return value;
}

static double dv(const Scores *s)
{
    double positive = 0, all = 0, each = 0;
    for (int r = 0; r < s->regions; r++) {
        double negative = 0;
        for (int i = 0; i < s->n; i++)
            for (int j = 0; j < s->n; j++)
                negative += i == j ? 0 : exp(at(s, r, i, j)) / (s->n * (s->n - 1.0));
        for (int i = 0; i < s->n; i++)
            positive += at(s, r, i, i) / ((double)s->n * s->regions);
        all += negative / s->regions;
        each += log(negative) / s->regions;
    }
    return positive - (s->all_regions ? log(all) : each);
}

/* log of the positive pair's part of its candidates, times their number. */
static double infonce_pair(const Scores *s, int r, int i, gboolean columns)
{
    double sum = exp(at(s, r, i, i));
    int candidates = 1;
    for (int q = 0; q < s->regions; q++)
        for (int j = 0; j < s->n; j++) {
            if (j == i || (q != r && !s->all_regions))
                continue;
            sum += exp(columns ? at(s, q, j, i) : at(s, q, i, j));
            candidates++;
        }
    return at(s, r, i, i) - log(sum / candidates);
}

static double infonce(const Scores *s)
{
    double value = 0;
    for (int r = 0; r < s->regions; r++)
        for (int i = 0; i < s->n; i++)
            value += s->symmetric ? (infonce_pair(s, r, i, FALSE) + infonce_pair(s, r, i, TRUE)) / 2
                                  : infonce_pair(s, r, i, FALSE);
    return value / ((double)s->n * s->regions);
}

/* Clip @x of each video on the left, clip @y on the right. */
static double pairing(const ObjectiveReference *reference, const char *term, const Rows *left,
                      const Rows *right, int x, int y)
{
    const MaxglObjectiveOptions *o = reference->options;
    const int n = left->items / o->clips;
    const gboolean global = strcmp(term, "head.global") == 0;
    g_autofree double *t = g_new(double, (gsize)n *n * right->regions);
    const Scores scores = {t, n, right->regions, !global && o->local_negatives == MAXGL_NEGATIVES_ALL,
                           global};
    for (int r = 0; r < right->regions; r++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                t[(r * n + i) * n + j] =
                    score(reference, term, row_of(left, x * n + i, 0), row_of(right, y * n + j, r));
    return o->estimator == MAXGL_MI_JSD  ? jsd(&scores)
           : o->estimator == MAXGL_MI_DV ? dv(&scores)
                                         : infonce(&scores);
}

static gboolean is_paired(const MaxglObjectiveOptions *o, gboolean global, int x, int y)
{
    if (global)
        return x < y;
    return o->local_pairs == MAXGL_LOCAL_BOTH || (o->local_pairs == MAXGL_LOCAL_SAME) == (x == y);
}

/* The mean over the pairings of one term. */
static double term_estimate(const ObjectiveReference *reference, const char *term, const Rows *x,
                            const Rows *y)
{
    const MaxglObjectiveOptions *o = reference->options;
    const gboolean global = strcmp(term, "head.global") == 0;
    Rows left = encode(reference, term, "left", x), right = encode(reference, term, "right", y);
    double sum = 0;
    int n = 0;
    for (int a = 0; a < o->clips; a++)
        for (int b = 0; b < o->clips; b++)
            if (is_paired(o, global, a, b)) {
                sum += pairing(reference, term, &left, &right, a, b);
                n++;
            }
    g_free(left.values);
    g_free(right.values);
    return sum / n;
}

ObjectiveEstimates objective_reference_estimates(const ObjectiveReference *reference)
{
    const MaxglObjectiveOptions *o = reference->options;
    const int one[3] = {1, 1, 1};
    Rows g = features_of(reference, "pool", one);
    ObjectiveEstimates e = {0};
    if (o->global_weight > 0)
        e.global_mi = term_estimate(reference, "head.global", &g, &g);
    for (int k = 0; k < o->n_local_layers && o->local_weight > 0; k++) {
        Rows l = features_of(reference, o->local_layers[k], o->regions);
        g_autofree char *several = g_strconcat("head.local.", o->local_layers[k], NULL);
        e.local_mi += term_estimate(reference, o->n_local_layers > 1 ? several : "head.local", &g, &l) /
                      o->n_local_layers;
        g_free(l.values);
    }
    g_free(g.values);
    e.loss = -(o->global_weight * e.global_mi + o->local_weight * e.local_mi);
    return e;
}

static double loss_beside(ObjectiveReference *reference, ReferenceArray *array, const double *direction,
                          double by)
{
    double *values = array->values;
    array->values = g_new(double, array->n);
    for (gsize i = 0; i < array->n; i++)
        array->values[i] = values[i] + by * direction[i];
    const double loss = objective_reference_estimates(reference).loss;
    g_free(array->values);
    array->values = values;
    return loss;
}

double objective_reference_slope(ObjectiveReference *reference, const char *name, const double *direction,
                                 double step)
{
    ReferenceArray *array = g_hash_table_lookup(reference->arrays, name);
    g_assert(array);
    return (loss_beside(reference, array, direction, step) -
            loss_beside(reference, array, direction, -step)) /
           (2 * step);
}
