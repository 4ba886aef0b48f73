/* maxgl-cl train --task recognition. Every test has a folder of its own. */
#include "cli.h"
#include "model_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VIDEOS "--data", "synth:videos=26,test=8,test_new=0,width=16,height=16,frames=8"
#define CLIPS "-s", "clip.frames=4", "-s", "clip.stride=1", "-s", "clip.size=16"
#define NETWORK "-s", "network.name=r3d-vcop", "-s", "network.width=0.0625", CLIPS
#define STEPS "-s", "train.batch=4", "-s", "train.log_every=2", "-s", "train.schedule=constant"
#define RECOGNITION "train", "--task", "recognition", VIDEOS, STEPS

static gboolean same_file(const char *a, const char *b)
{
    g_autofree char *path_a = cli_path(a), *path_b = cli_path(b), *text_a = NULL, *text_b = NULL;
    gsize size_a, size_b;
    assert_true(g_file_get_contents(path_a, &text_a, &size_a, NULL));
    assert_true(g_file_get_contents(path_b, &text_b, &size_b, NULL));
    return size_a == size_b && memcmp(text_a, text_b, size_a) == 0;
}

/* The only line of @text with @part. */
static void assert_one_line(const char *text, const char *part)
{
    const char *found = strstr(text, part);
    cli_assert_contains(text, part);
    assert_null(strstr(found + 1, part));
}

static void test_run_folder(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, RECOGNITION, NETWORK, "-o", "run", "-s", "data.label=motion", "-s",
                                       "train.epochs=2", NULL);
    cli_assert_contains(run->err, "7 classes of motion\n");
    cli_assert_contains(run->err, ", accuracy 0.");
    cli_assert_contains(run->err, "run/model.safetensors: trained for 12 steps");
    g_autofree char *metrics = cli_read("run/metrics.csv"), *info = cli_read("run/run.json");
    assert_true(g_str_has_prefix(metrics, "step,epoch,loss,accuracy,lr,clips_per_s,waiting\n"));
    cli_assert_contains(info, "\"task\" : \"recognition\"");
    g_autoptr(CliRun) model = cli_expect(0, "model", "info", "run", NULL);
    cli_assert_contains(model->out, "32 features, 7 classes");
    g_autoptr(CliRun) page = cli_expect(0, "report", "run", NULL);
    g_autofree char *html = cli_read("run/report.html");
    cli_assert_contains(html, "Accuracy of a batch");
}

/* A fine-tuned network is tested by its own classifier, and the report shows it. */
static void test_eval(void **state)
{
    cli_run_free(cli_expect(0, RECOGNITION, NETWORK, "-o", "run", "-s", "data.label=appearance", "-s",
                            "train.steps=3", NULL));
    g_autoptr(CliRun) eval = cli_expect(0, "eval", "recognition", "--model", "run", VIDEOS, "--clips", "3",
                                        "--json", "result.json", NULL);
    cli_assert_contains(eval->out, "Recognition, logits averaged over 3 clips a video\n");
    cli_assert_contains(eval->out, "label       videos  classes  top-1  top-5  mean over classes  chance\n");
    cli_assert_contains(eval->out, "appearance       8        6  0.");
    g_autofree char *json = cli_read("result.json"), *kept = cli_read("run/eval-recognition.json");
    cli_assert_contains(json, "\"protocol\" : \"recognition\"");
    cli_assert_contains(json, "\"top5\" : ");
    cli_assert_contains(kept, "\"confusion\" : ");
    cli_run_free(cli_expect(0, "report", "run", NULL));
    g_autofree char *html = cli_read("run/report.html");
    cli_assert_contains(html, "<h3>Recognition</h3>");
    cli_assert_contains(html, "Confusion matrix of 6 classes");

    cli_write("list.csv", "path,label\na.mkv,swim\nb.mkv,red-disc\n");
    g_autoptr(CliRun) unknown =
        cli_expect(2, "eval", "recognition", "--model", "run", "--data", "list.csv", NULL);
    cli_assert_contains(unknown->err,
                        "list.csv: the column label has classes that the model does not know: swim\n");
    g_autoptr(CliRun) clips =
        cli_expect(2, "eval", "recognition", "--model", "run", "--data", "list.csv", "--clips", "0", NULL);
    cli_assert_contains(clips->err, "--clips=0 is out of range");
}

/* To the very bytes, in two sessions and in one. */
static void test_resume(void **state)
{
    static const char *const files[] = {"checkpoint-000009.safetensors", "model.safetensors"};
    cli_run_free(cli_expect(0, RECOGNITION, NETWORK, "-o", "one", "-s", "train.steps=9", "-s",
                            "finetune.dropout=0.2", "-s", "finetune.layers=layer3", NULL));
    cli_run_free(cli_expect(0, RECOGNITION, NETWORK, "-o", "two", "-s", "train.steps=4", "-s",
                            "finetune.dropout=0.2", "-s", "finetune.layers=layer3", NULL));
    g_autoptr(CliRun) on =
        cli_expect(0, "train", "-o", "two", "--resume", "-s", "train.steps=9", "-s", "data.workers=3", NULL);
    cli_assert_contains(on->err, "resuming after step 4 of 9");
    /* The recipe in the file tells of the length as it was asked for: the same here. */
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *a = g_build_filename("one", files[i], NULL);
        g_autofree char *b = g_build_filename("two", files[i], NULL);
        assert_true(same_file(a, b));
    }
    g_autoptr(CliRun) other =
        cli_expect(2, "train", "-o", "two", "--resume", "-s", "finetune.layers=fc", NULL);
    cli_assert_contains(other->err, "finetune.layers: layer3 → fc");
}

/* From a pre-trained run, whose network and clips need not be repeated; then on to other classes. */
static void test_init(void **state)
{
    cli_run_free(cli_expect(0, "train", VIDEOS, NETWORK, STEPS, "-o", "pre", "-s", "train.steps=2", "-s",
                            "objective.hidden=16", "-s", "objective.regions=1,1,1", NULL));
    g_autoptr(CliRun) first = cli_expect(0, RECOGNITION, "--init", "pre", "-o", "motion", "-s",
                                         "train.steps=2", "-s", "data.label=motion", NULL);
    assert_one_line(first->err,
                    "training begins with pre/model.safetensors (vcop names); fc drawn anew for 7 "
                    "classes: the file has none\n");
    g_autofree char *recipe = cli_read("motion/recipe.cfg");
    cli_assert_contains(recipe, "init = \"pre\";");
    cli_assert_contains(recipe, "width = 0.0625;");
    cli_assert_contains(recipe, "stride = 1;");
    g_autoptr(CliRun) second = cli_expect(0, RECOGNITION, "--init", "motion", "-o", "appearance", "-s",
                                          "train.steps=2", "-s", "data.label=appearance", NULL);
    assert_one_line(second->err, "; fc drawn anew for 6 classes: the file's is for 7\n");
    g_autoptr(CliRun) same = cli_expect(0, RECOGNITION, "--init", "motion", "-o", "same", "-s",
                                        "train.steps=2", "-s", "data.label=motion", NULL);
    assert_one_line(same->err, ", fc for 7 classes too\n");

    g_autoptr(CliRun) wide =
        cli_expect(1, RECOGNITION, "--init", "pre", "-o", "wide", "-s", "network.width=0.125", NULL);
    cli_assert_contains(wide->err, "train.init: pre/model.safetensors: does not fit r3d-vcop@0.125");
    g_autoptr(CliRun) none = cli_expect(1, RECOGNITION, "--init", "nowhere", "-o", "wide", NULL);
    cli_assert_contains(none->err, "--init: nowhere");
    assert_false(cli_exists("wide"));
}

#define ANY_VIEW CLIPS, "-s", "clip.resize_width=0", "-s", "clip.resize_height=0"

/* Files under published names with Kinetics' heads, bare, wrapped and prefixed, once and twice: those of a
 * network all begin the same training. */
static void test_published_names(void **state)
{
    static const struct {
        const char *network, *scheme;
        MaxglNaming naming;
        int classes;
        const char *prefixes[4];
    } files[] = {
        {"r3d_18", "torchvision", MAXGL_NAMING_TORCHVISION, 400, {"state_dict.", "module.module."}},
        {"hara-r3d10", "hara", MAXGL_NAMING_HARA, 700, {"", "module.", "state_dict.module."}},
    };
    g_autofree char *path = cli_path("kinetics.safetensors");
    for (guint f = 0; f < G_N_ELEMENTS(files); f++) {
        g_autofree char *scaled = g_strconcat(files[f].network, "@0.0625", NULL);
        g_autofree char *name = g_strconcat("network.name=", files[f].network, NULL);
        g_autofree char *first = g_strconcat(files[f].scheme, "-0/model.safetensors", NULL);
        g_autofree char *line =
            g_strdup_printf("training begins with kinetics.safetensors (%s names); fc drawn anew for "
                            "6 classes: the file's is for %d\n",
                            files[f].scheme, files[f].classes);
        g_autoptr(MaxglResnet) resnet = model_file_network(scaled, files[f].classes);
        for (guint p = 0; files[f].prefixes[p]; p++) {
            g_autofree char *out = g_strdup_printf("%s-%u", files[f].scheme, p);
            g_autofree char *model = g_build_filename(out, "model.safetensors", NULL);
            model_file_write(path, resnet, files[f].naming, files[f].prefixes[p], NULL);
            g_autoptr(CliRun) run =
                cli_expect(0, RECOGNITION, "--init", "kinetics.safetensors", ANY_VIEW, "-s", name, "-s",
                           "network.width=0.0625", "-s", "data.label=appearance", "-s", "train.steps=1", "-s",
                           "train.lr=1e-9", "-o", out, NULL);
            assert_one_line(run->err, line);
            assert_true(same_file(model, first));
        }
    }
}

static void test_incomplete_file(void **state)
{
    g_autoptr(MaxglResnet) resnet = model_file_network("r3d_18@0.0625", 400);
    g_autofree char *path = cli_path("kinetics.safetensors");
    model_file_write(path, resnet, MAXGL_NAMING_TORCHVISION, "module.", "layer2.1.conv1.1.running_var");
    g_autoptr(CliRun) missing =
        cli_expect(1, RECOGNITION, "--init", "kinetics.safetensors", ANY_VIEW, "-o", "missing", NULL);
    cli_assert_contains(missing->err, "missing: module.layer2.1.conv1.1.running_var");
    assert_false(cli_exists("missing"));
}

static void test_wrong_classes(void **state)
{
    g_autoptr(CliRun) column =
        cli_expect(2, RECOGNITION, NETWORK, "-o", "run", "-s", "data.label=sport", NULL);
    cli_assert_contains(column->err, "data.label: synth:");
    cli_assert_contains(column->err, "no column \"sport\"; the columns are: split, motion, appearance, ");
    g_autoptr(CliRun) task = cli_expect(2, "train", "--task", "recognise", VIDEOS, "-o", "run", NULL);
    cli_assert_contains(task->err, "train.task=recognise");
    cli_assert_contains(task->err, "maxgl | recognition");
    assert_false(cli_exists("run"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cli_set_up, cli_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run_folder),      TEST(test_eval),
        TEST(test_resume),          TEST(test_init),
        TEST(test_published_names), TEST(test_incomplete_file),
        TEST(test_wrong_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
