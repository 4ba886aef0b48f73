/* Recognition as a task of the trainer, on videos in memory. */
#include "learn/feed.h"
#include "learn/start.h"
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

/* The colours and shapes of what moves, without what would hide them. */
static const char *const tiny[] = {
    "train.task=recognition",
    "network.name=r3d-vcop",
    "network.width=0.125",
    "clip.frames=4",
    "clip.stride=1",
    "clip.size=16",
    "data.path=synth:videos=48,test=0,test_new=0,width=16,height=16,frames=8,backgrounds=1",
    "data.label=appearance",
    "augment.jitter=0",
    "augment.grey=0",
    "augment.scale_min=0.8",
    "train.batch=8",
    "train.optimizer=adam",
    "train.lr=0.01",
    NULL};

static MaxglParameters *parameters_of(const Fixture *f)
{
    return maxgl_trainer_state(f->trainer)->parameters;
}

/* A parameter's numbers; caller frees. */
static float *values_of(const Fixture *f, const char *name, gint64 *count)
{
    const int index = maxgl_parameters_find(parameters_of(f), name);
    assert_true(index >= 0);
    *count = maxgl_parameters_get(parameters_of(f), (guint)index)->count;
    float *values = g_new(float, *count);
    assert_true(maxgl_parameters_read(parameters_of(f), (guint)index, values, NULL));
    return values;
}

/* The next batch; caller frees. */
static MaxglBatch *train_step(Fixture *f, guint32 step)
{
    MaxglBatch *batch = NULL;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_loader_next(f->loader, &batch, NULL));
    maxgl_trainer_step(f->trainer, batch, step, f->recipe->train.lr, &error);
    assert_null(error);
    return batch;
}

static void run(Fixture *f, guint32 first, guint32 last)
{
    for (guint32 step = first; step <= last; step++)
        maxgl_batch_free(train_step(f, step));
}

/* ---------------- learning ---------------- */

static void assert_learns(MaxglContext *context, const char *extra, double least)
{
    enum { STEPS = 150, MEAN = 25 };
    Fixture f = {0};
    double values[MAXGL_TASK_MAX_VALUES], first = 0, last = 0, accuracy = 0;
    fixture_open(&f, context, tiny, extra);
    assert_int_equal(f.classes->n, 6);
    for (guint32 step = 1; step <= STEPS; step++) {
        run(&f, step, step);
        assert_true(maxgl_trainer_read(f.trainer, values, NULL));
        first += step <= MEAN ? values[0] / MEAN : 0;
        last += step > STEPS - MEAN ? values[0] / MEAN : 0;
        accuracy += step > STEPS - MEAN ? values[1] / MEAN : 0;
    }
    if (!(last < 0.8 * first && accuracy > least))
        fail_msg("%s: the loss went from %g to %g, the accuracy to %g", extra, first, last, accuracy);
    fixture_close(&f);
}

static void test_learns(void **state)
{
    assert_learns(*state, "", 0.4);
    assert_learns(*state, "finetune.dropout=0.3 finetune.class_weights=balanced train.micro_batch=4", 0.4);
}

static void test_first_loss_is_that_of_chance(void **state)
{
    Fixture f = {0};
    double values[MAXGL_TASK_MAX_VALUES];
    fixture_open(&f, *state, tiny, "");
    run(&f, 1, 1);
    assert_true(maxgl_trainer_read(f.trainer, values, NULL));
    assert_true(fabs(values[0] - log(6)) < 1);
    assert_true(values[1] >= 0 && values[1] <= 1);
    fixture_close(&f);
}

/* ---------------- a part of the network ---------------- */

/* Whether parameters and statistics of each layer before @stage, and of no other, stay what they were. */
static void assert_frozen(MaxglContext *context, const char *extra, const char *stage)
{
    Fixture f = {0};
    fixture_open(&f, context, tiny, extra);
    const MaxglParameters *parameters = parameters_of(&f);
    const MaxglResnet *resnet = maxgl_trainer_resnet(f.trainer);
    const guint n = maxgl_parameters_count(parameters);
    g_autofree float **before = g_new(float *, n);
    gint64 count;
    for (guint i = 0; i < n; i++)
        before[i] = values_of(&f, maxgl_parameters_get(parameters, i)->name, &count);
    run(&f, 1, 4);
    const int first = maxgl_resnet_stage(resnet, stage);
    assert_true(first > 0);
    for (guint i = 0; i < n; i++) {
        const char *name = maxgl_parameters_get(parameters, i)->name;
        g_autofree float *after = values_of(&f, name, &count);
        gboolean frozen = FALSE;
        for (int l = 0; l < first; l++) {
            const gsize length = strlen(resnet->layers[l].name);
            frozen = frozen || (strncmp(name, resnet->layers[l].name, length) == 0 && name[length] == '.' &&
                                !strchr(name + length + 1, '.'));
        }
        if ((memcmp(before[i], after, (gsize)count * sizeof(float)) == 0) != frozen)
            fail_msg("%s: %s %s", extra, name, frozen ? "has changed" : "has not changed");
        g_free(before[i]);
    }
    fixture_close(&f);
}

static void test_frozen_layers_stay(void **state)
{
    assert_frozen(*state, "finetune.layers=fc", "fc");
    assert_frozen(*state, "finetune.layers=layer4", "layer4");
    assert_frozen(*state, "finetune.layers=layer2 train.micro_batch=4", "layer2");
    assert_frozen(*state, "network.name=hara-r3d10 finetune.layers=layer1 train.optimizer=sgd", "layer1");
}

/* What is not computed for frozen layers is not kept either. */
static void test_frozen_layers_take_less_memory(void **state)
{
    guint64 last = G_MAXUINT64;
    static const char *const extras[] = {"", "finetune.layers=layer3", "finetune.layers=fc"};
    for (guint i = 0; i < G_N_ELEMENTS(extras); i++) {
        g_autofree char *extra = g_strdup_printf("%s clip.size=48", extras[i]);
        Fixture f = {0};
        const guint64 before = ((MaxglContext *)*state)->allocated;
        fixture_open(&f, *state, tiny, g_strchug(extra));
        const guint64 taken = ((MaxglContext *)*state)->allocated - before;
        const double need =
            (double)maxgl_trainer_predict_bytes(*state, f.recipe, maxgl_task_of(f.recipe), f.classes, NULL);
        assert_true(need > 0.95 * (double)taken && need <= (double)taken);
        assert_true(taken < last);
        last = taken;
        fixture_close(&f);
    }
}

/* Recomputing blocks changes no bit, frozen or not. */
static void test_recompute_is_the_same(void **state)
{
    float *values[2];
    gint64 count = 0;
    for (int i = 0; i < 2; i++) {
        Fixture f = {0};
        fixture_open(&f, *state, tiny,
                     i == 0 ? "finetune.layers=layer2" : "finetune.layers=layer2 train.recompute=blocks");
        run(&f, 1, 4);
        values[i] = values_of(&f, "layer2.0.conv1.weight", &count);
        fixture_close(&f);
    }
    assert_memory_equal(values[0], values[1], (gsize)count * sizeof(float));
    g_free(values[0]);
    g_free(values[1]);
}

/* ---------------- one step against a formula ---------------- */

/* With all but fc frozen a step is one of softmax regression on the features of the model as it is used:
 * dL/dW = Σ_v w_v (p_v − y_v) x_vᵀ / Σ w. */
static void assert_step_is_softmax_regression(MaxglContext *context, const char *extra)
{
    Fixture f = {0};
    fixture_open(&f, context, tiny, extra);
    g_autofree char *path = test_folder_path(f.folder, "model.safetensors");
    const MaxglTrainingState *training = maxgl_trainer_state(f.trainer);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f.recipe, training->resnet);
    assert_true(maxgl_weights_save(path, training->resnet, training->parameters, info, 0, FALSE, NULL));
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open(path, NULL, f.recipe->train.batch, NULL);
    assert_non_null(embedder);
    const int n = f.classes->n, d = maxgl_embedder_info(embedder)->features;
    gint64 count;
    g_autofree float *w = values_of(&f, "fc.weight", &count), *b = values_of(&f, "fc.bias", &count);
    g_autoptr(MaxglBatch) batch = train_step(&f, 1);
    g_autofree float *after = values_of(&f, "fc.weight", &count);
    double loss = 0, total = 0, values[MAXGL_TASK_MAX_VALUES];
    g_autofree double *gradient = g_new0(double, n *d), *p = g_new(double, n);
    g_autofree float *x = g_new(float, d);
    for (gsize v = 0; v < batch->videos; v++) {
        const MaxglClip *clip = &batch->clips[v];
        const guint8 *frames[4];
        for (int t = 0; t < 4; t++)
            frames[t] = clip->frames + (gsize)t * clip->layout.frame_bytes;
        const MaxglEmbedderClip seen = {.frames = frames, .layout = clip->layout, .view = &clip->view};
        assert_true(maxgl_embedder_run_frames(embedder, &seen, 1, x, NULL));
        const int class = f.classes->outputs[clip->label];
        const double weight = f.classes->weights ? f.classes->weights[class] : 1;
        double sum = 0;
        for (int k = 0; k < n; k++) {
            p[k] = b[k];
            for (int i = 0; i < d; i++)
                p[k] += (double)w[k * d + i] * x[i];
            sum += p[k] = exp(p[k]);
        }
        loss -= weight * log(p[class] / sum);
        total += weight;
        for (int k = 0; k < n; k++)
            for (int i = 0; i < d; i++)
                gradient[k * d + i] += weight * (p[k] / sum - (k == class)) * x[i];
    }
    assert_true(maxgl_trainer_read(f.trainer, values, NULL));
    assert_float_equal(values[0], loss / total, 1e-5 * loss / total);
    double error = 0, norm = 0;
    for (int i = 0; i < n * d; i++) {
        const double step = f.recipe->train.lr * gradient[i] / total, taken = w[i] - after[i];
        error += (step - taken) * (step - taken);
        norm += step * step;
    }
    if (!(norm > 0 && error < 1e-8 * norm))
        fail_msg("%s: relative error %g", extra, sqrt(error / norm));
    fixture_close(&f);
}

#define PLAIN "finetune.layers=fc train.optimizer=sgd train.momentum=0 train.weight_decay=0 train.lr=1"

static void test_step_of_the_classifier(void **state)
{
    assert_step_is_softmax_regression(*state, PLAIN);
    assert_step_is_softmax_regression(*state, PLAIN " finetune.class_weights=balanced");
}

/* ---------------- resuming, starting ---------------- */

static char *saved(const Fixture *f, const char *name, gint64 step, gsize *size)
{
    const MaxglTrainingPosition position = {step, 48};
    g_autofree char *path = test_folder_path(f->folder, name);
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f->recipe, maxgl_trainer_resnet(f->trainer));
    info->classes = g_strdupv(f->classes->names);
    assert_true(maxgl_checkpoint_save(path, maxgl_trainer_state(f->trainer), &position, info, NULL));
    char *bytes = NULL;
    assert_true(g_file_get_contents(path, &bytes, size, NULL));
    return bytes;
}

static void test_checkpoints_hold_everything(void **state)
{
    Fixture first = {0}, second = {0};
    gsize size = 0, other_size = 0;
    const char *options = "finetune.dropout=0.5 finetune.layers=layer2";
    fixture_open(&first, *state, tiny, options);
    fixture_open(&second, *state, tiny, options);
    run(&first, 1, 3);
    g_free(saved(&first, "three.safetensors", 3, &size));
    g_autofree char *path = test_folder_path(first.folder, "three.safetensors");
    MaxglTrainingPosition position;
    run(&second, 1, 3); /* brings the loader there */
    assert_true(maxgl_checkpoint_load(path, maxgl_trainer_state(second.trainer), &position, NULL));
    run(&first, 4, 6);
    run(&second, 4, 6);
    g_autofree char *bytes = saved(&first, "six.safetensors", 6, &size);
    g_autofree char *other = saved(&second, "six.safetensors", 6, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    fixture_close(&first);
    fixture_close(&second);
}

/* Whether fc of a trainer with @extra becomes that of a model with other classes, or the same. */
static void assert_start(MaxglContext *context, const char *extra, gboolean taken)
{
    Fixture model = {0}, other = {0};
    gsize size;
    gint64 count;
    g_autoptr(GError) error = NULL;
    fixture_open(&model, context, tiny, "train.seed=5");
    run(&model, 1, 3);
    g_free(saved(&model, "model.safetensors", 3, &size));
    g_autofree char *path = test_folder_path(model.folder, "model.safetensors");
    fixture_open(&other, context, tiny, extra);
    g_autofree float *drawn = values_of(&other, "fc.bias", &count);
    assert_true(maxgl_start_from(path, other.classes, maxgl_trainer_resnet(other.trainer),
                                 parameters_of(&other), &error));
    g_autofree float *conv = values_of(&model, "layer3.0.conv1.weight", &count),
                     *same = values_of(&other, "layer3.0.conv1.weight", &count);
    assert_memory_equal(conv, same, (gsize)count * sizeof(float));
    g_autofree float *fc = values_of(&model, "fc.bias", &count), *now = values_of(&other, "fc.bias", &count);
    assert_memory_equal(now, taken ? fc : drawn, (gsize)count * sizeof(float));
    fixture_close(&model);
    fixture_close(&other);
}

static void test_start(void **state)
{
    assert_start(*state, "", TRUE);
    assert_start(*state, "data.label=motion", FALSE);
    /* A model of another shape fits nowhere. */
    Fixture model = {0}, wide = {0};
    gsize size;
    g_autoptr(GError) error = NULL;
    fixture_open(&model, *state, tiny, "");
    g_free(saved(&model, "model.safetensors", 0, &size));
    g_autofree char *path = test_folder_path(model.folder, "model.safetensors");
    fixture_open(&wide, *state, tiny, "network.width=0.25");
    assert_false(maxgl_start_from(path, wide.classes, maxgl_trainer_resnet(wide.trainer),
                                  parameters_of(&wide), &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "should be [16, 3, 3, 7, 7]"));
    fixture_close(&model);
    fixture_close(&wide);
}

/* ---------------- classes ---------------- */

/* Classes that no training video has are no outputs; weights are those of scikit-learn. */
static void test_classes(void **state)
{
    g_autofree char *folder = test_folder_new();
    g_autofree char *list = test_folder_path(folder, "list.csv");
    assert_true(g_file_set_contents(list,
                                    "path,split,label,sport\n"
                                    "a.avi,train,run,yes\nb.avi,train,jump,yes\nc.avi,train,run,yes\n"
                                    "d.avi,train,,yes\ne.avi,test,climb,no\nf.avi,train,run,\n",
                                    -1, NULL));
    g_autoptr(MaxglDataset) all = maxgl_dataset_open(list, NULL);
    g_autoptr(MaxglDataset) train = maxgl_dataset_filter(all, "split", "train", NULL);
    g_autoptr(MaxglClasses) classes = maxgl_classes_new(train, NULL, TRUE, NULL);
    assert_string_equal(classes->label, "label");
    assert_int_equal(classes->n, 2);
    assert_string_equal(classes->names[0], "jump");
    assert_string_equal(classes->names[1], "run");
    assert_null(classes->names[2]);
    static const int outputs[] = {-1, 0, 1}; /* climb, jump, run */
    assert_memory_equal(classes->outputs, outputs, sizeof outputs);
    assert_float_equal(classes->weights[0], 4.0 / (2 * 1), 1e-6);
    assert_float_equal(classes->weights[1], 4.0 / (2 * 3), 1e-6);

    g_autoptr(GError) one = NULL, none = NULL;
    assert_null(maxgl_classes_new(train, "sport", FALSE, &one));
    assert_true(g_error_matches(one, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_non_null(strstr(one->message, "1 class of the column \"sport\""));
    assert_null(maxgl_classes_new(train, "colour", FALSE, &none));
    assert_true(g_error_matches(none, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_non_null(strstr(none->message, "no column \"colour\"; the columns are: split, label, sport"));
    test_folder_remove(g_steal_pointer(&folder));
}

/* Names survive the way through a file, whatever is in them. */
static void test_class_names_in_files(void **state)
{
    static char *const names[] = {"a\\b", "line\nbreak", "tab\there", "Ünïcode ☃", NULL};
    Fixture f = {0};
    fixture_open(&f, *state, tiny, "");
    g_autofree char *path = test_folder_path(f.folder, "model.safetensors");
    g_autoptr(MaxglResnet) resnet = maxgl_recipe_resnet(f.recipe, 4, NULL);
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(*state);
    maxgl_resnet_declare(resnet, parameters);
    assert_true(maxgl_parameters_allocate(parameters, FALSE, NULL));
    g_autoptr(MaxglModelInfo) info = maxgl_recipe_model_info(f.recipe, resnet);
    info->classes = g_strdupv((char **)names);
    info->label = g_strdup("what");
    assert_true(maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, NULL));
    g_autoptr(MaxglModelInfo) read = maxgl_model_info_read(path, NULL);
    assert_non_null(read);
    for (int i = 0; i < 4; i++)
        assert_string_equal(read->classes[i], names[i]);
    assert_string_equal(read->label, "what");
    assert_int_equal(read->spec.classes, 4);

    /* Another number of names than of classes. */
    g_free(info->classes[3]);
    info->classes[3] = NULL;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_weights_save(path, resnet, parameters, info, 0, FALSE, NULL));
    assert_null(maxgl_model_info_read(path, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "maxgl.class_names"));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_first_loss_is_that_of_chance),
        cmocka_unit_test(test_frozen_layers_stay),
        cmocka_unit_test(test_frozen_layers_take_less_memory),
        cmocka_unit_test(test_recompute_is_the_same),
        cmocka_unit_test(test_step_of_the_classifier),
        cmocka_unit_test(test_checkpoints_hold_everything),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_class_names_in_files),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
