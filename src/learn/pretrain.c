/* Max-GL pre-training as a task of the training loop. */
#include "learn/task.h"

static const char *const value_names[] = {"loss", "global_mi", "local_mi", NULL};
static const char *const value_labels[] = {"loss", "Global-MI", "Local-MI", NULL};

static int clips_per_video(const MaxglRecipe *recipe)
{
    return recipe->objective.clips;
}

/* The objective keeps a copy of its options, but the names of outputs point into them. */
static const char **outputs(const MaxglRecipe *recipe)
{
    MaxglObjectiveOptions options;
    maxgl_recipe_objective(recipe, &options);
    g_autofree const char **names = maxgl_objective_outputs(&options);
    const char **interned = g_new0(const char *, g_strv_length((char **)names) + 1);
    for (guint i = 0; names[i]; i++)
        interned[i] = g_intern_string(names[i]);
    return interned;
}

static void declare(const MaxglRecipe *recipe, const MaxglResnet *resnet, MaxglParameters *parameters)
{
    MaxglObjectiveOptions options;
    maxgl_recipe_objective(recipe, &options);
    maxgl_objective_declare(&options, resnet, parameters);
}

static guint64 predict_bytes(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                             MaxglNetwork *network, GError **error)
{
    MaxglObjectiveOptions options;
    maxgl_recipe_objective(recipe, &options);
    return maxgl_objective_predict_bytes(context, &options, network, error);
}

static gpointer prepare(const MaxglRecipe *recipe, const MaxglClasses *classes, MaxglContext *context,
                        MaxglNetwork *network, MaxglParameters *parameters, GError **error)
{
    MaxglObjectiveOptions options;
    maxgl_recipe_objective(recipe, &options);
    return maxgl_objective_new(context, &options, network, parameters, error);
}

static MaxglSequence *sequence(gpointer loss)
{
    return maxgl_objective_sequence(loss);
}

static gboolean read_values(gpointer loss, double *values, GError **error)
{
    MaxglObjectiveValues read;
    if (!maxgl_objective_read(loss, &read, error))
        return FALSE;
    values[0] = read.loss;
    values[1] = read.global_mi;
    values[2] = read.local_mi;
    return TRUE;
}

static void free_loss(gpointer loss)
{
    maxgl_objective_free(loss);
}

const MaxglTask maxgl_pretrain_task = {
    .values = value_names,
    .labels = value_labels,
    .unit = " nats",
    .clips_per_video = clips_per_video,
    .outputs = outputs,
    .declare = declare,
    .predict_bytes = predict_bytes,
    .prepare = prepare,
    .sequence = sequence,
    .read = read_values,
    .free = free_loss,
};
