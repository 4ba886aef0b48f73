/* run.json. Private to run.c. */
#ifndef MAXGL_LEARN_RUN_INFO_H
#define MAXGL_LEARN_RUN_INFO_H

#include "learn/run.h"

/** What is known of a run: earlier sessions, read from the file, and the present one. */
typedef struct MaxglRunInfo MaxglRunInfo;

/** A session that begins now, at step @step. */
MaxglRunInfo *maxgl_run_info_new(const char *path, const MaxglRecipe *recipe, const GPtrArray *contexts,
                                 const MaxglResnet *resnet, const MaxglRunSizes *sizes, gint64 step);
void maxgl_run_info_free(MaxglRunInfo *info);

/** Writes the file: the session has come to step @step, and so has the run. */
gboolean maxgl_run_info_write(MaxglRunInfo *info, const char *state, gint64 step, gsize bad_videos,
                              GError **error);

#endif
