/* What a step makes of the parameters, for both tasks, on videos in memory. */
#include "learn/feed.h"
#include "learn/train.h"
#include "learn/trainer.h"
#include "training.h"

#include "../media/folder.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const tiny[] = {"network.name=r3d-vcop",
                                   "network.width=0.0625",
                                   "clip.frames=4",
                                   "clip.stride=1",
                                   "clip.size=16",
                                   "data.path=synth:videos=24,test=0,test_new=0,width=16,height=16,frames=8",
                                   "data.label=appearance",
                                   "objective.hidden=16",
                                   "objective.regions=1,1,1",
                                   "train.batch=4",
                                   "train.lr=0.5",
                                   NULL};

#define LARS "train.optimizer=lars train.trust=0.02 train.weight_decay=0.01"
#define RECOGNITION " train.task=recognition"

static void run(Fixture *f, guint32 first, guint32 last)
{
    for (guint32 step = first; step <= last; step++) {
        g_autoptr(MaxglBatch) batch = NULL;
        g_autoptr(GError) error = NULL;
        assert_true(maxgl_loader_next(f->loader, &batch, NULL));
        maxgl_trainer_step(f->trainer, batch, step, f->recipe->train.lr, &error);
        assert_null(error);
    }
}

/* ---------------- flat buffers by name ---------------- */

/* The numbers of every learnt parameter in a flat buffer, an array each; NULL for statistics. */
static GPtrArray *read_flat(const MaxglParameters *parameters, cl_mem flat)
{
    GPtrArray *arrays = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < maxgl_parameters_count(parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(parameters, i);
        float *values = p->group == MAXGL_PARAMETER_STATISTIC ? NULL : g_new(float, p->count);
        g_ptr_array_add(arrays, values);
        if (values)
            assert_true(maxgl_parameters_read_from(parameters, flat, i, values, NULL));
    }
    return arrays;
}

static double norm_of(const float *values, gint64 n)
{
    double sum = 0;
    for (gint64 i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* ---------------- LARS ---------------- */

/* What the first step of LARS makes of one parameter: its velocity is the step that was taken. */
static void assert_step(const MaxglRecipe *recipe, const MaxglParameter *p, const float *w, const float *g,
                        const float *v, const float *after, double scale)
{
    const gboolean decayed = p->group == MAXGL_PARAMETER_DECAYED;
    const double decay = decayed ? recipe->train.weight_decay : 0;
    const double of_w = norm_of(w, p->count), of_g = scale * norm_of(g, p->count);
    const double ratio =
        decayed && of_w > 0 && of_g > 0 ? recipe->train.trust * of_w / (of_g + decay * of_w) : 1;
    double error = 0, norm = 0;
    for (gint64 i = 0; i < p->count; i++) {
        const double want = ratio * recipe->train.lr * (scale * g[i] + decay * w[i]);
        error += (want - v[i]) * (want - v[i]);
        norm += want * want;
        assert_float_equal(after[i], w[i] - v[i], 0);
    }
    if (!(error <= 1e-11 * norm))
        fail_msg("%s: relative error %g", p->name, sqrt(error / norm));
}

static void assert_lars(MaxglContext *context, const char *options)
{
    Fixture f;
    fixture_open(&f, context, tiny, options);
    const MaxglTrainingState *state = maxgl_trainer_state(f.trainer);
    MaxglParameters *parameters = state->parameters;
    const guint n = maxgl_parameters_count(parameters);
    g_autoptr(GPtrArray) before = read_flat(parameters, maxgl_parameters_values(parameters));
    run(&f, 1, 1);
    g_autoptr(GPtrArray) after = read_flat(parameters, maxgl_parameters_values(parameters));
    g_autoptr(GPtrArray) gradients = read_flat(parameters, maxgl_parameters_gradients(parameters));
    g_autoptr(GPtrArray) velocities = read_flat(parameters, state->states[0]);
    const int frozen = maxgl_recipe_frozen(f.recipe, state->resnet);
    double sum = 0;
    for (guint i = 0; i < n; i++)
        if (gradients->pdata[i])
            sum += pow(norm_of(gradients->pdata[i], maxgl_parameters_get(parameters, i)->count), 2);
    const double scale =
        f.recipe->train.clip_norm > 0 ? MIN(1, f.recipe->train.clip_norm / (sqrt(sum) + 1e-6)) : 1;
    assert_true(f.recipe->train.clip_norm == 0 || scale < 0.5);
    guint kept = 0;
    for (guint i = 0; i < n; i++) {
        const MaxglParameter *p = maxgl_parameters_get(parameters, i);
        const gboolean is_frozen =
            frozen > 0 && !g_str_has_prefix(p->name, "layer4.") && !g_str_has_prefix(p->name, "fc.");
        if (!before->pdata[i])
            continue;
        kept += is_frozen;
        if (is_frozen)
            assert_memory_equal(before->pdata[i], after->pdata[i], (gsize)p->count * sizeof(float));
        else
            assert_step(f.recipe, p, before->pdata[i], gradients->pdata[i], velocities->pdata[i],
                        after->pdata[i], scale);
    }
    assert_true((kept > 0) == (frozen > 0));
    fixture_close(&f);
}

static void test_lars(void **state)
{
    assert_lars(*state, LARS);
    assert_lars(*state, LARS " train.clip_norm=0.001");
    assert_lars(*state, LARS RECOGNITION);
    assert_lars(*state, LARS RECOGNITION " finetune.layers=layer4 train.clip_norm=0.001");
}

/* One batch over and over must be learnt by heart. */
static void test_lars_learns(void **state)
{
    Fixture f;
    g_autoptr(MaxglBatch) batch = NULL;
    double first[MAXGL_TASK_MAX_VALUES], last[MAXGL_TASK_MAX_VALUES];
    fixture_open(&f, *state, tiny, LARS);
    assert_true(maxgl_loader_next(f.loader, &batch, NULL));
    for (guint32 step = 1; step <= 60; step++) {
        assert_true(maxgl_trainer_step(f.trainer, batch, step, f.recipe->train.lr, NULL));
        if (step == 1)
            assert_true(maxgl_trainer_read(f.trainer, first, NULL));
    }
    assert_true(maxgl_trainer_read(f.trainer, last, NULL));
    if (!(last[0] < first[0] - 0.5))
        fail_msg("the loss went from %g to %g", first[0], last[0]);
    fixture_close(&f);
}

/* ---------------- memory, checkpoints ---------------- */

/* How much more a trainer takes than was predicted: tables of the clips' preparer. */
static gint64 surplus(MaxglContext *context, const char *options)
{
    Fixture f;
    const guint64 before = context->allocated;
    fixture_open(&f, context, tiny, options);
    const guint64 taken = context->allocated - before;
    const guint64 predicted =
        maxgl_trainer_predict_bytes(context, f.recipe, maxgl_task_of(f.recipe), f.classes, NULL);
    fixture_close(&f);
    return (gint64)taken - (gint64)predicted;
}

static void test_memory_is_known_before(void **state)
{
    const gint64 plain = surplus(*state, "");
    assert_in_range(plain, 0, 8192);
    assert_int_equal(surplus(*state, LARS), plain);
    assert_int_equal(surplus(*state, LARS " train.clip_norm=1"), plain);
    assert_int_equal(surplus(*state, "train.ema=0.9"), plain);
    assert_int_equal(surplus(*state, "train.precision=fp16"), plain);
    assert_int_equal(surplus(*state, "train.ema=0.9" RECOGNITION), plain);
    assert_int_equal(surplus(*state, LARS RECOGNITION " finetune.layers=layer4"), plain);
}

static char *saved(const Fixture *f, const char *name, gint64 step, gsize *size)
{
    const MaxglTrainingPosition position = {step, 24};
    g_autofree char *path = test_folder_path(f->folder, name);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f->recipe, maxgl_trainer_resnet(f->trainer));
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(f->trainer), &position, info, NULL));
    char *bytes = NULL;
    assert_true(g_file_get_contents(path, &bytes, size, NULL));
    return bytes;
}

/* Three steps, a checkpoint, three steps: the same bytes in a trainer that goes on from the checkpoint. */
static void assert_resumes(MaxglContext *context, const char *options)
{
    Fixture first, second;
    gsize size = 0, other_size = 0;
    MaxglTrainingPosition position;
    fixture_open(&first, context, tiny, options);
    fixture_open(&second, context, tiny, options);
    run(&first, 1, 3);
    g_free(saved(&first, "three.safetensors", 3, &size));
    const guint64 predicted = maxgl_checkpoint_bytes(maxgl_trainer_state(first.trainer));
    assert_true(predicted >= size && predicted < 2 * size + 65536);
    g_autofree char *path = test_folder_path(first.folder, "three.safetensors");
    run(&second, 1, 2);
    run(&second, 7, 7); /* whatever was there before is overwritten */
    assert_true(maxgl_checkpoint_load(path, maxgl_trainer_state(second.trainer), &position, NULL));
    assert_int_equal(position.step, 3);
    run(&first, 4, 6);
    run(&second, 4, 6);
    g_autofree char *bytes = saved(&first, "six.safetensors", 6, &size);
    g_autofree char *other = saved(&second, "six.safetensors", 6, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    fixture_close(&first);
    fixture_close(&second);
}

static void test_checkpoints_hold_everything(void **state)
{
    assert_resumes(*state, LARS);
    assert_resumes(*state, "train.ema=0.9");
    assert_resumes(*state, "train.precision=bf16");
    assert_resumes(*state, "train.precision=fp16 train.loss_scale_steps=2");
    assert_resumes(*state, "train.precision=fp16 train.loss_scale=1073741824");
    assert_resumes(*state, "train.precision=fp16 train.loss_scale=131072 train.optimizer=adam train.ema=0.9");
    assert_resumes(*state, "train.ema=0.9 train.optimizer=adam" RECOGNITION);
    assert_resumes(*state, LARS RECOGNITION " finetune.layers=layer4 train.clip_norm=1");
}

/* What the schedule has seen goes through a checkpoint's text to the bit; text that is something else is
 * named.
 */
static void test_checkpoints_hold_the_plateau(void **state)
{
    static const MaxglPlateau states[] = {{TRUE, INFINITY, 0, 0, 0}, {TRUE, 1.0 / 3, -7e-300 / 11, 12, 3}};
    Fixture f;
    fixture_open(&f, *state, tiny, "train.schedule=plateau");
    const MaxglTrainingState *training = maxgl_trainer_state(f.trainer);
    g_autofree char *path = test_folder_path(f.folder, "c.safetensors");
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f.recipe, training->resnet);
    MaxglTrainingPosition back;
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        const MaxglTrainingPosition position = {1, 24, states[i]};
        assert_true(maxgl_checkpoint_save(path, training, &position, info, NULL));
        assert_true(maxgl_checkpoint_load(path, training, &back, NULL));
        assert_true(back.plateau.used);
        assert_memory_equal(&back.plateau.best, &states[i].best, sizeof(double));
        assert_memory_equal(&back.plateau.sum, &states[i].sum, sizeof(double));
        assert_int_equal(back.plateau.bad, states[i].bad);
        assert_int_equal(back.plateau.drops, states[i].drops);
    }

    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_autoptr(GError) error = NULL;
    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    char *text = g_strstr_len(bytes + 8, (gssize)size - 8, " 12 3\"");
    assert_non_null(text);
    memcpy(text, " 12 x", 5);
    assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
    assert_false(maxgl_checkpoint_load(path, training, &back, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, " 12 x\"; it should be four numbers"));
    fixture_close(&f);
}

/* ---------------- averages ---------------- */

/* Two steps at a rising decay, the others at 0.3. */
#define AVERAGES "train.ema=0.3 train.checkpoint_every=1 train.keep=10 train.schedule=constant train.lr=0.05 "

static void train(const char *options, const char *out, gboolean resume)
{
    g_autoptr(MaxglRecipe) recipe = recipe_of(tiny, options);
    g_autoptr(GError) error = NULL;
    const MaxglTrainOptions what = {.recipe = recipe, .out = out, .resume = resume};
    maxgl_train(&what, &error);
    assert_null(error);
}

/* The path of a run's checkpoint, or of its model (0). */
static char *run_file(const char *run, gint64 step)
{
    g_autofree char *name = step > 0 ? maxgl_checkpoint_name(step) : g_strdup("model.safetensors");
    return g_build_filename(run, name, NULL);
}

/* All numbers of the fixture's network, as they are in its registry or, after that, in the file @path. */
static double *read_network(Fixture *f, const char *path, gsize *n)
{
    const MaxglTrainingState *state = maxgl_trainer_state(f->trainer);
    g_autoptr(GError) error = NULL;
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(double));
    if (path)
        maxgl_weights_load(path, state->resnet, state->parameters, NULL, NULL, &error);
    assert_null(error);
    for (guint i = 0; i < maxgl_parameters_count(state->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(state->parameters, i);
        g_autofree float *values = g_new(float, p->count);
        assert_true(maxgl_parameters_read(state->parameters, i, values, NULL));
        for (gint64 j = 0; j < p->count && !g_str_has_prefix(p->name, "head."); j++) {
            const double value = (double)values[j];
            g_array_append_val(numbers, value);
        }
    }
    *n = numbers->len;
    return (double *)g_array_free(numbers, FALSE);
}

static void assert_averaged(const char *path, const char *decay)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(path, NULL);
    assert_non_null(info);
    if (decay)
        assert_string_equal(info->averaged, decay);
    else
        assert_null(info->averaged);
}

static void assert_model_is_the_average(MaxglContext *context, const char *options)
{
    Fixture f;
    gsize n = 0;
    fixture_open(&f, context, tiny, options);
    g_autofree char *run = test_folder_path(f.folder, "run");
    g_autofree double *average = read_network(&f, NULL, &n);
    train(options, run, FALSE);
    for (int step = 1; step <= f.recipe->train.steps; step++) {
        const double d = MIN(0.3, (1.0 + step) / (10.0 + step));
        g_autofree char *path = run_file(run, step);
        g_autofree double *now = read_network(&f, path, &n);
        for (gsize i = 0; i < n; i++)
            average[i] = d * average[i] + (1 - d) * now[i];
        assert_averaged(path, NULL);
    }
    g_autofree char *path = run_file(run, 0);
    g_autofree double *model = read_network(&f, path, &n);
    assert_averaged(path, "0.3");
    for (gsize i = 0; i < n; i++)
        assert_float_equal(model[i], average[i], 1e-6 * MAX(1, fabs(average[i])));
    fixture_close(&f);
}

static void test_the_model_is_the_average(void **state)
{
    assert_model_is_the_average(*state, AVERAGES "train.steps=6");
    assert_model_is_the_average(*state, AVERAGES "train.steps=6" RECOGNITION);
}

static void assert_same_file(const char *run, const char *other, gint64 step)
{
    g_autofree char *path = run_file(run, step), *other_path = run_file(other, step);
    g_autofree char *bytes = NULL, *other_bytes = NULL;
    gsize size = 0, other_size = 0;
    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    assert_true(g_file_get_contents(other_path, &other_bytes, &other_size, NULL));
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other_bytes, size);
}

static void assert_runs_resume(const char *shorter, const char *longer)
{
    char *folder = test_folder_new();
    g_autofree char *whole = test_folder_path(folder, "whole"), *parts = test_folder_path(folder, "parts");
    train(longer, whole, FALSE);
    train(shorter, parts, FALSE);
    train(longer, parts, TRUE);
    assert_same_file(whole, parts, 0);
    assert_same_file(whole, parts, 6);
    test_folder_remove(folder);
}

static void test_runs_resume(void **state)
{
    assert_runs_resume(AVERAGES "train.steps=3", AVERAGES "train.steps=6");
    assert_runs_resume(AVERAGES "train.steps=4" RECOGNITION " finetune.layers=layer4",
                       AVERAGES "train.steps=6" RECOGNITION " finetune.layers=layer4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lars),
        cmocka_unit_test(test_lars_learns),
        cmocka_unit_test(test_memory_is_known_before),
        cmocka_unit_test(test_checkpoints_hold_everything),
        cmocka_unit_test(test_checkpoints_hold_the_plateau),
        cmocka_unit_test(test_the_model_is_the_average),
        cmocka_unit_test(test_runs_resume),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
