#include "eval/linear_probe.h"

#include "base/random.h"

#include <linear.h>
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

static const double choices_of_c[] = {1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100};
#define HELD_OUT 5     /* one of so many */
#define PRECISION 1e-3 /* of the solver; its own default is 1e-2 */

struct MaxglLinearProbe {
    int length, classes;
    float *mean, *scale; /* [length]; scale 0 for what never changes */
    gboolean *trained;   /* [classes] */
    double c;
    struct model *model;
};

static void print_nothing(const char *text)
{
}

/* ---------------- standardising ---------------- */

static void fit_scale(MaxglLinearProbe *p, const MaxglLabelled *set)
{
    g_autofree double *sum = g_new0(double, p->length), *squares = g_new0(double, p->length);
    gsize n = 0;
    for (gsize v = 0; v < set->n; v++) {
        n += set->labels[v] >= 0;
        for (int i = 0; set->labels[v] >= 0 && i < p->length; i++)
            sum[i] += set->features[v * (gsize)p->length + (gsize)i];
    }
    for (int i = 0; i < p->length; i++)
        p->mean[i] = (float)(sum[i] / (double)n);
    for (gsize v = 0; v < set->n; v++)
        for (int i = 0; set->labels[v] >= 0 && i < p->length; i++) {
            const double d = (double)set->features[v * (gsize)p->length + (gsize)i] - p->mean[i];
            squares[i] += d * d;
        }
    for (int i = 0; i < p->length; i++) {
        const double deviation = sqrt(squares[i] / (double)n);
        p->scale[i] = deviation > 1e-6 * fabs((double)p->mean[i]) + 1e-30 ? (float)(1 / deviation) : 0;
    }
}

/* One vector as liblinear wants it: numbered from 1, the bias behind it, ended by −1. */
static void fill_nodes(const MaxglLinearProbe *p, const float *features, struct feature_node *nodes)
{
    int n = 0;
    for (int i = 0; i < p->length; i++)
        if (p->scale[i] > 0)
            nodes[n++] = (struct feature_node){i + 1, ((double)features[i] - p->mean[i]) * p->scale[i]};
    nodes[n++] = (struct feature_node){p->length + 1, 1};
    nodes[n] = (struct feature_node){-1, 0};
}

/* ---------------- liblinear's problems ---------------- */

/* Vectors with a class, as liblinear's problem. */
typedef struct {
    struct problem problem;
    struct feature_node *nodes; /* (length + 2) for each vector */
} Examples;

static void examples_init(Examples *e, const MaxglLinearProbe *p, const MaxglLabelled *set)
{
    const gsize pitch = (gsize)p->length + 2;
    e->nodes = g_new(struct feature_node, set->n * pitch);
    e->problem = (struct problem){
        .n = p->length + 1, .y = g_new(double, set->n), .x = g_new(struct feature_node *, set->n), .bias = 1};
    for (gsize v = 0; v < set->n; v++) {
        if (set->labels[v] < 0)
            continue;
        struct feature_node *nodes = e->nodes + (gsize)e->problem.l * pitch;
        fill_nodes(p, set->features + v * (gsize)p->length, nodes);
        e->problem.x[e->problem.l] = nodes;
        e->problem.y[e->problem.l++] = set->labels[v];
    }
}

static void examples_clear(Examples *e)
{
    g_free(e->nodes);
    g_free(e->problem.x);
    g_free(e->problem.y);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Examples, examples_clear)

/* The two parts of a problem; the vectors stay the whole's. */
typedef struct {
    struct problem rest, held;
} Halves;

static void halves_clear(Halves *h)
{
    g_free(h->rest.x);
    g_free(h->rest.y);
    g_free(h->held.x);
    g_free(h->held.y);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Halves, halves_clear)

static void give(struct problem *to, const struct problem *from, int index)
{
    to->x[to->l] = from->x[index];
    to->y[to->l++] = from->y[index];
}

/* Holds out a fifth of each class, and one of a class of two to four. Visiting the vectors in a random order
 * makes the fifth a random one. */
static void split(const struct problem *whole, int classes, guint64 seed, Halves *h)
{
    const int n = whole->l;
    struct problem *parts[] = {&h->rest, &h->held};
    for (int i = 0; i < 2; i++)
        *parts[i] = (struct problem){
            .n = whole->n, .y = g_new(double, n), .x = g_new(struct feature_node *, n), .bias = whole->bias};
    g_autofree int *order = g_new(int, n), *count = g_new0(int, classes), *visited = g_new0(int, classes);
    for (int i = 0; i < n; i++) {
        order[i] = i;
        count[(int)whole->y[i]]++;
    }
    MaxglRandom random;
    maxgl_random_init(&random, seed, MAXGL_RANDOM_EVALUATION, 0, 0);
    for (int i = n - 1; i > 0; i--) {
        const int j = (int)maxgl_random_below(&random, (guint32)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (int i = 0; i < n; i++) {
        const int class = (int)whole->y[order[i]];
        const int wanted = count[class] > 1 ? MAX(1, count[class] / HELD_OUT) : 0;
        give(visited[class]++ < wanted ? &h->held : &h->rest, whole, order[i]);
    }
}

static struct model *solve(const struct problem *problem, double c)
{
    const struct parameter parameter = {.solver_type = L2R_LR, .eps = PRECISION, .C = c};
    return train(problem, &parameter);
}

/* ---------------- the choice of C ---------------- */

/* One C to be tried. */
typedef struct {
    const Halves *halves;
    double c;
    int correct;
} Trial;

static void try_c(gpointer data, gpointer user_data)
{
    Trial *trial = data;
    const struct problem *held = &trial->halves->held;
    struct model *model = solve(&trial->halves->rest, trial->c);
    for (int i = 0; i < held->l; i++)
        trial->correct += predict(model, held->x[i]) == held->y[i];
    free_and_destroy_model(&model);
}

static double choose_c(const Halves *halves)
{
    Trial trials[G_N_ELEMENTS(choices_of_c)];
    GThreadPool *pool = g_thread_pool_new(try_c, NULL, (int)g_get_num_processors(), FALSE, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(trials); i++) {
        trials[i] = (Trial){.halves = halves, .c = choices_of_c[i]};
        g_thread_pool_push(pool, &trials[i], NULL);
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    guint best = 0;
    for (guint i = 1; i < G_N_ELEMENTS(trials); i++)
        if (trials[i].correct > trials[best].correct)
            best = i;
    return trials[best].c;
}

static gboolean check_classes(const MaxglLinearProbe *p, GError **error)
{
    int trained = 0;
    for (int i = 0; i < p->classes; i++)
        trained += p->trained[i];
    if (trained >= 2)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "a linear probe needs training videos of two classes, and there are %d", trained);
    return FALSE;
}

MaxglLinearProbe *maxgl_linear_probe_train(const MaxglLabelled *set, int classes, guint64 seed,
                                           GError **error)
{
    g_autoptr(MaxglLinearProbe) p = g_new0(MaxglLinearProbe, 1);
    p->length = set->length;
    p->classes = classes;
    p->mean = g_new0(float, set->length);
    p->scale = g_new0(float, set->length);
    p->trained = g_new0(gboolean, MAX(classes, 1));
    for (gsize i = 0; i < set->n; i++)
        if (set->labels[i] >= 0)
            p->trained[set->labels[i]] = TRUE;
    if (!check_classes(p, error))
        return NULL;
    fit_scale(p, set);
    set_print_string_function(print_nothing);
    g_auto(Examples) examples = {0};
    g_auto(Halves) halves = {0};
    examples_init(&examples, p, set);
    split(&examples.problem, classes, seed, &halves);
    p->c = choose_c(&halves);
    p->model = solve(&examples.problem, p->c);
    return g_steal_pointer(&p);
}

void maxgl_linear_probe_free(MaxglLinearProbe *p)
{
    if (!p)
        return;
    if (p->model)
        free_and_destroy_model(&p->model);
    g_free(p->mean);
    g_free(p->scale);
    g_free(p->trained);
    g_free(p);
}

int maxgl_linear_probe_predict(const MaxglLinearProbe *p, const float *features)
{
    g_autofree struct feature_node *nodes = g_new(struct feature_node, p->length + 2);
    fill_nodes(p, features, nodes);
    return (int)predict(p->model, nodes);
}

double maxgl_linear_probe_c(const MaxglLinearProbe *p)
{
    return p->c;
}

gboolean maxgl_linear_probe_score(const MaxglLinearProbe *p, const MaxglLabelled *set, MaxglProbeScore *score,
                                  int *confusion)
{
    g_return_val_if_fail(set->length == p->length, FALSE);
    *score = (MaxglProbeScore){0};
    if (confusion)
        memset(confusion, 0, sizeof *confusion * (gsize)p->classes * (gsize)p->classes);
    for (gsize i = 0; i < set->n; i++) {
        const int label = set->labels[i];
        if (label < 0)
            continue;
        const int said = maxgl_linear_probe_predict(p, set->features + i * (gsize)set->length);
        score->videos++;
        score->unseen += !p->trained[label];
        score->correct += said == label;
        if (confusion)
            confusion[label * p->classes + said]++;
    }
    score->accuracy = score->videos > 0 ? (double)score->correct / (double)score->videos : 0;
    return score->videos > 0;
}
