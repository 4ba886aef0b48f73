#include "ops/elementwise.h"

#include "ops/grid.h"

/* Options and sizes of a launch over @floats floats. */
typedef struct {
    MaxglLaunch launch;
    char options[24];
    guint32 vectors;
    int run;
} Plan;

static void plan_init(Plan *plan, MaxglSequence *sequence, const char *kernel, gsize floats)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, floats);
    g_snprintf(plan->options, sizeof plan->options, "-DVECTOR=%d", vector);
    plan->launch = (MaxglLaunch){.file = "elementwise.cl", .kernel = kernel, .options = plan->options};
    plan->vectors = (guint32)(floats / (gsize)vector);
    plan->run = maxgl_grid_split(context, plan->vectors, &plan->launch);
}

gboolean maxgl_relu_forward(MaxglSequence *sequence, gsize floats, cl_mem x, cl_mem y, GError **error)
{
    Plan plan;
    plan_init(&plan, sequence, "relu_forward", floats);
    return maxgl_sequence_add(sequence, &plan.launch, error, "mmui", x, y, plan.vectors, plan.run);
}

gboolean maxgl_relu_backward(MaxglSequence *sequence, gsize floats, cl_mem y, cl_mem dy, cl_mem dx,
                             gboolean accumulate, GError **error)
{
    Plan plan;
    plan_init(&plan, sequence, "relu_backward", floats);
    return maxgl_sequence_add(sequence, &plan.launch, error, "mmmuii", y, dy, dx, plan.vectors, plan.run,
                              accumulate);
}

gboolean maxgl_add(MaxglSequence *sequence, gsize floats, cl_mem a, cl_mem b, cl_mem y, GError **error)
{
    Plan plan;
    plan_init(&plan, sequence, "add", floats);
    return maxgl_sequence_add(sequence, &plan.launch, error, "mmmui", a, b, y, plan.vectors, plan.run);
}

gboolean maxgl_scale(MaxglSequence *sequence, gsize floats, float factor, cl_mem x, cl_mem y, GError **error)
{
    Plan plan;
    plan_init(&plan, sequence, "scale", floats);
    return maxgl_sequence_add(sequence, &plan.launch, error, "mmuif", x, y, plan.vectors, plan.run,
                              (double)factor);
}
