/* maxgl-cl bench --predict: what data sheets promise, without a device. */
#include "bench/predict.h"
#include "bench/record.h"
#include "cli/bench_passes.h"
#include "cli/command.h"
#include "cli/table.h"

#include <stdio.h>

/* Whether units that multiply such numbers are no faster with them than with others of the same size. */
static gboolean is_same(const MaxglDeviceClass *class, MaxglFactors precision)
{
    return precision == MAXGL_FACTORS_BF16 &&
           class->matrix[MAXGL_FACTORS_BF16] == class->matrix[MAXGL_FACTORS_FP16];
}

static double flops_of(const MaxglResnet *resnet, int batch)
{
    double flops = 0;
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *l = &resnet->layers[i];
        if (l->kind != MAXGL_LAYER_CONV3D)
            continue;
        const MaxglMap out = resnet->tensors[l->output].map, in = resnet->tensors[l->input].map;
        flops +=
            2.0 * batch * out.c * out.t * out.h * out.w * in.c * l->kernel[0] * l->kernel[1] * l->kernel[2];
    }
    return flops;
}

static void print_prediction(MaxglTable *table, const MaxglPrediction *p, double flops, int batch)
{
    const gboolean units = p->class->matrix[p->precision] > 0;
    const double peak = units ? p->class->matrix[p->precision] : p->class->flops;
    maxgl_table_add(table, p->class->name);
    maxgl_table_add(table, p->precision == MAXGL_FACTORS_FP16 && is_same(p->class, MAXGL_FACTORS_BF16)
                               ? "fp16, bf16"
                               : maxgl_factors_name(p->precision));
    maxgl_table_addf(table, "%.2f", p->inference * 1e3);
    maxgl_table_addf(table, "%.2f", p->training * 1e3);
    maxgl_table_addf(table, "%.0f", batch / p->training);
    maxgl_table_addf(table, "%.1f", 3e-12 * flops / p->training);
    maxgl_table_addf(table, "%.0f", 300 * flops / p->training / peak);
}

/* A word for each member keeps a record of all devices small: first layer of its kind, pass, algorithm, how
 * many, seconds of one. Batch norms are one row. */
static void add_rows(JsonBuilder *b, const MaxglPrediction *p)
{
    double norms = 0;
    json_builder_set_member_name(b, "rows");
    json_builder_begin_array(b);
    for (guint i = 0; i < p->rows->len; i++) {
        const MaxglPredictedRow *row = &g_array_index(p->rows, MaxglPredictedRow, i);
        g_autofree char *text = g_strdup_printf("%s %s %s %d %.3g", row->name, row->pass, row->algorithm,
                                                row->count, row->seconds);
        if (*row->algorithm)
            json_builder_add_string_value(b, text);
        else
            norms += row->count * row->seconds;
    }
    json_builder_end_array(b);
    maxgl_record_number(b, "batch_norms_s", norms);
}

static void add_prediction(JsonBuilder *b, const MaxglPrediction *p)
{
    json_builder_begin_object(b);
    maxgl_record_string(b, "device", p->class->name);
    maxgl_record_string(b, "architecture", p->class->architecture);
    maxgl_record_string(b, "precision", maxgl_factors_name(p->precision));
    maxgl_record_number(b, "inference_s", p->inference);
    maxgl_record_number(b, "training_s", p->training);
    add_rows(b, p);
    json_builder_end_object(b);
}

/* One class in all precisions that are different on it. */
static gboolean predict_class(const MaxglBenchArguments *o, const MaxglDeviceClass *class,
                              const MaxglResnet *resnet, MaxglTable *table, JsonBuilder *b, GError **error)
{
    for (int i = MAXGL_FACTORS_FP32; i <= MAXGL_FACTORS_TF32; i++) {
        const MaxglFactors precision = (MaxglFactors)i;
        if (precision != MAXGL_FACTORS_FP32 && (class->matrix[i] == 0 || is_same(class, precision)))
            continue;
        g_autoptr(MaxglPrediction) p = maxgl_predict(class, resnet, o->batch, precision, error);
        if (!p)
            return FALSE;
        print_prediction(table, p, flops_of(resnet, o->batch), o->batch);
        add_prediction(b, p);
    }
    return TRUE;
}

static gboolean predict_classes(const MaxglBenchArguments *o, const MaxglResnet *resnet, MaxglTable *table,
                                JsonBuilder *b, GError **error)
{
    guint count;
    const MaxglDeviceClass *classes = maxgl_device_classes(&count);
    if (!g_str_equal(o->predict, "all")) {
        classes = maxgl_device_class_find(o->predict, error);
        count = 1;
    }
    for (guint i = 0; classes && i < count; i++)
        if (!predict_class(o, &classes[i], resnet, table, b, error))
            return FALSE;
    return classes != NULL;
}

gboolean maxgl_bench_predict(const MaxglBenchArguments *o, GError **error)
{
    static const char *const titles[] = {"device",   "precision", ">inference ms",  ">step ms",
                                         ">clips/s", ">TFLOP/s",  ">% of the peak", NULL};
    g_autoptr(MaxglResnet) resnet = maxgl_bench_resnet(o, error);
    g_autoptr(MaxglTable) table = maxgl_table_new(titles);
    g_autoptr(JsonBuilder) b = json_builder_new();
    if (!resnet)
        return FALSE;
    json_builder_begin_object(b);
    maxgl_record_string(b, "net", o->net);
    maxgl_record_string(b, "clip", o->clip);
    maxgl_record_number(b, "batch", o->batch);
    json_builder_set_member_name(b, "predictions");
    json_builder_begin_array(b);
    if (!predict_classes(o, resnet, table, b, error))
        return FALSE;
    json_builder_end_array(b);
    printf("%s, %d clips of %s: what a model expects of data sheets, not measured\n", o->net, o->batch,
           o->clip);
    maxgl_table_print(table, "  ");
    if (o->json)
        return maxgl_record_write(b, o->json, error);
    return TRUE;
}
