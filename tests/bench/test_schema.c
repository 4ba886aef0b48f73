/* JSON Schema: each keyword lets through what it should and says what is wrong. */
#include "bench/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static JsonNode *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json_from_string(text, &error);
    if (!node)
        fail_msg("%s: %s", text, error ? error->message : "nothing");
    return node;
}

/* @value against @schema: the first error is @expected, or there is none (NULL). */
static void check(const char *schema, const char *value, const char *expected)
{
    g_autoptr(JsonNode) s = parse(schema), v = parse(value);
    g_autoptr(GPtrArray) errors = maxgl_schema_check(s, v);
    const char *got = errors->len > 0 ? g_ptr_array_index(errors, 0) : "fits";
    const char *wanted = expected ? expected : "fits";
    if (strcmp(got, wanted) != 0)
        fail_msg("%s against %s: \"%s\" instead of \"%s\"", value, schema, got, wanted);
}

static void types(void **state)
{
    check("{\"type\": \"object\"}", "{}", NULL);
    check("{\"type\": \"object\"}", "[]", "the record: an object expected, not an array");
    check("{\"type\": \"array\"}", "{}", "the record: an array expected, not an object");
    check("{\"type\": \"string\"}", "[\"x\"]", "the record: a string expected, not an array");
    check("{\"items\": {\"type\": \"number\"}}", "[1, 1.5, \"x\"]", "[2]: a number expected, not \"x\"");
    check("{\"items\": {\"type\": \"integer\"}}", "[1, 2.0, 1.5]", "[2]: an integer expected, not 1.5");
    check("{\"items\": {\"type\": \"boolean\"}}", "[true, 0]", "[1]: a boolean expected, not 0");
    check("{\"items\": {\"type\": [\"number\", \"null\"]}}", "[1, null, true]",
          "[2]: number or null expected, not true");
    check("true", "7", NULL);
    check("false", "7", "the record: not known here");
}

static void values(void **state)
{
    check("{\"const\": 1}", "1.0", NULL);
    check("{\"items\": {\"const\": \"a\"}}", "[\"a\", \"b\"]", "[1]: \"a\" expected, not \"b\"");
    check("{\"items\": {\"enum\": [\"a\", 2]}}", "[2, \"a\", 3]", "[2]: one of \"a\", 2 expected, not 3");
    check("{\"items\": {\"minimum\": 2}}", "[2, \"x\", 1]", "[2]: a number of at least 2 expected, not 1");
    check("{\"items\": {\"exclusiveMinimum\": 0}}", "[0.1, 0]", "[1]: a number above 0 expected, not 0");
    check("{\"items\": {\"maximum\": 3}}", "[3, 4]", "[1]: a number of at most 3 expected, not 4");
    check("{\"items\": {\"minLength\": 2}}", "[\"äö\", 1, \"ä\"]",
          "[2]: a text of at least 2 character(s) expected");
    check("{\"items\": {\"pattern\": \"^a+$\"}}", "[\"aa\", 3, \"ab\"]",
          "[2]: a text like ^a+$ expected, not \"ab\"");
    check("{\"items\": {\"const\": 1}}",
          "[\"0123456789012345678901234567890123456789012345678901234567890\"]",
          "[0]: 1 expected, not \"01234567890123456789012345678901234567…");
}

static void containers(void **state)
{
    check("{\"minItems\": 2}", "[1, 2]", NULL);
    check("{\"minItems\": 2}", "[1]", "the record: at least 2 element(s) expected");
    check("{\"required\": [\"a\", \"b\"]}", "{\"a\": 1}", "the record: member \"b\" is missing");
    check("{\"required\": [\"a\"]}", "[]", NULL); /* is about objects only */
    check("{\"properties\": {\"a\": {\"items\": {\"properties\": {\"b\": {\"type\": \"string\"}}}}}}",
          "{\"c\": 1, \"a\": [{}, {\"b\": 2}]}", "a[1].b: a string expected, not 2");
    check("{\"properties\": {\"a\": true}, \"additionalProperties\": false}", "{\"a\": 1}", NULL);
    check("{\"properties\": {\"a\": true}, \"additionalProperties\": false}", "{\"a\": 1, \"b\": 2}",
          "b: not known here");
    check("{\"additionalProperties\": {\"type\": \"null\"}}", "{\"b\": 2}", "b: a null expected, not 2");
}

static void references_and_conditions(void **state)
{
    const char *schema = "{\"$defs\": {\"p\": {\"minimum\": 1}}, \"$ref\": \"#/$defs/p\"}";
    check(schema, "1", NULL);
    check(schema, "0", "the record: a number of at least 1 expected, not 0");
    check("{\"$ref\": \"#/$defs/q\"}", "0", "the record: the schema refers to #/$defs/q, which it has not");
    const char *conditional = "{\"if\": {\"type\": \"string\"}, \"then\": {\"minLength\": 1},"
                              " \"else\": {\"minimum\": 5}}";
    check(conditional, "\"x\"", NULL);
    check(conditional, "\"\"", "the record: a text of at least 1 character(s) expected");
    check(conditional, "5", NULL);
    check(conditional, "4", "the record: a number of at least 5 expected, not 4");
    check("{\"if\": false, \"then\": false}", "4", NULL);
}

/* What is not looked at must not seem to be. */
static void unknown_keywords(void **state)
{
    check("{\"maxLength\": 3}", "\"abcd\"",
          "the record: the schema has a keyword that is not understood: maxLength");
    check("{\"title\": \"t\", \"description\": \"d\", \"$comment\": \"c\"}", "1", NULL);
}

/* All of them are told. */
static void several(void **state)
{
    g_autoptr(JsonNode) schema = parse("{\"items\": {\"type\": \"string\"}}"), value = parse("[1, \"x\", 2]");
    g_autoptr(GPtrArray) errors = maxgl_schema_check(schema, value);
    assert_int_equal(errors->len, 2);
    assert_string_equal(g_ptr_array_index(errors, 1), "[2]: a string expected, not 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(values),
        cmocka_unit_test(containers),
        cmocka_unit_test(references_and_conditions),
        cmocka_unit_test(unknown_keywords),
        cmocka_unit_test(several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
