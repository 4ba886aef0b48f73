/* JSON Schema (draft 2020-12), as much of it as our schemas use: type, const, enum, minimum,
 * exclusiveMinimum, maximum, minLength, pattern, items, minItems, required, properties,
 * additionalProperties, $ref to "#/$defs/NAME", if/then/else, true and false; title, description and
 * $comment are for the reader. */
#ifndef MAXGL_BENCH_SCHEMA_H
#define MAXGL_BENCH_SCHEMA_H

#include <json-glib/json-glib.h>

/**
 * Holds @value against @schema.
 * Returns: (element char*, freed with the array) a line for each thing that does not fit, "rows[3].median_s:
 * a number above 0 expected, not \"x\""; none if @value is as it should be. A keyword other than those above
 * is such a line too: a schema never asks for what is not looked at.
 */
GPtrArray *maxgl_schema_check(JsonNode *schema, JsonNode *value);

/**
 * Holds the record of a benchmark in @path (of maxgl-cl bench --json or bench/vs_pytorch.py) against
 * docs/benchmark.schema.json, which is in the program.
 * Returns: the same, NULL with MAXGL_ERROR_NOT_FOUND, MAXGL_ERROR_IO, MAXGL_ERROR_FORMAT if it is no JSON.
 */
GPtrArray *maxgl_record_check(const char *path, GError **error);

#endif
