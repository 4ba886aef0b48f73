#include "learn/trainer.h"

#include "../media/folder.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A few hundred weights, and videos in memory: a step takes milliseconds. */
static const char *const tiny[] = {"network.name=r3d-vcop",
                                   "network.width=0.0625",
                                   "clip.frames=4",
                                   "clip.stride=1",
                                   "clip.size=16",
                                   "data.path=synth:videos=24,test=0,test_new=0,width=16,height=16,frames=8",
                                   "objective.hidden=16",
                                   "objective.regions=1,1,1",
                                   "train.batch=4",
                                   "train.lr=0.01",
                                   NULL};

typedef struct {
    MaxglRecipe *recipe;
    MaxglContext *context;
    MaxglDataset *dataset;
    MaxglTrainer *trainer;
    char *folder;
} Fixture;

static int group_set_up(void **state)
{
    *state = maxgl_context_open(NULL, NULL);
    return *state ? 0 : -1;
}

static int group_tear_down(void **state)
{
    maxgl_context_close(*state);
    return 0;
}

static void fixture_open(Fixture *fixture, MaxglContext *context, const char *extra)
{
    const char *sets[] = {extra, NULL};
    fixture->recipe = maxgl_recipe_new();
    assert_true(maxgl_options_load(&maxgl_recipe_table, fixture->recipe, NULL, tiny, NULL));
    if (extra)
        assert_true(maxgl_options_load(&maxgl_recipe_table, fixture->recipe, NULL, sets, NULL));
    fixture->context = context;
    fixture->dataset = maxgl_dataset_open(fixture->recipe->data.path, NULL);
    fixture->folder = test_folder_new();
    fixture->trainer =
        maxgl_trainer_new(context, fixture->recipe, maxgl_task_of(fixture->recipe), NULL, NULL);
    assert_non_null(fixture->trainer);
}

static void fixture_close(Fixture *fixture)
{
    maxgl_trainer_free(fixture->trainer);
    maxgl_dataset_free(fixture->dataset);
    maxgl_recipe_free(fixture->recipe);
    test_folder_remove(fixture->folder);
}

static MaxglBatch *batch_of(const Fixture *fixture, gsize step)
{
    MaxglLoaderOptions options;
    maxgl_loader_options_init(&options);
    options.train = TRUE;
    options.clips_per_video = maxgl_task_of(fixture->recipe)->clips_per_video(fixture->recipe);
    options.batch = fixture->recipe->train.batch;
    options.clip.frames = fixture->recipe->clip.frames;
    options.start_step = step;
    g_autoptr(MaxglLoader) loader = maxgl_loader_new(fixture->dataset, &options, NULL);
    MaxglBatch *batch = NULL;
    assert_true(maxgl_loader_next(loader, &batch, NULL));
    assert_non_null(batch);
    return batch;
}

static void step(Fixture *fixture, guint32 number)
{
    g_autoptr(MaxglBatch) batch = batch_of(fixture, number % 6);
    GError *error = NULL;
    maxgl_trainer_step(fixture->trainer, batch, number, 0.01, &error);
    assert_null(error);
}

/* One batch over and over must be learnt by heart. */
static void assert_learns(MaxglContext *context, const char *extra)
{
    Fixture fixture = {0};
    fixture_open(&fixture, context, extra);
    g_autoptr(MaxglBatch) batch = batch_of(&fixture, 0);
    double first[MAXGL_TASK_MAX_VALUES], last[MAXGL_TASK_MAX_VALUES];
    for (guint32 number = 1; number <= 60; number++) {
        assert_true(maxgl_trainer_step(fixture.trainer, batch, number, 0.01, NULL));
        if (number == 1)
            assert_true(maxgl_trainer_read(fixture.trainer, first, NULL));
    }
    assert_true(maxgl_trainer_read(fixture.trainer, last, NULL));
    if (!(last[0] < first[0] - 0.5))
        fail_msg("%s: the loss went from %g to %g", extra, first[0], last[0]);
    assert_float_equal(last[0], -(last[1] + last[2]), 1e-5);
    assert_true(last[1] > first[1] && last[2] > first[2]);
    fixture_close(&fixture);
}

static void test_every_optimizer_learns(void **state)
{
    assert_learns(*state, "train.optimizer=sgd");
    assert_learns(*state, "train.optimizer=adam");
    assert_learns(*state, "train.optimizer=adamw");
}

static void test_parts_of_a_batch_learn(void **state)
{
    assert_learns(*state, "train.micro_batch=4");
}

static void test_three_clips_and_two_layers_learn(void **state)
{
    assert_learns(*state, "objective.clips=3");
    assert_learns(*state, "objective.local_layer=layer2,layer3");
}

/* Large enough for activations to count. */
static MaxglRecipe *larger_recipe(const char *extra)
{
    const char *const sets[] = {"clip.size=40", "clip.frames=8", "train.batch=12", extra, NULL};
    MaxglRecipe *recipe = maxgl_recipe_new();
    assert_true(maxgl_options_load(&maxgl_recipe_table, recipe, NULL, tiny, NULL));
    assert_true(maxgl_options_load(&maxgl_recipe_table, recipe, NULL, sets, NULL));
    return recipe;
}

static void test_memory_is_known_before(void **state)
{
    static const char *const extras[] = {"train.optimizer=adam", "train.micro_batch=8",
                                         "train.recompute=blocks", "objective.discriminator=dot"};
    MaxglContext *context = *state;
    for (guint i = 0; i < G_N_ELEMENTS(extras); i++) {
        g_autoptr(MaxglRecipe) recipe = larger_recipe(extras[i]);
        const MaxglTask *task = maxgl_task_of(recipe);
        g_autoptr(GError) error = NULL;
        const double need = (double)maxgl_trainer_predict_bytes(context, recipe, task, NULL, &error);
        const guint64 before = context->allocated;
        assert_null(error);
        g_autoptr(MaxglTrainer) trainer = maxgl_trainer_new(context, recipe, task, NULL, &error);
        assert_non_null(trainer);
        const double taken = (double)(context->allocated - before);
        if (!(need > 0.95 * taken && need <= taken))
            fail_msg("%s: %.0f bytes predicted, %.0f taken", extras[i], need, taken);
    }
}

static void test_batch_is_cut_to_fit(void **state)
{
    MaxglContext *context = *state;
    g_autoptr(MaxglRecipe) recipe = larger_recipe(NULL);
    const MaxglTask *task = maxgl_task_of(recipe);
    g_autoptr(GError) error = NULL;
    const guint64 all = maxgl_trainer_predict_bytes(context, recipe, task, NULL, NULL);
    assert_true(maxgl_trainer_fit(context, recipe, task, NULL, all, &error));
    assert_int_equal(recipe->train.micro_batch, 0);

    assert_true(maxgl_trainer_fit(context, recipe, task, NULL, all - 1, &error));
    assert_in_range(recipe->train.micro_batch, 2, 12);
    assert_int_equal(24 % recipe->train.micro_batch, 0);
    assert_true(maxgl_trainer_predict_bytes(context, recipe, task, NULL, NULL) < all);
    assert_true(maxgl_recipe_validate(recipe, &error));

    /* What was chosen already stays. */
    recipe->train.micro_batch = 3;
    assert_true(maxgl_trainer_fit(context, recipe, task, NULL, 1, &error));
    assert_int_equal(recipe->train.micro_batch, 3);

    recipe->train.micro_batch = 0;
    assert_false(maxgl_trainer_fit(context, recipe, task, NULL, 100000, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    assert_non_null(strstr(error->message, "of the 24 clips of a step even 2 at once need "));
    assert_int_equal(recipe->train.micro_batch, 0);
}

static void test_clipping_bounds_a_step(void **state)
{
    /* With plain SGD a step is lr·gradient: its norm is lr·clip_norm at most. */
    Fixture fixture = {0};
    fixture_open(&fixture, *state, "train.clip_norm=0.001");
    MaxglParameters *parameters = maxgl_trainer_state(fixture.trainer)->parameters;
    const gsize floats = maxgl_parameters_learnt_floats(parameters);
    g_autofree float *before = g_new(float, floats), *after = g_new(float, floats);
    cl_mem values = maxgl_parameters_values(parameters);
    assert_true(maxgl_buffer_read(fixture.context, values, 0, before, floats * sizeof(float), NULL));
    step(&fixture, 1);
    assert_true(maxgl_buffer_read(fixture.context, values, 0, after, floats * sizeof(float), NULL));
    double norm = 0;
    for (gsize i = 0; i < floats; i++)
        norm += (double)(after[i] - before[i]) * (double)(after[i] - before[i]);
    assert_true(norm > 0);
    /* The decay of the weights, 1e-4 of each, comes on top. */
    assert_true(norm < 1e-6);
    fixture_close(&fixture);
}

static char *saved(Fixture *fixture, const char *name, gint64 number, gsize *size)
{
    const MaxglTrainingPosition position = {number, 24};
    g_autofree char *path = test_folder_path(fixture->folder, name);
    g_autoptr(MaxglModelInfo) info =
        maxgl_recipe_model_info(fixture->recipe, maxgl_trainer_resnet(fixture->trainer));
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(fixture->trainer), &position, info, NULL));
    char *bytes = NULL;
    assert_true(g_file_get_contents(path, &bytes, size, NULL));
    return bytes;
}

/* Three steps, a checkpoint, three steps: the same bytes in a trainer that starts from the checkpoint. */
static void assert_resumes(MaxglContext *context, const char *extra)
{
    Fixture first = {0}, second = {0};
    fixture_open(&first, context, extra);
    fixture_open(&second, context, extra);
    gsize size = 0, other_size = 0;
    for (guint32 number = 1; number <= 3; number++)
        step(&first, number);
    g_free(saved(&first, "three.safetensors", 3, &size));
    const guint64 predicted = maxgl_checkpoint_bytes(maxgl_trainer_state(first.trainer));
    assert_true(predicted >= size && predicted < 2 * size + 65536);

    MaxglTrainingPosition position = {0, 0};
    g_autofree char *path = test_folder_path(first.folder, "three.safetensors");
    step(&second, 5); /* whatever was there before is overwritten */
    assert_true(maxgl_checkpoint_load(path, maxgl_trainer_state(second.trainer), &position, NULL));
    assert_int_equal(position.step, 3);
    assert_int_equal(position.videos, 24);
    for (guint32 number = 4; number <= 6; number++) {
        step(&first, number);
        step(&second, number);
    }
    g_autofree char *bytes = saved(&first, "six.safetensors", 6, &size);
    g_autofree char *other = saved(&second, "six.safetensors", 6, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    fixture_close(&first);
    fixture_close(&second);
}

static void test_checkpoints_hold_everything(void **state)
{
    assert_resumes(*state, "train.optimizer=sgd");
    assert_resumes(*state, "train.optimizer=adam");
}

static void test_checkpoints_are_models(void **state)
{
    Fixture fixture = {0};
    fixture_open(&fixture, *state, NULL);
    gsize size;
    g_free(saved(&fixture, "c.safetensors", 1, &size));
    g_autofree char *path = test_folder_path(fixture.folder, "c.safetensors");
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(path, NULL);
    assert_non_null(info);
    assert_int_equal(info->spec.frames, 4);
    assert_int_equal(info->preprocessing.resize_width, 0);
    GError *error = NULL;
    MaxglEmbedder *embedder = maxgl_embedder_open(path, NULL, 1, &error);
    assert_null(error);
    maxgl_embedder_close(embedder);
    fixture_close(&fixture);
}

static void test_foreign_checkpoints_are_refused(void **state)
{
    Fixture sgd = {0}, adam = {0};
    fixture_open(&sgd, *state, "train.optimizer=sgd");
    fixture_open(&adam, *state, "train.optimizer=adam");
    gsize size;
    g_free(saved(&sgd, "sgd.safetensors", 1, &size));
    g_autofree char *path = test_folder_path(sgd.folder, "sgd.safetensors");
    MaxglTrainingPosition position;
    g_autoptr(GError) error = NULL;
    assert_false(maxgl_checkpoint_load(path, maxgl_trainer_state(adam.trainer), &position, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "optimizer.exp_avg."));
    assert_non_null(strstr(error->message, "missing"));

    /* A model is no checkpoint. */
    g_clear_error(&error);
    g_autofree char *model = test_folder_path(sgd.folder, "model.safetensors");
    const MaxglTrainingState *training = maxgl_trainer_state(sgd.trainer);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(sgd.recipe, training->resnet);
    assert_true(maxgl_weights_save(model, training->resnet, training->parameters, info, 1, FALSE, NULL));
    assert_false(maxgl_checkpoint_load(model, training, &position, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "no checkpoint"));
    fixture_close(&sgd);
    fixture_close(&adam);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_a_batch_learn),
        cmocka_unit_test(test_three_clips_and_two_layers_learn),
        cmocka_unit_test(test_memory_is_known_before),
        cmocka_unit_test(test_batch_is_cut_to_fit),
        cmocka_unit_test(test_every_optimizer_learns),
        cmocka_unit_test(test_clipping_bounds_a_step),
        cmocka_unit_test(test_checkpoints_hold_everything),
        cmocka_unit_test(test_checkpoints_are_models),
        cmocka_unit_test(test_foreign_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
