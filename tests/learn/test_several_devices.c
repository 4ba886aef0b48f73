/* Training on several devices: the same numbers as one device that goes through the batch in parts. */
#include "training.h"

#include "../media/folder.h"
#include "learn/replica.h"

#include <math.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 4 };

/* A few hundred weights, and videos in memory: a step takes milliseconds. */
static const char *const tiny[] = {"network.name=hara-r3d10",
                                   "network.width=0.0625",
                                   "clip.frames=8",
                                   "clip.stride=1",
                                   "clip.size=32",
                                   "data.path=synth:videos=24,test=0,test_new=0,width=32,height=32,frames=8",
                                   "data.label=appearance",
                                   "objective.hidden=16",
                                   "objective.regions=1,1,1",
                                   "train.batch=6",
                                   "train.lr=0.01",
                                   NULL};

/* The device that tests run on, @times over, or cut into two where it can be. */
static GPtrArray *devices(guint times, gboolean cut)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    const int p = context->info->platform_index, d = context->info->device_index;
    g_autoptr(GString) selectors = g_string_new(NULL);
    for (guint i = 0; i < times; i++)
        g_string_append_printf(selectors, "%s%d:%d%s", i ? "," : "", p, d, cut ? "/2" : "");
    return maxgl_contexts_open(selectors->str, NULL);
}

static void open_on(Fixture *f, const GPtrArray *contexts, const char *extra)
{
    fixture_open_on(f, (MaxglContext *const *)contexts->pdata, contexts->len, tiny, extra);
}

/* One step; what is reported of it. */
static void step(Fixture *f, guint32 number, double values[MAXGL_TASK_MAX_VALUES])
{
    g_autoptr(MaxglBatch) batch = NULL;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_loader_next(f->loader, &batch, NULL));
    maxgl_trainer_step(f->trainer, batch, number, 0.01, &error);
    assert_null(error);
    g_clear_pointer(&batch, maxgl_batch_free); /* nobody may need it any more */
    assert_true(maxgl_trainer_read(f->trainer, values, NULL));
}

static float *learnt(const Fixture *f, gsize *floats)
{
    const MaxglParameters *parameters = maxgl_trainer_state(f->trainer)->parameters;
    *floats = maxgl_parameters_learnt_floats(parameters);
    float *values = g_new(float, *floats);
    assert_true(maxgl_buffer_read(f->context, maxgl_parameters_values(parameters), 0, values,
                                  *floats * sizeof(float), NULL));
    return values;
}

/* Trains @extra in parts of @part clips on one device, and with @shares on @contexts. Every weight has the
 * same bits if @exact. If not, sums are rounded otherwise, which grows from step to step: a single step is
 * near. */
static void assert_as_in_parts(const GPtrArray *contexts, const char *extra, int part, const char *shares,
                               gboolean exact)
{
    const double tolerance = exact ? 0 : 3e-6;
    const guint32 steps = exact ? STEPS : 1;
    g_autoptr(GPtrArray) one = devices(1, FALSE);
    g_autofree char *in_parts = g_strdup_printf("%s train.micro_batch=%d", extra, part);
    g_autofree char *shared = g_strdup_printf("%s train.shares=%s", extra, shares);
    Fixture alone = {0}, together = {0};
    open_on(&alone, one, in_parts);
    open_on(&together, contexts, shared);
    for (guint32 number = 1; number <= steps; number++) {
        double a[MAXGL_TASK_MAX_VALUES], b[MAXGL_TASK_MAX_VALUES];
        step(&alone, number, a);
        step(&together, number, b);
        for (int i = 0; maxgl_task_of(alone.recipe)->values[i]; i++)
            if (!(fabs(a[i] - b[i]) <= tolerance * MAX(fabs(a[i]), 1)))
                fail_msg("%s: value %d of step %u is %.9g in parts, %.9g on devices", shared, i, number, a[i],
                         b[i]);
    }
    gsize floats;
    g_autofree float *a = learnt(&alone, &floats), *b = learnt(&together, &floats);
    for (gsize i = 0; i < floats; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * MAX(fabs((double)a[i]), 1)))
            fail_msg("%s: weight %zu is %.9g in parts, %.9g on devices", shared, i, (double)a[i],
                     (double)b[i]);
    fixture_close(&alone);
    fixture_close(&together);
}

/* With two parts a sum has only one order. */
static void test_two_devices_have_the_bits_of_two_parts(void **state)
{
    g_autoptr(GPtrArray) twice = devices(2, FALSE);
    assert_as_in_parts(twice, "train.optimizer=adam", 6, "6,6", TRUE);
    assert_as_in_parts(twice, "augment.mix=0.9 objective.estimator=infonce", 6, "6,6", TRUE);
    assert_as_in_parts(twice, "objective.discriminator=dot objective.clips=3 train.recompute=blocks", 9,
                       "9,9", TRUE);
    assert_as_in_parts(twice, "train.task=recognition finetune.dropout=0.5", 3, "3,3", TRUE);
    assert_as_in_parts(twice, "train.task=recognition finetune.layers=layer4 train.ema=0.9", 3, "3,3", TRUE);
}

/* Maps in 16 bits inside, floats between devices; fp16 scales the loss, and leaves out steps at first. */
static void test_sixteen_bits(void **state)
{
    g_autoptr(GPtrArray) twice = devices(2, FALSE);
    assert_as_in_parts(twice, "train.precision=bf16", 6, "6,6", TRUE);
    assert_as_in_parts(twice, "train.precision=fp16 train.optimizer=adam", 6, "6,6", TRUE);
}

static void test_parts_of_a_device(void **state)
{
    g_autoptr(GPtrArray) halves = devices(1, TRUE);
    if (!halves)
        skip(); /* one core, or a driver that cannot */
    assert_int_equal(halves->len, 2);
    assert_as_in_parts(halves, "train.clip_norm=1", 6, "6,6", TRUE);
}

/* Several parts on each device, and unequal shares: sums have another order. */
static void test_unequal_shares(void **state)
{
    g_autoptr(GPtrArray) twice = devices(2, FALSE), thrice = devices(3, FALSE);
    assert_as_in_parts(twice, "train.micro_batch=2", 2, "8,4", FALSE);
    assert_as_in_parts(thrice, "augment.mix=0.9", 4, "4,4,4", FALSE);
    assert_as_in_parts(thrice, "train.task=recognition finetune.dropout=0.5", 2, "2,2,2", FALSE);
}

/* The second one's tensors and weights lie otherwise, as on a device of another kind. */
static void test_devices_of_different_layout(void **state)
{
    g_autoptr(GPtrArray) mixed = devices(2, FALSE);
    MaxglTuning *tuning = ((MaxglContext *)g_ptr_array_index(mixed, 1))->tuning;
    const int block = maxgl_tuning_int(tuning, "layout", NULL, "block", 16);
    maxgl_tuning_try(tuning, "layout", NULL, "block", block == 8 ? "4" : "8");
    assert_as_in_parts(mixed, "train.optimizer=sgd", 6, "6,6", FALSE);
    assert_as_in_parts(mixed, "train.task=recognition", 3, "3,3", FALSE);
}

static char *saved(Fixture *f, const char *name, gint64 number, gsize *size)
{
    const MaxglTrainingPosition position = {number, 24};
    g_autofree char *path = test_folder_path(f->folder, name);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f->recipe, maxgl_trainer_resnet(f->trainer));
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(f->trainer), &position, info, NULL));
    char *bytes = NULL;
    assert_true(g_file_get_contents(path, &bytes, size, NULL));
    return bytes;
}

/* Two steps, a checkpoint, two steps: the same bytes on devices that start from the checkpoint, unequal
 * shares, running statistics and averages included. */
static void test_resumed_to_the_bit(void **state)
{
    static const char *const extra = "train.shares=7,5 train.ema=0.9 train.optimizer=adam augment.mix=0.5";
    g_autoptr(GPtrArray) twice = devices(2, FALSE), again = devices(2, FALSE);
    Fixture first = {0}, second = {0};
    double values[MAXGL_TASK_MAX_VALUES];
    gsize size = 0, other_size = 0;
    open_on(&first, twice, extra);
    open_on(&second, again, extra);
    step(&first, 1, values);
    step(&first, 2, values);
    g_free(saved(&first, "two.safetensors", 2, &size));
    g_autofree char *path = test_folder_path(first.folder, "two.safetensors");
    MaxglTrainingPosition position;
    for (guint32 number = 1; number <= 2; number++)
        step(&second, 7 + number, values); /* whatever was there before is overwritten */
    assert_true(maxgl_checkpoint_load(path, maxgl_trainer_state(second.trainer), &position, NULL));
    for (guint32 number = 3; number <= 4; number++) {
        step(&first, number, values);
        step(&second, number, values);
    }
    g_autofree char *bytes = saved(&first, "four.safetensors", 4, &size),
                    *other = saved(&second, "four.safetensors", 4, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    fixture_close(&first);
    fixture_close(&second);
}

/* The loss and what is kept of the optimiser is the first device's alone. */
static void test_memory_is_known_before(void **state)
{
    g_autoptr(GPtrArray) twice = devices(2, FALSE);
    g_autoptr(MaxglRecipe) recipe =
        recipe_of(tiny, "train.shares=8,4 augment.mix=0.5 train.optimizer=adam clip.size=40");
    const MaxglTask *task = maxgl_task_of(recipe);
    MaxglShares shares;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_shares_of(recipe, task, 2, &shares, NULL));
    g_autoptr(MaxglTrainer) trainer =
        maxgl_trainer_new_on((MaxglContext *const *)twice->pdata, 2, recipe, task, NULL, &error);
    assert_null(error);
    for (guint i = 0; i < 2; i++) {
        MaxglContext *context = g_ptr_array_index(twice, i);
        const MaxglShare share = maxgl_shares_get(&shares, recipe, i);
        const double taken = (double)context->allocated,
                     need = (double)maxgl_replica_predict_bytes(context, recipe, task, NULL, &share, i == 0,
                                                                NULL);
        if (!(need > 0.95 * taken && need <= taken))
            fail_msg("device %u: %.0f bytes predicted, %.0f taken", i + 1, need, taken);
    }
}

/* What fails on one device says on which. */
static void test_errors_name_the_device(void **state)
{
    g_autoptr(GPtrArray) twice = devices(2, FALSE);
    g_autoptr(MaxglRecipe) recipe = recipe_of(tiny, "train.shares=6,6");
    g_autoptr(GError) error = NULL;
    ((MaxglContext *)g_ptr_array_index(twice, 1))->info->global_memory = 100000;
    assert_null(maxgl_trainer_new_on((MaxglContext *const *)twice->pdata, 2, recipe, maxgl_task_of(recipe),
                                     NULL, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    if (!g_str_has_prefix(error->message, "device 2 of 2: "))
        fail_msg("%s", error->message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_devices_have_the_bits_of_two_parts),
        cmocka_unit_test(test_sixteen_bits),
        cmocka_unit_test(test_parts_of_a_device),
        cmocka_unit_test(test_unequal_shares),
        cmocka_unit_test(test_devices_of_different_layout),
        cmocka_unit_test(test_resumed_to_the_bit),
        cmocka_unit_test(test_memory_is_known_before),
        cmocka_unit_test(test_errors_name_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
