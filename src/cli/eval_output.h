/* Where the results of maxgl-cl eval go, for all of its protocols. */
#ifndef MAXGL_CLI_EVAL_OUTPUT_H
#define MAXGL_CLI_EVAL_OUTPUT_H

#include <glib.h>

/** What the command line says of it. */
typedef struct {
    char *out, *name, *json;
} MaxglEvalOutput;

/* clang-format off */
/** The GOptionEntries of @o. */
#define MAXGL_EVAL_OUTPUT_ENTRIES(o)                                                                         \
    {"out", 'o', 0, G_OPTION_ARG_FILENAME, &(o).out,                                                         \
     "Folder of a run that gets the results for its report (default: M, if that is a run)", "RUN"},          \
    {"name", 0, 0, G_OPTION_ARG_STRING, &(o).name,                                                           \
     "Names the results in RUN (eval-PROTOCOL-NAME.json), to keep several", "NAME"},                         \
    {"json", 0, 0, G_OPTION_ARG_FILENAME, &(o).json,                                                         \
     "Also write the results to F (-: instead of the table)", "F"}
/* clang-format on */

void maxgl_eval_output_clear(MaxglEvalOutput *output);

/** Before the work: takes @model for the run's folder if it is one and there is no --out, and finds out
 * whether all that is to be written can be. */
gboolean maxgl_eval_output_prepare(MaxglEvalOutput *output, const char *model, GError **error);

/** Writes RUN/eval-PROTOCOL.json, or eval-PROTOCOL-NAME.json; nothing without a RUN. */
gboolean maxgl_eval_output_store(const MaxglEvalOutput *output, const char *protocol, const char *text,
                                 GError **error);

/** Whether tables are to be printed: FALSE for --json -. */
gboolean maxgl_eval_output_wants_tables(const MaxglEvalOutput *output);

/** After the tables: what --json asks for, and a line that says where the results are. */
gboolean maxgl_eval_output_finish(const MaxglEvalOutput *output, const char *text, GError **error);

#endif
