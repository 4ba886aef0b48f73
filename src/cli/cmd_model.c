/* maxgl-cl model: what a network is made of, and its weights under other names. */
#include "cli/command.h"
#include "cli/show_model.h"
#include "learn/run.h"
#include "net/weights_convert.h"
#include "ops/optimizer.h"

#include <glib/gstdio.h>
#include <math.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

static void shown_clear(MaxglModelShown *model)
{
    maxgl_weights_match_free(model->match);
    maxgl_safetensors_free(model->file);
    maxgl_resnet_free(model->resnet);
    maxgl_model_info_free(model->info);
    g_free(model->memory.device);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MaxglModelShown, shown_clear)

/* @text as frames, height and width with "x" between them, into @spec. */
static gboolean parse_clip(const char *text, MaxglResnetSpec *spec, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "x", -1);
    gint64 sizes[3];
    gboolean good = g_strv_length(parts) == 3;
    for (int i = 0; good && i < 3; i++)
        good = g_ascii_string_to_signed(parts[i], 10, 1, G_MAXINT, &sizes[i], NULL);
    if (!good)
        return maxgl_command_usage(
            error, "--clip=%s is no clip size; give frames, height and width, such as 16x112x112", text);
    spec->frames = (int)sizes[0];
    spec->height = (int)sizes[1];
    spec->columns = (int)sizes[2];
    return maxgl_resnet_spec_validate(spec, error);
}

/* Another clip size: what pictures are resized to grows or shrinks with it. */
static gboolean change_clip(const char *clip, MaxglModelInfo *info, GError **error)
{
    MaxglPreprocessing *p = &info->preprocessing;
    const double height = info->spec.height, width = info->spec.columns;
    if (!clip)
        return TRUE;
    if (!parse_clip(clip, &info->spec, error))
        return FALSE;
    const double down = info->spec.height / height, right = info->spec.columns / width;
    p->resize_height = (int)lround(p->resize_height * (p->resize_width ? down : MAX(down, right)));
    p->resize_width = (int)lround(p->resize_width * right);
    p->crop_height = info->spec.height;
    p->crop_width = info->spec.columns;
    return TRUE;
}

/* ---------------- model info ---------------- */

/* A name is a file's if there is such a file, or if it looks like one. */
static gboolean is_file_name(const char *name)
{
    return g_file_test(name, G_FILE_TEST_EXISTS) || strchr(name, G_DIR_SEPARATOR) ||
           (strchr(name, '.') && !strchr(name, '@'));
}

static gboolean open_network(const char *name, const char *clip, int classes, MaxglModelShown *model,
                             GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    spec.classes = classes;
    if (!maxgl_resnet_spec_parse(&spec, name, error) || (clip && !parse_clip(clip, &spec, error)))
        return FALSE;
    model->resnet = maxgl_resnet_new(&spec, error);
    if (model->resnet)
        model->info = maxgl_model_info_new(&spec);
    return model->resnet != NULL;
}

static gboolean open_file(const char *name, const char *clip, MaxglModelShown *model, GError **error)
{
    g_autofree char *path = maxgl_model_path(name, error);
    model->info = path ? maxgl_model_info_read(path, error) : NULL;
    model->file = model->info ? maxgl_safetensors_open(path, error) : NULL;
    if (!model->file || !change_clip(clip, model->info, error))
        return FALSE;
    model->resnet = maxgl_resnet_new(&model->info->spec, error);
    if (model->resnet)
        model->match = maxgl_weights_match(model->file, model->info, model->resnet, NULL);
    return model->resnet != NULL;
}

/* What inference takes up to "pool", and training up to what is to be trained. */
static gboolean forecast_memory(MaxglModelShown *model, GError **error)
{
    MaxglModelMemory *m = &model->memory;
    const MaxglOptimizer sgd = {.kind = MAXGL_OPTIMIZER_SGD, .momentum = 0.9F};
    const char *const outputs[] = {m->training && model->resnet->spec.classes > 0 ? "fc" : "pool", NULL};
    MaxglNetworkOptions options = {
        .mode = m->training ? MAXGL_NETWORK_TRAINING : MAXGL_NETWORK_INFERENCE,
        .batch = m->batch,
        .outputs = outputs,
        .recompute = MAXGL_RECOMPUTE_BLOCKS,
        .exact = m->exact,
        .precision = m->precision,
    };
    MaxglNetworkMemory blocks;
    g_autoptr(MaxglContext) context = maxgl_context_open(maxgl_command_device(), error);
    if (!context ||
        !maxgl_network_memory(context, model->resnet, &options, maxgl_optimizer_states(&sgd), &blocks, error))
        return FALSE;
    m->device = g_strdup(context->info->name);
    m->total_of_blocks = blocks.total;
    options.recompute = MAXGL_RECOMPUTE_NONE;
    return maxgl_network_memory(context, model->resnet, &options, maxgl_optimizer_states(&sgd), &m->bytes,
                                error);
}

#define NO_BATCH G_MININT /* none was given */

/* What model info is told. */
typedef struct {
    char *clip, *precision;
    int classes, batch;
    gboolean training, exact, json;
} InfoArguments;

static void info_arguments_clear(InfoArguments *a)
{
    g_free(a->clip);
    g_free(a->precision);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InfoArguments, info_arguments_clear)

static gboolean parse_info(int *argc, char ***argv, InfoArguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"clip", 0, 0, G_OPTION_ARG_STRING, &a->clip,
         "Clip size: frames, height, width (default: the file's, or 16x112x112)", "TxHxW"},
        {"classes", 0, 0, G_OPTION_ARG_INT, &a->classes,
         "Outputs of fc, 0 = no fc (default: the file's, or 400)", "N"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &a->batch, "Also tell the device's memory for N clips at once",
         "N"},
        {"training", 't', 0, G_OPTION_ARG_NONE, &a->training, "With --batch: for training, not for inference",
         NULL},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &a->exact,
         "With --batch: for algorithms that round no more than direct summation", NULL},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &a->precision,
         "With --batch: for fp32, tf32, fp16 or bf16 (fp32)", "P"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &a->json, "Print JSON", NULL},
        {NULL},
    };
    g_autofree char *networks = g_strjoinv(", ", (char **)maxgl_resnet_names());
    g_autofree char *more = g_strdup_printf(
        "Networks: %s; @WIDTH makes all channels fewer or more.\n\n"
        "The memory is known before any is allocated: parameters, and one area that activations,\n"
        "gradients of activations and workspace share; shown is what of it is in use when most is. Max-GL's\n"
        "heads and clips on their way to the device are not in it.",
        networks);
    const MaxglCommandHelp help = {
        .arguments = "NET|FILE",
        .summary =
            "Shows a network's layers: what each does, the map it gives (channels × frames × height ×\n"
            "width), its parameters and its multiply-adds for one clip. Of a safetensors file also the\n"
            "scheme of its names, metadata, preprocessing, and tensors that are missing or unexpected.\n"
            "FILE may also be the folder of a training run.",
        .entries = entries,
        .examples = "  maxgl-cl model info hara-r3d18\n"
                    "  maxgl-cl model info hara-r3d18@0.25 --clip 8x32x32 --classes 0\n"
                    "  maxgl-cl model info r3d_18 --batch 8 --training --device cpu\n"
                    "  maxgl-cl model info runs/demo\n"
                    "  maxgl-cl model info r3d_18 --json | jq .gmac",
        .more = more,
        .min_arguments = 1,
        .max_arguments = 1,
    };
    if (!maxgl_command_parse(&help, argc, argv, error))
        return FALSE;
    if (a->batch != NO_BATCH && (a->batch < 1 || a->batch > 65536))
        return maxgl_command_usage(error, "--batch=%d is out of range; allowed: 1 … 65536", a->batch);
    if (a->batch == NO_BATCH && (a->training || a->exact || a->precision))
        return maxgl_command_usage(error, "--%s says how memory is used; give --batch too",
                                   a->training ? "training"
                                   : a->exact  ? "exact"
                                               : "precision");
    return TRUE;
}

static gboolean run_info(int argc, char **argv, GError **error)
{
    g_auto(InfoArguments) a = {.classes = -1, .batch = NO_BATCH};
    g_auto(MaxglModelShown) model = {0};
    if (!parse_info(&argc, &argv, &a, error))
        return FALSE;
    const gboolean is_file = is_file_name(argv[1]);
    if (is_file && a.classes != -1)
        return maxgl_command_usage(error, "--classes is for networks by name; %s has its own", argv[1]);
    if (is_file ? !open_file(argv[1], a.clip, &model, error)
                : !open_network(argv[1], a.clip, a.classes == -1 ? 400 : a.classes, &model, error))
        return FALSE;
    model.memory = (MaxglModelMemory){.batch = a.batch, .training = a.training, .exact = a.exact};
    if (!maxgl_precision_parse(a.precision, &model.memory.precision, error) ||
        (a.batch != NO_BATCH && !forecast_memory(&model, error)))
        return FALSE;
    if (a.json)
        maxgl_model_print_json(&model);
    else
        maxgl_model_print(&model);
    return !is_file || maxgl_weights_match_report(model.match, model.file, model.info, model.resnet, error);
}

/* ---------------- model convert ---------------- */

typedef struct {
    char *naming, *clip;
    int classes, frame_stride;
    gint64 seed;
    gboolean drop_discriminators;
} ConvertArguments;

static void convert_arguments_clear(ConvertArguments *a)
{
    g_free(a->naming);
    g_free(a->clip);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ConvertArguments, convert_arguments_clear)

static gboolean parse_convert(int *argc, char ***argv, ConvertArguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"naming", 0, 0, G_OPTION_ARG_STRING, &a->naming,
         "Scheme of OUT's names: hara, torchvision or vcop (default: IN's)", "SCHEME"},
        {"classes", 0, 0, G_OPTION_ARG_INT, &a->classes,
         "A new, random fc of N classes; 0: no fc (default: IN's fc)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &a->seed, "Seed of a new fc (default: 1)", "N"},
        {"drop-discriminators", 0, 0, G_OPTION_ARG_NONE, &a->drop_discriminators,
         "Leave out what only pre-training needs (head.*)", NULL},
        {"clip", 0, 0, G_OPTION_ARG_STRING, &a->clip, "Clip size that OUT is to be used with (default: IN's)",
         "TxHxW"},
        {"frame-stride", 0, 0, G_OPTION_ARG_INT, &a->frame_stride,
         "Source frames from one of a clip's frames to the next (default: IN's)", "N"},
        {NULL}};
    const MaxglCommandHelp help = {
        .arguments = "IN OUT",
        .summary =
            "Writes the model of IN, a safetensors file or a run's folder, to the file OUT: under the names\n"
            "of another published code, without any prefix (\"module.\"), with all metadata. A file without\n"
            "metadata of maxgl-cl gets them: network, clip size, preprocessing. Weights become F32; an\n"
            "optimiser's state is left out.",
        .entries = entries,
        .examples =
            "  maxgl-cl model convert runs/demo pytorch.safetensors --naming torchvision\n"
            "  maxgl-cl model convert r3d_18.safetensors backbone.safetensors --classes 0\n"
            "  maxgl-cl model convert hara.safetensors mine.safetensors --classes 101 --frame-stride 1",
        .min_arguments = 2,
        .max_arguments = 2,
    };
    if (!maxgl_command_parse(&help, argc, argv, error))
        return FALSE;
    if (a->classes < -1)
        return maxgl_command_usage(error, "--classes=%d is out of range; allowed: 0 … 1048576", a->classes);
    if (a->frame_stride < 0)
        return maxgl_command_usage(error, "--frame-stride=%d is out of range; allowed: 1 …", a->frame_stride);
    if (a->seed < 0)
        return maxgl_command_usage(error, "--seed=%" G_GINT64_FORMAT " is out of range; allowed: 0 …",
                                   a->seed);
    return TRUE;
}

/* A rename onto its source would be safe, but the user would lose what was there. */
static gboolean check_output(const char *in, const char *out, GError **error)
{
    GStatBuf a, b;
    if (g_file_test(out, G_FILE_TEST_IS_DIR))
        return maxgl_command_usage(error, "%s is a folder; give a file's name", out);
    if (g_stat(in, &a) == 0 && g_stat(out, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return maxgl_command_usage(error, "%s is the input itself; give another name", out);
    return TRUE;
}

/* What the new file is to say of itself. */
static MaxglModelInfo *new_info(const MaxglSafetensors *file, const ConvertArguments *a, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_of(file, error);
    if (!info || !change_clip(a->clip, info, error) ||
        (a->naming && !maxgl_naming_parse(a->naming, &info->naming, error)))
        return NULL;
    if (a->classes >= 0)
        info->spec.classes = a->classes;
    if (a->frame_stride > 0)
        info->frame_stride = a->frame_stride;
    return maxgl_resnet_spec_validate(&info->spec, error) ? g_steal_pointer(&info) : NULL;
}

static gboolean run_convert(int argc, char **argv, GError **error)
{
    g_auto(ConvertArguments) a = {.classes = -1, .seed = 1};
    if (!parse_convert(&argc, &argv, &a, error))
        return FALSE;
    g_autofree char *in = maxgl_model_path(argv[1], error);
    if (!in || !check_output(in, argv[2], error))
        return FALSE;
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(in, error);
    g_autoptr(MaxglSafetensors) file = info ? maxgl_safetensors_open(in, error) : NULL;
    g_autoptr(MaxglModelInfo) changed = file ? new_info(file, &a, error) : NULL;
    if (!changed)
        return FALSE;
    const MaxglConversion conversion = {changed, a.classes < 0, (guint64)a.seed, a.drop_discriminators};
    if (!maxgl_weights_convert(file, info, &conversion, argv[2], error))
        return FALSE;
    g_autofree char *name = maxgl_resnet_spec_name(&changed->spec);
    printf("%s: %s, %s names", argv[2], name, maxgl_naming_name(changed->naming));
    if (changed->spec.classes)
        printf(", %d classes", changed->spec.classes);
    printf("\n");
    return TRUE;
}

gboolean maxgl_cmd_model(int argc, char **argv, GError **error)
{
    static const MaxglCommand verbs[] = {
        {"info", "layers, parameters and multiply-adds of a network or file", run_info},
        {"convert", "a file under other names, with another fc", run_convert},
        {NULL},
    };
    return maxgl_command_run_verb(
        verbs, "Shows and converts networks. Needs an OpenCL device for info --batch only.", argc, argv,
        error);
}
