#include "eval/moment_search.h"

#include "ops/linear.h"

#include <string.h>

#define CHUNK_BYTES ((gsize)64 << 20) /* of moments on the device at a time */
#define BLOCK 16

/* The moments, a part at a time, are the rows of a linear layer's input; the query is its one output's
 * weights. */
typedef struct {
    MaxglContext *context;
    MaxglLinear linear;
    MaxglTensor rows, result;
    cl_mem weights, workspace;
    MaxglSequence *sequence;
} Product;

static void product_clear(Product *p)
{
    maxgl_sequence_free(p->sequence);
    if (p->context) {
        maxgl_buffer_free(p->context, p->rows.buffer);
        maxgl_buffer_free(p->context, p->result.buffer);
        maxgl_buffer_free(p->context, p->weights);
        maxgl_buffer_free(p->context, p->workspace);
    }
    maxgl_context_close(p->context);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Product, product_clear)

static gboolean write_query(Product *p, const float *query, GError **error)
{
    const gsize floats = maxgl_linear_weight_floats(&p->linear);
    g_autofree float *packed = g_new(float, floats);
    maxgl_linear_pack_weights(&p->linear, query, packed);
    p->weights = maxgl_buffer_new(p->context, floats * sizeof(float), "the query", error);
    return p->weights && maxgl_buffer_write(p->context, p->weights, 0, packed, floats * sizeof(float), error);
}

static gboolean product_init(Product *p, const char *device, int rows, int features, const float *query,
                             GError **error)
{
    p->linear = (MaxglLinear){maxgl_shape(rows, features, 1, 1, 1, BLOCK), 1, BLOCK};
    p->context = maxgl_context_open(device, error);
    if (!p->context || !write_query(p, query, error) ||
        !maxgl_tensor_new(p->context, p->linear.input, "moments", &p->rows, error) ||
        !maxgl_tensor_new(p->context, maxgl_linear_output(&p->linear), "similarities", &p->result, error))
        return FALSE;
    const gsize workspace = maxgl_linear_forward_workspace(p->context, &p->linear);
    if (workspace > 0 && !(p->workspace = maxgl_buffer_new(p->context, workspace, "scratch", error)))
        return FALSE;
    p->sequence = maxgl_sequence_new(p->context);
    return maxgl_linear_forward(p->sequence, &p->linear, p->rows.buffer, p->weights, NULL, FALSE,
                                p->result.buffer, p->workspace, error);
}

gboolean maxgl_moment_similarities(const MaxglMomentIndex *index, const float *query, const char *device,
                                   float *similarities, GError **error)
{
    const gsize features = (gsize)index->model->features;
    const gsize at_once = MIN(index->n, MAX(CHUNK_BYTES / (features * sizeof(float)), 1));
    g_auto(Product) p = {0};
    if (!product_init(&p, device, (int)at_once, (int)features, query, error))
        return FALSE;
    g_autofree float *rows = g_new0(float, at_once *features), *result = g_new(float, at_once);
    for (gsize first = 0; first < index->n; first += at_once) {
        const gsize part = MIN(at_once, index->n - first);
        memcpy(rows, index->features + first * features, part * features * sizeof(float));
        if (!maxgl_tensor_write(p.context, &p.rows, rows, error) || !maxgl_sequence_run(p.sequence, error) ||
            !maxgl_tensor_read(p.context, &p.result, result, error))
            return FALSE;
        memcpy(similarities + first, result, part * sizeof(float));
    }
    return TRUE;
}

static int compare_hits(gconstpointer a, gconstpointer b)
{
    const MaxglMomentHit *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

static gboolean overlaps(const float *a, double first, double last)
{
    return a[0] <= (float)last && (float)first <= a[1];
}

static gboolean is_left_out(const MaxglMomentIndex *index, const GArray *hits, gsize row,
                            const MaxglMomentSearch *search)
{
    const float *seconds = index->seconds + row * 2;
    if (search->excluded && search->excluded[index->source[row]] &&
        overlaps(seconds, search->excluded_seconds[0], search->excluded_seconds[1]))
        return TRUE;
    for (guint i = 0; !search->all && i < hits->len; i++) {
        const gsize nearer = g_array_index(hits, MaxglMomentHit, i).row;
        if (index->source[nearer] == index->source[row] &&
            overlaps(seconds, index->seconds[nearer * 2], index->seconds[nearer * 2 + 1]))
            return TRUE;
    }
    return FALSE;
}

GArray *maxgl_moment_nearest(const MaxglMomentIndex *index, const float *similarities,
                             const MaxglMomentSearch *search)
{
    g_autofree MaxglMomentHit *order = g_new(MaxglMomentHit, index->n);
    for (gsize i = 0; i < index->n; i++)
        order[i] = (MaxglMomentHit){i, similarities[i]};
    qsort(order, index->n, sizeof *order, compare_hits);
    GArray *hits = g_array_new(FALSE, FALSE, sizeof(MaxglMomentHit));
    for (gsize i = 0; i < index->n && hits->len < search->k; i++)
        if (!is_left_out(index, hits, order[i].row, search))
            g_array_append_val(hits, order[i]);
    return hits;
}
