#include "learn/classes.h"

#include <maxgl/error.h>
#include <string.h>

/* The column that is meant, NULL with an error if there is none. */
static const char *find_column(const MaxglDataset *dataset, const char *label, GError **error)
{
    const char *const *columns = maxgl_dataset_columns(dataset);
    for (int i = 0; columns[i]; i++)
        if (label ? strcmp(columns[i], label) == 0
                  : strcmp(columns[i], "split") != 0 && strcmp(columns[i], "group") != 0)
            return columns[i];
    g_autofree char *list = g_strjoinv(", ", (char **)columns);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "no column \"%s\"; the columns are: %s",
                label ? label : "label", columns[0] ? list : "none");
    return NULL;
}

/* How many videos are of each of the data set's @n classes. */
static gsize *count_videos(const MaxglDataset *dataset, const char *column, gsize n, gsize *labelled)
{
    gsize *counts = g_new0(gsize, n + 1);
    *labelled = 0;
    for (gsize i = 0; i < maxgl_dataset_size(dataset); i++) {
        const int class = maxgl_dataset_label(dataset, i, column);
        if (class < 0)
            continue;
        counts[class]++;
        ++*labelled;
    }
    return counts;
}

static void add_classes(MaxglClasses *c, const char *const *names, const gsize *counts, gsize n)
{
    c->outputs = g_new(int, n + 1);
    c->names = g_new0(char *, n + 1);
    for (gsize i = 0; i < n; i++) {
        c->outputs[i] = counts[i] > 0 ? c->n : -1;
        if (counts[i] > 0)
            c->names[c->n++] = g_strdup(names[i]);
    }
}

static void add_weights(MaxglClasses *c, const gsize *counts, gsize n, gsize labelled)
{
    c->weights = g_new(float, c->n);
    for (gsize i = 0; i < n; i++)
        if (c->outputs[i] >= 0)
            c->weights[c->outputs[i]] = (float)((double)labelled / ((double)c->n * (double)counts[i]));
}

MaxglClasses *maxgl_classes_new(const MaxglDataset *dataset, const char *label, gboolean balanced,
                                GError **error)
{
    const char *column = find_column(dataset, label, error);
    if (!column)
        return NULL;
    gsize n, labelled;
    const char *const *names = maxgl_dataset_classes(dataset, column, &n);
    g_autofree gsize *counts = count_videos(dataset, column, n, &labelled);
    g_autoptr(MaxglClasses) classes = g_new0(MaxglClasses, 1);
    classes->label = g_strdup(column);
    add_classes(classes, names, counts, n);
    if (classes->n < 2) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "the training videos are of %d class%s of the column \"%s\": nothing to tell apart",
                    classes->n, classes->n == 1 ? "" : "es", column);
        return NULL;
    }
    if (balanced)
        add_weights(classes, counts, n, labelled);
    const gsize unlabelled = maxgl_dataset_size(dataset) - labelled;
    if (unlabelled > 0)
        g_message("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                  " training videos say nothing of %s, and teach nothing",
                  unlabelled, maxgl_dataset_size(dataset), column);
    return g_steal_pointer(&classes);
}

void maxgl_classes_free(MaxglClasses *classes)
{
    if (!classes)
        return;
    g_free(classes->label);
    g_strfreev(classes->names);
    g_free(classes->weights);
    g_free(classes->outputs);
    g_free(classes);
}
