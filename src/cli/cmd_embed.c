/* maxgl-cl embed: feature vectors of videos or of clips in memory. */
#include "base/array.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/embedding_arguments.h"
#include "eval/feature_writer.h"
#include "learn/run.h"

#include <maxgl/error.h>

#define MOST_CLIPS_AT_ONCE 16

/* What the command line says, and what is open. */
typedef struct {
    char *model, *out;
    gboolean per_video, normalize;
    MaxglEmbeddingArguments embedding;
    MaxglEmbedder *embedder;
    const MaxglEmbedderInfo *info;
    MaxglFeatureWriter *writer;
    MaxglDataset *dataset;
} Embed;

static void embed_clear(Embed *e)
{
    g_free(e->model);
    g_free(e->out);
    maxgl_feature_writer_abandon(e->writer);
    maxgl_embedder_close(e->embedder);
    maxgl_dataset_free(e->dataset);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Embed, embed_clear)

static gboolean open_model(Embed *e, int batch, GError **error)
{
    const MaxglEmbedderOptions options = {.device = maxgl_command_device(),
                                          .batch = batch,
                                          .exact = e->embedding.exact,
                                          .precision = e->embedding.precision};
    g_autofree char *model = maxgl_model_path(e->model, error);
    e->embedder = model ? maxgl_embedder_open_with(model, &options, error) : NULL;
    if (!e->embedder)
        return FALSE;
    e->info = maxgl_embedder_info(e->embedder);
    g_message("%s on %s: %d features a %s", e->info->model, e->info->device, e->info->features,
              e->per_video ? "video" : "clip");
    e->writer = maxgl_feature_writer_new(e->out, e->info, error);
    return e->writer != NULL;
}

static gboolean add_row(Embed *e, const char *source, const MaxglFeatureVector *vector, GError **error)
{
    g_autofree float *features =
        g_memdup2(vector->features, (gsize)e->info->features * sizeof *vector->features);
    MaxglFeatureVector row = *vector;
    row.features = features;
    if (e->normalize)
        maxgl_features_normalize(features, 1, e->info->features);
    return maxgl_feature_writer_add(e->writer, source, &row, error);
}

static gboolean finish(Embed *e, GError **error)
{
    const gint64 rows = maxgl_feature_writer_rows(e->writer);
    if (!maxgl_feature_writer_commit(g_steal_pointer(&e->writer), error))
        return FALSE;
    if (e->out)
        g_message("%s: %" G_GINT64_FORMAT " vectors of %d", e->out, rows, e->info->features);
    return TRUE;
}

/* ---------------- videos ---------------- */

static gboolean take_vector(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    Embed *e = user_data;
    return add_row(e, maxgl_dataset_path(e->dataset, vector->video), vector, error);
}

static gboolean embed_videos(Embed *e, const char *const *inputs, GError **error)
{
    const MaxglFeatureOptions options = {.clips = e->embedding.clips,
                                         .workers = e->embedding.workers,
                                         .cache = !e->embedding.no_cache,
                                         .per_video = e->per_video,
                                         .title = "videos"};
    e->dataset = maxgl_dataset_open_all(inputs, error);
    if (!e->dataset)
        return FALSE;
    const int batch = e->embedding.batch > 0
                          ? e->embedding.batch
                          : maxgl_features_batch(e->embedding.clips, maxgl_dataset_size(e->dataset));
    MaxglFeatureCounts counts;
    if (!open_model(e, batch, error) ||
        !maxgl_features_each(e->embedder, e->dataset, &options, take_vector, e, &counts, error))
        return FALSE;
    maxgl_features_say_cached(counts.cached, maxgl_dataset_size(e->dataset), "");
    return finish(e, error);
}

/* ---------------- clips as arrays ---------------- */

/* The network takes (N, 3, T, H, W) as it is. */
static gboolean check_shape(const char *path, const MaxglArray *clips, const MaxglEmbedderInfo *info,
                            GError **error)
{
    const gint64 wanted[] = {3, info->frames, info->height, info->width};
    gboolean same = clips->rank == 5 && clips->shape[0] > 0;
    for (int i = 0; same && i < 4; i++)
        same = clips->shape[i + 1] == wanted[i];
    if (same)
        return TRUE;
    g_autofree char *shape = maxgl_array_shape_text(clips->rank, clips->shape);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                "%s: has the shape %s, but %s takes float32 clips (N, 3, %d, %d, %d) with N at least 1", path,
                shape, info->model, info->frames, info->height, info->width);
    return FALSE;
}

static gboolean embed_array(Embed *e, const char *path, const MaxglArray *clips, MaxglProgress *progress,
                            gint64 *done, GError **error)
{
    const gint64 n = clips->shape[0], floats = clips->count / n;
    const gsize length = (gsize)e->info->features;
    g_autofree float *features = g_new(float, (gsize)e->info->batch *length);
    for (gint64 i = 0; i < n; i += e->info->batch) {
        const gsize part = (gsize)MIN(n - i, e->info->batch);
        if (!maxgl_interrupt_check(error) ||
            !maxgl_embedder_run(e->embedder, clips->data + i * floats, part, features, error) ||
            !maxgl_features_check(features, part * length, error))
            return FALSE;
        for (gsize j = 0; j < part; j++) {
            const MaxglFeatureVector vector = {.clip = (int)(i + (gint64)j),
                                               .clips = 1,
                                               .first_seconds = -1,
                                               .last_seconds = -1,
                                               .features = features + j * length};
            if (!add_row(e, path, &vector, error))
                return FALSE;
        }
        *done += (gint64)part;
        maxgl_progress_set(progress, *done, "%s", "");
    }
    return TRUE;
}

static gboolean embed_arrays(Embed *e, const char *const *inputs, GError **error)
{
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_array_free);
    gint64 most = 1, total = 0, done = 0;
    for (int i = 0; inputs[i]; i++) {
        MaxglArray *array = maxgl_array_open(inputs[i], error);
        if (!array)
            return FALSE;
        g_ptr_array_add(arrays, array);
        most = MAX(most, array->shape[0]);
        total += array->shape[0];
    }
    if (!open_model(e, e->embedding.batch > 0 ? e->embedding.batch : (int)MIN(most, MOST_CLIPS_AT_ONCE),
                    error))
        return FALSE;
    for (int i = 0; inputs[i]; i++)
        if (!check_shape(inputs[i], g_ptr_array_index(arrays, (guint)i), e->info, error))
            return FALSE;
    g_autoptr(MaxglProgress) progress = maxgl_progress_new("clips", total);
    for (int i = 0; inputs[i]; i++)
        if (!embed_array(e, inputs[i], g_ptr_array_index(arrays, (guint)i), progress, &done, error))
            return FALSE;
    maxgl_progress_finish(g_steal_pointer(&progress));
    return finish(e, error);
}

/* ---------------- command line ---------------- */

static gboolean parse(int *argc, char ***argv, Embed *e, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &e->model, "Model file, or the folder of a run", "M"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &e->out,
         "Where to: .npy, .safetensors or .jsonl (default: JSON lines on stdout)", "F"},
        {"per-video", 'p', 0, G_OPTION_ARG_NONE, &e->per_video, "One vector a video: the mean over its clips",
         NULL},
        {"clips", 0, 0, G_OPTION_ARG_INT, &e->embedding.clips,
         "Clips of a video, spread evenly over it (default: 10)", "N"},
        {"l2-normalize", 'n', 0, G_OPTION_ARG_NONE, &e->normalize, "Vectors of length 1", NULL},
        MAXGL_EMBEDDING_ENTRIES(e->embedding),
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "INPUT…",
        .summary =
            "Computes feature vectors. An INPUT is a video, a folder of videos, a list (.csv, .txt), "
            "synth:,\n"
            "or a .npy file of clips (N, 3, T, H, W), float32 and normalised already, which the network\n"
            "takes as they are. Videos are resized, cropped at the centre and normalised as the model says.",
        .entries = entries,
        .examples = "  maxgl-cl embed --model runs/demo --out features.npy videos/\n"
                    "  maxgl-cl embed -m r3d_18.safetensors --per-video -o index.safetensors a.mp4 b.mp4\n"
                    "  maxgl-cl embed -m r3d_18.safetensors clips.npy | head -1\n"
                    "  maxgl-cl embed -m r3d_18.safetensors --exact -o reference.npy clips.npy",
        .more =
            "NAME.npy has a row for each clip (or video), and NAME.index.csv says which: source, clip,\n"
            "first_seconds, last_seconds. NAME.safetensors has features, source, clip and seconds, with the\n"
            "names of the sources in its metadata. JSON lines have all of it in each line.\n"
            "Videos that cannot be decoded are named, counted and left out; if all are bad, that is an "
            "error.",
        .min_arguments = 1,
        .max_arguments = -1,
    };
    return maxgl_command_parse(&help, argc, argv, error);
}

static gboolean check(Embed *e, char **inputs, int arrays, int n, GError **error)
{
    if (!e->model)
        return maxgl_command_usage(error, "--model is missing");
    if (!maxgl_embedding_arguments_check(&e->embedding, 1, error))
        return FALSE;
    if (arrays > 0 && arrays < n)
        return maxgl_command_usage(error, "clips in .npy files and videos cannot be embedded at once");
    if (arrays > 0 && e->per_video)
        return maxgl_command_usage(error, "%s: has clips and no videos; leave out --per-video", inputs[0]);
    return maxgl_feature_writer_check(e->out, error);
}

gboolean maxgl_cmd_embed(int argc, char **argv, GError **error)
{
    g_auto(Embed) e = {.embedding.clips = 10};
    if (!parse(&argc, &argv, &e, error))
        return FALSE;
    int arrays = 0;
    for (int i = 1; i < argc; i++)
        arrays += g_str_has_suffix(argv[i], ".npy");
    if (!check(&e, argv + 1, arrays, argc - 1, error))
        return FALSE;
    const char *const *inputs = (const char *const *)argv + 1;
    maxgl_interrupt_install();
    return arrays > 0 ? embed_arrays(&e, inputs, error) : embed_videos(&e, inputs, error);
}
