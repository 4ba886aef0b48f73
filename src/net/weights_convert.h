/* A model's file rewritten: other names, another fc, without what only training needs. Needs no device. */
#ifndef MAXGL_NET_WEIGHTS_CONVERT_H
#define MAXGL_NET_WEIGHTS_CONVERT_H

#include "net/weights.h"

/** What is to become of a model. */
typedef struct {
    MaxglModelInfo *info; /**< of the new file: its naming, clip and preprocessing are obeyed */
    gboolean keep_fc;     /**< the file's; otherwise fc is drawn anew, for info->spec.classes (0: none) */
    guint64 seed;         /**< of the new fc */
    gboolean drop_heads;  /**< leave out discriminators */
} MaxglConversion;

/**
 * Writes the model of @file, which @info is about, to @path as @conversion says: bare names (no prefix), F32,
 * counters kept, an optimiser's state left out. Metadata are the file's, those of @conversion->info replaced.
 * Atomic. The same input gives the same bytes.
 * Errors: MAXGL_ERROR_FORMAT as maxgl_weights_load(), MAXGL_ERROR_IO.
 */
gboolean maxgl_weights_convert(const MaxglSafetensors *file, const MaxglModelInfo *info,
                               const MaxglConversion *conversion, const char *path, GError **error);

#endif
