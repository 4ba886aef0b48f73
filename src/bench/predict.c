#include "bench/predict.h"

#include "bench/tune_conv3d.h"

#include <maxgl/error.h>

static void row_clear(gpointer pointer)
{
    g_free(((MaxglPredictedRow *)pointer)->name);
}

void maxgl_prediction_free(MaxglPrediction *p)
{
    if (!p)
        return;
    g_array_unref(p->rows);
    g_free(p);
}

static void add(MaxglPrediction *p, const char *name, const char *pass, const char *algorithm, int count,
                double seconds)
{
    const MaxglPredictedRow row = {g_strdup(name), pass, algorithm, count, seconds};
    g_array_append_val(p->rows, row);
}

static gboolean add_convolution(MaxglPrediction *p, const MaxglModel *model, MaxglContext *context,
                                const MaxglTuneKind *kind, GError **error)
{
    const MaxglConv3d *conv = &kind->conv;
    for (int i = 0; i < MAXGL_TUNE_PASSES; i++) {
        const MaxglConv3dPass pass = (MaxglConv3dPass)i;
        if (!maxgl_tune_has_pass(kind, pass))
            continue;
        const double seconds = maxgl_model_conv3d(model, context, conv, pass);
        if (seconds == 0) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: nothing is known of %s's %s pass",
                        p->class->name, kind->name, maxgl_tune_pass_names[i]);
            return FALSE;
        }
        add(p, kind->name, maxgl_tune_pass_names[i], maxgl_conv3d_algorithm_name(context, conv, pass),
            kind->count, seconds);
        p->training += kind->count * seconds;
        if (pass == MAXGL_CONV3D_FORWARD)
            p->inference += kind->count * seconds;
    }
    return TRUE;
}

/* Forward reads its input twice, once for the statistics, and writes its output; backward reads input and
 * gradient twice and writes the input's gradient. In inference it is part of the convolution. */
static void add_batch_norms(MaxglPrediction *p, const MaxglModel *model, const MaxglResnet *resnet, int batch)
{
    enum { TENSORS_MOVED = 8, LAUNCHES = 6 };
    const double number = (double)maxgl_storage_bytes(maxgl_factors_storage(p->precision));
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *l = &resnet->layers[i];
        if (l->kind != MAXGL_LAYER_BATCH_NORM)
            continue;
        const MaxglMap m = resnet->tensors[l->output].map;
        const double bytes = number * batch * m.c * m.t * m.h * m.w;
        const double seconds = TENSORS_MOVED * bytes / model->memory + LAUNCHES * model->launch;
        add(p, l->name, "both", "", 1, seconds);
        p->training += seconds;
    }
}

static MaxglPrecision precision_of(MaxglFactors factors)
{
    return factors == MAXGL_FACTORS_FP16   ? MAXGL_PRECISION_FP16
           : factors == MAXGL_FACTORS_BF16 ? MAXGL_PRECISION_BF16
           : factors == MAXGL_FACTORS_TF32 ? MAXGL_PRECISION_TF32
                                           : MAXGL_PRECISION_FP32;
}

MaxglPrediction *maxgl_predict(const MaxglDeviceClass *class, const MaxglResnet *resnet, int batch,
                               MaxglFactors precision, GError **error)
{
    const MaxglModel model = maxgl_model_of_class(class);
    MaxglContext *context = maxgl_device_class_context(class, error);
    if (!context)
        return NULL;
    MaxglPrediction *p = g_new0(MaxglPrediction, 1);
    p->class = class;
    p->precision = precision;
    p->rows = g_array_new(FALSE, FALSE, sizeof(MaxglPredictedRow));
    g_array_set_clear_func(p->rows, row_clear);
    g_autoptr(GArray) kinds = maxgl_tune_kinds(context, resnet, batch, precision_of(precision));
    gboolean ok = TRUE;
    for (guint i = 0; i < kinds->len && ok; i++)
        ok = add_convolution(p, &model, context, &g_array_index(kinds, MaxglTuneKind, i), error);
    add_batch_norms(p, &model, resnet, batch);
    maxgl_device_class_context_free(context);
    if (ok)
        return p;
    maxgl_prediction_free(p);
    return NULL;
}
