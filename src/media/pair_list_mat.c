/* Lists of pairs in MATLAB's files. */
#include "media/pair_list_private.h"

#include <math.h>
#include <matio.h>
#include <maxgl/error.h>
#include <string.h>

#define VIEW2 "action_splits_pairs"

enum { ID1, ID2, SAME, COLUMNS };

/* A matrix within a variable's data. */
typedef struct {
    const char *path;
    const char *what; /* "action_splits_pairs, fold 3" */
    enum matio_classes type;
    const void *data;
    gsize rows, first; /* column c of row r is element first + c·rows + r */
} Matrix;

static gboolean wrong(GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean wrong(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", path, reason);
    return FALSE;
}

static void variable_free(matvar_t *variable)
{
    Mat_VarFree(variable);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(matvar_t, variable_free)

static void file_close(mat_t *file)
{
    Mat_Close(file);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mat_t, file_close)

static gboolean is_numeric(const matvar_t *v)
{
    return v->class_type >= MAT_C_DOUBLE && v->class_type <= MAT_C_UINT64 && !v->isComplex;
}

static double element(const Matrix *m, gsize row, gsize column)
{
    const gsize i = m->first + column * m->rows + row;
    switch (m->type) {
    case MAT_C_DOUBLE:
        return ((const double *)m->data)[i];
    case MAT_C_SINGLE:
        return ((const float *)m->data)[i];
    case MAT_C_INT8:
        return ((const gint8 *)m->data)[i];
    case MAT_C_UINT8:
        return ((const guint8 *)m->data)[i];
    case MAT_C_INT16:
        return ((const gint16 *)m->data)[i];
    case MAT_C_UINT16:
        return ((const guint16 *)m->data)[i];
    case MAT_C_INT32:
        return ((const gint32 *)m->data)[i];
    case MAT_C_UINT32:
        return ((const guint32 *)m->data)[i];
    case MAT_C_INT64:
        return (double)((const gint64 *)m->data)[i];
    default:
        return (double)((const guint64 *)m->data)[i];
    }
}

static gboolean read_matrix(MaxglPairBuilder *b, int fold, const Matrix *m, GError **error)
{
    for (gsize row = 0; row < m->rows; row++) {
        char ids[2][16];
        for (int i = 0; i < 2; i++) {
            const double id = element(m, row, i == 0 ? ID1 : ID2);
            if (!(id >= 0 && id <= 1e9) || id != floor(id))
                return wrong(error, m->path, "%s, row %" G_GSIZE_FORMAT ": id%d is %g, not a video's number",
                             m->what, row + 1, i + 1, id);
            g_snprintf(ids[i], sizeof ids[i], "%.0f", id);
        }
        const double same = element(m, row, SAME);
        if (same != 0 && same != 1)
            return wrong(error, m->path, "%s, row %" G_GSIZE_FORMAT ": same is %g, neither 0 nor 1", m->what,
                         row + 1, same);
        maxgl_pair_builder_add(b, fold, ids[0], ids[1], same == 1);
    }
    return TRUE;
}

/* A variable, cell or field that is one matrix. */
static gboolean read_flat(MaxglPairBuilder *b, const char *path, const char *what, int fold,
                          const matvar_t *v, GError **error)
{
    if (!v || !is_numeric(v) || v->rank != 2 || v->dims[1] < COLUMNS || (v->dims[0] > 0 && !v->data))
        return wrong(error, path, "%s is not a matrix with the columns id1, id2, same", what);
    const Matrix matrix = {path, what, v->class_type, v->data, v->dims[0], 0};
    return read_matrix(b, fold, &matrix, error);
}

/* rows × columns × folds */
static gboolean read_cube(MaxglPairBuilder *b, const char *path, const matvar_t *v, GError **error)
{
    if (v->rank != 3 || v->dims[1] < COLUMNS || !v->data)
        return wrong(error, path,
                     "%s is neither rows × columns × folds with at least %d columns, nor cells "
                     "or structures of matrices",
                     v->name, COLUMNS);
    for (gsize fold = 0; fold < v->dims[2]; fold++) {
        g_autofree char *what = g_strdup_printf("%s, fold %d", v->name, (int)fold + 1);
        const Matrix matrix = {path,    what,       v->class_type,
                               v->data, v->dims[0], fold * v->dims[0] * v->dims[1]};
        if (!read_matrix(b, (int)fold, &matrix, error))
            return FALSE;
    }
    return TRUE;
}

/* Cells, or fields of structures: data is an array of variables, one a fold. */
static gboolean read_several(MaxglPairBuilder *b, const char *path, const matvar_t *v, GError **error)
{
    matvar_t *const *parts = v->data;
    const gsize n = v->data && v->data_size > 0 ? v->nbytes / (gsize)v->data_size : 0;
    for (gsize fold = 0; fold < n; fold++) {
        g_autofree char *what = g_strdup_printf("%s, fold %d", v->name, (int)fold + 1);
        if (!read_flat(b, path, what, (int)fold, parts[fold], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_view2(MaxglPairBuilder *b, const char *path, const matvar_t *v, GError **error)
{
    b->list->view = 2;
    return v->class_type == MAT_C_CELL || v->class_type == MAT_C_STRUCT ? read_several(b, path, v, error)
           : is_numeric(v)                                              ? read_cube(b, path, v, error)
                           : wrong(error, path, "%s has no numbers", v->name);
}

/* The names of all variables. */
static char **list_variables(mat_t *file)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    for (;;) {
        g_autoptr(matvar_t) v = Mat_VarReadNextInfo(file);
        if (!v)
            break;
        if (v->name)
            g_strv_builder_add(names, v->name);
    }
    Mat_Rewind(file);
    return g_strv_builder_end(names);
}

/* The variable that has @part in its name, in whatever case; NULL if it is none or several. */
static const char *find_part(char **names, const char *part)
{
    const char *found = NULL;
    for (int i = 0; names[i]; i++) {
        g_autofree char *lower = g_ascii_strdown(names[i], -1);
        if (!strstr(lower, part))
            continue;
        if (found)
            return NULL;
        found = names[i];
    }
    return found;
}

static gboolean read_view1(MaxglPairBuilder *b, mat_t *file, const char *path, char **names, GError **error)
{
    const char *parts[] = {find_part(names, "train"), find_part(names, "test")};
    g_autofree char *all = g_strjoinv(", ", names);
    if (!parts[0] || !parts[1])
        return wrong(error, path,
                     "has neither " VIEW2 " nor one matrix of training and one of test pairs; it "
                     "has: %s",
                     all[0] ? all : "nothing");
    b->list->view = 1;
    for (int i = 0; i < 2; i++) {
        g_autoptr(matvar_t) v = Mat_VarRead(file, parts[i]);
        if (!read_flat(b, path, parts[i], i, v, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_pair_list_read_mat(MaxglPairBuilder *b, const char *path, GError **error)
{
    g_autoptr(mat_t) file = Mat_Open(path, MAT_ACC_RDONLY);
    if (!file)
        return wrong(error, path, "is not a MATLAB file");
    g_auto(GStrv) names = list_variables(file);
    if (!g_strv_contains((const char *const *)names, VIEW2))
        return read_view1(b, file, path, names, error);
    g_autoptr(matvar_t) v = Mat_VarRead(file, VIEW2);
    return v ? read_view2(b, path, v, error) : wrong(error, path, VIEW2 " cannot be read");
}
