/* MATLAB files of pairs, as ASLAN was published. */
#ifndef MAXGL_TESTS_PAIRS_MAT_H
#define MAXGL_TESTS_PAIRS_MAT_H

#include <glib.h>

/** How the folds are put into one variable. */
typedef enum {
    PAIRS_CUBE,     /**< rows × columns × folds, double */
    PAIRS_CUBE_I32, /**< the same of int32 */
    PAIRS_CELLS,    /**< cells 1 × folds */
    PAIRS_STRUCTS,  /**< structures 1 × folds with the field "pairs" */
} PairsForm;

/** Adds to the file @path (made if it is not there) the variable @name: @folds matrices of @rows × @columns;
 * column c of row r of fold f is @data[(f·columns + c)·rows + r]. Fails the test if it cannot. */
void pairs_mat_add(const char *path, const char *name, PairsForm form, gsize rows, gsize columns, gsize folds,
                   const double *data);

/** The same of one matrix. */
void pairs_mat_add_matrix(const char *path, const char *name, gsize rows, gsize columns, const double *data);

#endif
