/* maxgl-cl train: from a recipe and videos to a trained network. */
#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/recipe_arguments.h"
#include "learn/train.h"

#include <string.h>

/* What the command line says. */
typedef struct {
    char *config, *task, *init, *data, *out, *share;
    char **sets;
    int memory_limit;
    gboolean resume;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->config);
    g_free(a->task);
    g_free(a->init);
    g_free(a->data);
    g_free(a->out);
    g_free(a->share);
    g_strfreev(a->sets);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* "runs/demo" for config/demo.cfg. */
static char *default_out(const char *config)
{
    g_autofree char *name = config ? g_path_get_basename(config) : g_strdup("default");
    if (g_str_has_suffix(name, ".cfg"))
        name[strlen(name) - 4] = '\0';
    return g_build_filename("runs", name, NULL);
}

static gboolean parse(int argc, char **argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &a->config,
         "Recipe (libconfig); without: the defaults below", "FILE"},
        {"task", 't', 0, G_OPTION_ARG_STRING, &a->task,
         "maxgl: without labels; recognition: the classes of a label column (the same as --set train.task=…)",
         "TASK"},
        {"init", 'i', 0, G_OPTION_ARG_FILENAME, &a->init,
         "Begin with the weights of a model file or run (the same as --set train.init=…), and with its "
         "network "
         "and clips where the recipe says nothing of them",
         "M"},
        {"data", 0, 0, G_OPTION_ARG_FILENAME, &a->data,
         "Folder, list, published data set or synth: (the same as --set data.path=…)", "D"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &a->out,
         "Folder of the run (default: runs/ and the recipe's name)", "RUN"},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &a->sets, "Change an option of the recipe (repeatable)",
         "KEY=VALUE"},
        {"memory-limit", 'm', 0, G_OPTION_ARG_INT, &a->memory_limit,
         "Memory to use of each device at most; sets train.micro_batch if need be (default: all of it)",
         "MIB"},
        {"share", 0, 0, G_OPTION_ARG_STRING, &a->share,
         "Several devices (--device a,b): clips of a step for each, in proportion (the same as --set "
         "train.shares=…; default: by measured speed)",
         "N,M"},
        {"resume", 'r', 0, G_OPTION_ARG_NONE, &a->resume, "Continue the run in RUN where it stopped", NULL},
        {NULL},
    };
    g_autofree char *keys = maxgl_options_help(&maxgl_recipe_table);
    g_autofree char *more = g_strdup_printf(
        "The folder RUN gets the resolved recipe (recipe.cfg), what ran where (run.json), the curves\n"
        "(metrics.csv), checkpoints, and in the end model.safetensors. Ctrl-C saves a checkpoint; --resume "
        "goes\n"
        "on from the last one, to the very bytes an uninterrupted run would have ended with. A resumed run\n"
        "keeps its recipe, but for data.workers, data.prefetch, data.cache_mb, train.keep, train.log_every,\n"
        "train.checkpoint_every, train.recompute and, with a constant schedule, train.steps and "
        "train.epochs.\n"
        "\n"
        "Several devices, with commas between (--device 0:0,1:0), share the clips of each step; 0:0/2 are "
        "the two\n"
        "halves of a CPU. The shares stand in the recipe, and a resumed run keeps them.\n"
        "\n"
        "Options of a recipe:\n%s",
        keys);
    const MaxglCommandHelp help = {
        .summary =
            "Trains a 3D ResNet without labels: maximises the mutual information between clips of a video\n"
            "(Global-MI), and between a clip and regions of its video (Local-MI). With --task recognition,\n"
            "trains it and a classifier to tell the classes of labelled videos apart.",
        .entries = entries,
        .examples =
            "  maxgl-cl train --config config/kinetics.cfg --data K400/list.csv --memory-limit 6000\n"
            "  maxgl-cl train --config config/demo.cfg --out runs/demo\n"
            "  maxgl-cl train --config config/demo.cfg --device 0:0,1:0 --share 3,1\n"
            "  maxgl-cl train --config config/ucf101.cfg --data "
            "ucf101:videos=UCF-101,lists=ucfTrainTestlist\n"
            "  maxgl-cl train -c config/demo.cfg -o runs/jsd -s objective.estimator=jsd -s train.steps=3000\n"
            "  maxgl-cl train --out runs/demo --resume\n"
            "  maxgl-cl train --task recognition --init runs/demo --data videos/list.csv -o runs/actions\n"
            "  maxgl-cl train -c config/finetune.cfg --init r3d.safetensors -s finetune.layers=layer4 --data "
            "videos/list.csv",
        .more = more,
    };
    return maxgl_command_parse(&help, &argc, &argv, error);
}

gboolean maxgl_cmd_train(int argc, char **argv, GError **error)
{
    g_auto(Arguments) arguments = {0};
    if (!parse(argc, argv, &arguments, error))
        return FALSE;
    if (arguments.memory_limit < 0)
        return maxgl_command_usage(error, "--memory-limit=%d is out of range; allowed: 1 …",
                                   arguments.memory_limit);
    g_autofree char *out = arguments.out ? g_strdup(arguments.out) : default_out(arguments.config);
    const MaxglRecipeArguments given = {.config = arguments.config,
                                        .data = arguments.data,
                                        .task = arguments.task,
                                        .init = arguments.init,
                                        .shares = arguments.share,
                                        .sets = arguments.sets,
                                        .resumed = arguments.resume ? out : NULL};
    g_autoptr(MaxglRecipe) recipe = maxgl_recipe_read(&given, error);
    if (!recipe)
        return FALSE;
    const MaxglTrainOptions options = {.recipe = recipe,
                                       .device = maxgl_command_device(),
                                       .memory_limit = (guint64)arguments.memory_limit << 20,
                                       .out = out,
                                       .resume = arguments.resume};
    maxgl_interrupt_install();
    return maxgl_train(&options, error);
}
