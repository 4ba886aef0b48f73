#include "bench/network.h"

#include "base/random.h"
#include "ops/optimizer.h"
#include "ops/softmax_cross_entropy.h"

/* Everything that a training step has beyond the network. */
typedef struct {
    MaxglOptimizer optimizer;
    MaxglOptimizerBuffers buffers;
    cl_mem labels, result, workspace;
    MaxglSequence *loss, *update;
} Training;

static void training_clear(MaxglContext *context, Training *t)
{
    g_clear_pointer(&t->loss, maxgl_sequence_free);
    g_clear_pointer(&t->update, maxgl_sequence_free);
    cl_mem all[] = {t->labels, t->result, t->workspace, t->buffers.state[0], t->buffers.step};
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        maxgl_buffer_free(context, all[i]);
}

static gboolean training_init(MaxglContext *context, MaxglNetwork *network, MaxglParameters *parameters,
                              Training *t, GError **error)
{
    const MaxglTensor *logits = maxgl_network_output(network, "fc"),
                      *gradient = maxgl_network_output_gradient(network, "fc");
    const gsize floats = maxgl_parameters_learnt_floats(parameters);
    g_autofree gint32 *labels = g_new(gint32, logits->shape.n);
    for (int i = 0; i < logits->shape.n; i++)
        labels[i] = i % logits->shape.c;

    t->optimizer = (MaxglOptimizer){.kind = MAXGL_OPTIMIZER_SGD, .momentum = 0.9F};
    t->labels = maxgl_buffer_new(context, sizeof(gint32) * (gsize)logits->shape.n, "labels", error);
    t->result = t->labels ? maxgl_buffer_new(context, sizeof(MaxglCrossEntropy), "loss", error) : NULL;
    t->workspace = t->result
                       ? maxgl_buffer_new(context, maxgl_softmax_cross_entropy_workspace(&logits->shape),
                                          "loss workspace", error)
                       : NULL;
    t->buffers.parameters = maxgl_parameters_values(parameters);
    t->buffers.gradients = maxgl_parameters_gradients(parameters);
    t->buffers.state[0] =
        t->workspace ? maxgl_buffer_new(context, floats * sizeof(float), "momentum", error) : NULL;
    t->buffers.step =
        t->buffers.state[0] ? maxgl_buffer_new(context, sizeof(MaxglOptimizerStep), "step", error) : NULL;
    t->loss = maxgl_sequence_new(context);
    t->update = maxgl_sequence_new(context);
    return t->buffers.step &&
           maxgl_buffer_write(context, t->labels, 0, labels, sizeof(gint32) * (gsize)logits->shape.n,
                              error) &&
           maxgl_buffer_zero(context, t->buffers.state[0], 0, floats * sizeof(float), error) &&
           maxgl_softmax_cross_entropy(t->loss, &logits->shape, logits->buffer, t->labels, NULL, t->result,
                                       gradient->buffer, t->workspace, error) &&
           maxgl_optimizer_update(t->update, &t->optimizer, &t->buffers, 0, floats, 0, error);
}

typedef struct {
    MaxglContext *context;
    MaxglNetwork *network;
    Training training;
} Step;

static gboolean run_once(gpointer data, guint32 number, GError **error)
{
    Step *s = data;
    Training *t = &s->training;
    if (!maxgl_sequence_run(maxgl_network_forward(s->network), error))
        return FALSE;
    return !t->update ||
           (maxgl_optimizer_set_step(s->context, &t->optimizer, t->buffers.step, number, 1e-3, error) &&
            maxgl_sequence_run(t->loss, error) &&
            maxgl_sequence_run(maxgl_network_backward(s->network), error) &&
            maxgl_sequence_run(t->update, error));
}

static gboolean fill_input(MaxglContext *context, const MaxglTensor *input, GError **error)
{
    const gsize elements = maxgl_shape_elements(&input->shape);
    g_autofree float *clips = g_new(float, elements);
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    for (gsize i = 0; i < elements; i++)
        clips[i] = maxgl_random_normal(&random);
    return maxgl_tensor_write(context, input, clips, error);
}

gboolean maxgl_network_bench(MaxglContext *context, const MaxglResnet *resnet, const MaxglNetworkBench *bench,
                             MaxglBenchRun *run, GError **error)
{
    const gboolean training = bench->mode == MAXGL_NETWORK_TRAINING;
    const char *const outputs[] = {training ? "fc" : "pool", NULL};
    const MaxglNetworkOptions options = {.mode = bench->mode,
                                         .batch = bench->batch,
                                         .outputs = outputs,
                                         .exact = bench->exact,
                                         .precision = bench->precision};
    const gint64 start = g_get_monotonic_time();
    g_autoptr(MaxglParameters) parameters = maxgl_parameters_new(context);
    maxgl_resnet_declare(resnet, parameters);
    *run = (MaxglBenchRun){.flops = 2 * maxgl_resnet_macs(resnet) * bench->batch * (training ? 3 : 1)};
    if (!maxgl_parameters_allocate(parameters, training, error) ||
        !maxgl_parameters_initialise(parameters, 1, error))
        return FALSE;
    g_autoptr(MaxglNetwork) network = maxgl_network_new(context, resnet, &options, parameters, error);
    if (!network)
        return FALSE;
    Step step = {.context = context, .network = network};
    gboolean ok = fill_input(context, maxgl_network_input(network), error) &&
                  (!training || training_init(context, network, parameters, &step.training, error));
    run->build_seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    ok = ok && maxgl_bench_run(context, run_once, &step, bench->repeats, bench->limit, run, error);
    training_clear(context, &step.training);
    return ok;
}
