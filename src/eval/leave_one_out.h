/* Leave one out: each vector is classified by a machine that was trained on all the others. */
#ifndef MAXGL_EVAL_LEAVE_ONE_OUT_H
#define MAXGL_EVAL_LEAVE_ONE_OUT_H

#include "eval/retrieval.h"

/** What came of it. */
typedef struct {
    int n_classes;    /**< of the data set */
    int classes;      /**< that have a vector */
    gsize videos;     /**< that have a class */
    gsize correct;    /**< of them, those that are recognised */
    gsize alone;      /**< of them, those that no other has the class of: always wrong */
    double accuracy;  /**< correct / videos */
    double per_class; /**< mean over the classes of each one's accuracy */
    int *confusion;   /**< [n_classes × n_classes] row = class, column = answer */
} MaxglLeaveOneOut;

/**
 * For each vector of @set with a class, 0 … @n_classes − 1: trains a linear SVM (eval/linear_svm.h) with
 * regularisation @c on all others and asks it for the class of this one. Vectors are scaled to length 1
 * before. On all cores, with a bar of progress called @title.
 *
 * The recipe of C3D (Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV
 * 2015, section 3: clip features averaged, then L2-normalised; section 6: a linear SVM).
 * #MAXGL_ERROR_USAGE: fewer than two classes have vectors, or one of two has a single vector.
 * #MAXGL_ERROR_CANCELLED: interrupted.
 */
MaxglLeaveOneOut *maxgl_leave_one_out(const MaxglLabelled *set, int n_classes, double c, const char *title,
                                      GError **error);

void maxgl_leave_one_out_free(MaxglLeaveOneOut *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglLeaveOneOut, maxgl_leave_one_out_free)

#endif
