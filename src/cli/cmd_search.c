/* maxgl-cl search: the moments of indexed videos that are most like a video, or like some seconds of it. */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include "eval/contact_sheet.h"
#include "eval/moment_search.h"
#include "learn/run.h"

#include <glib/gstdio.h>
#include <math.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

#define QUERY_BATCH 4

typedef struct {
    char *seconds, *model, *html, *json;
    int k;
    gboolean exclude_self, all;
    double first, last; /* --seconds; 0, 0: the whole video */
} Arguments;

static void arguments_clear(Arguments *a)
{
    g_free(a->seconds);
    g_free(a->model);
    g_free(a->html);
    g_free(a->json);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---------------- command line ---------------- */

/* "12-15.5" */
static gboolean parse_seconds(Arguments *a, GError **error)
{
    if (!a->seconds)
        return TRUE;
    char *dash = NULL, *end = NULL;
    a->first = g_ascii_strtod(a->seconds, &dash);
    a->last = dash > a->seconds && *dash == '-' ? g_ascii_strtod(dash + 1, &end) : -1;
    if (end && end > dash + 1 && *end == '\0' && a->first >= 0 && a->last > a->first && isfinite(a->last))
        return TRUE;
    return maxgl_command_usage(error, "--seconds=%s is no range; wanted: A-B, as in 12-15.5, with A below B",
                               a->seconds);
}

static gboolean can_write(const char *path, GError **error)
{
    g_autoptr(MaxglFile) file = path ? maxgl_file_create(path, error) : NULL;
    return !path || file;
}

static gboolean parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"seconds", 's', 0, G_OPTION_ARG_STRING, &a->seconds,
         "Of VIDEO only what is between A and B seconds (default: all of it)", "A-B"},
        {"number", 'k', 0, G_OPTION_ARG_INT, &a->k, "Hits (default: 10)", "N"},
        {"exclude-self", 'x', 0, G_OPTION_ARG_NONE, &a->exclude_self,
         "Leave out the query's own seconds, where the index has VIDEO", NULL},
        {"all", 'a', 0, G_OPTION_ARG_NONE, &a->all, "Also clips that overlap a nearer hit in the same video",
         NULL},
        {"html", 0, 0, G_OPTION_ARG_FILENAME, &a->html, "Also write a page with pictures", "PAGE"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &a->json, "Also write the hits to F", "F"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model,
         "Where the index's model is now (default: where it was)", "M"},
        {NULL},
    };
    const MaxglCommandHelp help = {
        .arguments = "INDEX VIDEO",
        .summary = "Finds the clips of an index (maxgl-cl index) that are nearest to VIDEO, which need not\n"
                   "be in it: by the cosine similarity of features, compared with all, on the device. The\n"
                   "query is the mean of VIDEO's clips, one behind the other, each of unit length.",
        .entries = entries,
        .examples = "  maxgl-cl index videos/ -o videos.index --model runs/mine\n"
                    "  maxgl-cl search videos.index new.mp4\n"
                    "  maxgl-cl search videos.index videos/a.mp4 --seconds 60-64 --exclude-self -k 20\n"
                    "  maxgl-cl search videos.index new.mp4 --html hits.html --json hits.json",
        .more = "Seconds are those of a clip's first and last frame. Of clips that overlap in time within a\n"
                "video, the nearest stands for all, unless --all. An index that another model made is\n"
                "refused.",
        .min_arguments = 2,
        .max_arguments = 2,
    };
    if (!maxgl_command_parse(&help, argc, argv, error))
        return FALSE;
    if (a->k < 1 || a->k > 100000)
        return maxgl_command_usage(error, "--number=%d is out of range; allowed: 1 … 100000", a->k);
    return parse_seconds(a, error) && can_write(a->html, error) && can_write(a->json, error);
}

/* ---------------- the query ---------------- */

/* All that is known of a search. */
typedef struct {
    const Arguments *arguments;
    const char *video;
    MaxglMomentIndex *index;
    gsize clips;       /* of the query */
    double seconds[2]; /* its first frame and its last */
    float *query;      /* [features] */
    gboolean *own;     /* [index->n_sources] which videos are the query's */
    float *similarities;
    GArray *hits;
} Search;

static void search_clear(Search *s)
{
    maxgl_moment_index_free(s->index);
    g_free(s->query);
    g_free(s->own);
    g_free(s->similarities);
    if (s->hits)
        g_array_unref(s->hits);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Search, search_clear)

static MaxglEmbedder *open_model(const Search *s, GError **error)
{
    const MaxglEmbedderOptions how = {.device = maxgl_command_device(), .batch = QUERY_BATCH};
    const char *given = s->arguments->model, *made = s->index->model->path;
    if (!given && !g_file_test(made, G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "%s: its model %s is not there any more; say where it is with --model", s->index->path,
                    made);
        return NULL;
    }
    g_autofree char *path = maxgl_model_path(given ? given : made, error);
    g_autoptr(MaxglEmbedder) embedder = path ? maxgl_embedder_open_with(path, &how, error) : NULL;
    if (!embedder)
        return NULL;
    g_autoptr(MaxglMomentModel) model = maxgl_moment_model_new(path, maxgl_embedder_info(embedder), error);
    return model && maxgl_moment_index_check_model(s->index, model, error) ? g_steal_pointer(&embedder)
                                                                           : NULL;
}

/* A file, and no list of files. */
static gboolean is_video(const char *path, GError **error)
{
    const gboolean list = g_str_has_suffix(path, ".csv") || g_str_has_suffix(path, ".txt");
    if (!list && g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: %s", path,
                g_file_test(path, G_FILE_TEST_EXISTS) ? "is not a video file" : "no such file");
    return FALSE;
}

static gboolean make_query(Search *s, GError **error)
{
    const char *const sources[] = {s->video, NULL};
    const MaxglMomentsOptions options = {.first_seconds = s->arguments->first,
                                         .last_seconds = s->arguments->last};
    g_autoptr(MaxglEmbedder) embedder = open_model(s, error);
    g_autoptr(MaxglDataset) dataset = embedder ? maxgl_dataset_open_all(sources, error) : NULL;
    g_autoptr(MaxglMoments) moments =
        dataset ? maxgl_moments_embed(embedder, dataset, &options, error) : NULL;
    if (!moments)
        return FALSE;
    s->clips = moments->n;
    s->seconds[0] = moments->seconds[0];
    s->seconds[1] = moments->seconds[2 * moments->n - 1];
    s->query = maxgl_moments_mean(moments);
    return TRUE;
}

/* Which of the index's videos are the query's file, whatever they are called. */
static void find_own(Search *s)
{
    GStatBuf query, other;
    s->own = g_new0(gboolean, s->index->n_sources);
    if (g_stat(s->video, &query) != 0)
        return;
    for (gsize i = 0; i < s->index->n_sources; i++) {
        g_autofree char *path = maxgl_moment_index_video(s->index, i);
        s->own[i] = g_stat(path, &other) == 0 && other.st_dev == query.st_dev && other.st_ino == query.st_ino;
    }
}

static gboolean find_hits(Search *s, GError **error)
{
    const Arguments *a = s->arguments;
    s->similarities = g_new(float, s->index->n);
    if (!maxgl_moment_similarities(s->index, s->query, maxgl_command_device(), s->similarities, error))
        return FALSE;
    find_own(s);
    const MaxglMomentSearch search = {
        .k = (gsize)a->k,
        .all = a->all,
        .excluded = a->exclude_self ? s->own : NULL,
        .excluded_seconds = {s->seconds[0], s->seconds[1]},
    };
    s->hits = maxgl_moment_nearest(s->index, s->similarities, &search);
    return TRUE;
}

/* ---------------- what is told ---------------- */

static void print_hits(const Search *s)
{
    static const char *const titles[] = {">rank", ">similarity", "video", ">seconds", NULL};
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    for (guint i = 0; i < s->hits->len; i++) {
        const MaxglMomentHit *hit = &g_array_index(s->hits, MaxglMomentHit, i);
        const float *seconds = s->index->seconds + hit->row * 2;
        maxgl_table_addf(table, "%u", i + 1);
        maxgl_table_addf(table, "%.4f", (double)hit->similarity);
        maxgl_table_add(table, s->index->sources[s->index->source[hit->row]]);
        maxgl_table_addf(table, "%.2f – %.2f", (double)seconds[0], (double)seconds[1]);
    }
    printf("%s, %.2f – %.2f s (%" G_GSIZE_FORMAT " %s), in %" G_GSIZE_FORMAT " clips of %" G_GSIZE_FORMAT
           " videos\n",
           s->video, s->seconds[0], s->seconds[1], s->clips, s->clips == 1 ? "clip" : "clips", s->index->n,
           s->index->n_sources);
    if (s->hits->len > 0)
        maxgl_table_print(table, "");
    else
        printf("nothing is left to be found\n");
    fflush(stdout);
}

static void add_moment(JsonBuilder *b, const char *video, double first, double last)
{
    json_builder_set_member_name(b, "video");
    json_builder_add_string_value(b, video);
    json_builder_set_member_name(b, "first_seconds");
    json_builder_add_double_value(b, first);
    json_builder_set_member_name(b, "last_seconds");
    json_builder_add_double_value(b, last);
}

static void add_hits(JsonBuilder *b, const Search *s)
{
    json_builder_begin_array(b);
    for (guint i = 0; i < s->hits->len; i++) {
        const MaxglMomentHit *hit = &g_array_index(s->hits, MaxglMomentHit, i);
        const float *seconds = s->index->seconds + hit->row * 2;
        json_builder_begin_object(b);
        add_moment(b, s->index->sources[s->index->source[hit->row]], seconds[0], seconds[1]);
        json_builder_set_member_name(b, "similarity");
        json_builder_add_double_value(b, hit->similarity);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

static gboolean write_json(const Search *s, GError **error)
{
    g_autofree char *video = g_utf8_make_valid(s->video, -1);
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "index");
    json_builder_add_string_value(b, s->index->path);
    json_builder_set_member_name(b, "folder");
    json_builder_add_string_value(b, s->index->folder);
    json_builder_set_member_name(b, "query");
    json_builder_begin_object(b);
    add_moment(b, video, s->seconds[0], s->seconds[1]);
    json_builder_set_member_name(b, "clips");
    json_builder_add_int_value(b, (gint64)s->clips);
    json_builder_end_object(b);
    json_builder_set_member_name(b, "hits");
    add_hits(b, s);
    json_builder_end_object(b);
    return maxgl_json_write(b, s->arguments->json, error);
}

static gboolean write_page(const Search *s, GError **error)
{
    g_autofree MaxglContact *contacts = g_new0(MaxglContact, s->hits->len);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *query = g_canonicalize_filename(s->video, NULL);
    for (guint i = 0; i < s->hits->len; i++) {
        const MaxglMomentHit *hit = &g_array_index(s->hits, MaxglMomentHit, i);
        const float *seconds = s->index->seconds + hit->row * 2;
        const gsize source = (gsize)s->index->source[hit->row];
        char *path = maxgl_moment_index_video(s->index, source);
        g_ptr_array_add(paths, path);
        contacts[i] =
            (MaxglContact){path, s->index->sources[source], {seconds[0], seconds[1]}, hit->similarity};
    }
    const MaxglContactSheet sheet = {
        .index = s->index->path,
        .model = s->index->model->path,
        .clips = s->index->n,
        .query = {query, s->video, {s->seconds[0], s->seconds[1]}, 1},
        .hits = contacts,
        .n_hits = s->hits->len,
    };
    g_autofree char *page = maxgl_contact_sheet(&sheet);
    return maxgl_file_write_atomic(s->arguments->html, page, strlen(page), error);
}

gboolean maxgl_cmd_search(int argc, char **argv, GError **error)
{
    g_auto(Arguments) a = {.k = 10};
    if (!parse(&argc, &argv, &a, error))
        return FALSE;
    maxgl_interrupt_install();
    g_auto(Search) s = {.arguments = &a, .video = argv[2]};
    s.index = maxgl_moment_index_open(argv[1], error);
    if (!s.index || !is_video(s.video, error) || !make_query(&s, error) || !find_hits(&s, error))
        return FALSE;
    print_hits(&s);
    return (!a.json || write_json(&s, error)) && (!a.html || write_page(&s, error));
}
