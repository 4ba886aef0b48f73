/* A thread for each device, so that all of them are kept busy at once. */
#ifndef MAXGL_LEARN_CREW_H
#define MAXGL_LEARN_CREW_H

#include <glib.h>

typedef struct MaxglCrew MaxglCrew;

/** What one of them does: @i is its number. */
typedef gboolean (*MaxglCrewJob)(gpointer data, guint i, GError **error);

/** A crew of @n (at least 1): the caller's thread, which is number 0, and n − 1 more. */
MaxglCrew *maxgl_crew_new(guint n);
/** Ends the threads. */
void maxgl_crew_free(MaxglCrew *crew);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglCrew, maxgl_crew_free)

/** All do @job at the same time; returns when the last one is done. Where some fail, the error is that of the
 * first of them, with the number of its device before it if there are several. */
gboolean maxgl_crew_run(MaxglCrew *crew, MaxglCrewJob job, gpointer data, GError **error);

#endif
