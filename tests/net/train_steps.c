/* Trains a network from a safetensors file for some steps of SGD on clips from an .npy file, and writes what
 * it became: for comparisons with other programs (tests/agree_with_pytorch.py).
 *
 *   train_steps --model IN --clips CLIPS.npy --labels 0,3,1,… --batch N --out OUT
 *               [--lr R] [--momentum M] [--weight-decay D] [--from STAGE] [--class-weights W,W,…] [--device
 * S]
 *
 * CLIPS is (S·N, 3, T, H, W) float32, normalised; step i takes the clips i·N … (i+1)·N − 1 and as many
 * labels. Weight decay applies to all parameters, as in torch.optim.SGD without groups. With STAGE ("layer4",
 * "fc") the layers before it are frozen. Prints the loss of each step. */
#include "base/array.h"
#include "net/network.h"
#include "net/weights.h"
#include "ops/optimizer.h"
#include "ops/softmax_cross_entropy.h"

#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

static const char *model, *clips_path, *labels_text, *out, *device, *stage, *weights_text;
static gboolean exact;
static int batch = 2;
static double rate = 0.01, momentum = 0.9, decay = 1e-4;

/* The files, and everything on the device. */
typedef struct {
    MaxglSafetensors *file;
    MaxglModelInfo *info;
    MaxglArray *clips;
    gint32 *all_labels;
    MaxglContext *context;
    MaxglResnet *resnet;
    int frozen;
    MaxglParameters *parameters;
    MaxglNetwork *network;
    MaxglOptimizer sgd;
    MaxglOptimizerBuffers buffers;
    cl_mem labels, weights, result, workspace;
    MaxglSequence *loss, *update;
} Training;

static void training_clear(Training *t)
{
    g_clear_pointer(&t->loss, maxgl_sequence_free);
    g_clear_pointer(&t->update, maxgl_sequence_free);
    cl_mem all[] = {t->labels, t->weights, t->result, t->workspace, t->buffers.state[0], t->buffers.step};
    for (guint i = 0; i < G_N_ELEMENTS(all) && t->context; i++)
        maxgl_buffer_free(t->context, all[i]);
    maxgl_network_free(t->network);
    maxgl_parameters_free(t->parameters);
    maxgl_resnet_free(t->resnet);
    maxgl_context_close(t->context);
    maxgl_array_free(t->clips);
    maxgl_model_info_free(t->info);
    maxgl_safetensors_free(t->file);
    g_free(t->all_labels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Training, training_clear)

static gboolean usage(GError **error, const char *what)
{
    g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, what);
    return FALSE;
}

static gboolean read_labels(Training *t, GError **error)
{
    g_auto(GStrv) words = g_strsplit(labels_text, ",", -1);
    const guint n = g_strv_length(words);
    t->all_labels = g_new(gint32, n);
    for (guint i = 0; i < n; i++)
        t->all_labels[i] = (gint32)g_ascii_strtoll(words[i], NULL, 10);
    return n == (guint)t->clips->shape[0] || usage(error, "there must be as many labels as clips");
}

/* The clips' size decides over the network's. */
static gboolean read_files(Training *t, GError **error)
{
    t->file = maxgl_safetensors_open(model, error);
    t->info = t->file ? maxgl_model_info_of(t->file, error) : NULL;
    t->clips = t->info ? maxgl_array_open(clips_path, error) : NULL;
    if (!t->clips)
        return FALSE;
    if (t->clips->rank != 5 || t->clips->shape[0] % batch != 0)
        return usage(error, "the clips must be S·N × 3 × T × H × W");
    t->info->spec.frames = (int)t->clips->shape[2];
    t->info->spec.height = (int)t->clips->shape[3];
    t->info->spec.columns = (int)t->clips->shape[4];
    return read_labels(t, error);
}

static gboolean prepare_network(Training *t, GError **error)
{
    static const char *const outputs[] = {"fc", NULL};
    t->context = maxgl_context_open(device, error);
    t->resnet = t->context ? maxgl_resnet_new(&t->info->spec, error) : NULL;
    if (!t->resnet)
        return FALSE;
    t->frozen = stage ? maxgl_resnet_stage(t->resnet, stage) : 0;
    if (t->frozen < 0)
        return usage(error, "there is no such stage");
    const MaxglNetworkOptions options = {.mode = MAXGL_NETWORK_TRAINING,
                                         .batch = batch,
                                         .outputs = outputs,
                                         .frozen = t->frozen,
                                         .exact = exact};
    t->parameters = maxgl_parameters_new(t->context);
    maxgl_resnet_declare(t->resnet, t->parameters);
    if (!maxgl_parameters_allocate(t->parameters, TRUE, error) ||
        !maxgl_weights_load_from(t->file, t->info, t->resnet, t->parameters, NULL, NULL, error))
        return FALSE;
    t->network = maxgl_network_new(t->context, t->resnet, &options, t->parameters, error);
    return t->network != NULL;
}

static gboolean new_buffer(Training *t, gsize bytes, cl_mem *buffer, GError **error)
{
    *buffer = maxgl_buffer_new(t->context, bytes, "a training step", error);
    return *buffer && maxgl_buffer_zero(t->context, *buffer, 0, (bytes + 3) / 4 * 4, error);
}

static gboolean prepare_weights(Training *t, GError **error)
{
    g_auto(GStrv) words = g_strsplit(weights_text ? weights_text : "", ",", -1);
    const guint n = g_strv_length(words);
    if (n == 0)
        return TRUE;
    if (n != (guint)t->info->spec.classes)
        return usage(error, "there must be as many weights as classes");
    g_autofree float *weights = g_new(float, n);
    for (guint i = 0; i < n; i++)
        weights[i] = (float)g_ascii_strtod(words[i], NULL);
    return new_buffer(t, n * sizeof(float), &t->weights, error) &&
           maxgl_buffer_write(t->context, t->weights, 0, weights, n * sizeof(float), error);
}

/* Appends the update of each parameter of the layers that are not frozen. */
static gboolean prepare_update(Training *t, GError **error)
{
    t->update = maxgl_sequence_new(t->context);
    for (int i = t->frozen; i < t->resnet->n_layers; i++) {
        MaxglLayerTensor tensors[MAXGL_LAYER_TENSORS];
        const int n = maxgl_layer_tensors(t->resnet, i, tensors);
        for (int j = 0; j < n; j++) {
            g_autofree char *name = g_strdup_printf("%s.%s", t->resnet->layers[i].name, tensors[j].what);
            const int index = maxgl_parameters_find(t->parameters, name);
            const MaxglParameter *p = maxgl_parameters_get(t->parameters, (guint)index);
            if (tensors[j].learnt &&
                !maxgl_optimizer_update(t->update, &t->sgd, &t->buffers, p->offset, p->floats, decay, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean prepare_training(Training *t, GError **error)
{
    const MaxglTensor *logits = maxgl_network_output(t->network, "fc"),
                      *gradient = maxgl_network_output_gradient(t->network, "fc");
    const gsize floats = maxgl_parameters_learnt_floats(t->parameters);
    t->sgd = (MaxglOptimizer){.kind = MAXGL_OPTIMIZER_SGD, .momentum = (float)momentum};
    t->buffers.parameters = maxgl_parameters_values(t->parameters);
    t->buffers.gradients = maxgl_parameters_gradients(t->parameters);
    t->loss = maxgl_sequence_new(t->context);
    return prepare_weights(t, error) && new_buffer(t, sizeof(gint32) * (gsize)batch, &t->labels, error) &&
           new_buffer(t, sizeof(MaxglCrossEntropy), &t->result, error) &&
           new_buffer(t, maxgl_softmax_cross_entropy_workspace(&logits->shape), &t->workspace, error) &&
           new_buffer(t, floats * sizeof(float), &t->buffers.state[0], error) &&
           new_buffer(t, sizeof(MaxglOptimizerStep), &t->buffers.step, error) &&
           maxgl_softmax_cross_entropy(t->loss, &logits->shape, logits->buffer, t->labels, t->weights,
                                       t->result, gradient->buffer, t->workspace, error) &&
           prepare_update(t, error);
}

static gboolean step(Training *t, int index, GError **error)
{
    const MaxglTensor *input = maxgl_network_input(t->network);
    const gsize elements = maxgl_shape_elements(&input->shape);
    MaxglCrossEntropy result;
    if (!maxgl_tensor_write(t->context, input, t->clips->data + (gsize)index * elements, error) ||
        !maxgl_buffer_write(t->context, t->labels, 0, t->all_labels + index * batch,
                            sizeof(gint32) * (gsize)batch, error) ||
        !maxgl_network_set_step(t->network, (guint32)index + 1, error) ||
        !maxgl_optimizer_set_step(t->context, &t->sgd, t->buffers.step, (guint32)index + 1, rate, error) ||
        !maxgl_sequence_run(maxgl_network_forward(t->network), error) ||
        !maxgl_sequence_run(t->loss, error) ||
        !maxgl_sequence_run(maxgl_network_backward(t->network), error) ||
        !maxgl_sequence_run(t->update, error) ||
        !maxgl_buffer_read(t->context, t->result, 0, &result, sizeof result, error))
        return FALSE;
    printf("%.9g\n", (double)result.loss);
    return TRUE;
}

static gboolean run(GError **error)
{
    g_auto(Training) t = {0};
    if (!read_files(&t, error) || !prepare_network(&t, error) || !prepare_training(&t, error))
        return FALSE;
    const int steps = (int)t.clips->shape[0] / batch;
    for (int i = 0; i < steps; i++)
        if (!step(&t, i, error))
            return FALSE;
    return maxgl_weights_save(out, t.resnet, t.parameters, t.info, steps, FALSE, error);
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"model", 0, 0, G_OPTION_ARG_FILENAME, &model, "", ""},
        {"clips", 0, 0, G_OPTION_ARG_FILENAME, &clips_path, "", ""},
        {"labels", 0, 0, G_OPTION_ARG_STRING, &labels_text, "", ""},
        {"batch", 0, 0, G_OPTION_ARG_INT, &batch, "", ""},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &out, "", ""},
        {"exact", 0, 0, G_OPTION_ARG_NONE, &exact, "", NULL},
        {"lr", 0, 0, G_OPTION_ARG_DOUBLE, &rate, "", ""},
        {"momentum", 0, 0, G_OPTION_ARG_DOUBLE, &momentum, "", ""},
        {"weight-decay", 0, 0, G_OPTION_ARG_DOUBLE, &decay, "", ""},
        {"from", 0, 0, G_OPTION_ARG_STRING, &stage, "", ""},
        {"class-weights", 0, 0, G_OPTION_ARG_STRING, &weights_text, "", ""},
        {"device", 0, 0, G_OPTION_ARG_STRING, &device, "", ""},
        {NULL},
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    gboolean ok = g_option_context_parse(context, &argc, &argv, &error);
    if (ok && !(model && clips_path && labels_text && out && batch > 0))
        ok = usage(&error, "--model, --clips, --labels, --batch and --out are needed");
    if (ok && run(&error))
        return 0;
    fprintf(stderr, "train_steps: %s\n", error->message);
    return 1;
}
