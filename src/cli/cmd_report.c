/* maxgl-cl report: a run as a page, or several beside each other. */
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/report_compare.h"
#include "eval/report.h"
#include "learn/run.h"
#include "learn/task.h"

#include <math.h>
#include <string.h>

/* InfoNCE cannot exceed the logarithm of its number of candidates (ops/mi_estimator.h); for regions against
 * all others' that number is not shown, being another in each direction. */
static void set_bounds(MaxglReportOptions *options, const MaxglRecipe *recipe)
{
    if (recipe->train.task != MAXGL_TASK_MAXGL || recipe->objective.estimator != MAXGL_MI_INFONCE)
        return;
    options->global_bound = log(recipe->train.batch);
    if (recipe->objective.negatives == MAXGL_NEGATIVES_REGION)
        options->local_bound = options->global_bound;
}

static gboolean set_recipe(MaxglReportOptions *options, const MaxglRecipe *recipe, GError **error)
{
    g_autoptr(MaxglResnet) resnet = maxgl_recipe_resnet(recipe, 0, error);
    if (!resnet)
        return FALSE;
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(recipe, resnet);
    options->data = recipe->data.path;
    options->split = recipe->data.split;
    options->clip = (MaxglClipSpec){recipe->clip.frames, recipe->clip.stride, recipe->data.short_videos};
    options->clips_per_video = maxgl_task_of(recipe)->clips_per_video(recipe);
    options->size = recipe->clip.size;
    options->antialias = info->preprocessing.antialias;
    options->resize_width = info->preprocessing.resize_width;
    options->resize_height = info->preprocessing.resize_height;
    options->augmentation = recipe->augment;
    options->seed = (guint64)recipe->train.seed;
    set_bounds(options, recipe);
    return TRUE;
}

static gboolean write_page(const MaxglReportOptions *options, const char *out, GError **error)
{
    g_autoptr(MaxglFile) probe = maxgl_file_create(out, error); /* before the work */
    g_autofree char *page = probe ? maxgl_report_make(options, error) : NULL;
    if (!page || !maxgl_file_write_atomic(out, page, strlen(page), error))
        return FALSE;
    g_message("%s: %.1f MB, for any browser", out, (double)strlen(page) * 1e-6);
    return TRUE;
}

static gboolean report_one(const char *run, const char *out, GError **error)
{
    MaxglReportOptions options = {.run = run, .device = maxgl_command_device()};
    g_autofree char *page = out ? g_strdup(out) : g_build_filename(run, "report.html", NULL);
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_new();
    if (!g_file_test(run, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such folder", run);
        return FALSE;
    }
    if (maxgl_is_run_folder(run) &&
        (!maxgl_run_read_recipe(run, recipe, NULL, error) || !set_recipe(&options, recipe, error)))
        return FALSE;
    return write_page(&options, page, error);
}

gboolean maxgl_cmd_report(int argc, char **argv, GError **error)
{
    g_autofree char *out = NULL, *json = NULL;
    const GOptionEntry entries[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &out,
         "The page (default: RUN/report.html; of several runs, comparison.html)", "F"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &json, "Several runs: also write their numbers to F", "F"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "RUN…",
        .summary =
            "Makes one HTML page of a run's folder: the curves of training, the results of maxgl-cl eval\n"
            "that are in it, and what the network saw and finds alike. The page needs no other file and\n"
            "no network. Of several runs it makes a page, and prints tables, that put their results beside\n"
            "each other: mean and deviation over those that differ in train.seed alone.",
        .entries = entries,
        .examples = "  maxgl-cl report runs/demo\n"
                    "  maxgl-cl report runs/demo --out demo.html\n"
                    "  maxgl-cl report runs/global-1 runs/global-2 runs/maxgl-1 runs/maxgl-2 -o both.html",
        .min_arguments = 1,
        .max_arguments = 10000,
    };
    if (!maxgl_command_parse(&help, &argc, &argv, error))
        return FALSE;
    if (argc == 2 && json)
        return maxgl_command_usage(error, "--json: is for several runs; those of one are in its eval-*.json");
    maxgl_interrupt_install();
    return argc == 2 ? report_one(argv[1], out, error)
                     : maxgl_report_compare((const char *const *)argv + 1, out ? out : "comparison.html",
                                            json, error);
}
