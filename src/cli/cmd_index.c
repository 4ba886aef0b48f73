/* maxgl-cl index: makes what maxgl-cl search searches in. */
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/command.h"
#include "eval/moment_index.h"
#include "learn/run.h"

#include <maxgl/error.h>

/* What the command line says. */
typedef struct {
    char *model, *out;
    double every;
    int batch;
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->model);
    g_free(a->out);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static gboolean check(const Arguments *a, gboolean every_given, GError **error)
{
    if (!a->model)
        return maxgl_command_usage(error, "--model is missing");
    if (!a->out)
        return maxgl_command_usage(error, "--out is missing");
    if (every_given && !(a->every >= 0.01 && a->every <= 86400))
        return maxgl_command_usage(error, "--every=%g is out of range; allowed: 0.01 … 86400 seconds",
                                   a->every);
    if (a->batch < 1 || a->batch > 4096)
        return maxgl_command_usage(error, "--batch=%d is out of range; allowed: 1 … 4096", a->batch);
    g_autoptr(MaxglFile) file = maxgl_file_create(a->out, error);
    return file != NULL;
}

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const double not_given = -G_MAXDOUBLE;
    a->every = not_given;
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model, "Model file, or the folder of a run", "M"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &a->out, "The index, a safetensors file", "F"},
        {"every", 'e', 0, G_OPTION_ARG_DOUBLE, &a->every,
         "From one clip's beginning to the next one's (default: one behind the other)", "SECONDS"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &a->batch, "Clips computed at once (default: 8)", "N"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "DATA…",
        .summary = "Computes the features of clips at regular times over each video, for maxgl-cl search.\n"
                   "DATA is a video, a folder of videos, a list (.csv, .txt) or a published data set.",
        .entries = entries,
        .examples = "  maxgl-cl index videos/ -o videos.index --model runs/mine\n"
                    "  maxgl-cl index film.mp4 -o film.index -m r3d_18.safetensors --every 2\n"
                    "  maxgl-cl search videos.index film.mp4 --seconds 60-64",
        .more = "Clips are whole ones: what is behind a video's last one is left out, and a video shorter\n"
                "than a clip is repeated. The index remembers the model and the folder it was made in.\n"
                "Videos that cannot be decoded are named, counted and left out; if all are bad, that is an\n"
                "error.",
        .min_arguments = 1,
        .max_arguments = -1,
    };
    if (!maxgl_command_parse(&help, argc, argv, error))
        return FALSE;
    const gboolean every_given = a->every != not_given;
    if (!every_given)
        a->every = 0;
    return check(a, every_given, error);
}

static MaxglDataset *open_data(const char *const *sources, GError **error)
{
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open_all(sources, error);
    if (!dataset || !maxgl_dataset_synthetic(dataset))
        return g_steal_pointer(&dataset);
    maxgl_command_usage(error, "%s: has no files to be found again; write them with maxgl-cl synth",
                        sources[0]);
    return NULL;
}

gboolean maxgl_cmd_index(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.batch = 8};
    if (!parse(&argc, &argv, &a, error))
        return FALSE;
    maxgl_interrupt_install();
    const MaxglMomentsOptions options = {.every = a.every, .title = "videos"};
    const MaxglEmbedderOptions how = {.device = maxgl_command_device(), .batch = a.batch};
    g_autoptr(MaxglDataset) dataset = open_data((const char *const *)argv + 1, error);
    g_autofree char *path = dataset ? maxgl_model_path(a.model, error) : NULL;
    g_autoptr(MaxglEmbedder) embedder = path ? maxgl_embedder_open_with(path, &how, error) : NULL;
    if (!embedder)
        return FALSE;
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    g_message("%s on %s: %d features a clip", info->model, info->device, info->features);
    g_autoptr(MaxglMomentModel) model = maxgl_moment_model_new(path, info, error);
    g_autoptr(MaxglMoments) moments = model ? maxgl_moments_embed(embedder, dataset, &options, error) : NULL;
    if (!moments || !maxgl_moment_index_write(a.out, moments, dataset, model, error))
        return FALSE;
    g_message("%s: %" G_GSIZE_FORMAT " clips of %" G_GSIZE_FORMAT " videos", a.out, moments->n,
              maxgl_dataset_size(dataset) - moments->bad);
    return TRUE;
}
