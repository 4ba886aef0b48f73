#include "eval/evaluation.h"

#include "eval/control.h"

#include <maxgl/error.h>
#include <string.h>

const char *maxgl_comparison_name(MaxglComparison comparison)
{
    static const char *const names[MAXGL_COMPARISONS] = {"trained", "random", "still"};
    return names[comparison];
}

const char *maxgl_comparison_title(MaxglComparison comparison)
{
    static const char *const titles[MAXGL_COMPARISONS] = {"trained", "random init", "still frames"};
    return titles[comparison];
}

static void linear_result_free(gpointer pointer)
{
    MaxglLinearResult *result = pointer;
    g_free(result->confusion);
    g_free(result);
}

/* ---------------- what is evaluated ---------------- */

static gboolean unknown_column(const MaxglDataset *dataset, const char *data, const char *column,
                               GError **error)
{
    g_autofree char *columns = g_strjoinv(", ", (char **)maxgl_dataset_columns(dataset));
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: has no column \"%s\"; the columns are: %s", data,
                column, columns[0] ? columns : "none");
    return FALSE;
}

static gboolean is_label(const char *column)
{
    return strcmp(column, "split") != 0 && strcmp(column, "group") != 0;
}

static gboolean choose_labels(MaxglEvaluation *e, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *const *columns = maxgl_dataset_columns(e->dataset);
    if (e->options.labels)
        for (int i = 0; e->options.labels[i]; i++) {
            if (!maxgl_dataset_has_column(e->dataset, e->options.labels[i]))
                return unknown_column(e->dataset, e->options.data, e->options.labels[i], error);
            g_strv_builder_add(builder, e->options.labels[i]);
        }
    for (int i = 0; !e->options.labels && columns[i]; i++)
        if (is_label(columns[i]))
            g_strv_builder_add(builder, columns[i]);
    e->labels = g_strv_builder_end(builder);
    if (e->labels[0])
        return TRUE;
    return unknown_column(e->dataset, e->options.data, "label", error);
}

static gboolean choose_splits(MaxglEvaluation *e, GError **error)
{
    if (!maxgl_dataset_has_column(e->dataset, "split"))
        return unknown_column(e->dataset, e->options.data, "split", error);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *const *all = maxgl_dataset_classes(e->dataset, "split", NULL);
    const char *const *tests = e->options.test_splits ? e->options.test_splits : all;
    g_strv_builder_add(builder, e->options.train_split);
    for (int i = 0; tests[i]; i++)
        if (e->options.test_splits || strcmp(tests[i], e->options.train_split) != 0)
            g_strv_builder_add(builder, tests[i]);
    e->splits = g_strv_builder_end(builder);
    e->n_splits = (int)g_strv_length(e->splits);
    e->parts = g_new0(MaxglDataset *, e->n_splits);
    for (int i = 0; i < e->n_splits; i++)
        if (!(e->parts[i] = maxgl_dataset_filter(e->dataset, "split", e->splits[i], error)))
            return FALSE;
    if (e->n_splits > 1)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: has no test videos: its only split is \"%s\"",
                e->options.data, e->splits[0]);
    return FALSE;
}

/* ---------------- features ---------------- */

static const char *title_of(MaxglComparison comparison)
{
    static const char *const titles[MAXGL_COMPARISONS] = {"trained network", "random initialisation",
                                                          "still pictures"};
    return titles[comparison];
}

/* Adds the features of one network. */
static gboolean add_network(MaxglEvaluation *e, MaxglComparison comparison, const char *model, GError **error)
{
    const MaxglEvaluationOptions *o = &e->options;
    const int batch =
        o->batch > 0 ? o->batch : maxgl_features_batch(o->clips, maxgl_dataset_size(e->dataset));
    const MaxglEmbedderOptions how = {
        .device = o->device, .batch = batch, .exact = o->exact, .precision = o->precision};
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open_with(model, &how, error);
    if (!embedder)
        return FALSE;
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    if (!e->network) {
        e->network = g_strdup(info->model);
        e->device_name = g_strdup(info->device);
        e->features = info->features;
    }
    MaxglNetworkFeatures *network = &e->networks[e->n_networks++];
    network->comparison = comparison;
    network->splits = g_new0(MaxglFeatures *, e->n_splits);
    gsize cached = 0, videos = 0;
    for (int i = 0; i < e->n_splits; i++) {
        g_autofree char *title = g_strdup_printf("%s, %s", title_of(comparison), e->splits[i]);
        const MaxglFeatureOptions options = {.clips = o->clips,
                                             .workers = o->workers,
                                             .cache = o->cache,
                                             .still = comparison == MAXGL_COMPARISON_STILL,
                                             .title = title};
        network->splits[i] = maxgl_features_extract(embedder, e->parts[i], &options, error);
        if (!network->splits[i])
            return FALSE;
        cached += network->splits[i]->cached;
        videos += maxgl_dataset_size(e->parts[i]);
    }
    maxgl_features_say_cached(cached, videos, title_of(comparison));
    return TRUE;
}

static gboolean add_random(const char *path, gpointer user_data, GError **error)
{
    return add_network(user_data, MAXGL_COMPARISON_RANDOM, path, error);
}

static gboolean extract_features(MaxglEvaluation *e, GError **error)
{
    e->networks = g_new0(MaxglNetworkFeatures, MAXGL_COMPARISONS);
    return add_network(e, MAXGL_COMPARISON_TRAINED, e->options.model, error) &&
           (!e->options.random_init ||
            maxgl_control_with(e->options.model, e->options.device, e->parts[0], add_random, e, error)) &&
           (!e->options.still || add_network(e, MAXGL_COMPARISON_STILL, e->options.model, error));
}

/* ---------------- protocols ---------------- */

/* The vectors of a split with their classes in @column; free the labels. */
static MaxglLabelled labelled(const MaxglEvaluation *e, int network, int split, const char *column)
{
    const MaxglFeatures *f = e->networks[network].splits[split];
    int *labels = g_new(int, f->n);
    for (gsize i = 0; i < f->n; i++)
        labels[i] = maxgl_dataset_label(e->parts[split], f->videos[i], column);
    return (MaxglLabelled){.n = f->n, .length = f->length, .features = f->data, .labels = labels};
}

static void labelled_clear(MaxglLabelled *set)
{
    g_free((int *)set->labels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MaxglLabelled, labelled_clear)

static void report_nothing(const char *protocol, const char *label, const char *split,
                           gboolean labelled_at_all)
{
    g_message("%s of %s on %s: left out, %s", protocol, label, split,
              labelled_at_all ? "no class of its videos is among the training videos" : "no video has one");
}

/* Classes among the training videos, and how often the most frequent one occurs in @test. */
static void count_classes(const MaxglLabelled *train, const MaxglLabelled *test, int n_classes,
                          MaxglLinearResult *result)
{
    g_autofree gsize *count = g_new0(gsize, n_classes);
    int most = 0;
    gsize of_most = 0, videos = 0;
    for (gsize i = 0; i < train->n; i++)
        if (train->labels[i] >= 0)
            count[train->labels[i]]++;
    for (int i = 0; i < n_classes; i++) {
        result->classes += count[i] > 0;
        most = count[i] > count[most] ? i : most;
    }
    for (gsize i = 0; i < test->n; i++) {
        videos += test->labels[i] >= 0;
        of_most += test->labels[i] == most;
    }
    result->chance = 1.0 / result->classes;
    result->majority = videos > 0 ? (double)of_most / (double)videos : 0;
}

/* Probes one column: trains a classifier for each network, and tests it on every test split. */
static gboolean probe_column(MaxglEvaluation *e, const char *label, GError **error)
{
    gsize n_classes;
    char **names = (char **)maxgl_dataset_classes(e->dataset, label, &n_classes);
    g_autofree MaxglLinearResult **results = g_new0(MaxglLinearResult *, e->n_splits);
    for (int network = 0; network < e->n_networks; network++) {
        g_auto(MaxglLabelled) train = labelled(e, network, 0, label);
        g_autoptr(MaxglLinearProbe) probe =
            maxgl_linear_probe_train(&train, (int)n_classes, e->options.seed, error);
        if (!probe) {
            g_prefix_error(error, "%s of %s: ", label, e->options.data);
            return FALSE;
        }
        for (int split = 1; split < e->n_splits; split++) {
            g_auto(MaxglLabelled) test = labelled(e, network, split, label);
            MaxglLinearResult *result = results[split];
            if (network == 0) {
                result = results[split] = g_new0(MaxglLinearResult, 1);
                *result = (MaxglLinearResult){.label = label,
                                              .split = e->splits[split],
                                              .class_names = names,
                                              .n_classes = (int)n_classes};
                result->confusion = g_new0(int, n_classes *n_classes);
                count_classes(&train, &test, (int)n_classes, result);
                g_ptr_array_add(e->linear, result);
            }
            result->c[network] = maxgl_linear_probe_c(probe);
            maxgl_linear_probe_score(probe, &test, &result->scores[network],
                                     network == 0 ? result->confusion : NULL);
        }
    }
    return TRUE;
}

static gboolean run_linear(MaxglEvaluation *e, GError **error)
{
    for (int i = 0; e->labels[i]; i++) {
        GError *reason = NULL;
        if (probe_column(e, e->labels[i], &reason))
            continue;
        if (e->options.labels) { /* asked for by name */
            g_propagate_error(error, reason);
            return FALSE;
        }
        g_message("left out: %s", reason->message);
        g_error_free(reason);
    }
    for (guint i = e->linear->len; i > 0; i--) {
        const MaxglLinearResult *result = g_ptr_array_index(e->linear, i - 1);
        const MaxglProbeScore *score = &result->scores[0];
        if (score->unseen < score->videos)
            continue;
        report_nothing("linear probe", result->label, result->split, score->videos > 0);
        g_ptr_array_remove_index(e->linear, i - 1);
    }
    return TRUE;
}

static void retrieve(MaxglEvaluation *e, const char *label, int split)
{
    MaxglRetrievalResult *result = g_new0(MaxglRetrievalResult, 1);
    result->label = label;
    result->split = e->splits[split];
    for (int network = 0; network < e->n_networks; network++) {
        g_auto(MaxglLabelled) gallery = labelled(e, network, 0, label);
        g_auto(MaxglLabelled) queries = labelled(e, network, split, label);
        maxgl_retrieval_score(&queries, &gallery, &result->scores[network]);
    }
    const MaxglRetrievalScore *score = &result->scores[0];
    if (score->unseen < score->queries) {
        g_ptr_array_add(e->retrieval, result);
        return;
    }
    report_nothing("retrieval", label, e->splits[split], score->queries > 0);
    g_free(result);
}

static void run_retrieval(MaxglEvaluation *e)
{
    for (int i = 0; e->labels[i]; i++)
        for (int split = 1; split < e->n_splits; split++)
            retrieve(e, e->labels[i], split);
}

MaxglEvaluation *maxgl_evaluation_run(const MaxglEvaluationOptions *options, GError **error)
{
    g_autoptr(MaxglEvaluation) e = g_new0(MaxglEvaluation, 1);
    e->options = *options;
    e->linear = g_ptr_array_new_with_free_func(linear_result_free);
    e->retrieval = g_ptr_array_new_with_free_func(g_free);
    e->dataset = maxgl_dataset_open(options->data, error);
    if (!e->dataset || !choose_labels(e, error) || !choose_splits(e, error) || !extract_features(e, error))
        return NULL;
    if (options->linear && !run_linear(e, error))
        return NULL;
    if (options->retrieval)
        run_retrieval(e);
    return g_steal_pointer(&e);
}

void maxgl_evaluation_free(MaxglEvaluation *e)
{
    if (!e)
        return;
    for (int n = 0; n < e->n_networks; n++) {
        for (int i = 0; i < e->n_splits; i++)
            maxgl_features_free(e->networks[n].splits[i]);
        g_free(e->networks[n].splits);
    }
    for (int i = 0; e->parts && i < e->n_splits; i++)
        maxgl_dataset_free(e->parts[i]);
    g_free(e->networks);
    g_free(e->parts);
    maxgl_dataset_free(e->dataset);
    g_strfreev(e->splits);
    g_strfreev(e->labels);
    g_free(e->network);
    g_free(e->device_name);
    g_ptr_array_unref(e->linear);
    g_ptr_array_unref(e->retrieval);
    g_free(e);
}
