/* GLib's log messages as lines of a command-line program. */
#ifndef MAXGL_BASE_LOG_H
#define MAXGL_BASE_LOG_H

#include <glib.h>

/** From now on g_warning(), g_message(), g_info() and g_debug() are lines "PROGRAM: warning: …" on stderr,
 * above any progress bar (messages of level G_LOG_LEVEL_MESSAGE without the level's name; other domains than
 * maxgl with theirs). Messages less severe than @level are dropped; the environment variable
 * MAXGL_LOG=error|warning|message|info|debug goes before @level. Also takes the user's character set (not the
 * number format) from the locale. Call it once, at the start of main(). */
void maxgl_log_init(const char *program, GLogLevelFlags level);

/** Prints "PROGRAM: MESSAGE" as the last word of a command that failed; a message of several lines gets it on
 * each. */
void maxgl_log_error(const GError *error);

/** Exit code of a command that failed with @error: 2 for #MAXGL_ERROR_USAGE (and GOptionContext's errors),
 * 130 for #MAXGL_ERROR_CANCELLED, 1 otherwise. */
int maxgl_error_exit_code(const GError *error);

#endif
