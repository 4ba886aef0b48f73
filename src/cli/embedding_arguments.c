#include "cli/embedding_arguments.h"

#include "cli/command.h"
#include "eval/features.h"
#include "net/network.h"

gboolean maxgl_embedding_arguments_check(MaxglEmbeddingArguments *a, int least_clips, GError **error)
{
    if (a->clips < least_clips || a->clips > MAXGL_FEATURES_MAX_CLIPS)
        return maxgl_command_usage(error, "--clips=%d is out of range; allowed: 1 … %d%s", a->clips,
                                   MAXGL_FEATURES_MAX_CLIPS, least_clips == 0 ? ", 0 = all" : "");
    if (a->batch < 0 || a->batch > 4096)
        return maxgl_command_usage(error, "--batch=%d is out of range; allowed: 1 … 4096, 0 = automatic",
                                   a->batch);
    if (a->workers < 0 || a->workers > 1024)
        return maxgl_command_usage(error, "--workers=%d is out of range; allowed: 0 … 1024", a->workers);
    MaxglPrecision precision;
    g_autofree char *name = a->precision;
    a->precision = (char *)g_intern_string(name);
    return maxgl_precision_parse(name, &precision, error);
}
