#include "bench/tune.h"

#include "bench/tune_conv3d.h"
#include "bench/tune_others.h"
#include "bench/tune_tiles.h"

#include <math.h>
#include <string.h>

/* A candidate has to be faster by this factor, and once more when it and what it replaces are measured again.
 */
#define GAIN 0.97

/* Values tried one by one, in this order; −1 ends a list. */
static const struct {
    const char *kernel, *name;
    int values[7];
} parameters[] = {
    {"conv3d_direct", "registers", {12, 14, 22, 26, 30, -1}},
    {"conv3d_direct", "weights_kib", {64, 128, 256, 512, 1024, -1}},
    {"conv3d_direct", "work_items", {32, 64, 128, 256, 512, -1}},
    {"conv3d_direct", "chunk_pixels", {56, 112, 224, 448, 896, -1}},
    {"conv3d_direct", "splits_mib", {16, 64, 256, -1}},
    {"conv3d_winograd", "tile", {2, 4, -1}},
    {"conv3d_winograd", "registers", {12, 14, 22, 26, 30, -1}},
    {"conv3d_winograd", "frames", {1, 2, 4, 8, 16, -1}},
    {"conv3d_winograd", "fused_kib", {0, 96, 192, 384, 768, -1}},
    {"conv3d_winograd", "chunk_kib", {2048, 4096, 8192, 16384, 32768, -1}},
    {"conv3d_winograd", "group", {4, 8, 16, -1}},
    {"conv3d_winograd_gemm", "tile", {2, 4, -1}},
    {"conv3d_winograd_gemm", "vector", {2, 4, -1}},
    {"conv3d_winograd_gemm", "chunk_kib", {8192, 16384, 32768, 65536, 131072, 262144, -1}},
    {"conv3d_winograd_gemm", "UNROLL", {1, 2, 4, 8, -1}},
    {"conv3d_winograd_gemm", "GROUPS", {64, 128, 256, 512, -1}},
    {"conv3d_dot", "registers", {8, 12, 16, 24, -1}},
    {"conv3d_gemm", "UNROLL", {1, 4, 8, 16, -1}},
    {"conv3d_gemm", "GROUPS", {16, 64, 128, 256, 512, -1}},
    {"conv3d_mma", "GROUPS", {64, 128, 256, 512, 1024, -1}},
    {"conv3d_mma", "BLOCK_READS", {0, 1, -1}},
};

/* What keeps an algorithm from being used even where it is asked for by name, and values that do not. */
static const struct {
    const char *algorithm, *kernel, *name, *none;
} thresholds[] = {
    {"winograd", "conv3d_winograd", "least_channels", "1"},
    {"winograd", "conv3d_winograd", "least_tiles", "0"},
    {"winograd", "conv3d_winograd", "least_filled_percent", "0"},
    {"winograd_gemm", "conv3d_winograd_gemm", "balance", "0"},
    {"dot", "conv3d_dot", "least_channels", "1"},
    {"dot", "conv3d_dot", "most_pixels", "1000000000"},
};

typedef struct {
    MaxglTuneSearch common;
    MaxglTuneWork *work;
    const MaxglModel *model; /* of the device; NULL for a CPU */
    char *shape;             /* class of the kind under work */
    double before[MAXGL_TUNE_PASSES];
    guint changed;                  /* mask of the passes that something was found for */
    double best[MAXGL_TUNE_PASSES]; /* seconds; infinite for a pass that the kind does not have */
} Search;

static gboolean time_is_up(const Search *s)
{
    return maxgl_tune_time_is_up(&s->common);
}

static gboolean measure(Search *s, int pass, double most, double *seconds, MaxglTuneVerdict *verdict,
                        GError **error)
{
    return maxgl_tune_measure(s->work, (MaxglConv3dPass)pass, most, seconds, verdict, error);
}

static double sum_of_best(const Search *s, guint passes)
{
    double sum = 0;
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++)
        if (passes & 1U << p)
            sum += s->best[p];
    return sum;
}

/* Times the passes in the mask @passes, as the database has them now; stops at the first that is no good. */
static gboolean measure_passes(Search *s, guint passes, double seconds[MAXGL_TUNE_PASSES], double *sum,
                               MaxglTuneVerdict *verdict, GError **error)
{
    const double most = sum_of_best(s, passes);
    *sum = 0;
    *verdict = MAXGL_TUNE_GOOD;
    for (int p = 0; p < MAXGL_TUNE_PASSES && *verdict == MAXGL_TUNE_GOOD; p++) {
        if (!(passes & 1U << p))
            continue;
        if (!measure(s, p, most - *sum, &seconds[p], verdict, error))
            return FALSE;
        *sum += seconds[p];
    }
    return TRUE;
}

/* One change of the database. */
typedef struct {
    const char *kernel, *shape, *name;
    char *value, *before; /* what is tried instead, NULL if nothing was */
} Change;

static void change_clear(gpointer pointer)
{
    Change *change = pointer;
    g_free(change->value);
    g_free(change->before);
}

static GArray *changes_new(void)
{
    GArray *changes = g_array_new(FALSE, FALSE, sizeof(Change));
    g_array_set_clear_func(changes, change_clear);
    return changes;
}

static void add_change(GArray *changes, Search *s, const char *kernel, const char *shape, const char *name,
                       const char *value)
{
    Change change = {kernel, shape, name, g_strdup(value), NULL};
    g_autoptr(GPtrArray) tried = maxgl_tuning_tried(s->common.context->tuning);
    for (guint i = 0; i < tried->len; i++) {
        const MaxglTuningSetting *t = g_ptr_array_index(tried, i);
        if (g_str_equal(t->kernel, kernel) && !g_strcmp0(t->shape, shape) && g_str_equal(t->name, name))
            change.before = g_strdup(t->value);
    }
    g_array_append_val(changes, change);
}

static void apply(Search *s, const GArray *changes, gboolean forward)
{
    for (guint i = 0; i < changes->len; i++) {
        const Change *c = &g_array_index(changes, Change, i);
        maxgl_tuning_try(s->common.context->tuning, c->kernel, c->shape, c->name,
                         forward ? c->value : c->before);
    }
}

static void count(Search *s, MaxglTuneVerdict verdict)
{
    s->common.counts->candidates++;
    s->common.counts->slow += verdict == MAXGL_TUNE_SLOW;
    s->common.counts->wrong += verdict == MAXGL_TUNE_WRONG;
    s->common.counts->impossible += verdict == MAXGL_TUNE_IMPOSSIBLE;
}

/* Measures without and with the @changes again, and keeps them if they are faster again. */
static gboolean confirm(Search *s, const GArray *changes, guint passes, double first[MAXGL_TUNE_PASSES],
                        GError **error)
{
    double seconds[MAXGL_TUNE_PASSES], without, with;
    MaxglTuneVerdict verdict;
    apply(s, changes, FALSE);
    if (!measure_passes(s, passes, seconds, &without, &verdict, error))
        return FALSE;
    for (int p = 0; p < MAXGL_TUNE_PASSES && verdict == MAXGL_TUNE_GOOD; p++) {
        if (passes & 1U << p)
            s->best[p] = MIN(s->best[p], seconds[p]);
        if (!(s->changed & 1U << p))
            s->before[p] = s->best[p];
    }
    apply(s, changes, TRUE);
    if (!measure_passes(s, passes, seconds, &with, &verdict, error))
        return FALSE;
    const gboolean better = verdict == MAXGL_TUNE_GOOD && with < GAIN * sum_of_best(s, passes);
    for (int p = 0; p < MAXGL_TUNE_PASSES && better; p++)
        if (passes & 1U << p)
            s->best[p] = MIN(first[p], seconds[p]);
    if (better)
        s->changed |= passes;
    else
        apply(s, changes, FALSE);
    return TRUE;
}

/* Tries @changes, which concern @passes; they stay if that is faster. */
static gboolean try_changes(Search *s, const GArray *changes, guint passes, const char *what, GError **error)
{
    double seconds[MAXGL_TUNE_PASSES], sum;
    MaxglTuneVerdict verdict;
    maxgl_progress_set(s->common.progress, s->common.done, "%s, %s, best so far %.3f ms", s->work->kind->name,
                       what, 1e3 * sum_of_best(s, passes));
    apply(s, changes, TRUE);
    if (!measure_passes(s, passes, seconds, &sum, &verdict, error))
        return FALSE;
    count(s, verdict);
    if (verdict == MAXGL_TUNE_WRONG)
        g_warning("%s, %s: other results than without; not used", s->work->kind->name, what);
    if (verdict == MAXGL_TUNE_GOOD && sum < GAIN * sum_of_best(s, passes))
        return confirm(s, changes, passes, seconds, error);
    apply(s, changes, FALSE);
    return TRUE;
}

static const char *algorithm_of(const Search *s, int pass)
{
    return maxgl_conv3d_algorithm_name(s->common.context, &s->work->kind->conv, (MaxglConv3dPass)pass);
}

static gboolean try_algorithm(Search *s, int pass, const char *name, GError **error)
{
    g_autoptr(GArray) changes = changes_new();
    const char *pass_name = maxgl_tune_pass_names[pass];
    add_change(changes, s, "conv3d", s->shape, pass_name, name);
    apply(s, changes, TRUE);
    if (!g_str_equal(algorithm_of(s, pass), name)) {
        for (guint i = 0; i < G_N_ELEMENTS(thresholds); i++)
            if (g_str_equal(thresholds[i].algorithm, name))
                add_change(changes, s, thresholds[i].kernel, s->shape, thresholds[i].name,
                           thresholds[i].none);
        apply(s, changes, TRUE);
    }
    const gboolean possible = g_str_equal(algorithm_of(s, pass), name);
    apply(s, changes, FALSE);
    if (!possible)
        return TRUE;
    g_autofree char *what = g_strdup_printf("%s %s", pass_name, name);
    return try_changes(s, changes, 1U << pass, what, error);
}

/* Every algorithm for every pass. */
static gboolean search_algorithms(Search *s, GError **error)
{
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++) {
        if (!maxgl_tune_has_pass(s->work->kind, (MaxglConv3dPass)p))
            continue;
        for (const char *const *name = maxgl_conv3d_algorithm_names(); *name && !time_is_up(s); name++)
            if (!g_str_equal(algorithm_of(s, p), *name) && !try_algorithm(s, p, *name, error))
                return FALSE;
    }
    return TRUE;
}

/* What each pass asks the database, now that its algorithm is chosen. */
static void ask(Search *s, GPtrArray *answers[MAXGL_TUNE_PASSES])
{
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++) {
        answers[p] = maxgl_tuning_answers_new();
        if (!maxgl_tune_has_pass(s->work->kind, (MaxglConv3dPass)p))
            continue;
        const gsize bytes = maxgl_tune_workspace(s->common.context, &s->work->kind->conv, (MaxglConv3dPass)p);
        g_autoptr(MaxglMaterial) scratch = maxgl_material_new(s->common.context);
        g_autoptr(MaxglSequence) sequence = maxgl_sequence_new_dry(s->common.context);
        cl_mem workspace;
        if (!maxgl_material_buffer(scratch, bytes, &workspace, NULL))
            continue; /* then it is not tuned either */
        maxgl_tuning_watch(s->common.context->tuning, answers[p]);
        maxgl_tune_append(s->work, (MaxglConv3dPass)p, workspace, sequence, NULL);
        maxgl_tuning_watch(s->common.context->tuning, NULL);
    }
}

static const MaxglTuningAnswer *find_answer(const GPtrArray *answers, const char *kernel, const char *name)
{
    for (guint i = 0; i < answers->len; i++) {
        const MaxglTuningAnswer *a = g_ptr_array_index(answers, i);
        if (a->shape && g_str_equal(a->kernel, kernel) && g_str_equal(a->name, name))
            return a;
    }
    return NULL;
}

static gboolean asks(const GPtrArray *answers, const MaxglTuningAnswer *answer)
{
    const MaxglTuningAnswer *a = find_answer(answers, answer->kernel, answer->name);
    return a && g_str_equal(a->shape, answer->shape);
}

/* Every value of a parameter, for those of @passes that share it. */
static gboolean search_values(Search *s, const MaxglTuningAnswer *now, const int *values, guint passes,
                              GError **error)
{
    for (; *values >= 0 && !time_is_up(s); values++) {
        g_autofree char *value = g_strdup_printf("%d", *values);
        if (g_str_equal(value, now->value))
            continue;
        g_autofree char *what = g_strdup_printf("%s %s = %s", now->kernel, now->name, value);
        g_autoptr(GArray) changes = changes_new();
        add_change(changes, s, now->kernel, now->shape, now->name, value);
        if (!try_changes(s, changes, passes, what, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean search_parameters(Search *s, GError **error)
{
    GPtrArray *answers[MAXGL_TUNE_PASSES];
    gboolean ok = TRUE;
    ask(s, answers);
    for (guint i = 0; i < G_N_ELEMENTS(parameters) && ok; i++) {
        guint seen = 0; /* passes whose turn was with one before */
        for (int p = 0; p < MAXGL_TUNE_PASSES && ok; p++) {
            const MaxglTuningAnswer *now = find_answer(answers[p], parameters[i].kernel, parameters[i].name);
            if (!now || (seen & 1U << p))
                continue;
            guint passes = 0;
            for (int q = p; q < MAXGL_TUNE_PASSES; q++)
                if (asks(answers[q], now))
                    passes |= 1U << q;
            seen |= passes;
            ok = search_values(s, now, parameters[i].values, passes, error);
        }
    }
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++)
        g_ptr_array_unref(answers[p]);
    return ok;
}

static char *text_of_tile(const MaxglTuneTile *tile)
{
    GString *text = g_string_new(tile->kernel);
    for (int i = 0; tile->names[i]; i++)
        g_string_append_printf(text, " %s %d", tile->names[i], tile->values[i]);
    return g_string_free(text, FALSE);
}

static gboolean try_tile(Search *s, int pass, const MaxglTuneTile *tile, const char *shape, GError **error)
{
    g_autoptr(GArray) changes = changes_new();
    g_autofree char *text = text_of_tile(tile);
    for (int i = 0; tile->names[i]; i++) {
        g_autofree char *value = g_strdup_printf("%d", tile->values[i]);
        add_change(changes, s, tile->kernel, shape, tile->names[i], value);
    }
    return try_changes(s, changes, 1U << pass, text, error);
}

/* Whole tiles for each pass whose algorithm works with them. */
static gboolean search_tiles(Search *s, GError **error)
{
    GPtrArray *answers[MAXGL_TUNE_PASSES];
    gboolean ok = TRUE;
    ask(s, answers);
    for (int p = 0; p < MAXGL_TUNE_PASSES && ok; p++) {
        g_autofree char *kernel = g_strdup_printf("conv3d_%s", algorithm_of(s, p));
        const MaxglTuningAnswer *now = find_answer(answers[p], kernel, "TM");
        if (!now)
            continue;
        g_autoptr(GArray) tiles =
            maxgl_tune_tiles(s->common.context, s->model, &s->work->kind->conv, (MaxglConv3dPass)p, kernel,
                             now->shape, &s->common.counts->hopeless);
        for (guint i = 0; i < tiles->len && ok && !time_is_up(s); i++)
            ok = try_tile(s, p, &g_array_index(tiles, MaxglTuneTile, i), now->shape, error);
    }
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++)
        g_ptr_array_unref(answers[p]);
    return ok;
}

static void row_free(MaxglTuneRow *row)
{
    g_free(row->layer);
    g_free(row->pass);
    g_free(row->before_algorithm);
    g_free(row->after_algorithm);
    g_free(row);
}

/* Names the algorithm of every pass, as it is without any change, so that what is tried for one pass leaves
 * the others alone. */
static void pin_algorithms(Search *s)
{
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++)
        maxgl_tuning_try(s->common.context->tuning, "conv3d", s->shape, maxgl_tune_pass_names[p],
                         algorithm_of(s, p));
}

static gboolean tried_thresholds(const Search *s)
{
    g_autoptr(GPtrArray) tried = maxgl_tuning_tried(s->common.context->tuning);
    for (guint i = 0; i < tried->len; i++) {
        const MaxglTuningSetting *t = g_ptr_array_index(tried, i);
        for (guint k = 0; k < G_N_ELEMENTS(thresholds); k++)
            if (!g_strcmp0(t->shape, s->shape) && g_str_equal(t->name, thresholds[k].name))
                return TRUE;
    }
    return FALSE;
}

/* Takes back the names that change nothing. */
static void unpin_algorithms(Search *s, const GPtrArray *rows, guint first)
{
    for (guint i = first; i < rows->len; i++) {
        const MaxglTuneRow *row = g_ptr_array_index(rows, i);
        if (g_str_equal(row->before_algorithm, row->after_algorithm) && !tried_thresholds(s))
            maxgl_tuning_try(s->common.context->tuning, "conv3d", s->shape, row->pass, NULL);
    }
    if (s->work->kind->first && !tried_thresholds(s))
        maxgl_tuning_try(s->common.context->tuning, "conv3d", s->shape,
                         maxgl_tune_pass_names[MAXGL_CONV3D_BACKWARD_DATA], NULL);
}

static gboolean measure_before(Search *s, GPtrArray *rows, GError **error)
{
    const MaxglTuneKind *kind = s->work->kind;
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++) {
        MaxglTuneVerdict verdict;
        s->best[p] = INFINITY;
        if (!maxgl_tune_has_pass(kind, (MaxglConv3dPass)p))
            continue;
        maxgl_progress_set(s->common.progress, s->common.done, "%s %s", kind->name, maxgl_tune_pass_names[p]);
        if (!measure(s, p, INFINITY, &s->best[p], &verdict, error))
            return FALSE;
        MaxglTuneRow *row = g_new0(MaxglTuneRow, 1);
        *row = (MaxglTuneRow){.layer = g_strdup(kind->name),
                              .pass = g_strdup(maxgl_tune_pass_names[p]),
                              .count = kind->count,
                              .before_algorithm = g_strdup(algorithm_of(s, p))};
        s->before[p] = s->best[p];
        g_ptr_array_add(rows, row);
    }
    return TRUE;
}

static void finish_rows(Search *s, GPtrArray *rows, guint first)
{
    guint at = first;
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++) {
        if (!maxgl_tune_has_pass(s->work->kind, (MaxglConv3dPass)p))
            continue;
        MaxglTuneRow *row = g_ptr_array_index(rows, at++);
        row->before = s->before[p];
        row->after = s->best[p];
        row->after_algorithm = g_strdup(algorithm_of(s, p));
    }
}

/* The class that the database is asked with for this convolution. */
static char *shape_class(MaxglContext *context, const MaxglConv3d *conv)
{
    g_autoptr(GPtrArray) answers = maxgl_tuning_answers_new();
    maxgl_tuning_watch(context->tuning, answers);
    maxgl_conv3d_algorithm_name(context, conv, MAXGL_CONV3D_FORWARD);
    maxgl_tuning_watch(context->tuning, NULL);
    return g_strdup(((MaxglTuningAnswer *)g_ptr_array_index(answers, 0))->shape);
}

static gboolean search_kind(Search *s, GPtrArray *rows, GError **error)
{
    const guint first = rows->len;
    s->changed = 0;
    if (!measure_before(s, rows, error))
        return FALSE;
    pin_algorithms(s);
    if (!search_algorithms(s, error) || !search_tiles(s, error) || !search_parameters(s, error))
        return FALSE;
    finish_rows(s, rows, first);
    unpin_algorithms(s, rows, first);
    return TRUE;
}

static gboolean tune_kind(Search *s, const MaxglTuneKind *kind, GPtrArray *rows, GError **error)
{
    g_auto(MaxglTuneWork) work = {0};
    s->work = &work;
    s->shape = shape_class(s->common.context, &kind->conv);
    const gboolean done =
        maxgl_tune_work_init(&work, kind, s->common.context, error) && search_kind(s, rows, error);
    if (!done)
        g_prefix_error(error, "%s: ", kind->name);
    s->work = NULL;
    g_clear_pointer(&s->shape, g_free);
    return done;
}

GPtrArray *maxgl_tune_network(MaxglContext *context, const MaxglResnet *resnet,
                              const MaxglTuneOptions *options, MaxglTuneCounts *counts, GError **error)
{
    g_autoptr(GArray) kinds = maxgl_tune_kinds(context, resnet, options->batch, options->precision);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)row_free);
    g_autoptr(MaxglProgress) progress = maxgl_progress_new("tuning", kinds->len + 1);
    MaxglModel model;
    *counts = (MaxglTuneCounts){.complete = TRUE};
    if (context->info->type != MAXGL_DEVICE_CPU && !maxgl_model_of_device(context, &model, error))
        return NULL;
    Search search = {
        .common =
            {
                .context = context,
                .resnet = resnet,
                .options = options,
                .counts = counts,
                .progress = progress,
                .deadline = g_get_monotonic_time() + (gint64)(options->minutes * 60 * G_TIME_SPAN_SECOND),
            },
        .model = context->info->type == MAXGL_DEVICE_CPU ? NULL : &model};
    for (guint i = 0; i < kinds->len && !(i > 0 && time_is_up(&search)); i++) {
        search.common.done = i;
        if (!tune_kind(&search, &g_array_index(kinds, MaxglTuneKind, i), rows, error))
            return NULL;
    }
    search.common.done = kinds->len;
    return maxgl_tune_others(&search.common, rows, error) ? g_steal_pointer(&rows) : NULL;
}
