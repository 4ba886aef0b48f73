/* Scores of all pairs, by a perceptron and by a dot product, against loops over single pairs. */
#include "checkcl.h"

#include "ops/pair_scores.h"
#include <math.h>
#include <string.h>

enum { CONCAT, DOT, N_KINDS };

typedef struct {
    int width;     /* D */
    int t, h, w;   /* regions */
    int blocks[2]; /* of the left and the right tensor */
    int left[3];   /* items of the tensor, first that takes part, how many do */
    int right[3];
    MaxglPairsAdd add;
} Shapes;

static const Shapes shapes[] = {
    {16, 1, 1, 1, {16, 16}, {3, 0, 3}, {3, 0, 3}, MAXGL_PAIRS_OVERWRITE},
    {1, 1, 1, 1, {1, 1}, {1, 0, 1}, {2, 0, 2}, MAXGL_PAIRS_OVERWRITE},
    {5, 1, 1, 2, {4, 8}, {6, 0, 3}, {6, 3, 3}, MAXGL_PAIRS_OVERWRITE},
    {32, 1, 1, 2, {16, 16}, {6, 3, 3}, {6, 0, 3}, MAXGL_PAIRS_ADD_LEFT},
    {48,
     7,
     1,
     1,
     {16, 16},
     {5, 0, 5},
     {5, 0, 5},
     MAXGL_PAIRS_ADD_LEFT | MAXGL_PAIRS_ADD_RIGHT | MAXGL_PAIRS_ADD_WEIGHTS},
    {48, 1, 1, 1, {8, 8}, {17, 0, 17}, {17, 0, 17}, MAXGL_PAIRS_OVERWRITE},
    {33, 2, 2, 3, {32, 1}, {10, 5, 5}, {10, 0, 5}, MAXGL_PAIRS_ADD_WEIGHTS},
    {70, 1, 7, 1, {4, 16}, {17, 0, 17}, {9, 2, 5}, MAXGL_PAIRS_OVERWRITE},
    {64, 2, 7, 7, {64, 64}, {4, 0, 2}, {4, 2, 2}, MAXGL_PAIRS_OVERWRITE},
    {20, 1, 2, 2, {8, 16}, {9, 3, 3}, {9, 6, 3}, MAXGL_PAIRS_ADD_RIGHT | MAXGL_PAIRS_ADD_WEIGHTS},
};

static const double DOT_SCALE = 0.375, TOLERANCE = 1e-5;

static MaxglPairs get_pairs(const Shapes *s)
{
    return (MaxglPairs){
        .left = maxgl_shape(s->left[0], s->width, 1, 1, 1, s->blocks[0]),
        .right = maxgl_shape(s->right[0], s->width, s->t, s->h, s->w, s->blocks[1]),
        .left_first = s->left[1],
        .left_count = s->left[2],
        .right_first = s->right[1],
        .right_count = s->right[2],
    };
}

static char *describe_pairs(const MaxglPairs *p, int kind)
{
    g_autofree char *left = maxgl_shape_text(&p->left), *right = maxgl_shape_text(&p->right);
    return g_strdup_printf("%s: %d+%d of %s block %d, %d+%d of %s block %d", kind == DOT ? "dot" : "concat",
                           p->left_first, p->left_count, left, p->left.block, p->right_first, p->right_count,
                           right, p->right.block);
}

static char *describe(guint index)
{
    const MaxglPairs p = get_pairs(&shapes[index / N_KINDS]);
    return describe_pairs(&p, (int)index % N_KINDS);
}

static gboolean is_small(guint index)
{
    const MaxglPairs p = get_pairs(&shapes[index / N_KINDS]);
    return maxgl_concat_macs(&p) < 5e4;
}

/* Everything that a score depends on, or its gradients. In PyTorch's orders: w2 is (unit, channel). */
enum { LEFT, RIGHT, W2, BIAS2, W3, BIAS3, N_PARTS };
static const char *const part_names[] = {"left", "right", "w2", "bias2", "w3", "bias3"};

typedef struct {
    MaxglPairs pairs;
    int kind;
    gsize sizes[N_PARTS], scores;
    double *parts[N_PARTS], *gradients[N_PARTS];
    double *weighting; /* of the scores: their gradient */
} Reference;

static double *random_doubles(gsize n, guint64 seed)
{
    g_autofree float *values = check_random(n, seed);
    return check_to_double(values, n);
}

static Reference *reference_new(const MaxglPairs *p, int kind)
{
    Reference *r = g_new0(Reference, 1);
    const gsize d = (gsize)p->left.c;
    const gsize sizes[] = {maxgl_shape_elements(&p->left), maxgl_shape_elements(&p->right), d * d, d, d, 1};
    r->pairs = *p;
    r->kind = kind;
    r->scores = maxgl_pairs_count(p);
    for (int k = 0; k < N_PARTS; k++) {
        r->sizes[k] = sizes[k];
        r->parts[k] = random_doubles(sizes[k], (guint64)k);
        r->gradients[k] = check_zeros(sizes[k]);
    }
    for (gsize i = 0; i < d * d; i++)
        r->parts[W2][i] = (float)(r->parts[W2][i] / sqrt((double)d));
    r->weighting = random_doubles(r->scores, N_PARTS);
    return r;
}

static void reference_free(Reference *r)
{
    for (int k = 0; k < N_PARTS; k++) {
        g_free(r->parts[k]);
        g_free(r->gradients[k]);
    }
    g_free(r->weighting);
    g_free(r);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reference, reference_free)

/* Where channel 0 of a pair's features is; channels of the right one are R apart. */
static void find_features(const MaxglPairs *p, int region, int i, int j, gsize *left, gsize *right)
{
    *left = (gsize)(p->left_first + i) * p->left.c;
    *right = (gsize)(p->right_first + j) * p->right.c * maxgl_shape_pixels(&p->right) + region;
}

static double concat_score(const Reference *r, gsize left, gsize right)
{
    const int d = r->pairs.left.c;
    const gsize regions = maxgl_shape_pixels(&r->pairs.right);
    double score = r->parts[BIAS3][0];
    for (int k = 0; k < d; k++) {
        double unit = r->parts[BIAS2][k];
        for (int c = 0; c < d; c++)
            unit += r->parts[W2][k * d + c] *
                    fmax(0, r->parts[LEFT][left + c] + r->parts[RIGHT][right + c * regions]);
        score += r->parts[W3][k] * fmax(0, unit);
    }
    return score;
}

static void concat_gradient(const Reference *r, gsize left, gsize right, double g)
{
    const int d = r->pairs.left.c;
    const gsize regions = maxgl_shape_pixels(&r->pairs.right);
    r->gradients[BIAS3][0] += g;
    for (int k = 0; k < d; k++) {
        double unit = r->parts[BIAS2][k];
        for (int c = 0; c < d; c++)
            unit += r->parts[W2][k * d + c] *
                    fmax(0, r->parts[LEFT][left + c] + r->parts[RIGHT][right + c * regions]);
        if (unit <= 0)
            continue;
        const double dunit = g * r->parts[W3][k];
        r->gradients[W3][k] += g * unit;
        r->gradients[BIAS2][k] += dunit;
        for (int c = 0; c < d; c++) {
            const double hidden = r->parts[LEFT][left + c] + r->parts[RIGHT][right + c * regions];
            if (hidden <= 0)
                continue;
            r->gradients[W2][k * d + c] += dunit * hidden;
            r->gradients[LEFT][left + c] += dunit * r->parts[W2][k * d + c];
            r->gradients[RIGHT][right + c * regions] += dunit * r->parts[W2][k * d + c];
        }
    }
}

static double dot_score(const Reference *r, gsize left, gsize right)
{
    const gsize regions = maxgl_shape_pixels(&r->pairs.right);
    double score = 0;
    for (int c = 0; c < r->pairs.left.c; c++)
        score += DOT_SCALE * r->parts[LEFT][left + c] * r->parts[RIGHT][right + c * regions];
    return score;
}

static void dot_gradient(const Reference *r, gsize left, gsize right, double g)
{
    const gsize regions = maxgl_shape_pixels(&r->pairs.right);
    for (int c = 0; c < r->pairs.left.c; c++) {
        r->gradients[LEFT][left + c] += g * DOT_SCALE * r->parts[RIGHT][right + c * regions];
        r->gradients[RIGHT][right + c * regions] += g * DOT_SCALE * r->parts[LEFT][left + c];
    }
}

/* Σ weighting · score; with @scores they are stored, with @differentiate gradients are added up. */
static double evaluate(const Reference *r, double *scores, gboolean differentiate)
{
    const MaxglPairs *p = &r->pairs;
    double sum = 0;
    gsize at = 0;
    for (int region = 0; region < (int)maxgl_shape_pixels(&p->right); region++)
        for (int i = 0; i < p->left_count; i++)
            for (int j = 0; j < p->right_count; j++, at++) {
                gsize left, right;
                find_features(p, region, i, j, &left, &right);
                const double score = (r->kind == DOT ? dot_score : concat_score)(r, left, right);
                sum += r->weighting[at] * score;
                if (scores)
                    scores[at] = score;
                if (differentiate)
                    (r->kind == DOT ? dot_gradient : concat_gradient)(r, left, right, r->weighting[at]);
            }
    return sum;
}

static double weighted_sum(gpointer data)
{
    return evaluate(data, NULL, FALSE);
}

static void gradient(guint index, CheckReport *report)
{
    if (!is_small(index))
        return;
    const MaxglPairs p = get_pairs(&shapes[index / N_KINDS]);
    g_autoptr(Reference) r = reference_new(&p, (int)index % N_KINDS);
    evaluate(r, NULL, TRUE);
    for (int k = 0; k < (r->kind == DOT ? W2 : N_PARTS); k++)
        check_derivative(report, part_names[k], weighted_sum, r, r->parts[k], r->gradients[k], r->sizes[k],
                         1e-6);
}

/* Host memory as the device wants it. */
static gsize packed_floats(const Reference *r, int part)
{
    const gsize pitch = (gsize)maxgl_shape_blocks(&r->pairs.left) * r->pairs.left.block;
    const gsize floats[] = {maxgl_shape_floats(&r->pairs.left),
                            maxgl_shape_floats(&r->pairs.right),
                            pitch * pitch,
                            pitch,
                            pitch,
                            1};
    return floats[part];
}

static float *pack(const Reference *r, int part, const double *values)
{
    const gsize n = r->sizes[part], d = (gsize)r->pairs.left.c;
    const gsize pitch = (gsize)maxgl_shape_blocks(&r->pairs.left) * r->pairs.left.block;
    g_autofree float *plain = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        plain[i] = (float)values[i];
    float *packed = g_new0(float, packed_floats(r, part));
    if (part == LEFT || part == RIGHT)
        maxgl_shape_pack(part == LEFT ? &r->pairs.left : &r->pairs.right, plain, packed);
    else if (part == W2)
        for (gsize i = 0; i < n; i++)
            packed[i % d * pitch + i / d] = plain[i];
    else
        memcpy(packed, plain, n * sizeof(float));
    return packed;
}

typedef struct {
    MaxglContext *context;
    CheckReport *report;
    const Reference *reference;
    cl_mem parts[N_PARTS], gradients[N_PARTS], scores, dscores, kept, workspace;
} Device;

static gboolean device_init(Device *d, GError **error)
{
    const Reference *r = d->reference;
    for (int k = 0; k < N_PARTS; k++) {
        g_autofree float *packed = pack(r, k, r->parts[k]);
        d->parts[k] = check_buffer(d->report, d->context, packed_floats(r, k), packed, error);
        if (!d->parts[k])
            return FALSE;
    }
    g_autofree float *weighting = g_new(float, r->scores);
    for (gsize i = 0; i < r->scores; i++)
        weighting[i] = (float)r->weighting[i];
    const gsize workspace = MAX(MAX(maxgl_concat_forward_workspace(d->context, &r->pairs),
                                    maxgl_concat_backward_workspace(d->context, &r->pairs)),
                                maxgl_dot_workspace(d->context, &r->pairs));
    return (d->dscores = check_buffer(d->report, d->context, r->scores, weighting, error)) &&
           (d->scores = check_buffer(d->report, d->context, r->scores, NULL, error)) &&
           (d->kept =
                check_bytes(d->report, d->context, maxgl_concat_kept(d->context, &r->pairs), NULL, error)) &&
           (d->workspace = check_bytes(d->report, d->context, workspace, NULL, error));
}

static MaxglPairFeatures features_of(const cl_mem *parts)
{
    return (MaxglPairFeatures){parts[LEFT], parts[RIGHT]};
}

static MaxglConcatWeights weights_of(const cl_mem *parts)
{
    return (MaxglConcatWeights){parts[W2], parts[BIAS2], parts[W3], parts[BIAS3]};
}

static gboolean append_forward(MaxglSequence *sequence, const Device *d, GError **error)
{
    const Reference *r = d->reference;
    return r->kind == DOT
               ? maxgl_dot_forward(sequence, &r->pairs, features_of(d->parts), DOT_SCALE, d->scores,
                                   d->workspace, error)
               : maxgl_concat_forward(sequence, &r->pairs, features_of(d->parts), weights_of(d->parts),
                                      d->scores, d->kept, d->workspace, error);
}

static gboolean append_backward(MaxglSequence *sequence, const Device *d, MaxglPairsAdd add, GError **error)
{
    const Reference *r = d->reference;
    return r->kind == DOT
               ? maxgl_dot_backward(sequence, &r->pairs, features_of(d->parts), DOT_SCALE, d->dscores,
                                    features_of(d->gradients), add, d->workspace, error)
               : maxgl_concat_backward(sequence, &r->pairs, features_of(d->parts), weights_of(d->parts),
                                       d->kept, d->dscores, features_of(d->gradients),
                                       weights_of(d->gradients), add, d->workspace, error);
}

/* Whether element @i of @part belongs to an item that takes part. */
static gboolean takes_part(const MaxglPairs *p, int part, gsize i)
{
    const gsize left = i / (gsize)p->left.c, right = left / maxgl_shape_pixels(&p->right);
    if (part == LEFT)
        return (int)left >= p->left_first && (int)left < p->left_first + p->left_count;
    if (part == RIGHT)
        return (int)right >= p->right_first && (int)right < p->right_first + p->right_count;
    return TRUE;
}

/* Gradients start with the values of the parts themselves, and the reference is told: those are added to, or
 * stay where no pair has them, or are overwritten. */
static gboolean prepare_gradients(Device *d, MaxglPairsAdd add, double **want, GError **error)
{
    const Reference *r = d->reference;
    for (int k = 0; k < N_PARTS; k++) {
        const gboolean adds = (add & (k == LEFT    ? MAXGL_PAIRS_ADD_LEFT
                                      : k == RIGHT ? MAXGL_PAIRS_ADD_RIGHT
                                                   : MAXGL_PAIRS_ADD_WEIGHTS)) != 0;
        gboolean all = TRUE;
        want[k] = g_memdup2(r->gradients[k], r->sizes[k] * sizeof(double));
        for (gsize i = 0; i < r->sizes[k]; i++) {
            const gboolean part = takes_part(&r->pairs, k, i);
            all = all && part;
            if (adds || !part)
                want[k][i] += r->parts[k][i];
        }
        g_autofree float *packed = pack(r, k, r->parts[k]);
        d->gradients[k] =
            check_buffer(d->report, d->context, packed_floats(r, k), all && !adds ? NULL : packed, error);
        if (!d->gradients[k])
            return FALSE;
    }
    return TRUE;
}

static gboolean compare_gradients(const Device *d, double **want, GError **error)
{
    const Reference *r = d->reference;
    for (int k = 0; k < (r->kind == DOT ? W2 : N_PARTS); k++) {
        const gsize floats = packed_floats(r, k);
        g_autofree char *name = g_strdup_printf("d%s", part_names[k]);
        g_autofree float *packed = pack(r, k, want[k]);
        g_autofree double *all = check_to_double(packed, floats);
        if (!check_compare_buffer(d->report, d->context, name, d->gradients[k], all, floats, 0, TOLERANCE,
                                  error))
            return FALSE;
    }
    return TRUE;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Shapes *s = &shapes[index / N_KINDS];
    const MaxglPairs p = get_pairs(s);
    g_autoptr(Reference) r = reference_new(&p, (int)index % N_KINDS);
    g_autofree double *scores = check_zeros(r->scores);
    evaluate(r, scores, TRUE);
    Device d = {.context = context, .report = report, .reference = r};
    double *want[N_PARTS] = {NULL};
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    gboolean ok =
        device_init(&d, error) && prepare_gradients(&d, s->add, want, error) &&
        append_forward(sequence, &d, error) && append_backward(sequence, &d, s->add, error) &&
        check_run(sequence, error) &&
        check_compare_buffer(report, context, "scores", d.scores, scores, r->scores, 0, TOLERANCE, error) &&
        compare_gradients(&d, want, error);
    for (int k = 0; k < N_PARTS; k++)
        g_free(want[k]);
    return ok;
}

static const struct {
    int kind, items, regions, width;
    gboolean backward;
} benches[] = {
    {CONCAT, 32, 98, 512, FALSE}, {CONCAT, 32, 98, 512, TRUE}, {CONCAT, 32, 16, 256, FALSE},
    {CONCAT, 32, 16, 256, TRUE},  {CONCAT, 32, 1, 512, FALSE}, {CONCAT, 32, 1, 512, TRUE},
    {DOT, 32, 98, 512, FALSE},    {DOT, 32, 98, 512, TRUE},
};

static MaxglPairs bench_pairs(guint index)
{
    const MaxglShape left = {benches[index].items, benches[index].width, 1, 1, 1, 16};
    MaxglShape right = left;
    right.t = benches[index].regions;
    return (MaxglPairs){left, right, 0, left.n, 0, right.n};
}

static char *describe_bench(guint index)
{
    return g_strdup_printf("%s %s, N %d, R %d, D %d", benches[index].kind == DOT ? "dot" : "concat",
                           benches[index].backward ? "backward" : "forward", benches[index].items,
                           benches[index].regions, benches[index].width);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    const MaxglPairs p = bench_pairs(index);
    MaxglContext *context = maxgl_sequence_context(sequence);
    g_autoptr(Reference) r = reference_new(&p, benches[index].kind);
    Device d = {.context = context, .report = report, .reference = r};
    double *want[N_PARTS] = {NULL};
    g_autoptr(MaxglSequence) before = maxgl_sequence_new(context);
    const gboolean ok = device_init(&d, error) && prepare_gradients(&d, MAXGL_PAIRS_OVERWRITE, want, error) &&
                        append_forward(before, &d, error) && check_run(before, error) &&
                        (benches[index].backward ? append_backward(sequence, &d, MAXGL_PAIRS_OVERWRITE, error)
                                                 : append_forward(sequence, &d, error));
    for (int k = 0; k < N_PARTS; k++)
        g_free(want[k]);
    const double passes = benches[index].backward ? 2 : 1, width = p.left.c;
    *flops = 2 * passes * (r->kind == DOT ? (double)r->scores * width : maxgl_concat_macs(&p));
    *bytes = 4 * passes * (double)(r->scores + r->sizes[LEFT] + r->sizes[RIGHT] + r->sizes[W2]);
    return ok;
}

const MaxglCheck check_pair_scores = {
    .name = "pair_scores",
    .n_cases = G_N_ELEMENTS(shapes) * N_KINDS,
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .gradient = gradient,
    .n_benches = G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
