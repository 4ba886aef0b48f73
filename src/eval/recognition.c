#include "eval/recognition.h"

#include "eval/classifier.h"
#include "eval/result_json.h"

#include <maxgl/error.h>
#include <string.h>

#define TOP 5

/* What is summed up while videos come. */
typedef struct {
    MaxglRecognition *r;
    const MaxglClassifier *classifier;
    int *outputs;     /* [the data set's classes] the classifier's output */
    double *scores;   /* [classes] sum over the clips of the video under way */
    double *clip;     /* [classes] of a clip */
    gsize video;      /* under way */
    gboolean started; /* there is one */
} Work;

/* ---------------- what is tested ---------------- */

static gboolean open_videos(MaxglRecognition *r, GError **error)
{
    const MaxglRecognitionOptions *o = &r->options;
    g_autoptr(MaxglDataset) all = maxgl_dataset_open(o->data, error);
    if (!all)
        return FALSE;
    r->dataset = maxgl_dataset_has_column(all, "split") ? maxgl_dataset_filter(all, "split", o->split, error)
                                                        : g_steal_pointer(&all);
    return r->dataset != NULL;
}

static gboolean choose_label(MaxglRecognition *r, const MaxglClassifier *classifier, GError **error)
{
    const char *const *columns = maxgl_dataset_columns(r->dataset);
    const char *label = r->options.label;
    if (!label && classifier->label && maxgl_dataset_has_column(r->dataset, classifier->label))
        label = classifier->label;
    for (int i = 0; !label && columns[i]; i++)
        if (strcmp(columns[i], "split") != 0 && strcmp(columns[i], "group") != 0)
            label = columns[i];
    if (label && maxgl_dataset_has_column(r->dataset, label)) {
        r->label = g_strdup(label);
        return TRUE;
    }
    g_autofree char *all = g_strjoinv(", ", (char **)columns);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: has no column \"%s\"; the columns are: %s",
                r->options.data, label ? label : "label", all[0] ? all : "none");
    return FALSE;
}

/* The classifier's outputs for the data set's @n classes, by their names; −1: none. */
static int *match_names(const MaxglRecognition *r, const char *const *names, gsize n)
{
    int *outputs = g_new(int, n + 1);
    for (gsize i = 0; i < n; i++) {
        outputs[i] = -1;
        for (int k = 0; k < r->n_classes && outputs[i] < 0; k++)
            if (strcmp(names[i], r->class_names[k]) == 0)
                outputs[i] = k;
    }
    return outputs;
}

/* An error that names the classes of videos to be tested that the model has not. */
static gboolean check_known(const MaxglRecognition *r, const char *const *names, gsize n, const int *outputs,
                            GError **error)
{
    g_autofree gboolean *wanted = g_new0(gboolean, n + 1);
    g_autoptr(GString) list = g_string_new(NULL);
    for (gsize i = 0; i < maxgl_dataset_size(r->dataset); i++) {
        const int class = maxgl_dataset_label(r->dataset, i, r->label);
        if (class >= 0)
            wanted[class] = TRUE;
    }
    for (gsize i = 0; i < n; i++)
        if (wanted[i] && outputs[i] < 0)
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", names[i]);
    if (list->len == 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "%s: the column %s has classes that the model does not know: %s", r->options.data, r->label,
                list->str);
    return FALSE;
}

/* Which of the classifier's outputs stands for which of the data set's classes. */
static int *match_classes(MaxglRecognition *r, MaxglClassifier *classifier, GError **error)
{
    gsize n;
    const char *const *names = maxgl_dataset_classes(r->dataset, r->label, &n);
    r->n_classes = classifier->classes;
    if (classifier->names) {
        r->class_names = g_strdupv(classifier->names);
    } else if (n == (gsize)classifier->classes) {
        r->class_names = g_strdupv((char **)names);
        g_message("%s: does not name its %d classes; taken for those of %s, in their order", r->options.model,
                  classifier->classes, r->label);
    } else {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: has %d classes without names, and %s of %s has %" G_GSIZE_FORMAT, r->options.model,
                    classifier->classes, r->label, r->options.data, n);
        return NULL;
    }
    g_autofree int *outputs = match_names(r, names, n);
    return check_known(r, names, n, outputs, error) ? g_steal_pointer(&outputs) : NULL;
}

/* ---------------- scores ---------------- */

/* Enters the video under way, if there is one. */
static void close_video(Work *w)
{
    MaxglRecognition *r = w->r;
    const int n = r->n_classes;
    const int label = w->started ? maxgl_dataset_label(r->dataset, w->video, r->label) : -1;
    if (w->started && label < 0)
        r->unlabelled++;
    w->started = FALSE;
    if (label < 0)
        return;
    const int class = w->outputs[label];
    int answer = 0, above = 0;
    for (int k = 0; k < n; k++) {
        answer = w->scores[k] > w->scores[answer] ? k : answer;
        above += w->scores[k] > w->scores[class] || (w->scores[k] == w->scores[class] && k < class);
    }
    r->videos++;
    r->top1 += above == 0;
    r->top5 += above < TOP;
    r->confusion[class * n + answer]++;
}

static gboolean add_clip(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    Work *w = user_data;
    const int n = w->r->n_classes;
    if (!w->started || vector->video != w->video) {
        close_video(w);
        memset(w->scores, 0, (gsize)n * sizeof *w->scores);
        w->video = vector->video;
        w->started = TRUE;
    }
    maxgl_classifier_logits(w->classifier, vector->features, w->clip);
    if (w->r->options.windows)
        maxgl_softmax(w->clip, n);
    for (int k = 0; k < n; k++)
        w->scores[k] += w->clip[k]; /* all of a video's clips count alike: the sum ranks as the mean */
    w->r->clips++;
    return TRUE;
}

static void average_classes(MaxglRecognition *r)
{
    int with_videos = 0;
    for (int k = 0; k < r->n_classes; k++) {
        const int *row = r->confusion + k * r->n_classes;
        int videos = 0;
        for (int j = 0; j < r->n_classes; j++)
            videos += row[j];
        with_videos += videos > 0;
        r->per_class += videos > 0 ? (double)row[k] / videos : 0;
    }
    r->per_class = with_videos > 0 ? r->per_class / with_videos : 0;
}

static gboolean test_videos(MaxglRecognition *r, Work *w, GError **error)
{
    const MaxglRecognitionOptions *o = &r->options;
    const int clips = o->windows ? 1 : o->clips;
    const int batch = o->batch > 0
                          ? o->batch
                          : maxgl_features_batch(clips, o->windows ? 16 : maxgl_dataset_size(r->dataset));
    const MaxglEmbedderOptions how = {
        .device = o->device, .batch = batch, .exact = o->exact, .precision = o->precision};
    MaxglFeatureOptions options = {
        .clips = clips, .workers = o->workers, .cache = o->cache, .title = "testing"};
    MaxglFeatureCounts counts;
    g_autoptr(MaxglEmbedder) embedder = maxgl_embedder_open_with(o->model, &how, error);
    if (!embedder)
        return FALSE;
    const MaxglEmbedderInfo *info = maxgl_embedder_info(embedder);
    r->network = g_strdup(info->model);
    r->device_name = g_strdup(info->device);
    r->features = info->features;
    /* What is left over at a video's end is a last clip: the sliding window of 3D-ResNets-PyTorch. */
    const MaxglClipWalkOptions windows = {.step = (gint64)info->frames * info->frame_stride, .rest = TRUE};
    options.walk = o->windows ? &windows : NULL;
    if (!maxgl_features_each(embedder, r->dataset, &options, add_clip, w, &counts, error))
        return FALSE;
    r->bad = counts.bad;
    maxgl_features_say_cached(counts.cached, maxgl_dataset_size(r->dataset), "");
    close_video(w);
    if (r->videos > 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: no video says anything of %s", o->data, r->label);
    return FALSE;
}

MaxglRecognition *maxgl_recognition_run(const MaxglRecognitionOptions *options, GError **error)
{
    g_autoptr(MaxglRecognition) r = g_new0(MaxglRecognition, 1);
    r->options = *options;
    g_autoptr(MaxglClassifier) classifier = maxgl_classifier_read(options->model, error);
    if (!classifier || !open_videos(r, error) || !choose_label(r, classifier, error))
        return NULL;
    g_autofree int *outputs = match_classes(r, classifier, error);
    if (!outputs)
        return NULL;
    const int n = r->n_classes;
    g_autofree double *scores = g_new0(double, n), *clip = g_new(double, n);
    Work w = {.r = r, .classifier = classifier, .outputs = outputs, .scores = scores, .clip = clip};
    r->confusion = g_new0(int, (gsize)n *(gsize)n);
    if (!test_videos(r, &w, error))
        return NULL;
    average_classes(r);
    return g_steal_pointer(&r);
}

void maxgl_recognition_free(MaxglRecognition *r)
{
    if (!r)
        return;
    maxgl_dataset_free(r->dataset);
    g_free(r->label);
    g_free(r->network);
    g_free(r->device_name);
    g_strfreev(r->class_names);
    g_free(r->confusion);
    g_free(r);
}

/* ---------------- JSON ---------------- */

static void add_result(JsonBuilder *b, const MaxglRecognition *r)
{
    const double videos = (double)r->videos;
    json_builder_begin_object(b);
    maxgl_result_add_string(b, "label", r->label);
    maxgl_result_add_string(b, "split",
                            maxgl_dataset_has_column(r->dataset, "split") ? r->options.split : "");
    maxgl_result_add_size(b, "classes", (gsize)r->n_classes);
    maxgl_result_add_number(b, "chance", 1.0 / r->n_classes);
    maxgl_result_begin_object(b, "networks");
    maxgl_result_begin_object(b, "trained");
    maxgl_result_add_number(b, "accuracy", (double)r->top1 / videos);
    maxgl_result_add_number(b, "top5", (double)r->top5 / videos);
    maxgl_result_add_number(b, "per_class", r->per_class);
    maxgl_result_add_size(b, "correct", r->top1);
    maxgl_result_add_size(b, "videos", r->videos);
    json_builder_end_object(b);
    json_builder_end_object(b);
    maxgl_result_add_confusion(b, (const char *const *)r->class_names, r->n_classes, r->confusion);
    json_builder_end_object(b);
}

char *maxgl_recognition_json(const MaxglRecognition *r, GError **error)
{
    const MaxglResultOrigin origin = {.protocol = "recognition",
                                      .model = r->options.model,
                                      .network = r->network,
                                      .device = r->device_name,
                                      .data = r->options.data,
                                      .clips = r->options.windows ? 0 : r->options.clips,
                                      .features = r->features};
    JsonBuilder *b = maxgl_result_new(&origin, error);
    if (!b)
        return NULL;
    maxgl_result_add_string(b, "averaged", r->options.windows ? "softmax" : "logits");
    maxgl_result_add_size(b, "videos", r->videos);
    maxgl_result_add_size(b, "bad", r->bad);
    maxgl_result_add_size(b, "unlabelled", r->unlabelled);
    maxgl_result_begin_array(b, "results");
    add_result(b, r);
    json_builder_end_array(b);
    return maxgl_result_finish(b);
}
