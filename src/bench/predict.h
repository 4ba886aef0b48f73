/* What a network is expected to take on a device that is known by its data sheet alone. */
#ifndef MAXGL_BENCH_PREDICT_H
#define MAXGL_BENCH_PREDICT_H

#include "bench/model.h"

/** One pass of all layers of a kind. */
typedef struct {
    char *name;            /**< of the first one */
    const char *pass;      /**< "forward", "backward_data", "backward_weights" or "both" */
    const char *algorithm; /**< or "" */
    int count;
    double seconds; /**< of one */
} MaxglPredictedRow;

typedef struct {
    const MaxglDeviceClass *class;
    MaxglFactors precision;     /**< what is asked for; fp32 where tf32 is not to be had */
    GArray *rows;               /**< MaxglPredictedRow */
    double inference, training; /**< seconds of a forward pass and of a step, for the whole batch */
} MaxglPrediction;

/**
 * Times of @resnet for @batch clips. Convolutions by maxgl_model_conv3d(), batch norm by the bytes that it
 * moves; what else there is in a network is left out (1 to 3 %). NULL with MAXGL_ERROR_FORMAT if the tuning
 * database cannot be read, MAXGL_ERROR_NOT_FOUND if the class has no kernels for some layer that say what
 * they do.
 */
MaxglPrediction *maxgl_predict(const MaxglDeviceClass *class, const MaxglResnet *resnet, int batch,
                               MaxglFactors precision, GError **error);
void maxgl_prediction_free(MaxglPrediction *prediction);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglPrediction, maxgl_prediction_free)

#endif
