#include "bench/tune_others.h"

#include "bench/layers.h"

#include <math.h>
#include <maxgl/error.h>

#define REPEATS 3
#define GAIN 0.97 /* see tune.c */
#define LARGEST_ERROR 1e-4

/* −1 ends the values. */
typedef struct {
    const char *name;
    int values[7];
} Parameter;

/* A kind of layer and the parameters of the kernel that does it; one without a name ends them. */
typedef struct {
    MaxglLayerKind layer;
    const char *what, *kernel;
    Parameter parameters[3];
} Group;

static const Group groups[] = {
    {MAXGL_LAYER_BATCH_NORM, "batch norm", "batch_norm", {{"pixels", {16, 64, 256, 512, 1024, 2048, -1}}}},
    {MAXGL_LAYER_MAX_POOL, "max pool", "max_pool", {{"pixels", {1, 16, 64, 128, 256, 512, -1}}}},
    {MAXGL_LAYER_GLOBAL_POOL, "mean over the map", "average_pool", {{"pixels", {1, 16, 64, 256, 512, -1}}}},
    {MAXGL_LAYER_LINEAR, "linear", "linear", {{"rows", {2, 4, 6, 8, -1}}, {"columns", {1, 2, 4, -1}}}},
};

/* Seconds of all layers of the group, 0 if the network has none; infinite if a result is wrong. */
static gboolean measure(const MaxglTuneSearch *s, const Group *group, double *seconds, GError **error)
{
    const MaxglLayersOptions options = {.batch = s->options->batch, .repeats = REPEATS};
    g_autoptr(GPtrArray) rows = maxgl_bench_layers_of(s->context, s->resnet, group->layer, &options, error);
    if (!rows)
        return FALSE;
    *seconds = 0;
    for (guint i = 0; i < rows->len; i++) {
        const MaxglBenchRow *row = g_ptr_array_index(rows, i);
        *seconds +=
            row->count * (row->samples > 0 && !(row->error <= LARGEST_ERROR) ? INFINITY : row->times.min);
    }
    return TRUE;
}

static const char *tried_value(const MaxglTuneSearch *s, const Group *group, const char *name,
                               GPtrArray **owner)
{
    *owner = maxgl_tuning_tried(s->context->tuning);
    for (guint i = 0; i < (*owner)->len; i++) {
        const MaxglTuningSetting *t = g_ptr_array_index(*owner, i);
        if (!t->shape && g_str_equal(t->kernel, group->kernel) && g_str_equal(t->name, name))
            return t->value;
    }
    return NULL;
}

static void set(const MaxglTuneSearch *s, const Group *group, const char *name, const char *value)
{
    maxgl_tuning_try(s->context->tuning, group->kernel, NULL, name, value);
}

/* Measures with @value; what cannot be run takes for ever. FALSE: interrupted. */
static gboolean measure_with(const MaxglTuneSearch *s, const Group *group, const char *name,
                             const char *value, double *seconds, GError **error)
{
    g_autoptr(GError) reason = NULL;
    set(s, group, name, value);
    if (measure(s, group, seconds, &reason))
        return TRUE;
    *seconds = INFINITY;
    if (!g_error_matches(reason, MAXGL_ERROR, MAXGL_ERROR_CANCELLED))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

/* Seconds of all layers of a group. */
typedef struct {
    double before, best;
    gboolean changed; /* something was found */
} Times;

/* Tries one value; it stays if all layers together are faster, twice. */
static gboolean try_value(const MaxglTuneSearch *s, const Group *group, const char *name, int number,
                          Times *times, GError **error)
{
    g_autofree char *value = g_strdup_printf("%d", number);
    g_autoptr(GPtrArray) owner = NULL;
    const char *before = tried_value(s, group, name, &owner);
    double seconds, again;
    maxgl_progress_set(s->progress, s->done, "%s, %s = %d, best so far %.3f ms", group->what, name, number,
                       times->best * 1e3);
    if (!measure_with(s, group, name, value, &seconds, error))
        return FALSE;
    s->counts->candidates++;
    s->counts->impossible += isinf(seconds) != 0;
    if (seconds < GAIN * times->best) {
        if (!measure_with(s, group, name, before, &again, error))
            return FALSE;
        times->best = MIN(times->best, again);
        if (!times->changed)
            times->before = times->best;
        if (!measure_with(s, group, name, value, &again, error))
            return FALSE;
        if (again < GAIN * times->best) {
            times->best = MIN(seconds, again);
            times->changed = TRUE;
            return TRUE;
        }
    }
    set(s, group, name, before);
    return TRUE;
}

/* Values that are in use already are not tried. */
static gboolean in_use(const MaxglTuneSearch *s, const Group *group, const char *name, int number)
{
    return maxgl_tuning_int(s->context->tuning, group->kernel, NULL, name, -1) == number;
}

static gboolean search_group(const MaxglTuneSearch *s, const Group *group, Times *times, GError **error)
{
    for (const Parameter *p = group->parameters; p->name; p++)
        for (const int *value = p->values; *value >= 0 && !maxgl_tune_time_is_up(s); value++)
            if (!in_use(s, group, p->name, *value) && !try_value(s, group, p->name, *value, times, error))
                return FALSE;
    return TRUE;
}

gboolean maxgl_tune_time_is_up(const MaxglTuneSearch *search)
{
    if (g_get_monotonic_time() < search->deadline)
        return FALSE;
    search->counts->complete = FALSE;
    return TRUE;
}

gboolean maxgl_tune_others(const MaxglTuneSearch *search, GPtrArray *rows, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups) && !maxgl_tune_time_is_up(search); i++) {
        const Group *group = &groups[i];
        Times times = {0};
        maxgl_progress_set(search->progress, search->done, "%s", group->what);
        if (!measure(search, group, &times.before, error))
            return FALSE;
        times.best = times.before;
        if (times.before == 0)
            continue;
        if (!search_group(search, group, &times, error))
            return FALSE;
        MaxglTuneRow *row = g_new0(MaxglTuneRow, 1);
        *row = (MaxglTuneRow){.layer = g_strdup(group->what),
                              .pass = g_strdup("all passes"),
                              .before_algorithm = g_strdup(""),
                              .after_algorithm = g_strdup(""),
                              .count = 1,
                              .before = times.before,
                              .after = times.best};
        g_ptr_array_add(rows, row);
    }
    return TRUE;
}
