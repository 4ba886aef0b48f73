/* What a piece of code writes on stderr, to a file or to a pretended terminal. */
#ifndef MAXGL_TESTS_BASE_CAPTURE_H
#define MAXGL_TESTS_BASE_CAPTURE_H

#include <glib.h>

/** Sends stderr elsewhere. @columns: width of the terminal to pretend, 0 for none (a plain file). */
void capture_start(int columns);

/** Puts stderr back and returns what was written. */
char *capture_stop(void);

#endif
