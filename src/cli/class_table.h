/* A table of classes, of what is recognised and of what is taken for what. */
#ifndef MAXGL_CLI_CLASS_TABLE_H
#define MAXGL_CLI_CLASS_TABLE_H

#include <glib.h>

/** Prints a line for each of the @n classes that has videos. @confusion: [n × n], row = class, column =
 * answer. */
void maxgl_class_table_print(const char *const *names, int n, const int *confusion);

#endif
