/* Ctrl-C that lets a run save what it has. */
#ifndef MAXGL_BASE_INTERRUPT_H
#define MAXGL_BASE_INTERRUPT_H

#include <glib.h>

/** From now on the first SIGINT or SIGTERM only raises the flag; the second ends the process at once with
 * status 130. */
void maxgl_interrupt_install(void);

/** Whether a signal came. Cheap; any thread. */
gboolean maxgl_interrupt_requested(void);

/** If a signal came: FALSE and #MAXGL_ERROR_CANCELLED "interrupted". For long loops: `if
 * (!maxgl_interrupt_check(error))`. */
gboolean maxgl_interrupt_check(GError **error);

#endif
