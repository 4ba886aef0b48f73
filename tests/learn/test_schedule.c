#include "learn/schedule.h"

#include "../golden/plateau.h"
#include "../media/folder.h"
#include "learn/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* @options: with spaces between them. */
static MaxglRecipe *recipe_of(const char *options)
{
    g_auto(GStrv) sets = g_strsplit(options, " ", -1);
    g_autoptr(GError) error = NULL;
    MaxglRecipe *recipe = maxgl_recipe_new();
    maxgl_options_load(&maxgl_recipe_table, recipe, NULL, (const char *const *)sets, &error);
    assert_null(error);
    maxgl_recipe_validate(recipe, &error);
    assert_null(error);
    return recipe;
}

/* The rates of a run of as many steps as there are in @want. */
static void assert_rates(const char *options, gint64 steps, const double *want)
{
    g_autoptr(MaxglRecipe) recipe = recipe_of(options);
    for (gint64 step = 1; step <= steps; step++) {
        const double rate = maxgl_schedule_rate(recipe, step, steps, NULL);
        if (!(fabs(rate - want[step - 1]) <= 1e-12))
            fail_msg("%s: step %d has %.15g and not %.15g", options, (int)step, rate, want[step - 1]);
    }
}

#define ASSERT_RATES(options, ...)                                                                           \
    assert_rates(options, G_N_ELEMENTS(((const double[]){__VA_ARGS__})), (const double[]){__VA_ARGS__})

static void test_every_step(void **state)
{
    ASSERT_RATES("train.lr=2 train.schedule=constant", 2, 2, 2);
    ASSERT_RATES("train.lr=2 train.schedule=constant train.warmup=4", 0.5, 1, 1.5, 2, 2, 2);
    ASSERT_RATES("train.lr=2 train.schedule=plateau train.warmup=2", 1, 2, 2, 2);
    ASSERT_RATES("train.lr=2 train.schedule=linear", 2, 1.6, 1.2, 0.8, 0.4);
    ASSERT_RATES("train.lr=2 train.schedule=linear train.warmup=2", 1, 2, 2, 1.5, 1, 0.5);
    ASSERT_RATES("train.lr=2 train.schedule=cosine", 2, 1 + sqrt(0.5), 1, 1 - sqrt(0.5));
    ASSERT_RATES("train.lr=2 train.schedule=cosine train.warmup=4", 0.5, 1, 1.5, 2, 2, 1 + sqrt(0.5), 1,
                 1 - sqrt(0.5));
    /* 60 and 80 percent, the default: six steps, two, two. */
    ASSERT_RATES("train.lr=2 train.schedule=step", 2, 2, 2, 2, 2, 2, 0.2, 0.2, 0.02, 0.02);
    /* A part that is no whole number of steps ends with the step that it is in. */
    ASSERT_RATES("train.lr=2 train.schedule=step train.drops=33,34,99", 2, 2, 2, 2, 0.02, 0.02, 0.02, 0.02,
                 0.02, 0.02);
    ASSERT_RATES("train.lr=2 train.schedule=step train.drops=10,50,90", 2, 0.2, 0.2, 0.2, 0.2, 0.02, 0.02,
                 0.02, 0.02, 0.002);
    ASSERT_RATES("train.lr=2 train.schedule=step train.drops=100,100,100", 2, 2, 2);
    /* The warm-up goes to the whole rate, whatever falls into it. */
    ASSERT_RATES("train.lr=2 train.schedule=step train.drops=25,50,100 train.warmup=4", 0.5, 1, 1.5, 2, 0.02,
                 0.02);
}

static void test_defaults(void **state)
{
    g_autoptr(MaxglRecipe) recipe = recipe_of("train.seed=1");
    assert_int_equal(recipe->train.schedule, MAXGL_SCHEDULE_COSINE);
    assert_int_equal(recipe->train.patience, 50);
}

/* ---------------- plateau ---------------- */

/* An epoch of three steps whose mean is @loss. */
static void epoch(MaxglPlateau *plateau, double loss, int patience)
{
    maxgl_plateau_add(plateau, loss - 0.5);
    maxgl_plateau_add(plateau, loss);
    maxgl_plateau_add(plateau, loss + 0.5);
    maxgl_plateau_end_epoch(plateau, 3, patience);
}

static void test_as_pytorch(void **state)
{
    g_autoptr(MaxglRecipe) recipe = recipe_of("train.lr=2 train.schedule=plateau");
    for (guint i = 0; i < G_N_ELEMENTS(golden); i++) {
        MaxglPlateau plateau;
        maxgl_plateau_init(&plateau);
        for (guint e = 0; e <= GOLDEN_EPOCHS; e++) {
            if (plateau.drops != golden[i].drops[e])
                fail_msg("patience %d: %d drops before epoch %u, and not %d", golden[i].patience,
                         plateau.drops, e + 1, golden[i].drops[e]);
            const double rate = 2 * pow(10, -golden[i].drops[e]);
            assert_float_equal(maxgl_schedule_rate(recipe, 1000, 1000, &plateau), rate, 1e-12 * rate);
            if (e < GOLDEN_EPOCHS)
                epoch(&plateau, golden_losses[e], golden[i].patience);
        }
    }
}

/* The bounds that pre-training maximises make losses below 0: lower is better there too. */
static void test_losses_below_zero(void **state)
{
    MaxglPlateau plateau;
    maxgl_plateau_init(&plateau);
    epoch(&plateau, 0.25, 1);
    epoch(&plateau, 0, 1);
    epoch(&plateau, -1, 1);
    assert_int_equal(plateau.bad, 0);
    epoch(&plateau, -0.99995, 1);
    assert_int_equal(plateau.bad, 1);
    epoch(&plateau, -1.001, 1);
    assert_int_equal(plateau.bad, 0);
    epoch(&plateau, -1.00105, 1);
    epoch(&plateau, -1.0005, 1);
    assert_int_equal(plateau.drops, 1);
    assert_int_equal(plateau.bad, 0);
}

/* ---------------- runs ---------------- */

/* Three steps an epoch, at a rate too low to learn anything, so that most epochs are no better than others.
 */
#define RUN                                                                                                  \
    "network.name=r3d-vcop network.width=0.0625 clip.frames=4 clip.stride=1 clip.size=16 "                   \
    "data.path=synth:videos=24,test=0,test_new=0,width=16,height=16,frames=8 data.label=appearance "         \
    "objective.hidden=16 objective.regions=1,1,1 train.batch=8 train.schedule=plateau train.patience=0 "     \
    "train.lr=1e-7 train.log_every=1 train.checkpoint_every=0 "

static void train(const char *options, const char *out, gboolean resume)
{
    g_autoptr(MaxglRecipe) recipe = recipe_of(options);
    g_autoptr(GError) error = NULL;
    const MaxglTrainOptions what = {.recipe = recipe, .out = out, .resume = resume};
    maxgl_train(&what, &error);
    assert_null(error);
}

/* Follows metrics.csv, in which loss and rate are columns 2 and @rate: the rate falls after each epoch that
 * is no better than the best. */
static void assert_curve(const char *run, guint rate_column)
{
    g_autofree char *path = g_build_filename(run, "metrics.csv", NULL), *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) rows = g_strsplit(g_strchomp(text), "\n", -1);
    MaxglPlateau plateau;
    int drops = 0;
    maxgl_plateau_init(&plateau);
    assert_int_equal(g_strv_length(rows), 1 + 15);
    for (int step = 1; step <= 15; step++) {
        g_auto(GStrv) cells = g_strsplit(rows[step], ",", -1);
        const double rate = 1e-7 * pow(10, -plateau.drops);
        assert_float_equal(g_ascii_strtod(cells[rate_column], NULL), rate, 1e-6 * rate);
        drops = plateau.drops;
        maxgl_plateau_add(&plateau, g_ascii_strtod(cells[2], NULL));
        if (step % 3 == 0)
            maxgl_plateau_end_epoch(&plateau, 3, 0);
    }
    assert_true(drops > 0);
}

static void assert_same_file(const char *run, const char *other, const char *name)
{
    g_autofree char *path = g_build_filename(run, name, NULL);
    g_autofree char *other_path = g_build_filename(other, name, NULL);
    g_autofree char *bytes = NULL, *other_bytes = NULL;
    gsize size = 0, other_size = 0;
    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    assert_true(g_file_get_contents(other_path, &other_bytes, &other_size, NULL));
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other_bytes, size);
}

/* A run that stops within an epoch and is resumed, with fewer rows, ends as one that was left alone. */
static void assert_runs(const char *task, guint rate_column)
{
    char *folder = test_folder_new();
    g_autofree char *whole = test_folder_path(folder, "whole"), *parts = test_folder_path(folder, "parts");
    g_autofree char *longer = g_strconcat(RUN "train.steps=15 ", task, NULL);
    g_autofree char *shorter = g_strconcat(RUN "train.steps=8 ", task, NULL);
    g_autofree char *seldom = g_strconcat(longer, " train.log_every=4", NULL);
    train(longer, whole, FALSE);
    assert_curve(whole, rate_column);
    train(shorter, parts, FALSE);
    train(seldom, parts, TRUE);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_file(whole, parts, "checkpoint-000015.safetensors");
    test_folder_remove(folder);
}

static void test_runs(void **state)
{
    assert_runs("train.task=maxgl", 5);
    assert_runs("train.task=recognition", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_step), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_as_pytorch), cmocka_unit_test(test_losses_below_zero),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
