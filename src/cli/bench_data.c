/* maxgl-cl bench: videos, and training with them. */
#include "bench/data.h"
#include "bench/recipe.h"
#include "cli/bench_passes.h"
#include "cli/recipe_arguments.h"
#include "cli/table.h"
#include "learn/task.h"

#include <stdio.h>

/* ---------------- data ---------------- */

static gboolean write_data(const MaxglBenchArguments *o, const MaxglContext *context, const GArray *rows,
                           GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    maxgl_record_string(b, "data", o->data);
    maxgl_record_string(b, "clip", o->clip);
    maxgl_record_number(b, "batch", o->batch);
    maxgl_record_number(b, "clips_per_video", o->clips_per_video);
    maxgl_record_data(b, rows);
    return maxgl_record_write(b, o->json, error);
}

gboolean maxgl_bench_pass_data(const MaxglBenchArguments *o, MaxglContext *context, GError **error)
{
    MaxglResnetSpec spec;
    if (!maxgl_bench_parse_clip(o->clip, &spec, error))
        return FALSE;
    const MaxglDataOptions options = {.source = o->data,
                                      .frames = spec.frames,
                                      .height = spec.height,
                                      .width = spec.columns,
                                      .stride = 1,
                                      .batch = o->batch,
                                      .clips = o->clips_per_video,
                                      .seconds = o->seconds};
    static const char *const titles[] = {"", ">clips/s", ">clips", ">waiting for videos", NULL};
    g_autoptr(GArray) rows = maxgl_bench_data(context, &options, error);
    if (!rows)
        return FALSE;
    printf("%s, clips of %s, batches of %d videos with %d clips each\n", o->data, o->clip, o->batch,
           o->clips_per_video);
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        maxgl_table_add(table, row->name);
        maxgl_table_addf(table, "%.1f", (double)row->clips / row->seconds);
        maxgl_table_addf(table, "%" G_GUINT64_FORMAT, row->clips);
        maxgl_table_addf(table, "%.0f %%", 100 * row->waiting);
    }
    maxgl_table_print(table, "  ");
    return !o->json || write_data(o, context, rows, error);
}

/* ---------------- a recipe ---------------- */

static gboolean write_recipe(const MaxglBenchArguments *o, const MaxglContext *context,
                             const MaxglRecipe *recipe, const GArray *rows, GError **error)
{
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, o->pass);
    maxgl_record_string(b, "config", o->config);
    maxgl_record_string(b, "data", recipe->data.path);
    maxgl_record_string(b, "net", recipe->network.name);
    maxgl_record_number(b, "width", recipe->network.width);
    maxgl_record_number(b, "batch", recipe->train.batch);
    maxgl_record_number(b, "clips_per_video", maxgl_task_of(recipe)->clips_per_video(recipe));
    maxgl_record_data(b, rows);
    return maxgl_record_write(b, o->json, error);
}

static double clips_per_second(const GArray *rows, guint i)
{
    const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
    return (double)row->clips / row->seconds;
}

gboolean maxgl_bench_pass_recipe(const MaxglBenchArguments *o, MaxglContext *context, GError **error)
{
    static const char *const titles[] = {"", ">clips/s", ">of the step alone", ">waiting for videos", NULL};
    const MaxglRecipeArguments given = {.config = o->config, .data = o->data, .sets = o->sets};
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_read(&given, error);
    if (!recipe || !maxgl_recipe_validate(recipe, error))
        return FALSE;
    g_autoptr(GArray) rows = maxgl_bench_recipe(context, recipe, o->seconds, error);
    if (!rows)
        return FALSE;
    const int clips = maxgl_task_of(recipe)->clips_per_video(recipe);
    printf("%s: %s@%g, %d videos a step, %d clip%s of each\n", o->config, recipe->network.name,
           recipe->network.width, recipe->train.batch, clips, clips == 1 ? "" : "s");
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < rows->len; i++) {
        const MaxglDataRow *row = &g_array_index(rows, MaxglDataRow, i);
        maxgl_table_add(table, row->name);
        maxgl_table_addf(table, "%.1f", clips_per_second(rows, i));
        maxgl_table_addf(table, "%.0f %%", 100 * clips_per_second(rows, i) / clips_per_second(rows, 0));
        maxgl_table_addf(table, "%.0f %%", 100 * row->waiting);
    }
    maxgl_table_print(table, "  ");
    return !o->json || write_recipe(o, context, recipe, rows, error);
}
