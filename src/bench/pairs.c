#include "bench/pairs.h"

#include "bench/reference.h"
#include "net/parameters.h"
#include "ops/mi_estimator.h"
#include "ops/pair_scores.h"

#include <math.h>

enum { SCORE_SAMPLES = 100, ROW_SAMPLES = 2 };

typedef struct {
    const MaxglHeadsOptions *options;
    MaxglMaterial *material;
    GPtrArray *rows;
    const char *name, *size;
    MaxglShape left_shape, right_shape;
    MaxglPairs pairs;
    MaxglMiTerm term;
    int n, regions, width;
    const float *a, *b, *w2, *bias2, *w3; /* w2: out × in; β3 is 0 */
    MaxglTensor left, right, dleft, dright;
    MaxglConcatWeights weights, dweights;
    cl_mem scores, dscores, kept, values;
} Pairs;

static gboolean is_dot(const Pairs *p)
{
    return p->options->discriminator == MAXGL_DISCRIMINATOR_DOT;
}

/* That keeps the scores of dot near 1. */
static double dot_scale(const Pairs *p)
{
    return 1 / sqrt(p->width);
}

/* Bytes that the backward pass gets of the forward pass, beside the scores. */
static gsize kept_bytes(const Pairs *p)
{
    return is_dot(p) ? 0 : maxgl_concat_kept(maxgl_material_context(p->material), &p->pairs);
}

static cl_mem padded(Pairs *p, const float *values, gsize n, GError **error)
{
    const gsize floats =
        (n + (gsize)p->left_shape.block - 1) / (gsize)p->left_shape.block * (gsize)p->left_shape.block;
    g_autofree float *vector = g_new0(float, floats);
    cl_mem buffer = NULL;
    for (gsize i = 0; values && i < n; i++)
        vector[i] = values[i];
    maxgl_material_upload(p->material, vector, floats * sizeof(float), &buffer, error);
    return buffer;
}

static const float *scaled(Pairs *p, gsize n, guint salt, double factor)
{
    float *values = maxgl_material_random(p->material, n, salt);
    for (gsize i = 0; i < n; i++)
        values[i] *= (float)factor;
    return values;
}

/* Of concat, as large as keep the scores near 1. */
static gboolean make_weights(Pairs *p, GError **error)
{
    const gsize width = (gsize)p->width;
    const MaxglLinear linear = {maxgl_shape(1, p->width, 1, 1, 1, p->left_shape.block), p->width,
                                p->left_shape.block};
    const gsize floats = maxgl_linear_weight_floats(&linear);
    g_autofree float *packed = g_new(float, floats);
    p->w2 = scaled(p, width * width, 3, sqrt(1.0 / p->width));
    p->bias2 = scaled(p, width, 4, 0.1);
    p->w3 = scaled(p, width, 5, sqrt(1.0 / p->width));
    maxgl_linear_pack_weights(&linear, p->w2, packed);
    return maxgl_material_upload(p->material, packed, floats * sizeof(float), &p->weights.w2, error) &&
           maxgl_material_buffer(p->material, floats * sizeof(float), &p->dweights.w2, error) &&
           (p->weights.bias2 = padded(p, p->bias2, width, error)) &&
           (p->weights.w3 = padded(p, p->w3, width, error)) &&
           (p->weights.bias3 = padded(p, NULL, 1, error)) &&
           (p->dweights.bias2 = padded(p, NULL, width, error)) &&
           (p->dweights.w3 = padded(p, NULL, width, error)) &&
           (p->dweights.bias3 = padded(p, NULL, 1, error));
}

static gboolean make_features(Pairs *p, GError **error)
{
    MaxglMaterial *m = p->material;
    p->a = maxgl_material_random(m, maxgl_shape_elements(&p->left_shape), 1);
    p->b = maxgl_material_random(m, maxgl_shape_elements(&p->right_shape), 2);
    const gsize scores = maxgl_pairs_count(&p->pairs) * sizeof(float);
    return maxgl_material_tensor(m, p->left_shape, p->a, &p->left, error) &&
           maxgl_material_tensor(m, p->left_shape, NULL, &p->dleft, error) &&
           maxgl_material_tensor(m, p->right_shape, p->b, &p->right, error) &&
           maxgl_material_tensor(m, p->right_shape, NULL, &p->dright, error) &&
           maxgl_material_buffer(m, scores, &p->scores, error) &&
           maxgl_material_buffer(m, scores, &p->dscores, error) &&
           maxgl_material_buffer(m, kept_bytes(p), &p->kept, error) &&
           maxgl_material_buffer(m, sizeof(float), &p->values, error);
}

/* ---------------- reference ---------------- */

static double left_of(const Pairs *p, int i, int c)
{
    return p->a[maxgl_place_index(&p->left_shape, (MaxglPlace){i, c, 0, 0, 0})];
}

static double right_of(const Pairs *p, int r, int j, int c)
{
    return p->b[maxgl_place_index(&p->right_shape, (MaxglPlace){j, c, 0, 0, r})];
}

/* Both hidden layers of concat's pair (r, i, j) before their ReLUs: first[width], second[width]. Returns: its
 * score. */
static double reference_concat(const Pairs *p, int r, int i, int j, double *first, double *second)
{
    double score = 0;
    for (int c = 0; c < p->width; c++)
        first[c] = left_of(p, i, c) + right_of(p, r, j, c);
    for (int k = 0; k < p->width; k++) {
        const float *w = p->w2 + (gsize)k * (gsize)p->width;
        second[k] = p->bias2[k];
        for (int c = 0; c < p->width; c++)
            second[k] += w[c] * MAX(first[c], 0);
        score += p->w3[k] * MAX(second[k], 0);
    }
    return score;
}

static double reference_dot(const Pairs *p, int r, int i, int j)
{
    double score = 0;
    for (int c = 0; c < p->width; c++)
        score += dot_scale(p) * left_of(p, i, c) * right_of(p, r, j, c);
    return score;
}

static void compare_scores(const Pairs *p, const float *scores, MaxglBenchRow *row)
{
    g_autofree double *hidden = g_new(double, 2 * p->width);
    MaxglDeviation deviation = {0};
    MaxglRandom random;
    maxgl_random_init(&random, 3, MAXGL_RANDOM_TEST, 0, 0);
    for (int s = 0; s < SCORE_SAMPLES; s++) {
        const int r = (int)maxgl_random_below(&random, (guint32)p->regions);
        const int i = (int)maxgl_random_below(&random, (guint32)p->n);
        const int j = (int)maxgl_random_below(&random, (guint32)p->n);
        maxgl_deviation_add(&deviation, scores[((gsize)r * (gsize)p->n + (gsize)i) * (gsize)p->n + (gsize)j],
                            is_dot(p) ? reference_dot(p, r, i, j)
                                      : reference_concat(p, r, i, j, hidden, hidden + p->width));
    }
    row->error = maxgl_deviation_relative(&deviation);
    row->samples = deviation.n;
}

/* Adds to gradient[width] what the pair (r, i, j) with the gradient @dscore gives its right side. */
static void add_right_gradient(const Pairs *p, int r, int i, int j, double dscore, double *gradient)
{
    g_autofree double *hidden = g_new(double, 2 * p->width);
    double *first = hidden, *second = hidden + p->width;
    for (int c = 0; c < p->width && is_dot(p); c++)
        gradient[c] += dscore * dot_scale(p) * left_of(p, i, c);
    if (is_dot(p))
        return;
    reference_concat(p, r, i, j, first, second);
    for (int k = 0; k < p->width; k++) {
        const float *w = p->w2 + (gsize)k * (gsize)p->width;
        const double d = second[k] > 0 ? dscore * p->w3[k] : 0;
        for (int c = 0; c < p->width; c++)
            gradient[c] += first[c] > 0 ? d * w[c] : 0;
    }
}

/* The gradients of some right features: those of the left ones are sums over all regions. */
static void compare_gradients(const Pairs *p, const float *dscores, const float *dright, MaxglBenchRow *row)
{
    MaxglDeviation deviation = {0};
    for (int s = 0; s < ROW_SAMPLES; s++) {
        const int r = s * (p->regions - 1) / (ROW_SAMPLES - 1), j = s * (p->n - 1) / (ROW_SAMPLES - 1);
        g_autofree double *gradient = g_new0(double, p->width);
        for (int i = 0; i < p->n; i++)
            add_right_gradient(
                p, r, i, j, dscores[((gsize)r * (gsize)p->n + (gsize)i) * (gsize)p->n + (gsize)j], gradient);
        for (int c = 0; c < p->width; c++)
            maxgl_deviation_add(&deviation,
                                dright[maxgl_place_index(&p->right_shape, (MaxglPlace){j, c, 0, 0, r})],
                                gradient[c]);
    }
    row->error = maxgl_deviation_relative(&deviation);
    row->samples = deviation.n;
}

/* Σ exp of a row (@step 1, @first its first score) or column of scores (@step n), but for number @without. */
static double sum_of_exp(const double *first, int n, int step, int without)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += k == without ? 0 : exp(first[k * step]);
    return sum;
}

/* Gradients of the value of one region's scores t[n][n], see ops/mi_estimator.h. */
static void jsd_gradient(const Pairs *p, const double *t, double *gradient)
{
    const int n = p->n;
    for (int s = 0; s < n * n; s++)
        gradient[s] = s / n == s % n ? 1 / (1 + exp(t[s])) / n : -1 / (1 + exp(-t[s])) / n / (n - 1);
}

static void infonce_gradient(const Pairs *p, const double *t, double *gradient)
{
    const int n = p->n;
    for (int i = 0; i < n; i++) {
        const double row = sum_of_exp(t + i * n, n, 1, -1), column = sum_of_exp(t + i, n, n, -1);
        const double share = (p->term.symmetric ? 0.5 : 1) / n;
        for (int j = 0; j < n; j++)
            gradient[i * n + j] += share * ((i == j) - exp(t[i * n + j]) / row);
        for (int j = 0; j < n && p->term.symmetric; j++)
            gradient[j * n + i] += share * ((i == j) - exp(t[j * n + i]) / column);
    }
}

static void dv_gradient(const Pairs *p, const double *t, double *gradient)
{
    const int n = p->n;
    double negatives = 0;
    for (int i = 0; i < n; i++)
        negatives += sum_of_exp(t + i * n, n, 1, i);
    for (int s = 0; s < n * n; s++)
        gradient[s] = s / n == s % n ? 1.0 / n : -exp(t[s]) / negatives;
}

static void compare_estimate(const Pairs *p, const float *scores, const float *dscores, MaxglBenchRow *row)
{
    static void (*const gradients[])(const Pairs *, const double *, double *) = {
        [MAXGL_MI_JSD] = jsd_gradient, [MAXGL_MI_INFONCE] = infonce_gradient, [MAXGL_MI_DV] = dv_gradient};
    const gsize region = (gsize)p->n * (gsize)p->n;
    MaxglDeviation deviation = {0};
    for (int r = 0; r < p->regions; r++) {
        const gsize first = (gsize)r * region;
        g_autofree double *t = g_new(double, region), *gradient = g_new0(double, region);
        for (gsize s = 0; s < region; s++)
            t[s] = scores[first + s];
        gradients[p->term.estimator](p, t, gradient);
        for (gsize s = 0; s < region; s++)
            maxgl_deviation_add(&deviation, dscores[first + s],
                                -p->term.weight * p->term.share * gradient[s] / p->regions);
    }
    row->error = maxgl_deviation_relative(&deviation);
    row->samples = deviation.n;
}

/* ---------------- measurement ---------------- */

static MaxglBenchRow *time_part(Pairs *p, const char *what, const char *pass, MaxglSequence *sequence,
                                gsize workspace, GError **error)
{
    MaxglTimes times;
    g_autofree char *name = g_strdup_printf("%s %s", p->name, what);
    if (!maxgl_time_sequence(sequence, p->options->repeats, &times, error))
        return NULL;
    MaxglBenchRow *row = maxgl_bench_row_new(name, p->size, "", pass);
    row->times = times;
    row->workspace = workspace;
    g_ptr_array_add(p->rows, row);
    return row;
}

/* What a pass must read of both sides' features that take part, and of concat's weights. */
static double feature_bytes(const Pairs *p)
{
    const MaxglShape *left = &p->left_shape, *right = &p->right_shape;
    return (double)(maxgl_shape_bytes(left) + maxgl_shape_bytes(right)) / p->options->clips +
           (is_dot(p) ? 0 : 4.0 * p->width * p->width);
}

static double forward_macs(const Pairs *p)
{
    return is_dot(p) ? (double)maxgl_pairs_count(&p->pairs) * p->width : maxgl_concat_macs(&p->pairs);
}

static gsize workspace_of(const Pairs *p, gboolean backward)
{
    MaxglContext *context = maxgl_material_context(p->material);
    return is_dot(p)  ? maxgl_dot_workspace(context, &p->pairs)
           : backward ? maxgl_concat_backward_workspace(context, &p->pairs)
                      : maxgl_concat_forward_workspace(context, &p->pairs);
}

static gboolean append_forward(Pairs *p, MaxglSequence *sequence, cl_mem workspace, GError **error)
{
    const MaxglPairFeatures features = {p->left.buffer, p->right.buffer};
    return is_dot(p)
               ? maxgl_dot_forward(sequence, &p->pairs, features, dot_scale(p), p->scores, workspace, error)
               : maxgl_concat_forward(sequence, &p->pairs, features, p->weights, p->scores, p->kept,
                                      workspace, error);
}

static gboolean append_backward(Pairs *p, MaxglSequence *sequence, cl_mem workspace, GError **error)
{
    const MaxglPairFeatures features = {p->left.buffer, p->right.buffer};
    const MaxglPairFeatures gradients = {p->dleft.buffer, p->dright.buffer};
    return is_dot(p) ? maxgl_dot_backward(sequence, &p->pairs, features, dot_scale(p), p->dscores, gradients,
                                          MAXGL_PAIRS_OVERWRITE, workspace, error)
                     : maxgl_concat_backward(sequence, &p->pairs, features, p->weights, p->kept, p->dscores,
                                             gradients, p->dweights, MAXGL_PAIRS_OVERWRITE, workspace, error);
}

static gboolean measure_forward(Pairs *p, GError **error)
{
    const gsize bytes = workspace_of(p, FALSE);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(maxgl_material_context(p->material));
    cl_mem workspace;
    if (!maxgl_material_buffer(p->material, bytes, &workspace, error) ||
        !append_forward(p, sequence, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_part(p, "scores", "forward", sequence, bytes, error);
    const float *scores =
        row ? maxgl_material_read(p->material, p->scores, maxgl_pairs_count(&p->pairs), error) : NULL;
    if (!scores)
        return FALSE;
    row->flops = 2 * forward_macs(p);
    row->bytes = feature_bytes(p) + 4.0 * (double)maxgl_pairs_count(&p->pairs) + (double)kept_bytes(p);
    compare_scores(p, scores, row);
    return TRUE;
}

static gboolean measure_estimate(Pairs *p, GError **error)
{
    const gsize bytes = maxgl_mi_estimator_workspace(&p->term), count = maxgl_pairs_count(&p->pairs);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(maxgl_material_context(p->material));
    cl_mem workspace;
    if (!maxgl_material_buffer(p->material, bytes, &workspace, error) ||
        !maxgl_mi_estimator(sequence, &p->term, p->scores, p->dscores, p->values, 0, FALSE, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_part(p, "estimate", "forward, backward", sequence, bytes, error);
    const float *scores = row ? maxgl_material_read(p->material, p->scores, count, error) : NULL;
    const float *dscores = scores ? maxgl_material_read(p->material, p->dscores, count, error) : NULL;
    if (!dscores)
        return FALSE;
    row->bytes = 2 * 4.0 * (double)count;
    compare_estimate(p, scores, dscores, row);
    return TRUE;
}

static gboolean measure_backward(Pairs *p, GError **error)
{
    const gsize bytes = workspace_of(p, TRUE), count = maxgl_pairs_count(&p->pairs);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(maxgl_material_context(p->material));
    cl_mem workspace;
    if (!maxgl_material_buffer(p->material, bytes, &workspace, error) ||
        !append_backward(p, sequence, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_part(p, "scores", "backward", sequence, bytes, error);
    const float *dscores = row ? maxgl_material_read(p->material, p->dscores, count, error) : NULL;
    const float *dright = dscores ? maxgl_material_read_tensor(p->material, &p->dright, error) : NULL;
    if (!dright)
        return FALSE;
    row->flops = 4 * forward_macs(p);
    row->bytes = 2 * feature_bytes(p) + 4.0 * (double)count + (double)kept_bytes(p);
    compare_gradients(p, dscores, dright, row);
    return TRUE;
}

gboolean maxgl_bench_pairs(MaxglMaterial *material, const MaxglHeadsOptions *options, gboolean is_local,
                           GPtrArray *rows, GError **error)
{
    const int block = maxgl_layout_block(maxgl_material_context(material));
    const int clips = options->clips * options->videos, regions = is_local ? options->regions : 1;
    Pairs p = {.options = options,
               .material = material,
               .rows = rows,
               .name = is_local ? "Local-MI" : "Global-MI",
               .left_shape = maxgl_shape(clips, options->hidden, 1, 1, 1, block),
               .right_shape = maxgl_shape(clips, options->hidden, 1, 1, regions, block),
               .term = {.estimator = options->estimator,
                        .items = options->videos,
                        .regions = regions,
                        .symmetric = !is_local,
                        .share = 1,
                        .weight = 1},
               .n = options->videos,
               .regions = regions,
               .width = options->hidden};
    g_autofree char *size = g_strdup_printf("%d×%d pairs × %d, width %d", p.n, p.n, regions, p.width);
    p.size = size;
    p.pairs = maxgl_pairs_of_clips(p.left_shape, p.right_shape, options->clips, 0, 0);
    return make_features(&p, error) && (is_dot(&p) || make_weights(&p, error)) &&
           measure_forward(&p, error) && measure_estimate(&p, error) && measure_backward(&p, error);
}
