#include "base/options.h"
#include "base/options_private.h"

#include <string.h>

/* A libconfig string. */
static void append_quoted(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_printf(out, "\\%c", *c);
        else if ((guchar)*c < 0x20)
            g_string_append_printf(out, "\\x%02x", (guint)*c);
        else
            g_string_append_c(out, *c);
    }
    g_string_append_c(out, '"');
}

/* "1 … 4096 clips; our choice" */
static char *remark(const MaxglOption *option)
{
    g_autofree char *range = maxgl_option_range_text(option);
    return option->source ? g_strdup_printf("%s; %s", range, option->source) : g_steal_pointer(&range);
}

static void append_option(GString *out, const MaxglOption *option, const char *name, int indent,
                          const void *values)
{
    g_autofree char *value = maxgl_option_value_text(option, values);
    g_autofree char *note = remark(option);
    g_string_append_printf(out, "%*s# %s (%s)\n%*s%s = ", indent, "", option->doc, note, indent, "", name);
    if (option->type == MAXGL_OPTION_STRING || option->type == MAXGL_OPTION_ENUM)
        append_quoted(out, value);
    else
        g_string_append(out, value);
    g_string_append(out, ";\n");
}

/* Whether an option before @index lies in the group @prefix ("train."). */
static gboolean group_seen(const MaxglOptionTable *table, guint index, const char *prefix)
{
    for (guint i = 0; i < index; i++)
        if (g_str_has_prefix(table->options[i].key, prefix))
            return TRUE;
    return FALSE;
}

/* The options whose key begins with @prefix, their groups where the first option of each stands. */
static void append_group(GString *out, const MaxglOptionTable *table, const char *prefix, int indent,
                         const void *values)
{
    for (guint i = 0; i < table->count; i++) {
        const MaxglOption *option = &table->options[i];
        if (!g_str_has_prefix(option->key, prefix))
            continue;
        const char *name = option->key + strlen(prefix), *dot = strchr(name, '.');
        if (!dot) {
            append_option(out, option, name, indent, values);
            continue;
        }
        g_autofree char *inner = g_strndup(option->key, (gsize)(dot + 1 - option->key));
        if (group_seen(table, i, inner))
            continue;
        g_string_append_printf(out, "%s%*s%.*s = {\n", indent || !out->len ? "" : "\n", indent, "",
                               (int)(dot - name), name);
        append_group(out, table, inner, indent + 4, values);
        g_string_append_printf(out, "%*s};\n", indent, "");
    }
}

char *maxgl_options_text(const MaxglOptionTable *table, const void *values)
{
    GString *out = g_string_new(NULL);
    append_group(out, table, "", 0, values);
    return g_string_free(out, FALSE);
}

char *maxgl_options_help(const MaxglOptionTable *table)
{
    enum { WIDEST = 40 };
    g_autoptr(GPtrArray) heads = g_ptr_array_new_with_free_func(g_free);
    glong width = 0;
    for (guint i = 0; i < table->count; i++) {
        const MaxglOption *option = &table->options[i];
        const char *value = *option->value ? option->value : "\"\"";
        char *head = g_strdup_printf("  %s = %s", option->key, value);
        g_ptr_array_add(heads, head);
        if (g_utf8_strlen(head, -1) <= WIDEST)
            width = MAX(width, g_utf8_strlen(head, -1));
    }
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < table->count; i++) {
        const MaxglOption *option = &table->options[i];
        const char *head = heads->pdata[i];
        int gap = (int)(width - g_utf8_strlen(head, -1));
        g_autofree char *note = remark(option);
        if (gap >= 0)
            g_string_append_printf(out, "%s%*s  %s\n", head, gap, "", option->doc);
        else
            g_string_append_printf(out, "%s\n%*s  %s\n", head, (int)width, "", option->doc);
        g_string_append_printf(out, "%*s  (%s)\n", (int)width, "", note);
    }
    return g_string_free(out, FALSE);
}
