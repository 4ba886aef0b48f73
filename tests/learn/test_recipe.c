#include "learn/recipe.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static MaxglRecipe *recipe_with(const char *const *sets)
{
    MaxglRecipe *recipe = maxgl_recipe_new();
    GError *error = NULL;
    maxgl_options_load(&maxgl_recipe_table, recipe, NULL, sets, &error);
    assert_null(error);
    return recipe;
}

/* What is wrong with the defaults changed by @sets: NULL, or a usage error's message. */
static char *problem_of(const char *const *sets)
{
    g_autoptr(MaxglRecipe) recipe = recipe_with(sets);
    g_autoptr(GError) error = NULL;
    if (maxgl_recipe_validate(recipe, &error))
        return NULL;
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    return g_strdup(error->message);
}

#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_problem(const char *const *sets, const char *part)
{
    g_autofree char *problem = problem_of(sets);
    assert_non_null(problem);
    if (!strstr(problem, part))
        fail_msg("\"%s\" does not say \"%s\"", problem, part);
}

static void test_options_are_told_of(void **state)
{
    for (guint i = 0; i < maxgl_recipe_table.count; i++) {
        const MaxglOption *option = &maxgl_recipe_table.options[i];
        assert_non_null(option->doc);
        assert_non_null(strchr(option->key, '.'));
        assert_ptr_equal(maxgl_options_find(&maxgl_recipe_table, option->key), option);
        if (option->type == MAXGL_OPTION_INT || option->type == MAXGL_OPTION_FLOAT)
            assert_true(option->max > option->min);
    }
}

static void test_text_reads_back(void **state)
{
    g_autoptr(MaxglRecipe) recipe =
        recipe_with(SETS("network.width=0.25", "objective.regions=1,2,2", "objective.estimator=infonce",
                         "data.path=a \"b\".csv", "train.lr=0.001", "augment.flip=0"));
    g_autoptr(MaxglRecipe) back = maxgl_recipe_new();
    g_autofree char *text = maxgl_options_text(&maxgl_recipe_table, recipe);
    assert_true(maxgl_options_load_text(&maxgl_recipe_table, back, text, "recipe", NULL));
    g_auto(GStrv) difference = maxgl_options_diff(&maxgl_recipe_table, recipe, back);
    assert_null(difference[0]);
}

static void test_choices_are_in_the_order_of_their_enums(void **state)
{
    g_autoptr(MaxglRecipe) recipe =
        recipe_with(SETS("objective.estimator=dv", "objective.discriminator=dot",
                         "objective.local_layer=layer4", "objective.local_pairs=both", "objective.clips=3",
                         "objective.negatives=all", "train.optimizer=adamw", "train.schedule=constant",
                         "train.algorithms=exact", "train.recompute=blocks", "data.short_videos=skip"));
    MaxglObjectiveOptions objective;
    maxgl_recipe_objective(recipe, &objective);
    assert_int_equal(objective.estimator, MAXGL_MI_DV);
    assert_int_equal(objective.discriminator, MAXGL_DISCRIMINATOR_DOT);
    assert_int_equal(objective.n_local_layers, 1);
    assert_string_equal(objective.local_layers[0], "layer4");
    assert_int_equal(objective.clips, 3);
    assert_int_equal(objective.local_pairs, MAXGL_LOCAL_BOTH);
    assert_int_equal(objective.local_negatives, MAXGL_NEGATIVES_ALL);
    assert_int_equal(recipe->train.optimizer, MAXGL_OPTIMIZER_ADAMW);
    assert_int_equal(recipe->train.schedule, MAXGL_SCHEDULE_CONSTANT);
    assert_int_equal(recipe->train.algorithms, MAXGL_ALGORITHMS_EXACT);
    assert_int_equal(recipe->train.recompute, MAXGL_RECOMPUTE_BLOCKS);
    assert_int_equal(recipe->data.short_videos, MAXGL_SHORT_SKIP);
    g_autoptr(MaxglRecipe) middle =
        recipe_with(SETS("objective.estimator=infonce", "objective.local_pairs=cross", "train.optimizer=adam",
                         "data.short_videos=repeat-last"));
    g_autoptr(MaxglRecipe) last = recipe_with(SETS("train.optimizer=lars", "train.schedule=plateau"));
    assert_int_equal(last->train.optimizer, MAXGL_OPTIMIZER_LARS);
    assert_int_equal(last->train.schedule, MAXGL_SCHEDULE_PLATEAU);
    maxgl_recipe_objective(middle, &objective);
    assert_int_equal(objective.estimator, MAXGL_MI_INFONCE);
    assert_int_equal(objective.local_pairs, MAXGL_LOCAL_CROSS);
    assert_int_equal(middle->train.optimizer, MAXGL_OPTIMIZER_ADAM);
    assert_int_equal(middle->data.short_videos, MAXGL_SHORT_REPEAT_LAST);
}

static void test_what_only_several_options_can_be_wrong_about(void **state)
{
    g_autofree char *none = problem_of(SETS("train.batch=2"));
    assert_null(none);
    assert_problem(SETS("network.name=hara-r3d19"), "network.name: ");
    assert_problem(SETS("network.name=hara-r3d19"), "did you mean hara-r3d1");
    assert_problem(SETS("network.name=r3d-vcop@0.25"), "network.width");
    assert_problem(SETS("augment.scale_min=0.9", "augment.scale_max=0.5"), "augment.scale_min");
    assert_problem(SETS("augment.ratio_min=2", "augment.ratio_max=1"), "augment.ratio_min");
    assert_problem(SETS("augment.mix_min=0.8"), "augment.mix_min");
    assert_problem(SETS("augment.blur_min=2.5"), "augment.blur_min: 2.5 is above augment.blur_max = 2");
    assert_problem(SETS("clip.stride=4", "clip.stride_max=3"), "clip.stride_max: 3 is below clip.stride = 4");
    g_autofree char *same_stride = problem_of(SETS("clip.stride=4", "clip.stride_max=4"));
    assert_null(same_stride);
    assert_problem(SETS("clip.resize_width=171"), "give both");
    assert_problem(SETS("clip.resize_width=100", "clip.resize_height=128"), "smaller than clip.size = 112");
    assert_problem(SETS("data.path="), "data.path");
    assert_problem(SETS("train.batch=6", "train.micro_batch=5"),
                   "train.micro_batch: 5 does not divide the 12 clips");
    assert_problem(SETS("train.batch=6", "objective.clips=3", "train.micro_batch=4"),
                   "train.micro_batch: 4 does not divide the 18 clips");
    g_autofree char *parts = problem_of(SETS("train.batch=6", "train.micro_batch=4"));
    assert_null(parts);
    assert_problem(SETS("train.steps=10", "train.warmup=10"), "train.warmup");
    assert_problem(SETS("train.drops=60,50,100"), "train.drops: 50 after 60");
    assert_problem(SETS("train.drops=60,80,80"), "train.drops: 80 after 80");
    assert_problem(SETS("train.drops=100,80,100"), "train.drops: 80 after 100");
    g_autofree char *drops = problem_of(SETS("train.drops=60,100,100"));
    assert_null(drops);
    assert_problem(SETS("objective.global_weight=0", "objective.local_weight=0"), "both terms have weight 0");
    /* layer3 of a hara network has 2×7×7 positions for clips of 16×112×112. */
    assert_problem(SETS("objective.regions=3,1,1"), "2×7×7");
    g_autofree char *fits = problem_of(SETS("objective.regions=2,7,7"));
    assert_null(fits);
    /* Without Local-MI its options do not matter. */
    g_autofree char *off = problem_of(SETS("objective.regions=3,1,1", "objective.local_weight=0"));
    assert_null(off);
}

static void test_local_layers(void **state)
{
    g_autofree char *one = problem_of(SETS("objective.local_layer=layer1"));
    assert_null(one);
    g_autofree char *four = problem_of(SETS("objective.local_layer=layer2,layer1,layer4,layer3"));
    assert_null(four);
    g_autoptr(MaxglRecipe) two = recipe_with(SETS("objective.local_layer=layer2,layer3"));
    MaxglObjectiveOptions objective;
    maxgl_recipe_objective(two, &objective);
    assert_int_equal(objective.n_local_layers, 2);
    assert_string_equal(objective.local_layers[0], "layer2");
    assert_string_equal(objective.local_layers[1], "layer3");
    assert_problem(SETS("objective.local_layer=layer5"),
                   "objective.local_layer: \"layer5\" is none of layer1");
    assert_problem(SETS("objective.local_layer=layer2,"), "objective.local_layer: \"\" is none of");
    assert_problem(SETS("objective.local_layer=layer2, layer3"),
                   "objective.local_layer: \" layer3\" is none of");
    assert_problem(SETS("objective.local_layer="), "objective.local_layer: \"\" is none of");
    assert_problem(SETS("objective.local_layer=layer2,layer3,layer2"),
                   "objective.local_layer: layer2 is there twice");
    /* One layer stands in a recipe as it always did, so that older runs are resumed. */
    g_autoptr(MaxglRecipe) recipe = recipe_with(SETS("objective.local_layer=layer2"));
    g_autofree char *text = maxgl_recipe_identity_text(recipe);
    assert_non_null(strstr(text, "local_layer = \"layer2\";"));
    g_autoptr(MaxglRecipe) old = maxgl_recipe_new();
    const char *before = "objective = { local_layer = \"layer2\"; };";
    assert_true(maxgl_options_load_text(&maxgl_recipe_table, old, before, "recipe", NULL));
    g_auto(GStrv) conflicts = maxgl_recipe_conflicts(old, recipe);
    assert_null(conflicts[0]);
}

static void test_what_a_resumed_run_can_change(void **state)
{
    g_autoptr(MaxglRecipe) before = recipe_with(SETS("train.steps=100"));
    g_autoptr(MaxglRecipe) harmless = recipe_with(
        SETS("train.steps=100", "data.workers=3", "data.prefetch=5", "data.cache_mb=1", "train.keep=7",
             "train.recompute=blocks", "train.checkpoint_every=9", "train.log_every=2"));
    g_auto(GStrv) none = maxgl_recipe_conflicts(before, harmless);
    assert_null(none[0]);
    g_autofree char *text = maxgl_recipe_identity_text(before);
    g_autofree char *same = maxgl_recipe_identity_text(harmless);
    assert_string_equal(text, same);

    g_autoptr(MaxglRecipe) other =
        recipe_with(SETS("train.steps=200", "train.lr=0.5", "objective.estimator=dv", "data.workers=3"));
    g_auto(GStrv) conflicts = maxgl_recipe_conflicts(before, other);
    assert_int_equal(g_strv_length(conflicts), 3);
    assert_string_equal(conflicts[0], "objective.estimator: jsd → dv");
    assert_string_equal(conflicts[1], "train.steps: 100 → 200");
    assert_string_equal(conflicts[2], "train.lr: 0.00375 → 0.5");

    g_autoptr(MaxglRecipe) exact = recipe_with(SETS("train.steps=100", "train.algorithms=exact"));
    g_auto(GStrv) rounding = maxgl_recipe_conflicts(before, exact);
    assert_int_equal(g_strv_length(rounding), 1);
    assert_string_equal(rounding[0], "train.algorithms: fast → exact");

    /* A constant learning rate has no end to know of. */
    g_autoptr(MaxglRecipe) constant = recipe_with(SETS("train.steps=100", "train.schedule=constant"));
    g_autoptr(MaxglRecipe) longer = recipe_with(SETS("train.steps=200", "train.schedule=constant"));
    g_auto(GStrv) allowed = maxgl_recipe_conflicts(constant, longer);
    assert_null(allowed[0]);
    g_auto(GStrv) schedule = maxgl_recipe_conflicts(constant, before);
    assert_int_equal(g_strv_length(schedule), 1);

    /* Nor has one that follows the loss; one that falls at parts of the run has. */
    g_autoptr(MaxglRecipe) plateau = recipe_with(SETS("train.steps=100", "train.schedule=plateau"));
    g_autoptr(MaxglRecipe) longer_plateau = recipe_with(SETS("train.steps=200", "train.schedule=plateau"));
    g_auto(GStrv) goes_on = maxgl_recipe_conflicts(plateau, longer_plateau);
    assert_null(goes_on[0]);
    g_autoptr(MaxglRecipe) step = recipe_with(SETS("train.steps=100", "train.schedule=step"));
    g_autoptr(MaxglRecipe) longer_step = recipe_with(SETS("train.steps=200", "train.schedule=step"));
    g_auto(GStrv) length = maxgl_recipe_conflicts(step, longer_step);
    assert_int_equal(g_strv_length(length), 1);
}

static void test_model_info(void **state)
{
    g_autoptr(MaxglRecipe) recipe =
        recipe_with(SETS("network.name=r3d_18", "clip.size=32", "clip.frames=8", "clip.stride=3",
                         "clip.resize_width=40", "clip.resize_height=36", "train.seed=42"));
    g_autoptr(MaxglResnet) resnet = maxgl_recipe_resnet(recipe, 0, NULL);
    assert_non_null(resnet);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(recipe, resnet);
    assert_int_equal(info->preprocessing.resize_width, 40);
    assert_int_equal(info->preprocessing.resize_height, 36);
    assert_int_equal(info->preprocessing.crop_width, 32);
    assert_int_equal(info->preprocessing.crop_height, 32);
    assert_float_equal(info->preprocessing.mean[0], 0.43216, 1e-6);
    assert_int_equal(info->frame_stride, 3);
    assert_int_equal(info->spec.classes, 0);
    assert_string_equal(info->seed, "42");
    g_autoptr(MaxglRecipe) back = maxgl_recipe_new();
    assert_true(maxgl_options_load_text(&maxgl_recipe_table, back, info->recipe, "metadata", NULL));
    assert_int_equal(back->clip.stride, 3);

    /* Without sizes of its own the shorter side becomes the clip's. */
    g_autoptr(MaxglRecipe) plain = recipe_with(SETS("network.name=r3d_18", "clip.size=48"));
    g_autoptr(MaxglModelInfo) of_plain = maxgl_recipe_model_info(plain, resnet);
    assert_int_equal(of_plain->preprocessing.resize_width, 0);
    assert_int_equal(of_plain->preprocessing.resize_height, 48);
}

static void test_shipped_recipes(void **state)
{
    g_autoptr(GDir) dir = g_dir_open(MAXGL_CONFIG_DIR, 0, NULL);
    guint n = 0;
    for (const char *name; (name = g_dir_read_name(dir));) {
        if (!g_str_has_suffix(name, ".cfg"))
            continue;
        g_autofree char *path = g_build_filename(MAXGL_CONFIG_DIR, name, NULL);
        g_autoptr(MaxglRecipe) recipe = maxgl_recipe_new();
        g_autoptr(GError) error = NULL;
        if (!maxgl_options_load(&maxgl_recipe_table, recipe, path, NULL, &error) ||
            !maxgl_recipe_validate(recipe, &error))
            fail_msg("%s", error->message);
        n++;
    }
    assert_true(n >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_told_of),
        cmocka_unit_test(test_text_reads_back),
        cmocka_unit_test(test_choices_are_in_the_order_of_their_enums),
        cmocka_unit_test(test_what_only_several_options_can_be_wrong_about),
        cmocka_unit_test(test_local_layers),
        cmocka_unit_test(test_what_a_resumed_run_can_change),
        cmocka_unit_test(test_model_info),
        cmocka_unit_test(test_shipped_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
