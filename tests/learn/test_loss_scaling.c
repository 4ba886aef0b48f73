/* Loss scaling with half precision: steps that overflow are skipped, the scale finds its place, and nothing
 * else changes. */
#include "ops/loss_scale.h"
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
                                   "train.lr=0.01",
                                   NULL};

#define FP16 "train.precision=fp16 "
#define TOO_LARGE "train.loss_scale=1073741824 " /* 2^30 */

static void step(Fixture *f, guint32 number)
{
    g_autoptr(MaxglBatch) batch = NULL;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_loader_next(f->loader, &batch, NULL));
    maxgl_trainer_step(f->trainer, batch, number, f->recipe->train.lr, &error);
    assert_null(error);
}

static MaxglLossScale scale_of(const Fixture *f)
{
    MaxglLossScale scale;
    assert_true(maxgl_loss_scale_read(f->context, maxgl_trainer_state(f->trainer)->loss_scale, &scale, NULL));
    return scale;
}

static float *read_floats(const Fixture *f, cl_mem buffer, gsize floats)
{
    float *values = g_new(float, floats);
    assert_true(maxgl_buffer_read(f->context, buffer, 0, values, floats * sizeof(float), NULL));
    return values;
}

static gsize learnt(const Fixture *f)
{
    return maxgl_parameters_learnt_floats(maxgl_trainer_state(f->trainer)->parameters);
}

/* Parameters, what the optimiser keeps, and averages, one after the other. */
static float *learnt_state(const Fixture *f, gsize *n)
{
    const MaxglTrainingState *s = maxgl_trainer_state(f->trainer);
    cl_mem buffers[] = {maxgl_parameters_values(s->parameters), s->states[0], s->states[1],
                        s->averages ? maxgl_parameters_values(s->averages) : NULL};
    const gsize floats = learnt(f);
    float *all = g_new0(float, floats *G_N_ELEMENTS(buffers));
    *n = floats * G_N_ELEMENTS(buffers);
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        if (buffers[i])
            assert_true(
                maxgl_buffer_read(f->context, buffers[i], 0, all + i * floats, floats * sizeof(float), NULL));
    return all;
}

/* Too large a scale is halved, and steps change nothing, until gradients fit. */
static void assert_overflow_is_skipped(MaxglContext *context, const char *options)
{
    enum { MOST = 30 };
    Fixture f;
    gsize n = 0;
    guint32 number = 0;
    g_autofree char *all = g_strconcat(FP16 TOO_LARGE, options, NULL);
    fixture_open(&f, context, tiny, all);
    step(&f, ++number); /* averages begin with the parameters */
    g_autofree float *before = learnt_state(&f, &n);
    assert_int_equal(scale_of(&f).skipped, 1);
    while (scale_of(&f).skip && number < MOST) {
        const MaxglLossScale scale = scale_of(&f);
        assert_float_equal((double)scale.scale, ldexp(1, 30 - (int)number), 0);
        assert_int_equal(scale.skipped, number);
        assert_int_equal(scale.good, 0);
        g_autofree float *now = learnt_state(&f, &n);
        assert_memory_equal(now, before, n * sizeof(float));
        step(&f, ++number);
    }
    assert_true(number > 2 && number < MOST);
    g_autofree float *after = learnt_state(&f, &n);
    assert_memory_not_equal(after, before, learnt(&f) * sizeof(float));
    for (gsize i = 0; i < n; i++)
        assert_true(isfinite(after[i]));
    assert_int_equal(scale_of(&f).skipped, number - 1);
    assert_int_equal(scale_of(&f).good, 1);
    fixture_close(&f);
}

static void test_overflow_is_skipped(void **state)
{
    assert_overflow_is_skipped(*state, "train.optimizer=sgd train.ema=0.9");
    assert_overflow_is_skipped(*state, "train.optimizer=adam");
    assert_overflow_is_skipped(*state, "train.optimizer=lars train.clip_norm=1");
    assert_overflow_is_skipped(*state, "train.task=recognition");
}

static void set_scale(const Fixture *f, float scale)
{
    MaxglLossScale s = scale_of(f);
    s.scale = scale;
    assert_true(maxgl_loss_scale_write(f->context, maxgl_trainer_state(f->trainer)->loss_scale, &s, NULL));
}

/* A batch that no step is made of. */
static void leave_out(Fixture *f)
{
    g_autoptr(MaxglBatch) batch = NULL;
    assert_true(maxgl_loader_next(f->loader, &batch, NULL));
}

/* Of five batches, the second and the third overflow; without them everything learnt comes to the same bits.
 */
static void assert_skipped_steps_do_not_count(MaxglContext *context, const char *options)
{
    enum { SCALE = 1024, LARGE = 1 << 30, LEFT_OUT = 2, LAST = 5 };
    Fixture skipping, without;
    gsize n = 0;
    g_autofree char *all = g_strconcat(FP16 "train.loss_scale=1024 ", options, NULL);
    fixture_open(&skipping, context, tiny, all);
    fixture_open(&without, context, tiny, all);
    for (guint32 i = 1; i <= LAST; i++) {
        const gboolean spoilt = i > 1 && i <= 1 + LEFT_OUT;
        set_scale(&skipping, spoilt ? LARGE : SCALE);
        step(&skipping, i);
        assert_int_equal(scale_of(&skipping).skip, spoilt);
        if (spoilt)
            leave_out(&without);
        else
            step(&without, i == 1 ? 1 : i - LEFT_OUT);
    }
    assert_int_equal(scale_of(&skipping).skipped, LEFT_OUT);
    assert_int_equal(scale_of(&without).skipped, 0);
    g_autofree float *a = learnt_state(&skipping, &n), *b = learnt_state(&without, &n);
    assert_memory_equal(a, b, n * sizeof(float));
    fixture_close(&skipping);
    fixture_close(&without);
}

static void test_skipped_steps_do_not_count(void **state)
{
    assert_skipped_steps_do_not_count(*state, "train.optimizer=adam train.ema=0.9");
    assert_skipped_steps_do_not_count(*state,
                                      "train.optimizer=adamw train.weight_decay=0.1 train.clip_norm=1");
    assert_skipped_steps_do_not_count(*state, "train.optimizer=sgd train.ema=0.9");
    assert_skipped_steps_do_not_count(*state, "train.optimizer=lars train.ema=0.9");
    assert_skipped_steps_do_not_count(*state, "train.task=recognition train.optimizer=adam train.ema=0.9");
}

static void test_growth(void **state)
{
    Fixture f;
    fixture_open(&f, *state, tiny, FP16 "train.loss_scale=8 train.loss_scale_steps=2");
    static const float want[] = {8, 16, 16, 32, 32};
    for (guint i = 0; i < G_N_ELEMENTS(want); i++) {
        step(&f, i + 1);
        assert_float_equal(scale_of(&f).scale, want[i], 0);
        assert_int_equal(scale_of(&f).good, (i + 1) % 2);
    }
    assert_int_equal(scale_of(&f).skipped, 0);
    fixture_close(&f);
}

/* Gradients of the first step, of the network and of the heads. */
static float *gradients_with(MaxglContext *context, const char *options, gsize *n)
{
    Fixture f;
    fixture_open(&f, context, tiny, options);
    step(&f, 1);
    *n = learnt(&f);
    float *g = read_floats(&f, maxgl_parameters_gradients(maxgl_trainer_state(f.trainer)->parameters), *n);
    fixture_close(&f);
    return g;
}

static double distance(const float *a, const float *b, gsize n)
{
    double difference = 0, norm = 0;
    for (gsize i = 0; i < n; i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)b[i], 2);
    }
    return sqrt(difference / norm);
}

/* The optimiser sees gradients without the scale, whatever it is. (Those of a network so small, whose batch
 * norm has eight numbers of a channel, are a good deal off in half precision; a scale left in them would be
 * thousands.) */
static void test_gradients_are_unscaled(void **state)
{
    gsize n = 0;
    g_autofree float *floats = gradients_with(*state, "train.precision=fp32", &n),
                     *large = gradients_with(*state, FP16 "train.loss_scale=4096", &n),
                     *larger = gradients_with(*state, FP16 "train.loss_scale=16384", &n);
    if (!(distance(large, floats, n) < 0.8 && distance(large, larger, n) < 1e-3))
        fail_msg("gradients are off by %g, and differ by %g with the scale", distance(large, floats, n),
                 distance(large, larger, n));
}

/* A checkpoint of one precision goes on with another: with the scale that the recipe begins with. */
static void test_checkpoints_of_other_precisions(void **state)
{
    const MaxglTrainingPosition position = {3, 24};
    Fixture from, to;
    MaxglTrainingPosition back;
    fixture_open(&from, *state, tiny, "train.precision=fp32");
    fixture_open(&to, *state, tiny, FP16 "train.loss_scale=512");
    for (guint32 i = 1; i <= 3; i++)
        step(&from, i);
    set_scale(&to, 0x1p30F);
    step(&to, 1);
    assert_int_equal(scale_of(&to).skipped, 1);
    set_scale(&to, 512);
    g_autofree char *path = test_folder_path(from.folder, "c.safetensors"),
                    *other = test_folder_path(from.folder, "d.safetensors");
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(from.recipe, maxgl_trainer_resnet(from.trainer));
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(from.trainer), &position, info, NULL));
    assert_true(maxgl_checkpoint_load(path, maxgl_trainer_state(to.trainer), &back, NULL));
    assert_float_equal(scale_of(&to).scale, 512, 0);
    assert_int_equal(scale_of(&to).skipped, 0); /* none of the file's */
    gsize n = 0;
    g_autofree float *a = learnt_state(&from, &n), *b = learnt_state(&to, &n);
    assert_memory_equal(a, b, n * sizeof(float));
    assert_true(maxgl_checkpoint_save(other, maxgl_trainer_state(to.trainer), &position, info, NULL));
    assert_true(maxgl_checkpoint_load(other, maxgl_trainer_state(from.trainer), &back, NULL));
    fixture_close(&from);
    fixture_close(&to);
}

/* More skipped steps than steps are no number that the optimiser could count by. */
static void test_checkpoints_skip_no_more_than_all(void **state)
{
    const MaxglTrainingPosition position = {2, 24};
    MaxglTrainingPosition back;
    g_autoptr(GError) error = NULL;
    Fixture f;
    fixture_open(&f, *state, tiny, TOO_LARGE "train.precision=fp16");
    for (guint32 i = 1; i <= 3; i++)
        step(&f, i);
    assert_int_equal(scale_of(&f).skipped, 3);
    g_autofree char *path = test_folder_path(f.folder, "c.safetensors");
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f.recipe, maxgl_trainer_resnet(f.trainer));
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(f.trainer), &position, info, NULL));
    assert_false(maxgl_checkpoint_load(path, maxgl_trainer_state(f.trainer), &back, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "maxgl.loss_scale is \"134217728 0 3\""));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow_is_skipped),
        cmocka_unit_test(test_skipped_steps_do_not_count),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_gradients_are_unscaled),
        cmocka_unit_test(test_checkpoints_of_other_precisions),
        cmocka_unit_test(test_checkpoints_skip_no_more_than_all),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
