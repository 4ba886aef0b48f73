#include "bench/schema.h"

#include "bench/record.h"
#include "compute/kernel_sources.h"

#include <math.h>
#include <string.h>

#define SHOWN 40 /* bytes of a wrong text */

/* docs/benchmark.schema.json, embedded when building. */
extern const MaxglEmbeddedFile maxgl_schema_files[];

/* Where we are. */
typedef struct {
    JsonObject *definitions; /* "$defs" of the whole schema, or NULL */
    GString *path;           /* in the value: "rows[3].median_s" */
    GPtrArray *errors;       /* char* */
} Walk;

static void check(Walk *w, JsonNode *schema, JsonNode *value);

/* ---------------- what values are and are called ---------------- */

static gboolean is_number(JsonNode *n)
{
    return JSON_NODE_HOLDS_VALUE(n) &&
           (json_node_get_value_type(n) == G_TYPE_INT64 || json_node_get_value_type(n) == G_TYPE_DOUBLE);
}

static gboolean is_string(JsonNode *n)
{
    return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING;
}

static gboolean is_type(JsonNode *n, const char *type)
{
    if (g_str_equal(type, "object"))
        return JSON_NODE_HOLDS_OBJECT(n);
    if (g_str_equal(type, "array"))
        return JSON_NODE_HOLDS_ARRAY(n);
    if (g_str_equal(type, "null"))
        return JSON_NODE_HOLDS_NULL(n);
    if (g_str_equal(type, "string"))
        return is_string(n);
    if (g_str_equal(type, "boolean"))
        return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_BOOLEAN;
    const double number = is_number(n) ? json_node_get_double(n) : NAN;
    return g_str_equal(type, "integer") ? number == floor(number) : !isnan(number);
}

static gboolean equal(JsonNode *a, JsonNode *b)
{
    if (is_number(a) && is_number(b)) /* 1 and 1.0 are */
        return json_node_get_double(a) == json_node_get_double(b);
    return json_node_equal(a, b);
}

/* In a few words, for messages. */
static char *text_of(JsonNode *n)
{
    if (JSON_NODE_HOLDS_OBJECT(n))
        return g_strdup("an object");
    if (JSON_NODE_HOLDS_ARRAY(n))
        return g_strdup("an array");
    g_autofree char *text = json_to_string(n, FALSE);
    if (strlen(text) <= SHOWN)
        return g_steal_pointer(&text);
    const char *end = g_utf8_find_prev_char(text, text + SHOWN);
    return g_strdup_printf("%.*s…", (int)(end - text), text);
}

static void fail(Walk *w, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void fail(Walk *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(w->errors,
                    g_strdup_printf("%s: %s", w->path->len > 0 ? w->path->str : "the record", what));
}

static void expect(Walk *w, JsonNode *value, const char *what)
{
    g_autofree char *got = text_of(value);
    fail(w, "%s expected, not %s", what, got);
}

/* ---------------- keywords ---------------- */

/* @schema is where the keyword stands, @argument what it is set to. */
typedef void (*Keyword)(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value);

/* "a string", "a number or null" */
static char *type_words(JsonNode *argument)
{
    GString *words = g_string_new(NULL);
    if (!JSON_NODE_HOLDS_ARRAY(argument)) {
        const char *type = json_node_get_string(argument);
        g_string_printf(words, "%s %s", strchr("aio", type[0]) ? "an" : "a", type);
        return g_string_free(words, FALSE);
    }
    JsonArray *types = json_node_get_array(argument);
    for (guint i = 0; i < json_array_get_length(types); i++)
        g_string_append_printf(words, "%s%s", i > 0 ? " or " : "", json_array_get_string_element(types, i));
    return g_string_free(words, FALSE);
}

static gboolean has_type(JsonNode *argument, JsonNode *value)
{
    if (!JSON_NODE_HOLDS_ARRAY(argument))
        return is_type(value, json_node_get_string(argument));
    JsonArray *types = json_node_get_array(argument);
    for (guint i = 0; i < json_array_get_length(types); i++)
        if (is_type(value, json_array_get_string_element(types, i)))
            return TRUE;
    return FALSE;
}

static void check_type(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    if (has_type(argument, value))
        return;
    g_autofree char *words = type_words(argument);
    expect(w, value, words);
}

static void check_const(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    g_autofree char *wanted = text_of(argument);
    if (!equal(argument, value))
        expect(w, value, wanted);
}

static void check_enum(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    JsonArray *choices = json_node_get_array(argument);
    g_autoptr(GString) all = g_string_new("one of ");
    for (guint i = 0; i < json_array_get_length(choices); i++) {
        if (equal(json_array_get_element(choices, i), value))
            return;
        g_autofree char *choice = text_of(json_array_get_element(choices, i));
        g_string_append_printf(all, "%s%s", i > 0 ? ", " : "", choice);
    }
    expect(w, value, all->str);
}

static void check_bound(Walk *w, JsonNode *argument, JsonNode *value, gboolean fits, const char *words)
{
    g_autofree char *bound = text_of(argument);
    g_autofree char *wanted = g_strdup_printf("%s %s", words, bound);
    if (is_number(value) && !fits)
        expect(w, value, wanted);
}

static void check_minimum(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    check_bound(w, argument, value,
                is_number(value) && json_node_get_double(value) >= json_node_get_double(argument),
                "a number of at least");
}

static void check_exclusive_minimum(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    check_bound(w, argument, value,
                is_number(value) && json_node_get_double(value) > json_node_get_double(argument),
                "a number above");
}

static void check_maximum(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    check_bound(w, argument, value,
                is_number(value) && json_node_get_double(value) <= json_node_get_double(argument),
                "a number of at most");
}

static void check_min_length(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    if (is_string(value) && g_utf8_strlen(json_node_get_string(value), -1) < json_node_get_int(argument))
        fail(w, "a text of at least %" G_GINT64_FORMAT " character(s) expected", json_node_get_int(argument));
}

static void check_pattern(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    const char *pattern = json_node_get_string(argument);
    if (!is_string(value) || g_regex_match_simple(pattern, json_node_get_string(value), 0, 0))
        return;
    g_autofree char *wanted = g_strdup_printf("a text like %s", pattern);
    expect(w, value, wanted);
}

static void check_min_items(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    if (JSON_NODE_HOLDS_ARRAY(value) &&
        json_array_get_length(json_node_get_array(value)) < json_node_get_int(argument))
        fail(w, "at least %" G_GINT64_FORMAT " element(s) expected", json_node_get_int(argument));
}

static void check_items(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(value) ? json_node_get_array(value) : NULL;
    const gsize length = w->path->len;
    for (guint i = 0; array && i < json_array_get_length(array); i++) {
        g_string_append_printf(w->path, "[%u]", i);
        check(w, argument, json_array_get_element(array, i));
        g_string_truncate(w->path, length);
    }
}

static void check_required(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    JsonArray *names = json_node_get_array(argument);
    for (guint i = 0; JSON_NODE_HOLDS_OBJECT(value) && i < json_array_get_length(names); i++)
        if (!json_object_has_member(json_node_get_object(value), json_array_get_string_element(names, i)))
            fail(w, "member \"%s\" is missing", json_array_get_string_element(names, i));
}

static void check_member(Walk *w, JsonNode *schema, JsonObject *object, const char *name)
{
    const gsize length = w->path->len;
    g_string_append_printf(w->path, "%s%s", length > 0 ? "." : "", name);
    check(w, schema, json_object_get_member(object, name));
    g_string_truncate(w->path, length);
}

static void check_properties(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    if (!JSON_NODE_HOLDS_OBJECT(value))
        return;
    JsonObjectIter iter;
    const char *name;
    JsonNode *property;
    json_object_iter_init_ordered(&iter, json_node_get_object(argument));
    while (json_object_iter_next_ordered(&iter, &name, &property))
        if (json_object_has_member(json_node_get_object(value), name))
            check_member(w, property, json_node_get_object(value), name);
}

static void check_additional_properties(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    if (!JSON_NODE_HOLDS_OBJECT(value))
        return;
    JsonObject *known = json_object_has_member(schema, "properties")
                            ? json_object_get_object_member(schema, "properties")
                            : NULL;
    JsonObjectIter iter;
    const char *name;
    JsonNode *member;
    json_object_iter_init_ordered(&iter, json_node_get_object(value));
    while (json_object_iter_next_ordered(&iter, &name, &member))
        if (!known || !json_object_has_member(known, name))
            check_member(w, argument, json_node_get_object(value), name);
}

static void check_ref(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    const char *to = json_node_get_string(argument);
    const char *name = g_str_has_prefix(to, "#/$defs/") ? to + strlen("#/$defs/") : "";
    if (w->definitions && json_object_has_member(w->definitions, name))
        check(w, json_object_get_member(w->definitions, name), value);
    else
        fail(w, "the schema refers to %s, which it has not", to);
}

static void check_if(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
    g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
    Walk quiet = {w->definitions, w->path, errors};
    check(&quiet, argument, value);
    const char *branch = errors->len == 0 ? "then" : "else";
    if (json_object_has_member(schema, branch))
        check(w, json_object_get_member(schema, branch), value);
}

static void check_nothing(Walk *w, JsonObject *schema, JsonNode *argument, JsonNode *value)
{
}

static const struct {
    const char *name;
    Keyword check;
} keywords[] = {
    {"type", check_type},
    {"const", check_const},
    {"enum", check_enum},
    {"minimum", check_minimum},
    {"exclusiveMinimum", check_exclusive_minimum},
    {"maximum", check_maximum},
    {"minLength", check_min_length},
    {"pattern", check_pattern},
    {"minItems", check_min_items},
    {"items", check_items},
    {"required", check_required},
    {"properties", check_properties},
    {"additionalProperties", check_additional_properties},
    {"$ref", check_ref},
    {"if", check_if},
    {"then", check_nothing}, /* if's business */
    {"else", check_nothing},
    {"$schema", check_nothing},
    {"$comment", check_nothing},
    {"$defs", check_nothing},
    {"title", check_nothing},
    {"description", check_nothing},
};

static Keyword keyword_of(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(keywords); i++)
        if (g_str_equal(keywords[i].name, name))
            return keywords[i].check;
    return NULL;
}

static void check(Walk *w, JsonNode *schema, JsonNode *value)
{
    if (!JSON_NODE_HOLDS_OBJECT(schema)) {
        if (!json_node_get_boolean(schema))
            fail(w, "not known here");
        return;
    }
    JsonObject *object = json_node_get_object(schema);
    JsonObjectIter iter;
    const char *name;
    JsonNode *argument;
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &argument)) {
        const Keyword keyword = keyword_of(name);
        if (keyword)
            keyword(w, object, argument, value);
        else
            fail(w, "the schema has a keyword that is not understood: %s", name);
    }
}

GPtrArray *maxgl_schema_check(JsonNode *schema, JsonNode *value)
{
    g_autoptr(GString) path = g_string_new(NULL);
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(schema) ? json_node_get_object(schema) : NULL;
    Walk w = {.definitions = object && json_object_has_member(object, "$defs")
                                 ? json_object_get_object_member(object, "$defs")
                                 : NULL,
              .path = path,
              .errors = g_ptr_array_new_with_free_func(g_free)};
    check(&w, schema, value);
    return w.errors;
}

GPtrArray *maxgl_record_check(const char *path, GError **error)
{
    g_autoptr(JsonParser) schema = json_parser_new(), record = maxgl_record_parse(path, error);
    if (!record || !json_parser_load_from_data(schema, maxgl_schema_files[0].text, -1, error))
        return NULL;
    return maxgl_schema_check(json_parser_get_root(schema), json_parser_get_root(record));
}
