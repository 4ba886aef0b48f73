#include "eval/retrieval.h"

#include <math.h>
#include <string.h>

#define LANES 8            /* partial sums of a dot product: what the compiler can keep in a vector */
#define QUERIES_AT_ONCE 16 /* that a thread takes from the queue */

const int maxgl_retrieval_ks[MAXGL_RETRIEVAL_KS] = {1, 5, 10, 20, 50};

/* Rows of unit length, padded with zeros to a multiple of LANES floats. */
typedef struct {
    gsize n, pitch;
    float *rows;
} UnitRows;

static void unit_row(const float *from, int length, float *to)
{
    double sum = 0;
    for (int i = 0; i < length; i++)
        sum += (double)from[i] * from[i];
    const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int i = 0; i < length; i++)
        to[i] = (float)(from[i] * scale);
}

static void unit_rows_init(UnitRows *rows, const float *features, gsize n, int length)
{
    rows->n = n;
    rows->pitch = ((gsize)length + LANES - 1) / LANES * LANES;
    rows->rows = g_new0(float, n * rows->pitch);
    for (gsize i = 0; i < n; i++)
        unit_row(features + i * (gsize)length, length, rows->rows + i * rows->pitch);
}

static void unit_rows_clear(UnitRows *rows)
{
    g_free(rows->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UnitRows, unit_rows_clear)

static float dot(const float *a, const float *b, gsize pitch)
{
    float lanes[LANES] = {0};
    for (gsize i = 0; i < pitch; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += a[i + (gsize)l] * b[i + (gsize)l];
    float sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

static void similarities_to(const float *query, const UnitRows *gallery, float *similarities)
{
    for (gsize i = 0; i < gallery->n; i++)
        similarities[i] = dot(query, gallery->rows + i * gallery->pitch, gallery->pitch);
}

/* How many of the gallery are nearer than the nearest of class @label; G_MAXSIZE if none is of that class.
 * R@k is then a matter of comparing it with k, for every k. */
static gsize count_nearer(const float *similarities, const int *labels, gsize n, int label)
{
    gsize best = G_MAXSIZE, nearer = 0;
    for (gsize i = 0; i < n; i++)
        if (labels[i] == label && (best == G_MAXSIZE || similarities[i] > similarities[best]))
            best = i;
    if (best == G_MAXSIZE)
        return best;
    for (gsize i = 0; i < n; i++)
        nearer += similarities[i] > similarities[best] || (similarities[i] == similarities[best] && i < best);
    return nearer;
}

/* The work of all threads. */
typedef struct {
    UnitRows queries, gallery;
    const int *query_labels, *gallery_labels;
    gsize *nearer; /* [queries.n] */
    int next;      /* query that nobody has taken, in units of QUERIES_AT_ONCE */
} Ranking;

static gpointer rank(gpointer user_data)
{
    Ranking *r = user_data;
    g_autofree float *similarities = g_new(float, r->gallery.n);
    for (;;) {
        const gsize first = (gsize)g_atomic_int_add(&r->next, 1) * QUERIES_AT_ONCE;
        if (first >= r->queries.n)
            return NULL;
        for (gsize q = first; q < MIN(first + QUERIES_AT_ONCE, r->queries.n); q++) {
            if (r->query_labels[q] < 0)
                continue;
            similarities_to(r->queries.rows + q * r->queries.pitch, &r->gallery, similarities);
            r->nearer[q] = count_nearer(similarities, r->gallery_labels, r->gallery.n, r->query_labels[q]);
        }
    }
}

/* Probability that @k of @n, drawn by lot, include at least one of the @members of a class. */
static double chance_of_hit(gsize members, gsize n, gsize k)
{
    double miss = 1;
    for (gsize i = 0; i < MIN(k, n); i++)
        miss *= n - i > members ? (double)(n - i - members) / (double)(n - i) : 0;
    return 1 - miss;
}

static void add_query(MaxglRetrievalScore *score, gsize nearer, gsize members, gsize gallery)
{
    score->queries++;
    score->unseen += members == 0;
    for (int i = 0; i < MAXGL_RETRIEVAL_KS; i++) {
        const gsize k = (gsize)maxgl_retrieval_ks[i];
        score->recall[i] += nearer < k; /* an unseen class's is beyond any k */
        score->chance[i] += chance_of_hit(members, gallery, k);
    }
}

static GHashTable *count_members(const MaxglLabelled *set)
{
    GHashTable *members = g_hash_table_new(NULL, NULL);
    for (gsize i = 0; i < set->n; i++) {
        gpointer label = GINT_TO_POINTER(set->labels[i]);
        const gsize before = GPOINTER_TO_SIZE(g_hash_table_lookup(members, label));
        g_hash_table_insert(members, label, GSIZE_TO_POINTER(before + 1));
    }
    return members;
}

gboolean maxgl_retrieval_score(const MaxglLabelled *queries, const MaxglLabelled *gallery,
                               MaxglRetrievalScore *score)
{
    g_return_val_if_fail(queries->length == gallery->length, FALSE);
    g_auto(UnitRows) query_rows = {0}, gallery_rows = {0};
    unit_rows_init(&query_rows, queries->features, queries->n, queries->length);
    unit_rows_init(&gallery_rows, gallery->features, gallery->n, gallery->length);
    g_autofree gsize *nearer = g_new0(gsize, queries->n);
    Ranking ranking = {query_rows, gallery_rows, queries->labels, gallery->labels, nearer, 0};
    const guint threads = g_get_num_processors();
    g_autofree GThread **others = g_new0(GThread *, threads);
    for (guint i = 1; i < threads; i++)
        others[i] = g_thread_new("maxgl-retrieval", rank, &ranking);
    rank(&ranking);
    for (guint i = 1; i < threads; i++)
        g_thread_join(others[i]);

    *score = (MaxglRetrievalScore){0};
    g_autoptr(GHashTable) members = count_members(gallery);
    for (gsize q = 0; q < queries->n; q++)
        if (queries->labels[q] >= 0)
            add_query(score, nearer[q],
                      GPOINTER_TO_SIZE(g_hash_table_lookup(members, GINT_TO_POINTER(queries->labels[q]))),
                      gallery->n);
    for (int i = 0; i < MAXGL_RETRIEVAL_KS && score->queries > 0; i++) {
        score->recall[i] /= (double)score->queries;
        score->chance[i] /= (double)score->queries;
    }
    return score->queries > 0;
}

gsize maxgl_retrieval_nearest(const float *query, const MaxglLabelled *gallery, gsize k, gsize *indices,
                              float *similarities)
{
    g_auto(UnitRows) query_row = {0}, rows = {0};
    unit_rows_init(&query_row, query, 1, gallery->length);
    unit_rows_init(&rows, gallery->features, gallery->n, gallery->length);
    gsize found = 0;
    for (gsize i = 0; i < rows.n; i++) {
        const float similarity = dot(query_row.rows, rows.rows + i * rows.pitch, rows.pitch);
        gsize place = MIN(found, k);
        while (place > 0 && similarity > similarities[place - 1])
            place--;
        if (place == k)
            continue;
        found = MIN(found + 1, k);
        memmove(indices + place + 1, indices + place, (found - place - 1) * sizeof *indices);
        memmove(similarities + place + 1, similarities + place, (found - place - 1) * sizeof *similarities);
        indices[place] = i;
        similarities[place] = similarity;
    }
    return found;
}
