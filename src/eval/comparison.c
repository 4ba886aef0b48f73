#include "eval/comparison.h"

#include "eval/report_parts.h"
#include "eval/result_json.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* One number of one run. */
typedef struct {
    char *data, *protocol, *label, *split, *measure, *group;
    gint64 seed;
    double value, chance;
} Observation;

static void observation_free(gpointer pointer)
{
    Observation *o = pointer;
    g_free(o->data);
    g_free(o->protocol);
    g_free(o->label);
    g_free(o->split);
    g_free(o->measure);
    g_free(o->group);
    g_free(o);
}

static gboolean same_row(const Observation *a, const Observation *b)
{
    return strcmp(a->data, b->data) == 0 && strcmp(a->protocol, b->protocol) == 0 &&
           strcmp(a->label, b->label) == 0 && strcmp(a->split, b->split) == 0 &&
           strcmp(a->measure, b->measure) == 0;
}

static char *group_title(const MaxglComparedRun *run, MaxglComparison comparison)
{
    if (comparison == MAXGL_COMPARISON_RANDOM)
        return g_strdup(maxgl_comparison_title(comparison));
    return comparison == MAXGL_COMPARISON_STILL
               ? g_strdup_printf("%s, %s", run->group, maxgl_comparison_title(comparison))
               : g_strdup(run->group);
}

/* The results of aslan have no split: each view is a row. */
static char *split_of(JsonObject *row)
{
    return json_object_has_member(row, "view") ? g_strdup_printf("view %.0f", maxgl_json_number(row, "view"))
                                               : g_strdup(maxgl_json_string(row, "split", ""));
}

/* Windows and clips spread over a video are two ways to test one network. */
static const char *measure_of(JsonObject *result, gboolean recall)
{
    const gboolean windows = strcmp(maxgl_json_string(result, "averaged", ""), "softmax") == 0;
    return recall ? "R@1" : windows ? "accuracy, windows" : "accuracy";
}

static double chance_of(JsonObject *row)
{
    JsonObject *chances = maxgl_json_object(row, "chance");
    if (chances)
        return maxgl_json_number(chances, "1");
    return json_object_has_member(row, "chance") ? maxgl_json_number(row, "chance") : NAN;
}

/* Adds what one network reached. The same initial weights are behind runs of several groups: those of one
 * seed count once. */
static void observe(GPtrArray *all, const MaxglComparedRun *run, JsonObject *result, JsonObject *row,
                    MaxglComparison comparison)
{
    JsonObject *network = maxgl_report_network(row, comparison);
    JsonObject *recall = maxgl_json_object(network, "recall");
    if (!network || (!recall && !json_object_has_member(network, "accuracy")))
        return;
    Observation *o = g_new0(Observation, 1);
    o->data = g_strdup(maxgl_json_string(result, "data", "?"));
    o->protocol = g_strdup(maxgl_json_string(result, "protocol", "?"));
    o->label = g_strdup(maxgl_json_string(row, "label", ""));
    o->split = split_of(row);
    o->measure = g_strdup(measure_of(result, recall != NULL));
    o->group = group_title(run, comparison);
    o->seed = run->seed;
    o->value = recall ? maxgl_json_number(recall, "1") : maxgl_json_number(network, "accuracy");
    o->chance = chance_of(row);
    for (guint i = 0; i < all->len; i++) {
        const Observation *before = g_ptr_array_index(all, i);
        if (same_row(before, o) && before->seed == o->seed && strcmp(before->group, o->group) == 0) {
            observation_free(o);
            return;
        }
    }
    g_ptr_array_add(all, o);
}

static void observe_run(GPtrArray *all, const MaxglComparedRun *run)
{
    g_autoptr(GPtrArray) results = maxgl_report_read_results(run->folder);
    for (guint r = 0; r < results->len; r++) {
        JsonObject *result = g_ptr_array_index(results, r);
        JsonArray *rows = maxgl_json_array(result, "results");
        for (guint i = 0; i < json_array_get_length(rows); i++)
            for (guint c = 0; c < MAXGL_COMPARISONS; c++)
                observe(all, run, result, json_array_get_object_element(rows, i), c);
    }
}

/* ---------------- the table ---------------- */

static void part_free(gpointer pointer)
{
    MaxglComparisonPart *part = pointer;
    for (guint r = 0; r < part->rows->len; r++) {
        MaxglComparisonRow *row = g_ptr_array_index(part->rows, r);
        for (guint g = 0; g < part->groups->len; g++)
            g_free(row->cells[g].values);
        g_free(row->cells);
        g_free(row->protocol);
        g_free(row->label);
        g_free(row->split);
        g_free(row->measure);
        g_free(row);
    }
    g_ptr_array_unref(part->rows);
    g_ptr_array_unref(part->groups);
    g_free(part->data);
    g_free(part);
}

static gboolean has_title(GPtrArray *titles, const char *title)
{
    return g_ptr_array_find_with_equal_func(titles, title, g_str_equal, NULL);
}

/* Runs' groups first, in their order; then what they are compared with. */
static void add_groups(MaxglComparisonPart *part, const MaxglRunComparison *table, GPtrArray *all)
{
    part->groups = g_ptr_array_new_with_free_func(g_free);
    for (guint pass = 0; pass < 3; pass++)
        for (guint i = 0; i < all->len; i++) {
            const Observation *o = g_ptr_array_index(all, i);
            const gboolean random = strcmp(o->group, maxgl_comparison_title(MAXGL_COMPARISON_RANDOM)) == 0;
            const guint kind = has_title(table->groups, o->group) ? 0 : random ? 1 : 2;
            if (kind == pass && strcmp(o->data, part->data) == 0 && !has_title(part->groups, o->group))
                g_ptr_array_add(part->groups, g_strdup(o->group));
        }
}

static void spread(MaxglSpread *cell, const char *group, const Observation *row, GPtrArray *all)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; i < all->len; i++) {
        const Observation *o = g_ptr_array_index(all, i);
        if (same_row(o, row) && strcmp(o->group, group) == 0)
            g_array_append_val(values, o->value);
    }
    maxgl_spread_fill(cell, (const double *)values->data, values->len);
}

static void add_row(MaxglComparisonPart *part, const Observation *o, GPtrArray *all)
{
    MaxglComparisonRow *row = g_new0(MaxglComparisonRow, 1);
    row->protocol = g_strdup(o->protocol);
    row->label = g_strdup(o->label);
    row->split = g_strdup(o->split);
    row->measure = g_strdup(o->measure);
    row->chance = o->chance;
    row->cells = g_new0(MaxglSpread, part->groups->len);
    for (guint g = 0; g < part->groups->len; g++)
        spread(&row->cells[g], g_ptr_array_index(part->groups, g), o, all);
    g_ptr_array_add(part->rows, row);
}

/* Whether nothing before observation @index has its row, or its data set. */
static gboolean is_first(GPtrArray *all, guint index, gboolean of_data)
{
    const Observation *o = g_ptr_array_index(all, index);
    for (guint i = 0; i < index; i++) {
        const Observation *before = g_ptr_array_index(all, i);
        if (of_data ? strcmp(before->data, o->data) == 0 : same_row(before, o))
            return FALSE;
    }
    return TRUE;
}

static void add_part(MaxglRunComparison *table, const char *data, GPtrArray *all)
{
    MaxglComparisonPart *part = g_new0(MaxglComparisonPart, 1);
    part->data = g_strdup(data);
    part->rows = g_ptr_array_new();
    add_groups(part, table, all);
    for (guint i = 0; i < all->len; i++) {
        const Observation *o = g_ptr_array_index(all, i);
        if (strcmp(o->data, data) == 0 && is_first(all, i, FALSE))
            add_row(part, o, all);
    }
    g_ptr_array_add(table->parts, part);
}

static gboolean has_metrics(const MaxglComparedRun *run)
{
    g_autofree char *path = g_build_filename(run->folder, "metrics.csv", NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

MaxglRunComparison *maxgl_run_comparison_new(const MaxglComparedRun *runs, guint n_runs, GError **error)
{
    g_autoptr(MaxglRunComparison) table = g_new0(MaxglRunComparison, 1);
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(observation_free);
    gboolean metrics = FALSE;
    table->runs = runs;
    table->n_runs = n_runs;
    table->groups = g_ptr_array_new();
    table->parts = g_ptr_array_new_with_free_func(part_free);
    for (guint i = 0; i < n_runs; i++) {
        if (!has_title(table->groups, runs[i].group))
            g_ptr_array_add(table->groups, (gpointer)runs[i].group);
        observe_run(all, &runs[i]);
        metrics = metrics || has_metrics(&runs[i]);
    }
    for (guint i = 0; i < all->len; i++)
        if (is_first(all, i, TRUE))
            add_part(table, ((Observation *)g_ptr_array_index(all, i))->data, all);
    if (all->len > 0 || metrics)
        return g_steal_pointer(&table);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                "%s and the others have neither a training run nor results of maxgl-cl eval", runs[0].folder);
    return NULL;
}

void maxgl_run_comparison_free(MaxglRunComparison *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->groups);
    g_ptr_array_unref(table->parts);
    g_free(table);
}

/* ---------------- JSON ---------------- */

static void add_row_json(JsonBuilder *b, const MaxglComparisonPart *part, const MaxglComparisonRow *row)
{
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "protocol", row->protocol);
    maxgl_result_add_string(b, "measure", row->measure);
    maxgl_result_add_string(b, "label", row->label);
    maxgl_result_add_string(b, "split", row->split);
    if (!isnan(row->chance))
        maxgl_result_add_number(b, "chance", row->chance);
    maxgl_result_begin_object(b, "groups");
    for (guint g = 0; g < part->groups->len; g++) {
        const MaxglSpread *cell = &row->cells[g];
        if (cell->n == 0)
            continue;
        maxgl_result_begin_object(b, g_ptr_array_index(part->groups, g));
        maxgl_spread_add_json(b, cell);
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
    json_builder_end_object(b);
}

static void add_runs_json(JsonBuilder *b, const MaxglRunComparison *table)
{
    maxgl_result_begin_array(b, "runs");
    for (guint i = 0; i < table->n_runs; i++) {
        json_builder_begin_object(b);
        maxgl_result_add_string(b, "folder", table->runs[i].folder);
        maxgl_result_add_string(b, "group", table->runs[i].group);
        maxgl_result_add_size(b, "seed", (gsize)table->runs[i].seed);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

char *maxgl_run_comparison_json(const MaxglRunComparison *table)
{
    JsonBuilder *b = json_builder_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format_iso8601(now);
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "version", MAXGL_VERSION);
    maxgl_result_add_string(b, "time", time);
    add_runs_json(b, table);
    maxgl_result_begin_array(b, "parts");
    for (guint p = 0; p < table->parts->len; p++) {
        const MaxglComparisonPart *part = g_ptr_array_index(table->parts, p);
        json_builder_begin_object(b);
        maxgl_result_add_string(b, "data", part->data);
        maxgl_result_begin_array(b, "rows");
        for (guint r = 0; r < part->rows->len; r++)
            add_row_json(b, part, g_ptr_array_index(part->rows, r));
        json_builder_end_array(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
