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

/* Weights as large as keep the scores near 1. */
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
           maxgl_material_buffer(m, maxgl_concat_kept(maxgl_material_context(m), &p->pairs), &p->kept,
                                 error) &&
           maxgl_material_buffer(m, sizeof(float), &p->values, error);
}

/* ---------------- reference ---------------- */

/* Both hidden layers of the pair (r, i, j) before their ReLUs: first[width], second[width]. Returns: its
 * score. */
static double reference_pair(const Pairs *p, int r, int i, int j, double *first, double *second)
{
    double score = 0;
    for (int c = 0; c < p->width; c++)
        first[c] = p->a[maxgl_place_index(&p->left_shape, (MaxglPlace){i, c, 0, 0, 0})] +
                   p->b[maxgl_place_index(&p->right_shape, (MaxglPlace){j, c, 0, 0, r})];
    for (int k = 0; k < p->width; k++) {
        const float *w = p->w2 + (gsize)k * (gsize)p->width;
        second[k] = p->bias2[k];
        for (int c = 0; c < p->width; c++)
            second[k] += w[c] * MAX(first[c], 0);
        score += p->w3[k] * MAX(second[k], 0);
    }
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
                            reference_pair(p, r, i, j, hidden, hidden + p->width));
    }
    row->error = maxgl_deviation_relative(&deviation);
    row->samples = deviation.n;
}

/* Adds to gradient[width] what the pair (r, i, j) with the gradient @dscore gives its right side. */
static void add_right_gradient(const Pairs *p, int r, int i, int j, double dscore, double *gradient)
{
    g_autofree double *hidden = g_new(double, 2 * p->width);
    double *first = hidden, *second = hidden + p->width;
    reference_pair(p, r, i, j, first, second);
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

/* Of the Jensen–Shannon estimate, see ops/mi_estimator.h. */
static void compare_estimate(const Pairs *p, const float *scores, const float *dscores, MaxglBenchRow *row)
{
    const gsize n = (gsize)p->n;
    const double positives = (double)p->regions * p->n, negatives = positives * (p->n - 1);
    MaxglDeviation deviation = {0};
    for (gsize s = 0; s < maxgl_pairs_count(&p->pairs); s++) {
        const gboolean positive = s / n % n == s % n;
        const double t = scores[s];
        const double gradient = positive ? -1 / (1 + exp(t)) / positives : 1 / (1 + exp(-t)) / negatives;
        maxgl_deviation_add(&deviation, dscores[s], p->term.weight * p->term.share * gradient);
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

static double feature_bytes(const Pairs *p)
{
    return (double)(maxgl_shape_bytes(&p->left_shape) + maxgl_shape_bytes(&p->right_shape)) / 2 +
           4.0 * p->width * p->width;
}

static gboolean measure_forward(Pairs *p, GError **error)
{
    MaxglContext *context = maxgl_material_context(p->material);
    const MaxglPairFeatures features = {p->left.buffer, p->right.buffer};
    const gsize bytes = maxgl_concat_forward_workspace(context, &p->pairs);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(p->material, bytes, &workspace, error) ||
        !maxgl_concat_forward(sequence, &p->pairs, features, p->weights, p->scores, p->kept, workspace,
                              error))
        return FALSE;
    MaxglBenchRow *row = time_part(p, "scores", "forward", sequence, bytes, error);
    const float *scores =
        row ? maxgl_material_read(p->material, p->scores, maxgl_pairs_count(&p->pairs), error) : NULL;
    if (!scores)
        return FALSE;
    row->flops = 2 * maxgl_concat_macs(&p->pairs);
    row->bytes = feature_bytes(p) + 4.0 * (double)maxgl_pairs_count(&p->pairs) +
                 (double)maxgl_concat_kept(context, &p->pairs);
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
    MaxglContext *context = maxgl_material_context(p->material);
    const MaxglPairFeatures features = {p->left.buffer, p->right.buffer};
    const MaxglPairFeatures gradients = {p->dleft.buffer, p->dright.buffer};
    const gsize bytes = maxgl_concat_backward_workspace(context, &p->pairs);
    const gsize count = maxgl_pairs_count(&p->pairs);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem workspace;
    if (!maxgl_material_buffer(p->material, bytes, &workspace, error) ||
        !maxgl_concat_backward(sequence, &p->pairs, features, p->weights, p->kept, p->dscores, gradients,
                               p->dweights, MAXGL_PAIRS_OVERWRITE, workspace, error))
        return FALSE;
    MaxglBenchRow *row = time_part(p, "scores", "backward", sequence, bytes, error);
    const float *dscores = row ? maxgl_material_read(p->material, p->dscores, count, error) : NULL;
    const float *dright = dscores ? maxgl_material_read_tensor(p->material, &p->dright, error) : NULL;
    if (!dright)
        return FALSE;
    row->flops = 4 * maxgl_concat_macs(&p->pairs);
    row->bytes = 2 * feature_bytes(p) + 4.0 * (double)count + (double)maxgl_concat_kept(context, &p->pairs);
    compare_gradients(p, dscores, dright, row);
    return TRUE;
}

gboolean maxgl_bench_pairs(MaxglMaterial *material, const MaxglHeadsOptions *options, const char *name,
                           int regions, GPtrArray *rows, GError **error)
{
    const int block = maxgl_layout_block(maxgl_material_context(material)), clips = 2 * options->videos;
    Pairs p = {.options = options,
               .material = material,
               .rows = rows,
               .name = name,
               .left_shape = maxgl_shape(clips, options->hidden, 1, 1, 1, block),
               .right_shape = maxgl_shape(clips, options->hidden, 1, 1, regions, block),
               .term = {.estimator = MAXGL_MI_JSD,
                        .items = options->videos,
                        .regions = regions,
                        .share = 1,
                        .weight = 1},
               .n = options->videos,
               .regions = regions,
               .width = options->hidden};
    g_autofree char *size = g_strdup_printf("%d×%d pairs × %d, width %d", p.n, p.n, regions, p.width);
    p.size = size;
    p.pairs = maxgl_pairs_of_clips(p.left_shape, p.right_shape, 2, 0, 0);
    return make_features(&p, error) && make_weights(&p, error) && measure_forward(&p, error) &&
           measure_estimate(&p, error) && measure_backward(&p, error);
}
