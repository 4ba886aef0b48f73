#include "ops/loss_scale.h"

#include "compute/buffer.h"
#include "ops/grid.h"
#include <math.h>
#include <maxgl/error.h>

static const char *const FILE_NAME = "loss_scale.cl";

gboolean maxgl_loss_scale_write(MaxglContext *context, cl_mem state, const MaxglLossScale *values,
                                GError **error)
{
    return maxgl_buffer_write(context, state, 0, values, sizeof *values, error);
}

gboolean maxgl_loss_scale_read(MaxglContext *context, cl_mem state, MaxglLossScale *values, GError **error)
{
    return maxgl_buffer_read(context, state, 0, values, sizeof *values, error);
}

/* A launch over @floats. Returns: vectors of a work-item. */
static int launch_over(MaxglSequence *sequence, gsize floats, char options[24], MaxglLaunch *launch)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, 16);
    g_snprintf(options, 24, "-DVECTOR=%d", vector);
    launch->options = options;
    return maxgl_grid_split(context, (floats + (gsize)vector - 1) / (gsize)vector, launch);
}

static gboolean check_size(gsize floats, GError **error)
{
    if (floats <= G_MAXUINT32)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "loss scaling: %" G_GSIZE_FORMAT " gradients, at most %u are possible", floats, G_MAXUINT32);
    return FALSE;
}

gboolean maxgl_loss_scale_apply(MaxglSequence *sequence, cl_mem gradients, gsize floats, cl_mem state,
                                GError **error)
{
    char options[24];
    MaxglLaunch launch = {.file = FILE_NAME, .kernel = "loss_scale_apply"};
    const int run = launch_over(sequence, floats, options, &launch);
    return check_size(floats, error) &&
           maxgl_sequence_add(sequence, &launch, error, "mmui", gradients, state, (guint32)floats, run);
}

gboolean maxgl_loss_scale_remove(MaxglSequence *sequence, cl_mem gradients, gsize offset, gsize floats,
                                 gboolean scaled, cl_mem state, GError **error)
{
    if (floats == 0)
        return TRUE;
    char options[24];
    MaxglLaunch launch = {.file = FILE_NAME, .kernel = "loss_scale_remove"};
    const int run = launch_over(sequence, floats, options, &launch);
    return check_size(offset + floats, error) &&
           maxgl_sequence_add(sequence, &launch, error, "mmuuii", gradients, state, (guint32)offset,
                              (guint32)floats, run, scaled);
}

/* A launch of one work-item. */
static MaxglLaunch launch_once(const char *kernel)
{
    return (MaxglLaunch){
        .file = FILE_NAME, .kernel = kernel, .options = "-DVECTOR=1", .dims = 1, .global = {1}, .local = {1}};
}

gboolean maxgl_loss_scale_update(MaxglSequence *sequence, int growth_steps, cl_mem state, GError **error)
{
    const MaxglLaunch launch = launch_once("loss_scale_update");
    return maxgl_sequence_add(sequence, &launch, error, "muff", state, (guint32)growth_steps,
                              MAXGL_LOSS_SCALE_LEAST, MAXGL_LOSS_SCALE_MOST);
}

gboolean maxgl_loss_scale_count(MaxglSequence *sequence, const MaxglOptimizer *optimizer, cl_mem step,
                                cl_mem state, GError **error)
{
    const MaxglLaunch launch = launch_once("loss_scale_count");
    return maxgl_sequence_add(sequence, &launch, error, "mmff", step, state, log(optimizer->beta1),
                              log(optimizer->beta2));
}
