/* maxgl-cl: finds the subcommand and turns its error into a message and an exit code. */
#include "base/log.h"
#include "cli/command.h"
#include "compute/program.h"

#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>

static const MaxglCommand commands[] = {
    {"bench", "time a network on a device", maxgl_cmd_bench},
    {"data", "check a data set", maxgl_cmd_data},
    {"devices", "list OpenCL devices, and which one would be used", maxgl_cmd_devices},
    {"embed", "compute feature vectors of videos", maxgl_cmd_embed},
    {"eval", "measure what a network has learnt, on labelled videos", maxgl_cmd_eval},
    {"index", "compute features of moments of videos, to search in", maxgl_cmd_index},
    {"model", "show or convert a network", maxgl_cmd_model},
    {"report", "make a page of a training run and its evaluations", maxgl_cmd_report},
    {"search", "find moments of indexed videos that are like a video", maxgl_cmd_search},
    {"synth", "make a data set of procedural videos", maxgl_cmd_synth},
    {"train", "learn a network from videos without labels", maxgl_cmd_train},
    {"tune", "find the fastest kernel parameters for a device", maxgl_cmd_tune},
    {NULL},
};

static char *overview(void)
{
    GString *text = g_string_new("Subcommands:\n");
    for (const MaxglCommand *command = commands; command->name; command++)
        g_string_append_printf(text, "  %-9s  %s\n", command->name, command->summary);
    g_string_append(text,
                    "\n"
                    "maxgl-cl SUBCOMMAND --help tells more of each, with examples.\n"
                    "\n"
                    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n"
                    "\n"
                    "Environment: MAXGL_DEVICE (default of --device), MAXGL_LOG (error, warning, message,\n"
                    "info or debug), MAXGL_CACHE_DIR (built OpenCL programs, features),\n"
                    "MAXGL_FEATURE_CACHE_MB (of features, default 1024; 0: none), MAXGL_TUNING (your tuning\n"
                    "file), MAXGL_PROFILE=1 (times of all kernels at the end), NO_COLOR.");
    return g_string_free(text, FALSE);
}

/* Options in front of the subcommand; what is left of @argv begins with the subcommand. */
static gboolean parse_global(int *argc, char ***argv, gboolean *version, GOptionContext **context,
                             GError **error)
{
    const GOptionEntry entries[] = {{"version", 0, 0, G_OPTION_ARG_NONE, version, "Print the version", NULL},
                                    {NULL}};
    g_autofree char *text = overview();
    *context = g_option_context_new("SUBCOMMAND …");
    g_option_context_set_strict_posix(*context, TRUE);
    g_option_context_set_summary(
        *context, "Learns video representations without labels (Max-GL: mutual information of\n"
                  "clips and their regions) with 3D ResNets on any OpenCL device.");
    g_option_context_set_description(*context, text);
    g_option_context_add_main_entries(*context, entries, NULL);
    g_option_context_add_main_entries(*context, maxgl_command_common_entries(), NULL);
    return g_option_context_parse(*context, argc, argv, error);
}

static gboolean run(int argc, char **argv, GError **error)
{
    gboolean version = FALSE;
    g_autoptr(GOptionContext) context = NULL;
    if (!parse_global(&argc, &argv, &version, &context, error))
        return FALSE;
    if (version) {
        printf("maxgl-cl %s\n", MAXGL_VERSION);
        return TRUE;
    }
    gboolean help = argc > 1 && strcmp(argv[1], "help") == 0;
    if (argc < 2 || (help && argc == 2)) {
        g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
        fputs(text, help ? stdout : stderr);
        if (!help)
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "a subcommand is missing");
        return help;
    }
    const char *name = argv[help ? 2 : 1];
    const MaxglCommand *command = maxgl_command_find(commands, "subcommand", name, error);
    if (!command)
        return FALSE;
    char *for_help[] = {argv[help ? 2 : 1], (char *)"--help", NULL};
    return help ? command->run(2, for_help, error) : command->run(argc - 1, argv + 1, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    maxgl_log_init("maxgl-cl", G_LOG_LEVEL_MESSAGE);
    g_set_prgname("maxgl-cl");
    maxgl_program_show_progress();
    if (run(argc, argv, &error))
        return 0;
    maxgl_log_error(error);
    return maxgl_error_exit_code(error);
}
