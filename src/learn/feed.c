#include "learn/feed.h"

#include <maxgl/error.h>
#include <string.h>

/* The videos of the split. */
static MaxglDataset *open_split(const MaxglRecipe *recipe, GError **error)
{
    const char *split = recipe->data.split;
    g_autoptr(MaxglDataset) all = maxgl_dataset_open(recipe->data.path, error);
    if (!all)
        return NULL;
    /* The default asks for nothing where there are no splits; a wish of one's own does. */
    const gboolean unsplit = !maxgl_dataset_has_column(all, "split") && strcmp(split, "train") == 0;
    if (split[0] == '\0' || unsplit)
        return g_steal_pointer(&all);
    MaxglDataset *chosen = maxgl_dataset_filter(all, "split", split, error);
    if (!chosen)
        g_prefix_error(error, "data.split: ");
    return chosen;
}

MaxglDataset *maxgl_feed_open(const MaxglRecipe *recipe, GError **error)
{
    g_autoptr(MaxglDataset) dataset = open_split(recipe, error);
    if (!dataset || maxgl_dataset_size(dataset) >= (gsize)recipe->train.batch)
        return g_steal_pointer(&dataset);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "train.batch: %d is more than the %" G_GSIZE_FORMAT " videos of %s: make it smaller",
                recipe->train.batch, maxgl_dataset_size(dataset), recipe->data.path);
    return NULL;
}

/* NULL: the data set's label. */
static const char *label_of(const MaxglRecipe *recipe)
{
    return recipe->data.label[0] ? recipe->data.label : NULL;
}

gboolean maxgl_feed_classes(const MaxglRecipe *recipe, const MaxglTask *task, const MaxglDataset *dataset,
                            MaxglClasses **classes, GError **error)
{
    *classes = NULL;
    if (!task->supervised)
        return TRUE;
    *classes = maxgl_classes_new(dataset, label_of(recipe), recipe->finetune.balanced, error);
    if (!*classes)
        g_prefix_error(error, "data.label: %s: ", recipe->data.path);
    return *classes != NULL;
}

void maxgl_feed_loader_options(const MaxglRecipe *recipe, const MaxglTask *task, MaxglLoaderOptions *options)
{
    maxgl_loader_options_init(options);
    options->seed = (guint64)recipe->train.seed;
    options->clip = (MaxglClipSpec){recipe->clip.frames, recipe->clip.stride, recipe->data.short_videos};
    options->clips_per_video = task->clips_per_video(recipe);
    options->label_column = label_of(recipe);
    options->batch = recipe->train.batch;
    options->train = TRUE;
    options->augmentation = recipe->augment;
    options->epochs = 0; /* the number of steps ends the run */
    options->workers = recipe->data.workers;
    options->prefetch = recipe->data.prefetch;
    options->cache_bytes = (gsize)recipe->data.cache_mb << 20;
    options->max_bad = recipe->data.bad_fraction;
    options->timeout = recipe->data.timeout;
}
