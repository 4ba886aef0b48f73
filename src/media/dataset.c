#include "media/dataset.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/csv.h"
#include "media/folder.h"
#include "media/published.h"

typedef struct {
    char *name;
    GPtrArray *values; /* a row each; strings of the data set's chunk, NULL for none */
    char **classes;    /* the different values, sorted */
    gsize n_classes;
    int *labels; /* a row each */
} Column;

struct MaxglDataset {
    GStringChunk *strings;
    GPtrArray *paths, *bad; /* a row each, strings of the chunk */
    gsize n_bad;
    GPtrArray *columns; /* of Column */
    char **column_names;
    MaxglSyntheticOptions synthetic;
    GArray *synthetic_index; /* NULL if the videos are files */
};

static void column_free(gpointer pointer)
{
    Column *column = pointer;
    g_free(column->name);
    g_ptr_array_unref(column->values);
    g_strfreev(column->classes);
    g_free(column->labels);
    g_free(column);
}

static MaxglDataset *dataset_new(void)
{
    MaxglDataset *dataset = g_new0(MaxglDataset, 1);
    dataset->strings = g_string_chunk_new(4096);
    dataset->paths = g_ptr_array_new();
    dataset->bad = g_ptr_array_new();
    dataset->columns = g_ptr_array_new_with_free_func(column_free);
    return dataset;
}

void maxgl_dataset_free(MaxglDataset *dataset)
{
    if (dataset == NULL)
        return;
    g_string_chunk_free(dataset->strings);
    g_ptr_array_unref(dataset->paths);
    g_ptr_array_unref(dataset->bad);
    g_ptr_array_unref(dataset->columns);
    g_free(dataset->column_names);
    if (dataset->synthetic_index != NULL)
        g_array_unref(dataset->synthetic_index);
    g_free(dataset);
}

/* The column called @name, NULL if there is none; NULL: the label. */
static Column *find_column(const MaxglDataset *dataset, const char *name)
{
    for (guint i = 0; i < dataset->columns->len; i++) {
        Column *column = dataset->columns->pdata[i];
        if (name == NULL ? strcmp(column->name, "split") != 0 && strcmp(column->name, "group") != 0
                         : strcmp(column->name, name) == 0)
            return column;
    }
    return NULL;
}

static Column *ensure_column(MaxglDataset *dataset, const char *name)
{
    Column *column = find_column(dataset, name);
    if (column != NULL)
        return column;
    column = g_new0(Column, 1);
    column->name = g_strdup(name);
    column->values = g_ptr_array_new();
    g_ptr_array_add(dataset->columns, column);
    return column;
}

static void set_value(MaxglDataset *dataset, Column *column, const char *value)
{
    g_ptr_array_set_size(column->values, (int)dataset->paths->len);
    if (value != NULL && value[0] != '\0')
        column->values->pdata[dataset->paths->len - 1] = g_string_chunk_insert_const(dataset->strings, value);
}

static char *file_problem(const char *path)
{
    GStatBuf status;
    if (g_stat(path, &status) != 0)
        return g_strdup(errno == ENOENT ? "no such file" : g_strerror(errno));
    if (S_ISDIR(status.st_mode))
        return g_strdup("is a folder, not a video file");
    if (!S_ISREG(status.st_mode))
        return g_strdup("is not a regular file");
    if (status.st_size == 0)
        return g_strdup("is empty (0 bytes)");
    if (g_access(path, R_OK) != 0)
        return g_strdup(g_strerror(errno));
    return NULL;
}

static void add_path(MaxglDataset *dataset, const char *path, const char *bad)
{
    g_ptr_array_add(dataset->paths, g_string_chunk_insert(dataset->strings, path));
    g_ptr_array_add(dataset->bad, bad != NULL ? g_string_chunk_insert_const(dataset->strings, bad) : NULL);
    dataset->n_bad += bad != NULL;
}

static void add_file(MaxglDataset *dataset, const char *path)
{
    g_autofree char *problem = file_problem(path);
    add_path(dataset, path, problem);
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gboolean is_split_name(const char *name)
{
    static const char *const names[] = {"train", "test", "val", "validation", NULL};
    return g_strv_contains(names, name);
}

static gboolean add_folder(MaxglDataset *dataset, const char *root, GError **error)
{
    g_autoptr(GPtrArray) found = maxgl_folder_videos(root, error);
    if (found == NULL)
        return FALSE;
    if (found->len == 0) {
        g_autofree char *known = g_strjoinv(", ", (char **)maxgl_video_extensions());
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "%s: no videos in this folder (files ending in %s)", root, known);
        return FALSE;
    }
    gboolean has_splits = TRUE;
    for (guint i = 0; i < found->len && has_splits; i++) {
        g_auto(GStrv) parts = g_strsplit(found->pdata[i], G_DIR_SEPARATOR_S, 2);
        has_splits = parts[1] != NULL && is_split_name(parts[0]);
    }
    Column *split = has_splits ? ensure_column(dataset, "split") : NULL;
    Column *label = ensure_column(dataset, "label");
    for (guint i = 0; i < found->len; i++) {
        g_autofree char *path = g_build_filename(root, found->pdata[i], NULL);
        add_file(dataset, path);
        g_auto(GStrv) parts = g_strsplit(found->pdata[i], G_DIR_SEPARATOR_S, has_splits ? 3 : 2);
        char **class_and_rest = parts;
        if (has_splits) {
            set_value(dataset, split, parts[0]);
            class_and_rest++;
        }
        set_value(dataset, label, class_and_rest[1] != NULL ? class_and_rest[0] : NULL);
    }
    return TRUE;
}

/* Makes the columns that the first line of a list names. */
static gboolean named_columns(MaxglDataset *dataset, const MaxglCsv *csv, GPtrArray *names,
                              GPtrArray *columns, GError **error)
{
    for (guint i = 1; i < names->len; i++) {
        const char *name = names->pdata[i];
        gboolean twice = g_ascii_strcasecmp(name, "path") == 0;
        for (guint k = 0; k < columns->len; k++)
            twice = twice || strcmp(((Column *)columns->pdata[k])->name, name) == 0;
        if (name[0] == '\0' || twice) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                        "%s:%d: column %u %s: give each column a name of its own", csv->name, csv->line,
                        i + 1, name[0] == '\0' ? "has no name" : "has the name of another");
            return FALSE;
        }
        g_ptr_array_add(columns, ensure_column(dataset, name));
    }
    return TRUE;
}

/* Adds one video. @named: whether a first line named the columns; otherwise they are made as lines show them.
 */
static gboolean list_row(MaxglDataset *dataset, const MaxglCsv *csv, const char *folder, GPtrArray *fields,
                         GPtrArray *columns, gboolean named, GError **error)
{
    static const char *const plain_names[] = {"label", "group"};
    guint allowed = named ? columns->len : (guint)G_N_ELEMENTS(plain_names);
    const char *path = fields->pdata[0];
    if (path[0] == '\0') {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: no path", csv->name, csv->line);
        return FALSE;
    }
    if (fields->len > allowed + 1) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s:%d: %u fields for %u columns: a path with commas needs "
                    "quotes%s",
                    csv->name, csv->line, fields->len, allowed + 1,
                    named ? "" : ", more columns than path,label,group a first line that names them");
        return FALSE;
    }
    while (columns->len + 1 < fields->len)
        g_ptr_array_add(columns, ensure_column(dataset, plain_names[columns->len]));
    g_autofree char *full = g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(folder, path, NULL);
    add_file(dataset, full);
    for (guint i = 1; i < fields->len; i++)
        set_value(dataset, columns->pdata[i - 1], fields->pdata[i]);
    return TRUE;
}

static gboolean add_list(MaxglDataset *dataset, const char *list, GError **error)
{
    g_autofree char *text = NULL;
    gsize size;
    g_autoptr(GError) reason = NULL;
    if (!g_file_get_contents(list, &text, &size, &reason)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be read (%s)", list, reason->message);
        return FALSE;
    }
    if (memchr(text, '\0', size) != NULL) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: is not a text file: a list has a line path[,label] a video", list);
        return FALSE;
    }
    MaxglCsv csv;
    maxgl_csv_init(&csv, list, text, size);
    g_autofree char *folder = g_path_get_dirname(list);
    g_autoptr(GPtrArray) columns = g_ptr_array_new();
    guint before = dataset->paths->len;
    gboolean first = TRUE, named = FALSE;
    for (;;) {
        g_autoptr(GPtrArray) fields = NULL;
        if (!maxgl_csv_next(&csv, &fields, error))
            return FALSE;
        if (fields == NULL)
            break;
        gboolean header = first && g_ascii_strcasecmp(fields->pdata[0], "path") == 0;
        first = FALSE;
        named = named || header;
        if (header ? !named_columns(dataset, &csv, fields, columns, error)
                   : !list_row(dataset, &csv, folder, fields, columns, named, error))
            return FALSE;
    }
    if (dataset->paths->len > before)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                "%s: the list has no videos: write a line path[,label] for each", list);
    return FALSE;
}

static gboolean add_synthetic(MaxglDataset *dataset, const char *text, GError **error)
{
    maxgl_synthetic_options_init(&dataset->synthetic);
    if (!maxgl_synthetic_options_parse(&dataset->synthetic, text, error)) {
        g_prefix_error(error, "synth:%s: ", text);
        return FALSE;
    }
    dataset->synthetic_index = g_array_new(FALSE, FALSE, sizeof(gsize));
    const char *const *columns = maxgl_synthetic_columns(&dataset->synthetic);
    for (gsize i = 0; i < maxgl_synthetic_count(&dataset->synthetic); i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&dataset->synthetic, i, &video);
        g_autofree char *name = maxgl_synthetic_name(&dataset->synthetic, &video);
        add_path(dataset, name, NULL);
        g_array_append_val(dataset->synthetic_index, i);
        for (int c = 0; columns[c] != NULL; c++) {
            g_autofree char *value = maxgl_synthetic_value(&dataset->synthetic, &video, columns[c]);
            set_value(dataset, ensure_column(dataset, columns[c]), value);
        }
    }
    return TRUE;
}

static gboolean add_published(MaxglDataset *dataset, const char *source, GError **error)
{
    g_autoptr(GPtrArray) videos = maxgl_published_read(source, error);
    if (videos == NULL)
        return FALSE;
    Column *label = ensure_column(dataset, "label"), *split = ensure_column(dataset, "split");
    Column *group = NULL;
    for (guint i = 0; i < videos->len; i++) {
        const MaxglPublishedVideo *video = videos->pdata[i];
        add_file(dataset, video->path);
        set_value(dataset, label, video->label);
        set_value(dataset, split, video->split);
        if (video->group != NULL)
            set_value(dataset, group ? group : (group = ensure_column(dataset, "group")), video->group);
    }
    return TRUE;
}

static gboolean add_source(MaxglDataset *dataset, const char *source, GError **error)
{
    if (maxgl_published_is(source))
        return add_published(dataset, source, error);
    if (!g_file_test(source, G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                    "%s: no such file or folder: give a folder of videos, a list (.csv), a video, synth:, or "
                    "ucf101:, hmdb51: or kinetics: with their lists",
                    source);
        return FALSE;
    }
    if (g_file_test(source, G_FILE_TEST_IS_DIR))
        return add_folder(dataset, source, error);
    g_autofree char *lower = g_ascii_strdown(source, -1);
    if (g_str_has_suffix(lower, ".csv") || g_str_has_suffix(lower, ".txt"))
        return add_list(dataset, source, error);
    add_file(dataset, source);
    return TRUE;
}

/* Assigns each row of @column its class; the class table is made from the values unless @classes gives it. */
static void finish_column(Column *column, guint rows, char **classes)
{
    g_ptr_array_set_size(column->values, (int)rows);
    g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);
    if (classes != NULL) {
        column->classes = g_strdupv(classes);
    } else {
        for (guint i = 0; i < rows; i++)
            if (column->values->pdata[i] != NULL)
                g_hash_table_add(index, column->values->pdata[i]);
        guint n;
        g_autofree char **names = (char **)g_hash_table_get_keys_as_array(index, &n);
        qsort(names, n, sizeof *names, compare_strings);
        column->classes = g_strdupv(names);
        g_hash_table_remove_all(index);
    }
    column->n_classes = g_strv_length(column->classes);
    for (gsize i = 0; i < column->n_classes; i++)
        g_hash_table_insert(index, column->classes[i], GINT_TO_POINTER((int)i + 1));
    column->labels = g_new(int, rows);
    for (guint i = 0; i < rows; i++) {
        const char *value = column->values->pdata[i];
        column->labels[i] = value != NULL ? GPOINTER_TO_INT(g_hash_table_lookup(index, value)) - 1 : -1;
    }
}

static void finish(MaxglDataset *dataset, const MaxglDataset *parent)
{
    dataset->column_names = g_new0(char *, dataset->columns->len + 1);
    for (guint i = 0; i < dataset->columns->len; i++) {
        Column *column = dataset->columns->pdata[i];
        Column *model = parent != NULL ? parent->columns->pdata[i] : NULL;
        finish_column(column, dataset->paths->len, model != NULL ? model->classes : NULL);
        dataset->column_names[i] = column->name;
    }
}

MaxglDataset *maxgl_dataset_open_all(const char *const *sources, GError **error)
{
    g_autoptr(MaxglDataset) dataset = dataset_new();
    if (sources[0] == NULL) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "no videos: give a folder, a list (.csv), a video or synth:");
        return NULL;
    }
    for (int i = 0; sources[i] != NULL; i++) {
        gboolean synthetic = g_str_has_prefix(sources[i], "synth:");
        if (synthetic && (i > 0 || sources[1] != NULL)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s: cannot be mixed with other sources",
                        sources[i]);
            return NULL;
        }
        if (synthetic ? !add_synthetic(dataset, sources[i] + strlen("synth:"), error)
                      : !add_source(dataset, sources[i], error))
            return NULL;
    }
    finish(dataset, NULL);
    return g_steal_pointer(&dataset);
}

MaxglDataset *maxgl_dataset_open(const char *source, GError **error)
{
    const char *sources[] = {source, NULL};
    return maxgl_dataset_open_all(sources, error);
}

static gboolean filter_error(const MaxglDataset *dataset, const char *name, const Column *column,
                             const char *value, GError **error)
{
    g_autofree char *have = g_strjoinv(", ", column != NULL ? column->classes : dataset->column_names);
    const char *there = have[0] != '\0' ? have : "none";
    if (column != NULL)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "no video has %s = %s: the values are %s",
                    column->name, value, there);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "the videos have no column %s: the columns are %s",
                    name != NULL ? name : "label", there);
    return FALSE;
}

MaxglDataset *maxgl_dataset_select(const MaxglDataset *dataset, const gsize *videos, gsize n)
{
    g_return_val_if_fail(n > 0, NULL);
    MaxglDataset *part = dataset_new();
    part->synthetic = dataset->synthetic;
    if (dataset->synthetic_index != NULL)
        part->synthetic_index = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (int c = 0; dataset->column_names[c] != NULL; c++)
        ensure_column(part, dataset->column_names[c]);
    for (gsize row = 0; row < n; row++) {
        const gsize i = videos[row];
        add_path(part, dataset->paths->pdata[i], dataset->bad->pdata[i]);
        for (guint c = 0; c < dataset->columns->len; c++)
            set_value(part, part->columns->pdata[c],
                      ((Column *)dataset->columns->pdata[c])->values->pdata[i]);
        if (part->synthetic_index != NULL)
            g_array_append_val(part->synthetic_index, g_array_index(dataset->synthetic_index, gsize, i));
    }
    finish(part, dataset);
    return part;
}

MaxglDataset *maxgl_dataset_filter(const MaxglDataset *dataset, const char *column, const char *value,
                                   GError **error)
{
    const Column *by = find_column(dataset, column);
    if (by == NULL) {
        filter_error(dataset, column, NULL, value, error);
        return NULL;
    }
    g_autofree gsize *videos = g_new(gsize, dataset->paths->len);
    gsize n = 0;
    for (guint i = 0; i < dataset->paths->len; i++)
        if (g_strcmp0(by->values->pdata[i], value) == 0)
            videos[n++] = i;
    if (n > 0)
        return maxgl_dataset_select(dataset, videos, n);
    filter_error(dataset, column, by, value, error);
    return NULL;
}

gsize maxgl_dataset_size(const MaxglDataset *dataset)
{
    return dataset->paths->len;
}

const char *maxgl_dataset_path(const MaxglDataset *dataset, gsize index)
{
    return dataset->paths->pdata[index];
}

const char *maxgl_dataset_bad_reason(const MaxglDataset *dataset, gsize index)
{
    return dataset->bad->pdata[index];
}

gsize maxgl_dataset_bad_count(const MaxglDataset *dataset)
{
    return dataset->n_bad;
}

const char *const *maxgl_dataset_columns(const MaxglDataset *dataset)
{
    return (const char *const *)dataset->column_names;
}

gboolean maxgl_dataset_has_column(const MaxglDataset *dataset, const char *column)
{
    return find_column(dataset, column) != NULL;
}

const char *maxgl_dataset_value(const MaxglDataset *dataset, gsize index, const char *column)
{
    const Column *found = find_column(dataset, column);
    return found != NULL ? found->values->pdata[index] : NULL;
}

int maxgl_dataset_label(const MaxglDataset *dataset, gsize index, const char *column)
{
    const Column *found = find_column(dataset, column);
    return found != NULL ? found->labels[index] : -1;
}

const char *const *maxgl_dataset_classes(const MaxglDataset *dataset, const char *column, gsize *n)
{
    static const char *const none[] = {NULL};
    const Column *found = find_column(dataset, column);
    if (n != NULL)
        *n = found != NULL ? found->n_classes : 0;
    return found != NULL ? (const char *const *)found->classes : none;
}

const MaxglSyntheticOptions *maxgl_dataset_synthetic(const MaxglDataset *dataset)
{
    return dataset->synthetic_index != NULL ? &dataset->synthetic : NULL;
}

gsize maxgl_dataset_synthetic_index(const MaxglDataset *dataset, gsize index)
{
    return g_array_index(dataset->synthetic_index, gsize, index);
}
