#include "cli/command.h"

#include "base/log.h"
#include "base/nearest.h"

#include <maxgl/error.h>
#include <string.h>

static char *device;
static gboolean verbose;

static const GOptionEntry common_entries[] = {
    {"device", 'd', 0, G_OPTION_ARG_STRING, &device,
     "OpenCL device: auto, cpu, gpu, P:D or a part of its name (default: $MAXGL_DEVICE, or auto); train "
     "takes "
     "several, a,b",
     "S"},
    {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Tell more on the way", NULL},
    {NULL},
};

const GOptionEntry *maxgl_command_common_entries(void)
{
    return common_entries;
}

const char *maxgl_command_device(void)
{
    return device;
}

gboolean maxgl_command_usage(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s; see %s --help", message, g_get_prgname());
    return FALSE;
}

static char *description(const MaxglCommandHelp *help)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (help->examples)
        g_string_append_printf(text, "Examples:\n%s\n", help->examples);
    if (help->more)
        g_string_append_printf(text, "%s%s", text->len ? "\n" : "", help->more);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

void maxgl_command_default(char **option, const char *value)
{
    if (!*option)
        *option = g_strdup(value);
}

gboolean maxgl_command_parse(const MaxglCommandHelp *help, int *argc, char ***argv, GError **error)
{
    g_autofree char *name = g_strdup_printf("maxgl-cl %s", (*argv)[0]);
    g_autofree char *text = description(help);
    g_autoptr(GOptionContext) context = g_option_context_new(help->arguments);
    g_set_prgname(name);
    g_option_context_set_summary(context, help->summary);
    g_option_context_set_description(context, text);
    if (help->entries)
        g_option_context_add_main_entries(context, help->entries, NULL);
    g_option_context_add_main_entries(context, common_entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (verbose)
        maxgl_log_init("maxgl-cl", G_LOG_LEVEL_INFO);
    int arguments = *argc - 1;
    if (arguments < help->min_arguments)
        return maxgl_command_usage(error, "%s expected", help->arguments);
    if (help->max_arguments >= 0 && arguments > help->max_arguments)
        return maxgl_command_usage(error, "\"%s\" was not expected", (*argv)[help->max_arguments + 1]);
    return TRUE;
}

const MaxglCommand *maxgl_command_find(const MaxglCommand *commands, const char *what, const char *name,
                                       GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const MaxglCommand *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
        g_ptr_array_add(names, (char *)command->name);
    }
    g_ptr_array_add(names, NULL);
    const char *nearest = maxgl_text_nearest(name, (const char *const *)names->pdata);
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    if (nearest)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "no %s \"%s\"; did you mean %s?", what, name,
                    nearest);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "no %s \"%s\"; there are: %s", what, name, all);
    return NULL;
}

/* --help, or the reason why there is no verb. */
static gboolean parse_without_verb(const MaxglCommand *verbs, const char *summary, int argc, char **argv,
                                   GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) names = g_string_new(NULL);
    for (const MaxglCommand *verb = verbs; verb->name; verb++) {
        g_string_append_printf(text, "  %-9s  %s\n", verb->name, verb->summary);
        g_string_append_printf(names, "%s%s", names->len ? "|" : "", verb->name);
    }
    g_string_append_printf(text, "\nmaxgl-cl %s %s --help tells more of each, with examples.", argv[0],
                           names->str);
    g_string_append(names, " …");
    const MaxglCommandHelp help = {
        .arguments = names->str, .summary = summary, .more = text->str, .min_arguments = 1};
    return maxgl_command_parse(&help, &argc, &argv, error);
}

gboolean maxgl_command_run_verb(const MaxglCommand *verbs, const char *summary, int argc, char **argv,
                                GError **error)
{
    if (argc < 2 || argv[1][0] == '-')
        return parse_without_verb(verbs, summary, argc, argv, error);
    g_autofree char *what = g_strdup_printf("subcommand of %s", argv[0]);
    const MaxglCommand *verb = maxgl_command_find(verbs, what, argv[1], error);
    if (!verb)
        return FALSE;
    g_autofree char *name = g_strdup_printf("%s %s", argv[0], argv[1]);
    g_autofree char **rest = g_memdup2(argv + 1, (gsize)argc * sizeof *argv); /* with the NULL at the end */
    rest[0] = name;
    return verb->run(argc - 1, rest, error);
}
