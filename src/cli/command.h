/* What the subcommands of maxgl-cl share. Each is a file cmd_NAME.c with one function, entered in the table
 * of main.c. */
#ifndef MAXGL_CLI_COMMAND_H
#define MAXGL_CLI_COMMAND_H

#include <glib.h>

/** A subcommand. @run gets its name as argv[0]; it returns FALSE with @error set if it failed, and the exit
 * code follows from the error: 2 for #MAXGL_ERROR_USAGE and GOption's own, 130 for #MAXGL_ERROR_CANCELLED, 1
 * otherwise. */
typedef struct {
    const char *name;
    const char *summary; /**< one line of `maxgl-cl --help` */
    gboolean (*run)(int argc, char **argv, GError **error);
} MaxglCommand;

/** What a subcommand's --help says. */
typedef struct {
    const char *arguments;            /**< behind the options: "INPUT…", or NULL */
    const char *summary;              /**< what it does; lines */
    const GOptionEntry *entries;      /**< its own options, ended as GOption wants it, or NULL */
    const char *examples;             /**< lines "maxgl-cl …", indented by two */
    const char *more;                 /**< anything to be said behind the examples, or NULL */
    int min_arguments, max_arguments; /**< how many there must be; max −1: any number */
} MaxglCommandHelp;

/**
 * Parses the options of subcommand argv[0] and takes them out of @argv, which keeps argv[0] and the
 * arguments. --device and --verbose are understood beside the command's own; --help prints and ends the
 * process.
 */
gboolean maxgl_command_parse(const MaxglCommandHelp *help, int *argc, char ***argv, GError **error);

/** Sets a text option that was not given to a copy of @value. GOption does not free what an option had before
 * it was parsed, so defaults come behind. */
void maxgl_command_default(char **option, const char *value);

/** --device and --verbose, for the options in front of a subcommand. */
const GOptionEntry *maxgl_command_common_entries(void);

/** What --device says, before or behind the subcommand's name; NULL if it was not given (MAXGL_DEVICE and
 * "auto" are maxgl_device_choose()'s business). */
const char *maxgl_command_device(void);

/** FALSE and MAXGL_ERROR_USAGE with @format and where help is to be had: for arguments that GOption cannot
 * judge. */
gboolean maxgl_command_usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** The command called @name among @commands (ended by one without a name); NULL with MAXGL_ERROR_USAGE naming
 * the nearest or all. @what: "subcommand". */
const MaxglCommand *maxgl_command_find(const MaxglCommand *commands, const char *what, const char *name,
                                       GError **error);

/**
 * Runs a subcommand that is several: `maxgl-cl model info …`. argv[0] is its name, argv[1] one of @verbs
 * (ended by one without a name), which gets "model info" as its argv[0]. @summary and the verbs are what
 * --help tells.
 */
gboolean maxgl_command_run_verb(const MaxglCommand *verbs, const char *summary, int argc, char **argv,
                                GError **error);

gboolean maxgl_cmd_bench(int argc, char **argv, GError **error);
gboolean maxgl_cmd_data(int argc, char **argv, GError **error);
gboolean maxgl_cmd_devices(int argc, char **argv, GError **error);
gboolean maxgl_cmd_embed(int argc, char **argv, GError **error);
gboolean maxgl_cmd_eval(int argc, char **argv, GError **error);
gboolean maxgl_cmd_eval_aslan(int argc, char **argv, GError **error);
gboolean maxgl_cmd_eval_mean(int argc, char **argv, GError **error);
gboolean maxgl_cmd_eval_recognition(int argc, char **argv, GError **error);
gboolean maxgl_cmd_eval_scenes(int argc, char **argv, GError **error);
gboolean maxgl_cmd_index(int argc, char **argv, GError **error);
gboolean maxgl_cmd_model(int argc, char **argv, GError **error);
gboolean maxgl_cmd_report(int argc, char **argv, GError **error);
gboolean maxgl_cmd_search(int argc, char **argv, GError **error);
gboolean maxgl_cmd_synth(int argc, char **argv, GError **error);
gboolean maxgl_cmd_train(int argc, char **argv, GError **error);
gboolean maxgl_cmd_tune(int argc, char **argv, GError **error);

#endif
