#include "media/pair_list.h"

#include "media/csv.h"
#include "media/pair_list_private.h"

#include <maxgl/error.h>
#include <string.h>

#define MOST_FOLDS 1000
#define MOST_NAMED 20 /* ids without a video, in a message */

void maxgl_pair_builder_add(MaxglPairBuilder *b, int fold, const char *first, const char *second,
                            gboolean same)
{
    const char *ids[] = {first, second};
    guint at[2];
    for (int i = 0; i < 2; i++) {
        at[i] = GPOINTER_TO_UINT(g_hash_table_lookup(b->known, ids[i]));
        if (at[i] == 0) {
            char *id = g_strdup(ids[i]);
            g_ptr_array_add(b->list->ids, id);
            at[i] = b->list->ids->len;
            g_hash_table_insert(b->known, id, GUINT_TO_POINTER(at[i]));
        }
    }
    const MaxglPair pair = {.first = at[0] - 1, .second = at[1] - 1, .same = same, .fold = fold};
    g_array_append_val(b->list->pairs, pair);
    b->list->folds = MAX(b->list->folds, fold + 1);
}

/* ---------------- CSV ---------------- */

enum { PART, ID1, ID2, SAME, N_FIELDS };

static gboolean wrong(const MaxglCsv *csv, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean wrong(const MaxglCsv *csv, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s:%d: %s", csv->name, csv->line, reason);
    return FALSE;
}

static gboolean read_header(MaxglPairBuilder *b, const MaxglCsv *csv, GPtrArray *fields, int at[N_FIELDS],
                            GError **error)
{
    static const char *const names[N_FIELDS] = {"fold", "id1", "id2", "same"};
    for (int f = 0; f < N_FIELDS; f++) {
        at[f] = -1;
        for (guint i = 0; i < fields->len; i++)
            if (strcmp(fields->pdata[i], names[f]) == 0)
                at[f] = (int)i;
    }
    b->list->view = 2;
    for (guint i = 0; at[PART] < 0 && i < fields->len; i++)
        if (strcmp(fields->pdata[i], "split") == 0) {
            at[PART] = (int)i;
            b->list->view = 1;
        }
    for (int f = 0; f < N_FIELDS; f++)
        if (at[f] < 0)
            return wrong(csv, error,
                         "no column %s; the first line has to name fold (or split), id1, id2, same",
                         names[f]);
    return TRUE;
}

/* The part that a pair belongs to; −1 with @error set. */
static int read_part(const MaxglPairBuilder *b, const MaxglCsv *csv, const char *text, GError **error)
{
    guint64 fold = 0;
    if (b->list->view == 2) {
        if (g_ascii_string_to_unsigned(text, 10, 1, MOST_FOLDS, &fold, NULL))
            return (int)fold - 1;
        wrong(csv, error, "fold \"%s\" is not a number from 1 to %d", text, MOST_FOLDS);
        return -1;
    }
    if (strcmp(text, "train") == 0 || strcmp(text, "test") == 0)
        return strcmp(text, "test") == 0;
    wrong(csv, error, "split \"%s\" is neither train nor test", text);
    return -1;
}

static gboolean read_row(MaxglPairBuilder *b, const MaxglCsv *csv, GPtrArray *fields, const int at[N_FIELDS],
                         GError **error)
{
    const char *field[N_FIELDS];
    for (int f = 0; f < N_FIELDS; f++) {
        if (at[f] >= (int)fields->len)
            return wrong(csv, error, "%u fields are too few", fields->len);
        field[f] = fields->pdata[at[f]];
    }
    const int part = read_part(b, csv, field[PART], error);
    if (part < 0)
        return FALSE;
    if (!field[ID1][0] || !field[ID2][0])
        return wrong(csv, error, "an id is empty");
    if (strcmp(field[SAME], "0") != 0 && strcmp(field[SAME], "1") != 0)
        return wrong(csv, error, "same is \"%s\", neither 0 nor 1", field[SAME]);
    maxgl_pair_builder_add(b, part, field[ID1], field[ID2], field[SAME][0] == '1');
    return TRUE;
}

static gboolean read_csv(MaxglPairBuilder *b, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GError) reason = NULL;
    if (!g_file_get_contents(path, &text, &size, &reason)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be read (%s)", path, reason->message);
        return FALSE;
    }
    if (memchr(text, '\0', size) || !g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: is not a text file; MATLAB files have to be called NAME.mat", path);
        return FALSE;
    }
    MaxglCsv csv;
    int at[N_FIELDS];
    maxgl_csv_init(&csv, path, text, size);
    for (gboolean first = TRUE;; first = FALSE) {
        g_autoptr(GPtrArray) fields = NULL;
        if (!maxgl_csv_next(&csv, &fields, error))
            return FALSE;
        if (!fields)
            return TRUE;
        if (first ? !read_header(b, &csv, fields, at, error) : !read_row(b, &csv, fields, at, error))
            return FALSE;
    }
}

/* ---------------- the list ---------------- */

static gboolean check_folds(const MaxglPairList *list, const char *path, GError **error)
{
    const int folds = MAX(list->folds, 2);
    g_autofree guint *counts = g_new0(guint, folds);
    for (guint i = 0; i < list->pairs->len; i++)
        counts[g_array_index(list->pairs, MaxglPair, i).fold]++;
    for (int i = 0; i < folds; i++) {
        if (counts[i] > 0)
            continue;
        if (list->pairs->len == 0)
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: has no pairs", path);
        else if (list->view == 1)
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: has no pairs of the split %s", path,
                        i == 0 ? "train" : "test");
        else
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: has no pairs of fold %d", path, i + 1);
        return FALSE;
    }
    return TRUE;
}

MaxglPairList *maxgl_pair_list_read(const char *path, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such list of pairs", path);
        return NULL;
    }
    g_autoptr(MaxglPairList) list = g_new0(MaxglPairList, 1);
    list->pairs = g_array_new(FALSE, FALSE, sizeof(MaxglPair));
    list->ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    MaxglPairBuilder builder = {list, known};
    const char *dot = strrchr(path, '.');
    const gboolean mat = dot && g_ascii_strcasecmp(dot, ".mat") == 0;
    if (!(mat ? maxgl_pair_list_read_mat(&builder, path, error) : read_csv(&builder, path, error)) ||
        !check_folds(list, path, error))
        return NULL;
    return g_steal_pointer(&list);
}

void maxgl_pair_list_free(MaxglPairList *list)
{
    if (!list)
        return;
    g_array_unref(list->pairs);
    g_ptr_array_unref(list->ids);
    g_free(list);
}

/* ---------------- videos ---------------- */

/* The first number in @name without leading zeros; NULL if there is none. */
static char *first_number(const char *name)
{
    while (*name && !g_ascii_isdigit(*name))
        name++;
    if (!*name)
        return NULL;
    while (name[0] == '0' && g_ascii_isdigit(name[1]))
        name++;
    return g_strndup(name, strspn(name, "0123456789"));
}

static char *stem_of(const char *path)
{
    char *name = g_path_get_basename(path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

/* Two tables from text to index + 1; where two files have the same, the first. */
typedef struct {
    GHashTable *stems, *numbers;
    GHashTable *doubled; /* the same text → index + 1 of the second */
} Index;

static void index_clear(Index *index)
{
    g_hash_table_unref(index->stems);
    g_hash_table_unref(index->numbers);
    g_hash_table_unref(index->doubled);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Index, index_clear)

/* Takes over @key. */
static void index_add(Index *index, GHashTable *table, char *key, gsize file, char kind)
{
    if (!g_hash_table_contains(table, key)) {
        g_hash_table_insert(table, key, GSIZE_TO_POINTER(file + 1));
        return;
    }
    g_hash_table_insert(index->doubled, g_strdup_printf("%c%s", kind, key), GSIZE_TO_POINTER(file + 1));
    g_free(key);
}

static Index index_files(const char *const *paths, gsize n)
{
    Index index = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                   g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                   g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    for (gsize i = 0; i < n; i++) {
        char *stem = stem_of(paths[i]), *number = first_number(stem);
        index_add(&index, index.stems, stem, i, 's');
        if (number)
            index_add(&index, index.numbers, number, i, 'n');
    }
    return index;
}

/* Index + 1 of the file of @id, 0 if there is none; that of another one that could be meant goes to
 * @other. */
static gsize find_file(const Index *index, const char *id, gsize *other)
{
    char kind = 's';
    g_autofree char *number = NULL;
    gsize file = GPOINTER_TO_SIZE(g_hash_table_lookup(index->stems, id));
    if (file == 0 && id[0] && id[strspn(id, "0123456789")] == '\0') {
        number = first_number(id);
        file = GPOINTER_TO_SIZE(g_hash_table_lookup(index->numbers, number));
        kind = 'n';
    }
    g_autofree char *key = g_strdup_printf("%c%s", kind, number ? number : id);
    *other = GPOINTER_TO_SIZE(g_hash_table_lookup(index->doubled, key));
    return file;
}

gsize *maxgl_pair_list_find(const MaxglPairList *list, const char *where, const char *const *paths, gsize n,
                            GError **error)
{
    g_auto(Index) index = index_files(paths, n);
    g_autofree gsize *found = g_new(gsize, list->ids->len);
    g_autoptr(GString) missing = g_string_new(NULL);
    guint n_missing = 0;
    for (guint i = 0; i < list->ids->len; i++) {
        const char *id = list->ids->pdata[i];
        gsize other;
        const gsize file = find_file(&index, id, &other);
        if (other > 0) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: both %s and %s can be video %s", where,
                        paths[file - 1], paths[other - 1], id);
            return NULL;
        }
        if (file == 0 && n_missing++ < MOST_NAMED)
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", id);
        found[i] = file - 1;
    }
    if (n_missing == 0)
        return g_steal_pointer(&found);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND,
                "%s: no video is called %s%s (%u of %u are missing)", where, missing->str,
                n_missing > MOST_NAMED ? ", …" : "", n_missing, list->ids->len);
    return NULL;
}
