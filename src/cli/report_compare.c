#include "cli/report_compare.h"

#include "base/file.h"
#include "cli/table.h"
#include "eval/comparison.h"
#include "learn/run.h"

#include <math.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

/* The runs, and what they are grouped by. */
typedef struct {
    guint n;
    MaxglComparedRun *runs;
    MaxglRecipe **recipes; /* with the seed 0 */
} Runs;

static void runs_clear(Runs *runs)
{
    for (guint i = 0; i < runs->n; i++) {
        g_free((char *)runs->runs[i].group);
        g_free((char *)runs->runs[i].about);
        maxgl_recipe_free(runs->recipes[i]);
    }
    g_free(runs->runs);
    g_free(runs->recipes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Runs, runs_clear)

static gboolean read_recipe(const char *folder, MaxglRecipe *recipe, gint64 *seed, GError **error)
{
    if (!maxgl_is_run_folder(folder)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: is no folder of a training run", folder);
        return FALSE;
    }
    if (!maxgl_run_read_recipe(folder, recipe, NULL, error))
        return FALSE;
    *seed = recipe->train.seed;
    recipe->train.seed = 0;
    return TRUE;
}

/* The differences of one recipe from another that change what is learnt, in a line. */
static char *differences(const MaxglRecipe *first, const MaxglRecipe *other)
{
    g_auto(GStrv) lines = maxgl_recipe_conflicts(first, other);
    GString *text = g_string_new(NULL);
    for (char **line = lines; *line; line++) {
        char *arrow = strstr(*line, " → ");
        g_string_append_printf(text, "%s%.*s %s", text->len > 0 ? ", " : "", (int)strcspn(*line, ":"), *line,
                               arrow ? arrow + strlen(" → ") : "");
    }
    return g_string_free(text, FALSE);
}

static gboolean same_recipe(const MaxglRecipe *a, const MaxglRecipe *b)
{
    g_autofree char *text_a = maxgl_recipe_identity_text(a), *text_b = maxgl_recipe_identity_text(b);
    return strcmp(text_a, text_b) == 0;
}

/* What folders' names begin with alike, without what separates a number from it: "own-maxgl-1" and
 * "own-maxgl-2" are "own-maxgl". */
static char *common_name(const Runs *runs, guint first)
{
    char *name = g_path_get_basename(runs->runs[first].folder);
    gsize length = strlen(name);
    gboolean several = FALSE;
    for (guint i = 0; i < runs->n; i++) {
        if (i == first || !same_recipe(runs->recipes[i], runs->recipes[first]))
            continue;
        g_autofree char *other = g_path_get_basename(runs->runs[i].folder);
        gsize same = 0;
        while (same < length && name[same] == other[same])
            same++;
        length = same;
        several = TRUE;
    }
    while (several && length > 0 && strchr("-_. ", name[length - 1]))
        length--;
    if (length > 0)
        name[length] = '\0';
    return name;
}

/* Two groups may not have one name. */
static gboolean is_taken(const Runs *runs, guint before, const char *name)
{
    for (guint i = 0; i < before; i++)
        if (strcmp(runs->runs[i].group, name) == 0)
            return TRUE;
    return FALSE;
}

static void name_group(Runs *runs, guint index)
{
    MaxglComparedRun *run = &runs->runs[index];
    for (guint i = 0; i < index; i++)
        if (same_recipe(runs->recipes[i], runs->recipes[index])) {
            run->group = g_strdup(runs->runs[i].group);
            run->about = g_strdup(runs->runs[i].about);
            return;
        }
    g_autofree char *name = common_name(runs, index);
    run->group = is_taken(runs, index, name) ? g_strdup(run->folder) : g_strdup(name);
    run->about = index == 0 ? NULL : differences(runs->recipes[0], runs->recipes[index]);
}

static gboolean read_runs(Runs *runs, const char *const *folders, GError **error)
{
    const guint n = g_strv_length((char **)folders);
    runs->runs = g_new0(MaxglComparedRun, n);
    runs->recipes = g_new0(MaxglRecipe *, n);
    for (; runs->n < n; runs->n++) {
        runs->runs[runs->n].folder = folders[runs->n];
        runs->recipes[runs->n] = maxgl_recipe_new();
        if (!read_recipe(folders[runs->n], runs->recipes[runs->n], &runs->runs[runs->n].seed, error)) {
            runs->n++;
            return FALSE;
        }
    }
    for (guint i = 0; i < n; i++)
        name_group(runs, i);
    return TRUE;
}

static void print_part(const MaxglComparisonPart *part)
{
    g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(titles, g_strdup("label"));
    g_ptr_array_add(titles, g_strdup("videos"));
    g_ptr_array_add(titles, g_strdup("measure"));
    g_ptr_array_add(titles, g_strdup(">chance"));
    for (guint g = 0; g < part->groups->len; g++)
        g_ptr_array_add(titles, g_strconcat(">", g_ptr_array_index(part->groups, g), NULL));
    g_ptr_array_add(titles, NULL);
    g_autoptr(MaxglTable) table = maxgl_table_new((const char *const *)titles->pdata);
    for (guint r = 0; r < part->rows->len; r++) {
        const MaxglComparisonRow *row = g_ptr_array_index(part->rows, r);
        maxgl_table_add(table, row->label);
        maxgl_table_add(table, row->split);
        maxgl_table_addf(table, "%s %s", row->protocol, row->measure);
        if (isnan(row->chance))
            maxgl_table_add(table, "");
        else
            maxgl_table_addf(table, "%.3f", row->chance);
        for (guint g = 0; g < part->groups->len; g++) {
            const MaxglSpread *cell = &row->cells[g];
            if (cell->n > 1)
                maxgl_table_addf(table, "%.3f ± %.3f", cell->mean, cell->deviation);
            else if (cell->n == 1)
                maxgl_table_addf(table, "%.3f", cell->mean);
            else
                maxgl_table_add(table, "");
        }
    }
    printf("\n%s\n", part->data);
    maxgl_table_print(table, "  ");
}

gboolean maxgl_report_compare(const char *const *folders, const char *out, const char *json, GError **error)
{
    g_auto(Runs) runs = {0};
    if (!read_runs(&runs, folders, error))
        return FALSE;
    g_autoptr(MaxglRunComparison) table = maxgl_run_comparison_new(runs.runs, runs.n, error);
    g_autofree char *page = table ? maxgl_run_comparison_page(table, error) : NULL;
    if (!page || !maxgl_file_write_atomic(out, page, strlen(page), error))
        return FALSE;
    g_autofree char *numbers = json ? maxgl_run_comparison_json(table) : NULL;
    if (numbers && !maxgl_file_write_atomic(json, numbers, strlen(numbers), error))
        return FALSE;
    for (guint p = 0; p < table->parts->len; p++)
        print_part(g_ptr_array_index(table->parts, p));
    g_message("%s: %u runs in %u groups, for any browser", out, table->n_runs, table->groups->len);
    return TRUE;
}
