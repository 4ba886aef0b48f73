/* maxgl-cl synth: procedural videos as files. */
#include "base/interrupt.h"
#include "cli/command.h"
#include "media/synthetic.h"

#include <stdio.h>

/* Both "--set a=1 --set b=2" and "--set a=1,b=2" are one list for the parser. */
static gboolean parse_options(char **sets, MaxglSyntheticOptions *options, GError **error)
{
    g_autofree char *text = sets ? g_strjoinv(",", sets) : g_strdup("");
    maxgl_synthetic_options_init(options);
    return maxgl_synthetic_options_parse(options, text, error);
}

gboolean maxgl_cmd_synth(int argc, char **argv, GError **error)
{
    g_auto(GStrv) sets = NULL;
    int threads = 0;
    const GOptionEntry entries[] = {
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &sets, "Change an option, see below (repeatable)",
         "KEY=VALUE"},
        {"threads", 'j', 0, G_OPTION_ARG_INT, &threads, "Threads (default: one a core)", "N"},
        {NULL},
    };
    g_autofree char *keys = maxgl_synthetic_help();
    g_autofree char *more = g_strdup_printf("Options of the data set (the same as behind synth:):\n%s", keys);
    const MaxglCommandHelp help = {
        .arguments = "DIR",
        .summary =
            "Writes short videos of a shape that moves over a background to the new folder DIR, as real\n"
            "(lossless) files, with DIR/list.csv that names each one's motion, appearance, background\n"
            "and split. Every single frame shows appearance and background and nothing of the motion.",
        .entries = entries,
        .examples = "  maxgl-cl synth videos\n"
                    "  maxgl-cl synth videos --set videos=500 --set backgrounds=0\n"
                    "  maxgl-cl train --data videos/list.csv",
        .more = more,
        .min_arguments = 1,
        .max_arguments = 1,
    };
    MaxglSyntheticOptions options;
    if (!maxgl_command_parse(&help, &argc, &argv, error) || !parse_options(sets, &options, error))
        return FALSE;
    if (threads < 0 || threads > 1024)
        return maxgl_command_usage(error, "--threads=%d is out of range; allowed: 0 … 1024", threads);
    maxgl_interrupt_install();
    if (!maxgl_synthetic_write(argv[1], &options, threads, error))
        return FALSE;
    printf("%s/list.csv: %d training videos, %d test videos, %d test videos on new backgrounds", argv[1],
           options.videos, options.test, options.test_new);
    if (options.test_conflict > 0)
        printf(", %d with an object that stands still", options.test_conflict);
    printf("\n");
    return TRUE;
}
