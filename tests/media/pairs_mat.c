#include "pairs_mat.h"

#include <matio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static matvar_t *matrix(const char *name, gsize rows, gsize columns, const double *data)
{
    gsize dims[] = {rows, columns};
    return Mat_VarCreate(name, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, (void *)data, 0);
}

static matvar_t *cube(const char *name, gboolean whole, gsize rows, gsize columns, gsize folds,
                      const double *data)
{
    gsize dims[] = {rows, columns, folds};
    if (!whole)
        return Mat_VarCreate(name, MAT_C_DOUBLE, MAT_T_DOUBLE, 3, dims, (void *)data, 0);
    g_autofree gint32 *numbers = g_new(gint32, rows * columns * folds);
    for (gsize i = 0; i < rows * columns * folds; i++)
        numbers[i] = (gint32)data[i];
    return Mat_VarCreate(name, MAT_C_INT32, MAT_T_INT32, 3, dims, numbers, 0);
}

static matvar_t *several(const char *name, gboolean structs, gsize rows, gsize columns, gsize folds,
                         const double *data)
{
    static const char *const fields[] = {"pairs", NULL};
    gsize dims[] = {1, folds};
    g_autofree matvar_t **parts = g_new0(matvar_t *, folds + 1);
    for (gsize f = 0; f < folds; f++)
        parts[f] = matrix(structs ? fields[0] : NULL, rows, columns, data + f * rows * columns);
    if (!structs)
        return Mat_VarCreate(name, MAT_C_CELL, MAT_T_CELL, 2, dims, parts, 0);
    return Mat_VarCreate(name, MAT_C_STRUCT, MAT_T_STRUCT, 2, dims, parts, 0);
}

static void add(const char *path, matvar_t *variable)
{
    mat_t *file = g_file_test(path, G_FILE_TEST_EXISTS) ? Mat_Open(path, MAT_ACC_RDWR)
                                                        : Mat_CreateVer(path, NULL, MAT_FT_MAT5);
    assert_non_null(file);
    assert_non_null(variable);
    assert_int_equal(Mat_VarWrite(file, variable, MAT_COMPRESSION_ZLIB), 0);
    Mat_VarFree(variable);
    Mat_Close(file);
}

void pairs_mat_add(const char *path, const char *name, PairsForm form, gsize rows, gsize columns, gsize folds,
                   const double *data)
{
    if (form == PAIRS_CUBE || form == PAIRS_CUBE_I32)
        add(path, cube(name, form == PAIRS_CUBE_I32, rows, columns, folds, data));
    else
        add(path, several(name, form == PAIRS_STRUCTS, rows, columns, folds, data));
}

void pairs_mat_add_matrix(const char *path, const char *name, gsize rows, gsize columns, const double *data)
{
    add(path, matrix(name, rows, columns, data));
}
