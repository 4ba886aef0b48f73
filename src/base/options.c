#include "base/options.h"

#include "base/nearest.h"
#include "base/options_private.h"

#include <errno.h>
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

static void *field(const MaxglOption *option, void *values)
{
    return (char *)values + option->offset;
}

static const void *const_field(const MaxglOption *option, const void *values)
{
    return (const char *)values + option->offset;
}

char *maxgl_option_float_text(double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];
    for (int digits = 1; digits <= 17; digits++) {
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, value);
        if (g_ascii_strtod(text, NULL) == value)
            break;
    }
    return g_strconcat(text, strpbrk(text, ".en") ? "" : ".0", NULL);
}

const char *maxgl_option_type_text(const MaxglOption *option)
{
    static const char *const names[] = {
        [MAXGL_OPTION_INT] = "an integer",     [MAXGL_OPTION_FLOAT] = "a number",
        [MAXGL_OPTION_BOOL] = "true or false", [MAXGL_OPTION_STRING] = "a string",
        [MAXGL_OPTION_ENUM] = "a string",      [MAXGL_OPTION_INT3] = "three integers [a, b, c]",
    };
    return names[option->type];
}

static gboolean is_unlimited(const MaxglOption *option)
{
    return option->min == 0 && option->max == 0;
}

/* "4096" or "0.5": a bound without superfluous digits. */
static char *bound_text(double value)
{
    char *text = maxgl_option_float_text(value);
    if (g_str_has_suffix(text, ".0"))
        text[strlen(text) - 2] = '\0';
    else if (value == floor(value) && fabs(value) < 1e15) {
        g_free(text);
        text = g_strdup_printf("%.0f", value);
    }
    return text;
}

char *maxgl_option_range_text(const MaxglOption *option)
{
    if (option->type == MAXGL_OPTION_ENUM)
        return g_strjoinv(" | ", (char **)option->choices);
    if (option->type == MAXGL_OPTION_BOOL)
        return g_strdup("true | false");
    if (option->type == MAXGL_OPTION_STRING)
        return g_strdup("any text");

    const char *unit = option->unit ? option->unit : "", *space = option->unit ? " " : "";
    const char *each = option->type == MAXGL_OPTION_INT3 ? "three of " : "";
    gboolean no_min = option->min <= (option->type == MAXGL_OPTION_FLOAT ? -G_MAXDOUBLE : G_MININT);
    gboolean no_max = option->max >= (option->type == MAXGL_OPTION_FLOAT ? G_MAXDOUBLE : G_MAXINT);
    if (is_unlimited(option) || (no_min && no_max))
        return g_strdup_printf("%sany %s%s%s", each,
                               option->type == MAXGL_OPTION_FLOAT ? "number" : "integer", space, unit);
    g_autofree char *low = bound_text(option->min);
    g_autofree char *high = bound_text(option->max);
    if (no_max)
        return g_strdup_printf("%sat least %s%s%s", each, low, space, unit);
    if (no_min)
        return g_strdup_printf("%sat most %s%s%s", each, high, space, unit);
    return g_strdup_printf("%s%s … %s%s%s", each, low, high, space, unit);
}

/* Ends a complaint with what is allowed. Takes @what. */
static char *complain(const MaxglOption *option, char *what)
{
    g_autofree char *head = what;
    g_autofree char *range = maxgl_option_range_text(option);
    return g_strdup_printf("%s; allowed: %s", head, range);
}

static char *not_of_type(const MaxglOption *option, const char *text)
{
    return complain(option, g_strdup_printf("\"%s\" is not %s", text, maxgl_option_type_text(option)));
}

static char *parse_integer(const MaxglOption *option, const char *text, int *value)
{
    char *end;
    errno = 0;
    gint64 number = g_ascii_strtoll(text, &end, 10);
    if (end == text || *end)
        return not_of_type(option, text);
    gboolean outside =
        !is_unlimited(option) && ((double)number < option->min || (double)number > option->max);
    if (errno == ERANGE || number < G_MININT || number > G_MAXINT || outside)
        return complain(option, g_strdup_printf("%s is out of range", text));
    *value = (int)number;
    return NULL;
}

static char *parse_float(const MaxglOption *option, const char *text, double *value)
{
    char *end;
    double number = g_ascii_strtod(text, &end);
    if (end == text || *end || isnan(number))
        return not_of_type(option, text);
    gboolean outside = !is_unlimited(option) && (number < option->min || number > option->max);
    if (isinf(number) || outside)
        return complain(option, g_strdup_printf("%s is out of range", text));
    *value = number;
    return NULL;
}

static char *parse_bool(const MaxglOption *option, const char *text, gboolean *value)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        for (int truth = 0; truth < 2; truth++)
            if (g_ascii_strcasecmp(text, words[i][truth]) == 0) {
                *value = truth;
                return NULL;
            }
    return g_strdup_printf("\"%s\" is not true or false", text);
}

static char *parse_choice(const MaxglOption *option, const char *text, int *value)
{
    for (int i = 0; option->choices[i]; i++)
        if (strcmp(text, option->choices[i]) == 0) {
            *value = i;
            return NULL;
        }
    return complain(option, g_strdup_printf("\"%s\" is not a choice", text));
}

static char *parse_int3(const MaxglOption *option, const char *text, int value[3])
{
    g_autofree char *inner = g_strstrip(g_strdup(text));
    gsize length = strlen(inner);
    const char *start = inner;
    if (length >= 2 && inner[0] == '[' && inner[length - 1] == ']') {
        inner[length - 1] = '\0';
        start++;
    }
    g_auto(GStrv) parts = g_strsplit_set(start, ",x", -1);
    int numbers[3];
    if (g_strv_length(parts) != 3)
        return not_of_type(option, text);
    for (int i = 0; i < 3; i++) {
        char *problem = parse_integer(option, g_strstrip(parts[i]), &numbers[i]);
        if (problem)
            return problem;
    }
    memcpy(value, numbers, sizeof numbers);
    return NULL;
}

char *maxgl_option_assign(const MaxglOption *option, void *values, const char *text)
{
    void *slot = field(option, values);
    switch (option->type) {
    case MAXGL_OPTION_INT:
        return parse_integer(option, text, slot);
    case MAXGL_OPTION_FLOAT:
        return parse_float(option, text, slot);
    case MAXGL_OPTION_BOOL:
        return parse_bool(option, text, slot);
    case MAXGL_OPTION_ENUM:
        return parse_choice(option, text, slot);
    case MAXGL_OPTION_INT3:
        return parse_int3(option, text, slot);
    case MAXGL_OPTION_STRING:
        g_free(*(char **)slot);
        *(char **)slot = g_strdup(text);
        return NULL;
    }
    g_return_val_if_reached(NULL);
}

char *maxgl_option_value_text(const MaxglOption *option, const void *values)
{
    const void *slot = const_field(option, values);
    const int *integers = slot;
    switch (option->type) {
    case MAXGL_OPTION_INT:
        return g_strdup_printf("%d", integers[0]);
    case MAXGL_OPTION_FLOAT:
        return maxgl_option_float_text(*(const double *)slot);
    case MAXGL_OPTION_BOOL:
        return g_strdup(*(const gboolean *)slot ? "true" : "false");
    case MAXGL_OPTION_ENUM:
        return g_strdup(option->choices[integers[0]]);
    case MAXGL_OPTION_INT3:
        return g_strdup_printf("[%d, %d, %d]", integers[0], integers[1], integers[2]);
    case MAXGL_OPTION_STRING:
        return g_strdup(*(char *const *)slot);
    }
    g_return_val_if_reached(NULL);
}

void maxgl_options_init(const MaxglOptionTable *table, void *values)
{
    memset(values, 0, table->size);
    for (guint i = 0; i < table->count; i++) {
        const MaxglOption *option = &table->options[i];
        g_autofree char *problem = maxgl_option_assign(option, values, option->value);
        if (problem)
            g_error("default of %s: %s", option->key, problem);
    }
}

void maxgl_options_clear(const MaxglOptionTable *table, void *values)
{
    for (guint i = 0; i < table->count; i++)
        if (table->options[i].type == MAXGL_OPTION_STRING)
            g_free(*(char **)field(&table->options[i], values));
    memset(values, 0, table->size);
}

void maxgl_options_copy(const MaxglOptionTable *table, const void *values, void *copy)
{
    memcpy(copy, values, table->size);
    for (guint i = 0; i < table->count; i++)
        if (table->options[i].type == MAXGL_OPTION_STRING) {
            char **text = field(&table->options[i], copy);
            *text = g_strdup(*text);
        }
}

const MaxglOption *maxgl_options_find(const MaxglOptionTable *table, const char *key)
{
    for (guint i = 0; i < table->count; i++)
        if (strcmp(table->options[i].key, key) == 0)
            return &table->options[i];
    return NULL;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

char *maxgl_options_unknown_text(const MaxglOptionTable *table, const char *key)
{
    g_autofree char *nearest = NULL;
    guint best = (guint)strlen(key) / 3 + 2; /* anything as far as this is no help */
    for (guint i = 0; i < table->count; i++) {
        const char *known = table->options[i].key, *end = known;
        do { /* every group the option is in, then the option itself */
            end = strchr(end + 1, '.');
            g_autofree char *name = end ? g_strndup(known, (gsize)(end - known)) : g_strdup(known);
            /* The right name in the wrong group is nearer than any misspelling. */
            gboolean moved = !end && strcmp(last_part(name), last_part(key)) == 0;
            guint distance = moved ? 0 : maxgl_text_distance(key, name);
            if (distance < best) {
                best = distance;
                g_free(nearest);
                nearest = g_steal_pointer(&name);
            }
        } while (end);
    }
    return nearest ? g_strdup_printf("unknown key; did you mean %s?", nearest) : g_strdup("unknown key");
}

char **maxgl_options_diff(const MaxglOptionTable *table, const void *old_values, const void *new_values)
{
    GPtrArray *lines = g_ptr_array_new();
    for (guint i = 0; i < table->count; i++) {
        const MaxglOption *option = &table->options[i];
        g_autofree char *before = maxgl_option_value_text(option, old_values);
        g_autofree char *after = maxgl_option_value_text(option, new_values);
        const char *quote = option->type == MAXGL_OPTION_STRING ? "\"" : "";
        if (strcmp(before, after) != 0)
            g_ptr_array_add(lines, g_strdup_printf("%s: %s%s%s → %s%s%s", option->key, quote, before, quote,
                                                   quote, after, quote));
    }
    g_ptr_array_add(lines, NULL);
    return (char **)g_ptr_array_free(lines, FALSE);
}
