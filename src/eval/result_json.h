/* What the JSON files of all protocols have in common. Private to the room. */
#ifndef MAXGL_EVAL_RESULT_JSON_H
#define MAXGL_EVAL_RESULT_JSON_H

#include <json-glib/json-glib.h>

/** What was measured on what. */
typedef struct {
    const char *protocol;         /**< "linear" */
    const char *model;            /**< file */
    const char *network, *device; /**< "hara-r3d18@0.25"; the OpenCL device */
    const char *data;             /**< as the command line has it */
    int clips;                    /**< of a video; 0: as many as it takes to cover it */
    int features;                 /**< length of a video's vector */
} MaxglResultOrigin;

/** A new object that begins with "protocol", "version", "time", "model", "model_sha256", "network", "device",
 * "data", "clips" and "features". Files are named by their absolute paths. NULL if the model cannot be read.
 */
JsonBuilder *maxgl_result_new(const MaxglResultOrigin *origin, GError **error);

/** The object's text; @builder is freed. */
char *maxgl_result_finish(JsonBuilder *builder);

void maxgl_result_add_string(JsonBuilder *builder, const char *name, const char *value);
void maxgl_result_add_size(JsonBuilder *builder, const char *name, gsize value);
void maxgl_result_add_number(JsonBuilder *builder, const char *name, double value);

/** Begins a member that is an object or an array. */
void maxgl_result_begin_object(JsonBuilder *builder, const char *name);
void maxgl_result_begin_array(JsonBuilder *builder, const char *name);

/** Adds "class_names" and "confusion", an array of rows: @confusion is [classes × classes], row = class,
 * column = answer. */
void maxgl_result_add_confusion(JsonBuilder *builder, const char *const *names, int classes,
                                const int *confusion);

#endif
