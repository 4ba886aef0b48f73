/* maxgl-cl bench: what --pass can measure. Each function measures, prints, and writes the record where one
 * was asked for. */
#ifndef MAXGL_CLI_BENCH_PASSES_H
#define MAXGL_CLI_BENCH_PASSES_H

#include "compute/context.h"
#include "net/resnet3d.h"

/** The command's options. */
typedef struct {
    char *net, *clip, *pass, *json, *data, *config, *out, *estimator, *discriminator, *sections, *note,
        *precision, *predict;
    char **sets;
    int batch; /**< clips; of heads and data: videos */
    int classes, repeats, regions, clips_per_video;
    double seconds, limit;
    gboolean exact, compare, check, suite, quick;
    guint64 opened; /**< bytes resident with nothing but the device opened */
} MaxglBenchArguments;

/** --clip into @spec. MAXGL_ERROR_USAGE. */
gboolean maxgl_bench_parse_clip(const char *text, MaxglResnetSpec *spec, GError **error);

/** The network of --net and --clip. MAXGL_ERROR_USAGE. */
MaxglResnet *maxgl_bench_resnet(const MaxglBenchArguments *arguments, GError **error);

/** The index of --estimator and --discriminator; −1 with MAXGL_ERROR_USAGE. */
int maxgl_bench_estimator(const MaxglBenchArguments *arguments, GError **error);
int maxgl_bench_discriminator(const MaxglBenchArguments *arguments, GError **error);

/** The index of --precision; −1 with MAXGL_ERROR_USAGE. */
int maxgl_bench_precision(const MaxglBenchArguments *arguments, GError **error);

/** Inference and training. */
gboolean maxgl_bench_pass_network(const MaxglBenchArguments *arguments, MaxglContext *context,
                                  GError **error);
gboolean maxgl_bench_pass_layers(const MaxglBenchArguments *arguments, MaxglContext *context, GError **error);
gboolean maxgl_bench_pass_heads(const MaxglBenchArguments *arguments, MaxglContext *context, GError **error);
gboolean maxgl_bench_pass_data(const MaxglBenchArguments *arguments, MaxglContext *context, GError **error);
gboolean maxgl_bench_pass_recipe(const MaxglBenchArguments *arguments, MaxglContext *context, GError **error);

/** --suite: the sections of bench/suite.h. The device is opened within. */
gboolean maxgl_bench_pass_suite(const MaxglBenchArguments *arguments, GError **error);

/** --predict: times that a model expects of devices nobody has to have. MAXGL_ERROR_NOT_FOUND names the
 * classes of devices that there are. */
gboolean maxgl_bench_predict(const MaxglBenchArguments *arguments, GError **error);

/** --check: whether the records in @paths (NULL-terminated) fit the schema. MAXGL_ERROR_FORMAT naming file
 * and member. */
gboolean maxgl_bench_check(const char *const *paths, GError **error);

#endif
