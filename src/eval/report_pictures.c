/* What the network sees, and what it finds alike. */
#include "eval/film.h"
#include "eval/report_parts.h"

#include <string.h>

#define TRAINING_VIDEOS 6
#define MOST_QUERIES 6
#define PIXELATED 64 /* films of fewer pixels are enlarged without blurring */

static void append_film(GString *html, const MaxglFilm *film)
{
    g_string_append_printf(html,
                           "<div class=\"film%s\" style=\"--n:%d;--w:%d;--h:%d;--t:%.2f;"
                           "background-image:url(data:image/png;base64,%s)\"></div>",
                           film->width < PIXELATED ? " small" : "", film->frames, film->width, film->height,
                           CLAMP(film->seconds, 0.4, 4), film->png);
}

static MaxglFilmMaker *open_maker(const MaxglReportOptions *options, GError **error)
{
    const MaxglFilmOptions film = {.clip = options->clip,
                                   .size = options->size,
                                   .antialias = options->antialias,
                                   .resize_width = options->resize_width,
                                   .resize_height = options->resize_height};
    return maxgl_film_maker_new(options->device, &film, error);
}

/* ---------------- training clips ---------------- */

static MaxglDataset *open_training(const MaxglReportOptions *options, GError **error)
{
    g_autoptr(MaxglDataset) all = maxgl_dataset_open(options->data, error);
    if (!all || !options->split || !options->split[0] || !maxgl_dataset_has_column(all, "split"))
        return g_steal_pointer(&all);
    return maxgl_dataset_filter(all, "split", options->split, error);
}

/* The first videos of the run, with the very clips and views they had in its first epoch. */
static MaxglBatch *load_training(const MaxglReportOptions *options, const MaxglDataset *dataset,
                                 GError **error)
{
    MaxglLoaderOptions o;
    maxgl_loader_options_init(&o);
    o.seed = options->seed;
    o.clip = options->clip;
    o.clips_per_video = options->clips_per_video;
    o.batch = (int)MIN(maxgl_dataset_size(dataset), TRAINING_VIDEOS);
    o.train = TRUE;
    o.augmentation = options->augmentation;
    o.cache_bytes = 0;
    o.max_bad = 1.0;
    MaxglBatch *batch = NULL;
    g_autoptr(MaxglLoader) loader = maxgl_loader_new(dataset, &o, error);
    return loader && maxgl_loader_next(loader, &batch, error) ? batch : NULL;
}

static gboolean append_training(GString *html, MaxglFilmMaker *maker, const MaxglReportOptions *options,
                                GError **error)
{
    g_autoptr(MaxglDataset) dataset = open_training(options, error);
    g_autoptr(MaxglBatch) batch = dataset ? load_training(options, dataset, error) : NULL;
    if (!batch)
        return FALSE;
    const gsize per_video = (gsize)options->clips_per_video;
    g_autoptr(GString) part = g_string_new("<h3>Training clips</h3><p class=\"note\">");
    if (per_video == 1)
        g_string_append(part, "A clip of each of some videos as the network got it.");
    else
        g_string_append_printf(part,
                               "%d clips of each of some videos as the network got them: other times, other "
                               "crops, other colours. Their global features are to have much in common.",
                               options->clips_per_video);
    g_string_append(part, "</p>\n<div class=\"films\">\n");
    for (gsize i = 0; i < batch->n_clips; i++) {
        g_autoptr(MaxglFilm) film = maxgl_film_of_clip(maker, &batch->clips[i], error);
        if (!film)
            return FALSE;
        g_string_append(part, i % per_video == 0 ? "<div class=\"pair\">" : "");
        append_film(part, film);
        g_string_append(part, i % per_video < per_video - 1 ? "" : "</div>\n");
    }
    g_string_append(part, "</div>\n");
    g_string_append(html, part->str);
    return TRUE;
}

/* ---------------- retrieval ---------------- */

/* A data set and where its videos are in it. */
typedef struct {
    MaxglDataset *dataset;
    GHashTable *numbers; /* path → index + 1 */
} Videos;

static void videos_clear(Videos *v)
{
    maxgl_dataset_free(v->dataset);
    g_clear_pointer(&v->numbers, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Videos, videos_clear)

static gboolean videos_open(Videos *v, const char *source, GError **error)
{
    v->dataset = maxgl_dataset_open(source, error);
    if (!v->dataset)
        return FALSE;
    v->numbers = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < maxgl_dataset_size(v->dataset); i++)
        g_hash_table_insert(v->numbers, (char *)maxgl_dataset_path(v->dataset, i), GSIZE_TO_POINTER(i + 1));
    return TRUE;
}

/* The film of a video of the results; a video that is gone leaves a gap. */
static void append_video(GString *html, MaxglFilmMaker *maker, const Videos *v, JsonObject *video)
{
    g_autoptr(GError) error = NULL;
    const gsize number =
        GPOINTER_TO_SIZE(g_hash_table_lookup(v->numbers, maxgl_json_string(video, "path", "")));
    g_autoptr(MaxglFilm) film =
        number > 0 ? maxgl_film_of_video(maker, v->dataset, number - 1, &error) : NULL;
    if (film)
        append_film(html, film);
    else
        maxgl_html(html, "<p class=\"note\">%s</p>", error ? error->message : "not in the data any more");
}

/* The labels of a hit, each right or wrong. @query NULL: those of the query. */
static void append_labels(GString *html, JsonObject *video, JsonObject *query)
{
    JsonObject *labels = maxgl_json_object(video, "labels");
    JsonObject *wanted = query ? maxgl_json_object(query, "labels") : NULL;
    g_autoptr(GList) names = labels ? json_object_get_members(labels) : NULL;
    for (GList *name = names; name; name = name->next) {
        const char *value = maxgl_json_string(labels, name->data, "");
        const char *class = "soft";
        if (wanted && json_object_has_member(wanted, name->data))
            class = strcmp(value, maxgl_json_string(wanted, name->data, "")) == 0 ? "yes" : "no";
        maxgl_html(html, "<div class=\"%s\">%s</div>", class, value);
    }
}

/* Whether a hit has the query's first label. */
static gboolean is_right(JsonObject *hit, JsonObject *query)
{
    JsonObject *labels = maxgl_json_object(hit, "labels"), *wanted = maxgl_json_object(query, "labels");
    g_autoptr(GList) names = wanted ? json_object_get_members(wanted) : NULL;
    return names && labels &&
           strcmp(maxgl_json_string(labels, names->data, ""), maxgl_json_string(wanted, names->data, "")) ==
               0;
}

static void append_sample(GString *html, MaxglFilmMaker *maker, const Videos *v, JsonObject *query)
{
    JsonArray *hits = maxgl_json_array(query, "hits");
    g_string_append(html, "<div class=\"rank\"><div class=\"hit\">");
    append_video(html, maker, v, query);
    append_labels(html, query, NULL);
    g_string_append(html, "</div><div class=\"arrow\">→</div>\n");
    for (guint i = 0; hits && i < json_array_get_length(hits); i++) {
        JsonObject *hit = json_array_get_object_element(hits, i);
        g_string_append_printf(html, "<div class=\"hit %s\">", is_right(hit, query) ? "right" : "wrong");
        append_video(html, maker, v, hit);
        append_labels(html, hit, query);
        g_string_append_printf(html, "<div class=\"soft\">%.3f</div></div>\n",
                               maxgl_json_number(hit, "similarity"));
    }
    g_string_append(html, "</div>\n");
}

static gboolean append_retrieval(GString *html, MaxglFilmMaker *maker, JsonObject *result, GError **error)
{
    JsonArray *samples = maxgl_json_array(result, "samples");
    g_auto(Videos) videos = {0};
    if (!samples || json_array_get_length(samples) == 0)
        return TRUE;
    if (!videos_open(&videos, maxgl_json_string(result, "data", ""), error))
        return FALSE;
    maxgl_html(
        html,
        "<h3>What is found alike</h3><p class=\"note\">Left: videos of \"%s\"; right: the five of \"%s\" "
        "whose features are nearest, with the cosine similarity. Ticks and crosses say which labels "
        "agree; the colour of the frame is that of the first.</p>\n<div>\n",
        maxgl_json_string(result, "sample_split", "?"), maxgl_json_string(result, "train_split", "?"));
    for (guint i = 0; i < MIN(json_array_get_length(samples), MOST_QUERIES); i++)
        append_sample(html, maker, &videos, json_array_get_object_element(samples, i));
    g_string_append(html, "</div>\n");
    return TRUE;
}

/* Says in the page why something is missing. */
static void append_excuse(GString *html, const char *what, const GError *error)
{
    maxgl_html(html, "<p class=\"note\">%s: cannot be shown (%s).</p>\n", what, error->message);
}

void maxgl_report_pictures(GString *html, GPtrArray *results, const MaxglReportOptions *options)
{
    if (!options->data)
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglFilmMaker) maker = open_maker(options, &error);
    g_string_append(html, "<section><h2>What the network sees</h2>\n");
    if (!maker) {
        append_excuse(html, "Pictures", error);
    } else {
        if (!append_training(html, maker, options, &error))
            append_excuse(html, "Training clips", error);
        for (guint i = 0; i < results->len; i++) {
            g_clear_error(&error);
            if (!append_retrieval(html, maker, g_ptr_array_index(results, i), &error))
                append_excuse(html, "Retrieval", error);
        }
    }
    g_string_append(html, "</section>\n");
}
