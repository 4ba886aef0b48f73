/* Action recognition as a task of the training loop: softmax cross-entropy of the classifier's logits. */
#include "learn/task.h"
#include "ops/softmax_cross_entropy.h"

static const char *const value_names[] = {"loss", "accuracy", NULL};
static const char *const value_labels[] = {"loss", "accuracy", NULL};

/* Labels come in runs of as many bytes as a fill can write at once. */
enum { RUN = 32 };

/* On the device, and the labels of the batch under way. */
typedef struct {
    MaxglContext *context;
    const MaxglClasses *classes;
    gsize videos;   /* of a batch */
    gint32 *coming; /* [videos, to a whole run] */
    cl_mem labels, weights, result, workspace;
    MaxglSequence *sequence;
} Recognition;

/* Bytes of the buffers. */
typedef struct {
    gsize labels, weights, result, workspace;
} Sizes;

static Sizes sizes_of(const MaxglClasses *classes, const MaxglShape *logits)
{
    const gsize runs = ((gsize)logits->n + RUN - 1) / RUN;
    return (Sizes){.labels = runs * RUN * sizeof(gint32),
                   .weights = classes->weights ? (gsize)classes->n * sizeof(float) : 0,
                   .result = sizeof(MaxglCrossEntropy),
                   .workspace = maxgl_softmax_cross_entropy_workspace(logits)};
}

static int clips_per_video(const MaxglRecipe *recipe)
{
    return 1;
}

static const char **outputs(const MaxglRecipe *recipe)
{
    const char **names = g_new0(const char *, 2);
    names[0] = "fc";
    return names;
}

/* The classifier belongs to the network. */
static void declare(const MaxglRecipe *recipe, const MaxglResnet *resnet, MaxglParameters *parameters)
{
}

static guint64 predict_bytes(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                             MaxglNetwork *network, GError **error)
{
    const Sizes s = sizes_of(classes, &maxgl_network_output(network, "fc")->shape);
    return s.labels + s.weights + s.result + s.workspace;
}

static void free_loss(gpointer loss)
{
    Recognition *r = loss;
    maxgl_sequence_free(r->sequence);
    maxgl_buffer_free(r->context, r->labels);
    maxgl_buffer_free(r->context, r->weights);
    maxgl_buffer_free(r->context, r->result);
    maxgl_buffer_free(r->context, r->workspace);
    g_free(r->coming);
    g_free(r);
}

static gboolean allocate(Recognition *r, const MaxglShape *logits, GError **error)
{
    const Sizes s = sizes_of(r->classes, logits);
    if (!(r->labels = maxgl_buffer_new(r->context, s.labels, "the labels", error)) ||
        !(r->result = maxgl_buffer_new(r->context, s.result, "the loss", error)) ||
        !(r->workspace = maxgl_buffer_new(r->context, s.workspace, "the loss", error)))
        return FALSE;
    if (s.weights == 0)
        return TRUE;
    r->weights = maxgl_buffer_new(r->context, s.weights, "the classes' weights", error);
    return r->weights && maxgl_buffer_write(r->context, r->weights, 0, r->classes->weights, s.weights, error);
}

static gpointer prepare(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                        MaxglNetwork *network, MaxglParameters *parameters, GError **error)
{
    const MaxglTensor *logits = maxgl_network_output(network, "fc"),
                      *gradient = maxgl_network_output_gradient(network, "fc");
    Recognition *r = g_new0(Recognition, 1);
    r->context = context;
    r->classes = classes;
    r->videos = (gsize)logits->shape.n;
    r->coming = g_new0(gint32, (r->videos + RUN - 1) / RUN * RUN);
    r->sequence = maxgl_sequence_new(context);
    if (allocate(r, &logits->shape, error) &&
        maxgl_softmax_cross_entropy(r->sequence, &logits->shape, logits->buffer, r->labels, r->weights,
                                    r->result, gradient->buffer, r->workspace, error))
        return r;
    free_loss(r);
    return NULL;
}

/* A fill copies its pattern when it is enqueued; a write that does not wait would need the labels to live on.
 */
static gboolean take(gpointer loss, const MaxglBatch *batch, GError **error)
{
    Recognition *r = loss;
    g_return_val_if_fail(batch->videos == r->videos, FALSE);
    for (gsize i = 0; i < r->videos; i++) {
        const int label = batch->clips[i].label;
        r->coming[i] = label < 0 ? -1 : r->classes->outputs[label];
    }
    const gsize bytes = RUN * sizeof(gint32);
    for (gsize i = 0; i < r->videos; i += RUN) {
        const cl_int code = clEnqueueFillBuffer(r->context->queue, r->labels, r->coming + i, bytes,
                                                i * sizeof(gint32), bytes, 0, NULL, NULL);
        if (!maxgl_opencl_check(code, error, "%s: labels of a batch", r->context->info->name))
            return FALSE;
    }
    return TRUE;
}

static MaxglSequence *sequence(gpointer loss)
{
    return ((Recognition *)loss)->sequence;
}

static gboolean read_values(gpointer loss, double *values, GError **error)
{
    Recognition *r = loss;
    MaxglCrossEntropy result;
    if (!maxgl_buffer_read(r->context, r->result, 0, &result, sizeof result, error))
        return FALSE;
    values[0] = result.loss;
    values[1] = result.rows > 0 ? (double)result.hits / result.rows : 0;
    return TRUE;
}

const MaxglTask maxgl_recognition_task = {
    .values = value_names,
    .labels = value_labels,
    .unit = "",
    .clips_per_video = clips_per_video,
    .supervised = TRUE,
    .outputs = outputs,
    .declare = declare,
    .predict_bytes = predict_bytes,
    .prepare = prepare,
    .take = take,
    .sequence = sequence,
    .read = read_values,
    .free = free_loss,
};
