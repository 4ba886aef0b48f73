#include "ops/optimizer.h"

#include "ops/grid.h"
#include <math.h>

enum { NORM_CHUNK = 8192 /* floats; a multiple of 16 · 256 lanes */ };

int maxgl_optimizer_states(const MaxglOptimizer *optimizer)
{
    if (optimizer->kind == MAXGL_OPTIMIZER_SGD || optimizer->kind == MAXGL_OPTIMIZER_LARS)
        return optimizer->momentum != 0 ? 1 : 0;
    return 2;
}

gboolean maxgl_optimizer_set_step(MaxglContext *context, const MaxglOptimizer *optimizer, cl_mem buffer,
                                  guint32 step, double learning_rate, GError **error)
{
    const MaxglOptimizerStep numbers = {
        .step = step,
        .learning_rate = (float)learning_rate,
        .adam_rate = (float)(learning_rate / (1 - pow(optimizer->beta1, step))),
        .adam_root = (float)sqrt(1 - pow(optimizer->beta2, step)),
    };
    /* A fill copies its pattern while it is enqueued; a write that does not wait would need @numbers to live.
     */
    const cl_int code = clEnqueueFillBuffer(context->queue, buffer, &numbers, sizeof numbers, 0,
                                            sizeof numbers, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: numbers of step %u", context->info->name, step);
}

static gboolean update_sgd(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                           const MaxglOptimizerBuffers *buffers, MaxglLaunch *launch, guint32 offset,
                           guint32 floats, int run, double weight_decay, GError **error)
{
    launch->kernel = "optimizer_sgd";
    cl_mem velocities = optimizer->momentum != 0 ? buffers->state[0] : NULL;
    return maxgl_sequence_add(sequence, launch, error, "mmmmmuuiffim", buffers->parameters,
                              buffers->gradients, velocities, buffers->step, buffers->clip, offset, floats,
                              run, weight_decay, optimizer->momentum, optimizer->nesterov, buffers->skip);
}

static gboolean update_adam(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                            const MaxglOptimizerBuffers *buffers, MaxglLaunch *launch, guint32 offset,
                            guint32 floats, int run, double weight_decay, GError **error)
{
    launch->kernel = "optimizer_adam";
    return maxgl_sequence_add(sequence, launch, error, "mmmmmmuuiffffffim", buffers->parameters,
                              buffers->gradients, buffers->state[0], buffers->state[1], buffers->step,
                              buffers->clip, offset, floats, run, weight_decay, optimizer->beta1,
                              1 - optimizer->beta1, optimizer->beta2, 1 - optimizer->beta2,
                              optimizer->epsilon, optimizer->kind == MAXGL_OPTIMIZER_ADAMW, buffers->skip);
}

gboolean maxgl_optimizer_update(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                                const MaxglOptimizerBuffers *buffers, gsize offset, gsize floats,
                                double weight_decay, GError **error)
{
    if (floats == 0)
        return TRUE;
    if (offset + floats > G_MAXUINT32) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                    "optimizer: %" G_GSIZE_FORMAT " parameters, at most %u are possible", offset + floats,
                    G_MAXUINT32);
        return FALSE;
    }
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, 16);
    g_autofree char *options =
        g_strdup_printf("-DVECTOR=%d -DLANES=1%s", vector, offset % (gsize)vector == 0 ? " -DALIGNED" : "");
    MaxglLaunch launch = {.file = "optimizer.cl", .options = options};
    const int run = maxgl_grid_split(context, (floats + (gsize)vector - 1) / (gsize)vector, &launch);
    return (optimizer->kind == MAXGL_OPTIMIZER_SGD ? update_sgd : update_adam)(
        sequence, optimizer, buffers, &launch, (guint32)offset, (guint32)floats, run, weight_decay, error);
}

static gsize norm_chunks(gsize floats)
{
    return MAX(1, (floats + NORM_CHUNK - 1) / NORM_CHUNK);
}

gsize maxgl_gradient_norm_workspace(gsize floats)
{
    return norm_chunks(floats) * sizeof(float);
}

gboolean maxgl_gradient_norm(MaxglSequence *sequence, cl_mem gradients, gsize floats, float max_norm,
                             cl_mem result, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize chunks = norm_chunks(floats);
    MaxglLaunch partial = {.file = "optimizer.cl", .kernel = "gradient_norm_partial"};
    MaxglLaunch total = {.file = "optimizer.cl", .kernel = "gradient_norm_total"};
    const int lanes = maxgl_grid_groups(context, chunks, &partial);
    maxgl_grid_groups(context, 1, &total);
    g_autofree char *options =
        g_strdup_printf("-DVECTOR=%d -DLANES=%d -DALIGNED", maxgl_grid_vector(context, 16), lanes);
    partial.options = total.options = options;
    return maxgl_sequence_add(sequence, &partial, error, "muum", gradients, (guint32)floats,
                              (guint32)NORM_CHUNK, workspace) &&
           maxgl_sequence_add(sequence, &total, error, "mufm", workspace, (guint32)chunks, max_norm, result);
}
