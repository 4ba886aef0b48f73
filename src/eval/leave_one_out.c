#include "eval/leave_one_out.h"

#include "base/interrupt.h"
#include "base/progress.h"
#include "eval/linear_svm.h"

#include <math.h>
#include <maxgl/error.h>

/* The work of all threads. */
typedef struct {
    const MaxglSvmSet *set;
    const int *labels;
    const gsize *rows; /* [n] of vectors with a class */
    gsize n;
    double c;
    int *answers; /* [n] */
    int next;     /* of rows, that nobody has taken */
    int done;
    MaxglProgress *progress;
} Work;

static gpointer leave_out(gpointer user_data)
{
    Work *w = user_data;
    g_autofree gsize *others = g_new(gsize, w->n);
    for (;;) {
        const gsize i = (gsize)g_atomic_int_add(&w->next, 1);
        if (i >= w->n || maxgl_interrupt_requested())
            return NULL;
        for (gsize j = 0, k = 0; j < w->n; j++)
            if (j != i)
                others[k++] = w->rows[j];
        g_autoptr(MaxglSvm) svm = maxgl_svm_train(w->set, w->labels, others, w->n - 1, w->c);
        w->answers[i] = maxgl_svm_class(svm, w->set, w->rows[i]);
        maxgl_progress_set(w->progress, g_atomic_int_add(&w->done, 1) + 1, "machines");
    }
}

static gboolean run_threads(Work *w, GError **error)
{
    const guint threads = (guint)MIN((gsize)g_get_num_processors(), w->n);
    g_autofree GThread **others = g_new0(GThread *, threads);
    for (guint i = 1; i < threads; i++)
        others[i] = g_thread_new("maxgl-svm", leave_out, w);
    leave_out(w);
    for (guint i = 1; i < threads; i++)
        g_thread_join(others[i]);
    return maxgl_interrupt_check(error);
}

static double *unit_vectors(const MaxglLabelled *set)
{
    const gsize length = (gsize)set->length;
    double *vectors = g_new(double, set->n *length);
    for (gsize v = 0; v < set->n; v++) {
        const float *from = set->features + v * length;
        double sum = 0;
        for (gsize i = 0; i < length; i++)
            sum += (double)from[i] * from[i];
        for (gsize i = 0; i < length; i++)
            vectors[v * length + i] = sum > 0 ? from[i] / sqrt(sum) : 0;
    }
    return vectors;
}

/* Counts what is known before anything is trained. */
static gboolean count_classes(const MaxglLabelled *set, const gsize *counts, MaxglLeaveOneOut *result,
                              GError **error)
{
    int of_several = 0;
    for (int i = 0; i < result->n_classes; i++) {
        result->classes += counts[i] > 0;
        result->videos += counts[i];
        result->alone += counts[i] == 1;
        of_several += counts[i] > 1;
    }
    /* Whatever is left out, two classes must be left. */
    if (result->classes >= 3 || of_several >= 2)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "leaving one video out needs two classes of two videos each, and there are %d", of_several);
    return FALSE;
}

static void score(Work *w, const gsize *counts, MaxglLeaveOneOut *result)
{
    const int n = result->n_classes;
    for (gsize i = 0; i < w->n; i++)
        result->confusion[w->labels[w->rows[i]] * n + w->answers[i]]++;
    for (int i = 0; i < n; i++) {
        const int right = result->confusion[i * n + i];
        result->correct += (gsize)right;
        result->per_class += counts[i] > 0 ? (double)right / (double)counts[i] / result->classes : 0;
    }
    result->accuracy = (double)result->correct / (double)result->videos;
}

MaxglLeaveOneOut *maxgl_leave_one_out(const MaxglLabelled *set, int n_classes, double c, const char *title,
                                      GError **error)
{
    g_autoptr(MaxglLeaveOneOut) result = g_new0(MaxglLeaveOneOut, 1);
    g_autofree gsize *counts = g_new0(gsize, MAX(n_classes, 1)), *rows = g_new(gsize, set->n);
    gsize n = 0;
    for (gsize i = 0; i < set->n; i++)
        if (set->labels[i] >= 0) {
            counts[set->labels[i]]++;
            rows[n++] = i;
        }
    result->n_classes = n_classes;
    result->confusion = g_new0(int, MAX(n_classes * n_classes, 1));
    if (!count_classes(set, counts, result, error))
        return NULL;
    g_autofree double *vectors = unit_vectors(set);
    g_autoptr(MaxglSvmSet) nodes = maxgl_svm_set_new(vectors, set->n, set->length);
    g_autofree int *answers = g_new0(int, n);
    Work w = {.set = nodes,
              .labels = set->labels,
              .rows = rows,
              .n = n,
              .c = c,
              .answers = answers,
              .progress = maxgl_progress_new(title, (gint64)n)};
    const gboolean done = run_threads(&w, error);
    if (!done) {
        maxgl_progress_free(w.progress);
        return NULL;
    }
    maxgl_progress_finish(w.progress);
    score(&w, counts, result);
    return g_steal_pointer(&result);
}

void maxgl_leave_one_out_free(MaxglLeaveOneOut *result)
{
    if (!result)
        return;
    g_free(result->confusion);
    g_free(result);
}
