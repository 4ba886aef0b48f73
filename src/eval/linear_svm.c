#include "eval/linear_svm.h"

#include <linear.h>

#define PRECISION 1e-6 /* of the solver; its own default is 1e-2 */

struct MaxglSvmSet {
    int length;
    struct feature_node **rows; /* [n] into nodes */
    struct feature_node *nodes; /* numbered from 1, the bias behind them, ended by −1; zeros left out */
};

struct MaxglSvm {
    struct model *model;
};

static void print_nothing(const char *text)
{
}

MaxglSvmSet *maxgl_svm_set_new(const double *vectors, gsize n, int length)
{
    MaxglSvmSet *set = g_new0(MaxglSvmSet, 1);
    set->length = length;
    set->rows = g_new(struct feature_node *, n);
    set->nodes = g_new(struct feature_node, n * ((gsize)length + 2));
    for (gsize v = 0; v < n; v++) {
        struct feature_node *node = set->rows[v] = set->nodes + v * ((gsize)length + 2);
        for (int i = 0; i < length; i++) {
            const double value = vectors[v * (gsize)length + (gsize)i];
            if (value != 0)
                *node++ = (struct feature_node){i + 1, value};
        }
        *node++ = (struct feature_node){length + 1, 1};
        *node = (struct feature_node){-1, 0};
    }
    set_print_string_function(print_nothing);
    return set;
}

void maxgl_svm_set_free(MaxglSvmSet *set)
{
    if (!set)
        return;
    g_free(set->rows);
    g_free(set->nodes);
    g_free(set);
}

MaxglSvm *maxgl_svm_train(const MaxglSvmSet *set, const int *labels, const gsize *rows, gsize n, double c)
{
    const struct parameter parameter = {.solver_type = L2R_L2LOSS_SVC, .eps = PRECISION, .C = c};
    g_autofree struct feature_node **x = g_new(struct feature_node *, n);
    g_autofree double *y = g_new(double, n);
    for (gsize i = 0; i < n; i++) {
        x[i] = set->rows[rows[i]];
        y[i] = labels[rows[i]];
    }
    const struct problem problem = {.l = (int)n, .n = set->length + 1, .y = y, .x = x, .bias = 1};
    MaxglSvm *svm = g_new(MaxglSvm, 1);
    svm->model = train(&problem, &parameter);
    return svm;
}

void maxgl_svm_free(MaxglSvm *svm)
{
    if (!svm)
        return;
    free_and_destroy_model(&svm->model);
    g_free(svm);
}

int maxgl_svm_class(const MaxglSvm *svm, const MaxglSvmSet *set, gsize row)
{
    return (int)predict(svm->model, set->rows[row]);
}

double maxgl_svm_value(const MaxglSvm *svm, const MaxglSvmSet *set, gsize row)
{
    double value[2]; /* liblinear writes one of two classes */
    predict_values(svm->model, set->rows[row], value);
    return svm->model->label[0] == 1 ? value[0] : -value[0];
}
