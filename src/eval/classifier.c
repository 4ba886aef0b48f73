#include "eval/classifier.h"

#include <math.h>
#include <maxgl/error.h>

/* The numbers of fc's tensor @what, which must be @count; NULL with an error. */
static float *read_tensor(const MaxglSafetensors *file, const MaxglModelInfo *info, const MaxglLayer *fc,
                          const char *what, gint64 count, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s%s.%s", info->prefix, fc->prefix[info->naming], what);
    const MaxglSafetensor *tensor = maxgl_safetensors_find(file, name);
    if (!tensor || !maxgl_dtype_is_float(tensor->dtype) || tensor->count != count) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                    "%s: %s is missing or not %" G_GINT64_FORMAT " numbers", maxgl_safetensors_path(file),
                    name, count);
        return NULL;
    }
    float *values = g_new(float, count);
    maxgl_safetensor_copy_f32(tensor, values);
    return values;
}

MaxglClassifier *maxgl_classifier_read(const char *path, GError **error)
{
    g_autoptr(MaxglModelInfo) info = maxgl_model_info_read(path, error);
    g_autoptr(MaxglSafetensors) file = info ? maxgl_safetensors_open(path, error) : NULL;
    g_autoptr(MaxglResnet) resnet = file ? maxgl_resnet_new(&info->spec, error) : NULL;
    if (!resnet)
        return NULL;
    if (info->spec.classes == 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: has no classifier; maxgl-cl train --task recognition --init %s trains one", path,
                    path);
        return NULL;
    }
    g_autoptr(MaxglClassifier) c = g_new0(MaxglClassifier, 1);
    const MaxglLayer *fc = &resnet->layers[maxgl_resnet_stage(resnet, "fc")];
    c->classes = info->spec.classes;
    c->features = maxgl_resnet_features(resnet);
    c->names = g_steal_pointer(&info->classes);
    c->label = g_steal_pointer(&info->label);
    c->weight = read_tensor(file, info, fc, "weight", (gint64)c->classes * c->features, error);
    c->bias = c->weight ? read_tensor(file, info, fc, "bias", c->classes, error) : NULL;
    return c->bias ? g_steal_pointer(&c) : NULL;
}

void maxgl_classifier_free(MaxglClassifier *c)
{
    if (!c)
        return;
    g_free(c->weight);
    g_free(c->bias);
    g_strfreev(c->names);
    g_free(c->label);
    g_free(c);
}

void maxgl_classifier_logits(const MaxglClassifier *c, const float *features, double *logits)
{
    for (int k = 0; k < c->classes; k++) {
        const float *w = c->weight + (gsize)k * (gsize)c->features;
        logits[k] = c->bias[k];
        for (int i = 0; i < c->features; i++)
            logits[k] += (double)w[i] * features[i];
    }
}

void maxgl_softmax(double *logits, int n)
{
    double most = logits[0], sum = 0;
    for (int k = 1; k < n; k++)
        most = MAX(most, logits[k]);
    for (int k = 0; k < n; k++)
        sum += logits[k] = exp(logits[k] - most);
    for (int k = 0; k < n; k++)
        logits[k] /= sum;
}
