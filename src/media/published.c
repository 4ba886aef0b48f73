#include "media/published.h"

#include <maxgl/error.h>
#include <stddef.h>
#include <string.h>

#include "base/options.h"
#include "media/csv.h"
#include "media/folder.h"

typedef struct {
    char *videos, *lists;
    int split;
} Options;

static const MaxglOption option_list[] = {
    {"videos", MAXGL_OPTION_STRING, offsetof(Options, videos), "", .doc = "folder with the videos"},
    {"lists", MAXGL_OPTION_STRING, offsetof(Options, lists), "",
     .doc = "folder with the lists; \"\": that of the videos"},
    {"split", MAXGL_OPTION_INT, offsetof(Options, split), "1", 1, 3, .doc = "which of the published splits"},
};
static const MaxglOptionTable option_table = {option_list, G_N_ELEMENTS(option_list), sizeof(Options)};

/* What is open while the lists of a data set are read. */
typedef struct {
    Options options;
    GHashTable *files; /* name in lower case, without extension → GPtrArray of paths relative to the videos */
    GPtrArray *videos;
} Reader;

static void options_clear(Options *options)
{
    maxgl_options_clear(&option_table, options);
}

static void reader_clear(Reader *r)
{
    options_clear(&r->options);
    g_clear_pointer(&r->files, g_hash_table_unref);
    g_clear_pointer(&r->videos, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

static void video_free(gpointer pointer)
{
    MaxglPublishedVideo *video = pointer;
    g_free(video->path);
    g_free(video->label);
    g_free(video->split);
    g_free(video->group);
    g_free(video);
}

/* ---------------- files ---------------- */

static char *stem_of(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    char *dot = strrchr(name, '.');
    if (dot && maxgl_is_video_name(name))
        *dot = '\0';
    return g_utf8_validate(name, -1, NULL) ? g_utf8_strdown(name, -1) : g_ascii_strdown(name, -1);
}

static gboolean index_files(Reader *r, GError **error)
{
    g_autoptr(GPtrArray) found = maxgl_folder_videos(r->options.videos, error);
    if (!found)
        return FALSE;
    r->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < found->len; i++) {
        g_autofree char *stem = stem_of(found->pdata[i]);
        GPtrArray *same = g_hash_table_lookup(r->files, stem);
        if (!same) {
            same = g_ptr_array_new_with_free_func(g_free);
            g_hash_table_insert(r->files, g_steal_pointer(&stem), same);
        }
        g_ptr_array_add(same, g_strdup(found->pdata[i]));
    }
    return TRUE;
}

static gboolean lies_in(const char *path, const char *folder)
{
    g_auto(GStrv) parts = g_strsplit(path, G_DIR_SEPARATOR_S, -1);
    for (int i = 0; parts[i] && parts[i + 1]; i++)
        if (folder && g_ascii_strcasecmp(parts[i], folder) == 0)
            return TRUE;
    return FALSE;
}

/* The file called @name; of several the one in a folder called @label. Where it should be if there is none.
 */
static char *find_file(const Reader *r, const char *label, const char *name)
{
    g_autofree char *stem = stem_of(name);
    const GPtrArray *same = g_hash_table_lookup(r->files, stem);
    if (!same)
        return g_build_filename(r->options.videos, label ? label : ".", name, NULL);
    const char *chosen = same->pdata[0];
    for (guint i = 0; i < same->len; i++)
        if (lies_in(same->pdata[i], label)) {
            chosen = same->pdata[i];
            break;
        }
    return g_build_filename(r->options.videos, chosen, NULL);
}

static void add_video(Reader *r, const char *label, const char *name, const char *split, const char *group)
{
    MaxglPublishedVideo *video = g_new0(MaxglPublishedVideo, 1);
    video->path = find_file(r, label, name);
    video->label = g_strdup(label);
    video->split = g_strdup(split);
    video->group = g_strdup(group);
    g_ptr_array_add(r->videos, video);
}

/* ---------------- lines ---------------- */

static gboolean wrong(GError **error, const char *list, int line, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static gboolean wrong(GError **error, const char *list, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: %s", list, line, message);
    return FALSE;
}

static char *read_text(const char *list, gsize *size, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) reason = NULL;
    if (!g_file_get_contents(list, &text, size, &reason)) {
        const gboolean missing = g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        g_set_error(error, MAXGL_ERROR, missing ? MAXGL_ERROR_NOT_FOUND : MAXGL_ERROR_IO,
                    missing ? "%s: no such list (lists= names the folder that has it)%s"
                            : "%s: cannot be read (%s)",
                    list, missing ? "" : reason->message);
        return NULL;
    }
    if (memchr(text, '\0', *size)) {
        wrong(error, list, 1, "is not a text file");
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* What to do with one line, without the spaces and the CR at its end and never empty. */
typedef gboolean (*LineFunction)(Reader *r, const char *list, int number, char *line, gpointer data,
                                 GError **error);

static gboolean for_each_line(Reader *r, const char *list, LineFunction function, gpointer data,
                              GError **error)
{
    gsize size = 0;
    g_autofree char *text = read_text(list, &size, error);
    if (!text)
        return FALSE;
    char *start = g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text;
    g_auto(GStrv) lines = g_strsplit(start, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        g_strchomp(lines[i]);
        if (lines[i][0] && !function(r, list, i + 1, lines[i], data, error))
            return FALSE;
    }
    return TRUE;
}

/* Cuts the number behind the last space off @line: −1 if there is none. */
static int cut_number(char *line)
{
    char *last = line + strlen(line);
    guint64 number = 0;
    while (last > line && last[-1] != ' ' && last[-1] != '\t')
        last--;
    if (last == line || !g_ascii_string_to_unsigned(last, 10, 0, G_MAXINT, &number, NULL))
        return -1;
    last[-1] = '\0';
    g_strchomp(line);
    return (int)number;
}

/* ---------------- UCF101 ---------------- */

typedef struct {
    GHashTable *by_number; /* → name, which it owns */
    GHashTable *by_name;   /* in lower case → name of the other */
    const char *split;
} Classes;

static void classes_clear(Classes *classes)
{
    g_clear_pointer(&classes->by_name, g_hash_table_unref);
    g_clear_pointer(&classes->by_number, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Classes, classes_clear)

static gboolean class_line(Reader *r, const char *list, int number, char *line, gpointer data, GError **error)
{
    (void)r;
    Classes *classes = data;
    g_auto(GStrv) fields = g_strsplit_set(line, " \t", 2);
    guint64 index = 0;
    if (!fields[1] || !g_ascii_string_to_unsigned(fields[0], 10, 0, G_MAXINT, &index, NULL))
        return wrong(error, list, number, "\"%s\" is not a number and a class", line);
    char *name = g_strdup(g_strstrip(fields[1]));
    if (!g_hash_table_insert(classes->by_number, GINT_TO_POINTER((int)index), name))
        return wrong(error, list, number, "another class has the number %d", (int)index);
    if (!g_hash_table_insert(classes->by_name, g_ascii_strdown(name, -1), name))
        return wrong(error, list, number, "another class is called %s", name);
    return TRUE;
}

/* "v_ApplyEyeMakeup_g08_c01.avi" → "g08". */
static char *group_of(const char *name)
{
    static GRegex *pattern;
    if (g_once_init_enter(&pattern))
        g_once_init_leave(&pattern, g_regex_new("_(g[0-9]+)_c[0-9]+\\.", 0, 0, NULL));
    g_autoptr(GMatchInfo) match = NULL;
    return g_regex_match(pattern, name, 0, &match) ? g_match_info_fetch(match, 1) : NULL;
}

/* "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"; the test lists have no number. */
static gboolean ucf_line(Reader *r, const char *list, int number, char *line, gpointer data, GError **error)
{
    const Classes *classes = data;
    const int index = cut_number(line);
    g_autofree char *folder = g_path_get_dirname(line), *name = g_path_get_basename(line);
    g_autofree char *lower = g_ascii_strdown(folder, -1);
    if (!strchr(line, '/') || !maxgl_is_video_name(name))
        return wrong(error, list, number, "\"%s\" is not CLASS/VIDEO", line);
    const char *label = g_hash_table_lookup(classes->by_name, lower);
    if (!label)
        return wrong(error, list, number, "class %s is not in classInd.txt", folder);
    if (index < 0 && g_str_equal(classes->split, "train"))
        return wrong(error, list, number, "the number of the class is missing");
    if (index >= 0 && g_strcmp0(g_hash_table_lookup(classes->by_number, GINT_TO_POINTER(index)), label) != 0)
        return wrong(error, list, number, "class %d is not %s in classInd.txt", index, label);
    g_autofree char *group = group_of(name);
    add_video(r, label, name, classes->split, group);
    return TRUE;
}

static gboolean read_ucf101(Reader *r, GError **error)
{
    static const char *const splits[] = {"train", "test"};
    g_auto(Classes) classes = {.by_number = g_hash_table_new_full(NULL, NULL, NULL, g_free),
                               .by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    g_autofree char *names = g_build_filename(r->options.lists, "classInd.txt", NULL);
    if (!for_each_line(r, names, class_line, &classes, error))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(splits); i++) {
        g_autofree char *file = g_strdup_printf("%slist%02d.txt", splits[i], r->options.split);
        g_autofree char *list = g_build_filename(r->options.lists, file, NULL);
        classes.split = splits[i];
        if (!for_each_line(r, list, ucf_line, &classes, error))
            return FALSE;
    }
    return TRUE;
}

/* ---------------- HMDB51 ---------------- */

/* "Chanta!____long_blonde_hair!_brush_hair_u_cm_np1_fr_goo_2.avi 2" */
static gboolean hmdb_line(Reader *r, const char *list, int number, char *line, gpointer data, GError **error)
{
    const char *label = data;
    const int part = cut_number(line);
    if (part < 0 || part > 2)
        return wrong(error, list, number, "\"%s\" does not end in 0 (unused), 1 (train) or 2 (test)", line);
    if (part > 0)
        add_video(r, label, line, part == 1 ? "train" : "test", NULL);
    return TRUE;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the files in @folder that end in @suffix, sorted; NULL with @error set if there are none. */
static GPtrArray *files_ending_in(const char *folder, const char *suffix, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir))
        if (g_str_has_suffix(name, suffix) && name[0] != '.')
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    if (names->len > 0)
        return g_steal_pointer(&names);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                "%s: no list ends in %s (lists= names their folder)", folder, suffix);
    return NULL;
}

static gboolean read_hmdb51(Reader *r, GError **error)
{
    g_autofree char *suffix = g_strdup_printf("_test_split%d.txt", r->options.split);
    g_autoptr(GPtrArray) names = files_ending_in(r->options.lists, suffix, error);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *label = g_strndup(name, strlen(name) - strlen(suffix));
        g_autofree char *list = g_build_filename(r->options.lists, name, NULL);
        if (!for_each_line(r, list, hmdb_line, label, error))
            return FALSE;
    }
    return names != NULL;
}

/* ---------------- Kinetics ---------------- */

enum { LABEL, ID, START, END, SPLIT, N_FIELDS };
static const char *const kinetics_names[N_FIELDS] = {"label", "youtube_id", "time_start", "time_end",
                                                     "split"};

static gboolean kinetics_header(const MaxglCsv *csv, GPtrArray *fields, int at[N_FIELDS], GError **error)
{
    for (int f = 0; f < N_FIELDS; f++) {
        at[f] = -1;
        for (guint i = 0; i < fields->len; i++)
            if (g_ascii_strcasecmp(fields->pdata[i], kinetics_names[f]) == 0)
                at[f] = (int)i;
        if (at[f] < 0 && f != LABEL) /* the list of the test videos has none */
            return wrong(error, csv->name, csv->line, "no column %s", kinetics_names[f]);
    }
    return TRUE;
}

static gboolean kinetics_row(Reader *r, const MaxglCsv *csv, GPtrArray *fields, const int at[N_FIELDS],
                             GError **error)
{
    const char *field[N_FIELDS] = {NULL};
    guint64 start = 0, end = 0;
    for (int f = 0; f < N_FIELDS; f++) {
        if (at[f] >= (int)fields->len)
            return wrong(error, csv->name, csv->line, "%u fields, and no %s", fields->len, kinetics_names[f]);
        field[f] = at[f] < 0 ? "" : fields->pdata[at[f]];
    }
    if (!field[ID][0])
        return wrong(error, csv->name, csv->line, "no youtube_id");
    if (!g_ascii_string_to_unsigned(field[START], 10, 0, 999999, &start, NULL) ||
        !g_ascii_string_to_unsigned(field[END], 10, 0, 999999, &end, NULL))
        return wrong(error, csv->name, csv->line, "times \"%s\" and \"%s\" are not both whole seconds",
                     field[START], field[END]);
    g_autofree char *name = g_strdup_printf("%s_%06d_%06d.mp4", field[ID], (int)start, (int)end);
    add_video(r, field[LABEL][0] ? field[LABEL] : NULL, name, field[SPLIT], NULL);
    return TRUE;
}

static gboolean read_kinetics_list(Reader *r, const char *list, GError **error)
{
    gsize size = 0;
    g_autofree char *text = read_text(list, &size, error);
    if (!text)
        return FALSE;
    MaxglCsv csv;
    int at[N_FIELDS];
    gboolean first = TRUE;
    maxgl_csv_init(&csv, list, text, size);
    for (;; first = FALSE) {
        g_autoptr(GPtrArray) fields = NULL;
        if (!maxgl_csv_next(&csv, &fields, error))
            return FALSE;
        if (!fields)
            return TRUE;
        if (first ? !kinetics_header(&csv, fields, at, error) : !kinetics_row(r, &csv, fields, at, error))
            return FALSE;
    }
}

static gboolean read_kinetics(Reader *r, GError **error)
{
    const char *lists = r->options.lists;
    if (!g_file_test(lists, G_FILE_TEST_IS_DIR))
        return read_kinetics_list(r, lists, error);
    g_autoptr(GPtrArray) names = files_ending_in(lists, ".csv", error);
    for (guint i = 0; names && i < names->len; i++) {
        g_autofree char *list = g_build_filename(lists, names->pdata[i], NULL);
        if (!read_kinetics_list(r, list, error))
            return FALSE;
    }
    return names != NULL;
}

/* ---------------- which ---------------- */

static const struct {
    const char *prefix;
    gboolean (*read)(Reader *r, GError **error);
} kinds[] = {{"ucf101:", read_ucf101}, {"hmdb51:", read_hmdb51}, {"kinetics:", read_kinetics}};

gboolean maxgl_published_is(const char *source)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(source, kinds[i].prefix))
            return TRUE;
    return FALSE;
}

/* "videos=a,b,split=2": a comma ends a value only where the next key begins. */
static gboolean parse_options(Options *options, const char *source, const char *text, GError **error)
{
    g_autoptr(GRegex) comma = g_regex_new(",(?=[a-z]+=)", 0, 0, NULL);
    g_auto(GStrv) assignments = g_regex_split(comma, text, 0);
    maxgl_options_init(&option_table, options);
    if (text[0] && !maxgl_options_assign(&option_table, options, (const char *const *)assignments, error)) {
        g_prefix_error(error, "%s: ", source);
        return FALSE;
    }
    if (!options->videos[0]) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: which videos? Give videos=FOLDER, and lists=FOLDER where the lists are elsewhere",
                    source);
        return FALSE;
    }
    if (!options->lists[0]) {
        g_free(options->lists);
        options->lists = g_strdup(options->videos);
    }
    return TRUE;
}

GPtrArray *maxgl_published_read(const char *source, GError **error)
{
    g_auto(Reader) r = {.videos = g_ptr_array_new_with_free_func(video_free)};
    guint kind = 0;
    while (kind + 1 < G_N_ELEMENTS(kinds) && !g_str_has_prefix(source, kinds[kind].prefix))
        kind++;
    if (!parse_options(&r.options, source, source + strlen(kinds[kind].prefix), error))
        return NULL;
    if (!g_file_test(r.options.videos, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such folder (videos=)",
                    r.options.videos);
        return NULL;
    }
    if (!index_files(&r, error) || !kinds[kind].read(&r, error))
        return NULL;
    if (r.videos->len == 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: the lists name no video", source);
        return NULL;
    }
    return g_steal_pointer(&r.videos);
}
