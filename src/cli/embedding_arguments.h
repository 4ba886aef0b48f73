/* Options of the commands that embed videos: embed and all of eval. */
#ifndef MAXGL_CLI_EMBEDDING_ARGUMENTS_H
#define MAXGL_CLI_EMBEDDING_ARGUMENTS_H

#include <glib.h>

/** What the command line says of how clips go through a network. */
typedef struct {
    int clips; /**< of a video; each command has an entry of its own for them */
    int batch, workers;
    gboolean exact, no_cache;
    char *precision; /**< NULL: fp32; once checked a static string */
} MaxglEmbeddingArguments;

/* clang-format off */
/** The GOptionEntries of @a but for clips. */
#define MAXGL_EMBEDDING_ENTRIES(a)                                                                           \
    {"batch", 'b', 0, G_OPTION_ARG_INT, &(a).batch, "Clips computed at once (default: about 16)", "N"},      \
    {"exact", 0, 0, G_OPTION_ARG_NONE, &(a).exact,                                                           \
     "No algorithm whose rounding errors exceed direct summation's (slower)", NULL},                         \
    {"precision", 0, 0, G_OPTION_ARG_STRING, &(a).precision,                                                 \
     "fp32, tf32, fp16 or bf16 (fp32); the last two store maps in 16 bits", "P"},                            \
    {"no-cache", 0, 0, G_OPTION_ARG_NONE, &(a).no_cache,                                                     \
     "Compute features that an earlier command has left in the cache, and leave none", NULL},                \
    {"workers", 'j', 0, G_OPTION_ARG_INT, &(a).workers,                                                      \
     "Decoding threads (default: as many as cores, at most 8)", "N"}
/* clang-format on */

/** FALSE and MAXGL_ERROR_USAGE if a number is out of range or the precision unknown. @least_clips: 1, or 0
 * where that means all clips that cover a video. */
gboolean maxgl_embedding_arguments_check(MaxglEmbeddingArguments *arguments, int least_clips, GError **error);

#endif
