#include "learn/shares.h"

#include "base/interrupt.h"
#include "base/random.h"
#include "learn/crew.h"
#include "learn/replica.h"
#include "learn/trainer.h"

#include <maxgl/error.h>
#include <string.h>

/* Batch norm wants some numbers to take statistics of. */
enum { FEWEST = 2 };

gboolean maxgl_shares_parse(const char *text, MaxglShares *shares, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    shares->n = 0;
    for (char **part = parts; *part; part++) {
        guint64 clips = 0;
        if (shares->n == MAXGL_MAX_DEVICES ||
            !g_ascii_string_to_unsigned(g_strstrip(*part), 10, 1, G_MAXINT16, &clips, NULL)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "train.shares: \"%s\" is no list of whole numbers above 0, of at most %d devices",
                        text, MAXGL_MAX_DEVICES);
            return FALSE;
        }
        shares->clips[shares->n++] = (int)clips;
    }
    return TRUE;
}

char *maxgl_shares_text(const MaxglShares *shares)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < shares->n; i++)
        g_string_append_printf(text, "%s%d", i ? "," : "", shares->clips[i]);
    return g_string_free(text, FALSE);
}

/* Each unit goes to the device that would be done with it first. */
gboolean maxgl_shares_divide(int clips, int unit, const double *speeds, MaxglShares *shares)
{
    const int least = (FEWEST + unit - 1) / unit * unit;
    int left = clips - least * (int)shares->n;
    if (left < 0 || clips % unit != 0)
        return FALSE;
    for (guint i = 0; i < shares->n; i++)
        shares->clips[i] = least;
    for (; left > 0; left -= unit) {
        guint first = 0;
        for (guint i = 1; i < shares->n; i++)
            if ((shares->clips[i] + unit) * speeds[first] < (shares->clips[first] + unit) * speeds[i])
                first = i;
        shares->clips[first] += unit;
    }
    return TRUE;
}

static int clips_of(const MaxglRecipe *recipe, const MaxglTask *task)
{
    return recipe->train.batch * task->clips_per_video(recipe);
}

static int at_once(const MaxglRecipe *recipe, int clips)
{
    return recipe->train.micro_batch > 0 ? MIN(recipe->train.micro_batch, clips) : clips;
}

MaxglShare maxgl_share_of_all(const MaxglRecipe *recipe, const MaxglTask *task)
{
    const int clips = clips_of(recipe, task);
    return (MaxglShare){.clips = clips, .total = clips, .at_once = at_once(recipe, clips)};
}

MaxglShare maxgl_shares_get(const MaxglShares *shares, const MaxglRecipe *recipe, guint i)
{
    MaxglShare share = {.clips = shares->clips[i], .at_once = at_once(recipe, shares->clips[i])};
    for (guint j = 0; j < shares->n; j++) {
        const int clips = shares->clips[j];
        share.total += clips;
        share.first += j < i ? clips : 0;
        share.first_part += j < i ? clips / at_once(recipe, clips) : 0;
    }
    return share;
}

/* The numbers in train.shares, which must be those of @n devices. */
static gboolean parse_for(const MaxglRecipe *recipe, guint n, MaxglShares *shares, GError **error)
{
    if (!maxgl_shares_parse(recipe->train.shares, shares, error))
        return FALSE;
    if (shares->n == n)
        return TRUE;
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
        "train.shares: \"%s\" is for %u devices, and there %s %u: name as many with --device, or take "
        "the shares back (--set train.shares=)",
        recipe->train.shares, shares->n, n == 1 ? "is" : "are", n);
    return FALSE;
}

gboolean maxgl_shares_of(const MaxglRecipe *recipe, const MaxglTask *task, guint n, MaxglShares *shares,
                         GError **error)
{
    const int clips = clips_of(recipe, task), micro = recipe->train.micro_batch;
    *shares = (MaxglShares){1, {clips}};
    if (n == 1 && recipe->train.shares[0] == '\0')
        return TRUE;
    if (!parse_for(recipe, n, shares, error))
        return FALSE;
    int sum = 0;
    gboolean whole = TRUE;
    for (guint i = 0; i < n; i++) {
        sum += shares->clips[i];
        whole = whole && shares->clips[i] >= FEWEST && (micro == 0 || shares->clips[i] % micro == 0);
    }
    if (sum == clips && whole)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "train.shares: \"%s\" does not divide the %d clips of a step%s", recipe->train.shares, clips,
                micro > 0 ? " into multiples of train.micro_batch" : "");
    return FALSE;
}

/* Measuring. */
typedef struct {
    MaxglReplica *replicas[MAXGL_MAX_DEVICES];
    double speeds[MAXGL_MAX_DEVICES]; /* clips a second */
    gint busy;                        /* devices that have not been timed yet; atomic */
} Trial;

static void trial_clear(Trial *t)
{
    for (guint i = 0; i < MAXGL_MAX_DEVICES; i++)
        maxgl_replica_free(t->replicas[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Trial, trial_clear)

static gboolean pass(MaxglReplica *r, GError **error)
{
    return maxgl_sequence_run(maxgl_network_forward(r->network), error) &&
           maxgl_sequence_run(maxgl_network_backward(r->network), error) &&
           maxgl_context_finish(r->context, error);
}

/* Builds what is built when it runs for the first time. */
static gboolean warm_up(gpointer data, guint i, GError **error)
{
    MaxglReplica *r = ((Trial *)data)->replicas[i];
    const MaxglTensor *input = maxgl_network_input(r->network);
    const gsize elements = maxgl_shape_elements(&input->shape);
    g_autofree float *clips = g_new(float, elements);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    for (gsize j = 0; j < elements; j++)
        clips[j] = maxgl_random_normal(&random);
    return maxgl_tensor_write(r->context, input, clips, error) && pass(r, error);
}

/* Every device goes on until the last one has been timed: they share the host, maybe more. */
static gboolean time_passes(gpointer data, guint i, GError **error)
{
    enum { PASSES = 3 };
    Trial *t = data;
    MaxglReplica *r = t->replicas[i];
    const gint64 start = g_get_monotonic_time();
    gboolean ok = TRUE, timed = FALSE;
    for (int n = 1; ok && (!timed || g_atomic_int_get(&t->busy) > 0); n++) {
        ok = maxgl_interrupt_check(error) && pass(r, error);
        const double seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
        if (timed || n < PASSES || seconds < 0.5)
            continue;
        timed = TRUE;
        t->speeds[i] = n * r->share.clips / seconds;
        g_atomic_int_add(&t->busy, -1);
    }
    if (!timed)
        g_atomic_int_add(&t->busy, -1);
    return ok;
}

/* As many clips as an equal share has, or as many of them as fit. */
static gboolean make_trial(Trial *t, guint i, MaxglContext *context, guint n, const MaxglRecipe *recipe,
                           const MaxglTask *task, const MaxglClasses *classes, guint64 limit, GError **error)
{
    int clips = MAX(clips_of(recipe, task) / (int)n, FEWEST);
    for (;;) {
        g_autoptr(GError) reason = NULL;
        const MaxglShare share = {.clips = clips, .total = clips, .at_once = clips};
        const guint64 need =
            maxgl_replica_predict_bytes(context, recipe, task, classes, &share, FALSE, &reason);
        if ((need > 0 && need <= limit) || clips == FEWEST) {
            t->replicas[i] = maxgl_replica_new(context, recipe, task, classes, &share, error);
            return t->replicas[i] && maxgl_parameters_initialise(t->replicas[i]->parameters,
                                                                 (guint64)recipe->train.seed, error);
        }
        clips = MAX(clips / 2, FEWEST);
    }
}

static guint64 limit_of(const MaxglContext *context, guint64 limit)
{
    const guint64 memory = context->info->global_memory;
    return limit > 0 ? MIN(limit, memory) : memory;
}

/* The loss is more work for the first device: better a fast one. */
static void tell_speeds(const double *speeds, guint n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    guint fastest = 0;
    for (guint i = 0; i < n; i++) {
        g_string_append_printf(text, "%s%.3g", i ? ", " : "", speeds[i]);
        fastest = speeds[i] > speeds[fastest] ? i : fastest;
    }
    g_message("measured: %s clips/s", text->str);
    if (speeds[fastest] > 1.2 * speeds[0])
        g_message("device %u is the fastest: better name it first, since the first computes the loss, too",
                  fastest + 1);
}

static gboolean measure(const GPtrArray *contexts, const MaxglRecipe *recipe, const MaxglTask *task,
                        const MaxglClasses *classes, guint64 limit, double *speeds, GError **error)
{
    g_auto(Trial) trial = {.busy = (gint)contexts->len};
    g_autoptr(MaxglCrew) crew = maxgl_crew_new(contexts->len);
    for (guint i = 0; i < contexts->len; i++) {
        MaxglContext *context = g_ptr_array_index(contexts, i);
        if (!make_trial(&trial, i, context, contexts->len, recipe, task, classes, limit_of(context, limit),
                        error)) {
            g_prefix_error(error, "device %u of %u: ", i + 1, contexts->len);
            return FALSE;
        }
    }
    if (!maxgl_crew_run(crew, warm_up, &trial, error) || !maxgl_crew_run(crew, time_passes, &trial, error))
        return FALSE;
    for (guint i = 0; i < contexts->len; i++)
        speeds[i] = trial.speeds[i];
    tell_speeds(speeds, contexts->len);
    return TRUE;
}

/* Whether each share fits into its device's memory; -1: an error that is none of memory's. */
static int fits(const GPtrArray *contexts, const MaxglRecipe *recipe, const MaxglTask *task,
                const MaxglClasses *classes, const MaxglShares *shares, guint64 limit, GError **error)
{
    for (guint i = 0; i < shares->n; i++) {
        MaxglContext *context = g_ptr_array_index(contexts, i);
        const MaxglShare share = maxgl_shares_get(shares, recipe, i);
        GError *reason = NULL;
        const guint64 need =
            maxgl_replica_predict_bytes(context, recipe, task, classes, &share, i == 0, &reason);
        if (reason && !g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_LIMIT)) {
            g_propagate_error(error, reason);
            return -1;
        }
        const gboolean small = !reason && need <= limit_of(context, limit);
        g_clear_error(&reason);
        if (!small)
            return FALSE;
    }
    return TRUE;
}

static gboolean keep(MaxglRecipe *recipe, const MaxglShares *shares)
{
    g_free(recipe->train.shares);
    recipe->train.shares = maxgl_shares_text(shares);
    return TRUE;
}

/* Divides, with the fewest parts that fit if it is open how many there are. */
static gboolean divide(const GPtrArray *contexts, MaxglRecipe *recipe, const MaxglTask *task,
                       const MaxglClasses *classes, guint64 limit, const double *speeds, GError **error)
{
    const int clips = clips_of(recipe, task), given = recipe->train.micro_batch;
    MaxglShares shares = {.n = contexts->len};
    if (!maxgl_shares_divide(clips, MAX(given, 1), speeds, &shares)) {
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
            "train.batch: the %d clips of a step are too few for %u devices, which take at least %d each",
            clips, shares.n, MAX(given, FEWEST));
        return FALSE;
    }
    if (given > 0)
        return keep(recipe, &shares);
    for (int parts = 1; parts <= clips / FEWEST; parts++) {
        const int unit = parts == 1 ? 1 : clips / parts;
        if (clips % parts != 0 || !maxgl_shares_divide(clips, unit, speeds, &shares))
            continue;
        recipe->train.micro_batch = parts == 1 ? 0 : unit;
        const int fit = fits(contexts, recipe, task, classes, &shares, limit, error);
        if (fit > 0)
            return keep(recipe, &shares);
        recipe->train.micro_batch = 0;
        if (fit < 0)
            return FALSE;
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "train.batch: shares of the %d clips of a step do not fit into the memory of %u devices, "
                "however few clips go through a network at once: use fewer or smaller clips, or a smaller "
                "network",
                clips, shares.n);
    return FALSE;
}

gboolean maxgl_shares_settle(const GPtrArray *contexts, MaxglRecipe *recipe, const MaxglTask *task,
                             const MaxglClasses *classes, guint64 limit, GError **error)
{
    MaxglContext *first = g_ptr_array_index(contexts, 0);
    double speeds[MAXGL_MAX_DEVICES] = {0};
    MaxglShares given = {0};
    if (recipe->train.shares[0] != '\0' && !parse_for(recipe, contexts->len, &given, error))
        return FALSE;
    if (contexts->len == 1) {
        recipe->train.shares[0] = '\0';
        return maxgl_trainer_fit(first, recipe, task, classes, limit_of(first, limit), error);
    }
    for (guint i = 0; i < contexts->len; i++)
        speeds[i] = given.clips[i];
    if (recipe->train.shares[0] == '\0' && !measure(contexts, recipe, task, classes, limit, speeds, error))
        return FALSE;
    return divide(contexts, recipe, task, classes, limit, speeds, error);
}
